"""Means over students of several teachers with honest intervals, and the second paper's inverse-variance means."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from closedist.certainty.interval import CONFIDENCE
from closedist.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval.

    Attributes:
        value: the mean.
        low, high: the interval's ends.
        standard_error: of the mean.
    """

    value: float
    low: float
    high: float
    standard_error: float


def random_effects(table: ArrayLike) -> Estimate:
    """The mean over teachers and seeds, both drawn at random, for other teachers and other students of the same kind.

    The students of one seed start from the same weights under every teacher, so seeds cross teachers: the variance of
    the mean is σ²_teacher/T + σ²_seed/S + σ²/(TS), from the two-way analysis of variance, a component below 0 taken as
    0. The quantile is Student's with min(T, S) − 1 degrees, which errs on the wide side. With one teacher (or one seed)
    the interval says nothing of others.

    Args:
        table: (T, S) a number of every student, T teachers, S seeds; at least two numbers.

    Raises:
        InputError: it is no such table.
    """
    values = np.asarray(table, np.float64)
    if values.ndim != 2 or values.size < 2 or not np.isfinite(values).all():
        raise InputError(f"table: shape {values.shape}; (teachers, students) finite numbers, two or more, are needed")
    mean, sizes = values.mean(), values.shape
    effects = [values.mean(1) - mean, values.mean(0) - mean]
    if 1 in sizes:
        degrees = values.size - 1
        variance = np.square(values - mean).sum() / degrees / values.size
    else:
        rest = values - mean - effects[0][:, None] - effects[1][None]
        noise = np.square(rest).sum() / ((sizes[0] - 1) * (sizes[1] - 1)) / values.size
        squares = [np.square(effect).sum() / (len(effect) - 1) / len(effect) for effect in effects]
        variance = noise + sum(max(0.0, float(square - noise)) for square in squares)
        degrees = min(sizes) - 1
    error = float(np.sqrt(variance))
    half = float(stdtrit(degrees, (1 + CONFIDENCE) / 2)) * error
    return Estimate(float(mean), float(mean) - half, float(mean) + half, error)


def on_log_scale(table: ArrayLike) -> Estimate:
    """The same for positive numbers whose spread is in factors: the geometric mean and its interval.

    Args:
        table: (T, S), of positive numbers.

    Raises:
        InputError: it is no such table.
    """
    values = np.asarray(table, np.float64)
    if not (values > 0).all():
        raise InputError("table: a number is not above 0, and has no logarithm")
    found = random_effects(np.log(values))
    value, low, high = np.exp([found.value, found.low, found.high]).tolist()
    return Estimate(value, low, high, value * found.standard_error)


def inverse_variance(groups: Sequence[ArrayLike]) -> Estimate:
    """The second paper's mean over teachers: each weighted by n/var of its students, with bands of two errors.

    It takes variances of five students as known and the teachers as one true value, so its bands are too narrow, and a
    teacher whose students happen to agree rules the mean: shown to compare with the paper, not to conclude from.

    Args:
        groups: a teacher each, the numbers of its students, two or more.

    Raises:
        InputError: a teacher has fewer than two students, or all of them the same number.
    """
    values = [np.asarray(group, np.float64) for group in groups]
    if any(len(group) < 2 or not group.var() > 0 for group in values):
        raise InputError("groups: every teacher needs two students or more with different numbers")
    weights = [len(group) / group.var(ddof=1) for group in values]
    total = sum(weights)
    means = [group.mean() for group in values]
    mean = float(sum(weight * own for weight, own in zip(weights, means, strict=True)) / total)
    error = float(total**-0.5)
    return Estimate(mean, mean - 2 * error, mean + 2 * error, error)
