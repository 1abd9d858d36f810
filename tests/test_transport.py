"""Transport: which vehicle is sent, whom it takes, when it leaves and where it goes."""

from typing import Any

import effects as x
import numpy as np
import pytest
from small_networks import (
    DAY,
    HOUR,
    SECOND,
    Result,
    at,
    category_leaving,
    closed,
    counts,
    ferry,
    groups,
    hour_of_day,
    level,
    needs_litter,
    peak,
    pool_of,
    run,
    two,
    waits_for_ride,
)

from engine.codes import AT_POI, EN_ROUTE, TRIAGE, WAITING_FOR
from engine.errors import RunError
from scenarios import catalogue


def test_a_link_is_for_the_categories_it_names() -> None:
    places = [{"id": "near", "role": 2}, {"id": "far", "role": 2}]
    for allowed in (["T1"], ["T2", "T3"], []):
        links = [
            {"origin": "POI", "destination": "near", "minutes": x.constant(30.0), "categories": allowed},
            {"origin": "POI", "destination": "far", "minutes": x.constant(60.0)},
        ]
        result = run(400, facilities=places, links=links, survival=x.NOBODY_DIES)
        came = np.isfinite(at(result, "arrived", "near"))
        first = x.rows(result, "triaged")
        first = first[first["facility"] == AT_POI]
        category = np.zeros(len(result), int)
        category[first["patient"]] = first["detail"]
        goes = np.isin(category, [TRIAGE.index(name) for name in allowed or ("T1", "T2", "T3")])
        assert (came == goes).all()
        assert came.any()
        assert (np.isfinite(at(result, "arrived", "far")) == ~goes).all()


def test_categories_that_no_link_from_a_facility_names_may_use_all_of_them() -> None:
    settings: dict[str, Any] = {
        "facilities": [{"id": "A", "role": 2, "policy_days": 0.0}, {"id": "B", "role": 4}],
        "links": [
            {"origin": "POI", "destination": "A", "minutes": x.constant(10.0)},
            {"origin": "A", "destination": "B", "minutes": x.constant(10.0), "categories": ["T1"]},
        ],
        "survival": x.NOBODY_DIES,
    }
    result = run(300, **settings)
    at_b = np.isfinite(at(result, "arrived", "B"))
    triaged = x.rows(result, "triaged", "A")
    not_t1 = triaged["patient"][triaged["detail"] != TRIAGE.index("T1")]
    assert at_b[not_t1].sum() > 100
    assert any(
        note.endswith(
            "no link from A names T2, T3, so patients of these categories may use all links from there"
        )
        for note in x.notes(**settings)
    )
    assert not any("evacuation ends" in note for note in x.notes(**settings))
    settings["links"][1]["categories"] = []
    assert not any("from A" in note for note in x.notes(**settings))


def batches(**batch: Any) -> Result:
    return ferry(
        {"litters": 60, "seats": 0},
        total=200,
        days=6,
        link={"batch": {"minimum": 4, "wait_minutes": 240.0, "override": [], **batch}},
        retriage_minutes=1e6,
    )


@pytest.mark.parametrize("minimum", [2, 4, 7])
def test_a_batch_leaves_when_its_minimum_waits(minimum: int) -> None:
    result = batches(minimum=minimum, wait_minutes=1e4)
    sizes = [len(group) for group in groups(result).values()]
    assert len(sizes) > 20
    assert np.mean([size == minimum for size in sizes]) > 0.9
    assert min(sizes[:-1]) >= minimum
    assert pool_of(result)["sorties"] == len(sizes)
    alone = ferry({"litters": 20, "seats": 0}, total=200, days=6)
    assert np.mean([len(group) for group in groups(alone).values()]) < 1.1


@pytest.mark.parametrize("longest", [60.0, 240.0])
def test_nobody_waits_longer_for_a_batch_than_its_wait(longest: float) -> None:
    result = batches(minimum=50, wait_minutes=longest)
    wait = waits_for_ride(result)
    assert wait.max() == pytest.approx(longest, abs=SECOND)
    first = [max(wait[group]) for group in groups(result).values()]
    assert first == pytest.approx([longest] * len(first), abs=SECOND)


