"""Stages of care: their order, their times, and triage."""

import effects as x
import numpy as np
import pytest
from scipy import stats
from small_networks import (
    AWAITED_CODES,
    MASS,
    SECOND,
    at,
    category_at,
    given,
    held,
    hospital,
    resource,
    through,
)

from engine.codes import AT_POI, CasualtyKind

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
        waiting = at(result, "waiting", "R2", AWAITED_CODES["treatment_bay"])
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
