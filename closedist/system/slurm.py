"""SLURM through submitit: what a job asks for, submission with errors in one line, the state of jobs and their end."""

import contextlib
import io
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from closedist.errors import InputError

SIGNAL_SECONDS = 120  # before the time limit, when tasks save their state and go back into the queue
REQUEUES = 1000  # a task that runs into its time limit so often is ended
ENDINGS = {
    "TIMEOUT": "ran into its time limit before it could save: give a longer --time",
    "OUT_OF_MEMORY": "ran out of memory: give more with --sbatch=mem=16G",
    "CANCELLED": "was cancelled",
    "PREEMPTED": "was preempted",
    "NODE_FAIL": "lost its node",
}
FULL = ("SubmitJob", "submit job limit", "job submit limit", "temporarily unable", "temporarily unavailable", "MaxJobs")

SHORTEST_MINUTES = 15  # of a time limit that nobody gave
LONGEST_MINUTES = 24 * 60
SLACK = 4  # nodes may be slower than the machine of the estimate, and busy


@dataclass(frozen=True)
class Resources:
    """What every task is given.

    Attributes:
        partition: where tasks run; None is the cluster's default.
        cpus: processor cores of a task, which computes in as many threads.
        gpus: of a task.
        minutes: the time limit; None takes it from the estimate.
        further: more of sbatch's options, by their long names.
    """

    partition: str | None = None
    cpus: int = 1
    gpus: int = 0
    minutes: int | None = None
    further: tuple[tuple[str, str], ...] = ()

    def time_limit(self, seconds: float) -> int:
        """The time limit in minutes of tasks that are estimated to take at most ``seconds``."""
        if self.minutes is not None:
            return self.minutes
        return int(min(LONGEST_MINUTES, max(SHORTEST_MINUTES, SLACK * seconds / 60)))


def minutes_of(text: str) -> int:
    """A time limit as sbatch takes it (``90``, ``1:30:00``, ``2-12`` for two days and a half), in minutes, rounded up.

    Raises:
        InputError: it is none, or is below a minute.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if match:
        days, *rest = match.groups()
        numbers = [int(part) for part in rest if part is not None]
        if days is not None or len(numbers) == 3:  # days-hours[:minutes[:seconds]], hours:minutes:seconds
            hours, minutes, seconds = (*numbers, 0, 0)[:3]
        else:  # minutes[:seconds]
            hours, minutes, seconds = 0, *(*numbers, 0)[:2]
        total = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
        if total >= 60:
            return -(-total // 60)
    raise InputError(f"--time: {text!r} is no time limit of a minute or more; write it as 90, 1:30:00 or 2-12:00")


@dataclass(frozen=True)
class Slurm:
    """The cluster that this machine submits to.

    Attributes:
        resources: of every task.
        poll_seconds: between two looks at the queue.
        grace_seconds: how long files of an ended job may take to be seen here.
    """

    resources: Resources
    poll_seconds: float = 3
    grace_seconds: float = 15

    def check_available(self) -> None:
        """Make sure that jobs can be submitted from here.

        Raises:
            InputError: there is no SLURM or no submitit here.
        """
        _submitit()
        if not shutil.which("sbatch") or not shutil.which("srun"):
            raise InputError(
                "--slurm: there is no sbatch on this machine; submit from another, or leave --slurm out to compute here"
            )

    def submit(
        self, tasks: Sequence[Callable[[], object]], seconds: float, folder: Path, name: str, after: Sequence[str] = ()
    ) -> list[str]:
        """Put tasks into the queue as one job array, to start when the jobs ``after`` have ended well; their jobs.

        Args:
            seconds: the estimate of the longest task.
            folder: of submitit's files and the logs.
            name: of the jobs.

        Raises:
            InputError: SLURM refuses the jobs.
        """
        submitit = _submitit()
        minutes = self.resources.time_limit(seconds)
        executor = submitit.SlurmExecutor(folder, max_num_timeout=REQUEUES)
        further: dict[str, object] = {"requeue": True, **dict(self.resources.further)}
        if after:
            further["kill-on-invalid-dep"] = "yes"
        executor.update_parameters(
            job_name=name,
            time=minutes,
            signal_delay_s=min(SIGNAL_SECONDS, 60 * minutes // 4),
            cpus_per_task=self.resources.cpus,
            srun_args=[f"--cpus-per-task={self.resources.cpus}"],  # from 22.05 on srun does not take it from sbatch
            array_parallelism=len(tasks),
            additional_parameters=further,
            **({"partition": self.resources.partition} if self.resources.partition else {}),
            **({"gpus_per_task": self.resources.gpus} if self.resources.gpus else {}),
            **({"dependency": "afterok:" + ":".join(after)} if after else {}),
        )
        said = io.StringIO()
        try:
            with submitit.helpers.clean_env(), contextlib.redirect_stderr(said):
                return [job.job_id for job in executor.submit_array(tasks)]
        except submitit.core.utils.FailedJobError as error:
            raise InputError(_refusal(str(error), self.resources)) from None

    def states(self, jobs: Sequence[str]) -> dict[str, str] | None:
        """Those of ``jobs`` that are in the queue, with their state; None where SLURM does not answer now."""
        if not jobs:
            return {}
        arrays = sorted({job.partition("_")[0] for job in jobs})
        asked = _run("squeue", "--noheader", "--array", "--format=%i|%T", f"--jobs={','.join(arrays)}")
        if asked.returncode != 0:
            return {} if "Invalid job id" in asked.stderr else None  # the only one asked for is long gone
        found = dict(line.strip().split("|") for line in asked.stdout.splitlines() if "|" in line)
        return {job: found[job] for job in jobs if job in found}

    def cancel(self, name: str) -> None:
        """End all of the user's jobs of this name."""
        _run("scancel", f"--name={name}")

    def ending(self, job: str, folder: Path) -> str:
        """How a job ended that is no longer in the queue, with its last error."""
        accounted = _run("sacct", "--noheader", "--allocations", "--parsable2", "--format=State", f"--jobs={job}")
        state = accounted.stdout.strip().partition("\n")[0].partition(" ")[0]
        if state in ENDINGS:
            return ENDINGS[state]
        return f"failed: {last_error(folder, job)}"


