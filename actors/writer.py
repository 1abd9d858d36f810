"""Writer: appends encoded pieces to the parts of a run, in order; Folder: the output folder they become final in.

While a run goes on its files are in a hidden folder within the output folder; they get their final names when all of
them are whole, the manifest last. Writer appends, in a process of its own or in the driver; Folder belongs to
the driver, which claims the output folder before anything is simulated and publishes or removes what was written.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from actors import cluster
from engine.errors import InputError, RunError

cluster.spare_memory()

PARTIAL = ".goldenhour-partial"
"""Folder within the output folder that holds the files of an unfinished run."""

MARKER = "UNFINISHED"
"""File in it by which a later run recognises it; locked as long as the run's driver lives."""

MARKER_TEXT = b"An unfinished run of goldenhour. Removed by the next run into this folder; may be deleted.\n"

MANIFEST, SUMMARY, SCENARIO = "manifest.json", "summary.json", "scenario.toml"

OUR_NAMES = re.compile(
    r"(manifest\.json|summary\.json|scenario\.toml"
    r"|((patients|events|treatments|wounds|vitals)(-\d{5,})?|facilities|measures)"
    r"\.(jsonl|json|csv|parquet|msgpack)(\.(gz|zst))?)"
)
"""Names a run may give to its files."""

SYNC_BYTES = 8_000_000
SYNC_SECONDS = 1.0
"""Written bytes are sent to the disk each 8 MB or each second, whichever is later (PLATFORM 6)."""

REHASH_BYTES = 1 << 20
"""Bytes read at once when a part is digested again."""


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
    """All pieces of consecutive chunks in one lane ("chunk" or "part"), `chunks` of them from number `first`."""

    lane: str
    first: int
    chunks: int
    pieces: list[Piece]


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


class Receipt(NamedTuple):
    """What the writer has appended: the next chunk each lane expects and the parts touched by this delivery."""

    lane: str
    next: int
    parts: tuple[Part, ...]


class Ledger:
    """What is known to be written: enough to go on with another writer. `bytes` counts those of all parts."""

    def __init__(self) -> None:
        self.next: dict[str, int] = {}
        self.parts: dict[str, Part] = {}
        self.bytes = 0

    def enter(self, receipt: Receipt) -> None:
        """Take note of a receipt."""
        self.next[receipt.lane] = receipt.next
        for part in receipt.parts:
            before = self.parts.get(part.path)
            self.bytes += part.bytes - (before.bytes if before else 0)
            self.parts[part.path] = part


def _reason(error: OSError) -> str:
    words = {
        errno.ENOSPC: "no space left on the device: free some, or write to another one",
        errno.EDQUOT: "the disk quota is used up",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.EROFS: "the file system is read-only",
        errno.EFBIG: "the file is larger than this process may write",
    }
    return words.get(error.errno or 0, error.strerror or str(error))


def write_error(path: Path | str, error: OSError) -> RunError:
    """The RunError for a failed operation on `path`."""
    return RunError(f"cannot write {str(path)!r}: {_reason(error)}")


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
        self.digest = hashlib.sha256()
        self.syncing: Future[None] | None = None
        self.content = _Content(part.path) if path.suffix in _Content.SUFFIXES else None
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_WRONLY | os.O_CREAT | os.O_EXCL if fresh else os.O_RDWR)
        self.descriptor = os.open(path, flags, 0o666)
        if not fresh:
            try:
                self._rewind()
            except BaseException:
                os.close(self.descriptor)
                raise

    def _rewind(self) -> None:
        """Cut off what was appended after the last receipt and bring the digest up to date."""
        left = self.part.bytes
        if os.fstat(self.descriptor).st_size < left:
            raise RunError(f"{str(self.path)!r} is shorter than what was written to it")
        os.ftruncate(self.descriptor, left)
        while left:
            block = os.read(self.descriptor, min(left, REHASH_BYTES))
            self.digest.update(block)
            left -= len(block)
        if self.content:
            self.content.read(self.path)

    def wait(self) -> None:
        """Until nothing of the part is on its way to the disk."""
        if self.syncing is not None:
            pending, self.syncing = self.syncing, None
            pending.result()

    def append(self, piece: Piece) -> int:
        """Write one piece; returns its bytes."""
        view = memoryview(piece.data).cast("B")
        done = 0
        while done < len(view):
            done += os.write(self.descriptor, view[done:])
        self.digest.update(view)
        if self.content:
            self.content.update(view)
        before = self.part
        self.part = msgspec.structs.replace(
            before,
            patients=before.patients + piece.patients,
            rows=before.rows + piece.rows,
            bytes=before.bytes + done,
        )
        return done

    def sync(self, pool: ThreadPoolExecutor) -> None:
        """Start sending what was written to the disk, unless that is still under way."""
        if self.syncing is not None:
            if not self.syncing.done():
                return
            self.syncing.result()
        self.syncing = pool.submit(_settle, self.descriptor, self.part.bytes)

    def finish(self, pool: ThreadPoolExecutor) -> "tuple[Part, Future[None]]":
        """The finished part with its digest, and what tells when it is on the disk and closed."""
        self.wait()
        closed = pool.submit(_close, self.descriptor, self.part.bytes)
        self.descriptor = -1
        self.part = msgspec.structs.replace(
            self.part,
            sha256=self.digest.hexdigest(),
            content_sha256=self.content.digest.hexdigest() if self.content else None,
        )
        return self.part, closed


