"""One logit an input, as of a sigmoid classifier or a reward head: the member with two labels and the logits [0, z]."""

import torch
from torch import Tensor

from closedist.errors import InputError


def check_binary(binary: bool, what: str, count: int) -> None:
    """Check that one logit is asked for where there is one, and only there.

    Args:
        binary: what the caller says.
        what: gives the logits.
        count: how many.

    Raises:
        InputError: the softmax of one logit is 1 whatever it is, or there are more.
    """
    if count == 1 and not binary:
        raise InputError(
            f"binary: {what} gives one logit z an input (a sigmoid classifier, a reward head), and the softmax of one "
            "is 1 whatever it is; pass binary=True for two labels with the logits [0, z]"
        )
    if count != 1 and binary:
        raise InputError(f"binary: {what} gives {count:,} logits an input, binary=True is for one; leave it out")


def with_zero_row(unembeddings: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The head's one row g as the two rows [0, g], and its bias as [0, b]."""
    rows = torch.cat([torch.zeros_like(unembeddings), unembeddings])
    return rows, None if bias is None else torch.cat([torch.zeros_like(bias), bias])


def with_zero_column(logits: Tensor) -> Tensor:
    """Logits z, (N, 1), as those of two labels, [0, z]."""
    return torch.cat([torch.zeros_like(logits), logits], -1)


def readings(output: Tensor) -> list[Tensor]:
    """What a model with one logit may say of two labels: logits [0, z], (n, 2), or the second's probability, (n, 1).

    Args:
        output: (n, 1) logits or probabilities after a sigmoid, (n, 2) what the model itself says of two labels, or of
            another width, which is about something else.
    """
    if output.shape[-1] != 1:
        return [output] if output.shape[-1] == 2 else []
    logits = with_zero_column(output)
    return [output, logits] if may_be_probabilities(output) else [logits]


def with_complement(output: Tensor) -> Tensor:
    """One of these readings about both labels, (n, 2): [1 − p, p] of a probability."""
    return torch.cat([1 - output, output], -1) if output.shape[-1] == 1 else output


def may_be_probabilities(output: Tensor) -> bool:
    """Whether all of it lies between 0 and 1."""
    return bool(((output >= 0) & (output <= 1)).all())


def two_labels(outputs: Tensor) -> Tensor:
    """(N, 2) logits [0, z] of a black box's outputs z, (N, 1).

    Raises:
        InputError: all outputs lie between 0 and 1, so that they may be probabilities.
    """
    if may_be_probabilities(outputs):
        raise InputError(
            "binary: all outputs of the model lie between 0 and 1, as after a sigmoid; let it return the logits before "
            "that, torch.logit(p). Where these are the logits, let it return torch.stack([0 * z, z], -1) of "
            "z = z.flatten(), without binary"
        )
    return with_zero_column(outputs)
