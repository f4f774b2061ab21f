"""Between canonical correlations and rotations: SVCCA, PWCCA, and CCA regularised."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.factors import factors, principal_factors
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.numbers import is_number
from closedist.measures.pair_norms import nuclear_products, products, rotated_distances
from closedist.measures.shape import angles


def svcca(z: ArrayLike | Tensor, w: ArrayLike | Tensor, threshold: float = 0.99) -> float:
    """Mean canonical correlation of the principal axes that hold a share of each view's variance.

    Invariant to a shift, one scale and a rotation of either view; not to other linear maps, which change what is kept.
    From 0 to 1, not a metric. Unrelated views: about √(k/(n − 1)) for k axes of each. It jumps where an axis more or
    less is kept, and weighs every axis that is kept alike.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.
        threshold: the share of the *variance*, 0 < threshold ≤ 1. Google's tutorial sums singular values, not squares.

    Returns:
        The mean over the smaller number of axes.

    Raises:
        InputError: the shapes do not fit, a view is constant, or the threshold is not such a share.

    Source: Raghu, Gilmer, Yosinski, Sohl-Dickstein (2017).

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.svcca(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: svcca_of(views, threshold), z, w)


def svcca_matrix(views: Views, threshold: float = 0.99) -> NDArray[np.float64]:
    """(n, n) :func:`svcca` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.svcca_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: svcca_of(one, threshold), views)


def svcca_of(views: Joint, threshold: float = 0.99) -> Tensor:
    """The same of views that are side by side."""
    if not (is_number(threshold) and 0 < threshold <= 1):
        raise InputError(f"threshold: {threshold!r}; a share of the variance, above 0 and at most 1, is needed")
    found, sizes = principal_factors(views)
    kept = []
    for own in sizes:
        share = own.square().cumsum(0) / own.square().sum()
        enough = share >= threshold * (1.0 - 4 * torch.finfo(share.dtype).eps)  # so that rounding adds no axis
        count = int(enough.to(torch.int64).argmax()) + 1 if bool(enough.any()) else len(own)
        kept.append(torch.eye(len(own), dtype=own.dtype, device=own.device)[:, :count])
    counts = views.precision.new_tensor([float(axes.shape[1]) for axes in kept])
    means = nuclear_products(found.spread(kept), views.first) / torch.minimum(counts[:, None], counts)
    return means.clamp(max=1.0).fill_diagonal_(1.0)


def pwcca(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Mean canonical correlation, each weighted by how much of the first view its canonical variable accounts for.

    The weight of a variable h of z is Σ_j |⟨h, x_j⟩| over the columns x_j of z. Invariant to a shift and one scale of
    z, to an invertible affine map of w; a rotation of z changes the weights. From 0 to 1, not symmetric, not a metric.
    Unrelated views: about √(d/(n − 1)). Where correlations are equal their variables are any rotation of each other,
    which changes no more than rounding does; where they are nearly equal, the weights rest on noise.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Source: Morcos, Raghu, Bengio (2018). Google's code adds the mean to the variables before the weights are taken.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.pwcca(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(pwcca_of, z, w)


def pwcca_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`pwcca` of all pairs of (N, d) views: entry (i, j) is weighted by view i.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.pwcca_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(pwcca_of, views)


def pwcca_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    found = factors(views)
    result = torch.eye(len(views), dtype=views.precision.dtype, device=views.precision.device)
    for i, j, product in products(found.bases, views.first):
        left, correlations, right = torch.linalg.svd(product, full_matrices=False)
        correlations = correlations.clamp(max=1.0)
        for rows, columns, turns in ((i, j, left.mT), (j, i, right)):
            roots = torch.stack([found.roots[at] for at in rows.tolist()])
            weights = (turns @ roots).abs().sum(2)
            result[rows, columns] = (weights * correlations).sum(1) / weights.sum(1)
    return result


def regularised_cca_distance(z: ArrayLike | Tensor, w: ArrayLike | Tensor, alpha: float = 0.5) -> float:
    """Angular distance after partial whitening X(α + (1 − α)(XᵀX)^-½): α = 1 is the shape distance, α = 0 that of CCA.

    arccos of ‖AᵀB‖_*/(‖A‖‖B‖) with the whitened views A and B, in radians from 0 to π/2; a metric at a fixed α.
    Invariant to a shift and a rotation of either view, for α = 0 to every invertible linear map. The norm of X counts
    (as in netrep), so that α means nothing across data of different scale or number of inputs; only for α = 1 and 0 is
    it invariant to a scale. Unrelated views: below π/2, the more so the wider they are.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.
        alpha: from 0 to 1.

    Raises:
        InputError: the shapes do not fit, a view is constant, or alpha is not from 0 to 1.

    Source: Williams et al. (2021), netrep's LinearMetric(alpha); which lets directions that no input has count at
    α < 1 where their variance rounds to less than 1e-7. Here they do not.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.regularised_cca_distance(z, z[:, [2, 0, 1]] + 1), 6)
        0.0
    """
    return of_two(lambda views: regularised_cca_of(views, alpha), z, w)


def regularised_cca_distance_matrix(views: Views, alpha: float = 0.5) -> NDArray[np.float64]:
    """(n, n) :func:`regularised_cca_distance` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.regularised_cca_distance_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    return of_all(lambda one: regularised_cca_of(one, alpha), views)


def regularised_cca_of(views: Joint, alpha: float = 0.5) -> Tensor:
    """The same of views that are side by side."""
    if not (is_number(alpha) and 0 <= alpha <= 1):
        raise InputError(f"alpha: {alpha!r}; a number from 0 (canonical correlations) to 1 (rotations only) is needed")
    found, sizes = principal_factors(views)
    whitened = [alpha * own + (1.0 - alpha) for own in sizes]
    norms = torch.stack([own.norm() for own in whitened])
    return angles(rotated_distances(found.spread([torch.diag(own) for own in whitened]), norms, views.first))
