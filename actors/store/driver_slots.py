"""The limit on drivers of this machine that use one database at once (docs/platform.md section 3.2)."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from actors.store.database import Database, temporary_folder
from engine.errors import StoreError

DRIVERS = 10
"""Largest number of drivers, each with a store of its own, that use one database at once. The next one waits."""


@contextlib.contextmanager
def driver_slot(database: Database, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold one of the `DRIVERS` slots of a database for the length of the block.

    Each slot is a file with a lock, which the system frees when the process is killed.

    Parameters
    ----------
    database
        The database.
    waiting
        Called once if all slots are taken.

    Raises
    ------
    StoreError
        The files cannot be written. The slots of a server given by its URL are in the temporary folder if the data
        folder cannot be written.
    """
    folder = database.folder / "places"
    try:
        try:
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            slot = _take_slot(folder, database.key)
        except OSError:
            if database.embedded:
                raise
            folder = temporary_folder()
            _make_own(folder)
            slot = _take_slot(folder, database.key)
        if slot < 0:
            waiting()
        while slot < 0:
            time.sleep(0.2)
            slot = _take_slot(folder, database.key)
    except OSError as error:
        raise StoreError(f"cannot write {str(folder)!r}: {error.strerror or error}") from error
    try:
        yield
    finally:
        os.close(slot)


def _make_own(folder: Path) -> None:
    """Make a folder unless it exists. Raises OSError unless it is this user's own."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise OSError(None, "it is not a folder of this user alone")


def _take_slot(folder: Path, key: str) -> int:
    """Lock a free slot and return its file descriptor, or -1 if no slot is free."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    for number in range(DRIVERS):
        descriptor = os.open(folder / f"{key}-{number}", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            os.close(descriptor)
    return -1
