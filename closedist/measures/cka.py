"""Linear centred kernel alignment: how far two representations agree up to a rotation and one scale."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.measures import few
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.pair_norms import all_squared_products
from closedist.measures.roots import Root, cross_products


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
    return of_two(linear_cka_of, z, w, moments=True)


def linear_cka_matrix(views: Views) -> NDArray[np.float64]:
    """Linear CKA of all pairs of views of the same N inputs, by matrix products for all at once.

    Args:
        views: n arrays or tensors, (N, d_i), rows the same inputs in the same order; a list, or by their names.

    Returns:
        (n, n) float64, symmetric with a diagonal of ones, each entry as :func:`linear_cka` gives it.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.linear_cka_matrix([z, 5 * z[:, [2, 0, 1]], z * [1, 1, 9]]).round(1).tolist()
        [[1.0, 1.0, 0.6], [1.0, 1.0, 0.6], [0.6, 0.6, 1.0]]
    """
    return of_all(linear_cka_of, views, moments=True)


def linear_cka_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    products = _squared_products(views)
    sizes = np.sqrt(products.diagonal())
    return views.similarities(np.minimum(products / (sizes[:, None] * sizes), 1.0))


def unit_squared_products(views: Joint) -> Tensor:
    """(n, n) ‖XᵀY‖² of views of Frobenius norm one."""
    traces = views.sizes**2
    found = _squared_products(views) / (traces[:, None] * traces)
    return torch.from_numpy(found).to(views.columns.side.device)


def _squared_products(views: Joint) -> NDArray[np.float64]:
    """(n, n) ‖XᵀY‖²."""
    columns = views.columns
    if (of_few := few.squared_norms(columns)) is not None:
        return of_few
    if len(columns.side) * len(columns) < columns.side.shape[1]:  # ⟨XXᵀ, YYᵀ⟩ is less work
        kernels = torch.stack([(view @ view.mT).flatten() for view in columns])
        found = kernels @ kernels.mT
    else:
        found = all_squared_products(columns, views.first)
    return found.cpu().numpy()


def cka_of_pairs(root: Root, pairs: Tensor) -> Tensor:
    """(m,) linear CKA of pairs of models, (m, 2) indices, from their root factors."""
    sizes = root.vectors.flatten(1).norm(dim=1)[:, None, None]
    scaled = Root(root.vectors / sizes, root.shared, root.own, root.angles)
    own = (scaled.vectors.mT @ scaled.vectors).flatten(1).norm(dim=1)
    similarity: Tensor = cross_products(scaled, pairs).square().sum((-1, -2))
    of_both: Tensor = own[pairs[:, 0]] * own[pairs[:, 1]]
    return (similarity / of_both).clamp(max=1.0)


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
    return of_two(linear_cka_of, z, w, moments=True)


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
    return of_all(linear_cka_of, views, moments=True)
