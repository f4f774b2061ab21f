"""The measures at the chosen labels and inputs: the terms of d_LLV, d_{f,g} and what bounds it."""

import math

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures import bounds
from closedist.measures.labels import LabelChoice
from closedist.measures.llv import distances
from closedist.measures.moments import Moments
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack
from closedist.measures.svd import TABLED, dissimilarity, label_subsets
from closedist.measures.terms import Axis, unit_log_odds
from closedist.pairs.records import Columns


def at_choices(members: Stack, measured: Moments, pairs: Tensor, size: int, settings: Settings) -> Columns:
    """The measures at the chosen labels and inputs of m pairs with the same K, by names in COLUMNS."""
    is_max = settings.reduction == "max"
    found = distances(members, measured, pairs, size, settings)
    labels = found.labels

    of_subsets, of_labels, counts = _label_side(found.by_label, labels, size, settings)
    units, other_units = unit_log_odds(found.by_input, found.items[:, 0], found.items[:, 1:])
    of_inputs = dissimilarity(units, other_units, _all_of(size, members.device))[:, 0]

    upper = bounds.certificate(labels.terms.correlation_distance, labels.used, found.input_terms.correlation_distance)
    quadratic = bounds.quadratic_bound(labels.term, found.input_term) if is_max else None
    if quadratic is not None:
        upper = bounds.within_rounding(upper, quadratic)
    of_labels, of_inputs = (bounds.within_rounding(side, upper) for side in (of_labels, of_inputs))

    columns: Columns = {
        "llv": found.llv,
        "label_term": labels.term,
        "input_term": found.input_term,
        "label_scale_term": labels.scale_term,
        "input_scale_term": found.input_scale_term,
        "pivot_label": labels.pivot,
        "left_out_label": labels.left_out,
        "label_names": _names(members, labels),
        "input_set": found.input_sets,
        "m_svd_embeddings": 1.0 - of_subsets[0]
        if len(of_subsets) == 1
        else [tuple(values) for part in of_subsets for values in (1.0 - part).tolist()],
        "m_svd_unembeddings": 1.0 - of_inputs,
        "dissimilarity_embeddings": of_labels,
        "dissimilarity_unembeddings": of_inputs,
        "dissimilarity": torch.maximum(of_labels, of_inputs),
        "certificate": upper,
        "num_label_subsets": [math.comb(count, size) for count in counts],
        "ignored_labels": labels.ignored,
    }
    if quadratic is not None:
        columns |= {"quadratic_bound": quadratic, "bound": bounds.linear_bound(found.llv, size)}
    return columns


def _names(members: Stack, labels: LabelChoice) -> list[tuple[str, str] | None]:
    """The names of the chosen labels, where any model has names."""
    names = next((member.label_names for member in members.members if member.label_names is not None), None)
    if names is None:
        return [None] * len(labels.pivot)
    chosen = zip(labels.pivot.tolist(), labels.left_out.tolist(), strict=True)
    return [(str(names[k].tolist()), str(names[j].tolist())) for k, j in chosen]


def _label_side(
    axis: Axis, labels: LabelChoice, size: int, settings: Settings
) -> tuple[list[Tensor], Tensor, list[int]]:
    """d_SVD over label subsets of m pairs.

    Returns:
        (., S) of every subset, in groups of pairs with equally many labels; (m,) the largest; the numbers of labels.
    """
    counts = labels.used.sum(-1).tolist()
    rows = torch.arange(len(counts), device=labels.used.device)
    groups = [rows] if len(set(counts)) == 1 else rows.chunk(len(rows))  # they differ only where labels were ignored
    parts: list[Tensor] = []
    largest: list[Tensor] = []
    for group in groups:
        count, pivot = counts[int(group[0])], labels.pivot[group]
        if count < size:
            raise InputError(
                f"subset_size: {size}, but only {count} labels vary against pivot label {int(pivot[0])}; "
                f"pass subset_size={count} or fewer"
            )
        subsets = label_subsets(count, size, settings.num_subsets, settings.seed).to(rows.device)
        occurring, positions = torch.unique(subsets, return_inverse=True)
        used = labels.used[group].nonzero()[:, 1].reshape(len(group), count)[:, occurring]
        part = axis.some(group)
        of_subsets = dissimilarity(*_units(part, pivot, used), positions[None])
        parts.append(of_subsets)
        if len(subsets) < math.comb(count, size):  # the certificate's subset is likely among the worst
            apart = labels.terms.correlation_distance[group].masked_fill(~labels.used[group], -torch.inf)
            worst = apart.topk(size).indices
            its = dissimilarity(*_units(part, pivot, worst), _all_of(size, rows.device))
            of_subsets = torch.cat([of_subsets, its], 1)
        largest.append(of_subsets.amax(-1))
    return parts, torch.cat(largest), counts


def _units(axis: Axis, pivot: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Unit log-odds of some labels, (m, L); of few labels from those of all, to the bit what the certificate has."""
    if axis.items.shape[1] > TABLED:
        return unit_log_odds(axis, pivot, labels)
    row = torch.arange(len(pivot), device=pivot.device)[:, None]
    units, other_units = unit_log_odds(axis, pivot, slice(None))
    return units[row, labels], other_units[row, labels]


def _all_of(size: int, device: torch.device) -> Tensor:
    """The one subset of all K columns, (1, 1, K)."""
    return torch.arange(size, device=device)[None, None]
