"""One run at a time for one set of files, wherever the processes are that share the folder."""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from closedist.errors import InputError

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)  # such as Lustre mounted without -o flock

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
    lock = FileLock(path, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            on_wait()
            lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise InputError(f"cannot write {path}: {error.strerror}; choose another folder") from error
        log.warning("%s has no file locks (%s): let no two commands train the same models", path.parent, error.strerror)
    try:
        yield
    finally:
        with suppress(OSError):  # a disk that became read-only keeps the file, which does no harm
            path.unlink(missing_ok=True)  # while still held; who waits sees that its file has no name, and starts over
        lock.release()
