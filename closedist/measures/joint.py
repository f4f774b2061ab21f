"""Views of the same inputs side by side: what every measure of all pairs at once is made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, combinations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.gram import gram
from closedist.measures.views import LARGEST, ROUNDING, SMALLEST, as_matrix, check_same_inputs, check_varies, in_float64
from closedist.representations.arrays import as_tensor
from closedist.system.progress import progress
from closedist.system.threads import threads_for

_VARIES = 1e-14  # of a view's norm about its mean beside the largest it may have: less is looked at entry by entry
_CACHED = 1 << 17  # entries of views side by side; more are centred view by view, which is a pass less over memory
_APART = 8  # numbers from row to row more: rows of 2^k share lines of the cache, which slows Gram matrices by half
_NEAR = 1 << 18  # entries of some rows that stay near the processor while they are centred and squared
FEW = 128  # columns, of which one product of all with each other is less work than its parts
_NARROW = 32  # columns of a view: of wider ones a table of all products is made for measures that need all of it
_TABLE = 2048  # columns of such a table, 32 MB, at most
_RUN = 64  # rows summed one after another: rounding of longer sums hides that a column is constant
_TOGETHER_BYTES = 1 << 30  # of views side by side; more are compared a part of them with another at a time

Views = Sequence[ArrayLike | Tensor] | Mapping[str, ArrayLike | Tensor]


@dataclass(frozen=True)
class Columns:
    """The columns of n views over shared rows.

    Attributes:
        side: (r, Σd) float64, one view's columns after the other's.
        widths: (n) the d of each.
        turns: (n) matrices (d, k) that a view's columns are to be multiplied by, or None: of products of tall columns
            the small matrices cost next to nothing, of the columns themselves a pass.
        products: (Σd, Σd) of all columns with each other, not turned, where they are few or the measure needs all:
            second moments come from it, in NumPy, whose steps on small matrices cost a third of PyTorch's.
        squares: (Σd,) squared norms of all columns, where they were taken already.
    """

    side: Tensor
    widths: tuple[int, ...]
    turns: tuple[Tensor, ...] | None = None
    products: NDArray[np.float64] | None = None
    squares: Tensor | None = None

    @classmethod
    def of(cls, views: Sequence[Tensor]) -> "Columns":
        """Lay (r, d) views side by side."""
        return cls(torch.cat(list(views), 1), tuple(view.shape[1] for view in views))

    def __iter__(self) -> Iterator[Tensor]:
        """The views, (r, d), or (r, k) where they are turned."""
        return map(self.view, range(len(self)))

    def view(self, index: int) -> Tensor:
        """One of them."""
        start, stop = self.starts[index : index + 2]
        columns = self.side[:, start:stop]
        return columns if self.turns is None else columns @ self.turns[index]

    def __len__(self) -> int:
        """How many views there are."""
        return len(self.widths)

    def turned(self, turns: Sequence[Tensor]) -> "Columns":
        """The same columns, to be turned."""
        return Columns(self.side, self.widths, tuple(turns), self.products)

    def each(self, change: Callable[[Tensor], Tensor]) -> "Columns":
        """Every view changed."""
        return Columns.of([change(view) for view in self])

    @cached_property
    def starts(self) -> list[int]:
        """(n + 1) where each view's columns begin, and where the last one's end."""
        return list(accumulate(self.widths, initial=0))


@dataclass(frozen=True)
class Joint:
    """Views of the same N inputs, so that XᵀY of any two is the product of their columns.

    Attributes:
        columns: of centred views. The rows are the inputs, or those of the root factor of all views side by side.
        num_inputs: N.
        mean: (Σd,) what was taken off.
        spacings: (n) the relative spacing of the numbers that each view came in.
        names: what errors call the views.
        squares: (n, r) the squared norms of each view's centred rows, less their mean, over the same rows; None where
            the rows are the inputs, whose norms can be taken.
        first: only the first so many views are compared, with the others; None for all pairs.
    """

    columns: Columns
    num_inputs: int
    mean: Tensor
    spacings: tuple[float, ...]
    names: tuple[str, ...]
    squares: Tensor | None = None
    first: int | None = None

    def __len__(self) -> int:
        """n."""
        return len(self.columns)

    @cached_property
    def lengths(self) -> Tensor:
        """(n, r) norms of the rows of each view's columns."""
        return torch.stack([torch.linalg.vector_norm(view, dim=1) for view in self.columns])

    @cached_property
    def precision(self) -> Tensor:
        """(n,) the spacings."""
        return torch.tensor(self.spacings, dtype=torch.float64, device=self.columns.side.device)

    @cached_property
    def column_norms(self) -> NDArray[np.float64]:
        """(Σd,) norms of all views' columns."""
        if self.columns.products is not None:
            return np.sqrt(self.columns.products.diagonal())
        squares = self.columns.squares
        if squares is None:
            squares = sum(map(_squares, _near(self.columns.side)), torch.zeros_like(self.columns.side[0]))
        norms: NDArray[np.float64] = squares.sqrt().cpu().numpy()
        return norms

    @property
    def constant(self) -> NDArray[np.bool_]:
        """(Σd,) which columns do not vary by more than rounding of their mean."""
        lengths = self.column_norms
        found: NDArray[np.bool_] = lengths <= _VARIES * np.sqrt(
            lengths**2 + self.num_inputs * self.mean.cpu().numpy() ** 2
        )
        return found

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """(n,) Frobenius norms of the views."""
        return _of_each(self.column_norms, self.columns)

    @cached_property
    def norms(self) -> Tensor:
        """(n,) the same beside the columns."""
        return torch.from_numpy(self.sizes).to(self.columns.side.device)

    def similarities(self, values: NDArray[np.float64]) -> Tensor:
        """(n, n) values beside the columns, 1 of each view with itself."""
        values.flat[:: len(values) + 1] = 1.0
        return torch.from_numpy(values).to(self.columns.side.device)

    def unit_squares(self) -> Tensor:
        """(n, r) squared norms of the rows less their mean, of views of Frobenius norm one."""
        traces, squares = self.norms.square(), self.squares
        if squares is None:
            squares = self.lengths.square() - traces[:, None] / self.num_inputs
        return squares / traces[:, None]

    def rows(self, measure: str) -> Columns:
        """The columns where their rows are the inputs.

        Raises:
            InputError: only moments were kept.
        """
        if self.squares is not None:
            raise InputError(
                f"{measure} needs the activations themselves, of which moments_only kept no more than second moments; "
                "leave moments_only out, or take another measure"
            )
        return self.columns


