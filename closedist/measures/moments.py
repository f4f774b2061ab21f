"""One pass over the inputs and one over the labels: everything of size N×C that any measure of any pair needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from closedist.measures.agreement import label_type, top_labels
from closedist.measures.bases import Bases, own_coordinates
from closedist.measures.checks import check_finite, check_varied
from closedist.measures.group_roots import GroupedRows, GroupRoots
from closedist.measures.likelihood import SMALLEST_BLOCK, DivergenceSums, Workspaces, log_likelihoods
from closedist.measures.roots import CentredRoot, Root, few_rows, root_of
from closedist.measures.stack import Stack, stacked
from closedist.representations import Representations
from closedist.system.threads import side_by_side

FEATURE_BYTES = 1 << 23  # of float64 features at once: what a root factor takes in with one QR


@dataclass(frozen=True)
class Alone:
    """What is left of each of n models by itself, for any pairs of them.

    Attributes:
        shared: (n, N) −log Z of every input.
        top: (n, N) integers, the label that each predicts for every input.
        over_inputs, over_labels: bases of the columns of both axes; None where there are few rows.
    """

    shared: Tensor
    top: Tensor
    over_inputs: Bases | None
    over_labels: Bases | None

    def select(self, models: Tensor) -> "Alone":
        """That of these models."""
        sides = (None if bases is None else bases.select(models) for bases in (self.over_inputs, self.over_labels))
        return Alone(self.shared[models], self.top[models], *sides)

    @classmethod
    def joined(cls, parts: Sequence["Alone"]) -> "Alone":
        """That of several sets of models, one after the other."""
        if len(parts) == 1:
            return parts[0]
        over_inputs, over_labels = (
            None if None in sides else Bases.joined([side for side in sides if side is not None])
            for sides in ([part.over_inputs for part in parts], [part.over_labels for part in parts])
        )
        shared, top = (torch.cat(columns) for columns in zip(*((part.shared, part.top) for part in parts), strict=True))
        return cls(shared, top, over_inputs, over_labels)


@dataclass(frozen=True)
class Moments:
    """What is left of N inputs and C labels: two root factors and the divergences.

    Attributes:
        over_inputs: root of (f, −log Z) over the inputs, for standard deviations over x.
        over_labels: root of (g, b) over the labels, for standard deviations over y.
        divergences: (n, n) mean over inputs of KL(p_i‖p_j), in nats, of the pairs asked for.
        top: (n, N) the label that each model predicts for every input.
        groups: what is left of each group of inputs, in the columns of all models side by side; None without groups.
    """

    over_inputs: Root
    over_labels: Root
    divergences: Tensor
    top: Tensor
    groups: GroupRoots | None = None


def prepared(
    members: Sequence[Representations], names: Sequence[str], pairs: Tensor, groups: Tensor | None = None
) -> tuple[Stack, Moments]:
    """Comparable models side by side, and what one pass leaves of them.

    Args:
        members: n models of the same inputs and labels.
        names: what errors call them.
        pairs: (m, 2) indices of those that are compared.
        groups: as for :func:`moments`.

    Raises:
        InputError: a model's embeddings or unembeddings do not vary, or are too large or too small for float64.
    """
    models = stacked(members)
    return models, moments(models, pairs.to(models.device), groups, names)


def moments(models: Stack, pairs: Tensor, groups: Tensor | None = None, names: Sequence[str] | None = None) -> Moments:
    """What is left of some models and their pairs.

    Args:
        models: n models.
        pairs: (m, 2) indices of those that are compared.
        groups: (N,) int64 the group of each input, 0 … G − 1, where roots of the groups are wanted too.
        names: what errors call the models, which are checked where they are given.
    """
    alone, divergences, of_groups = one_by_one(models, pairs, groups, names)
    return together(models, alone, divergences, pairs, of_groups)


def one_by_one(
    models: Stack,
    pairs: Tensor,
    groups: Tensor | None = None,
    names: Sequence[str] | None = None,
    threads: int = 1,
) -> tuple[Alone, Tensor, GroupRoots | None]:
    """One pass over the inputs and one over the labels: each model by itself, (n, n) divergences, and groups' roots.

    Args:
        models, pairs, groups, names: as for :func:`moments`.
        threads: how many take inputs at a time; no bit depends on it.
    """
    num_models, columns = models.labels.shape[0], models.labels.shape[-1] + 1
    spaces = Workspaces(models, threads)
    rows = _rows(num_models, columns, 4 * columns, spaces.num_inputs)
    sums = DivergenceSums(num_models, pairs, models.device)
    root = CentredRoot()
    grouped = None if groups is None else GroupedRows(int(groups.max()) + 1)
    shared = models.labels.new_empty(num_models, models.num_inputs)
    top = shared.new_empty(shared.shape, dtype=label_type(models.num_labels))
    start = 0
    for inputs in models.blocks(rows):
        here = slice(start, start + inputs.shape[1])
        do = partial(_of_inputs, models, sums, spaces, inputs, shared[:, here], top[:, here])
        parts = [slice(low, low + spaces.num_inputs) for low in range(0, inputs.shape[1], spaces.num_inputs)]
        for found in side_by_side(do, parts, min(spaces.count, len(parts))):
            for divergence in found:
                sums.sums += divergence
        features = torch.cat([inputs, shared[:, here].unsqueeze(-1)], -1)
        root.add(features)
        if grouped is not None and groups is not None:
            codes = groups[start : start + inputs.shape[1]]
            grouped.add(features.movedim(0, 1).flatten(1), codes)
        start += inputs.shape[1]

    label_root = None
    label_vectors = models.labels - models.labels.mean(1, keepdim=True)  # once more, so that nothing is left of one row
    if not few_rows(models.num_labels, columns):
        label_root = CentredRoot()
        for vectors, bias in _labels(models, _rows(num_models, columns, 4 * columns)):
            label_root.add(torch.cat([vectors, bias.unsqueeze(-1)], -1))
        label_vectors = label_root.unscaled()[..., :-1]
    check_finite(root.unscaled(), label_vectors, sums.sums)
    if names is not None:
        check_varied(models, root.root()[..., :-1], label_vectors, names)
    over_inputs, over_labels = (
        None if side is None or few_rows(side.count, columns) else Bases.of(side.unscaled(), side.mean)
        for side in (root, label_root)
    )
    of_groups = None if grouped is None else grouped.result()
    return Alone(shared, top, over_inputs, over_labels), sums.sums / models.num_inputs, of_groups


def _of_inputs(
    models: Stack, sums: DivergenceSums, spaces: Workspaces, inputs: Tensor, shared: Tensor, top: Tensor, some: slice
) -> list[Tensor]:
    """Sums of divergences over some inputs of a block; writes their −log Z and labels where those of the block are."""
    found = []
    with spaces.one() as workspace:
        for part, block in log_likelihoods(models, inputs[:, some], workspace):
            found.append(sums.of(block))
            torch.neg(block.normaliser, out=shared[:, some][:, part])
            top[:, some][:, part] = top_labels(block.relative)
    return found


def together(
    models: Stack, alone: Alone, divergences: Tensor, pairs: Tensor, groups: GroupRoots | None = None
) -> Moments:
    """How models lie to each other in pairs, from what is known of each.

    Args:
        models: n models.
        alone: what is left of each.
        divergences: (n, n).
        pairs: (m, 2) indices.
        groups: of all inputs.
    """
    num_models, columns = models.labels.shape[0], models.labels.shape[-1] + 1

    def inputs() -> Iterator[tuple[Tensor, Tensor]]:
        start = 0
        for vectors in models.blocks(_rows(num_models, columns, SMALLEST_BLOCK)):
            yield vectors, alone.shared[:, start : start + vectors.shape[1]]
            start += vectors.shape[1]

    def labels() -> Iterator[tuple[Tensor, Tensor]]:
        return _labels(models, _rows(num_models, columns, SMALLEST_BLOCK))

    over_inputs, over_labels = (
        _few(blocks()) if bases is None else _scaled(own_coordinates(bases, blocks, pairs), count)
        for bases, blocks, count in (
            (alone.over_inputs, inputs, models.num_inputs),
            (alone.over_labels, labels, models.num_labels),
        )
    )
    return Moments(over_inputs, over_labels, divergences, alone.top, groups)


def _rows(num_models: int, columns: int, least: int, multiple_of: int = 1) -> int:
    """How many rows are taken in at once; where they are more than that, a multiple."""
    rows = max(least, FEATURE_BYTES // (8 * num_models * columns))
    return -(-rows // multiple_of) * multiple_of if rows > multiple_of else rows


def _labels(models: Stack, rows: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The columns of the axis of labels, block by block."""
    for start in range(0, models.num_labels, rows):
        part = slice(start, start + rows)
        yield models.labels[:, part], models.bias[:, part]


def _few(blocks: Iterator[tuple[Tensor, Tensor]]) -> Root:
    """The root of few rows: these rows, centred."""
    parts = [torch.cat([vectors, shared.unsqueeze(-1)], -1) for vectors, shared in blocks]
    columns = torch.cat(parts, 1)
    columns = (columns - columns.mean(1, keepdim=True)) / (columns.shape[1] - 1) ** 0.5
    return root_of(columns)


def _scaled(root: Root, count: int) -> Root:
    """So that norms are unbiased standard deviations over ``count`` rows."""
    scale = (count - 1) ** -0.5
    return Root(root.vectors * scale, root.shared * scale, root.own * scale, root.angles)
