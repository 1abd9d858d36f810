"""Every setting of what is finite has an effect, in the direction and of the size its name promises."""

import math
from dataclasses import replace
from typing import Any

import effects as x
import numpy as np
import pytest
from scipy import stats

import goldenhour
from engine.codes import AT_POI, AWAITED, EN_ROUTE, EVENTS, TRIAGE, CasualtyKind, DeathCause
from engine.errors import RunError
from engine.tables import columns as c
from scenarios import catalogue

HOUR, DAY = 60.0, 1440.0
SECOND = 1 / 60
AWAITED = {name: k for k, name in enumerate(AWAITED)}
Result = goldenhour.Result


# --- small networks, and what is seen in them


def run(total: int, **settings: Any) -> Result:
    """A run with its patients in the order of injury: records come in the order in which they are complete."""
    result = x.run(total, **settings)
    order = np.lexsort((result.patients["id_lo"], result.patients["time"]))
    rank = np.argsort(order)
    changed = {}
    for name in c.TABLES:
        table = getattr(result, name).copy()
        if name == "patients":
            table = table[order]
        else:
            table["patient"] = rank[table["patient"]]
        changed[name] = table
    return replace(result, **changed)


def hospital(facility: dict[str, Any], total: int = 400, days: int = 2, **settings: Any) -> Result:
    """Casualties of `days` at a single Role 2, 30 minutes away; nobody dies of wounds."""
    place = {"id": "R2", "role": 2, **facility}
    links = [{"origin": "POI", "destination": "R2", "minutes": x.constant(30.0)}]
    whole = {"facilities": [place], "links": links, "days": days, "survival": x.NOBODY_DIES}
    return run(total, **{**whole, **settings})


def ferry(
    vehicle: dict[str, Any],
    total: int = 300,
    days: int = 2,
    link: dict[str, Any] | None = None,
    **settings: Any,
) -> Result:
    """All go to R1, unlimited, and from there by a pool of vehicles to R2, an hour away; their base is R1."""
    pool = {"id": "pool", "kind": "ambulance_standard", "number": 1000, "litters": 1, **vehicle}
    legs = [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
        {"origin": "R1", "destination": "R2", "minutes": x.constant(60.0), "vehicle": "pool", **(link or {})},
    ]
    places = [{"id": "R1", "role": 1, "policy_days": 0.0}, {"id": "R2", "role": 2}]
    whole = {"facilities": places, "links": legs, "vehicles": [pool], "days": days, "survival": x.NOBODY_DIES}
    return run(total, **{**whole, **settings})


def two(
    near: dict[str, Any], far: dict[str, Any], total: int = 400, days: int = 2, **settings: Any
) -> Result:
    """A Role 2 at 30 and one at 60 minutes, from which all go on to a Role 4."""
    places: list[dict[str, Any]] = [
        {"id": "near", "role": 2, "policy_days": 0.0, **near},
        {"id": "far", "role": 2, "policy_days": 0.0, **far},
        {"id": "R4", "role": 4},
    ]
    links = [
        {"origin": "POI", "destination": "near", "minutes": x.constant(30.0)},
        {"origin": "POI", "destination": "far", "minutes": x.constant(60.0)},
        {"origin": "near", "destination": "R4", "minutes": x.constant(300.0)},
        {"origin": "far", "destination": "R4", "minutes": x.constant(300.0)},
    ]
    whole = {"facilities": places, "links": links, "days": days, "survival": x.NOBODY_DIES}
    return run(total, **{**whole, **settings})


def at(result: Result, kind: str, facility: str | None = None, detail: int | None = None) -> Any:
    """Minutes from the start to each patient's first event of a kind; NaN for those who have none."""
    e = x.rows(result, kind, facility)
    if detail is not None:
        e = e[e["detail"] == detail]
    found = np.full(len(result), np.inf)
    np.minimum.at(found, e["patient"], e["at"] / x.MINUTE)
    return np.where(np.isfinite(found), found, np.nan)