def joint(
    views: Sequence[ArrayLike | Tensor],
    names: Sequence[str] | None = None,
    first: int | None = None,
    moments: bool = False,
) -> Joint:
    """Views of the same inputs, centred and side by side.

    Args:
        views: n arrays or tensors, (N, d), rows the same inputs in the same order.
        names: what errors call them; by default views[0], views[1], ….
        first: as in :class:`Joint`.
        moments: whether the products of all columns with each other will be needed, each view's own ones too.

    Raises:
        InputError: there are none, the shapes do not fit, or a view is constant.
    """
    names = [f"views[{index}]" for index in range(len(views))] if names is None else list(names)
    if not names:
        raise InputError("views: none; at least one is needed")
    tensors = [as_matrix(view, name) for view, name in zip(views, names, strict=True)]
    for index, tensor in enumerate(tensors):
        if index or len(tensors) == 1:
            check_same_inputs(tensors[0], tensor, (names[0], names[index]))
    made = _centred(tensors, names, first, _has_table(tensors, moments))
    if not _plainly_varies(made):
        made = _checked(made, tensors)
    return made


def _plainly_varies(views: Joint) -> bool:
    """Whether every column varies beside the largest so much that no view can be constant, too large or too small."""
    norms, mean = views.column_norms.tolist(), views.mean.tolist()  # few numbers are less work in Python than in NumPy
    root = views.num_inputs**0.5
    whole, least = sum(norms) + root * sum(map(abs, mean)), min(norms) / (root * len(norms))
    return bool(least > SMALLEST and _VARIES * whole < least and whole < LARGEST)  # of a NaN none is true


