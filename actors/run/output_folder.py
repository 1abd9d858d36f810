"""OutputFolder: the output folder of one run or experiment, from its claim to the files' final names.

While a run is unfinished, its files are in a hidden folder within the output folder. They get their final names when
all of them are complete, the manifest last. The driver claims the output folder before anything is simulated. A run
that ends early leaves the hidden folder if there is something in it to resume.
"""

import contextlib
import hashlib
import os
import shlex
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.run.files import Folder, is_regular_file, sync_folder, try_lock
from actors.run.journal import has_entries
from actors.run.manifest import MANIFEST, OUTPUT_NAMES, encode_manifest
from actors.run.part import Part
from actors.run.partial_folder import (
    DIGESTS,
    MARKER,
    MARKER_TEXT,
    PARTIAL,
    PUBLISHED,
    finish_publishing,
    holds_folder,
    lock_partial_folder,
    read_manifest,
    read_replaceable_names,
    remove_partial_folder,
    undo_publishing,
)
from actors.run.run_file import RUN_FILE, RunFile, read_run_file
from actors.run.schema_version import damaged
from engine.errors import InputError, StoppedRun, write_error


class OutputFolder:
    """The output folder of one run, which holds its lock from `claim` to `publish`, `suspend` or `discard`.

    No file in the folder that goldenhour did not write is ever touched.

    Attributes
    ----------
    output
        The output folder.
    partial
        The hidden folder, where the writers work.
    run
        What the run is. If it is resumed, that is the run file of its earlier start.
    resumed
        Whether an earlier start had written something.
    started_before
        Whether there was an earlier start, even if it had written nothing yet.
    """

    def __init__(self, output: Path, run: RunFile, resumed: bool, started_before: bool, lock: int) -> None:
        self.output = output
        self.partial = output / PARTIAL
        self.run = run
        self.resumed = resumed
        self.started_before = started_before
        self._lock = lock

    @classmethod
    def claim(cls, output: Path, force: bool, run: RunFile) -> "OutputFolder":
        """Make the folder ready for `run` and lock it. If the same run was cut off in it, its files are resumed.

        Raises
        ------
        InputError
            `output` is not a folder, or another run is writing to it; without `force`: it is not empty or holds
            another unfinished run; with `force`: it holds files with names of ours that goldenhour did not write.
        StoppedRun
            `output` cannot be written.
        """
        output = Path(os.path.abspath(output))
        created = not output.exists()
        try:
            output.mkdir(parents=True, exist_ok=True)
            left = _adopt(output, force, run)
            if isinstance(left, OutputFolder):
                return left
            earlier = _sizes_and_times(output, replaceable_files(output, force))
            (output / PARTIAL).mkdir(mode=0o777)
        except FileExistsError as error:
            if output.is_dir():
                raise InputError(f"another run is writing to {str(output)!r}") from error
            raise InputError(f"output {str(output)!r} is a file; a folder is needed") from error
        except NotADirectoryError as error:
            raise InputError(f"output {str(output)!r} lies below a file; a folder is needed") from error
        except OSError as error:
            raise write_error(output, error) from error
        run = msgspec.structs.replace(run, run_id=left or run.run_id, earlier_files=earlier, created=created)
        try:
            with Folder(output / PARTIAL) as partial:
                lock = partial.open(MARKER, os.O_RDWR | os.O_CREAT | os.O_EXCL)
                os.write(lock, MARKER_TEXT)
                try_lock(lock)
                partial.write_new(RUN_FILE, msgspec.json.encode(run) + b"\n")
            sync_folder(output / PARTIAL)
            sync_folder(output)
        except OSError as error:
            remove_partial_folder(output / PARTIAL)
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
        """Give all files their final names, the manifest last, and remove the files that the run replaces.

        Parameters
        ----------
        manifest
            The manifest without `schema` and `parts`.
        parts
            The finished parts.
        texts
            The small files beside them, by name.
        tick
            Not called: renaming takes no time. It is for outputs that upload.

        Returns
        -------
        list[Path]
            The final paths, in the order of the manifest.

        Raises
        ------
        StoppedRun
            A file cannot be written. Then `suspend` must be called.
        """
        text = encode_manifest(manifest, parts)
        names = [part.path for part in parts] + list(texts)
        earlier = self.run.earlier_files
        replaced = {
            name for name, mark in _sizes_and_times(self.output, earlier).items() if mark == earlier[name]
        }
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in texts.items()}
        path = self.partial
        try:
            with Folder(self.output, follow=True) as output, Folder(self.partial) as partial:
                for name, data in [*texts.items(), (DIGESTS, msgspec.json.encode(digests)), (MANIFEST, text)]:
                    path = self.partial / name
                    partial.write_new(name, data)
                sync_folder(self.partial)
                for name in sorted({*names, MANIFEST, *earlier}):
                    path = self.output / name
                    if output.exists(name) and not (name in replaced and output.is_file(name)):
                        raise StoppedRun(f"{str(path)!r} appeared during the run and is not ours to replace")
                for name in sorted(replaced, key=lambda name: name != MANIFEST):
                    output.remove(name)
                for name in names:
                    path = self.output / name
                    partial.move(name, output)
                sync_folder(self.output)
                path = self.partial / PUBLISHED
                partial.move(RUN_FILE, partial, PUBLISHED)
                sync_folder(self.partial)
                path = self.output / MANIFEST
                partial.move(MANIFEST, output)
                sync_folder(self.output)
        except OSError as error:
            raise write_error(path, error) from error
        self._release(remove=True)
        return [self.output / name for name in [*names, MANIFEST]]

    def suspend(self) -> bool:
        """Leave what is written, so that the run can be resumed. Returns whether anything is written."""
        resumable = self._lock >= 0 and has_entries(self.partial)
        if resumable:
            self._release(remove=False)
        else:
            self.discard()
        return resumable

    def discard(self) -> None:
        """Remove everything this run has written, and the folder itself if the run created it."""
        self._release(remove=True)
        if self.run.created:
            with contextlib.suppress(OSError):
                self.output.rmdir()

    def _release(self, remove: bool) -> None:
        if self._lock >= 0:
            if remove:
                remove_partial_folder(self.partial)
            os.close(self._lock)
            self._lock = -1


