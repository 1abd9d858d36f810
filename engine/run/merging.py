"""Merges the shards of a replication, each of which simulates some fronts, into the chunks of one simulation.

Every patient comes with its place in the write order, a time and a sequence number (tables.WRITE_ORDER). One simulation
writes records in this order, and so does each shard, so merging by it gives the order of one simulation. No two shards
have the same place: entries at the same time are ordered by the number of the arrival, which all shards count alike, or
by a facility, way or pool, which belongs to one shard. (A sequence number is the largest tie so far at its time, since
what an entry causes at once comes after it, whatever its own tie.)
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.codes import RESOURCE_COUNT
from engine.measures import FlowMeasures, Measures, Statistics
from engine.run.partition import Fronts, Owners, owners
from engine.run.simulation import RunEnd
from engine.scenario import Scenario
from engine.tables import ENDS, PATIENT, TABLES, WRITE_ORDER, Chunk, Table, number_chunks

_SUMS = ("arrived", "refused", "bypassed")
"""Counts to add up over shards: unlimited facilities have them too, and may serve patients of several shards."""


_BY_POOL = (
    "sorties",
    "carried",
    "litters_used",
    "busy",
    "lost",
    "remains_carried",
    "remains_time",
    "period_busy",
)

_OF_THE_RUN = ("time_end", "periods")
"""What every shard has alike."""


class Shard(Protocol):
    """A simulation of some fronts, in this process or another; see `engine.run.simulation.Simulation`."""

    def __iter__(self) -> Iterator[Chunk]:
        """Return the chunks, with `write_order`."""
        ...

    def end(self) -> RunEnd:
        """Return where the shard ended."""
        ...

    def close(self, end: RunEnd) -> tuple[Measures, Statistics | None]:
        """Advance the shard to the end of the whole run."""
        ...


class Merged:
    """The chunks of a replication, in record order; `measures` and `flow` are complete after the last.

    Chunks are taken from the shards as the merge needs them: one or two of each are held.

    Parameters
    ----------
    scenario
        The resolved scenario.
    parts
        The fronts of each shard (`partition_fronts`).
    shards
        The simulations of these fronts.
    chunk_size
        Patients in a chunk, at most.
    """

    def __init__(
        self, scenario: Scenario, parts: Sequence[Fronts], shards: Sequence[Shard], chunk_size: int
    ) -> None:
        self.measures = Measures(scenario)
        self.flow = FlowMeasures.empty(scenario)
        self._scenario = scenario
        self._parts = parts
        self._shards = shards
        self._chunk_size = chunk_size

    def __iter__(self) -> Iterator[Chunk]:
        merge = _Merge([iter(shard) for shard in self._shards])
        return number_chunks(merge.take, self._chunk_size, self._close)

    def _close(self) -> None:
        """Close all shards at the end of the run and merge their measures."""
        ends = [shard.end() for shard in self._shards]
        at, sequence = max((end.at, end.sequence) for end in ends)
        end = RunEnd(at, sequence, max(end.last_release for end in ends))
        results = [shard.close(end) for shard in self._shards]
        for measures, _ in results:
            self.measures.merge(measures)
        counted = [statistics for _, statistics in results if statistics is not None]
        if counted:
            whole = merged_statistics(counted, owners(self._scenario, self._parts))
            self.flow = FlowMeasures(self._scenario, whole)


def merged_statistics(counted: Sequence[Statistics], owner: Owners) -> Statistics:
    """Return the whole run's statistics: each resource, way and pool has those of the shard that used it."""
    resources = np.repeat(owner.facilities, RESOURCE_COUNT)
    result: dict[str, Any] = {name: getattr(counted[0], name) for name in _OF_THE_RUN}
    for name in (field.name for field in fields(Statistics) if field.name not in _OF_THE_RUN):
        columns = np.stack([getattr(each, name) for each in counted])
        if name in _SUMS:
            result[name] = columns.sum(axis=0)
            continue
        if name == "samples":
            shard = owner.facilities[columns["facility"][0]]
        elif name.startswith("way_"):
            shard = owner.ways
        elif name in _BY_POOL:
            shard = owner.pools
        elif name in ("blood_used", "blood_short"):
            shard = owner.facilities
        else:
            shard = resources
        result[name] = columns[shard, np.arange(columns.shape[1])]
    return Statistics(**result)


