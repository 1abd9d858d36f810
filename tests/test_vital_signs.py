"""Vital signs over time: they fit the lesions, fall before death, recover with treatment, and are taken often."""

import itertools
from functools import cache
from typing import Any

import effects as x
import numpy as np
import pytest

import goldenhour
from engine.codes import (
    DEATH_CAUSES,
    EFFECTS,
    LETHAL_MECHANISMS,
    NONE,
    REGIONS,
    SIGN_PATTERNS,
    TREATMENTS,
    TRIAGE,
    CasualtyKind,
    ConditionFlag,
    DeathCause,
)
from engine.compile.choices import condition_flags
from engine.tables.output import MAX_VITALS
from scenarios import catalogue, tables

MINUTE, HOUR = 60_000, 3_600_000
TABLES = ("events", "treatments", "wounds")
ACCIDENTS = {"battle": 0.0, "nbi": 1.0, "disease": 0.0}


@cache
def coin() -> goldenhour.Result:
    return goldenhour.simulate("coin", patients=24_000)


@cache
def coin_in_full() -> goldenhour.Result:
    return goldenhour.simulate("coin", patients=24_000, settings={"detail": "full"})


def numbers(rows: Any, name: str) -> Any:
    """A sign as floats, NaN where it was not taken."""
    return np.where(rows[name] == NONE, np.nan, rows[name].astype(float))


def is_moribund(rows: Any) -> Any:
    """Whether a set of signs is that of a patient who is about to die."""
    pressure, pulse, breaths = (
        numbers(rows, name) for name in ("systolic", "heart_rate", "respiratory_rate")
    )
    return (
        (pressure < 90)
        | (pulse > 120)
        | (pulse < 50)
        | (numbers(rows, "gcs") < 9)
        | (numbers(rows, "spo2") < 85)
        | (breaths < 8)
        | (breaths > 30)
    )


def first_and_last(result: goldenhour.Result) -> tuple[Any, Any]:
    """The first row of each patient's signs in a facility and the last one at all; -1 without."""
    first, last = np.full(len(result), -1), np.full(len(result), -1)
    inside = np.flatnonzero(result.vitals["facility"] >= 0)[::-1]
    first[result.vitals["patient"][inside]] = inside
    last[result.vitals["patient"]] = np.arange(len(result.vitals))
    return first, last


def admitted_at(result: goldenhour.Result) -> Any:
    arrived = x.rows(result, "arrived")[::-1]
    found = np.full(len(result), -1)
    found[arrived["patient"]] = arrived["at"]
    return found


def lethal(result: goldenhour.Result, name: str) -> Any:
    return result.patients["lethal"] == LETHAL_MECHANISMS.index(name)


def is_given(result: goldenhour.Result, *names: str) -> Any:
    """Whether each patient has had one of the treatments."""
    kinds = [TREATMENTS.index(name) for name in names]
    found = np.zeros(len(result), bool)
    found[result.treatments["patient"][np.isin(result.treatments["kind"], kinds)]] = True
    return found


# --- the series


def test_the_full_series_is_longer_and_changes_nothing_else() -> None:
    core, full = coin(), coin_in_full()
    assert 2 < len(full.vitals) / len(core.vitals) < 8
    for name in set(core.patients.dtype.names or ()) - {"vital_end"}:
        assert (core.patients[name] == full.patients[name]).all(), name
    for name in TABLES:
        assert (getattr(core, name) == getattr(full, name)).all(), name


@pytest.mark.parametrize("result", [coin, coin_in_full])
def test_a_patient_has_no_more_rows_than_the_table_has_room_for(result: Any) -> None:
    assert np.bincount(result().vitals["patient"]).max() < MAX_VITALS


def test_signs_are_taken_at_each_door_and_after_resuscitation_and_surgery() -> None:
    for result in (coin(), coin_in_full()):
        taken = set(zip(result.vitals["patient"].tolist(), result.vitals["at"].tolist(), strict=True))
        for kind in ("arrived", "resuscitation_ended", "surgery_ended", "definitive_surgery_ended"):
            ends = x.rows(result, kind)
            assert len(ends) > 500
            assert all(
                pair in taken for pair in zip(ends["patient"].tolist(), ends["at"].tolist(), strict=True)
            )


