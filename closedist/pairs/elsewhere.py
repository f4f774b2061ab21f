"""Pairs of models on other processes and machines: tasks for whoever takes functions and gives their results."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.settings import Settings
from closedist.pairs.parts import tiles
from closedist.pairs.tiles import Found, in_tiles
from closedist.representations import Representations

TASKS = 30  # about so many: a few for each of several workers, and none sends a model more than eight times

Load = Callable[[list[int]], Sequence[Representations]]  # some of the models, by their numbers


class Promise(Protocol):
    """What is known of a submitted task."""

    def result(self) -> Any:
        """What it returned, once it is done."""


class Executor(Protocol):
    """Takes tasks, as the executors of ``concurrent.futures``, of submitit, dask and Ray do."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Promise:
        """Call the function with these somewhere else, some time."""


@dataclass(frozen=True)
class Workers:
    """Who computes.

    Attributes:
        executor: takes the tasks.
        load: how a task comes to its models where it is; None sends them along.
    """

    executor: Executor
    load: Load | None = None


def elsewhere(
    workers: Workers,
    models: Sequence[Representations],
    names: Sequence[str],
    pairs: Tensor,
    sizes: Tensor,
    settings: Settings,
) -> Iterator[Found]:
    """As :func:`~closedist.pairs.tiles.in_tiles`, of some models with some others in each task.

    Args:
        workers: who computes.
        models, names, pairs, sizes, settings: as for ``in_tiles``.
    """
    side = _side(pairs)
    promises = []
    for which in tiles(pairs, side, side):
        members, local = torch.unique(pairs[which], return_inverse=True)
        numbers = members.tolist()
        given = [models[index] for index in numbers] if workers.load is None else workers.load
        called = [names[index] for index in numbers]
        promises.append((which, workers.executor.submit(task, given, numbers, called, local, sizes[which], settings)))
    for which, promise in promises:
        result = promise.result()
        if isinstance(result, InputError):
            raise result
        for part in result:
            yield Found(which[part.which], part.columns)


def task(
    given: Sequence[Representations] | Load,
    numbers: list[int],
    names: Sequence[str],
    pairs: Tensor,
    sizes: Tensor,
    settings: Settings,
) -> list[Found] | InputError:
    """One task, wherever it runs; what a user got wrong comes back as a result, as not every executor raises it."""
    models = given(numbers) if callable(given) else given
    try:
        found = list(in_tiles(models, names, pairs, sizes, settings))
    except InputError as error:
        return InputError(str(error))
    return [
        Found(part.which, {name: v.cpu() if isinstance(v, Tensor) else v for name, v in part.columns.items()})
        for part in found
    ]


def _side(pairs: Tensor) -> int:
    """How many first and second models a task has, for about so many tasks."""
    firsts, seconds = (len(torch.unique(side)) for side in pairs.T)
    many = max(firsts, seconds, 1)
    parts = int(TASKS**0.5 * 2**0.5) if 2 * min(firsts, seconds) > many else TASKS  # a triangle, or a strip
    return -(-many // parts)
