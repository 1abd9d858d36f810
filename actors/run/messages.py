"""What the processes of a run send to each other: heads of chunks, encoded pieces and receipts."""

from typing import TYPE_CHECKING, Any, NamedTuple

from actors.run.part import Part
from engine.records import PARQUET_PART_PATIENTS

if TYPE_CHECKING:
    from actors.cache import SharedCache
    from engine.tables import Chunk


class ChunkHead(NamedTuple):
    """What the driver knows of a chunk without holding its columns.

    `number` counts the run's chunks, `first` is the number of the chunk's first patient in the run.
    `last_patient_ms` is the simulated time of its last patient in milliseconds, -1 if it has no patients.
    """

    number: int
    first: int
    patients: int
    last: bool
    last_patient_ms: int

    @property
    def ends_part(self) -> bool:
        """Whether the chunk is the last one of a Parquet part."""
        return self.last or (self.first + self.patients) % PARQUET_PART_PATIENTS == 0


BATCH_PATIENTS = 4096
MAX_BATCH_CHUNKS = 2
"""Limits of a batch: the chunks that the simulator delivers at once, and that are encoded and written together. A call
through Ray costs as much processor time as a thousand records (docs/platform.md section 1.4)."""


def chunks_per_batch(chunk_size: int) -> int:
    """Most chunks in a batch."""
    return max(1, min(MAX_BATCH_CHUNKS, BATCH_PATIENTS // chunk_size))


def head_of(chunk: "Chunk") -> ChunkHead:
    """The head of a chunk."""
    last_patient_ms = int(chunk.patients["time"][-1]) if len(chunk) else -1
    return ChunkHead(chunk.number, chunk.first, len(chunk), chunk.last, last_patient_ms)


class EncodeSettings(NamedTuple):
    """How to encode the chunks of one lane.

    `scenario` is the resolved scenario as JSON. It is also the key of the code tables that a process reuses from chunk
    to chunk. The texts in these tables come from `cache`, if there is one.
    """

    lane: str
    formats: tuple[str, ...]
    compress: str
    scenario: bytes
    cache: "SharedCache | None" = None


class Piece(NamedTuple):
    """Encoded bytes of one table, to be appended to the part file `path`.

    `data` is anything with the buffer protocol. In a compressed part it is one gzip member or zstd frame. `raw` is its
    content, if the piece has not left the process that compressed it.
    """

    path: str
    format: str
    table: str
    patients: int
    rows: int
    data: Any
    raw: Any = None


class EncodedChunks(NamedTuple):
    """All pieces of `chunk_count` consecutive chunks in one lane, from chunk `first_chunk` on."""

    lane: str
    first_chunk: int
    chunk_count: int
    pieces: list[Piece]


class Receipt(NamedTuple):
    """What a writer acknowledges: the chunk it expects next in each lane, and the parts it has changed."""

    next_chunks: dict[str, int]
    parts: tuple[Part, ...]


class Compiling(NamedTuple):
    """The compilation of entry points: what is being compiled, and how far it is.

    `number` is one more than those of `total` that are done. `processes` are the ids of those that compile.
    """

    what: str
    number: int
    total: int
    processes: tuple[int, ...] = ()


class ProcessId(NamedTuple):
    """The node and process id of an actor or a task: for the memory figures, and for tests that kill the process."""

    node: str
    pid: int


__all__ = [
    "ChunkHead",
    "Compiling",
    "EncodeSettings",
    "EncodedChunks",
    "Piece",
    "ProcessId",
    "Receipt",
    "chunks_per_batch",
    "head_of",
]
