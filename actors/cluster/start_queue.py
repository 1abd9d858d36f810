"""The queue of a user's processes that want to start a local Ray on this machine: they start one after the other.

Rays that start together on a slow machine run into Ray's time limits (docs/platform.md section 1.9).
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from actors.cluster.held_file import PRIVATE, hold_file, is_held
from actors.cluster.temporary_folder import (
    in_first_suitable,
    named_folders,
    private_folder,
    user_folders,
)

OnQueue = Callable[[int], None]
"""Called with the number of processes ahead, whenever it changes."""

FIRST_SECONDS, OTHERS_SECONDS = 0.05, 0.25
"""Time between two looks at the queue: of the first in it, and of the others."""

PASS_SECONDS = 10.0
"""Time between two attempts to pass those who wait ahead: the first of them may have been stopped (Ctrl-Z)."""

HOLD_SECONDS = 300.0
"""After this time behind the same starting process, start anyway: it has been stopped or hangs."""


@contextlib.contextmanager
def start_turn(on_queue: OnQueue) -> Iterator[None]:
    """Wait until no other process of this user starts a local Ray, and keep others from it during the block.

    Where there is no place for the queue's files, or its file system has no locks, the block runs at once.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = in_first_suitable(
                private_folder(f"goldenhour-{os.geteuid()}"), [*user_folders(), *named_folders()]
            )
            lock = os.open(folder / "start.lock", PRIVATE | os.O_CREAT, 0o600)
            stack.callback(os.close, lock)
            _wait(lock, folder, on_queue)
        except OSError:
            on_queue(0)
        yield


def _wait(lock: int, folder: Path, on_queue: OnQueue) -> None:
    """Wait for the lock in the order of arrival."""
    ticket = folder / f"{time.monotonic_ns():020d}-{secrets.token_hex(4)}.ticket"
    held = hold_file(ticket)
    try:
        ahead = 0
        holder, since = b"", time.monotonic()
        attempted = time.monotonic()
        while True:
            before, others = ahead, _count_before(ticket)
            now = time.monotonic()
            if others == 0 or now - attempted > PASS_SECONDS:
                attempted = now
                if _take(lock):
                    break
            ahead = others + 1
            if ahead != before:
                on_queue(ahead)
            holder_now = os.pread(lock, 64, 0)
            if holder_now != holder:
                holder, since = holder_now, now
            elif now - since > HOLD_SECONDS:
                break
            time.sleep(OTHERS_SECONDS if others else FIRST_SECONDS)
    finally:
        ticket.unlink(missing_ok=True)
        os.close(held)
    if ahead:
        on_queue(0)


def _take(lock: int) -> bool:
    """Try to take the lock. Write a number into it that no other process has, for those who wait."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    os.pwrite(lock, secrets.token_bytes(16), 0)
    return True


def _count_before(ticket: Path) -> int:
    """Return the number of waiting processes that came earlier, and remove the tickets of those that have ended."""
    count = 0
    for path in ticket.parent.glob("*.ticket"):
        if path.name < ticket.name:
            with contextlib.suppress(OSError):
                if is_held(path):
                    count += 1
                else:
                    path.unlink()
    return count
