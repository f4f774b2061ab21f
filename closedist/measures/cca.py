"""Canonical correlations and linear CKA: how far two representations agree up to a linear map, or a rotation."""

import math
from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.measures._arrays import two_views
from closedist.measures.svd import nuclear_norm
from closedist.representations import as_tensor


def mean_cca(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
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
    """
    views = two_views(z, w)
    bases = []
    for name, given, view in zip("zw", (z, w), views, strict=True):
        centred = view - view.mean(0)
        precision = precisions([as_tensor(given, name)], view.device)[0]
        if not bool(centred.abs().amax() > 4 * precision * view.abs().amax()):
            raise InputError(f"{name}: all rows are equal; a constant view has no correlations")
        bases.append(orthonormal_basis(centred, precision))
    (q, rank), (r, other_rank) = bases
    return float((nuclear_norm(q.T @ r) / torch.minimum(rank, other_rank)).clamp(max=1.0))


def linear_cka(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Linear CKA of two views of the same n inputs, between 0 and 1: ‖Σ_zw‖²/(‖Σ_zz‖·‖Σ_ww‖) (Kornblith et al., 2019).

    It does not change under rotations and one scale of either view, but does under other linear maps.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.
    """
    centred = []
    for name, view in zip("zw", two_views(z, w), strict=True):
        part = view - view.mean(0)
        largest = part.abs().amax()
        if not bool(largest > 1e-15 * view.abs().amax()):
            raise InputError(f"{name}: all rows are equal; a constant view has no similarity to anything")
        centred.append(part / largest)
    first, second = centred
    if first.shape[0] < max(first.shape[1], second.shape[1]):  # the n×n form is smaller
        first, second = first @ first.T, second @ second.T
        return float((first * second).sum() / (first.norm() * second.norm()))
    return float((first.T @ second).norm().square() / ((first.T @ first).norm() * (second.T @ second).norm()))


def cka_of_all(roots: Tensor) -> Tensor:
    """(n, n) linear CKA of all pairs from their (n, r, M) root factors."""
    scaled = roots / roots.flatten(1).norm(dim=1)[:, None, None]
    similarity = _products(scaled).square().sum((-1, -2))
    own = similarity.diagonal()
    return similarity / (own[:, None] * own).sqrt()


def mean_cca_of_all(views: Tensor, precision: Tensor, pairs: Tensor) -> Tensor:
    """Mean canonical correlations of pairs of centred views, which may be root factors.

    Args:
        views: (n, r, M) float64 centred columns, zero-padded to the same M.
        precision: (n,) relative spacing of the numbers that each view came in.
        pairs: (m, 2) indices.

    Returns:
        (m,) float64.
    """
    bases, ranks = orthonormal_basis(views, precision)
    first, second = pairs[:, 0], pairs[:, 1]
    products = _products(bases)[first, second]
    return (nuclear_norm(products) / torch.minimum(ranks[first], ranks[second])).clamp(max=1.0)


def _products(views: Tensor) -> Tensor:
    """(n, r, M) to (n, n, M, M): AᵀB of all pairs by one matrix product."""
    count, _, width = views.shape
    columns = views.movedim(0, 1).flatten(1)
    return (columns.T @ columns).reshape(count, width, count, width).movedim(2, 1)


def orthonormal_basis(columns: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    """An orthonormal basis of the columns, zero beyond their rank.

    Args:
        columns: (…, n, d) float64.
        precision: (…) the relative spacing of the numbers that the data came in; directions that stand out less from
            the others than its rounding are not counted.

    Returns:
        (…, n, d) with the rank's columns orthonormal and the others zero, and the rank, (…).
    """
    norms = columns.norm(dim=-2, keepdim=True)
    q, r = torch.linalg.qr(columns / norms.clamp(min=1e-300))
    left, sizes, _ = torch.linalg.svd(r, full_matrices=False)
    tolerance = 10 * math.sqrt(columns.shape[-1]) * precision.unsqueeze(-1)
    counts = sizes > tolerance * sizes[..., :1]
    basis = q @ (left * counts.unsqueeze(-2))
    if basis.shape[-1] < columns.shape[-1]:
        basis = torch.nn.functional.pad(basis, (0, columns.shape[-1] - basis.shape[-1]))
    return basis, counts.sum(-1)


def precisions(views: Sequence[Tensor], device: torch.device) -> Tensor:
    """(n,) the relative spacing of the numbers that each view came in."""
    return torch.tensor([torch.finfo(view.dtype).eps for view in views], dtype=torch.float64, device=device)
