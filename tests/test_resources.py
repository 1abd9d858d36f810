"""Resources of a facility: who gets one, how long it is held, and how many there are."""

import math
from typing import Any

import effects as x
import numpy as np
import pytest
from small_networks import (
    AWAITED_CODES,
    DAY,
    HELD,
    HOUR,
    SECOND,
    Result,
    at,
    care,
    category_at,
    closed,
    counts,
    ferry,
    given,
    held,
    hospital,
    hour_of_day,
    level,
    peak,
    resource,
    through,
    waits_for_ride,
)

from engine.codes import WAITING_FOR


@pytest.mark.parametrize("field", HELD)
def test_a_limit_is_reached_and_never_passed(field: str) -> None:
    name, awaited = HELD[field]
    base = {"triage_minutes": x.constant(20.0), "places": 100_000}
    settings: dict[str, Any] = {}
    if field == "ward_beds":
        # Stays count from the injury or the first admission: who is well when a bed is free at last leaves it at
        # once. So waits for beds must be short against stays, or the number of beds hardly matters.
        settings = {"days": 300, "model": {"survival": {"stay": {"scale": 0.1, "least_days": 0.3}}}}
    free, more, few = (hospital({**base, **limit}, **settings) for limit in ({}, {field: 4}, {field: 2}))
    assert x.same_people(free, more, few)
    assert peak(*held(free, field)) > 4
    waits = []
    for limit, result in ((4, more), (2, few)):
        begin, end = held(result, field)
        row = resource(result, name)
        users = int(np.isfinite(begin).sum())
        assert peak(begin, end) == limit == row["max_in_use"]
        assert row["capacity"] == limit
        assert row["served"] == row["waits"] == users == np.isfinite(held(free, field)[0]).sum()
        waited, got = given(at(result, "waiting", "R2", AWAITED_CODES[awaited]), begin)
        assert len(waited) == len(x.rows(result, "waiting")) > 20
        assert row["mean_wait_minutes"] == pytest.approx((got - waited).sum() / users, rel=1e-3)
        waits.append(row["mean_wait_minutes"])
    assert waits[1] > 1.9 * waits[0] > 0


def test_tables_are_of_use_as_far_as_there_are_teams() -> None:
    one, two_teams = (hospital({"operating_tables": 3, "surgical_teams": n}) for n in (1, 2))
    assert peak(*held(one, "operating_tables")) == 1
    assert peak(*held(two_teams, "operating_tables")) == 2
    span = [np.ptp(given(at(r, "surgery_started"))[0]) for r in (one, two_teams)]
    assert span[0] == pytest.approx(2 * span[1], rel=0.05)


def test_no_more_than_its_places_are_inside_or_on_the_way() -> None:
    waits = []
    for settings, limit in (
        ({"places": 40}, 40),
        ({"places": 20}, 20),
        ({"ward_beds": 8, "icu_beds": 9, "treatment_bays": 3}, 20),
    ):
        result = through(settings)
        asked, left, gone = (
            at(result, "evacuation_requested", "R2"),
            at(result, "departed"),
            at(result, "departed", "R2"),
        )
        assert np.isfinite(asked).all()
        assert peak(left, gone) == limit == resource(result, "places")["max_in_use"]
        line = result.measures["flow"]["transport"][0]
        assert line["origin"] == "POI"
        waits.append(line["mean_wait_minutes"])
    assert waits[1] > 1.9 * waits[0] > 60
    assert waits[2] > waits[0]
    free = through({})
    assert peak(at(free, "departed"), at(free, "departed", "R2")) > 40


