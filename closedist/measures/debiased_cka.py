"""Debiased linear CKA, for few inputs: there the plain one is near 1 whatever the representations."""

import math

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.views import two_views


def debiased_cka(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Linear CKA with the unbiased estimator of HSIC (Song et al., 2012), at most 1; about 0 for unrelated views.

    With K = XXᵀ and L = YYᵀ without their diagonals K̃ and L̃,
    HSIC₁ = ΣK̃L̃ + ΣK̃·ΣL̃/((n − 1)(n − 2)) − 2 Σ_i (K̃1)_i(L̃1)_i/(n − 2), and CKA = HSIC₁(K, L)/√(HSIC₁(K, K)·HSIC₁(L, L)).
    All of it is made of XᵀY, XᵀX, YᵀY, the rows' squared norms and X(Xᵀ1), so that no n×n matrix is needed. Unlike the
    plain CKA it can be negative.

    Args:
        z: (n, d) array or tensor, one row an input; n ≥ 4.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, there are fewer than four inputs, or a view is constant but for a few inputs.
    """
    first, second = two_views(z, w)
    if len(first) < 4:
        raise InputError(f"z and w: {len(first)} rows; debiased CKA needs at least four inputs")
    x, y = centred_view(first, "z"), centred_view(second, "w")
    sizes = own_hsic(x), own_hsic(y)
    for name, own in zip(("z", "w"), sizes, strict=True):
        if not own > 0:
            raise InputError(f"{name}: its rows differ in too few inputs to be similar to anything; give more inputs")
    return debiased_similarity(x, y, sizes)


def own_hsic(x: Tensor) -> float:
    """HSIC₁(K, K) of a centred view, up to a factor; not positive where its rows differ in too few inputs."""
    return _hsic(x, x)


def debiased_similarity(x: Tensor, y: Tensor, sizes: tuple[float, float]) -> float:
    """Debiased CKA of centred views, (n, d) and (n, e), from their :func:`own_hsic`."""
    return min(1.0, _hsic(x, y) / math.sqrt(sizes[0] * sizes[1]))


def centred_view(view: Tensor, name: str) -> Tensor:
    """The centred view of Frobenius norm one: HSIC₁ does not depend on a shift, and the scale cancels."""
    centred = view - view.mean(0)
    if not bool(centred.abs().amax() > 4 * torch.finfo(torch.float64).eps * view.abs().amax()):
        raise InputError(f"{name}: all rows are equal; a constant view is similar to nothing (check how it was made)")
    scaled: Tensor = centred / centred.norm()
    return scaled


def _hsic(x: Tensor, y: Tensor) -> float:
    """HSIC₁ of centred views up to the factor 1/(n(n − 3)): with Xᵀ1 = 0, K̃1 is −diag K and ΣK̃ is −tr K."""
    count = len(x)
    own, other = x.square().sum(1), y.square().sum(1)
    inner = float(own @ other)
    products = float((x.mT @ y).square().sum()) - inner
    return products + float(own.sum() * other.sum()) / ((count - 1) * (count - 2)) - 2.0 * inner / (count - 2)
