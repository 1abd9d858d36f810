"""Batches: replications of one scenario that are simulated one after the other, and cached together."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from engine.scenario import Scenario, workload_of

if TYPE_CHECKING:
    from engine.run import Replications

MOST_REPLICATIONS = 25
"""Most replications in a batch. A batch of `brigade` takes 0.2 s."""

MOST_CASUALTIES = 200_000
"""Most casualties in a batch of several replications. They take a second or two."""


class Batch(NamedTuple):
    """Some replications of one scenario."""

    first: int
    """Number of the first."""
    size: int
    """How many there are."""


class Request(NamedTuple):
    """Replications of a point that are wanted."""

    point: int
    """Its place among the points."""
    first: int
    """Number of the first replication."""
    stop: int
    """Number after the last."""


class FinishedBatch(NamedTuple):
    """Replications of a point, with their measures."""

    point: int
    """Its place among the points."""
    batch: Batch
    """Which replications."""
    replications: "Replications"
    """Shape (batch.size, measures)."""


def batch_size(scenario: Scenario) -> int:
    """Return the number of replications in a batch of a resolved scenario.

    It depends on the scenario alone, so that later experiments find the same batches in the cache.
    """
    return size_for(workload_of(scenario).casualties)


def size_for(casualties: float) -> int:
    """Return the number of replications in a batch, by the expected casualties of one."""
    return max(1, min(MOST_REPLICATIONS, int(MOST_CASUALTIES / max(1.0, casualties))))


def batches_between(first: int, stop: int, size: int) -> Iterator[Batch]:
    """Yield the batches that replications `first` to `stop` - 1 belong to, each begun at a multiple of `size`.

    The last one ends at `stop`. The first one begins at or before `first`.
    """
    for begin in range(first - first % size, stop, size):
        yield Batch(begin, min(size, stop - begin))
