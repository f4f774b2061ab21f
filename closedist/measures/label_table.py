"""The table of labels against each other, from which the pivot of d_LLV is chosen."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.settings import ConstantLabels, Reduction
from closedist.measures.terms import (
    SUSPICIOUS,
    SUSPICIOUS_IN_FLOAT32,
    ZERO,
    Axis,
    Powers,
    powers,
    square_norm,
    squared_term,
)

TILE = 512  # labels; three float64 tiles fit in the second-level cache
UNTILED = 2 * TILE  # labels, up to which the table is one tile


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
class LabelTable:
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

    def in_float32(self) -> "LabelTable | None":
        """The same table with products in float32, or None where the models' scales do not suit it."""
        sizes = self.square.amax(-1)
        if not bool((sizes.amin() > 1e-6 * sizes.amax()) & (sizes.amin() > 1e-20) & (sizes.amax() < 1e20)):
            return None
        spread = self.spread.float()
        known = Powers(self.powers.first.float(), self.powers.second.float(), self.powers.gap.float())
        return replace(self, spread=spread, square=square_norm(spread), powers=known)

    def scores(self, pivots: Tensor) -> Tensor:
        """(m, P): for every pivot, in ascending order, the smallest t1 over left-out labels; its square for "max".

        Each unordered pair of labels is computed once, in tiles, so that structural ties are ties to the bit.
        """
        num_pivots, num_labels = len(pivots), len(self.order)
        ordered = self._with_first(pivots)
        tile = TILE if num_labels > UNTILED else num_labels
        largest, rest = self.square.new_zeros(2, len(self.axis.pairs), num_labels)
        for start in range(0, num_pivots, tile):
            rows = slice(start, min(start + tile, num_pivots))
            for columns in [rows, *(slice(c, min(c + tile, num_labels)) for c in range(rows.stop, num_labels, tile))]:
                values = ordered.values(rows, columns)
                _absorb(largest, rest, rows, values, self.reduction)
                if columns != rows and columns.start < num_pivots:
                    _absorb(largest, rest, columns, values.mT, self.reduction)
        if self.reduction == "mean":
            rest /= 2 * (num_labels - 2 - ordered.ignored)
        scores: Tensor = rest[:, :num_pivots]
        scores[ordered.ignored[:, :num_pivots] > num_labels - 3] = torch.inf  # nothing is left to compare
        return scores

    def _with_first(self, pivots: Tensor) -> "LabelTable":
        """The same table with these labels first, so that what they have to do with each other is computed once."""
        ignored = torch.zeros_like(self.ignored)
        if len(pivots) == len(self.order):
            return replace(self, ignored=ignored)
        others = torch.ones_like(self.order, dtype=torch.bool)
        others[pivots] = False
        order = torch.cat([pivots, self.order[others]])
        spread = self.spread[:, order]
        exact = spread if self.exact is self.spread else self.exact[:, order]
        known = self.powers.take(order)
        square = self.square[:, order]
        return replace(self, exact=exact, spread=spread, square=square, powers=known, order=order, ignored=ignored)

    def values(self, rows: slice, columns: slice) -> Tensor:
        """(m, R, C): max(a², b²) or a + b for every pair of labels of a tile; 0 on the diagonal."""
        squared = self.squared_spread(rows, columns)
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

    def squared_spread(self, rows: slice, columns: slice) -> Tensor:
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


def label_table(axis: Axis, reduction: Reduction, constant_labels: ConstantLabels) -> LabelTable:
    """The table of all labels of an axis over inputs."""
    known, spread = powers(axis), axis.root.spread(axis.items)
    order = torch.arange(spread.shape[1], device=spread.device)
    ignored = torch.zeros(len(axis.pairs), len(order), dtype=torch.long, device=order.device)
    return LabelTable(axis, spread, spread, square_norm(spread), known, order, ignored, reduction, constant_labels)
