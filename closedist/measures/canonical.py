"""Between canonical correlations and rotations: SVCCA, PWCCA, CCA regularised, and the overlap of two spaces."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.factors import factors, ranks, spread
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.pair_norms import nuclear_products, products, rotated_distances, squared_products
from closedist.measures.shape import angles
from closedist.measures.svd import nuclear_norm


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
    if not 0 < threshold <= 1:
        raise InputError(f"threshold: {threshold}; a share of the variance, above 0 and at most 1, is needed")
    found, kept = factors(views), []
    for one in found:
        scores, sizes = one.axes()
        share = sizes.square().cumsum(0) / sizes.square().sum()
        enough = share >= threshold * (1.0 - 4 * torch.finfo(share.dtype).eps)  # so that rounding adds no axis
        kept.append(scores[:, : int(enough.to(torch.int64).argmax()) + 1 if bool(enough.any()) else None])
    columns = spread(found, kept)
    counts = views.precision.new_tensor(columns.widths)
    means = nuclear_products(columns, views.first) / torch.minimum(counts[:, None], counts)
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
    own = [one.root for one in found]
    result = torch.eye(len(views), dtype=views.precision.dtype, device=views.precision.device)
    for i, j, product in products(spread(found), views.first):
        left, correlations, right = torch.linalg.svd(product, full_matrices=False)
        correlations = correlations.clamp(max=1.0)
        for at, (first, second) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
            for row, column, turn in ((first, second, left[at].mT), (second, first, right[at])):
                weights = (turn @ own[row]).abs().sum(1)
                result[row, column] = (weights @ correlations[at]) / weights.sum()
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
    if not (math.isfinite(alpha) and 0 <= alpha <= 1):
        raise InputError(f"alpha: {alpha}; a number from 0 (canonical correlations) to 1 (rotations only) is needed")
    found = factors(views)
    whitened = [scores * (alpha * sizes + (1.0 - alpha)) for scores, sizes in (one.axes() for one in found)]
    norms = torch.stack([one.norm() for one in whitened])
    return angles(rotated_distances(spread(found, whitened), norms, views.first))


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
    rank = ranks(found, views.precision)
    return (squared_products(spread(found)) / torch.maximum(rank[:, None], rank)).clamp(max=1.0).fill_diagonal_(1.0)


def mean_cca_of(views: Joint) -> Tensor:
    """(n, n) mean canonical correlations of views that are side by side, over the smaller rank."""
    found = factors(views)
    rank = ranks(found, views.precision)
    means = nuclear_products(spread(found), views.first) / torch.minimum(rank[:, None], rank)
    return means.clamp(max=1.0).fill_diagonal_(1.0)


def mean_svd_of(views: Joint) -> Tensor:
    """(n, n) m_SVD of all pairs of views that are side by side."""
    lengths = views.columns.side.square().sum(0).sqrt().split_with_sizes(list(views.columns.widths))
    for name, norms in zip(views.names, lengths, strict=True):
        constant = norms <= 1e-14 * norms.amax()
        if bool(constant.any()):
            raise InputError(
                f"{name}: column {int(constant.nonzero()[0])} is constant; remove it, it has no correlation"
            )
    widths = views.precision.new_tensor(views.columns.widths)
    narrow, wide = torch.minimum(widths[:, None], widths), torch.maximum(widths[:, None], widths)
    means = torch.zeros_like(narrow)
    for i, j, product in products(views.columns, views.first):
        of_rows, of_columns = (torch.stack([lengths[at] for at in index.tolist()]) for index in (i, j))
        means[i, j] = means[j, i] = nuclear_norm(product / (of_rows.unsqueeze(2) * of_columns.unsqueeze(1)))
    means = torch.minimum(means / narrow, (wide / narrow).sqrt())
    return means.fill_diagonal_(1.0)  # of a correlation matrix, whose trace is the sum of its singular values
