"""Which positions of sequences are inputs, and what they are called."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.errors import InputError

Positions = Literal["all", "last"] | int


def check_positions(positions: Positions) -> None:
    """Check the argument.

    Raises:
        InputError: not "all", "last" or a stride of at least 1.
    """
    is_stride = isinstance(positions, int) and not isinstance(positions, bool) and positions >= 1
    if positions not in ("all", "last") and not is_stride:
        raise InputError(f'positions: {positions!r}; "all", "last" or a whole number ≥ 1 for every so many is needed')


def chosen(
    shape: torch.Size, mask: Tensor | None, positions: Positions, device: torch.device
) -> tuple[Tensor, list[int]]:
    """Which positions of a batch of sequences are inputs.

    Positions are counted over real tokens only, so that neither padding nor its side matters.

    Args:
        shape: (B, …), all but the last axis of what enters the head; more than two axes count as one sequence.
        mask: (B, T), 0 where a token is padding.
        positions: all, the last one, or those with numbers 0, s, 2s, ….
        device: where the result is needed.

    Returns:
        A (B, T) mask of the chosen positions and the length of every sequence.

    Raises:
        InputError: the mask has another shape.
    """
    count = shape[1:].numel()
    if mask is None:
        real = torch.ones(shape[0], count, dtype=torch.bool, device=device)
    elif mask.shape == (shape[0], count):
        real = mask.to(device) != 0
    else:
        raise InputError(
            f"attention_mask: shape {tuple(mask.shape)}, but the head sees {tuple(shape)} positions; leave it out, or "
            "let the model compute logits at every position"
        )
    number = real.cumsum(1) - 1
    lengths = real.sum(1)
    if positions == "all":
        keep = real
    elif positions == "last":
        keep = real & (number == lengths[:, None] - 1)
    else:
        keep = real & (number % positions == 0)
    return keep, [int(length) for length in lengths.tolist()]


def rows_of(values: Tensor, mask: Tensor | None, positions: Positions) -> tuple[Tensor, list[int] | None]:
    """(n, M) rows of a batch's inputs from (B, M) or (B, …, M), and the lengths of its sequences, if they are any."""
    if values.ndim == 2:
        return values, None
    keep, lengths = chosen(values.shape[:-1], mask, positions, values.device)
    return values.flatten(1, -2)[keep], lengths


def check_finite(rows: Tensor, number: int) -> None:
    """Check the rows of a batch's inputs.

    Raises:
        InputError: not all numbers are finite; the message names the batch by its number.
    """
    wrong = rows[~torch.isfinite(rows)]
    if len(wrong):
        what = "NaN" if bool(wrong.isnan().any()) else "infinity"
        raise InputError(
            f"batches: number {number} makes the model give {what}; all numbers must be finite (are its inputs? where "
            "a label is masked, let the model return the others)"
        )


def sequence_ids(lengths: list[int], positions: Positions) -> NDArray[np.int64]:
    """(N, 2) names (sequence, position) of the inputs that :func:`chosen` takes, sequences counted from 0."""
    parts = [np.empty((0, 2), np.int64)]
    for sequence, length in enumerate(lengths):
        if positions == "last":
            numbers = np.arange(length)[-1:]
        else:
            numbers = np.arange(0, length, 1 if positions == "all" else positions)
        parts.append(np.stack([np.full(len(numbers), sequence), numbers], axis=1))
    return np.concatenate(parts)
