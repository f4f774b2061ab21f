"""d_LLV, the log-likelihood variance distance (Nielsen et al., 2025; docs/measures.md).

The label side compares standard deviations over inputs, with labels as items; the input side is the same formula over
labels, with inputs as items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.checks import (
    check_comparable,
    check_enough_inputs,
    check_enough_labels,
)
from closedist.measures.input_sets import draw_input_sets, search_input_sets
from closedist.measures.label_table import ConstantOddsError
from closedist.measures.labels import LabelChoice, choose_labels, fixed_labels
from closedist.measures.moments import Moments, prepared
from closedist.measures.settings import DEFAULTS, Combine, ConstantLabels, Reduction, Settings
from closedist.measures.stack import Stack
from closedist.measures.terms import Axis, Terms, axis_of, written_out
from closedist.representations import Representations
from closedist.representations.names import model_names


@dataclass(frozen=True)
class Distances:
    """d_LLV of m pairs with the same K, and what it was made of.

    Attributes:
        by_label: the pairs over inputs, with all labels as items.
        labels: the choice of labels, with t1 and t3.
        by_input: the pairs over labels, with the inputs of all drawn sets as items.
        items: (m, K + 1) the chosen set as items of ``by_input``, the pivot input first.
        input_sets: (m, K + 1) the chosen set as indices of inputs.
        input_terms: (m, K) the terms of the chosen set.
        input_term, input_scale_term: (m,) t2 and t4.
        llv: (m,) d_LLV.
    """

    by_label: Axis
    labels: LabelChoice
    by_input: Axis
    items: Tensor
    input_sets: Tensor
    input_terms: Terms
    input_term: Tensor
    input_scale_term: Tensor
    llv: Tensor


def distances(models: Stack, measured: Moments, pairs: Tensor, size: int, settings: Settings) -> Distances:
    """d_LLV of pairs of models, (m, 2) indices, all with subset size ``size``.

    Raises:
        ConstantOddsError: labels whose log-odds do not vary.
        InputError: no input set can be used, or no label is left to compare.
    """
    by_label = axis_of(measured.over_inputs, models.labels, pairs)
    if settings.labels is not None:
        pivot, left_out = (torch.full((len(pairs),), label, device=pairs.device) for label in settings.labels)
        labels = fixed_labels(by_label, settings.reduction, pivot, left_out, settings.constant_labels)
    else:
        pivots = None if settings.pivots is None else torch.tensor(settings.pivots, device=pairs.device)
        labels = choose_labels(by_label, settings.reduction, pivots, settings.constant_labels)
    if not bool(labels.used.any(-1).all()):
        pivot_label = int(labels.pivot[~labels.used.any(-1)][0])
        others = "other pivots" if settings.labels is None else "another pivot_label or left_out_label"
        raise InputError(
            f"constant_labels: besides the left-out label none varies against pivot label {pivot_label}, so that "
            f"nothing is compared; give {others}"
        )

    sets = (
        draw_input_sets(models.num_inputs, size + 1, settings.num_samples, settings.seed)
        if settings.input_set is None
        else torch.tensor([settings.input_set])
    )
    inputs, positions = torch.unique(sets, return_inverse=True)
    if len(inputs) == sets.numel():
        inputs, positions = sets.flatten(), torch.arange(sets.numel()).reshape(sets.shape)
    alone = pairs[0].tolist() if len(pairs) == 1 else None  # a single pair may be large: no other model's inputs
    by_input = axis_of(measured.over_labels, models.inputs(inputs, alone), pairs)
    best = search_input_sets(by_input, positions.to(pairs.device))
    items = positions.to(pairs.device)[best]
    terms = written_out(by_input, items[:, 0], items[:, 1:])
    input_term = torch.maximum(terms.rest, terms.pivot).amax(-1)
    input_scale_term = terms.scale.amax(-1) if settings.reduction == "max" else terms.scale.mean(-1)

    scales = settings.weight * torch.stack([labels.scale_term, input_scale_term])
    parts = torch.cat([torch.stack([labels.term, input_term]), scales])
    llv = parts.amax(0) if settings.combine == "max" else parts.sum(0)
    return Distances(by_label, labels, by_input, items, sets[best.cpu()], terms, input_term, input_scale_term, llv)


def llv_distance(
    p: Representations,
    q: Representations,
    *,
    weight: float = DEFAULTS.weight,
    reduction: Reduction = DEFAULTS.reduction,
    combine: Combine = DEFAULTS.combine,
    pivot_label: int | None = None,
    left_out_label: int | None = None,
    input_set: Sequence[int] | None = DEFAULTS.input_set,
    num_samples: int = DEFAULTS.num_samples,
    seed: int = DEFAULTS.seed,
    subset_size: int | None = DEFAULTS.subset_size,
    pivots: Sequence[int] | None = DEFAULTS.pivots,
    constant_labels: ConstantLabels = DEFAULTS.constant_labels,
) -> float:
    """d_LLV alone. At a fixed choice of labels and inputs it is a distance: symmetric, with the triangle inequality.

    Args:
        p, q: representations of the same N inputs and C labels in the same order.
        weight: λ of the scale terms.
        reduction: "max" or "mean" of the terms over labels.
        combine: "max" or "sum" of t1, t2, λ·t3 and λ·t4.
        pivot_label, left_out_label: fix the choice of labels; by default the one with the smallest t1.
        input_set: fix the 1 + K inputs, the pivot input first; by default the best of ``num_samples`` random sets.
        num_samples, seed: of the search for the input set.
        subset_size: K, by default min(max(M, M'), C − 2, N − 1).
        pivots: the pivot labels to choose from, by default all.
        constant_labels: "ignore" leaves out labels whose log-odds against the pivot vary in neither model.

    Raises:
        InputError: the models cannot be compared, or an argument is out of its range.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> p, q = closedist.Representations(f, g), closedist.Representations(2 * f, g / 2)
        >>> closedist.llv_distance(p, q) < 1e-6
        True
    """
    if (pivot_label is None) != (left_out_label is None):
        raise InputError("pivot_label and left_out_label: one of them is given; give both, or none for the best choice")
    fixed = None if pivot_label is None or left_out_label is None else (pivot_label, left_out_label)
    settings = Settings(
        weight=weight,
        reduction=reduction,
        combine=combine,
        input_set=input_set,
        num_samples=num_samples,
        seed=seed,
        subset_size=subset_size,
        pivots=pivots,
        labels=fixed,
        constant_labels=constant_labels,
    )
    names = model_names(2)
    check_comparable([p, q], names)
    check_enough_inputs(p)
    check_enough_labels(p)
    settings.check_ranges(p.num_inputs, p.num_labels)
    pair = torch.tensor([[0, 1]])
    models, measured = prepared([p, q], names, pair)
    size = settings.size(max(p.dimension, q.dimension), p.num_labels, p.num_inputs)
    try:
        found = distances(models, measured, pair.to(models.device), size, settings)
    except ConstantOddsError as error:
        raise error.explained(names[error.model]) from error
    return float(found.llv[0])