@pytest.mark.parametrize(("begin", "end"), [(6.0, 18.0), (8.0, 12.0), (20.0, 3.0)])
def test_operations_begin_while_a_team_is_on_its_shift(begin: float, end: float) -> None:
    shift = {"from_hour": begin, "to_hour": end}
    always, few, many = (
        hospital({"operating_tables": 6, "shifts": shifts}, total=200)
        for shifts in ([], [{**shift, "surgical_teams": 2}], [{**shift, "surgical_teams": 4}])
    )

    def on_duty(result: Result) -> Any:
        hour = hour_of_day(given(at(result, "surgery_started"))[0] + 1e-4)
        return (hour >= begin) & (hour < end) if begin < end else (hour >= begin) | (hour < end)

    assert 0.05 < on_duty(always).mean() < 0.95
    assert on_duty(few).all()
    assert on_duty(many).all()
    for teams, result in ((2, few), (4, many)):
        assert peak(*held(result, "operating_tables")) == teams
        hours = hour_of_day(at(result, "surgery_started"))
        assert (np.abs(hours - begin) < 1e-4).sum() >= teams  # those who waited for the shift to begin
    waits = [resource(r, "operating_tables")["mean_wait_minutes"] for r in (always, many, few)]
    assert waits[0] < waits[1] < waits[2]


def surged(**surge: Any) -> Result:
    """Ten ward beds, and what is added to them; one who has a bed keeps it for days."""
    base = {"ward_beds": 10, "icu_beds": 3, "treatment_bays": 3, "places": 100_000}
    in_bed = {"care": {"quarters": {"worst_ais": 0}}}
    return hospital(base | ({"surge": surge} if surge else {}), total=900, days=1, model=in_bed)


def test_surge_adds_its_beds_and_bays() -> None:
    none, more = surged(), surged(ward_beds=6, icu_beds=2, treatment_bays=4)
    for field, own, added in (("ward_beds", 10, 6), ("icu_beds", 3, 2), ("treatment_bays", 3, 4)):
        assert peak(*held(none, field)) == own
        assert peak(*held(more, field)) == own + added
        only = surged(**{field: added})
        assert peak(*held(only, field)) == own + added
        others = {"ward_beds": 10, "icu_beds": 3, "treatment_bays": 3}
        others.pop(field)
        for other, size in others.items():
            assert peak(*held(only, other)) == size
    mean = [resource(r, "treatment_bays")["mean_wait_minutes"] for r in (none, more)]
    assert mean[1] < mean[0]


@pytest.mark.parametrize(("trigger", "delay"), [(0.3, 0.0), (0.3, 90.0), (0.8, 0.0), (0.8, 300.0)])
def test_surge_opens_at_its_trigger_after_its_delay(trigger: float, delay: float) -> None:
    result = surged(trigger=trigger, delay_minutes=delay, treatment_bays=6)
    times, inside = level(*held(result, "ward_beds"))
    called = times[inside >= trigger * 10][0]
    times, busy = level(*held(result, "treatment_bays"))
    opened = times[busy > 3][0]
    assert opened == pytest.approx(called + delay, abs=SECOND)


def test_a_surge_place_runs_the_clock_faster() -> None:
    facility = {"ward_beds": 2, "treatment_bays": 2, "places": 100_000}
    surge = {"trigger": 0.0, "ward_beds": 1000, "treatment_bays": 1000}
    wide = {"ward_beds": 1002, "treatment_bays": 1002, "places": 100_000}
    dead = [x.cfr(hospital(f, total=3000, survival=None)) for f in (wide, {**facility, "surge": surge})]
    assert dead[1] > dead[0]


def bled(blood: dict[str, Any], **settings: Any) -> Result:
    return hospital({"dcs": False, **blood}, **{"total": 3000, "days": 8, "survival": None, **settings})


def test_blood_is_used_up_and_who_has_none_dies_sooner() -> None:
    plenty, some, none = (bled({"blood_units": n}) for n in (100_000, 200, 0))
    assert x.same_people(plenty, some, none)
    need = counts(plenty)["blood_used"]
    assert need > 1000
    assert counts(plenty)["blood_short"] == 0
    given = [x.treatments(result, "blood_transfusion") for result in (plenty, some, none)]
    for units, result, blood in zip((need, 200, 0), (plenty, some, none), given, strict=True):
        assert counts(result)["blood_used"] == units == blood["units"].sum()
        assert counts(result)["blood_short"] == need - units
        assert (blood["units"] > 0).all()
    assert len(given[0]) > len(given[1]) > len(given[2]) == 0
    rates = [x.cfr(r) for r in (plenty, some, none)]
    assert rates[0] <= rates[1] <= rates[2]
    life = [closed(r)[x.status(plenty, "dow")] for r in (plenty, none)]
    assert (life[1] <= life[0] + SECOND).all()
    assert (life[1] < life[0] - 1.0).mean() > 0.2