def test_in_full_they_are_also_taken_before_a_procedure_and_at_the_departure() -> None:
    result = coin_in_full()
    taken = set(zip(result.vitals["patient"].tolist(), result.vitals["at"].tolist(), strict=True))
    for kind in ("resuscitation_started", "surgery_started", "definitive_surgery_started", "departed"):
        starts = x.rows(result, kind)
        found = [
            pair in taken for pair in zip(starts["patient"].tolist(), starts["at"].tolist(), strict=True)
        ]
        assert np.mean(found) > 0.999, kind


def test_before_surgery_the_dying_are_watched_every_ten_minutes_and_in_intensive_care_hourly() -> None:
    result = coin_in_full()
    vitals, p = result.vitals, result.patients
    surgery = np.where(p["surgery"] < 0, p["closed"], p["surgery"])[vitals["patient"]]
    urgent = (p["triage"] == TRIAGE.index("T1")) & (p["lethal"] != NONE)
    urgent = urgent[vitals["patient"]] & (vitals["at"] <= surgery)
    gaps = np.diff(vitals["at"])
    together = (vitals["patient"][1:] == vitals["patient"][:-1]) & urgent[1:] & (vitals["facility"][1:] < 0)
    assert np.quantile(gaps[together], 0.9) <= 15 * MINUTE
    admitted = x.rows(result, "icu_admitted")
    begin = np.full(len(result), -1)
    begin[admitted["patient"][::-1]] = admitted["at"][::-1]
    since = vitals["at"] - begin[vitals["patient"]]
    first_day = (begin[vitals["patient"]] >= 0) & (since > 0) & (since < 4 * HOUR)
    together = (vitals["patient"][1:] == vitals["patient"][:-1]) & first_day[1:] & first_day[:-1]
    assert together.sum() > 1000
    assert gaps[together].max() <= HOUR + MINUTE


def test_the_slightly_hurt_are_seldom_measured() -> None:
    """T3 whom nothing kills: outside a facility at most every 45 minutes, but for first aid, departure and arrival."""
    result = coin_in_full()
    vitals, p = result.vitals, result.patients
    minor = (p["triage"] == TRIAGE.index("T3")) & (p["lethal"] == NONE)
    together = (vitals["patient"][1:] == vitals["patient"][:-1]) & minor[vitals["patient"][1:]]
    outside = together & (vitals["facility"][1:] < 0) & (vitals["facility"][:-1] < 0)
    number = [
        table["patient"].astype(np.int64) * (1 << 40) + table["at"] for table in (vitals[1:], result.events)
    ]
    at_event = np.isin(
        *number,
    )
    gaps = np.diff(vitals["at"])[outside & ~at_event]
    assert len(gaps) > 50
    assert np.median(gaps) >= 45 * MINUTE
    grave = np.isin(p["triage"], [TRIAGE.index("T1"), TRIAGE.index("T2")])
    rows = np.bincount(vitals["patient"], minlength=len(p))
    assert rows[grave].mean() > 2.0 * rows[minor].mean()


def test_blood_is_taken_from_the_grave_and_again_the_later_if_it_was_normal() -> None:
    result = coin_in_full()
    vitals, p = result.vitals, result.patients
    sampled = np.bincount(vitals["patient"][vitals["lactate"] != NONE], minlength=len(p)) > 0
    assert (p["triage"][sampled] != TRIAGE.index("T3")).all()
    wounded = sampled & (p["kind"] == CasualtyKind.WOUNDED)
    called_for = (p["lethal"] != NONE) | (p["worst_ais"] >= 3) | is_given(result, "blood_transfusion")
    assert called_for[wounded].mean() > 0.99
    rows = vitals[vitals["lactate"] != NONE]
    normal = (rows["lactate"] <= 15) & (rows["haemoglobin"] >= 125) & (rows["inr"] <= 12)
    same = rows["patient"][1:] == rows["patient"][:-1]
    gaps = np.diff(rows["at"])
    assert np.median(gaps[same & normal[:-1]]) > np.median(gaps[same & ~normal[:-1]])


def test_nobody_in_care_is_without_signs_for_more_than_twelve_hours() -> None:
    """Outpatients have none while they are in quarters."""
    for result in (coin(), coin_in_full()):
        vitals = result.vitals
        _, last = first_and_last(result)
        outpatients = x.rows(result, "quarters")
        assert len(outpatients) > 1000
        quarters = np.full(len(result), np.iinfo(np.int64).max)
        quarters[outpatients["patient"]] = outpatients["at"]
        same = vitals["patient"][1:] == vitals["patient"][:-1]
        began = quarters[vitals["patient"][1:]]
        at_home = (vitals["at"][:-1] <= began) & (began < vitals["at"][1:])
        late = np.zeros(len(result), bool)
        late[vitals["patient"][1:][same & ~at_home & (np.diff(vitals["at"]) > 12 * HOUR)]] = True
        until = np.where(quarters >= vitals["at"][last], np.minimum(quarters, result.patients["closed"]), 0)
        until = np.where(until > 0, until, result.patients["closed"])
        ends = (last >= 0) & (until - vitals["at"][last] > 12 * HOUR)
        assert (late | ends).sum() == 0


