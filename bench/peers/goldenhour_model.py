"""The brigade network in goldenhour: the scenario of `network.scenario`, with the same measures as the other models.

The waits for the resources of a facility come from `simulation.flow`, the other measures from the event log.
`python -m bench.peers.goldenhour_model` runs this model alone and prints casualties per second of the event kernel,
with columns, and with records.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.peers.network import BRIGADE, MINUTES_A_DAY, PER_DAY, Measures, Network, scenario
from engine import scenario as scenario_api
from engine.codes import AT_POI, EVENTS
from engine.records import CodeTables, encode_chunks
from engine.run import Simulation
from engine.scenario import Scenario

MINUTE = 60_000.0
ROLE1, ROLE2, ROLE3 = range(3)
"""Indices of the facilities."""
WAITS = {
    "wait: Role 1 triage": ("R1", "triage_teams"),
    "wait: Role 1 bay": ("R1", "treatment_bays"),
    "wait: Role 2 triage": ("R2", "triage_teams"),
    "wait: Role 2 bay": ("R2", "treatment_bays"),
    "wait: Role 2 table": ("R2", "operating_tables"),
    "wait: Role 2 ward bed": ("R2", "ward_beds"),
}


class Replication(NamedTuple):
    """The results of one replication."""

    measures: Measures
    categories: NDArray[np.int64]
    """Numbers of T1, T2 and T3, shape (3,)."""
    little: float
    """Largest relative error of Little's law over all resources and queues."""


@cache
def resolved(network: Network, days: int) -> Scenario:
    """Return the scenario, checked and resolved."""
    given = scenario_api.parse(msgspec.json.encode(scenario(network, days)), "json")
    scenario_api.check(given)
    return scenario_api.resolve(given)


def run(network: Network, days: int, seed: int) -> Replication:
    """Simulate one replication with its columns; return its results."""
    simulation = Simulation(resolved(network, days), seed, 0)
    chunks = list(simulation)
    category = np.concatenate([chunk.patients["triage"] for chunk in chunks])
    for chunk in chunks:
        chunk.events["patient"] += chunk.first
    events = np.concatenate([chunk.events for chunk in chunks])

    def at(kind: str, facility: int) -> NDArray[np.float64]:
        """Return the minutes of each patient's first such event at the facility."""
        rows = events[(events["kind"] == EVENTS.index(kind)) & (events["facility"] == facility)]
        times = np.full(len(category), np.nan)
        times[rows["patient"][::-1]] = rows["at"][::-1] / MINUTE
        return times

    requested, arrived = at("evacuation_requested", AT_POI), at("arrived", ROLE3)
    leaves = at("departed", ROLE2)
    total = arrived - requested
    waits = {
        (row["facility"], row["resource"]): row["mean_wait_minutes"] for row in simulation.flow.resources()
    }
    measures = {
        "request to Role 3, all": float(total.mean()),
        **{f"request to Role 3, T{k}": float(total[category == k].mean()) for k in (1, 2, 3)},
        "wait: departure from POI": float((at("departed", AT_POI) - requested).mean()),
        "wait: departure from Role 1": float(
            (at("departed", ROLE1) - at("evacuation_requested", ROLE1)).mean()
        ),
        "wait: departure from Role 2": float((leaves - at("evacuation_requested", ROLE2)).mean()),
        "minutes in Role 2": float((leaves - at("arrived", ROLE2)).mean()),
        PER_DAY: float(np.sum(arrived < days * MINUTES_A_DAY)) / days,
        **{name: float(waits[key]) for name, key in WAITS.items()},
    }
    categories = np.bincount(category, minlength=4)[1:4]
    return Replication(measures, categories, simulation.flow.little_error())


def flow_alone(network: Network, days: int, seed: int) -> None:
    """Simulate the flow and its measures, without records."""
    Simulation(resolved(network, days), seed, 0).run_flow()


def columns(network: Network, days: int, seed: int) -> None:
    """Simulate with the events, treatments, wounds and vital signs of every casualty, as columns."""
    for _ in Simulation(resolved(network, days), seed, 0):
        pass


def full_records(network: Network, days: int, seed: int) -> None:
    """Simulate and write the record of every casualty as JSON, in memory."""
    scenario = resolved(network, days)
    code_tables = CodeTables(scenario)
    for chunk in Simulation(scenario, seed, 0):
        encode_chunks([chunk], code_tables, "jsonl", "none")


WAYS: dict[str, Callable[[Network, int, int], None]] = {
    "goldenhour, flow alone": flow_alone,
    "goldenhour, columns": columns,
    "goldenhour, full records": full_records,
}


def main() -> None:
    """Run one long replication; print its measures and the speeds."""
    days = 1000
    for name, value in run(BRIGADE, days, 1).measures.items():
        print(f"{name:32} {value:10.2f}")
    for name, way in WAYS.items():
        begun = time.perf_counter()
        way(BRIGADE, days, 1)
        seconds = time.perf_counter() - begun
        print(f"{name}: {BRIGADE.per_day * days / seconds:,.0f} casualties/s")


if __name__ == "__main__":
    main()
