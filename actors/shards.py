"""One run's simulator as several processes: shards that simulate some fronts each, and the one that merges them."""

from collections import deque
from typing import TYPE_CHECKING, Any

from actors.simulator import FlowSimulator
from engine.errors import GoldenhourError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.columns import Chunk
    from engine.flow_measures import Statistics
    from engine.measures import Measures
    from engine.merging import Merged
    from engine.scenario import Scenario
    from engine.simulation import End, Simulation

    Fronts = tuple[int, ...]

AHEAD = 3
"""Chunks that each shard makes before they are asked for, at the most."""


def divided(scenario: "Scenario", number: int) -> "tuple[Fronts, ...]":
    """The fronts of a resolved scenario for each of `number` simulators; () for one.

    Raises InputError where fewer groups of fronts can be simulated apart.
    """
    if number == 1:
        return ()
    from engine import shards

    found = shards.components(scenario)
    if number > len(found):
        allowed = "1" if len(found) == 1 else f"1 to {len(found)}"
        names = " | ".join(", ".join(scenario.fronts[f].name for f in fronts) for fronts in found)
        raise InputError(
            f"simulators: got {number}; allowed: {allowed}, as many as scenario {scenario.name!r} has groups of fronts "
            f"that share nothing finite: {names}"
        )
    return tuple(shards.shards(scenario, number))


class ShardSimulator(FlowSimulator):
    """The simulation of the fronts `fronts` (indices)."""

    def __init__(self, *arguments: Any, fronts: "Fronts") -> None:
        super().__init__(*arguments)
        self._fronts = fronts

    def chunk(self) -> "Chunk | None":
        """The next chunk, for the merge; None after the last."""
        return self._advance()

    def end(self) -> "End":
        """After the last chunk: where the simulation ended."""
        return self._own().end()

    def close(self, end: "End") -> "tuple[Measures, Statistics | None]":
        """Bring it to the end of the whole run; returns what was counted."""
        return self._own().close(end)

    def _simulate(self, scenario: "Scenario", made: dict[str, Any]) -> "Simulation":
        from engine.simulation import Simulation

        _, seed, replication, chunk_size = self._arguments
        return Simulation(scenario, seed, replication, chunk_size, made, self._fronts)

    def _own(self) -> Any:
        return self._simulation


class MergingSimulator(FlowSimulator):
    """A simulator whose patients `shards`, actors, have simulated: the fronts `parts`, one each."""

    def __init__(self, *arguments: Any, parts: "Sequence[Fronts]", shards: "Sequence[Any]") -> None:
        super().__init__(*arguments)
        self._parts = parts
        self._shards = shards

    def _simulate(self, scenario: "Scenario", made: dict[str, Any]) -> "Merged":
        from engine.merging import Merged

        return Merged(scenario, self._parts, [_Remote(shard) for shard in self._shards], self._arguments[3])

    def _made(self, scenario: "Scenario") -> dict[str, Any]:
        return {}


class _Remote:
    """A shard as `engine.merging` wants it. What it raises is raised here as it was there."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __iter__(self) -> "Iterator[Chunk]":
        asked = deque(self._actor.chunk.remote() for _ in range(AHEAD))
        while True:
            chunk = _result(asked.popleft())
            if chunk is None:
                return
            asked.append(self._actor.chunk.remote())
            yield chunk

    def end(self) -> "End":
        """Where it ended."""
        end: End = _result(self._actor.end.remote())
        return end

    def close(self, end: "End") -> "tuple[Measures, Statistics | None]":
        """Bring it to the end of the whole run."""
        books: tuple[Measures, Statistics | None] = _result(self._actor.close.remote(end))
        return books


def _result(ref: Any) -> Any:
    import ray
    from ray.exceptions import RayTaskError

    try:
        return ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, GoldenhourError | MemoryError):
            raise error.cause from None
        raise


__all__ = ["AHEAD", "MergingSimulator", "ShardSimulator", "divided"]
