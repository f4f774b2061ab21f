"""Ctrl-C and SIGTERM as a question that a long computation asks when it can stop cleanly."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a flag while the block runs; a second one interrupts at once.

    One that comes too late for the block to act on is passed on when the block ends.

    Yields:
        A function that says whether to stop. In a thread other than the main one it always says no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    requested: int | None = None
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # None: a handler that was not set in Python and could not be put back
    previous = {number: handler for number, handler in handlers.items() if handler is not None}

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        requested = number
        signal.signal(number, previous[signal.Signals(number)])

    for number in previous:
        signal.signal(number, remember)
    try:
        yield lambda: requested is not None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if requested is not None:
        signal.raise_signal(requested)
