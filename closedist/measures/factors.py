"""Each view's own part, done once for all pairs: X = Q·R with an orthonormal basis Q of its columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.cca import orthonormal_basis
from closedist.measures.joint import Columns, Joint

_WELL_CONDITIONED = 1e-5  # of columns at unit length; Cholesky-QR twice is as good as QR down to about 1e-7
_TALL = 8  # rows to a column, from which Gram matrices are less work than QR


@dataclass(frozen=True)
class Factor:
    """A view X = Q·root, where Q = tall·turn is an orthonormal basis of its columns.

    Attributes:
        tall: (r, h) nearly a basis, or the view's own.
        turn: (h, k) makes it one, k the rank.
        root: (k, d) QᵀX.
    """

    tall: Tensor
    turn: Tensor
    root: Tensor

    @property
    def rank(self) -> int:
        """k; rounding of the numbers that the view came in does not add to it."""
        return self.root.shape[0]

    def axes(self) -> tuple[Tensor, Tensor]:
        """The principal axes: (k, k) coordinates in Q of the scores, and the (k,) singular values of X, descending."""
        left, sizes, _ = torch.linalg.svd(self.root, full_matrices=False)
        return left, sizes


def factors(views: Joint) -> list[Factor]:
    """The factor of every view."""
    return [_factor(view, precision) for view, precision in zip(views.columns, views.precision, strict=True)]


def _factor(view: Tensor, precision: Tensor) -> Factor:
    rows, width = view.shape
    if rows > _TALL * width and (found := _by_gram_matrices(view, precision)) is not None:
        return found
    if rows > width:
        tall, root = torch.linalg.qr(view)
    else:
        tall, root = torch.eye(rows, dtype=view.dtype, device=view.device), view
    turn, rank = orthonormal_basis(root, precision)
    turn = turn[:, : int(rank)]  # the columns beyond the rank are zero
    return Factor(tall, turn, turn.mT @ root)


def _by_gram_matrices(view: Tensor, precision: Tensor) -> Factor | None:
    """Cholesky-QR twice (Yamamoto et al., 2015), or nothing where the columns are not well conditioned."""
    gram = view.mT @ view
    norms = gram.diagonal().sqrt()
    lower, failed = torch.linalg.cholesky_ex(gram / (norms[:, None] * norms))
    if bool(failed) or not bool((norms > 0).all()):
        return None
    sizes = torch.linalg.svdvals(lower)
    if not bool(sizes[-1] > _WELL_CONDITIONED * sizes[0]) or int(orthonormal_basis(lower.mT, precision)[1]) < len(
        lower
    ):
        return None
    identity = torch.eye(len(lower), dtype=view.dtype, device=view.device)
    tall = view @ (torch.linalg.solve_triangular(lower, identity, upper=False) / norms).mT
    again = torch.linalg.cholesky(tall.mT @ tall)
    turn = torch.linalg.solve_triangular(again, identity, upper=False).mT
    return Factor(tall, turn, again.mT @ (lower.mT * norms))


def spread(found: Sequence[Factor], coordinates: Sequence[Tensor] | None = None) -> Columns:
    """The bases Q side by side, or what has these (k, m) coordinates in them."""
    turns = [one.turn if coordinates is None else one.turn @ coordinates[i] for i, one in enumerate(found)]
    return turned([one.tall for one in found], turns)


def turned(views: Iterable[Tensor], turns: Sequence[Tensor]) -> Columns:
    """(r, h) views times an (h, m) matrix each, side by side."""
    views = list(views)
    widths = tuple(turn.shape[1] for turn in turns)
    side = views[0].new_empty(len(views[0]), sum(widths))
    for view, turn, out in zip(views, turns, side.split_with_sizes(list(widths), 1), strict=True):
        torch.mm(view, turn, out=out)
    return Columns(side, widths)


def ranks(found: Sequence[Factor], like: Tensor) -> Tensor:
    """(n,) their ranks, as numbers of the kind of another tensor."""
    return like.new_tensor([float(one.rank) for one in found])
