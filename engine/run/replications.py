"""Many replications of a scenario, of which only the measures are kept."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.compile import NOTHING, compile_tables
from engine.errors import RunError
from engine.measures import (
    absent_value,
    consumption_rates,
    flow_of,
    named_values,
    summary,
)
from engine.run.simulation import DEFAULT_CHUNK, Reused, Simulation
from engine.scenario import Scenario
from engine.tables import OutputPool, Table


class Replications(NamedTuple):
    """The measures of some replications."""

    names: tuple[str, ...]
    """Names of the measures that any of them has, as `named_values` gives them, sorted."""
    values: NDArray[np.float64]
    """Shape (replications, names); NaN where a replication has no data for the measure."""
    given: NDArray[np.bool_] | None = None
    """Which of the values are in the summaries, in the same shape; None: all. The others are absent values."""


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
        If a replication cannot be simulated to its end (see `Simulation`). The message begins with its number.
    """
    model = None if scenario.incidents else compile_tables(scenario, precomputed)
    reused = Reused(consumption_rates(scenario), OutputPool())
    found = [
        _measures(scenario, seed, replication, precomputed, model, reused)
        for replication in range(first, first + count)
    ]
    names = tuple(sorted(set().union(*found)))
    absent = [absent_value(name) for name in names]
    values = np.array([[*map(row.get, names, absent)] for row in found], np.float64)
    given = np.array([[*map(row.__contains__, names)] for row in found], np.bool_)
    shape = count, len(names)
    return Replications(names, values.reshape(shape), given.reshape(shape))


def join_replications(batches: Sequence[Replications]) -> Replications:
    """Return the replications of several batches of one scenario, in the order of the batches.

    A measure that a batch does not have is 0 there if it is a count that summaries leave out, else NaN.
    """
    names = tuple(sorted(set().union(*(batch.names for batch in batches))))
    columns = {name: column for column, name in enumerate(names)}
    absent = np.array([absent_value(name) for name in names])
    rows = sum(len(batch.values) for batch in batches)
    values = np.tile(absent, (rows, 1))
    given = np.zeros((rows, len(names)), np.bool_)
    begin = 0
    for batch in batches:
        here = slice(begin, begin + len(batch.values)), [columns[name] for name in batch.names]
        values[here] = batch.values
        given[here] = True if batch.given is None else batch.given
        begin += len(batch.values)
    return Replications(names, values, given)


def cut_replications(replications: Replications, begin: int, end: int) -> Replications:
    """Return rows `begin` to `end` - 1: the same as if no others had been simulated."""
    names, values, given = replications
    values = values[begin:end]
    if given is None:
        return Replications(names, values)
    given = given[begin:end]
    kept = np.flatnonzero(given.any(axis=0))
    if len(kept) == len(names):
        return Replications(names, values, given)
    return Replications(tuple(names[column] for column in kept.tolist()), values[:, kept], given[:, kept])


def _measures(
    scenario: Scenario,
    seed: int,
    replication: int,
    precomputed: Mapping[str, Any],
    model: Table | None,
    reused: Reused,
) -> dict[str, float]:
    """Return the numbers of a replication's summary by name."""
    try:
        simulation = Simulation(
            scenario,
            seed,
            replication,
            DEFAULT_CHUNK,
            precomputed,
            model=model,
            reused=reused,
            only_measures=True,
        )
        for _ in simulation:
            pass
        return named_values(summary(simulation, flow_of(simulation, scenario)))
    except RunError as error:
        raise RunError(f"replication {replication}: {error}") from error
