"""Each view's own part, done once for all pairs: X = Q·root with an orthonormal basis Q of its columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from closedist.measures.few import TALL, WELL_CONDITIONED
from closedist.measures.gram import gram
from closedist.measures.joint import Columns, Joint
from closedist.measures.orthonormal import orthonormal_basis, rounding
from closedist.measures.pair_norms import own_products

_TWICE = 1e-5  # by two Gram matrices each (Yamamoto et al., 2015) as good as by QR; down to about 1e-7

_Part = tuple[Tensor, Tensor, Tensor]  # (r, h) tall, (h, k) turn and (k, d) root: a view is tall·turn·root


@dataclass(frozen=True)
class Factors:
    """Views X = Q·root.

    Attributes:
        bases: of the Q, (r, k), k the rank; rounding of the numbers that a view came in does not add to it.
        roots: (n) QᵀX, (k, d).
    """

    bases: Columns
    roots: tuple[Tensor, ...]

    @cached_property
    def ranks(self) -> Tensor:
        """(n,) float64."""
        return self.bases.side.new_tensor([float(len(root)) for root in self.roots])

    def spread(self, coordinates: Sequence[Tensor]) -> Columns:
        """What has these (k, m) coordinates in the bases."""
        assert self.bases.turns is not None
        return self.bases.turned([turn @ one for turn, one in zip(self.bases.turns, coordinates, strict=True)])


def factors(views: Joint) -> Factors:
    """Every view's, with any basis."""

    def from_grams(products: Tensor, least: Tensor, members: Sequence[Tensor]) -> list[_Part | None]:
        norms = products.diagonal(dim1=1, dim2=2).sqrt()
        lengths = torch.where(norms > 0, norms, 1.0)
        squares, axes = torch.linalg.eigh(products / (lengths.unsqueeze(2) * lengths.unsqueeze(1)))
        sizes = squares.clamp(min=0.0).sqrt()
        turns = axes / lengths.unsqueeze(2) / sizes.unsqueeze(1)
        roots = sizes.unsqueeze(2) * axes.mT * norms.unsqueeze(1)
        usable = (sizes[:, 0] > torch.maximum(_TWICE * sizes[:, -1], least)).tolist()
        well = (sizes[:, 0] > WELL_CONDITIONED * sizes[:, -1]).tolist()
        return [
            None if not usable[at] else (view, turn, root) if well[at] else _again(view @ turn, root)
            for at, (view, turn, root) in enumerate(zip(members, turns, roots, strict=True))
        ]

    return _each(views, from_grams, _by_qr)


def principal_factors(views: Joint) -> tuple[Factors, list[Tensor]]:
    """Every view's with the basis of its principal axes, and the (k,) singular values of each, descending."""

    def from_grams(products: Tensor, least: Tensor, members: Sequence[Tensor]) -> list[_Part | None]:
        squares, axes = (one.flip(-1) for one in torch.linalg.eigh(products))
        sizes = squares.clamp(min=0.0).sqrt()
        usable = (sizes[:, -1] > least.clamp(min=WELL_CONDITIONED) * sizes[:, 0]).tolist()
        turns, roots = axes / sizes.unsqueeze(1), sizes.unsqueeze(2) * axes.mT
        return [
            part if good else None for good, part in zip(usable, zip(members, turns, roots, strict=True), strict=True)
        ]

    def by_svd(view: Tensor, precision: Tensor) -> _Part:
        tall, turn, root = _by_qr(view, precision)
        left, sizes, right = torch.linalg.svd(root, full_matrices=False)
        return tall, turn @ left, sizes[:, None] * right

    found = _each(views, from_grams, by_svd)
    return found, [torch.linalg.vector_norm(root, dim=1) for root in found.roots]


def _each(
    views: Joint,
    from_grams: Callable[[Tensor, Tensor, Sequence[Tensor]], list[_Part | None]],
    otherwise: Callable[[Tensor, Tensor], _Part],
) -> Factors:
    """Tall views of one width together by their Gram matrices, where well conditioned, all others by themselves."""
    columns = views.columns
    members = list(columns)
    parts: list[_Part | None] = [None] * len(members)
    for width in set(columns.widths):
        if len(columns.side) > TALL * width:
            which = [at for at, own in enumerate(columns.widths) if own == width]
            some = [members[at] for at in which]
            precision = views.precision if len(some) == len(members) else views.precision[which]
            least = rounding(precision, precision.new_tensor(width))
            products = torch.stack([own_products(columns, at) for at in which])
            for at, part in zip(which, from_grams(products, least, some), strict=True):
                parts[at] = part
    made = [
        otherwise(view, precision) if part is None else part
        for view, precision, part in zip(members, views.precision, parts, strict=True)
    ]
    talls, turns, roots = zip(*made, strict=True)
    own = all(tall is view for tall, view in zip(talls, members, strict=True))
    shared = columns if own else Columns.of(talls)
    return Factors(shared.turned(turns), roots)


def _again(nearly: Tensor, root: Tensor) -> _Part:
    """A second Gram matrix, of what is orthonormal but for rounding."""
    upper = torch.linalg.cholesky(gram(nearly), upper=True)
    identity = torch.eye(len(upper), dtype=upper.dtype, device=upper.device)
    return nearly, torch.linalg.solve_triangular(upper, identity, upper=True), upper @ root


def _by_qr(view: Tensor, precision: Tensor) -> _Part:
    rows, width = view.shape
    if rows > width:
        tall, root = torch.linalg.qr(view)
    else:
        tall, root = torch.eye(rows, dtype=view.dtype, device=view.device), view
    turn, rank = orthonormal_basis(root, precision)
    turn = turn[:, : int(rank)]  # the columns beyond the rank are zero
    return tall, turn, turn.mT @ root
