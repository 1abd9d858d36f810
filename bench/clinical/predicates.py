"""Values that single clinical rules need and that take more than an expression: `PREDICATES`, by name.

Each is a function of `Records` that returns a column, or a function that an expression calls.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bench.clinical.codebook import excluded_codes
from bench.clinical.columns import NEVER, Array, Column, count, first, has, last, meet, value_at_first
from bench.clinical.records import DAY, HOUR, MINUTE, OPERATIONS, Records
from engine.codes import (
    COMPLICATIONS,
    LIMBS,
    NONE,
    REGIONS,
    SIDES,
    TREATMENTS,
    Event,
    TriageCategory,
)
from engine.records import CodeTables, doses
from engine.records.fields import View as RecordView
from engine.records.patient_rows import last_before
from engine.records.values import Coded
from scenarios import catalogue

PREDICATES: dict[str, Callable[[Records], Any]] = {}
"""By name in the expressions of the rules."""

AIRWAY = ("airway_adjunct", "intubation", "surgical_airway", "tracheostomy")
CHEST = ("chest_seal", "needle_decompression", "chest_drain", "thoracotomy")
MEASURES = {"airway": AIRWAY, "chest": CHEST}

ALTERNATIVES: dict[str, tuple[str, ...]] = {
    "iv_access": ("intraosseous_access",),
    "airway_adjunct": ("intubation", "surgical_airway", "tracheostomy"),
    "intubation": ("surgical_airway", "tracheostomy"),
    "needle_decompression": ("chest_drain", "thoracotomy"),
    "chest_seal": ("chest_drain", "thoracotomy"),
    "chest_drain": ("thoracotomy",),
    "tourniquet": ("junctional_tourniquet", "haemostatic_dressing", "amputation"),
    "junctional_tourniquet": ("haemostatic_dressing", "vascular_repair", "ligation"),
    "haemostatic_dressing": ("pressure_dressing", "tourniquet", "junctional_tourniquet"),
    "pressure_dressing": ("haemostatic_dressing", "wound_care", "wound_debridement", "burn_dressing"),
    "pelvic_binder": ("external_fixation", "pelvic_packing"),
    "splint": ("external_fixation", "fracture_fixation", "closed_reduction", "amputation"),
    "closed_reduction": ("fracture_fixation", "external_fixation", "definitive_surgery"),
    "oxygen": ("intubation", "ventilation", "respiratory_support"),
    "wound_care": ("wound_debridement",),
    "hypothermia_prevention": ("rewarming",),
    "burn_dressing": ("burn_excision", "wound_care"),
    "eye_shield": ("eye_repair",),
}
"""By treatment that a condition needs: treatments that answer the need as well."""


def predicate(function: Callable[[Records], Any]) -> Callable[[Records], Any]:
    """Register a value for the expressions of the rules."""
    PREDICATES[function.__name__] = function
    return function


# --- codes


@cache
def _text_matches(displays: tuple[str, ...], pattern: str) -> Array:
    return np.array([re.search(pattern, display) is not None for display in displays])


def _displays(r: Records) -> tuple[str, ...]:
    return tuple(condition.display for condition in r.sets.conditions)


@predicate
def bruise(r: Records) -> Column:
    """Wounds that are contusions or abrasions."""
    words = _text_matches(_displays(r), "ontusion of|brasion")
    return r.wounds.among("superficial") & r.wounds.rows.column(words[r.chunk.wounds["condition"]])


@cache
def _excluded(codes: tuple[str, ...]) -> Array:
    return excluded_codes(codes)


@predicate
def excludes1_pair(r: Records) -> Column:
    """Patients with two wounds of one region and side whose codes exclude each other."""
    one, other = r.pairs_of_wounds
    condition = r.chunk.wounds["condition"]
    excluded = _excluded(tuple(r.sets.codes))
    wrong = excluded[condition[one], condition[other]]
    for column in ("region", "side"):
        wrong &= r.chunk.wounds[column][one] == r.chunk.wounds[column][other]
    wrong &= _side_of_code(r)[condition[one]] == _side_of_code(r)[condition[other]]
    return r.patients_of_pairs(wrong)


def _side_of_code(r: Records) -> Array:
    sides = [condition.side for condition in r.sets.conditions]
    return np.array([SIDES.index(side) if side in SIDES else 0 for side in sides])


@cache
def _group_pairs() -> tuple[Array, Array]:
    """Return which pairs of conditions exclude each other by a group of the catalogue: in a patient, on a side.

    An entry of `excludes` is a group or `group:part`. Conditions of a group with parts exclude those of other parts.
    """
    conditions = catalogue.conditions()
    in_patient = np.zeros((len(conditions), len(conditions)), bool)
    on_side = np.zeros_like(in_patient)
    members: dict[str, dict[str, list[int]]] = {}
    for number, condition in enumerate(conditions):
        for entry in condition.excludes:
            group, _, part = entry.partition(":")
            members.setdefault(group, {}).setdefault(part, []).append(number)
    groups: dict[str, Any] = {**catalogue.exclusions()}
    for group, parts in members.items():
        found = on_side if groups[group].scope == "side" else in_patient
        for one, rows in parts.items():
            for other, columns in parts.items():
                if not one or one != other:
                    found[np.ix_(rows, columns)] = True
    return in_patient, on_side


@predicate
def has_exclusion_group(r: Records) -> Column:
    """Patients with two wounds or more, one of them with an exclusion group."""
    return (r.wound_count >= 2) & has(r.wounds.condition("excludes"))


@predicate
def shares_exclusion_group(r: Records) -> Column:
    """Patients with two wounds that exclude each other by a group of the catalogue."""
    in_patient, on_side = _group_pairs()
    one, other = r.pairs_of_wounds
    wounds = r.chunk.wounds
    first_wound, second_wound = wounds["condition"][one], wounds["condition"][other]
    same_side = (wounds["region"][one] == wounds["region"][other]) & (
        wounds["side"][one] == wounds["side"][other]
    )
    return r.patients_of_pairs(
        in_patient[first_wound, second_wound] | (same_side & on_side[first_wound, second_wound])
    )


@predicate
def code_number(r: Records) -> Column:
    """Number of the code of each wound; conditions of one code share it."""
    _, numbers = np.unique(r.sets.codes, return_inverse=True)
    return r.wounds.rows.column(numbers[r.chunk.wounds["condition"]])


def _characters(r: Records, function: Callable[[str], str]) -> Column:
    """Return a number for each wound that is the same where `function` of the code is."""
    _, numbers = np.unique([function(code) for code in r.sets.codes], return_inverse=True)
    return r.wounds.rows.column(numbers[r.chunk.wounds["condition"]])


@predicate
def durations_of_unconsciousness_differ(r: Records) -> Column:
    """Patients whose codes of S06 name different durations of the loss of consciousness."""
    duration = _characters(r, lambda code: code[6:7] if code.startswith("S06") else "")
    losses = r.wounds.among("loss_of_consciousness")
    return has(losses) & (first(duration, losses) != last(duration, losses))


@predicate
def closed_beside_open_fracture(r: Records) -> Column:
    """Patients with a bone that is coded as broken open and closed."""
    bone = _characters(r, lambda code: code[:5])
    opened, closed = r.wounds.among("open_limb_fracture"), r.wounds.among("closed_limb_fracture")
    return meet(opened, closed, bone, r.wounds.side)


@predicate
def burn_in_two_depths(r: Records) -> Column:
    """Patients with two depths of burn of one site and side."""
    site = _characters(r, lambda code: code[:3] + code[5:6])
    depth = _characters(r, lambda code: code[:5])
    burnt = r.wounds.among("burn_site")
    depths = [burnt & (depth == each) for each in np.unique(depth.values[burnt.values])]
    found = r.patients.everything() & False
    for k, mine in enumerate(depths):
        for theirs in depths[k + 1 :]:
            found = found | meet(mine, theirs, site, r.wounds.side)
    return found


SITES = (
    "scalp|eyelid|nose|ear|lip|oral cavity|cheek|throat|neck|front wall of thorax|back wall of thorax|abdominal wall|"
    "lower back|buttock|shoulder|upper arm|elbow|forearm|wrist|thumb|finger|hand|"
    "hip|thigh|knee|lower leg|ankle|toe|foot"
)
"""Names of the parts of the body in the texts of superficial injuries and open wounds."""


def _site(display: str) -> str:
    """Return the part of the body that a text names first, and the wall of the belly that it names."""
    part = re.search(SITES, display)
    where = re.search(r"(right|left) (upper|lower) quadrant|epigastric|periumbilic", display)
    return (part[0] if part else display) + (where[0] if where else "")


@predicate
def superficial_beside_open_wound(r: Records) -> Column:
    """Patients with a superficial injury and an open wound of one part of the body and side."""
    sites = [_site(condition.display) for condition in r.sets.conditions]
    _, numbers = np.unique(sites, return_inverse=True)
    site = r.wounds.rows.column(numbers[r.chunk.wounds["condition"]])
    return meet(r.wounds.among("superficial"), r.wounds.among("open_wound"), site, r.wounds.side)


AMPUTATIONS = {
    "S48.0": 0.5,
    "S48": 1.5,
    "S58.0": 2.0,
    "S58": 2.5,
    "S68.4": 3.0,
    "S68": 3.5,
    "S78.0": 0.5,
    "S78": 1.5,
    "S88.0": 2.0,
    "S88": 2.5,
    "S98.0": 3.0,
    "S98": 3.5,
}
"""Distance of an amputation along the limb, by code: a joint is where the next segment begins."""


def _amputation_level(code: str) -> float:
    return AMPUTATIONS.get(code[:5], AMPUTATIONS.get(code[:3], NEVER))


def _wound_level(code: str) -> float:
    """Return the segment of a limb's wound: 0 shoulder girdle, 1 upper, 2 middle, 3 hand or foot."""
    if code[:5] in ("S42.0", "S42.1") or code[:3] in ("S78", "S48", "S58", "S68", "S88", "S98"):
        return 0.0
    segments = {"S4": 1.0, "S7": 1.0, "S5": 2.0, "S8": 2.0, "S6": 3.0, "S9": 3.0}
    if code[:3] in (
        "T22",
        "T24",
    ):  # the fifth character is the site: forearm, elbow, upper arm; thigh, knee, leg
        return {"T221": 2.0, "T222": 2.0, "T242": 2.0, "T243": 2.0, "T241": 1.0}.get(code[:3] + code[5], 1.0)
    return {"T23": 3.0, "T25": 3.0}.get(code[:3], segments.get(code[:2], 0.0))


