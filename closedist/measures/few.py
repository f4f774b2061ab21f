"""Few columns: measures of all pairs from the one table of their products, in NumPy, without a step for each view."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedist.measures.joint import Columns

WELL_CONDITIONED = 1e-3  # of singular values: a product of two bases by one Gram matrix each is good to 1e-10
TALL = 8  # rows to a column, from which Gram matrices are less work than QR
_SINGLE = float(np.finfo(np.float32).eps)  # spacing, whose rounding is far below what is well conditioned

Array = NDArray[np.float64]


def squared_norms(columns: Columns) -> Array | None:
    """(n, n) squared Frobenius norms of XᵀY, or None where there is no table."""
    if columns.products is None or columns.turns is not None:
        return None
    starts = columns.starts[:-1]
    squares: Array = np.add.reduceat(np.add.reduceat(np.square(columns.products), starts, 0), starts, 1)
    return (squares + squares.T) / 2  # the two sums of a pair round differently


def correlation_norms(columns: Columns, lengths: Array) -> Array | None:
    """(n, n) nuclear norms of XᵀY, the columns divided by their (Σd,) lengths, or None; 0 of a view with itself.

    None where there is no table, or more than two views of several widths.
    """
    if columns.products is None or columns.turns is not None:
        return None
    correlations = columns.products / lengths / lengths[:, None]
    if len(columns) == 2:
        start = columns.widths[0]
        return _symmetric(2, _nuclear(correlations[None, :start, start:]))
    if len(set(columns.widths)) > 1:
        return None
    i, j = _pairs(len(columns))
    return _symmetric(len(columns), _nuclear(_blocks(correlations, len(columns))[i, j]))


def canonical_norms(columns: Columns, spacings: tuple[float, ...]) -> Array | None:
    """(n, n) sums of the canonical correlations of all pairs, 0 of a view with itself, or None.

    None where there is no table, where the views are of several widths, not tall or of half precision, or where one
    Gram matrix does not give a view's basis to 1e-10; :func:`closedist.measures.factors.factors` then does.
    """
    table, width, count = columns.products, columns.widths[0], len(columns)
    if table is None or columns.widths.count(width) < count or len(columns.side) <= TALL * width:
        return None
    if max(spacings) > _SINGLE:
        return None
    if (count, width) == (2, 2):
        return _of_two_planes(table)
    lengths = np.sqrt(table.diagonal())
    if not lengths.all():
        return None
    correlations = _blocks(table / lengths / lengths[:, None], count)
    own = range(count)
    squares, axes = np.linalg.eigh(correlations[own, own])
    if not (squares[:, 0] > WELL_CONDITIONED**2 * squares[:, -1]).all():
        return None
    turns = axes / np.sqrt(squares)[:, None]
    i, j = _pairs(count)
    return _symmetric(count, _nuclear(turns[i].swapaxes(1, 2) @ correlations[i, j] @ turns[j]))


def _of_two_planes(table: Array) -> Array | None:
    """The same of two columns and two: with A their whitened product (σ₁ + σ₂)² = ‖A‖² + 2|det A|, in plain numbers."""
    (zz, zu, a, b), (_, uu, c, d), (_, _, ww, wv), (_, _, _, vv) = table.tolist()
    if not zz * ww > 0:
        return None
    # columns z, u and w, v: u and v less their parts along z and w
    of_u, of_v = zu / zz, wv / ww
    left, right = uu - of_u * zu, vv - of_v * wv
    if not (left > WELL_CONDITIONED * uu and right > WELL_CONDITIONED * vv):
        return None
    c, d = c - of_u * a, d - of_u * b
    b, d = b - of_v * a, d - of_v * c
    squares = a * a / (zz * ww) + b * b / (zz * right) + c * c / (left * ww) + d * d / (left * right)
    total = math.sqrt(squares + 2 * abs(a * d - b * c) / (math.sqrt(zz * left) * math.sqrt(ww * right)))
    return np.array([[0.0, total], [total, 0.0]])


def _blocks(table: Array, count: int) -> Array:
    """(n, n, d, d) of an (n·d, n·d) table."""
    width = len(table) // count
    return table.reshape(count, width, count, width).swapaxes(1, 2)


@lru_cache(maxsize=1)
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices i < j of all pairs."""
    found = np.triu_indices(count, 1)
    return found[0], found[1]


def _symmetric(count: int, values: Array) -> Array:
    result = np.zeros((count, count))
    i, j = _pairs(count)
    result[i, j] = result[j, i] = values
    return result


def _nuclear(matrices: Any) -> Array:
    """(m,) as :func:`closedist.measures.singular_values.nuclear_norm`."""
    if matrices.shape[1:] == (2, 2):
        a, b, c, d = matrices.reshape(-1, 4).T
        squares: Array = a * a + b * b + c * c + d * d + 2 * abs(a * d - b * c)
        return np.sqrt(squares)
    sums: Array = np.linalg.svd(matrices, compute_uv=False).sum(1)
    return sums
