"""Canonical correlations: how far two representations agree up to an invertible linear map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.measures.roots import Root
from closedist.measures.svd import nuclear_norm
from closedist.measures.views import Array, Block, gram, of_all_pairs, of_two, products

_FEW = 1 << 16  # numbers of a view, up to which QR is faster
_WELL_CONDITIONED = 1e-5  # of columns at unit length; Cholesky-QR twice is as good as QR down to about 1e-7


def mean_cca(z: Array, w: Array) -> float:
    """Mean canonical correlation of two views of the same n inputs, between 0 and 1.

    The correlations are the singular values of QᵀR, where Q and R are orthonormal bases of the centred columns of
    ``z`` and ``w`` (Björck and Golub, 1973), so nothing is iterated and nothing is regularised.

    Args:
        z: (n, d) array or tensor, one row an input; n > max(d, e) for it to say anything.
        w: (n, e) array or tensor of the same inputs in the same order.

    Returns:
        The mean over the smaller of the two ranks.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.mean_cca(z, z @ [[1, 2, 0], [0, 1, 0], [3, 0, 9]] + 4), 6)  # any invertible map, any shift
        1.0
    """
    return of_two(z, w, _orthonormal, _mean_correlation)


def mean_cca_matrix(views: Sequence[Array] | Mapping[str, Array]) -> NDArray[np.float64]:
    """Mean canonical correlations of all pairs of views of the same N inputs, by matrix products for all at once.

    Args:
        views: n arrays or tensors, (N, d_i), rows the same inputs in the same order; a list, or by their names.

    Returns:
        (n, n) float64, symmetric with a diagonal of ones, each entry as :func:`mean_cca` gives it.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.mean_cca_matrix({"z": z, "twice": 2 * z, "part": z[:, :2]}).round(6).min()
        np.float64(1.0)
    """
    return of_all_pairs(views, _orthonormal, _mean_correlation, "canonical correlations")


@dataclass(frozen=True)
class _Bases:
    """Bases of b views: columns (N, b, d) that are orthonormal after a factor (b, d, d), zero beyond the ranks (b,)."""

    columns: Tensor
    factors: Tensor
    ranks: Tensor


def _orthonormal(block: Block) -> _Bases:
    """Large and tall views of full rank go through Cholesky-QR twice (Yamamoto et al., 2015), all others through QR."""
    views = block.by_view()
    count, rows, width = views.shape
    identity = torch.eye(width, dtype=views.dtype, device=views.device).expand(count, -1, -1)
    if rows > 8 * width and rows * width > _FEW and bool((block.widths == width).all()):
        lower, failed = torch.linalg.cholesky_ex(gram(views))
        sizes = torch.linalg.svdvals(lower / lower.norm(dim=-1, keepdim=True).clamp(min=1e-300))
        least = torch.maximum(_WELL_CONDITIONED * sizes[:, 0], rounding(block.precision, block.widths))
        if not bool(failed.any()) and bool((sizes[:, -1] > least).all()):
            inverse = torch.linalg.solve_triangular(lower, identity, upper=False)
            columns = torch.empty_like(block.columns)
            for view, matrix, out in zip(views, inverse, columns.movedim(1, 0), strict=True):
                torch.mm(view, matrix.T, out=out)
            nearly = columns.movedim(1, 0)
            lower = torch.linalg.cholesky(gram(nearly))
            factors = torch.linalg.solve_triangular(lower, identity, upper=False)
            return _Bases(columns, factors, block.widths)
    bases, ranks = orthonormal_basis(views, block.precision, block.widths)
    return _Bases(bases.movedim(0, 1).contiguous(), identity, ranks)


def _mean_correlation(first: _Bases, second: _Bases, i: Tensor, j: Tensor) -> Tensor:
    between = first.factors[i] @ products(first.columns, second.columns, i, j) @ second.factors[j].mT
    return (nuclear_norm(between) / torch.minimum(first.ranks[i], second.ranks[j])).clamp(max=1.0)


def mean_cca_of_pairs(root: Root, precision: Tensor, widths: Tensor, pairs: Tensor) -> Tensor:
    """Mean canonical correlations of the vector columns of pairs of models.

    Args:
        root: of n models.
        precision: (n,) relative spacing of the numbers that each model's columns came in.
        widths: (n,) how many columns each has.
        pairs: (m, 2) indices.

    Returns:
        (m,) float64.
    """
    first, second = pairs.T
    if root.angles is None:
        bases, ranks = orthonormal_basis(root.vectors, precision, widths)
        bases = bases[..., : int(ranks.max())]
        products = bases[first].mT @ bases[second]
    else:
        counted = root.angles.sizes > rounding(precision, widths).unsqueeze(-1)
        ranks = counted.sum(-1)
        cosines = root.angles.of(pairs)[0][:, :-1, :-1]
        products = cosines * (counted[first].unsqueeze(-1) & counted[second].unsqueeze(-2))
    return (nuclear_norm(products) / torch.minimum(ranks[first], ranks[second])).clamp(max=1.0)


def orthonormal_basis(columns: Tensor, precision: Tensor, widths: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """An orthonormal basis of the columns, zero beyond their rank.

    Args:
        columns: (…, n, d) float64.
        precision: (…) the relative spacing of the numbers that the data came in; directions that stand out less from
            the others than its rounding are not counted.
        widths: (…) how many of the columns are not there to fill up; by default all.

    Returns:
        (…, n, d) with the rank's columns orthonormal and the others zero, and the rank, (…).
    """
    norms = columns.square().sum(-2, keepdim=True).sqrt_()
    q, r = torch.linalg.qr(columns / norms.clamp(min=1e-300))
    left, sizes, _ = torch.linalg.svd(r, full_matrices=False)
    widths = torch.tensor(columns.shape[-1], device=columns.device) if widths is None else widths
    counts = sizes > rounding(precision, widths).unsqueeze(-1)
    basis = q if bool(counts.all()) else q @ (left * counts.unsqueeze(-2))
    if basis.shape[-1] < columns.shape[-1]:
        basis = torch.nn.functional.pad(basis, (0, columns.shape[-1] - basis.shape[-1]))
    return basis, counts.sum(-1)


def rounding(precision: Tensor, widths: Tensor) -> Tensor:
    """What rounding may leave of a direction that is not there, columns at unit length.

    Four spacings of the numbers that the data came in, and what a product of so many terms in float32 or better, as
    behind half precision too, accumulates.
    """
    return 4 * precision + 10 * widths.sqrt() * precision.clamp(max=torch.finfo(torch.float32).eps)


def precisions(views: Sequence[Tensor], device: torch.device) -> Tensor:
    """(n,) the relative spacing of the numbers that each view came in."""
    return torch.tensor([torch.finfo(view.dtype).eps for view in views], dtype=torch.float64, device=device)
