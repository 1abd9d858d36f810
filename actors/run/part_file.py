"""PartFile: a part that bytes are appended to, with the digests of what it holds."""

import gzip
import hashlib
import io
import os
from concurrent.futures import Executor, wait
from pathlib import Path
from typing import Any

import msgspec

from actors.run.files import Folder
from actors.run.messages import Piece
from actors.run.part import Part
from engine.errors import InputError

READ_BYTES = 1 << 20
"""Bytes read at once when the digest of a part is computed again."""

HASHED_APART_BYTES = 1 << 18
"""Pieces from this size on are hashed by another thread while they are written. Neither holds Python's lock."""

MAX_RATIO = 1000
"""No part becomes larger than this many times its bytes when it is decompressed. Records compress to a tenth."""


class ContentDigest:
    """SHA-256 of the decompressed content of a part; its name says how it is compressed."""

    SUFFIXES = (".gz", ".zst")

    def __init__(self, name: str) -> None:
        self.sha256 = hashlib.sha256()
        self._gzip = name.endswith(".gz")

    def update(self, data: memoryview, raw: Any = None) -> None:
        """Add one complete gzip member or zstd frame. `raw` is its content, where that is known."""
        if not len(data):
            return
        if raw is not None:
            self.sha256.update(raw)
        elif self._gzip:
            from isal import isal_zlib

            self.sha256.update(isal_zlib.decompress(data, wbits=31))
        else:
            import zstandard

            self.sha256.update(zstandard.ZstdDecompressor().decompress(data))

    def read(self, descriptor: int, length: int) -> None:
        """Add the first `length` bytes of a file, which are several members or frames.

        Raises ValueError if they are not, or become implausibly many.
        """
        import zstandard
        from isal import igzip, isal_zlib

        raw: Any = io.BufferedReader(_Beginning(descriptor, length))
        members: Any = igzip
        broken: Any = (EOFError, gzip.BadGzipFile, isal_zlib.error, zstandard.ZstdError)
        try:
            if self._gzip:
                self._add(members.IGzipFile(fileobj=raw), length)
            else:
                self._add(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True), length)
        except broken as error:
            raise ValueError(str(error)) from error

    def _add(self, file: Any, length: int) -> None:
        left = MAX_RATIO * length
        while block := file.read(READ_BYTES):
            left -= len(block)
            if left < 0:
                raise ValueError("its content is too large")
            self.sha256.update(block)


class _Beginning(io.RawIOBase):
    """The first `length` bytes of an open file."""

    def __init__(self, descriptor: int, length: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._length = length

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; 0 at the end."""
        most = min(len(buffer), self._length - self._position)
        data = os.pread(self._descriptor, most, self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class PartFile:
    """The file of `part` in `folder`, open for appending. `hashing` computes the digests of large pieces.

    With `fresh` the file must not exist. Otherwise the bytes that the journal gives are compared with their digest;
    `cut` drops what follows them. Raises OSError, and InputError if the bytes on disk are not those that were written.
    """

    def __init__(self, folder: Folder, part: Part, hashing: Executor, fresh: bool) -> None:
        self.part = part
        self._hashing = hashing
        self.path = folder.path / part.path
        self._sha256 = hashlib.sha256()
        self._content = ContentDigest(part.path) if self.path.suffix in ContentDigest.SUFFIXES else None
        if not fresh and not folder.exists(part.path):
            raise damaged_part(self.path, "is missing")
        self.descriptor = folder.open(part.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL if fresh else os.O_RDWR)
        if not fresh:
            try:
                self._compare()
            except BaseException:
                os.close(self.descriptor)
                raise

    def _compare(self) -> None:
        """Compute the digests of the bytes that the journal gives, and compare them."""
        length = left = self.part.bytes
        if os.fstat(self.descriptor).st_size < length:
            raise damaged_part(self.path, "is shorter than what was written to it")
        while left and (block := os.read(self.descriptor, min(left, READ_BYTES))):
            self._sha256.update(block)
            left -= len(block)
        if self.part.sha256 != self._sha256.hexdigest():
            raise damaged_part(self.path, "does not hold what was written to it")
        if self._content:
            try:
                self._content.read(self.descriptor, length)
            except ValueError:
                raise damaged_part(self.path, "does not hold what was written to it") from None

    def cut(self) -> None:
        """Cut off what was appended after the journal's last line."""
        os.ftruncate(self.descriptor, self.part.bytes)
        os.lseek(self.descriptor, 0, os.SEEK_END)

    def append(self, piece: Piece) -> int:
        """Write and hash one piece. Returns its length in bytes. After an OSError the file cannot be used any more."""
        view = memoryview(piece.data).cast("B")
        if len(view) < HASHED_APART_BYTES:
            self._write(view)
            self._hash(view, piece.raw)
        else:
            hashed = self._hashing.submit(self._hash, view, piece.raw)
            try:
                self._write(view)
            except BaseException:
                wait(
                    [hashed]
                )  # the data may be freed next; an error of the hash would say less than this one
                raise
            hashed.result()
        before = self.part
        self.part = msgspec.structs.replace(
            before,
            patients=before.patients + piece.patients,
            rows=before.rows + piece.rows,
            bytes=before.bytes + len(view),
        )
        return len(view)

    def _write(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            done += os.write(self.descriptor, view[done:])

    def _hash(self, view: memoryview, raw: Any) -> None:
        self._sha256.update(view)
        if self._content:
            self._content.update(view, raw)

    def snapshot(self) -> Part:
        """The unfinished part, with the digest of the bytes it has so far."""
        return msgspec.structs.replace(self.part, sha256=self._sha256.hexdigest())

    def finished(self) -> Part:
        """The finished part with its digests."""
        content = self._content.sha256.hexdigest() if self._content else None
        return msgspec.structs.replace(self.part, sha256=self._sha256.hexdigest(), content_sha256=content)


def damaged_part(path: Path, problem: str) -> InputError:
    """The error for a part on disk that is not what the journal says."""
    return InputError(f"{str(path)!r} {problem}: start the run again with --force or in another folder")
