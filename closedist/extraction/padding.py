"""Padding that no mask tells of: a classifier of Hugging Face leaves pad tokens out by itself, and picks the last."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.batches import Batch

Result = TypeVar("Result")


def naming_padding(check: Callable[[Batch], Result], model: nn.Module, batch: Batch) -> Result:
    """Check a batch; where that fails, but with a mask of its padding does not, the missing mask is the cause.

    Raises:
        InputError: of the check, or that the mask is missing.
    """
    try:
        return check(batch)
    except InputError as error:
        masked = masked_padding(model, batch)
        if masked is None or not _passes(check, masked):
            raise
        raise InputError(
            f"batches: no attention_mask, but input_ids hold the pad token {_pad_token(model)} (pad_token_id of the "
            "config), which the model leaves out by itself; pass attention_mask, 0 where a token is padding"
        ) from error


def masked_padding(model: nn.Module, batch: Batch) -> Batch | None:
    """The batch with a mask of its padding, where it has none but pad tokens."""
    pad, ids = _pad_token(model), batch.tensors().get("input_ids", batch.tensors().get("0"))
    if batch.mask is not None or not isinstance(ids, Tensor) or ids.ndim != 2 or not isinstance(pad, int):
        return None
    mask = (ids != pad).long()
    return None if bool(mask.all()) else Batch(batch.args, batch.kwargs | {"attention_mask": mask}, mask)


def _pad_token(model: nn.Module) -> object:
    return getattr(getattr(model, "config", None), "pad_token_id", None)


def _passes(check: Callable[[Batch], object], batch: Batch) -> bool:
    try:
        check(batch)
    except InputError:
        return False
    return True
