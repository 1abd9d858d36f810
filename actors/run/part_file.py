"""PartFile: a part that bytes are appended to, with the digests of what it holds."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from actors.run.messages import Piece
from actors.run.part import Part
from engine.errors import InputError

READ_BYTES = 1 << 20
"""Bytes read at once when the digest of a part is computed again."""


class ContentDigest:
    """SHA-256 of the decompressed content of a part; its name says how it is compressed."""

    SUFFIXES = (".gz", ".zst")

    def __init__(self, name: str) -> None:
        self.sha256 = hashlib.sha256()
        self._gzip = name.endswith(".gz")

    def update(self, data: memoryview) -> None:
        """Add one complete gzip member or zstd frame."""
        if not len(data):
            return
        if self._gzip:
            from isal import isal_zlib

            self.sha256.update(isal_zlib.decompress(data, wbits=31))
        else:
            import zstandard

            self.sha256.update(zstandard.ZstdDecompressor().decompress(data))

    def read(self, path: Path) -> None:
        """Add a whole file of several members or frames."""
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
        while block := file.read(READ_BYTES):
            self.sha256.update(block)


class PartFile:
    """The file of `part`, open for appending.

    With `fresh` the file must not exist. Otherwise it is cut to the length that the journal gives, and its digest is
    checked. Raises OSError, and InputError if the bytes on disk are not those that were written.
    """

    def __init__(self, path: Path, part: Part, fresh: bool) -> None:
        self.part = part
        self.path = path
        self._sha256 = hashlib.sha256()
        self._content = ContentDigest(part.path) if path.suffix in ContentDigest.SUFFIXES else None
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_WRONLY | os.O_CREAT | os.O_EXCL if fresh else os.O_RDWR)
        self.descriptor = os.open(path, flags, 0o666)
        if not fresh:
            try:
                self._restore()
            except BaseException:
                os.close(self.descriptor)
                raise

    def _restore(self) -> None:
        """Cut off what was appended after the journal's last line, and compute the digests of the rest."""
        left = self.part.bytes
        if os.fstat(self.descriptor).st_size < left:
            raise damaged_part(self.path, "is shorter than what was written to it")
        os.ftruncate(self.descriptor, left)
        while left:
            block = os.read(self.descriptor, min(left, READ_BYTES))
            self._sha256.update(block)
            left -= len(block)
        if self._content:
            self._content.read(self.path)
        if self.part.sha256 != self._sha256.hexdigest():
            raise damaged_part(self.path, "does not hold what was written to it")

    def append(self, piece: Piece) -> int:
        """Write one piece. Returns its length in bytes."""
        view = memoryview(piece.data).cast("B")
        done = 0
        while done < len(view):
            done += os.write(self.descriptor, view[done:])
        self._sha256.update(view)
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
