"""Norms of AᵀB for all pairs of views: squared Frobenius norms and nuclear norms, by a few large products."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from closedist.measures.gram import gram, product, squared_norm
from closedist.measures.joint import FEW, Columns
from closedist.measures.singular_values import nuclear_norm

_SMALL = 1e-4  # of 1 − ‖AᵀB‖_*: below, the distance is taken from the rotated columns themselves, which keeps digits
_ELEMENTS = 1 << 23  # of a product at once: 64 MB
_STRIP = FEW  # columns against all others at once; of fewer a product is slow


def products(
    columns: Columns, first: int | None = None, lengths: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """AᵀB of all pairs i < j of views, or of the first so many with the others, columns divided by their (Σd,) lengths.

    Yields:
        (m,) indices i, (m,) indices j and (m, k, l) products of pairs of equal shapes.
    """
    starts, widths, device = columns.starts, columns.widths, columns.side.device
    if len(columns) == 2 and first in (None, 1):  # the steps below cost more than a small product
        product, turns = _between(columns, 0, widths[0], widths[0]), columns.turns
        if lengths is not None:
            product.div_(lengths[: widths[0], None]).div_(lengths[widths[0] :])
        index = torch.arange(2, device=device)
        yield index[:1], index[1:], (product if turns is None else turns[0].mT @ product @ turns[1]).unsqueeze(0)
        return
    begins, alike = torch.tensor(starts[:-1], device=device), _Alike(columns)
    for start, stop in _runs(columns, len(columns) if first is None else first):
        low = first if first is not None else start + 1 if stop == start + 1 else start  # a view's own is not asked for
        if low == len(columns):
            return
        product = _between(columns, starts[start], starts[stop], starts[low])
        if lengths is not None:
            product.div_(lengths[starts[start] : starts[stop], None]).div_(lengths[starts[low] :])
        asked = torch.arange(low, len(columns), device=device) > torch.arange(start, stop, device=device)[:, None]
        i, j = asked.nonzero().T + torch.tensor([[start], [low]], device=device)
        if alike.one:
            d, parts = widths[0], max(1, _ELEMENTS // widths[0] ** 2)
            blocks = product.reshape(-1, d, product.shape[1] // d, d)
            for some, other in zip(i.split(parts), j.split(parts), strict=True):
                yield some, other, alike.turned(blocks[some - start, :, other - low], some, other)
            continue
        kinds = alike.kinds[i] * len(columns) + alike.kinds[j]
        for kind in torch.unique(kinds).tolist():
            which = (kinds == kind).nonzero().flatten()
            shape = widths[int(i[which[0]])], widths[int(j[which[0]])]
            for part in which.split(max(1, _ELEMENTS // (shape[0] * shape[1]))):
                of_pairs = _gathered(product, begins[i[part]] - starts[start], begins[j[part]] - starts[low], shape)
                yield i[part], j[part], alike.turned(of_pairs, i[part], j[part])


def _between(columns: Columns, start: int, stop: int, low: int) -> Tensor:
    """Products of columns start to stop with those from low on, not turned; the caller may change them."""
    if columns.products is None:
        return product(columns.side[:, start:stop], columns.side[:, low:])
    return torch.from_numpy(columns.products[start:stop, low:].copy()).to(columns.side.device)


class _Alike:
    """Which views have equal shapes, and the turns of those in one tensor."""

    def __init__(self, columns: Columns) -> None:
        turns = columns.turns or ()
        ranks = [turn.shape[1] for turn in turns] or columns.widths
        shapes = list(zip(columns.widths, ranks, strict=True))
        numbers = {shape: number for number, shape in enumerate(dict.fromkeys(shapes))}
        self.one = len(numbers) == 1
        self.kinds = torch.tensor([numbers[shape] for shape in shapes], device=columns.side.device)
        self.slots = torch.zeros_like(self.kinds)
        self.stacks: list[Tensor] = []
        for number in range(len(numbers) if turns else 0):
            if self.one:
                self.stacks = [torch.stack(list(turns))]
                break
            members = (self.kinds == number).nonzero().flatten()
            self.slots[members] = torch.arange(len(members), device=members.device)
            self.stacks.append(torch.stack([turns[at] for at in members.tolist()]))

    def turned(self, of_pairs: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(m, k, l) products of turned views i and j, one kind each, from those of their columns, (m, d, e)."""
        if not self.stacks:
            return of_pairs
        if self.one:
            left, right = self.stacks[0][i], self.stacks[0][j]
        else:
            left, right = (self.stacks[int(self.kinds[index[0]])][self.slots[index]] for index in (i, j))
        return left.mT @ of_pairs @ right


