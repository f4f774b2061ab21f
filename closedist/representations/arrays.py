"""Arrays as they come: as tensors, in blocks, and what can be told from their numbers."""

import logging
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError

_BLOCK_ELEMENTS = 1 << 20  # what a check of a memory-mapped array holds at once
_FLOATING_POINT = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_PLAIN = (torch.float32, torch.float64)
_ROUNDED = 1e-4  # what softmax in float32 of logits in the hundreds leaves of a row's sum of 1
_DOUBTFUL = 0.05  # what two decimals leave of it, of a few labels
_DECIMALS = range(5)  # that probabilities are rounded to for a reader
_FEWEST_FILLED = 16  # labels, below which a few entries beside a constant may well be logits
Chosen = slice | Sequence[int] | NDArray[Any] | Tensor  # numbers of inputs or labels, or a mask over them

log = logging.getLogger(__name__)


def as_tensor(array: ArrayLike | Tensor, name: str) -> Tensor:
    """A real floating-point tensor that shares the array's memory where it can; ``name`` says in errors what it is.

    Raises:
        InputError: not an array of real numbers that PyTorch can compute with.
    """
    if type(array) is np.ndarray and array.dtype == np.float64 and array.flags.carray:  # most, and at once
        return torch.from_numpy(array)
    if isinstance(array, Tensor):
        if array.dtype in _PLAIN and array.layout == torch.strided and not array.requires_grad:
            return array
        tensor = array.detach()
    elif hasattr(array, "unembeddings"):
        raise InputError(f"{name}: a model's representations, of which this takes one side; pass .embeddings")
    else:
        try:
            values = np.asarray(array)
            if values.dtype.kind not in "fiub":
                raise TypeError(f"entries of type {values.dtype}")
            if values.dtype.kind == "f" and values.dtype.itemsize > 8:
                values = values.astype(np.float64)
            if not values.dtype.isnative:
                values = values.astype(values.dtype.newbyteorder("="))
            if min(values.strides, default=0) < 0:
                values = np.ascontiguousarray(values)
            tensor = torch.from_numpy(values) if values.flags.writeable else _read_only(values)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: {error}; an array of real numbers is needed") from error
    if tensor.is_complex():
        raise InputError(f"{name}: complex numbers; an array of real numbers is needed")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise InputError(f"{name}: a sparse or quantised tensor; pass tensor.to_dense() or tensor.dequantize()")
    if not tensor.is_floating_point():
        return tensor.double()
    if tensor.dtype not in _FLOATING_POINT:
        raise InputError(f"{name}: {tensor.dtype}, in which nothing can be computed; pass tensor.float()")
    return tensor


