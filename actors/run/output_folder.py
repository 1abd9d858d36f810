"""Folder: the output folder of one run, from its claim to the files' final names.

While a run goes on its files are in a hidden folder within the output folder; they get their final names when all of
them are whole, the manifest last. The driver claims the output folder before anything is simulated; a run that ends
early leaves the hidden folder where there is something in it to go on from.
"""

import contextlib
import fcntl
import os
import re
import shlex
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.run import journal
from actors.run.journal import RUN_FILE, SCHEMA, Part, RunFile
from engine.errors import InputError, StoppedRun, write_error

PARTIAL = ".goldenhour-partial"
"""Folder within the output folder that holds the files of an unfinished run."""

MARKER = "UNFINISHED"
"""File in it by which a later run recognises it; locked as long as the run's driver lives."""

MARKER_TEXT = (
    b"An unfinished run of goldenhour: `goldenhour resume` with the folder above goes on. May be deleted.\n"
)

PUBLISHED = "published.json"
"""The run file's name once all files but the manifest have their final names: from then on the run is finished."""

LOG = "log.jsonl"

MANIFEST, SUMMARY, SCENARIO = "manifest.json", "summary.json", "scenario.toml"

OUR_NAMES = re.compile(
    r"(manifest\.json|summary\.json|scenario\.toml"
    r"|((patients|events|treatments|wounds|vitals)(-(?P<part>\d{5,}))?|facilities|measures)"
    r"\.(jsonl|json|csv|parquet|msgpack)(\.(gz|zst))?)"
)
"""Names a run may give to its files."""


class OutputFolder:
    """The output folder of one run, claimed from `claim` to `publish`, `suspend` or `abandon`.

    `partial` is where the writers work; `run` is what is known of the run there, that of an earlier start where this
    one goes on with it (`resumed`); `again` whether there was an earlier start, also one that had written nothing yet.
    Nothing in the folder that a run of goldenhour did not make is ever touched.
    """

    def __init__(self, output: Path, run: RunFile, resumed: bool, again: bool, lock: int) -> None:
        self.output = output
        self.partial = output / PARTIAL
        self.run = run
        self.resumed = resumed
        self.again = again
        self._lock = lock

    @classmethod
    def claim(cls, output: Path, force: bool, run: RunFile) -> "OutputFolder":
        """Make the folder ready for `run` and lock it; where the same run was cut off in it, go on with its files.

        Raises InputError when `output` is not a folder, is not empty or holds another unfinished run (without
        `force`), has foreign files in the way (with it) or is being written by another run, and StoppedRun when it
        cannot be written.
        """
        output = Path(os.path.abspath(output))
        created = not output.exists()
        try:
            output.mkdir(parents=True, exist_ok=True)
            left = _adopt(output, force, run)
            if isinstance(left, OutputFolder):
                return left
            replaced = replaceable(output, force)
            (output / PARTIAL).mkdir(mode=0o777)
        except FileExistsError as error:
            if output.is_dir():
                raise InputError(f"another run is writing to {str(output)!r}") from error
            raise InputError(f"output {str(output)!r} is a file; a folder is needed") from error
        except NotADirectoryError as error:
            raise InputError(f"output {str(output)!r} lies below a file; a folder is needed") from error
        except OSError as error:
            raise write_error(output, error) from error
        run = msgspec.structs.replace(
            run, run=left or run.run, replaced=tuple(sorted(replaced)), created=created
        )
        try:
            lock = os.open(
                output / PARTIAL / MARKER, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666
            )
            os.write(lock, MARKER_TEXT)
            try_lock(lock)
            _write_whole(output / PARTIAL / RUN_FILE, msgspec.json.encode(run) + b"\n")
            sync(output / PARTIAL)
            sync(output)
        except OSError as error:
            _remove_flat(output / PARTIAL)
            if created:
                with contextlib.suppress(OSError):
                    output.rmdir()
            raise write_error(output, error) from error
        return cls(output, run, False, left is not None, lock)

    def publish(
        self,
        manifest: dict[str, Any],
        parts: Sequence[Part],
        texts: dict[str, bytes],
        tick: Callable[[], None] = lambda: None,
    ) -> list[Path]:
        """Give all files their final names, the manifest last.

        `manifest` lacks only its schema and `parts`; `texts` are the small files beside it. What the run replaces is
        removed now. Returns the final paths in the order of the manifest. Raises StoppedRun; then `suspend` is due.
        `tick` is for what takes long, which renaming does not.
        """
        text = document(manifest, parts)
        names = [part.path for part in parts] + list(texts)
        replaced = set(self.run.replaced)
        path = self.partial
        try:
            for name, data in [*texts.items(), (MANIFEST, text)]:
                path = self.partial / name
                _write_whole(path, data)
            sync(self.partial)
            for name in [*names, MANIFEST]:
                path = self.output / name
                if name not in replaced and os.path.lexists(path):
                    raise StoppedRun(f"{str(path)!r} appeared during the run and is not ours to replace")
            for name in sorted(replaced, key=lambda name: name != MANIFEST):
                (self.output / name).unlink(missing_ok=True)
            for name in names:
                path = self.output / name
                os.replace(self.partial / name, path)
            sync(self.output)
            path = self.partial / PUBLISHED
            os.replace(self.partial / RUN_FILE, path)
            sync(self.partial)
            path = self.output / MANIFEST
            os.replace(self.partial / MANIFEST, path)
            sync(self.output)
        except OSError as error:
            raise write_error(path, error) from error
        self._release(remove=True)
        return [self.output / name for name in [*names, MANIFEST]]

    def suspend(self) -> bool:
        """Leave what is written to be gone on with, if there is anything; whether there is."""
        kept = self._lock >= 0 and journal.has_entries(self.partial)
        if kept:
            self._release(remove=False)
        else:
            self.abandon()
        return kept

    def abandon(self) -> None:
        """Remove everything this run has written, and the folder itself if the run made it."""
        self._release(remove=True)
        if self.run.created:
            with contextlib.suppress(OSError):
                self.output.rmdir()

    def _release(self, remove: bool) -> None:
        if self._lock >= 0:
            if remove:
                _remove_flat(self.partial)
            os.close(self._lock)
            self._lock = -1


