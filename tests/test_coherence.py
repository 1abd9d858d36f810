"""Coherence: facts that hold for every record, checked on 100,000 records and on random small scenarios.

`brigade` and `division` have many times the casualties that their finite care is for: waits, blocking, surge, deaths.

A fact (`facts_of_*.py`) takes a `Run` and asserts; `test_a_fact_of_every_record` states each on each built-in, and
`test_the_facts_hold_for_any_small_scenario` states all of them on scenarios that Hypothesis generates.
"""

import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import facts_of_courses
import facts_of_people
import pytest
from coherence import FACTS, Run
from facts_of_care import scores
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import goldenhour
from engine import scenario as scenario_api
from engine.clinical import people
from engine.numeric.elementary import uncompiled
from scenarios import tables

__all__ = ["facts_of_courses", "facts_of_people"]


BUILTINS = {
    "conventional": 20_000,
    "cbrn": 20_000,
    "standard": 20_000,
    "coin": 15_000,
    "naval": 15_000,
    "falklands": 10_000,
    "brigade": 1_500,
    "division": 3_000,
}

# --- the runs


@cache
def builtin_run(name: str) -> Run:
    return Run(goldenhour.simulate(name, seed=11, patients=BUILTINS[name]))


def test_there_are_a_hundred_thousand_records() -> None:
    assert sum(builtin_run(name).n for name in BUILTINS) == sum(BUILTINS.values()) >= 100_000


@pytest.mark.parametrize("name", BUILTINS)
@pytest.mark.parametrize("check", FACTS)
def test_a_fact_of_every_record(check: str, name: str) -> None:
    FACTS[check](builtin_run(name))


FRONTS = (
    {"name": "North", "population": 300, "nations": {"NOR": 0.5, "GBR": 0.5}},
    {"name": "South", "population": 700, "nations": {"POL": 0.2, "EST": 0.2, "CZE": 0.6}},
)
RATES = {
    "battle": {"distribution": "gamma", "mean": 30, "sd": 40},
    "nbi": {"distribution": "constant", "mean": 6},
    "disease": {"distribution": "exponential", "mean": 8},
}


