"""Journal: what one writer has on the disk, so that an unfinished run can be resumed.

Each time the writer's files have reached the disk, it appends a line: what is in the files, up to which byte, and which
chunk comes next. The bytes are on the disk before the line is written, and each line is on the disk before the next.
So after a kill or a power failure every complete line is true, and only the last line can be incomplete.
"""

import fcntl
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from actors.run.files import Folder
from actors.run.manifest import is_named_rightly
from actors.run.part import Count, Name, Part
from actors.run.part_owners import PartOwners
from actors.run.run_file import RunFile, Word
from actors.run.schema_version import SCHEMA, decode
from engine.errors import InputError, StoppedRun, shown
from engine.records import RUN_TABLES

JOURNAL_PREFIX = "journal-"

LOCK_SECONDS = 30.0
"""Time that a writer of an earlier attempt has to end before its successor gives up waiting for the lock."""


MAX_LINE_BYTES = 1 << 24
"""No line of a journal is longer: it names the parts of about a second, some hundred bytes each."""

MAX_HEADER_BYTES = 1 << 12
"""The first line is shorter."""

MAX_PARTS = 1_000_000
"""No journal names more parts: that many hold 16 billion patients in each table."""


class JournalHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a journal: the run, which of its writers this is, and the run's `RunFile.inputs`."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=SCHEMA)] = SCHEMA
    run_id: Word = msgspec.field(name="run")
    writer: Count
    writers: Count
    inputs: Annotated[str, msgspec.Meta(max_length=64)] = ""


class JournalEntry(msgspec.Struct, kw_only=True):
    """A line of a journal: the next chunk of each lane, the parts finished since the last line, and the open parts.

    `sha256` of an open part is the digest of the bytes it has so far.
    """

    next: dict[Name, Count]
    finished: Sequence[Part] = ()
    open: Sequence[Part] = ()


class JournalState(msgspec.Struct, kw_only=True):
    """The sum of a journal's entries. `bytes` is the length of its readable lines."""

    next: dict[str, int] = {}
    finished: dict[str, Part] = {}
    open: dict[str, Part] = {}
    bytes: int = 0
    header: JournalHeader | None = None

    def add(self, entry: JournalEntry) -> None:
        """Apply an entry."""
        self.next = self.next | entry.next
        for part in entry.open:
            self.open[part.path] = part
        for part in entry.finished:
            self.open.pop(part.path, None)
            self.finished[part.path] = part


def has_entries(partial: Path) -> bool:
    """Whether any journal in the folder `partial` has an entry, so that something can be resumed.

    A journal that is damaged counts: its run is refused, and not taken for one that has written nothing.
    """
    try:
        with Folder(partial) as folder:
            return any(_has_entry(folder, name) for name in folder.names() if name.startswith(JOURNAL_PREFIX))
    except OSError:
        return False


def _has_entry(folder: Folder, name: str) -> bool:
    """Whether a journal holds more than its first line, or the beginning of that."""
    try:
        with os.fdopen(folder.open(name), "rb") as file:
            first = file.readline(MAX_HEADER_BYTES)
            return bool(file.read(1)) or len(first) == MAX_HEADER_BYTES
    except InputError:
        return True
    except OSError:
        return False


def read_journal(path: Path, descriptor: int | None = None) -> JournalState:
    """The state that the journal `path` describes. An incomplete last line is ignored.

    Reads from `descriptor` if it is given. Raises InputError if the journal is damaged or a newer release wrote it.
    """
    if descriptor is None:
        with Folder(path.parent, follow=True) as folder:
            descriptor = folder.open(path.name)
    else:
        descriptor = os.dup(descriptor)
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        state = JournalState()
        number = 0
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            text = line[9:-1]
            if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(text):
                if len(line) < MAX_LINE_BYTES and not file.read(1):
                    break
                raise _damaged(path, f"is damaged in line {number}")
            if number == 1:
                state.header = decode(text, JournalHeader, path)
            else:
                state.add(decode(text, JournalEntry, path))
                if len(state.finished) + len(state.open) > MAX_PARTS:
                    raise _damaged(path, f"names more than {MAX_PARTS:,} parts")
            state.bytes += len(line)
        return state


