"""Every setting of facilities, links and vehicles has an effect, in the direction its name promises."""

import math
from typing import Any, get_args

import effects as x
import numpy as np
import pytest
from scipy import stats

from engine.scenario import DistributionKind, Terrain, TransportKind
from scenarios import catalogue, tables

LAWS: dict[str, tuple[dict[str, float], Any]] = {
    "constant 20": ({"mean": 20.0}, None),
    "constant 50": ({"mean": 50.0}, None),
    "exponential 30": ({"mean": 30.0}, stats.expon(scale=30.0)),
    "lognormal 30 10": (
        {"mean": 30.0, "sd": 10.0},
        stats.lognorm(math.sqrt(math.log(10 / 9)), scale=30 / math.sqrt(10 / 9)),
    ),
    "lognormal 30 30": (
        {"mean": 30.0, "sd": 30.0},
        stats.lognorm(math.sqrt(math.log(2)), scale=30 / math.sqrt(2)),
    ),
    "lognormal 52 .85": ({"median": 52.0, "sigma": 0.85}, stats.lognorm(0.85, scale=52.0)),
    "lognormal 52 .2": ({"median": 52.0, "sigma": 0.2}, stats.lognorm(0.2, scale=52.0)),
    "lognormal 20 .85": ({"median": 20.0, "sigma": 0.85}, stats.lognorm(0.85, scale=20.0)),
    "gamma 30 15": ({"mean": 30.0, "sd": 15.0}, stats.gamma(4.0, scale=7.5)),
    "erlang 30 3": ({"mean": 30.0, "k": 3}, stats.gamma(3, scale=10.0)),
    "erlang 30 12": ({"mean": 30.0, "k": 12}, stats.gamma(12, scale=2.5)),
    "triangular 10 20 60": ({"low": 10.0, "mode": 20.0, "high": 60.0}, stats.triang(0.2, 10, 50)),
    "triangular 20 30 40": ({"low": 20.0, "mode": 30.0, "high": 40.0}, stats.triang(0.5, 20, 20)),
}
"""By law: its parameters and the SciPy distribution. Each parameter of a Distribution takes two values."""

TERRAIN: dict[str, float] = tables.transport_logistics()["transport_time_calculation"]["modifiers"]["terrain"]


def test_every_distribution_is_tried() -> None:
    assert {law.split()[0] for law in LAWS} == set(get_args(DistributionKind))


@pytest.mark.parametrize("law", LAWS)
def test_the_time_of_a_link_follows_its_distribution(law: str) -> None:
    parameters, wanted = LAWS[law]
    minutes = {"distribution": law.split()[0], **parameters}
    seen = x.first_leg(x.run(survival=x.NOBODY_DIES, **x.one_place(minutes=minutes)))
    assert not np.isnan(seen).any()
    if wanted is None:
        assert seen == pytest.approx(np.full(len(seen), parameters["mean"]), abs=1e-3)
    else:
        assert stats.kstest(seen, wanted.cdf).pvalue > 0.001 / len(LAWS)


# --- links


def leg_of(pools: Any = (), **link: Any) -> Any:
    """Return the minutes of the first leg of 1,000 casualties with these settings of the only link."""
    settings: dict[str, Any] = {"survival": x.NOBODY_DIES, "vehicles": list(pools), **x.one_place(**link)}
    return x.first_leg(x.run(1000, **settings))


def test_twice_the_distance_is_twice_the_time() -> None:
    near, far = leg_of(distance_km=30.0), leg_of(distance_km=60.0)
    assert far == pytest.approx(2 * near, rel=1e-4)
    speed = tables.transports()["ambulance_standard"]["speed_kmh"]
    assert near.mean() == pytest.approx(30.0 / speed * 60, rel=0.04)


@pytest.mark.parametrize("terrain", get_args(Terrain))
def test_terrain_slows_by_its_factor(terrain: str) -> None:
    road = leg_of(distance_km=40.0)
    there = leg_of(distance_km=40.0, terrain=terrain)
    kinds = tables.transports()
    faster = 1.0
    if terrain == "air":
        faster = kinds["ambulance_standard"]["speed_kmh"] / kinds["medevac_helicopter"]["speed_kmh"]
    assert there == pytest.approx(road * TERRAIN[terrain] / TERRAIN["road"] * faster, rel=1e-3)


