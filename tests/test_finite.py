"""Finite care keeps its laws in random networks: what the records tell is checked without asking the kernel."""

import copy
import time
from typing import Any

import effects as x
import finite_laws as laws
import finite_networks
import finite_oracle as oracle
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from scipy import stats

from engine.codes import AT_POI, EVENTS, DeathCause, Outcome
from engine.errors import RunError
from engine.tables import columns as c

HOUR = oracle.HOUR
DRAWN = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
SAME = (
    "time",
    "onset",
    "untreated_death",
    "kind",
    "stream",
    "niss",
    "worst_ais",
    "triage",
    "lethal",
    "condition",
)
"""Columns that no vehicle can change."""


@settings(max_examples=300, suppress_health_check=DRAWN)
@given(finite_networks.scenarios(lasting=True))
def test_what_can_be_served_is_served_within_the_laws(scenario: dict[str, Any]) -> None:
    laws.check_whole(oracle.run(scenario))


@settings(max_examples=100, suppress_health_check=DRAWN)
@given(finite_networks.simultaneous_scenarios())
def test_what_happens_at_the_same_instant_keeps_the_laws(scenario: dict[str, Any]) -> None:
    laws.check_whole(oracle.run(scenario))


@settings(max_examples=150, suppress_health_check=DRAWN)
@given(finite_networks.scenarios())
def test_what_is_lost_for_good_ends_within_the_laws_or_is_named(scenario: dict[str, Any]) -> None:
    try:
        r = oracle.run(scenario)
    except RunError as error:
        assert "deadlock" in str(error)
        assert " wait for " in str(error)
        return
    laws.check_whole(r)


@settings(max_examples=40, suppress_health_check=DRAWN)
@given(finite_networks.scenarios(lasting=True, prepares=True))
def test_chunks_do_not_change_the_records(scenario: dict[str, Any]) -> None:
    small, large = oracle.run(scenario, 64), oracle.run(scenario, 2048)
    for name in ("events", "treatments", "wounds", "vitals"):
        assert np.array_equal(getattr(small, name), getattr(large, name))
    for name in c.PATIENT.names or ():
        if not name.endswith("_end"):
            assert np.array_equal(small.patients[name], large.patients[name]), name
    assert small.flow.summary() == large.flow.summary()


@settings(max_examples=40, suppress_health_check=DRAWN)
@given(finite_networks.scenarios(lasting=True, prepares=True))
def test_more_vehicles_leave_every_injury_alone(scenario: dict[str, Any]) -> None:
    more = copy.deepcopy(scenario)
    for pool in more["vehicles"]:
        pool["number"] *= 2
    few, many = oracle.run(scenario).patients, oracle.run(more).patients
    few, many = (p[np.lexsort((p["id_lo"], p["id_hi"]))] for p in (few, many))
    for name in ("id_hi", "id_lo", *SAME):
        assert np.array_equal(few[name], many[name]), name


# --- what can never be served


def line(**settings: Any) -> dict[str, Any]:
    """POI -> Role 2 -> Role 4 for 60 wounded of a day, by ambulances of the pool `cars`."""
    way = {"distribution": "exponential", "mean": 30.0}
    cars = {"id": "cars", "kind": "ambulance_standard", "number": 3, "litters": 2, "seats": 1}
    return {
        "name": "line",
        "days": 1,
        "casualties": {"total": 60},
        "fronts": [{"name": "A", "nations": {"NOR": 1.0}}],
        "facilities": [
            {"id": "R2", "role": 2, **settings.pop("r2", {})},
            {"id": "R4", "role": 4, **settings.pop("r4", {})},
        ],
        "links": [
            {"origin": "POI", "destination": "R2", "minutes": way, "vehicle": "cars"},
            {"origin": "R2", "destination": "R4", "minutes": way, **settings.pop("onward", {})},
        ],
        "vehicles": [{**cars, **settings.pop("cars", {})}],
        **settings,
    }


