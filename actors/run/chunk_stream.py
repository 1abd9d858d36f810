"""ChunkStream: the chunks of one simulation, one call at a time, and then its measures."""

import time
from typing import TYPE_CHECKING

import msgspec

from actors.run.messages import ChunkHead, head_of
from engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.records import RunTable
    from engine.run import Merged, Simulation
    from engine.scenario import Scenario
    from engine.tables import Chunk


class ChunkStream:
    """The chunks of `simulation`, a replication of the resolved `scenario` or some of its fronts."""

    def __init__(self, simulation: "Simulation | Merged", scenario: "Scenario") -> None:
        self._simulation = simulation
        self._scenario = scenario
        self._chunks: Iterator[Chunk] = iter(simulation)
        self._next_number = 0

    def next_chunk(self) -> "Chunk | None":
        """The next chunk; None after the last."""
        self._next_number += 1
        return next(self._chunks, None)

    def next_batch(self, most: int) -> "tuple[list[Chunk], list[ChunkHead]]":
        """The next chunks and their heads: `most` chunks, or those up to the end of a Parquet part. None at the end."""
        chunks: list[Chunk] = []
        heads: list[ChunkHead] = []
        while len(chunks) < most and not (heads and heads[-1].ends_part):
            chunk = self.next_chunk()
            if chunk is None:
                break
            chunks.append(chunk)
            heads.append(head_of(chunk))
        return chunks, heads

    def skip_to(self, number: int, seconds: float) -> bool:
        """Discard chunks until `number` is the next one or the time is up. Returns whether it is the next one.

        To resume a run, chunks that are already on disk are simulated again but not encoded. Raises InputError if the
        simulation has fewer chunks.
        """
        until = time.monotonic() + seconds
        while self._next_number < number:
            if time.monotonic() > until:
                return False
            if self.next_chunk() is None:
                raise InputError(
                    "the journal names chunks that the run does not have: start it again with --force"
                )
        return True

    def measures(self) -> "tuple[bytes, list[RunTable]]":
        """The measures of the whole run as JSON, whose receiver needs no NumPy, and its tables."""
        from engine.measures import find_measures

        while self.next_chunk() is not None:
            pass
        found = find_measures(self._simulation, self._scenario)
        return msgspec.json.encode(found.summary), [found.facilities, found.measures, found.consumption]
