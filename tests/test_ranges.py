"""Ranges of the model's constants: they contain the model's values, fit scenarios, and say where they come from."""

import math
from typing import Any

import numpy as np
import pytest

import scenarios
from actors.cluster import PACKAGE_ROOT
from engine.errors import InputError, ScenarioError
from engine.scenario import (
    GIVEN,
    Assumption,
    Scenario,
    ScenarioOverrides,
    Setting,
    assumptions_of,
    given_assumption,
    model_constants,
    parse,
    prepare,
    range_rows,
    with_given,
)
from engine.scenario.range_page import page

KINDS = ({"low", "high"}, {"factor"}, {"shift"}, set())
"""Keys of a row that say how far its range goes; the last ones follow a rule."""


def builtin(name: str, **settings: Any) -> Scenario:
    scenario = parse(scenarios.builtin_bytes(name), "toml", name)
    changes = tuple(Setting(path, value) for path, value in settings.items())
    return prepare(scenario, ScenarioOverrides(settings=changes)).original


def found(scenario: Scenario) -> dict[str, Assumption]:
    return {one.name: one for one in assumptions_of(scenario)}


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    return [item for part in value for item in numbers(part)] if isinstance(value, list) else [value]


def test_every_range_says_what_it_is_and_where_it_comes_from() -> None:
    rows = range_rows()
    assert 20 <= len(rows) <= 60
    assert len({row["name"] for row in rows}) == len({row["path"] for row in rows}) == len(rows)
    for row in rows:
        kind = set(row) - {"name", "path", "tag", "source", "places"}
        assert kind in KINDS, row
        if kind:
            assert row["tag"] in ("published", "judgement"), row
            assert len(row["source"]) > 5, row
        else:  # by the rule for the constant's confidence
            assert "tag" not in row and "source" not in row, row
    published = [row for row in rows if row.get("tag") == "published"]
    assert len(published) >= 4
    assert all("20" in row["source"] or row["source"].startswith("as ") for row in published)


@pytest.mark.parametrize("name", ["brigade", "coin", "cbrn", "urban_assault", "okinawa"])
def test_every_range_contains_its_constant_and_both_ends_can_be_run(name: str) -> None:
    scenario = builtin(name)
    base = prepare(scenario)
    for one in assumptions_of(scenario):
        low, mode, high = numbers(one.low), numbers(one.mode), numbers(one.high)
        assert all(a <= b <= c for a, b, c in zip(low, mode, high, strict=True)), one
        assert low != high, one
        for value in (one.low, one.high):
            changed = prepare(scenario, ScenarioOverrides(settings=(Setting(one.path, value),)))
            assert value == one.mode or changed.hash != base.hash, one


def test_all_ranges_apply_to_a_scenario_that_replaces_no_constant() -> None:
    """A path that is wrong in the file would be missed here."""
    names = found(builtin("cbrn"))
    assert len(names) == len(range_rows())
    assert {one.tag for one in names.values()} == {"published", "judgement"}
    assert "instant deaths, cbrn" in names and "severity, cbrn" in names
    assert "instant deaths, standard" in found(builtin("standard"))
    assert "instant deaths, conventional" in found(builtin("brigade"))


def test_rules_move_shares_by_their_odds_and_others_by_a_ratio() -> None:
    names = found(builtin("brigade"))
    tourniquet = names["tourniquet works"]  # calibrated: odds by 1.5
    odds = [value / (1 - value) for value in (tourniquet.low, tourniquet.mode, tourniquet.high)]
    assert odds == pytest.approx([odds[1] / 1.5, 0.85 / 0.15, odds[1] * 1.5], rel=1e-4)
    ready = names["minutes of preparation for onward transport"]  # an assumption: by 1.5
    assert ready.high == pytest.approx([1.5 * value for value in ready.mode])
    assert "assumption" in ready.source and "calibrated" in tourniquet.source


def test_quantiles_are_triangular_and_the_values_of_a_list_move_together() -> None:
    one = found(builtin("brigade"))["NISS that half survive untreated"]
    assert (one.at(0.0), one.at(1.0)) == (30.0, 36.0) and one.at(0.5) == 33.0
    skewed = one._replace(low=0.0, mode=1.0, high=10.0)
    units = (np.arange(100_000) + 0.5) / 100_000
    values = np.array([skewed.at(unit) for unit in units.tolist()])
    assert values.mean() == pytest.approx(11.0 / 3.0, abs=1e-3)
    variance = (0 + 1 + 100 - 0 - 0 - 10) / 18.0  # (a² + b² + c² - ab - ac - bc) / 18
    assert values.var() == pytest.approx(variance, rel=1e-3)
    several = found(builtin("brigade"))["operating time at Role 2"]
    ratios = np.array(several.at(0.9)) / np.array(several.mode)
    assert ratios.std() < 1e-9 and ratios[0] > 1.05
    units_of_blood = found(builtin("brigade"))["median units of blood of who bleeds to death"]
    drawn = [units_of_blood.at(unit) for unit in (0.0, 0.3, 0.77, 1.0)]
    assert drawn == sorted(drawn) and (drawn[0], drawn[-1]) == (8, 32)


