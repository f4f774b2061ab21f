"""Each view's own part, done once for all pairs: an orthonormal basis of its columns, and its principal axes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.cca import orthonormal_basis
from closedist.measures.joint import Columns, Joint


@dataclass(frozen=True)
class Bases:
    """Orthonormal bases of n views.

    Attributes:
        columns: (r, rank) of each view, a basis of its columns.
        ranks: (n,) float64.
    """

    columns: Columns
    ranks: Tensor

    @property
    def smaller(self) -> Tensor:
        """(n, n) the smaller rank of two."""
        return torch.minimum(self.ranks[:, None], self.ranks)


@dataclass(frozen=True)
class Principal:
    """The principal axes of a view, X = U·diag(s)·Vᵀ up to its rank.

    Attributes:
        scores: (r, rank) U.
        sizes: (rank,) s, descending.
    """

    scores: Tensor
    sizes: Tensor


def bases(views: Joint) -> Bases:
    """Bases of the columns up to their rank, which rounding of the numbers that the views came in does not add to."""
    found, ranks = [], []
    for view, precision in zip(views.columns, views.precision, strict=True):
        basis, rank = orthonormal_basis(view, precision)
        found.append(basis[:, : int(rank)])  # those beyond the rank are zero
        ranks.append(int(rank))
    return Bases(Columns.of(found), views.precision.new_tensor(ranks))


def principal(views: Joint) -> list[Principal]:
    """The principal axes of every view, up to the same rank."""
    found = []
    for view, precision in zip(views.columns, views.precision, strict=True):
        if view.shape[0] > view.shape[1]:
            basis, root = torch.linalg.qr(view)
            left, sizes, _ = torch.linalg.svd(root, full_matrices=False)
            left = basis @ left
        else:
            root = view
            left, sizes, _ = torch.linalg.svd(view, full_matrices=False)
        rank = int(orthonormal_basis(root, precision)[1])
        found.append(Principal(left[:, :rank], sizes[:rank]))
    return found
