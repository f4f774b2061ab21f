"""The order in which training sees the data: a function of the seed and the step alone."""

from collections.abc import Iterator

import torch
from torch import Tensor

TEST_EVERY = 2000  # steps between two records of the test loss, each of which costs the generator one draw


def batch_indices(seed: int, num_points: int, batch_size: int, start: int = 0) -> Iterator[Tensor]:
    """Yield the indices of every batch from step ``start`` on, as an undisturbed run would draw them.

    This is the order of the paper's data loaders: each epoch costs the generator two draws, of which the second seeds
    the epoch's permutation, and each pass over the test data one more.

    Args:
        seed: the training configuration's random seed.
        num_points: N; an epoch is a permutation of 0 … N − 1.
        batch_size: B; the last batch of an epoch may be shorter.
        start: the step, counted from 0, of the first batch yielded.
    """
    generator = torch.Generator().manual_seed(seed)
    step = 0
    while True:
        _draw(generator)
        epoch = torch.Generator().manual_seed(_draw(generator))
        order: Tensor | None = None
        for first in range(0, num_points, batch_size):
            if step >= start:
                if order is None:
                    order = torch.randperm(num_points, generator=epoch)
                yield order[first : first + batch_size]
            if step % TEST_EVERY == 0:
                _draw(generator)
            step += 1


def _draw(generator: torch.Generator) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator).item())
