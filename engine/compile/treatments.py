"""Compile care by need to the tables of `engine.clinical.needs`."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import LETHAL_MECHANISMS, NONE, REGIONS, TREATMENTS, CarePlace, LethalMechanism
from engine.compile.rows import filled, filled_from
from engine.scenario import TREATMENT_NAMES, Scenario, is_available, model_constants
from engine.tables import (
    CARE_LIMITS,
    CARE_RANKS,
    CARE_RULES,
    MINUTE,
    OPERATIONS_OF_CONDITION,
    TREATMENT_PARAMETERS,
    Table,
)
from scenarios import catalogue

PLACES: dict[str, CarePlace] = {
    "buddy": CarePlace.POINT_OF_INJURY,
    "medic": CarePlace.POINT_OF_INJURY,
    "en_route": CarePlace.ON_THE_WAY,
    "role1": CarePlace.ROLE_1,
    "role2": CarePlace.ROLE_2,
    "role3": CarePlace.ROLE_3,
}
"""By word of the column `places`: the place of care. A buddy and a medic are at the point of injury."""

ACCESS = ("iv_access", "intraosseous_access")
"""Treatments that give an access for drugs, fluids and blood."""

ON_SKIN = ("pressure_dressing", "haemostatic_dressing", "burn_dressing")
"""Treatments that lie on the skin: over the hole of a lesion in a cavity, and not on what is hurt in it."""

ON_ARRIVAL = ("vascular_repair", "eye_repair", "spinal_surgery")
"""Operations of Role 3 that are done on arrival, also within a day of damage control surgery."""

_DRAINED = ("S25.51", "S27.33")
"""Codes of torn intercostal vessels and lungs. Of penetrating wounds of the chest 85 to 90 % need only a drain;
thoracotomy is for massive or ongoing bleeding (Joint Trauma System guideline on wounds of the chest).
"""
_FIXED = {"external_fixation", "fracture_fixation"}
"""Operations on a bone that is held in a splint until then, and not in a cast."""
_LIMBS = {"upper_limb", "lower_limb"}
_NEXT_TO_THE_TRUNK = ("S45.0", "S48", "S75", "S78")
"""Codes of vessels of axilla and thigh, and of amputations at shoulder, upper arm, hip and thigh: too high for a
tourniquet or not, the code does not say.
"""
_CONTUSED = ("S06.31", "S06.32", "S06.33", "S06.9")
"""Codes of injuries of the brain without a haematoma that swell: contusions."""
_DIFFUSE = ("S06.1", "S06.2", "S06.37", "S06.38", "S06.6", "S06.8")
"""Codes of injuries of the brain that no opening of the skull helps: diffuse, of cerebellum or brainstem, by blast."""
_BURNT_AIRWAY = "T27"
_CRUSHED = "7"
"""Third character of the codes of crushing injuries."""
_CAVITIES = ("skull", "pleura", "peritoneum")

_KEPT = 64
"""Tables of rules that are kept for other scenarios with the same treatments switched off."""


def compile_treatments(scenario: Scenario) -> Table:
    """Return one row of TREATMENT_PARAMETERS for a resolved scenario."""
    off = [name for name in TREATMENT_NAMES if name in TREATMENTS and not is_available(scenario, name)]
    row = np.zeros(1, TREATMENT_PARAMETERS)
    row["rules"] = care_rules(frozenset(off))
    row["limits"] = filled_from(CARE_LIMITS, model_constants(scenario, "treatments")["treatments"]["needs"])
    return row


@lru_cache(_KEPT)
def care_rules(off: frozenset[str]) -> Table:
    """Return one row of CARE_RULES from the catalogue, without the treatments in `off`.

    Raises
    ------
    ValueError
        If more treatments have a priority, or a condition calls for more operations, than the table has room for.
    """
    kinds = catalogue.treatment_kinds()
    ranked = sorted(
        (kind for kind in kinds.values() if kind.priority is not None), key=lambda kind: kind.priority or 0
    )
    if len(ranked) > CARE_RANKS:
        raise ValueError(f"treatments.csv: {len(ranked)} treatments with a priority; at most {CARE_RANKS}")
    operations = [kind.label for kind in kinds.values() if kind.theatre]
    operation_bits: dict[str, int] = {label: 1 << number for number, label in enumerate(operations)}
    bits: dict[str, int] = {kind.label: 1 << rank for rank, kind in enumerate(ranked)}
    here = {
        place: sum(
            bits[kind.label]
            for kind in ranked
            if kind.label not in off and place in {PLACES[word] for word in kind.places}
        )
        for place in CarePlace
    }
    return filled(
        CARE_RULES,
        count=len(ranked),
        kind=[TREATMENTS.index(kind.label) for kind in ranked],
        bit=[bits.get(label, 0) for label in TREATMENTS],
        here=[here[place] for place in CarePlace],
        off=sum(bits.get(label, 0) for label in off),
        each_wound=sum(bits[kind.label] for kind in ranked if kind.each_wound),
        until_end=sum(bits[kind.label] for kind in ranked if kind.until_end),
        needs_access=sum(bits[kind.label] for kind in ranked if kind.needs_access),
        access=sum(bits[label] for label in ACCESS),
        once=sum(bits[kind.label] for kind in ranked if kind.once),
        repeat=[kinds[label].repeat_minutes * MINUTE for label in TREATMENTS],
        latest=[_latest(kinds[label]) for label in TREATMENTS],
        needless=[sum(bits.get(label, 0) for label in kind.makes_needless) for kind in ranked],
        instead=[_code(kinds[label].instead) for label in TREATMENTS],
        minutes=[
            [kinds[label].minutes_low, kinds[label].minutes_mode, kinds[label].minutes_high]
            for label in TREATMENTS
        ],
        needs=[_needed(wanted, bits, off) for wanted in catalogue.condition_needs()],
        on_skin=sum(bits[label] for label in ON_SKIN),
        inside=[_is_inside(condition) for condition in catalogue.conditions()],
        kills_by=killing_masks(),
        open_skull=[
            "head" in condition.regions and condition.fracture and bool(condition.opens)
            for condition in catalogue.conditions()
        ],
        contused=[_contused(condition) for condition in catalogue.conditions()],
        breaks_limb=[
            condition.fracture
            and bool(_LIMBS & set(condition.regions))
            and not condition.code.startswith(_GIRDLE)
            for condition in catalogue.conditions()
        ],
        images=[
            sum(1 << catalogue.IMAGES.index(image) for image in wanted.images)
            for wanted in catalogue.condition_needs()
        ],
        bares_bone=[_bares_bone(condition) for condition in catalogue.conditions()],
        opened=[
            _is_opened(condition, wanted)
            for condition, wanted in zip(catalogue.conditions(), catalogue.condition_needs(), strict=True)
        ],
        drained=[condition.code.startswith(_DRAINED) for condition in catalogue.conditions()],
        both_sides=[
            condition.side == "both" and "thorax" in condition.regions for condition in catalogue.conditions()
        ],
        holds_airway=[
            condition.airway != "" and "intubation" in wanted.needs
            for condition, wanted in zip(catalogue.conditions(), catalogue.condition_needs(), strict=True)
        ],
        contaminated=[_is_contaminated(condition) for condition in catalogue.conditions()],
        late=[_begins_late(condition) for condition in catalogue.conditions()],
        intensive=["critical_care" in wanted.needs for wanted in catalogue.condition_needs()],
        operations=[_operations(wanted) for wanted in catalogue.condition_needs()],
        in_theatre=[[_operates(kinds[label], role) for role in range(5)] for label in TREATMENTS],
        separate=[kinds[label].each_wound for label in TREATMENTS],
        needs_airway=[kinds[label].needs_airway for label in TREATMENTS],
        operation_bit=[operation_bits.get(label, 0) for label in TREATMENTS],
        in_cavity=sum(operation_bits[label] for label in operations if kinds[label].cavity),
        on_arrival=[label in ON_ARRIVAL for label in TREATMENTS],
        short_of=[_code(kinds[label].short_of) for label in TREATMENTS],
        **_against_mechanisms(),
    )


def _needed(wanted: catalogue.Needs, bits: dict[str, int], off: frozenset[str]) -> int:
    """Return the mask of what a condition needs; what is switched off is replaced."""
    kinds = catalogue.treatment_kinds()
    given = {kinds[label].instead if label in off else label for label in wanted.needs}
    if not _FIXED.isdisjoint(wanted.operations):
        given.discard("cast")
    return sum(bits[label] for label in given if label in bits)


def _contused(condition: catalogue.Condition) -> int:
    """Return 2 for a diffuse brain injury, 1 for a contusion, and 0 for open injuries and all others."""
    if condition.opens == "skull":
        return 0
    return 2 if condition.code.startswith(_DIFFUSE) else int(condition.code.startswith(_CONTUSED))


def _is_inside(condition: catalogue.Condition) -> bool:
    """Whether a condition is a lesion inside a cavity that the wound opens, and not the hole: Sx1 in ICD-10-CM.

    So is a torn vessel of the chest: the gauze lies in the hole above it.
    """
    if condition.vessel and "thorax" in condition.regions:
        return True
    return condition.opens in _CAVITIES and condition.code[2] != "1" and not condition.fracture


@lru_cache(1)
def killing_masks() -> NDArray[np.uint8]:
    """Return the bits of `LethalMechanism` that a wound can kill by, by condition."""
    return np.array([_kills_by(condition) for condition in catalogue.conditions()], np.uint8)


def _kills_by(condition: catalogue.Condition) -> int:
    """Return by bit of `LethalMechanism` what a wound can kill by (docs/model.md section 2.5.2)."""
    thresholds = catalogue.thresholds()
    if condition.use != "wound" or condition.ais_high < thresholds["lethal_ais"]:
        return 0
    regions, needs = set(condition.regions), set(catalogue.needs_of(condition).needs)
    limb, chest, neck = bool(regions & _LIMBS), "thorax" in regions, "neck" in regions
    severe = condition.ais_high >= thresholds["lethal_external_ais"]
    pelvis = "abdomen" in regions and (condition.fracture or "iliac" in condition.display)
    bleeding = condition.bleeding
    able = {
        LethalMechanism.TBI: "head" in regions
        and (condition.brain in ("moderate", "severe") or (condition.brain != "" and severe)),
        LethalMechanism.AIRWAY: condition.airway != ""
        and (bool(regions & {"face", "neck"}) or condition.code.startswith(_BURNT_AIRWAY)),
        LethalMechanism.TENSION_PNEUMOTHORAX: chest
        and (
            "needle_decompression" in needs or ("chest_drain" in needs and condition.chest != "haemothorax")
        ),
        LethalMechanism.TORSO_HAEMORRHAGE: bleeding == "torso"
        and not pelvis
        and not (chest and condition.fracture),
        LethalMechanism.JUNCTIONAL_HAEMORRHAGE: bleeding == "junctional"
        or (bleeding == "limb" and condition.code.startswith(_NEXT_TO_THE_TRUNK))
        or (bleeding == "torso" and pelvis)
        or (neck and bleeding == "external" and severe and "spinal_precautions" not in needs),
        LethalMechanism.EXTREMITY_HAEMORRHAGE: limb
        and (
            bleeding == "limb"
            or (bleeding == "external" and (severe or condition.opens == "fracture"))
            or (severe and condition.code[0] == "S" and condition.code[2] == _CRUSHED)
        ),
    }
    return sum(1 << mechanism for mechanism, can in able.items() if can)


def _bares_bone(condition: catalogue.Condition) -> bool:
    """Whether a wound is an open fracture, or a stump, of a limb, which is washed out within hours."""
    severe = condition.ais_high >= catalogue.thresholds()["bare_bone_ais"]
    return condition.opens == "fracture" and severe and bool(_LIMBS & set(condition.regions))


_GIRDLE = ("S42.0", "S42.1")
"""Beginnings of codes of clavicle and scapula, which have a sling and no cast."""
_HAND_AND_FOOT = ("S62", "S68", "S92.2", "S92.3", "S92.4", "S92.5", "S92.9", "S98")
"""Beginnings of codes of the small bones and stumps, which wait."""


def _is_opened(condition: catalogue.Condition, wanted: catalogue.Needs) -> bool:
    """Whether a wound is an eye that is operated on, or an open fracture of a limb beyond hand and forefoot."""
    bone = _bares_bone(condition) and not condition.code.startswith(_HAND_AND_FOOT)
    return bone or (condition.eye and "eye_repair" in wanted.operations)


def _is_contaminated(condition: catalogue.Condition) -> bool:
    """Return whether the antibiotic of a facility for this diagnosis is ertapenem: `dose_diagnoses.csv`."""
    return any(row.state == "contaminated" and row.holds(condition, ()) for row in catalogue.dose_diagnoses())


def _begins_late(condition: catalogue.Condition) -> bool:
    """Whether the drug of an illness is begun only where a laboratory has made the diagnosis: at Role 3."""
    return any(row.from_role > 2 and condition.code.startswith(row.codes) for row in catalogue.medications())


def _operations(wanted: catalogue.Needs) -> list[int]:
    """Return the operations of a condition, as many as there is room for."""
    if len(wanted.operations) > OPERATIONS_OF_CONDITION:
        raise ValueError(f"a condition calls for {wanted.operations}; at most {OPERATIONS_OF_CONDITION}")
    given = [TREATMENTS.index(label) for label in wanted.operations]
    return given + [NONE] * (OPERATIONS_OF_CONDITION - len(given))


def _operates(kind: catalogue.TreatmentKind, role: int) -> bool:
    """Whether an operation can be done at a role; Role 4 can do what Role 3 can."""
    return kind.theatre and f"role{min(role, 3)}" in kind.places


def _latest(kind: catalogue.TreatmentKind) -> float:
    """Return the time from the injury after which a treatment is no longer given, ms."""
    return math.inf if kind.latest_minutes is None else kind.latest_minutes * MINUTE


def _code(label: str | None) -> int:
    return NONE if label is None else TREATMENTS.index(label)


def _against_mechanisms() -> dict[str, Any]:
    """Return what acts on each lethal mechanism, by region of the wound that would kill."""
    found = {
        name: np.full((len(LETHAL_MECHANISMS), len(REGIONS)), NONE, np.uint8)
        for name in ("first_aid", "resuscitation", "operation")
    }
    for care in catalogue.mechanism_care():
        for region in care.regions:
            place = LETHAL_MECHANISMS.index(care.mechanism), REGIONS.index(region)
            found["first_aid"][place] = _code(care.first_aid)
            found["resuscitation"][place] = _code(care.resuscitation)
            found["operation"][place] = _code(care.operation)
    return found