@predicate
def wound_beyond_amputation(r: Records) -> Column:
    """Patients with a wound at or beyond the level of an amputation of the same limb."""
    cut = np.array([_amputation_level(code) for code in r.sets.codes])[r.chunk.wounds["condition"]]
    level = np.array([_wound_level(code) for code in r.sets.codes])[r.chunk.wounds["condition"]]
    one, other = r.pairs_of_wounds
    wrong = (level[other] >= cut[one]) | (level[one] >= cut[other])
    for column in ("region", "side"):
        wrong &= r.chunk.wounds[column][one] == r.chunk.wounds[column][other]
    return r.patients_of_pairs(wrong)


@predicate
def cord_complete_and_incomplete(r: Records) -> Column:
    """Patients with a complete and an incomplete lesion of one part of the cord."""
    part = _characters(r, lambda code: code[:3])
    cord, complete = r.wounds.among("cord"), r.wounds.among("cord_complete")
    return meet(cord & ~complete, complete, part)


@predicate
def named_side(r: Records) -> Column:
    """Wounds of sided regions whose text names a side."""
    named = r.wounds.rows.column(_side_of_code(r)[r.chunk.wounds["condition"]] > 0)
    return named & (r.wounds.side > 0)


@predicate
def side_differs(r: Records) -> Column:
    """Wounds whose text names the other side."""
    displays = _displays(r)
    right, left = _text_matches(displays, r"\bright\b"), _text_matches(displays, r"\bleft\b")
    condition = r.chunk.wounds["condition"]
    one_side = right ^ left
    said = np.where(right, SIDES.index("right"), SIDES.index("left"))[condition]
    return named_side(r) & r.wounds.rows.column(one_side[condition]) & (r.wounds.side != said)


