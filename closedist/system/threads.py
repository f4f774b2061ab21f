"""Threads: small matrices go side by side, each on one thread, in place of many threads on each.

Threads that share a small product wait for each other after every step, which costs more than it gains, and far more
where another program has one of the cores.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[int]:
    """Let PyTorch compute on one thread inside the block; gives how many it had."""
    import torch

    threads = torch.get_num_threads()
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield threads
    finally:
        if threads > 1:
            torch.set_num_threads(threads)


def side_by_side(do: Callable[[Task], Result], tasks: Iterable[Task], threads: int) -> Iterator[Result]:
    """The results of tasks in their order, so many of them at a time, each on one thread.

    Args:
        do: called with each task; inside :func:`one_thread`.
        tasks: any number of them.
        threads: how many at a time.
    """
    if threads == 1:
        yield from map(do, tasks)
        return
    import torch

    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        futures = [pool.submit(do, task) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
