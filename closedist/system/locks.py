"""One run at a time for one set of files, wherever the processes are that share the folder."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from closedist.errors import InputError

log = logging.getLogger(__name__)


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs.

    The operating system gives the lock up when its process ends, however it ends, so none is ever stale.

    The file is removed at the end, so a folder of results holds nothing else.

    Args:
        path: the lock file; its folder is created where missing.
        on_wait: called once if another process holds the lock, before waiting for it.

    Raises:
        InputError: the folder cannot be created or written to.
    """
    descriptor = _acquire(path, on_wait)
    try:
        yield
    finally:
        with suppress(OSError):  # a disk that became read-only keeps the file, which does no harm
            path.unlink(missing_ok=True)  # while still held: nobody can hold the path's newer file yet
        os.close(descriptor)


def _acquire(path: Path, on_wait: Callable[[], None]) -> int:
    waited = False
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}; choose another folder") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not waited:
                on_wait()
                waited = True
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:  # such as Lustre mounted without -o flock
            log.warning("%s has no file locks (%s): let no two commands train the same models", path.parent, error)
            return descriptor
        if _is_same_file(descriptor, path):
            return descriptor
        os.close(descriptor)  # the last holder removed this file while we waited: queue for the new one


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
