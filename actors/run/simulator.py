"""FlowSimulator: owns the flow of one replication and hands out its chunks one call at a time."""

import os
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from actors.cluster import check_package_root, hide_pyarrow_in_worker, lower_priority, restore_pyarrow
from actors.run.writer import Piece
from engine.records import FORMATS, PARQUET_PART_PATIENTS

hide_pyarrow_in_worker()

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.cache import LocalCache, SharedCache
    from engine.run import Merged, Simulation
    from engine.scenario import Scenario
    from engine.tables import Chunk


class Head(NamedTuple):
    """What the pipeline knows of a chunk without holding it. `until_ms` is the time of its last patient, -1 without."""

    number: int
    first: int
    patients: int
    last: bool
    until_ms: int

    @property
    def ends_part(self) -> bool:
        """Whether it is the last one of a Parquet part."""
        return self.last or (self.first + self.patients) % PARQUET_PART_PATIENTS == 0


def head_of(chunk: "Chunk") -> Head:
    """The head of a chunk."""
    until = int(chunk.patients["time"][-1]) if len(chunk) else -1
    return Head(chunk.number, chunk.first, len(chunk), chunk.last, until)


def measured(
    simulation: "Simulation | Merged", scenario: "Scenario", names: tuple[str, ...], compress: str
) -> tuple[bytes, list[Piece]]:
    """The measures of a finished simulation as JSON, and its tables as whole files in the formats `names`.

    Who gets them needs no NumPy; parquet alone loads pyarrow here.
    """
    from engine.measures import encode_run_table, find_measures

    found = find_measures(simulation, scenario)
    pieces = []
    for name in names:
        for table in (found.facilities, found.measures):
            frame = encode_run_table(table, name, compress)
            path = FORMATS[name].filename(table.name, 0, compress)
            pieces.append(Piece(path, name, table.name, frame.patients, frame.rows, frame.data))
    return msgspec.json.encode(found.summary), pieces


class FlowSimulator:
    """One replication of a scenario, from its first chunk to its measures.

    Nothing is computed before `prepare`, so that the process answers at once; `scenario` is the resolved scenario
    as JSON; `cache` has compiled values, where there is one. The only process of a run that loads the compiled kernel,
    unless its fronts are simulated apart (`actors.run.shards`).
    """

    def __init__(
        self,
        scenario: bytes,
        seed: int,
        replication: int,
        chunk_size: int,
        cache: "SharedCache | LocalCache | None" = None,
    ) -> None:
        self._cache = cache
        self._arguments = (scenario, seed, replication, chunk_size)
        self._scenario: Scenario | None = None
        self._simulation: Simulation | Merged | None = None
        self._chunks: Iterator[Chunk] | None = None
        self._next_number = 0

    def hello(self) -> tuple[str, int]:
        """Node and process id."""
        import ray

        lower_priority()
        return ray.get_runtime_context().get_node_id(), os.getpid()

    def prepare(self) -> str | None:
        """Load or compile the kernel and read the scenario; returns what went wrong with the cache."""
        check_package_root()
        restore_pyarrow()
        # Numba looks for SciPy's linear algebra, which the kernel has no use for: 0.5 s and 25 MB where it is installed
        sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]
        from engine.scenario import Scenario

        self._scenario = msgspec.json.decode(self._arguments[0], type=Scenario)
        self._simulation = self._simulate(self._scenario, self._made(self._scenario))
        self._chunks = iter(self._simulation)
        return self._cache.fault if self._cache else None

    def _made(self, scenario: "Scenario") -> dict[str, Any]:
        """Compiled values from the cache."""
        from engine.precomputed import SIMULATION_KINDS

        return self._cache.get_or_build(scenario, SIMULATION_KINDS) if self._cache else {}

    def _simulate(self, scenario: "Scenario", made: dict[str, Any]) -> "Simulation | Merged":
        from engine.run import Simulation

        _, seed, replication, chunk_size = self._arguments
        return Simulation(scenario, seed, replication, chunk_size, made)

    def skip(self, number: int, seconds: float = 1.0) -> bool:
        """Throw chunks away until `number` is the next one or the time is up; whether that was reached.

        Going on after a fault: chunks that are already written are simulated again, not encoded.
        """
        until = time.monotonic() + seconds
        while self._next_number < number:
            if time.monotonic() > until:
                return False
            self._advance()
        return True

    def next(self) -> "tuple[Chunk | None, Head | None]":
        """The next chunk and its head; Nones after the last."""
        chunk = self._advance()
        return (None, None) if chunk is None else (chunk, head_of(chunk))

    def measures(self, names: tuple[str, ...], compress: str) -> tuple[bytes, list[Piece]]:
        """What a planner reads, of the whole run: see `measured`."""
        while self._advance() is not None:
            pass
        assert self._simulation is not None
        assert self._scenario is not None
        return measured(self._simulation, self._scenario, names, compress)

    def _advance(self) -> "Chunk | None":
        if self._chunks is None:
            raise RuntimeError("prepare() comes first")
        self._next_number += 1
        return next(self._chunks, None)
