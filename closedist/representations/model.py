"""Representations: a model as the two matrices that every measure looks at, with a bias where it has one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.representations.arrays import (
    Chosen,
    are_probabilities,
    as_index,
    as_tensor,
    blocks,
    centred,
    check_not_filled,
    largest_of,
)
from closedist.representations.names import Names, as_digests, as_names, read_names, stored_names
from closedist.representations.stored import NAMED, read_tensors, write_tensors

MAX_BLACK_BOX_LABELS = 10_000  # its unembeddings are a C×C identity: 400 MB in float32


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Representations:
    """What a model makes of N inputs and C labels: log p(y|x) = f(x)·g(y) + b(y) − log Σ_y' exp(f(x)·g(y') + b(y')).

    Arrays are kept as they come: tensors on their device, NumPy arrays without a copy, arrays on disk mapped. Measures
    convert to float64 block by block.

    Attributes:
        stored: (N, M) embeddings or, of a black box, (N, C) logits or log-probabilities, as they came.
        bias: (C,) tensor b(y), or None.
        input_ids: (N,) or (N, k) array of integers or strings that say which inputs these are, or None.
        label_names: (C,) array of integers or strings that say which labels these are, or None.
        black_box: made by :meth:`from_logits`: only the logits are known.
        input_digests: (N,) int64 fingerprints of what the model was given, from :func:`closedist.extract`, or None.
        groups: (N,) array of integers or strings that say which inputs belong together, such as documents or patients,
            or None: intervals leave out whole groups.
        largest_embedding: the largest absolute value among the embeddings.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> closedist.Representations(rng.normal(size=(200, 2)), rng.normal(size=(5, 2)), label_names=list("abcde"))
        Representations(200 inputs, 5 labels, dimension 2, label_names; float64)
    """

    stored: Tensor
    bias: Tensor | None
    input_ids: NDArray[Any] | None
    label_names: NDArray[Any] | None
    black_box: bool
    input_digests: NDArray[Any] | None
    groups: NDArray[Any] | None
    largest_embedding: float
    _unembeddings: Tensor | None

    def __init__(
        self,
        embeddings: ArrayLike | Tensor,
        unembeddings: ArrayLike | Tensor,
        bias: ArrayLike | Tensor | None = None,
        input_ids: Names | None = None,
        label_names: Names | None = None,
        *,
        input_digests: ArrayLike | Tensor | None = None,
        groups: Names | None = None,
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
        largest = largest_of(f, "embeddings")
        largest_of(g, "unembeddings")
        if b is not None:
            largest_of(b, "bias")
        self._set(f, g, b, input_ids, label_names, input_digests, groups, largest)

    def _set(
        self,
        stored: Tensor,
        unembeddings: Tensor | None,
        bias: Tensor | None,
        input_ids: Names | None,
        label_names: Names | None,
        input_digests: ArrayLike | Tensor | None,
        groups: Names | None,
        largest_embedding: float,
    ) -> None:
        num_labels = len(unembeddings) if unembeddings is not None else stored.shape[1]
        values = {
            "stored": stored,
            "bias": bias,
            "input_ids": as_names(input_ids, "input_ids", len(stored), "input"),
            "label_names": as_names(label_names, "label_names", num_labels, "label"),
            "black_box": unembeddings is None,
            "input_digests": as_digests(input_digests, len(stored)),
            "groups": as_names(groups, "groups", len(stored), "input"),
            "largest_embedding": largest_embedding,
            "_unembeddings": unembeddings,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_logits(
        cls,
        logits: ArrayLike | Tensor,
        input_ids: Names | None = None,
        label_names: Names | None = None,
        *,
        input_digests: ArrayLike | Tensor | None = None,
        groups: Names | None = None,
    ) -> Representations:
        """The member of the family with a black box's distribution: F = its centred logits, G = the identity.

        What needs G, a table of C×C, is refused above 10,000 labels; what needs only the logits, KL and the like, takes
        any number of labels.

        Args:
            logits: (N, C) logits or log-probabilities, which give the same member. Of probabilities (no entry is
                negative and every row sums to 1, to the rounding of their type) the logarithm is taken, and logged so.
            input_ids, label_names, input_digests, groups: as in the constructor.

        Raises:
            InputError: an entry that is not finite (−∞ has no member), a probability of 0, rows that sum to 1 too
                roughly to tell probabilities from logits, fewer than two labels, or a row that is one constant but for
                a few entries, as top-k log-probabilities are when they are filled up.
        """
        matrix = as_tensor(logits, "logits")
        _check_shape(matrix)
        largest_of(matrix, "logits")  # before anything looks at the numbers
        check_not_filled(matrix)
        if are_probabilities(matrix):
            matrix = matrix.to(torch.promote_types(matrix.dtype, torch.float32), copy=True).log_()
        return cls._of_logits(matrix, input_ids, label_names, input_digests, groups)

    @classmethod
    def _of_logits(
        cls,
        logits: Tensor,
        input_ids: Names | None,
        label_names: Names | None,
        input_digests: ArrayLike | Tensor | None,
        groups: Names | None,
    ) -> Representations:
        """A black box with these logits, whatever they look like."""
        _check_shape(logits)
        largest = float(torch.stack([centred(logits[rows]).abs().amax() for rows in blocks(logits)]).amax())
        if not math.isfinite(largest):
            largest_of(logits, "logits")  # says where
        made = object.__new__(cls)
        made._set(logits, None, None, input_ids, label_names, input_digests, groups, largest)
        return made

    @property
    def embeddings(self) -> Tensor:
        """(N, M) tensor, one row f(x) an input; of a black box its centred logits, in at least float32, made anew."""
        if not self.black_box:
            return self.stored
        dtype = torch.promote_types(self.stored.dtype, torch.float32)
        return torch.cat([centred(self.stored[rows]).to(dtype) for rows in blocks(self.stored)])

    @property
    def unembeddings(self) -> Tensor:
        """(C, M) tensor, one row g(y) a label; of a black box the identity, which means nothing.

        Raises:
            InputError: a black box has more than 10,000 labels.
        """
        if self._unembeddings is not None:
            return self._unembeddings
        count = self.num_labels
        if count > MAX_BLACK_BOX_LABELS:
            raise InputError(
                f"logits: of {count:,} labels only the logits are known, and this measure needs unembeddings, a "
                f"{count:,}×{count:,} identity, which is refused above {MAX_BLACK_BOX_LABELS:,} labels. Extract the "
                "model's embeddings and unembeddings (closedist.extract); KL and what else needs only logits works so"
            )
        dtype = torch.promote_types(self.stored.dtype, torch.float32)
        return torch.eye(count, dtype=dtype, device=self.stored.device)

    def embedded(self, inputs: slice | Tensor) -> Tensor:
        """(B, M) embeddings of some inputs; of a black box its centred logits, in float64."""
        return centred(self.stored[inputs]) if self.black_box else self.stored[inputs]

    def at(self, inputs: Chosen | None = None, labels: Chosen | None = None) -> Representations:
        """A part of it: these inputs and these labels, in the order given.

        Softmax over fewer labels is conditional on them: it says p(y|x, y is one of these labels).

        Args:
            inputs, labels: numbers of them, a slice or a mask; by default all.

        Raises:
            InputError: a number is out of range, a label is named twice, or nothing is left.
        """
        rows, columns = as_index(inputs, self.num_inputs, "inputs"), as_index(labels, self.num_labels, "labels")
        some, ids, names = self.stored[rows], _names_at(self.input_ids, rows), _names_at(self.label_names, columns)
        digests, groups = _names_at(self.input_digests, rows), _names_at(self.groups, rows)
        if self._unembeddings is not None:
            bias = None if self.bias is None else self.bias[columns]
            told: dict[str, Any] = {"input_digests": digests, "groups": groups}
            return Representations(some, self._unembeddings[columns], bias, ids, names, **told)
        return Representations._of_logits(some[:, columns], ids, names, digests, groups)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: tensors "embeddings", "unembeddings" and, where given, "bias", names and digests.

        A black box has one called "logits" in place of the first two. Integer names are stored as int64 tensors,
        strings as JSON in UTF-8 bytes.

        Raises:
            InputError: the file cannot be written, or its name is that of a folder or of another kind of file.
        """
        place = Path(path)
        if place.is_dir() or place.suffix in (".npz", ".npy", ".pt", ".csv"):
            raise InputError(
                f"path: {path}; what is written is a safetensors file, as in {place.stem or 'p'}.safetensors"
            )
        if self._unembeddings is None:
            tensors = {"logits": self.stored}
        else:
            tensors = {"embeddings": self.stored, "unembeddings": self._unembeddings}
        if self.bias is not None:
            tensors["bias"] = self.bias
        for name in NAMED:
            names = getattr(self, name)
            if names is not None:
                tensors[name] = stored_names(names)
        if self.input_digests is not None:
            tensors["input_digests"] = torch.from_numpy(self.input_digests)
        write_tensors(Path(path), tensors, {"black_box": "true"} if self.black_box else {})

    @classmethod
    def load(cls, path: str | Path) -> Representations:
        """Open a file that :meth:`save` wrote, or any safetensors file with these tensors.

        The arrays stay on disk, mapped into memory: measures read them block by block.

        Raises:
            InputError: the file is missing, damaged, or has neither "embeddings" and "unembeddings" nor "logits".
        """
        tensors, metadata = read_tensors(Path(path))
        names = {name: read_names(tensors.get(name), name, path) for name in NAMED}
        told: dict[str, Any] = names | {"input_digests": tensors.get("input_digests")}
        try:
            if metadata.get("black_box") == "true":  # with the identity, from before logits had a name
                return cls._of_logits(tensors["logits" if "logits" in tensors else "embeddings"], **told)
            if "embeddings" in tensors and "unembeddings" in tensors:
                return cls(tensors["embeddings"], tensors["unembeddings"], tensors.get("bias"), **told)
            return cls.from_logits(tensors["logits"], **told)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @property
    def num_inputs(self) -> int:
        """N, the number of inputs."""
        return self.stored.shape[0]

    @property
    def num_labels(self) -> int:
        """C, the number of labels."""
        return self.stored.shape[1] if self._unembeddings is None else self._unembeddings.shape[0]

    @property
    def dimension(self) -> int:
        """M, the representation dimension."""
        return self.stored.shape[1]

    def __repr__(self) -> str:
        """The three sizes and what else is there."""
        extras = [name for name in ("bias", *NAMED) if getattr(self, name) is not None]
        kind = ["black box"] if self.black_box else []
        sizes = f"{self.num_inputs:,} inputs, {self.num_labels:,} labels, dimension {self.dimension}"
        dtype = str(self.stored.dtype).removeprefix("torch.")
        return f"Representations({', '.join([sizes, *kind, *extras])}; {dtype})"


def _check_shape(matrix: Tensor) -> None:
    if matrix.ndim == 1 or (matrix.ndim == 2 and matrix.shape[1] == 1):
        two = "np.stack([0 * z, z], axis=1)" if matrix.ndim == 1 else "np.hstack([0 * z, z])"
        raise InputError(
            f"logits: shape {tuple(matrix.shape)}; one row an input and one column a label is needed. One logit z "
            f"an input, as of a sigmoid classifier or a reward head, is that of two labels: pass [0, z], {two}; of "
            "probabilities p likewise [1 - p, p]"
        )
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"logits: shape {tuple(matrix.shape)}; one row an input and one column a label is needed")


def _names_at(names: NDArray[Any] | None, which: slice | Tensor) -> NDArray[Any] | None:
    return None if names is None else names[which if isinstance(which, slice) else which.numpy()]
