"""Root factors: triangular square roots of covariances, which keep the digits that a covariance loses.

With A the centred columns of some features over n rows and R from A = QR, the standard deviation over the rows of any
combination v of the columns is ‖Rv‖/√(n−1). Standard deviations of *differences* of combinations are
then norms of differences, which small ones survive, where a difference of variances would have lost half of its digits.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.errors import InputError


class CentredRoot:
    """The root factor of the centred rows seen so far, updated block by block (QR of [R; next block]).

    Every block is centred by its own mean; the means meet in one more row, √(n₁n₂/(n₁+n₂))·(mean₂ − mean₁), so that
    what is kept is exactly the root of all rows about their common mean.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._root: Tensor | None = None

    def add(self, rows: Tensor) -> None:
        """Take in a float64 block, (…, rows, columns); what lies side by side has a root each."""
        mean = rows.mean(-2)
        centred = rows - mean.unsqueeze(-2)
        if self._mean is None or self._root is None:
            stacked, self._mean = centred, mean
        else:
            step = mean - self._mean
            share = rows.shape[-2] / (self.count + rows.shape[-2])
            weighted = math.sqrt(self.count * share) * step.unsqueeze(-2)
            stacked = torch.cat([self._root, centred, weighted], -2)
            self._mean = self._mean + share * step
        self.count += rows.shape[-2]
        self._root = triangular(stacked)

    def root(self) -> Tensor:
        """(…, r, columns), r at most the number of columns, scaled so that norms are unbiased standard deviations."""
        if self.count < 2:
            raise InputError(f"standard deviations need at least two rows; there are {self.count}")
        return self.unscaled().div(math.sqrt(self.count - 1))

    def unscaled(self) -> Tensor:
        """(…, r, columns) the root of the sum of squares about the mean."""
        assert self._root is not None, "no rows were added"
        return self._root

    @property
    def mean(self) -> Tensor:
        """(…, columns) the mean of all rows."""
        assert self._mean is not None, "no rows were added"
        return self._mean


def triangular(stacked: Tensor) -> Tensor:
    """R of the QR of the last two dimensions, or the matrix itself where it has no more rows than columns."""
    if stacked.shape[-2] <= stacked.shape[-1]:
        return stacked
    factor: Tensor = torch.linalg.qr(stacked, mode="r").R
    return factor


def few_rows(rows: int, columns: int) -> bool:
    """Whether the rows of an axis serve as coordinates themselves, for models of so many columns each."""
    return rows <= max(2 * columns, 64)


