"""Every number of a comparison without each group of inputs, for m pairs at once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from closedist.certainty.held import Held, Sides
from closedist.certainty.intervals import (
    ARTANH,
    CORRECTED_SIMILARITY,
    LOG,
    LOG_TO_ONE,
    LOG_TO_TWO,
    SHARE,
    SIMILARITY,
    Intervals,
    jackknife,
)
from closedist.certainty.replicates import without_group
from closedist.measures.bounds import linear_bound, quadratic_bound, unsigned
from closedist.measures.centred_odds import apart, centred_units, turned_apart
from closedist.measures.labels import LabelChoice, choose_labels, with_labels
from closedist.measures.logit_correlation import logit_decorrelation
from closedist.measures.orthonormal import orthonormal_basis
from closedist.measures.roots import Root
from closedist.measures.singular_values import nuclear_norm
from closedist.measures.svd import dissimilarity
from closedist.measures.terms import Axis, unit_log_odds

_LOST = 1e-7  # of an orthonormal column without a group: below, the column varied in that group only

SCALES = {
    "kl": LOG,
    "kl_reverse": LOG,
    "js_divergence": LOG,
    "same_top_label": SHARE,
    "llv": LOG,
    "label_term": LOG,
    "label_scale_term": LOG,
    "dissimilarity": LOG_TO_ONE,
    "dissimilarity_embeddings": LOG_TO_ONE,
    "certificate": LOG_TO_TWO,
    "certificate_centred": LOG_TO_TWO,
    "dissimilarity_centred": LOG_TO_ONE,
    "unsigned_certificate": LOG_TO_ONE,
    "quadratic_bound": LOG,
    "bound": LOG,
    "logit_correlation": ARTANH,
    "mean_cca_embeddings": CORRECTED_SIMILARITY,
    "cka_embeddings": SIMILARITY,
    "rv_coefficient": SIMILARITY,
}  # by the names of a comparison's fields


@dataclass(frozen=True)
class Replicates:
    """The numbers of m pairs without each of G groups.

    Attributes:
        values: (G, m) by the name of the comparison's field.
        choice_kept: (m,) in how many groups the same pivot and left-out label would have been chosen; None where that
            was not asked for.
    """

    values: dict[str, Tensor]
    choice_kept: Tensor | None


def pair_replicates(
    axis: Axis, factors: Tensor, sides: Sides, held: Held | None, *, choices: bool = True
) -> Replicates:
    """What every measure that is made of root factors is without each group.

    Args:
        axis: m pairs over inputs, items are the labels.
        factors: (m, G, k, r) of :func:`~closedist.certainty.replicates.replicate_factors`, of the pairs' own roots.
        sides: what no input changes.
        held: what stays as it was chosen; None for two labels, where nothing was.
        choices: whether labels are chosen anew without each group, to see if they would be the same.
    """
    bases = _bases(axis, sides)
    parts: list[dict[str, Tensor]] = []
    kept = torch.zeros(len(axis.pairs), dtype=torch.int64, device=axis.pairs.device)
    for group in range(factors.shape[1]):
        part = _without(axis, factors[:, group])
        first, second = (factors[:, group] @ basis for basis in bases)
        parts.append(_similarities(part, sides, (first, second)) | ({} if held is None else label_side(part, held)))
        if held is not None and choices:
            kept += _same_choice(part, held)
    values = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
    return Replicates(values, kept if held is not None and choices else None)


def similarities(axis: Axis, sides: Sides) -> dict[str, Tensor]:
    """(m,) by field: the numbers that depend on no choice."""
    return _similarities(axis, sides, _bases(axis, sides))


def _bases(axis: Axis, sides: Sides) -> tuple[Tensor, Tensor]:
    """Orthonormal bases of both embeddings, (m, r, M) each, zero beyond their ranks."""
    first, second = (
        orthonormal_basis(side.vectors, precision)[0]
        for side, precision in zip(axis.sides, sides.precision, strict=True)
    )
    return first, second


def _similarities(axis: Axis, sides: Sides, bases: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    roots = (axis.sides[0].vectors, axis.sides[1].vectors)
    return {
        "logit_correlation": 1.0 - logit_decorrelation(roots, sides.label_roots),
        "cka_embeddings": _cka(roots),
        "mean_cca_embeddings": _mean_cca(*bases),
    }


def label_side(axis: Axis, held: Held) -> dict[str, Tensor]:
    """(m,) by field: the numbers that the log-odds of the chosen labels give, together with the input side's."""
    labels = with_labels(axis, held.settings.reduction, held.labels.pivot, held.labels.left_out)
    of_subsets = dissimilarity(*unit_log_odds(axis, held.labels.pivot, held.items), held.subsets).amax(-1)
    return held_numbers(labels, of_subsets, held) | _about_the_mean(axis, held.least)