def _checked(made: Joint, tensors: Sequence[Tensor]) -> Joint:
    """The same, from numbers of another scale where their squares are none."""
    names, entries = made.names, made.num_inputs * np.array(made.columns.widths)
    whole = _whole(made)
    if not ((whole > SMALLEST * np.sqrt(entries)) & (whole < LARGEST)).all():  # or it is not a number
        scaled = [in_float64(tensor, name) for tensor, name in zip(tensors, names, strict=True)]
        made = replace(_centred(scaled, names, made.first, made.columns.products is not None), spacings=made.spacings)
        whole = _whole(made)
    for index in np.flatnonzero(~(made.sizes > _VARIES * np.sqrt(entries) * whole)).tolist():
        reach, largest = _reach(tensors[index])
        check_varies(reach.amax(), largest.amax(), names[index])
    constant = made.constant
    for index in range(len(made)):
        flat = constant[slice(*made.columns.starts[index : index + 2])]
        if flat.any():  # a single entry may differ in late digits, which is variation
            reach, largest = _reach(tensors[index][:, torch.from_numpy(flat).to(tensors[index].device)])
            flat[flat] = (reach <= ROUNDING * largest).cpu().numpy()
    return _without(made, constant) if constant.any() else made


def _reach(view: Tensor) -> tuple[Tensor, Tensor]:
    """(d,) half of each column's range, of which rounding of a mean is no part, and its largest entry."""
    entries = view.double()
    return (entries.amax(0) - entries.amin(0)) / 2, entries.abs().amax(0)


def _without(made: Joint, constant: NDArray[np.bool_]) -> Joint:
    """The same with columns of zeros where rounding of the mean is all that is left, which else may be a direction."""
    columns, kept = made.columns, ~constant
    varies = torch.from_numpy(kept).to(columns.side.device)
    columns.side.mul_(varies)
    table = None if columns.products is None else columns.products * kept * kept[:, None]
    squares = None if columns.squares is None else columns.squares * varies
    return replace(made, columns=replace(columns, products=table, squares=squares))


def _whole(views: Joint) -> NDArray[np.float64]:
    """(n,) norms of the views as they came, or a little more."""
    of_mean: NDArray[np.float64] = views.num_inputs**0.5 * _of_each(views.mean.cpu().numpy(), views.columns)
    return views.sizes + of_mean


def _has_table(tensors: Sequence[Tensor], moments: bool) -> bool:
    """Whether the products of all columns with each other are less work than their parts."""
    widths = [tensor.shape[1] for tensor in tensors]
    if moments:
        return sum(widths) <= min(_TABLE, len(tensors[0]))
    return sum(widths) <= FEW and max(widths) <= _NARROW


def _centred(tensors: Sequence[Tensor], names: Sequence[str], first: int | None, table: bool) -> Joint:
    """Views less their means, whatever numbers they hold."""
    device, widths = tensors[0].device, tuple(tensor.shape[1] for tensor in tensors)
    if device.type == "mps":
        device = torch.device("cpu")
    squares = None
    if len(tensors[0]) * sum(widths) <= _CACHED:
        side = torch.cat([tensor.to(device) for tensor in tensors], 1).double()
        mean = side.mean(0)
        side -= mean
    else:
        side = _empty(len(tensors[0]), sum(widths), device)
        every = [tensor.to(device, torch.float64).resolve_neg() for tensor in tensors]  # NumPy knows no negative bit
        mean = torch.cat(list(map(_mean, every)))
        means, squares, start = mean.split_with_sizes(list(widths)), None if table else torch.zeros_like(mean), 0
        for rows in _near(side):
            stop = start + len(rows)
            for view, own, out in zip(every, means, rows.split_with_sizes(list(widths), 1), strict=True):
                torch.sub(view[start:stop], own, out=out)
            if squares is not None:  # else the table of products has them
                squares += _squares(rows)
            start = stop
    products = gram(side).cpu().numpy() if table else None
    columns = Columns(side, widths, products=products, squares=squares)
    return Joint(columns, len(side), mean, _spacings(tensors), tuple(names), first=first)


def _empty(rows: int, columns: int, device: torch.device) -> Tensor:
    """A matrix to fill, in large pages where NumPy gives them: to touch small ones first takes as long as the sums."""
    length = columns + _APART
    if device.type == "cpu":
        return torch.from_numpy(np.empty((rows, length)))[:, :columns]
    return torch.empty(rows, length, dtype=torch.float64, device=device)[:, :columns]