def for_good(event: str, **fields: Any) -> dict[str, Any]:
    """Something that happens after 6 hours and does not pass."""
    return {"world": [{"event": event, "at_hours": 6.0, **fields}]}


HELPLESS = {
    "interdicted": (line(**for_good("interdiction", vehicle="cars")), "transport from POI to R2"),
    "all lost": (line(cars={"loss": 1.0}), "transport from POI to R2"),
    "never weather to fly": (line(cars={"grounded": 1.0}), "transport from POI to R2"),
    "closed": (line(**for_good("close", facility="R2")), "transport from POI to R2"),
    "closed beyond": (line(**for_good("close", facility="R4")), "transport from R2 to R4"),
    "no tables left": (
        line(r2={"operating_tables": 2}, **for_good("hit", facility="R2")),
        "operating tables at R2",
    ),
    "no bays left": (
        line(r2={"treatment_bays": 2}, **for_good("hit", facility="R2")),
        "treatment bays at R2",
    ),
    "no triage left": (line(r2={"triage_teams": 1}, **for_good("hit", facility="R2")), "triage teams at R2"),
    "full for ever": (line(r2={"places": 5}, **for_good("close", facility="R4")), "transport from POI to R2"),
}


@pytest.mark.parametrize("name", HELPLESS)
def test_what_can_never_be_served_is_named_within_seconds(name: str) -> None:
    scenario, stuck = HELPLESS[name]
    oracle.run(line())
    begin = time.monotonic()
    with pytest.raises(RunError, match="deadlock") as error:
        oracle.run(scenario)
    assert time.monotonic() - begin < 10
    assert f"wait for {stuck}" in str(error.value)


@pytest.mark.parametrize("name", HELPLESS)
def test_with_a_horizon_those_who_are_stuck_are_in_care(name: str) -> None:
    r = oracle.run({**HELPLESS[name][0], "horizon_days": 10.0})
    laws.check_whole(r)
    assert (r.patients["status"] == Outcome.IN_CARE).any()


# --- single laws, where the random networks would seldom meet them


def test_a_hit_kills_the_share_it_says() -> None:
    hit = {"event": "hit", "at_hours": 24.0, "facility": "R2", "killed": 0.3, "capacity_lost": 0.0}
    scenario = line(r2={"policy_days": 30.0}, world=[hit], cars={"number": 50})
    killed = inside = 0
    for seed in range(6):
        r = oracle.run(scenario | {"casualties": {"total": 200}}, seed=seed)
        stays = oracle.read(r).stays[0]
        who = {i for i, begin, end in stays if begin < 24 * HOUR <= end}
        by_hit = set(np.flatnonzero(r.patients["death_cause"] == DeathCause.FACILITY_HIT).tolist())
        assert by_hit <= who
        killed += len(by_hit)
        inside += len(who)
    assert inside > 300
    assert stats.binomtest(killed, inside, 0.3).pvalue > 0.001


def test_nobody_is_operated_on_outside_the_shift() -> None:
    shift = {"from_hour": 8.0, "to_hour": 12.0, "surgical_teams": 1}
    r = oracle.run(line(r2={"operating_tables": 3, "shifts": [shift]}) | {"casualties": {"total": 200}})
    starts = r.events[(r.events["kind"] == EVENTS.index("surgery_started")) & (r.events["facility"] == 0)]
    hours = starts["at"] % (24 * HOUR) / HOUR
    assert len(starts) > 5
    assert ((hours >= 8) & (hours < 12)).all()


def test_a_lift_takes_no_more_than_its_vehicles_hold_wherever_they_go() -> None:
    lift = {"interval_hours": 6.0, "first_hour": 3.0}
    way = {"distribution": "constant", "mean": 60.0}
    scenario = line(r4={"places": 2}, onward={"vehicle": "lift"}, r2={"policy_days": 0.0})
    scenario["facilities"].append({"id": "R4b", "role": 4})
    scenario["links"].append({"origin": "R2", "destination": "R4b", "minutes": way, "vehicle": "lift"})
    scenario["vehicles"].append(
        {"id": "lift", "kind": "ambulance_standard", "number": 2, "litters": 2, "lift": lift}
    )
    r = oracle.run(scenario)
    laws.check_whole(r)
    left = r.events[(r.events["kind"] == EVENTS.index("departed")) & (r.events["facility"] == 0)]
    times, numbers = np.unique(left["at"], return_counts=True)
    assert (times % (6 * HOUR) - 3 * HOUR <= laws.longest_preparation(r)).all()
    assert (times % (6 * HOUR) >= 3 * HOUR).all()
    assert numbers.max() == 4