def unfinished(output: Path) -> RunFile | None:
    """What the unfinished run in the folder `output` is; None where a finished one is.

    Raises InputError where there is no run, or one that cannot be gone on with.
    """
    output = Path(os.path.abspath(output))
    partial = output / PARTIAL
    lock = _lock_leftover(output)
    if lock is not None:
        try:
            if not _finish_publishing(output):
                run = journal.read_run(partial)
                if run is None:
                    raise InputError(
                        f"nothing was written yet by the run that was cut off in {str(output)!r}: start it again"
                    )
                return run
        except OSError as error:
            raise write_error(output, error) from error
        finally:
            os.close(lock)
    if not _is_plain(output / MANIFEST):
        raise InputError(f"there is no run of goldenhour in {str(output)!r}")
    return None


def document(manifest: dict[str, Any], parts: Sequence[Part]) -> bytes:
    """The manifest's text, from all of it but its schema and parts."""
    entries = [
        {key: value for key, value in msgspec.structs.asdict(part).items() if value is not None}
        for part in parts
    ]
    text = msgspec.json.encode({"schema": SCHEMA, **manifest, "parts": entries})
    return msgspec.json.format(text, indent=2) + b"\n"


def _write_whole(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Bring the entries of a folder to the disk: files made in it, and their names."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock a file or folder without waiting; False when another process has it. Granted where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_plain(path: Path) -> bool:
    """Whether `path` is a regular file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _remove_flat(folder: Path, patience_seconds: float = 3.0) -> None:
    """Remove a folder of files; a writer that was just killed may still add one."""
    until = time.monotonic() + patience_seconds
    while True:
        try:
            for entry in list(os.scandir(folder)):
                if entry.name != MARKER:  # the last to go: a folder without it is nobody's
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


def _lock_leftover(output: Path) -> int | None:
    """The locked marker of a run that was cut off in `output`; None without one. InputError when it is alive."""
    marker = output / PARTIAL / MARKER
    if (output / PARTIAL).is_symlink() or not _is_plain(marker):
        return None
    lock = os.open(marker, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not try_lock(lock):
        os.close(lock)
        raise InputError(f"another run is writing to {str(output)!r}")
    if os.fstat(lock).st_nlink == 0:  # it ended between the two calls
        os.close(lock)
        return None
    return lock


def _adopt(output: Path, force: bool, run: RunFile) -> "OutputFolder | str | None":
    """The folder with what is left of `run` itself, or only its id where it had written nothing yet.

    What is left of another run is refused, or removed by `force`.
    """
    partial = output / PARTIAL
    lock = _lock_leftover(output)
    if lock is None:
        return None
    kept = False
    try:
        if _finish_publishing(output):
            return None
        try:
            left = journal.read_run(partial)
        except InputError:
            if not force:
                raise
            left = None
        differences = [] if left is None else left.differences(run)
        if left is not None:
            _take_back(output)
        if left is not None and journal.has_entries(partial):
            if not differences:
                kept = True
                return OutputFolder(output, left, True, True, lock)
            if not force:
                raise InputError(
                    f"{str(output)!r} holds an unfinished run that differs in {'; '.join(differences)}. "
                    f"`goldenhour resume {shlex.quote(str(output))}` goes on with that one, --force replaces it"
                )
        _remove_flat(partial)
        return None if left is None or differences else left.run
    finally:
        if not kept:
            os.close(lock)


def _finish_publishing(output: Path) -> bool:
    """Whether the run cut off in `output` had been published, which is brought to its end."""
    partial = output / PARTIAL
    if not _is_plain(partial / PUBLISHED):
        return False
    if _is_plain(partial / MANIFEST):
        os.replace(partial / MANIFEST, output / MANIFEST)
        sync(output)
    _remove_flat(partial)
    return True


def _take_back(output: Path) -> None:
    """Undo a publication that was cut off: files go back where the writers left them."""
    partial = output / PARTIAL
    for name in _named_in(partial / MANIFEST):
        if not os.path.lexists(partial / name) and _is_plain(output / name):
            os.replace(output / name, partial / name)
    for name in (MANIFEST, SUMMARY, SCENARIO):
        (partial / name).unlink(missing_ok=True)


def _named_in(manifest: Path) -> Iterable[str]:
    """`named_in` for a file; nothing where it is none."""
    if not _is_plain(manifest):
        return set()
    try:
        return named_in(manifest.read_bytes(), manifest)
    except OSError:
        return set()


def named_in(data: bytes, place: Path | str) -> set[str]:
    """Names of the run's files that a manifest gives: plain names within its folder only.

    Raises InputError for one of a newer release.
    """
    try:
        journal.check_schema(data, place)
        document = msgspec.json.decode(data)
        parts = [part["path"] for part in document["parts"]]
        document["scenario_hash"], document["seed"]
    except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
        return set()
    names = {name for name in parts if isinstance(name, str) and OUR_NAMES.fullmatch(name)}
    return names | {MANIFEST, SUMMARY, SCENARIO}


def run_of_manifest(manifest: dict[str, Any]) -> tuple[str, int, int]:
    """What a manifest says its files were made of: the scenario's hash, seed and replication."""
    return manifest["scenario_hash"], manifest["seed"], manifest["replication"]


def replaceable(output: Path, force: bool) -> frozenset[str]:
    """Names of files in `output` that the run may replace; InputError when the folder cannot be used."""
    present = {entry.name for entry in os.scandir(output)}
    if not present:
        return frozenset()
    if PARTIAL in present:
        if _is_plain(output / PARTIAL / MARKER):
            raise InputError(
                f"{str(output)!r} holds an unfinished run: `goldenhour resume {shlex.quote(str(output))}` goes on with "
                "it, or choose another folder"
            )
        raise InputError(
            f"{str(output / PARTIAL)!r} is not a folder of ours: remove it or choose another output"
        )
    if not force:
        raise InputError(
            f"output folder {str(output)!r} is not empty: choose another, or --force to replace an earlier run"
        )
    ours = {name for name in _named_in(output / MANIFEST) if _is_plain(output / name)}
    for name in sorted(present - ours):
        if OUR_NAMES.fullmatch(name):
            raise InputError(
                f"{str(output / name)!r} is in the way: no manifest of goldenhour in that folder names it"
            )
    return frozenset(ours & present)
