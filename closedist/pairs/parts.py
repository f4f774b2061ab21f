"""Pairs of models in parts, so that each part is of few models."""

from collections.abc import Iterator

import torch
from torch import Tensor


def tiles(pairs: Tensor, rows: int, columns: int) -> Iterator[Tensor]:
    """Positions of pairs, (m, 2) indices, in tiles of at most so many first and so many second models."""
    ranks = [torch.unique(side, return_inverse=True)[1] for side in pairs.T]
    tile = ranks[0] // rows * (len(pairs) + 1) + ranks[1] // columns
    order = tile.argsort(stable=True)
    if len(order):
        yield from torch.split(order, torch.unique(tile, return_counts=True)[1].tolist())


def of_few_models(pairs: Tensor, most: int) -> Iterator[tuple[Tensor, list[int], Tensor]]:
    """The pairs in parts of at most so many models, two at least.

    Args:
        pairs: (m, 2) indices.
        most: models in a part.

    Yields:
        positions of pairs, the models, and (k, 2) indices of these models.
    """
    together = len(torch.unique(pairs)) <= most
    side = len(pairs) + 1 if together else max(1, most // 2)
    for which in tiles(pairs, side, side):
        members, local = torch.unique(pairs[which], return_inverse=True)
        yield which, members.tolist(), local