def test_who_overrides_a_batch_leaves_at_once_with_whoever_waits() -> None:
    for override in ([], ["T1"], ["T1", "T2"]):
        result = batches(minimum=50, wait_minutes=240.0, override=override)
        wait = waits_for_ride(result)
        urgent = np.isin(category_leaving(result, "R1"), [TRIAGE.index(name) for name in override])
        assert urgent.any() == bool(override)
        assert (wait[urgent] < SECOND).all()
        for group in groups(result).values():
            assert urgent[group].any() or max(wait[group]) == pytest.approx(240.0, abs=SECOND)


def test_more_vehicles_carry_more_at_a_time_and_nobody_waits_as_long() -> None:
    waits = []
    for number in (4, 8, 1000):
        result = ferry({"number": number})
        departed = at(result, "departed", "R1")
        assert np.isfinite(departed).all()
        most = peak(departed, departed + 2 * HOUR)
        assert most == number if number < 1000 else most > 8
        row = pool_of(result)
        assert (row["sorties"], row["patients"], row["litters_used"]) == (300, 300, 300)
        assert row["busy_minutes"] == pytest.approx(300 * 120.0, rel=1e-6)
        wait = waits_for_ride(result)
        line = next(w for w in result.measures["flow"]["transport"] if w["origin"] == "R1")
        assert line["mean_wait_minutes"] == pytest.approx(wait.mean(), rel=1e-4, abs=1e-3)
        waits.append(wait.mean())
    assert waits[0] > 2 * waits[1] > 0
    assert waits[2] < SECOND


def test_a_vehicle_comes_from_its_base() -> None:
    here, there = ferry({}), ferry({"base": "R2"})
    for result, minutes in ((here, 0.0), (there, 60.0)):
        called = np.sort(at(result, "evacuation_requested", "R1"))
        assert np.sort(at(result, "departed", "R1")) == pytest.approx(called + minutes, abs=SECOND)
        assert x.travel(result, "R1") == pytest.approx(60.0, abs=SECOND)
        assert pool_of(result)["busy_minutes"] == pytest.approx(300 * 120.0, rel=1e-6)


def test_a_vehicle_takes_as_many_lying_as_it_has_litters() -> None:
    waits = []
    for litters in (1, 2, 5):
        result = ferry({"number": 3, "litters": litters})
        assert max(len(group) for group in groups(result).values()) == litters
        assert pool_of(result)["litters_offered"] == litters * pool_of(result)["sorties"]
        waits.append(waits_for_ride(result).mean())
    assert waits[0] > 1.5 * waits[1]
    assert waits[1] > 1.5 * waits[2]


def test_seats_are_for_those_who_can_sit() -> None:
    lying, sitting = (ferry({"number": 3, "litters": 1, "seats": seats}) for seats in (0, 3))
    must_lie = needs_litter(sitting, "R1")
    sizes = []
    for group in groups(sitting).values():
        assert must_lie[group].sum() <= 1
        sizes.append(len(group))
    assert max(sizes) > 1
    assert max(sizes) <= 4
    assert pool_of(sitting)["seats_offered"] == 3 * pool_of(sitting)["sorties"]
    assert waits_for_ride(sitting).mean() < 0.8 * waits_for_ride(lying).mean()


def test_who_cannot_fly_by_night_does_not() -> None:
    day, always = ferry({"night": False}, days=4), ferry({}, days=4)
    hours = hour_of_day(at(day, "departed", "R1") + 1e-4)
    assert ((hours >= 6) & (hours < 20)).all()
    hours = hour_of_day(at(always, "departed", "R1"))
    assert 0.3 < ((hours >= 20) | (hours < 6)).mean() < 0.5
    asked = at(day, "evacuation_requested", "R1")
    hour = hour_of_day(asked)
    until = np.where(hour >= 20, 30 - hour, np.where(hour < 6, 6 - hour, 0.0)) * HOUR
    assert waits_for_ride(day) == pytest.approx(until, abs=SECOND)


