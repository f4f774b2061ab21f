"""A search for the input set that needs no seed and keeps its log-odds apart: ``input_search="diverse"``.

The terms of an input set depend on the pairs (x_0, x_i) only, so that for each pivot input the K smallest are best. But
those, and a random search, choose nearly parallel log-odds, which say one thing K times. So the inputs are taken in the
order of their terms, each only if enough of its log-odds vector lies outside the span of those taken before.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.pairwise import squared_distances
from closedist.measures.terms import (
    BLOCK_ELEMENTS,
    ZERO,
    Axis,
    points,
    squared_terms,
    unit_log_odds,
)

FLOOR = 0.05  # of a unit log-odds vector's square that must lie outside the span of the vectors taken before
PIVOTS = 400  # pivot inputs, those with the smallest K-th term, from each of which a set is built …
_FEWEST_PIVOTS = 10  # … and fewer, where that takes long
_WORK = 1 << 35  # operations of building sets: some seconds
_NEAREST = 200  # inputs, and twenty times K, among which a set is looked for before all are
MOST_INPUTS = 10_000  # above, a sample of them is searched


def searched_inputs(num_inputs: int, seed: int) -> Tensor:
    """The inputs to search: all, or 10,000 of them drawn at random, in ascending order."""
    if num_inputs <= MOST_INPUTS:
        return torch.arange(num_inputs)
    drawn = np.random.default_rng(seed).choice(num_inputs, MOST_INPUTS, replace=False)
    return torch.from_numpy(np.sort(drawn))


def diverse_input_set(axis: Axis, size: int) -> Tensor:
    """The input set with the smallest t2 among those built from the best pivot inputs.

    Where no set with a t2 below 1 has all its log-odds vectors apart, those that lack are the ones with the smallest
    terms.

    Args:
        axis: one pair over labels, items are the inputs to search, at least K + 1.
        size: K.

    Returns:
        (K + 1,) positions among the items, the pivot input first.

    Raises:
        InputError: no pivot input has K others whose log-likelihoods differ from its own by more than a constant.
    """
    kth = torch.cat([terms.topk(size, largest=False).values.amax(-1) for _, terms in _term_rows(axis)])
    affordable = _WORK // (len(kth) * size * axis.sides[0].vectors.shape[-2])
    count = min(len(kth), PIVOTS, max(_FEWEST_PIVOTS, affordable))
    pivots = kth.topk(count, largest=False).indices
    pivots = pivots[torch.isfinite(kth[pivots])]
    if len(pivots) == 0:
        raise InputError(
            f"input_search: no {size + 1} inputs have log-likelihoods that differ by more than a constant; remove "
            "repeated inputs, or give more inputs or a smaller subset_size"
        )
    sets: list[Tensor] = []
    worst: list[tuple[bool, float]] = []
    for rows, terms in _term_rows(axis, pivots):
        for pivot, row in zip(rows, terms, strict=True):
            chosen, apart = _apart(axis, pivot, row, size)
            sets.append(torch.cat([pivot[None], chosen]))
            square = float(row[chosen].amax())
            worst.append((not apart or square >= 1.0, square))
    return sets[min(range(len(sets)), key=worst.__getitem__)]


def effective_rank(units: Tensor, other_units: Tensor) -> Tensor:
    """How many directions K unit log-odds vectors span in effect, in the model where it is fewer.

    The exponential of the entropy of the normalised squared singular values (Roy and Vetterli, 2007): K where they are
    orthogonal, 1 where they are parallel.

    Args:
        units, other_units: (m, K, r) unit log-odds of the input set in either model.

    Returns:
        (m,) float64 between 1 and K.
    """
    ranks = []
    for vectors in (units, other_units):
        squares = torch.linalg.svdvals(vectors).square()
        shares = squares / squares.sum(-1, keepdim=True)
        ranks.append(torch.special.entr(shares).sum(-1).exp())
    return torch.minimum(*ranks)


def _term_rows(axis: Axis, pivots: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of pivot inputs, (B,), with the squared terms of all inputs against each, (B, N); infinite where none."""
    items = points(axis)
    coordinates, square, known = items.coordinates, items.square, items.powers
    every = torch.arange(coordinates.shape[1], device=coordinates.device) if pivots is None else pivots
    step = max(1, BLOCK_ELEMENTS // (4 * coordinates.shape[1]))
    for start in range(0, len(every), step):
        rows = every[start : start + step]
        squared = squared_distances(coordinates, square, rows)
        (inverse,), (other_inverse,) = axis.both(squared.rsqrt_())
        first, second, gap = known.first[0], known.second[0], known.gap[0]
        of_pivots = (first[rows, None], second[rows, None], gap[rows, None])
        rest, pivot = squared_terms(inverse, other_inverse, (first, second, gap), of_pivots)
        usable = torch.isfinite(torch.maximum(inverse, other_inverse))
        yield rows, torch.maximum(rest, pivot).clamp_(min=0.0).masked_fill_(~usable, torch.inf)


def _apart(axis: Axis, pivot: Tensor, terms: Tensor, size: int) -> tuple[Tensor, bool]:
    """(K,) inputs by ascending term, each partly outside the span of those before in both models; whether all are."""
    order = terms.argsort()[: int(torch.isfinite(terms).sum())]
    chosen, apart = _greedy(axis, pivot, order[: max(_NEAREST, 20 * size)], size)
    return (chosen, apart) if apart else _greedy(axis, pivot, order, size)


def _greedy(axis: Axis, pivot: Tensor, order: Tensor, size: int) -> tuple[Tensor, bool]:
    """The same among these inputs, and whether there were enough apart; the rest are the first of the others."""
    sides = [units[0] for units in unit_log_odds(axis, pivot[None], order[None])]
    outside = torch.ones(2, len(order), dtype=sides[0].dtype, device=order.device)
    bases: list[list[Tensor]] = [[], []]
    free = torch.ones(len(order), dtype=torch.bool, device=order.device)
    chosen: list[int] = []
    enough = True
    while len(chosen) < size:
        apart = free & (outside.amin(0) >= FLOOR)
        enough = enough and bool(apart.any())
        following = int((apart if enough else free).to(torch.uint8).argmax())
        chosen.append(following)
        free[following] = False
        for units, basis, share in zip(sides, bases, outside, strict=True):
            direction = units[following]
            for other in basis:
                direction = direction - (other @ direction) * other
            norm = direction.norm()
            if float(norm) > ZERO:
                basis.append(direction / norm)
                share -= (units @ basis[-1]).square()
    return order[torch.tensor(chosen, device=order.device)], enough
