"""What a DataLoader says of itself before it is iterated over: how many batches, and whether always in one order."""

from typing import Any

from torch import Generator
from torch.utils.data import DataLoader, RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from closedist.errors import InputError

_DRAWING = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


def number_of_batches(batches: Any) -> int:
    """How many there are, 0 where nobody knows: a loader of an IterableDataset has a length that raises."""
    try:
        return len(batches)
    except (TypeError, NotImplementedError):
        return 0


def check_order(batches: Any) -> None:
    """Make sure that a loader gives its inputs in the same order to every model.

    A sampler that draws from a generator nobody used since it was seeded, ``torch.Generator().manual_seed(0)``, has a
    fixed order.

    Raises:
        InputError: it draws another order in every pass.
    """
    if not isinstance(batches, DataLoader):
        return
    for sampler in (batches.sampler, getattr(batches.batch_sampler, "sampler", None)):
        if isinstance(sampler, _DRAWING) and not _is_fresh(sampler.generator):
            raise InputError(
                f"batches: the DataLoader draws a new order in every pass ({type(sampler).__name__}), so two models "
                "would see different inputs in each row; make it with shuffle=False, or give each model a loader with "
                "generator=torch.Generator().manual_seed(0) of its own"
            )


def _is_fresh(generator: Any) -> bool:
    if not isinstance(generator, Generator):
        return False
    seeded = Generator(generator.device).manual_seed(generator.initial_seed())
    return bool((generator.get_state() == seeded.get_state()).all())
