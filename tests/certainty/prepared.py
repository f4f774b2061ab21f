"""Pairs of models, measured as compare measures them, with what the jackknife needs."""

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from closedist import Representations
from closedist.certainty.groups import Groups
from closedist.certainty.held import Held, Sides
from closedist.certainty.of_pairs import Replicates, label_side, pair_replicates
from closedist.certainty.replicates import replicate_factors, side_by_side
from closedist.measures.llv import Distances, distances
from closedist.measures.moments import Moments, moments
from closedist.measures.orthonormal import precisions
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack, stacked
from closedist.measures.svd import label_subsets


@dataclass(frozen=True)
class Prepared:
    """All pairs of some models of one dimension."""

    models: Stack
    pairs: Tensor
    measured: Moments
    found: Distances
    sides: Sides
    held: Held
    factors: Tensor

    def values(self) -> dict[str, Tensor]:
        return label_side(self.found.by_label, self.held)

    def replicates(self) -> Replicates:
        return pair_replicates(self.found.by_label, self.factors, self.sides, self.held)


def prepared(members: list[Representations], groups: Groups, settings: Settings) -> Prepared:
    models = stacked(members)
    pairs = torch.tensor(list(combinations(range(len(members)), 2)))
    measured = moments(models, pairs, groups.codes)
    size = settings.size(max(member.dimension for member in members), models.num_labels, models.num_inputs)
    found = distances(models, measured, pairs, size, settings)
    assert measured.groups is not None
    factors = replicate_factors(side_by_side(found.by_label.sides), measured.groups.of_pairs(pairs, len(members)))
    used = found.labels.used
    precision = precisions([member.embeddings for member in members], torch.device("cpu"))
    held = Held.of(
        found.labels,
        found.by_label,
        found.by_input,
        found.items,
        items=used.nonzero()[:, 1].reshape(len(pairs), -1),
        subsets=label_subsets(int(used[0].sum()), size, settings.num_subsets, settings.seed)[None],
        settings=settings,
    )
    return Prepared(models, pairs, measured, found, Sides.of(measured.over_labels, precision, pairs), held, factors)
