"""CKA of all pairs, the same as a correlation of covariances (RV), and debiased, for few inputs."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.pair_norms import squared_products


def linear_cka_of(views: Joint) -> Tensor:
    """(n, n) linear CKA of all pairs of views that are side by side."""
    products = squared_products(views.columns)
    own = products.diagonal().sqrt()
    return (products / (own[:, None] * own)).clamp(max=1.0).fill_diagonal_(1.0)


def rv_coefficient(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """RV coefficient tr(Σ_zw Σ_wz)/√(tr Σ_zz² · tr Σ_ww²): linear CKA under its older name.

    Invariant to a shift, one scale and a rotation of either view. From 0 to 1, not a metric (its arccos is one).
    Unrelated views: tr Σ·tr Σ'/((n − 1)‖Σ‖‖Σ'‖), near 1 where there are fewer inputs than columns.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Source: Escoufier (1973); Robert, Escoufier (1976).

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.rv_coefficient(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(linear_cka_of, z, w)


def rv_coefficient_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`rv_coefficient` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.rv_coefficient_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(linear_cka_of, views)


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
    """The same of views that are side by side: with Xᵀ1 = 0, K̃1 is −diag K and ΣK̃ is −tr K, here −1."""
    count = views.num_inputs
    if count < 4:
        raise InputError(f"{' and '.join(views.names)}: {count} rows; debiased CKA needs at least four inputs")
    squares = views.unit_squares()
    inner = squares @ squares.mT + 1.0 / count  # Σ_i ‖x_i‖²‖y_i‖²
    hsic = _unit_products(views) - inner + 1.0 / ((count - 1) * (count - 2)) - 2.0 * inner / (count - 2)
    own = hsic.diagonal()
    for name, size in zip(views.names, own.tolist(), strict=True):
        if not size > 0:
            raise InputError(f"{name}: its rows differ in too few inputs to be similar to anything; give more inputs")
    sizes = own.sqrt()
    return (hsic / (sizes[:, None] * sizes)).clamp(max=1.0).fill_diagonal_(1.0)


def _unit_products(views: Joint) -> Tensor:
    """(n, n) ‖XᵀY‖² of views of Frobenius norm one."""
    traces = views.norms.square()
    return squared_products(views.columns) / (traces[:, None] * traces)


def squared_distance_products(views: Joint) -> Tensor:
    """(n, n) Σ over ordered pairs of different inputs of d²e², d and e their distances in two views of norm one.

    With centred views it is 2nΣ‖x_i‖²‖y_i‖² + 2 + 4‖XᵀY‖², given here without the part 4n/(n − 1) that it has for any
    two views: what is left is the centred sum of products.
    """
    count = views.num_inputs
    squares = views.unit_squares()
    return 2.0 * count * (squares @ squares.mT) + 4.0 * _unit_products(views) - 4.0 / (count - 1)


def squared_distance_correlations(views: Joint, *, centred: bool) -> Tensor:
    """(n, n) correlation of the squared distances of all pairs of inputs, or with ``centred=False`` their cosine."""
    products = squared_distance_products(views)
    if not centred:
        products = products + 4.0 * views.num_inputs / (views.num_inputs - 1)
    sizes = products.diagonal().clamp(min=0.0).sqrt()
    for name, size in zip(views.names, sizes.tolist(), strict=True):
        if not size > 0:
            raise InputError(f"{name}: all inputs are at one distance from each other; give more inputs")
    return torch.clamp(products / (sizes[:, None] * sizes), -1.0, 1.0).fill_diagonal_(1.0)
