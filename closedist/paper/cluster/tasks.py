"""Pieces of work, and the tasks of a job array that do several of them each and can be stopped at any time."""

import heapq
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from closedist.errors import InputError


@dataclass(frozen=True)
class Work:
    """One piece of work.

    Attributes:
        files: there, or made anew, when it is done; empty where only the end of its job tells.
        seconds: the estimate.
        do: does what is left of it, and can be stopped by SIGTERM.
    """

    files: tuple[Path, ...]
    seconds: float
    do: Callable[[], object]


Versions = Mapping[str, int | None]  # when each file was last written, in ns; None where it was not there


def versions(files: Sequence[Path]) -> dict[str, int | None]:
    """The present state of files."""
    return {str(file): file.stat().st_mtime_ns if file.exists() else None for file in files}


def is_done(files: Sequence[Path], before: Versions) -> bool:
    """Whether every file is there and is another than before."""
    return bool(files) and all(now is not None and now != before.get(file) for file, now in versions(files).items())


def group(works: Sequence[Work], *, least_seconds: float, most_tasks: int) -> list[tuple[Work, ...]]:
    """Spread works over tasks of about equal length: as many as there may be, none much below ``least_seconds``.

    Each work goes, longest first, to the task that is shortest so far; within a task they keep their order.
    """
    if not works:
        return []
    total = sum(work.seconds for work in works)
    worthwhile = int(min(total / least_seconds, len(works))) if least_seconds > 0 else len(works)
    count = max(1, min(len(works), most_tasks, worthwhile))
    tasks: list[tuple[float, int, list[int]]] = [(0.0, number, []) for number in range(count)]
    for index in sorted(range(len(works)), key=lambda index: -works[index].seconds):
        seconds, number, members = heapq.heappop(tasks)
        heapq.heappush(tasks, (seconds + works[index].seconds, number, [*members, index]))
    return [tuple(works[index] for index in sorted(members)) for _, _, members in sorted(tasks, key=lambda t: t[1])]


@dataclass(frozen=True)
class Task:
    """What one job does; submitit calls it on a node.

    SIGUSR2, which SLURM sends shortly before the time limit, saves the state and puts the job back into the queue;
    SIGTERM (scancel, or SLURM's own requeue) saves the state and ends it.

    Attributes:
        works: done one after the other; those that are done already are passed over.
        before: the state of all their files at submission.
        threads: of PyTorch.
    """

    works: tuple[Work, ...]
    before: Versions
    threads: int

    def __call__(self) -> None:
        import torch

        torch.set_num_threads(self.threads)
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        requeue = signal.getsignal(signal.SIGUSR2)  # submitit's
        out_of_time = False

        def stop(number: int, frame: FrameType | None) -> None:
            nonlocal out_of_time
            out_of_time = True
            signal.raise_signal(signal.SIGTERM)

        signal.signal(signal.SIGUSR2, stop)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # while training, a request to save and stop
        errors = []
        try:
            for work in self.works:
                if not is_done(work.files, self.before):
                    try:
                        work.do()
                    except InputError as error:  # of this work alone, such as a training that diverged
                        errors.append(str(error))
        except KeyboardInterrupt:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # SLURM's answer to the requeue
            if out_of_time and callable(requeue):
                requeue(signal.SIGUSR2, None)
            raise
        if errors:
            raise InputError("; ".join(errors))

    def checkpoint(self) -> object:
        """What a requeued job is to do, for submitit: the same, since all state is in files."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
