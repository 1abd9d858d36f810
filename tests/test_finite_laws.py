"""Scenarios that once broke a law of finite care, and whether the laws notice a kernel that breaks them."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import finite_laws as laws
import finite_oracle as oracle
import msgspec
import numpy as np
import pytest
from finite_delays import check_delays, check_periods
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import scenario as scenario_api
from engine.codes import EVENTS

SCENARIOS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "finite_scenarios.json").read_text()
)
"""Found by `make bench-finite-fuzz` and reduced to what is needed, by what happens in them."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_once_broke_a_law_keeps_it(name: str) -> None:
    r = oracle.run(SCENARIOS[name])
    laws.check_whole(r)
    observed = oracle.read(r)
    check_delays(r, observed)
    check_periods(r, observed)


# --- the laws are not blind: records are checked against another scenario than the simulated one, or are changed


def busy(seed: int = 3, **settings: Any) -> oracle.Run:
    """One Role 2 with scarce care for 150 casualties of two days."""
    way = {"distribution": "exponential", "mean": 40.0}
    return oracle.run(
        {
            "name": "busy",
            "seed": seed,
            "days": 2,
            "casualties": {"total": 150},
            "fronts": [{"name": "A", "nations": {"NOR": 1.0}}],
            "facilities": [
                {
                    "id": "R2",
                    "role": 2,
                    "treatment_bays": 3,
                    "operating_tables": 2,
                    "icu_beds": 2,
                    "ward_beds": 12,
                    "places": 25,
                },
                {"id": "R4", "role": 4},
            ],
            "links": [
                {"origin": "POI", "destination": "R2", "minutes": way},
                {"origin": "R2", "destination": "R4", "minutes": way, "vehicle": "cars"},
            ],
            "vehicles": [{"id": "cars", "kind": "ambulance_standard", "number": 2, "litters": 1, "seats": 0}],
            **settings,
        }
    )


def with_field(name: str, value: Any) -> Callable[[scenario_api.Scenario], scenario_api.Scenario]:
    """Change a field of the first facility."""

    def change(s: scenario_api.Scenario) -> scenario_api.Scenario:
        first = msgspec.structs.replace(s.facilities[0], **{name: value})
        return msgspec.structs.replace(s, facilities=[first, *s.facilities[1:]])

    return change


def with_event(**fields: Any) -> Callable[[scenario_api.Scenario], scenario_api.Scenario]:
    """Add a world event."""

    def change(s: scenario_api.Scenario) -> scenario_api.Scenario:
        return msgspec.structs.replace(s, world=[*s.world, scenario_api.WorldEvent(**fields)])

    return change


def with_vehicles(number: int) -> Callable[[scenario_api.Scenario], scenario_api.Scenario]:
    """Change the number of vehicles of the only pool."""

    def change(s: scenario_api.Scenario) -> scenario_api.Scenario:
        return msgspec.structs.replace(s, vehicles=[msgspec.structs.replace(s.vehicles[0], number=number)])

    return change


BROKEN = {
    "one bay more than there are": with_field("treatment_bays", 2),
    "one table more than there are": with_field("operating_tables", 1),
    "one ICU bed more than there are": with_field("icu_beds", 1),
    "one ward bed more than there are": with_field("ward_beds", 11),
    "one place more than there are": with_field("places", 24),
    "a bay stays idle": with_field("treatment_bays", 4),
    "a table stays idle": with_field("operating_tables", 3),
    "an ICU bed stays idle": with_field("icu_beds", 3),
    "a ward bed stays idle": with_field("ward_beds", 13),
    "a hit costs nothing": with_event(
        event="hit", at_hours=30.0, facility="R2", duration_hours=12.0, capacity_lost=1.0
    ),
    "a closed door": with_event(event="close", at_hours=30.0, facility="R4", duration_hours=12.0),
    "vehicles out of use": with_event(
        event="interdiction", at_hours=30.0, vehicle="cars", duration_hours=12.0
    ),
    "one vehicle more than there are": with_vehicles(1),
}
"""By what a broken kernel would do: the scenario in which these records would show it."""


@pytest.mark.parametrize("name", BROKEN)
def test_the_laws_notice_a_kernel_that_breaks_them(name: str) -> None:
    r = busy()
    laws.check_whole(r)
    r.scenario = BROKEN[name](r.scenario)
    with pytest.raises(AssertionError):
        laws.check_whole(r)


def test_the_laws_notice_who_is_passed_in_a_queue() -> None:
    r = busy()
    kinds, here = r.events["kind"], r.events["facility"] == 0
    triaged = here & (kinds == EVENTS.index("triaged"))
    r.events["detail"][triaged] = np.array([0, 3, 2, 1, 4])[r.events["detail"][triaged]]
    with pytest.raises(AssertionError, match="a more urgent patient waits on"):
        laws.check_order(r, oracle.read(r))


def test_the_laws_notice_who_leaves_before_being_prepared() -> None:
    r = busy()
    longer = {"care": {"preparation": {"minutes": [11.0, 16.0, 21.0, 21.0]}}}
    r.scenario = msgspec.structs.replace(r.scenario, model=longer)
    with pytest.raises(AssertionError, match="not prepared"):
        laws.check_trips(r, oracle.read(r))


def test_the_laws_notice_casualties_who_are_missing() -> None:
    r = busy()
    r.patients = r.patients[:-1]
    with pytest.raises(AssertionError):
        laws.check_number(r)


# --- the examples of property tests


def test_the_examples_do_not_depend_on_the_modules_that_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw() -> list[int]:
        drawn: list[int] = []

        @settings(max_examples=300)
        @given(st.integers(0, 1 << 40))
        def note(n: int) -> None:
            drawn.append(n)

        note()
        return drawn

    before = draw()
    numbers = ", ".join(str(1_000_003 * k) for k in range(1, 1000))
    (tmp_path / "loaded_later.py").write_text(f"NUMBERS = ({numbers})\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("loaded_later")
    assert draw() == before
