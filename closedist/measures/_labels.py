"""The label side of d_LLV: the table of labels against each other, and the pivot and left-out label it leads to."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures._pairs import (
    SUSPICIOUS,
    SUSPICIOUS_IN_FLOAT32,
    ZERO,
    Axis,
    Powers,
    Terms,
    powers,
    square_norm,
    squared_term,
    written_out,
)

Reduction = Literal["max", "mean"]
ConstantLabels = Literal["error", "ignore"]

TILE = 512  # labels; three float64 tiles fit in the second-level cache
UNTILED = 2 * TILE  # labels, up to which the table is one tile
SCREENED = 4096  # pivots, from which on a table in float32 says first which ones are worth one in float64
SHORTLIST = 256  # pivots that are scored in float64 at least


class ConstantOddsError(InputError):
    """Two labels whose log-odds do not vary: of model 0 or 1 of the pair at index ``pair``."""

    def __init__(self, pair: int, model: int, labels: tuple[int, int]) -> None:
        super().__init__(f"the log-odds of labels {labels[0]} and {labels[1]} do not vary")
        self.pair, self.model, self.labels = pair, model, labels

    def explained(self, name: str) -> InputError:
        """The error for a user, who calls the model by ``name``."""
        j, k = self.labels
        return InputError(
            f"unembeddings: labels {j} and {k} of model {name} have the same row, up to what the embeddings see, so "
            'that their log-odds do not vary over the inputs; remove one of them, or pass constant_labels="ignore"'
        )


@dataclass(frozen=True)
class LabelChoice:
    """The pivot and left-out label of m pairs and what follows from them.

    Attributes:
        pivot, left_out: (m,) labels.
        term, scale_term: (m,) t1 and t3.
        terms: (m, C) all terms against the pivot.
        used: (m, C) which labels J holds.
        ignored: (m,) labels left out because their log-odds vary in neither model.
    """

    pivot: Tensor
    left_out: Tensor
    term: Tensor
    scale_term: Tensor
    terms: Terms
    used: Tensor
    ignored: Tensor


def choose_labels(
    axis: Axis, reduction: Reduction, pivots: Tensor | None = None, constant_labels: ConstantLabels = "error"
) -> LabelChoice:
    """The pivot and left-out label with the smallest t1; ties go to the smallest pivot, then the smallest left-out.

    Args:
        axis: pairs over inputs, items are the labels.
        reduction: how the terms of J become t1 and t3.
        pivots: (P,) the pivots to choose from in ascending order, by default all labels.
        constant_labels: what to do with labels whose log-odds against the pivot do not vary in either model.

    Raises:
        ConstantOddsError: there are such labels and they are not to be ignored.
    """
    num_pivots = axis.items.shape[1] if pivots is None else len(pivots)
    if len(axis.pairs) == 1 and num_pivots >= SCREENED:
        pivots = screened_pivots(axis, reduction, pivots, constant_labels)
    pivot = pivot_scores(axis, reduction, pivots, constant_labels).argmin(-1)
    return with_labels(axis, reduction, pivot if pivots is None else pivots[pivot])


def with_labels(axis: Axis, reduction: Reduction, pivot: Tensor, left_out: Tensor | None = None) -> LabelChoice:
    """Write out the terms of each pair's pivot, (m,), and leave out the given label or the best one."""
    rows = torch.arange(pivot.shape[0], device=pivot.device)
    terms = written_out(axis, pivot)
    same, other_same = _same_as_pivot(terms.spread, pivot), _same_as_pivot(terms.other_spread, pivot)
    absent = same & other_same  # the pivot itself, and what is ignored
    infinite = same ^ other_same
    rest, pivots = (part.masked_fill(infinite, torch.inf) for part in (terms.rest, terms.pivot))
    largest_term = torch.maximum(rest, pivots)
    if left_out is None:
        weight = (largest_term if reduction == "max" else rest + pivots).masked_fill(absent, -1.0)
        left_out = weight.argmax(-1)
        if reduction == "max":  # where the largest term occurs twice, leaving one out changes nothing
            largest = weight.topk(2).values
            left_out = torch.where(largest[:, 0] > largest[:, 1], left_out, (pivot == 0).long())
    used = ~absent
    used[rows, left_out] = False
    if reduction == "max":
        term = largest_term.masked_fill(~used, 0.0).amax(-1)
        scale_term = terms.scale.masked_fill(~used, 0.0).amax(-1)
    else:
        count = used.sum(-1)
        term = (rest + pivots).masked_fill(~used, 0.0).sum(-1) / (2 * count)
        scale_term = terms.scale.masked_fill(~used, 0.0).sum(-1) / count
    decorrelation = terms.decorrelation.masked_fill(infinite, 1.0)  # nothing correlates with a constant
    written = Terms(rest, pivots, terms.scale, terms.spread, terms.other_spread, decorrelation)
    return LabelChoice(pivot, left_out, term, scale_term, written, used, absent.sum(-1) - 1)