@pytest.mark.parametrize("kind", get_args(TransportKind))
def test_each_kind_of_transport_has_its_speed(kind: str) -> None:
    base, there = (
        leg_of(distance_km=40.0, vehicle="ambulance_standard"),
        leg_of(distance_km=40.0, vehicle=kind),
    )
    kinds = tables.transports()
    factor = TERRAIN["air" if kinds[kind]["mode"] == "air" else "road"]
    faster = kinds["ambulance_standard"]["speed_kmh"] / kinds[kind]["speed_kmh"]
    assert there == pytest.approx(base * factor * faster, rel=1e-3)
    pooled = by_pool(kind=kind)[0] / by_pool()[0]
    assert pooled == pytest.approx(np.full(len(pooled), factor * faster), rel=1e-3)


def by_pool(**pool: Any) -> tuple[Any, Any]:
    """Return the minutes of the 40 km from R1 to R2 by a pool, and from the request to the departure."""
    vehicle = {"id": "pool", "kind": "ambulance_standard", "number": 1000, "litters": 1, **pool}
    links = [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
        {"origin": "R1", "destination": "R2", "distance_km": 40.0, "vehicle": "pool"},
    ]
    places = [{"id": "R1", "role": 1, "policy_days": 0.0}, {"id": "R2", "role": 2}]
    result = x.run(
        500, survival=x.NOBODY_DIES, facilities=places, links=links, vehicles=[vehicle], model=x.AT_ONCE
    )
    times = [np.full(len(result), np.nan) for _ in range(2)]
    for column, kind in zip(times, ("evacuation_requested", "departed"), strict=True):
        e = x.rows(result, kind, "R1")
        column[e["patient"]] = e["at"] / x.MINUTE
    order = np.argsort(result.patients["id_lo"])
    travel, wait = x.travel(result, "R1")[order], (times[1] - times[0])[order]
    assert not np.isnan(travel).any()
    return travel, wait


def test_a_pool_lends_its_speed_and_loading_times_to_the_links_that_name_it() -> None:
    travel, wait = by_pool(speed_kmh=40.0)
    assert travel.mean() == pytest.approx(60.0, rel=0.04)
    assert wait.mean() == pytest.approx(0.0, abs=0.01)
    fast = by_pool(speed_kmh=80.0)
    assert fast[0] == pytest.approx(travel / 2, rel=1e-3)
    loading = by_pool(speed_kmh=40.0, load_minutes=5.0)
    assert loading[0] == pytest.approx(travel, rel=1e-4)
    assert loading[1] == pytest.approx(np.full(len(wait), 5.0), abs=0.01)
    unloading = by_pool(speed_kmh=40.0, unload_minutes=7.0)
    assert unloading[0] == pytest.approx(travel + 7.0, rel=1e-4)
    assert unloading[1] == pytest.approx(wait, abs=0.01)


def test_a_kind_of_transport_on_a_link_with_minutes_is_said_to_have_no_effect() -> None:
    fast = x.one_place(minutes=x.constant(30.0), vehicle="ambulance_armored")
    quiet = x.notes(**x.one_place(minutes=x.constant(30.0)))
    assert (leg_of(minutes=x.constant(30.0), vehicle="ambulance_armored") == 30.0).all()
    assert len(x.notes(**fast)) > len(quiet)


def test_minutes_of_a_link_with_a_pool_are_those_of_one_way() -> None:
    pool = {"id": "pool", "kind": "ambulance_standard", "number": 1000, "litters": 1}
    link = x.one_place(minutes=x.constant(30.0), vehicle="pool")
    result = x.run(500, survival=x.NOBODY_DIES, vehicles=[pool], **link)
    times = {
        kind: np.sort(x.rows(result, kind)["at"]) / x.MINUTE
        for kind in ("evacuation_requested", "departed", "arrived")
    }
    assert times["departed"] == pytest.approx(times["evacuation_requested"] + 30.0, abs=0.01)
    assert times["arrived"] == pytest.approx(times["departed"] + 30.0, abs=0.01)


def test_a_direct_link_passes_by_role_1() -> None:
    chain = x.network()
    by_role_1 = x.run(survival=x.NOBODY_DIES, **chain)
    assert (by_role_1.patients["role1"] >= 0).all()
    direct = {"origin": "POI", "destination": "R2", "minutes": x.duration(30.0)}
    links = [direct, *chain["links"][2:]]
    past = x.run(survival=x.NOBODY_DIES, facilities=chain["facilities"], links=links)
    assert (past.patients["role1"] < 0).all()
    assert (past.patients["role2"] >= 0).all()
    leap = [*chain["links"][:2], {"origin": "R2", "destination": "R4", "minutes": x.duration(90.0)}]
    short = x.run(survival=x.NOBODY_DIES, facilities=chain["facilities"], links=leap)
    assert (short.patients["role3"] < 0).all()
    assert (short.patients["role4"] >= 0).any()


