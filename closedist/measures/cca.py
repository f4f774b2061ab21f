"""Canonical correlations and linear CKA: how far two representations agree up to a linear map, or a rotation."""

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.roots import Root, cross_products
from closedist.measures.svd import nuclear_norm
from closedist.measures.views import as_view, check_same_inputs, two_views
from closedist.representations.arrays import as_tensor

_WELL_CONDITIONED = 1e-5  # of columns at unit length; Cholesky-QR twice is as good as QR down to about 1e-7


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

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.mean_cca(z, z @ [[1, 2, 0], [0, 1, 0], [3, 0, 9]] + 4), 6)  # any invertible map, any shift
        1.0
    """
    views = two_views(z, w)
    bases = []
    for name, given, view in zip("zw", (z, w), views, strict=True):
        centred = view - view.mean(0)
        _check_varies(view, centred, name)
        bases.append(orthonormal_basis(centred, precisions([as_tensor(given, name)], view.device)[0]))
    (q, rank), (r, other_rank) = bases
    return float((nuclear_norm(q.T @ r) / torch.minimum(rank, other_rank)).clamp(max=1.0))


def mean_cca_matrix(views: Sequence[ArrayLike | Tensor]) -> Tensor:
    """Mean canonical correlations of all pairs of views of the same N inputs, by matrix products for all at once.

    Args:
        views: n arrays or tensors, (N, d_i), rows the same inputs in the same order.

    Returns:
        (n, n) float64, symmetric with a diagonal of ones, each entry as :func:`mean_cca` gives it.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.mean_cca_matrix([z, 2 * z, z[:, :2]]).shape == (3, 3)
        True
    """
    tensors = [as_tensor(view, f"views[{index}]") for index, view in enumerate(views)]
    if not tensors:
        raise InputError("views: none; at least one is needed")
    centred = _centred(tensors)
    products, ranks = _basis_products(centred, precisions(tensors, centred.device))
    count = len(tensors)
    i, j = torch.triu_indices(count, count, 1, device=centred.device)
    result = torch.eye(count, dtype=torch.float64, device=centred.device)
    result[i, j] = result[j, i] = _mean_correlations(products, ranks, i, j)
    return result


def _centred(tensors: Sequence[Tensor]) -> Tensor:
    """(n, N, d) centred views, zero-padded to the widest, each input's rows of all views side by side in memory."""
    width = max((tensor.shape[-1] for tensor in tensors if tensor.ndim), default=0)
    first = as_view(tensors[0], "views[0]")
    stacked = first.new_zeros(first.shape[0], len(tensors), width).movedim(1, 0)
    for index, tensor in enumerate(tensors):
        name = f"views[{index}]"
        view = as_view(tensor, name) if index else first
        check_same_inputs(view, first, (name, "views[0]"))
        part = stacked[index, :, : view.shape[1]]
        torch.sub(view, view.mean(0), out=part)
        _check_varies(view, part, name)
    return stacked


