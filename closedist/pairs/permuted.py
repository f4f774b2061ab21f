"""p-values of one pair: how often permuted inputs would come out as close."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from closedist.certainty.permutations import (
    divergences_permuted,
    input_side_dissimilarities,
    inputs_permuted,
    p_values,
    permutations,
)
from closedist.comparison import Comparison
from closedist.measures.likelihood import Workspace, log_likelihoods
from closedist.measures.orthonormal import precisions
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack, stacked
from closedist.measures.svd import MAX_ENUMERATED, label_subsets
from closedist.representations import Representations

MOST_PERMUTATIONS = 100_000
_MOST_LIKELIHOODS = 1 << 24  # of one model, 128 MB: KL of more is not permuted


def permuted_p_values(
    models: Sequence[Representations], names: Sequence[str], c: Comparison, settings: Settings, count: int
) -> dict[str, float]:
    """By field, the share of permutations that come out at least as close, the pair itself counted (add-one).

    The second model's inputs are permuted and the labels of d_LLV chosen anew; for d_SVD of the unembeddings, where the
    input set is what is compared, its labels are. Two labels and models of which only logits are known have none.
    """
    if not c.subset_size:
        return {}
    members = stacked(models)
    inputs, logs = _tables(members)
    orders = permutations(members.num_inputs, count, settings.seed).to(members.device)
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
    of_labels = permutations(members.num_labels, count, settings.seed).to(members.device)
    permuted["dissimilarity_unembeddings"] = input_side_dissimilarities(odds[0], odds[1], of_labels)
    return p_values({name: getattr(c, name) for name in permuted}, permuted)


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
