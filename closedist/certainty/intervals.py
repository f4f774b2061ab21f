"""Intervals from the delete-a-group jackknife: what a number would be on other inputs of the same kind.

Leaving out one group of inputs at a time, θ_(1) … θ_(G), gives the standard error of any smooth statistic of the
inputs, se² = (G − 1)/G Σ (h(θ_(g)) − mean)², on a scale h where it is nearly normal (Efron and Stein, 1981; for
clusters it is the estimator called CV3, MacKinnon, Nielsen and Webb, 2023).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from closedist.certainty.interval import CONFIDENCE, Interval


@dataclass(frozen=True)
class Scale:
    """Where a statistic is nearly normal.

    Attributes:
        transform, inverse: h and h⁻¹, on tensors.
        lowest, highest: what the statistic can be.
        corrected: where its bias is constant, as a function and its inverse, if the interval is to be centred at the
            value less its bias where that exceeds the standard error.
    """

    transform: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    lowest: float
    highest: float
    corrected: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] | None = None


def _root(squares: Tensor) -> Tensor:
    return squares.clamp(min=0.0).sqrt()


ITSELF = (torch.clone, torch.clone)
SQUARED = (torch.square, _root)  # noise adds to squared distances
LOG = Scale(torch.log, torch.exp, 0.0, math.inf)  # divergences, distances
LOG_TO_ONE = Scale(torch.log, torch.exp, 0.0, 1.0)  # d_SVD and what bounds it whatever the sign
LOG_TO_TWO = Scale(torch.log, torch.exp, 0.0, 2.0)  # one minus a correlation
ARTANH = Scale(torch.atanh, torch.tanh, -1.0, 1.0)  # correlations
SIMILARITY = Scale(torch.atanh, torch.tanh, 0.0, 1.0)  # those that are never negative, such as CKA
CORRECTED_SIMILARITY = Scale(torch.atanh, torch.tanh, 0.0, 1.0, corrected=ITSELF)  # m_CCA: of few inputs too large
CORRECTED_LOG = Scale(torch.log, torch.exp, 0.0, math.inf, corrected=ITSELF)  # d_SVD: on few inputs too large
SHARE = Scale(torch.clone, torch.clone, 0.0, 1.0)  # rates


def scale_of(low: float, high: float, larger_is_closer: bool | None, *, corrected: bool = False) -> Scale:
    """Where a number of this range is nearly normal: the log of a distance, artanh of a similarity, else itself.

    A distance that is corrected for its bias is so where noise adds up, squared: of two equal spectra it is nothing but
    noise, whose log is far from 0.
    """
    if larger_is_closer is None:
        return Scale(torch.clone, torch.clone, low, high)
    if larger_is_closer:
        return replace(ARTANH, lowest=max(low, -1.0), highest=high, corrected=ITSELF if corrected else None)
    return Scale(*SQUARED, 0.0, high, SQUARED) if corrected else replace(LOG, highest=high)


@dataclass(frozen=True)
class Intervals:
    """Intervals of many numbers at once: tensors of one shape, with the meaning of :class:`Interval`."""

    low: Tensor
    high: Tensor
    standard_error: Tensor
    bias: Tensor
    at_least: Tensor
    at_most: Tensor

    def as_list(self) -> list[Interval]:
        """One :class:`Interval` for each of m numbers, in order."""
        columns = (self.low, self.high, self.standard_error, self.bias, self.at_least, self.at_most)
        return [Interval(*numbers) for numbers in zip(*(column.flatten().tolist() for column in columns), strict=True)]


def by_number(found: Mapping[str, Intervals]) -> list[dict[str, Interval]]:
    """Of each of m numbers the intervals by name, from those by name of all m."""
    lists = {name: intervals.as_list() for name, intervals in found.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def jackknife(values: Tensor, replicates: Tensor, sizes: Tensor, scale: Scale) -> Intervals:
    """Intervals of statistics from their values without each of G groups of inputs.

    Where the value and all replicates are at an end of the scale (log 0, artanh ±1) there is nothing to be unsure of:
    low = high = the value, standard error 0. Where only some are, the identity is the scale.

    Args:
        values: (…) float64 the statistics on all inputs.
        replicates: (G, …) the same without group g.
        sizes: (G,) numbers of inputs in the groups; unequal groups count as the N²/Σn² equal ones that they are worth.
        scale: of the statistics.
    """
    count = len(replicates)
    shape = (count,) + (1,) * values.ndim
    share = (sizes.double() / sizes.sum()).reshape(shape)
    finite = torch.isfinite(values) & torch.isfinite(replicates).all(0)
    constant = (replicates == values).all(0)
    bias = _bias(values, replicates, share)
    own_error = _error(replicates)

    centre = values if scale.corrected is None else _without_bias(values, replicates, share, *scale.corrected)
    transformed, transformed_centre = scale.transform(replicates), scale.transform(centre)
    inside = torch.isfinite(transformed).all(0) & torch.isfinite(transformed_centre)
    inside &= torch.isfinite(scale.transform(values))
    error = torch.where(inside, _error(transformed), own_error)
    middle = torch.where(inside, transformed_centre, centre)

    def end(quantile: float) -> Tensor:
        at = middle + quantile * error
        there = torch.where(inside, scale.inverse(at), at).clamp(scale.lowest, scale.highest)
        there = torch.where(finite, there, scale.lowest if quantile < 0 else scale.highest)  # nothing is known
        return torch.where(constant, values, there)

    degrees = max(1.0, float(1.0 / share.square().sum()) - 1.0)
    both, one = (float(stdtrit(degrees, probability)) for probability in ((1 + CONFIDENCE) / 2, CONFIDENCE))
    own_error = torch.where(finite, own_error, torch.inf).masked_fill(constant, 0.0)
    bias = torch.where(finite, bias, torch.nan).masked_fill(constant, 0.0)
    return Intervals(end(-both), end(both), own_error, bias, end(-one), end(one))


def _bias(values: Tensor, replicates: Tensor, share: Tensor) -> Tensor:
    """By how much values exceed what infinitely many inputs would give, where that is in proportion to 1/N."""
    return ((1.0 - share) * (replicates - values)).sum(0)


def _without_bias(
    values: Tensor,
    replicates: Tensor,
    share: Tensor,
    transform: Callable[[Tensor], Tensor],
    inverse: Callable[[Tensor], Tensor],
) -> Tensor:
    """The values less their bias on this scale, where it exceeds the standard error."""
    values, replicates = transform(values), transform(replicates)
    bias = _bias(values, replicates, share)
    return inverse(torch.where(bias.abs() > _error(replicates), values - bias, values))


def _error(replicates: Tensor) -> Tensor:
    """√((G − 1)/G Σ (θ_(g) − mean)²) over the first dimension."""
    count = len(replicates)
    return ((replicates - replicates.mean(0)).square().sum(0) * ((count - 1) / count)).sqrt()


def wilson(shares: Tensor, count: int) -> Intervals:
    """Intervals of rates of ``count`` independent inputs (Wilson, 1927), which are honest at 0 and 1 too.

    Args:
        shares: (…) float64 between 0 and 1.
        count: N.
    """

    def end(quantile: float) -> Tensor:
        square = quantile * quantile
        spread = (shares * (1.0 - shares) / count + square / (4.0 * count * count)).sqrt()
        at = (shares + square / (2.0 * count) + quantile * spread) / (1.0 + square / count)
        return torch.where(shares == float(quantile > 0), shares, at).clamp(0.0, 1.0)  # exactly 0 or 1 at the ends

    both, one = (float(ndtri(probability)) for probability in ((1 + CONFIDENCE) / 2, CONFIDENCE))
    error = (shares * (1.0 - shares) / count).sqrt()
    return Intervals(end(-both), end(both), error, torch.zeros_like(shares), end(-one), end(one))