def linear_cka(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Linear CKA of two views of the same n inputs, between 0 and 1: ‖Σ_zw‖²/(‖Σ_zz‖·‖Σ_ww‖) (Kornblith et al., 2019).

    It does not change under rotations and one scale of either view, but does under other linear maps.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.linear_cka(z, 5 * z[:, [2, 0, 1]]), 6), closedist.linear_cka(z, z * [1, 1, 9]) < 0.9
        (1.0, True)
    """
    centred = []
    for name, view in zip("zw", two_views(z, w), strict=True):
        part = view - view.mean(0)
        _check_varies(view, part, name)
        centred.append(part / part.abs().amax())
    first, second = centred
    if first.shape[0] < max(first.shape[1], second.shape[1]):  # the n×n form is smaller
        first, second = first @ first.T, second @ second.T
        similarity = (first * second).sum() / (first.norm() * second.norm())
    else:
        similarity = (first.T @ second).norm().square() / ((first.T @ first).norm() * (second.T @ second).norm())
    return float(similarity.clamp(max=1.0))


def _check_varies(view: Tensor, centred: Tensor, name: str) -> None:
    if not bool(centred.abs().amax() > 4 * torch.finfo(torch.float64).eps * view.abs().amax()):
        raise InputError(f"{name}: all rows are equal; a constant view is similar to nothing (check how it was made)")


def linear_cka_matrix(views: Sequence[ArrayLike | Tensor]) -> Tensor:
    """Linear CKA of all pairs of views of the same N inputs, by matrix products for all at once."""
    tensors = [as_tensor(view, f"views[{index}]") for index, view in enumerate(views)]
    if not tensors:
        raise InputError("views: none; at least one is needed")
    centred = _centred(tensors)
    scaled = centred / centred.flatten(1).norm(dim=1)[:, None, None]
    similarity = _products(scaled).square().sum((-1, -2)).triu()
    own = similarity.diagonal()
    return ((similarity + similarity.triu(1).T) / (own[:, None] * own).sqrt()).clamp(max=1.0)


def cka_of_pairs(root: Root, pairs: Tensor) -> Tensor:
    """(m,) linear CKA of pairs of models, (m, 2) indices, from their root factors."""
    sizes = root.vectors.flatten(1).norm(dim=1)[:, None, None]
    scaled = Root(root.vectors / sizes, root.shared, root.own, root.angles)
    own = (scaled.vectors.mT @ scaled.vectors).flatten(1).norm(dim=1)
    similarity: Tensor = cross_products(scaled, pairs).square().sum((-1, -2))
    of_both: Tensor = own[pairs[:, 0]] * own[pairs[:, 1]]
    return (similarity / of_both).clamp(max=1.0)


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


def _mean_correlations(products: Tensor, ranks: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(m,) from the (n, n, d, d) products of orthonormal bases."""
    total = nuclear_norm(products[first, second])
    return (total / torch.minimum(ranks[first], ranks[second])).clamp(max=1.0)


def _basis_products(views: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    """(n, n, d, d) products QᵀR of orthonormal bases of pairs i ≤ j of centred (n, N, d) views, and their ranks.

    Tall views of full rank go through Cholesky-QR twice (Yamamoto et al., 2015): a Gram matrix and a product make the
    columns nearly orthonormal, and the Gram matrices of all pairs then hold what is left to correct.
    """
    count, rows, width = views.shape
    if rows > 8 * width:
        gram = views.mT @ views
        factor, failed = torch.linalg.cholesky_ex(gram)
        sizes = torch.linalg.svdvals(factor / factor.norm(dim=-1, keepdim=True).clamp(min=1e-300))
        least = torch.maximum(_WELL_CONDITIONED * sizes[:, 0], rounding(precision, torch.tensor(width)))
        if not bool(failed.any()) and bool((sizes[:, -1] > least).all()):
            identity = torch.eye(width, dtype=views.dtype, device=views.device).expand(count, -1, -1)
            inverse = torch.linalg.solve_triangular(factor, identity, upper=False)
            products = _products(_multiplied(views, inverse.mT))
            diagonal = torch.arange(count, device=views.device)
            second = torch.linalg.cholesky(products[diagonal, diagonal])
            inverse = torch.linalg.solve_triangular(second, identity, upper=False)
            products = inverse[:, None] @ products @ inverse.mT
            return products, torch.full((count,), width, device=views.device)
    bases, ranks = orthonormal_basis(views, precision)
    return _products(bases), ranks


def _multiplied(views: Tensor, matrices: Tensor) -> Tensor:
    """Views times a matrix each, laid out with each input's rows side by side."""
    result = torch.empty_like(views.movedim(0, 1), memory_format=torch.contiguous_format).movedim(1, 0)
    for view, matrix, out in zip(views, matrices, result, strict=True):
        torch.mm(view, matrix, out=out)
    return result


def _products(views: Tensor) -> Tensor:
    """(n, N, d) to (n, n, d, d): AᵀB of pairs i ≤ j, by products of a few views with those from there on."""
    count, _, width = views.shape
    columns = views.movedim(0, 1).flatten(1)
    result = views.new_zeros(count, width, count, width)
    step = max(1, -(-count // 5), 64 // width)
    for start in range(0, count, step):
        stop = min(start + step, count)
        part = columns[:, start * width : stop * width].T @ columns[:, start * width :]
        result[start:stop, :, start:] = part.reshape(stop - start, width, count - start, width)
    return result.movedim(2, 1)


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
    norms = columns.norm(dim=-2, keepdim=True)
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
