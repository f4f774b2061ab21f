"""Plain arrays on their way into a measure."""

import math

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.representations.arrays import as_tensor

SMALLEST, LARGEST = 1e-60, 1e60  # entries whose fourth powers, and sums of them, fit into float64
ROUNDING = 4 * torch.finfo(torch.float64).eps  # beside a column's largest entry: half a range up to that is rounding


def as_view(z: ArrayLike | Tensor, name: str) -> Tensor:
    """An (n, d) view of inputs as a float64 tensor.

    Where fourth powers of the entries would not fit into float64, it is divided by a power of two: no measure of views
    depends on its scale.

    Raises:
        InputError: not a matrix, or an entry that is not finite.
    """
    return in_float64(as_matrix(z, name), name)


def as_matrix(z: ArrayLike | Tensor, name: str) -> Tensor:
    """An (n, d) view of inputs as it came.

    Raises:
        InputError: not a matrix.
    """
    view = as_tensor(z, name)
    if view.ndim != 2 or 0 in view.shape:
        raise InputError(f"{name}: shape {tuple(view.shape)}; a matrix with one row an input is needed")
    return view


def in_float64(view: Tensor, name: str) -> Tensor:
    """The same of a tensor that is a matrix."""
    smallest, largest = torch.aminmax(view)
    size = max(-float(smallest), float(largest))
    if not math.isfinite(size):
        raise InputError(f"{name}: NaN or infinity among its entries; all numbers must be finite")
    view = view.cpu().double() if view.device.type == "mps" else view.double()
    return view if SMALLEST < size < LARGEST else view * 2.0 ** -min(max(math.frexp(size)[1], -1000), 1000)


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
        left: the largest entry of the centred view, half a column's range, or what bounds them from above.
        largest: that of the view.
        name: what errors call it.

    Raises:
        InputError: it is.
    """
    if not float(left) > ROUNDING * float(largest):
        raise InputError(f"{name}: all rows are equal; a constant view is similar to nothing (check how it was made)")
