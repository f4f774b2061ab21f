"""The numbers of all pairs as matrices, each with what the page says of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from closedist.comparison import Comparison
from closedist.measures.stack import family
from closedist.representations import Representations

Matrix = NDArray[np.float64]
_BLOCK_ELEMENTS = 1 << 22  # logits of all models at once: 32 MB


@dataclass(frozen=True)
class Measure:
    """One number of every pair.

    Attributes:
        name: the Comparison's field.
        title, meaning, unit: what the page calls it, says of it, and counts it in.
        larger_is_closer: of two pairs.
        values: (n, n), row to column; NaN where a pair has none, and on the diagonal.
    """

    name: str
    title: str
    meaning: str
    unit: str
    larger_is_closer: bool
    values: Matrix

    @property
    def distances(self) -> Matrix:
        """(n, n) symmetric, 0 on the diagonal, by which pairs are ranked."""
        far = (1.0 - self.values) if self.larger_is_closer else self.values
        matrix = np.asarray((far + far.T) / 2)
        np.fill_diagonal(matrix, 0.0)
        return matrix


_FIELDS = (  # name, the other direction's, title, meaning, unit, larger is closer
    ("kl", "kl_reverse", "KL divergence", "mean over inputs of KL(first‖second); rows are first", "nats", False),
    ("llv", "llv", "d_LLV", "the log-likelihood variance distance", "", False),
    ("dissimilarity", "dissimilarity", "d_f,g", "how far from a rotation the log-odds are", "", False),
    ("certificate", "certificate", "certificate", "an upper bound on d_f,g", "", False),
    ("mean_cca_embeddings", "mean_cca_embeddings", "m_CCA", "mean canonical correlation of embeddings", "", True),
    ("cka_embeddings", "cka_embeddings", "linear CKA", "linear centred kernel alignment of embeddings", "", True),
    ("quadratic_bound", "quadratic_bound", "2·max(t1, t2)²", "an upper bound on the certificate", "", False),
    ("bound", "bound", "2K·d_LLV", "the paper's upper bound on d_f,g", "", False),
)


def measures_of(models: Sequence[Representations], comparisons: Sequence[Comparison]) -> list[Measure]:
    """Every number that some pair has, the one that needs no choices first.

    Args:
        models: n of them.
        comparisons: of all pairs, in ``itertools.combinations`` order.
    """
    correlation, same = _of_logits(models)
    found = [
        Measure(
            "logit_correlation",
            "logit correlation",
            "correlation of all double log-odds: sees signs and labels, no temperature, and nothing is chosen",
            "",
            True,
            correlation,
        ),
        Measure("same_top_label", "same top label", "share of the inputs that get the same label", "", True, same),
    ]
    for name, reverse, title, meaning, unit, larger in _FIELDS:
        values = _matrix(len(models), comparisons, lambda c, name=name: getattr(c, name))  # type: ignore[misc]
        other = _matrix(len(models), comparisons, lambda c, reverse=reverse: getattr(c, reverse))  # type: ignore[misc]
        values = np.where(np.tri(len(models), dtype=bool), other.T, values)
        if np.isfinite(values).any():
            found.append(Measure(name, title, meaning, unit, larger, values))
    return found


def _matrix(count: int, comparisons: Sequence[Comparison], value: Callable[[Comparison], float | None]) -> Matrix:
    """(n, n) with the upper right filled."""
    matrix = np.full((count, count), np.nan)
    for (i, j), comparison in zip(combinations(range(count), 2), comparisons, strict=True):
        number = value(comparison)
        matrix[i, j] = np.nan if number is None else number
    return matrix


def _of_logits(models: Sequence[Representations]) -> tuple[Matrix, Matrix]:
    """(n, n) logit correlations and shares of the same top label, in one pass over the inputs."""
    together = family(models)
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
