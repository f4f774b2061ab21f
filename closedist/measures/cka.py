"""Linear centred kernel alignment: how far two representations agree up to a rotation and one scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from closedist.measures.roots import Root, cross_products
from closedist.measures.views import Array, Block, gram, of_all_pairs, of_two, products


def linear_cka(z: Array, w: Array) -> float:
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
    return of_two(z, w, _with_norms, _similarity)


def linear_cka_matrix(views: Sequence[Array] | Mapping[str, Array]) -> NDArray[np.float64]:
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
    return of_all_pairs(views, _with_norms, _similarity, "linear CKA")


@dataclass(frozen=True)
class _Centred:
    """b views.

    Attributes:
        columns: (N, b, d), or kernels XXᵀ, (N², b, 1), where those are smaller.
        kernels: which of them.
        norms: (b,) of the columns.
        sizes: (b,) ‖Σ‖ for columns of norm 1.
    """

    columns: Tensor
    kernels: bool
    norms: Tensor
    sizes: Tensor


def _with_norms(block: Block) -> _Centred:
    views = block.by_view()
    kernels = views.shape[1] < block.widest
    squares = gram(views.mT if kernels else views)
    norms = squares.diagonal(dim1=-2, dim2=-1).sum(-1).sqrt()
    sizes = (squares / norms[:, None, None].square()).flatten(1).norm(dim=1)
    columns = squares.flatten(1).T.unsqueeze(-1) if kernels else block.columns
    return _Centred(columns, kernels, norms, sizes)


def _similarity(first: _Centred, second: _Centred, i: Tensor, j: Tensor) -> Tensor:
    scale = first.norms[i] * second.norms[j]
    between = products(first.columns, second.columns, i, j)
    between /= (scale.square() if first.kernels else scale)[:, None, None]
    total = between.flatten(1).sum(-1) if first.kernels else between.flatten(1).square().sum(-1)
    similarity: Tensor = total / (first.sizes[i] * second.sizes[j])
    return similarity.clamp(max=1.0)


def cka_of_pairs(root: Root, pairs: Tensor) -> Tensor:
    """(m,) linear CKA of pairs of models, (m, 2) indices, from their root factors."""
    sizes = root.vectors.flatten(1).norm(dim=1)[:, None, None]
    scaled = Root(root.vectors / sizes, root.shared, root.own, root.angles)
    own = (scaled.vectors.mT @ scaled.vectors).flatten(1).norm(dim=1)
    similarity: Tensor = cross_products(scaled, pairs).square().sum((-1, -2))
    of_both: Tensor = own[pairs[:, 0]] * own[pairs[:, 1]]
    return (similarity / of_both).clamp(max=1.0)
