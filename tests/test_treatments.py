"""Treatments: what is given for which wound or illness, where and when, what it acts on, and the signs it changes."""

import math
from functools import cache
from typing import Any

import effects as x
import numpy as np
import pytest
from small_networks import SECOND, Result, at, hospital, run

from engine.codes import (
    AT_POI,
    EFFECTS,
    EN_ROUTE,
    LETHAL_MECHANISMS,
    NONE,
    REGIONS,
    TREATMENTS,
    CasualtyKind,
    Effect,
    LethalMechanism,
)
from scenarios import catalogue

LIMBS = ("upper_limb", "lower_limb")
OPERATIONS = (
    "laparotomy", "thoracotomy", "craniotomy", "neck_exploration", "vascular_repair", "external_fixation",
    "wound_debridement", "amputation", "eye_repair", "surgical_airway",
)  # fmt: skip
BY_REGION = {
    "head": {"craniotomy", "wound_debridement"},
    "eyes": {"eye_repair"},
    "ears": {"wound_debridement"},
    "face": {"surgical_airway", "wound_debridement"},
    "neck": {"neck_exploration", "wound_debridement"},
    "thorax": {"thoracotomy", "wound_debridement"},
    "abdomen": {"laparotomy", "wound_debridement"},
    "upper_limb": {"amputation", "vascular_repair", "external_fixation", "wound_debridement"},
    "lower_limb": {"amputation", "vascular_repair", "external_fixation", "wound_debridement"},
}
"""Operations that a wound of a region may call for."""
BLEEDING = (
    LethalMechanism.TORSO_HAEMORRHAGE,
    LethalMechanism.JUNCTIONAL_HAEMORRHAGE,
    LethalMechanism.EXTREMITY_HAEMORRHAGE,
)


# --- what was given, and for what


@cache
def wounded() -> Result:
    """6,000 battle casualties in a chain of Role 1 to Role 4."""
    return run(6000, **x.network())


@cache
def others() -> Result:
    """6,000 casualties of every kind, those of CBRN agents among them."""
    return run(6000, mix=x.MIXED, warfare=[{"type": "cbrn"}, {"type": "conventional"}], **x.network())


def of(result: Result, *kinds: str) -> Any:
    """The treatments of these kinds."""
    return result.treatments[np.isin(result.treatments["kind"], [TREATMENTS.index(kind) for kind in kinds])]


def wound(result: Result, treatments: Any) -> Any:
    """The wound that each treatment names."""
    assert (treatments["wound"] != NONE).all()
    first = np.concatenate([[0], result.patients["wound_end"][:-1]]).astype(np.int64)
    return result.wounds[first[treatments["patient"]] + treatments["wound"]]


def region(wounds: Any) -> list[str]:
    return [REGIONS[code] for code in wounds["region"]]


def is_flagged(wounds: Any, *flags: str) -> Any:
    """Whether the condition of each wound has one of these properties of the catalogue."""
    conditions = catalogue.conditions()
    return np.array([any(getattr(conditions[c], flag) for flag in flags) for c in wounds["condition"]], bool)


def lethal(result: Result, treatments: Any) -> Any:
    return result.patients["lethal"][treatments["patient"]]


def outside(treatments: Any) -> Any:
    """Those given before the first door."""
    return treatments[treatments["facility"] < 0]


# --- first aid


def test_a_tourniquet_goes_on_a_bleeding_limb_only() -> None:
    result = wounded()
    tourniquets = of(result, "tourniquet")
    assert len(tourniquets) > 500
    on = wound(result, tourniquets)
    assert set(region(on)) == set(LIMBS)
    bleeds = is_flagged(on, "vessel", "amputation")
    dying_of_it = (lethal(result, tourniquets) == LethalMechanism.EXTREMITY_HAEMORRHAGE) & (
        tourniquets["wound"] == 0
    )
    assert (bleeds | dying_of_it).all()
    assert (tourniquets["facility"] < 0).all()


FIRST_AID = {
    "airway": "airway_adjunct",
    "tension_pneumothorax": "needle_decompression",
    "torso_haemorrhage": "tranexamic_acid",
    "junctional_haemorrhage": "haemostatic_dressing",
    "extremity_haemorrhage": "tourniquet",
}


@pytest.mark.parametrize("mechanism", FIRST_AID)
def test_first_aid_is_what_the_mechanism_of_death_calls_for(mechanism: str) -> None:
    result = wounded()
    given = outside(result.treatments)
    given = given[lethal(result, given) == LETHAL_MECHANISMS.index(mechanism)]
    acted = given[given["effect"] != Effect.SUPPORTIVE]
    assert len(acted) > 20
    assert {TREATMENTS[kind] for kind in np.unique(acted["kind"])} == {FIRST_AID[mechanism]}
    assert {EFFECTS[effect] for effect in np.unique(acted["effect"])} == {"effective", "ineffective"}
    assert np.bincount(acted["patient"]).max() == 1


