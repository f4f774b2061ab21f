"""What every distance of logits is made of: two small root factors, one over the inputs and one over the labels.

With z(x) = (f(x), 1, f'(x), 1), the difference of the two models' logits, each centred over the labels, is
Δ(x) = L·z(x) with L = [G_c, b_c, −G'_c, −b'_c]. So all that is quadratic in Δ is in a root of E[z zᵀ] and a root H of
LᵀL, and no N×C table is needed (Nielsen et al., 2026, arXiv 2602.15438, for the distances; the closed forms are ours,
docs/second-paper.md).

Every mean, variance and covariance here divides by N.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.checks import check_comparable
from closedist.measures.group_roots import GroupedRows, GroupRoots
from closedist.measures.projection import Projection
from closedist.measures.roots import CentredRoot, triangular
from closedist.measures.settings import DEFAULTS
from closedist.measures.stack import Stack, stacked
from closedist.representations import Representations, as_tensor
from closedist.representations.names import model_names

_BLOCK_BYTES = 1 << 25  # of float64 rows taken in with one QR


@dataclass(frozen=True)
class LogitRoots:
    """The two roots of a pair, with all columns in the order of z = (f, 1, f', 1).

    Attributes:
        moment: (…, r, M + M' + 2) with momentᵀ·moment = E[z zᵀ], uncentred; its last row is the mean of z.
        covariance: (…, r', M + M' + 2) the same about the mean; its columns of the constants are 0.
        labels: (…, h, M + M' + 2) H with HᵀH = LᵀL.
        dimension: M, the first model's.
        unit: the first model's embeddings in ``moment`` times this are those that the user gave; (…) of many pairs.
        num_labels: C, or the sum of the labels' weights.
        num_inputs: N.
    """

    moment: Tensor
    covariance: Tensor
    labels: Tensor
    dimension: int
    unit: float | Tensor
    num_labels: float
    num_inputs: int

    @property
    def delta(self) -> Tensor:
        """(…, r, h) a root of E[ΔΔᵀ], in the coordinates of the rows of H."""
        return self.moment @ self.labels.mT

    @property
    def delta_centred(self) -> Tensor:
        """(…, r', h) a root of Cov(Δ)."""
        return self.covariance @ self.labels.mT

    def logits(self, *, centred: bool) -> tuple[Tensor, Tensor]:
        """(…, r, h) twice: roots of the second moments (or covariances) of the two models' own centred logits."""
        rows = self.covariance if centred else self.moment
        split = self.dimension + 1
        first = rows[..., :split] @ self.labels[..., :split].mT
        return first, -(rows[..., split:] @ self.labels[..., split:].mT)

    def embeddings(self) -> tuple[Tensor, Tensor]:
        """Roots of the covariance of f, (…, r', M), and of f', (…, r', M'), with the same rows."""
        split = self.dimension
        return self.covariance[..., :split], self.covariance[..., split + 1 : -1]

    def unembeddings(self) -> Tensor:
        """(…, h, M) the columns of H that are the first model's centred unembeddings."""
        return self.labels[..., : self.dimension]

    @cached_property
    def onto_unembeddings(self) -> Projection:
        """Onto the first model's centred unembeddings."""
        return Projection.onto(self.unembeddings(), self.num_labels)

    @cached_property
    def onto_embeddings(self) -> Projection:
        """Onto the first model's centred embeddings."""
        return Projection.onto(self.embeddings()[0], self.num_inputs)

    def permuted(self) -> "LogitRoots":
        """The roots of the mean of E[z zᵀ] over all permutations of the second model's inputs."""
        split = self.dimension + 1
        own = torch.cat([self.covariance[..., :split], torch.zeros_like(self.covariance[..., split:])], -1)
        covariance = torch.cat([own, self.covariance - own], -2)
        return replace(self, moment=torch.cat([covariance, self.moment[..., -1:, :]], -2), covariance=covariance)

    def swapped(self, unit: float | Tensor) -> "LogitRoots":
        """The roots of the pair the other way round, with the second model's unit."""
        split = self.dimension + 1
        moment, covariance, labels = (
            torch.cat([part[..., split:], part[..., :split]], -1)
            for part in (self.moment, self.covariance, -self.labels)
        )
        dimension = moment.shape[-1] - split - 1
        return LogitRoots(moment, covariance, labels, dimension, unit, self.num_labels, self.num_inputs)


def logit_roots(
    p: Representations,
    q: Representations,
    label_weights: ArrayLike | Tensor | None = None,
    *,
    same_inputs: bool = DEFAULTS.same_inputs,
) -> tuple[LogitRoots, LogitRoots]:
    """The roots of a pair of models, and those of the pair the other way round: one pass over inputs and labels each.

    Args:
        p, q: representations of the same N inputs and C labels.
        label_weights: (C,) ≥ 0, how much each label counts; by default 1 each.
        same_inputs: as for :func:`closedist.compare`.

    Raises:
        InputError: the models cannot be compared, or the weights are no weights of these labels.
    """
    check_comparable([p, q], model_names(2), same_inputs=same_inputs)
    models = stacked([p, q])
    weights = checked_weights(label_weights, p.num_labels, models.device)
    covariance, mean, _ = _over_inputs(models)
    moment = torch.cat([covariance, mean[None]])
    split = models.labels.shape[-1]
    columns = [*range(p.dimension + 1), *range(split + 1, split + q.dimension + 2)]
    units = models.scales.flatten().tolist()
    columns[p.dimension], columns[-1] = split, 2 * split + 1
    labels = _signed(_over_labels(models, weights))[:, columns]
    total = float(p.num_labels if weights is None else weights.sum())
    first = LogitRoots(moment[:, columns], covariance[:, columns], labels, p.dimension, units[0], total, p.num_inputs)
    return first, first.swapped(units[1])


def checked_weights(weights: ArrayLike | Tensor | None, num_labels: int, device: torch.device) -> Tensor | None:
    """Weights of labels as a (C,) float64 tensor; None stays None.

    Raises:
        InputError: another shape, a negative or infinite weight, or only zeros.
    """
    if weights is None:
        return None
    values = as_tensor(weights, "label_weights").to(device, torch.float64)
    if values.shape != (num_labels,):
        raise InputError(f"label_weights: shape {tuple(values.shape)}; one weight a label, ({num_labels},), is needed")
    if not bool((torch.isfinite(values) & (values >= 0)).all()) or not bool(values.any()):
        raise InputError("label_weights: finite numbers ≥ 0 are needed, and at least one above 0")
    return values


@dataclass(frozen=True)
class ManyLogitRoots:
    """The roots of n models side by side, from one pass over the inputs and one over the labels, for any pairs of them.

    Attributes:
        models: n of them, their embeddings padded to the largest M.
        covariance: (r, n(M + 1)) a root of Cov of (f, 1) of all.
        mean: (n(M + 1),) of the same.
        labels: (h, n(M + 1)) a root of the rows (g, b) of all.
        groups: what is left of each group of inputs, in the same columns; None without groups.
    """

    models: Stack
    covariance: Tensor
    mean: Tensor
    labels: Tensor
    groups: GroupRoots | None

    @classmethod
    def of(cls, models: Stack, groups: Tensor | None = None) -> "ManyLogitRoots":
        """Of n models, with the (N,) group of each input, 0 … G − 1, where roots without them are wanted too."""
        covariance, mean, of_groups = _over_inputs(models, groups)
        return cls(models, covariance, mean, _over_labels(models, None), of_groups)

    def of_pairs(self, pairs: Tensor) -> tuple[LogitRoots, LogitRoots]:
        """Of m pairs, (m, 2) indices, and of these the other way round."""
        return self._of_pairs(pairs, self.covariance, self.mean, self.models.num_inputs)

    def without_groups(
        self, pairs: Tensor, factors: Callable[[Tensor, GroupRoots], Tensor]
    ) -> list[tuple[LogitRoots, LogitRoots]]:
        """The same without each group of inputs.

        Args:
            pairs: (m, 2) indices.
            factors: what leaves out groups, as :func:`closedist.certainty.replicates.replicate_factors` makes it.
        """
        assert self.groups is not None
        count, sizes = self.models.num_inputs, self.groups.sizes.double()
        root = self.covariance * math.sqrt(count / (count - 1))
        shares = sizes / (count - sizes)
        found = []
        left = zip(factors(root, self.groups), self.groups.steps, shares, self.groups.sizes.tolist(), strict=True)
        for factor, step, share, size in left:
            others = count - size
            covariance = factor @ root * math.sqrt((others - 1) / others)
            found.append(self._of_pairs(pairs, covariance, self.mean - share * step, others))
        return found

    def with_second_permuted(self, orders: Tensor) -> Iterator[tuple[LogitRoots, LogitRoots]]:
        """Those of two models with the inputs of the second in each of these orders, (P, N)."""
        rows = self.models.inputs(slice(0, self.models.num_inputs))
        rows = torch.nn.functional.pad(rows - rows.mean(1, keepdim=True), (0, 1))  # the constant has no deviation
        pair = torch.tensor([[0, 1]], device=rows.device)
        for order in orders:
            root = triangular(torch.cat([rows[0], rows[1, order]], 1)) / math.sqrt(self.models.num_inputs)
            yield self._of_pairs(pair, root, self.mean, self.models.num_inputs)

    def _of_pairs(
        self, pairs: Tensor, covariance: Tensor, mean: Tensor, num_inputs: int
    ) -> tuple[LogitRoots, LogitRoots]:
        width = self.models.labels.shape[-1] + 1
        columns = (pairs[:, :, None] * width + torch.arange(width, device=pairs.device)).flatten(1)
        rows = triangular(covariance[:, columns].movedim(1, 0))
        labels = _signed(triangular(self.labels[:, columns].movedim(1, 0)))
        moment = torch.cat([rows, mean[columns].unsqueeze(-2)], -2)
        units = self.models.scales.flatten()[pairs]
        first = LogitRoots(moment, rows, labels, width - 1, units[:, 0], float(self.models.num_labels), num_inputs)
        return first, first.swapped(units[:, 1])


def _over_inputs(models: Stack, groups: Tensor | None = None) -> tuple[Tensor, Tensor, GroupRoots | None]:
    """A root of Cov of (f, 1) of n models, (r, n(M + 1)) with the embeddings padded to the largest M; mean; groups."""
    columns = len(models.members) * (models.labels.shape[-1] + 1)
    root, grouped = CentredRoot(), None if groups is None else GroupedRows(int(groups.max()) + 1)
    start = 0
    for inputs in models.blocks(max(4 * columns, _BLOCK_BYTES // (8 * columns))):
        ones = inputs.new_ones(*inputs.shape[:2], 1)
        rows = torch.cat([inputs, ones], -1).movedim(0, 1).flatten(1)
        root.add(rows)
        if grouped is not None and groups is not None:
            grouped.add(rows, groups[start : start + len(rows)])
        start += len(rows)
    of_groups = None if grouped is None else grouped.result()
    return root.unscaled() / math.sqrt(models.num_inputs), root.mean, of_groups


def _over_labels(models: Stack, weights: Tensor | None) -> Tensor:
    """(h, n(M + 1)) the root of the rows (g, b) of n models about their (weighted) mean, times √weight."""
    vectors, bias = models.labels, models.bias
    if weights is not None:
        share = weights / weights.sum()
        vectors = vectors - torch.einsum("c,ncm->nm", share, vectors)[:, None]
        bias = bias - (bias @ share)[:, None]
    columns = len(vectors) * (vectors.shape[-1] + 1)
    step = max(4 * columns, _BLOCK_BYTES // (8 * columns))
    factor = vectors.new_zeros(0, columns)
    for start in range(0, models.num_labels, step):
        part = slice(start, start + step)
        rows = torch.cat([vectors[:, part], bias[:, part].unsqueeze(-1)], -1).movedim(0, 1).flatten(1)
        if weights is not None:
            rows = rows * weights[part].sqrt()[:, None]
        factor = triangular(torch.cat([factor, rows]))
    return factor


def _signed(labels: Tensor) -> Tensor:
    """(…, h, 2(M + 1)) the root of (g, b, −g', −b') from that of (g, b, g', b')."""
    first, second = labels.chunk(2, -1)
    return torch.cat([first, -second], -1)


def label_rows(vectors: Tensor, bias: Tensor) -> Tensor:
    """(C, 2(M + 1)) rows of L, from (2, C, M) unembeddings and (2, C) biases, both centred over the labels."""
    sides = torch.cat([vectors, bias.unsqueeze(-1)], -1)
    return torch.cat([sides[0], -sides[1]], -1)
