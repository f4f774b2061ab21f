"""Numbers on their way into the page: few bytes, and nothing that JSON has no word for."""

import base64
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

STEPS = 65535  # of a coordinate between the smallest and the largest: finer than any screen


def packed(array: ArrayLike, kind: str) -> dict[str, Any]:
    """An array as base64 of little-endian numbers, with its shape.

    Args:
        array: of any shape.
        kind: "float32", "uint16" or "uint32"; the page reads these.
    """
    values = np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<"))
    return {"kind": kind, "shape": list(values.shape), "bytes": base64.b64encode(values.tobytes()).decode()}


def points(coordinates: NDArray[np.float64]) -> dict[str, Any]:
    """(n, d) coordinates in 65,535 steps from each column's smallest to its largest."""
    low, high = coordinates.min(0), coordinates.max(0)
    steps = np.rint((coordinates - low) / np.where(high > low, high - low, 1.0) * STEPS)
    return {"low": rounded(low), "high": rounded(high), "steps": packed(steps, "uint16")}


def rounded(values: ArrayLike, digits: int = 6) -> Any:
    """Numbers, or lists of them, to so many significant digits; None for what is not finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim:
        return [rounded(value, digits) for value in array]
    return float(f"{array:.{digits}g}") if np.isfinite(array) else None
