"""The dead are moved by vehicles where the scenario asks for it: who, by what, in which order, and at whose cost."""

import json
from typing import Any

import effects as x
import finite_laws as laws
import finite_oracle as oracle
import finite_remains as remains
import msgspec
import numpy as np
import pytest
from small_networks import Result, at, closed, run

from engine import scenario as scenario_api
from engine.codes import EVENTS
from engine.errors import RunError, ScenarioError
from engine.run import independent_fronts
from goldenhour.views.summary import summary_tables

INSTANT = {"instant_death": 0.3, "clock": False}
"""Three in ten die at once, and nobody later: the deaths do not depend on care."""
MOVED = [EVENTS.index(name) for name in oracle.REMAINS]
TRUCK = {"id": "truck", "kind": "ambulance_standard", "number": 1, "litters": 8}


def settings(
    number: int, dead: dict[str, Any] | None, more: tuple[dict[str, Any], ...] = (), **changes: Any
) -> dict[str, Any]:
    """Return POI -> R1 without limit, 30 minutes, and R1 -> R2 by a pool that is based at R1, 60 minutes."""
    legs = [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
        {"origin": "R1", "destination": "R2", "minutes": x.constant(60.0), "vehicle": "pool"},
    ]
    pool = {"id": "pool", "kind": "ambulance_standard", "number": number, "litters": 2}
    whole: dict[str, Any] = {
        "facilities": [{"id": "R1", "role": 1, "policy_days": 0.0}, {"id": "R2", "role": 2}],
        "links": legs,
        "vehicles": [{**pool, **changes.pop("pool", {})}, *more],
        "days": 2,
        "survival": INSTANT,
    }
    if dead is not None:
        whole["mortuary_affairs"] = dead
    return {**whole, **changes}


def chain(number: int, dead: dict[str, Any] | None, *more: dict[str, Any], **changes: Any) -> Result:
    return run(300, **settings(number, dead, more, **changes))


def waits(result: Result) -> Any:
    """Return the minutes that each patient waits at R1 for a vehicle."""
    return at(result, "departed", "R1") - at(result, "evacuation_requested", "R1")


TO_R2 = {"collection_points": ["R2"]}


def test_the_dead_stay_where_they_died_unless_the_scenario_moves_them() -> None:
    unset, given = chain(10, None), chain(10, {})
    assert not np.isin(unset.events["kind"], MOVED).any()
    assert "mortuary_affairs" not in unset.measures
    assert "mortuary_affairs" not in unset.measures["flow"]
    for name in ("status", "closed", "facility", "death_cause", "waiting_for"):
        assert (unset.patients[name] == given.patients[name]).all(), "status and time of death stay"
    killed = x.status(given, "kia")
    assert 60 < killed.sum() < 120
    assert (np.isfinite(at(given, "remains_delivered", "R1")) == killed).all()
    assert at(given, "remains_delivered")[killed] - closed(given)[killed] == pytest.approx(30.0, abs=0.01)
    (sentence,) = [text.plain for text in summary_tables(given.measures) if "The dead" in str(text)]
    assert f"{killed.sum()} of {killed.sum()} recovered, median 30 minutes after death" in sentence
    assert given.measures["mortuary_affairs"] == {
        "dead": killed.sum(),
        "recovered": killed.sum(),
        "median_minutes": 30.0,
    }


def test_with_few_vehicles_the_dead_delay_patients_and_with_many_they_do_not() -> None:
    means = {}
    for number in (6, 10, 100):
        before, after = chain(number, None), chain(number, TO_R2)
        means[number] = np.nanmean(waits(before)), np.nanmean(waits(after))
        killed = x.status(after, "kia")
        assert np.isfinite(at(after, "remains_delivered", "R2")[killed]).all(), "all are recovered"
        assert after.measures["mortuary_affairs"]["recovered"] == killed.sum()
        (vehicle,) = after.measures["flow"]["mortuary_affairs"]["vehicles"]
        trips = vehicle["minutes"] / 120.0
        assert vehicle["dead"] == killed.sum()
        assert killed.sum() / 2 <= round(trips, 3) <= killed.sum(), "one or two lie in each vehicle"
    assert means[6][0] + 5.0 < means[6][1]
    assert means[10][0] + 5.0 < means[10][1] < 2.5 * means[10][0]
    assert means[100] == (0.0, 0.0)


