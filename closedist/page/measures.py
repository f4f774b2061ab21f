"""The numbers of all pairs as matrices, each with what COLUMNS says of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from closedist.comparison import COLUMNS, Comparison
from closedist.comparison.column import Column
from closedist.comparison.measured import REVERSE
from closedist.errors import InputError

CORRELATED = 0.9  # logits of any two models of one group, until the reader chooses another
Matrix = NDArray[np.float64]
_NEEDED = ("logit_correlation", "same_top_label", "kl", "mean_cca_embeddings")


@dataclass(frozen=True)
class Measure:
    """One number of every pair.

    Attributes:
        column: what there is to say of it.
        title: of the column, with what tells it from another of the same.
        values: (n, n), p the row and q the column; NaN where a pair has none, and on the diagonal.
        directed: from q to p is another number.
    """

    column: Column
    title: str
    values: Matrix
    directed: bool = False

    @property
    def distances(self) -> Matrix:
        """(n, n) symmetric, 0 on the diagonal, by which pairs are ranked."""
        far = (1.0 - self.values) if self.column.larger_is_closer else self.values
        matrix = np.asarray((far + far.T) / 2)
        np.fill_diagonal(matrix, 0.0)
        return matrix


def measures_of(count: int, comparisons: Sequence[Comparison]) -> list[Measure]:
    """Every number of a pair's table that some pair has, in the order of COLUMNS: first the logit correlation.

    Args:
        count: n models.
        comparisons: of all pairs, in ``itertools.combinations`` order.

    Raises:
        InputError: they have not what the page rests on, since ``measures=`` did not name it.
    """
    for needed in _NEEDED:
        if any(c.black_boxes is not None and getattr(c, needed) is None for c in comparisons):
            raise InputError(
                f'comparisons: they have no {needed}, which the page rests on; name "default" among the measures too'
            )
    columns = {column.name: column for column in COLUMNS if column.group and column.larger_is_closer is not None}
    shown = [column for column in columns.values() if not column.name.endswith(REVERSE)]
    often = Counter(column.title for column in shown)
    found: list[Measure] = []
    for column in shown:
        directed = column.name + REVERSE in columns
        values = _matrix(count, comparisons, column.name)
        other = _matrix(count, comparisons, column.name + REVERSE) if directed else values
        values = np.where(np.tri(count, dtype=bool), other.T, values)
        if np.isfinite(values).any():
            title = f"{column.title}, {column.note}" if often[column.title] > 1 else column.title
            found.append(Measure(column, title, values, directed))
    return found


def _matrix(count: int, comparisons: Sequence[Comparison], name: str) -> Matrix:
    """(n, n) with the upper right filled."""
    matrix = np.full((count, count), np.nan)
    for (i, j), comparison in zip(combinations(range(count), 2), comparisons, strict=True):
        number = getattr(comparison, name)
        matrix[i, j] = np.nan if number is None else number
    return matrix


def distances_of(correlation: Measure) -> NDArray[np.float64]:
    """√(2·(1 − logit correlation)): a metric, and Euclidean."""
    values = np.nan_to_num(correlation.values, nan=0.0)
    matrix = np.sqrt((2.0 * (1.0 - values)).clip(min=0.0))
    np.fill_diagonal(matrix, 0.0)
    return np.asarray((matrix + matrix.T) / 2)


def distance_at(correlation: float) -> float:
    """The distance of two models whose logits have this correlation."""
    return float((2.0 * (1.0 - correlation)) ** 0.5)
