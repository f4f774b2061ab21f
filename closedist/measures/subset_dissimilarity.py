"""The published d_rep: a mean over choices of M + 1 labels, to reproduce the paper's tables, and what decides it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.logit_roots import LogitRoots, label_rows, logit_roots
from closedist.measures.representation_distance import check_embeddings
from closedist.measures.stack import stacked
from closedist.measures.svd import MAX_ENUMERATED
from closedist.representations import Representations

Draw = tuple[int, int, int]
_BLOCK = 1 << 20


@dataclass(frozen=True)
class SubsetDissimilarity:
    """Squared d_rep over choices of M + 1 labels, in the first model's coordinates.

    The mean has no limit as choices are added: where labels are draws from any density its expectation is infinite.
    Read it with the share of the largest choice beside it.

    Attributes:
        mean: what the paper reports; infinite where a choice is singular.
        median: over all choices, singular ones counted as infinite.
        largest_share: of the sum, by the largest single choice; 1 where a choice is singular.
        singular: how many choices have dependent unembeddings.
        count: how many choices there were.
    """

    mean: float
    median: float
    largest_share: float
    singular: int
    count: int


def subset_dissimilarity(
    p: Representations, q: Representations, subsets: Sequence[Sequence[int]] | Draw | None = None
) -> SubsetDissimilarity:
    """Squared d_rep in p's coordinates over (M + 1)-subsets of labels, each counted alike.

    Args:
        p, q: representations of the same N inputs and C labels.
        subsets: rows of M + 1 labels; or (pivots, draws, seed), the paper's sample of pivot labels and of ``draws``
            choices for each; by default all of them, up to 10,000, else a sample of that many.

    Raises:
        InputError: the models cannot be compared, one is a black box, there are not M + 1 labels, or the subsets are
            none of these labels.

    Source: Nielsen et al. (2026); the published code divides by the number of choices once too often.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> p, q = closedist.Representations(f, g), closedist.Representations(3 * f, g / 3)
        >>> closedist.subset_dissimilarity(p, q).mean < 1e-9
        True
    """
    check_embeddings(p, q)
    if p.num_labels <= p.dimension:
        raise InputError(
            f"subsets: {p.num_labels} labels, but {p.dimension + 1} are needed for p's dimension {p.dimension}; use "
            "representation_distance"
        )
    chosen = _chosen(subsets, p.num_labels, p.dimension)
    roots, _ = logit_roots(p, q)
    values = squared_by_subset(p, q, roots, chosen) * roots.unit**2
    singular = int(torch.isinf(values).sum())
    mean = float(values.mean())
    share = 1.0 if singular else float(values.amax() / values.sum().clamp(min=1e-300))
    ordered = values.sort().values
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return SubsetDissimilarity(mean, float((low + high) / 2), share, singular, len(values))


def squared_by_subset(p: Representations, q: Representations, roots: LogitRoots, subsets: Tensor) -> Tensor:
    """(S,) E‖a_T‖² of (S, M + 1) choices of labels; infinite where a choice is singular.

    With Ĝ_T the rows (g, 1) of the choice, a_T is the first M entries of Ĝ_T⁻¹Δ_T, whichever label is called the pivot.
    """
    models = stacked([p, q])
    rows = label_rows(models.labels, models.bias)
    width = models.labels.shape[-1] + 1
    rows = torch.cat([rows[:, : p.dimension], rows[:, width - 1 : width + q.dimension], rows[:, -1:]], -1)
    step = max(1, _BLOCK // ((p.dimension + 1) * rows.shape[1]))
    parts = []
    for block in (subsets[start : start + step] for start in range(0, len(subsets), step)):
        of_labels = rows[block.to(rows.device)]
        square = torch.cat([of_labels[..., : p.dimension], of_labels.new_ones(*block.shape, 1)], -1)
        square = square / square.norm(dim=-2, keepdim=True).clamp(min=1e-300)  # no column's scale decides the rank
        sizes = torch.linalg.svdvals(square)
        singular = sizes[:, -1] <= sizes[:, 0] * square.shape[-1] * torch.finfo(torch.float64).eps
        scale = of_labels[..., : p.dimension].norm(dim=-2)
        identity = torch.eye(square.shape[-1], dtype=square.dtype, device=square.device)
        safe = torch.where(singular[:, None, None], identity, square)
        solved = torch.linalg.solve(safe, of_labels)[:, : p.dimension] / scale.clamp(min=1e-300).unsqueeze(-1)
        squared = (roots.moment @ solved.mT).square().sum((-1, -2))
        parts.append(squared.masked_fill(singular, torch.inf))
    return torch.cat(parts)


def _chosen(subsets: Sequence[Sequence[int]] | Draw | None, num_labels: int, dimension: int) -> Tensor:
    if subsets is None:
        if math.comb(num_labels, dimension + 1) <= MAX_ENUMERATED:
            return torch.tensor(list(combinations(range(num_labels), dimension + 1)))
        generator = np.random.default_rng(0)
        rows = [generator.choice(num_labels, dimension + 1, replace=False) for _ in range(MAX_ENUMERATED)]
        return torch.from_numpy(np.stack(rows))
    if len(subsets) == 3 and all(isinstance(value, int) for value in subsets):
        return torch.tensor(paper_subsets(num_labels, dimension, *subsets))
    chosen = torch.as_tensor(np.asarray(subsets))
    if chosen.ndim != 2 or chosen.shape[1] != dimension + 1 or chosen.dtype.is_floating_point:
        raise InputError(f"subsets: shape {tuple(chosen.shape)}; rows of {dimension + 1} labels are needed")
    if bool((chosen < 0).any()) or bool((chosen >= num_labels).any()):
        raise InputError(f"subsets: indices of the {num_labels} labels, 0 … {num_labels - 1}, are needed")
    return chosen.long()


def paper_subsets(num_labels: int, dimension: int, pivots: int, draws: int, seed: int) -> list[list[int]]:
    """The choices that the published code draws: rows of a pivot label and M others, which may repeat.

    Raises:
        InputError: more pivots than labels.
    """
    if not 1 <= pivots <= num_labels or draws < 1 or seed < 0:
        raise InputError(f"subsets: {pivots} pivots of {num_labels} labels, {draws} draws, seed {seed}; correct them")
    generator = np.random.default_rng(seed)
    rows = []
    for pivot in generator.choice(num_labels, pivots, replace=False).tolist():
        others = [label for label in range(num_labels) if label != pivot]
        for _ in range(draws):
            positions = generator.choice(range(num_labels - 1), dimension, replace=False)
            rows.append([pivot, *(others[position] for position in positions.tolist())])
    return rows
