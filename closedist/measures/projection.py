"""Least squares on the columns of a root factor, for columns that may be fewer than independent."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Projection:
    """The singular value decomposition of (…, h, M) columns, cut to their rank.

    Attributes:
        left: (…, h, k) orthonormal, zero beyond the rank.
        sizes: (…, k) the singular values, zero beyond the rank.
        right: (…, M, k) orthonormal, zero beyond the rank.
        rank: (…) how many there are.
    """

    left: Tensor
    sizes: Tensor
    right: Tensor
    rank: Tensor

    @classmethod
    def onto(cls, columns: Tensor, rows: float) -> "Projection":
        """The projection onto these columns, which were ``rows`` long before they became a root factor."""
        left, sizes, right = torch.linalg.svd(columns, full_matrices=False)
        cut = max(rows, columns.shape[-1]) * torch.finfo(torch.float64).eps * 10
        kept = sizes > cut * sizes[..., :1]
        zero = ~kept.unsqueeze(-2)
        return cls(
            left.masked_fill(zero, 0.0),
            sizes.masked_fill(~kept, 0.0),
            right.mT.masked_fill(zero, 0.0),
            kept.sum(-1),
        )

    @property
    def inverse_sizes(self) -> Tensor:
        """(…, k) 1/σ, zero beyond the rank."""
        return torch.where(self.sizes > 0, 1.0 / self.sizes, 0.0)

    @property
    def smallest(self) -> Tensor:
        """(…) the smallest singular value that is not zero."""
        return torch.where(self.sizes > 0, self.sizes, torch.inf).amin(-1)

    def coordinates(self, vectors: Tensor) -> Tensor:
        """(…, r, h) vectors to (…, r, k), coordinates in the columns' space, with the projection's norm."""
        return vectors @ self.left

    def rest(self, vectors: Tensor) -> Tensor:
        """(…, r, h) what the projection leaves of vectors."""
        return vectors - (vectors @ self.left) @ self.left.mT

    def solve(self, vectors: Tensor) -> Tensor:
        """(…, r, h) to (…, r, M): the shortest least-squares solutions."""
        return (self.coordinates(vectors) * self.inverse_sizes.unsqueeze(-2)) @ self.right.mT