def test_the_closest_of_two_places_is_gone_to() -> None:
    places = [{"id": "near", "role": 2}, {"id": "far", "role": 2}]
    for minutes in ((20.0, 40.0), (40.0, 20.0)):
        links = [
            {"origin": "POI", "destination": place["id"], "minutes": x.constant(m)}
            for place, m in zip(places, minutes, strict=True)
        ]
        result = x.run(500, survival=x.NOBODY_DIES, facilities=places, links=links)
        at = {result.scenario.facilities[k].id for k in np.unique(x.rows(result, "arrived")["facility"])}
        assert at == {"near" if minutes[0] < minutes[1] else "far"}


def arrivals_by_front(facilities: Any, links: Any) -> dict[tuple[str, str], int]:
    """Return the arrivals of two fronts by (front, facility)."""
    fronts = [{**x.FRONT, "share": 0.5}, {**x.SOUTH, "share": 0.5}]
    result = x.run(1000, fronts=fronts, facilities=facilities, links=links, survival=x.NOBODY_DIES)
    came = x.rows(result, "arrived")
    pairs = zip(result.patients["front"][came["patient"]], came["facility"], strict=True)
    found: dict[tuple[str, str], int] = {}
    for front, facility in pairs:
        key = (result.scenario.fronts[front].name, result.scenario.facilities[facility].id)
        found[key] = found.get(key, 0) + 1
    return found


def two_links(**of_first: Any) -> list[dict[str, Any]]:
    first = {"origin": "POI", "destination": "A", "minutes": x.constant(20.0), **of_first}
    return [first, {"origin": "POI", "destination": "B", "minutes": x.constant(40.0)}]


def test_a_link_carries_the_fronts_it_names() -> None:
    places = [{"id": "A", "role": 2}, {"id": "B", "role": 2}]
    assert set(arrivals_by_front(places, two_links())) == {("North", "A"), ("South", "A")}
    assert set(arrivals_by_front(places, two_links(fronts=["South"]))) == {("North", "B"), ("South", "A")}


def test_a_facility_takes_the_fronts_it_serves() -> None:
    places = [{"id": "A", "role": 2, "fronts": ["North"]}, {"id": "B", "role": 2}]
    assert set(arrivals_by_front(places, two_links())) == {("North", "A"), ("South", "B")}


# --- facilities


def test_facilities_are_called_by_id_and_name() -> None:
    named = x.run(100, mix=x.MIXED, **x.network(R1={"name": "Aid post 7"}))
    events = [e for record in named.records() for e in record.timeline]
    assert {e.facility for e in events} >= {"R1", "R2", "POI"}
    assert {e.name for e in events if e.facility == "R1"} == {"Aid post 7"}
    assert {e.name for e in events if e.facility == "R2"} == {None}
    other = x.one_place(minutes=x.constant(30.0))
    other["facilities"][0]["id"] = other["links"][0]["destination"] = "Hospital"
    where = {e.facility for r in x.run(100, **other).records() for e in r.timeline}
    assert where <= {"Hospital", "POI", "en route"}
    assert "Hospital" in where


@pytest.mark.parametrize("role", [1, 2, 3, 4])
def test_the_role_of_a_facility_is_the_door_that_is_recorded(role: int) -> None:
    places = [{"id": "F", "role": role}]
    links = [{"origin": "POI", "destination": "F", "minutes": x.constant(30.0)}]
    result = x.run(1000, facilities=places, links=links)
    for k in (1, 2, 3, 4):
        assert (result.patients[f"role{k}"] >= 0).any() == (k == role)
    assert (len(x.rows(result, "resuscitation_started")) > 0) == (role in (2, 3))
    assert x.status(result, "evacuated").any() == (role == 4)


def test_a_basic_role_2_has_no_intensive_care() -> None:
    basic, enhanced = (x.run(**x.network(R2={"kind": f"role2_{k}"})) for k in ("basic", "enhanced"))
    assert len(x.rows(basic, "icu_admitted", "R2")) == 0
    assert len(x.rows(enhanced, "icu_admitted", "R2")) > 300
    assert len(x.rows(basic, "surgery_started", "R2")) > 300


def test_resuscitation_at_role_1_saves_lives() -> None:
    slow = (30.0, 180.0, 90.0, 360.0)
    without, with_it = (x.run(4000, **x.network(slow, R1={"dcr": able})) for able in (False, True))
    assert x.same_people(without, with_it)
    assert len(x.rows(without, "resuscitation_started", "R1")) == 0
    assert len(x.rows(with_it, "resuscitation_started", "R1")) > 500
    assert x.cfr(with_it) < x.cfr(without) - 0.004
    assert len(x.treatments(with_it, "blood_transfusion")) > len(x.treatments(without, "blood_transfusion"))