def test_blood_that_is_missing_is_counted_in_units() -> None:
    need = counts(bled({"blood_units": 100_000}))["blood_used"]
    assert counts(bled({"blood_units": 0}))["blood_short"] == need


def test_a_stock_of_blood_limits_no_bays() -> None:
    result = bled({"blood_units": 200})
    assert "treatment_bays" not in {row["resource"] for row in result.measures["flow"]["resources"]}


def units_by_patient(transfusions: Any) -> Any:
    """The units of all transfusions of each patient."""
    return np.bincount(transfusions["patient"], transfusions["units"]).astype(int)


def test_blood_is_resupplied_in_its_interval_by_its_units() -> None:
    plenty = bled({"blood_units": 100_000})
    blood = x.treatments(plenty, "blood_transfusion")
    began = at(plenty, "resuscitation_started")[blood["patient"]]
    _, first = np.unique(blood["patient"], return_index=True)  # what follows belongs to the same order
    ordered = units_by_patient(blood)[blood["patient"][first]]
    wanted = sorted(zip(began[first].tolist(), ordered.tolist(), strict=True))

    def used(hours: float, units: int) -> Any:
        result = bled({"blood_units": 4, "resupply_hours": hours, "resupply_units": units})
        stock, delivered, given = 4, 0, []
        for when, need in wanted:
            new = int(when // (hours * HOUR))
            stock, delivered = stock + (new - delivered) * units, new
            if stock > 0:
                given.append(min(stock, need))
                stock -= given[-1]
        seen = x.treatments(result, "blood_transfusion")
        used_by_patient = units_by_patient(seen)
        assert sorted(used_by_patient[used_by_patient > 0].tolist()) == sorted(given)
        assert counts(result)["blood_used"] == sum(given)
        return sum(given)

    daily, twice, double = used(24.0, 8), used(12.0, 8), used(24.0, 16)
    assert twice > 1.7 * daily > 20
    assert double > 1.7 * daily


def test_a_bed_is_held_until_the_vehicle_leaves() -> None:
    places = [{"id": "R1", "role": 1, "policy_days": 0.0, "ward_beds": 9}, {"id": "R2", "role": 2}]
    blocked = []
    for number in (3, 6):
        result = ferry({"number": number}, facilities=places)
        wait = waits_for_ride(result)
        assert resource(result, "ward_beds", "R1")["blocked_minutes"] == pytest.approx(wait.sum(), rel=1e-4)
        asked, left = at(result, "evacuation_requested", "R1"), at(result, "departed", "R1")
        assert peak(asked, left) <= 9
        blocked.append(wait.mean())
        reached = at(result, "arrived", "R1") - at(result, "injured")
        assert (reached > 120).any()  # those behind them cannot come in
    assert blocked[0] > 1.5 * blocked[1] > 0


def test_push_brings_patients_to_full_doors_and_accept_keeps_them_where_they_are() -> None:
    accept, push = (through({"places": 20}, acceptance=policy) for policy in ("accept", "push"))
    assert x.same_people(accept, push)
    assert len(x.rows(accept, "refused")) == 0
    refused = x.rows(push, "refused")
    assert len(refused) > 100
    assert x.first_leg(push) == pytest.approx(30.0, abs=SECOND)
    assert (x.first_leg(accept) > 60.0).mean() > 0.5
    within = at(push, "triaged", "R2") - 2.5
    assert peak(within, at(push, "departed", "R2")) == 20 == resource(push, "places")["max_in_use"]
    waits = (within - at(push, "refused", "R2"))[refused["patient"]]
    assert resource(push, "places")["mean_wait_minutes"] == pytest.approx(waits.sum() / 400, rel=1e-3)


def test_the_refused_are_counted() -> None:
    push = through({"places": 20}, acceptance="push")
    assert counts(push)["refused"] == len(x.rows(push, "refused"))


def test_bumping_gives_the_bays_to_the_more_urgent() -> None:
    facility = {"treatment_bays": 3, "care_minutes": x.constant(120.0), "places": 100_000}
    polite, bumped = (
        hospital(facility, total=100, bumping=able, retriage_minutes=1e6) for able in (False, True)
    )
    assert len(x.rows(polite, "bumped")) == 0
    broken = x.rows(bumped, "bumped")
    assert len(broken) > 10
    assert len(x.rows(bumped, "care_resumed")) == len(broken)
    given_at = category_at(bumped, "R2")
    assert (given_at[broken["patient"]] >= 2).all()
    urgent, routine = given_at == 1, given_at == 3
    assert urgent.sum() > 5
    first, second = (held(r, "treatment_bays")[0] - at(r, "triaged", "R2") for r in (polite, bumped))
    assert second[urgent].mean() < 0.5 * first[urgent].mean()
    assert (second[urgent] <= first[urgent] + 60).all()
    # all of the care is given: the rest of interrupted care follows later
    begin, end = at(bumped, "care_started"), at(bumped, "care_ended")
    stopped, resumed = np.zeros(len(bumped)), np.zeros(len(bumped))
    np.add.at(stopped, broken["patient"], broken["at"] / x.MINUTE)
    back = x.rows(bumped, "care_resumed")
    np.add.at(resumed, back["patient"], back["at"] / x.MINUTE)
    whole = end - begin - (resumed - stopped)
    assert given(whole)[0] == pytest.approx(120.0, abs=0.01)
    assert (end - begin)[routine & np.isfinite(begin)].max() > 121
    rows = resource(bumped, "treatment_bays"), resource(polite, "treatment_bays")
    assert rows[0]["mean_wait_minutes_T1"] < 0.5 * rows[1]["mean_wait_minutes_T1"]


# --- the queue


def queue_of(result: Result, awaited: str, got: str) -> list[tuple[float, float, int]]:
    """When each patient joined the queue for a resource of R2 and got it, and the category assigned there."""
    joined, served = at(result, "waiting", "R2", AWAITED_CODES[awaited]), at(result, got, "R2")
    category = category_at(result, "R2")
    waited = np.isfinite(joined) & np.isfinite(served)
    assert waited.sum() > 20
    return [(joined[k], served[k], int(category[k])) for k in np.flatnonzero(waited)]


@pytest.mark.parametrize(
    ("field", "awaited", "got"),
    [
        ("operating_tables", "operating_table", "surgery_started"),
        ("icu_beds", "icu_bed", "icu_admitted"),
        ("ward_beds", "ward_bed", "ward_admitted"),
    ],
)
def test_the_most_urgent_is_served_first_and_of_equals_who_came_first(
    field: str, awaited: str, got: str
) -> None:
    result = hospital({field: 2, "places": 100_000}, retriage_minutes=1e6)
    queue = queue_of(result, awaited, got)
    overtaken = 0
    for joined, served, category in queue:
        for other_joined, other_served, other_category in queue:
            if other_joined < served < other_served:  # the other was in the queue, and was passed over
                assert (category, joined) <= (other_category, other_joined)
                overtaken += joined > other_joined
    if field == "operating_tables":  # T1 and T2 are operated on: the queue holds both
        assert overtaken > 5


def test_what_one_gives_back_the_next_in_the_queue_has_at_once() -> None:
    result = hospital({"operating_tables": 1})
    begin, end = given(*held(result, "operating_tables"))
    waited = np.isfinite(at(result, "waiting", "R2", AWAITED_CODES["operating_table"]))
    assert waited.sum() > 20
    started = at(result, "surgery_started")[waited]
    gaps = np.abs(started[:, None] - end[None, :]).min(axis=1)
    assert (gaps < SECOND).all()
    assert len(begin) == len(np.unique(begin))


def test_who_finds_a_free_resource_does_not_wait() -> None:
    result = hospital({"operating_tables": 2})
    begin, end = given(*held(result, "operating_tables"))
    waited = np.isfinite(at(result, "waiting", "R2", AWAITED_CODES["operating_table"]))
    came = np.where(
        waited,
        at(result, "waiting", "R2", AWAITED_CODES["operating_table"]),
        at(result, "surgery_started"),
    )
    for when, has_to_wait in zip(came, waited, strict=True):
        if math.isfinite(when):
            busy = int(((begin < when - SECOND) & (end > when + SECOND)).sum())
            assert busy == 2 if has_to_wait else busy < 2


def test_without_limits_nobody_waits_and_nothing_is_measured() -> None:
    result = hospital({})
    assert len(x.rows(result, "waiting")) == len(x.rows(result, "refused")) == 0
    assert result.measures["flow"]["resources"] == []
    assert len(result.facilities) == 0


def test_who_dies_in_the_queue_never_gets_what_was_waited_for() -> None:
    result = hospital({"operating_tables": 1}, total=1000, survival=None)
    queued = np.isfinite(at(result, "waiting", "R2", AWAITED_CODES["operating_table"]))
    died = queued & x.status(result, "dow") & np.isnan(at(result, "surgery_started"))
    assert died.sum() == resource(result, "operating_tables")["deaths_waiting"] > 10
    assert (result.patients["waiting_for"][died] == WAITING_FOR.index("surgery")).all()
    assert peak(*held(result, "operating_tables")) == 1


def test_the_bay_of_one_who_dies_in_it_is_given_to_the_next_at_once() -> None:
    result = hospital({"treatment_bays": 4, "dcr": False, "dcs": False}, total=1000, survival=None)
    begin, end = care(result)
    died = at(result, "died", "R2")
    ended = np.fmin(at(result, "care_ended"), at(result, "bumped"))
    in_bay = np.isfinite(at(result, "care_started")) & np.isfinite(died) & np.isnan(ended)
    assert in_bay.sum() > 5
    assert peak(begin, end) == 4
    joined = at(result, "waiting", "R2", AWAITED_CODES["treatment_bay"])
    followed = 0
    for death in died[in_bay]:
        queue = (joined < death - SECOND) & (at(result, "care_started") > death - SECOND)
        if queue.any():
            assert np.nanmin(np.abs(at(result, "care_started")[queue] - death)) < SECOND
            followed += 1
    assert followed > 5


def test_the_use_of_a_resource_is_the_time_it_is_held() -> None:
    result = hospital({"operating_tables": 2})
    begin, end = given(*held(result, "operating_tables"))
    row = resource(result, "operating_tables")
    minutes = result.measures["flow"]["days"] * DAY
    assert row["mean_in_use"] * minutes == pytest.approx((end - begin).sum(), rel=1e-3)
    assert row["utilisation"] == pytest.approx(row["mean_in_use"] / 2, abs=1e-4)
    assert row["capacity_hours"] * HOUR == pytest.approx(2 * minutes, rel=1e-3)


def test_the_queue_of_a_resource_is_who_waits_for_it() -> None:
    result = hospital({"operating_tables": 1})
    joined = at(result, "waiting", "R2", AWAITED_CODES["operating_table"])
    served = at(result, "surgery_started")
    row = resource(result, "operating_tables")
    assert row["max_queue"] == peak(joined, served)
    minutes = result.measures["flow"]["days"] * DAY
    waits = np.concatenate(given(served - joined))
    assert row["mean_queue"] * minutes == pytest.approx(waits.sum(), rel=1e-3)


def test_a_patient_keeps_the_icu_bed_until_there_is_a_ward_bed() -> None:
    free, few = (hospital({"icu_beds": 40, **ward, "places": 100_000}) for ward in ({}, {"ward_beds": 4}))
    blocked = [resource(r, "icu_beds")["blocked_minutes"] for r in (free, few)]
    assert blocked[0] == 0
    in_icu = np.isfinite(at(few, "icu_admitted"))
    wait = (at(few, "ward_admitted") - at(few, "waiting", "R2", AWAITED_CODES["ward_bed"]))[in_icu]
    assert blocked[1] == pytest.approx(np.nansum(wait), rel=1e-3)
    assert blocked[1] > 1000
