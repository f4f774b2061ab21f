"""Do inputs have the same neighbours in two views? Overlaps of the k nearest.

All of these look at k neighbours of each input and say nothing of what is farther away; with k they change, and so they
do with the number of inputs, since more inputs make nearer neighbours. Time grows with n², memory with n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.measures.distance_tables import BLOCK_ELEMENTS
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
    return all_pairs(views, neighbours(views, "mutual_knn", k, metric), lambda a, b: _shared(a, b).mean() / k)


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

    return all_pairs(views, neighbours(views, "jaccard", k, metric), of_pair)


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
            (match * weights).sum((1, 2)) / harmonic[match.sum((1, 2)).to(torch.int64)] for match in matches(a, b)
        ]
        return torch.cat(scores).mean()

    return all_pairs(views, neighbours(views, "rank_similarity", k, metric), of_pair)


def row_blocks_of(one: Neighbours, per_neighbour: int) -> list[slice]:
    """Rows so few at a time that so many numbers for each of their neighbours stay small."""
    count, k = one.nearest.shape
    step = max(1, BLOCK_ELEMENTS // (k * per_neighbour))
    return [slice(start, start + step) for start in range(0, count, step)]


def matches(a: Neighbours, b: Neighbours) -> list[Tensor]:
    """(B, k, k) blocks: 1 where a neighbour of one rank in the first view is that of another rank in the second."""
    k = a.nearest.shape[1]
    return [
        (a.nearest[rows].unsqueeze(2) == b.nearest[rows].unsqueeze(1)).to(torch.float64) for rows in row_blocks_of(a, k)
    ]


def _shared(a: Neighbours, b: Neighbours) -> Tensor:
    """(N,) how many neighbours an input has in both views."""
    k = a.nearest.shape[1]
    parts = [(a.nearest[rows].unsqueeze(2) == b.nearest[rows].unsqueeze(1)).sum((1, 2)) for rows in row_blocks_of(a, k)]
    return torch.cat(parts).to(torch.float64)


def all_pairs(views: Joint, found: Sequence[Neighbours], of_pair: Callable[[Neighbours, Neighbours], Tensor]) -> Tensor:
    """(n, n) of all pairs, or of the first so many views with the others; 1 on the diagonal."""
    count, split = len(found), views.first
    result = torch.eye(count, dtype=torch.float64, device=views.precision.device)
    for i in range(count if split is None else split):
        for j in range(i + 1 if split is None else split, count):
            result[i, j] = result[j, i] = of_pair(found[i], found[j])
    return result
