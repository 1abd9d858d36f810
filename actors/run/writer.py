"""Writer: appends encoded pieces to the parts of a run, in order, and keeps the journal of what is on the disk.

It runs in a process of its own or in the driver. A run may have several writers, each with its own parts.
"""

import contextlib
import os
import stat
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actors.cluster import hide_pyarrow_in_worker, lower_priority
from actors.run.disk_thread import DiskThread, sync_and_drop
from actors.run.files import Folder, sync_folder
from actors.run.journal import Journal, JournalEntry
from actors.run.messages import EncodedChunks, Piece, ProcessId, Receipt
from actors.run.part import Part
from actors.run.part_file import PartFile, damaged_part
from actors.run.part_owners import PartOwners
from actors.run.run_file import read_run_file
from engine.errors import InputError, StoppedRun, write_error

hide_pyarrow_in_worker()

SYNC_BYTES = 8_000_000
SYNC_SECONDS = 1.0
"""Written bytes are sent to the disk and entered in the journal after at least 8 MB and at least one second
(docs/platform.md section 6)."""


class OutOfOrderError(Exception):
    """Encoded chunks arrived whose predecessors never did. Nothing of them was written."""


class Writer:
    """Appends encoded chunks to its parts in `folder`, each lane strictly in the order of its chunks.

    Call `open`, then `append` for all encoded chunks, then `close`. Where an earlier writer with the same index left a
    journal, its work is resumed, and what it wrote after the journal's last line is cut off. A part is finished when
    the first piece of its table's next part arrives. At least `SYNC_BYTES` and `sync_seconds` lie between two lines of
    the journal.

    Parameters
    ----------
    folder
        Where the parts are written. Its run file must be that of the run `run_id`.
    index
        The number of this writer.
    owners
        Which parts belong to which writer.

    Raises
    ------
    StoppedRun
        The disk failed, or another process still writes.
    InputError
        The files in the folder are damaged, or belong to another run.
    """

    def __init__(
        self,
        folder: str,
        run_id: str,
        index: int = 0,
        owners: PartOwners | None = None,
        sync_seconds: float = SYNC_SECONDS,
    ) -> None:
        self._path = Path(folder)
        self._folder: Folder | None = None
        self._run_id = run_id
        self._index = index
        self._owners = owners or PartOwners()
        self._sync_seconds = sync_seconds
        self._journal: Journal | None = None
        self._disk = DiskThread()
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="goldenhour-hash")
        self._open: dict[tuple[str, str], PartFile] = {}
        """Open parts by format and table."""
        self._descriptors: set[int] = set()
        self._finished: dict[str, Part] = {}
        self._next: dict[str, int] = {}
        """The next chunk of each lane."""
        self._incomplete_append = False
        """Whether the files hold bytes of chunks that `_next` does not count."""
        # what the journal does not say yet
        self._unjournalled_parts: dict[str, Part] = {}
        self._unjournalled_bytes = 0
        self._new_files = False
        self._journalled_at = time.monotonic()

    def process_id(self) -> ProcessId:
        """The node and process id. The first call of the actor."""
        import ray

        lower_priority()
        return ProcessId(ray.get_runtime_context().get_node_id(), os.getpid())

    def open(self, lanes: Sequence[str]) -> Receipt:
        """Restore what the journal says. Returns it as a receipt for all of it."""
        try:
            return self._restore(lanes)
        except OSError as error:
            self.release()
            raise write_error(self._path, error) from error
        except BaseException:
            self.release()
            raise

    def _restore(self, lanes: Sequence[str]) -> Receipt:
        """Compare everything with the journal first, then cut and remove what it does not name."""
        run = read_run_file(self._path)
        if run is None or run.run_id != self._run_id:
            problem = f"the machine {os.uname().nodename!r} does not see the run's folder {str(self._path)!r}"
            if self._owners.writers > 1:
                raise InputError(f"{problem}: several writers need a folder that all machines share")
            raise StoppedRun(f"{problem}: was it removed while the run was starting?")
        folder = self._folder = Folder(self._path)
        self._journal = Journal(folder, run, self._index, self._owners, lanes)
        state = self._journal.state
        self._next = {lane: self._owners.next_owned(self._index, lane, 0) for lane in lanes} | state.next
        self._finished = dict(state.finished)
        for part in state.finished.values():
            status = folder.status(part.path)
            if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != part.bytes:
                raise damaged_part(self._path / part.path, "does not have the size of what was written to it")
        resumed = [
            self._add(PartFile(folder, part, self._hashing, fresh=False)) for part in state.open.values()
        ]
        for part_file in resumed:
            part_file.cut()
        for name in folder.names():
            journalled = name in state.finished or name in state.open
            if not journalled and self._owners.owns_file(self._index, name):
                folder.remove(name)
        self._journal.begin()
        return Receipt(self._next, (*state.finished.values(), *state.open.values()))

    def append(self, encoded: EncodedChunks) -> Receipt:
        """Write all pieces of encoded chunks.

        Raises OutOfOrderError for chunks that are not the next ones of their lane: those before them were lost.
        """
        lane, first = encoded.lane, encoded.first_chunk
        expected = self._next.get(lane, 0)
        if first != expected:
            raise OutOfOrderError(f"chunk {first} arrived where chunk {expected} was expected")
        changed: dict[str, Part] = {}
        path = self._path
        self._incomplete_append = True
        try:
            for piece in encoded.pieces:
                path = self._path / piece.path
                part = self._part_for(piece, changed)
                self._unjournalled_bytes += part.append(piece)
                changed[piece.path] = part.part
            self._next[lane] = self._owners.next_owned(self._index, lane, first + encoded.chunk_count)
            self._incomplete_append = False
            path = self._path
            self._checkpoint_when_due()
        except OSError as error:
            raise write_error(path, error) from error
        return Receipt({lane: self._next[lane]}, tuple(changed.values()))

    def checkpoint(self) -> None:
        """Wait until all that was appended is on the disk and in the journal."""
        try:
            if self._unjournalled_bytes and not self._incomplete_append:
                self._start_checkpoint()
            self._disk.wait()
        except OSError as error:
            raise write_error(self._path, error) from error

    def close(self, whole_files: Sequence[Piece] = ()) -> list[Part]:
        """Finish all parts, and write the pieces that are whole files. Returns all parts, sorted by path."""
        path = self._path
        try:
            for key in list(self._open):
                self._finish(key)
            self._start_checkpoint()
            self._incomplete_append = True
            for piece in whole_files:
                path = self._path / piece.path
                self._part_for(piece, {}).append(piece)
                self._finish((piece.format, piece.table))
            path = self._path
            self._disk.wait()
        except OSError as error:
            raise write_error(path, error) from error
        self.release()
        return [self._finished[path] for path in sorted(self._finished)]

    def release(self) -> None:
        """Close all files without finishing them. Safe to call twice."""
        self._disk.stop()
        self._hashing.shutdown()
        self._open.clear()
        while self._descriptors:
            with contextlib.suppress(OSError):
                os.close(self._descriptors.pop())
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _part_for(self, piece: Piece, changed: dict[str, Part]) -> PartFile:
        """The open part of a piece. Finishes the part of the table before it, and enters that in `changed`."""
        key = (piece.format, piece.table)
        part = self._open.get(key)
        if part is not None and part.part.path != piece.path:
            finished = self._finish(key)
            changed[finished.path] = finished
            part = None
        if part is None:
            new = Part(path=piece.path, format=piece.format, table=piece.table, patients=0, rows=0, bytes=0)
            assert self._folder is not None
            part = self._add(PartFile(self._folder, new, self._hashing, fresh=True))
            self._new_files = True
        return part

    def _add(self, part: PartFile) -> PartFile:
        self._descriptors.add(part.descriptor)
        self._open[part.part.format, part.part.table] = part
        return part

    def _finish(self, key: tuple[str, str]) -> Part:
        """Finish an open part. It goes to the disk while the next one is written."""
        part = self._open.pop(key)
        finished = part.finished()
        self._disk.submit(self._close_part, part.descriptor, finished.bytes)
        self._finished[finished.path] = self._unjournalled_parts[finished.path] = finished
        return finished

    def _close_part(self, descriptor: int, written: int) -> None:
        os.fsync(descriptor)
        sync_and_drop(descriptor, written)
        self._descriptors.discard(descriptor)
        os.close(descriptor)

    def _checkpoint_when_due(self) -> None:
        due = time.monotonic() - self._journalled_at >= self._sync_seconds
        if self._unjournalled_bytes >= SYNC_BYTES and due and not self._disk.busy:
            self._start_checkpoint()

    def _start_checkpoint(self) -> None:
        """Start to send what was written to the disk, and then a line of the journal that says so."""
        files = [(part.descriptor, part.part.bytes) for part in self._open.values()]
        entry = JournalEntry(
            next=dict(self._next),
            finished=list(self._unjournalled_parts.values()),
            open=[part.snapshot() for part in self._open.values()],
        )
        self._disk.submit(self._commit, files, entry, self._new_files)
        self._unjournalled_parts = {}
        self._new_files = False
        self._unjournalled_bytes = 0
        self._journalled_at = time.monotonic()

    def _commit(self, files: list[tuple[int, int]], entry: JournalEntry, new_files: bool) -> None:
        for descriptor, written in files:
            sync_and_drop(descriptor, written)
        if new_files:
            sync_folder(self._path)
        assert self._journal is not None
        self._journal.append(entry)
