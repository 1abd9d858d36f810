"""Files that show by a lock that their process is alive."""

import fcntl
import os
import secrets
from pathlib import Path

PRIVATE = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


def hold_file(path: Path) -> int:
    """Create a file that this process holds until it closes the descriptor or ends. Return the descriptor.

    The file gets its name only when it is locked: nobody ever sees it under this name without its lock.
    """
    draft = path.with_name(f".{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, PRIVATE | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        draft.rename(path)
    except BaseException:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
        raise
    return descriptor


def is_held(path: Path) -> bool:
    """Return whether a process holds the file `path`. Raises OSError if it is missing, a link or of another user."""
    descriptor = os.open(path, PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
