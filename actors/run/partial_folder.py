"""The hidden folder within the output folder that holds the files of an unfinished run."""

import errno
import hashlib
import os
import stat
import time
from pathlib import Path

import msgspec

from actors.run.files import Folder, sync_folder, try_lock
from actors.run.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    RESULT_FILES,
    SCENARIO,
    SUMMARY,
    Manifest,
    ManifestPart,
    decode_manifest,
    files_in_manifest,
)
from actors.run.run_file import read_run_file
from actors.run.schema_version import damaged
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

DIGESTS = "digests.json"
"""File in it with the SHA-256 of the summary and the scenario, by which they are recognised in the output folder."""

MAX_DIGESTS_BYTES = 1 << 12


def lock_partial_folder(output: Path) -> int | None:
    """Lock the marker of an unfinished run in `output`. Returns its descriptor; None if there is no such run.

    Raises InputError if the run is still alive.
    """
    try:
        with Folder(output / PARTIAL) as partial:
            if not partial.is_file(MARKER):
                return None
            lock = partial.open(MARKER, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link in the place of the hidden folder
            return None
        raise
    if not try_lock(lock):
        os.close(lock)
        raise InputError(f"another run is writing to {str(output)!r}")
    if os.fstat(lock).st_nlink == 0:  # the run removed its marker between the two calls
        os.close(lock)
        return None
    return lock


def remove_partial_folder(path: Path, patience_seconds: float = 3.0) -> None:
    """Remove the hidden folder. Tries for a while, because a writer that was just killed may still add a file.

    It stays as it is if there is a folder in it, which no run creates.
    """
    until = time.monotonic() + patience_seconds
    while True:
        try:
            if holds_folder(path):
                return
            with Folder(path) as folder:
                for name in folder.names():
                    if name != MARKER:  # it goes last, because a folder without it is not recognised as ours
                        folder.remove(name)
                folder.remove(MARKER)
            path.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until:
                return
            time.sleep(0.02)


def holds_folder(path: Path) -> bool:
    """Whether there is a folder in the hidden folder, which no run creates."""
    with Folder(path) as folder:
        found = map(folder.status, folder.names())
        return any(status is not None and stat.S_ISDIR(status.st_mode) for status in found)


def finish_publishing(output: Path) -> bool:
    """Whether the interrupted run in `output` was already published; if so, its publication is completed.

    Raises InputError if the hidden folder says so, but the files in `output` are not those of its manifest.
    """
    with Folder(output, follow=True) as target, Folder(output / PARTIAL) as partial:
        if not partial.exists(PUBLISHED):
            return False
        run = read_run_file(partial.path, PUBLISHED)
        if run is None:
            raise damaged(partial.path / PUBLISHED, "it is not the file of a run")
        source = partial if partial.exists(MANIFEST) else target
        manifest = read_manifest(source)
        if manifest.identity != (run.scenario_hash, run.seed, run.replication):
            raise damaged(source.path / MANIFEST, f"it is not the manifest of the run in {PUBLISHED}")
        for part in manifest.parts:
            if not _has_size(target, part):
                raise damaged(source.path / MANIFEST, f"{part.path} is not the file that it names")
        if source is partial:
            if target.exists(MANIFEST):
                raise damaged(partial.path / MANIFEST, "there is another manifest in the output folder")
            partial.move(MANIFEST, target)
            sync_folder(output)
    remove_partial_folder(output / PARTIAL)
    return True


def undo_publishing(output: Path) -> None:
    """Undo a publication that was cut off: move files back to where the writers left them.

    Only files with the digests that the hidden folder names are moved. Others stay, and no run replaces them.
    """
    with Folder(output, follow=True) as target, Folder(output / PARTIAL) as partial:
        try:
            parts = read_manifest(partial).parts
        except InputError:  # cut off while it was written, before any file was moved
            parts = ()
        if parts and not target.exists(MANIFEST):  # the old manifest is removed before any file is moved
            for part in parts:
                if partial.exists(part.path) or not _has_size(target, part):
                    continue
                if _digest(target, part.path) == part.sha256:
                    target.move(part.path, partial)
            digests = _read_digests(partial)
            for name in (SUMMARY, SCENARIO):
                if partial.exists(name) or not target.is_file(name):
                    continue
                if _digest(target, name) == digests.get(name):
                    target.move(name, partial)
        for name in (MANIFEST, DIGESTS, SUMMARY, SCENARIO, *RESULT_FILES):
            partial.remove(name)


def read_manifest(folder: Folder) -> Manifest:
    """The manifest in a folder. Raises InputError if there is none, or none that a run has written."""
    data = folder.read(MANIFEST, MAX_MANIFEST_BYTES)
    place = folder.path / MANIFEST
    if data is None:
        raise damaged(place, "it is missing")
    return decode_manifest(data, place)


def read_replaceable_names(folder: Folder) -> set[str]:
    """`files_in_manifest` of the manifest in a folder; empty if it cannot be read."""
    if not folder.is_file(MANIFEST):
        return set()
    try:
        data = folder.read(MANIFEST, MAX_MANIFEST_BYTES)
    except OSError:
        return set()
    return set() if data is None else files_in_manifest(data, folder.path / MANIFEST)


def _has_size(folder: Folder, part: ManifestPart) -> bool:
    """Whether a folder has a regular file with the name and the size of a part."""
    status = folder.status(part.path)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_size == part.bytes


def _digest(folder: Folder, name: str) -> str:
    with os.fdopen(folder.open(name), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_digests(folder: Folder) -> dict[str, str]:
    """The content of `DIGESTS`; empty if there is none or it is damaged. Then no summary or scenario is moved."""
    try:
        return msgspec.json.decode(folder.read(DIGESTS, MAX_DIGESTS_BYTES) or b"{}", type=dict[str, str])
    except (InputError, ValueError, RecursionError):
        return {}
