"""A lock file that excludes other processes."""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from engine.errors import StoreError

LOCK_SECONDS = 120.0
"""Longest wait for a lock."""


def open_lock_file(path: Path, flags: int = 0) -> int:
    """Return the descriptor of a file that is only locked, never read or written.

    Raises OSError, with the path, if it cannot be opened, is a link or no regular file, or belongs to another user than
    this one or root.
    """
    flags |= os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_uid in (os.geteuid(), 0):
        return descriptor
    os.close(descriptor)
    raise PermissionError(errno.EPERM, "not a regular file of this user", str(path))


def make_own_folder(path: Path, mode: int = 0o700) -> None:
    """Make a folder unless it exists. One of this user's loses the right of others to write in it.

    Raises OSError, with the path, unless it is a folder of this user or root in which no other user can write.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=mode, parents=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        others = status.st_mode & 0o022
        if others and status.st_uid == os.geteuid():
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~0o022)
            others = 0
    finally:
        os.close(descriptor)
    if others or status.st_uid not in (os.geteuid(), 0):
        raise PermissionError(errno.EPERM, "not a folder of this user alone", str(path))


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file for the length of the block. The system frees it when the process is killed.

    Raises StoreError after `LOCK_SECONDS`, and OSError for a file that `open_lock_file` refuses.
    """
    descriptor = open_lock_file(path, os.O_CREAT)
    until = time.monotonic() + LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreError(f"{str(path)!r} has been locked for {LOCK_SECONDS:.0f} s") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
