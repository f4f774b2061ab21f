"""The numbers of all pairs as matrices, each with what COLUMNS says of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from closedist.comparison import COLUMNS, Comparison
from closedist.comparison.column import Column, similarity
from closedist.measures.stack import stacked
from closedist.representations import Representations

Matrix = NDArray[np.float64]
LOGIT_CORRELATION = similarity(
    "logit correlation",
    "correlation of all double log-odds: sees signs and labels, no temperature, and nothing is chosen",
    low=-1,
    name="logit_correlation",
)
SAME_TOP_LABEL = similarity(
    "same top label", "share of the inputs that get the same label from both", name="same_top_label"
)
_REVERSE = "_reverse"  # ends the name of a number's counterpart from q to p
_BLOCK_ELEMENTS = 1 << 22  # logits of all models at once: 32 MB


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


def measures_of(models: Sequence[Representations], comparisons: Sequence[Comparison]) -> list[Measure]:
    """Every number of a pair's table that some pair has; first those that need no choices.

    Args:
        models: n of them.
        comparisons: of all pairs, in ``itertools.combinations`` order.
    """
    columns = {column.name: column for column in COLUMNS if column.group and column.larger_is_closer is not None}
    shown = [column for column in columns.values() if not column.name.endswith(_REVERSE)]
    often = Counter(column.title for column in shown)
    of_logits = zip((LOGIT_CORRELATION, SAME_TOP_LABEL), _of_logits(models), strict=True)
    found = [Measure(column, column.title, values) for column, values in of_logits]
    for column in shown:
        directed = column.name + _REVERSE in columns
        values = _matrix(len(models), comparisons, column.name)
        other = _matrix(len(models), comparisons, column.name + _REVERSE) if directed else values
        values = np.where(np.tri(len(models), dtype=bool), other.T, values)
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


def _of_logits(models: Sequence[Representations]) -> tuple[Matrix, Matrix]:
    """(n, n) logit correlations and shares of the same top label, in one pass over the inputs."""
    together = stacked(models)
    count, labels = len(models), together.num_labels
    products, sums = torch.zeros(count, count, dtype=torch.float64), torch.zeros(count, labels, dtype=torch.float64)
    same = torch.zeros(count, count, dtype=torch.float64)
    for block in together.blocks(max(1, _BLOCK_ELEMENTS // (count * labels))):
        logits = together.logits(block, out=block.new_empty(*block.shape[:2], labels))
        products += (logits.flatten(1) @ logits.flatten(1).mT).cpu()
        sums += logits.sum(1).cpu()
        top = logits.argmax(-1)
        for index in range(count):
            same[index] += (top[index] == top).sum(1).cpu()
    covariance = products - sums @ sums.mT / together.num_inputs
    sizes = covariance.diagonal().clamp(min=0).sqrt()
    correlation = (covariance / (sizes[:, None] * sizes)).clamp(-1.0, 1.0)
    return _without_diagonal(correlation), _without_diagonal(same / together.num_inputs)


def _without_diagonal(matrix: torch.Tensor) -> Matrix:
    values = np.array(matrix.numpy())
    np.fill_diagonal(values, np.nan)
    return values