def _same_as_pivot(spread: Tensor, pivot: Tensor) -> Tensor:
    """(m, C): which labels have log-odds against the pivot that do not vary."""
    same = spread <= ZERO * spread.amax(-1, keepdim=True)
    return same.scatter_(1, pivot[:, None], True)


def pivot_scores(
    axis: Axis, reduction: Reduction, pivots: Tensor | None = None, constant_labels: ConstantLabels = "error"
) -> Tensor:
    """(m, P): for every pivot the smallest t1 over left-out labels (its square for "max"), from the closed form.

    The terms of labels j and k against each other make one table that is symmetric in j and k, and each pivot's t1 is
    what its row holds besides its largest entry. Each unordered pair of labels is computed once, in tiles, so that
    structural ties are ties to the bit.
    """
    table = _table(axis, pivots, reduction, constant_labels)
    return table.scores(axis.items.shape[1] if pivots is None else len(pivots))


def screened_pivots(
    axis: Axis, reduction: Reduction, pivots: Tensor | None, constant_labels: ConstantLabels
) -> Tensor | None:
    """The pivots of a single pair that may have the smallest t1, by a table in float32.

    The best few in float32 are scored in float64 too. Whoever is within eight times the largest difference seen there
    of the best may be the best, and is scored in turn, until nobody is left; None, for all, where they are many.
    """
    num_labels = axis.items.shape[1]
    everyone = torch.arange(num_labels, device=axis.items.device) if pivots is None else pivots
    table = _table(axis, pivots, reduction, constant_labels).in_float32()
    if table is None:
        return pivots
    rough = table.scores(len(everyone))[0].double()
    candidates = rough.topk(min(SHORTLIST, len(rough)), largest=False).indices.sort().values
    while len(candidates) < len(rough) // 8:
        exact = pivot_scores(axis, reduction, everyone[candidates], constant_labels)[0]
        seen = (exact - rough[candidates]).abs()
        slack = 8 * seen[torch.isfinite(seen)].amax() if bool(torch.isfinite(seen).any()) else torch.inf
        wider = (rough <= exact.amin() + slack).index_fill_(0, candidates, True).nonzero()[:, 0]
        if len(wider) == len(candidates):
            return everyone[candidates]
        candidates = wider
    return pivots


def _all_but_largest(values: Tensor, reduction: Reduction) -> tuple[Tensor, Tensor]:
    """Each row's largest entry, and the max or sum of its other entries, of values ≥ 0: a tournament over columns."""
    merge = torch.maximum if reduction == "max" else torch.add
    largest, rest = values, torch.zeros_like(values[..., :1])
    while (width := largest.shape[-1]) > 1:
        half = width // 2
        left, right = largest[..., :half], largest[..., half : 2 * half]
        winner, loser = torch.maximum(left, right), torch.minimum(left, right)
        if rest.shape[-1] == width:
            loser = merge(loser, merge(rest[..., :half], rest[..., half : 2 * half]))
        if width % 2:
            bye = rest[..., -1:] if rest.shape[-1] == width else torch.zeros_like(loser[..., :1])
            winner, loser = torch.cat([winner, largest[..., -1:]], -1), torch.cat([loser, bye], -1)
        largest, rest = winner, loser
    return largest[..., 0], rest[..., 0]


def _absorb(largest: Tensor, rest: Tensor, labels: slice, values: Tensor, reduction: Reduction) -> None:
    """Merge a tile's rows into what is known of these labels."""
    merge = torch.maximum if reduction == "max" else torch.add
    new_largest, new_rest = _all_but_largest(values, reduction)
    known = largest[:, labels]
    loser = torch.minimum(known, new_largest)
    rest[:, labels] = merge(merge(loser, new_rest), rest[:, labels])
    largest[:, labels] = torch.maximum(known, new_largest)


