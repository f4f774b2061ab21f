"""A confidence interval of one number; nothing here loads torch."""

from dataclasses import dataclass

CONFIDENCE = 0.95  # of the two-sided intervals, and of each one-sided limit that a verdict uses


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of one number.

    Attributes:
        low, high: its ends.
        standard_error: of the number itself, on its own scale.
        bias: by how much the number is expected to exceed what infinitely many inputs would give.
        at_least, at_most: the one-sided 95 % limits, which a verdict uses; they lie inside the interval.
    """

    low: float
    high: float
    standard_error: float
    bias: float
    at_least: float
    at_most: float