def _runs(columns: Columns, count: int) -> Iterator[tuple[int, int]]:
    """Runs of the first so many views, of some columns together, so that a product of a run's with all stays small."""
    most = max(1, min(_ELEMENTS // columns.side.shape[1], _STRIP))
    start = 0
    while start < count:
        stop = start + 1
        while stop < count and columns.starts[stop + 1] - columns.starts[start] <= most:
            stop += 1
        yield start, stop
        start = stop


def _gathered(product: Tensor, rows: Tensor, columns: Tensor, shape: tuple[int, int]) -> Tensor:
    """(m, d, e) blocks of one product, which begin at these rows and columns."""
    if len(rows) == 1:
        return product[None, int(rows) : int(rows) + shape[0], int(columns) : int(columns) + shape[1]]
    down, along = (
        begin[:, None] + torch.arange(length, device=product.device)
        for begin, length in zip((rows, columns), shape, strict=True)
    )
    return product[down.unsqueeze(-1), along.unsqueeze(1)]


def own_products(columns: Columns, index: int) -> Tensor:
    """(d, d) XᵀX of one view, not turned."""
    start, stop = columns.starts[index : index + 2]
    if columns.products is not None:
        return torch.from_numpy(columns.products[start:stop, start:stop]).to(columns.side.device)
    return gram(columns.side[:, start:stop])


def squared_products(columns: Columns, first: int | None = None) -> Tensor:
    """(n, n) squared Frobenius norms of AᵀB of all pairs of different views, symmetric; 0 where not asked for."""
    return _of_products(products(columns, first), columns, lambda product: product.square().sum((1, 2)))


def all_squared_products(columns: Columns, first: int | None = None) -> Tensor:
    """(n, n) the same, and of each view with itself."""
    result = squared_products(columns, first)
    result.diagonal().copy_(torch.stack([squared_norm(view) for view in columns]))
    return result


def nuclear_products(columns: Columns, first: int | None = None, lengths: Tensor | None = None) -> Tensor:
    """(n, n) nuclear norms of AᵀB of all pairs of different views, symmetric; 0 where not asked for.

    The columns are divided by their (Σd,) lengths, where those are given.
    """
    return _of_products(products(columns, first, lengths), columns, nuclear_norm)


def _of_products(
    found: Iterator[tuple[Tensor, Tensor, Tensor]], columns: Columns, of: Callable[[Tensor], Tensor]
) -> Tensor:
    result = columns.side.new_zeros(len(columns), len(columns))
    for i, j, of_pairs in found:
        result[i, j] = result[j, i] = of(of_pairs)
    return result


def rotated_distances(columns: Columns, norms: Tensor, first: int | None = None) -> Tensor:
    """(n, n) min over rotations Q of ‖A/‖A‖ − BQ/‖B‖‖, with the views' norms; zeros added to the narrower of two.

    It is √(2 − 2‖AᵀB‖_*) (Schönemann, 1966); a small one is taken from A − BQ, since the difference loses its digits.
    """
    rows = len(columns.side)

    def rotated(i: Tensor, j: Tensor, product: Tensor) -> Tensor:
        left, _, right = torch.linalg.svd(product, full_matrices=False)
        a, b = (torch.stack([columns.view(at) / norms[at] for at in index.tolist()]) for index in (i, j))
        apart = a - b @ (left @ right).mT if a.shape[2] >= b.shape[2] else a @ (left @ right) - b
        distances: Tensor = torch.linalg.vector_norm(apart, dim=(1, 2))
        return distances

    result = columns.side.new_zeros(len(columns), len(columns))
    for i, j, of_pairs in products(columns, first):
        squared = 2.0 - 2.0 * nuclear_norm(of_pairs) / (norms[i] * norms[j])
        found = squared.clamp(min=0.0).sqrt()
        small = (squared < 2.0 * _SMALL).nonzero().flatten()
        for some in torch.split(small, max(1, _ELEMENTS // (rows * sum(of_pairs.shape[1:])))):
            if len(some):
                found[some] = rotated(i[some], j[some], of_pairs[some])
        result[i, j] = result[j, i] = found
    return result
