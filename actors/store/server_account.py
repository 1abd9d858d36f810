"""The account of the embedded server, because PostgreSQL refuses to run as root (docs/platform.md section 3.1)."""

import contextlib
import os
import pwd
from pathlib import Path
from typing import NamedTuple


class ServerAccount(NamedTuple):
    """User and group that the server runs as instead of root."""

    uid: int
    gid: int


def server_account() -> ServerAccount | None:
    """Return the account `nobody` if this process runs as root, otherwise None: the server runs as the same user."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return ServerAccount(65534, 65534)
    return ServerAccount(entry.pw_uid, entry.pw_gid)


def is_open_to_all(path: Path) -> bool:
    """Return whether every account can reach `path`: all users may pass through it and its parents, if they exist."""
    for folder in [path, *path.parents]:
        with contextlib.suppress(FileNotFoundError):
            if not folder.stat().st_mode & 0o001:
                return False
    return True
