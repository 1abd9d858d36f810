"""Stages of care: their order, their times, and triage."""

import itertools
import math
from typing import Any

import effects as x
import numpy as np
import pytest
from scipy import stats
from small_networks import (
    AWAITED_CODES,
    MASS,
    SECOND,
    Result,
    at,
    calls_for_role_3_surgery,
    category_at,
    closed,
    given,
    has_burnt_airway,
    has_torn_vessel_or_eye,
    held,
    hospital,
    needs_operation,
    resource,
    run,
    through,
    under_tourniquet,
    wakes_in_intensive_care,
)

from engine.codes import AT_POI, EN_ROUTE, EVENTS, TRIAGE, CasualtyKind

LONGEST_ICU = 2520.0
AWAKE_ICU = 1440.0
"""Minutes: the longest of the distribution, and of who is awake and needs no blood (docs/model.md section 2.7.3)."""
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
        if (
            name == "icu_minutes"
        ):  # the state ends it when the comatose wake up, and for the awake after a day
            by_state = (before > LONGEST_ICU) | np.isclose(before, AWAKE_ICU) | np.isclose(after, AWAKE_ICU)
            assert 0 < by_state.sum() < 0.7 * np.isfinite(before).sum()
            before[by_state] = after[by_state] = np.nan
        assert np.isfinite(before).sum() > 30
        if name == field:
            assert given(after)[0] == pytest.approx(77.0, abs=1e-3)
            assert (np.abs(given(before)[0] - 77.0) > 1.0).mean() > 0.9
        else:
            assert after == pytest.approx(before, abs=1e-3, nan_ok=True)


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
        result = hospital(
            facility,
            total=1200,
            survival={"lethality": 0.25},
            retriage_minutes=interval,
            triage_accuracy=1.0,
        )
        waiting = at(result, "waiting", "R2", AWAITED_CODES["treatment_bay"])
        again = x.rows(result, "triaged", "R2")
        begins = at(result, "care_started", "R2"), at(result, "resuscitation_started", "R2")
        later = again["at"] / x.MINUTE > waiting[again["patient"]] + SECOND
        in_care = again["at"] / x.MINUTE >= np.fmin(*begins)[again["patient"]]
        later &= ~in_care  # before the ward there is another one
        again = again[later]
        turns = (again["at"] / x.MINUTE - waiting[again["patient"]]) / interval
        assert turns == pytest.approx(np.round(turns), abs=1e-4)
        assert (turns > 0.5).all()
        first = category_at(result, "R2")[again["patient"]]
        assert (again["detail"] < first).all()
        found[interval] = len(again)
    assert found[30.0] >= found[120.0] > found[1e6] == 0


def of_minor(result: Result, triaged: Any) -> Any:
    """First triages of T3 there, about whom anybody may err; T1 is whose pressure is low."""
    _, first = np.unique(triaged["patient"], return_index=True)
    triaged = triaged[first]
    true = result.patients["triage"][triaged["patient"]]
    return triaged[(true == TRIAGE.index("T3")) & (triaged["detail"] != TRIAGE.index("T1"))]


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_triage_is_right_with_the_probability_asked_for(accuracy: float) -> None:
    result = through({}, triage_accuracy=accuracy)
    triaged = x.rows(result, "triaged")
    for place in (AT_POI, 0):
        here = triaged[triaged["facility"] == place]
        here = of_minor(result, here)
        here = here[~(under_tourniquet(result) | has_torn_vessel_or_eye(result))[here["patient"]]]
        right = (here["detail"] == result.patients["triage"][here["patient"]]).sum()
        if accuracy in (0.0, 1.0):
            assert right == accuracy * len(here)
        else:
            assert x.share_is(right, len(here), accuracy, lines=2)
    usual = through({})
    triaged = x.rows(usual, "triaged")
    here = of_minor(usual, triaged[triaged["facility"] == 0])
    here = here[~under_tourniquet(usual)[here["patient"]]]
    right = (here["detail"] == usual.patients["triage"][here["patient"]]).sum()
    assert stats.binomtest(int(right), len(here), 0.9).pvalue > 0.001


# --- the order of the stages