def _read_only(values: NDArray[Any]) -> Tensor:
    """A tensor over an array that is only ever read, without PyTorch's warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(values)


def as_index(which: Chosen | None, count: int, argument: str) -> slice | Tensor:
    """A choice among so many inputs or labels as an index: a slice where it can be one, which copies nothing.

    Args:
        which: whole numbers from 0, a mask, a slice, or None for all.
        count: how many there are.
        argument: what to call the choice in errors, "inputs" or "labels".

    Raises:
        InputError: not such numbers, one is out of range, a label is named twice, or there are none.
    """
    if which is None:
        return slice(0, count)
    if isinstance(which, slice):
        numbers = np.arange(count)[which]
    else:
        numbers = which.detach().cpu().numpy() if isinstance(which, Tensor) else np.asarray(which)
        if numbers.dtype.kind == "b" and numbers.shape == (count,):
            numbers = np.flatnonzero(numbers)
    if numbers.ndim != 1 or not len(numbers) or numbers.dtype.kind not in "iu":
        raise InputError(
            f"{argument}: {numbers.dtype} of shape {numbers.shape}; whole numbers 0 … {count - 1}, a mask of "
            f"{count:,} or a slice is needed, and at least one of them"
        )
    if numbers.min() < 0 or numbers.max() >= count:
        wrong = numbers[(numbers < 0) | (numbers >= count)][0]
        raise InputError(f"{argument}: {wrong} is none of the {count:,} {argument}, which are numbered 0 … {count - 1}")
    numbers = numbers.astype(np.int64)
    first, last = int(numbers[0]), int(numbers[-1])
    if np.array_equal(numbers, np.arange(first, last + 1)):
        return slice(first, last + 1)
    if argument == "labels" and len(np.unique(numbers)) < len(numbers):
        raise InputError("labels: one is named twice, which would count its probability twice; name each once")
    return torch.from_numpy(numbers)


def blocks(matrix: Tensor) -> list[slice]:
    """The rows of a matrix, so many at a time that a copy of them is small."""
    rows = max(1, _BLOCK_ELEMENTS // max(1, matrix[0].numel()))
    return [slice(start, start + rows) for start in range(0, matrix.shape[0], rows)]


def largest_of(tensor: Tensor, name: str) -> float:
    """The largest absolute value; an InputError that says where where it is not finite."""
    smallest, largest = (float(value) for value in torch.aminmax(tensor))
    if math.isfinite(smallest) and math.isfinite(largest):
        return max(-smallest, largest)
    for rows in blocks(tensor):
        wrong = (~torch.isfinite(tensor[rows])).nonzero()
        if len(wrong):
            where = wrong[0].tolist()
            where[0] += rows.start
            found = float(tensor[tuple(where)])
            what = "NaN" if math.isnan(found) else "infinity"
            remedy = "mask or drop what is not"
            if name == "logits" and found == -math.inf:
                remedy = "the log of a probability of 0 is not: pass np.log(p.clip(1e-6))"
            raise InputError(
                f"{name}: {what} at {where} of shape {tuple(tensor.shape)}; all numbers must be finite ({remedy})"
            )
    raise AssertionError("unreachable: aminmax finds what isfinite finds")


def distance_from_probabilities(matrix: Tensor) -> float:
    """How far the rows of (N, C) are from distributions: the largest |Σ_y − 1|, infinite where an entry is negative."""
    largest = torch.zeros((), dtype=torch.float64, device=matrix.device)
    for rows in blocks(matrix):
        block = matrix[rows].double()
        if bool((block < 0).any()):
            return math.inf
        largest = torch.maximum(largest, (block.sum(1) - 1).abs().amax())
    return float(largest)


def are_probabilities(logits: Tensor) -> bool:
    """Whether every row is a distribution, as far as the type of its numbers can tell.

    Raises:
        InputError: rows sum to 1 too roughly to say, or a probability is 0.
    """
    distance = distance_from_probabilities(logits)
    rounding = max(_ROUNDED, 4 * torch.finfo(logits.dtype).eps)
    if distance == math.inf or (distance > max(rounding, _DOUBTFUL) and distance > _left_by_decimals(logits)):
        return False
    remedy = "where these are logits, pass z - z.mean(1, keepdims=True), which is the same model"
    if distance > rounding:
        raise InputError(
            f"logits: no entry is negative and every row sums to 1 within {distance:.1g}, as rounded probabilities do; "
            f"of probabilities pass the logarithm; {remedy}"
        )
    if bool((logits == 0).any()):
        raise InputError(
            f"logits: no entry is negative and every row sums to 1, so these are probabilities, and the one at "
            f"{(logits == 0).nonzero()[0].tolist()} is 0, which no model of this kind gives; pass the logits before "
            f"the softmax, or np.log(p.clip(1e-6)); {remedy}"
        )
    log.warning("logits: no entry is negative and every row sums to 1: read as probabilities, whose log is taken")
    return True


def _left_by_decimals(matrix: Tensor) -> float:
    """What rounding to a few decimals may leave of a row's sum of 1, where all entries are so rounded, in [0, 1]."""
    spacing = 2 * torch.finfo(matrix.dtype).eps
    for decimals in _DECIMALS:
        grid = 10.0**-decimals
        if all(_on_grid(matrix[rows].double(), grid, spacing) for rows in blocks(matrix)):
            return matrix.shape[1] / 2 * grid if decimals else 0.0  # zeros and ones are not rounded
    return 0.0


def _on_grid(block: Tensor, grid: float, spacing: float) -> bool:
    inside = bool(((block >= 0) & (block <= 1)).all())
    return inside and spacing < grid / 10 and float((block - grid * (block / grid).round()).abs().amax()) <= spacing


def check_not_filled(logits: Tensor) -> None:
    """Check that no row is one constant but for at most a quarter of its entries.

    Raises:
        InputError: a row is, as top-k log-probabilities are when the others are filled up.
    """
    count = logits.shape[1]
    if count < _FEWEST_FILLED:
        return
    for rows in blocks(logits):
        block = logits[rows]
        even = count - count % 2
        alike = (block[:, :even:2] == block[:, 1:even:2]).sum(1)  # of count / 2 pairs a quarter of all can spoil half
        suspects = (alike >= count // 4).nonzero().flatten()
        for row in suspects.tolist():
            constant = block[row].median()  # whatever fills more than half
            filled = int((block[row] == constant).sum())
            if 0.75 * count <= filled < count:
                raise InputError(
                    f"logits: row {rows.start + row} is {float(constant):g} in {filled:,} of its {count:,} entries, as "
                    "top-k log-probabilities are when they are filled up; such a filling is no logit, and KL would be "
                    "about it. Pass the logits of all labels, or closedist.kl_of_top_k(ids, log_probs, other_ids, "
                    "other_log_probs) for what KL can be. Where these are the model's own logits, they are the member "
                    "Representations(logits, np.eye(C))"
                )


def centred(logits: Tensor) -> Tensor:
    """(B, C) logits in float64, each row with mean zero."""
    block = logits.double()
    return block - block.mean(1, keepdim=True)
