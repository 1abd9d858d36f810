"""The limit on drivers of this machine that use one database at once (docs/platform.md section 3.2)."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from actors.store.database import Database, temporary_folder
from actors.store.file_lock import make_own_folder, open_lock_file
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
            make_own_folder(folder, 0o711)
            slot = _take_slot(folder, database.key)
        except OSError:
            if database.embedded:
                raise
            folder = temporary_folder()
            make_own_folder(folder)
            slot = _take_slot(folder, database.key)
        if slot < 0:
            waiting()
        while slot < 0:
            time.sleep(0.2)
            slot = _take_slot(folder, database.key)
    except OSError as error:
        raise StoreError(
            f"cannot write {str(error.filename or folder)!r}: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        os.close(slot)


def _take_slot(folder: Path, key: str) -> int:
    """Lock a free slot and return its file descriptor, or -1 if no slot is free."""
    for number in range(DRIVERS):
        descriptor = open_lock_file(folder / f"{key}-{number}", os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            os.close(descriptor)
    return -1
