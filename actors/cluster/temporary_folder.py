"""Private folders in the system's folders for temporary files: which of these folders suit, and what is made in them.

A folder for temporary files suits if no other user can rename what is in it, if it can be written, and if its path is
plain and short enough for the sockets that go there (docs/platform.md section 1.9).
"""

import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

SYSTEM_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
"""Folders for temporary files that are the same for all processes of a machine, whatever their environment."""

TEMPORARY_VARIABLES = ("RAY_TMPDIR", "TMPDIR")
"""Environment variables that name the folder for a local Ray, the first one first."""

MINIMUM_FREE_BYTES = 16_000_000
"""Free space that a folder must have."""

PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+@-]+")
"""Paths that Ray and libpq pass on unchanged: Ray fails with other letters, and libpq splits a path at a comma."""

Made = TypeVar("Made")


class NoPrivateFolderError(OSError):
    """No folder for temporary files suits. The text names each one with its reason."""


def named_folders() -> list[str]:
    """Return the folders that `TEMPORARY_VARIABLES` name."""
    return [os.environ[name] for name in TEMPORARY_VARIABLES if os.environ.get(name)]


def user_folders() -> list[str]:
    """Return the folders for temporary files of this user: the system's, the login session's, the home."""
    return [
        *SYSTEM_FOLDERS[:-1],
        os.environ.get("XDG_RUNTIME_DIR", ""),
        SYSTEM_FOLDERS[-1],
        os.path.expanduser("~"),
    ]


def in_first_suitable(
    make: Callable[[Path], Made], folders: Iterable[str], longest: int | None = None
) -> Made:
    """Return `make(folder)` for the first folder that suits and for which `make` raises no OSError.

    Parameters
    ----------
    make
        Makes something in a folder.
    folders
        Paths; empty ones are skipped.
    longest
        Longest path in bytes, for folders that will hold sockets: their paths must be plain too. None: any path.

    Raises
    ------
    NoPrivateFolderError
        There is none.
    """
    reasons: dict[str, str] = {}
    for name in folders:
        if not name or name in reasons:
            continue
        folder = Path(os.path.realpath(name))
        try:
            reason = _unsuitable(folder, longest)
            if reason is None:
                return make(folder)
        except OSError as error:
            reason = error.strerror or str(error)
        reasons[name] = reason
    raise NoPrivateFolderError(", ".join(f"{name} ({reason})" for name, reason in reasons.items()))


def _unsuitable(folder: Path, longest: int | None) -> str | None:
    """Return why a folder does not suit, or None."""
    if longest is not None:
        if not PLAIN_PATH.fullmatch(str(folder)):
            return "only letters A to Z, digits and ._+@- are allowed in its path"
        if len(os.fsencode(folder)) > longest:
            return f"longer than {longest} letters"
    trusted = {0, os.geteuid(), Path("/").stat().st_uid}
    for place in (folder, *folder.parents):
        status = place.stat()
        open_to_others = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in trusted or open_to_others:
            return "another user could rename what is in it"
    if not stat.S_ISDIR(folder.stat().st_mode):
        return "not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "cannot be written"
    space = os.statvfs(folder)
    if space.f_bavail * space.f_frsize < MINIMUM_FREE_BYTES:
        return "full"
    return None


def is_private(status: os.stat_result, uid: int) -> bool:
    """Return whether an `lstat` is that of a folder of user `uid` that no other user can enter."""
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not status.st_mode & 0o077


def private_path(name: str, uid: int) -> Callable[[Path], Path]:
    """Return a function that gives the path of `name` in a folder.

    It raises FileExistsError when something else than a private folder of user `uid` is there.
    """

    def path_in(folder: Path) -> Path:
        path = folder / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            return path
        if not is_private(status, uid):
            raise FileExistsError(f"{name!r} in it is not a private folder of user {uid}")
        return path

    return path_in


def private_folder(name: str) -> Callable[[Path], Path]:
    """Return a function that makes the folder `name` of this user in a folder, or finds it there."""
    path_in = private_path(name, os.geteuid())

    def make(folder: Path) -> Path:
        path = path_in(folder)
        path.mkdir(mode=0o700, exist_ok=True)
        return path_in(folder)

    return make