def _settle(descriptor: int, written: int) -> None:
    """Send the first `written` bytes to the disk and drop them from the system's cache.

    Nobody reads them soon, and pages given back are used again for what comes next: a cache that only grows takes
    memory from the other processes and, on a virtual machine, has to be fetched from the host page by page (measured:
    1.6 instead of 10 microseconds of processor time for each 4 kB).
    """
    os.fdatasync(descriptor)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, written, os.POSIX_FADV_DONTNEED)


def _settled(pending: "Future[None]") -> bool:
    """Whether it is done; raises the error it ended with."""
    if pending.done():
        pending.result()
        return True
    return False


def _close(descriptor: int, written: int) -> None:
    """Send a finished part to the disk and close it."""
    try:
        os.fsync(descriptor)
        _settle(descriptor, written)
    finally:
        os.close(descriptor)


class Writer:
    """Appends deliveries to part files in `folder`, each lane strictly in the order of its chunks.

    The calls of one writer are `open`, then `append` for every delivery, then `close`. With the ledger of an
    earlier writer, `open` cuts the parts back to what that ledger knows and goes on from there. A part is closed when
    the first piece of its table's next part arrives. Errors: RunError.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._open: dict[tuple[str, str], _Open] = {}
        self._next: dict[str, int] = {}
        self._parts: dict[str, Part] = {}
        self._unsynced = 0
        self._synced_at = time.monotonic()
        self._closing: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(1)  # sends to the disk while the next pieces are written

    def hello(self) -> tuple[str, int]:
        """Node and process id."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()

    def open(self, ledger_next: dict[str, int], parts: Sequence[Part]) -> None:
        """Be ready to go on after what `ledger_next` and `parts` (a Ledger's) say; nothing for a fresh run."""
        self._next = dict(ledger_next)
        self._parts = {part.path: part for part in parts}
        try:
            for entry in list(os.scandir(self._folder)):
                if entry.name != MARKER and entry.name not in self._parts:
                    Path(entry.path).unlink()
            for part in parts:
                if part.sha256 is None:
                    path = self._folder / part.path
                    self._open[part.format, part.table] = _Open(path, part, fresh=False)
        except OSError as error:
            raise write_error(self._folder, error) from error

    def append(self, delivery: Delivery) -> Receipt:
        """Write all pieces of a delivery.

        A delivery out of order is refused with OutOfOrder: the one before it was lost.
        """
        expected = self._next.get(delivery.lane, 0)
        if delivery.first != expected:
            raise OutOfOrder(f"chunk {delivery.first} came where chunk {expected} was expected")
        touched: dict[str, Part] = {}
        path = self._folder
        try:
            for piece in delivery.pieces:
                path = self._folder / piece.path
                part = self._part_for(piece, touched)
                self._unsynced += part.append(piece)
                touched[piece.path] = self._parts[piece.path] = part.part
            self._sync_when_due()
        except OSError as error:
            raise write_error(path, error) from error
        self._next[delivery.lane] = delivery.first + delivery.chunks
        return Receipt(delivery.lane, self._next[delivery.lane], tuple(touched.values()))

    def close(self, wholes: Sequence[Piece] = ()) -> list[Part]:
        """Write the pieces that are whole files and finish all parts; returns them by path."""
        path = self._folder
        try:
            for piece in wholes:
                path = self._folder / piece.path
                self._part_for(piece, {}).append(piece)
            path = self._folder
            for key in list(self._open):
                self._finish(key)
            for closed in self._closing:
                closed.result()
        except OSError as error:
            raise write_error(path, error) from error
        return [self._parts[path] for path in sorted(self._parts)]

    def abandon(self) -> None:
        """Let go of all files without finishing them."""
        while self._open:
            _, part = self._open.popitem()
            with contextlib.suppress(OSError):
                part.wait()
            with contextlib.suppress(OSError):
                os.close(part.descriptor)

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
            part = self._open[key] = _Open(self._folder / piece.path, new, fresh=True)
        return part

    def _finish(self, key: tuple[str, str]) -> Part:
        """Finish an open part; it goes to the disk while the next one is written."""
        part, closed = self._open.pop(key).finish(self._pool)
        self._closing = [each for each in self._closing if not _settled(each)] + [closed]
        self._parts[part.path] = part
        return part

    def _sync_when_due(self) -> None:
        now = time.monotonic()
        if self._unsynced >= SYNC_BYTES and now - self._synced_at >= SYNC_SECONDS:
            for part in self._open.values():
                part.sync(self._pool)
            self._unsynced = 0
            self._synced_at = time.monotonic()


