"""Pivots among many labels that cannot have the smallest t1, found without their whole rows of the table of labels.

The second largest entry of a row over some of its columns is at most that over all: a lower bound of the pivot's t1.
Whoever's is above another pivot's t1 is out. So a few rows, whose entries are columns of all others by symmetry, say
of most pivots that they need not be looked at; none that could be chosen is lost.
"""

import math

import torch
from torch import Tensor

from closedist.measures.label_table import TILE, ConstantOddsError, LabelTable
from closedist.measures.settings import ConstantLabels
from closedist.measures.terms import ZERO, square_norm

PRUNED = 8 * TILE  # pivots, from which on it is worth it
ROUNDING = 1e-9  # entries are computed in another order later


def promising_pivots(table: LabelTable, pivots: Tensor, constant_labels: ConstantLabels) -> Tensor:
    """Those of the pivots, (P,) in ascending order, that may have the smallest t1 of a single pair, terms by maximum.

    Raises:
        ConstantOddsError: the log-odds of a pivot and another label do not vary, and they are not to be ignored.
    """
    if constant_labels == "error":
        _check_varied(table, pivots)
    lower = table.square.new_zeros(len(table.order))  # bounds on each label's t1, squared
    unseen = torch.ones_like(table.order, dtype=torch.bool)
    rows, left, ruled_out, smallest = pivots[:: -(-len(pivots) // TILE)], pivots, len(pivots), math.inf
    while ruled_out > TILE:  # and so more than are looked at
        seen = table.with_first(rows)
        found = seen.all_but_largest(len(rows), "max", "ignore", columns_too=True)[0]
        smallest = min(smallest, float(found[: len(rows)].min()))
        lower[seen.order] = torch.maximum(lower[seen.order], found)
        unseen[rows] = False
        left, before = pivots[lower[pivots] <= smallest * (1 + ROUNDING)], len(left)
        ruled_out = before - len(left)
        by_bound = pivots[unseen[pivots]]
        by_bound = by_bound[lower[by_bound].argsort()]
        rows = torch.cat([by_bound[: TILE // 8], by_bound[-TILE // 2 :]])  # of small t1, and hard on other pivots
    return left


def _check_varied(table: LabelTable, pivots: Tensor) -> None:
    """Find labels whose log-odds do not vary: points at no distance, so neighbours on any line."""
    count, width = table.coordinates.shape[1:]
    direction = torch.randn(width, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(pivots.device)
    is_pivot = torch.zeros(count, dtype=torch.bool, device=pivots.device)
    is_pivot[pivots] = True
    for model, points in enumerate(table.coordinates):
        square = table.square[model]
        tolerance = float((2 * ZERO + 4 * width * 2**-52) * square.amax().sqrt() * direction.norm())
        places, order = (points @ direction).sort()
        for step in range(1, count):
            near = (places[step:] - places[:-step] <= tolerance).nonzero()[:, 0]
            if not len(near):
                break
            first, second = order[near], order[near + step]
            same = square_norm(points[first] - points[second]) <= ZERO**2 * (square[first] + square[second])
            same &= is_pivot[first] | is_pivot[second]
            if bool(same.any()):
                j, k = sorted((int(first[same][0]), int(second[same][0])))
                raise ConstantOddsError(0, model, (j, k))
