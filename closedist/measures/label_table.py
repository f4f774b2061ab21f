"""The symmetric table of terms of labels against each other, from which the pivot of d_LLV is chosen."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.settings import ConstantLabels, Reduction
from closedist.measures.terms import SUSPICIOUS, ZERO, Axis, Powers, points, square_norm, squared_terms

TILE = 256  # labels; a few float64 tiles fit in the second-level cache
UNTILED = 4 * TILE  # labels, up to which the table is one tile


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
class LabelTable:
    """What the table of terms of labels against each other is made of.

    The table is symmetric, and each unordered pair of labels is computed once, in tiles, so that structural ties are
    ties to the bit.

    Attributes:
        axis: the pairs.
        coordinates: (n, C, M) points whose distances are s_jk.
        square: (n, C) their squared norms.
        powers: of the labels.
        order: (C,) the label at each position of all of these.
    """

    axis: Axis
    coordinates: Tensor
    square: Tensor
    powers: Powers
    order: Tensor

    def with_first(self, labels: Tensor) -> "LabelTable":
        """The same table with these labels first, so that what they have to do with each other is computed once."""
        if len(labels) == len(self.order):
            return self
        others = torch.ones_like(self.order, dtype=torch.bool)
        others[labels] = False
        order = torch.cat([labels, others.nonzero()[:, 0]])
        return LabelTable(
            self.axis, self.coordinates[:, order], self.square[:, order], self.powers.take(order), self.order[order]
        )

    def all_but_largest(
        self, num_rows: int, reduction: Reduction, constant_labels: ConstantLabels, columns_too: bool = False
    ) -> Tensor:
        """(m, C): the max of each of the first rows' entries but the largest, or their mean over the labels of J.

        Args:
            num_rows: how many rows are gone through; what is returned of others is 0.
            reduction, constant_labels: how terms are put together, and what is done with labels that do not vary.
            columns_too: what is returned of others is of their entries in these rows, by symmetry.

        Raises:
            ConstantOddsError: as :func:`pivot_scores`.
        """
        num_labels = len(self.order)
        tile = TILE if num_labels > UNTILED else num_labels
        merge = torch.maximum if reduction == "max" else torch.add
        largest: Tensor
        rest: Tensor
        largest, rest = self.square.new_zeros(2, len(self.axis.pairs), num_labels)
        ignored = torch.zeros_like(rest, dtype=torch.int64)
        for start in range(0, num_rows, tile):
            rows = slice(start, min(start + tile, num_rows))
            for columns in [rows, *(slice(c, min(c + tile, num_labels)) for c in range(rows.stop, num_labels, tile))]:
                values, absent = self.tile(rows, columns, reduction, constant_labels)
                both = columns != rows and (columns_too or columns.start < num_rows)
                for labels, across in [(rows, -1), (columns, -2)] if both else [(rows, -1)]:
                    new_largest, new_rest = _all_but_largest(values, across, reduction)
                    known = largest[:, labels]
                    loser = torch.minimum(known, new_largest)
                    rest[:, labels] = merge(merge(loser, new_rest), rest[:, labels])
                    largest[:, labels] = torch.maximum(known, new_largest)
                    if absent is not None:
                        ignored[:, labels] += absent.sum(across)
        if reduction == "mean":
            rest /= 2 * (num_labels - 2 - ignored)
        rest[ignored > num_labels - 3] = torch.inf  # nothing is left to compare
        return rest

    def tile(
        self, rows: slice, columns: slice, reduction: Reduction, constant_labels: ConstantLabels
    ) -> tuple[Tensor, Tensor | None]:
        """Entries for some labels against others, 0 on the diagonal, and which are ignored.

        Returns:
            (m, R, C) max(a², b²) or a + b; and (m, R, C) whether the log-odds vary in neither model, or None where all
            vary.

        Raises:
            ConstantOddsError: the log-odds of two labels do not vary, and they are not to be ignored.
        """
        squared = self._squared_std(rows, columns)
        constant = squared == 0 if not bool(squared.amin() > 0) else None
        if constant is not None:
            squared[constant] = torch.inf
        inverse, other_inverse = self.axis.both(squared.rsqrt_())
        p = (self.powers.first, self.powers.second, self.powers.gap)
        of_columns = (p[0][:, None, columns], p[1][:, None, columns], p[2][:, None, columns])
        if rows == columns:  # one computation for both orders of a pair, so that they are equal to the bit
            (of_column,) = squared_terms(inverse, other_inverse, of_columns)
            of_row = of_column.mT
        else:
            of_rows = (p[0][:, rows, None], p[1][:, rows, None], p[2][:, rows, None])
            of_column, of_row = squared_terms(inverse, other_inverse, of_columns, of_rows)
        if reduction == "max":
            values = torch.maximum(of_row, of_column)
        else:
            values = of_row.clamp(min=0.0).sqrt_() + of_column.clamp(min=0.0).sqrt_()
        if constant is None:
            return values, None
        if constant_labels == "error":
            raise self._constant(constant, rows, columns)
        first, second = self.axis.both(constant)
        return values.masked_fill_(first ^ second, torch.inf), first & second

    def _squared_std(self, rows: slice, columns: slice) -> Tensor:
        """(n, R, C) squared distances; infinite on the diagonal; 0 where the log-odds do not vary."""
        both = self.square[:, rows, None] + self.square[:, None, columns]
        squared = torch.baddbmm(both, self.coordinates[:, rows], self.coordinates[:, columns].mT, alpha=-2.0)
        if rows == columns:
            squared = squared.triu(1)
            squared = squared + squared.mT
            squared.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
        if bool(squared.amin() < SUSPICIOUS * both.amax()):
            where = (squared < SUSPICIOUS * both).nonzero()
            for model, row, column in (part.unbind(1) for part in where.tensor_split(1 + len(where) // (1 << 14))):
                i, j = self.coordinates[model, rows.start + row], self.coordinates[model, columns.start + column]
                direct = square_norm(i - j)
                squared[model, row, column] = direct.masked_fill(direct <= ZERO**2 * both[model, row, column], 0.0)
        return squared

    def _constant(self, constant: Tensor, rows: slice, columns: slice) -> ConstantOddsError:
        """The error for the first labels, of the first model of a pair that has such."""
        sides = self.axis.both(constant)
        model = 0 if bool(sides[0].any()) else 1
        pair, row, column = sides[model].nonzero()[0].tolist()
        first, second = sorted((int(self.order[rows][row]), int(self.order[columns][column])))
        return ConstantOddsError(pair, model, (first, second))


def label_table(axis: Axis) -> LabelTable:
    """The table of all labels of an axis over inputs."""
    known = points(axis)
    order = torch.arange(axis.items.shape[1], device=axis.items.device)
    return LabelTable(axis, known.coordinates, known.square, known.powers, order)


def pivot_scores(table: LabelTable, reduction: Reduction, pivots: Tensor, constant_labels: ConstantLabels) -> Tensor:
    """(m, P): for every pivot, in ascending order, the smallest t1 over left-out labels; its square for "max".

    Raises:
        ConstantOddsError: the log-odds of a pivot and another label do not vary, and they are not to be ignored.
    """
    rows = table.with_first(pivots)
    return rows.all_but_largest(len(pivots), reduction, constant_labels)[:, : len(pivots)]


def _all_but_largest(values: Tensor, across: int, reduction: Reduction) -> tuple[Tensor, Tensor]:
    """The largest entry across a dimension, or 0, and the max or sum of the others and 0."""
    largest, where = values.max(across, keepdim=True)
    values.scatter_(across, where, 0.0)
    rest = values.amax(across) if reduction == "max" else values.sum(across)
    values.scatter_(across, where, largest)
    return largest.squeeze(across), rest