def test_an_escort_holds_a_vehicle_for_the_minutes_of_dispatch() -> None:
    for minutes in (0.0, 25.0):
        result = ferry({"dispatch_minutes": minutes})
        called = np.sort(at(result, "evacuation_requested", "R1"))
        assert np.sort(at(result, "departed", "R1")) == pytest.approx(called + minutes, abs=SECOND)
        assert pool_of(result)["busy_minutes"] == pytest.approx(300 * (120.0 + minutes), rel=1e-6)


def test_weather_grounds_vehicles_on_its_share_of_the_days() -> None:
    def idle(probability: float) -> Any:
        result = ferry({"grounded": probability}, total=3000, days=150, day_weights=[1.0] * 150)
        departed = at(result, "departed", "R1")
        return set(range(150)) - set((departed // DAY).astype(int).tolist())

    often, seldom, never = idle(0.7), idle(0.2), idle(0.0)
    assert len(never) <= 3
    assert x.share_is(len(often - never), 150, 0.7, lines=2)
    assert x.share_is(len(seldom - never), 150, 0.2, lines=2)
    assert seldom - never <= often


def test_vehicles_are_lost_on_the_way_by_their_probability() -> None:
    safe, risky = (ferry({"loss": loss}, total=1000) for loss in (0.0, 0.2))
    assert pool_of(safe)["lost"] == 0
    lost, sorties = pool_of(risky)["lost"], pool_of(risky)["sorties"]
    assert x.share_is(lost, sorties, 0.2)
    assert sorties - lost == 1000 == pool_of(risky)["patients"]


def test_a_horizon_ends_a_run_in_which_all_vehicles_are_lost() -> None:
    few = ferry({"loss": 0.05, "number": 8}, horizon_days=10.0)
    assert pool_of(few)["lost"] == 8
    left = at(few, "departed", "R1")
    assert 8 < np.isfinite(left).sum() < 250
    assert x.status(few, "in_care")[np.isnan(left)].all()


@pytest.mark.parametrize("later", ["lift", "batch"])
def test_a_long_wait_for_what_will_come_is_no_deadlock(later: str) -> None:
    if later == "lift":
        result = ferry({"litters": 400, "lift": {"interval_hours": 24.0 * 70, "first_hour": 24.0 * 65}})
    else:
        result = ferry(
            {"litters": 400}, link={"batch": {"minimum": 400, "wait_minutes": 1e5, "override": []}}
        )
    assert (at(result, "departed", "R1") >= 65 * DAY).all()


def test_without_a_vehicle_left_a_deadlock_is_named() -> None:
    with pytest.raises(RunError, match=r"deadlock.*transport|deadlock.*R1"):
        ferry({"loss": 1.0, "number": 2})


def test_the_clock_runs_on_board_at_the_vehicles_rate() -> None:
    link = {"minutes": x.constant(120.0), "vehicle": "pool"}
    pool = {"id": "pool", "kind": "ambulance_standard", "number": 3000, "litters": 1}

    def carried(factor: float | None) -> Result:
        vehicle = pool if factor is None else {**pool, "clock_factor": factor}
        return run(3000, vehicles=[vehicle], **x.one_place(**link))

    plain, one, fast, still = carried(None), carried(1.0), carried(2.0), carried(0.0)
    assert (plain.events == one.events).all()
    assert x.same_people(plain, fast, still)

    def dead_on_board(result: Result) -> Any:
        return x.status(result, "kia") & (result.patients["facility"] == EN_ROUTE)

    a, b = dead_on_board(plain), dead_on_board(fast)
    assert a.sum() > 30
    assert not dead_on_board(still).any()
    assert (b | ~a).all()
    assert b.sum() > 1.1 * a.sum()
    departed = at(plain, "departed")
    assert departed[b] == pytest.approx(at(fast, "departed")[b], abs=SECOND)
    later_aid = at(plain, "first_aid") > departed
    same = a & ~later_aid
    lasted = [(closed(r) - departed)[same] for r in (plain, fast)]
    assert lasted[1] == pytest.approx(lasted[0] / 2, abs=SECOND)


def test_a_lift_leaves_by_its_schedule() -> None:
    for first, interval in ((0.0, 12.0), (5.0, 12.0), (5.0, 7.0)):
        lift = {"interval_hours": interval, "first_hour": first}
        result = ferry({"number": 2, "litters": 3, "lift": lift}, total=100, days=4)
        times = np.array(sorted(groups(result)))
        turn = (times / HOUR - first) / interval
        assert turn == pytest.approx(np.round(turn), abs=1e-5)
        assert (turn > -0.1).all()
        assert max(len(group) for group in groups(result).values()) == 6
        assert np.diff(times).min() == pytest.approx(interval * HOUR, abs=SECOND)


def test_lifts_are_cancelled_by_their_probability() -> None:
    flown = []
    for cancellation in (0.0, 0.3, 0.7):
        lift = {"interval_hours": 12.0, "cancellation": cancellation}
        result = ferry({"number": 1, "litters": 1, "lift": lift}, total=150, days=2)
        times = np.round(np.array(sorted(groups(result))) / HOUR / 12).astype(int)
        assert len(times) == 150
        assert x.share_is(len(times) - 1, times[-1] - times[0], 1 - cancellation, lines=2)
        flown.append(set(times.tolist()))
    assert {t for t in flown[2] if t < max(flown[1])} <= flown[1]


def test_interdicted_vehicles_do_not_move_until_they_are_back() -> None:
    def departures(**event: Any) -> Any:
        happens = {"event": "interdiction", "at_hours": 20.0, "vehicle": "pool", **event}
        return at(ferry({"number": 8}, world=[happens]), "departed", "R1")

    gone = departures(duration_hours=10.0)
    assert not ((gone > 20 * HOUR) & (gone < 30 * HOUR)).any()
    assert (np.abs(gone - 30 * HOUR) < SECOND).sum() == 8
    for number, left in ((6, 2), (3, 5)):
        few = departures(duration_hours=10.0, number=number)
        there = few[(few >= 22 * HOUR) & (few < 30 * HOUR)]
        assert peak(there, there + 2 * HOUR) == left
    for_good = departures(number=6)
    there = for_good[for_good >= 22 * HOUR]
    assert peak(there, there + 2 * HOUR) == 2
    other = [{"id": "other", "kind": "ambulance_standard", "number": 3}]
    links = [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0), "vehicle": "other"},
        {"origin": "R1", "destination": "R2", "minutes": x.constant(60.0), "vehicle": "pool"},
    ]
    pools = [{"id": "pool", "kind": "ambulance_standard", "number": 8, "litters": 1}, *other]
    happens = [{"event": "interdiction", "at_hours": 20.0, "vehicle": "other", "duration_hours": 10.0}]
    result = ferry({}, vehicles=pools, links=links, world=happens)
    left = at(result, "departed", "R1")
    assert ((left > 20 * HOUR) & (left < 22 * HOUR)).any()
    taken = x.rows(result, "departed")
    taken = taken["at"][taken["facility"] == AT_POI] / x.MINUTE
    assert not ((taken > 21 * HOUR) & (taken < 30 * HOUR)).any()


