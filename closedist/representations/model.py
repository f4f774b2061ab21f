"""Representations: a model as the two matrices that every measure looks at, with a bias where it has one."""

import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.representations.names import Names, as_names, read_names, stored_names
from closedist.system.files import write_atomically
from closedist.system.kinds import of_weights, some_of, what_it_is

MAX_BLACK_BOX_LABELS = 10_000  # its unembeddings are a C×C identity: 400 MB in float32
_BLOCK_ELEMENTS = 1 << 20  # what a check of a memory-mapped array holds at once
_FLOATING_POINT = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_ROUNDED = 1e-4  # what softmax in float32 of logits in the hundreds leaves of a row's sum of 1
_DOUBTFUL = 0.05  # what two decimals leave of it
Chosen = slice | Sequence[int] | NDArray[Any] | Tensor  # numbers of inputs or labels, or a mask over them

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Representations:
    """What a model makes of N inputs and C labels: log p(y|x) = f(x)·g(y) + b(y) − log Σ_y' exp(f(x)·g(y') + b(y')).

    Arrays are kept as they come: tensors on their device, NumPy arrays without a copy, arrays on disk mapped. Measures
    convert to float64 block by block.

    Attributes:
        embeddings: (N, M) tensor, one row f(x) an input.
        unembeddings: (C, M) tensor, one row g(y) a label.
        bias: (C,) tensor b(y), or None.
        input_ids: (N,) or (N, k) array of integers or strings that say which inputs these are, or None.
        label_names: (C,) array of integers or strings that say which labels these are, or None.
        black_box: made by :meth:`from_logits`, so that the unembeddings are the identity and mean nothing.
        largest_embedding: the largest absolute value among the embeddings.
    """

    embeddings: Tensor
    unembeddings: Tensor
    bias: Tensor | None
    input_ids: NDArray[Any] | None
    label_names: NDArray[Any] | None
    black_box: bool
    largest_embedding: float

    def __init__(
        self,
        embeddings: ArrayLike | Tensor,
        unembeddings: ArrayLike | Tensor,
        bias: ArrayLike | Tensor | None = None,
        input_ids: Names | None = None,
        label_names: Names | None = None,
        *,
        black_box: bool = False,
    ) -> None:
        """Check the arrays and take them over.

        Raises:
            InputError: not a matrix, an entry that is not finite, shapes that do not fit, no inputs, or fewer than two
                labels.
        """
        f, g = as_tensor(embeddings, "embeddings"), as_tensor(unembeddings, "unembeddings")
        for name, matrix, rows in (("embeddings", f, "an input"), ("unembeddings", g, "a label")):
            if matrix.ndim != 2 or 0 in matrix.shape:
                raise InputError(f"{name}: shape {tuple(matrix.shape)}; a matrix with one row {rows} is needed")
        if f.shape[1] != g.shape[1]:
            raise InputError(
                f"unembeddings: {g.shape[1]} columns, but embeddings have {f.shape[1]}; both must have the model's "
                "representation dimension (are they transposed?)"
            )
        if g.shape[0] == 1:
            raise InputError(
                "unembeddings: 1 label, whose probability is 1 whatever the model says; one logit f·g + b, as of a "
                "sigmoid classifier or a reward head, is that of two labels: pass np.vstack([0 * g, g]), and where "
                "there is a bias [0, b]"
            )
        b = None if bias is None else as_tensor(bias, "bias")
        if b is not None and b.shape != g.shape[:1]:
            raise InputError(f"bias: shape {tuple(b.shape)}; one number a label, ({g.shape[0]},), is needed")
        values = {
            "embeddings": f,
            "unembeddings": g,
            "bias": b,
            "input_ids": as_names(input_ids, "input_ids", f.shape[0], "input"),
            "label_names": as_names(label_names, "label_names", g.shape[0], "label"),
            "black_box": black_box,
            "largest_embedding": _largest(f, "embeddings"),
        }
        _largest(g, "unembeddings")
        if b is not None:
            _largest(b, "bias")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_logits(
        cls,
        logits: ArrayLike | Tensor,
        input_ids: Names | None = None,
        label_names: Names | None = None,
    ) -> "Representations":
        """The member of the family with a black box's distribution: F = its centred logits, G = the identity.

        Args:
            logits: (N, C) logits or log-probabilities, which give the same member. Of probabilities (no entry is
                negative and every row sums to 1, to the rounding of their type) the logarithm is taken, and logged so.
            input_ids, label_names: as in the constructor.

        Raises:
            InputError: an entry that is not finite (−∞ has no member), a probability of 0, rows that sum to 1 too
                roughly to tell probabilities from logits, fewer than two labels, or more than 10,000.
        """
        matrix = as_tensor(logits, "logits")
        if matrix.ndim == 1 or (matrix.ndim == 2 and matrix.shape[1] == 1):
            two = "np.stack([0 * z, z], axis=1)" if matrix.ndim == 1 else "np.hstack([0 * z, z])"
            raise InputError(
                f"logits: shape {tuple(matrix.shape)}; one row an input and one column a label is needed. One logit z "
                f"an input, as of a sigmoid classifier or a reward head, is that of two labels: pass [0, z], {two}; of "
                "probabilities p likewise [1 - p, p]"
            )
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise InputError(f"logits: shape {tuple(matrix.shape)}; one row an input and one column a label is needed")
        num_labels = matrix.shape[1]
        if num_labels > MAX_BLACK_BOX_LABELS:
            raise InputError(
                f"logits: {num_labels:,} labels; the unembeddings of a black box are a {num_labels:,}×{num_labels:,} "
                f"identity, and above {MAX_BLACK_BOX_LABELS:,} labels that is refused. Extract the embeddings "
                "and unembeddings instead"
            )
        _largest(matrix, "logits")
        probabilities = _are_probabilities(matrix)
        dtype = torch.promote_types(matrix.dtype, torch.float32)
        centred = torch.empty(matrix.shape, dtype=dtype, device=matrix.device)
        for rows in _blocks(matrix):
            block = matrix[rows].double()
            if probabilities:
                block = block.log()
            centred[rows] = (block - block.mean(1, keepdim=True)).to(dtype)
        identity = torch.eye(num_labels, dtype=dtype, device=matrix.device)
        return cls(centred, identity, None, input_ids, label_names, black_box=True)

    def at(self, inputs: Chosen | None = None, labels: Chosen | None = None) -> "Representations":
        """A part of it: these inputs and these labels, in the order given.

        Softmax over fewer labels is conditional on them: it says p(y|x, y is one of these labels).

        Args:
            inputs, labels: numbers of them, a slice or a mask; by default all.

        Raises:
            InputError: a number is out of range, a label is named twice, or nothing is left.
        """
        rows, columns = as_index(inputs, self.num_inputs, "inputs"), as_index(labels, self.num_labels, "labels")
        f, ids, names = self.embeddings[rows], _names_at(self.input_ids, rows), _names_at(self.label_names, columns)
        if self.black_box:
            logits = f[:, columns]
            logits = logits - logits.mean(1, keepdim=True, dtype=torch.float64).to(logits.dtype)
            identity = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
            return Representations(logits, identity, None, ids, names, black_box=True)
        bias = None if self.bias is None else self.bias[columns]
        return Representations(f, self.unembeddings[columns], bias, ids, names)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: tensors "embeddings", "unembeddings" and, where given, "bias" and names.

        Integer names are stored as int64 tensors, strings as JSON in UTF-8 bytes.

        Raises:
            InputError: the file cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        tensors = {"embeddings": self.embeddings, "unembeddings": self.unembeddings}
        if self.bias is not None:
            tensors["bias"] = self.bias
        for name, names in (("input_ids", self.input_ids), ("label_names", self.label_names)):
            if names is not None:
                tensors[name] = stored_names(names)
        stored = {name: tensor.contiguous() for name, tensor in tensors.items()}
        if len({tensor.untyped_storage().data_ptr() for tensor in stored.values()}) < len(stored):
            stored = {name: tensor.clone() for name, tensor in stored.items()}  # safetensors refuses shared memory
        metadata = {"format": "closedist representations 1"} | ({"black_box": "true"} if self.black_box else {})

        def write(temporary: Path) -> None:
            try:
                save_file(stored, temporary, metadata=metadata)
            except SafetensorError as error:  # how it says that a disk is full
                raise OSError(str(error)) from error

        write_atomically(Path(path), write)

    @classmethod
    def load(cls, path: str | Path) -> "Representations":
        """Open a file that :meth:`save` wrote, or any safetensors file with these tensors.

        The arrays stay on disk, mapped into memory: measures read them block by block.

        Raises:
            InputError: the file is missing, damaged, or lacks "embeddings" or "unembeddings".
        """
        from safetensors import SafetensorError, safe_open

        _refuse_other_kinds(Path(path))
        try:
            with safe_open(str(path), framework="pt") as file:
                metadata = file.metadata() or {}
                known = ("embeddings", "unembeddings", "bias", "input_ids", "label_names")
                present = set(file.keys())
                tensors = {name: file.get_tensor(name) for name in known if name in present}
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (SafetensorError, ValueError, RuntimeError) as error:
            raise InputError(f"{path} is not a whole safetensors file: {brief(error)}; write it again") from error
        for name in ("embeddings", "unembeddings"):
            if name not in tensors:
                raise InputError(
                    f'{path} has no tensor "{name}"; it has {some_of(present) or "none"}{of_weights(present)}'
                )
        for name in ("embeddings", "unembeddings", "bias"):
            if name in tensors and not tensors[name].is_floating_point():  # to convert could fill the memory
                raise InputError(f"{path}: {name} is {tensors[name].dtype}; write it again as floating-point numbers")
        names = {name: read_names(tensors.get(name), name, path) for name in ("input_ids", "label_names")}
        try:
            return cls(
                tensors["embeddings"],
                tensors["unembeddings"],
                tensors.get("bias"),
                **names,
                black_box=metadata.get("black_box") == "true",
            )
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @property
    def num_inputs(self) -> int:
        """N, the number of inputs."""
        return self.embeddings.shape[0]

    @property
    def num_labels(self) -> int:
        """C, the number of labels."""
        return self.unembeddings.shape[0]

    @property
    def dimension(self) -> int:
        """M, the representation dimension."""
        return self.embeddings.shape[1]

    def __repr__(self) -> str:
        """The three sizes and what else is there."""
        extras = [name for name in ("bias", "input_ids", "label_names") if getattr(self, name) is not None]
        kind = ["black box"] if self.black_box else []
        sizes = f"{self.num_inputs:,} inputs, {self.num_labels:,} labels, dimension {self.dimension}"
        dtype = str(self.embeddings.dtype).removeprefix("torch.")
        return f"Representations({', '.join([sizes, *kind, *extras])}; {dtype})"


