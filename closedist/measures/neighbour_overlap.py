"""Do inputs have the same neighbours in two views? Overlaps of the k nearest, and similarities to them.

All of these look at k neighbours of each input and say nothing of what is farther away; with k they change, and so they
do with the number of inputs, since more inputs make nearer neighbours. Time grows with n², memory with n.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.measures.distance_tables import BLOCK_ELEMENTS, normalised
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.neighbours import Metric, Neighbours, neighbours


def mutual_knn(z: ArrayLike | Tensor, w: ArrayLike | Tensor, k: int = 10, metric: Metric = "euclidean") -> float:
    """The share of the k nearest neighbours that an input has in both views, averaged over inputs.

    Invariant to a shift, one scale and a rotation of either view. From 0 to 1, not a metric. Unrelated views:
    k/(n − 1).

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.
        k: how many neighbours, 1 … n − 1; the input itself is none.
        metric: "euclidean" distance, or the "cosine" of centred rows.

    Raises:
        InputError: the shapes do not fit, a view is constant, k is out of its range, or another metric.

    Source: Huh, Cheung, Wang, Isola (2024), platonic-rep's mutual_knn: cosines of rows that are not centred.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.mutual_knn(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: mutual_knn_of(views, k, metric), z, w)


def mutual_knn_matrix(views: Views, k: int = 10, metric: Metric = "euclidean") -> NDArray[np.float64]:
    """(n, n) :func:`mutual_knn` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.mutual_knn_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: mutual_knn_of(one, k, metric), views)


def mutual_knn_of(views: Joint, k: int = 10, metric: Metric = "euclidean") -> Tensor:
    """The same of views that are side by side."""
    return _all_pairs(views, neighbours(views, "mutual_knn", k, metric), lambda a, b: _shared(a, b).mean() / k)


def jaccard(z: ArrayLike | Tensor, w: ArrayLike | Tensor, k: int = 10, metric: Metric = "euclidean") -> float:
    """Jaccard similarity of the two sets of k nearest neighbours, |both|/|either|, averaged over inputs.

    Invariant to a shift, one scale and a rotation of either view. From 0 to 1; one minus it is a metric on
    neighbourhoods. Unrelated views: about k/(2n), for k ≪ n.

    Args:
        z, w: (n, d) and (n, e) views of the same inputs.
        k, metric: as in :func:`mutual_knn`.

    Raises:
        InputError: as :func:`mutual_knn`.

    Source: Schumacher et al. (2021); Klabunde et al. (2025), ReSi: cosines of rows that are not centred.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.jaccard(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: jaccard_of(views, k, metric), z, w)


def jaccard_matrix(views: Views, k: int = 10, metric: Metric = "euclidean") -> NDArray[np.float64]:
    """(n, n) :func:`jaccard` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.jaccard_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: jaccard_of(one, k, metric), views)


def jaccard_of(views: Joint, k: int = 10, metric: Metric = "euclidean") -> Tensor:
    """The same of views that are side by side."""

    def of_pair(a: Neighbours, b: Neighbours) -> Tensor:
        shared = _shared(a, b)
        return (shared / (2 * k - shared)).mean()

    return _all_pairs(views, neighbours(views, "jaccard", k, metric), of_pair)


def rank_similarity(z: ArrayLike | Tensor, w: ArrayLike | Tensor, k: int = 10, metric: Metric = "euclidean") -> float:
    """How alike the ranks of the neighbours are that an input has in both views, near ones weighing more.

    The mean over inputs of Σ 2/((1 + |r − r'|)(r + r'))/Σ_{i ≤ m} 1/i over the m shared neighbours of ranks r and r'; 0
    where none is shared. Invariant to a shift, one scale and a rotation of either view. From 0 to 1, not a metric.
    Unrelated views: about 0, for k ≪ n. Of few shared neighbours of equal ranks it can be 1: see :func:`jaccard` too.

    Args:
        z, w: (n, d) and (n, e) views of the same inputs.
        k, metric: as in :func:`mutual_knn`.

    Raises:
        InputError: as :func:`mutual_knn`.

    Source: Wang, Li, Hooi, Luo (2022); Klabunde et al. (2025), ReSi: cosines of rows that are not centred.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.rank_similarity(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: rank_similarity_of(views, k, metric), z, w)


