"""Lethality apart from severity: shares of triage, of those who die untreated, and their time, each met or refused."""

import io
import json
import math
from functools import cache
from typing import Any

import effects as x
import numpy as np
import pytest
from rich.console import Console

from engine.codes import NONE, CasualtyKind, DeathCause, TriageCategory
from engine.compile import battle_triage_report, tilts_of
from engine.errors import ScenarioError
from engine.scenario import Scenario, agent_share, parse, resolve
from goldenhour import views
from goldenhour.views.summary import casualties_table

INSTANT = {"instant_death": 0.05}
MASS = {
    "warfare": [{"type": "artillery"}],
    "intensity": "extreme",
    "mascal_threshold": 2,
    "expectant": True,
}


def living(result: Any) -> Any:
    """The patients who are not killed at once."""
    return result.patients[result.patients["worst_ais"] < 6]


def of_triage(**shares: float) -> dict[str, Any]:
    return {"triage": {"battle": shares}}


@cache
def scenario_of(text: str) -> Scenario:
    return resolve(parse(text.encode(), "toml"))


def report(text: str, name: str = "standard") -> Any:
    return battle_triage_report(scenario_of(f'name = "t"\n{text}'))[name]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15, 0.24])
def test_the_share_that_dies_untreated_is_the_one_asked_for(share: float) -> None:
    plain, tilted = x.run(survival=INSTANT), x.run(survival={**INSTANT, "lethality": share})
    assert x.same_people(plain, tilted)
    found = living(tilted)
    assert x.share_is((found["lethal"] != NONE).sum(), len(found), share, lines=4)
    for column in ("niss", "iss", "worst_ais"):
        assert (plain.patients[column] == tilted.patients[column]).all()


def test_more_lethality_means_more_deaths_and_the_same_wounds() -> None:
    rates = [x.cfr(x.run(survival={**INSTANT, "lethality": share})) for share in (0.05, 0.14, 0.24)]
    assert rates[0] + 0.02 < rates[1] < rates[2] - 0.02


@pytest.mark.parametrize("minutes", [15.0, 60.0, 240.0])
def test_the_median_time_to_death_is_the_one_asked_for(minutes: float) -> None:
    plain = x.run(survival=INSTANT)
    tilted = x.run(survival={**INSTANT, "untreated_minutes": minutes})
    lethal = (plain.patients["lethal"] != NONE) & (plain.patients["worst_ais"] < 6)
    assert ((tilted.patients["lethal"] != NONE) & (tilted.patients["worst_ais"] < 6) == lethal).all()
    times = (tilted.patients["untreated_death"] - tilted.patients["onset"])[lethal] / x.MINUTE
    assert x.share_is((times < minutes).sum(), len(times), 0.5, lines=3)


def test_a_longer_time_to_death_saves_lives() -> None:
    rates = [x.cfr(x.run(survival={**INSTANT, "untreated_minutes": minutes})) for minutes in (15, 60, 240)]
    assert rates[0] - 0.005 > rates[1] > rates[2] + 0.005


def test_deaths_and_triage_are_set_apart() -> None:
    """The shares of triage hold whatever dies, and the share that dies holds whatever the triage."""
    found = []
    for lethality in (0.06, 0.12):
        shares = "triage.battle = { T1 = 0.3, T2 = 0.4, T3 = 0.3 }\n[survival]\n"
        of_type = report(f"{shares}lethality = {lethality}\nuntreated_minutes = 90.0")
        assert of_type.shares.triage == pytest.approx([0.3, 0.4, 0.3, 0.0], abs=0.005)
        assert of_type.shares.lethality == pytest.approx(lethality, abs=0.005)
        assert of_type.shares.untreated_minutes == pytest.approx(90.0, rel=0.01)
        found.append(of_type.tilts["severity"])
    assert found[0] > found[1]  # fewer die of the same wounds, so worse wounds are needed for as many T1


@pytest.mark.parametrize("shares", [(0.5, 0.35, 0.15), (0.21, 0.27, 0.52), (0.3, 0.2, 0.5), (0.9, 0.1, 0.0)])
def test_all_shares_of_triage_are_met(shares: tuple[float, float, float]) -> None:
    result = x.run(4000, **of_triage(T1=shares[0], T2=shares[1], T3=shares[2]))
    found = living(result)
    stayed = found[
        found["rtd72"] == 0
    ]  # some who would have returned to duty die late, so a little is left over
    counts = [(stayed["triage"] == category).sum() for category in (1, 2, 3)]
    for count, share in zip(counts, shares, strict=True):
        assert count / len(stayed) == pytest.approx(share, abs=0.03)