def test_a_vehicle_takes_all_patients_before_the_dead_and_never_both() -> None:
    for number in (1, 4):
        result = chain(number, TO_R2)
        left, living, collected = (
            at(result, *which)
            for which in (("departed", "R1"), ("evacuation_requested", "R1"), ("remains_collected", "R1"))
        )
        for moment in np.unique(collected[np.isfinite(collected)]):
            waiting = (living < moment - 0.01) & (left > moment + 0.01)
            assert not waiting.any()
            assert number > 1 or not (left == moment).any(), "the only vehicle carries patients or the dead"


def test_a_pool_of_its_own_moves_the_dead_and_leaves_the_others_to_the_patients() -> None:
    alone = chain(4, None)
    shared = chain(4, TO_R2)
    apart = chain(4, {**TO_R2, "vehicle": "truck"}, TRUCK)
    assert np.array_equal(waits(alone), waits(apart), equal_nan=True)
    assert np.nanmean(waits(shared)) > np.nanmean(waits(alone))
    killed = x.status(apart, "kia").sum()
    (vehicle,) = apart.measures["flow"]["mortuary_affairs"]["vehicles"]
    assert vehicle["vehicle"] == "truck"
    assert vehicle["dead"] == 2 * killed, "from POI to R1, and on to R2"
    median = [r.measures["mortuary_affairs"]["median_minutes"] for r in (shared, apart)]
    assert median[1] < 0.5 * median[0], "the dead wait for no patient"


def test_more_vehicles_for_the_dead_recover_them_sooner() -> None:
    medians = [
        chain(4, {**TO_R2, "vehicle": "truck"}, {**TRUCK, "number": number, "litters": 2}).measures[
            "mortuary_affairs"
        ]["median_minutes"]
        for number in (1, 2, 20)
    ]
    assert medians[0] > 1.2 * medians[1] > 1.2 * medians[2]
    assert 90.0 <= medians[2] < 160.0


def test_the_way_of_the_dead_ends_at_a_collection_point() -> None:
    for points, stops, end in (([], (), "R1"), (["R1"], (), "R1"), (["R2"], ("R1",), "R2")):
        result = chain(20, {"collection_points": points})
        killed = x.status(result, "kia")
        assert (np.isfinite(at(result, "remains_delivered", end)) == killed).all()
        for stop in stops:
            assert (np.isfinite(at(result, "remains_arrived", stop)) == killed).all()
        assert bool(stops) == bool(len(x.rows(result, "remains_arrived")))


def test_who_dies_at_a_facility_is_moved_with_died_of_wounds_only() -> None:
    hit = [{"event": "hit", "at_hours": 20.0, "facility": "R1", "killed": 1.0, "capacity_lost": 0.0}]
    for asked in (False, True):
        result = chain(3, {"died_of_wounds": asked}, world=hit)
        dow = x.status(result, "dow")
        assert dow.sum() > 5
        assert (np.isfinite(at(result, "remains_delivered", "R2")) == (dow & asked)).all()
        assert (result.patients["facility"][dow] == 0).all()
        assert (np.isfinite(at(result, "remains_delivered", "R1")) == x.status(result, "kia")).all()


def test_whoever_dies_in_a_vehicle_is_brought_to_its_destination() -> None:
    legs = settings(5, None)["links"]
    legs[0]["minutes"] = x.constant(240.0)
    result = chain(20, {}, links=legs, survival={"first_aid_minutes": 60.0})
    on_the_way = x.status(result, "kia") & (result.patients["facility"] == -2)
    assert on_the_way.sum() > 1
    assert np.isfinite(at(result, "remains_delivered", "R1")[on_the_way]).all()
    assert not np.isfinite(at(result, "remains_collected")[on_the_way]).any()
    came = at(result, "departed") + 120.0
    assert at(result, "remains_delivered")[on_the_way] == pytest.approx(came[on_the_way], abs=0.01)