def test_a_batch_waits_until_it_is_full_or_has_waited_long_enough() -> None:
    batch = {"minimum": 3, "wait_minutes": 300.0, "override": []}
    bus = {"id": "bus", "kind": "ambulance_standard", "number": 9, "litters": 4}
    scenario = line(onward={"vehicle": "bus", "batch": batch}, r2={"policy_days": 0.0})
    scenario["vehicles"].append(bus)
    r = oracle.run(scenario)
    laws.check_whole(r)
    trips: dict[int, list[oracle.Trip]] = {}
    for trip in oracle.read(r).trips:
        if trip.origin == 0:
            trips.setdefault(trip.departed, []).append(trip)
    early = [t for t in trips.values() if t[0].departed - min(x.asked for x in t) < 300 * oracle.MINUTE]
    assert all(len(t) >= 3 for t in early)
    assert len(early) > 3


def test_blood_is_used_to_the_last_unit_and_never_more_than_there_is() -> None:
    scenario = line(r2={"blood_units": 10}, r4={}, mix={"battle": 1.0, "nbi": 0.0, "disease": 0.0})
    r = oracle.run(scenario | {"casualties": {"total": 300}})
    row = r.flow.places()[0]
    assert row["blood_used"] == 10
    assert row["blood_short"] > 0


@pytest.mark.parametrize(
    ("interval_hours", "cancellation"), [(24.0 * 300, 0.0), (24.0 * 80, 0.9), (24.0, 0.99)], ids=str
)
def test_a_lift_that_comes_seldom_is_no_deadlock(interval_hours: float, cancellation: float) -> None:
    lift = {"interval_hours": interval_hours, "cancellation": cancellation}
    scenario = line(onward={"vehicle": "lift"}, r2={"policy_days": 0.0, "treatment_bays": 5})
    scenario["vehicles"].append(
        {"id": "lift", "kind": "ambulance_standard", "number": 1, "litters": 100, "lift": lift}
    )
    r = oracle.run(scenario)
    laws.check_whole(r)
    assert (r.patients["status"] == Outcome.EVACUATED).any()


@pytest.mark.parametrize("national", [True, False])
@pytest.mark.parametrize("bypass", [True, False])
def test_a_vehicle_without_litters_is_not_sent_for_who_must_lie(bypass: bool, national: bool) -> None:
    way = {"distribution": "constant", "mean": 5.0}
    scenario = line(
        r2={"policy_days": 0.0, "nation": "USA"},
        r4={"nation": "USA"},
        bypass=bypass,
        national_preference=national,
    )
    scenario["facilities"].append({"id": "R4b", "role": 4, "nation": "NOR"})
    scenario["links"].append({"origin": "R2", "destination": "R4b", "minutes": way, "vehicle": "bus"})
    scenario["vehicles"].append(
        {"id": "bus", "kind": "ambulance_standard", "number": 1, "litters": 0, "seats": 3}
    )
    r = oracle.run(scenario)
    laws.check_whole(r)
    assert {t.destination for t in oracle.read(r).trips if t.origin == 0} >= {1, 2}


@pytest.mark.parametrize("seed", range(4))
def test_an_interdiction_leaves_the_other_vehicle_at_work(seed: int) -> None:
    cars = {"number": 2, "litters": 1, "seats": 0}
    taken = {"event": "interdiction", "at_hours": 26.0, "vehicle": "cars", "number": 1}
    r = oracle.run(line(cars=cars, world=[taken], casualties={"total": 90}), seed=seed)
    assert not (r.patients["status"] == Outcome.IN_CARE).any()