def closed(result: Result) -> Any:
    return result.patients["closed"] / x.MINUTE


def given(*values: Any) -> Any:
    """The rows of some columns in which none is NaN."""
    there = ~np.isnan(np.stack(values)).any(axis=0)
    return [value[there] for value in values]


def level(begin: Any, end: Any) -> tuple[Any, Any]:
    """Times of change, and how many intervals are open from each on; ends come before begins."""
    begin, end = given(begin, end)
    times = np.concatenate((end, begin))
    change = np.repeat((-1, 1), len(begin))
    order = np.lexsort((change, np.round(times, 3)))
    return times[order], np.cumsum(change[order])


def care(result: Result, facility: str = "R2") -> tuple[Any, Any]:
    """From when to when the treatment bays are used: until the end of care, or what breaks it off."""
    e = result.events
    kinds = [EVENTS.index(f"{name}") for name in ("care_started", "resuscitation_started", "care_resumed")]
    k = np.flatnonzero(np.isin(e["kind"], kinds) & (e["facility"] == x.place(result, facility)))
    return e["at"][k] / x.MINUTE, e["at"][k + 1] / x.MINUTE


def peak(begin: Any, end: Any) -> int:
    return int(level(begin, end)[1].max())


def resource(result: Result, name: str, facility: str = "R2") -> dict[str, Any]:
    """The summary's row of a resource."""
    rows = result.measures["flow"]["resources"]
    return next(row for row in rows if (row["facility"], row["resource"]) == (facility, name))


