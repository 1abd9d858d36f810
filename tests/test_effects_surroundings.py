"""Effects of a scenario's settings: environment, special events, fronts, and common random numbers."""

import itertools
from typing import Any, get_args

import effects as x
import numpy as np
import pytest

from engine import scenario as scenario_api
from engine.codes import NONE
from engine.errors import ScenarioError
from engine.tables import columns as c
from scenarios import catalogue, tables

ENVIRONMENTS: dict[str, dict[str, float]] = tables.warfare_patterns()["environmental_modifiers"]
SPECIAL_INJURIES = {
    "extreme_heat": ("heat", "heat_casualty_probability"),
    "extreme_cold": ("cold", "cold_injury_probability"),
    "mountainous_terrain": ("fall", "fall_injury_probability"),
    "urban_debris": ("crush", "crush_injury_probability"),
}

# --- environment


def test_every_environment_is_in_the_table() -> None:
    assert set(ENVIRONMENTS) == set(get_args(scenario_api.Environment))


@pytest.mark.parametrize("name", get_args(scenario_api.Environment))
def test_an_environment_delays_slows_and_hides_by_its_table(name: str) -> None:
    plain, rough = (x.run(survival=x.NOBODY_DIES, environment=e, **x.network()) for e in ([], [name]))
    table = ENVIRONMENTS[name]
    slower, delay = 1 / table["mobility"], table["evacuation_delay_minutes"]
    assert x.same_people(plain, rough)
    before, after = x.both(x.first_leg(plain), x.first_leg(rough))
    assert after == pytest.approx(before * slower + delay, abs=1e-3)
    assert np.median(after) > np.median(before) + 0.99 * delay
    for origin, factor in (("R1", slower), ("R2", slower), ("R3", 1.0)):
        before, after = x.both(x.travel(plain, origin), x.travel(rough, origin))
        assert after == pytest.approx(before * factor, abs=1e-3)
    aid = [(r.patients["first_care"] - r.patients["time"]) / x.MINUTE for r in (plain, rough)]
    by_buddy = [a < x.first_leg(r) for a, r in zip(aid, (plain, rough), strict=True)]
    there = by_buddy[0] & by_buddy[1]
    assert there.mean() > 0.8
    assert aid[1][there] == pytest.approx(aid[0][there] / table["visibility"], abs=1e-3)
    assert (aid[1][there] > aid[0][there]).all() or table["visibility"] == 1


@pytest.mark.parametrize("name", get_args(scenario_api.Environment))
def test_no_environment_saves_lives(name: str) -> None:
    plain, rough = (x.run(environment=e) for e in ([], [name]))
    assert x.same_people(plain, rough)
    assert x.cfr(rough) >= x.cfr(plain)


def test_a_storm_kills() -> None:
    plain, rough = (x.run(survival={"severity": 0.5}, environment=e) for e in ([], ["storm"]))
    assert x.cfr(rough) > x.cfr(plain) + 0.01


def test_environments_act_together() -> None:
    plain, rough = (
        x.run(survival=x.NOBODY_DIES, environment=e, **x.network()) for e in ([], ["rain", "fog"])
    )
    before, after = x.both(x.first_leg(plain), x.first_leg(rough))
    assert after == pytest.approx(before / (0.9 * 0.8) + 45, abs=1e-3)


@pytest.mark.parametrize("name", get_args(scenario_api.Environment))
def test_an_environment_multiplies_the_sick_and_the_injured(name: str) -> None:
    def numbers(environment: list[str]) -> Any:
        rate = {"distribution": "constant", "mean": 20.0}
        result = x.run(
            casualties={"rates": dict.fromkeys(scenario_api.STREAMS, rate)},
            fronts=[{**x.FRONT, "population": 20_000}],
            mix=None,
            environment=environment,
        )
        return np.bincount(result.patients["stream"], minlength=3)

    table = ENVIRONMENTS[name]
    factors = [table["casualty_modifier"], table["casualty_modifier"], table["disease_multiplier"]]
    assert numbers([name]) / numbers([]) == pytest.approx(factors, rel=0.08)


@pytest.mark.parametrize("name", SPECIAL_INJURIES)
def test_an_environment_brings_its_own_injuries(name: str) -> None:
    group, key = SPECIAL_INJURIES[name]
    of_group = [k for k, condition in enumerate(catalogue.conditions()) if condition.group == group]
    plain, rough = (
        x.run(mix=x.NBI, environment=e, climate="temperate", season="winter" if group == "heat" else "summer")
        for e in ([], [name])
    )
    share = np.isin(plain.patients["condition"], of_group).mean()
    assert share < 0.01
    assert share == 0 or group == "cold"  # wet feet are of every season
    assert x.share_is(np.isin(rough.patients["condition"], of_group).sum(), 3000, ENVIRONMENTS[name][key], 4)


