"""Linear CKA debiased, for few inputs, of two views and of all pairs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.cka import unit_squared_products
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.views import check_varies


def debiased_cka(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Linear CKA with the unbiased estimator of HSIC (Song et al., 2012), at most 1; about 0 for unrelated views.

    With K = XXᵀ and L = YYᵀ without their diagonals K̃ and L̃,
    HSIC₁ = ΣK̃L̃ + ΣK̃·ΣL̃/((n − 1)(n − 2)) − 2 Σ_i (K̃1)_i(L̃1)_i/(n − 2), and CKA = HSIC₁(K, L)/√(HSIC₁(K, K)·HSIC₁(L, L)).
    All of it is made of XᵀY, XᵀX, YᵀY, the rows' squared norms and X(Xᵀ1), so that no n×n matrix is needed. Unlike the
    plain CKA it can be negative. Invariant to a shift, one scale and a rotation of either view; not a metric.

    Args:
        z: (n, d) array or tensor, one row an input; n ≥ 4.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, there are fewer than four inputs, or a view is constant but for a few inputs.

    Source: Song et al. (2012); Nguyen, Raghu, Kornblith (2021). netrep and torch_cka average minibatches.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.debiased_cka(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(debiased_cka_of, z, w)


def debiased_cka_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`debiased_cka` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.debiased_cka_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(debiased_cka_of, views)


def debiased_cka_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    count = views.num_inputs
    if count < 4:
        raise InputError(f"{' and '.join(views.names)}: {count} rows; debiased CKA needs at least four inputs")
    squares = views.unit_squares()
    hsic = hsic_of(unit_squared_products(views), squares @ squares.mT + 1.0 / count, 1.0, count)
    own = hsic.diagonal()
    for name, size in zip(views.names, own.tolist(), strict=True):
        if not size > 0:
            raise InputError(f"{name}: its rows differ in too few inputs to be similar to anything; give more inputs")
    sizes = own.sqrt()
    return (hsic / (sizes[:, None] * sizes)).clamp(max=1.0).fill_diagonal_(1.0)


def hsic_of(products: Tensor, inner: Tensor, traces: Tensor | float, count: int) -> Tensor:
    """HSIC₁ of centred views, up to the factor 1/(n(n − 3)): with Xᵀ1 = 0, K̃1 is −diag K and ΣK̃ is −tr K.

    Args:
        products: ‖XᵀY‖².
        inner: Σ_i ‖x_i‖²‖y_i‖².
        traces: ‖X‖²‖Y‖².
        count: n.
    """
    return products - inner + traces / ((count - 1) * (count - 2)) - 2.0 * inner / (count - 2)


def own_hsic(x: Tensor) -> float:
    """HSIC₁(K, K) of a centred view, up to a factor; not positive where its rows differ in too few inputs."""
    return _hsic(x, x)


def debiased_similarity(x: Tensor, y: Tensor, sizes: tuple[float, float]) -> float:
    """Debiased CKA of centred views, (n, d) and (n, e), from their :func:`own_hsic`."""
    return min(1.0, _hsic(x, y) / math.sqrt(sizes[0] * sizes[1]))


def centred_view(view: Tensor, name: str) -> Tensor:
    """The centred view of Frobenius norm one: HSIC₁ does not depend on a shift, and the scale cancels."""
    centred = view - view.mean(0)
    check_varies(centred.abs().amax(), view.abs().amax(), name)
    scaled: Tensor = centred / centred.norm()
    return scaled


def _hsic(x: Tensor, y: Tensor) -> float:
    own, other = x.square().sum(1), y.square().sum(1)
    return float(hsic_of((x.mT @ y).square().sum(), own @ other, own.sum() * other.sum(), len(x)))
