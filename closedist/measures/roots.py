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
        """Take in a float64 block, (rows, columns)."""
        mean = rows.mean(0)
        centred = rows - mean
        if self._mean is None or self._root is None:
            stacked, self._mean = centred, mean
        else:
            step = mean - self._mean
            share = rows.shape[0] / (self.count + rows.shape[0])
            stacked = torch.cat([self._root, centred, math.sqrt(self.count * share) * step[None]])
            self._mean = self._mean + share * step
        self.count += rows.shape[0]
        self._root = triangular(stacked)

    def root(self) -> Tensor:
        """(r, columns), r at most the number of columns, scaled so that norms are unbiased standard deviations."""
        if self.count < 2:
            raise InputError(f"standard deviations need at least two rows; there are {self.count}")
        return self.unscaled().div(math.sqrt(self.count - 1))

    def unscaled(self) -> Tensor:
        """(r, columns) the root of the sum of squares about the mean."""
        assert self._root is not None, "no rows were added"
        return self._root

    @property
    def mean(self) -> Tensor:
        """(columns,) the mean of all rows."""
        assert self._mean is not None, "no rows were added"
        return self._mean


def triangular(stacked: Tensor) -> Tensor:
    """R of the QR of the last two dimensions, or the matrix itself where it has no more rows than columns."""
    if stacked.shape[-2] <= stacked.shape[-1]:
        return stacked
    factor: Tensor = torch.linalg.qr(stacked, mode="r").R
    return factor


@dataclass(frozen=True)
class Root:
    """The root factor of one axis (inputs or labels) for several models side by side, cut into the models' columns.

    An *item* (a label on the input axis, an input on the label axis) is a vector v; its log-likelihood over the axis is
    vectors·v plus one column that all items share: −log Z(x) over inputs, the bias b(y) over labels.

    Attributes:
        vectors: (n, r, M) the columns that belong to the items' vectors, zero-padded to the largest M.
        shared: (n, r) the column that all items of a model share; it drops out of differences of items.
        own: (n, M, M) the root of each model's vector columns alone, for norms of differences of items.
    """

    vectors: Tensor
    shared: Tensor
    own: Tensor

    def select(self, models: Tensor) -> "Root":
        """The root of these models, (m,) indices."""
        return Root(self.vectors[models], self.shared[models], self.own[models])

    def single(self, items: Tensor) -> Tensor:
        """(…, items, M) to (…, items, r): coordinates of single log-likelihoods; norms are deviations."""
        return items @ self.vectors.mT + self.shared.unsqueeze(-2)

    def difference(self, differences: Tensor) -> Tensor:
        """(…, items, M) differences of two items' vectors to (…, items, r)."""
        return differences @ self.vectors.mT

    def spread(self, items: Tensor) -> Tensor:
        """(…, items, M) to (…, items, M): coordinates whose differences have the norms of the items' differences."""
        return items @ self.own.mT


def cut(root: Tensor, num_models: int) -> Root:
    """Cut a joint root factor into models; each model's columns are its vectors and then the shared column."""
    columns = root.reshape(len(root), num_models, -1).movedim(1, 0)
    vectors = columns[..., :-1].contiguous()
    return Root(vectors, columns[..., -1].contiguous(), triangular(vectors))


def pair_roots(root: Root, pairs: Tensor) -> tuple[Root, Root]:
    """The roots of both sides of pairs of models, (m, 2) indices, with r reduced to a pair's own 2(M + 1) columns."""
    columns = torch.cat([root.vectors, root.shared.unsqueeze(-1)], -1)
    first, second = pairs.T
    joint = triangular(torch.cat([columns[first], columns[second]], -1))
    width = columns.shape[-1]
    return (
        Root(joint[..., : width - 1], joint[..., width - 1], root.own[first]),
        Root(joint[..., width:-1], joint[..., -1], root.own[second]),
    )
