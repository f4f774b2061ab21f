"""The numbers of one pair of wide models without each group of inputs, from products of columns.

Coordinates of the pair have as many rows as both models have columns, and every replicate of them costs products of
matrices of that size. Sums of squares and products over the inputs that are left are those over all inputs less the
group's, whose rows are few. What is small is taken from differences of the models' columns before anything is squared;
d_SVD alone comes from 1 less a mean, so that models which are nearly one, and columns of which a group takes nearly
all, are left to the coordinates.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.certainty.held import Held, Sides
from closedist.certainty.of_pairs import Replicates, held_numbers
from closedist.certainty.replicates import side_by_side
from closedist.measures.group_roots import GroupRoots
from closedist.measures.labels import labels_of
from closedist.measures.orthonormal import rounding
from closedist.measures.singular_values import nuclear_norm
from closedist.measures.terms import Axis, Terms, squared_terms

_WIDE = 256  # columns of a model, below which coordinates cost no more
_CLOSE = 1e-5  # d_SVD, below which 1 less a mean has lost too many digits
_LEFT = 1e-4  # of a sum of squares: where a group leaves less of one, digits are lost


def wide_replicates(
    axis: Axis, groups: GroupRoots, sides: Sides, held: Held, values: Mapping[str, Tensor]
) -> Replicates | None:
    """What :func:`~closedist.certainty.of_pairs.pair_replicates` gives; None where that costs less or loses fewer.

    Args:
        axis: one pair over inputs.
        groups: of the pair's columns.
        sides, held: as there.
        values: (1,) by field, the numbers on all inputs.
    """
    least = min(float(values[name]) for name in ("dissimilarity_embeddings", "dissimilarity_centred"))
    if axis.items.shape[-1] < _WIDE or least < _CLOSE:
        return None
    count = int(groups.sizes.sum())
    rows = side_by_side(axis.sides)[0] * math.sqrt(count - 1)
    every = _Sums.of(rows, axis, held)
    bases = [_whitening(part[:, :-1], of) for part, of in zip(rows.chunk(2, -1), sides.precision, strict=True)]
    cross = bases[0].mT @ every.between @ bases[1]
    parts: list[dict[str, Tensor]] = []
    for root, step, size in zip(groups.roots[0], groups.steps[0], groups.sizes.tolist(), strict=True):
        taken = torch.cat([root, step[None] * math.sqrt(size * count / (count - size))])
        sums = every.less(_Sums.of(taken, axis, held), count - size - 1)
        correlation = None if sums is None else _mean_cca(taken, bases, cross)
        if sums is None or correlation is None:
            return None
        parts.append(_numbers(sums, held) | {"mean_cca_embeddings": correlation})
    return Replicates({name: torch.stack([part[name] for part in parts]) for name in parts[0]}, None)


@dataclass(frozen=True)
class _Sums:
    """Sums over inputs.

    Attributes:
        own, other, between: products of the embeddings' columns of the first model, of the second, and of both.
        odds, centred: products of both models' log-odds of the held labels, and of the logits less their mean of those
            that agree least.
        squares: (9, C) sums of squares of log-likelihoods, of log-odds against the pivot and of logits less their mean:
            of each in the first model, in the second, and of their difference.
    """

    own: Tensor
    other: Tensor
    between: Tensor
    odds: Tensor
    centred: Tensor
    squares: Tensor

    @classmethod
    def of(cls, rows: Tensor, axis: Axis, held: Held) -> "_Sums":
        """Of rows of both models' columns, the shared column last in each."""
        sides = rows.chunk(2, -1)
        x, y = (side[:, :-1] for side in sides)
        logits = [part @ items[0].mT for part, items in zip((x, y), axis.both(axis.items), strict=True)]
        likelihoods = [part + side[:, -1:] for part, side in zip(logits, sides, strict=True)]
        odds = [part - part[:, held.labels.pivot] for part in logits]
        centred = [part - part.mean(1, keepdim=True) for part in logits]
        squares = [part.square().sum(0) for one, two in (likelihoods, odds, centred) for part in (one, two, one - two)]
        of_items, of_least = (
            one[:, labels].mT @ two[:, labels]
            for (one, two), labels in ((odds, held.items[0]), (centred, held.least[0]))
        )
        return cls(x.mT @ x, y.mT @ y, x.mT @ y, of_items, of_least, torch.stack(squares))

    def less(self, others: "_Sums", degrees: int) -> "_Sums | None":
        """Variances of what is left without others; None where little of any is."""
        left = self.squares - others.squares
        if bool((left < _LEFT * self.squares).any()):
            return None
        return _Sums(*((part - taken) / degrees for part, taken in zip(self._all(), others._all(), strict=True)))

    def _all(self) -> tuple[Tensor, ...]:
        return self.own, self.other, self.between, self.odds, self.centred, self.squares