def pool_of(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = result.measures["flow"]["vehicles"][0]
    return row


def counts(result: Result, facility: str = "R2") -> dict[str, Any]:
    """The summary's row of a facility."""
    return next(row for row in result.measures["flow"]["facilities"] if row["facility"] == facility)


def groups(result: Result, facility: str = "R1") -> dict[float, list[int]]:
    """Patients by the minute at which they departed together from a facility."""
    found: dict[float, list[int]] = {}
    for patient, when in enumerate(at(result, "departed", facility)):
        if not math.isnan(when):
            found.setdefault(round(float(when), 4), []).append(patient)
    return found


def hour_of_day(minutes: Any) -> Any:
    return np.asarray(minutes) / HOUR % 24


# --- times of service

STEPS = {
    "triage_minutes": ("arrived", "triaged"),
    "care_minutes": ("care_started", "care_ended"),
    "resuscitation_minutes": ("resuscitation_started", "resuscitation_ended"),
    "surgery_minutes": ("surgery_started", "surgery_ended"),
    "icu_minutes": ("icu_admitted", "ward_admitted"),
}


@pytest.mark.parametrize("field", STEPS)
def test_a_service_takes_as_long_as_the_facility_says(field: str) -> None:
    plain, own = hospital({}), hospital({field: x.constant(77.0)})
    for name, (begin, end) in STEPS.items():
        before, after = (at(r, end, "R2") - at(r, begin, "R2") for r in (plain, own))
        assert np.isfinite(before).sum() > 30
        if name == field:
            assert given(after)[0] == pytest.approx(77.0, abs=1e-3)
            assert (np.abs(given(before)[0] - 77.0) > 1.0).mean() > 0.9
        else:
            assert after == pytest.approx(before, abs=1e-3, nan_ok=True)


# --- resources of a facility

HELD = {
    "triage_teams": ("triage_teams", "triage_team"),
    "treatment_bays": ("treatment_bays", "treatment_bay"),
    "operating_tables": ("operating_tables", "operating_table"),
    "surgical_teams": ("operating_tables", "operating_table"),
    "icu_beds": ("icu_beds", "icu_bed"),
    "ward_beds": ("ward_beds", "ward_bed"),
}
"""By setting: the resource of the summary, and what is waited for."""


def held(result: Result, field: str) -> tuple[Any, Any]:
    """From when to when each patient has what the setting limits."""
    if field == "triage_teams":
        return at(result, "triaged", "R2") - 20.0, at(result, "triaged", "R2")
    if field == "treatment_bays":
        begin, end = (
            np.fmin(at(result, f"care_{which}"), at(result, f"resuscitation_{which}"))
            for which in ("started", "ended")
        )
        return begin, end
    if field == "icu_beds":
        return at(result, "icu_admitted"), at(result, "ward_admitted")
    if field == "ward_beds":
        return at(result, "ward_admitted"), closed(result)
    return at(result, "surgery_started"), at(result, "surgery_ended")


@pytest.mark.parametrize("field", HELD)
def test_a_limit_is_reached_and_never_passed(field: str) -> None:
    name, awaited = HELD[field]
    base = {"triage_minutes": x.constant(20.0), "places": 100_000}
    free, more, few = (hospital({**base, **limit}) for limit in ({}, {field: 4}, {field: 2}))
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
        waited, got = given(at(result, "waiting", "R2", AWAITED[awaited]), begin)
        assert len(waited) == len(x.rows(result, "waiting")) > 20
        assert row["mean_wait_minutes"] == pytest.approx((got - waited).sum() / users, rel=1e-3)
        waits.append(row["mean_wait_minutes"])
    longer = 1.3 if field == "ward_beds" else 1.9  # who is well when a bed is free leaves it soon
    assert waits[1] > longer * waits[0] > 0


def test_tables_are_of_use_as_far_as_there_are_teams() -> None:
    one, two_teams = (hospital({"operating_tables": 3, "surgical_teams": n}) for n in (1, 2))
    assert peak(*held(one, "operating_tables")) == 1
    assert peak(*held(two_teams, "operating_tables")) == 2
    span = [np.ptp(given(at(r, "surgery_started"))[0]) for r in (one, two_teams)]
    assert span[0] == pytest.approx(2 * span[1], rel=0.05)


def through(facility: dict[str, Any], **settings: Any) -> Result:
    """A Role 2 that sends all on to a Role 4."""
    places = [{"id": "R2", "role": 2, "policy_days": 0.0, **facility}, {"id": "R4", "role": 4}]
    links = [
        {"origin": "POI", "destination": "R2", "minutes": x.constant(30.0)},
        {"origin": "R2", "destination": "R4", "minutes": x.constant(30.0)},
    ]
    whole = {"facilities": places, "links": links, "days": 2, "survival": x.NOBODY_DIES}
    return run(400, **{**whole, **settings})


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
    return hospital(base | ({"surge": surge} if surge else {}), total=200, days=1)


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


def test_in_surge_beds_the_clock_runs_faster() -> None:
    facility = {"ward_beds": 2, "treatment_bays": 2, "places": 100_000}
    surge = {"trigger": 0.0, "ward_beds": 1000, "treatment_bays": 1000}
    wide = {"ward_beds": 1002, "treatment_bays": 1002, "places": 100_000}
    dead = [x.cfr(hospital(f, total=3000, survival=None)) for f in (wide, {**facility, "surge": surge})]
    assert dead[1] > dead[0]


# --- blood


def bled(blood: dict[str, Any], **settings: Any) -> Result:
    return hospital({"dcs": False, **blood}, **{"total": 3000, "days": 8, "survival": None, **settings})


def test_blood_is_used_up_and_who_has_none_dies_sooner() -> None:
    plenty, some, none = (bled({"blood_units": n}) for n in (100_000, 200, 0))
    assert x.same_people(plenty, some, none)
    need = counts(plenty)["blood_used"] / 4
    assert need > 90
    assert counts(plenty)["blood_short"] == 0
    for units, result in ((200, some), (0, none)):
        assert counts(result)["blood_used"] == units
        assert (counts(result)["blood_short"] == 0) == (units // 4 == need)
        assert len(x.treatments(result, "blood_transfusion")) == units // 4
    assert len(x.treatments(plenty, "blood_transfusion")) == need
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


def test_blood_is_resupplied_in_its_interval_by_its_units() -> None:
    wanted = np.sort(x.treatments(bled({"blood_units": 100_000}), "blood_transfusion")["start"]) / x.MINUTE

    def used(hours: float, units: int) -> Any:
        result = bled({"blood_units": 4, "resupply_hours": hours, "resupply_units": units})
        stock, delivered, transfused = 4, 0, []
        for when in wanted - 4.0:  # four minutes into the resuscitation
            new = int(when // (hours * HOUR))
            stock, delivered = stock + (new - delivered) * units, new
            if stock >= 4:
                stock -= 4
                transfused.append(when + 4.0)
        seen = np.sort(x.treatments(result, "blood_transfusion")["start"]) / x.MINUTE
        assert seen == pytest.approx(np.array(transfused), abs=SECOND)
        assert counts(result)["blood_used"] == 4 * len(transfused)
        return len(transfused)

    daily, twice, double = used(24.0, 8), used(12.0, 8), used(24.0, 16)
    assert twice > 1.7 * daily > 20
    assert double > 1.7 * daily


# --- links


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


def batches(**batch: Any) -> Result:
    return ferry(
        {"litters": 60, "seats": 0},
        total=200,
        days=6,
        link={"batch": {"minimum": 4, "wait_minutes": 240.0, "override": [], **batch}},
        retriage_minutes=1e6,
    )


def waits_for_ride(result: Result) -> Any:
    return at(result, "departed", "R1") - at(result, "evacuation_requested", "R1")


def category_at(result: Result, facility: str) -> Any:
    """The category assigned at a facility, first."""
    e = x.rows(result, "triaged", facility)[::-1]
    found = np.zeros(len(result), int)
    found[e["patient"]] = e["detail"]
    return found


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
        urgent = np.isin(category_at(result, "R1"), [TRIAGE.index(name) for name in override])
        assert urgent.any() == bool(override)
        assert (wait[urgent] < SECOND).all()
        for group in groups(result).values():
            assert urgent[group].any() or max(wait[group]) == pytest.approx(240.0, abs=SECOND)


# --- vehicles


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
    must_lie = (category_at(sitting, "R1") <= 2) | np.isfinite(at(sitting, "surgery_started"))
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
    link = {"minutes": x.constant(400.0), "vehicle": "pool"}
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


# --- the world


def test_a_facility_that_opens_later_takes_nobody_before() -> None:
    for hours in (12.0, 30.0):
        result = two({}, {}, world=[{"event": "open", "at_hours": hours, "facility": "near"}])
        departed = at(result, "departed")
        near = np.isfinite(at(result, "arrived", "near"))
        asked = at(result, "evacuation_requested")
        assert asked[near].min() >= hours * HOUR
        assert (near == (asked >= hours * HOUR)).all()
        assert np.isfinite(departed).all()


@pytest.mark.parametrize("event", ["close", "move"])
def test_a_closed_facility_takes_nobody_for_the_duration(event: str) -> None:
    for place, other, duration in (("near", "far", 8.0), ("near", "far", None), ("far", "near", 8.0)):
        happens = {"event": event, "at_hours": 20.0, "facility": place}
        if duration:
            happens["duration_hours"] = duration
        result = two({}, {}, world=[happens])
        asked = at(result, "evacuation_requested")
        shut = (asked >= 20 * HOUR) & (asked < (20 + (duration or math.inf)) * HOUR)
        assert 20 < shut.sum() < 380
        came = np.isfinite(at(result, "arrived", place))
        assert not came[shut].any()
        assert np.isfinite(at(result, "arrived", other))[shut].all()
        assert (came[~shut] == (place == "near")).all()


def test_a_facility_that_has_moved_is_as_much_nearer_or_farther() -> None:
    for factor, travels in ((0.5, 15.0), (1.0, 30.0), (1.5, 45.0)):
        happens = {"event": "move", "at_hours": 20.0, "facility": "near", "duration_hours": 1.0}
        result = two({}, {}, world=[happens | {"minutes_factor": factor}])
        asked, departed, left, last = (
            at(result, *which)
            for which in (
                ("evacuation_requested",),
                ("arrived", "near"),
                ("departed", "near"),
                ("arrived", "R4"),
            )
        )
        onset = result.patients["time"] / x.MINUTE
        after = (onset > 21 * HOUR) & np.isfinite(departed)
        before = asked < 20 * HOUR
        assert before.sum() > 50 and after.sum() > 50
        assert np.median((departed - onset)[before]) == pytest.approx(30.0, abs=0.1)
        assert np.median((departed - onset)[after]) == pytest.approx(travels, abs=0.1)
        onward = left > 21 * HOUR
        assert np.median((last - left)[onward]) == pytest.approx(300.0 * factor, abs=0.1)


def test_who_waits_is_brought_to_what_is_closest_since_the_move() -> None:
    happens = {"event": "move", "at_hours": 20.0, "facility": "near", "duration_hours": 1.0}
    for bypass in (True, False):
        for factor, goes in ((1.9, True), (2.1, False)):
            result = two({}, {}, bypass=bypass, world=[happens | {"minutes_factor": factor}])
            later = result.patients["time"] / x.MINUTE > 21 * HOUR
            assert later.sum() > 50
            assert (np.isfinite(at(result, "arrived", "near"))[later] == goes).all()


def struck(**hit: Any) -> Result:
    happens = {"event": "hit", "at_hours": 24.0, "facility": "near", **hit}
    return two({"treatment_bays": 6}, {"treatment_bays": 6}, total=600, world=[happens])


def test_a_hit_takes_its_share_of_the_capacity_for_the_duration() -> None:
    for lost, duration in ((0.5, 10.0), (0.5, 5.0), (1.0, 10.0)):
        result = struck(capacity_lost=lost, duration_hours=duration)
        rows = result.facilities
        rows = rows[(rows["resource"] == 1) & (rows["facility"] == 0)]
        during = (rows["at"] > 24 * 3_600_000) & (rows["at"] < (24 + duration) * 3_600_000)
        assert set(rows["capacity"][during].tolist()) == {round(6 * (1 - lost))}
        assert set(rows["capacity"][~during & (rows["at"] != 24 * 3_600_000)].tolist()) == {6}
        times, busy = level(*care(result, "near"))
        inside = (times > 24 * HOUR) & (times < (24 + duration) * HOUR)
        assert busy[times < 24 * HOUR].max() == 6
        assert busy[inside].max(initial=0) <= 6 * (1 - lost)


def test_a_hit_takes_its_share_of_the_teams_where_tables_have_no_limit() -> None:
    happens = [{"event": "hit", "at_hours": 24.0, "facility": "near", "capacity_lost": 0.5}]
    rows = two({"surgical_teams": 4}, {}, world=happens).facilities
    rows = rows[(rows["resource"] == 2) & (rows["facility"] == 0) & (rows["at"] > 24 * 3_600_000)]
    assert set(rows["capacity"].tolist()) == {2}


def test_a_hit_kills_its_share_of_those_inside() -> None:
    few, many, none = (struck(killed=k, capacity_lost=0.0) for k in (0.2, 0.6, 0.0))

    def inside(result: Result) -> Any:
        arrived, gone = at(result, "arrived", "near"), at(result, "departed", "near")
        return (arrived <= 24 * HOUR) & ~(gone <= 24 * HOUR)

    def killed(result: Result) -> Any:
        return result.patients["death_cause"] == DeathCause.FACILITY_HIT

    there = inside(none)
    assert there.sum() > 30
    assert not killed(none).any()
    for share, result in ((0.2, few), (0.6, many)):
        assert (there | ~killed(result)).all()
        assert x.share_is(killed(result).sum(), there.sum(), share, lines=2)
        assert closed(result)[killed(result)] == pytest.approx(24 * HOUR, abs=SECOND)
        assert x.status(result, "dow")[killed(result)].all()
    assert (killed(many) | ~killed(few)).all()


def test_all_whom_a_hit_finds_inside_begin_again() -> None:
    result = struck(capacity_lost=0.0)
    arrived, gone = at(result, "arrived", "near"), at(result, "departed", "near")
    inside = (arrived <= 24 * HOUR) & ~(gone <= 24 * HOUR)
    hit = x.rows(result, "facility_hit")
    assert set(hit["patient"].tolist()) == set(np.flatnonzero(inside).tolist())


def test_those_whom_a_hit_spares_begin_again_with_triage() -> None:
    result = struck(capacity_lost=0.0)
    arrived, gone = at(result, "arrived", "near"), at(result, "departed", "near")
    inside = (arrived <= 24 * HOUR) & ~(gone <= 24 * HOUR)
    hit = x.rows(result, "facility_hit")
    assert inside.sum() > 30
    triaged = x.rows(result, "triaged", "near")
    again = {int(k) for k in triaged["patient"][triaged["at"] > 24 * 3_600_000]}
    assert set(hit["patient"].tolist()) <= again
    assert (hit["at"] == 24 * 3_600_000).all()
    assert 0.5 * inside.sum() < len(hit) <= inside.sum()
    assert inside[hit["patient"]].all()
    begun = np.isfinite(at(result, "care_started", "near")) & (at(result, "care_started", "near") < 24 * HOUR)
    cut = begun & ~(at(result, "care_ended", "near") < 24 * HOUR) & inside
    starts = np.bincount(x.rows(result, "care_started", "near")["patient"], minlength=len(result))
    assert cut.any()
    assert (starts[cut] == 2).all()


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


# --- policies


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


def test_the_arrived_are_counted() -> None:
    result = two({"places": 10}, {})
    for name in ("near", "far"):
        assert counts(result, name)["arrived"] == len(x.rows(result, "arrived", name))


def test_the_destination_is_the_closest_a_random_one_or_the_least_loaded() -> None:
    came = {}
    for policy in ("closest-first", "spread-out", "least-loaded"):
        result = two({}, {}, total=1000, destination=policy)
        came[policy] = int(np.isfinite(at(result, "arrived", "near")).sum())
        assert came[policy] + np.isfinite(at(result, "arrived", "far")).sum() == 1000
        if policy == "least-loaded":
            inside = []
            for name in ("near", "far"):
                there = np.isfinite(at(result, "arrived", name))
                left = np.where(there, at(result, "departed"), np.nan)
                inside.append(level(left, at(result, "departed", name)))
            grid = np.linspace(2, 46, 200) * HOUR
            load = [n[np.searchsorted(t, grid, side="right") - 1] for t, n in inside]
            assert np.abs(load[0] - load[1]).mean() < 4.0
            assert load[0].mean() > 5
    assert came["closest-first"] == 1000
    assert x.share_is(came["spread-out"], 1000, 0.5)
    assert 400 < came["least-loaded"] < 700


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
    # all of the care is given: what is broken off is made up for
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


MASS = {
    "events": [{"event": "mass_casualty", "day": 1, "hour": 6, "casualty_multiplier": 8.0}],
    "mascal_threshold": 2,
    "intensity": "high",
}


def test_the_worst_wounded_of_a_mass_casualty_incident_are_expectant() -> None:
    facility = {"treatment_bays": 6, "places": 100_000}
    plain, triaged = (
        hospital(
            facility, total=1500, days=4, expectant=able, triage_accuracy=1.0, retriage_minutes=1e6, **MASS
        )
        for able in (False, True)
    )
    assert x.same_people(plain, triaged)
    p = triaged.patients
    worst = (p["mascal"] == 1) & (p["niss"] >= 50) & (p["kind"] == CasualtyKind.WOUNDED)
    assert worst.sum() > 5
    assert not (x.rows(plain, "triaged")["detail"] == 4).any()
    assert ((category_at(triaged, "R2") == 4) == worst).all()
    begin = [held(r, "treatment_bays")[0][worst] for r in (plain, triaged)]
    assert (begin[1] - begin[0]).mean() > 60
    assert resource(triaged, "treatment_bays")["waits_T4"] == worst.sum()
    assert (
        resource(triaged, "treatment_bays")["mean_wait_minutes_T4"]
        > resource(triaged, "treatment_bays")["mean_wait_minutes_T3"]
    )
    higher = hospital(facility, total=1500, days=4, expectant=True, **{**MASS, "mascal_threshold": 1000})
    assert not (x.rows(higher, "triaged")["detail"] == 4).any()


def test_the_expectant_are_last_as_long_as_they_wait() -> None:
    facility = {"treatment_bays": 6, "places": 100_000}
    result = hospital(facility, total=1500, days=4, expectant=True, triage_accuracy=1.0, **MASS)
    p = result.patients
    worst = (p["mascal"] == 1) & (p["niss"] >= 50) & (p["kind"] == CasualtyKind.WOUNDED)
    assert resource(result, "treatment_bays")["waits_T4"] == worst.sum() > 0


def test_those_who_wait_are_triaged_again_in_its_interval() -> None:
    facility = {"treatment_bays": 2, "places": 100_000}
    found = {}
    for interval in (30.0, 120.0, 1e6):
        result = hospital(facility, total=400, survival=None, retriage_minutes=interval, triage_accuracy=1.0)
        waiting = at(result, "waiting", "R2", AWAITED["treatment_bay"])
        again = x.rows(result, "triaged", "R2")
        later = again["at"] / x.MINUTE > waiting[again["patient"]] + SECOND
        again = again[later]
        turns = (again["at"] / x.MINUTE - waiting[again["patient"]]) / interval
        assert turns == pytest.approx(np.round(turns), abs=1e-4)
        assert (turns > 0.5).all()
        first = category_at(result, "R2")[again["patient"]]
        assert (again["detail"] < first).all()
        found[interval] = len(again)
    assert found[30.0] >= found[120.0] > found[1e6] == 0


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_triage_is_right_with_the_probability_asked_for(accuracy: float) -> None:
    result = through({}, triage_accuracy=accuracy)
    triaged = x.rows(result, "triaged")
    for place in (AT_POI, 0):
        here = triaged[triaged["facility"] == place]
        right = (here["detail"] == result.patients["triage"][here["patient"]]).sum()
        if accuracy in (0.0, 1.0):
            assert right == accuracy * len(here)
        else:
            assert x.share_is(right, len(here), accuracy, lines=2)
    usual = through({})
    triaged = x.rows(usual, "triaged")
    here = triaged[triaged["facility"] == 0]
    right = (here["detail"] == usual.patients["triage"][here["patient"]]).sum()
    assert stats.binomtest(int(right), len(here), 0.9).pvalue > 0.001


def test_a_network_of_twice_the_size_leaves_shorter_waits() -> None:
    def waits(scale: float) -> tuple[float, float]:
        result = x.run(
            1500, fronts=[x.FRONT], network="brigade", network_scale=scale, days=4, horizon_days=20
        )
        flow = result.measures["flow"]
        assert {row["resource"] for row in flow["resources"]} > {"operating_tables", "ward_beds"}
        table = next(row for row in flow["resources"] if row["resource"] == "operating_tables")
        asked = [row for row in flow["transport"] if row["waits"]]
        total = sum(row["waits"] * row["mean_wait_minutes"] for row in asked)
        return table["capacity"], total / sum(row["waits"] for row in asked)

    found = [waits(scale) for scale in (1.0, 2.0, 8.0)]
    assert [round(size / found[0][0], 2) for size, _ in found] == [1.0, 2.0, 8.0]
    assert found[0][1] > 1.2 * found[1][1] > 1.5 * found[2][1]
