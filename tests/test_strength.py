"""Strength at risk: returns to duty and replacements restore what casualties take from it."""

import json
import math
from pathlib import Path
from typing import Any

import effects as x
import numpy as np
import pytest

import goldenhour
from engine.arrivals import (
    ArrivalPlan,
    expected_arrivals,
    expected_strength,
    generate_arrivals,
    plan_arrivals,
)
from engine.errors import ScenarioError
from engine.scenario import (
    Scenario,
    ScenarioOverrides,
    check,
    parse,
    prepare,
    resolve,
    scenario_hash,
    to_toml,
)
from goldenhour.__main__ import run

DAY = x.DAY
BATTLE, DAYS, PEOPLE = 50.0, 20, 4000
"""Casualties per 1,000 a day, days, and the strength at the start."""


def scenario_of(
    returns: dict[str, Any] | None = None,
    rates: dict[str, Any] | None = None,
    front: dict[str, Any] | None = None,
    **settings: Any,
) -> Scenario:
    given = {"battle": BATTLE, "depletion": True, **(rates or {})}
    if returns is not None:
        given["return_to_duty"] = returns
    fronts = [{**x.FRONT, "population": PEOPLE, **(front or {})}, {**x.SOUTH, "population": PEOPLE // 2}]
    document = {"mix": None, "days": DAYS, "casualties": {"rates": given}, "fronts": fronts, **settings}
    return parse(json.dumps(x.settings_of(**document)).encode(), "json")


def plan_of(*arguments: Any, **settings: Any) -> ArrivalPlan:
    scenario = scenario_of(*arguments, **settings)
    check(scenario)
    return plan_arrivals(resolve(scenario))


def hurt(plan: ArrivalPlan, replication: int = 0) -> Any:
    return np.concatenate(list(generate_arrivals(plan, 1, replication)))


def by_day(rows: Any, front: int = 0) -> Any:
    return np.bincount(rows["incident_time"][rows["front"] == front] // DAY, minlength=DAYS)[:DAYS]


def back(share: float, days: float) -> dict[str, Any]:
    return {"battle": {"share": share, "days": days}}


def test_returns_restore_the_strength_with_the_same_casualties() -> None:
    full, none = hurt(plan_of(rates={"depletion": False})), hurt(plan_of())
    half, all_ = (hurt(plan_of(back(share, 2.0))) for share in (0.5, 1.0))
    for fewer, more in ((none, half), (half, all_), (all_, full)):
        assert np.isin(fewer["id_lo"], more["id_lo"]).all()
        assert len(fewer) < 0.97 * len(more)
    # hurt on the first day, back on the third, at risk from the fourth on
    assert by_day(none)[:3].tolist() == by_day(all_)[:3].tolist()
    assert by_day(none)[3] < by_day(all_)[3]


def test_casualties_follow_the_strength_of_their_day() -> None:
    """The strength is reckoned from the casualties drawn, day by day and front by front."""
    share, delay = 0.8, 3
    full = hurt(plan_of(rates={"depletion": False}))
    kept = hurt(plan_of(back(share, delay), front={"replacements_per_day": 15.0}))
    excess = []
    for front, people, replaced in ((0, PEOPLE, 15.0), (1, PEOPLE // 2, 0.0)):
        lost, candidates = by_day(kept, front), by_day(full, front)
        strength = [float(people)]
        for day in range(1, DAYS):
            returned = share * lost[day - delay - 1] if day > delay else 0.0
            strength.append(min(people, strength[-1] - lost[day - 1] + returned + replaced))
        keep = np.array(strength) / people
        excess.append((lost - candidates * keep) / np.sqrt(np.maximum(1.0, candidates * keep * (1 - keep))))
    z = np.concatenate([part[1:] for part in excess])
    assert abs(z.mean()) < 3.3 / math.sqrt(len(z)) and np.abs(z).max() < 4.5
    assert (z**2).sum() < len(z) + 4 * math.sqrt(2 * len(z))


def test_the_mean_over_replications_is_the_expected_number() -> None:
    delay = {"distribution": "lognormal", "mean": 4.0, "sd": 3.0}
    plan = plan_of({"battle": {"share": 0.7, "days": delay}}, front={"replacements_per_day": 5.0})
    expected = math.fsum(row.expected for row in expected_arrivals(plan))
    counts = [len(hurt(plan, replication)) for replication in range(30)]
    assert np.mean(counts) == pytest.approx(expected, abs=4 * np.std(counts) / math.sqrt(30))
    assert math.fsum(row.expected for row in expected_arrivals(plan_of())) < 0.85 * expected


def test_everybody_back_within_the_day_leaves_half_a_day_of_losses() -> None:
    """A casualty of a random hour who is away for half a day misses one morning, or none, half the time each."""
    strength = expected_strength(plan_of(back(1.0, 0.5)))[:, 0]
    assert strength[0] == PEOPLE
    rate = BATTLE / 1000
    assert strength[1] == pytest.approx(PEOPLE * (1 - rate + rate / 2))
    assert strength[-1] == pytest.approx(PEOPLE / (1 + rate / 2), rel=1e-3)
    assert expected_strength(plan_of(back(1.0, 0.0)))[:, 0] == pytest.approx(PEOPLE)


def test_the_shares_back_follow_the_distribution_of_days() -> None:
    for days, mean in (
        (5.25, 5.25),
        ({"distribution": "triangular", "low": 1.0, "mode": 2.0, "high": 6.0}, 3.0),
        ({"distribution": "gamma", "mean": 3.0, "sd": 1.0}, 3.0),
        ({"distribution": "erlang", "mean": 2.0, "k": 3}, 2.0),
    ):
        returning = plan_of({"battle": {"share": 0.6, "days": days}}, days=60).returning
        assert returning[0].sum() == pytest.approx(0.6, abs=1e-6) and not returning[1:].any()
        missed = (np.arange(1, returning.shape[1] + 1) * returning[0]).sum() / 0.6
        assert missed == pytest.approx(
            mean + 1.0, abs=0.01
        )  # mornings at which they are missing, and half a day twice


def test_a_share_is_that_of_its_stream_alone() -> None:
    rates = {"nbi": 10.0, "disease": 30.0}
    expected = [
        expected_strength(plan_of(returns, rates=rates))[-1, 0]
        for returns in (None, {"nbi": {"share": 1.0, "days": 1}}, {"disease": {"share": 1.0, "days": 1}})
    ]
    assert expected[0] < expected[1] - 100 < expected[2] - 300


def test_enough_replacements_keep_the_strength_as_it_was() -> None:
    full = hurt(plan_of(rates={"depletion": False}))
    replaced = hurt(plan_of(front={"replacements_per_day": 10_000.0}))
    north = full["front"] == 0
    assert (replaced["id_lo"][replaced["front"] == 0] == full["id_lo"][north]).all()
    assert by_day(replaced, 1).sum() < 0.8 * by_day(full, 1).sum()
    few = expected_strength(plan_of(front={"replacements_per_day": 20.0}))
    assert few[1] == pytest.approx([PEOPLE * 0.95 + 20.0, PEOPLE / 2 * 0.95])
    assert expected_strength(plan_of(front={"replacements_per_day": 10_000.0}))[:, 0] == pytest.approx(PEOPLE)


def test_listed_casualties_return_as_well() -> None:
    row = {"at": "day 1 12:00", "front": "North", "number": 1000}
    plans = [plan_of(returns, incidents=[row]) for returns in (None, back(1.0, 0.0))]
    lost, restored = (expected_strength(plan)[1, 0] for plan in plans)
    assert lost == pytest.approx(PEOPLE * 0.95 - 1000) and restored == pytest.approx(PEOPLE)
    drawn = [rows[rows["incident_size"] < 1000] for rows in map(hurt, plans)]
    assert by_day(drawn[0])[1] < 0.8 * by_day(drawn[1])[1]


def test_the_arrivals_do_not_depend_on_how_they_are_divided_into_batches() -> None:
    """More casualties than a batch holds come on each day, and the strength is restored all the same."""
    front = {"population": 400_000, "replacements_per_day": 500.0}
    rows = hurt(plan_of(back(0.5, 1.0), front=front, days=6))
    lost = np.bincount(rows["incident_time"][rows["front"] == 0] // DAY, minlength=6)
    assert lost.min() > 10_000
    strength = [400_000.0]
    for day in range(1, 6):
        strength.append(strength[-1] - lost[day - 1] + 500 + (0.5 * lost[day - 2] if day > 1 else 0.0))
    assert lost / np.array(strength) == pytest.approx(BATTLE / 1000, abs=5 * math.sqrt(0.05 / 400_000))


def test_the_strength_is_about_that_of_the_patients_who_return_in_the_simulation() -> None:
    """Share and days of a run give a strength that differs little from casualties and returns of the patients."""
    rates = {"battle": 10.0, "nbi": 5.0, "disease": 20.0}
    first = goldenhour.simulate(scenario_of(rates=rates, days=40))
    returns = first.return_to_duty()
    for number, stream in enumerate(("battle", "nbi", "disease")):
        of_stream = first.patients["stream"] == number
        assert returns[stream]["share"] == pytest.approx(x.status(first, "rtd")[of_stream].mean(), abs=1e-4)
    assert returns["disease"]["share"] > returns["battle"]["share"] > 0.1
    second = goldenhour.simulate(scenario_of(returns, rates=rates, days=40))
    north = second.patients["front"] == 0
    end = 39 * DAY
    lost = (second.patients["incident_time"][north] < end).sum()
    back_ = (x.status(second, "rtd") & (second.patients["closed"] < end))[north].sum()
    assert back_ > 0.25 * PEOPLE
    strength = expected_strength(plan_arrivals(second.scenario))[-1, 0]
    assert strength == pytest.approx(PEOPLE - lost + back_, rel=0.05)
    assert strength > 1.3 * expected_strength(plan_arrivals(first.scenario))[-1, 0]


def test_written_and_read_again_it_gives_the_same_patients() -> None:
    scenario = scenario_of(back(0.4, 2.0), front={"replacements_per_day": 3.0, "population": 300}, days=4)
    for commented in (False, True):
        assert parse(to_toml(scenario, commented).encode(), "toml") == scenario
    shown = parse(to_toml(resolve(scenario)).encode(), "toml")
    assert scenario_hash(shown) == scenario_hash(scenario)
    hashes = {
        scenario_hash(scenario),
        scenario_hash(scenario_of(back(0.4, 2.0))),
        scenario_hash(scenario_of()),
    }
    assert len(hashes) == 3 and scenario_hash(scenario_of({})) == scenario_hash(scenario_of())
    a, b = goldenhour.simulate(scenario), goldenhour.simulate(shown)
    assert (a.patients == b.patients).all() and (a.events == b.events).all()


def test_a_total_in_place_of_the_rates_leaves_no_strength_to_restore() -> None:
    scenario = scenario_of(back(0.4, 2.0), front={"replacements_per_day": 3.0})
    prepared = prepare(scenario, ScenarioOverrides(patients=50))
    assert prepared.resolved.casualties.total == 50
    assert prepared.resolved.fronts[0].replacements_per_day is None
    row = {"at": "day 1 12:00", "front": "North", "number": 5}
    rates = {"rates": {"battle": 5.0, "depletion": True}, "only_listed": True}
    listed = resolve(scenario_of(front={"replacements_per_day": 3.0}, casualties=rates, incidents=[row]))
    check(listed)


def test_settings_that_make_no_sense_are_refused() -> None:
    returns = "casualties.rates.return_to_duty"
    for arguments, place in (
        ({"returns": back(0.5, 3.0), "rates": {"depletion": False}}, returns),
        (
            {"front": {"replacements_per_day": 3.0}, "rates": {"depletion": False}},
            "fronts[0].replacements_per_day",
        ),
        ({"returns": back(1.5, 3.0)}, f'{returns}["battle"].share'),
        ({"returns": back(0.5, 4000.0)}, f'{returns}["battle"].days'),
        ({"returns": back(0.5, -1.0)}, f'{returns}["battle"].days'),
        ({"returns": {"battle": {"share": 0.5}}}, f'{returns}["battle"].days'),
        ({"returns": {"wounded": {"share": 0.5, "days": 1}}}, f'{returns}["wounded"]'),
        ({"front": {"replacements_per_day": -1.0}}, "fronts[0].replacements_per_day"),
        (
            {"front": {"replacements_per_day": 1.0}, "casualties": {"total": 9}},
            "fronts[0].replacements_per_day",
        ),
    ):
        with pytest.raises(ScenarioError) as error:
            check(scenario_of(**arguments))  # type: ignore[arg-type]
        assert error.value.place == place


def test_what_restores_nothing_is_noted() -> None:
    for arguments, note in (
        ({"returns": back(0.0, 3.0)}, "share of 0"),
        ({"returns": back(0.5, 19.0)}, "before the last of the 20 days"),
        ({"returns": {"nbi": {"share": 0.5, "days": 1}}}, "no nbi casualties"),
        ({"front": {"replacements_per_day": 0.0}}, "because there are 0"),
        ({"front": {"replacements_per_day": 2.0}, "days": 1}, "single day"),
    ):
        assert any(note in found for found in check(scenario_of(**arguments))), note  # type: ignore[arg-type]
    quiet = check(scenario_of(back(0.5, 18.0), front={"replacements_per_day": 1.0}))
    assert not any("return_to_duty" in found or "replacements" in found for found in quiet)


def test_check_shows_the_strength_by_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shown(scenario: Scenario, *options: str) -> str:
        path = tmp_path / "s.toml"
        path.write_text(to_toml(scenario))
        assert run(["scenarios", "check", str(path), *options]) == 0
        return capsys.readouterr().out

    scenario = scenario_of(back(0.5, 1.0), front={"replacements_per_day": 20.0})
    assert "Expected strength" in shown(scenario)
    document = json.loads(shown(scenario, "--json"))
    found = [row["expected"] for row in document["strength"] if row["front"] == "North"]
    assert found[0] == PEOPLE and found[1] == pytest.approx(PEOPLE * 0.95 + 20)
    assert len(found) == DAYS
    full = scenario_of(rates={"depletion": False})
    assert "Expected strength" not in shown(full) and "strength" not in json.loads(shown(full, "--json"))