def test_the_destination_is_the_closest_a_random_one_or_the_least_loaded() -> None:
    came = {}
    for policy in ("closest-first", "spread-out", "least-loaded"):
        result = two({}, {}, total=2000, destination=policy)
        came[policy] = int(np.isfinite(at(result, "arrived", "near")).sum())
        assert came[policy] + np.isfinite(at(result, "arrived", "far")).sum() == 2000
        if policy == "least-loaded":
            inside = []
            for name in ("near", "far"):
                there = np.isfinite(at(result, "arrived", name))
                left = np.where(there, at(result, "departed"), np.nan)
                inside.append(level(left, at(result, "departed", name)))
            grid = np.linspace(2, 46, 200) * HOUR
            load = [n[np.searchsorted(t, grid, side="right") - 1] for t, n in inside]
            assert np.abs(load[0] - load[1]).mean() < 0.05 * load[0].mean()
            assert load[0].mean() > 5
    assert came["closest-first"] == 2000
    assert x.share_is(came["spread-out"], 2000, 0.5)
    assert 800 < came["least-loaded"] < 1400


def test_the_least_loaded_is_by_the_share_of_the_places() -> None:
    result = two({"places": 30}, {"places": 90}, total=600, destination="least-loaded")
    near, far = (np.isfinite(at(result, "arrived", name)).sum() for name in ("near", "far"))
    assert far / near == pytest.approx(3.0, rel=0.25)