ORDER = (
    "arrived",
    "decontamination_started",
    "decontamination_ended",
    "triaged",
    "care_started",
    "care_ended",
    "resuscitation_started",
    "resuscitation_ended",
    "surgery_started",
    "surgery_ended",
    "definitive_surgery_started",
    "definitive_surgery_ended",
    "icu_admitted",
    "ward_admitted",
    "evacuation_requested",
    "departed",
)


def chain(**settings: Any) -> Result:
    """Role 1 to Role 4 in one chain, without limits; nobody dies of wounds."""
    return run(3000, **{"survival": x.NOBODY_DIES, **x.network(), **settings})


@pytest.mark.parametrize("facility", ["R1", "R2", "R3"])
def test_the_stages_of_a_facility_follow_one_another(facility: str) -> None:
    result = chain(mix=x.MIXED)
    times = [at(result, kind, facility) for kind in ORDER]
    bed = np.fmin(at(result, "icu_admitted", facility), at(result, "ward_admitted", facility))
    put_off = np.zeros(len(result), bool)  # the second operation of the day after, and the excision of burns
    for kind in ("surgery_started", "definitive_surgery_started"):
        put_off |= at(result, kind, facility) > bed
    assert put_off.any() == (facility == "R3")
    assert put_off.mean() < 0.2
    latest = np.full(len(result), -math.inf)
    for when in times:
        there = np.isfinite(when)
        assert (when >= latest)[there & ~put_off].all()
        latest = np.where(there, when, latest)
    arrived, triaged = times[0], times[ORDER.index("triaged")]
    assert (np.isfinite(arrived) == np.isfinite(triaged)).all()
    treated = np.isfinite(at(result, "care_started", facility)) | np.isfinite(
        at(result, "resuscitation_started", facility)
    )
    operated = np.isfinite(at(result, "definitive_surgery_started", facility))
    assert (treated | operated)[
        np.isfinite(arrived)
    ].all()  # who comes for the definitive operation has it at once


def test_the_request_is_made_at_first_aid_or_after_a_quarter_of_the_leg() -> None:
    result = run(3000, survival=x.NOBODY_DIES, **x.one_place(minutes=x.constant(40.0)))
    hurt, asked, aid = (at(result, kind) for kind in ("injured", "evacuation_requested", "first_aid"))
    alive = np.isfinite(asked)
    assert alive.sum() > 2000
    assert (asked - hurt)[alive] == pytest.approx(np.fmin(aid - hurt, 10.0)[alive], abs=SECOND)
    assert (asked < aid - SECOND).any() and (np.abs(asked - aid) < SECOND).any()
    assert (at(result, "departed") - hurt)[alive] == pytest.approx(20.0, abs=SECOND)


def test_first_aid_that_comes_late_is_given_on_the_way_or_not_at_all() -> None:
    result = run(3000, survival=x.NOBODY_DIES, **x.one_place(minutes=x.constant(10.0)))
    left, aid, door = (at(result, kind) for kind in ("departed", "first_aid", "arrived"))
    event = x.rows(result, "first_aid")
    place = np.full(len(result), 99)
    place[event["patient"]] = event["facility"]
    late = np.isfinite(aid) & (aid > left)
    assert late.sum() > 100
    assert (place[late] == EN_ROUTE).all()
    assert (place[np.isfinite(aid) & (aid < left)] == AT_POI).all()
    assert (aid <= door)[np.isfinite(aid) & np.isfinite(door)].all()
    assert (np.isnan(aid) & np.isfinite(door)).sum() > 100


def test_the_precedence_of_a_request_is_the_category_assigned_before_it() -> None:
    result = chain()
    e = result.events
    asked = np.flatnonzero(e["kind"] == EVENTS.index("evacuation_requested"))
    found = np.zeros(len(result), int)
    seen = 0
    triaged = EVENTS.index("triaged")
    for k in range(len(e)):
        if e["kind"][k] == triaged:
            found[e["patient"][k]] = e["detail"][k]
        elif e["kind"][k] == EVENTS.index("evacuation_requested"):
            assert e["detail"][k] == found[e["patient"][k]]
            seen += 1
    assert seen == len(asked) > 3000


