"""The account of the embedded server, because PostgreSQL refuses to run as root (docs/platform.md section 3.1)."""

import hashlib
import os
import pwd
from pathlib import Path
from typing import NamedTuple

FIRST_GROUP, GROUPS = 1_900_000_000, 200_000_000
"""Range of the groups of servers. No distribution, directory or container runtime hands out numbers of it."""


class ServerAccount(NamedTuple):
    """User and group that the server runs as instead of root.

    With `own_group`, no other process is in the group. The server's files are in a folder that only the group can
    enter, so other processes of the same user cannot reach them.
    """

    uid: int
    gid: int
    own_group: bool


def server_account(folder: Path) -> ServerAccount | None:
    """Return the user `nobody` with a group of this data folder's own, if this process runs as root.

    Otherwise return None: the server runs as the same user.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        uid, gid = 65534, 65534
    digest = hashlib.sha256(b"group of " + os.fsencode(folder)).digest()
    own = FIRST_GROUP + int.from_bytes(digest[:8]) % GROUPS
    return ServerAccount(uid, own, True) if _is_mapped(own) else ServerAccount(uid, gid, False)


def is_open_to_all(path: Path) -> bool:
    """Return whether every account can reach `path`: all users may pass through it and its parents, if they exist."""
    for folder in [path, *path.parents]:
        try:
            if not folder.stat().st_mode & 0o001:
                return False
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def _is_mapped(gid: int) -> bool:
    """Return whether this process may use the group: a container may have only a few numbers."""
    try:
        lines = Path("/proc/self/gid_map").read_text().splitlines()
    except OSError:
        return True
    ranges = [[int(number) for number in line.split()] for line in lines]
    return any(first <= gid < first + count for first, _, count in ranges)