def test_first_aid_cannot_act_on_what_kills_nobody() -> None:
    result = wounded()
    given = outside(result.treatments)
    harmless = given[np.isin(lethal(result, given), (NONE, LethalMechanism.TBI))]
    assert len(harmless) > 2000
    assert (harmless["effect"] == Effect.SUPPORTIVE).all()


def test_a_splint_goes_on_a_broken_limb() -> None:
    result = wounded()
    splints = of(result, "splint")
    assert len(splints) > 50
    on = wound(result, splints)
    assert set(region(on)) == set(LIMBS)
    assert is_flagged(on, "fracture").all()


def test_analgesia_outside_is_for_AIS_2_and_more_three_minutes_into_the_aid() -> None:
    result = wounded()
    given = outside(of(result, "analgesia"))
    assert len(given) > 500
    assert (result.patients["worst_ais"][given["patient"]] >= 2).all()
    aid = at(result, "first_aid")[given["patient"]]
    assert given["start"] / x.MINUTE - aid == pytest.approx(3.0, abs=SECOND)


def test_an_autoinjector_is_for_casualties_of_an_agent() -> None:
    result = others()
    injected = of(result, "autoinjector")
    assert len(injected) > 100
    assert (result.patients["kind"][injected["patient"]] == CasualtyKind.AGENT).all()
    aided = outside(result.treatments)
    aided = aided[result.patients["kind"][aided["patient"]] == CasualtyKind.AGENT]
    assert {TREATMENTS[kind] for kind in np.unique(aided["kind"])} == {"autoinjector"}


# --- at a facility


def test_blood_is_for_those_who_bleed_from_the_fourth_minute_of_the_resuscitation() -> None:
    result = wounded()
    blood = of(result, "blood_transfusion")
    assert len(blood) > 100
    assert set(lethal(result, blood).tolist()) <= set(BLEEDING)
    began, ended = (at(result, f"resuscitation_{which}") for which in ("started", "ended"))
    assert blood["start"] / x.MINUTE == pytest.approx(began[blood["patient"]] + 4.0, abs=SECOND)
    lived = np.isfinite(ended[blood["patient"]])
    assert blood["end"][lived] / x.MINUTE == pytest.approx(ended[blood["patient"]][lived], abs=SECOND)


def test_without_blood_in_stock_there_is_tranexamic_acid_for_severe_wounds_only() -> None:
    result = hospital({"dcs": False, "blood_units": 0}, total=2000, survival=None)
    assert len(of(result, "blood_transfusion")) == 0
    acid = of(result, "tranexamic_acid")
    acid = acid[acid["facility"] >= 0]
    assert len(acid) > 100
    assert (result.patients["niss"][acid["patient"]] >= 16).all()


def test_a_chest_drain_is_for_the_thorax_and_one_a_resuscitation() -> None:
    result = wounded()
    drains = of(result, "chest_drain")
    assert len(drains) > 50
    on = wound(result, drains)
    assert set(region(on)) == {"thorax"}
    of_tension = lethal(result, drains) == LethalMechanism.TENSION_PNEUMOTHORAX
    assert (is_flagged(on, "pneumothorax") | of_tension).all()
    assert np.bincount(drains["patient"]).max() == 1
    acted = drains["effect"] == Effect.EFFECTIVE
    assert acted.any()
    assert of_tension[acted].all()


def test_the_three_worst_wounds_are_dressed_at_role_1() -> None:
    result = wounded()
    care = of(result, "wound_care")
    care = care[care["facility"] == x.place(result, "R1")]
    numbers = np.diff(result.patients["wound_end"].astype(np.int64), prepend=0)
    given = np.bincount(care["patient"], minlength=len(result))
    there = given > 0
    assert (given[there] == np.minimum(numbers, 3)[there]).all()
    assert (numbers[there] > 3).any() and (numbers[there] < 3).any()


def test_an_operation_fits_the_region_of_its_wound() -> None:
    result = wounded()
    operations = of(result, *OPERATIONS)
    on = wound(result, operations)
    for name in BY_REGION:
        here = np.array([r == name for r in region(on)])
        done = {TREATMENTS[kind] for kind in np.unique(operations["kind"][here])}
        assert done <= BY_REGION[name], name
    assert (operations["kind"] == TREATMENTS.index("laparotomy")).sum() > 20
    removed = operations["kind"] == TREATMENTS.index("amputation")
    assert removed.sum() > 10
    assert is_flagged(on[removed], "amputation").all()
    fixed = operations["kind"] == TREATMENTS.index("external_fixation")
    assert fixed.sum() > 10
    assert is_flagged(on[fixed], "fracture").all()


