"""Progress with time left, for whoever watches; silence where nobody does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(description: str, total: float) -> Iterator[Callable[[float], None]]:
    """Show a bar with time left on standard error while the block runs, if that is a terminal.

    Args:
        description: what is being done, in a few words.
        total: the number of steps, or the estimated seconds, that make the whole.

    Yields:
        A function that is told how many steps were done since its last call.
    """
    with changing_progress(total) as show:
        show(0, description)
        yield lambda steps: show(steps, description)


@contextmanager
def changing_progress(total: float) -> Iterator[Callable[[float, str], None]]:
    """As ``progress``, for a description that changes.

    Args:
        total: the number of steps, or the estimated seconds, that make the whole.

    Yields:
        A function that is told how many steps were done since its last call, and what is being done.
    """
    if not sys.stderr.isatty():
        yield lambda steps, description: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda steps, description: bar.update(task, advance=steps, description=description)
