"""Plain arrays on their way into a measure."""

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.representations import as_tensor


def two_views(
    z: ArrayLike | Tensor, w: ArrayLike | Tensor, names: tuple[str, str] = ("z", "w")
) -> tuple[Tensor, Tensor]:
    """Two (n, d) views of the same inputs as float64 tensors on the first one's device.

    Raises:
        InputError: not matrices, different numbers of rows, fewer than two rows, or an entry that is not finite.
    """
    first, second = as_tensor(z, names[0]), as_tensor(w, names[1])
    for name, view in zip(names, (first, second), strict=True):
        if view.ndim != 2 or 0 in view.shape:
            raise InputError(f"{name}: shape {tuple(view.shape)}; a matrix with one row an input is needed")
        if not bool(torch.isfinite(view.sum(dtype=torch.float64))) and not bool(torch.isfinite(view).all()):
            raise InputError(f"{name}: NaN or infinity among its entries; all numbers must be finite")
    if first.shape[0] != second.shape[0] or first.shape[0] < 2:
        raise InputError(
            f"{names[0]} and {names[1]}: {first.shape[0]} and {second.shape[0]} rows; both need one row for "
            "each of the same inputs, and at least two of them"
        )
    device = torch.device("cpu") if first.device.type == "mps" else first.device
    return first.to(device, torch.float64), second.to(device, torch.float64)