def test_at_the_horizon_some_of_the_dead_still_wait_and_keep_their_outcome() -> None:
    whole, cut = chain(2, TO_R2), chain(2, TO_R2, horizon_days=2.0)
    killed = x.status(cut, "kia")
    there = np.isfinite(at(cut, "remains_delivered"))
    flow = cut.measures["flow"]["mortuary_affairs"]
    assert 0 < there.sum() + sum(row["waiting_at_end"] for row in flow["places"]) <= killed.sum()
    assert sum(row["waiting_at_end"] for row in flow["places"]) > 10
    assert cut.events["at"].max() <= 2 * x.DAY
    early = whole.patients["closed"] <= 2 * x.DAY
    assert (cut.patients["status"][early] == whole.patients["status"][early]).all()
    assert (cut.patients["closed"][killed] < 2 * x.DAY).all()


def test_a_closed_facility_takes_the_dead_when_it_opens() -> None:
    shut = [{"event": "close", "at_hours": 10.0, "facility": "R2", "duration_hours": 40.0}]
    left = at(chain(400, TO_R2, world=shut), "remains_collected", "R1") / 60.0
    left = left[np.isfinite(left)]
    assert not ((left > 10.0) & (left < 50.0)).any()
    assert (left == 50.0).sum() > 20


def test_a_full_facility_takes_the_dead() -> None:
    full = [{"id": "R1", "role": 1, "policy_days": 0.0}, {"id": "R2", "role": 2, "places": 1}]
    result = chain(20, TO_R2, facilities=full, horizon_days=5.0)
    assert np.isfinite(at(result, "remains_delivered", "R2")[x.status(result, "kia")]).all()
    assert np.isfinite(at(result, "departed", "R1")).sum() < 20, "patients find no place"


def test_the_dead_go_with_a_lift_that_has_room() -> None:
    lift = {"lift": {"interval_hours": 6.0}, "number": 2, "litters": 20}
    result = chain(2, TO_R2, pool=lift)
    left = at(result, "remains_collected", "R1")
    left = left[np.isfinite(left)]
    assert len(left) > 60
    assert (left % 360.0 == 0).all()


def test_a_vehicle_lost_on_its_way_leaves_the_dead_to_the_next() -> None:
    lost = chain(40, TO_R2, pool={"loss": 0.1})
    assert lost.measures["flow"]["vehicles"][0]["lost"] > 3
    assert np.isfinite(at(lost, "remains_delivered", "R2")[x.status(lost, "kia")]).all()
    with pytest.raises(RunError, match="wait for transport of the dead from POI to R1"):
        chain(40, {"vehicle": "truck"}, {**TRUCK, "loss": 1.0})


def test_the_records_and_counters_keep_the_laws() -> None:
    for dead in ({}, TO_R2, {**TO_R2, "vehicle": "truck", "died_of_wounds": True}):
        own = settings(4, dead, (TRUCK,) if "vehicle" in dead else (), survival={})
        r = oracle.run(x.settings_of(200, **own))
        laws.check_whole(r)
        assert (r.events["kind"] == MOVED[2]).sum() > 5


def test_the_laws_notice_a_kernel_that_breaks_them() -> None:
    r = oracle.run(x.settings_of(200, **settings(1, TO_R2)))
    laws.check_whole(r)
    net = laws.Network(r.scenario)
    observed = oracle.read(r)
    left = sorted((y for y in observed.removals if y.origin == 0), key=lambda y: y.asked)
    left[-1].departed = left[0].departed - 1
    with pytest.raises(AssertionError, match="passed in the line of the dead"):
        remains.check_queue(r, observed, remains.Chain(net))
    longest = max(observed.waits[0, oracle.TRANSPORT], key=lambda wait: wait.until - wait.since)
    left[0].departed = (longest.since + longest.until) // 2
    with pytest.raises(AssertionError, match="a patient waits while the dead leave"):
        remains.check_patients_first(r, observed, remains.Chain(net))
    observed = oracle.read(r)
    observed.removals.pop()
    with pytest.raises(AssertionError, match="not recovered"):
        remains.check_remains(r, observed, net)
    vehicles = [msgspec.structs.replace(pool, litters=1) for pool in r.scenario.vehicles]
    r.scenario = msgspec.structs.replace(r.scenario, vehicles=vehicles)
    with pytest.raises(AssertionError, match="litters of the dead"):
        remains.check_remains(r, oracle.read(r), laws.Network(r.scenario))


