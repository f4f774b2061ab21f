"""Submitting work once, finding it again, and waiting for it."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from closedist.errors import InputError
from closedist.paper.cluster.record import Record, Submitted, read_record, write_record
from closedist.paper.cluster.tasks import Task, Work, group, is_done, versions
from closedist.system.locks import exclusive
from closedist.system.progress import changing_progress

log = logging.getLogger(__name__)
RUNNING = "RUNNING"


class Scheduler(Protocol):
    """What runs jobs: SLURM."""

    @property
    def poll_seconds(self) -> float:
        """Between two looks at the queue."""

    @property
    def grace_seconds(self) -> float:
        """How long files of an ended job may take to be seen through a shared file system."""

    def submit(
        self, tasks: Sequence[Task], seconds: float, folder: Path, name: str, after: Sequence[str] = ()
    ) -> list[str]:
        """Put tasks into the queue as one job array; their jobs.

        Args:
            seconds: the estimate of the longest.
            folder, name: where the logs go, and what the jobs are called.
            after: the jobs that must have ended well before these start.
        """

    def states(self, jobs: Sequence[str]) -> dict[str, str] | None:
        """Those of ``jobs`` that are in the queue, each ``RUNNING`` or otherwise; None where it does not answer now."""

    def cancel(self, name: str) -> None:
        """End all of the user's jobs of this name."""

    def ending(self, job: str, folder: Path) -> str:
        """How a job ended that is no longer in the queue, with its last error."""


