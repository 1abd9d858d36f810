"""The folder of one local Ray: private, with a random name, and removed when the Ray ends.

It holds a file that the driver keeps locked. The next start removes a folder whose driver was killed: nobody holds the
file any more. Ray opens its own folder to everybody, so that one is inside (docs/platform.md section 1.9).
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from actors.cluster.held_file import hold_file, is_held
from actors.cluster.temporary_folder import (
    NoPrivateFolderError,
    in_first_suitable,
    is_private,
    named_folders,
    user_folders,
)
from engine.errors import StoppedRun

PREFIX = "gh-"
NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")

OWNER_FILE = "goldenhour.lock"
"""File that the driver holds. A folder without it is not ours, or is just being made."""

SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""Longest path of a Unix socket, as Ray counts it."""

PATH_BELOW = f"/{PREFIX}12345678/r/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""The longest path of a socket below the folder for temporary files."""

LONGEST = SOCKET_PATH_BYTES - len(PATH_BELOW)

REMOVE_SECONDS = 2.0
"""Longest time to remove a folder into which a process of Ray that is ending still writes."""


class RayFolder:
    """The folder of one local Ray. `temporary` is the folder to give to `ray.init`."""

    def __init__(self) -> None:
        """Make the folder. Raises StoppedRun when there is no place for it."""
        self._pid = os.getpid()
        try:
            self.path, self._held = in_first_suitable(_make, [*named_folders(), *user_folders()], LONGEST)
        except NoPrivateFolderError as error:
            raise StoppedRun(
                f"no folder for Ray's files: {error}; set TMPDIR to a folder that only you can write, "
                f"with a path of at most {LONGEST} letters, or use --workers 0"
            ) from error
        self.temporary = self.path / "r"

    def remove(self) -> None:
        """Remove the folder and all that is in it. Later calls do nothing, nor do calls in a forked process."""
        if self._held < 0 or os.getpid() != self._pid:
            return
        until = time.monotonic() + REMOVE_SECONDS
        while True:
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists() or time.monotonic() > until:
                break
            time.sleep(0.05)
        os.close(self._held)
        self._held = -1


def _make(parent: Path) -> tuple[Path, int]:
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        return path, hold_file(path / OWNER_FILE)
    except BaseException:
        with contextlib.suppress(OSError):
            path.rmdir()
        raise


def remove_leftovers() -> None:
    """Remove the folders of this user's local Rays whose drivers have ended without removing them."""
    for name in {os.path.realpath(folder) for folder in [*named_folders(), *user_folders()] if folder}:
        with contextlib.suppress(OSError), os.scandir(name) as entries:
            for entry in entries:
                if NAME.fullmatch(entry.name):
                    _remove_leftover(Path(entry.path))


def _remove_leftover(path: Path) -> None:
    with contextlib.suppress(OSError):
        if is_private(path.lstat(), os.geteuid()) and not is_held(path / OWNER_FILE):
            shutil.rmtree(path, ignore_errors=True)  # it follows no links
