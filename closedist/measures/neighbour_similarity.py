"""How alike are inputs' similarities to their neighbours in two views? Cosines and inner products to the k nearest."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.measures.distance_tables import normalised
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.neighbour_overlap import all_pairs, matches, row_blocks_of
from closedist.measures.neighbours import Metric, Neighbours, neighbours


def second_order_cosine(z: ArrayLike | Tensor, w: ArrayLike | Tensor, k: int = 10) -> float:
    """How alike an input's cosines to the neighbours are that it has in either view, by the cosine of the two lists.

    Neighbours are those by the cosine, rows being centred. Invariant to one scale and a rotation of either view (and to
    a shift, by the centring). From −1 to 1, not a metric. Unrelated views are well above 0, since the cosines to near
    neighbours are all positive.

    Args:
        z, w: (n, d) and (n, e) views of the same inputs.
        k: as in :func:`mutual_knn`.

    Raises:
        InputError: as :func:`mutual_knn`.

    Source: Hamilton, Leskovec, Jurafsky (2016). ReSi takes lists of 1 − cosine, of rows that are not centred.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.second_order_cosine(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: second_order_cosine_of(views, k), z, w)


def second_order_cosine_matrix(views: Views, k: int = 10) -> NDArray[np.float64]:
    """(n, n) :func:`second_order_cosine` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.second_order_cosine_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: second_order_cosine_of(one, k), views)


def second_order_cosine_of(views: Joint, k: int = 10) -> Tensor:
    """The same of views that are side by side."""

    def of_pair(a: Neighbours, b: Neighbours) -> Tensor:
        scores = []
        for rows in row_blocks_of(a, 2 * max(a.points.shape[1], b.points.shape[1])):
            either = torch.cat([a.nearest[rows], b.nearest[rows]], 1)
            again = (b.nearest[rows].unsqueeze(2) == a.nearest[rows].unsqueeze(1)).any(2)  # in the first list too
            counted = torch.cat([torch.ones_like(again), ~again], 1)
            u, v = ((one.points[either] @ one.points[rows].unsqueeze(2)).squeeze(2) * counted for one in (a, b))
            scores.append(torch.nn.functional.cosine_similarity(u, v, dim=1, eps=1e-300))
        return torch.cat(scores).mean()

    return all_pairs(views, neighbours(views, "second_order_cosine", k, "cosine"), of_pair)


def cknna(z: ArrayLike | Tensor, w: ArrayLike | Tensor, k: int = 10, metric: Metric = "euclidean") -> float:
    """CKA over mutual nearest neighbours: inner products of each input and the neighbours that it has in both views.

    With a(i, j) = ⟨x_i, x_j − mean⟩ and b(i, j) of the other view it is Σ_both a·b/√(Σ_z a² · Σ_w b²), the sums over i
    and j being a neighbour of i in both views, in z, in w. Invariant to a shift, one scale and a rotation of either
    view. From −1 to 1, not a metric. Unrelated views: about k/(n − 1) of the plain CKA's, for k ≪ n about 0.

    Args:
        z, w: (n, d) and (n, e) views of the same inputs.
        k, metric: as in :func:`mutual_knn`; with the cosine inner products are those of rows at unit length.

    Raises:
        InputError: as :func:`mutual_knn`.

    Source: Huh, Cheung, Wang, Isola (2024), by the paper's definition. Their code instead takes the unbiased HSIC of
    the masked kernels, finds neighbours by the inner product, and does not centre.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.cknna(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: cknna_of(views, k, metric), z, w)


def cknna_matrix(views: Views, k: int = 10, metric: Metric = "euclidean") -> NDArray[np.float64]:
    """(n, n) :func:`cknna` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.cknna_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: cknna_of(one, k, metric), views)


def cknna_of(views: Joint, k: int = 10, metric: Metric = "euclidean") -> Tensor:
    """The same of views that are side by side."""
    found = neighbours(views, "cknna", k, metric)
    inner = [_inner_products(one) for one in found]
    products = torch.diag(torch.stack([own.square().sum() for own in inner]))
    for i in range(len(found)):
        for j in range(i + 1, len(found)):
            total, start = products.new_zeros(()), 0
            for match in matches(found[i], found[j]):
                rows = slice(start, start + len(match))
                total += torch.einsum("bi,bij,bj->", inner[i][rows], match, inner[j][rows])
                start += len(match)
            products[i, j] = products[j, i] = total
    return normalised(products, views.names)


def _inner_products(one: Neighbours) -> Tensor:
    """(N, k) ⟨x_i, x_j − mean⟩ of every input i and its neighbours j."""
    mean = one.points.mean(0)
    parts = [
        ((one.points[one.nearest[rows]] - mean) @ one.points[rows].unsqueeze(2)).squeeze(2)
        for rows in row_blocks_of(one, one.points.shape[1])
    ]
    return torch.cat(parts)