LISTED = (
    {"number": 12, "mechanism": "gunshot", "category": "T1", "unit": "1 Bn"},
    {"number": 5, "stream": "nbi", "category": "T2"},
    {"number": 3, "stream": "disease"},
    {"number": 6, "triage": {"T1": 0.2, "T3": 0.8}},
    {"number": 4, "conditions": ["S72.301A", "S27.0XXA"]},
    {"number": 4, "mechanism": "cbrn", "category": "T3"},
    {"number": 9, "mean_iss": 20.0},
    {"numbers": [1, 0, 2], "every_minutes": 7.5},
)


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """Draw scenario documents of about a hundred patients at most."""
    days = draw(st.integers(1, 6))
    document: dict[str, Any] = {
        "name": "any",
        "days": days,
        "start": draw(
            st.sampled_from(["2030-01-01T00:00:00Z", "2028-02-29T18:30:00Z", "1944-12-31T23:00:00Z"])
        ),
        "fronts": list(FRONTS[: draw(st.integers(1, 2))]),
        "intensity": draw(st.sampled_from(["low", "medium", "high", "extreme"])),
        "mascal_threshold": draw(st.integers(2, 20)),
        "routing": draw(st.sampled_from(["clock", "clock", "transition-matrix"])),
        "environment": draw(
            st.lists(
                st.sampled_from(sorted(tables.warfare_patterns()["environmental_modifiers"])), unique=True
            )
        ),
        "warfare": [
            {"type": x}
            for x in draw(st.lists(st.sampled_from(scenario_api.WARFARE_TYPES), unique=True, max_size=3))
        ],
    }
    if draw(st.booleans()):
        document["horizon_days"] = days + draw(st.sampled_from([0, 0.1, 1, 5]))
    if draw(st.booleans()):
        document["events"] = [
            {"event": draw(st.sampled_from(["major_offensive", "ambush", "mass_casualty"]))}
        ]
    if draw(st.integers(0, 3)) == 0:
        rates = RATES | {"depletion": draw(st.booleans())}
        if rates["depletion"] and draw(st.booleans()):
            rates["return_to_duty"] = {"disease": {"share": 0.9, "days": draw(st.sampled_from([0, 1.5]))}}
        document["casualties"] = {"rates": rates}
    else:
        document["casualties"] = {"total": draw(st.integers(1, 120))}
        if draw(st.booleans()):
            document["mix"] = {"battle": 0.8, "nbi": 0.1, "disease": 0.1}
    rows = draw(st.lists(st.sampled_from(LISTED), max_size=3))
    if rows:
        day = (
            1 if document["start"].endswith("T00:00:00Z") else 2
        )  # times of the clock before the start are refused
        times = st.sampled_from([f"day {day} 00:00", f"day {day} 09:30:15.250", "23 h"])
        document["incidents"] = [{"at": draw(times), "front": "North", **row} for row in rows]
        if "total" in document["casualties"]:
            document["casualties"]["total"] += 40
        document["casualties"]["only_listed"] = draw(st.booleans())
    if draw(st.booleans()):
        document["survival"] = {
            "instant_death": draw(st.sampled_from([0.0, 0.1, 1.0])),
            "severity": draw(st.sampled_from([-1.0, 0.0, 1.0])),
            "first_aid_minutes": draw(st.sampled_from([0.5, 5, 60])),
            "late_hazard": draw(st.sampled_from([0.0, 0.5])),
            "clock": draw(st.booleans()),
        }
    if draw(st.booleans()):
        minutes = st.sampled_from([0, 2.5, {"distribution": "exponential", "mean": 20}])
        names = st.sampled_from(scenario_api.PointOfInjury.__struct_fields__)
        document["point_of_injury"] = draw(st.dictionaries(names, minutes))
    if document["routing"] == "clock" and draw(st.booleans()):
        document |= {
            "network": draw(st.sampled_from(["brigade", "division"])),
            "network_scale": draw(st.sampled_from([0.1, 1.0])),
            "acceptance": draw(st.sampled_from(["accept", "push"])),
            "destination": draw(st.sampled_from(["closest-first", "spread-out", "least-loaded"])),
            "bypass": draw(st.booleans()),
            "bumping": draw(st.booleans()),
            "expectant": draw(st.booleans()),
        }
    elif draw(st.booleans()):
        document["links"] = [
            {
                "origin": "POI",
                "destination": "R2-North",
                "fronts": ["North"],
                "minutes": {
                    "distribution": "lognormal",
                    "median": draw(st.sampled_from([5, 50, 500])),
                    "sigma": 1,
                },
            }
        ]
    return document


@settings(max_examples=60, phases=[Phase.generate], report_multiple_bugs=False)
@given(documents(), st.integers(0, 2**32), st.integers(0, 3))
def test_the_facts_hold_for_any_small_scenario(document: dict[str, Any], seed: int, replication: int) -> None:
    scenario = scenario_api.parse(json.dumps(document).encode(), "json")
    run = Run(goldenhour.simulate(scenario, seed=seed, replication=replication))
    if run.n == 0:
        return
    for name, check in FACTS.items():
        try:
            check(run)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_a_score_is_recomputed_as_the_books_do() -> None:
    assert scores([("head", 3), ("face", 2), ("lower_limb", 4), ("lower_limb", 4)]) == (29, 41)
    assert scores([("thorax", 1), ("lower_limb", 1), ("face", 1)]) == (2, 3)
    assert scores([("head", 6), ("face", 1)]) == (75, 75)


@pytest.mark.parametrize("years", [17, 20, 23, 40])
def test_ages_are_those_of_the_calendar_on_every_day(years: int) -> None:
    """On the earliest, the second and the latest day of birth, from every day of four years."""
    python = uncompiled(people._date, people._day_number, people._set_birth)
    for today in range(19_600, 19_600 + 4 * 365 + 1):
        year, month, day = python._date(today)
        for uniform in (0.0001, 0.004, 0.9999):
            record = SimpleNamespace()
            python._set_birth(record, years, uniform, today)
            born_year, *birthday = python._date(record.birth)
            assert record.age == year - born_year - ([month, day] < birthday) == years
