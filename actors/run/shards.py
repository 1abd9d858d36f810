"""One run's simulator as several processes: shards that simulate some fronts each, and the one that merges them."""

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

AHEAD = 3
"""Chunks that each shard makes before they are asked for, at the most."""

PATIENCE_SECONDS = 120.0
"""Longest that the look for independent fronts may take: a second, and what a machine needs to load Numba."""


def divide_fronts(scenario: bytes, number: int) -> "tuple[Fronts, ...]":
    """The fronts of a resolved scenario (as JSON) for each of `number` simulators; () for one.

    Looked up in a process of its own: the driver would keep the 140 MB that the engine and Numba take. Raises
    InputError where fewer groups of fronts can be simulated apart.
    """
    return () if number == 1 else _divided(scenario, number)


@functools.lru_cache(maxsize=16)
def _divided(scenario: bytes, number: int) -> "tuple[Fronts, ...]":
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"from {__name__} import answer; answer({number})"],
            input=scenario,
            capture_output=True,
            cwd=PACKAGE_ROOT,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(
            f"the fronts could not be divided among simulators in {PATIENCE_SECONDS:.0f} s: try again"
        ) from None
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise RunError(f"the fronts could not be divided among simulators: {told[-1] if told else 'killed'}")
    answer = msgspec.json.decode(done.stdout, type=_Answer)
    if answer.wrong:
        raise InputError(answer.wrong)
    return answer.parts


class _Answer(msgspec.Struct):
    parts: "tuple[tuple[int, ...], ...]" = ()
    wrong: str = ""


def answer(number: int) -> None:
    """Print what `divided` asks of the scenario on stdin."""
    from engine.run import independent_fronts, partition_fronts
    from engine.scenario import Scenario

    scenario = msgspec.json.decode(sys.stdin.buffer.read(), type=Scenario)
    found = independent_fronts(scenario)
    if number <= len(found):
        reply = _Answer(parts=tuple(partition_fronts(scenario, number)))
    else:
        allowed = "1" if len(found) == 1 else f"1 to {len(found)}"
        names = " | ".join(", ".join(scenario.fronts[f].name for f in fronts) for fronts in found)
        reply = _Answer(
            wrong=f"simulators: got {number}; allowed: {allowed}, as many as scenario {scenario.name!r} has groups of "
            f"fronts that share nothing finite: {names}"
        )
    sys.stdout.buffer.write(msgspec.json.encode(reply))


class ShardSimulator(FlowSimulator):
    """The simulation of the fronts `fronts` (indices)."""

    def __init__(self, *arguments: Any, fronts: "Fronts") -> None:
        super().__init__(*arguments)
        self._fronts = fronts

    def chunk(self) -> "Chunk | None":
        """The next chunk, for the merge; None after the last."""
        return self._advance()

    def end(self) -> "RunEnd":
        """After the last chunk: where the simulation ended."""
        return self._own().end()

    def close(self, end: "RunEnd") -> "tuple[Measures, Statistics | None]":
        """Bring it to the end of the whole run; returns what was counted."""
        return self._own().close(end)

    def _simulate(self, scenario: "Scenario", made: dict[str, Any]) -> "Simulation":
        from engine.run import Simulation

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
        from engine.run import Merged

        return Merged(scenario, self._parts, [_Remote(shard) for shard in self._shards], self._arguments[3])

    def _made(self, scenario: "Scenario") -> dict[str, Any]:
        return {}


class _Remote:
    """A shard as `engine.run.merging` wants it. What it raises is raised here as it was there."""

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

    def end(self) -> "RunEnd":
        """Where it ended."""
        end: RunEnd = _result(self._actor.end.remote())
        return end

    def close(self, end: "RunEnd") -> "tuple[Measures, Statistics | None]":
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


__all__ = ["AHEAD", "MergingSimulator", "ShardSimulator", "answer", "divide_fronts"]