@dataclass
class JobArray:
    """An executor: tasks are collected, and go into the queue as one job array when the first result is asked for.

    Attributes:
        cluster: where they run.
        folder: of submitit's files and the logs, which the nodes see too.
        name: of the jobs.
        seconds: the estimate of the longest task.
    """

    cluster: Slurm
    folder: Path
    name: str
    seconds: float
    _tasks: list[Callable[[], object]] = field(default_factory=list)
    _jobs: list[str] = field(default_factory=list)

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> "ArrayTask":
        """Collect one task."""
        self._tasks.append(partial(_on_threads, self.cluster.resources.cpus, function, *arguments))
        return ArrayTask(self, len(self._tasks) - 1)

    def result_of(self, number: int) -> Any:
        """What a task returned; waits for it.

        Raises:
            InputError: SLURM refuses the jobs, or the task's job ended without a result.
        """
        if not self._jobs:
            self._jobs = self.cluster.submit(self._tasks, self.seconds, self.folder, self.name)
        job = self._jobs[number]
        path = self.folder / f"{job}_0_result.pkl"
        gone = 0.0
        while not path.exists():
            states = self.cluster.states([job])
            gone = gone + self.cluster.poll_seconds if states is not None and job not in states else 0.0
            if gone > self.cluster.grace_seconds:
                raise InputError(
                    f"task {job} did not finish ({self.cluster.ending(job, self.folder)}): see {self.folder}"
                )
            time.sleep(self.cluster.poll_seconds)
        outcome, result = _submitit().core.utils.pickle_load(path)
        if outcome != "success":
            raise InputError(f"task {job} failed: {last_error(self.folder, job)}; see the logs in {self.folder}")
        return result

    def cancel(self) -> None:
        """End what is still in the queue."""
        if self._jobs:
            self.cluster.cancel(self.name)


@dataclass(frozen=True)
class ArrayTask:
    """One of them."""

    array: JobArray
    number: int

    def result(self) -> Any:
        """What it returned, once it is done."""
        return self.array.result_of(self.number)


def _on_threads(threads: int, function: Callable[..., Any], *arguments: Any) -> Any:
    import torch

    torch.set_num_threads(threads)
    return function(*arguments)


def last_error(folder: Path, job: str) -> str:
    """The last line of a job's error log that is not SLURM's own, without the error's class."""
    path = folder / f"{job}_0_log.err"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    own = [line.strip() for line in lines if line.strip() and not re.match(r"(srun|slurmstepd|slurmd): ", line)]
    if not own:
        return f"{path} says nothing"
    return re.sub(r"^closedist\.[\w.]+: ", "", own[-1])


def _submitit() -> ModuleType:
    try:
        import submitit
        import submitit.helpers
    except ImportError:
        raise InputError("--slurm needs submitit: pip install submitit") from None
    return submitit


def _refusal(said: str, resources: Resources) -> str:
    """One line for what sbatch said when it refused jobs, with the remedy."""
    if "invalid partition" in said.lower():
        known = ", ".join(sorted(set(_run("sinfo", "--noheader", "--format=%R").stdout.split()))) or "none"
        return f"--partition: SLURM has no partition {resources.partition!r} for you; it has {known}"
    *_, reason = (line.strip() for line in said.splitlines() if line.strip())
    reason = re.sub(r"^sbatch: (error: )?(Batch job submission failed: )?", "", reason)
    if "unable to contact" in said.lower():
        return f"SLURM does not answer ({reason}): run the same command again later"
    if any(word.lower() in said.lower() for word in FULL):
        return (
            f"SLURM takes no more jobs of yours now ({reason}): give a smaller --max-jobs, or run the same command "
            "again when jobs have ended"
        )
    return f"SLURM refused the jobs ({reason}): change --partition, --cpus-per-task, --gpus-per-task, --time, --sbatch"


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))