def test_before_the_first_facility_signs_are_missing_and_blood_is_taken_from_role_2_on() -> None:
    result = coin_in_full()
    outside = result.vitals[result.vitals["facility"] < 0]
    before = outside["at"] < admitted_at(result)[outside["patient"]]
    for name, share in (("heart_rate", 0.15), ("systolic", 0.25), ("gcs", 0.30), ("temperature", 0.90)):
        assert (outside[before][name] == NONE).mean() == pytest.approx(share, abs=0.02), name
        inside = result.vitals[result.vitals["facility"] >= 0]
        most = {"gcs": 0.125, "temperature": 1.0}.get(name, 0.0)  # under anaesthesia there is no coma score
        assert (inside[name] == NONE).mean() <= most, name
    p = result.patients
    minor = (p["kind"] == CasualtyKind.WOUNDED) & (p["triage"] == TRIAGE.index("T3")) & (p["lethal"] == NONE)
    assert minor[inside["patient"][inside["temperature"] == NONE]].all()
    first, _ = first_and_last(result)
    doors = result.vitals[first[minor & (first >= 0)]]
    assert (doors["temperature"] == NONE).mean() == pytest.approx(0.75, abs=0.03)
    roles = np.array([facility.role for facility in result.scenario.facilities] + [0, 0])
    sampled = result.vitals["lactate"] != NONE
    assert sampled.sum() > 5000
    assert (roles[result.vitals["facility"][sampled]] >= 2).all()


# --- the threat to life


@pytest.mark.parametrize("result", [coin, coin_in_full])
def test_the_moribund_show_it(result: Any) -> None:
    """Of those who died of the clock or late, at least 30 minutes after the first door: the last row before death."""
    found = result()
    p = found.patients
    _, last = first_and_last(found)
    came = admitted_at(found)
    declined = (came >= 0) & x.status(found, "dow", "died_nonbattle") & (p["closed"] - came >= 30 * MINUTE)
    declined &= p["death_cause"] != DeathCause.FACILITY_HIT
    assert declined.sum() > 100
    rows = found.vitals[last[declined]]
    assert (p["closed"][declined] - rows["at"] <= 30 * MINUTE).all()
    assert is_moribund(rows).mean() > 0.9


@pytest.mark.parametrize("result", [coin, coin_in_full])
def test_those_who_soon_return_to_duty_look_well(result: Any) -> None:
    found = result()
    _, last = first_and_last(found)
    back = (found.patients["rtd72"] == 1) & (last >= 0)
    assert back.sum() > 5000
    assert is_moribund(found.vitals[last[back]]).mean() < 0.02


