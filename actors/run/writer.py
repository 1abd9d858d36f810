"""Writer: appends encoded pieces to the parts of a run, in order, and keeps the journal of what is on the disk.

It runs in a process of its own or in the driver. A run may have several, each with a share of the parts.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from actors.cluster import hide_pyarrow_in_worker, lower_priority
from actors.run import journal
from actors.run.journal import Entry, Journal, Part
from actors.run.output_folder import OUR_NAMES, sync
from engine.errors import InputError, StoppedRun, write_error

hide_pyarrow_in_worker()

SYNC_BYTES = 8_000_000
SYNC_SECONDS = 1.0
"""Written bytes are sent to the disk and journalled each 8 MB or each second, whichever is later (PLATFORM 6)."""

REHASH_BYTES = 1 << 20
"""Bytes read at once when a part is digested again."""

ENDLESS = 1 << 62
"""A chunk number beyond all chunks."""


class OutOfOrder(Exception):
    """A delivery whose predecessor never arrived; nothing of it was written."""


class Piece(NamedTuple):
    """Encoded bytes of one table that belong to one part, as a generator hands them on.

    `data` is anything with the buffer protocol; in a part with a compressed suffix one gzip member or zstd frame.
    """

    path: str
    format: str
    table: str
    patients: int
    rows: int
    data: Any


class Delivery(NamedTuple):
    """All pieces of consecutive chunks in one lane, `chunks` of them from number `first`."""

    lane: str
    first: int
    chunks: int
    pieces: list[Piece]


class Share(NamedTuple):
    """Which parts a writer has: those whose number is `writer` modulo `of`.

    `chunks` tells for each lane how many chunks make a part, 0 where all of them make one: chunks never cross the
    border of a part, so the number of a chunk says in which part it is.
    """

    writer: int = 0
    of: int = 1
    chunks: tuple[tuple[str, int], ...] = ()

    def owner(self, lane: str, number: int) -> int:
        """The number of the writer that writes chunk `number` of a lane."""
        each = dict(self.chunks).get(lane, 0)
        return number // each % self.of if each else 0

    def upcoming(self, lane: str, number: int) -> int:
        """The first chunk from `number` on that is this writer's; ENDLESS without one."""
        each = dict(self.chunks).get(lane, 0)
        if not each:
            return number if self.writer == 0 else ENDLESS
        ahead = (self.writer - number // each) % self.of
        return (number // each + ahead) * each if ahead else number

    def holds(self, name: str) -> bool:
        """Whether the file `name` is of this writer's parts; files without a number are of the first writer's."""
        found = OUR_NAMES.fullmatch(name)
        return found is not None and int(found["part"] or 0) % self.of == self.writer


class Receipt(NamedTuple):
    """What the writer has appended: the next chunk of each lane it expects and the parts touched."""

    next: dict[str, int]
    parts: tuple[Part, ...]


class Ledger:
    """What the writers have said to be written. `bytes` counts those of all parts."""

    def __init__(self, lanes: Sequence[str], writers: int) -> None:
        self.bytes = 0
        self._lanes = tuple(lanes)
        self._next: list[dict[str, int]] = [{} for _ in range(writers)]
        self._parts: dict[str, int] = {}

    def enter(self, writer: int, receipt: Receipt) -> None:
        """Take note of a receipt."""
        self._next[writer] = self._next[writer] | receipt.next
        for part in receipt.parts:
            self.bytes += part.bytes - self._parts.get(part.path, 0)
            self._parts[part.path] = part.bytes

    def next(self, writer: int, lane: str) -> int:
        """The next chunk of a lane that a writer expects."""
        return self._next[writer].get(lane, 0)

    @property
    def done(self) -> int:
        """Chunks from the first that are written in all lanes."""
        return min(found.get(lane, 0) for found in self._next for lane in self._lanes)


class _Content:
    """Digest of what a compressed part holds."""

    SUFFIXES = (".gz", ".zst")

    def __init__(self, name: str) -> None:
        self.digest = hashlib.sha256()
        self._gzip = name.endswith(".gz")

    def update(self, data: memoryview) -> None:
        """Add one whole gzip member or zstd frame."""
        if not len(data):
            return
        if self._gzip:
            from isal import isal_zlib

            self.digest.update(isal_zlib.decompress(data, wbits=31))
        else:
            import zstandard

            self.digest.update(zstandard.ZstdDecompressor().decompress(data))

    def read(self, path: Path) -> None:
        """Add all of a file, of many members or frames."""
        if self._gzip:
            from isal import igzip

            with path.open("rb") as raw:
                members: Any = igzip
                self._add(members.IGzipFile(fileobj=raw))
        else:
            import zstandard

            with path.open("rb") as raw:
                self._add(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))

    def _add(self, file: Any) -> None:
        while block := file.read(REHASH_BYTES):
            self.digest.update(block)


class _Open:
    """A part that bytes are being appended to."""

    def __init__(self, path: Path, part: Part, fresh: bool) -> None:
        self.part = part
        self.path = path
        self._digest = hashlib.sha256()
        self._content = _Content(part.path) if path.suffix in _Content.SUFFIXES else None
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_WRONLY | os.O_CREAT | os.O_EXCL if fresh else os.O_RDWR)
        self.descriptor = os.open(path, flags, 0o666)
        if not fresh:
            try:
                self._rewind()
            except BaseException:
                os.close(self.descriptor)
                raise

    def _rewind(self) -> None:
        """Cut off what was appended after the journal's last line and bring the digest up to date."""
        left = self.part.bytes
        if os.fstat(self.descriptor).st_size < left:
            raise _damaged(self.path, "is shorter than what was written to it")
        os.ftruncate(self.descriptor, left)
        while left:
            block = os.read(self.descriptor, min(left, REHASH_BYTES))
            self._digest.update(block)
            left -= len(block)
        if self._content:
            self._content.read(self.path)
        if self.part.sha256 != self._digest.hexdigest():
            raise _damaged(self.path, "does not hold what was written to it")

    def append(self, piece: Piece) -> int:
        """Write one piece; returns its bytes."""
        view = memoryview(piece.data).cast("B")
        done = 0
        while done < len(view):
            done += os.write(self.descriptor, view[done:])
        self._digest.update(view)
        if self._content:
            self._content.update(view)
        before = self.part
        self.part = msgspec.structs.replace(
            before,
            patients=before.patients + piece.patients,
            rows=before.rows + piece.rows,
            bytes=before.bytes + done,
        )
        return done

    def so_far(self) -> Part:
        """The part with the digest of what it has."""
        return msgspec.structs.replace(self.part, sha256=self._digest.hexdigest())

    def whole(self) -> Part:
        """The finished part with its digests."""
        content = self._content.digest.hexdigest() if self._content else None
        return msgspec.structs.replace(self.part, sha256=self._digest.hexdigest(), content_sha256=content)


