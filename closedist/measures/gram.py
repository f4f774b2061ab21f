"""Gram matrices, each entry once by symmetry: of many columns a strip at a time."""

from torch import Tensor

_STRIP = 64  # columns of a symmetric product at once


def gram(columns: Tensor) -> Tensor:
    """(…, d, d) XᵀX of (…, r, d) columns."""
    width = columns.shape[-1]
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
    for start in range(0, columns.shape[1], _STRIP):
        strip = columns[:, start : start + _STRIP].mT @ columns[:, start:]
        total += 2.0 * strip.square().sum() - strip[:, :_STRIP].square().sum()
    return total
