"""Threads: small matrices go side by side, each on one thread, in place of many threads on each.

Threads that share a small product wait for each other after every step, which costs more than it gains, and far more
where another program has one of the cores.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

LARGE = 10**9  # products of numbers at once, from which on they keep several threads busy
_SWITCH_SECONDS = 1e-4

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


def threads_for(products: float) -> AbstractContextManager[int]:
    """Let PyTorch compute on one thread inside the block, where fewer products than ``LARGE`` are asked for at once.

    Threads that share a small product wait for each other after each step, 15 ms where other programs have the cores:
    on such a machine a page of 12 models took 147 s with two threads, and 9 s with one. Gives how many it had.
    """
    import torch

    threads = torch.get_num_threads()
    return nullcontext(threads) if threads == 1 or products >= LARGE else one_thread()


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

    one = ThreadPoolExecutor(threads - 1, initializer=torch.set_num_threads, initargs=(1,))
    with _soon_switching(), one as pool:
        waiting = [(task, pool.submit(do, task)) for task in tasks]
        futures, ahead = [future for _, future in waiting], iter(range(len(waiting)))
        try:
            for index in range(len(futures)):
                while not futures[index].done():  # this thread works too, as it would only wait
                    free = next((other for other in ahead if futures[other].cancel()), None)
                    if free is None:
                        break
                    futures[free] = _done(do, waiting[free][0])
                yield futures[index].result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _soon_switching() -> Iterator[None]:
    """Let a thread that has finished an operation wait 0.1 ms at most for another's Python, in place of Python's 5."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _done(do: Callable[[Task], Result], task: Task) -> "Future[Result]":
    """What the task gave here, or the error, for its turn."""
    future: Future[Result] = Future()
    try:
        future.set_result(do(task))
    except Exception as error:
        future.set_exception(error)
    return future