BLOCKS = (
    ("S05|T26|T15|S00.[12]|S01.1", ("eyes",)),
    ("S09.[23]|T70", ("ears",)),
    ("S06", ("head",)),
    ("S0", ("head", "eyes", "ears", "face")),
    ("S1", ("neck",)),
    ("S2", ("thorax", "neck")),
    ("S31.8", ("abdomen", "lower_limb")),
    ("S3", ("abdomen",)),
    ("S[456]", ("upper_limb",)),
    ("S[789]", ("lower_limb",)),
    ("T20", ("head", "face", "neck", "ears", "eyes")),
    ("T21", ("thorax", "abdomen", "lower_limb", "upper_limb")),
    ("T2[23]", ("upper_limb",)),
    ("T2[45]", ("lower_limb",)),
    ("T27", ("neck", "thorax")),
)
"""By the beginning of a code: the regions that its wound may lie in."""


def _regions(code: str) -> tuple[str, ...]:
    for pattern, regions in BLOCKS:
        if re.match(pattern, code):
            return regions
    return REGIONS


@predicate
def region_differs(r: Records) -> Column:
    """Wounds in another region than that of their code."""
    allowed = np.array([[region in _regions(code) for region in REGIONS] for code in r.sets.codes])
    return r.wounds.rows.column(~allowed[r.chunk.wounds["condition"], r.chunk.wounds["region"]])


@predicate
def in_incident_with_others(r: Records) -> Column:
    """Wounded of an incident with several casualties."""
    return r.patients.kind("wounded") & (r.patients.incident_size >= 2)


@predicate
def mechanisms_of_incident_differ(r: Records) -> Column:
    """Wounded whose incident has wounded by another mechanism."""
    table = r.chunk.patients
    wounded = r.patients.kind("wounded").values
    incidents, which = np.unique(table["incident"], return_inverse=True)
    low = np.full(len(incidents), 255)
    high = np.full(len(incidents), -1)
    np.minimum.at(low, which[wounded], table["mechanism"][wounded])
    np.maximum.at(high, which[wounded], table["mechanism"][wounded])
    return r.patients.rows.column(wounded & (low[which] != high[which]))


