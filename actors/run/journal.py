"""What an unfinished run leaves on the disk to go on from: what it is (`RunFile`), and what is written (`Journal`).

A journal holds one line for each time the writer's files reached the disk: what is in them, up to which byte, and which
chunk comes next. The line is written after the bytes are on the disk and is there itself before the next, so that
after a kill, or when the power fails, everything a line says is true and only the last line can be torn.
"""

import fcntl
import functools
import importlib.metadata
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine import identity
from engine.errors import InputError, StoppedRun, shown

SCHEMA = 1
"""Version of the run file, the journals and the manifest. Fields may be added under the same number, as readers pass
over those they do not know; what an older release would misread gets the next number, and it refuses it."""

RUN_FILE = "run.json"
JOURNALS = "journal-"

LOCK_SECONDS = 30.0
"""Time a writer that was given up has to end, before another writes to its files."""

COMPARED = {
    "scenario_hash": "scenario",
    "seed": "seed",
    "replication": "replication",
    "formats": "formats",
    "compress": "compression",
    "chunk_size": "chunk size",
    "writers": "writers",
    "version": "version of goldenhour",
    "engine": "engine",
    "libraries": "libraries",
}
"""What must be the same for one run to go on with the files of another, and what people call it."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the run. Digests are None as long as bytes may follow.

    `content_sha256` of a compressed part is the digest of its content, which is `sha256` of the same part without
    compression whatever the chunk size and the versions of libraries; None for the others.
    """

    path: str
    format: str
    table: str
    patients: int
    rows: int
    bytes: int
    sha256: str | None = None
    content_sha256: str | None = None


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an unfinished run is: enough to start it again, and to see whether another run is the same.

    `scenario` is the original as JSON; `replaced` names the files of an earlier run that this one replaces, `created`
    says whether the run made its output folder, `destination` is the URL its files go to, if any.
    """

    schema: int = SCHEMA
    run: str
    version: str
    engine: str
    scenario: msgspec.Raw
    scenario_name: str
    scenario_hash: str
    seed: int
    replication: int
    formats: tuple[str, ...]
    compress: str
    chunk_size: int
    libraries: dict[str, str]
    workers: int
    writers: int
    simulators: int = 1
    address: str | None = None
    destination: str = ""
    replaced: tuple[str, ...] = ()
    created: bool = True

    def differences(self, other: "RunFile") -> list[str]:
        """What keeps `other` from going on with this run's files: `seed: 7 there, 8 now`."""
        found = []
        for field, word in COMPARED.items():
            there, now = getattr(self, field), getattr(other, field)
            if there != now:
                if field == "scenario_hash":
                    there, now = f"{self.scenario_name} ({there[:12]})", f"{other.scenario_name} ({now[:12]})"
                found.append(f"{word}: {_words(there)} there, {_words(now)} now")
        return found


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items()) or "none"
    return ",".join(value) if isinstance(value, tuple) else str(value)


class _Version(msgspec.Struct):
    """The part of any file of ours that every release understands."""

    schema: int = 0
    version: str = ""


class Entry(msgspec.Struct, kw_only=True):
    """A line of a journal: the next chunk of each lane, parts finished since the last line, and those still open.

    `sha256` of an open part is the digest of the bytes it has so far.
    """

    next: dict[str, int]
    finished: Sequence[Part] = ()
    open: Sequence[Part] = ()


class State(msgspec.Struct, kw_only=True):
    """What a journal comes to: the sum of its entries. `bytes` is the length of what is readable in it."""

    next: dict[str, int] = {}
    finished: dict[str, Part] = {}
    open: dict[str, Part] = {}
    bytes: int = 0
    header: dict[str, Any] | None = None

    def add(self, entry: Entry) -> None:
        """Take note of an entry."""
        self.next = self.next | entry.next
        for part in entry.open:
            self.open[part.path] = part
        for part in entry.finished:
            self.open.pop(part.path, None)
            self.finished[part.path] = part


@functools.cache
def engine_digest() -> str:
    """16 hex digits that change with anything in the engine and the scenarios' data that could change a byte."""
    return identity.engine_version()[:8] + identity.catalogue_version()[:8]


def libraries(names: Sequence[str], compress: str) -> dict[str, str]:
    """Versions of the libraries that decide the bytes of compressed and Parquet parts; empty for plain ones."""
    packages = {"gzip": ["isal"], "zstd": ["zstandard"]}.get(compress, [])
    if "parquet" in names:
        packages = [*packages, "pyarrow"]
    return {package: importlib.metadata.version(package) for package in packages}


def check_schema(data: bytes, path: Path | str) -> None:
    """Raise InputError when `data`, a JSON object of ours in the file `path`, was written by a newer release."""
    try:
        found = msgspec.json.decode(data, type=_Version)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if found.schema > SCHEMA:
        raise InputError(
            f"{str(path)!r} was written by a newer goldenhour ({shown(found.version)}, schema {found.schema}); "
            f"this one reads up to schema {SCHEMA}: use that release"
        )


def read_run(partial: Path) -> RunFile | None:
    """The run file in the folder `partial`; None where there is none, or one whose writing was cut off.

    Raises InputError for one of a newer release.
    """
    path = partial / RUN_FILE
    try:
        data = path.read_bytes()
    except OSError:
        return None
    check_schema(data, path)
    try:
        return msgspec.json.decode(data, type=RunFile)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def has_entries(partial: Path) -> bool:
    """Whether any journal in the folder `partial` says that something is written."""
    for path in partial.glob(f"{JOURNALS}*"):
        try:
            with path.open("rb") as file:
                if sum(1 for _ in zip(file, range(2), strict=False)) == 2:
                    return True
        except OSError:
            continue
    return False


def _line(document: Any) -> bytes:
    text = msgspec.json.encode(document)
    return b"%08x %s\n" % (zlib.crc32(text), text)


def read(path: Path) -> State:
    """What the journal `path` says; a torn last line is passed over. Raises InputError for one that is damaged."""
    state = State()
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        text = line[9:-1]
        if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(text):
            if number + 1 == len(lines):
                break
            raise InputError(
                f"{str(path)!r} is damaged in line {number + 1}: start the run anew, with --force, or elsewhere"
            )
        if number == 0:
            check_schema(text, path)
            state.header = msgspec.json.decode(text)
        else:
            state.add(msgspec.json.decode(text, type=Entry))
        state.bytes += len(line)
    return state


class Journal:
    """The journal of one writer, locked as long as that writer lives: another waits for its end.

    Errors: OSError when it cannot be written, InputError when it is damaged, StoppedRun when another writer keeps it.
    """

    def __init__(self, folder: Path, run: str, index: int, of: int) -> None:
        self._path = folder / f"{JOURNALS}{index}.jsonl"
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o666)
        try:
            self._lock()
            self.state = read(self._path)
            header = {"schema": SCHEMA, "run": run, "writer": index, "writers": of}
            os.ftruncate(self._descriptor, self.state.bytes)
            if self.state.header is None:
                self._write(_line(header))
            elif self.state.header | header != self.state.header:
                raise InputError(f"{str(self._path)!r} belongs to another run")
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, entry: Entry) -> None:
        """Write a line and wait until it is on the disk."""
        self._write(_line(entry))

    def close(self) -> None:
        """Let go of the file."""
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
