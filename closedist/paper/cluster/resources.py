"""What a task asks of the cluster."""

import re
from dataclasses import dataclass

from closedist.errors import InputError

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
