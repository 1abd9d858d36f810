"""A lock file that excludes other processes."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from engine.errors import StoreError

LOCK_SECONDS = 120.0
"""Longest wait for a lock."""


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file for the length of the block. The system frees it when the process is killed.

    Raises StoreError after `LOCK_SECONDS`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
