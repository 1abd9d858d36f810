"""Batches: replications of one scenario that one task simulates, and that are cached together."""

from collections.abc import Iterator
from typing import NamedTuple

from engine.scenario import Scenario, workload_of

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


def batch_size(scenario: Scenario) -> int:
    """Return the number of replications in a batch of a resolved scenario.

    It depends on the scenario alone, so that later experiments find the same batches in the cache.
    """
    expected = workload_of(scenario).casualties
    return max(1, min(MOST_REPLICATIONS, int(MOST_CASUALTIES / max(1.0, expected))))


def batches_between(first: int, stop: int, size: int) -> Iterator[Batch]:
    """Yield the batches that replications `first` to `stop` - 1 belong to, each begun at a multiple of `size`.

    The last one ends at `stop`. The first one begins at or before `first`.
    """
    for begin in range(first - first % size, stop, size):
        yield Batch(begin, min(size, stop - begin))
