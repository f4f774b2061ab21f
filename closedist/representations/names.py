"""What inputs and labels are called: whole numbers or strings, from wherever they come, and in a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError, brief

MAX_NAME_CHARACTERS = 1 << 28  # 1 GiB as an array of strings
Names = ArrayLike | Tensor | Mapping[Any, Any]  # columns of a data frame are arrays too


def as_names(names: Names | None, argument: str, count: int, what: str) -> NDArray[Any] | None:
    """Names as an array of int64 or of strings, whatever holds them; None stays None.

    Args:
        names: (count,) or (count, k) integers or strings: an array, a list, a column of a data frame, a tensor; or a
            dictionary from 0 … count − 1 to names, such as ``id2label`` of a model's config, with integers or, as JSON
            has them, strings for keys.
        argument, what: what errors call the names and each thing that has one.

    Raises:
        InputError: an entry is neither an integer nor a string or does not fit into 64 bits with a sign, or there is
            not one for each.
    """
    if names is None:
        return None
    if isinstance(names, Mapping):
        names = _in_order(names, argument, count)
    elif isinstance(names, Tensor):
        names = (names.double() if names.is_floating_point() else names).detach().cpu().numpy()
    try:
        array = np.asarray(names)
    except ValueError as error:
        raise InputError(f"{argument}: {error}; one entry for each {what}, {count:,} of them, is needed") from error
    if array.ndim not in (1, 2) or array.shape[0] != count:
        raise InputError(f"{argument}: shape {array.shape}; one entry for each {what}, {count:,} of them, is needed")
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind in "iu":
        return _as_int64(array, argument)
    if array.dtype.kind == "f":  # perhaps a list of integers beyond 2**63, of which NumPy makes floats
        objects = np.asarray(names, dtype=object)
        array = objects if all(isinstance(entry, int) for entry in objects.ravel().tolist()) else array
    if array.dtype.kind not in "OT":
        raise InputError(f"{argument}: entries of type {array.dtype}; integers or strings are needed")
    return _by_value(array, argument)


def _in_order(names: Mapping[Any, Any], argument: str, count: int) -> list[Any]:
    by_number = {str(key): name for key, name in names.items()}
    absent = next((number for number in range(count) if str(number) not in by_number), None)
    if absent is not None or len(by_number) != count:
        shown = f"has no key {absent}" if absent is not None else f"has {len(by_number):,} keys"
        raise InputError(f"{argument}: the dictionary {shown}; its keys must be 0 … {count - 1}, its values the names")
    return [by_number[str(number)] for number in range(count)]


def _by_value(array: NDArray[Any], argument: str) -> NDArray[Any]:
    """An array of Python objects, as data frames have, by what the entries are."""
    entries = array.ravel().tolist()
    if all(isinstance(entry, str) for entry in entries):
        return np.array(entries, dtype=np.str_).reshape(array.shape)
    for where, entry in enumerate(entries):
        if isinstance(entry, bool) or not isinstance(entry, str | int | np.integer):
            place = np.unravel_index(where, array.shape)
            raise InputError(
                f"{argument}: {entry!r} at {', '.join(map(str, place))} is of type {type(entry).__name__}; integers or "
                "strings are needed"
            )
    if any(isinstance(entry, str) for entry in entries):
        raise InputError(f"{argument}: integers and strings; make all of them strings")
    return _as_int64(array, argument)


def _as_int64(array: NDArray[Any], argument: str) -> NDArray[Any]:
    limits = np.iinfo(np.int64)
    largest, smallest = int(array.max(initial=0)), int(array.min(initial=0))
    if largest > limits.max or smallest < limits.min:
        wrong = largest if largest > limits.max else smallest
        raise InputError(f"{argument}: {wrong} does not fit into 64 bits with a sign; pass such numbers as strings")
    return array.astype(np.int64)


def as_digests(digests: ArrayLike | Tensor | None, count: int) -> NDArray[np.int64] | None:
    """Fingerprints of so many inputs, (N,) int64, or None.

    Raises:
        InputError: they are something else.
    """
    if digests is None:
        return None
    array = digests.cpu().numpy() if isinstance(digests, Tensor) else np.asarray(digests)
    if array.dtype != np.int64 or array.shape != (count,):
        raise InputError(
            f"input_digests: {array.dtype} of shape {array.shape}; one int64 for each of the {count:,} inputs is needed"
        )
    return array


def stored_names(names: NDArray[Any]) -> Tensor:
    """Names as the tensor that a file holds: int64, or the UTF-8 bytes of a JSON list of strings."""
    if names.dtype.kind == "i":
        return torch.from_numpy(np.ascontiguousarray(names))
    return torch.frombuffer(bytearray(json.dumps(names.tolist()).encode()), dtype=torch.uint8)


def read_names(stored: Tensor | None, name: str, path: str | Path) -> NDArray[Any] | None:
    """Names from the tensor of this name in a file, or None where there is none.

    Raises:
        InputError: the tensor does not hold names.
    """
    if stored is None:
        return None
    if stored.dtype == torch.int64:
        return np.asarray(stored.numpy())
    try:
        if stored.dtype != torch.uint8:
            raise TypeError(f"its type is {stored.dtype}")
        return _as_strings(json.loads(stored.numpy().tobytes().decode()))
    except (ValueError, TypeError, RecursionError) as error:
        message = f'{path}: the tensor "{name}" is neither int64 nor a JSON list of strings: {brief(error)}'
        raise InputError(message) from error


def _as_strings(names: Any) -> NDArray[Any]:
    """Strings, or lists of strings, as an array; all of its entries take the room of the longest."""
    rows = names if isinstance(names, list) else [names]
    flat = [entry for row in rows for entry in (row if isinstance(row, list) else [row])]
    if not all(isinstance(entry, str) for entry in flat):
        raise TypeError("an entry is no string")
    if len(flat) * max(map(len, flat), default=0) > MAX_NAME_CHARACTERS:
        raise ValueError(f"{len(flat):,} names as long as the longest would fill the memory")
    return np.array(names, dtype=np.str_)


def model_names(count: int) -> list[str]:
    """What errors call the models of a call: p and q, or their numbers."""
    return ["p", "q"] if count == 2 else [str(index) for index in range(count)]
