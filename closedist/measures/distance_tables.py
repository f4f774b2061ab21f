"""Tables of all pairs of inputs, a block of rows at a time: what needs n×n numbers never has them all at once."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.joint import Columns
from closedist.measures.pairwise import squared_distances

BLOCK_ELEMENTS = 1 << 19  # float64 numbers of a table at once: 4 MB, which a processor's cache holds
_TABLES_ELEMENTS = 1 << 23  # of all tables at once
_SELECTED = 1 << 22  # numbers among which two are selected, rather than all counted once more
_CELLS = 16  # bits of a histogram


def row_blocks(count: int, tables: int = 1) -> list[slice]:
    """Rows so few at a time that ``tables`` blocks of theirs against all inputs stay small."""
    step = max(1, min(BLOCK_ELEMENTS, _TABLES_ELEMENTS // tables) // count)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def distance_block(view: Tensor, square: Tensor, rows: slice) -> Tensor:
    """(B, N − start) squared distances of these rows' inputs from themselves and all later ones."""
    size = torch.arange(rows.stop - rows.start, device=view.device)
    return squared_distances(view[None, rows.start :], square[None, rows.start :], size)[0]


def upper_blocks(view: Tensor) -> Iterator[Tensor]:
    """The squared distances of all pairs i < j of inputs, (m,) at a time."""
    square = view.square().sum(1)
    for rows in row_blocks(len(view)):
        yield above_diagonal(distance_block(view, square, rows))


def above_diagonal(block: Tensor) -> Tensor:
    """(m,) the pairs i < j of a block whose first column is its first row's own."""
    return torch.cat([row[number + 1 :] for number, row in enumerate(block)])


def centred_products(tables: Callable[[int, slice], Tensor], views: int, count: int, like: Tensor) -> Tensor:
    """(n, n) Σ over i, j of products of symmetric N×N tables, each centred by its rows and its columns.

    Args:
        tables: of a view and some rows the (B, N − start) entries from the first row's own column on.
        views: n.
        count: N.
        like: of the type and place of the result.
    """
    result = like.new_zeros(views, views)
    sums = like.new_zeros(views, count)
    for rows in row_blocks(count, views):
        size = rows.stop - rows.start
        block = torch.stack([tables(view, rows) for view in range(views)])
        sums[:, rows] += block.sum(2)
        sums[:, rows.stop :] += block[:, :, size:].sum(1)
        own = block[:, :, :size].flatten(1)
        rest = block[:, :, size:].flatten(1)
        result += own @ own.mT + 2.0 * (rest @ rest.mT)
    total = sums.sum(1)
    return result - 2.0 / count * (sums @ sums.mT) + total[:, None] * total / count**2


def normalised(products: Tensor, names: tuple[str, ...]) -> Tensor:
    """(n, n) products over the roots of their diagonals, which must be positive.

    Raises:
        InputError: one is not.
    """
    own = products.diagonal()
    for name, size in zip(names, own.tolist(), strict=True):
        if not size > 0:
            raise InputError(f"{name}: all inputs are at one distance from each other; give more inputs")
    sizes = own.sqrt()
    return (products / (sizes[:, None] * sizes)).clamp(-1.0, 1.0).fill_diagonal_(1.0)


def median_distance(view: Tensor) -> float:
    """The median distance over pairs i < j of inputs, exactly, from a few passes that count.

    Floating-point numbers from 0 are in the order of their bits as whole numbers, and each pass counts 65,536 cells of
    these and goes on with those that hold the two middle ones.
    """
    count = len(view) * (len(view) - 1) // 2
    targets = ((count - 1) // 2, count // 2)
    low, high, below, inside = 0, int(torch.iinfo(torch.int64).max), 0, count
    while inside > _SELECTED and high - low > 1:
        shift = max(0, (high - low).bit_length() - _CELLS)
        cells = torch.zeros(((high - low) >> shift) + 1, dtype=torch.int64, device=view.device)
        for bits in _between(view, low, high):
            cells += torch.bincount((bits - low) >> shift, minlength=len(cells))
        reached = below + cells.cumsum(0)
        first, last = (int((reached <= target).sum()) for target in targets)
        below += int(cells[:first].sum())
        inside = int(cells[first : last + 1].sum())
        low, high = low + (first << shift), min(high, low + ((last + 1) << shift))
    if high - low == 1:  # all of them are one number
        values = torch.full((2,), low, dtype=torch.int64).view(torch.float64)
        return float(values.sqrt().mean())
    left = torch.cat(list(_between(view, low, high))).view(torch.float64)
    return sum(math.sqrt(left.kthvalue(target - below + 1).values) for target in targets) / 2


def _between(view: Tensor, low: int, high: int) -> Iterator[Tensor]:
    """The bits of all squared distances from ``low`` to below ``high``."""
    for values in upper_blocks(view):
        bits = values.contiguous().view(torch.int64)
        yield bits if low == 0 and high == torch.iinfo(torch.int64).max else bits[(bits >= low) & (bits < high)]


def columns_and_squares(columns: Columns) -> tuple[list[Tensor], list[Tensor]]:
    """Every view as a matrix of its own, scaled to mean squared row norm 1, and its rows' squared norms."""
    views = [view * (len(view) ** 0.5 / view.norm()) for view in columns]
    return views, [view.square().sum(1) for view in views]