def _numbers(sums: _Sums, held: Held) -> dict[str, Tensor]:
    """(1,) by field, but for m_CCA."""
    likelihoods, odds, centred = sums.squares.reshape(3, 3, 1, -1)
    pivot = held.labels.pivot
    std, other_std = odds[0].sqrt(), odds[1].sqrt()
    rest, base, apart = squared_terms(
        1.0 / std, 1.0 / other_std, tuple(likelihoods), tuple(likelihoods[..., pivot]), tuple(odds)
    )
    rest, base = (part.clamp(min=0.0).sqrt() for part in (rest, base))
    terms = Terms(rest, base, (std - other_std).abs(), std, other_std, 0.5 * apart)
    labels = labels_of(terms, held.settings.reduction, pivot, held.labels.left_out)

    items, least = held.items[0], held.least[0]
    table = sums.odds / (std[0, items, None] * other_std[0, items])
    of_subsets = torch.stack([_turned(table[subset[:, None], subset]) for subset in held.subsets[0]]).amax()

    norms, other_norms = centred[:2, 0].sqrt()
    (distances,) = squared_terms(1.0 / norms, 1.0 / other_norms, tuple(centred[:, 0]))
    about = sums.centred / (norms[least, None] * other_norms[least])
    total, other_total, gap = centred.sum(-1)
    (decorrelation,) = squared_terms(total.rsqrt(), other_total.rsqrt(), (total, other_total, gap))
    similarity = sums.between.norm().square() / (sums.own.norm() * sums.other.norm())
    return held_numbers(labels, of_subsets[None], held) | {
        "certificate_centred": 0.5 * distances.topk(len(least)).values.mean()[None],
        "dissimilarity_centred": _turned(about)[None],
        "logit_correlation": 1.0 - 0.5 * decorrelation,
        "cka_embeddings": similarity.clamp(max=1.0)[None],
    }


def _turned(table: Tensor) -> Tensor:
    """d_SVD from a table of correlations."""
    return 1.0 - nuclear_norm(table) / len(table)


def _whitening(columns: Tensor, precision: Tensor) -> Tensor:
    """(M, rank) what makes columns orthonormal."""
    norms = columns.norm(dim=0)
    norms = norms.masked_fill(norms < 1e-250, torch.inf)
    _, sizes, right = torch.linalg.svd(columns / norms, full_matrices=False)
    kept = sizes > rounding(precision, torch.tensor(columns.shape[-1]))
    found: Tensor = right[kept].mT / sizes[kept] / norms[:, None]
    return found


def _mean_cca(taken: Tensor, bases: list[Tensor], cross: Tensor) -> Tensor | None:
    """(1,) what is left without the rows taken; None where they leave little of a direction.

    With LLᵀ = 1 − PᵀP, P the rows in the coordinates of a model's orthonormal columns, the canonical correlations are
    the singular values of L⁻¹(C − PᵀP')L'⁻ᵀ.
    """
    rows = [part[:, :-1] @ basis for part, basis in zip(taken.chunk(2, -1), bases, strict=True)]
    left = cross - rows[0].mT @ rows[1]
    for part in rows:
        if (
            float(torch.linalg.eigvalsh(part @ part.mT if len(part) < part.shape[1] else part.mT @ part)[-1])
            > 1 - _LEFT
        ):
            return None
        factor = torch.linalg.cholesky(torch.eye(part.shape[1]).to(part) - part.mT @ part)
        left = torch.linalg.solve_triangular(factor, left, upper=False).mT
    return (nuclear_norm(left) / min(left.shape)).clamp(max=1.0)[None]