def _damaged(path: Path, problem: str) -> InputError:
    return InputError(f"{str(path)!r} {problem}: start the run again with --force or in another folder")


def _encode_line(document: Any) -> bytes:
    text = msgspec.json.encode(document)
    return b"%08x %s\n" % (zlib.crc32(text), text)


class Journal:
    """The journal of one writer, locked while that writer lives. A second writer waits for the lock.

    The constructor reads what an earlier writer has left, `state`, and changes nothing. Call `begin` before `append`.

    Parameters
    ----------
    folder
        Where the journal is.
    run
        The run that the journal must belong to.
    writer
        The number of the writer.
    owners
        Which parts belong to which writer.
    lanes
        The lanes of the run.

    Raises
    ------
    OSError
        It cannot be opened or written.
    InputError
        It is damaged, belongs to another run, or names a part that this writer does not write.
    StoppedRun
        The lock is not released.
    """

    def __init__(
        self, folder: Folder, run: RunFile, writer: int, owners: PartOwners, lanes: Sequence[str]
    ) -> None:
        name = f"{JOURNAL_PREFIX}{writer}.jsonl"
        self._path = folder.path / name
        self._header = JournalHeader(
            run_id=run.run_id, writer=writer, writers=owners.writers, inputs=run.inputs
        )
        self._descriptor = folder.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            self._lock()
            self.state = read_journal(self._path, self._descriptor)
            header = self.state.header
            if header is not None and not header.inputs:  # a journal of an earlier version
                header = msgspec.structs.replace(header, inputs=run.inputs)
            if header not in (None, self._header):
                raise InputError(f"{str(self._path)!r} belongs to another run")
            problem = _problem(self.state, run, writer, owners, lanes)
            if problem is not None:
                raise _damaged(self._path, f"is damaged: {problem}")
        except BaseException:
            os.close(self._descriptor)
            raise

    def begin(self) -> None:
        """Cut off an incomplete last line, and write the header of a new journal."""
        os.ftruncate(self._descriptor, self.state.bytes)
        if self.state.header is None:
            self._write(_encode_line(self._header))

    def append(self, entry: JournalEntry) -> None:
        """Write a line and wait until it is on the disk."""
        self._write(_encode_line(entry))

    def close(self) -> None:
        """Close the file, which releases the lock."""
        os.close(self._descriptor)

    def _write(self, line: bytes) -> None:
        done = 0
        while done < len(line):
            done += os.write(self._descriptor, line[done:])
        os.fdatasync(self._descriptor)

    def _lock(self) -> None:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoppedRun(
                        f"{str(self._path)!r} is still being written by a process of this run that should have ended"
                    ) from None
                time.sleep(0.02)
            except OSError:  # a file system without locks
                return


def _problem(
    state: JournalState, run: RunFile, writer: int, owners: PartOwners, lanes: Sequence[str]
) -> str | None:
    """What a writer of this run does not enter in its journal; None if there is nothing of the kind."""
    for lane in state.next:
        if lane not in lanes:
            return f"{shown(lane)} is not a lane of the run"
    open_tables = set()
    for part in (*state.finished.values(), *state.open.values()):
        if not is_named_rightly(part, run.formats, run.compress) or not owners.owns_file(writer, part.path):
            return f"{shown(part.path)} is not a part of this writer"
        if part.sha256 is None:
            return f"{shown(part.path)} has no digest"
    for part in state.open.values():
        if part.path in state.finished or (part.format, part.table) in open_tables:
            return f"{shown(part.path)} cannot be open"
        # every chunk has patients; a file of another table may have a header line and no row yet
        rows = part.rows if part.table == "patients" else part.rows or part.patients
        if part.bytes and not rows and part.table not in RUN_TABLES:
            return f"{shown(part.path)} has bytes but no rows"
        open_tables.add((part.format, part.table))
    return None
