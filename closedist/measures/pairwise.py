"""Squared distances of some items from all, in tiles, where products of large numbers would leave no digits."""

import torch
from torch import Tensor

from closedist.measures.terms import SUSPICIOUS, ZERO, square_norm


def squared_distances(coordinates: Tensor, square: Tensor, rows: Tensor) -> Tensor:
    """(n, R, L) by one product; near ones directly, and exactly 0 for what is the same up to rounding.

    Args:
        coordinates: (n, L, M) float64.
        square: (n, L) their squared norms.
        rows: (R,) positions among the L.
    """
    both = square[:, rows, None] + square[:, None]
    squared = torch.baddbmm(both, coordinates[:, rows], coordinates.mT, alpha=-2.0)
    where = (squared < SUSPICIOUS * both).nonzero()
    for model, row, column in (part.unbind(1) for part in where.tensor_split(1 + len(where) // (1 << 14))):
        direct = square_norm(coordinates[model, rows[row]] - coordinates[model, column])
        squared[model, row, column] = direct.masked_fill_(direct <= ZERO**2 * both[model, row, column], 0.0)
    return squared
