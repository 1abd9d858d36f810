"""Experiments whose answers are known: the wait of an M/M/c queue by its parameters, and what pairing gains.

The indices of Sobol and Morris of the wait as a function of arrival rate, service time and servers are computed from
Erlang's C formula on a fine grid. They must lie in the intervals that `engine.inference` finds from few evaluations of
the formula, and from simulated replications of a scenario that is this queue (`bench.theory`).
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from actors.cluster import session
from actors.experiments import Point, Replicator, Request
from bench import figures, theory
from bench.experiments import exact_effects, inside
from bench.experiments_speed import CORES, SEED, brigade
from bench.figures import Figure, Section
from engine.experiments import compare_replications, find_quantities
from engine.inference import Factor, morris_design, morris_indices, sobol_index_design, sobol_indices
from engine.scenario import Setting, assumptions_of

Floats = NDArray[np.float64]

FACTORS = (
    Factor(name="rate", low=1.2, high=1.6),
    Factor(name="service", low=0.8, high=1.0),
    Factor(name="servers", low=2, high=4, whole=True),
)
"""Arrivals per unit of time, mean service time, and servers: loads of .24 to .8."""

GRID = 400
"""Steps of each continuous factor where the exact indices are computed."""

LEVELS = 4
"""Levels of the Morris design."""

TOGETHER = 1.0 - 0.01 / 6.0
"""Confidence of each of six intervals that hold together with 99 %."""


class Size(NamedTuple):
    """Amount of work."""

    base: int
    """Base points of the Sobol indices of the formula."""
    trajectories: int
    simulated_base: int
    simulated_trajectories: int
    patients: int
    """Of each simulated replication."""
    pairs: int


SIZES = {"small": Size(1024, 50, 16, 5, 2000, 50), "full": Size(4096, 200, 128, 20, 8000, 400)}

REPLICATIONS = 2
"""Of each simulated point: from two on, the noise is separated from the effects."""

PAIRING_OF_TABLES = 3.0
"""The variance of a difference of tables must be so many times smaller with common random numbers."""


# --- the queue


def waits(rate: Floats, service: Floats, servers: Floats) -> Floats:
    """Return the mean wait of M/M/c in units of time (A. K. Erlang, 1917); arrays of one shape."""
    load = rate * service
    blocked = np.ones_like(load)  # Erlang B by its recursion over the servers
    for count in range(1, int(servers.max()) + 1):
        blocked = np.where(count <= servers, load * blocked / (count + load * blocked), blocked)
    waiting = blocked / (1.0 - (load / servers) * (1.0 - blocked))
    found: Floats = waiting * service / (servers - load)
    return found


def values_at(units: Floats) -> Floats:
    """Return rate, service and servers at coordinates from 0 to 1, shape (n, 3)."""
    return np.array(
        [[one.at(unit) for one, unit in zip(FACTORS, row, strict=True)] for row in units.tolist()], np.float64
    )


def formula(units: Floats) -> Floats:
    """Return the exact waits at coordinates from 0 to 1, shape (n, 3)."""
    return waits(*values_at(units).T)


def exact_indices() -> tuple[Floats, Floats]:
    """Return the exact first-order and total Sobol indices."""
    middle = (np.arange(GRID) + 0.5) / GRID
    rate, service, servers = FACTORS
    axes = (
        np.array([rate.at(unit) for unit in middle]),
        np.array([service.at(unit) for unit in middle]),
        np.array([servers.at(unit) for unit in (0.1, 0.5, 0.9)], np.float64),
    )
    values = waits(*np.meshgrid(*axes, indexing="ij"))
    first, total = [], []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        first.append(values.mean(axis=others).var() / values.var())
        total.append(1.0 - values.mean(axis=axis).var() / values.var())
    return np.array(first), np.array(total)


def simulated(units: Floats, patients: int) -> Floats:
    """Return the waits of simulated queues at coordinates from 0 to 1, shape (n, REPLICATIONS), in units of time.

    By Little's law: the mean number of patients who wait, divided by the rate.
    """
    values = values_at(units)
    points = []
    for rate, service, servers in values.tolist():
        system = theory.mmc(rate, 1.0 / service, int(servers), patients, ())
        points.append(Point(theory.scenario(system, 1.0), SEED))
    queues = np.zeros((len(points), REPLICATIONS))
    requests = [Request(number, 0, REPLICATIONS) for number in range(len(points))]
    for number, _, found in Replicator(points, None, CORES).stream(requests):
        queues[number] = found.values[:, found.names.index("flow.roles.role2.mean_queue")]
    return queues / values[:, :1]


def indices(wait: Callable[[Floats], Floats], base: int, trajectories: int, what: str) -> Iterator[Figure]:
    """Compare the indices of a function of the coordinates with the exact ones."""
    units = sobol_index_design(FACTORS, base, seed=SEED).points().units
    assert units is not None
    found = sobol_indices(wait(units), len(FACTORS), TOGETHER)
    for name, intervals, exact in zip(
        ("first", "total"), (found.first, found.total), exact_indices(), strict=True
    ):
        for factor, interval, value in zip(FACTORS, intervals, exact.tolist(), strict=True):
            yield inside(f"{what}: Sobol, {name} index of {factor.name}", interval, value)
    units = morris_design(FACTORS, trajectories, seed=SEED).points().units
    assert units is not None
    effects = morris_indices(units, wait(units), TOGETHER)
    mu, mu_star = exact_effects(formula, LEVELS)
    for position, factor in enumerate(FACTORS):
        yield inside(f"{what}: Morris, mu of {factor.name}", effects[position].mu, mu[position])
        yield inside(f"{what}: Morris, mu* of {factor.name}", effects[position].mu_star, mu_star[position])


def queue(size: Size) -> Iterator[Figure]:
    """Compare the indices of the wait with the exact ones: from the formula, and from a scenario."""
    yield from indices(formula, size.base, size.trajectories, "formula")
    with session.start_session(None, CORES):
        yield from indices(
            partial(simulated, patients=size.patients),
            size.simulated_base,
            size.simulated_trajectories,
            "scenario",
        )


# --- pairing


def pairing(size: Size) -> Iterator[Figure]:
    """Measure how much smaller the variance of a difference is with common random numbers."""
    (tourniquet,) = (one for one in assumptions_of(brigade().original) if one.name == "tourniquet works")
    changes = {
        "ambulances, 6 instead of 9": Setting("vehicles[ambulances-North].number", 6),
        "tables, 1 instead of 2": Setting("facilities[R2-North].operating_tables", 1),
        "ward beds, 10 instead of 20": Setting("facilities[R2-North].ward_beds", 10),
        "tourniquet works, lowest of its range": Setting(tourniquet.path, tourniquet.low),
    }
    points = [Point(brigade(each).resolved, SEED) for each in ((), *((one,) for one in changes.values()))]
    with session.start_session(None, CORES):
        found = Replicator(points, None, CORES).extend([(0, size.pairs)] * len(points))
    quantities = find_quantities(["deaths", "surgery"], found[0].names)
    for difference in compare_replications(found, quantities, 0.95):
        name = list(changes)[difference.alternative - 1]
        title = f"{name}: {difference.quantity.name}, variance ratio over {size.pairs} pairs"
        gain = difference.pairing_gain
        if name.startswith("tables"):
            yield figures.at_least(title, gain, PAIRING_OF_TABLES)
        else:
            yield Figure(title, f"{gain:,.4g}", "printed", not math.isnan(gain))


def sections(size: Size) -> list[Section]:
    """Return all sections by title."""
    return [("M/M/c", partial(queue, size)), ("common random numbers", partial(pairing, size))]


def main() -> int:
    """Measure and print; return 1 if a line fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--only", default="", help="sections whose title contains this")
    options = parser.parse_args()
    chosen = [each for each in sections(SIZES[options.size]) if options.only in each[0]]
    return figures.run("experiments_queue", chosen)


if __name__ == "__main__":
    sys.exit(main())
