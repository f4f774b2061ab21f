"""Debiased linear CKA of one pair of centred views, as intervals take it; all pairs are in kernel_alignment.py."""

import math

from torch import Tensor

from closedist.measures.views import check_varies


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
    """HSIC₁ of centred views up to the factor 1/(n(n − 3)): with Xᵀ1 = 0, K̃1 is −diag K and ΣK̃ is −tr K."""
    count = len(x)
    own, other = x.square().sum(1), y.square().sum(1)
    inner = float(own @ other)
    products = float((x.mT @ y).square().sum()) - inner
    return products + float(own.sum() * other.sum()) / ((count - 1) * (count - 2)) - 2.0 * inner / (count - 2)
