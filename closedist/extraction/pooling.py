"""A layer's output becomes one row an input: by the mean, one position, all positions, or as the caller says."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from closedist.errors import InputError

Pool = Literal["mean", "cls", "last"] | None | Callable[[Tensor], Tensor]


def check_pool(pool: Pool) -> None:
    """Check the argument.

    Raises:
        InputError: none of the four kinds.
    """
    if pool is not None and pool not in ("mean", "cls", "last") and not callable(pool):
        raise InputError(f'pool: {pool!r}; it is "mean", "cls", "last", None or a function of a layer\'s output')


def pooled(output: Tensor, mask: Tensor | None, pool: Pool, name: str) -> Tensor:
    """(n, M) rows of a layer's output for one batch.

    Args:
        output: (B, M), which is not pooled; (B, T, M) of sequences; or a map, (B, C, H, W, …), its places being the
            positions and C the columns.
        mask: (B, T) 0 where a token is padding, which is no position.
        pool: the mean of an input's positions, its first ("cls") or last one, None for each by itself as an input, or
            a function of the output.
        name: of the layer, for errors.

    Raises:
        InputError: the mask is of another length, a map has no first or last place, or the function gives no matrix.
    """
    if callable(pool):
        rows = pool(output)
        if not isinstance(rows, Tensor) or rows.ndim != 2:
            what = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
            raise InputError(f"pool: of layer {name} it gives {what}; a matrix with one row an input is needed")
        if not rows.is_floating_point():
            raise InputError(f"pool: of layer {name} it gives {rows.dtype}; let it give floating-point numbers")
        return rows.detach()
    if output.ndim <= 2:
        return output if output.ndim == 2 else output[:, None]
    if output.ndim > 3:
        if pool in ("cls", "last"):
            raise InputError(f'pool: {pool!r}, but layer {name} gives maps {tuple(output.shape)}; take "mean" or None')
        places = output.flatten(2)
        return places.to(_wide(output)).mean(2).to(output.dtype) if pool == "mean" else places.mT.flatten(0, 1)
    real = torch.ones(output.shape[:2], dtype=torch.bool, device=output.device) if mask is None else mask.bool()
    if real.shape != output.shape[:2]:
        raise InputError(
            f"layers: {name} gives {tuple(output.shape)}, but attention_mask is {tuple(real.shape)}; name layers whose "
            "positions are the tokens, or pass a function as pool"
        )
    real = real.to(output.device)
    if pool is None:
        return output[real]
    if not bool(real.any(1).all()):
        raise InputError("batches: an input is padding from end to end; leave it out")
    if pool == "mean":
        wide = output.to(_wide(output)).masked_fill(~real.unsqueeze(-1), 0.0)
        return (wide.sum(1) / real.sum(1, keepdim=True)).to(output.dtype)
    number = real.cumsum(1)
    wanted = number == (1 if pool == "cls" else number[:, -1:])
    return output[wanted & real]


def _wide(output: Tensor) -> torch.dtype:
    """What sums of half precision are made in."""
    return torch.promote_types(output.dtype, torch.float32)