@dataclass(frozen=True)
class Angles:
    """How the coordinates of models that have their own lie to each other.

    With Q and Q' orthonormal bases of two models' columns, Q' = Q·C + Q⊥·S: C = QᵀQ' and SᵀS = 1 − CᵀC.

    Attributes:
        cosines, sines: (m, r, r) C and S of pairs of models.
        index: (n, n) where in these a pair (i, j) is.
        sizes: (n, M) singular values of each model's vector columns at unit length, descending.
    """

    cosines: Tensor
    sines: Tensor
    index: Tensor
    sizes: Tensor

    def of(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """C and S of pairs, (m, 2) indices."""
        which = self.index[pairs[:, 0], pairs[:, 1]]
        return self.cosines[which], self.sines[which]


@dataclass(frozen=True)
class Root:
    """The root factors of one axis (inputs or labels) for several models, in the models' columns.

    An *item* (a label on the input axis, an input on the label axis) is a vector v; its log-likelihood over the axis is
    vectors·v plus one column that all items share: −log Z(x) over inputs, the bias b(y) over labels.

    Attributes:
        vectors: (n, r, M) the columns that belong to the items' vectors, zero-padded to the largest M.
        shared: (n, r) the column that all items of a model share; it drops out of differences of items.
        own: (n, k, M + 1) the root of each model's columns alone, the shared one last, for norms of its own items; the
            vectors' columns are zero below the M-th row.
        angles: where every model has r coordinates of its own; None where all have the same.
    """

    vectors: Tensor
    shared: Tensor
    own: Tensor
    angles: Angles | None = None

    def select(self, models: Tensor) -> "Root":
        """The root of these models, (m,) indices, which have the same coordinates."""
        return Root(self.vectors[models], self.shared[models], self.own[models])

    @classmethod
    def joined(cls, sides: tuple["Root", "Root"]) -> "Root":
        """The root of the models of both sides of pairs, in the coordinates that these share."""
        vectors, shared, own = (
            torch.cat(parts) for parts in zip(*((s.vectors, s.shared, s.own) for s in sides), strict=True)
        )
        return cls(vectors, shared, own)

    def repeated(self, count: int) -> "Root":
        """The root of one model so many times, without copies."""
        vectors, shared, own = (p.expand(count, *p.shape[1:]) for p in (self.vectors, self.shared, self.own))
        return Root(vectors, shared, own)

    def single(self, items: Tensor) -> Tensor:
        """(…, items, M) to (…, items, r): coordinates of single log-likelihoods; norms are deviations."""
        return items @ self.vectors.mT + self.shared.unsqueeze(-2)

    def difference(self, differences: Tensor) -> Tensor:
        """(…, items, M) differences of two items' vectors to (…, items, r)."""
        return differences @ self.vectors.mT

    def spread(self, items: Tensor) -> Tensor:
        """(…, items, M) to (…, items, ≤ M): coordinates whose differences have the norms of the items' differences."""
        return items @ self.own[..., : items.shape[-1], :-1].mT

    def variances(self, spread: Tensor) -> Tensor:
        """(…, items) squared norms of single items, from their coordinates of :meth:`spread`."""
        width = self.own.shape[-1] - 1
        along, beyond = self.own[..., :width, -1], self.own[..., width:, -1]
        return (spread + along.unsqueeze(-2)).square_().sum(-1).add_(beyond.square().sum(-1, keepdim=True))

    def about(self, middle: Tensor) -> "Root":
        """The root for items that are given less a vector, (n, M), of their model."""
        shared = self.shared + (self.vectors @ middle.unsqueeze(-1)).squeeze(-1)
        last = self.own[..., -1:] + self.own[..., :-1] @ middle.unsqueeze(-1)
        return Root(self.vectors, shared, torch.cat([self.own[..., :-1], last], -1), self.angles)


def cut(root: Tensor, num_models: int) -> Root:
    """Cut a joint root factor into models; each model's columns are its vectors and then the shared column."""
    columns = root.reshape(len(root), num_models, -1).movedim(1, 0)
    return root_of(columns)


def root_of(columns: Tensor) -> Root:
    """The root of (n, r, M + 1) columns, of which the last is the shared one."""
    own = columns if columns.shape[-2] < columns.shape[-1] else torch.linalg.qr(columns, mode="r").R
    return Root(columns[..., :-1].contiguous(), columns[..., -1].contiguous(), own)


def pair_roots(root: Root, pairs: Tensor) -> tuple[Root, Root]:
    """The roots of both sides of pairs of models, (m, 2) indices, in coordinates of the pair.

    Where models have coordinates of their own, these are [R; 0] and [C·R'; S·R'], whatever number of models there is.
    """
    first, second = pairs.T
    own, other = (torch.cat([root.vectors[side], root.shared[side].unsqueeze(-1)], -1) for side in (first, second))
    if root.angles is not None:
        cosines, sines = root.angles.of(pairs)
        own, other = torch.cat([own, torch.zeros_like(own)], -2), torch.cat([cosines @ other, sines @ other], -2)
    elif not few_rows(own.shape[-2], own.shape[-1]):
        own, other = triangular(torch.cat([own, other], -1)).chunk(2, -1)
    return (
        Root(own[..., :-1], own[..., -1], root.own[first]),
        Root(other[..., :-1], other[..., -1], root.own[second]),
    )


def cross_products(root: Root, pairs: Tensor) -> Tensor:
    """(m, M, M) products of the vector columns of pairs of models, (m, 2) indices: their cross-covariances."""
    first, second = root.vectors[pairs[:, 0]], root.vectors[pairs[:, 1]]
    return first.mT @ (second if root.angles is None else root.angles.of(pairs)[0] @ second)
