"""Values of clinical rules on diagnoses, wounds and their codes."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bench.clinical.codebook import excluded_codes
from bench.clinical.columns import NEVER, Array, Column, first, has, last, meet
from bench.clinical.predicates.registry import predicate
from bench.clinical.records import Records
from engine.codes import REGIONS, SIDES
from scenarios import catalogue


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


@cache
def _burn_areas() -> Array:
    """Return by condition the middle of the burned share of the body surface, in per cent."""
    shares = [condition.burn_share for condition in catalogue.conditions()]
    return np.array([0.0 if share is None else sum(share) / 2 for share in shares])


@predicate
def burnt_percent(r: Records) -> Column:
    """Share of the body surface that is burnt, in per cent: of all wounds, or of the main diagnosis."""
    wounds, patients = r.chunk.wounds, r.chunk.patients
    area = np.bincount(wounds["patient"], _burn_areas()[wounds["condition"]], minlength=len(r.chunk))
    wounded = r.patients.kind("wounded").values
    return r.patients.rows.column(np.where(wounded, area, _burn_areas()[patients["condition"]]))