def _near(side: Tensor) -> tuple[Tensor, ...]:
    """So many rows at a time that they stay near the processor."""
    return torch.split(side, max(16, _NEAR // side.shape[1]))


def _mean(view: Tensor) -> Tensor:
    """(d,) mean of (N, d) rows, in one pass of NumPy's."""
    if view.device.type != "cpu":
        return view.mean(0)
    rows, whole = view.numpy(), len(view) // _RUN * _RUN
    with np.errstate(all="ignore"):
        sums = np.einsum("bij->bj", rows[:whole].reshape(-1, _RUN, rows.shape[1]))
        rest = torch.from_numpy(rows[whole:].sum(0))
    return (torch.from_numpy(sums).sum(0) + rest) / len(view)


def _squares(rows: Tensor) -> Tensor:
    """(d,) squared norms of the columns of some rows, in one pass where NumPy makes it."""
    if rows.device.type != "cpu":
        return rows.square().sum(0)
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.einsum("ij,ij->j", rows.numpy(), rows.numpy()))


def _spacings(tensors: Sequence[Tensor]) -> tuple[float, ...]:
    return tuple([torch.finfo(tensor.dtype).eps for tensor in tensors])


def _of_each(vector: NDArray[np.float64], columns: Columns) -> NDArray[np.float64]:
    """(n,) norms of each view's part of a (Σd,) vector."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms: NDArray[np.float64] = np.sqrt(np.add.reduceat(vector * vector, columns.starts[:-1]))
    return norms


def of_all(measure: Callable[[Joint], Tensor], views: Views, moments: bool = False) -> NDArray[np.float64]:
    """(n, n) numbers of all pairs of views, which may be named."""
    named = views if isinstance(views, Mapping) else dict(enumerate(views))
    names = [f"views[{name!r}]" for name in named]
    tensors = [as_tensor(view, name) for view, name in zip(named.values(), names, strict=True)]
    parts = _parts(tensors)

    def of_some(own: list[int], others: list[int]) -> NDArray[np.float64]:
        chosen, first = own + others, len(own) if others else None
        some = [tensors[at] for at in chosen]
        with threads_for(_products(some)):
            made = joint(some, [names[at] for at in chosen], first, moments and not others)
            found: NDArray[np.float64] = measure(made).cpu().numpy()
        return found

    if len(parts) <= 1:
        return of_some(list(range(len(tensors))), [])
    result = np.empty((len(tensors), len(tensors)))
    pairs = list(combinations(parts, 2))
    with progress("all pairs of views", len(parts) + len(pairs)) as advance:
        for part in parts:
            result[np.ix_(part, part)] = of_some(part, [])
            advance(1)
        for part, other in pairs:
            found = of_some(part, other)
            result[np.ix_(part, other)] = found[: len(part), len(part) :]
            result[np.ix_(other, part)] = found[len(part) :, : len(part)]
            advance(1)
    return result


def _parts(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Views of which any two parts fit side by side, where all do not."""
    sizes = [8 * tensor.numel() for tensor in tensors]
    if sum(sizes) <= _TOGETHER_BYTES:
        return [list(range(len(tensors)))]
    parts: list[list[int]] = []
    left = 0
    for index, size in enumerate(sizes):
        if not parts or size > left:
            parts.append([])
            left = _TOGETHER_BYTES // 2
        parts[-1].append(index)
        left -= size
    return parts


def of_two(
    measure: Callable[[Joint], Tensor], z: ArrayLike | Tensor, w: ArrayLike | Tensor, moments: bool = False
) -> float:
    """One number of two views, from the measure of all pairs."""
    views = [as_tensor(z, "z"), as_tensor(w, "w")]
    with threads_for(_products(views)):
        return float(measure(joint(views, ("z", "w"), moments=moments)).cpu().numpy()[0, 1])


def _products(views: Sequence[Tensor]) -> int:
    """How many products of numbers a table of all columns, or of all inputs, takes; an estimate from the shapes."""
    rows = max([view.shape[0] for view in views if view.ndim], default=1)
    numbers = sum([view.numel() for view in views])
    return numbers * max(rows, numbers // max(1, rows))