def as_tensor(array: ArrayLike | Tensor, name: str) -> Tensor:
    """A real floating-point tensor that shares the array's memory where it can; ``name`` says in errors what it is.

    Raises:
        InputError: not an array of real numbers that PyTorch can compute with.
    """
    if isinstance(array, Tensor):
        tensor = array.detach()
    else:
        try:
            values = np.asarray(array)
            if values.dtype.kind not in "fiub":
                raise TypeError(f"entries of type {values.dtype}")
            if values.dtype.kind == "f" and values.dtype.itemsize > 8:
                values = values.astype(np.float64)
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
            if any(stride < 0 for stride in values.strides):
                values = np.ascontiguousarray(values)
            with warnings.catch_warnings():  # a read-only array is only ever read
                warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
                tensor = torch.from_numpy(values)
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


def _names_at(names: NDArray[Any] | None, which: slice | Tensor) -> NDArray[Any] | None:
    return None if names is None else names[which if isinstance(which, slice) else which.numpy()]


def _refuse_other_kinds(path: Path) -> None:
    try:
        what = what_it_is(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if what:
        raise InputError(f"cannot read {path} as representations: it {what}")


def _blocks(matrix: Tensor) -> list[slice]:
    rows = max(1, _BLOCK_ELEMENTS // max(1, matrix[0].numel()))
    return [slice(start, start + rows) for start in range(0, matrix.shape[0], rows)]


def _largest(tensor: Tensor, name: str) -> float:
    """The largest absolute value; an InputError that says where where it is not finite."""
    smallest, largest = (float(value) for value in torch.aminmax(tensor))
    if math.isfinite(smallest) and math.isfinite(largest):
        return max(-smallest, largest)
    for rows in _blocks(tensor):
        wrong = (~torch.isfinite(tensor[rows])).nonzero()
        if len(wrong):
            where = wrong[0].tolist()
            where[0] += rows.start
            what = "NaN" if math.isnan(float(tensor[tuple(where)])) else "infinity"
            raise InputError(
                f"{name}: {what} at {where} of shape {tuple(tensor.shape)}; "
                "all numbers must be finite (mask or drop what is not)"
            )
    raise AssertionError("unreachable: aminmax finds what isfinite finds")


def distance_from_probabilities(matrix: Tensor) -> float:
    """How far the rows of (N, C) are from distributions: the largest |Σ_y − 1|, infinite where an entry is negative."""
    largest = torch.zeros((), dtype=torch.float64, device=matrix.device)
    for rows in _blocks(matrix):
        block = matrix[rows].double()
        if bool((block < 0).any()):
            return math.inf
        largest = torch.maximum(largest, (block.sum(1) - 1).abs().amax())
    return float(largest)


def _are_probabilities(logits: Tensor) -> bool:
    """Whether every row is a distribution, as far as the type of its numbers can tell.

    Raises:
        InputError: rows sum to 1 too roughly to say, or a probability is 0.
    """
    distance = distance_from_probabilities(logits)
    rounding = max(_ROUNDED, 4 * torch.finfo(logits.dtype).eps)
    if distance > max(rounding, _DOUBTFUL):
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
