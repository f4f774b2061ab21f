"""Canonical correlations: how far two representations agree up to an invertible linear map."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.measures import few
from closedist.measures.factors import factors
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.orthonormal import orthonormal_basis, rounding
from closedist.measures.pair_norms import nuclear_products, squared_products
from closedist.measures.roots import Root
from closedist.measures.singular_values import nuclear_norm


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
    return of_two(mean_cca_of, z, w)


def mean_cca_matrix(views: Views) -> NDArray[np.float64]:
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
    return of_all(mean_cca_of, views)


def mean_cca_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    of_few = few.canonical_norms(views.columns, views.spacings)
    if of_few is None:
        found = factors(views)
        means = nuclear_products(found.bases, views.first) / torch.minimum(found.ranks[:, None], found.ranks)
        return means.clamp(max=1.0).fill_diagonal_(1.0)
    return views.similarities(np.minimum(of_few / views.columns.widths[0], 1.0))


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


def eigenspace_overlap(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Overlap of the spaces that the columns span: ‖QᵀR‖²/max(rank z, rank w) with orthonormal bases Q and R.

    The mean squared canonical correlation, but over the larger rank. Invariant to every invertible affine map of either
    view. From 0 to 1, not a metric. Unrelated views: about (smaller rank)/(n − 1). Directions of next to no variance
    count as much as all others.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Source: May et al. (2019), who do not centre.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.eigenspace_overlap(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(eigenspace_overlap_of, z, w)


def eigenspace_overlap_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`eigenspace_overlap` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.eigenspace_overlap_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(eigenspace_overlap_of, views)


def eigenspace_overlap_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    found = factors(views)
    overlaps = squared_products(found.bases, views.first) / torch.maximum(found.ranks[:, None], found.ranks)
    return overlaps.clamp(max=1.0).fill_diagonal_(1.0)
