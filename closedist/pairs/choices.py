"""The measures at the chosen labels and inputs: the terms of d_LLV, d_{f,g} and what bounds it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from closedist.comparison.record import MOST_SUBSETS
from closedist.errors import InputError
from closedist.measures import bounds
from closedist.measures.labels import LabelChoice
from closedist.measures.llv import distances
from closedist.measures.moments import Moments
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack
from closedist.measures.subset_search import worst_subsets
from closedist.measures.svd import MAX_ENUMERATED, TABLED, dissimilarity, label_subsets
from closedist.measures.terms import BLOCK_ELEMENTS, Axis, unit_log_odds
from closedist.pairs.records import Columns

Units = Callable[[Tensor], tuple[Tensor, Tensor]]


def at_choices(members: Stack, measured: Moments, pairs: Tensor, size: int, settings: Settings) -> Columns:
    """The measures at the chosen labels and inputs of m pairs with the same K, by names in COLUMNS."""
    is_max = settings.reduction == "max"
    found = distances(members, measured, pairs, size, settings)
    labels = found.labels

    of_subsets = _LabelSide.of(found.by_label, labels, size, settings)
    units, other_units = unit_log_odds(found.by_input, found.items[:, 0], found.items[:, 1:])
    of_inputs = dissimilarity(units, other_units, _all_of(size, members.device))[:, 0]

    upper = bounds.certificate(labels.terms.correlation_distance, labels.used, found.input_terms.correlation_distance)
    quadratic = bounds.quadratic_bound(labels.term, found.input_term) if is_max else None
    if quadratic is not None:
        upper = bounds.within_rounding(upper, quadratic)
    unsigned = bounds.unsigned_certificate(
        labels.terms.correlation_distance, labels.used, found.input_terms.correlation_distance
    )
    unsigned = bounds.within_rounding(unsigned, upper)
    of_labels, of_inputs = (bounds.within_rounding(side, unsigned) for side in (of_subsets.largest, of_inputs))

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
        "m_svd_embeddings": of_subsets.m_svd,
        "m_svd_unembeddings": 1.0 - of_inputs,
        "dissimilarity_embeddings": of_labels,
        "dissimilarity_unembeddings": of_inputs,
        "dissimilarity": torch.maximum(of_labels, of_inputs),
        "unsigned_certificate": unsigned,
        "certificate": upper,
        "dissimilarity_exact": of_subsets.exact,
        "worst_labels": of_subsets.worst,
        "num_label_subsets": of_subsets.totals,
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


@dataclass(frozen=True)
class _LabelSide:
    """What the label subsets of m pairs say.

    Attributes:
        of_subsets: (., S) d_SVD of the subsets that were gone through, or of the one that was found, in groups of pairs
            with equally many labels.
        worst: (m, K) labels of the subset with the largest, and (m,) how large it is.
        totals: how many subsets each pair has, and whether all were gone through.
    """

    of_subsets: list[Tensor]
    worst: Tensor
    largest: Tensor
    totals: list[int]
    exact: list[bool]

    @property
    def m_svd(self) -> Tensor | list[tuple[float, ...]]:
        """Of every pair all of them, as one tensor where all pairs have equally many."""
        if len(self.of_subsets) == 1:
            return 1.0 - self.of_subsets[0]
        return [tuple(values) for part in self.of_subsets for values in (1.0 - part).tolist()]

    @classmethod
    def of(cls, axis: Axis, labels: LabelChoice, size: int, settings: Settings) -> "_LabelSide":
        """Over all subsets of J where they can be gone through, else over a sample where asked, else searched for."""
        counts = labels.used.sum(-1).tolist()
        rows = torch.arange(len(counts), device=labels.used.device)
        groups = [rows] if len(set(counts)) == 1 else rows.chunk(len(rows))  # they differ only where labels are ignored
        parts: list[Tensor] = []
        worst, largest = labels.used.new_zeros(len(rows), size, dtype=torch.int64), labels.term.new_zeros(len(rows))
        for group in groups:
            count, pivot = counts[int(group[0])], labels.pivot[group]
            if count < size:
                raise InputError(
                    f"subset_size: {size}, but only {count} labels vary against pivot label {int(pivot[0])}; "
                    f"pass subset_size={count} or fewer"
                )
            part = axis.some(group)
            used = labels.used[group].nonzero()[:, 1].reshape(len(group), count)
            apart = labels.terms.correlation_distance[group].gather(1, used)
            total = math.comb(count, size)
            searched = settings.num_subsets is None and total > MAX_ENUMERATED
            if searched:
                positions = _searched(part, pivot, used, apart, size)[:, None]
            else:
                positions = label_subsets(count, size, settings.num_subsets, settings.seed).to(rows.device)[None]
            units_of = _units(part, pivot)
            of_subsets = with_its = _of_subsets(units_of, used, positions)
            if positions.shape[1] < total:  # the certificate's subset is likely among the worst
                its = apart.topk(size).indices[:, None]
                with_its = torch.cat([of_subsets, _of_subsets(units_of, used, its)], 1)
                positions = torch.cat([positions.expand(len(group), -1, -1), its], 1)
            most = with_its.max(-1)
            parts.append(most.values.unsqueeze(-1) if searched else of_subsets)
            which = positions.expand(len(group), -1, -1)[torch.arange(len(group), device=rows.device), most.indices]
            worst[group], largest[group] = used.gather(1, which).sort(-1).values, most.values
        totals = [min(math.comb(count, size), MOST_SUBSETS) for count in counts]
        gone_through = [part.shape[1] for part in parts for _ in range(len(part))]
        exact = [count == total for count, total in zip(gone_through, totals, strict=True)]
        return cls(parts, worst, largest, totals, exact)


def _of_subsets(units_of: Units, used: Tensor, positions: Tensor) -> Tensor:
    """(m, S) d_SVD of subsets, (m or 1, S, K) positions among the labels ``used``, (m, L)."""
    occurring, among = torch.unique(positions, return_inverse=True)
    return dissimilarity(*units_of(used[:, occurring]), among)


def _searched(axis: Axis, pivot: Tensor, used: Tensor, apart: Tensor, size: int) -> Tensor:
    """(m, K) positions among the labels ``used``, of whose subsets there are too many to go through.

    Among the labels that agree least whatever the sign, as many as a table takes.
    """
    count = min(used.shape[1], max(TABLED, 2 * size))
    parts = []
    step = max(1, BLOCK_ELEMENTS // count**2)
    every = torch.arange(len(used), device=used.device)
    for rows in (every[start : start + step] for start in range(0, len(every), step)):
        candidates = bounds.unsigned(apart[rows]).topk(count).indices.sort(-1).values
        units, other_units = unit_log_odds(axis.some(rows), pivot[rows], used[rows].gather(1, candidates))
        parts.append(candidates.gather(1, worst_subsets(units @ other_units.mT, size)))
    return torch.cat(parts)


def _units(axis: Axis, pivot: Tensor) -> Units:
    """Unit log-odds of some labels, (m, L); of few labels from those of all, to the bit what the certificate has."""
    if axis.items.shape[1] > TABLED:
        return partial(unit_log_odds, axis, pivot)
    row = torch.arange(len(pivot), device=pivot.device)[:, None]
    units, other_units = unit_log_odds(axis, pivot, slice(None))
    return lambda labels: (units[row, labels], other_units[row, labels])


def _all_of(size: int, device: torch.device) -> Tensor:
    """The one subset of all K columns, (1, 1, K)."""
    return torch.arange(size, device=device)[None, None]