def test_the_share_of_t2_is_met_exactly_and_is_that_of_runs() -> None:
    """The sampling error of the uniforms that decide between T2 and T3 neither enters the tilts nor the report."""
    shares = (0.2, 0.3, 0.5)
    of_type = report("triage.battle = { T1 = 0.2, T2 = 0.3, T3 = 0.5 }")
    assert of_type.shares.triage[1] == pytest.approx(0.3, abs=1e-9)
    assert of_type.shares.triage[:3] == pytest.approx(shares, abs=5e-4)
    found = living(x.run(20_000, survival={"clock": False}, **of_triage(T1=0.2, T2=0.3, T3=0.5)))
    stayed = found[found["rtd72"] == 0]
    for category, share in zip((1, 2, 3), shares, strict=True):
        assert (stayed["triage"] == category).mean() == pytest.approx(share, abs=0.015)


def test_a_lethality_out_of_reach_says_what_raises_it() -> None:
    with pytest.raises(ScenarioError, match=r"at most 0.025.* more of T1 in triage.battle raises it"):
        report("triage.battle = { T1 = 0.05, T2 = 0.35, T3 = 0.6 }\n[survival]\nlethality = 0.15")
    with pytest.raises(ScenarioError, match=r"more survival.severity raises it"):
        report("[survival]\nlethality = 0.9")


def test_shares_of_the_wounded_say_whom_they_leave_out() -> None:
    gas = {
        "warfare": [{"type": "cbrn"}],
        **of_triage(T1=0.1, T2=0.2, T3=0.7),
        "survival": {"lethality": 0.02},
    }
    found = x.notes(**gas)
    share = agent_share("cbrn")
    for setting in ("triage.battle", "survival.lethality"):
        (note,) = [note for note in found if note.startswith(setting) and "agent casualties" in note]
        assert f"{100 * share:.0f} % of the battle casualties of type cbrn" in note
    kinds = x.run(3000, **gas).patients["kind"]
    assert x.share_is((kinds == CasualtyKind.AGENT).sum(), len(kinds), share)
    drones = {**gas, "warfare": [{"type": "drone"}]}
    assert not any("agent" in note for note in x.notes(**drones))
    resolved = resolve(parse(json.dumps(x.settings_of(**gas)).encode(), "json"))
    table, _ = views.battle_report_tables(resolved, battle_triage_report(resolved))
    shown = io.StringIO()
    Console(file=shown, width=100).print(table)
    assert f"reached: cbrn, wounded ({100 * (1 - share):.0f} %)" in shown.getvalue()


def test_severity_is_searched_beyond_the_narrow_bounds() -> None:
    of_type = report("triage.battle = { T1 = 0.9, T2 = 0.1, T3 = 0.0 }")
    assert 1.0 < of_type.tilts["severity"] < 3.0
    assert of_type.shares.triage[0] == pytest.approx(0.9, abs=0.006)


def test_severity_may_be_three() -> None:
    mild, severe = (living(x.run(survival={"severity": severity})) for severity in (-3, 3))
    assert (mild["niss"] < 9).mean() > 0.98 and (severe["niss"] >= 50).mean() > 0.5


