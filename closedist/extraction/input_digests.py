"""Fingerprints of single inputs, by which a comparison sees that two models were given others.

Equal for equal inputs however they are cut into batches, padded, or called: names of arguments, masks, the width of
integers and digits beyond bfloat16 are not part of them.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.extraction.batches import Batch
from closedist.representations.arrays import as_tensor

# says how to read, not what is read; a mask's work is done by what it leaves out
_HOW = ("attention_mask", "decoder_attention_mask", "token_type_ids", "position_ids", "decoder_position_ids")
_NO_LABEL = -100  # padding of labels that are decoded


def row_digests(batch: Batch, count: int) -> list[int]:
    """One int64 for each row of a batch.

    Args:
        batch: as it came.
        count: how many rows there are in what enters the head; where no tensor of the batch has as many, a row is told
            by the whole batch and its number.
    """
    tensors = batch.tensors()
    parts = {name: one for name, one in tensors.items() if one.shape[:1] == (count,) and _is_read(name, one)}
    if not parts:
        whole = int.from_bytes(bytes.fromhex(batch.digest()[:16]), "big", signed=True)
        return [int(one) for one in mixed(np.full(count, whole), np.arange(count))]
    masked = [(parts[name], _mask_of(name, parts[name], tensors)) for name in sorted(parts)]
    return _of_rows(masked, count)


def array_digests(inputs: NDArray[Any]) -> list[int]:
    """One int64 for each row of an array of numbers, as of the same rows in a batch of one tensor, or of texts."""
    kind = inputs.dtype.kind
    if kind in "fiub":
        numbers = as_tensor(inputs, "inputs") if kind == "f" else torch.from_numpy(inputs.astype(np.int64))
        return _of_rows([(numbers, None)], len(inputs))
    return [
        int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=8).digest(), "big", signed=True)
        for row in inputs.tolist()
    ]


def _of_rows(parts: list[tuple[Tensor, NDArray[Any] | None]], count: int) -> list[int]:
    states = [hashlib.blake2b(digest_size=8) for _ in range(count)]
    for tensor, mask in parts:
        rows = _in_one_type(tensor)
        for index, state in enumerate(states):
            row = rows[index] if mask is None else rows[index][mask[index]]
            state.update(f"{tuple(row.shape)};".encode() + row.tobytes())
    return [int.from_bytes(state.digest(), "big", signed=True) for state in states]


def mixed(digests: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) fingerprints of the pairs of a fingerprint and a number (the finaliser of SplitMix64)."""
    z = digests.view(np.uint64) + (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((z ^ (z >> np.uint64(31))).view(np.int64))


def _is_read(name: str, tensor: Tensor) -> bool:
    """Whether a tensor is what a model reads; of labels only sequences of them, which it may decode."""
    if name == "labels":
        return tensor.ndim == 2 and not tensor.is_floating_point()
    return name not in _HOW


def _in_one_type(tensor: Tensor) -> NDArray[Any]:
    values = tensor.detach().cpu()
    values = torch.view_as_real(values) if values.is_complex() else values
    if values.is_floating_point():
        return np.asarray(values.to(torch.bfloat16).contiguous().view(torch.int16).numpy())
    return np.asarray(values.long().numpy())


def _mask_of(name: str, tensor: Tensor, tensors: dict[str, Tensor]) -> NDArray[Any] | None:
    """(count, T) which entries of a tensor's rows are real, or None where nothing says so."""
    if name == "labels":
        return np.asarray((tensor != _NO_LABEL).cpu().numpy())
    mask = tensors.get("decoder_attention_mask" if name.startswith("decoder_") else "attention_mask")
    return None if mask is None or mask.shape != tensor.shape[:2] else np.asarray((mask != 0).cpu().numpy())
