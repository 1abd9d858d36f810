"""BatchJournal: the finished batches of one experiment, in a file of its unfinished output.

A cache may be switched off, and it may evict a batch before the experiment ends. What is in the journal is never
simulated again by this experiment. Each entry has a checksum. After a kill or a power failure the journal is read up to
the first entry that is not whole, and what follows is simulated again.
"""

import os
import struct
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from actors.experiments.batches import Batch, FinishedBatch
from actors.run import Folder
from engine.precomputed import REPLICATIONS_KIND, pack_value, unpack_value

if TYPE_CHECKING:
    from engine.run import Replications

JOURNAL = "journal-0.batches"
"""Name of the file. It begins like those of the journals of a run, so that an output with entries can be resumed."""

SYNC_SECONDS = 1.0
"""After a power failure, so much of the last work may have to be done again. A kill alone loses no entry."""

_HEADER = b"goldenhour batches 1\n"
_PLACE = struct.Struct("<QQQ")
"""Number of a point, number of the first replication, and length of the packed measures."""
_CHECKSUM = struct.Struct("<I")


class BatchJournal:
    """Measures of finished batches, in a file that only grows.

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
        self._synced_at = time.monotonic()
        self._end = 0

    def begin(self) -> Iterator[FinishedBatch]:
        """Yield what is in the journal, and make it ready for more. Must be exhausted before `append`. Raises OSError.

        Of two entries of the same replications the later one counts: they are equal.
        """
        if os.pread(self._descriptor, len(_HEADER), 0) == _HEADER:
            self._end = len(_HEADER)
            while (entry := self._entry()) is not None:
                yield entry
        os.ftruncate(self._descriptor, self._end)
        if not self._end:
            self._write(_HEADER)

    def append(self, point: int, first: int, replications: "Replications") -> None:
        """Write the measures of a batch. Raises OSError."""
        data = pack_value(REPLICATIONS_KIND, replications)
        place = _PLACE.pack(point, first, len(data))
        self._write(place + _CHECKSUM.pack(_checksum(place, data)) + data)
        if time.monotonic() - self._synced_at >= SYNC_SECONDS:
            os.fdatasync(self._descriptor)
            self._synced_at = time.monotonic()

    def close(self) -> None:
        """Wait until all entries are on the disk, and close the file. Safe to call twice."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _entry(self) -> FinishedBatch | None:
        """The next entry; None if there is none that is whole."""
        size = _PLACE.size + _CHECKSUM.size
        head = os.pread(self._descriptor, size, self._end)
        if len(head) < size:
            return None
        place, checksum = head[: _PLACE.size], head[_PLACE.size :]
        point, first, length = _PLACE.unpack(place)
        if length > os.fstat(self._descriptor).st_size - self._end - size:
            return None
        data = os.pread(self._descriptor, length, self._end + size)
        if _CHECKSUM.pack(_checksum(place, data)) != checksum:
            return None
        try:
            replications = unpack_value(REPLICATIONS_KIND, data)
        except ValueError:
            return None
        self._end += size + length
        return FinishedBatch(point, Batch(first, len(replications.values)), replications)

    def _write(self, data: bytes) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self._descriptor, data[done:], self._end + done)
        self._end += done


def _checksum(place: bytes, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(place))
