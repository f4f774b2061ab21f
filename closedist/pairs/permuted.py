"""p-values of one pair: how often permuted inputs would come out as close."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from closedist.certainty.permutations import (
    divergences_permuted,
    input_side_dissimilarities,
    inputs_permuted,
    p_values,
    permutations,
)
from closedist.comparison import COLUMNS, Comparison
from closedist.measures.likelihood import Workspace, log_likelihoods
from closedist.measures.orthonormal import precisions
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack, stacked
from closedist.measures.svd import MAX_ENUMERATED, label_subsets
from closedist.pairs.measured_certainty import permuted_by_name
from closedist.pairs.threads import fitting_threads
from closedist.pairs.wanted import kept
from closedist.representations import Representations

_COLUMNS = {column.name: column for column in COLUMNS}
MOST_PERMUTATIONS = 100_000
_MOST_LIKELIHOODS = 1 << 24  # of one model, 128 MB: KL of more is not permuted


def with_p_values(
    models: Sequence[Representations], names: Sequence[str], c: Comparison, settings: Settings, count: int
) -> Comparison:
    """The comparison with p-values: the share of permutations that come out as close, itself counted (add-one).

    The second model's inputs are permuted and the labels of d_LLV chosen anew; for d_SVD of the unembeddings, where the
    input set is what is compared, its labels are. Two labels and models of which only logits are known have none. Of
    measures that were named and have no closed form of it, the mean of the permutations is what chance gives.
    """
    if c.black_boxes is None:
        return c
    with fitting_threads(models):
        orders = permutations(c.num_inputs, count, settings.seed)
        named = permuted_by_name(models, names, settings, orders)
        named = {name: values for name, values in named.items() if _COLUMNS[name].larger_is_closer is not None}
        permuted = (kept(_permuted(models, c, settings, orders), settings) if c.subset_size else {}) | named
        values = {name: value for name in permuted if (value := getattr(c, name)) is not None}
        closer = {name for name in values if _COLUMNS[name].larger_is_closer}
        found = p_values(values, {name: permuted[name] for name in values}, closer)
        return replace(c, p_values=found, chance={name: float(part.mean()) for name, part in named.items()} | c.chance)


def _permuted(
    models: Sequence[Representations], c: Comparison, settings: Settings, orders: Tensor
) -> dict[str, Tensor]:
    members = stacked(models)
    inputs, logs = _tables(members)
    orders = orders.to(members.device)
    subsets = None
    if c.dissimilarity_exact and c.num_label_subsets <= MAX_ENUMERATED and not c.ignored_labels:
        subsets = label_subsets(c.num_labels - 2, c.subset_size, None, 0)[None].to(members.device)
    precision = precisions([model.stored for model in models], members.device)[:, None]
    permuted = inputs_permuted(
        (inputs[0], inputs[1]),
        (members.labels[0], members.labels[1]),
        (precision[0], precision[1]),
        orders,
        settings,
        subsets,
    )
    if logs is not None:
        likelihoods = logs.exp()
        permuted |= divergences_permuted((likelihoods[0], likelihoods[1]), (logs[0], logs[1]), orders, of_labels=False)
        top = logs.argmax(-1)
        permuted["same_top_label"] = torch.stack([(top[0] == top[1][order]).double().mean() for order in orders])
    of_set = members.inputs(torch.tensor(c.input_set))
    odds = (of_set[:, 1:] - of_set[:, :1]) @ members.labels.mT
    of_labels = permutations(members.num_labels, len(orders), settings.seed).to(members.device)
    permuted["dissimilarity_unembeddings"] = input_side_dissimilarities(odds[0], odds[1], of_labels)
    return permuted


def _tables(members: Stack) -> tuple[Tensor, Tensor | None]:
    """(2, N, M + 1) each model's embeddings and −log Z, and (2, N, C) its log-likelihoods where these are not many."""
    inputs = members.inputs(slice(0, members.num_inputs))
    shared = inputs.new_empty(inputs.shape[:2])
    few = members.num_inputs * members.num_labels <= _MOST_LIKELIHOODS
    logs = inputs.new_empty(*inputs.shape[:2], members.num_labels) if few else None
    for part, block in log_likelihoods(members, inputs, Workspace.of(members)):
        shared[:, part] = -block.normaliser
        if logs is not None:
            logs[:, part] = block.relative - math.log(members.num_labels)
    return torch.cat([inputs, shared.unsqueeze(-1)], -1), logs
