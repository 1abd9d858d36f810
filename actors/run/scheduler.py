"""Scheduler: which chunk is encoded in which lane, and which writer gets the result.

It holds plain state and knows nothing of Ray, files or processes. An executor (`actors.run.executor`) carries out what
it decides.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from actors.run.lanes import PART_LANE
from actors.run.messages import ChunkHead, Receipt
from actors.run.part_owners import PartOwners


class EncodeTask(NamedTuple):
    """Consecutive chunks to encode in one lane and to append to the parts of one writer.

    The chunks are those of `batches` from number `first_chunk` on; `last_chunk` is the number of the last one. A batch
    is what the executor passed in: a list of consecutive chunks, or a reference to it.
    """

    lane: str
    writer: int
    first_chunk: int
    last_chunk: int
    batches: list[Any]


class WriteProgress:
    """What the writers have acknowledged. `bytes` counts the bytes of all parts."""

    def __init__(self, lanes: Sequence[str], writers: int) -> None:
        self.bytes = 0
        self._lanes = tuple(lanes)
        self._next: list[dict[str, int]] = [{} for _ in range(writers)]
        self._part_bytes: dict[str, int] = {}

    def add(self, writer: int, receipt: Receipt) -> None:
        """Record a receipt."""
        self._next[writer] = self._next[writer] | receipt.next_chunks
        for part in receipt.parts:
            self.bytes += part.bytes - self._part_bytes.get(part.path, 0)
            self._part_bytes[part.path] = part.bytes

    def next_chunk(self, writer: int, lane: str) -> int:
        """The chunk of a lane that a writer expects next."""
        return self._next[writer].get(lane, 0)

    @property
    def chunks(self) -> int:
        """Chunks, counted from the first, that are written in all lanes."""
        return min(next_chunks.get(lane, 0) for next_chunks in self._next for lane in self._lanes)


class Scheduler:
    """The chunks of one run on their way from the simulator through the lanes to the writers.

    It lives as long as the run. Each attempt calls `restart`, which forgets the chunks under way, and `start_at`. Then
    it requests batches of chunks while `may_request`, passes in what arrives (`add_batch`, `add_receipt`), and carries
    out each `next_task`, until the run is `complete`.

    `run_chunks` and `run_patients` are the totals of the run, known once its last chunk has arrived.
    """

    def __init__(self, lanes: Sequence[str], owners: PartOwners) -> None:
        self.run_chunks: int | None = None
        self.run_patients = 0
        self._lanes = tuple(lanes)
        self._owners = owners
        self._written = WriteProgress(self._lanes, owners.writers)
        self._window = 1
        self._batch_chunks = 1
        self._requests = 0
        """Batches requested that have not arrived."""
        self._arrived = 0
        """The chunk after the last one that has arrived."""
        self._gathered: list[Any] = []
        self._gathered_from = 0
        self._tasks: deque[EncodeTask] = deque()
        self._unwritten_heads: dict[int, ChunkHead] = {}
        self._written_to = (0, -1)

    def restart(self, window: int, receipts: Sequence[Receipt], batch_chunks: int = 1) -> None:
        """Begin an attempt.

        Parameters
        ----------
        window
            Number of chunks that may be requested but not yet written in all lanes. With a part lane it must be
            at least the number of chunks in a part and `batch_chunks` - 1 more.
        receipts
            What each writer has on the disk, in the order of the writers.
        batch_chunks
            Most chunks in a batch.
        """
        self._window = window
        self._batch_chunks = batch_chunks
        self._requests = self._arrived = 0
        self._gathered = []
        self._tasks.clear()
        self._written = WriteProgress(self._lanes, self._owners.writers)
        for writer, receipt in enumerate(receipts):
            self._written.add(writer, receipt)

    @property
    def first_needed(self) -> int:
        """The first chunk that the simulator must deliver.

        It is the last chunk already written, not the one after it: only its head says whether the run ends there.
        """
        return max(0, self._written.chunks - 1)

    def start_at(self, chunk: int) -> None:
        """Set the number of the chunk that the executor delivers first, at most `first_needed`."""
        self._arrived = chunk
        self._requests = 0

    @property
    def may_request(self) -> bool:
        """Whether the window has room for one more batch, and the run may have more chunks."""
        requested = self._arrived + self._requests * self._batch_chunks
        if self.run_chunks is not None and requested >= self.run_chunks:
            return False
        # What is written is ahead of what has arrived while a run is resumed, and a false journal may say any number.
        return requested + self._batch_chunks - min(self._written.chunks, self._arrived) <= self._window

    def add_request(self) -> None:
        """Count one more batch as requested."""
        self._requests += 1

    def add_batch(self, heads: Sequence[ChunkHead], batch: Any) -> None:
        """Accept the next batch and queue its encode tasks. A lane that already has a chunk on disk skips it.

        `heads` are those of the chunks in `batch`. All of them belong to the same Parquet part.
        """
        self._requests -= 1
        last = heads[-1]
        self._arrived = last.number + 1
        self._unwritten_heads |= {head.number: head for head in heads}
        if last.last:
            self.run_chunks = last.number + 1
            self.run_patients = last.first + last.patients
        for lane in self._lanes:
            writer = self._owners.owner(lane, last.number)
            first = max(heads[0].number, self._written.next_chunk(writer, lane))
            if first > last.number:
                continue
            if lane != PART_LANE:
                self._tasks.append(EncodeTask(lane, writer, first, last.number, [batch]))
                continue
            if not self._gathered:
                self._gathered_from = first
            self._gathered.append(batch)
            if last.ends_part:
                self._tasks.append(EncodeTask(lane, writer, self._gathered_from, last.number, self._gathered))
                self._gathered = []

    def add_receipt(self, writer: int, receipt: Receipt) -> None:
        """Record what a writer acknowledges."""
        self._written.add(writer, receipt)

    def next_task(self) -> EncodeTask | None:
        """Take the oldest task; None if there is none."""
        return self._tasks.popleft() if self._tasks else None

    @property
    def queued_tasks(self) -> int:
        """Tasks that wait to be carried out."""
        return len(self._tasks)

    @property
    def caught_up(self) -> bool:
        """Whether the simulator has got past the chunks that are skipped or simulated again."""
        return self._arrived >= self.first_needed

    @property
    def complete(self) -> bool:
        """Whether every chunk of the run is written."""
        return self.run_chunks is not None and self._written.chunks >= self.run_chunks

    @property
    def written_chunks(self) -> int:
        """Chunks, counted from the first, that are written in all lanes."""
        return min(self._written.chunks, self.run_chunks or self._written.chunks)

    @property
    def written_bytes(self) -> int:
        """Bytes in all parts."""
        return self._written.bytes

    @property
    def written_to(self) -> tuple[int, int]:
        """How far the files reach: the number of patients written, and the time of the last one in ms (-1: none).

        It never decreases, even if a fault loses what was not yet on the disk.
        """
        chunks = self._written.chunks
        for number in [number for number in self._unwritten_heads if number < chunks]:
            head = self._unwritten_heads.pop(number)
            self._written_to = max(self._written_to, (head.first + head.patients, head.last_patient_ms))
        return self._written_to


__all__ = ["EncodeTask", "Scheduler", "WriteProgress"]
