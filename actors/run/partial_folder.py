"""The hidden folder within the output folder that holds the files of an unfinished run."""

import os
import time
from pathlib import Path

from actors.run.files import is_regular_file, sync_folder, try_lock
from actors.run.manifest import MANIFEST, SCENARIO, SUMMARY, files_in_manifest
from engine.errors import InputError

PARTIAL = ".goldenhour-partial"
"""Name of the hidden folder."""

MARKER = "UNFINISHED"
"""File in it by which a later run recognises the folder. It is locked while the run's driver lives."""

MARKER_TEXT = (
    b"An unfinished run of goldenhour: `goldenhour resume` and the folder above resumes it. May be deleted.\n"
)

PUBLISHED = "published.json"
"""The run file's name once all files but the manifest have their final names. From then on the run is finished."""

LOG = "log.jsonl"


def lock_partial_folder(output: Path) -> int | None:
    """Lock the marker of an unfinished run in `output`. Returns its descriptor; None if there is no such run.

    Raises InputError if the run is still alive.
    """
    marker = output / PARTIAL / MARKER
    if (output / PARTIAL).is_symlink() or not is_regular_file(marker):
        return None
    lock = os.open(marker, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not try_lock(lock):
        os.close(lock)
        raise InputError(f"another run is writing to {str(output)!r}")
    if os.fstat(lock).st_nlink == 0:  # the run removed its marker between the two calls
        os.close(lock)
        return None
    return lock


def remove_partial_folder(folder: Path, patience_seconds: float = 3.0) -> None:
    """Remove the hidden folder. Tries for a while, because a writer that was just killed may still add a file."""
    until = time.monotonic() + patience_seconds
    while True:
        try:
            for entry in list(os.scandir(folder)):
                if (
                    entry.name != MARKER
                ):  # it goes last, because a folder without it is not recognised as ours
                    Path(entry.path).unlink(missing_ok=True)
            (folder / MARKER).unlink(missing_ok=True)
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until:
                return
            time.sleep(0.02)


def finish_publishing(output: Path) -> bool:
    """Whether the interrupted run in `output` was already published; if so, its publication is completed."""
    partial = output / PARTIAL
    if not is_regular_file(partial / PUBLISHED):
        return False
    if is_regular_file(partial / MANIFEST):
        os.replace(partial / MANIFEST, output / MANIFEST)
        sync_folder(output)
    remove_partial_folder(partial)
    return True


def undo_publishing(output: Path) -> None:
    """Undo a publication that was cut off: move files back to where the writers left them."""
    partial = output / PARTIAL
    for name in read_manifest_files(partial / MANIFEST):
        if not os.path.lexists(partial / name) and is_regular_file(output / name):
            os.replace(output / name, partial / name)
    for name in (MANIFEST, SUMMARY, SCENARIO):
        (partial / name).unlink(missing_ok=True)


def read_manifest_files(manifest: Path) -> set[str]:
    """`files_in_manifest` of the file `manifest`; empty if it cannot be read."""
    if not is_regular_file(manifest):
        return set()
    try:
        return files_in_manifest(manifest.read_bytes(), manifest)
    except OSError:
        return set()