class _Stream:
    """The patients of one shard that have arrived but are not merged yet, first those whose order is settled."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._held: deque[Chunk] = deque()
        self._taken = 0  # patients already taken from the first chunk held
        self.order: Table = np.empty(0, WRITE_ORDER)
        self.exhausted = False

    def pull(self) -> None:
        """Fetch the next chunk if no unsettled patient of the shard is left."""
        while not self.exhausted and not len(self.order):
            chunk = next(self._chunks, None)
            self.exhausted = chunk is None or chunk.last
            if chunk is not None and len(chunk):
                self._held.append(chunk)
                self.order = chunk.write_order

    def until(self, last: np.void) -> Table:
        """Take the places in the write order up to `last` (at, sequence)."""
        at, sequence = self.order["at"], self.order["sequence"]
        before, through = np.searchsorted(at, last["at"], "left"), np.searchsorted(at, last["at"], "right")
        count = int(before + np.count_nonzero(sequence[before:through] <= last["sequence"]))
        found, self.order = self.order[:count], self.order[count:]
        return found

    def pieces(self, count: int) -> Iterator[tuple[Chunk, int, int]]:
        """Take the next `count` patients: yield each chunk with the range (first, end) of its rows to use."""
        while count:
            chunk = self._held[0]
            first = self._taken
            end = min(len(chunk), first + count)
            yield chunk, first, end
            count -= end - first
            self._taken = end
            if end == len(chunk):
                self._held.popleft()
                self._taken = 0


class _Merge:
    """The patients of all shards in the order of one simulation."""

    def __init__(self, shards: Sequence[Iterator[Chunk]]) -> None:
        self._streams = [_Stream(chunks) for chunks in shards]
        self._known: Table = np.empty(0, WRITE_ORDER)  # places of patients in order who have not been taken
        self._shard: NDArray[np.uint16] = np.empty(0, np.uint16)

    def take(self, rows: int) -> Chunk:
        """Return the next `rows` patients as a chunk, fewer only at the end."""
        while len(self._known) < rows and self._settle():
            pass
        chunk = _interleaved(self._streams, self._shard[:rows])
        self._known, self._shard = self._known[rows:], self._shard[rows:]
        return chunk

    def _settle(self) -> bool:
        """Find the order of more patients; return whether there were any.

        Take the last place that each shard has delivered. The order is settled up to the earliest of these.
        """
        for stream in self._streams:
            stream.pull()
        seen = [stream.order[-1] for stream in self._streams if len(stream.order)]
        if not seen:
            return False
        last = min(seen, key=lambda row: (row["at"], row["sequence"]))
        found = [stream.until(last) for stream in self._streams]
        places = np.concatenate([self._known, *found])
        shard = np.concatenate([self._shard, *(np.full(len(f), k, np.uint16) for k, f in enumerate(found))])
        known = len(self._known)
        order = _order(places[known:])
        places[known:] = places[known:][order]
        shard[known:] = shard[known:][order]
        self._known, self._shard = places, shard
        return True


def _order(places: Table) -> NDArray[np.int64]:
    """Return the indices that sort places by time and sequence; equal ones stay in their order."""
    at, sequence = np.ascontiguousarray(places["at"]), places["sequence"]
    order = np.argsort(at, kind="stable")
    sorted_at = at[order]
    if (sorted_at[1:] == sorted_at[:-1]).any():
        order = np.lexsort((sequence, at))
    return order


def _interleaved(streams: Sequence[_Stream], shard: NDArray[np.uint16]) -> Chunk:
    """Return the next patients as one chunk; `shard` gives the stream of each."""
    n = len(shard)
    patients = np.empty(n, PATIENT)
    sources: list[tuple[Chunk, int, int, Any]] = []
    for k, stream in enumerate(streams):
        places = np.flatnonzero(shard == k)
        begin = 0
        for chunk, first, end in stream.pieces(len(places)):
            rows = places[begin : begin + end - first]
            begin += end - first
            _raw(patients)[rows] = _raw(chunk.patients)[first:end]
            sources.append((chunk, first, end, rows))
    merged = Chunk(number=0, first=0, last=False, patients=patients)
    for name, end_column in ENDS.items():
        setattr(merged, name, _merge_table(name, end_column, patients, sources))
    return merged


def _merge_table(
    name: str, end_column: str, patients: Table, sources: Sequence[tuple[Chunk, int, int, Any]]
) -> Table:
    """Copy the patients' rows of one table in merged order, and set the column `end_column` of `patients`."""
    counts = np.empty(len(patients), np.int64)
    spans = []
    for chunk, first, end, rows in sources:
        ends = chunk.patients[end_column]
        begin = int(ends[first - 1]) if first else 0
        own = ends[first:end].astype(np.int64)
        counts[rows] = np.diff(own, prepend=begin)
        spans.append((begin, int(own[-1])))
    ends = np.cumsum(counts)
    patients[end_column] = ends
    starts = ends - counts
    table = np.empty(int(ends[-1]) if len(ends) else 0, TABLES[name])
    for (chunk, _, _, rows), (begin, end) in zip(sources, spans, strict=True):
        own = counts[rows]
        shift = starts[rows] - (np.cumsum(own) - own)
        _raw(table)[np.repeat(shift, own) + np.arange(end - begin)] = _raw(getattr(chunk, name))[begin:end]
    table["patient"] = np.repeat(np.arange(len(patients), dtype=np.int32), counts)
    return table


def _raw(table: Table) -> Table:
    """Return the rows as bytes, so that they are copied whole."""
    return table.view(f"V{table.dtype.itemsize}")