def test_a_full_facility_is_passed_over_unless_there_is_no_bypass() -> None:
    over, wait = (two({"places": 10}, {}, bypass=bypass) for bypass in (True, False))
    assert counts(over, "near")["bypassed"] == np.isfinite(at(over, "arrived", "far")).sum() > 200
    assert counts(wait, "near")["bypassed"] == 0
    assert np.isfinite(at(wait, "arrived", "near")).all()
    assert np.mean(x.first_leg(wait)) > 600


def test_the_way_to_another_facility_takes_its_own_time() -> None:
    spread = two({}, {}, destination="spread-out")
    own = np.where(np.isfinite(at(spread, "arrived", "near")), 30.0, 60.0)
    assert x.first_leg(spread) == pytest.approx(own, abs=SECOND)


def test_those_of_a_nation_go_to_its_own_facility() -> None:
    mixed = [{"name": "North", "nations": {"NOR": 0.5, "ITA": 0.5}}]
    own, any_one = (
        two({"nation": "NOR"}, {"nation": "ITA"}, fronts=mixed, national_preference=prefer)
        for prefer in (True, False)
    )
    nation = np.array([n.code for n in catalogue.nations()])[own.patients["nation"]]
    assert set(nation.tolist()) == {"NOR", "ITA"}
    assert (np.isfinite(at(own, "arrived", "far")) == (nation == "ITA")).all()
    assert np.isfinite(at(any_one, "arrived", "near")).all()
    swapped = two({"nation": "ITA"}, {"nation": "NOR"}, fronts=mixed, national_preference=True)
    assert (np.isfinite(at(swapped, "arrived", "far")) == (nation == "NOR")).all()
    full = two({}, {"nation": "ITA", "places": 5}, fronts=mixed, national_preference=True)
    assert 5 < np.isfinite(at(full, "arrived", "far"))[nation == "ITA"].sum() < (nation == "ITA").sum()


@pytest.mark.parametrize(("number", "litters"), [(1000, 1), (5, 4)])
def test_vehicles_bring_those_of_a_nation_to_its_own_facility(number: int, litters: int) -> None:
    mixed = [{"name": "North", "nations": {"NOR": 0.5, "ITA": 0.5}}]
    links = [
        {"origin": "POI", "destination": name, "minutes": x.constant(minutes), "vehicle": "pool"}
        for name, minutes in (("near", 30.0), ("far", 60.0))
    ]
    places = [{"id": "near", "role": 2, "nation": "NOR"}, {"id": "far", "role": 2, "nation": "ITA"}]
    pool = {"id": "pool", "kind": "ambulance_standard", "number": number, "litters": litters}
    settings = {"fronts": mixed, "facilities": places, "links": links, "vehicles": [pool], "days": 2}
    result = run(300, national_preference=True, survival=x.NOBODY_DIES, **settings)
    nation = np.array([n.code for n in catalogue.nations()])[result.patients["nation"]]
    own = np.isfinite(at(result, "arrived", "far")) == (nation == "ITA")
    assert own.mean() > 0.9


# --- who is taken, when and for how long


def test_T1_and_T2_lie_and_T3_sits() -> None:
    result = ferry({"litters": 1, "seats": 1})  # a vehicle for each
    must_lie = needs_litter(result, "R1")
    assert 30 < must_lie.sum() < 270
    assert pool_of(result)["litters_used"] == must_lie.sum()
    assert pool_of(result)["patients"] == 300


def test_where_no_seat_is_left_T3_lies() -> None:
    result = ferry({"litters": 1, "seats": 0})
    assert (category_leaving(result, "R1") == 3).any()
    assert pool_of(result)["litters_used"] == 300


def test_the_most_urgent_leaves_first_and_of_equals_who_asked_first() -> None:
    result = ferry({"number": 3}, retriage_minutes=1e6)
    asked, left = at(result, "evacuation_requested", "R1"), at(result, "departed", "R1")
    category = category_leaving(result, "R1")
    overtaken = 0
    for k in range(len(result)):
        passed_over = (asked < left[k] - SECOND) & (left > left[k] + SECOND)
        for other in np.flatnonzero(passed_over):
            assert (category[k], asked[k]) <= (category[other], asked[other] + SECOND)
            overtaken += asked[k] > asked[other]
    assert overtaken > 20