def rank_similarity_matrix(views: Views, k: int = 10, metric: Metric = "euclidean") -> NDArray[np.float64]:
    """(n, n) :func:`rank_similarity` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.rank_similarity_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: rank_similarity_of(one, k, metric), views)


def rank_similarity_of(views: Joint, k: int = 10, metric: Metric = "euclidean") -> Tensor:
    """The same of views that are side by side."""
    rank = torch.arange(1, k + 1, dtype=torch.float64, device=views.precision.device)
    weights = 2.0 / ((1.0 + (rank[:, None] - rank).abs()) * (rank[:, None] + rank))
    harmonic = torch.cat([rank.new_ones(1), (1.0 / rank).cumsum(0)])

    def of_pair(a: Neighbours, b: Neighbours) -> Tensor:
        scores = [
            (match * weights).sum((1, 2)) / harmonic[match.sum((1, 2)).to(torch.int64)] for match in _matches(a, b)
        ]
        return torch.cat(scores).mean()

    return _all_pairs(views, neighbours(views, "rank_similarity", k, metric), of_pair)


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
        for rows in _row_blocks(a, 2 * max(a.points.shape[1], b.points.shape[1])):
            either = torch.cat([a.nearest[rows], b.nearest[rows]], 1)
            again = (b.nearest[rows].unsqueeze(2) == a.nearest[rows].unsqueeze(1)).any(2)  # in the first list too
            counted = torch.cat([torch.ones_like(again), ~again], 1)
            u, v = ((one.points[either] @ one.points[rows].unsqueeze(2)).squeeze(2) * counted for one in (a, b))
            scores.append(torch.nn.functional.cosine_similarity(u, v, dim=1, eps=1e-300))
        return torch.cat(scores).mean()

    return _all_pairs(views, neighbours(views, "second_order_cosine", k, "cosine"), of_pair)


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
            for match in _matches(found[i], found[j]):
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
        for rows in _row_blocks(one, one.points.shape[1])
    ]
    return torch.cat(parts)


def _row_blocks(one: Neighbours, per_neighbour: int) -> list[slice]:
    """Rows so few at a time that so many numbers for each of their neighbours stay small."""
    count, k = one.nearest.shape
    step = max(1, BLOCK_ELEMENTS // (k * per_neighbour))
    return [slice(start, start + step) for start in range(0, count, step)]


def _matches(a: Neighbours, b: Neighbours) -> list[Tensor]:
    """(B, k, k) blocks: 1 where a neighbour of one rank in the first view is that of another rank in the second."""
    k = a.nearest.shape[1]
    return [
        (a.nearest[rows].unsqueeze(2) == b.nearest[rows].unsqueeze(1)).to(torch.float64) for rows in _row_blocks(a, k)
    ]


def _shared(a: Neighbours, b: Neighbours) -> Tensor:
    """(N,) how many neighbours an input has in both views."""
    k = a.nearest.shape[1]
    parts = [(a.nearest[rows].unsqueeze(2) == b.nearest[rows].unsqueeze(1)).sum((1, 2)) for rows in _row_blocks(a, k)]
    return torch.cat(parts).to(torch.float64)


def _all_pairs(
    views: Joint, found: Sequence[Neighbours], of_pair: Callable[[Neighbours, Neighbours], Tensor]
) -> Tensor:
    """(n, n) of all pairs, or of the first so many views with the others; 1 on the diagonal."""
    count, split = len(found), views.first
    result = torch.eye(count, dtype=torch.float64, device=views.precision.device)
    for i in range(count if split is None else split):
        for j in range(i + 1 if split is None else split, count):
            result[i, j] = result[j, i] = of_pair(found[i], found[j])
    return result
