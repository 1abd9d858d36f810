"""Built-in scenarios with another number of patients or days."""

import msgspec

import scenarios
from engine import scenario as scenario_api
from engine.scenario import Scenario


def builtin(name: str, total: int | None = None, days: int | None = None) -> Scenario:
    """Return a built-in scenario, resolved, with another number of patients or days.

    It has at least as many patients as it lists.
    """
    scenario = scenario_api.parse(scenarios.builtin_bytes(name), "toml", name)
    if total is not None:
        total = max(total, scenario_api.number_listed(scenario))
    return scenario_api.resolve(scenario_api.with_overrides(scenario, total=total, days=days))


def in_detail(scenario: Scenario) -> Scenario:
    """Return the scenario with all vital signs in its records, as charts have them."""
    if "detail" not in Scenario.__struct_fields__:
        return scenario
    return msgspec.structs.replace(scenario, detail="full")