@dataclass(frozen=True)
class _Table:
    """The symmetric table of terms of labels against each other, computed tile by tile.

    Attributes:
        axis: the pairs.
        exact: (n, C, M) float64 coordinates whose distances are s_jk.
        spread: the same in the precision of the products.
        square: (n, C) their squared norms.
        powers: of the labels, in the table's order.
        order: (C,) the label at each position.
        ignored: (m, C) how many labels were ignored for each pivot, counted as tiles are computed.
        reduction, constant_labels: as in :func:`choose_labels`.
    """

    axis: Axis
    exact: Tensor
    spread: Tensor
    square: Tensor
    powers: Powers
    order: Tensor
    ignored: Tensor
    reduction: Reduction
    constant_labels: ConstantLabels

    def in_float32(self) -> "_Table | None":
        """The same table with products in float32, or None where the models' scales do not suit it."""
        sizes = self.square.amax(-1)
        if not bool((sizes.amin() > 1e-6 * sizes.amax()) & (sizes.amin() > 1e-20) & (sizes.amax() < 1e20)):
            return None
        spread = self.spread.float()
        known = Powers(self.powers.first.float(), self.powers.second.float(), self.powers.gap.float())
        ignored = torch.zeros_like(self.ignored)
        return replace(self, spread=spread, square=square_norm(spread), powers=known, ignored=ignored)

    def scores(self, num_pivots: int) -> Tensor:
        """(m, P) as :func:`pivot_scores`, of the first P labels in the table's order."""
        num_labels = len(self.order)
        tile = TILE if num_labels > UNTILED else num_labels
        largest, rest = self.square.new_zeros(2, len(self.axis.pairs), num_labels)
        for start in range(0, num_pivots, tile):
            rows = slice(start, min(start + tile, num_pivots))
            for columns in [rows, *(slice(c, min(c + tile, num_labels)) for c in range(rows.stop, num_labels, tile))]:
                values = self.values(rows, columns)
                _absorb(largest, rest, rows, values, self.reduction)
                if columns != rows and columns.start < num_pivots:
                    _absorb(largest, rest, columns, values.mT, self.reduction)
        if self.reduction == "mean":
            rest /= 2 * (num_labels - 2 - self.ignored)
        scores: Tensor = rest[:, :num_pivots]
        scores[self.ignored[:, :num_pivots] > num_labels - 3] = torch.inf  # nothing is left to compare
        return scores

    def values(self, rows: slice, columns: slice) -> Tensor:
        """(m, R, C): max(a², b²) or a + b for every pair of labels of a tile; 0 on the diagonal."""
        squared = self._squared_spread(rows, columns)
        infinite: Tensor | None = None
        if not bool(squared.amin() > 0):
            constant = squared == 0
            infinite = self._judge(*self.axis.both(constant), rows, columns)
            squared[constant] = torch.inf
        inverse, other_inverse = self.axis.both(squared.rsqrt_())
        p = (self.powers.first, self.powers.second, self.powers.gap)
        of_column = squared_term(inverse, other_inverse, *(part[:, None, columns] for part in p))
        if rows == columns:  # one computation for both orders of a pair, so that they are equal to the bit
            of_row = of_column.mT
        else:
            of_row = squared_term(inverse, other_inverse, *(part[:, rows, None] for part in p))
        is_max = self.reduction == "max"
        values = torch.maximum(of_row, of_column) if is_max else of_row.sqrt() + of_column.sqrt()
        return values if infinite is None else values.masked_fill_(infinite, torch.inf)

    def _squared_spread(self, rows: slice, columns: slice) -> Tensor:
        """(n, R, C) squared distances; infinite on the diagonal; 0 where the log-odds do not vary."""
        both = self.square[:, rows, None] + self.square[:, None, columns]
        squared = torch.baddbmm(both, self.spread[:, rows], self.spread[:, columns].mT, alpha=-2.0)
        if rows == columns:
            squared = squared.triu(1)
            squared = squared + squared.mT
            squared.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
        suspicious = SUSPICIOUS if squared.dtype == torch.float64 else SUSPICIOUS_IN_FLOAT32
        if bool(squared.amin() < suspicious * both.amax()):
            where = (squared < suspicious * both).nonzero()
            for model, row, column in (part.unbind(1) for part in where.tensor_split(1 + len(where) // (1 << 14))):
                i, j = self.exact[model, rows.start + row], self.exact[model, columns.start + column]
                direct = square_norm(i - j)
                zero = direct <= ZERO**2 * both[model, row, column]
                squared[model, row, column] = direct.masked_fill_(zero, 0.0).to(squared.dtype)
        return squared

    def _judge(self, constant: Tensor, other_constant: Tensor, rows: slice, columns: slice) -> Tensor:
        """Where the distance is infinite; counts what is ignored, or raises."""
        if self.constant_labels == "error":
            model = 0 if bool(constant.any()) else 1
            pair, row, column = (constant, other_constant)[model].nonzero()[0].tolist()
            labels = sorted((int(self.order[rows][row]), int(self.order[columns][column])))
            raise ConstantOddsError(pair, model, (labels[0], labels[1]))
        ignored = constant & other_constant
        self.ignored[:, rows] += ignored.sum(-1)
        if rows != columns:
            self.ignored[:, columns] += ignored.sum(-2)
        return constant ^ other_constant


def _table(axis: Axis, pivots: Tensor | None, reduction: Reduction, constant_labels: ConstantLabels) -> _Table:
    """The table with the pivots first, so that what they have to do with each other is computed once."""
    known, spread = powers(axis), axis.root.spread(axis.items)
    order = torch.arange(spread.shape[1], device=spread.device)
    if pivots is not None:
        others = torch.ones_like(order, dtype=torch.bool)
        others[pivots] = False
        order = torch.cat([pivots, order[others]])
        known, spread = known.take(order), spread[:, order]
    ignored = torch.zeros(len(axis.pairs), len(order), dtype=torch.long, device=order.device)
    return _Table(axis, spread, spread, square_norm(spread), known, order, ignored, reduction, constant_labels)
