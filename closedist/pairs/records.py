"""Columns of numbers, one a field of Comparison, put together as comparisons or as arrays."""

import math
from collections.abc import Callable, Iterable, Sequence
from types import NoneType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from closedist.comparison import COLUMNS, FIELDS, Comparison
from closedist.errors import InputError
from closedist.measures.settings import Settings
from closedist.pairs.wanted import kept
from closedist.representations import Representations

Entry = float | str | tuple[float, ...] | tuple[str, str] | None
Columns = dict[str, Tensor | Sequence[Entry] | Entry]  # by names in COLUMNS, with an entry a pair, or one for all pairs
Arrays = dict[str, NDArray[Any]]
_ABSENT = ("mean_cca_unembeddings",)  # where NaN says that a pair has no such number
_NO_FIELDS = {column.name: None for column in COLUMNS[len(FIELDS) :]}
_NUMBERS = {int, float, bool, NoneType, *(kind | None for kind in (int, float, bool))}


def of_call(model: Representations, size: int, settings: Settings) -> Columns:
    """What is the same for all pairs of a call that have the same K, by names in COLUMNS."""
    pivots = model.num_labels if settings.pivots is None else len(settings.pivots)
    return {
        "subset_size": size,
        "weight": settings.weight,
        "reduction": settings.reduction,
        "combine": settings.combine,
        "num_inputs": model.num_inputs,
        "num_labels": model.num_labels,
        "num_pivots": pivots if size else 0,
        "num_samples": settings.num_samples if size and settings.input_set is None else None,
        "input_search": settings.input_search if size and settings.input_set is None else None,
        "seed": settings.seed,
    }


def records(columns: Columns) -> list[Comparison]:
    """Put m comparisons together; a name that is none of COLUMNS is a TypeError."""
    record: Callable[..., Comparison] = Comparison
    lists = {name: _entries(values, name) for name, values in columns.items() if isinstance(values, Tensor | list)}
    constants = {name: value for name, value in columns.items() if name not in lists}
    named = [name for name in _NO_FIELDS if name in lists]
    measures = [dict(zip(named, row, strict=True)) for row in zip(*map(lists.pop, named), strict=True)]
    rows = zip(*lists.values(), strict=True)
    if not named:
        return [record(**constants, **dict(zip(lists, row, strict=True)), measures={}) for row in rows]
    return [
        record(**constants, **dict(zip(lists, row, strict=True)), measures=numbers)
        for row, numbers in zip(rows, measures, strict=True)
    ]


def _entries(values: Tensor | list[Entry], name: str) -> Sequence[Entry]:
    """Plain numbers, or tuples of them; None for the NaN of what a black box has not, and no other NaN is hidden."""
    if not isinstance(values, Tensor):
        return values
    if values.ndim > 1:
        return list(map(tuple, values.tolist()))
    if name not in _ABSENT and name not in _NO_FIELDS:
        return values.tolist()
    return [None if math.isnan(entry) else entry for entry in values.tolist()]


def checked_names(wanted: bool | Sequence[str], settings: Settings) -> list[str]:
    """The columns that arrays are wanted of: these, or without names all that have one number a pair.

    Raises:
        InputError: a name that is no column's, or of one that ``measures`` did not name.
    """
    known = {column.name: column for column in COLUMNS if column.name not in ("names", "measures")}
    computed = kept(known, settings)
    if isinstance(wanted, bool):
        return [name for name, column in computed.items() if {column.type, *get_args(column.type)} <= _NUMBERS]
    for name in wanted:
        if name not in known:
            raise InputError(f"as_rows: {name!r} is no number of a comparison; these are {', '.join(known)}")
        if name not in computed:
            raise InputError(f"as_rows: {name!r} is not among what is measured; name it in measures= too")
    return list(wanted)


def arrays(found: Iterable[tuple[Tensor, Columns]], pairs: NDArray[np.int64], wanted: Sequence[str]) -> Arrays:
    """One array a column, with an entry a pair; what a pair does not have is NaN, or None among names.

    Args:
        found: positions of pairs, and the columns of these.
        pairs: (m, 2) indices of models.
        wanted: names of columns; those of several numbers become matrices, filled up with NaN (inputs with −1).
    """
    result: Arrays = {"first": pairs[:, 0], "second": pairs[:, 1]}
    parts: dict[str, list[tuple[NDArray[np.int64], NDArray[Any]]]] = {name: [] for name in wanted}
    for which, columns in found:
        rows = which.numpy()
        for name in wanted:
            if (values := columns.get(name)) is not None:
                parts[name].append((rows, _array(values, len(rows))))
    return result | {name: _whole(of_name, len(pairs)) for name, of_name in parts.items()}


def _whole(parts: Sequence[tuple[NDArray[np.int64], NDArray[Any]]], count: int) -> NDArray[Any]:
    """A column from its parts: positions of pairs, and their entries."""
    width = max((values.shape[1] for _, values in parts if values.ndim == 2), default=None)
    kind = np.result_type(*(values.dtype for _, values in parts)) if parts else np.dtype(float)
    if kind.kind == "i" and width is None and sum(len(rows) for rows, _ in parts) < count:
        kind = np.dtype(float)
    empty: Any = {"f": np.nan, "i": -1, "O": None}.get(kind.kind, "")
    whole = np.full(count if width is None else (count, width), empty, dtype=kind)
    for rows, values in parts:
        if values.ndim == 2:
            whole[rows, : values.shape[1]] = values
        else:
            whole[rows] = values
    return whole


def _array(values: Any, count: int) -> NDArray[Any]:
    """A column's entries as (m,) or (m, several)."""
    if isinstance(values, Tensor):
        found: NDArray[Any] = values.cpu().numpy().copy()  # what it may be a part of is not kept
        return found
    if not isinstance(values, list):
        return np.full(count, values)
    if any(entry is None for entry in values):
        found = np.empty(len(values), dtype=object)
        found[:] = values
        return found
    if not isinstance(values[0], tuple):
        return np.asarray(values)
    width = max(map(len, values))
    return np.array([entry + (np.nan,) * (width - len(entry)) for entry in values])
