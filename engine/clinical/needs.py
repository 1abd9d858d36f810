"""Care by need: what wounds, illnesses and a failing body call for (docs/model.md section 2.7.5).

Needs are masks of bits, one for each treatment in the order of priority (`CareRules`). What has been given is read from
the casualty's rows in the table of treatments: a treatment that an interruption has removed has not been given.
"""

import math

import numpy as np

from engine.clinical.burns import burn_area
from engine.clinical.physiology import coma_once_eased, find_signs, pain_of_record
from engine.codes import (
    NONE,
    CarePlace,
    CasualtyKind,
    LethalMechanism,
    SignPattern,
    Treatment,
    TriageCategory,
)
from engine.numeric import compiled
from engine.tables import (
    OPERATIONS_OF_CONDITION,
    TREATMENT_COUNT,
    CareRules,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_ROLES = 5
_HIGHEST_CARE = 3
"""The highest role whose care differs."""
ALL_ROLES = (1 << _ROLES) - 1
"""Mask of all roles."""
_AWAKE = 14.5
"""A Glasgow Coma Scale that is rounded to 15, at least."""
_CRANIOTOMY = int(Treatment.CRANIOTOMY)
_VENTRICULAR_DRAIN = int(Treatment.VENTRICULAR_DRAIN)
_WOUND_DEBRIDEMENT = int(Treatment.WOUND_DEBRIDEMENT)
_FRACTURE_FIXATION = int(Treatment.FRACTURE_FIXATION)
_BURN_EXCISION = int(Treatment.BURN_EXCISION)
_ROLE_1 = int(CarePlace.ROLE_1)
_TOURNIQUET = int(Treatment.TOURNIQUET)
_TOURNIQUET_CONVERSION = int(Treatment.TOURNIQUET_CONVERSION)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def bleeds_to_death(record: PatientRow) -> bool:
    """Return whether a haemorrhage would kill."""
    return bool(
        record.lethal >= LethalMechanism.TORSO_HAEMORRHAGE
        and record.lethal <= LethalMechanism.EXTREMITY_HAEMORRHAGE
    )


@compiled
def is_drained(record: PatientRow, condition: int, rules: CareRules) -> bool:
    """Return whether a drain is all that a wound of lung or chest wall calls for: nothing bleeds to death in the torso.

    Of penetrating wounds of the chest 85 to 90 % need no more.
    """
    return bool(rules.drained[condition] and record.lethal != LethalMechanism.TORSO_HAEMORRHAGE)


@compiled
def operation_of(
    record: PatientRow, casualty: CasualtyState, condition: int, place: int, model: Model
) -> int:
    """Return the operation in `place` that a wound calls for; NONE, which may stand before another one.

    The skull is opened only for those whose Glasgow Coma Scale was low from the beginning, for a contusion or a drain
    lower than for a haematoma: in the others it is watched, and an open fracture of the vault is cleaned and closed.
    Large burns are excised at Role 4.
    """
    rules = model.treatments.rules
    limits = model.treatments.limits
    if is_drained(record, condition, rules):
        return NONE
    kind = int(rules.operations[condition, place])
    if kind == _BURN_EXCISION and casualty.large_burn:
        return NONE
    if kind != _CRANIOTOMY and kind != _VENTRICULAR_DRAIN:
        return kind
    lowest = limits.contusion_gcs if rules.contused[condition] else limits.craniotomy_gcs
    if casualty.gcs < lowest + 0.5:
        return kind
    return _WOUND_DEBRIDEMENT if rules.open_skull[condition] else NONE


@compiled
def is_sent_on(casualty: CasualtyState, kind: int, role: int, model: Model) -> bool:
    """Return whether a craniotomy is left to a higher role: at Role 2 it is done only to save life, in coma."""
    return bool(
        kind == _CRANIOTOMY
        and role < _HIGHEST_CARE
        and casualty.gcs >= model.treatments.limits.contusion_gcs + 0.5
    )


@compiled
def is_splinted(
    record: PatientRow, casualty: CasualtyState, kind: int, condition: int, rules: CareRules
) -> bool:
    """Return whether a broken bone waits in a splint for its fixation: it is closed, and the casualty is stable.

    External fixation in its place is for those who bleed, and for operations in head, neck, chest or belly.
    """
    return bool(
        kind == _FRACTURE_FIXATION
        and not rules.bares_bone[condition]
        and record.lethal == NONE
        and casualty.blood_units == 0
        and not casualty.cavity
    )


@compiled
def of_blood(rules: CareRules) -> int:
    """Return the mask of what is given only where there is blood."""
    return int(rules.bit[Treatment.BLOOD_TRANSFUSION] | rules.bit[Treatment.CALCIUM])


@compiled
def place_of_role(role: int) -> int:
    """Return the `CarePlace` of a facility."""
    return _ROLE_1 + min(max(role, 1), 3) - 1


@compiled
def minutes_of(kind: int, uniform: float, rules: CareRules) -> float:
    """Return the minutes of a treatment: its mode is the median; `uniform` is the pace, on (0, 1)."""
    low, mode, high = rules.minutes[kind, 0], rules.minutes[kind, 1], rules.minutes[kind, 2]
    if uniform < 0.5:
        return low + (mode - low) * 2.0 * uniform
    return mode + (high - mode) * (2.0 * uniform - 1.0)


@compiled
def is_unconscious(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> bool:
    """Return whether the Glasgow Coma Scale at the time `at`, ms, is so low that the airway must be secured."""
    found = False
    return seems_unconscious(output, record, casualty, at, found, model)


@compiled
def seems_unconscious(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, found: bool, model: Model
) -> bool:
    """Return `is_unconscious`; `found`: the signs at the time `at` are those that were found last."""
    state = output.physiology
    if state.stays_awake and state.bled_at == math.inf:
        return False
    if not found:
        find_signs(record, casualty, state, at, model)
    return bool(coma_once_eased(state.signs, model) < model.treatments.limits.unconscious_gcs + 0.5)


@compiled
def first_rank(mask: int) -> int:
    """Return the lowest rank in a mask that is not empty: the exponent of its lowest bit, which a float has exactly."""
    lowest = np.int64(mask) & -np.int64(mask)
    return int((np.float64(lowest).view(np.int64) >> 52) - 1023)


@compiled
def given_so_far(output: Output, casualty: CasualtyState, rules: CareRules) -> int:
    """Return the mask of the treatments that the casualty has been given."""
    given = 0
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        given |= rules.bit[output.treatments[k].kind]
    return given


@compiled
def last_start(output: Output, casualty: CasualtyState, kind: int, wound: int) -> int:
    """Return when the casualty was last given a treatment, ms; -1: never.

    `wound`: the number of the wound; NONE: of any wound or of none.
    """
    last = -1
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.kind == kind and (wound == NONE or treatment.wound == wound):
            last = max(last, int(treatment.start))
    return last


@compiled
def role_of_treatments(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the lowest role that offers all treatments called for, as far as a higher one does.

    Reads the wounds, so it can be asked only when they have just been drawn: the kernel does not keep them.
    """
    rules = model.treatments.rules
    needs = needs_of_injuries(output, record, casualty, model)
    for role in range(1, _HIGHEST_CARE):
        higher = 0
        for further in range(role + 1, _HIGHEST_CARE + 1):
            higher |= rules.here[place_of_role(further)]
        if not needs & higher & ~rules.here[place_of_role(role)]:
            return role
    return _HIGHEST_CARE


@compiled
def wound_for(output: Output, casualty: CasualtyState, kind: int, rules: CareRules) -> int:
    """Return the number of the worst wound that calls for a treatment; the worst of all where none does."""
    for number in range(casualty.wounds):
        if rules.needs[output.wounds[casualty.wound + number].condition] & rules.bit[kind]:
            return int(number)
    return 0


@compiled
def _needs_of_burns(record: PatientRow, area: float, needs: int, model: Model) -> int:
    """Return the mask of what a burn of `area` % of the body surface calls for, whatever its site."""
    bit = model.treatments.rules.bit
    limits = model.treatments.limits
    if area >= limits.burn_fluid_area:
        return int(
            bit[Treatment.BURN_FLUIDS]
            | bit[Treatment.URINARY_CATHETER]
            | bit[Treatment.IV_ACCESS]
            | bit[Treatment.HYPOTHERMIA_PREVENTION]
        )
    if (
        needs & bit[Treatment.BURN_DRESSING]
        and area < limits.burn_cooling_area
        and record.triage == TriageCategory.T3
        and record.kind != CasualtyKind.AGENT
    ):
        return int(bit[Treatment.COOLING])
    return 0


@compiled
def needs_of_injuries(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the mask of what the wounds, or the illness, call for."""
    rules = model.treatments.rules
    needs = 0
    if record.kind != CasualtyKind.WOUNDED:
        needs = int(rules.needs[record.condition])
    else:
        for number in range(casualty.wounds):
            condition = output.wounds[casualty.wound + number].condition
            called_for = int(rules.needs[condition])
            if is_drained(record, condition, rules):
                called_for &= ~int(of_blood(rules) | rules.bit[Treatment.TRANEXAMIC_ACID])
            needs |= called_for
    return needs | _needs_of_burns(record, burn_area(output, record, casualty, model.injuries), needs, model)


@compiled
def roles_that_operate(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return by bit of the role where something that a wounded casualty calls for can be done in a theatre.

    What would kill can be operated on wherever there is a theatre. 0: no operation is called for.
    """
    rules = model.treatments.rules
    if model.treatments.limits.operates_by_category:
        return ALL_ROLES if record.triage != TriageCategory.T3 else 0
    if record.lethal != NONE:
        return ALL_ROLES
    roles = 0
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        for place in range(OPERATIONS_OF_CONDITION):
            kind = operation_of(record, casualty, condition, place, model)
            if kind == NONE:
                continue
            less = int(rules.short_of[kind])
            if is_splinted(record, casualty, kind, condition, rules):
                less = NONE
            for role in range(_ROLES):
                if is_sent_on(casualty, kind, role, model):
                    continue
                if rules.in_theatre[kind, role] or (less != NONE and rules.in_theatre[less, role]):
                    roles |= 1 << role
    return roles


@compiled
def _own_role(kind: int, rules: CareRules) -> int:
    """Return the lowest role that can do an operation itself, and not only one short of it; 0 for NONE."""
    if kind != NONE:
        for role in range(_ROLES):
            if rules.in_theatre[kind, role]:
                return int(role)
    return 0


@compiled
def role_of_last_operation(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the lowest role that can do all operations that a casualty calls for; 0: none is called for.

    Of the ill it is the main operation. What a lower role does in its stead, such as a shunt, does not count.
    """
    rules = model.treatments.rules
    last = 0
    if record.kind != CasualtyKind.WOUNDED:
        last = _own_role(int(rules.operations[record.condition, 0]), rules)
    elif not model.treatments.limits.operates_by_category:
        for number in range(casualty.wounds):
            condition = output.wounds[casualty.wound + number].condition
            for place in range(OPERATIONS_OF_CONDITION):
                kind = operation_of(record, casualty, condition, place, model)
                last = max(last, _own_role(kind, rules))
                if is_sent_on(casualty, kind, last, model):
                    last = _HIGHEST_CARE
    return last


@compiled
def is_repaired_on_arrival(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a wounded casualty calls for an operation that cannot wait for the day after the first.

    It is a vessel, an eye or the spine, on which a lower role has not done what is called for.
    """
    rules = model.treatments.rules
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        for place in range(OPERATIONS_OF_CONDITION):
            kind = operation_of(record, casualty, condition, place, model)
            if kind != NONE and rules.on_arrival[kind]:
                return True
    return False


@compiled
def excision_of(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return 1 where a wounded casualty calls for the excision of a burn, 2 where for no other operation; else 0."""
    burnt = False
    other = record.lethal != NONE
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        for place in range(OPERATIONS_OF_CONDITION):
            kind = operation_of(record, casualty, condition, place, model)
            burnt = burnt or kind == _BURN_EXCISION
            other = other or (kind != NONE and kind != _BURN_EXCISION)
    if not burnt:
        return 0
    return 1 if other else 2


@compiled
def is_grave(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a wounded casualty may need resuscitation and intensive care.

    Something would kill, blood is called for, or the worst AIS is high. Where the category alone decides on operations,
    it is everybody.
    """
    limits = model.treatments.limits
    return bool(
        limits.operates_by_category
        or record.lethal != NONE
        or casualty.blood_units > 0
        or record.worst_ais >= limits.grave_ais
    )


@compiled
def calls_for_operation(
    output: Output, record: PatientRow, casualty: CasualtyState, among: int, model: Model
) -> bool:
    """Return whether a wound calls for an operation of the mask `among` (`CareRules.operation_bit`)."""
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        for place in range(OPERATIONS_OF_CONDITION):
            kind = operation_of(record, casualty, condition, place, model)
            if kind != NONE and model.treatments.rules.operation_bit[kind] & among:
                return True
    return False


@compiled
def calls_for_ventilator(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether an accident or illness calls for a ventilator in intensive care. Of wounds `keeps_tube` decides.

    That of agent casualties ends with the care in the bay: antidotes make it needless within hours.
    """
    if record.kind in (CasualtyKind.AGENT, CasualtyKind.WOUNDED):
        return False
    needs = needs_of_injuries(output, record, casualty, model)
    return bool(needs & model.treatments.rules.bit[Treatment.VENTILATION])


@compiled
def is_under_tourniquet(output: Output, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a wound calls for a limb tourniquet: an artery is cut, or a limb lost."""
    rules = model.treatments.rules
    for number in range(casualty.wounds):
        if rules.needs[output.wounds[casualty.wound + number].condition] & rules.bit[_TOURNIQUET]:
            return True
    return False


@compiled
def may_be_converted(output: Output, casualty: CasualtyState, number: int, rules: CareRules) -> bool:
    """Return whether wound `number` has a tourniquet and no longer needs it: no artery is cut, and no limb lost."""
    condition = output.wounds[casualty.wound + number].condition
    return bool(
        not rules.needs[condition] & rules.bit[_TOURNIQUET]
        and last_start(output, casualty, _TOURNIQUET, number) >= 0
    )


@compiled
def needs_of_tourniquets(output: Output, casualty: CasualtyState, rules: CareRules) -> int:
    """Return the mask of what the tourniquets that a casualty arrives with call for in a bay."""
    for number in range(casualty.wounds):
        if may_be_converted(output, casualty, number, rules):
            return int(rules.bit[_TOURNIQUET_CONVERSION])
    return 0


@compiled
def needs_of_coma(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what the unconscious need at the time `at`, ms: a secured airway, oxygen and ventilation."""
    bit = model.treatments.rules.bit
    if not is_unconscious(output, record, casualty, at, model):
        return 0
    return int(
        bit[Treatment.AIRWAY_ADJUNCT]
        | bit[Treatment.INTUBATION]
        | bit[Treatment.OXYGEN]
        | bit[Treatment.VENTILATION]
    )


@compiled
def needs_of_mind(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what coma or pain at the time `at`, ms, calls for: pain only in the conscious."""
    unconscious = needs_of_coma(output, record, casualty, at, model)
    if unconscious:
        return int(unconscious)
    return needs_of_conscious(output, record, casualty, at, model)


@compiled
def needs_of_conscious(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what pain at the time `at`, ms, calls for in a casualty who is conscious.

    Nothing makes the pain worse than the injury or illness does.
    """
    if output.physiology.pain < model.treatments.limits.analgesia_pain:
        return 0
    if pain_of_record(output, record, casualty, at, model) < model.treatments.limits.analgesia_pain:
        return 0
    return int(model.treatments.rules.bit[Treatment.ANALGESIA])


@compiled
def needs_of_breathing(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, found: bool, model: Model
) -> int:
    """Return the mask of what those who hardly breathe at the time `at`, ms, need: a bag and mask, and oxygen.

    They are agent casualties, and the unconscious of them once begun, wounded whose airway closes, and the unconscious
    wounded who breathe slowly. `found`: the signs at that time are those that were found last, of whoever has been
    looked at.
    """
    limits = model.treatments.limits
    bit = model.treatments.rules.bit
    breaths = int(bit[Treatment.BAG_MASK_VENTILATION] | bit[Treatment.OXYGEN])
    if record.kind == CasualtyKind.WOUNDED:
        closes = record.lethal == LethalMechanism.AIRWAY and casualty.life < math.inf
        comatose = seems_unconscious(output, record, casualty, at, found, model)
        if not closes and not comatose:
            return 0
        if not found:
            find_signs(record, casualty, output.physiology, at, model)
        signs = output.physiology.signs
        if closes and signs.spo2 < limits.bagged_airway_spo2:
            return breaths
        return breaths if signs.respiratory_rate < limits.bagged_respiratory_rate else 0
    if record.kind != CasualtyKind.AGENT:
        return 0
    if not found:
        find_signs(record, casualty, output.physiology, at, model)
    signs = output.physiology.signs
    if signs.respiratory_rate < limits.bagged_respiratory_rate or signs.spo2 < limits.bagged_spo2:
        return breaths
    given = given_so_far(output, casualty, model.treatments.rules)
    found = True
    if given & bit[Treatment.BAG_MASK_VENTILATION] and seems_unconscious(
        output, record, casualty, at, found, model
    ):
        return breaths
    return 0


@compiled
def needs_of_state(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, place: int, model: Model
) -> int:
    """Return the mask of what the state of the casualty at the time `at`, ms, calls for, whatever the wounds.

    The unconscious get their airway secured, T1 and T2 are kept warm and have an access, who bleeds to death gets
    tranexamic acid, and pain is treated.
    """
    bit = model.treatments.rules.bit
    needs = 0
    if record.triage != TriageCategory.T3:
        needs |= bit[Treatment.HYPOTHERMIA_PREVENTION]
        if place >= CarePlace.ROLE_1:
            needs |= bit[Treatment.IV_ACCESS]
    if place >= CarePlace.ROLE_1:
        needs |= needs_of_tourniquets(output, casualty, model.treatments.rules)
    if place == CarePlace.ON_THE_WAY and record.worst_ais >= model.treatments.limits.on_the_way_ais:
        needs |= bit[Treatment.IV_ACCESS] | bit[Treatment.HYPOTHERMIA_PREVENTION]
    unconscious = needs_of_coma(output, record, casualty, at, model)
    if unconscious:
        needs |= unconscious
    elif record.worst_ais >= model.treatments.limits.analgesia_ais:
        needs |= bit[Treatment.ANALGESIA]
    else:
        needs |= needs_of_conscious(output, record, casualty, at, model)
    if bleeds_to_death(record):
        needs |= bit[Treatment.TRANEXAMIC_ACID]
    found = True
    return int(needs | needs_of_breathing(output, record, casualty, at, found, model))


@compiled
def calls_for_oxygen(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    at: float,
    given: int,
    found: bool,
    model: Model,
) -> bool:
    """Return whether a casualty needs oxygen at the time `at`, ms.

    Those do whose saturation is low, who are in shock, are unconscious or intubated, or have breathed in smoke or an
    agent. `found`: the signs at that time are those that were found last.
    """
    limits = model.treatments.limits
    bit = model.treatments.rules.bit
    if given & (bit[Treatment.INTUBATION] | bit[Treatment.SURGICAL_AIRWAY]):
        return True
    state = output.physiology
    if state.inhalation > 0.0 or record.kind == CasualtyKind.AGENT or state.pattern == SignPattern.TOXIC:
        return True
    if not found:
        find_signs(record, casualty, state, at, model)
    signs = state.signs
    return bool(
        signs.gcs < limits.unconscious_gcs + 0.5
        or signs.spo2 < limits.oxygen_spo2
        or signs.systolic < limits.oxygen_systolic
    )


@compiled
def agent_shows(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, found: bool, model: Model
) -> bool:
    """Return whether an agent casualty is short of oxygen or not fully awake at the time `at`, ms.

    `found`: the signs at that time are those that were found last.
    """
    if not found:
        find_signs(record, casualty, output.physiology, at, model)
    signs = output.physiology.signs
    return bool(signs.spo2 < model.treatments.limits.agent_spo2 or signs.gcs < _AWAKE)
