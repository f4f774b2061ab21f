"""The label side of d_LLV: the choice of the pivot and the left-out label, and what follows from it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.label_table import ConstantOddsError, label_table, pivot_scores
from closedist.measures.pruning import PRUNED, promising_pivots
from closedist.measures.settings import ConstantLabels, Reduction
from closedist.measures.terms import ZERO, Axis, Terms, written_out


@dataclass(frozen=True)
class LabelChoice:
    """The pivot and left-out label of m pairs and what follows from them.

    Attributes:
        pivot, left_out: (m,) labels.
        term, scale_term: (m,) t1 and t3.
        terms: (m, C) all terms against the pivot.
        used: (m, C) which labels J holds.
        ignored: (m,) labels left out because their log-odds vary in neither model.
    """

    pivot: Tensor
    left_out: Tensor
    term: Tensor
    scale_term: Tensor
    terms: Terms
    used: Tensor
    ignored: Tensor


def choose_labels(
    axis: Axis, reduction: Reduction, pivots: Tensor | None, constant_labels: ConstantLabels
) -> LabelChoice:
    """The pivot and left-out label with the smallest t1; ties go to the smallest pivot, then the smallest left-out.

    Args:
        axis: pairs over inputs, items are the labels.
        reduction: how the terms of J become t1 and t3.
        pivots: (P,) the pivots to choose from in ascending order, None for all labels.
        constant_labels: what to do with labels whose log-odds against the pivot do not vary in either model.

    Raises:
        ConstantOddsError: there are such labels and they are not to be ignored.
    """
    table = label_table(axis)
    if pivots is None:
        pivots = torch.arange(axis.items.shape[1], device=axis.items.device)
    if reduction == "max" and len(axis.pairs) == 1 and len(pivots) >= PRUNED:
        pivots = promising_pivots(table, pivots, constant_labels)
    scores = pivot_scores(table, reduction, pivots, constant_labels)
    return with_labels(axis, reduction, pivots[scores.argmin(-1)])


def fixed_labels(
    axis: Axis, reduction: Reduction, pivot: Tensor, left_out: Tensor, constant_labels: ConstantLabels
) -> LabelChoice:
    """What follows from given labels, (m,) each.

    Raises:
        ConstantOddsError: labels do not vary against the pivot, in either model, and they are not to be ignored.
    """
    labels = with_labels(axis, reduction, pivot, left_out)
    if constant_labels == "error":
        for model, std in enumerate((labels.terms.std, labels.terms.other_std)):
            same = _same_as_pivot(std, pivot).scatter_(1, pivot[:, None], False)
            if bool(same.any()):
                pair, label = same.nonzero()[0].tolist()
                raise ConstantOddsError(pair, model, (label, int(pivot[pair])))
    return labels


def with_labels(axis: Axis, reduction: Reduction, pivot: Tensor, left_out: Tensor | None = None) -> LabelChoice:
    """Write out the terms of each pair's pivot, (m,), and leave out the given label or the best one."""
    return labels_of(written_out(axis, pivot), reduction, pivot, left_out)


def labels_of(terms: Terms, reduction: Reduction, pivot: Tensor, left_out: Tensor | None = None) -> LabelChoice:
    """What follows from the terms against each pair's pivot, (m,), and the given left-out label or the best one."""
    rows = torch.arange(pivot.shape[0], device=pivot.device)
    same, other_same = _same_as_pivot(terms.std, pivot), _same_as_pivot(terms.other_std, pivot)
    absent = same & other_same  # the pivot itself, and what is ignored
    infinite = same ^ other_same
    rest, pivots = (part.masked_fill(infinite, torch.inf) for part in (terms.rest, terms.pivot))
    largest_term = torch.maximum(rest, pivots)
    if left_out is None:
        weight = (largest_term if reduction == "max" else rest + pivots).masked_fill(absent, -1.0)
        left_out = weight.argmax(-1)
        if reduction == "max":  # where the largest term occurs twice, leaving one out changes nothing
            largest = weight.topk(2).values
            left_out = torch.where(largest[:, 0] > largest[:, 1], left_out, (pivot == 0).long())
    used = ~absent
    used[rows, left_out] = False
    if reduction == "max":
        term = largest_term.masked_fill(~used, 0.0).amax(-1)
        scale_term = terms.scale.masked_fill(~used, 0.0).amax(-1)
    else:
        count = used.sum(-1)
        term = (rest + pivots).masked_fill(~used, 0.0).sum(-1) / (2 * count)
        scale_term = terms.scale.masked_fill(~used, 0.0).sum(-1) / count
    correlation_distance = terms.correlation_distance.masked_fill(infinite, 1.0)  # nothing correlates with a constant
    written = Terms(rest, pivots, terms.scale, terms.std, terms.other_std, correlation_distance)
    return LabelChoice(pivot, left_out, term, scale_term, written, used, absent.sum(-1) - 1)


def _same_as_pivot(std: Tensor, pivot: Tensor) -> Tensor:
    """(m, C): which labels have log-odds against the pivot that do not vary."""
    same = std <= ZERO * std.amax(-1, keepdim=True)
    return same.scatter_(1, pivot[:, None], True)
