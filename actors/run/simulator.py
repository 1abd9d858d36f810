"""FlowSimulator: the actor that simulates one replication and delivers its chunks one call at a time."""

import os
from typing import TYPE_CHECKING, Any

import msgspec

from actors.cluster import check_package_root, hide_pyarrow_in_worker, lower_priority
from actors.run.chunk_stream import ChunkStream
from actors.run.compilation import Compilation
from actors.run.lanes import writes_texts
from actors.run.messages import ChunkHead, Compiling, ProcessId

hide_pyarrow_in_worker()

if TYPE_CHECKING:
    from actors.cache import LocalCache, SharedCache
    from engine.records import RunTable
    from engine.run import Merged, Simulation
    from engine.scenario import Scenario
    from engine.tables import Chunk


class FlowSimulator:
    """One replication of a scenario, from its first chunk to its measures.

    Nothing is computed before `prepare`, so that the process answers at once. `scenario` is the resolved scenario as
    JSON. `cache` holds precomputed values, if there is one. Unless fronts are simulated apart (`actors.run.shards`),
    this is the only process of a run that loads the compiled kernel.
    """

    def __init__(
        self,
        scenario: bytes,
        seed: int,
        replication: int,
        chunk_size: int,
        cache: "SharedCache | LocalCache | None" = None,
    ) -> None:
        self._scenario = scenario
        self._seed = seed
        self._replication = replication
        self._chunk_size = chunk_size
        self._cache = cache
        self._simulation: Simulation | Merged | None = None
        self._stream: ChunkStream | None = None
        self._compilation: Compilation | None = None

    def process_id(self) -> ProcessId:
        """The node and process id. The first call of the actor."""
        import ray

        lower_priority()
        return ProcessId(ray.get_runtime_context().get_node_id(), os.getpid())

    def compile_some(self, formats: tuple[str, ...], seconds: float = 0.5) -> Compiling | None:
        """Compile for so long what a run in these formats needs and the cache lacks. Returns None when it is done."""
        check_package_root()
        if self._compilation is None:
            from engine.run import entry_points

            self._compilation = Compilation(entry_points(self._resolved(), writes_texts(formats)))
        return self._compilation.wait(seconds)

    def prepare(self) -> str | None:
        """Load the kernel and read the scenario. Returns what went wrong with the cache, if anything."""
        from engine.numeric import cache_refusal

        check_package_root()
        scenario = self._resolved()
        self._simulation = self._simulate(scenario, self._precomputed(scenario))
        self._stream = ChunkStream(self._simulation, scenario)
        return (self._cache.fault if self._cache else None) or cache_refusal()

    def skip_to(self, number: int, seconds: float = 1.0) -> bool:
        """Discard chunks until `number` is the next one or the time is up. Returns whether it is the next one."""
        return self._prepared().skip_to(number, seconds)

    def next_batch(self, most: int) -> "tuple[list[Chunk], list[ChunkHead]]":
        """The next chunks and their heads: see `ChunkStream.next_batch`."""
        return self._prepared().next_batch(most)

    def measures(self) -> "tuple[bytes, list[RunTable]]":
        """The measures of the whole run: see `ChunkStream.measures`."""
        return self._prepared().measures()

    def _resolved(self) -> "Scenario":
        from engine.scenario import Scenario

        return msgspec.json.decode(self._scenario, type=Scenario)

    def _precomputed(self, scenario: "Scenario") -> dict[str, Any]:
        """Precomputed values from the cache."""
        from engine.precomputed import SIMULATION_KINDS

        return self._cache.get_or_build(scenario, SIMULATION_KINDS) if self._cache else {}

    def _simulate(self, scenario: "Scenario", precomputed: dict[str, Any]) -> "Simulation | Merged":
        from engine.run import Simulation

        return Simulation(scenario, self._seed, self._replication, self._chunk_size, precomputed)

    def _prepared(self) -> ChunkStream:
        if self._stream is None:
            raise RuntimeError("prepare() must be called first")
        return self._stream
