"""What the root factors of compared pairs say beside their numbers: chance, intervals, ranks, other choices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from closedist.certainty.chance import chance_of_pairs
from closedist.certainty.groups import Groups
from closedist.certainty.held import Held, Sides
from closedist.certainty.intervals import by_number
from closedist.certainty.of_pairs import label_side, pair_intervals, pair_replicates, similarities
from closedist.certainty.permutations import input_side_dissimilarities, permutations
from closedist.certainty.replicates import replicate_factors, side_by_side
from closedist.certainty.wide import wide_replicates
from closedist.comparison import Comparison
from closedist.measures.any_pivot import certificate_any_pivot
from closedist.measures.input_search import effective_rank
from closedist.measures.labels import LabelChoice, with_labels
from closedist.measures.llv import distances
from closedist.measures.moments import Moments
from closedist.measures.orthonormal import orthonormal_basis, precisions
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack
from closedist.measures.svd import MAX_ENUMERATED, label_subsets
from closedist.measures.terms import Axis, axis_of, unit_log_odds

SEEDS = 5  # of the search for the input set
_TABLE_WORK = 1 << 34  # operations of tables of labels; more are not spent on what is only told beside
_PERMUTED = 200  # times are labels permuted, for chance on the input side; not for subsets of more than so many labels
_MOST_PERMUTED = 32


@dataclass(frozen=True)
class Batch:
    """Pairs, (m, 2) indices of models, and what was found of them: with one K, and with equally many labels."""

    members: Stack
    measured: Moments
    pairs: Tensor
    records: Sequence[Comparison]
    settings: Settings

    def fields(self, groups: Groups | None) -> list[dict[str, Any]]:
        """What there is to add to each pair."""
        members, measured = self.members, self.measured
        axis = axis_of(measured.over_inputs, members.labels, self.pairs)
        precision = precisions([member.stored for member in members.members], members.device)
        sides = Sides.of(measured.over_labels, precision, self.pairs)
        columns: dict[str, Tensor] = {}
        held = None
        small = self._table_work() <= _TABLE_WORK
        if size := self.records[0].subset_size:
            labels = self._labels(axis)
            by_input, input_set = self._by_input()
            units = unit_log_odds(by_input, input_set[:, 0], input_set[:, 1:])
            columns["input_set_rank"] = effective_rank(*units)
            if small and self.settings.pivots is None:
                columns["certificate_any_pivot"] = certificate_any_pivot(axis, size)
            held = self._held(labels, axis, by_input, input_set)
        result = [
            dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)
        ]
        result = result or [{} for _ in self.records]
        for record, chance in zip(result, self._chance(axis, sides, small), strict=True):
            record["chance"] = chance
        if groups is not None:
            for record, extra in zip(result, self._intervals(axis, sides, held, groups), strict=True):
                record.update(extra)
        return result

    def _table_work(self) -> int:
        """Operations of a table of labels, over all pivots that are asked for, of a pair."""
        count, width = self.members.labels.shape[1:]
        return len(self.settings.pivots or range(count)) * count * width

    def _labels(self, axis: Axis) -> LabelChoice:
        pivot, left_out = (
            torch.tensor([getattr(c, name) for c in self.records], device=self.pairs.device)
            for name in ("pivot_label", "left_out_label")
        )
        return with_labels(axis, self.settings.reduction, pivot, left_out)

    def _by_input(self) -> tuple[Axis, Tensor]:
        """The pairs over labels, and the chosen input sets as items."""
        inputs, positions = torch.unique(torch.tensor([c.input_set for c in self.records]), return_inverse=True)
        axis = axis_of(self.measured.over_labels, self.members.inputs(inputs), self.pairs)
        return axis, positions.to(self.pairs.device)

    def _held(self, labels: LabelChoice, by_label: Axis, by_input: Axis, input_set: Tensor) -> Held:
        """All label subsets where they were gone through, else the one that was found."""
        first = self.records[0]
        if first.dissimilarity_exact and first.num_label_subsets <= MAX_ENUMERATED:
            items = labels.used.nonzero()[:, 1].reshape(len(self.records), -1)
            subsets = label_subsets(items.shape[1], first.subset_size, None, 0)
        else:
            items = torch.tensor([c.worst_labels for c in self.records], device=self.pairs.device)
            subsets = torch.arange(first.subset_size)[None]
        return Held.of(labels, by_label, by_input, input_set, items, subsets[None].to(items.device), self.settings)

    def _chance(self, axis: Axis, sides: Sides, small: bool) -> list[dict[str, float]]:
        size = self.records[0].subset_size
        ranks = [orthonormal_basis(s.vectors, e)[1] for s, e in zip(axis.sides, sides.precision, strict=True)]
        known = (ranks[0], ranks[1])
        found = chance_of_pairs(axis, known, self.members.num_inputs, self.settings, with_terms=small and size > 0)
        if not size:  # two labels have none of the others
            names = ("logit_correlation", "cka_embeddings", "mean_cca_embeddings")
            found = {name: found[name] for name in names}
        result = [dict(zip(found, row, strict=True)) for row in zip(*(c.tolist() for c in found.values()), strict=True)]
        if 0 < size <= _MOST_PERMUTED:
            orders = permutations(self.members.num_labels, _PERMUTED, self.settings.seed).to(self.pairs.device)
            for record, pair, of_pair in zip(self.records, self.pairs.tolist(), result, strict=True):
                inputs = self.members.inputs(torch.tensor(record.input_set))[pair]
                odds = (inputs[:, 1:] - inputs[:, :1]) @ self.members.labels[pair].mT
                of_pair["dissimilarity_unembeddings"] = float(
                    input_side_dissimilarities(odds[0], odds[1], orders).mean()
                )
        return result

    def _intervals(self, axis: Axis, sides: Sides, held: Held | None, groups: Groups) -> list[dict[str, Any]]:
        of_models = self.measured.groups
        assert of_models is not None
        of_pairs = of_models.of_pairs(self.pairs, len(self.members.members))
        choices = len(of_models.sizes) * self._table_work() <= _TABLE_WORK
        values = similarities(axis, sides) | ({} if held is None else label_side(axis, held))
        replicates = None
        if held is not None and len(axis.pairs) == 1 and not choices:
            replicates = wide_replicates(axis, of_pairs, sides, held, values)
        if replicates is None:
            factors = replicate_factors(side_by_side(axis.sides), of_pairs)
            replicates = pair_replicates(axis, factors, sides, held, choices=choices)
        found = pair_intervals(values, replicates.values, of_models.sizes)
        result: list[dict[str, Any]] = [{"intervals": intervals} for intervals in by_number(found)]
        for name in ("certificate_centred", "dissimilarity_centred") if held is not None else ():
            for record, value in zip(result, values[name].tolist(), strict=True):
                record[name] = value
        if replicates.choice_kept is not None:
            for record, kept in zip(result, replicates.choice_kept.tolist(), strict=True):
                record["choice_kept"] = kept
        return result


def llv_by_seed(
    members: Stack, measured: Moments, pair: Tensor, c: Comparison, settings: Settings
) -> tuple[float, ...]:
    """d_LLV with the input set searched for with other seeds, at the labels that were chosen."""
    assert c.llv is not None
    assert c.pivot_label is not None
    assert c.left_out_label is not None
    values = [c.llv]
    for seed in range(settings.seed + 1, settings.seed + SEEDS):
        asked = replace(settings, seed=seed, labels=(c.pivot_label, c.left_out_label))
        found = distances(members, measured, pair.to(members.device), c.subset_size, asked)
        values.append(float(found.llv[0]))
    return tuple(values)
