"""Plain arrays on their way into a measure: one by one, or side by side for all pairs of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.representations.arrays import as_tensor
from closedist.system.progress import progress

_BLOCK_COLUMNS = 64  # of views at once, below which a matrix product is slow
_BLOCKS = 5  # of views: products are taken of each with those from there on
_BLOCK_BYTES = 1 << 27  # of views at once
_STRIP = 64  # columns of a symmetric product at once
_FEW = 1 << 16  # numbers of a view, up to which each step costs more than its arithmetic
_KEPT_BYTES = 1 << 30  # of what is kept of blocks of views; what is beyond is made again when it is needed

Array = ArrayLike | Tensor
Side = TypeVar("Side")


def as_view(z: ArrayLike | Tensor, name: str) -> Tensor:
    """An (n, d) view of inputs as a float64 tensor.

    Where fourth powers of the entries would not fit into float64, it is divided by a power of two: no measure of views
    depends on its scale.

    Raises:
        InputError: not a matrix, or an entry that is not finite.
    """
    view = as_tensor(z, name)
    if view.ndim != 2 or 0 in view.shape:
        raise InputError(f"{name}: shape {tuple(view.shape)}; a matrix with one row an input is needed")
    smallest, largest = torch.aminmax(view)
    size = float(torch.maximum(-smallest, largest))
    if not math.isfinite(size):
        raise InputError(f"{name}: NaN or infinity among its entries; all numbers must be finite")
    device = torch.device("cpu") if view.device.type == "mps" else view.device
    view = view.to(device, torch.float64)
    return view if 1e-60 < size < 1e60 else view * 2.0 ** -min(max(math.frexp(size)[1], -1000), 1000)


def check_same_inputs(first: Tensor, second: Tensor, names: tuple[str, str]) -> None:
    """Check that two views have a row for each of the same inputs.

    Raises:
        InputError: different numbers of rows, or fewer than two.
    """
    if first.shape[0] != second.shape[0] or first.shape[0] < 2:
        raise InputError(
            f"{names[0]} and {names[1]}: {first.shape[0]} and {second.shape[0]} rows; both need one row for "
            "each of the same inputs, and at least two of them"
        )


def check_varies(left: Tensor | float, largest: Tensor | float, name: str) -> None:
    """Check that a view is not constant up to rounding.

    Args:
        left: the largest entry of the centred view, or what bounds it from above.
        largest: that of the view.
        name: what errors call it.

    Raises:
        InputError: it is.
    """
    if not float(left) > 4 * torch.finfo(torch.float64).eps * float(largest):
        raise InputError(f"{name}: all rows are equal; a constant view is similar to nothing (check how it was made)")


@dataclass(frozen=True)
class Block:
    """b views of the same N inputs, centred.

    Attributes:
        names: what errors call them.
        columns: (N, b, d) float64, zero-padded to the widest, an input's rows of all views side by side.
        means: (b, d) that were taken off.
        widths: (b,) int64 how many columns each view has.
        precision: (b,) relative spacing of the numbers that each came in.
        widest: how many columns the widest has of all views that are compared.
    """

    names: Sequence[str]
    columns: Tensor
    means: Tensor
    widths: Tensor
    precision: Tensor
    widest: int

    @classmethod
    def of(cls, views: Mapping[str, Tensor], device: torch.device, widest: int) -> "Block":
        """From tensors of the same inputs by their names.

        Where squares of the entries would not fit into float64, a view is divided by a power of two.

        Raises:
            InputError: an entry that is not finite, or all rows of a view are equal.
        """
        tensors = list(views.values())
        widths = [tensor.shape[1] for tensor in tensors]
        shape = (len(tensors[0]), len(tensors), max(widths))
        make = torch.empty if min(widths) == max(widths) else torch.zeros
        columns = make(shape, dtype=torch.float64, device=device)
        means = torch.zeros(shape[1:], dtype=torch.float64, device=device)
        for index, (tensor, width) in enumerate(zip(tensors, widths, strict=True)):
            mean = torch.mean(tensor, 0, dtype=torch.float64, out=means[index, :width])
            torch.sub(tensor.to(device), mean, out=columns[:, index, :width])
        spreads = torch.maximum(columns.amax((0, 2)), -columns.amin((0, 2))).tolist()
        sizes = means.abs().amax(1).tolist()
        for index, (name, size, spread) in enumerate(zip(views, sizes, spreads, strict=True)):
            largest = max(size, spread)
            if not 1e-100 < largest < 1e100:
                largest, spread = _rescaled(name, tensors[index], columns[:, index], means[index])
            if not spread > 4 * torch.finfo(torch.float64).eps * largest:
                raise InputError(
                    f"{name}: all rows are equal; a constant view is similar to nothing (check how it was made)"
                )
        precision = torch.tensor([torch.finfo(tensor.dtype).eps for tensor in tensors], dtype=torch.float64)
        return cls(list(views), columns, means, torch.tensor(widths, device=device), precision.to(device), widest)

    def by_view(self) -> Tensor:
        """(b, N, d) columns."""
        return self.columns.movedim(1, 0)


def products(first: Tensor, second: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """(m, d, e) AᵀB of views i of one block, (N, a, d), and j of another, (N, b, e), by one product of all."""
    if len(i) == 1:
        return (first[:, int(i)].T @ second[:, int(j)])[None]
    found = first.flatten(1).T @ second.flatten(1)
    return found.reshape(*first.shape[1:], *second.shape[1:])[i, :, j]


def gram(views: Tensor) -> Tensor:
    """(b, d, d) XᵀX of (b, N, d) views; of many columns a strip at a time, each entry once by symmetry."""
    width = views.shape[-1]
    if width < 4 * _STRIP:
        return views.mT @ views
    found = views.new_empty(len(views), width, width)
    for start in range(0, width, _STRIP):
        stop = min(start + _STRIP, width)
        strip = views[..., start:stop].mT @ views[..., start:]
        found[:, start:stop, start:] = strip
        found[:, stop:, start:stop] = strip[..., stop - start :].mT
    return found


def of_two(
    z: Array, w: Array, side: Callable[[Block], Side], of: Callable[[Side, Side, Tensor, Tensor], Tensor]
) -> float:
    """A measure of two views of the same inputs, by what belongs to each and what it is of both.

    Raises:
        InputError: one is no view, or they are not of the same inputs.
    """
    tensors = _same_inputs({"z": z, "w": w})
    device = _device(tensors["z"])
    i, j = torch.zeros(2, 1, dtype=torch.int64, device=device)
    widest = max(tensor.shape[1] for tensor in tensors.values())
    if tensors["z"].shape == tensors["w"].shape and tensors["z"].numel() < _FEW:  # fewer steps, on strided columns
        both = side(Block.of(tensors, device, widest))
        return float(of(both, both, i, j + 1))
    first, second = (side(Block.of({name: tensor}, device, widest)) for name, tensor in tensors.items())
    return float(of(first, second, i, j))


def of_all_pairs(
    views: Sequence[Array] | Mapping[str, Array],
    side: Callable[[Block], Side],
    of: Callable[[Side, Side, Tensor, Tensor], Tensor],
    description: str,
) -> NDArray[np.float64]:
    """(n, n) a symmetric measure of all pairs of views, 1 of each with itself, in blocks of views.

    Args:
        views: n arrays of the same inputs, by their names or not.
        side: what belongs to each view of a block.
        of: (m,) the measure of views i of one block and j of another.
        description: for progress.

    Raises:
        InputError: there are none, one is no view, or they are not of the same inputs.
    """
    named = views if isinstance(views, Mapping) else dict(enumerate(views))
    tensors = _same_inputs({f"views[{name!r}]": view for name, view in named.items()})
    names, count = list(tensors), len(tensors)
    rows, width = len(tensors[names[0]]), max(tensor.shape[1] for tensor in tensors.values())
    device = _device(tensors[names[0]])
    step = max(1, min(max(-(-count // _BLOCKS), _BLOCK_COLUMNS // width), _BLOCK_BYTES // (8 * rows * width)))
    kept = max(2, _KEPT_BYTES // (8 * rows * width * step))

    @lru_cache(maxsize=kept)
    def prepared(start: int) -> Side:
        return side(Block.of({name: tensors[name] for name in names[start : start + step]}, device, width))

    result = torch.eye(count, dtype=torch.float64, device=device)
    blocks = [(a, b) for a in range(0, count, step) for b in range(a, count, step)]
    with progress(description, len(blocks)) as advance:
        for a, b in blocks:
            here, there = min(step, count - a), min(step, count - b)
            i, j = torch.ones(here, there, dtype=torch.bool, device=device).triu(1 if a == b else -count).nonzero().T
            if len(i):
                result[a + i, b + j] = result[b + j, a + i] = of(prepared(a), prepared(b), i, j)
            elif count == 1:
                prepared(a)  # for what is wrong with it
            advance(1)
    found: NDArray[np.float64] = result.cpu().numpy()
    return found


def _same_inputs(views: Mapping[str, Array]) -> dict[str, Tensor]:
    """Tensors with a row for each of the same inputs."""
    tensors: dict[str, Tensor] = {}
    for name, view in views.items():
        tensor = as_tensor(view, name)
        if tensor.ndim != 2 or 0 in tensor.shape:
            raise InputError(f"{name}: shape {tuple(tensor.shape)}; a matrix with one row an input is needed")
        tensors[name] = tensor
        first = next(iter(tensors))
        if name != first:
            check_same_inputs(tensors[first], tensor, (first, name))
    if not tensors:
        raise InputError("views: none; at least one is needed")
    return tensors


def _rescaled(name: str, tensor: Tensor, column: Tensor, mean: Tensor) -> tuple[float, float]:
    """Divide a view by a power of two, for squares that fit into float64; its largest entry and that about the mean."""
    smallest, largest = torch.aminmax(tensor.double())
    size = float(torch.maximum(-smallest, largest))
    if not math.isfinite(size):
        raise InputError(f"{name}: NaN or infinity among its entries; all numbers must be finite")
    scaled = tensor.double() * 2.0 ** -min(max(math.frexp(size)[1], -1000), 1000)
    width = tensor.shape[1]
    torch.mean(scaled, 0, out=mean[:width])
    torch.sub(scaled, mean[:width], out=column[:, :width])
    return float(scaled.abs().amax()), float(column.abs().amax())


def _device(tensor: Tensor) -> torch.device:
    """Where to compute: where the first one is, but for devices without float64."""
    return torch.device("cpu") if tensor.device.type == "mps" else tensor.device