@pytest.mark.parametrize(
    ("settings", "place", "words"),
    [
        (of_triage(T1=0.99, T2=0.005, T3=0.005), 'triage["battle"]', "T1 from 0.001 to 0.910"),
        (of_triage(T1=0.2, T2=0.8, T3=0.0), 'triage["battle"]', "with this share of T1 a T2 from 0."),
        ({"survival": {"lethality": 0.9}}, "survival.lethality", "at most 0.2"),
    ],
)
def test_what_cannot_be_reached_is_refused_with_what_can(
    settings: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        x.run(10, **settings)
    assert caught.value.place == place
    assert words in str(caught.value)


def test_the_expectant_are_t4_in_the_record() -> None:
    result, without = (x.run(**{**MASS, "expectant": able}) for able in (True, False))
    p = result.patients
    worst = (p["mascal"] == 1) & (p["niss"] >= 50) & (p["worst_ais"] < 6)
    assert worst.sum() > 20
    assert ((p["triage"] == TriageCategory.T4) == worst).all()
    assert (without.patients["triage"][worst] == TriageCategory.T1).all()
    assert (without.patients["triage"] == p["triage"])[~worst].all()
    assert result.measures["triage"]["T4"] == worst.sum()
    assert "T4" not in without.measures["triage"]
    assert result.measures["time_to_surgery"]["by_triage"]["T4"]["patients"] > 0
    assert "T4" not in without.measures["time_to_surgery"]["by_triage"]
    shown = io.StringIO()
    Console(file=shown, width=120).print(casualties_table(result.measures))
    for text in (shown.getvalue(), result._repr_html_()):
        assert all(f"{result.measures['triage'][category]:,}" in text for category in ("T3", "T4"))
        assert "T4" in text and "T4" not in without._repr_html_()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_the_share_of_t4_is_the_one_asked_for(share: float) -> None:
    result = x.run(4000, **MASS, **of_triage(T1=0.25 - share, T2=0.35, T3=0.4, T4=share))
    found = living(result)
    mass = found[(found["mascal"] == 1) & (found["rtd72"] == 0)]
    assert len(mass) > 500
    assert (mass["triage"] == TriageCategory.T4).mean() == pytest.approx(share, abs=0.02)
    assert (mass["triage"] <= TriageCategory.T1).mean() == pytest.approx(0.25 - share, abs=0.03)
    least = mass["niss"][mass["triage"] == TriageCategory.T4].min()
    assert (mass["niss"][mass["triage"] == TriageCategory.T1] <= least).all()
    single = found[found["mascal"] == 0]
    assert not (single["triage"] == TriageCategory.T4).any()


@pytest.mark.parametrize(
    "settings",
    [
        of_triage(T1=0.2, T2=0.3, T3=0.4, T4=0.1),
        {"expectant": True, "routing": "transition-matrix", **of_triage(T1=0.2, T2=0.3, T3=0.4, T4=0.1)},
        {"expectant": True, "triage": {"nbi": {"T1": 0.2, "T2": 0.3, "T3": 0.4, "T4": 0.1}}},
    ],
)
def test_a_share_of_t4_needs_the_policy(settings: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match="a share of T4 for battle only, with expectant = true"):
        x.notes(**settings)


def test_without_shares_nothing_is_tilted() -> None:
    tilts = tilts_of(scenario_of('name = "t"'))
    assert (tilts["lethality"] == 0).all() and (tilts["life"] == 1).all()
    assert np.isposinf(tilts["expectant_niss"]).all() and math.isclose(tilts["surgical_ais2"][0], 0.25)


def test_each_warfare_type_meets_the_shares() -> None:
    text = "triage.battle = { T1 = 0.3, T2 = 0.3, T3 = 0.4 }\n"
    text += 'warfare = [{ type = "drone" }, { type = "peacekeeping" }]'
    found = battle_triage_report(scenario_of(f'name = "t"\n{text}'))
    assert set(found) == {"drone", "peacekeeping"}
    for of_type in found.values():
        assert of_type.shares.triage == pytest.approx([0.3, 0.3, 0.4, 0.0], abs=0.005)
    assert found["drone"].tilts["severity"] < found["peacekeeping"].tilts["severity"]


def test_settings_without_effect_are_noted() -> None:
    notes = x.notes(survival={"severity": 0.3}, **of_triage(T1=0.3, T2=0.3, T3=0.4))
    assert any("survival.severity: no effect" in note for note in notes)
    notes = x.notes(survival={"lethality": 0.1, "clock": False})
    assert any("survival.lethality: no effect" in note for note in notes)
    notes = x.notes(survival={"lethality": 0, "untreated_minutes": 30})
    assert any("survival.untreated_minutes: no effect" in note for note in notes)


def test_without_the_clock_the_shares_of_triage_still_hold() -> None:
    result = x.run(4000, survival={"clock": False}, **of_triage(T1=0.4, T2=0.3, T3=0.3))
    found = living(result)
    stayed = found[found["rtd72"] == 0]
    assert (stayed["triage"] == TriageCategory.T1).mean() == pytest.approx(0.4, abs=0.03)
    assert not np.isin(result.patients["death_cause"], [DeathCause.TBI, DeathCause.TORSO_HAEMORRHAGE]).any()


def test_a_lethality_out_of_reach_of_mild_wounds_is_met_where_triage_asks_for_worse_ones() -> None:
    of_type = report("triage.battle = { T1 = 0.8, T2 = 0.15, T3 = 0.05 }\n[survival]\nlethality = 0.6")
    assert of_type.shares.lethality == pytest.approx(0.6, abs=0.005)
    assert of_type.shares.triage == pytest.approx([0.8, 0.15, 0.05, 0.0], abs=0.005)