def find_unfinished_run(output: Path) -> RunFile | None:
    """The unfinished run in the folder `output`; None if the run there is finished.

    Raises InputError if there is no run, one that cannot be resumed, or one whose files are damaged.
    """
    output = Path(os.path.abspath(output))
    partial = output / PARTIAL
    lock = lock_partial_folder(output)
    if lock is not None:
        try:
            if not finish_publishing(output):
                run = read_run_file(partial)
                if run is None:
                    _check_nothing_written(partial)
                    raise InputError(
                        f"the run in {str(output)!r} was cut off before it had written anything: start it again"
                    )
                return run
        except OSError as error:
            raise write_error(output, error) from error
        finally:
            os.close(lock)
    if not is_regular_file(output / MANIFEST):
        raise InputError(f"there is no run of goldenhour in {str(output)!r}")
    try:
        with Folder(output, follow=True) as folder:
            read_manifest(folder)
    except OSError as error:
        raise InputError(f"{str(output / MANIFEST)!r} cannot be read: {error.strerror}") from error
    return None


def replaceable_files(output: Path, force: bool) -> frozenset[str]:
    """Names of the files in `output` that a run may replace. Raises InputError if the folder cannot be used."""
    with Folder(output, follow=True) as folder:
        present = set(folder.names())
        ours = {name for name in read_replaceable_names(folder) if folder.is_file(name)} if force else set()
    if not present:
        return frozenset()
    if PARTIAL in present:
        if is_regular_file(output / PARTIAL / MARKER):
            raise InputError(
                f"{str(output)!r} holds an unfinished run: `goldenhour resume {shlex.quote(str(output))}` resumes it, "
                "or choose another folder"
            )
        raise InputError(
            f"{str(output / PARTIAL)!r} is not a folder of goldenhour: remove it or choose another output"
        )
    if not force:
        raise InputError(
            f"output folder {str(output)!r} is not empty: choose another, or --force to replace an earlier run"
        )
    for name in sorted(present - ours):
        if OUTPUT_NAMES.fullmatch(name):
            raise InputError(
                f"{str(output / name)!r} is in the way: no manifest of goldenhour in that folder names it"
            )
    return frozenset(ours & present)


def _sizes_and_times(output: Path, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The size and the time of the last change, in nanoseconds, of those files in `output` that are regular."""
    with Folder(output, follow=True) as folder:
        found = {name: folder.status(name) for name in sorted(names)}
    return {
        name: (status.st_size, status.st_mtime_ns)
        for name, status in found.items()
        if status is not None and stat.S_ISREG(status.st_mode)
    }


def _adopt(output: Path, force: bool, run: RunFile) -> "OutputFolder | str | None":
    """What an earlier start of `run` left in `output`: the folder to resume, or only its id if nothing was written.

    What another unfinished run left is refused, or removed with `force`.
    """
    partial = output / PARTIAL
    lock = lock_partial_folder(output)
    if lock is None:
        return None
    resuming = False
    try:
        try:
            if finish_publishing(output):
                return None
            left = read_run_file(partial)
            if left is None:
                _check_nothing_written(partial)
        except InputError:
            if not force:
                raise
            left = None
        differences = [] if left is None else left.differences(run)
        if left is not None and has_entries(partial):
            if not differences:
                undo_publishing(output)
                resuming = True
                return OutputFolder(output, left, True, True, lock)
            if not force:
                raise InputError(
                    f"{str(output)!r} holds an unfinished run that differs in {'; '.join(differences)}. "
                    f"`goldenhour resume {shlex.quote(str(output))}` resumes that run, --force replaces it"
                )
        if holds_folder(partial):
            raise InputError(f"{str(partial)!r} holds a folder, which is not of goldenhour: remove it")
        if left is not None:
            undo_publishing(output)
        remove_partial_folder(partial)
        return None if left is None or differences else left.run_id
    finally:
        if not resuming:
            os.close(lock)


def _check_nothing_written(partial: Path) -> None:
    """Raise InputError if a hidden folder without a run file holds a journal with entries."""
    if has_entries(partial):
        raise damaged(partial / RUN_FILE, "it is missing or incomplete, though the run had written something")
