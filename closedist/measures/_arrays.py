"""Plain arrays on their way into a measure."""

import math

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.representations import as_tensor


def two_views(
    z: ArrayLike | Tensor, w: ArrayLike | Tensor, names: tuple[str, str] = ("z", "w")
) -> tuple[Tensor, Tensor]:
    """Two (n, d) views of the same inputs as float64 tensors on the first one's device.

    Where squares of the entries would not fit into float64, a view is divided by a power of two: no measure of views
    depends on its scale.

    Raises:
        InputError: not matrices, different numbers of rows, fewer than two rows, or an entry that is not finite.
    """
    first, second = as_tensor(z, names[0]), as_tensor(w, names[1])
    for name, view in zip(names, (first, second), strict=True):
        if view.ndim != 2 or 0 in view.shape:
            raise InputError(f"{name}: shape {tuple(view.shape)}; a matrix with one row an input is needed")
        if not math.isfinite(_largest(view)):
            raise InputError(f"{name}: NaN or infinity among its entries; all numbers must be finite")
    if first.shape[0] != second.shape[0] or first.shape[0] < 2:
        raise InputError(
            f"{names[0]} and {names[1]}: {first.shape[0]} and {second.shape[0]} rows; both need one row for "
            "each of the same inputs, and at least two of them"
        )
    device = torch.device("cpu") if first.device.type == "mps" else first.device
    return _of_moderate_size(first.to(device, torch.float64)), _of_moderate_size(second.to(device, torch.float64))


def _largest(view: Tensor) -> float:
    """The largest absolute value; NaN where there is one."""
    smallest, largest = torch.aminmax(view)
    return float(torch.maximum(-smallest, largest))


def _of_moderate_size(view: Tensor) -> Tensor:
    largest = _largest(view)
    if 1e-100 < largest < 1e100:
        return view
    return view * 2.0 ** -min(max(math.frexp(largest)[1], -1000), 1000)
