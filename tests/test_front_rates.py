"""Casualty rates by front and by unit: a front's own, factors on them, and units of different kinds."""

import json
import math
from typing import Any

import effects as x
import numpy as np
import pytest

from engine.arrivals import expected_arrivals, plan_arrivals
from engine.errors import ScenarioError
from engine.scenario import (
    STREAMS,
    Scenario,
    ScenarioOverrides,
    check,
    parse,
    prepare,
    resolve,
    scenario_hash,
    to_toml,
)

RATES = {"battle": 10.0, "nbi": 5.0, "disease": 5.0}
"""Per 1,000 a day, constant."""


def settings_of(north: dict[str, Any], rates: dict[str, Any] | None = None) -> dict[str, Any]:
    strength = {} if "units" in north else {"population": 10_000}
    fronts = [{**x.FRONT, **strength, **north}, {**x.SOUTH, "population": 5000}]
    return {"casualties": {"rates": RATES if rates is None else rates}, "fronts": fronts, "mix": None}


def patients(north: dict[str, Any], rates: dict[str, Any] | None = None) -> Any:
    return x.run(**settings_of(north, rates)).patients


def scenario_of(north: dict[str, Any], rates: dict[str, Any] | None = None) -> Scenario:
    return parse(json.dumps(x.settings_of(**settings_of(north, rates))).encode(), "json")


def expected(scenario: Scenario, front: str = "North") -> dict[str, float]:
    rows = [row for row in expected_arrivals(plan_arrivals(resolve(scenario))) if row.front == front]
    return {s: math.fsum(row.expected for row in rows if row.stream == s) for s in STREAMS}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_front_with_its_own_rate_has_its_own_casualties_alone(stream: str) -> None:
    before, after = patients({}), patients({"rates": {stream: 2 * RATES[stream]}})
    for front, size in ((0, 10.0), (1, 5.0)):
        for k, name in enumerate(STREAMS):
            few, many = (p[(p["front"] == front) & (p["stream"] == k)]["id_lo"] for p in (before, after))
            mean = 8 * size * RATES[name]
            assert len(few) == pytest.approx(mean, abs=5 * math.sqrt(mean))
            if (front, name) == (0, stream):
                assert len(many) == pytest.approx(2 * mean, abs=5 * math.sqrt(2 * mean))
                assert np.isin(few, many).all()
            else:
                assert (few == many).all()


def test_a_factor_multiplies_the_casualties_of_its_front() -> None:
    before, after = patients({}), patients({"rate_factor": 0.5})
    counts = [np.bincount(p["front"]) for p in (before, after)]
    assert counts[1][1] == counts[0][1]
    assert counts[1][0] == pytest.approx(counts[0][0] / 2, rel=0.1)
    assert np.isin(after["id_lo"], before["id_lo"]).all()
    by_stream = expected(scenario_of({"rate_factor": {"battle": 3.0}}))
    assert by_stream == pytest.approx({"battle": 2400.0, "nbi": 400.0, "disease": 400.0})


def test_units_share_the_rate_of_their_front_by_strength_and_factor() -> None:
    units: list[dict[str, Any]] = [
        {"type": "infantry", "strength": 6000, "rate_factor": {"battle": 1.5}},
        {"type": "support", "strength": 4000, "rate_factor": {"battle": 0.25, "disease": 2.0}},
    ]
    scenario = scenario_of({"units": units})
    assert expected(scenario) == pytest.approx({"battle": 800.0, "nbi": 400.0, "disease": 560.0})
    assert resolve(scenario).fronts[0].population == 10_000
    units[1]["rate_factor"] = {"battle": 1.25}
    before, after = patients({}), patients({"units": units})
    counts = [np.bincount(p["stream"][p["front"] == 0]) for p in (before, after)]
    assert counts[1][0] == pytest.approx(1.4 * counts[0][0], rel=0.05)
    assert counts[1][1:].tolist() == counts[0][1:].tolist()
    assert np.isin(before["id_lo"], after["id_lo"]).all()


def test_a_unit_with_its_own_rate_adds_it_to_that_of_the_others() -> None:
    own = {"battle": {"distribution": "lognormal", "mean": 4.0, "sd": 8.0}}
    units = [{"type": "infantry", "strength": 7500, "rates": own}, {"type": "support", "strength": 2500}]
    scenario = scenario_of({"units": units, "rate_factor": 2.0})
    assert expected(scenario) == pytest.approx({"battle": 880.0, "nbi": 800.0, "disease": 800.0})
    rates = resolve(scenario).fronts[0].rates
    assert rates is not None and isinstance(rates.battle, list)
    assert [(rate.mean, rate.sd) for rate in rates.battle] == [(5.0, None), (6.0, 12.0)]
    nobody = patients({"units": [{"type": "all", "strength": 10_000, "rates": {"battle": 0.0}}]})
    assert not ((nobody["front"] == 0) & (nobody["stream"] == 0)).any()
    assert ((nobody["front"] == 1) & (nobody["stream"] == 0)).any()


