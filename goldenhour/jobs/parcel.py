"""`python -m goldenhour.jobs.parcel DIR`, as a job: the files of a run as lines of text, for whoever can read the
job's log.

Each line is PREFIX, a name and a piece of at most `PIECE` bytes, packed; the manifest comes first, the last line counts
the pieces.
"""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import zstandard

from actors.run import MANIFEST, named_in
from engine.errors import GoldenhourError, RunError

PREFIX = "goldenhour-parcel"
PIECE = 1 << 20
LIMIT_BYTES = 2_000_000_000
"""Most that a log should carry, before it is packed."""


def pack(folder: Path, say: Callable[[str], None]) -> int:
    """Say all lines; 2 where there is no finished run, with a line that says so. Of one too large: its manifest."""
    try:
        return _pack(folder, say)
    except OSError as error:
        said = f"{error.strerror}: {error.filename}"
    except GoldenhourError as error:
        said = str(error)
    say(f"{PREFIX} ! {json.dumps(said)}")
    return 2


def _pack(folder: Path, say: Callable[[str], None]) -> int:
    manifest = (folder / MANIFEST).read_bytes()
    names = [MANIFEST, *sorted(named_in(manifest, folder) - {MANIFEST})]
    size = sum((folder / name).stat().st_size for name in names)
    if size > LIMIT_BYTES:
        names = [MANIFEST]
    lines = 0
    packer = zstandard.ZstdCompressor(level=3)
    for name in names:
        with (folder / name).open("rb") as file:
            while piece := file.read(PIECE):
                say(f"{PREFIX} {name} {base64.b64encode(packer.compress(piece)).decode()}")
                lines += 1
    if (folder / MANIFEST).read_bytes() != manifest:
        raise RunError("the run was replaced by another one meanwhile; fetch again")
    say(f"{PREFIX} + {size}" if size > LIMIT_BYTES else f"{PREFIX} . {lines}")
    return 0


if __name__ == "__main__":
    sys.exit(pack(Path(sys.argv[1]).expanduser(), print))