class Folder:
    """The output folder of one run, claimed from `claim` to `publish` or `abandon`.

    `partial` is where the writer works. Nothing in the folder that a run of goldenhour did not make is ever touched.
    """

    def __init__(self, output: Path, replaced: frozenset[str], created: bool, lock: int) -> None:
        self.output = output
        self.partial = output / PARTIAL
        self._replaced = replaced
        self._created = created
        self._lock = lock

    @classmethod
    def claim(cls, output: Path, force: bool) -> "Folder":
        """Make the folder ready and lock it; what a killed run left in it is removed.

        Raises InputError when `output` is not a folder, is not empty (without `force`), has foreign files in the way
        (with it) or is being written by another run, and RunError when it cannot be written.
        """
        output = Path(os.path.abspath(output))
        created = not output.exists()
        try:
            output.mkdir(parents=True, exist_ok=True)
            _remove_leftover(output)
            replaced = _replaceable(output, force)
            (output / PARTIAL).mkdir(mode=0o777)
        except FileExistsError as error:
            if output.is_dir():
                raise InputError(f"another run is writing to {str(output)!r}") from error
            raise InputError(f"output {str(output)!r} is a file; a folder is needed") from error
        except NotADirectoryError as error:
            raise InputError(f"output {str(output)!r} lies below a file; a folder is needed") from error
        except OSError as error:
            raise write_error(output, error) from error
        try:
            lock = os.open(
                output / PARTIAL / MARKER, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666
            )
            os.write(lock, MARKER_TEXT)
            _try_lock(lock)
        except OSError as error:
            _remove_flat(output / PARTIAL)
            raise write_error(output, error) from error
        return cls(output, replaced, created, lock)

    def publish(self, manifest: dict[str, Any], parts: Sequence[Part], texts: dict[str, bytes]) -> list[Path]:
        """Give all files their final names, the manifest last.

        `manifest` lacks only its `parts`; `texts` are the small files beside it. What the run replaces is removed
        now. Returns the final paths in the order of the manifest. Raises RunError; then `abandon` is still due.
        """
        entries = [_manifest_entry(part) for part in parts]
        document = msgspec.json.format(msgspec.json.encode({**manifest, "parts": entries}), indent=2) + b"\n"
        names = [part.path for part in parts] + list(texts)
        path = self.partial
        try:
            for name, data in [*texts.items(), (MANIFEST, document)]:
                path = self.partial / name
                _write_whole(path, data)
            _sync_folder(self.partial)
            for name in [*names, MANIFEST]:
                path = self.output / name
                if name not in self._replaced and os.path.lexists(path):
                    raise RunError(f"{str(path)!r} appeared during the run and is not ours to replace")
            for name in sorted(self._replaced, key=lambda name: name != MANIFEST):
                (self.output / name).unlink(missing_ok=True)
            for name in names:
                path = self.output / name
                os.replace(self.partial / name, path)
            _sync_folder(self.output)
            path = self.output / MANIFEST
            os.replace(self.partial / MANIFEST, path)
            _sync_folder(self.output)
        except OSError as error:
            raise write_error(path, error) from error
        self._release()
        return [self.output / name for name in [*names, MANIFEST]]

    def abandon(self) -> None:
        """Remove everything this run has written, and the folder itself if the run made it."""
        self._release()
        if self._created:
            with contextlib.suppress(OSError):
                self.output.rmdir()

    def _release(self) -> None:
        if self._lock >= 0:
            _remove_flat(self.partial)
            os.close(self._lock)
            self._lock = -1


def _manifest_entry(part: Part) -> dict[str, Any]:
    return {key: value for key, value in msgspec.structs.asdict(part).items() if value is not None}


def _write_whole(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock a marker without waiting; False when its run is alive. File systems without locks always grant it."""
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
                Path(entry.path).unlink(missing_ok=True)
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until:
                return
            time.sleep(0.02)


def _remove_leftover(output: Path) -> None:
    """Remove what a killed run left: its hidden folder, and files it had already given their final names."""
    partial = output / PARTIAL
    marker = partial / MARKER
    if partial.is_symlink() or not partial.is_dir() or not _is_plain(marker):
        return
    lock = os.open(marker, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not _try_lock(lock):
            raise InputError(f"another run is writing to {str(output)!r}")
        for name in _named_in(partial / MANIFEST):
            if not os.path.lexists(partial / name) and _is_plain(output / name):
                (output / name).unlink()
        for entry in list(os.scandir(partial)):
            if entry.name != MARKER:
                Path(entry.path).unlink()
        marker.unlink()
        partial.rmdir()
    finally:
        os.close(lock)


def _named_in(manifest: Path) -> Iterable[str]:
    """Names of the run's files that a manifest gives: plain names within its folder only."""
    if not _is_plain(manifest):
        return set()
    try:
        document = msgspec.json.decode(manifest.read_bytes())
        parts = [part["path"] for part in document["parts"]]
        document["scenario_hash"], document["seed"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
        return set()
    names = {name for name in parts if isinstance(name, str) and OUR_NAMES.fullmatch(name)}
    return names | {MANIFEST, SUMMARY, SCENARIO}


def _replaceable(output: Path, force: bool) -> frozenset[str]:
    """Names of files in `output` that the run may replace; InputError when the folder cannot be used."""
    present = {entry.name for entry in os.scandir(output)}
    if not present:
        return frozenset()
    if PARTIAL in present:
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
