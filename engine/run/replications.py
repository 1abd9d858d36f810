"""Many replications of a scenario, of which only the measures are kept."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.compile import NOTHING
from engine.measures import absent_value, flow_of, named_values, summary
from engine.run.simulation import DEFAULT_CHUNK, Simulation
from engine.scenario import Scenario


class Replications(NamedTuple):
    """The measures of some replications."""

    names: tuple[str, ...]
    """Names of the measures, as `named_values` gives them, sorted."""
    values: NDArray[np.float64]
    """Shape (replications, names); NaN where a replication has no data for the measure."""


def replicate(
    scenario: Scenario, seed: int, first: int, count: int, precomputed: Mapping[str, Any] = NOTHING
) -> Replications:
    """Simulate replications one after the other and return their measures.

    Parameters
    ----------
    scenario
        The resolved scenario.
    seed
        Seed of the random draws. Two scenarios with the same seed meet the same casualties in a replication, as far as
        the scenarios agree about them: common random numbers.
    first, count
        Number of the first replication, and how many there are.
    precomputed
        Compiled tables by kind of `engine.precomputed.cache_keys`, shared by all replications. What is missing is
        compiled for each of them.

    Raises
    ------
    RunError
        If a replication cannot be simulated to its end (see `Simulation`).
    """
    found = []
    for replication in range(first, first + count):
        simulation = Simulation(scenario, seed, replication, DEFAULT_CHUNK, precomputed)
        for _ in simulation:
            pass
        found.append(named_values(summary(simulation, flow_of(simulation, scenario))))
    names = tuple(sorted(set().union(*found)))
    values = np.array([[row.get(name, absent_value(name)) for name in names] for row in found], np.float64)
    return Replications(names, values.reshape(count, len(names)))


def join_replications(batches: list[Replications]) -> Replications:
    """Return the replications of several batches of one scenario, in the order of the batches.

    A measure that a batch does not have is 0 there if it is a count that summaries leave out, else NaN.
    """
    names = tuple(sorted(set().union(*(batch.names for batch in batches))))
    columns = {name: column for column, name in enumerate(names)}
    parts = []
    for batch in batches:
        values = np.tile(np.array([absent_value(name) for name in names]), (len(batch.values), 1))
        values[:, [columns[name] for name in batch.names]] = batch.values
        parts.append(values)
    return Replications(names, np.concatenate(parts) if parts else np.zeros((0, len(names))))