def held_numbers(labels: LabelChoice, of_subsets: Tensor, held: Held) -> dict[str, Tensor]:
    """(m,) by field, from the labels that were chosen and the largest d_SVD of their subsets, (m,)."""
    settings, size = held.settings, held.input_distance.shape[-1]
    used = labels.used & held.labels.used
    correlation_distance = labels.terms.correlation_distance
    enough = used.sum(-1) >= size  # without a group too few labels may vary

    def of_worst(values: Tensor, of_inputs: Tensor) -> Tensor:
        worst = values.masked_fill(~used, -torch.inf).topk(size).values.mean(-1)
        return torch.maximum(worst, of_inputs.mean(-1)).masked_fill(~enough, torch.nan)

    scales = settings.weight * torch.stack([labels.scale_term, held.input_scale_term])
    terms = torch.cat([torch.stack([labels.term, held.input_term]), scales])
    llv = terms.amax(0) if settings.combine == "max" else terms.sum(0)
    found = {
        "llv": llv,
        "label_term": labels.term,
        "label_scale_term": labels.scale_term,
        "dissimilarity_embeddings": of_subsets,
        "dissimilarity": torch.maximum(of_subsets, held.input_dissimilarity),
        "certificate": of_worst(correlation_distance, held.input_distance),
        "unsigned_certificate": of_worst(unsigned(correlation_distance), unsigned(held.input_distance)),
    }
    if settings.reduction == "max":
        found["quadratic_bound"] = quadratic_bound(labels.term, held.input_term)
        found["bound"] = linear_bound(llv, size)
    return found


def _about_the_mean(axis: Axis, least: Tensor) -> dict[str, Tensor]:
    """(m,) by field: the same of log-odds against the mean of all labels, which no choice of labels or inputs moves."""
    units, other_units = centred_units(axis)
    return {
        "certificate_centred": apart(units, other_units).topk(least.shape[-1]).values.mean(-1),
        "dissimilarity_centred": turned_apart(units, other_units, least),
    }


def pair_intervals(
    values: Mapping[str, Tensor], replicates: Mapping[str, Tensor], sizes: Tensor
) -> dict[str, Intervals]:
    """The intervals of m pairs by field, for every field that has replicates.

    Args:
        values: (m,) the numbers on all inputs.
        replicates: (G, m) those without each group.
        sizes: (G,) of the groups.
    """
    return {name: jackknife(values[name], of_groups, sizes, SCALES[name]) for name, of_groups in replicates.items()}


def means_without(by_input: Tensor, codes: Tensor, sizes: Tensor) -> Tensor:
    """(G, m) means over the inputs outside each group, of (m, N) numbers: divergences, agreement and other sums."""
    sums = by_input.new_zeros(len(sizes), len(by_input)).index_add_(0, codes.to(by_input.device), by_input.mT)
    others = sums.sum(0) - sums
    return others / (sizes.sum() - sizes).to(by_input.device).unsqueeze(-1)


def effective_number(divergences: Tensor) -> Tensor:
    """(m,) on how many of N inputs the mean of (m, N) divergences rests: (Σ kl)²/Σ kl²; N where all are zero."""
    scaled = divergences / divergences.amax(-1, keepdim=True).clamp(min=1e-300)
    found = scaled.sum(-1).square() / scaled.square().sum(-1)
    return torch.where(torch.isnan(found), float(divergences.shape[-1]), found)


def _without(axis: Axis, factors: Tensor) -> Axis:
    """The axis without a group, as one of 2m models, so that also what belongs to models is without it."""
    first, second = without_group(axis.sides, factors)
    count = len(axis.pairs)
    root = Root.joined((first, second))
    numbers = torch.arange(count, device=axis.pairs.device)
    alone = count == 1 and axis.items.shape[0] == 2 and axis.pairs.tolist() == [[0, 1]]  # may be large: no copy
    items = axis.items if alone else axis.items[axis.pairs.mT.flatten()]
    return replace(
        axis, root=root, items=items, pairs=torch.stack([numbers, numbers + count], 1), sides=(first, second)
    )


def _same_choice(axis: Axis, held: Held) -> Tensor:
    """(m,) whether the labels would have been chosen here too."""
    if held.settings.labels is not None:
        return torch.ones_like(held.labels.pivot)
    pivots = None if held.settings.pivots is None else torch.tensor(held.settings.pivots, device=axis.pairs.device)
    chosen = choose_labels(axis, held.settings.reduction, pivots, "ignore")
    return ((chosen.pivot == held.labels.pivot) & (chosen.left_out == held.labels.left_out)).long()


def _cka(roots: tuple[Tensor, Tensor]) -> Tensor:
    """(m,) linear CKA of root factors, (m, r, M) and (m, r, M')."""
    first, second = (root / root.flatten(-2).norm(dim=-1)[:, None, None] for root in roots)
    within = (first.mT @ first).flatten(1).norm(dim=-1) * (second.mT @ second).flatten(1).norm(dim=-1)
    similarity: Tensor = (first.mT @ second).flatten(1).square().sum(-1) / within
    return similarity.clamp(max=1.0)


def _mean_cca(first: Tensor, second: Tensor) -> Tensor:
    """(m,) the mean canonical correlation of what is left of orthonormal bases, (m, r, M) each, zero beyond a rank."""
    bases, ranks = [], []
    for columns in (first, second):
        q, r = torch.linalg.qr(columns)
        there = r.diagonal(dim1=-2, dim2=-1).abs() > _LOST
        bases.append(q * there.unsqueeze(-2))
        ranks.append(there.sum(-1))
    total = nuclear_norm(bases[0].mT @ bases[1])
    return (total / torch.minimum(*ranks)).clamp(max=1.0)
