"""What a user asks of two models: a tolerance of log-odds, and, where wanted, limits of KL and the same top label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from closedist.certainty.interval import Interval
from closedist.errors import InputError

TOLERANCE = 0.05  # the least mean correlation is 0.95: after a rotation 10 % of the variance is left, R² ≥ 0.90
LARGE_TOLERANCE = 0.3  # R² ≥ 0.49: above, models that share less than half of their log-odds' variance are "the same"

State = Literal["met", "broken", "open"]


@dataclass(frozen=True)
class Limits:
    """What two models are asked to keep.

    Attributes:
        tolerance: how far the mean correlation of log-odds may be from 1; between 0 and 1.
        max_kl: how large KL may be, in either direction, in nats; None where it is not asked for.
        min_same_top: the share of the inputs that must get the same label from both; likewise.

    Raises:
        InputError: one of them is out of its range.
    """

    tolerance: float = TOLERANCE
    max_kl: float | None = None
    min_same_top: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.tolerance, int | float) or not 0 < self.tolerance < 1:
            raise InputError(f"tolerance: {self.tolerance!r}; a number between 0 and 1 is needed, such as {TOLERANCE}")
        if self.max_kl is not None and not self.max_kl > 0:
            raise InputError(f"max_kl: {self.max_kl!r}; a number of nats above 0 is needed, such as 0.01")
        if self.min_same_top is not None and not 0 < self.min_same_top < 1:
            raise InputError(f"min_same_top: {self.min_same_top!r}; a share between 0 and 1 is needed, such as 0.95")


USUAL_LIMITS = Limits()


@dataclass(frozen=True)
class Kept:
    """Whether a limit is kept, and the words for it."""

    state: State
    words: str


def kept(limits: Limits, kls: Sequence[Interval], same_top: Interval) -> list[Kept]:
    """Of each limit besides the tolerance whether it is kept, broken, or open, each 95 % sure (one-sided).

    Args:
        limits: what is asked for.
        kls: the intervals of KL, of one direction or of both.
        same_top: that of the share of the inputs which get the same label.
    """
    found = []
    if limits.max_kl is not None:
        low, high = max(one.at_least for one in kls), max(one.at_most for one in kls)
        state: State = "met" if high <= limits.max_kl else "broken" if low > limits.max_kl else "open"
        said = {"met": f"at most {high:.3g}", "broken": f"at least {low:.3g}", "open": f"{low:.3g} to {high:.3g}"}
        found.append(Kept(state, f"KL is {said[state]} nats and may be {limits.max_kl:g}"))
    if limits.min_same_top is not None:
        low, high = same_top.at_least, same_top.at_most
        state = "met" if low >= limits.min_same_top else "broken" if high < limits.min_same_top else "open"
        shares = {"met": f"at least {low:.2%}", "broken": f"at most {high:.2%}", "open": f"{low:.2%} to {high:.2%}"}
        found.append(
            Kept(
                state,
                f"{shares[state]} of the inputs get the same label, and {limits.min_same_top:.4g} was asked for",
            )
        )
    return found


def worst(states: Sequence[State]) -> State:
    """Broken where one is, else open where one is."""
    return "broken" if "broken" in states else "open" if "open" in states else "met"


def of_both(intervals: Mapping[str, Interval]) -> tuple[list[Interval], Interval]:
    """What :func:`kept` looks at, among a pair's intervals by field."""
    return [intervals["kl"], intervals["kl_reverse"]], intervals["same_top_label"]
