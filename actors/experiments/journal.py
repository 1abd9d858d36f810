"""BatchJournal: the finished batches of one experiment, in a file of its unfinished output.

A cache may be switched off, and it may evict a batch before the experiment ends. What is in the journal is never
simulated again by this experiment. Each entry has a checksum. After a kill or a power failure the journal is
read up to the first entry that is not whole, and what follows is simulated again.
"""

import os
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

from actors.run import Folder
from engine.precomputed import CacheKey, pack_value, unpack_value

JOURNAL = "journal-0.batches"
"""Name of the file. It begins like those of the journals of a run, so that an output with entries can be resumed."""

SYNC_SECONDS = 1.0
"""After a power failure, so much of the last work may have to be done again. A kill alone loses no entry."""

_HEADER = b"goldenhour batches 1\n"
_ENTRY = struct.Struct("<32sII")
"""Digest of a batch's key, length of its packed measures, and CRC-32 of both."""

Selection = Callable[[Any], Any]
"""Takes the measures of a batch and returns those that the experiment needs."""


class BatchJournal:
    """Measures of finished batches by their keys, in a file that only grows.

    Parameters
    ----------
    folder
        Where the file is. Only one process may use it at a time: the output folder is locked.

    Raises
    ------
    OSError
        It cannot be read or written.
    InputError
        There is something else of that name.
    """

    def __init__(self, folder: Folder) -> None:
        self._descriptor = folder.open(JOURNAL, os.O_RDWR | os.O_CREAT)
        self._places: dict[bytes, tuple[int, int]] = {}
        self._synced_at = time.monotonic()
        self._end = self._read()
        os.ftruncate(self._descriptor, self._end)
        if not self._end:
            self._write(_HEADER)
            self._end = len(_HEADER)

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._places)

    def get(self, key: CacheKey) -> Any:
        """Return the measures of a batch, or None if they are not there."""
        place = self._places.get(bytes.fromhex(key.key))
        if place is None:
            return None
        start, size = place
        try:
            return unpack_value(key.kind, os.pread(self._descriptor, size, start))
        except ValueError:
            return None

    def put(self, key: CacheKey, value: Any) -> None:
        """Append the measures of a batch. Raises OSError."""
        digest = bytes.fromhex(key.key)
        if digest in self._places:
            return
        data = pack_value(key.kind, value)
        self._write(_ENTRY.pack(digest, len(data), _checksum(digest, data)) + data)
        self._places[digest] = self._end + _ENTRY.size, len(data)
        self._end += _ENTRY.size + len(data)
        if time.monotonic() - self._synced_at >= SYNC_SECONDS:
            os.fdatasync(self._descriptor)
            self._synced_at = time.monotonic()

    def close(self) -> None:
        """Wait until all entries are on the disk, and close the file. Safe to call twice."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> int:
        """Find the entries that are whole. Returns where they end; 0 if not even the header is whole."""
        size = os.fstat(self._descriptor).st_size
        if os.pread(self._descriptor, len(_HEADER), 0) != _HEADER:
            return 0
        end = len(_HEADER)
        while end + _ENTRY.size <= size:
            digest, length, checksum = _ENTRY.unpack(os.pread(self._descriptor, _ENTRY.size, end))
            start = end + _ENTRY.size
            if start + length > size:
                break
            if _checksum(digest, os.pread(self._descriptor, length, start)) != checksum:
                break
            self._places[digest] = start, length
            end = start + length
        return end

    def _write(self, data: bytes) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self._descriptor, data[done:], self._end + done)


def _checksum(digest: bytes, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(digest))