def test_a_vehicle_takes_the_next_patient_when_it_is_back() -> None:
    result = ferry({"number": 1}, total=60)
    left = np.sort(at(result, "departed", "R1"))
    gaps = np.diff(left)
    assert gaps.min() == pytest.approx(2 * HOUR, abs=SECOND)
    assert (np.abs(gaps - 2 * HOUR) < SECOND).mean() > 0.5  # most of the time a patient waits


def test_each_patient_is_loaded_and_unloaded_in_turn() -> None:
    plain, slow = (
        ferry({"number": 3, "litters": 4, **minutes})
        for minutes in ({}, {"load_minutes": 3.0, "unload_minutes": 2.0})
    )
    assert x.travel(plain, "R1") == pytest.approx(60.0, abs=SECOND)
    sizes = np.zeros(len(slow))
    for group in groups(slow).values():
        sizes[group] = len(group)
        arrived = np.sort(at(slow, "arrived", "R2")[group])
        assert (np.diff(arrived) > 0).all()  # one after the other
    assert set(sizes.tolist()) >= {1.0, 4.0}
    assert x.travel(slow, "R1") == pytest.approx(60.0 + 2.0 * sizes, abs=SECOND)
    assert pool_of(slow)["busy_minutes"] == pytest.approx(
        sum(120.0 + 5.0 * len(group) for group in groups(slow).values()), rel=1e-5
    )


def test_who_dies_while_waiting_is_not_taken() -> None:
    result = ferry({"number": 1}, total=400, survival=None)
    asked, left = at(result, "evacuation_requested", "R1"), at(result, "departed", "R1")
    dead = np.isfinite(asked) & np.isnan(left)
    assert dead.sum() > 10
    assert x.status(result, "dow")[dead].all()
    assert (result.patients["waiting_for"][dead] == WAITING_FOR.index("evacuation")).all()
    line = next(row for row in result.measures["flow"]["transport"] if row["origin"] == "R1")
    assert line["deaths_waiting"] == dead.sum()
    assert pool_of(result)["patients"] == np.isfinite(left).sum()


def test_a_vehicle_that_finds_nobody_returns_empty() -> None:
    result = ferry({"number": 2, "base": "R2"}, total=600, survival=None)
    row = pool_of(result)
    left = at(result, "departed", "R1")
    assert row["patients"] == np.isfinite(left).sum() == row["litters_used"]
    flown = len(groups(result))
    assert row["sorties"] >= flown
    # an hour out for each; an hour with patients and the way is done at R2, an hour back when empty
    assert row["busy_minutes"] == pytest.approx(120.0 * row["sorties"], rel=1e-6)


def test_two_pools_serve_one_way_each_on_its_own_link() -> None:
    pools = [
        {"id": name, "kind": "ambulance_standard", "number": number, "litters": 1}
        for name, number in (("pool", 2), ("other", 1000))
    ]
    places = [
        {"id": "R1", "role": 1, "policy_days": 0.0},
        {"id": "R2", "role": 2},
        {"id": "far", "role": 2},
    ]
    links = [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
        {"origin": "R1", "destination": "R2", "minutes": x.constant(60.0), "vehicle": "pool"},
        {"origin": "R1", "destination": "far", "minutes": x.constant(90.0), "vehicle": "other"},
    ]
    result = ferry({}, vehicles=pools, links=links, facilities=places)
    near, far = (np.isfinite(at(result, "arrived", name)) for name in ("R2", "far"))
    assert (near ^ far).all()
    assert near.sum() > 20 and far.sum() > 20
    assert x.travel(result, "R1")[near] == pytest.approx(60.0, abs=SECOND)
    assert x.travel(result, "R1")[far] == pytest.approx(90.0, abs=SECOND)
    rows = {row["vehicle"]: row["patients"] for row in result.measures["flow"]["vehicles"]}
    assert rows == {"pool": near.sum(), "other": far.sum()}