def _damaged(path: Path, how: str) -> InputError:
    return InputError(f"{str(path)!r} {how}: start the run anew, with --force, or elsewhere")


class _Disk:
    """A thread that brings to the disk what was written, one thing after the other; after a failure nothing more."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="goldenhour-disk")
        self._failure: OSError | None = None
        self._last: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is still on its way; raises the OSError of what failed before."""
        if self._failure is not None:
            raise self._failure
        return self._last is not None and not self._last.done()

    def do(self, work: Any, *arguments: Any) -> None:
        """Have `work` done after all that was asked for before."""
        self._last = self._pool.submit(self._work, work, arguments)

    def wait(self) -> None:
        """Until all is on the disk; raises the OSError of what failed."""
        if self._last is not None:
            self._last.result()

    def stop(self) -> None:
        """End the thread once it has done what it is at."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, work: Any, arguments: tuple[Any, ...]) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            work(*arguments)
        except OSError as error:
            self._failure = error
            raise


def _settle(descriptor: int, written: int) -> None:
    """Send the first `written` bytes to the disk and drop them from the system's cache.

    Nobody reads them soon, and pages given back are used again for what comes next: a cache that only grows takes
    memory from the other processes and, on a virtual machine, has to be fetched from the host page by page (measured:
    1.6 instead of 10 microseconds of processor time for each 4 kB).
    """
    os.fdatasync(descriptor)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, written, os.POSIX_FADV_DONTNEED)


class Writer:
    """Appends deliveries to its share of the part files in `folder`, each lane strictly in the order of its chunks.

    `run` is the run's id, which the folder must be of. The calls of one writer are `open`, then `append` for every
    delivery, then `close`. What an earlier writer with the same share had journalled is gone on with, what it
    wrote beyond that is cut off. A part is closed when the first piece of its table's next part arrives. At least
    `SYNC_BYTES` and `sync_seconds` lie between two lines of the journal. Errors: StoppedRun, InputError.
    """

    def __init__(
        self, folder: str, run: str, share: Share | None = None, sync_seconds: float = SYNC_SECONDS
    ) -> None:
        self._folder = Path(folder)
        self._run = run
        self._share = share or Share()
        self._sync_seconds = sync_seconds
        self._journal: Journal | None = None
        self._open: dict[tuple[str, str], _Open] = {}
        self._next: dict[str, int] = {}
        self._finished: dict[str, Part] = {}
        self._untold: dict[str, Part] = {}
        self._new_files = False
        self._torn = False  # more is written than `_next` says
        self._descriptors: set[int] = set()
        self._untold_bytes = 0
        self._synced_at = time.monotonic()
        self._disk = _Disk()

    def hello(self) -> tuple[str, int]:
        """Node and process id."""
        import ray

        lower_priority()
        return ray.get_runtime_context().get_node_id(), os.getpid()

    def open(self, lanes: Sequence[str]) -> Receipt:
        """Be ready to go on after what the journal says; returns that, as a receipt for all of it."""
        try:
            return self._go_on(lanes)
        except OSError as error:
            self.abandon()
            raise write_error(self._folder, error) from error
        except BaseException:
            self.abandon()
            raise

    def _go_on(self, lanes: Sequence[str]) -> Receipt:
        run = journal.read_run(self._folder)
        if run is None or run.run != self._run:
            where = f"the machine {os.uname().nodename!r} does not see the run's folder {str(self._folder)!r}"
            if self._share.of > 1:
                raise InputError(f"{where}: several writers need a folder that all machines share")
            raise StoppedRun(f"{where}: was it removed while the run was starting?")
        self._journal = Journal(self._folder, self._run, self._share.writer, self._share.of)
        state = self._journal.state
        self._next = {lane: self._share.upcoming(lane, 0) for lane in lanes} | state.next
        self._finished = dict(state.finished)
        for entry in list(os.scandir(self._folder)):
            known = entry.name in state.finished or entry.name in state.open
            if not known and self._share.holds(entry.name):
                Path(entry.path).unlink()
        for part in state.finished.values():
            path = self._folder / part.path
            if path.stat().st_size != part.bytes:
                raise _damaged(path, "has not the size of what was written to it")
        for part in state.open.values():
            self._add(_Open(self._folder / part.path, part, fresh=False))
        return Receipt(self._next, (*state.finished.values(), *state.open.values()))

    def append(self, delivery: Delivery) -> Receipt:
        """Write all pieces of a delivery.

        A delivery out of order is refused with OutOfOrder: the one before it was lost.
        """
        expected = self._next.get(delivery.lane, 0)
        if delivery.first != expected:
            raise OutOfOrder(f"chunk {delivery.first} came where chunk {expected} was expected")
        touched: dict[str, Part] = {}
        path = self._folder
        self._torn = True
        try:
            for piece in delivery.pieces:
                path = self._folder / piece.path
                part = self._part_for(piece, touched)
                self._untold_bytes += part.append(piece)
                touched[piece.path] = part.part
            self._next[delivery.lane] = self._share.upcoming(delivery.lane, delivery.first + delivery.chunks)
            self._torn = False
            path = self._folder
            self._checkpoint_when_due()
        except OSError as error:
            raise write_error(path, error) from error
        return Receipt({delivery.lane: self._next[delivery.lane]}, tuple(touched.values()))

    def checkpoint(self) -> None:
        """Bring all deliveries that are written to the disk, and the journal with it."""
        try:
            if self._untold_bytes and not self._torn:
                self._checkpoint()
            self._disk.wait()
        except OSError as error:
            raise write_error(self._folder, error) from error

    def close(self, wholes: Sequence[Piece] = ()) -> list[Part]:
        """Finish all parts and write the pieces that are whole files; returns them by path."""
        path = self._folder
        try:
            for key in list(self._open):
                self._finish(key)
            self._checkpoint()
            self._torn = True
            for piece in wholes:
                path = self._folder / piece.path
                self._part_for(piece, {}).append(piece)
                self._finish((piece.format, piece.table))
            path = self._folder
            self._disk.wait()
        except OSError as error:
            raise write_error(path, error) from error
        self.abandon()
        return [self._finished[path] for path in sorted(self._finished)]

    def abandon(self) -> None:
        """Let go of all files without finishing them. Safe to call twice."""
        self._disk.stop()
        self._open.clear()
        while self._descriptors:
            with contextlib.suppress(OSError):
                os.close(self._descriptors.pop())
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _part_for(self, piece: Piece, touched: dict[str, Part]) -> _Open:
        key = (piece.format, piece.table)
        part = self._open.get(key)
        if part is not None and part.part.path != piece.path:
            finished = self._finish(key)
            touched[finished.path] = finished
            part = None
        if part is None:
            new = Part(
                path=piece.path,
                format=piece.format,
                table=piece.table,
                patients=0,
                rows=0,
                bytes=0,
            )
            part = self._add(_Open(self._folder / piece.path, new, fresh=True))
            self._new_files = True
        return part

    def _add(self, part: _Open) -> _Open:
        self._descriptors.add(part.descriptor)
        self._open[part.part.format, part.part.table] = part
        return part

    def _finish(self, key: tuple[str, str]) -> Part:
        """Finish an open part; it goes to the disk while the next one is written."""
        part = self._open.pop(key)
        whole = part.whole()
        self._disk.do(self._close, part.descriptor, whole.bytes)
        self._finished[whole.path] = self._untold[whole.path] = whole
        return whole

    def _close(self, descriptor: int, written: int) -> None:
        """Send a finished part to the disk and close it."""
        os.fsync(descriptor)
        _settle(descriptor, written)
        self._descriptors.discard(descriptor)
        os.close(descriptor)

    def _checkpoint_when_due(self) -> None:
        due = time.monotonic() - self._synced_at >= self._sync_seconds
        if self._untold_bytes >= SYNC_BYTES and due and not self._disk.busy:
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Start to send what was written to the disk, then a line of the journal that says so."""
        files = [(part.descriptor, part.part.bytes) for part in self._open.values()]
        entry = Entry(
            next=dict(self._next),
            finished=list(self._untold.values()),
            open=[part.so_far() for part in self._open.values()],
        )
        self._disk.do(self._commit, files, entry, self._new_files)
        self._untold = {}
        self._new_files = False
        self._untold_bytes = 0
        self._synced_at = time.monotonic()

    def _commit(self, files: list[tuple[int, int]], entry: Entry, new_files: bool) -> None:
        for descriptor, written in files:
            _settle(descriptor, written)
        if new_files:
            sync(self._folder)
        assert self._journal is not None
        self._journal.append(entry)