def test_a_vehicle_taken_in_the_night_is_not_waited_for() -> None:
    for seed in range(12):
        cars = {"number": 2, "litters": 1, "seats": 0, "night": False}
        taken = {"event": "interdiction", "at_hours": 28.0, "vehicle": "cars", "number": 1}
        scenario = line(cars=cars, world=[taken], casualties={"total": 8})
        scenario["links"][0]["minutes"] = {"distribution": "constant", "mean": 360.0}
        oracle.run(scenario, seed=seed)


@pytest.mark.parametrize("dispatch", [0.0, 15.0])
def test_a_vehicle_does_not_leave_empty_for_want_of_a_better_destination(dispatch: float) -> None:
    scenario = line(
        model={"care": x.NO_STAY},
        r2={"policy_days": 0.0},
        r4={"nation": "NOR"},
        national_preference=True,
        onward={"vehicle": "bus", "batch": {"minimum": 4, "wait_minutes": 600.0, "override": []}},
        cars={"number": 50},
    )
    scenario["facilities"].append({"id": "R4b", "role": 4, "nation": "USA"})
    way = {"distribution": "constant", "mean": 60.0}
    scenario["links"].append({"origin": "R2", "destination": "R4b", "minutes": way, "vehicle": "bus"})
    bus = {"id": "bus", "kind": "ambulance_standard", "number": 1, "litters": 4, "dispatch_minutes": dispatch}
    scenario["vehicles"].append(bus)
    r = oracle.run(scenario)
    made = next(row for row in r.flow.vehicles() if row["vehicle"] == "bus")
    assert made["sorties"] <= made["patients"] / 2


@pytest.mark.parametrize("seed", [1, 9])
def test_a_bus_without_litters_takes_who_sits_behind_one_who_must_lie(seed: int) -> None:
    scenario = line()
    scenario |= {"casualties": {"total": 200}, "days": 6, "triage_accuracy": 0.2}
    scenario["facilities"].append({"id": "R2b", "role": 2})
    slow, quick = ({"distribution": "constant", "mean": mean} for mean in (600.0, 60.0))
    scenario["links"] = [
        {"origin": "POI", "destination": "R2", "minutes": slow, "vehicle": "amb"},
        {"origin": "POI", "destination": "R2b", "minutes": quick, "vehicle": "bus"},
        {"origin": "R2", "destination": "R4", "minutes": quick},
        {"origin": "R2b", "destination": "R4", "minutes": quick},
    ]
    one = {"kind": "ambulance_standard", "number": 1}
    scenario["vehicles"] = [
        {"id": "amb", "litters": 1, "seats": 0, **one},
        {"id": "bus", "litters": 0, "seats": 4, **one},
    ]
    r = oracle.run(scenario, seed=seed)
    at_poi = r.events[r.events["facility"] == AT_POI]
    triaged = at_poi[at_poi["kind"] == EVENTS.index("triaged")]
    assigned = dict(zip(triaged["patient"].tolist(), triaged["detail"].tolist(), strict=True))
    waited = {True: [0], False: [0]}
    for row in at_poi[at_poi["kind"] == EVENTS.index("departed")]:
        who = int(row["patient"])
        if assigned[who] == 3:
            waited[bool(r.patients["triage"][who] == 3)].append(int(row["at"] - r.patients["time"][who]))
    assert max(waited[True]) < 24 * HOUR < max(waited[False])


def test_the_last_triage_of_a_run_counts_in_full() -> None:
    triage = {"triage_teams": 1, "triage_minutes": {"distribution": "constant", "mean": 600.0}}
    r = oracle.run(line(r2=triage, cars={"number": 50}, casualties={"total": 1}))
    row = next(row for row in r.flow.resources() if row["resource"] == "triage_teams")
    used = row["mean_in_use"] * r.flow.summary()["days"] * 24 * 60
    assert used == pytest.approx(600.0, abs=2.0)