@pytest.mark.parametrize("operates", [True, False])
def test_intensive_care_is_for_the_grave_operated_on_and_for_AIS_4(operates: bool) -> None:
    result = chain(**x.network(R2={"dcs": operates}))
    for facility in ("R2", "R3"):
        there = np.isfinite(at(result, "triaged", facility))
        operated = np.isfinite(at(result, "surgery_started", facility)) | np.isfinite(
            at(result, "definitive_surgery_started", facility)
        )
        wounded = result.patients["kind"] == CasualtyKind.WOUNDED
        skull = needs_operation(result, "craniotomy") & (facility == "R2")  # opened there only to save life
        sent_on = ~operated & calls_for_role_3_surgery(result) & (facility == "R2")
        operated &= wakes_in_intensive_care(result)
        needs = wounded & there & ~sent_on & (operated | (result.patients["worst_ais"] >= 4))
        admitted = np.isfinite(at(result, "icu_admitted", facility))
        assert 100 < needs.sum() < there.sum()
        again = np.isfinite(at(result, "surgery_started", "R2")) & (
            facility == "R3"
        )  # a small one needs none
        assert admitted[needs & ~skull & ~again].all()
        burnt = np.zeros(len(result), bool)
        burnt[x.treatments(result, "burn_fluids")["patient"]] = True
        assert (has_burnt_airway(result) | skull | burnt)[admitted & ~needs].all()


def test_an_operation_follows_the_resuscitation_by_its_wait() -> None:
    result = chain()
    ended, began = at(result, "resuscitation_ended", "R2"), at(result, "surgery_started", "R2")
    assert np.isfinite(began).sum() > 300
    assert given(began - ended)[0] == pytest.approx(15.0, abs=SECOND)


def test_a_casualty_is_resuscitated_and_operated_on_once() -> None:
    result = chain()
    for kind in ("resuscitation_started", "surgery_started", "definitive_surgery_started"):
        times = np.bincount(x.rows(result, kind)["patient"], minlength=len(result))
        assert times.max() == 1
        assert times.sum() > 200
    first, second = at(result, "surgery_started"), at(result, "definitive_surgery_started")
    assert (first < second)[np.isfinite(second)].all()


def test_a_staging_unit_only_stages() -> None:
    places = [
        {"id": "R1", "role": 1, "policy_days": 0.0},
        {"id": "CSU", "role": 0, "kind": "csu"},
        {"id": "R4", "role": 4},
    ]
    way = ["POI", "R1", "CSU", "R4"]
    links = [{"origin": a, "destination": b, "minutes": x.constant(30.0)} for a, b in itertools.pairwise(way)]
    result = run(400, facilities=places, links=links, survival=x.NOBODY_DIES)
    here = result.events[result.events["facility"] == x.place(result, "CSU")]
    assert {EVENTS[kind] for kind in np.unique(here["kind"])} == {
        "staged",
        "evacuation_requested",
        "departed",
    }
    assert len(here) > 900
    for table in (result.treatments, result.vitals):
        assert not (table["facility"] == x.place(result, "CSU")).any()
    staged, left = at(result, "staged"), at(result, "departed", "CSU")
    assert given(left - staged)[0] == pytest.approx(0.0, abs=SECOND)  # an unlimited vehicle leaves at once


def test_at_role_4_a_casualty_has_left_the_theatre() -> None:
    result = chain()
    arrived, gone = at(result, "arrived", "R4"), at(result, "left_theatre")
    assert np.isfinite(arrived).sum() > 300
    assert (np.isfinite(arrived) == x.status(result, "evacuated")).all()
    assert given(gone)[0] == pytest.approx(given(arrived)[0], abs=SECOND)
    assert given(closed(result)[np.isfinite(gone)])[0] == pytest.approx(given(gone)[0], abs=SECOND)


def test_decontamination_takes_place_once_at_the_first_door() -> None:
    result = chain(warfare=[{"type": "cbrn"}])
    agent = result.patients["kind"] == CasualtyKind.AGENT
    began, ended = (x.rows(result, f"decontamination_{which}") for which in ("started", "ended"))
    assert len(began) == len(ended) > 200
    assert agent[began["patient"]].all()
    assert np.bincount(began["patient"]).max() == 1
    assert (began["facility"] == x.place(result, "R1")).all()
    door, start, end = (
        at(result, kind, "R1") for kind in ("arrived", "decontamination_started", "decontamination_ended")
    )
    assert given(start - door)[0] == pytest.approx(0.0, abs=SECOND)
    assert given(end - start)[0] == pytest.approx(20.0, abs=SECOND)
