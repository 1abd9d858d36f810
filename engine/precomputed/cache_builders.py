"""Makes the values of `engine.precomputed.cache_keys`: what loads NumPy, and the kernel where a value needs it."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.arrivals import plan_arrivals
from engine.compile import TABLE_BUILDERS, fitted_severity
from engine.measures import find_measures
from engine.records import CodedText
from engine.run import DEFAULT_CHUNK, Simulation
from engine.scenario import Scenario
from scenarios import catalogue


def names(s: Scenario) -> dict[str, dict[str, Any]]:
    """By nation of the fronts: the fields of its `catalogue.Names`."""
    nations = sorted({code for front in s.fronts for code in front.nations})
    return {code: msgspec.structs.asdict(catalogue.names(code)) for code in nations}


def diagnoses(_: Any) -> tuple[tuple[CodedText, ...], tuple[CodedText, ...]]:
    """Codes and texts of all conditions, and of all external causes."""
    conditions = tuple(CodedText(c.code, c.display) for c in catalogue.conditions())
    return conditions, tuple(CodedText(c.code, c.display) for c in catalogue.external_causes())


BUILDERS: dict[str, Callable[[Any], Any]] = {
    **TABLE_BUILDERS,
    "names": names,
    "diagnoses": diagnoses,
    "arrivals": plan_arrivals,
    "severity": fitted_severity,
}
"""What makes each kind of value of a scenario."""


def measures(s: Scenario, seed: int, replication: int, made: Mapping[str, Any]) -> bytes:
    """What summary.json holds, as JSON, of a run of the resolved scenario that is simulated for it."""
    simulation = Simulation(s, seed, replication, DEFAULT_CHUNK, made)
    for _ in simulation:
        pass
    return msgspec.json.encode(find_measures(simulation, s).summary)
