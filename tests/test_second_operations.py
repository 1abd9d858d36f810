"""Second operations, drains, tubes for operations, and tourniquets (docs/model.md sections 2.7.3 and 2.7.5)."""

from functools import cache
from typing import Any

import effects as x
import numpy as np
import pytest
from small_networks import Result, at, run

from engine.codes import NONE, TREATMENTS, CasualtyKind, LethalMechanism
from scenarios import catalogue

HOUR, DAY = 60.0, 1440.0
"""Minutes."""


@cache
def wounded() -> Result:
    """12,000 battle casualties in a chain of Role 1 to Role 4."""
    return run(12_000, **x.network())


@cache
def burnt() -> Result:
    """9,000 battle casualties of naval warfare, many of them with burns."""
    return run(9000, warfare=[{"type": "naval"}], **x.network())


def start(result: Result, *labels: str) -> Any:
    """Start of the first of these treatments of each patient, minutes from the start of the run; infinity."""
    found = np.full(len(result), np.inf)
    rows = result.treatments[np.isin(result.treatments["kind"], [TREATMENTS.index(x) for x in labels])]
    np.minimum.at(found, rows["patient"], rows["start"] / x.MINUTE)
    return found


def with_code(result: Result, *codes: str) -> Any:
    """Who has a wound with one of these codes."""
    those = np.array([condition.code.startswith(codes) for condition in catalogue.conditions()])
    found = np.zeros(len(result), bool)
    found[result.wounds["patient"][those[result.wounds["condition"]]]] = True
    return found


def test_the_definitive_operation_follows_a_day_after_damage_control_surgery() -> None:
    result = wounded()
    first, second = at(result, "surgery_started", "R2"), at(result, "definitive_surgery_started", "R3")
    both = np.isfinite(first) & np.isfinite(second)
    at_once = np.isfinite(start(result, "vascular_repair", "eye_repair", "spinal_surgery"))
    alive = x.status(result, "evacuated", "rtd", "discharged")
    waited = (second - first)[both & ~at_once & alive]
    assert len(waited) > 200
    assert waited.min() >= DAY - 1.0
    # vessels, eyes and the spine on arrival
    assert np.median((second - at(result, "arrived", "R3"))[both & at_once]) < HOUR


def test_a_shorter_interval_brings_the_definitive_operation_forward() -> None:
    sooner = run(3000, model={"care": {"reoperation": {"interval": [600.0, 720.0, 900.0]}}}, **x.network())
    usual = run(3000, **x.network())
    waited = [
        at(r, "definitive_surgery_started", "R3") - at(r, "surgery_started", "R2") for r in (sooner, usual)
    ]
    medians = [np.median(w[np.isfinite(w)]) for w in waited]
    assert medians[0] < medians[1]


def test_a_burn_is_excised_from_the_second_day_on() -> None:
    result = burnt()
    since = start(result, "burn_excision") - result.patients["time"] / x.MINUTE
    excised = np.isfinite(since)
    assert excised.sum() > 50
    assert since[excised].min() >= 2 * DAY - 1.0
    assert np.quantile(since[excised], 0.9) <= 5 * DAY + HOUR


def test_a_closed_fracture_by_accident_is_fixed_once() -> None:
    result = run(6000, mix=x.MIXED, **x.network())
    accident = result.patients["kind"] == CasualtyKind.NBI
    fixed = np.isfinite(start(result, "fracture_fixation")) & accident
    assert fixed.sum() > 20
    assert not np.isfinite(start(result, "external_fixation"))[fixed].any()


