"""The files of a run as lines of text, which a job prints and `goldenhour fetch` reads from the job's log.

`python -m goldenhour.jobs.log_archive DIR` is the job. Each line has three words: `PREFIX`, a kind and its content.

| kind | content |
|---|---|
| name of a file | a piece of the file, at most `PIECE_BYTES`, as zstd in Base64 |
| `.` | the last line: the number of pieces |
| `+` | the last line of a run too large for a log: its bytes; only the manifest precedes it |
| `!` | the only line of a run that cannot be read: the error as JSON |

The manifest comes first, then the other files in the order of their names.
"""

import base64
import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import zstandard

from actors.run import MANIFEST, MAX_MANIFEST_BYTES, Folder, decode_manifest
from engine.errors import GoldenhourError, RunError

PREFIX = "goldenhour-archive"
END, TOO_LARGE, FAILED = ".", "+", "!"
PIECE_BYTES = 1 << 20
LINE_CHARACTERS = 2 * PIECE_BYTES
"""No line is longer: Base64 makes a piece longer by a third."""

LIMIT_BYTES = 2_000_000_000
"""A run with more bytes than this, before compression, is not printed."""


def print_archive(folder: Path, print_line: Callable[[str], None]) -> int:
    """Print the run in `folder`.

    Parameters
    ----------
    folder
        Output folder of a finished run.
    print_line
        Called with each line.

    Returns
    -------
    int
        The exit code: 0, or 2 if there is no finished run. Then the only line says so.
    """
    try:
        _print_files(folder, print_line)
        return 0
    except OSError as error:
        message = f"{error.strerror}: {error.filename}"
    except GoldenhourError as error:
        message = str(error)
    print_line(f"{PREFIX} {FAILED} {json.dumps(message)}")
    return 2


def _print_files(path: Path, print_line: Callable[[str], None]) -> None:
    with Folder(path, follow=True) as folder:
        manifest = folder.read(MANIFEST, MAX_MANIFEST_BYTES)
        if manifest is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path / MANIFEST))
        parts = decode_manifest(manifest, path / MANIFEST)
        names = [MANIFEST, *parts.names]
        size = sum((path / name).lstat().st_size for name in names)
        if size > LIMIT_BYTES:
            names = [MANIFEST]
        pieces = 0
        compressor = zstandard.ZstdCompressor(level=3)
        for name in names:
            with os.fdopen(folder.open(name), "rb") as file:
                while piece := file.read(PIECE_BYTES):
                    print_line(f"{PREFIX} {name} {base64.b64encode(compressor.compress(piece)).decode()}")
                    pieces += 1
        if folder.read(MANIFEST, MAX_MANIFEST_BYTES) != manifest:
            raise RunError("the run was replaced by another one while it was read; fetch again")
    print_line(f"{PREFIX} {TOO_LARGE} {size}" if size > LIMIT_BYTES else f"{PREFIX} {END} {pieces}")


if __name__ == "__main__":
    sys.exit(print_archive(Path(sys.argv[1]).expanduser(), print))
