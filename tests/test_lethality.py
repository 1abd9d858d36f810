"""Lethality apart from severity: shares of triage, of those who die untreated, and their time, each met or refused."""

import math
from functools import cache
from typing import Any

import effects as x
import numpy as np
import pytest

from engine.codes import NONE, DeathCause, TriageCategory
from engine.compile import TILTS, battle_triage_report, tilts_of
from engine.errors import ScenarioError
from engine.scenario import Scenario, parse, resolve

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


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.3])
def test_the_share_that_dies_untreated_is_the_one_asked_for(share: float) -> None:
    plain, tilted = x.run(survival=INSTANT), x.run(survival={**INSTANT, "lethality": share})
    assert x.same_people(plain, tilted)
    found = living(tilted)
    assert x.share_is((found["lethal"] != NONE).sum(), len(found), share, lines=4)
    for column in ("niss", "iss", "worst_ais"):
        assert (plain.patients[column] == tilted.patients[column]).all()


def test_more_lethality_means_more_deaths_and_the_same_wounds() -> None:
    rates = [x.cfr(x.run(survival={**INSTANT, "lethality": share})) for share in (0.05, 0.15, 0.3)]
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
        assert of_type.shares.triage == pytest.approx([0.3, 0.4, 0.3, 0.0], abs=0.012)
        assert of_type.shares.lethality == pytest.approx(lethality, abs=0.008)
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
        (of_triage(T1=0.99, T2=0.005, T3=0.005), 'triage["battle"]', "T1 from 0.001 to 0.9"),
        (of_triage(T1=0.2, T2=0.8, T3=0.0), 'triage["battle"]', "with this share of T1 a T2 from 0."),
        ({"survival": {"lethality": 0.9}}, "survival.lethality", "at most 0.3"),
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
    rows = dict(zip(TILTS, tilts, strict=True))
    assert (rows["lethality"] == 0).all() and (rows["life"] == 1).all()
    assert np.isposinf(rows["expectant_niss"]).all() and math.isclose(rows["surgical_ais2"][0], 0.25)


def test_each_warfare_type_meets_the_shares() -> None:
    text = "triage.battle = { T1 = 0.3, T2 = 0.3, T3 = 0.4 }\n"
    text += 'warfare = [{ type = "drone" }, { type = "peacekeeping" }]'
    found = battle_triage_report(scenario_of(f'name = "t"\n{text}'))
    assert set(found) == {"drone", "peacekeeping"}
    for of_type in found.values():
        assert of_type.shares.triage == pytest.approx([0.3, 0.3, 0.4, 0.0], abs=0.012)
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
    assert of_type.shares.lethality == pytest.approx(0.6, abs=0.008)
    assert of_type.shares.triage == pytest.approx([0.8, 0.15, 0.05, 0.0], abs=0.012)