# --- treatments


@predicate
def dressings(r: Records) -> Column:
    """Treatments that are dressings."""
    return r.treatments.kind("pressure_dressing", "haemostatic_dressing", "burn_dressing")


BLEEDING = (
    "limb_vessel",
    "limb_amputation",
    "crushed_limb",
    "open_limb_fracture",
    "femur",
    "large_vessel",
    "neck_deep",
    "torso_vessel",
    "chest_with_air_or_blood",
    "heart_or_great_vessel",
    "lung_torn",
    "abdominal_organ",
    "pelvic_fracture",
    "peritoneum_open",
    "tendon",
    "face_destroyed",
    "face_or_scalp_torn",
)
"""Sets of codes of lesions that may need blood, tranexamic acid or a tourniquet.

Among them are torn vessels of the head outside the skull (S09.0) and a crushed face (S07.0). Arteries of scalp and face
are held open by the tissue around them and bleed on until somebody presses on them or ties them: some come in shock.
"""


@predicate
def bleeding_lesion(r: Records) -> Column:
    """Wounds that may need blood, tranexamic acid or a tourniquet."""
    return (r.wounds.among("open_wound") & (r.wounds.ais >= 2)) | r.wounds.among(*BLEEDING)


@predicate
def bleeds(r: Records) -> Column:
    """Patients with a wound or main diagnosis that may need blood, tranexamic acid or a tourniquet."""
    return has(bleeding_lesion(r)) | r.patients.among(*BLEEDING)


@predicate
def given_by(r: Records) -> Callable[[str, Column], Column]:
    """Whether a measure of a group (`airway`, `chest`) starts until a time of each patient."""
    return lambda group, time: has(r.treatments.kind(*MEASURES[group]) & (r.treatments.start <= time))


@predicate
def given_before(r: Records) -> Callable[[str, Column], Column]:
    """Whether a treatment starts before a time of each patient."""
    return lambda label, time: has(r.treatments.kind(label) & (r.treatments.start < time))


@predicate
def given_at_poi(r: Records) -> Callable[[str], Column]:
    """Whether a treatment is given at the point of injury."""
    return lambda label: has(r.treatments.kind(label) & r.at_poi)


@predicate
def treatment_available(r: Records) -> Callable[[str], Column]:
    """Whether the scenario has a treatment; it may switch off single ones."""

    def available(label: str) -> Column:
        settings: Any = r.scenario.treatments or {}
        setting = settings.get(label)
        off = setting is not None and setting.available is False
        return r.patients.everything() & (not off)

    return available