@dataclass(frozen=True)
class Queue:
    """Where jobs go and are looked after.

    Attributes:
        scheduler: runs them.
        folder: the record, submitit's files and the logs.
        threads: of every task.
        least_seconds: the estimate that a task should not be much below.
        most_tasks: in the queue for one command.
    """

    scheduler: Scheduler
    folder: Path
    threads: int
    least_seconds: float
    most_tasks: int

    def submit(self, families: Sequence[Sequence[Work]]) -> int:
        """Submit, as one job array, all works that are neither done nor in the hands of a job.

        Args:
            families: works that may share a task, such as those on the same data.

        Returns:
            The number of tasks submitted.

        Raises:
            InputError: the scheduler refuses them or does not answer, or the folder cannot be written.
        """
        with self._alone():
            record, live = self._present()
            kept = tuple(task for task in record.tasks if task.job in live or _is_done(task))
            record = record.with_changes(tasks=kept)
            left = [[work for work in family if not record.task_of(work.files)] for family in families]
            groups = self._group([family for family in left if family])
            if groups:
                tasks = [self._task(works) for works in groups]
                jobs = self._submit(tasks, record)
                new = [Submitted(job=job, files=dict(task.before)) for job, task in zip(jobs, tasks, strict=True)]
                record = record.with_changes(tasks=(*kept, *new))
                log.info("submitted %s; logs are in %s", _counted(jobs), self.folder)
            write_record(self.folder, record)
            found = sum(task.job in live for task in kept)
            if found:
                log.info("found %s of an earlier command in the queue", _tasks(found))
            return len(groups)

    def follow_up(self, do: Callable[[], object]) -> str:
        """Submit ``do`` as a job after all recorded ones, in the place of an earlier one; its job.

        Raises:
            InputError: the scheduler refuses it or does not answer, or the folder cannot be written.
        """
        with self._alone():
            record, live = self._present()
            if record.follow_up in live:
                return str(record.follow_up)
            after = [task.job for task in record.tasks if task.job in live]
            (job,) = self._submit([Task((Work((), 0, do),), {}, self.threads)], record, after)
            write_record(self.folder, record.with_changes(follow_up=job))
            return job

    def wait(self, works: Sequence[Work]) -> None:
        """Wait for submitted works, and for their jobs to end; shows how far they are.

        Raises:
            InputError: tasks ended without having done theirs.
            KeyboardInterrupt: the user stopped the waiting; the jobs go on.
        """
        record = read_record(self.folder)
        watched: dict[str, _Watched] = {}
        for work in works:
            task = record.task_of(work.files)
            if task is not None:
                watched.setdefault(task.job, _Watched(task)).works.append(work)
        try:
            with changing_progress(sum(work.seconds for work in works)) as show:
                failed = self._watch(watched, show)
        except KeyboardInterrupt:
            arrays = " ".join(sorted({_array(job) for job in watched}))
            raise KeyboardInterrupt(f"stopped waiting; the jobs go on (scancel {arrays} ends them)") from None
        if failed:
            reasons = "; ".join(f"task {job} {reason}" for job, reason in failed.items())
            raise InputError(
                f"{len(failed)} of {len(watched)} tasks did not finish ({reasons}): see the logs in {self.folder}; the "
                "same command again does what is left"
            )

    def left(self, works: Sequence[Work]) -> bool:
        """Whether any of these submitted works is not done."""
        record = read_record(self.folder)
        return any(not is_done(work.files, task.files) for work in works if (task := record.task_of(work.files)))

    def wait_for_follow_up(self) -> None:
        """Wait until the job that measures and draws, if there is one, has left the queue."""
        follow_up = read_record(self.folder).follow_up
        while follow_up and self.scheduler.states([follow_up]) != {}:
            time.sleep(self.scheduler.poll_seconds)

    def forget_finished(self) -> None:
        """Drop jobs that have left the queue from the record; where none is left, submitit's files go too."""
        with self._alone():
            record, live = self._present()
            tasks = tuple(task for task in record.tasks if task.job in live)
            record = Record(tasks=tasks, follow_up=record.follow_up if record.follow_up in live else None)
            write_record(self.folder, record)
            if record == Record():
                for pattern in ("*.pkl", "*_submission.sh", ".submission_file_*"):
                    for path in self.folder.glob(pattern):
                        path.unlink(missing_ok=True)

    def _alone(self) -> AbstractContextManager[None]:
        return exclusive(self.folder / ".jobs.lock", lambda: log.warning("another command is submitting: waiting"))

    def _present(self) -> tuple[Record, dict[str, str]]:
        """The record, and which of its jobs are in the queue."""
        record = read_record(self.folder)
        if record.submitting:  # a kill came between: nothing else knows these jobs, and their files may be incomplete
            self.scheduler.cancel(record.submitting)
            record = record.with_changes(submitting=None)
            write_record(self.folder, record)
        live = self.scheduler.states(record.jobs) if record.jobs else {}
        if live is None:
            raise InputError("the cluster does not answer, and jobs may be in its queue: try again later")
        return record, live

    def _group(self, families: Sequence[Sequence[Work]]) -> list[tuple[Work, ...]]:
        if len(families) > self.most_tasks:
            families = [[work for family in families for work in family]]
        seconds = [sum(work.seconds for work in family) for family in families]
        groups: dict[int, list[tuple[Work, ...]]] = {}
        for number in sorted(range(len(families)), key=lambda number: -seconds[number]):  # the longest chooses first
            later = [seconds[other] for other in range(len(families)) if other != number and other not in groups]
            places = self.most_tasks - sum(map(len, groups.values()))
            share = seconds[number] / (seconds[number] + sum(later)) if seconds[number] > 0 else 0
            most = min(max(1, int(share * places)), places - len(later))
            groups[number] = group(families[number], least_seconds=self.least_seconds, most_tasks=most)
        return [task for _, tasks in sorted(groups.items()) for task in tasks]

    def _submit(self, tasks: Sequence[Task], record: Record, after: Sequence[str] = ()) -> list[str]:
        name = f"closedist-{secrets.token_hex(4)}"
        seconds = max(sum(work.seconds for work in task.works) for task in tasks)
        write_record(self.folder, record.with_changes(submitting=name))
        try:
            return self.scheduler.submit(tasks, seconds, self.folder, name, after)
        except InputError:
            write_record(self.folder, record)
            raise

    def _task(self, works: tuple[Work, ...]) -> Task:
        return Task(works, versions([file for work in works for file in work.files]), self.threads)

    def _watch(self, watched: "Mapping[str, _Watched]", show: Callable[[float, str], None]) -> dict[str, str]:
        """Wait until every watched job has left the queue; how those ended that have not done their work."""
        shown = 0.0
        gone: dict[str, float] = {}
        failed: dict[str, str] = {}
        while True:
            states = self.scheduler.states(list(watched))
            now = time.monotonic()
            left = [job for job, task in watched.items() if task.left()]
            failed = {job: why for job, why in failed.items() if job in left}  # files may come late, or from elsewhere
            if states is not None:
                gone = {job: gone.get(job, now) for job in watched if job not in states}
                for job in left:
                    if job not in failed and job in gone and now - gone[job] >= self.scheduler.grace_seconds:
                        failed[job] = self.scheduler.ending(job, self.folder)
                        log.warning("task %s %s", job, failed[job])
            done = sum(task.seconds_done() for task in watched.values())
            running = sum((states or {}).get(job) == RUNNING for job in left)
            waiting = len(left) - running - len(failed)
            show(
                done - shown,
                f"{len(watched) - len(left)} tasks done, {running} running, {waiting} waiting, {len(failed)} failed",
            )
            shown = done
            if states == {} and len(failed) == len(left):
                return failed
            time.sleep(self.scheduler.poll_seconds)


@dataclass(frozen=True)
class _Watched:
    """A task that is waited for, and those of its works that matter."""

    task: Submitted
    works: list[Work] = field(default_factory=list)

    def left(self) -> bool:
        return not all(is_done(work.files, self.task.files) for work in self.works)

    def seconds_done(self) -> float:
        """The estimate of what is done, by the share of files that are there."""
        return sum(
            work.seconds * sum(is_done([file], self.task.files) for file in work.files) / len(work.files)
            for work in self.works
        )


def _is_done(task: Submitted) -> bool:
    return is_done([Path(file) for file in task.files], task.files)


def _array(job: str) -> str:
    return job.partition("_")[0]


def _counted(jobs: Sequence[str]) -> str:
    return f"job {_array(jobs[0])} ({_tasks(len(jobs))})"


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
