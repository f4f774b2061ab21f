"""Products of tall columns; of columns with themselves each entry is computed once, by symmetry.

On the processor NumPy multiplies: its BLAS has the symmetric product that PyTorch has no name for, and its threads wait
for each other a tenth as long where other programs have the cores.
"""

import numpy as np
import torch
from torch import Tensor

_STRIP = 64  # columns of a symmetric product at once, where PyTorch computes it
_WIDE = 1024  # columns of which the products with all others are held at once


def product(left: Tensor, right: Tensor) -> Tensor:
    """(d, e) XᵀY of (r, d) and (r, e) columns."""
    if left.device.type != "cpu":
        return left.mT @ right
    with np.errstate(all="ignore"):  # what overflows is looked at by those who asked
        return torch.from_numpy(left.numpy().T @ right.numpy())


def gram(columns: Tensor) -> Tensor:
    """(…, d, d) XᵀX of (…, r, d) columns."""
    width = columns.shape[-1]
    if columns.ndim == 2 and columns.device.type == "cpu":
        return product(columns, columns)
    if width < 2 * _STRIP:
        return columns.mT @ columns
    found = columns.new_empty(*columns.shape[:-2], width, width)
    for start in range(0, width, _STRIP):
        stop = min(start + _STRIP, width)
        strip = columns[..., start:stop].mT @ columns[..., start:]
        found[..., start:stop, start:] = strip
        found[..., stop:, start:stop] = strip[..., stop - start :].mT
    return found


def squared_norm(columns: Tensor) -> Tensor:
    """‖XᵀX‖² of (r, d) columns."""
    total = columns.new_zeros(())
    for start in range(0, columns.shape[1], _WIDE):
        own, beyond = columns[:, start : start + _WIDE], columns[:, start + _WIDE :]
        total += gram(own).square().sum() + 2.0 * product(own, beyond).square().sum()
    return total
