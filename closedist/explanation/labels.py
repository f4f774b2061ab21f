"""How every label's logit and answers differ between two models, and its terms in d_LLV."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.explanation.differences import LabelDifference, Name
from closedist.measures.labels import choose_labels, with_labels
from closedist.measures.logit_roots import LogitRoots
from closedist.measures.moments import moments
from closedist.measures.stack import Stack
from closedist.measures.terms import axis_of

MOST_SEARCHED = 10_000  # labels: above, looking for the pivot takes longer than all else
_CONSTANT = 1e-14  # of a label's logit beside the one that varies most


@dataclass(frozen=True)
class LabelTerms:
    """The terms of t1 against a pivot label.

    Attributes:
        pivot, left_out: the labels k and l.
        rest, pivots: (C,) a_jk and b_jk; NaN for the pivot itself and for labels that vary in neither model.
    """

    pivot: int
    left_out: int
    rest: Tensor
    pivots: Tensor


def label_terms(models: Stack, pivot: int | None) -> LabelTerms | None:
    """The terms of t1 against a pivot, by default that with the smallest t1; None where there are none to be had.

    Args:
        models: the two models.
        pivot: a label.
    """
    num_labels = models.num_labels
    if num_labels < 3 or models.num_inputs < 2 or (pivot is None and num_labels > MOST_SEARCHED):
        return None
    pairs = torch.tensor([[0, 1]], device=models.device)
    axis = axis_of(moments(models, pairs).over_inputs, models.labels, pairs)
    if pivot is None:
        chosen = choose_labels(axis, "max", None, "ignore")
    else:
        chosen = with_labels(axis, "max", torch.tensor([pivot], device=models.device))
    absent = ~chosen.used[0]
    absent[chosen.left_out[0]] = False
    rest, pivots = (part[0].masked_fill(absent, math.nan) for part in (chosen.terms.rest, chosen.terms.pivot))
    return LabelTerms(int(chosen.pivot), int(chosen.left_out), rest, pivots)


@dataclass(frozen=True)
class LabelSums:
    """What a pass over the inputs leaves of every label, (C,) each.

    Attributes:
        kl: what the label adds to KL.
        lost, gained: to how many inputs the first model alone gives the label, and the second alone.
        where_given: the second model's centred logit minus the first's, mean over the inputs to which the first gives
            the label; NaN where it gives it to none.
    """

    kl: Tensor
    lost: Tensor
    gained: Tensor
    where_given: Tensor


def label_differences(
    roots: LogitRoots,
    rows: Tensor,
    sums: LabelSums,
    terms: LabelTerms | None,
    names: Sequence[Name],
    *,
    equal: bool,
) -> list[LabelDifference]:
    """A record a label, that which carries most of KL first.

    Args:
        roots: of the pair.
        rows: (C, M + M' + 2) the rows of L, as in :mod:`closedist.measures.logit_roots`.
        sums: over the inputs.
        terms: of t1, or None.
        names: of the labels.
        equal: the logits differ by rounding only, so that no label has a share of anything.
    """
    split = roots.dimension + 1
    first = roots.covariance[:, :split] @ rows[:, :split].T
    second = -(roots.covariance[:, split:] @ rows[:, split:].T)
    sizes, other_sizes = first.norm(dim=0), second.norm(dim=0)
    varies, other_varies = (part > _CONSTANT * part.amax() for part in (sizes, other_sizes))
    units = first / sizes.clamp(min=1e-300) - second / other_sizes.clamp(min=1e-300)
    correlation = 1.0 - 0.5 * units.square().sum(0)
    means = -(rows @ roots.moment[-1])
    deviations = (first - second).norm(dim=0)
    shares, kl_shares = (
        part / part.sum().clamp(min=1e-300) for part in (means.square() + deviations.square(), sums.kl)
    )
    known = (varies & other_varies).tolist()
    of_terms = (None, None) if terms is None else (terms.rest, terms.pivots)
    return [
        LabelDifference(
            label=names[index],
            lost=int(sums.lost[index]),
            gained=int(sums.gained[index]),
            where_given=_entry(sums.where_given, index),
            correlation=float(correlation[index]) if known[index] else None,
            mean_difference=float(means[index]),
            deviation=float(deviations[index]),
            rest_term=_entry(of_terms[0], index),
            pivot_term=_entry(of_terms[1], index),
            share_of_distance=None if equal else float(shares[index]),
            share_of_kl=None if equal else float(kl_shares[index]),
        )
        for index in sums.kl.argsort(descending=True, stable=True).tolist()
    ]


def _entry(values: Tensor | None, index: int) -> float | None:
    value = math.nan if values is None else float(values[index])
    return None if math.isnan(value) else value
