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
from typing import Any

import msgspec

from actors.run.part import Part
from actors.run.schema_version import SCHEMA, check_schema
from engine.errors import InputError, StoppedRun

JOURNAL_PREFIX = "journal-"

LOCK_SECONDS = 30.0
"""Time that a writer of an earlier attempt has to end before its successor gives up waiting for the lock."""


class JournalEntry(msgspec.Struct, kw_only=True):
    """A line of a journal: the next chunk of each lane, the parts finished since the last line, and the open parts.

    `sha256` of an open part is the digest of the bytes it has so far.
    """

    next: dict[str, int]
    finished: Sequence[Part] = ()
    open: Sequence[Part] = ()


class JournalState(msgspec.Struct, kw_only=True):
    """The sum of a journal's entries. `bytes` is the length of its readable lines."""

    next: dict[str, int] = {}
    finished: dict[str, Part] = {}
    open: dict[str, Part] = {}
    bytes: int = 0
    header: dict[str, Any] | None = None

    def add(self, entry: JournalEntry) -> None:
        """Apply an entry."""
        self.next = self.next | entry.next
        for part in entry.open:
            self.open[part.path] = part
        for part in entry.finished:
            self.open.pop(part.path, None)
            self.finished[part.path] = part


def has_entries(partial: Path) -> bool:
    """Whether any journal in the folder `partial` has an entry, so that something can be resumed."""
    for path in partial.glob(f"{JOURNAL_PREFIX}*"):
        try:
            with path.open("rb") as file:
                if sum(1 for _ in zip(file, range(2), strict=False)) == 2:
                    return True
        except OSError:
            continue
    return False


def read_journal(path: Path) -> JournalState:
    """The state that the journal `path` describes. An incomplete last line is ignored.

    Raises InputError if the journal is damaged or a newer release wrote it.
    """
    state = JournalState()
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        text = line[9:-1]
        if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(text):
            if number + 1 == len(lines):
                break
            raise InputError(
                f"{str(path)!r} is damaged in line {number + 1}: start the run again with --force or in another folder"
            )
        if number == 0:
            check_schema(text, path)
            state.header = msgspec.json.decode(text)
        else:
            state.add(msgspec.json.decode(text, type=JournalEntry))
        state.bytes += len(line)
    return state


def _encode_line(document: Any) -> bytes:
    text = msgspec.json.encode(document)
    return b"%08x %s\n" % (zlib.crc32(text), text)


class Journal:
    """The journal of one writer, locked while that writer lives. A second writer waits for the lock.

    Raises OSError if it cannot be written, InputError if it is damaged, StoppedRun if the lock is not released.
    """

    def __init__(self, folder: Path, run_id: str, writer: int, writers: int) -> None:
        self._path = folder / f"{JOURNAL_PREFIX}{writer}.jsonl"
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o666)
        try:
            self._lock()
            self.state = read_journal(self._path)
            header = {"schema": SCHEMA, "run": run_id, "writer": writer, "writers": writers}
            os.ftruncate(self._descriptor, self.state.bytes)
            if self.state.header is None:
                self._write(_encode_line(header))
            elif self.state.header | header != self.state.header:
                raise InputError(f"{str(self._path)!r} belongs to another run")
        except BaseException:
            os.close(self._descriptor)
            raise

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
