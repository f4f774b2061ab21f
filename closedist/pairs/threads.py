"""As many of PyTorch's threads as models' matrices keep busy: one, where these are small."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from closedist.representations import Representations
from closedist.system.threads import LARGE, threads_for


def products_of(models: Sequence[Representations]) -> int:
    """How many products of numbers a pass over one model's inputs takes."""
    first, width = models[0], max(model.dimension for model in models)
    return first.num_inputs * width * (first.num_labels + width)


def are_large(models: Sequence[Representations]) -> bool:
    """Whether models' matrices are so large that several threads on one are worth it."""
    return products_of(models) >= LARGE


def fitting_threads(models: Sequence[Representations]) -> AbstractContextManager[int]:
    """Let PyTorch compute on one thread inside the block, unless models are large; gives how many it had."""
    return threads_for(products_of(models))
