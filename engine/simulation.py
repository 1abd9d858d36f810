"""One replication of a scenario, chunk by chunk: arrivals cut to chunks, each chunk walked by the kernel."""

from collections.abc import Iterator

import numpy as np

from engine import arrivals, compiled
from engine.casualties import MAXIMUM_WOUNDS
from engine.columns import ARRIVAL, EVENT, PARQUET_PART, PATIENT, TREATMENT, VITAL, WOUND, Chunk, Table
from engine.flow import EVENTS_EACH, TREATMENTS_EACH, VITALS_EACH, simulate
from engine.measures import Measures
from engine.scenario_structs import Scenario
from engine.survival import STATE
from engine.treatments import Output

DEFAULT_CHUNK = 2048


class Simulation:
    """The chunks of one replication, in record order; `measures` is complete after the last.

    `scenario` is resolved; `chunk_size` patients at the most make a chunk, which never crosses a multiple of
    PARQUET_PART. A run without casualties is one empty chunk.
    """

    def __init__(
        self, scenario: Scenario, seed: int, replication: int, chunk_size: int = DEFAULT_CHUNK
    ) -> None:
        if not 1 <= chunk_size <= PARQUET_PART:
            raise ValueError(f"chunk_size {chunk_size}: allowed 1 to {PARQUET_PART}")
        self.measures = Measures(scenario)
        self._model = compiled.compile_scenario(scenario, seed, replication)
        self._chunk_size = chunk_size
        self._plan = arrivals.plan(scenario)
        self._batches = arrivals.generate(self._plan, seed, replication)
        self._state = np.zeros(1, STATE)

    def __iter__(self) -> Iterator[Chunk]:
        number = first = 0
        pending = self._walk(np.zeros(0, ARRIVAL), number, first)
        for cut in self._cuts():
            if number:
                yield pending
            pending = self._walk(cut, number, first)
            number += 1
            first += len(cut)
        pending.last = True
        yield pending

    def skip(self, chunks: int) -> Iterator[Chunk]:
        """The chunks from number `chunks` on; those before are simulated (the measures count them) and dropped."""
        for chunk in self:
            if chunk.number >= chunks:
                yield chunk

    def _cuts(self) -> Iterator[Table]:
        """The arrivals in pieces of one chunk each."""
        held: list[Table] = []
        count = first = 0
        size = self._size(first)
        for batch in self._batches:
            start = 0
            while start < len(batch):
                piece = batch[start : start + size - count]
                held.append(piece)
                count += len(piece)
                start += len(piece)
                if count == size:
                    yield np.concatenate(held)
                    first += count
                    held, count, size = [], 0, self._size(first)
        if count:
            yield np.concatenate(held)

    def _size(self, first: int) -> int:
        """Patients of the chunk that starts at `first`."""
        return min(self._chunk_size, PARQUET_PART - first % PARQUET_PART)

    def _walk(self, cut: Table, number: int, first: int) -> Chunk:
        """The kernel over one chunk, into tables made for the most it could fill; pages left empty cost nothing."""
        chunk = Chunk(number=number, first=first, last=False)
        n = len(cut)
        if n:
            o = Output(
                np.zeros(n, PATIENT),
                np.zeros(n * EVENTS_EACH, EVENT),
                np.zeros(n * TREATMENTS_EACH, TREATMENT),
                np.zeros(n * MAXIMUM_WOUNDS, WOUND),
                np.zeros(n * VITALS_EACH, VITAL),
                np.zeros(4, np.int64),
            )
            simulate(cut, self._state, self._model, o)
            filled = zip((o.events, o.treatments, o.wounds, o.vitals), o.rows, strict=True)
            chunk.events, chunk.treatments, chunk.wounds, chunk.vitals = (
                table[:rows] for table, rows in filled
            )
            chunk.patients = o.patients
            self.measures.add(chunk)
        return chunk