def test_mortality_falls_with_the_first_pressure() -> None:
    result = coin()
    first, _ = first_and_last(result)
    wounded = (first >= 0) & (result.patients["kind"] == CasualtyKind.WOUNDED)
    pressure = result.vitals["systolic"][first]
    dead = x.status(result, "dow")
    edges = (0, 70, 90, 110, 255)
    rates = [
        float(dead[wounded & (pressure > low) & (pressure <= high)].mean())
        for low, high in itertools.pairwise(edges)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.35
    assert rates[-1] < 0.03


def test_pressure_in_the_skull_shows_as_high_pressure_and_slow_pulse() -> None:
    result = coin_in_full()
    rows = result.vitals
    shows = (rows["systolic"] != NONE) & (rows["systolic"] >= 160) & (rows["heart_rate"] <= 62)
    seen = np.zeros(len(result), bool)
    seen[rows["patient"][shows]] = True
    _, last = first_and_last(result)
    died = (result.patients["death_cause"] == DEATH_CAUSES.index("tbi")) & (admitted_at(result) >= 0)
    assert died.sum() > 30
    assert seen[died].mean() > 0.7
    others = (last >= 0) & ~lethal(result, "tbi")
    assert seen[others].mean() < 0.02


def test_who_needs_much_blood_has_lost_it() -> None:
    """Pulse 128 and 111, systolic 122 and 132, INR 1.68 and 1.38 by units, 18 or more and fewer: Fisher et al. 2021."""
    result = coin()
    first, _ = first_and_last(result)
    units = np.zeros(len(result))
    given = x.treatments(result, "blood_transfusion")
    np.add.at(units, given["patient"], given["units"])
    for other in ("burn_excision", "burn_fluids"):  # have blood for the operation, or a pulse of its own
        units[x.treatments(result, other)["patient"]] = 0
    signs = result.vitals[first]
    beats = (first >= 0) & (signs["heart_rate"] > 0)
    many, some = beats & (units >= 18), beats & (units > 0) & (units < 18)
    assert many.sum() > 100 and some.sum() > 350
    for name, published, near in (("heart_rate", (128, 111), 8), ("systolic", (122, 132), 10)):
        for group, value in zip((many, some), published, strict=True):
            assert signs[name][group].mean() == pytest.approx(value, abs=near), name
    for group, value in zip((many, some), (1.68, 1.38), strict=True):
        taken = group & (signs["inr"] != NONE)
        assert signs["inr"][taken].mean() / 10 == pytest.approx(value, abs=0.2)
    quick = result.vitals[(result.vitals["haemoglobin"] != NONE) & (units[result.vitals["patient"]] > 0)]
    lowest = np.full(len(result), 255)
    np.minimum.at(lowest, quick["patient"], quick["haemoglobin"])
    assert (lowest[lowest < 255] < 140).mean() > 0.9  # 14 g/dL


def test_who_dies_at_the_door_arrives_in_arrest_and_nobody_else() -> None:
    result = coin()
    first, _ = first_and_last(result)
    left = result.patients["closed"] - result.vitals["at"][first]
    stopped = (first >= 0) & (result.vitals["heart_rate"][first] == 0)
    at_door = (first >= 0) & x.status(result, "dow") & (left < 5 * MINUTE)
    assert stopped.sum() > 10
    assert np.array_equal(stopped, at_door)


def test_accidents_kill_in_their_own_way() -> None:
    """The drowned and those with a pneumothorax keep their haemoglobin, those with a torn spleen do not."""
    result = x.run(40_000, mix=ACCIDENTS, **x.network())
    codes = np.array([condition.code for condition in catalogue.conditions()])[result.patients["condition"]]
    first, _ = first_and_last(result)
    threatened = (first >= 0) & lethal(result, "non_battle_injury")
    taken = result.vitals[result.vitals["haemoglobin"] != NONE]
    haemoglobin = np.full(len(result), 255)
    np.minimum.at(haemoglobin, taken["patient"], taken["haemoglobin"])
    measured = threatened & (haemoglobin < 255)
    bleeds = np.array([code.startswith(("S31", "S32", "S36", "S38")) for code in codes])
    chest = np.array([code.startswith(("S27", "S28", "T59", "T75.1")) for code in codes])
    assert min((measured & bleeds).sum(), (measured & chest).sum()) > 20
    assert haemoglobin[measured & chest].mean() > haemoglobin[measured & bleeds].mean() + 7  # tenths of g/dL
    assert result.vitals["spo2"][first][measured & chest].mean() < 95


def test_blood_loss_raises_the_pulse_and_lowers_the_pressure() -> None:
    result = coin()
    first, _ = first_and_last(result)
    p = result.patients
    measured = (first >= 0) & (p["kind"] == CasualtyKind.WOUNDED)
    signs = result.vitals[first]
    bleeds = measured & (lethal(result, "torso_haemorrhage") | lethal(result, "junctional_haemorrhage"))
    well = measured & (p["lethal"] == NONE) & (p["niss"] < 9)
    assert bleeds.sum() > 100 and well.sum() > 3000
    assert signs["heart_rate"][bleeds].mean() > signs["heart_rate"][well].mean() + 8
    assert signs["systolic"][bleeds].mean() < signs["systolic"][well].mean() - 15
    sampled = signs["lactate"] != NONE
    low = sampled & measured & (signs["systolic"] < 80)
    assert (
        signs["lactate"][low].mean() > signs["lactate"][sampled & measured & ~low].mean() + 15
    )  # 1.5 mmol/L


def test_a_failing_airway_shows_in_the_saturation_before_the_pressure() -> None:
    result = coin_in_full()
    for name in ("airway", "tension_pneumothorax"):
        threatened = lethal(result, name)[result.vitals["patient"]] & (result.vitals["etco2"] == NONE)
        signs = result.vitals[
            threatened & (result.vitals["spo2"] != NONE) & (result.vitals["systolic"] != NONE)
        ]
        low = signs[signs["spo2"] < 88]
        assert len(low) > 30, name
        first = low[np.unique(low["patient"], return_index=True)[1]]  # once for each patient
        assert len(first) > 8, name
        assert np.median(first["systolic"]) > 105, name


def test_a_head_injury_costs_points_of_the_coma_scale_by_its_AIS() -> None:
    result = coin()
    first, _ = first_and_last(result)
    head = np.zeros(len(result), int)
    others = np.zeros(len(result), int)
    of_head = result.wounds["region"] == REGIONS.index("head")
    for worst, chosen in ((head, of_head), (others, ~of_head)):
        np.maximum.at(worst, result.wounds["patient"][chosen], result.wounds["ais"][chosen].astype(int))
    measured = (first >= 0) & (result.patients["kind"] == CasualtyKind.WOUNDED)
    points = [float(result.vitals["gcs"][first][measured & (head == ais)].mean()) for ais in (0, 2, 3, 4)]
    assert points == sorted(points, reverse=True)
    assert points[0] > 14.7
    isolated = measured & (head >= 3) & (others <= 2)
    share = (result.vitals["gcs"][first][isolated] <= 8).mean()
    assert share == pytest.approx(0.278, abs=0.06)  # DuBose et al. 2011


def test_the_pressure_stays_up_after_resuscitation_and_surgery() -> None:
    """Of the grave who survive: it rises within the resuscitation, and does not fall back."""
    result = coin()
    ended = x.rows(result, "resuscitation_ended")
    finished = np.full(len(result), -1)
    finished[ended["patient"]] = ended["at"]
    alive = ~x.status(result, "dow", "kia", "died_nonbattle")
    rows = result.vitals
    after = (
        (finished[rows["patient"]] >= 0) & (rows["at"] > finished[rows["patient"]]) & alive[rows["patient"]]
    )
    lowest = np.full(len(result), 255)
    np.minimum.at(lowest, rows["patient"][after], rows["systolic"][after])
    at_end = np.full(len(result), 0)
    done = rows["at"] == finished[rows["patient"]]
    at_end[rows["patient"][done]] = rows["systolic"][done]
    followed = (lowest < 255) & (at_end > 0)
    fell = followed & (at_end - lowest > 25) & (lowest < 95)
    assert followed.sum() > 900
    assert fell.sum() / followed.sum() < 0.01
    scores = np.full(len(result), 255)
    np.minimum.at(scores, rows["patient"][after], rows["score"][after])
    score_at_end = np.zeros(len(result), int)
    score_at_end[rows["patient"][done]] = rows["score"][done]
    assert (score_at_end - scores > 20)[
        followed
    ].mean() < 0.13  # until surgery the clock of the bleeding runs on


def test_a_needle_raises_the_saturation_of_those_with_a_tension_pneumothorax() -> None:
    """The same casualties with and without needles, from 2 to 15 minutes after an effective one."""
    chests = {"survival": {"mechanisms": {"thorax_tension": 0.95}}}
    runs = [
        x.run(12_000, detail="full", model=chests, treatments=given, **x.network())
        for given in ({}, {"needle_decompression": {"available": False}})
    ]
    needles = x.treatments(runs[0], "needle_decompression")
    needles = needles[needles["effect"] == EFFECTS.index("effective")]
    given = np.full(len(runs[0]), 1 << 60)
    given[needles["patient"]] = needles["start"]
    means = []
    for result in runs:
        rows = result.vitals[result.vitals["spo2"] != NONE]
        since = rows["at"] - given[rows["patient"]]
        soon = rows[(since > 2 * MINUTE) & (since < 15 * MINUTE)]
        total = np.bincount(soon["patient"], soon["spo2"], len(result))
        count = np.bincount(soon["patient"], minlength=len(result))
        means.append(np.where(count, total / np.maximum(1, count), np.nan))
    both = ~np.isnan(means[0]) & ~np.isnan(means[1])
    assert both.sum() > 30
    assert means[0][both].mean() > means[1][both].mean() + 3


# --- treatments


def test_the_intubated_have_the_breaths_of_the_ventilator_and_a_tube_in_their_record() -> None:
    result = coin_in_full()
    tube = result.vitals["etco2"] != NONE
    rows = result.vitals[tube]
    assert len(rows) > 1000
    breaths = rows["respiratory_rate"][rows["respiratory_rate"] != NONE]
    assert breaths.min() >= 12 and breaths.max() <= 18
    closed = result.patients["closed"][rows["patient"]]
    dead = result.patients["death_cause"][rows["patient"]] != NONE
    known = rows["spo2"] != NONE
    lung = rows["spo2"][known & ~(dead & (closed - rows["at"] < HOUR))]
    assert (lung >= 92).mean() > 0.98 and (lung < 88).mean() < 0.003  # those were about to die and were saved
    assert len(np.unique(lung)) > 5
    last = rows["spo2"][known & dead & (closed - rows["at"] < 6 * MINUTE)]
    assert len(last) > 20 and np.median(last) < 90
    scored = rows[rows["gcs"] != NONE]
    assert (scored["gcs_verbal"] == 1).all() and (scored["gcs"] <= 10).all()
    assert is_given(result, "intubation", "surgical_airway", "tracheostomy")[rows["patient"]].all()


def test_nobody_under_anaesthesia_has_a_coma_score_or_tells_of_pain() -> None:
    result = coin_in_full()
    kinds = [TREATMENTS.index(name) for name in ("general_anaesthesia", "sedation")]
    operations = result.treatments[np.isin(result.treatments["kind"], kinds)]
    begin, end = np.full(len(result), -1), np.full(len(result), -1)
    begin[operations["patient"]], end[operations["patient"]] = operations["start"], operations["end"]
    rows = result.vitals
    during = (rows["at"] > begin[rows["patient"]]) & (rows["at"] <= end[rows["patient"]])
    intubated = rows[during & (rows["etco2"] != NONE)]
    assert len(intubated) > 100 and (intubated["gcs"] == 3).all()
    asleep = rows[during & (rows["etco2"] == NONE)]
    assert len(asleep) > 100  # the sedated; all under general anaesthesia are intubated before
    assert (asleep["gcs"] == NONE).all() and (asleep["pain"] == NONE).all()


def test_who_has_been_given_the_drugs_for_the_tube_is_paralysed() -> None:
    """Also in the readings that were taken before the intubation was entered."""
    result = coin_in_full()
    given = result.treatments[result.treatments["kind"] == TREATMENTS.index("intubation")]
    begin, end = np.full(len(result), -1), np.full(len(result), -1)
    begin[given["patient"]], end[given["patient"]] = given["start"], given["end"]
    rows = result.vitals
    within = (rows["at"] > begin[rows["patient"]]) & (rows["at"] <= end[rows["patient"]])
    alive = within & (rows["heart_rate"] > 0)
    assert alive.sum() > 300
    assert (rows["gcs"][alive] == 3).mean() > 0.98 and (rows["pain"][alive] == NONE).mean() > 0.98


def test_who_wakes_from_an_operation_is_drowsy_for_an_hour() -> None:
    result = coin_in_full()
    rows, p = result.vitals, result.patients
    end = np.full(len(result), -1)
    for kind in ("surgery_ended", "definitive_surgery_ended"):
        found = x.rows(result, kind)
        np.maximum.at(end, found["patient"], found["at"])
    numbed = result.treatments[result.treatments["kind"] == TREATMENTS.index("regional_anaesthesia")]
    end[numbed["patient"]] = -1  # is awake
    since = rows["at"] - end[rows["patient"]]
    last = (end >= 0)[rows["patient"]] & (since >= 0)
    at_end = rows[last & (since < 10 * MINUTE)]
    assert len(at_end) > 1000
    assert (at_end["gcs"] != 15).all() and (at_end["pain"] == NONE).all()
    within = rows[last & (since >= 10 * MINUTE) & (since < 45 * MINUTE) & (rows["gcs"] != NONE)]
    assert len(within) > 10 and (within["gcs"] < 15).mean() > 0.9
    awake = (p["lethal"] == NONE) & ~is_given(result, "intubation", "surgical_airway", "tracheostomy")
    later = rows[last & (since > 2 * HOUR) & (since < 12 * HOUR) & awake[rows["patient"]]]
    scores = later["gcs"][later["gcs"] != NONE]
    assert len(scores) > 100 and (scores >= 14).mean() > 0.9


def test_nobody_is_extubated_on_the_way() -> None:
    rows = coin_in_full().vitals
    tube = rows["etco2"] != NONE
    same = rows["patient"][1:] == rows["patient"][:-1]
    assert (tube & (rows["facility"] < 0)).sum() > 500
    assert not (same & tube[:-1] & ~tube[1:] & (rows["facility"][1:] < 0)).any()


def test_who_gets_ten_units_is_in_shock() -> None:
    """By a pressure below 100 at the first door or the first lactate above 4; the fewer units, the more seldom."""
    result = coin_in_full()
    rows, given = result.vitals, result.treatments
    blood = given[given["kind"] == TREATMENTS.index("blood_transfusion")]
    units = np.bincount(blood["patient"], blood["units"], len(result))
    first, _ = first_and_last(result)
    pressure = np.where(first >= 0, rows["systolic"][first], NONE)
    lactate = np.full(len(result), np.nan)
    sampled = np.flatnonzero(rows["lactate"] != NONE)[::-1]
    lactate[rows["patient"][sampled]] = rows["lactate"][sampled] / 10.0
    shock = (pressure < 100) | (lactate > 4.0)
    shares = [shock[(units >= low) & (units <= high)].mean() for low, high in ((1, 3), (4, 9), (10, 99))]
    assert shares == sorted(shares)
    assert shares[-1] > 0.8


def test_who_is_intubated_for_the_brain_stays_so_for_hours() -> None:
    result = coin_in_full()
    who = is_given(result, "intubation") & lethal(result, "tbi")
    tube = who[result.vitals["patient"]] & (result.vitals["etco2"] != NONE)
    first, last = np.full(len(result), 1 << 60), np.full(len(result), -1)
    np.minimum.at(first, result.vitals["patient"][tube], result.vitals["at"][tube])
    np.maximum.at(last, result.vitals["patient"][tube], result.vitals["at"][tube])
    assert np.median((last - first)[last >= 0]) > 2 * HOUR


# --- other lesions


def test_burns_quicken_the_pulse() -> None:
    result = x.run(6000, warfare=[{"type": "naval"}], **x.network())
    flags = np.array([condition_flags(condition) for condition in catalogue.conditions()])
    middle = [sum(each.burn_share or (0.0, 0.0)) / 2 for each in catalogue.conditions()]
    burnt = flags[result.wounds["condition"]] & ConditionFlag.BURN != 0
    share = np.zeros(len(result))
    np.add.at(share, result.wounds["patient"][burnt], np.array(middle)[result.wounds["condition"][burnt]])
    first, _ = first_and_last(result)
    calm = (first >= 0) & (result.patients["lethal"] == NONE)
    large, none = calm & (share >= 20), calm & (share == 0) & (result.patients["niss"] < 25)
    assert large.sum() > 20
    pulse = result.vitals["heart_rate"][first]
    assert pulse[large].mean() > pulse[none].mean() + 8


def test_nerve_agent_casualties_show_their_grade() -> None:
    result = x.run(6000, mix=x.MIXED, warfare=[{"type": "cbrn"}], **x.network())
    nerve = np.array([condition.code.startswith("T44.0") for condition in catalogue.conditions()])
    first, _ = first_and_last(result)
    exposed = (first >= 0) & (result.patients["kind"] == CasualtyKind.AGENT)
    exposed &= nerve[result.patients["condition"]]
    of_grade = [exposed & (result.patients["severity"] == grade) for grade in range(3)]
    assert min(rows.sum() for rows in of_grade) > 20
    for name in ("spo2", "gcs", "heart_rate"):
        means = [float(numbers(result.vitals[first[rows]], name).mean()) for rows in of_grade]
        assert means == sorted(means, reverse=True), name


def test_infections_bring_fever_and_pneumonia_a_low_saturation() -> None:
    result = x.run(16_000, mix=x.ILL, **x.network())
    first, _ = first_and_last(result)
    codes = np.array([condition.code for condition in catalogue.conditions()])[result.patients["condition"]]
    seen = first >= 0
    signs = result.vitals[first]
    fever = seen & np.isin(np.array([code[:3] for code in codes]), ["R50", "B50", "B54", "A90"])
    chest = seen & np.array([code.startswith("J18") for code in codes])
    limb = seen & np.array([code.startswith("M") for code in codes])
    assert min(fever.sum(), chest.sum(), limb.sum()) > 20
    assert (signs["temperature"][fever] >= 180).mean() > 0.4  # 38 degrees
    assert (signs["temperature"][limb] >= 180).mean() < 0.01
    assert signs["spo2"][chest].mean() < signs["spo2"][limb].mean() - 3
    assert signs["respiratory_rate"][chest].mean() > signs["respiratory_rate"][limb].mean() + 4


def test_the_severely_wounded_are_cold_on_arrival() -> None:
    result = coin()
    first, _ = first_and_last(result)
    taken = (first >= 0) & (result.vitals["temperature"][first] != NONE)
    wounded = taken & (result.patients["kind"] == CasualtyKind.WOUNDED)
    temperature = result.vitals["temperature"][first] / 10 + 20
    assert (temperature[wounded] < 36).mean() == pytest.approx(0.098, abs=0.025)  # Fisher et al. 2020
    cold, warm = wounded & (temperature < 36), wounded & (temperature >= 36)
    assert np.median(result.patients["iss"][cold]) > np.median(result.patients["iss"][warm]) + 5


def test_analgesia_takes_pain_away() -> None:
    """At the first door: those with a worst AIS of 2 who had analgesia within the hour, and the same if it
    did nothing.
    """
    nobody = {"vital_signs": {"vital_signs": {"treatments": {"analgesia": {"analgesia": 0}}}}}
    eased = coin_in_full()
    in_pain = goldenhour.simulate("coin", patients=24_000, settings={"detail": "full", "model": nobody})
    first, _ = first_and_last(eased)
    rows = eased.treatments[eased.treatments["kind"] == TREATMENTS.index("analgesia")]
    given = np.full(len(eased), np.iinfo(np.int64).max)
    np.minimum.at(given, rows["patient"], rows["start"])
    signs = eased.vitals[first]
    told = (first >= 0) & (eased.patients["worst_ais"] == 2) & (signs["pain"] != NONE)
    told &= (given < signs["at"] - 2 * MINUTE) & (given > signs["at"] - HOUR)
    without, _ = first_and_last(in_pain)
    theirs = in_pain.vitals[without]
    told &= (without >= 0) & (theirs["pain"] != NONE)
    assert told.sum() > 200
    assert (theirs["at"] == signs["at"])[told].all()
    assert signs["pain"][told].mean() < theirs["pain"][told].mean() - 2


# --- data


def test_every_pattern_of_the_table_is_known_and_every_code_stands_once() -> None:
    rows = tables.sign_patterns()
    assert {row["pattern"] for row in rows} <= set(SIGN_PATTERNS)
    assert {row["tag"] for row in rows} <= {"published", "judgement"}
    codes = [row["code"] for row in rows]
    assert len(codes) == len(set(codes))
    illness = tables.model_parameters("vital_signs")["vital_signs"]["illness"]
    lists = [value for value in illness.values() if isinstance(value, list) and len(value) > 5]
    assert {len(value) for value in lists} == {len(SIGN_PATTERNS)}


def test_no_saturation_is_read_without_a_pressure() -> None:
    rows = coin().vitals
    low = (rows["systolic"] != NONE) & (rows["systolic"] < 50)
    assert low.sum() > 100
    assert (rows["spo2"][low] == NONE).all()
    taken = low & (rows["heart_rate"] != NONE) & (rows["systolic"] > 0)
    near = (rows["systolic"] >= 50) & (rows["systolic"] < 70) & (rows["heart_rate"] != NONE)
    assert rows["heart_rate"][taken].mean() < rows["heart_rate"][near].mean() - 15


def test_units_take_minutes_and_go_on_after_the_bay() -> None:
    """Ten units and more take over an hour, and some begin with the operation."""
    result = coin_in_full()
    given = result.treatments
    blood = given[(given["kind"] == TREATMENTS.index("blood_transfusion")) & (given["facility"] >= 0)]
    units = np.bincount(blood["patient"], blood["units"], len(result))
    begin, end = np.full(len(result), 1 << 60), np.full(len(result), -1)
    np.minimum.at(begin, blood["patient"], blood["start"])
    np.maximum.at(end, blood["patient"], blood["end"])
    lived = result.patients["lethal"] == NONE
    many = lived & (units >= 10)
    assert many.sum() > 50
    assert ((end - begin)[many] > HOUR).mean() > 0.8
    operations = x.rows(result, "surgery_started")
    started = set(zip(operations["patient"].tolist(), operations["at"].tolist(), strict=True))
    at_operations = [row for row in blood if (int(row["patient"]), int(row["start"])) in started]
    assert len(at_operations) > 50


def test_who_has_a_low_pressure_by_an_open_wound_gets_blood() -> None:
    result = coin()
    first, _ = first_and_last(result)
    p = result.patients
    pressure = np.where(first >= 0, result.vitals["systolic"][first], NONE)
    low = (pressure < 85) & (pressure > 0) & (p["kind"] == 0) & (p["lethal"] == NONE) & (p["worst_ais"] == 2)
    assert low.sum() > 5
    assert is_given(result, "blood_transfusion")[low].mean() > 0.95
