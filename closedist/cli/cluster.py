"""The options of commands that can use a SLURM cluster."""

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from closedist.cli.options import SLURM, Common, Count, Natural, NonNegative
from closedist.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from closedist.pairs.elsewhere import Load, Workers
    from closedist.paper.cluster.jobs import Queue
    from closedist.paper.cluster.tasks import Work
    from closedist.system.slurm import Resources


@Parameter(name="*")
@dataclass(frozen=True)
class Cluster:
    """Where and how a command's tasks run when a SLURM cluster is to do them.

    Attributes:
        slurm: Let a SLURM cluster do it, as one job array; run again, the command finds its jobs.
        partition: Where tasks run. Default: the cluster's.
        cpus_per_task: Processor cores, and threads, of a task. Default: --threads, or 1.
        gpus_per_task: GPUs of a task, on which it then computes.
        time: The limit of a task, as sbatch takes it (90, 1:30:00, 2-12); a task that reaches it goes on in another.
        task_minutes: About the shortest task that is worth a place in the queue, by the estimate.
        max_jobs: How many tasks at most.
        sbatch: More of sbatch's options, as in account=lab,mem=16G.
        no_wait: Submit and return; what follows in reproduce is then a job of its own.
    """

    slurm: Annotated[bool, SLURM] = False
    partition: Annotated[str | None, SLURM] = None
    cpus_per_task: Annotated[Count | None, SLURM] = None
    gpus_per_task: Annotated[Natural, SLURM] = 0
    time: Annotated[str | None, SLURM] = None
    task_minutes: Annotated[NonNegative, SLURM] = 5
    max_jobs: Annotated[Count, SLURM] = 100
    sbatch: Annotated[str, SLURM] = ""
    no_wait: Annotated[bool, SLURM] = False

    def threads(self, common: Common) -> int:
        """Of every task and of the command itself: what gives the same bytes as the command without --slurm."""
        return self.cpus_per_task or common.threads or 1

    @property
    def device(self) -> "torch.device":
        """Where tasks compute."""
        import torch

        return torch.device("cuda" if self.gpus_per_task else "cpu")

    def run(self, queue: "Queue", works: "Sequence[Work]") -> None:
        """Submit what no job has in hand yet and, unless nobody waits, wait for it."""
        submitted = queue.submit([works])
        if not self.no_wait:
            queue.wait(works)
            queue.forget_finished()
        elif submitted == 0 and not queue.left(works):
            queue.forget_finished()
            print("all of it is done")

    def check(self, common: Common, cuda: bool = False) -> None:
        """Make sure that the options belong together.

        Raises:
            InputError: they do not.
        """
        if not self.slurm:
            if self != NO_CLUSTER:
                raise InputError("options of the group SLURM need --slurm: add it, or leave them out")
            return
        if cuda:
            raise InputError("--cuda: with --slurm, ask for GPUs with --gpus-per-task=1 instead")
        if common.threads and self.cpus_per_task and common.threads != self.cpus_per_task:
            raise InputError("--threads: a task has as many threads as --cpus-per-task; leave one of the two out")

    def queue(self, common: Common, checkpoints: Path) -> "Queue":
        """The cluster, with its record and logs beside the checkpoints; sets this process's threads as the tasks'."""
        import torch

        from closedist.paper.cluster.jobs import Queue
        from closedist.system.slurm import Slurm

        scheduler = Slurm(self._resources(common))
        scheduler.check_available()
        torch.set_num_threads(self.threads(common))
        return Queue(
            scheduler=scheduler,
            folder=checkpoints.absolute() / "slurm",
            threads=self.threads(common),
            least_seconds=60 * self.task_minutes,
            most_tasks=self.max_jobs,
        )

    @contextmanager
    def workers(self, common: Common, load: "Load") -> "Iterator[Workers]":
        """The cluster as who compares pairs: a job array in a folder here, which goes when all is done.

        Args:
            common: for the threads of a task.
            load: how a task comes to its models.

        Raises:
            InputError: there is no SLURM here, or nobody is to wait.
        """
        from closedist.pairs.elsewhere import Workers
        from closedist.system.slurm import JobArray, Slurm

        if self.no_wait:
            raise InputError("--no-wait: compare prints what the tasks find, so it waits for them; leave it out")
        scheduler = Slurm(self._resources(common))
        scheduler.check_available()
        folder = Path(tempfile.mkdtemp(prefix="closedist-compare-", dir=Path.cwd()))
        array = JobArray(scheduler, folder, folder.name, 3600.0)
        try:
            yield Workers(array, load)
        except BaseException:
            array.cancel()
            raise
        shutil.rmtree(folder)

    def _resources(self, common: Common) -> "Resources":
        from closedist.system.slurm import Resources, minutes_of

        further = []
        for part in filter(None, self.sbatch.split(",")):
            name, equals, value = part.partition("=")
            if not equals or not name.strip("-"):
                raise InputError(f"--sbatch: {part!r} is no option; write it as --sbatch=account=lab,mem=16G")
            further.append((name.lstrip("-"), value))
        return Resources(
            partition=self.partition,
            cpus=self.threads(common),
            gpus=self.gpus_per_task,
            minutes=None if self.time is None else minutes_of(self.time),
            further=tuple(further),
        )


NO_CLUSTER = Cluster()