def test_cold_speeds_up_the_clock() -> None:
    plain, cold = (x.run(environment=e).patients for e in ([], ["extreme_cold"]))
    lethal = (plain["lethal"] != NONE) & (plain["worst_ais"] < 6)
    assert lethal.sum() > 300
    ratio = (plain["untreated_death"] - plain["onset"])[lethal] / (cold["untreated_death"] - cold["onset"])[
        lethal
    ]
    assert ratio == pytest.approx(1.1, rel=1e-3)


# --- special events


def test_an_event_falls_on_its_day_hour_and_front() -> None:
    fronts = [{**x.FRONT, "share": 0.5}, {**x.SOUTH, "share": 0.5}]
    for day, hour, front in ((2, 3.0, "North"), (5, 20.5, "South")):
        event = {"event": "ambush", "day": day, "hour": hour, "front": front, "casualty_multiplier": 40.0}
        p = x.run(fronts=fronts, events=[event]).patients
        special = p[p["special"] == 0]
        assert len(special) > 200
        began = special["incident_time"] / x.DAY - (day - 1)
        assert ((began >= hour / 24) & (began < (hour + 1) / 24)).all()
        assert {("North", "South")[k] for k in np.unique(special["front"])} == {front}
    plain = x.run(fronts=fronts).patients
    assert (plain["special"] == NONE).all()
    again = x.run(fronts=fronts, events=[{"event": "ambush", "casualty_multiplier": 40.0}]).patients
    special = again[again["special"] == 0]
    assert set((special["incident_time"] // x.DAY).tolist()) == {4}
    assert set(np.unique(special["front"])) == {0, 1}


def test_the_hour_of_an_event_is_that_of_the_clock_whatever_the_hour_of_the_start() -> None:
    start = "2030-01-01T06:30:00Z"
    for day, hour, hours in ((2, 3.0, 20.5), (1, 8.0, 1.5)):
        event = {"event": "ambush", "day": day, "hour": hour, "casualty_multiplier": 40.0}
        p = x.run(events=[event], start=start).patients
        began = p[p["special"] == 0]["incident_time"] / x.DAY * 24
        assert len(began) > 100
        assert ((began >= hours) & (began < hours + 1)).all()
    early = {"event": "ambush", "day": 1, "hour": 6.0}
    with pytest.raises(
        ScenarioError, match=r"events\[0\]\.hour: got 6\.0; allowed: a time from the start on"
    ):
        x.run(events=[early], start=start)


def test_a_doubled_multiplier_doubles_the_casualties_of_an_event() -> None:
    rate = {"rates": {"battle": {"distribution": "constant", "mean": 20.0}}}
    fronts = [{**x.FRONT, "population": 20_000}]
    numbers = []
    for factor in (10.0, 20.0):
        event = {"event": "major_offensive", "casualty_multiplier": factor}
        p = x.run(casualties=rate, fronts=fronts, mix=None, events=[event]).patients
        numbers.append(int((p["special"] == 0).sum()))
    assert numbers == pytest.approx([667, 1333], rel=0.12)


def test_special_events_wound_more_severely_by_their_kind() -> None:
    hours = {"ambush": 1.0, "major_offensive": 4.0, "mass_casualty": 0.5}
    assert set(hours) == set(get_args(scenario_api.EventKind))
    events = [
        {"event": kind, "day": 2 * k, "casualty_multiplier": 192.0 / length}
        for k, (kind, length) in enumerate(hours.items(), 1)
    ]
    p = x.run(60_000, warfare=[{"type": "conventional"}], events=events).patients
    alive = p[p["worst_ais"] < 6]
    niss = [float(alive["niss"][alive["special"] == k].mean()) for k in (NONE, 0, 1, 2)]
    assert niss == sorted(niss)
    assert niss[3] > 1.15 * niss[0]
    sizes = [p["incident_size"][p["special"] == k].max() for k in (0, 1, 2)]
    assert sizes[0] <= 30
    assert sizes[1] <= 30
    assert 30 * 384 / 5 <= sizes[2] <= 100 * 384 / 5  # one incident: the multiplier is that of its size range


def test_the_type_of_an_event_is_that_of_its_casualties() -> None:
    types = [{"type": "peacekeeping", "weight": 2.0}, {"type": "artillery", "weight": 1.0}]
    for number, kind in ((0, None), (0, "peacekeeping"), (1, "artillery")):
        event = {"event": "major_offensive", "casualty_multiplier": 20.0} | ({"type": kind} if kind else {})
        p = x.run(warfare=types, events=[event]).patients
        assert set(p["type"][p["special"] == 0].tolist()) == {number}


def test_the_type_of_an_event_is_that_of_its_casualties_without_warfare_types_too() -> None:
    niss, gunshot = [], []
    for kind in ("peacekeeping", "artillery"):
        event = {"event": "major_offensive", "type": kind, "casualty_multiplier": 60.0}
        p = x.run(8000, events=[event]).patients
        special = p[(p["special"] == 0) & (p["worst_ais"] < 6)]
        niss.append(float(special["niss"].mean()))
        gunshot.append(float((special["mechanism"] == 1).mean()))
    assert niss[1] > 1.2 * niss[0]
    assert gunshot[0] > 0.2 > 0.06 > gunshot[1]


# --- fronts


def test_casualties_belong_to_the_fronts_by_share() -> None:
    for shares in ((0.5, 0.5), (0.8, 0.2)):
        fronts = [{**f, "share": s} for f, s in zip((x.FRONT, x.SOUTH), shares, strict=True)]
        result = x.run(mix=x.NBI, fronts=fronts)
        assert list(result.measures["fronts"]) == ["North", "South"]
        counts = [front["patients"] for front in result.measures["fronts"].values()]
        assert x.counts_are(counts, shares, lines=2)
        assert {p.front for p in result.records()} == {"North", "South"}


def test_casualties_follow_the_strength_of_a_front() -> None:
    fronts = [{**x.FRONT, "population": 30_000}, {**x.SOUTH, "population": 10_000}]
    for settings in (
        {"mix": x.NBI},
        {"mix": None, "casualties": {"rates": {"nbi": {"distribution": "constant", "mean": 10.0}}}},
    ):
        counts = np.bincount(x.run(fronts=fronts, **settings).patients["front"])
        assert x.counts_are(counts, (0.75, 0.25), lines=2)


def test_each_front_delivers_its_nations() -> None:
    nations = [{"NOR": 0.5, "GBR": 0.3, "USA": 0.2}, {"ITA": 0.9, "ESP": 0.1}]
    fronts = [{"name": str(k), "nations": n} for k, n in enumerate(nations)]
    p = x.run(4000, fronts=fronts, mix=x.MIXED).patients
    codes = [n.code for n in catalogue.nations()]
    for k, given in enumerate(nations):
        seen = p["nation"][p["front"] == k]
        counts = [(seen == codes.index(code)).sum() for code in given]
        assert sum(counts) == len(seen)
        assert x.counts_are(counts, list(given.values()), lines=2)


# --- common random numbers

OF_THE_INJURY = [
    "id_hi", "id_lo", "incident", "incident_time", "time", "onset", "untreated_death", "service_number",
    "incident_size", "birth", "front", "nation", "given_name", "family_name", "unit", "condition", "cause", "type",
    "special", "stream", "kind", "mechanism", "sex", "age", "rank", "blood_group", "weight", "iss", "niss",
    "worst_ais", "triage", "severity", "lethal", "mascal",
]  # fmt: skip


def test_a_longer_delay_leaves_injuries_and_luck_alone() -> None:
    near, far = (x.run(mix=x.MIXED, **x.network((leg, 45.0, 90.0, 360.0))) for leg in (30.0, 60.0))
    for name in OF_THE_INJURY:
        assert (near.patients[name] == far.patients[name]).all(), name
    assert (near.wounds == far.wounds).all()
    before, after = x.both(x.first_leg(near), x.first_leg(far))
    assert after == pytest.approx(2 * before, rel=1e-3)


def test_a_change_of_one_front_leaves_the_others_alone() -> None:
    fronts = [{**x.FRONT, "share": 0.5}, {**x.SOUTH, "share": 0.5}]

    def with_link(minutes: float) -> Any:
        link = {"origin": "POI", "destination": "R1-North", "minutes": x.duration(minutes)}
        return x.run(mix=x.MIXED, fronts=fronts, links=[link])

    near, far = with_link(30.0), with_link(120.0)
    assert x.same_people(near, far)
    south = near.patients["front"] == 1
    ends = {"event_end", "treatment_end", "wound_end", "vital_end"}
    for name in set(c.PATIENT.names or ()) - ends:
        assert (near.patients[name][south] == far.patients[name][south]).all(), name
    for table in ("events", "treatments", "vitals"):
        a, b = (getattr(r, table)[south[getattr(r, table)["patient"]]] for r in (near, far))
        assert (a == b).all()
    assert (near.patients["closed"][~south] != far.patients["closed"][~south]).mean() > 0.5


def test_case_fatality_rises_with_the_delay_of_evacuation() -> None:
    rates = [x.cfr(x.run(6000, **x.one_place(minutes=x.constant(m)))) for m in (10, 30, 60, 120, 240, 480)]
    assert rates == sorted(set(rates))
    assert all(late > early + 0.003 for early, late in itertools.pairwise(rates))
    assert rates[-1] > 1.25 * rates[0]


def test_case_fatality_rises_with_the_delay_of_each_later_leg_to_surgery() -> None:
    rates = [x.cfr(x.run(6000, **x.network((30.0, leg, 90.0, 360.0)))) for leg in (15.0, 60.0, 240.0)]
    assert rates == sorted(set(rates))
    assert rates[-1] > rates[0] + 0.01
