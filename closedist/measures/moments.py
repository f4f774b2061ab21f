"""One pass over the inputs and one over the labels: everything of size N×C that any measure of any pair needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.checks import check_finite, check_varied
from closedist.measures.group_roots import GroupedRows, GroupRoots
from closedist.measures.likelihood import DivergenceSums, Workspace, log_likelihoods
from closedist.measures.roots import CentredRoot, Root, cut
from closedist.measures.stack import Stack, stacked
from closedist.representations import Representations

FEATURE_BYTES = 1 << 23  # of float64 features at once: what a root factor takes in with one QR


@dataclass(frozen=True)
class Moments:
    """What is left of N inputs and C labels: two root factors and the divergences.

    Attributes:
        over_inputs: root of (f, −log Z) over the inputs, for standard deviations over x.
        over_labels: root of (g, b) over the labels, for standard deviations over y.
        divergences: (n, n) mean over inputs of KL(p_i‖p_j), in nats, of the pairs asked for.
        groups: what is left of each group of inputs, in the columns of all models side by side; None without groups.
    """

    over_inputs: Root
    over_labels: Root
    divergences: Tensor
    groups: GroupRoots | None = None


def prepared(
    members: Sequence[Representations], names: Sequence[str], pairs: Tensor, groups: Tensor | None = None
) -> tuple[Stack, Moments]:
    """Comparable models side by side, and what one pass leaves of them.

    Args:
        members: n models of the same inputs and labels.
        names: what errors call them.
        pairs: (m, 2) indices of those whose divergences are wanted.
        groups: as for :func:`moments`.

    Raises:
        InputError: a model's embeddings or unembeddings do not vary, or are too large or too small for float64.
    """
    models = stacked(members)
    measured = moments(models, pairs.to(models.device), groups)
    check_varied(models, measured.over_inputs, measured.over_labels, names)
    return models, measured


def moments(models: Stack, pairs: Tensor, groups: Tensor | None = None) -> Moments:
    """Stream over the inputs, then over the labels.

    Args:
        models: n models.
        pairs: (m, 2) indices of those whose divergences are wanted.
        groups: (N,) int64 the group of each input, 0 … G − 1, where roots of the groups are wanted too.
    """
    num_models = models.labels.shape[0]
    columns = num_models * (models.labels.shape[-1] + 1)
    workspace = Workspace.of(models)
    rows = -(-max(4 * columns, FEATURE_BYTES // (8 * columns)) // workspace.num_inputs) * workspace.num_inputs
    sums = DivergenceSums(num_models, pairs, models.device)
    root = CentredRoot()
    grouped = None if groups is None else GroupedRows(int(groups.max()) + 1)
    start = 0
    for inputs in models.blocks(rows):
        shared = inputs.new_empty(inputs.shape[:2])
        for part, block in log_likelihoods(models, inputs, workspace):
            sums.add(block)
            shared[:, part] = -block.normaliser
        features = _side_by_side(inputs, shared)
        root.add(features)
        if grouped is not None and groups is not None:
            grouped.add(features, groups[start : start + len(features)])
        start += len(features)
    over_inputs = cut(root.root(), num_models)

    root = CentredRoot()
    rows = max(4 * columns, FEATURE_BYTES // (8 * columns))
    for start in range(0, models.num_labels, rows):
        part = slice(start, start + rows)
        root.add(_side_by_side(models.labels[:, part], models.bias[:, part]))
    over_labels = cut(root.root(), num_models)
    check_finite(over_inputs.vectors, over_inputs.shared, over_labels.vectors, over_labels.shared, sums.sums)
    of_groups = None if grouped is None else grouped.result()
    return Moments(over_inputs, over_labels, sums.sums / models.num_inputs, of_groups)


def _side_by_side(vectors: Tensor, shared: Tensor) -> Tensor:
    """(n, B, M) and (n, B) to (B, n(M + 1)), each model's vector columns and then its shared one."""
    return torch.cat([vectors, shared.unsqueeze(-1)], -1).movedim(0, 1).flatten(1)