def test_resuscitation_is_left_out_where_it_cannot_be_done() -> None:
    without = x.run(4000, **x.network(R2={"dcr": False}))
    assert len(x.rows(without, "resuscitation_started", "R2")) == 0
    assert x.cfr(without) > x.cfr(x.run(4000, **x.network()))


def test_without_surgery_more_die() -> None:
    able = x.run(4000, **x.network())
    later = x.run(4000, **x.network(R2={"dcs": False}))
    never = x.run(4000, **x.network(R2={"dcs": False}, R3={"dcs": False}))
    assert len(x.rows(able, "surgery_started", "R2")) > 500
    assert len(x.rows(later, "surgery_started", "R2")) == 0 < len(x.rows(later, "surgery_started", "R3"))
    assert len(x.rows(never, "surgery_started")) == 0
    assert x.cfr(able) + 0.003 < x.cfr(later)
    assert x.cfr(later) + 0.006 < x.cfr(never)


def test_without_intensive_care_nobody_is_admitted_to_it() -> None:
    with_it, without = x.run(**x.network()), x.run(**x.network(R2={"icu": False}, R3={"icu": False}))
    assert len(x.rows(with_it, "icu_admitted")) > 300
    assert len(x.rows(without, "icu_admitted")) == 0
    assert len(x.treatments(without, "critical_care")) == 0
    stay = [r.patients["role3"] - r.patients["role2"] for r in (with_it, without)]
    there = (with_it.patients["role3"] >= 0) & (without.patients["role3"] >= 0)
    assert stay[1][there].mean() < stay[0][there].mean()


def test_definitive_surgery_is_done_where_it_can_be() -> None:
    usual, never, early = (
        x.run(**x.network(R2={"definitive": at2}, R3={"definitive": at3}))
        for at2, at3 in ((False, True), (False, False), (True, True))
    )
    assert len(x.rows(usual, "definitive_surgery_started", "R3")) > 200
    assert len(x.rows(never, "definitive_surgery_started")) == 0
    later = x.rows(early, "definitive_surgery_started", "R3")["patient"]
    only_there = np.zeros(len(early), bool)  # who calls for an operation that only Role 3 can do
    kinds = catalogue.treatment_kinds()
    high = [
        any("role2" not in kinds[kind].places for kind in of.operations) for of in catalogue.condition_needs()
    ]
    only_there[early.wounds["patient"][np.array(high)[early.wounds["condition"]]]] = True
    skull = [
        "craniotomy" in of.operations for of in catalogue.condition_needs()
    ]  # at Role 2 only to save life
    only_there[early.wounds["patient"][np.array(skull)[early.wounds["condition"]]]] = True
    assert only_there[later].all()
    assert 0 < len(later) < len(x.rows(usual, "definitive_surgery_started", "R3"))
    assert len(x.rows(early, "surgery_started", "R2")) == len(x.rows(usual, "surgery_started", "R2"))


@pytest.mark.parametrize(("place", "policies"), [("R1", (0, 1, 3)), ("R2", (0, 7, 30)), ("R3", (0, 3, 15))])
def test_a_longer_evacuation_policy_returns_more_to_duty(place: str, policies: tuple[float, ...]) -> None:
    shares, before = [], None
    for days in policies:
        only_here: dict[str, Any] = {name: {"policy_days": 0} for name in ("R1", "R2", "R3")}
        only_here[place] = {"policy_days": days}
        result = x.run(mix=x.MIXED, survival=x.NOBODY_DIES, **x.network(**only_here))
        back = x.status(result, "rtd")
        assert before is None or (back | ~before).all()
        before = back
        shares.append(float(back.mean()))
        assert (result.patients["facility"][back] == x.place(result, place)).all()
        p = result.patients
        first = np.where(p["stream"] == 0, p["time"], p["role1"])  # all come to R1 first
        assert (first[back] >= 0).all()
        stay = (p["closed"] - first)[back]
        assert (stay <= days * x.DAY + 1).all()
    assert shares[0] == 0 < shares[1] < shares[2] - 0.02


ROLE_4: list[dict[str, Any]] = [
    {"dcr": False},
    {"dcs": False},
    {"icu": False},
    {"definitive": False},
    {"policy_days": 5.0},
]


@pytest.mark.parametrize("setting", ROLE_4)
def test_what_a_role_4_can_do_has_an_effect_or_a_note(setting: dict[str, Any]) -> None:
    plain, changed = x.run(1000, **x.network()), x.run(1000, **x.network(R4=setting))
    acts = len(plain.events) != len(changed.events) or not (plain.events == changed.events).all()
    assert acts or len(x.notes(**x.network(R4=setting))) > len(x.notes(**x.network()))