def test_fronts_that_all_have_rates_need_none_of_the_scenario() -> None:
    north = {**x.FRONT, "population": 1000, "rates": {"battle": 3.0}}
    south = {**x.SOUTH, "population": 500, "rates": {"nbi": 8.0}}
    settings = x.settings_of(casualties={"rates": {}}, fronts=[north, south], mix=None)
    scenario = parse(json.dumps(settings).encode(), "json")
    check(scenario)
    assert expected(scenario) == pytest.approx({"battle": 24.0, "nbi": 0.0, "disease": 0.0})
    assert expected(scenario, "South") == pytest.approx({"battle": 0.0, "nbi": 32.0, "disease": 0.0})


def test_a_scenario_with_rates_of_fronts_is_written_and_resolved_as_it_is() -> None:
    units = [
        {"type": "a", "strength": 10, "rates": {"nbi": [1, 2]}},
        {"type": "b", "strength": 90, "rate_factor": 2},
    ]
    scenario = scenario_of({"units": units, "rate_factor": {"disease": 0.0}, "rates": {"battle": 1.5}})
    for commented in (False, True):
        assert parse(to_toml(scenario, commented).encode(), "toml") == scenario
    resolved = resolve(scenario)
    assert resolve(resolved) == resolved
    assert parse(to_toml(resolved).encode(), "toml") == resolved
    assert scenario_hash(scenario) == scenario_hash(resolved)
    assert scenario_hash(scenario_of({})) != scenario_hash(scenario_of({"rate_factor": 1.1}))


def test_an_exact_number_of_patients_keeps_the_proportions_of_fronts_and_streams() -> None:
    scenario = scenario_of({"rate_factor": {"battle": 4.0}})
    exact = prepare(scenario, ScenarioOverrides(patients=1000)).resolved
    assert [front.share for front in exact.fronts] == pytest.approx([4000 / 4800, 800 / 4800])
    assert exact.mix is not None and exact.mix.battle == pytest.approx(3600 / 4800)
    assert not any(front.rates or front.units for front in exact.fronts)


def test_depletion_follows_the_rates_of_a_front() -> None:
    rates = {"battle": 10.0, "depletion": True}
    found = expected(scenario_of({"rate_factor": 5.0}, rates))["battle"]
    assert found == pytest.approx(10_000 * (1 - 0.95**8))


@pytest.mark.parametrize(
    ("north", "place"),
    [
        (
            {"rates": {"battle": {"distribution": "erlang", "mean": 1.0, "k": 2}}},
            "fronts[0].rates.battle.distribution",
        ),
        ({"rates": {"nbi": []}}, "fronts[0].rates.nbi"),
        ({"rates": {"battle": 900.0}, "rate_factor": 2.0}, "fronts[0].rate_factor"),
        ({"rate_factor": -1.0}, "fronts[0].rate_factor"),
        ({"rate_factor": {"battel": 1.0}}, 'fronts[0].rate_factor["battel"]'),
        ({"units": [{"type": "a", "strength": 5}, {"type": "a", "strength": 6}]}, "fronts[0].units[1].type"),
        ({"units": [{"type": "a", "strength": 5}], "population": 6}, "fronts[0].population"),
        (
            {"units": [{"type": str(k), "strength": 5, "rates": {"battle": 1.0}} for k in range(11)]},
            "fronts[0].units",
        ),
    ],
)
def test_settings_of_rates_that_make_no_sense_are_refused(north: dict[str, Any], place: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        check(scenario_of(north))
    assert caught.value.place == place


@pytest.mark.parametrize("north", [{"rates": {"battle": 1.0}}, {"rate_factor": 2.0}])
def test_rates_of_a_front_are_refused_under_an_exact_total(north: dict[str, Any]) -> None:
    text = json.dumps(x.settings_of(fronts=[{**x.FRONT, **north}]))
    with pytest.raises(ScenarioError, match=r"fronts\[0\]\.rate.*\[casualties\.rates\]"):
        check(parse(text.encode(), "json"))


def test_a_rate_that_no_front_uses_is_noted() -> None:
    front = {**x.FRONT, "population": 9, "rates": {"nbi": 1.0}}
    notes = x.notes(casualties={"rates": RATES}, fronts=[front], mix=None)
    assert notes[0] == "casualties.rates.nbi: no effect, because every front has its own rate"