def test_of_surgery_all_but_brain_injuries_move() -> None:
    one = found(builtin("brigade"))["surgery succeeds, all but brain injuries"]
    assert one.low[0] == one.mode[0] == one.high[0] == 0.4
    assert all(low < high for low, high in zip(one.low[1:], one.high[1:], strict=True))


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({"model.survival.lethality.midpoint_niss": 34.0}, "NISS that half survive untreated"),
        ({"treatments.tourniquet.success": 0.5}, "tourniquet works"),
        ({"treatments.tourniquet.available": False}, "tourniquet works"),
        ({"treatments.surgery.success": 0.8}, "surgery succeeds, all but brain injuries"),
        ({"survival.tbi_success": 0.2}, "surgery succeeds, brain injuries"),
        ({"survival.late_hazard": 0.01}, "late death of the severely wounded"),
        ({"survival.first_aid_minutes": 8.0}, "minutes to first aid"),
        ({"triage_accuracy": 0.75}, "triage is right"),
    ],
)
def test_what_the_author_has_set_counts_as_known(settings: dict[str, Any], known: str) -> None:
    assert known in found(builtin("brigade"))
    left = found(builtin("brigade", **settings))
    assert known not in left
    assert len(left) >= len(range_rows()) - 2


def test_brain_injuries_and_other_surgery_are_known_apart() -> None:
    left = found(builtin("brigade", **{"survival.tbi_success": 0.2}))
    assert "surgery succeeds, all but brain injuries" in left
    left = found(builtin("brigade", **{"treatments.surgery.success": 0.8}))
    assert "surgery succeeds, brain injuries" in left


def test_transition_matrices_rest_on_none_of_them() -> None:
    assert assumptions_of(builtin("standard", routing="transition-matrix")) == []


def test_a_range_that_is_given_replaces_that_of_the_model() -> None:
    scenario = builtin("brigade", **{"treatments.tourniquet.success": 0.5})
    one = given_assumption(scenario, "treatments.tourniquet.success", 0.2, 0.7)
    assert (one.low, one.mode, one.high, one.tag) == (0.2, 0.5, 0.7, GIVEN)
    assert given_assumption(scenario, "treatments.tourniquet.success", 0.6, 0.7).mode == 0.6
    rate = given_assumption(scenario, "casualties.rates.battle.mean", 1, 4)
    assert (rate.low, rate.mode, rate.high) == (1.0, 1.5, 4.0)
    beds = given_assumption(scenario, "days", 20, 40)
    assert beds.mode == 30 and all(isinstance(beds.at(unit), int) for unit in (0.1, 0.6))
    niss = given_assumption(scenario, "model.survival.lethality.midpoint_niss", 30, 40)
    both = with_given(assumptions_of(scenario), [niss, one])
    assert [other.low for other in both if other.path == niss.path] == [30.0]
    assert one in both


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("days", 40, 20), "low below high"),
        (("days", 20, 40, 50), "the mode 50"),
        (("name", 1, 2), "allowed: a number"),
        (("model.survival.lethality", 1, 2), "allowed: a number"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        given_assumption(builtin("brigade"), *arguments)


def test_a_path_that_is_none_is_refused_by_the_scenario() -> None:
    one = given_assumption(builtin("brigade"), "model.survival.lethality.midpoint", 1, 2, 1.5)
    with pytest.raises(ScenarioError, match="midpoint_niss"):
        prepare(builtin("brigade"), ScenarioOverrides(settings=(Setting(one.path, one.low),)))


def test_an_end_of_a_range_reaches_the_model() -> None:
    one = found(builtin("brigade"))["triage is right"]
    changed = builtin("brigade", **{one.path: one.low})
    assert model_constants(changed, "care")["triage"]["right"] == one.low
    assert not math.isclose(one.low["poi"], 0.59)


def test_the_page_of_ranges_is_up_to_date() -> None:
    text = (PACKAGE_ROOT / "docs" / "assumptions.md").read_text("utf-8")
    assert text == page(), "make docs"
    assert all(f"`{row['path']}`" in text for row in range_rows() if "{" not in row["path"])
