"""One replication out of simulations of some of its fronts each: chunk for chunk what one simulation would have made.

Every patient comes with the time and turn at which the record was told (columns.LEFT). One simulation goes on in the
order of these, and so does each of the shards, so a merge by them is the order of one simulation. Ties of entries at
the same time are broken by the number of the arrival, which all shards count alike, or of a place, way or pool, which
belongs to one shard; hence no two shards have the same time and turn. (A turn is the largest tie met so far at its
time: what an entry brings about at once comes after it, whatever its own tie.)
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
from engine.run.simulation import End
from engine.scenario import Scenario
from engine.tables import ENDS, PATIENT, TABLES, WRITE_ORDER, Chunk, Table, number_chunks

_SUMS = ("arrived", "refused", "bypassed")
"""Counts that also facilities without limit have, of patients of several shards."""


class Shard(Protocol):
    """A simulation of some fronts, wherever it runs; see `engine.run.simulation.Simulation`."""

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks, with `left`."""
        ...

    def end(self) -> End:
        """Where it ended."""
        ...

    def close(self, end: End) -> tuple[Measures, Statistics | None]:
        """Bring it to the end of the whole run."""
        ...


class Merged:
    """The chunks of a replication, in record order; `measures` and `flow` are complete after the last.

    `shards` simulate the fronts `parts` of the resolved `scenario` (`run.partition.shards`). They are pulled as the
    merge needs them: a chunk or two of each is held.
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
        ends = [shard.end() for shard in self._shards]
        at, turn = max((end.at, end.turn) for end in ends)
        end = End(at, turn, max(end.promised for end in ends))
        books = [shard.close(end) for shard in self._shards]
        for measures, _ in books:
            self.measures.merge(measures)
        counted = [statistics for _, statistics in books if statistics is not None]
        if counted:
            whole = merged_statistics(counted, owners(self._scenario, self._parts))
            self.flow = FlowMeasures(self._scenario, whole)


def merged_statistics(counted: Sequence[Statistics], owner: Owners) -> Statistics:
    """The statistics of a whole run: of each resource, way and pool those of the shard whose patients used it."""
    resources = np.repeat(owner.facilities, RESOURCE_COUNT)
    result: dict[str, Any] = {"time_end": counted[0].time_end}
    for name in (field.name for field in fields(Statistics) if field.name != "time_end"):
        columns = np.stack([getattr(each, name) for each in counted])
        if name in _SUMS:
            result[name] = columns.sum(axis=0)
            continue
        if name == "samples":
            shard = owner.facilities[columns["facility"][0]]
        elif name.startswith("way_"):
            shard = owner.ways
        elif name in ("sorties", "carried", "litters_used", "busy", "lost"):
            shard = owner.pools
        elif name in ("blood_used", "blood_short"):
            shard = owner.facilities
        else:
            shard = resources
        result[name] = columns[shard, np.arange(columns.shape[1])]
    return Statistics(**result)


class _Stream:
    """The patients of one shard: those whose place in the merged order is known, then those seen after them."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._held: deque[Chunk] = deque()
        self._taken = 0  # of the first that is held
        self.left: Table = np.empty(0, WRITE_ORDER)
        self.over = False

    def pull(self) -> None:
        """One more chunk, if there is none that has not been merged."""
        while not self.over and not len(self.left):
            chunk = next(self._chunks, None)
            self.over = chunk is None or chunk.last
            if chunk is not None and len(chunk):
                self._held.append(chunk)
                self.left = chunk.left

    def until(self, last: Any) -> Table:
        """Take the times and turns up to `last` (at, turn)."""
        at, turn = self.left["at"], self.left["turn"]
        before, through = np.searchsorted(at, last["at"], "left"), np.searchsorted(at, last["at"], "right")
        count = int(before + np.count_nonzero(turn[before:through] <= last["turn"]))
        found, self.left = self.left[:count], self.left[count:]
        return found

    def pieces(self, count: int) -> Iterator[tuple[Chunk, int, int]]:
        """The next `count` patients: chunks with the first and the end of their rows."""
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
        self._left: Table = np.empty(
            0, WRITE_ORDER
        )  # of those whose order is known and who have not been taken
        self._shard: NDArray[np.uint16] = np.empty(0, np.uint16)

    def take(self, rows: int) -> Chunk:
        """The next `rows` patients as a chunk, fewer where no more are left."""
        while len(self._left) < rows and self._settle():
            pass
        chunk = _interleaved(self._streams, self._shard[:rows])
        self._left, self._shard = self._left[rows:], self._shard[rows:]
        return chunk

    def _settle(self) -> bool:
        """Learn the order of more patients: of all up to the first time after which a shard may have others; whether
        there were any.
        """
        for stream in self._streams:
            stream.pull()
        seen = [stream.left[-1] for stream in self._streams if len(stream.left)]
        if not seen:
            return False
        last = min(seen, key=lambda row: (row["at"], row["turn"]))
        found = [stream.until(last) for stream in self._streams]
        left = np.concatenate([self._left, *found])
        shard = np.concatenate([self._shard, *(np.full(len(f), k, np.uint16) for k, f in enumerate(found))])
        known = len(self._left)
        order = _order(left[known:])
        left[known:] = left[known:][order]
        shard[known:] = shard[known:][order]
        self._left, self._shard = left, shard
        return True


def _order(left: Table) -> NDArray[np.int64]:
    """Order by time and turn; of equal ones that in which they stand."""
    at, turn = np.ascontiguousarray(left["at"]), left["turn"]
    order = np.argsort(at, kind="stable")
    sorted_at = at[order]
    if (sorted_at[1:] == sorted_at[:-1]).any():
        order = np.lexsort((turn, at))
    return order


def _interleaved(streams: Sequence[_Stream], shard: NDArray[np.uint16]) -> Chunk:
    """The next patients of each stream, in the order `shard` of the streams they come from, as one chunk."""
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
        setattr(merged, name, _children(name, end_column, patients, sources))
    return merged


def _children(
    name: str, end_column: str, patients: Table, sources: Sequence[tuple[Chunk, int, int, Any]]
) -> Table:
    """The rows that the merged patients have in one table; their ends are set in `patients`."""
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


def _raw(table: Table) -> Any:
    """The rows as bytes, which are copied whole."""
    return table.view(f"V{table.dtype.itemsize}")