def test_fronts_that_share_vehicles_for_the_dead_are_simulated_together() -> None:
    fronts = [x.FRONT, x.SOUTH]
    whole = {
        "fronts": fronts,
        "facilities": [{"id": f["name"], "role": 2, "fronts": [f["name"]]} for f in fronts],
        "links": [
            {"origin": "POI", "destination": f["name"], "fronts": [f["name"]], "minutes": x.constant(30.0)}
            for f in fronts
        ],
        "vehicles": [TRUCK],
    }
    for dead, groups in ((None, 2), ({}, 2), ({"vehicle": "truck"}, 1)):
        own = x.settings_of(100, **whole, mortuary_affairs=dead)
        scenario = scenario_api.parse(json.dumps(own).encode(), "json")
        assert len(independent_fronts(scenario_api.resolve(scenario))) == groups


# --- the setting in files and checks


def test_a_saved_scenario_with_mortuary_affairs_gives_the_same_patients() -> None:
    own = x.settings_of(100, **settings(3, {**TO_R2, "vehicle": "truck", "died_of_wounds": True}, (TRUCK,)))
    written = scenario_api.parse(json.dumps(own).encode(), "json")
    for commented in (False, True):
        saved = scenario_api.parse(scenario_api.to_toml(written, commented).encode(), "toml")
        assert saved == written
    resolved = scenario_api.resolve(written)
    again = scenario_api.parse(scenario_api.to_toml(resolved).encode(), "toml")
    assert scenario_api.scenario_hash(again) == scenario_api.scenario_hash(written)
    one, other = oracle.simulate(resolved, 1), oracle.simulate(scenario_api.resolve(again), 1)
    for name in ("patients", "events"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def test_the_setting_counts_in_the_hash_where_it_is_set() -> None:
    hashes = [
        scenario_api.scenario_hash(
            scenario_api.parse(json.dumps(x.settings_of(100, **settings(3, dead))).encode(), "json")
        )
        for dead in (None, {}, TO_R2, {"died_of_wounds": True})
    ]
    assert len(set(hashes)) == 4


@pytest.mark.parametrize(
    ("dead", "more", "message"),
    [
        ({"vehicle": "truk"}, (TRUCK,), "mortuary_affairs.vehicle: got 'truk'.*truck"),
        ({"vehicle": "truck"}, ({**TRUCK, "litters": 0, "seats": 8},), "litters, because mortuary_affairs"),
        ({"vehicle": "truck"}, ({**TRUCK, "lift": {"interval_hours": 6.0}},), "without a lift"),
        ({"collection_points": ["R3"]}, (), r"collection_points\[0\]: got 'R3'.*R2"),
        ({"collection_points": ["R2", "R2"]}, (), "collection_points"),
        ({"collection_points": ["far"]}, (), "reached from POI of front 'North'"),
        ({"vehicles": "truck"}, (TRUCK,), "vehicles"),
    ],
)
def test_what_makes_no_sense_is_refused(dead: dict[str, Any], more: Any, message: str) -> None:
    own = settings(3, dead, more)
    own["facilities"].append({"id": "far", "role": 3})
    with pytest.raises(ScenarioError, match=message):
        x.notes(**own)


def test_check_says_where_the_setting_has_no_effect() -> None:
    def found(**own: Any) -> list[str]:
        return [note for note in x.notes(**own) if "mortuary_affairs" in note]

    assert not found(**settings(3, TO_R2))
    assert "no effect under routing" in found(**settings(3, {}), routing="transition-matrix")[0]
    assert "delay nobody" in found(**x.one_place(minutes=x.constant(30.0)), mortuary_affairs={})[0]
    assert "no litters" in found(**settings(3, {}, pool={"litters": 0, "seats": 3}, bypass=True) | SEATED)[0]
    air = settings(3, {"vehicle": "truck"}, (TRUCK,))
    assert not any("no link names it" in note for note in x.notes(**air))
    air["links"][1] = {"origin": "R1", "destination": "R2", "distance_km": 50.0, "terrain": "air"}
    assert "the terrain does not fit" in found(**air)[0]
    assert any("no link names it" in note for note in x.notes(**settings(3, None, (TRUCK,))))


SEATED: dict[str, Any] = {
    "links": [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
        {"origin": "R1", "destination": "R2", "minutes": x.constant(60.0)},
        {
            "origin": "POI",
            "destination": "R2",
            "minutes": x.constant(60.0),
            "vehicle": "pool",
            "categories": ["T3"],
        },
    ]
}
