"""The builders of cached values, by kind. Importing this module loads NumPy and the kernel."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.arrivals import plan_arrivals
from engine.compile import TABLE_BUILDERS, tilts_of
from engine.measures import find_measures
from engine.records import CodedText
from engine.run import DEFAULT_CHUNK, Simulation, replicate
from engine.scenario import Scenario
from scenarios import catalogue


def build_names(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Return the fields of `catalogue.Names` for each nation of the fronts, by its code."""
    nations = sorted({code for front in scenario.fronts for code in front.nations})
    return {code: msgspec.structs.asdict(catalogue.names(code)) for code in nations}


def build_diagnoses(_: Any) -> tuple[tuple[CodedText, ...], tuple[CodedText, ...]]:
    """Return codes and texts of all conditions, and of all external causes. They need no field of the scenario."""
    conditions = tuple(CodedText(condition.code, condition.display) for condition in catalogue.conditions())
    causes = tuple(CodedText(cause.code, cause.display) for cause in catalogue.external_causes())
    return conditions, causes


BUILDERS: dict[str, Callable[[Any], Any]] = {
    **TABLE_BUILDERS,
    "names": build_names,
    "diagnoses": build_diagnoses,
    "arrivals": plan_arrivals,
    "tilts": tilts_of,
}
"""By kind of value: the function that builds it from the fields of `cache_keys.KINDS`."""


def build_measures(scenario: Scenario, seed: int, replication: int, precomputed: Mapping[str, Any]) -> bytes:
    """Simulate a run and return its measures, the content of summary.json, as JSON.

    Parameters
    ----------
    scenario
        The resolved scenario.
    seed, replication
        The run.
    precomputed
        Values of some of `SIMULATION_KINDS`, by kind. The others are computed.
    """
    simulation = Simulation(scenario, seed, replication, DEFAULT_CHUNK, precomputed)
    for _ in simulation:
        pass
    return msgspec.json.encode(find_measures(simulation, scenario).summary)


build_replications = replicate
"""Measures of some replications."""
