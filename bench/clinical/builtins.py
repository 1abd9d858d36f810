"""Built-in scenarios with another number of patients or days, and pools of their records."""

from collections.abc import Iterator

import msgspec

import scenarios
from engine import scenario as scenario_api
from engine.run import Simulation
from engine.scenario import Scenario, is_finite
from engine.tables import Chunk


def builtin(name: str, total: int | None = None, days: int | None = None) -> Scenario:
    """Return a built-in scenario, resolved, with another number of patients or days.

    It has at least as many patients as it lists.
    """
    scenario = scenario_api.parse(scenarios.builtin_bytes(name), "toml", name)
    if total is not None:
        total = max(total, scenario_api.number_listed(scenario))
    return scenario_api.resolve(scenario_api.with_overrides(scenario, total=total, days=days))


def sized(name: str, number: int) -> Scenario:
    """Return a built-in scenario with all vital signs and `number` patients, if nothing in it is finite.

    Finite care would be overloaded by more patients than it is for: such a scenario keeps its own.
    """
    scenario = builtin(name)
    return in_detail(scenario if is_finite(scenario) else builtin(name, number))


def pool(scenario: Scenario, number: int, seed: int, chunk_size: int = 2048) -> Iterator[tuple[int, Chunk]]:
    """Yield chunks of replications of a scenario until there are `number` records, each with the row of its first."""
    found = replication = 0
    while found < number:
        before = found
        for chunk in Simulation(scenario, seed, replication, chunk_size):
            yield found, chunk
            found += len(chunk)
            if found >= number and is_finite(scenario):
                return
        if found == before:
            return
        replication += 1


def in_detail(scenario: Scenario) -> Scenario:
    """Return the scenario with all vital signs in its records, as charts have them."""
    if "detail" not in Scenario.__struct_fields__:
        return scenario
    return msgspec.structs.replace(scenario, detail="full")
