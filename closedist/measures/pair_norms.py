"""Norms of AᵀB for all pairs of views: squared Frobenius norms and nuclear norms, by a few large products."""

from collections.abc import Iterator

import torch
from torch import Tensor

from closedist.measures.joint import Columns
from closedist.measures.svd import nuclear_norm

_SMALL = 1e-2  # of 1 − ‖AᵀB‖_*: below, the distance is taken from the rotated columns themselves, which keeps digits
_ELEMENTS = 1 << 23  # of a product at once: 64 MB


def squared_products(columns: Columns, others: Columns | None = None) -> Tensor:
    """(n, m) squared Frobenius norms of AᵀB, A of the columns and B of the others, or of the same columns."""
    rows = len(columns.side)
    right = columns if others is None else others
    if others is None and rows * len(columns) < columns.side.shape[1]:  # ⟨AAᵀ, BBᵀ⟩ is less work
        grams = torch.stack([(view @ view.mT).flatten() for view in columns])
        return grams @ grams.mT
    owners, right_owners = _owners(columns), _owners(right)
    result = columns.side.new_zeros(len(columns), len(right))
    for start, stop in _blocks(columns, right.side.shape[1]):
        begin, end = columns.starts[start], columns.starts[stop]
        skip, others_skipped = (begin, start) if others is None else (0, 0)
        product = columns.side[:, begin:end].mT @ right.side[:, skip:]
        by_other = product.square_() @ right_owners[skip:, others_skipped:]
        result[start:stop, others_skipped:] = owners[begin:end, start:stop].mT @ by_other
    return result if others is not None else result.triu() + result.triu(1).mT


def _owners(columns: Columns) -> Tensor:
    """(Σd, n) whether a column is of a view."""
    index = torch.arange(len(columns), device=columns.side.device)
    numbers = torch.repeat_interleave(index, torch.tensor(columns.widths, device=index.device))
    return (numbers[:, None] == index).to(columns.side.dtype)


def _blocks(columns: Columns, width: int) -> list[tuple[int, int]]:
    """Runs of views, a fifth of them or 64 columns at once, so that a product of a run's with all stays small."""
    most = max(1, min(_ELEMENTS // width, max(64, sum(columns.widths) // 5)))
    runs, start = [], 0
    while start < len(columns):
        stop, total = start + 1, columns.widths[start]
        while stop < len(columns) and total + columns.widths[stop] <= most:
            total += columns.widths[stop]
            stop += 1
        runs.append((start, stop))
        start = stop
    return runs


def products(columns: Columns, first: int | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """AᵀB of all pairs i < j of views, or of the first so many with the others.

    Yields:
        (k,) indices i, (k,) indices j and (k, d, e) products of pairs of equal widths.
    """
    starts, device = columns.starts, columns.side.device
    count = len(columns)
    for start, stop in _blocks(columns, columns.side.shape[1]):
        if start >= (count if first is None else first):
            return
        low = first if first is not None else start + 1 if stop == start + 1 else start  # a view's own is not asked for
        if low == count:
            return
        product = columns.side[:, starts[start] : starts[stop]].mT @ columns.side[:, starts[low] :]
        shapes: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for i in range(start, stop if first is None else min(stop, first)):
            for j in range(i + 1 if first is None else first, count):
                shapes.setdefault((columns.widths[i], columns.widths[j]), []).append((i, j))
        for (d, e), pairs in shapes.items():
            step = max(1, _ELEMENTS // (d * e))
            for part in (pairs[at : at + step] for at in range(0, len(pairs), step)):
                first_of, second_of = torch.tensor(part, device=device).unbind(1)
                yield first_of, second_of, _gathered(product, columns, part, (starts[start], starts[low]), (d, e))


def _gathered(
    product: Tensor, columns: Columns, pairs: list[tuple[int, int]], origin: tuple[int, int], shape: tuple[int, int]
) -> Tensor:
    """(k, d, e) blocks of one product."""
    at = torch.tensor([(columns.starts[i] - origin[0], columns.starts[j] - origin[1]) for i, j in pairs])
    if len(pairs) == 1:
        row, column = at[0].tolist()
        return product[None, row : row + shape[0], column : column + shape[1]]
    at = at.to(product.device)
    rows = at[:, 0, None] + torch.arange(shape[0], device=product.device)
    others = at[:, 1, None] + torch.arange(shape[1], device=product.device)
    return product[rows.unsqueeze(-1), others.unsqueeze(1)]


def nuclear_products(columns: Columns, first: int | None = None) -> Tensor:
    """(n, n) nuclear norms of AᵀB of all pairs of different views, symmetric; 0 where not asked for."""
    result = columns.side.new_zeros(len(columns), len(columns))
    for i, j, product in products(columns, first):
        result[i, j] = result[j, i] = nuclear_norm(product)
    return result


def rotated_distances(columns: Columns, norms: Tensor, first: int | None = None) -> Tensor:
    """(n, n) min over rotations Q of ‖A/‖A‖ − BQ/‖B‖‖, with the views' norms; zeros added to the narrower of two.

    It is √(2 − 2‖AᵀB‖_*) (Schönemann, 1966); a small one is taken from A − BQ, since the difference loses its digits.
    """
    result = columns.side.new_zeros(len(columns), len(columns))
    views = list(columns)
    for i, j, product in products(columns, first):
        squared = 2.0 - 2.0 * nuclear_norm(product) / (norms[i] * norms[j])
        found = squared.clamp(min=0.0).sqrt()
        for at in (squared < 2.0 * _SMALL).nonzero().flatten().tolist():
            left, _, right = torch.linalg.svd(product[at], full_matrices=False)
            rotation = left @ right
            a, b = (views[int(one[at])] / norms[one[at]] for one in (i, j))
            narrow_last = a.shape[1] >= b.shape[1]
            found[at] = (a - b @ rotation.mT).norm() if narrow_last else (a @ rotation - b).norm()
        result[i, j] = result[j, i] = found
    return result
