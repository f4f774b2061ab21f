"""Pairs of models, measured as compare measures them, with what the jackknife needs."""

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from closedist import Representations
from closedist.certainty.groups import Groups
from closedist.certainty.of_pairs import Held, Replicates, label_side, pair_replicates
from closedist.certainty.replicates import replicate_factors, side_by_side
from closedist.measures.cca import precisions
from closedist.measures.group_roots import GroupedRows
from closedist.measures.likelihood import Workspace, log_likelihoods
from closedist.measures.llv import Distances, distances
from closedist.measures.moments import Moments, moments
from closedist.measures.roots import pair_roots
from closedist.measures.settings import Settings
from closedist.measures.stack import Family, family
from closedist.measures.svd import dissimilarity, label_subsets
from closedist.measures.terms import unit_odds


@dataclass(frozen=True)
class Prepared:
    """All pairs of some models of one dimension."""

    models: Family
    pairs: Tensor
    measured: Moments
    found: Distances
    held: Held
    factors: Tensor

    def values(self) -> dict[str, Tensor]:
        return label_side(self.found.by_label, self.held)

    def replicates(self) -> Replicates:
        return pair_replicates(self.found.by_label, self.factors, self.held)


def prepared(members: list[Representations], groups: Groups, settings: Settings) -> Prepared:
    models = family(members)
    pairs = torch.tensor(list(combinations(range(len(members)), 2)))
    measured = moments(models, pairs)
    size = settings.size(max(member.dimension for member in members), models.num_labels)
    found = distances(models, measured, pairs, size, settings)

    rows, workspace, start = GroupedRows(len(groups.sizes)), Workspace.of(models), 0
    for inputs in models.blocks(workspace.num_inputs):
        for part, block in log_likelihoods(models, inputs, workspace):
            features = torch.cat([inputs[:, part], -block.normaliser.unsqueeze(-1)], -1).movedim(0, 1).flatten(1)
            rows.add(features, groups.codes[start : start + len(features)])
            start += len(features)
    factors = replicate_factors(side_by_side(found.by_label.sides), rows.result().of_pairs(pairs, len(members)))

    units = unit_odds(found.by_input, found.items[:, 0], found.items[:, 1:])
    label_roots = pair_roots(measured.over_labels, pairs)
    precision = precisions([member.embeddings for member in members], torch.device("cpu"))
    used = found.labels.used
    held = Held(
        labels=found.labels,
        items=used.nonzero()[:, 1].reshape(len(pairs), -1),
        subsets=label_subsets(int(used[0].sum()), size, settings.num_subsets, settings.seed)[None],
        input_term=found.input_term,
        input_scale_term=found.input_scale_term,
        input_decorrelation=found.input_terms.decorrelation,
        input_dissimilarity=dissimilarity(*units, torch.arange(size)[None, None])[:, 0],
        label_roots=(label_roots[0].vectors, label_roots[1].vectors),
        precision=(precision[pairs[:, 0]], precision[pairs[:, 1]]),
        settings=settings,
    )
    return Prepared(models, pairs, measured, found, held, factors)
