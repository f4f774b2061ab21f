"""Which of many models belong together: groups, a map, and the pairs that two measures disagree about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from closedist.errors import InputError

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """Models grouped so that any two of a group are within the threshold.

    Attributes:
        names: of the n models.
        members: the groups as indices of models, largest first, each in the order of the dendrogram.
        medoids: one a group, its model with the smallest total distance to the others of the group.
        order: of all models along the dendrogram.
        linkage: (n − 1, 4) as SciPy has it: what was merged, at which distance, into how many.
        threshold: the largest distance within a group.
        stability: one a group, in how many of the given replicates the very same models form a group; empty without
            any.
        support: one a row of the linkage, in how many of them the same models are merged, at whatever distance.
    """

    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    medoids: tuple[int, ...]
    order: tuple[int, ...]
    linkage: Matrix
    threshold: float
    stability: tuple[float, ...]
    support: tuple[float, ...]

    def __str__(self) -> str:
        """A line a group."""
        lines = [
            f"{len(self.members)} groups of {len(self.names)} models, any two of a group within {self.threshold:.3g}"
        ]
        for index, group in enumerate(self.members):
            found = f", found again in {self.stability[index]:.0%}" if self.stability else ""
            lines.append(f"  {len(group)} like {self.names[self.medoids[index]]}{found}: " + _listed(self.names, group))
        return "\n".join(lines)


def group_models(
    distances: ArrayLike,
    threshold: float,
    *,
    names: Sequence[str] | None = None,
    replicates: ArrayLike | None = None,
) -> Groups:
    """Group n models by complete linkage: two models of one group are never farther apart than the threshold.

    Args:
        distances: (n, n) symmetric, 0 on the diagonal, n ≥ 2; √(2·(1 − logit_correlation)) and d_logit are metrics.
        threshold: the largest distance within a group.
        names: of the models; by default their numbers.
        replicates: (G, n, n) the same distances without one group of inputs each (the jackknife's), for ``stability``;
            :func:`closedist.explanation.stability.distances_without_groups` has them for the logit correlation.

    Raises:
        InputError: not such a matrix, or names or replicates that do not fit.

    Examples:
        >>> import closedist
        >>> distances = [[0, 0.1, 0.9], [0.1, 0, 0.8], [0.9, 0.8, 0]]
        >>> print(closedist.group_models(distances, 0.2, names=["seed 0", "seed 1", "other"]))
        2 groups of 3 models, any two of a group within 0.2
          2 like seed 0: seed 1, seed 0
          1 like other: other
    """
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
    from scipy.spatial.distance import squareform

    matrix = checked_distances(distances)
    called = _names(names, len(matrix))
    if not threshold >= 0:
        raise InputError(f"threshold: {threshold}; a distance ≥ 0 is needed")
    tree = linkage(squareform(matrix, checks=False), "complete", optimal_ordering=True)
    order = tuple(int(leaf) for leaf in leaves_list(tree))
    number = fcluster(tree, threshold, "distance")
    members = _members(number, order)
    medoids = tuple(min(group, key=lambda i: (matrix[i, list(group)].sum(), i)) for group in members)
    stability: tuple[float, ...] = ()
    support: tuple[float, ...] = ()
    if replicates is not None:
        each = np.asarray(replicates, dtype=np.float64)
        if each.ndim != 3 or each.shape[1:] != matrix.shape:
            raise InputError(
                f"replicates: shape {each.shape}; (groups of inputs, {len(matrix)}, {len(matrix)}) is needed"
            )
        trees = [linkage(squareform(part, checks=False), "complete") for part in each]
        again = [set(map(frozenset, _members(fcluster(part, threshold, "distance"), order))) for part in trees]
        stability = tuple(float(np.mean([frozenset(group) in found for found in again])) for group in members)
        merged = [set(_merged(part)) for part in trees]
        support = tuple(float(np.mean([models in found for found in merged])) for models in _merged(tree))
    return Groups(called, members, medoids, order, tree, float(threshold), stability, support)


def _merged(tree: Matrix) -> list[frozenset[int]]:
    """The models that each row of a linkage puts together."""
    nodes = [frozenset([model]) for model in range(len(tree) + 1)]
    for first, second in tree[:, :2].astype(int).tolist():
        nodes.append(nodes[first] | nodes[second])
    return nodes[len(tree) + 1 :]


def _members(number: NDArray[Any], order: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    groups: dict[int, list[int]] = {}
    for model in order:
        groups.setdefault(int(number[model]), []).append(model)
    return tuple(tuple(group) for group in sorted(groups.values(), key=lambda group: -len(group)))


@dataclass(frozen=True)
class ModelMap:
    """Models as points whose distances are as nearly theirs as so few dimensions allow.

    Attributes:
        names: of the n models.
        points: (n, dimensions).
        shown: the share of the squared distances that the map shows, between 0 and 1.
    """

    names: tuple[str, ...]
    points: Matrix
    shown: float


def model_map(distances: ArrayLike, *, names: Sequence[str] | None = None, dimensions: int = 2) -> ModelMap:
    """Classical scaling (Torgerson, 1952): exact where the distances are Euclidean and the dimensions enough.

    √(2·(1 − logit_correlation)) and d_logit are Euclidean. Each axis points so that its largest coordinate is positive.

    Args:
        distances: (n, n) symmetric, 0 on the diagonal.
        names: of the models; by default their numbers.
        dimensions: of the map, at most n − 1 of which say anything.

    Raises:
        InputError: not such a matrix, or names that do not fit.

    Examples:
        >>> import closedist
        >>> closedist.model_map([[0, 3, 4], [3, 0, 5], [4, 5, 0]]).points.shape
        (3, 2)
    """
    matrix = checked_distances(distances)
    squares = matrix**2
    centred = -0.5 * (squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean())
    values, vectors = np.linalg.eigh(centred)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = np.maximum(values[:dimensions], 0.0)
    points = vectors[:, :dimensions] * np.sqrt(kept)
    points *= np.where(points[np.abs(points).argmax(0), np.arange(points.shape[1])] < 0, -1.0, 1.0)
    if points.shape[1] < dimensions:
        points = np.pad(points, ((0, 0), (0, dimensions - points.shape[1])))
    total = np.abs(values).sum()
    return ModelMap(_names(names, len(matrix)), points, float(kept.sum() / total) if total else 1.0)


@dataclass(frozen=True)
class Contradiction:
    """The two pairs that two measures disagree about most, by rank among all pairs.

    Attributes:
        close_then_far: the pair that is close in the first measure and far in the second; None where both rank all
            pairs alike. far_then_close likewise, the other way.
        agreement: Spearman's correlation of the two measures over all pairs; None for fewer than three pairs, or where
            a measure is the same for all.
    """

    close_then_far: tuple[str, str] | None
    far_then_close: tuple[str, str] | None
    agreement: float | None


def contradiction(first: ArrayLike, second: ArrayLike, *, names: Sequence[str] | None = None) -> Contradiction:
    """Which pairs two distances rank most differently, such as KL and a distance of representations.

    Args:
        first, second: (n, n) symmetric distances of the same models.
        names: of the models; by default their numbers.

    Raises:
        InputError: not two such matrices, or names that do not fit.

    Examples:
        >>> import numpy as np, closedist
        >>> kl = [[0, 1, 5], [1, 0, 4], [5, 4, 0]]
        >>> apart = [[0, 9, 1], [9, 0, 2], [1, 2, 0]]
        >>> closedist.contradiction(kl, apart, names=["a", "b", "c"]).close_then_far
        ('a', 'b')
    """
    one, other = checked_distances(first), checked_distances(second)
    if one.shape != other.shape:
        raise InputError(f"second: {len(other)} models, but first has {len(one)}")
    called = _names(names, len(one))
    pairs = list(combinations(range(len(one)), 2))
    i, j = np.triu_indices(len(one), 1)
    ranks, other_ranks = _ranks(one[i, j]), _ranks(other[i, j])
    gap = other_ranks - ranks
    varied = len(pairs) > 2 and np.ptp(ranks) > 0 and np.ptp(other_ranks) > 0
    agreement = float(np.corrcoef(ranks, other_ranks)[0, 1]) if varied else None
    if not gap.any():
        return Contradiction(None, None, agreement)
    farther, closer = ((called[a], called[b]) for a, b in (pairs[int(gap.argmax())], pairs[int(gap.argmin())]))
    return Contradiction(farther, closer, agreement)


def _ranks(values: Matrix) -> Matrix:
    """Ranks from 1, ties sharing their mean; SciPy's come with the second that importing its statistics takes."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def checked_distances(distances: ArrayLike) -> Matrix:
    """A matrix of distances as float64.

    Raises:
        InputError: not square, fewer than two models, not symmetric, or an entry that no distance has.
    """
    try:
        matrix = np.asarray(distances, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"distances: {type(distances).__name__} that holds no numbers; an (n, n) matrix is needed, as "
            "closedist.distances(comparisons) makes of what compare_all gives"
        ) from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise InputError(f"distances: shape {matrix.shape}; one row and one column a model is needed, and two models")
    if not np.isfinite(matrix).all() or (matrix < 0).any() or np.diagonal(matrix).any():
        raise InputError("distances: finite numbers ≥ 0 are needed, with 0 on the diagonal")
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0):
        raise InputError("distances: not symmetric; of a directed one such as KL pass the mean of both directions")
    return np.asarray((matrix + matrix.T) / 2)


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(map(str, range(count)))
    if len(names) != count:
        raise InputError(f"names: {len(names)} for {count} models; give each model one")
    return tuple(map(str, names))


def _listed(names: Sequence[str], group: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(names[index] for index in group[:most])
    return shown if len(group) <= most else f"{shown}, … ({len(group)})"