def test_the_second_operation_takes_the_second_half_of_the_time() -> None:
    result = wounded()
    operations = of(result, *OPERATIONS)
    first, second = (operations[operations["wound"] == k] for k in (0, 1))
    assert not (operations["wound"] > 1).any()
    assert len(second) > 200
    begin, end = at(result, "surgery_started"), at(result, "surgery_ended")
    assert first["start"] / x.MINUTE == pytest.approx(begin[first["patient"]], abs=SECOND)
    through = second[np.isfinite(end[second["patient"]])]
    half = (begin + end)[through["patient"]] / 2
    assert through["start"] / x.MINUTE == pytest.approx(half, abs=SECOND)
    assert (wound(result, second)["ais"] >= 2).all()
    assert (second["effect"] == Effect.SUPPORTIVE).all()


def test_only_the_first_operation_on_what_would_kill_can_save() -> None:
    result = wounded()
    operations = of(result, *OPERATIONS)
    acted = operations["effect"] != Effect.SUPPORTIVE
    assert acted.sum() > 100
    assert (operations["wound"][acted] == 0).all()
    assert (lethal(result, operations[acted]) != NONE).all()
    saved = operations[operations["effect"] == Effect.EFFECTIVE]["patient"]
    causes = result.patients["death_cause"][saved]
    dead = x.status(result, "dow")[saved]
    assert dead.sum() > 0
    assert (causes[dead] >= 1 + len(LETHAL_MECHANISMS)).all()  # of late complications, no longer of the wound


def test_the_most_urgent_of_the_ill_have_emergency_care() -> None:
    result = others()
    ill = result.patients["kind"] >= CasualtyKind.NBI
    emergency = of(result, "emergency_care")
    assert len(emergency) > 100
    assert ill[emergency["patient"]].all()
    seen = np.zeros(len(result), bool)
    seen[emergency["patient"]] = True
    treated = np.isfinite(at(result, "care_ended"))
    urgent = ill & (result.patients["triage"] == 1) & treated
    assert urgent.sum() > 50
    assert seen[urgent].all()


@pytest.mark.parametrize(
    ("group", "treatments"),
    [
        ("psychological", {"psychological_support"}),
        ("msk", {"splint", "physiotherapy"}),
        ("gastrointestinal", {"rehydration"}),
    ],
)
def test_an_illness_is_treated_by_its_kind(group: str, treatments: set[str]) -> None:
    result = others()
    conditions = catalogue.conditions()
    has = np.array([conditions[c].group == group for c in result.patients["condition"]])
    if group == "msk":
        has |= np.array([conditions[c].group == "sprain" for c in result.patients["condition"]])
    if group == "psychological":
        has = result.patients["kind"] == CasualtyKind.PSYCHOLOGICAL
    given = of(result, *treatments)
    given = given[(given["facility"] >= 0) & (given["wound"] == NONE)]
    count = np.bincount(given["patient"], minlength=len(result))
    cared = has & np.isfinite(at(result, "care_ended"))
    plain = np.array([not conditions[c].code.startswith("M62.82") for c in result.patients["condition"]])
    assert cared.sum() > 50
    assert (count[cared & plain] > 0).all()


def test_a_treatment_ends_with_the_death_of_the_casualty() -> None:
    result = wounded()
    dead = x.status(result, "kia", "dow")[result.treatments["patient"]]
    treatments = result.treatments[dead]
    closed = result.patients["closed"][treatments["patient"]]
    assert (treatments["end"] <= closed).all()
    assert (treatments["start"] < closed).all()
    assert (treatments["end"] == closed).sum() > 50  # those cut short


def test_every_treatment_of_the_code_list_occurs() -> None:
    environments = ["extreme_heat", "extreme_cold"]
    more = run(6000, mix=x.NBI, environment=environments, **x.network())
    given: set[str] = set()
    for result in (wounded(), others(), more):
        given |= {TREATMENTS[kind] for kind in np.unique(result.treatments["kind"])}
    assert given >= set(TREATMENTS[: TREATMENTS.index("emergency_care") + 1])


def test_first_aid_is_given_at_the_point_of_injury_or_on_the_way() -> None:
    result = wounded()
    aid = x.rows(result, "first_aid")
    assert set(aid["facility"].tolist()) == {AT_POI, EN_ROUTE}
    places = np.full(len(result), 99)
    places[aid["patient"]] = aid["facility"]
    given = outside(result.treatments)
    assert (given["facility"] == places[given["patient"]]).all()
    assert math.isclose(len(np.unique(given["patient"])), len(aid), rel_tol=0.02)
