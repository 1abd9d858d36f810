"""PartOwners: which of several writers writes which part."""

from typing import NamedTuple

from actors.run.lanes import CHUNK_LANE, PART_LANE, chunks_per_parquet_part
from actors.run.manifest import OUTPUT_NAMES
from engine.records import PARQUET_PART_PATIENTS, PART_PATIENTS

NO_CHUNK = 1 << 62
"""A number greater than that of any chunk."""


class PartOwners(NamedTuple):
    """Part `n` belongs to writer `n % writers`.

    `chunks_per_part` gives the chunks in a part for each lane. A lane without an entry has a single part, which
    belongs to writer 0. Chunks never cross the border of a part, so the number of a chunk determines its part.
    """

    writers: int = 1
    chunks_per_part: tuple[tuple[str, int], ...] = ()

    def owner(self, lane: str, chunk: int) -> int:
        """The writer of chunk number `chunk` in a lane."""
        size = dict(self.chunks_per_part).get(lane)
        return chunk // size % self.writers if size else 0

    def next_owned(self, writer: int, lane: str, chunk: int) -> int:
        """The first chunk from number `chunk` on that `writer` writes; NO_CHUNK if there is none."""
        size = dict(self.chunks_per_part).get(lane)
        if not size:
            return chunk if writer == 0 else NO_CHUNK
        part = chunk // size
        parts_ahead = (writer - part) % self.writers
        return (part + parts_ahead) * size if parts_ahead else chunk

    def owns_file(self, writer: int, name: str) -> bool:
        """Whether the file `name` belongs to `writer`. Files without a part number belong to writer 0."""
        found = OUTPUT_NAMES.fullmatch(name)
        return found is not None and int(found["part"] or 0) % self.writers == writer


def part_owners(writers: int, chunk_size: int) -> PartOwners:
    """The owners of the parts of a run with so many writers."""
    if writers == 1:
        return PartOwners()
    parquet_part = chunks_per_parquet_part(chunk_size)
    part = parquet_part * (PART_PATIENTS // PARQUET_PART_PATIENTS)
    return PartOwners(writers, ((CHUNK_LANE, part), (PART_LANE, parquet_part)))
