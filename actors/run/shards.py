"""One run's simulator as several processes: shards that simulate some fronts each, and the actor that merges them."""

import functools
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from actors.cluster import PACKAGE_ROOT
from actors.run.simulator import FlowSimulator
from engine.errors import GoldenhourError, InputError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.measures import Measures, Statistics
    from engine.run import Merged, RunEnd, Simulation
    from engine.scenario import Scenario
    from engine.tables import Chunk

    Fronts = tuple[int, ...]

CHUNKS_AHEAD = 3
"""Chunks that are requested from each shard ahead of the merge."""

DIVIDE_SECONDS = 120.0
"""Longest time to find independent fronts: a second, and what a busy machine needs to start Python."""


def divide_fronts(scenario: bytes, number: int) -> "tuple[Fronts, ...]":
    """The fronts (indices) of a resolved scenario, given as JSON, for each of `number` simulators; () for one.

    They are computed in a process of their own, because the driver would keep the 25 MB that NumPy and the engine
    take. Raises InputError if fewer groups of fronts can be simulated apart.
    """
    return () if number == 1 else _divide(scenario, number)


@functools.lru_cache(maxsize=16)
def _divide(scenario: bytes, number: int) -> "tuple[Fronts, ...]":
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"from {__name__} import print_division; print_division({number})"],
            input=scenario,
            capture_output=True,
            cwd=PACKAGE_ROOT,
            timeout=DIVIDE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(
            f"the fronts could not be divided among simulators in {DIVIDE_SECONDS:.0f} s: try again"
        ) from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise RunError(
            f"the fronts could not be divided among simulators: {lines[-1] if lines else 'killed'}"
        )
    division = msgspec.json.decode(done.stdout, type=_Division)
    if division.error:
        raise InputError(division.error)
    return division.parts


class _Division(msgspec.Struct):
    """The fronts of each simulator, or why there are not so many groups."""

    parts: "tuple[tuple[int, ...], ...]" = ()
    error: str = ""


def print_division(number: int) -> None:
    """Print, as JSON, the fronts for each of `number` simulators of the scenario on stdin. Run by `divide_fronts`."""
    from engine.run import independent_fronts, partition_fronts
    from engine.scenario import Scenario

    scenario = msgspec.json.decode(sys.stdin.buffer.read(), type=Scenario)
    found = independent_fronts(scenario)
    if number <= len(found):
        division = _Division(parts=tuple(partition_fronts(scenario, number)))
    else:
        allowed = "1" if len(found) == 1 else f"1 to {len(found)}"
        names = " | ".join(", ".join(scenario.fronts[f].name for f in fronts) for fronts in found)
        division = _Division(
            error=f"simulators: got {number}; allowed: {allowed}, as many as scenario {scenario.name!r} has groups of "
            f"fronts that share nothing finite: {names}"
        )
    sys.stdout.buffer.write(msgspec.json.encode(division))


class ShardSimulator(FlowSimulator):
    """Simulates the fronts `fronts` (indices) of a replication."""

    def __init__(self, *arguments: Any, fronts: "Fronts") -> None:
        super().__init__(*arguments)
        self._fronts = fronts

    def chunk_to_merge(self) -> "Chunk | None":
        """The next chunk, for the merge; None after the last."""
        return self._prepared().next_chunk()

    def end(self) -> "RunEnd":
        """Where the simulation ended, after its last chunk."""
        return self._own().end()

    def close(self, end: "RunEnd") -> "tuple[Measures, Statistics | None]":
        """Continue to the end of the whole run. Returns what was counted."""
        return self._own().close(end)

    def _simulate(self, scenario: "Scenario", precomputed: dict[str, Any]) -> "Simulation":
        from engine.run import Simulation

        return Simulation(
            scenario, self._seed, self._replication, self._chunk_size, precomputed, self._fronts
        )

    def _own(self) -> Any:
        return self._simulation


class MergingSimulator(FlowSimulator):
    """Merges what the actors `shards` simulate. `parts` are the fronts of each shard."""

    def __init__(self, *arguments: Any, parts: "Sequence[Fronts]", shards: "Sequence[Any]") -> None:
        super().__init__(*arguments)
        self._parts = parts
        self._shards = shards

    def _simulate(self, scenario: "Scenario", precomputed: dict[str, Any]) -> "Merged":
        from engine.run import Merged

        shards = [_RemoteShard(shard) for shard in self._shards]
        return Merged(scenario, self._parts, shards, self._chunk_size)

    def _precomputed(self, scenario: "Scenario") -> dict[str, Any]:
        return {}


class _RemoteShard:
    """A ShardSimulator as a `engine.run.merging.Shard`. Its own errors are raised here unchanged."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __iter__(self) -> "Iterator[Chunk]":
        requested = deque(self._actor.chunk_to_merge.remote() for _ in range(CHUNKS_AHEAD))
        while True:
            chunk = _result(requested.popleft())
            if chunk is None:
                return
            requested.append(self._actor.chunk_to_merge.remote())
            yield chunk

    def end(self) -> "RunEnd":
        """Where the simulation ended."""
        end: RunEnd = _result(self._actor.end.remote())
        return end

    def close(self, end: "RunEnd") -> "tuple[Measures, Statistics | None]":
        """Continue to the end of the whole run. Returns what was counted."""
        counted: tuple[Measures, Statistics | None] = _result(self._actor.close.remote(end))
        return counted


def _result(reference: Any) -> Any:
    import ray
    from ray.exceptions import RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, GoldenhourError | MemoryError):
            raise error.cause from None
        raise


__all__ = ["CHUNKS_AHEAD", "MergingSimulator", "ShardSimulator", "divide_fronts", "print_division"]