@predicate
def same_wound_more_than_twice(r: Records) -> Callable[[str], Column]:
    """Whether any wound gets a treatment more than twice."""

    def more(label: str) -> Column:
        rows = r.treatments.kind(label) & r.names_wound
        key = r.treatments.rows.patient.astype(np.int64) * 256 + r.chunk.treatments["wound"]
        keys, counts = np.unique(key[rows.values], return_counts=True)
        found = np.zeros(len(r.chunk), bool)
        found[keys[counts > 2] // 256] = True
        return r.patients.rows.column(found)

    return more


@predicate
def resuscitating_door(r: Records) -> Column:
    """First arrival at a facility that resuscitates."""
    return first(r.events.at, r.events.kind("arrived") & r.able("dcr"))


@predicate
def icu_door(r: Records) -> Column:
    """First arrival at a facility with intensive care."""
    return first(r.events.at, r.events.kind("arrived") & r.able("icu"))


@predicate
def coma_at_resuscitation(r: Records) -> Column:
    """Vital signs with GCS 8 or less in the quarter of an hour after the door of a facility that resuscitates."""
    door = resuscitating_door(r)
    late = (r.vitals.at >= door) & (r.vitals.at <= door + 15 * MINUTE)
    return late & (r.vitals.gcs <= 8) & (r.patients.closed > door + HOUR)


@predicate
def lowest_gcs(r: Records) -> Column:
    """Lowest GCS of each patient; NEVER without vital signs."""
    return first(r.vitals.gcs, r.vitals.everything())


@predicate
def hypoxic_at_role2(r: Records) -> Column:
    """Patients with a saturation below 90 within 15 minutes of the door of Role 2 who live for an hour more."""
    near = (r.vitals.at >= r.role2) & (r.vitals.at <= r.role2 + 15 * MINUTE)
    return has(near & (r.vitals.spo2 < 90)) & (r.patients.closed > r.role2 + HOUR)


@predicate
def blood_runs_short(r: Records) -> Column:
    """All patients where a facility of the scenario has a limited stock of blood."""
    limited = any(facility.blood_units is not None for facility in r.scenario.facilities)
    return r.patients.everything() & limited


@predicate
def in_surgical_system(r: Records) -> Column:
    """Survivors, other than those evacuated without passing any facility that operates."""
    evacuated = r.patients.labelled("status", "evacuated", "discharged")
    return r.survivor & ~(evacuated & (r.surgical_door == NEVER))


def _unmet(r: Records, attribute: str, alternatives: dict[str, tuple[str, ...]]) -> tuple[Column, Column]:
    """Return who has a condition with treatments in `attribute`, and who lacks any single one of them."""
    given = r.sets.attribute(attribute)
    nobody = r.patients.everything() & False
    asked, lacking = nobody, nobody
    for label in sorted({label for row in given for label in row}):
        mask = np.array([label in row for row in given])
        needy = r.patients.rows.column(mask[r.chunk.patients["condition"]])
        needy = needy | has(r.wounds.rows.column(mask[r.chunk.wounds["condition"]]))
        kinds = [TREATMENTS.index(x) for x in (label, *alternatives.get(label, ())) if x in TREATMENTS]
        answered = has(r.treatments.rows.column(np.isin(r.chunk.treatments["kind"], kinds)))
        asked, lacking = asked | needy, lacking | (needy & ~answered)
    return asked, lacking


@predicate
def has_needs(r: Records) -> Column:
    """Patients with a condition that needs a treatment."""
    return _unmet(r, "needs", ALTERNATIVES)[0]


@predicate
def need_unmet(r: Records) -> Column:
    """Patients who lack a treatment that one of their conditions needs."""
    return _unmet(r, "needs", ALTERNATIVES)[1]


@predicate
def has_operations(r: Records) -> Column:
    """Patients with a condition that calls for an operation."""
    given = r.sets.attribute("operations")
    mask = np.array([bool(row) for row in given])
    return r.patients.rows.column(mask[r.chunk.patients["condition"]]) | has(r.wounds.condition("operations"))


DEFERRABLE = {
    "fracture_fixation",
    "hernia_repair",
    "spinal_surgery",
    "maxillofacial_surgery",
    "burn_excision",
    "closed_reduction",
    "urological_repair",
}
"""Operations that may wait for Role 4."""


@predicate
def operation_undone(r: Records) -> Column:
    """Patients with a condition of whose operations none was done; those that may wait unless evacuated."""
    given = r.sets.attribute("operations")
    evacuated = r.patients.labelled("status", "evacuated", "discharged")
    found = r.patients.everything() & False
    for wanted in {row for row in given if row}:
        mask = np.array([row == wanted for row in given])
        needy = r.patients.rows.column(mask[r.chunk.patients["condition"]])
        needy = needy | has(r.wounds.rows.column(mask[r.chunk.wounds["condition"]]))
        if set(wanted) & DEFERRABLE:
            needy = needy & ~evacuated
        kinds = [TREATMENTS.index(label) for label in wanted if label in TREATMENTS]
        done = has(r.treatments.rows.column(np.isin(r.chunk.treatments["kind"], kinds)))
        found = found | (needy & ~done)
    return found


# --- vital signs


def _at_door(column: str) -> Callable[[Records], Column]:
    """Return a sign of the first set at or after the first door."""

    def value(r: Records) -> Column:
        return value_at_first(getattr(r.vitals, column), r.vitals.at >= r.door)

    return value


for _name, _column in {
    "door_gcs": "gcs",
    "door_systolic": "systolic",
    "door_pulse": "heart_rate",
    "door_spo2": "spo2",
    "door_breaths": "respiratory_rate",
}.items():
    PREDICATES[_name] = _at_door(_column)


@predicate
def moribund(r: Records) -> Column:
    """Vital signs of the moribund (validation target MOR1)."""
    v = r.vitals
    circulation = (v.systolic < 90) | (v.heart_rate > 120) | (v.heart_rate < 50)
    breath = (v.spo2 < 85) | (v.respiratory_rate < 8) | (v.respiratory_rate > 30)
    return circulation | breath | (v.gcs < 9)


def _before_the_end(minutes: float) -> Callable[[Records], Column]:
    return lambda r: r.vitals.at >= r.patients.closed - minutes * MINUTE


PREDICATES["last_half_hour"] = _before_the_end(30)
PREDICATES["last_hour"] = _before_the_end(60)
PREDICATES["last_two_hours"] = _before_the_end(120)


@predicate
def dies_suddenly(r: Records) -> Column:
    """Patients killed at once, by a hit on the facility, or by a matrix instead of a course."""
    return r.patients.labelled("death_cause", "instantly_fatal_injury", "facility_hit", "transition")


@predicate
def longest_gap_hours(r: Records) -> Column:
    """Longest time without vital signs from the first door to the outcome, in hours."""
    at, patient = r.vitals.at.values, r.vitals.rows.patient
    door, closed = r.door.values[patient], r.patients.closed.values
    previous = np.concatenate(([0.0], at[:-1]))
    fresh = np.concatenate(([True], patient[1:] != patient[:-1]))
    gaps = at - np.where(fresh | (previous < door), door, previous)
    longest = np.zeros(len(r.chunk))
    np.maximum.at(longest, patient, gaps)
    ends = np.maximum(last(r.vitals.at, r.vitals.everything()).values, r.door.values)
    with np.errstate(invalid="ignore"):
        longest = np.maximum(longest, closed - ends)
    return r.patients.rows.column(longest / HOUR)


@predicate
def departs_within_6h_of_icu(r: Records) -> Column:
    """Patients who leave a facility within six hours of intensive care."""
    start = r.event_time("icu_admitted")
    return has(r.events.kind("departed") & (r.events.at > start) & (r.events.at < start + 6 * HOUR))


@predicate
def signs_in_first_icu_hours(r: Records) -> Column:
    """Number of sets of vital signs in the first six hours of intensive care."""
    start = r.event_time("icu_admitted")
    return count((r.vitals.at >= start) & (r.vitals.at <= start + 6 * HOUR))


@predicate
def signs_before_surgery(r: Records) -> Column:
    """Patients with vital signs in the hour before their first operation."""
    start = r.event_time("surgery_started")
    return has((r.vitals.at <= start) & (r.vitals.at >= start - HOUR))


@predicate
def signs_after_surgery(r: Records) -> Column:
    """Patients with vital signs in the half hour after their first operation."""
    end = r.event_time("surgery_ended")
    return has((r.vitals.at >= end) & (r.vitals.at <= end + 30 * MINUTE))


def _steps(r: Records, column: str) -> tuple[Array, Array]:
    """Return the change of a sign from the set before, and whether that is of the same patient."""
    values = getattr(r.vitals, column).values.astype(np.float64)
    patient = r.vitals.rows.patient
    same = np.concatenate(([False], patient[1:] == patient[:-1]))
    return np.diff(values, prepend=0.0), same


@predicate
def bounces(r: Records) -> Column:
    """Patients whose pressure rises and falls, or falls and rises, by 20 mmHg in the three days after resuscitation."""
    change, same = _steps(r, "systolic")
    end = r.event_time("resuscitation_ended").values[r.vitals.rows.patient]
    at = r.vitals.at.values
    near = same & (at > end) & (at <= end + 3 * DAY)
    swings = np.where(near & (np.abs(change) >= 20), np.sign(change), 0.0)
    turned = np.concatenate(([False], swings[1:] * swings[:-1] < 0)) & same
    return has(r.vitals.rows.column(turned))


@predicate
def score_falls_after_surgery(r: Records) -> Column:
    """Patients whose health score falls by 4 from one set of signs to the next after their first operation."""
    change, same = _steps(r, "score")
    end = r.event_time("surgery_ended").values[r.vitals.rows.patient]
    previous = np.concatenate(([0.0], r.vitals.at.values[:-1]))
    return has(r.vitals.rows.column(same & (previous >= end) & (change <= -40)))


@predicate
def lactate_in_deep_shock(r: Records) -> Column:
    """Vital signs with a lactate value and a systolic pressure below 80."""
    return (r.vitals.systolic < 80) & (r.vitals.lactate >= 0)


@predicate
def waking(r: Records) -> Column:
    """Vital signs in the two hours after an operation."""
    given = r.treatments
    operation = given.kind(*OPERATIONS).values
    span = 10**12  # ms, longer than any course
    ends = np.sort(
        given.rows.patient[operation].astype(np.int64) * span + given.end.values[operation].astype(np.int64)
    )
    taken = r.vitals.rows.patient.astype(np.int64) * span + r.vitals.at.values.astype(np.int64)
    last = np.concatenate(([-span], ends))[np.searchsorted(ends, taken, side="right")]
    return r.vitals.rows.column(taken - last <= 2 * HOUR)


@predicate
def pain_before_analgesia(r: Records) -> Column:
    """Vital signs with a pain score, GCS 14 or more, before any analgesia or anaesthesia."""
    eased = r.started("analgesia", "intubation", *OPERATIONS)
    return (r.vitals.pain >= 0) & (r.vitals.gcs >= 14) & (r.vitals.at < eased)


# --- the course


@predicate
def onward_departure(r: Records) -> Column:
    """Departures from facilities."""
    return r.events.kind("departed") & (r.events.facility >= 0)


def _row_before(r: Records, wanted: Column) -> Array:
    """Return the row of the latest event in `wanted` of the same patient before each event, -1 without one."""
    rows = np.where(wanted.values, np.arange(len(wanted.values)), -1)
    found = np.maximum.accumulate(np.concatenate(([-1], rows[:-1]))) if len(rows) else rows
    patient = r.events.rows.patient
    return np.where((found >= 0) & (patient[found] == patient), found, -1)


@predicate
def departs_on_request(r: Records) -> Column:
    """Patients who leave a facility in the second in which their evacuation is requested."""
    before = _row_before(r, r.events.kind("evacuation_requested"))
    at, place = r.chunk.events["at"], r.chunk.events["facility"]
    at_once = (before >= 0) & (place[before] == place) & (at - at[before] < 1000)
    return has(onward_departure(r) & r.events.rows.column(at_once))


def _since_surgery(r: Records) -> Array:
    """Return the time from the end of the last operation at the same facility to each event, NEVER without one."""
    before = _row_before(r, r.events.kind("surgery_ended", "definitive_surgery_ended"))
    at, place = r.chunk.events["at"], r.chunk.events["facility"]
    return np.where((before >= 0) & (place[before] == place), at - at[before], NEVER)


@predicate
def leaves_after_surgery(r: Records) -> Column:
    """Patients who leave a facility where they were operated."""
    return has(onward_departure(r) & r.events.rows.column(_since_surgery(r) < NEVER))


@predicate
def leaves_within_half_an_hour(r: Records) -> Column:
    """Patients who leave a facility within half an hour of the end of an operation."""
    return has(onward_departure(r) & r.events.rows.column(_since_surgery(r) < 30 * MINUTE))


def _reading_before(r: Records, at: Array, patient: Array) -> Array:
    """Return the row of the last reading of the patient not after `at`, of each pair; -1 without one."""
    if not len(r.vitals.at.values):
        return np.full(len(at), -1)
    rows = r.vitals.rows.patient
    span = max(1.0, float(np.max(r.chunk.vitals["at"])), float(np.max(at, initial=0))) + 1.0
    keys = rows * span + r.chunk.vitals["at"]
    found = np.searchsorted(keys, patient * span + at, side="right") - 1
    return np.where((found >= 0) & (rows[np.maximum(found, 0)] == patient), found, -1)


def _tubed_at(r: Records, at: Array, patient: Array) -> Array:
    """Return of each pair whether the last reading of the patient not after `at` has an end-tidal carbon dioxide."""
    row = _reading_before(r, at, patient)
    return (
        (row >= 0) & (r.chunk.vitals["etco2"][np.maximum(row, 0)] != NONE)
        if len(r.chunk.vitals)
        else row >= 0
    )


@predicate
def leaves_unrecovered(r: Records) -> Column:
    """Patients who leave a facility within two hours of the end of an operation, without a tube."""
    at, patient = r.chunk.events["at"], r.events.rows.patient
    early = (_since_surgery(r) < 2 * HOUR) & ~_tubed_at(r, at, patient)
    return has(onward_departure(r) & r.events.rows.column(early))


@predicate
def travels_after_intubation(r: Records) -> Column:
    """Patients who leave a facility after they were intubated."""
    return has(onward_departure(r) & (r.events.at > r.started("intubation", "surgical_airway")))


@predicate
def loses_tube_around_the_journey(r: Records) -> Column:
    """Patients who have a tube two hours before a departure and not at it, or at it and not an hour after arrival.

    Before the departure only the time at the facility counts.
    """
    events, patient = r.chunk.events, r.events.rows.patient
    at = events["at"].astype(np.float64)
    came = _row_before(r, r.events.kind("arrived"))
    before = np.maximum(at - 2 * HOUR, np.where(came >= 0, at[np.maximum(came, 0)], at))
    following = np.minimum(np.arange(len(at)) + 1, len(at) - 1)
    reached = (patient[following] == patient) & (events["kind"][following] == Event.ARRIVED)
    reached &= at[following] < r.patients.closed.values[patient] - HOUR
    tubed = _tubed_at(r, before, patient) | _tubed_at(r, at, patient)
    lost = tubed & ~_tubed_at(r, at, patient)
    lost |= _tubed_at(r, at, patient) & reached & ~_tubed_at(r, at[following] + HOUR, patient)
    return has(onward_departure(r) & r.events.rows.column(lost))


def _departs_to_role4(r: Records) -> Column:
    """Departures from a facility of Role 2 or 3 to Role 4 that are routine."""
    events, patient = r.chunk.events, r.events.rows.patient
    following = np.minimum(np.arange(len(events)) + 1, len(events) - 1)
    roles = r.role(r.events).values
    request = _row_before(r, r.events.kind("evacuation_requested"))
    routine = (request >= 0) & (events["detail"][np.maximum(request, 0)] == TriageCategory.T3)
    to = (
        (patient[following] == patient)
        & (events["kind"][following] == Event.ARRIVED)
        & (roles[following] == 4)
    )
    return onward_departure(r) & r.events.rows.column(to & routine & (roles >= 2))


@predicate
def goes_to_role4_routine(r: Records) -> Column:
    """Patients whose movement to Role 4 from Role 2 or 3 is routine."""
    return has(_departs_to_role4(r))


@predicate
def goes_to_role4_within_12h(r: Records) -> Column:
    """Patients who leave for Role 4 as routine within 12 hours of arrival at the facility before it."""
    came = _row_before(r, r.events.kind("arrived"))
    at = r.chunk.events["at"]
    soon = (came >= 0) & (at - at[np.maximum(came, 0)] < 12 * HOUR)
    return has(_departs_to_role4(r) & r.events.rows.column(soon))


@predicate
def first_triage_t1(r: Records) -> Column:
    """Patients triaged T1 the first time."""
    return value_at_first(r.events.detail, r.events.kind("triaged")) == 1


@predicate
def first_request_routine(r: Records) -> Column:
    """Patients whose first evacuation is requested as routine."""
    return value_at_first(r.events.detail, r.events.kind("evacuation_requested")) == 3


@predicate
def has_role1(r: Records) -> Column:
    """Patients who were at a Role 1 facility."""
    return r.patients.role1 < NEVER


# --- complications


@predicate
def complication(r: Records) -> Callable[..., Column]:
    """Return the function that gives the time of the first of these complications, NEVER without one."""

    def time(*labels: str) -> Column:
        kinds = r.chunk.events["detail"] // LIMBS
        those = np.isin(kinds, [COMPLICATIONS.index(label) for label in labels])
        return first(r.events.at, r.events.kind("complication") & r.events.rows.column(those))

    return time


@predicate
def infected(r: Records) -> Column:
    """Time of the first infection of each patient, NEVER without one."""
    time: Column = complication(r)(
        "wound_infection", "bone_infection", "abdominal_infection", "pneumonia", "sepsis"
    )
    return time


@predicate
def embolism(r: Records) -> Column:
    """Time of the first venous thromboembolism of each patient, NEVER without one."""
    time: Column = complication(r)("deep_vein_thrombosis", "pulmonary_embolism")
    return time


@predicate
def fatal(r: Records) -> Callable[[str], Column]:
    """Return the function that says who died late of a complication."""

    def of(label: str) -> Column:
        return r.patients.fatal_complication == COMPLICATIONS.index(label)

    return of


# --- drugs


def _treatment_view(r: Records) -> RecordView:
    return RecordView(r.chunk, r.chunk.treatments, CodeTables(r.scenario))


def _rows_with(r: Records, values: Coded, wanted: Callable[[str], bool]) -> Column:
    """Treatments whose text is wanted."""
    those = np.array([text is not None and wanted(text) for text in values.texts])
    return r.treatments.rows.column(those[np.minimum(values.indices("treatments"), len(those) - 1)])


@predicate
def drug(r: Records) -> Callable[..., Column]:
    """Treatments with a drug whose name contains one of some words."""
    values: Any = doses.drugs(_treatment_view(r))
    return lambda *words: _rows_with(r, values, lambda text: any(word in text for word in words))


@predicate
def route(r: Records) -> Callable[..., Column]:
    """Treatments with a drug by one of some routes."""
    values: Any = doses.routes(_treatment_view(r))
    return lambda *labels: _rows_with(r, values, lambda text: text in labels)


@predicate
def again_within(r: Records) -> Callable[[Column, float], Column]:
    """Patients with two of some treatments less than so many hours apart."""

    def found(rows: Column, hours: float) -> Column:
        chosen = np.flatnonzero(rows.values.astype(bool))
        who = r.treatments.rows.patient[chosen]
        start = r.chunk.treatments["start"].astype(np.int64)[chosen]
        order = np.lexsort((start, who))
        who, start = who[order], start[order]
        close = (who[1:] == who[:-1]) & (np.diff(start) < hours * HOUR)
        patients = np.zeros(len(r.chunk), bool)
        patients[who[1:][close]] = True
        return r.patients.rows.column(patients)

    return found


@predicate
def sign_before(r: Records) -> Callable[[str, float], Column]:
    """The value of a sign as it was last taken before each treatment, at most so many minutes; else not a number."""

    def value(sign: str, minutes: float) -> Column:
        taken = getattr(r.vitals, sign).values.astype(np.float64)
        known = np.flatnonzero(~np.isnan(taken))
        treatments = r.chunk.treatments
        if not len(known):
            return r.treatments.rows.column(np.full(len(treatments), np.nan))
        readings = r.chunk.vitals[known]
        places = last_before(
            readings, "at", treatments["patient"].astype(np.int64), treatments["start"].astype(np.int64)
        )
        place = np.maximum(places, 0)
        age = treatments["start"] - readings["at"][place]
        found = np.where((places >= 0) & (age <= minutes * MINUTE), taken[known][place], np.nan)
        return r.treatments.rows.column(found)

    return value