def test_a_torn_lung_that_does_not_bleed_is_only_drained() -> None:
    result = wounded()
    lung = with_code(result, "S27.33")
    bleeds = result.patients["lethal"] == LethalMechanism.TORSO_HAEMORRHAGE
    opened = result.treatments[result.treatments["kind"] == TREATMENTS.index("thoracotomy")]
    first = np.concatenate([[0], result.patients["wound_end"][:-1]]).astype(np.int64)
    named = opened[opened["wound"] != NONE]
    on = result.wounds[first[named["patient"]] + named["wound"]]["condition"]
    codes = np.array([condition.code for condition in catalogue.conditions()])[on]
    torn = np.char.startswith(codes.astype(str), "S27.33")
    assert bleeds[named["patient"][torn]].all()
    there = lung & ~bleeds & np.isfinite(at(result, "resuscitation_ended", "R2"))
    assert there.sum() > 20
    assert np.isfinite(start(result, "chest_drain"))[there].all()


def test_both_lungs_get_two_drains() -> None:
    result = wounded()
    first = np.concatenate([[0], result.patients["wound_end"][:-1]]).astype(np.int64)
    both = np.array([condition.code.startswith("S27.332") for condition in catalogue.conditions()])
    drains = result.treatments[result.treatments["kind"] == TREATMENTS.index("chest_drain")]
    drains = drains[drains["wound"] != NONE]
    rows = first[drains["patient"]] + drains["wound"]
    rows = rows[both[result.wounds["condition"][rows]]]
    survives = x.status(result, "evacuated", "rtd", "discharged")[result.wounds["patient"]]
    number = np.bincount(rows, minlength=len(result.wounds))
    drained = (number > 0) & survives
    assert drained.sum() > 3
    assert (number[drained] == 2).all()


def test_most_are_intubated_on_the_table_and_few_in_the_bay() -> None:
    result = wounded()
    tube, operation = start(result, "intubation"), at(result, "surgery_started")
    both = np.isfinite(tube) & np.isfinite(operation)
    on_table = both & (np.abs(tube - operation) < 8.0)
    assert on_table.sum() > 2 * (both & (tube < operation - 15.0)).sum()


def test_few_stay_on_the_ventilator_without_blood() -> None:
    result = wounded()
    given = result.treatments[result.treatments["kind"] == TREATMENTS.index("ventilation")]
    minutes = np.zeros(len(result))
    np.maximum.at(minutes, given["patient"], (given["end"] - given["start"]) / x.MINUTE)
    operated = np.isfinite(at(result, "surgery_started")) & (minutes > 0)
    blood = np.isfinite(start(result, "blood_transfusion"))
    assert (operated & ~blood).sum() > 50
    assert np.median(minutes[operated & ~blood]) <= 90.0 < np.median(minutes[operated & blood])


def test_a_tourniquet_without_an_artery_is_converted_at_the_first_facility() -> None:
    result = wounded()
    first = np.concatenate([[0], result.patients["wound_end"][:-1]]).astype(np.int64)
    calls = np.array(["tourniquet" in of.needs for of in catalogue.condition_needs()])
    for label, called_for in (("tourniquet_conversion", False), ("tourniquet", None)):
        rows = result.treatments[result.treatments["kind"] == TREATMENTS.index(label)]
        rows = rows[rows["wound"] != NONE]
        needs = calls[result.wounds["condition"][first[rows["patient"]] + rows["wound"]]]
        if called_for is False:
            assert len(rows) > 5 and not needs.any()
            since = rows["start"] - result.patients["time"][rows["patient"]]
            assert (since <= 2 * HOUR * x.MINUTE).all()
        else:
            assert needs.any() and not needs.all()


@pytest.mark.parametrize("facility", ["R1", "R2"])
def test_a_limb_under_a_tourniquet_is_never_t3_before_the_operation(facility: str) -> None:
    result = wounded()
    calls = np.array(["tourniquet" in of.needs for of in catalogue.condition_needs()])
    bound = np.zeros(len(result), bool)
    bound[result.wounds["patient"][calls[result.wounds["condition"]]]] = True
    operation = at(result, "surgery_started")
    triaged = x.rows(result, "triaged", facility)
    before = bound[triaged["patient"]] & (triaged["at"] / x.MINUTE < operation[triaged["patient"]])
    assert before.sum() > 50
    assert (triaged["detail"][before] <= 2).all()
