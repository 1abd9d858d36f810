"""Care by need: what wounds, illnesses and a failing body call for (docs/model.md section 2.7.5).

Needs are masks of bits, one for each treatment in the order of priority (`CareRules`). What has been given is read from
the casualty's rows in the table of treatments: a treatment that an interruption has removed has not been given.
"""

import math

from engine.clinical.burns import burn_area
from engine.clinical.log import log_treatment
from engine.clinical.physiology import coma_points, find_signs, needs_tube, pain_of_record
from engine.codes import (
    NONE,
    CarePlace,
    CasualtyKind,
    Effect,
    LethalMechanism,
    SignPattern,
    Treatment,
    TriageCategory,
)
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    HOUR,
    MINUTE,
    OPERATIONS_OF_CONDITION,
    TREATMENT_COUNT,
    CareRules,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_ROLES = 5
_MOST_HASTE = 2.0
"""So many times faster than usual all is done on a short way at most."""
_HIGHEST_CARE = 3
"""The highest role whose care differs."""
ALL_ROLES = (1 << _ROLES) - 1
"""Mask of all roles."""
_AWAKE = 14.5
"""A Glasgow Coma Scale that is rounded to 15, at least."""
_ANALGESIA = int(Treatment.ANALGESIA)
_CRANIOTOMY = int(Treatment.CRANIOTOMY)
_WOUND_DEBRIDEMENT = int(Treatment.WOUND_DEBRIDEMENT)
_CLOSED_REDUCTION = int(Treatment.CLOSED_REDUCTION)
_FRACTURE_FIXATION = int(Treatment.FRACTURE_FIXATION)
_BURN_EXCISION = int(Treatment.BURN_EXCISION)
_CHEST_DRAIN = int(Treatment.CHEST_DRAIN)
_NEEDLE_DECOMPRESSION = int(Treatment.NEEDLE_DECOMPRESSION)
_ROLE_1 = int(CarePlace.ROLE_1)
_SPLINT = int(Treatment.SPLINT)
_TOURNIQUET = int(Treatment.TOURNIQUET)
_TOURNIQUET_CONVERSION = int(Treatment.TOURNIQUET_CONVERSION)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
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

    The skull is opened only for those whose Glasgow Coma Scale was low from the beginning: in the others a haematoma is
    watched, and an open fracture of the vault is cleaned and closed.
    """
    rules = model.treatments.rules
    if is_drained(record, condition, rules):
        return NONE
    kind = int(rules.operations[condition, place])
    if kind != _CRANIOTOMY or casualty.gcs < model.treatments.limits.craniotomy_gcs + 0.5:
        return kind
    return _WOUND_DEBRIDEMENT if rules.open_skull[condition] else NONE


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
    return bool(
        coma_points(output, record, casualty, at, model) < model.treatments.limits.unconscious_gcs + 0.5
    )


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
def _is_due(
    output: Output, casualty: CasualtyState, rank: int, wound: int, at: float, rules: CareRules
) -> bool:
    """Return whether a treatment may be given at the time `at`, ms: for the first time, or again.

    A splint is put on again after a closed reduction.
    """
    last = last_start(output, casualty, rules.kind[rank], wound)
    if last < 0:
        return True
    if rules.kind[rank] == _SPLINT and last_start(output, casualty, _CLOSED_REDUCTION, wound) > last:
        return True
    return bool(not rules.once & (1 << rank) and at >= last + rules.repeat[rules.kind[rank]])


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
def _named(output: Output, casualty: CasualtyState, kind: int, number: int, rules: CareRules) -> int:
    """Return the wound that a treatment of wound `number` names: NONE for the dressing of a hole into a cavity."""
    if rules.on_skin & rules.bit[kind] and rules.inside[output.wounds[casualty.wound + number].condition]:
        return NONE
    return number


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
                last = max(last, _own_role(operation_of(record, casualty, condition, place, model), rules))
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
def _of_bed(rules: CareRules) -> int:
    """Return the mask of what is given or done lying in a bed, or to somebody who is watched."""
    bit = rules.bit
    return int(
        bit[Treatment.WARD_CARE]
        | bit[Treatment.OBSERVATION]
        | bit[Treatment.OXYGEN]
        | bit[Treatment.IV_ACCESS]
        | bit[Treatment.REHYDRATION]
        | bit[Treatment.COOLING]
        | bit[Treatment.REWARMING]
        | bit[Treatment.SPINAL_PRECAUTIONS]
        | bit[Treatment.CHEST_DRAIN]
    )


@compiled
def calls_for_bed(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a casualty needs a bed: all but the slightly wounded and ill of T3 whom nobody has to watch.

    Agent casualties are always watched. Without quarters everybody needs a bed.
    """
    if (
        model.care.quarters_ais < 1
        or record.kind == CasualtyKind.AGENT
        or record.triage != TriageCategory.T3
        or record.lethal != NONE
        or casualty.blood_units > 0
    ):
        return True
    rules = model.treatments.rules
    if record.kind != CasualtyKind.WOUNDED:
        return bool(rules.needs[record.condition] & _of_bed(rules) or rules.intensive[record.condition])
    if record.worst_ais > model.care.quarters_ais:
        return True
    for number in range(casualty.wounds):
        if rules.needs[output.wounds[casualty.wound + number].condition] & _of_bed(rules):
            return True
    return False


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
def needs_of_pain(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what pain at the time `at`, ms, calls for in the conscious."""
    if is_unconscious(output, record, casualty, at, model):
        return 0
    if pain_of_record(output, record, casualty, at, model) < model.treatments.limits.analgesia_pain:
        return 0
    return int(model.treatments.rules.bit[Treatment.ANALGESIA])


@compiled
def needs_of_breathing(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what those who hardly breathe at the time `at`, ms, need: a bag and mask, and oxygen.

    They are agent casualties, before the antidote and, if unconscious, after it, and wounded whose airway closes.
    """
    limits = model.treatments.limits
    bit = model.treatments.rules.bit
    if record.kind == CasualtyKind.WOUNDED:
        if record.lethal != LethalMechanism.AIRWAY or casualty.life == math.inf:
            return 0
        find_signs(record, casualty, output.physiology, at, model)
        if output.physiology.signs.spo2 >= limits.bagged_airway_spo2:
            return 0
        return int(bit[Treatment.BAG_MASK_VENTILATION] | bit[Treatment.OXYGEN])
    if record.kind != CasualtyKind.AGENT:
        return 0
    given = given_so_far(output, casualty, model.treatments.rules)
    if given & (bit[Treatment.AUTOINJECTOR] | bit[Treatment.ATROPINE_AND_OXIME]):
        bagged = given & bit[Treatment.BAG_MASK_VENTILATION]
        if not (bagged and is_unconscious(output, record, casualty, at, model)):
            return 0
    else:
        find_signs(record, casualty, output.physiology, at, model)
        signs = output.physiology.signs
        if signs.respiratory_rate >= limits.bagged_respiratory_rate and signs.spo2 >= limits.bagged_spo2:
            return 0
    return int(bit[Treatment.BAG_MASK_VENTILATION] | bit[Treatment.OXYGEN])


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
        needs |= needs_of_pain(output, record, casualty, at, model)
    if bleeds_to_death(record):
        needs |= bit[Treatment.TRANEXAMIC_ACID]
    return int(needs | needs_of_breathing(output, record, casualty, at, model))


@compiled
def _with_access(record: PatientRow, needs: int, given: int, place: int, uniform: float, model: Model) -> int:
    """Add an access where a treatment that can be given here needs one; outside it is not always a vein."""
    rules = model.treatments.rules
    if given & rules.access or not needs & rules.needs_access & rules.here[place]:
        return int(needs & ~rules.bit[Treatment.INTRAOSSEOUS_ACCESS])
    outside = place <= CarePlace.ON_THE_WAY
    if outside and bleeds_to_death(record) and uniform < model.treatments.limits.intraosseous_share:
        needs &= ~rules.bit[Treatment.IV_ACCESS]
        return int(needs | rules.bit[Treatment.INTRAOSSEOUS_ACCESS])
    return int(needs | rules.bit[Treatment.IV_ACCESS])


@compiled
def _without_needless(needs: int, given: int, rules: CareRules) -> int:
    """Leave out what another treatment makes needless that has been given or is about to be."""
    needless = 0
    for rank in range(rules.count):
        if (needs | given) & (1 << rank):
            needless |= rules.needless[rank]
    return int(needs & ~needless)


@compiled
def _pain_calls_for_analgesia(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> bool:
    """Return whether the pain of a casualty at the time `at`, ms, calls for analgesia.

    It does not in the unconscious. In the hours after a dose only severe pain does, and later on in T1 and T2 moderate
    pain.
    """
    if is_unconscious(output, record, casualty, at, model):
        return False
    limits = model.treatments.limits
    last = last_start(output, casualty, _ANALGESIA, NONE)
    lowest = limits.mild_pain
    if last >= 0 and at < last + limits.mild_hours * HOUR:
        soon = at < last + limits.moderate_hours * HOUR
        lowest = limits.severe_pain if soon or record.triage == TriageCategory.T3 else limits.analgesia_pain
    return bool(pain_of_record(output, record, casualty, at, model) >= lowest)


@compiled
def calls_for_oxygen(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, given: int, model: Model
) -> bool:
    """Return whether a casualty needs oxygen at the time `at`, ms.

    Those do whose saturation is low, who are in shock, are unconscious or intubated, or have breathed in smoke or an
    agent.
    """
    limits = model.treatments.limits
    bit = model.treatments.rules.bit
    if given & (bit[Treatment.INTUBATION] | bit[Treatment.SURGICAL_AIRWAY]):
        return True
    state = output.physiology
    if state.inhalation > 0.0 or record.kind == CasualtyKind.AGENT or state.pattern == SignPattern.TOXIC:
        return True
    if is_unconscious(output, record, casualty, at, model):  # finds the signs
        return True
    signs = output.physiology.signs
    return bool(signs.spo2 < limits.oxygen_spo2 or signs.systolic < limits.oxygen_systolic)


@compiled
def agent_shows(output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model) -> bool:
    """Return whether an agent casualty is short of oxygen or not fully awake at the time `at`, ms."""
    find_signs(record, casualty, output.physiology, at, model)
    signs = output.physiology.signs
    return bool(signs.spo2 < model.treatments.limits.agent_spo2 or signs.gcs < _AWAKE)


@compiled
def _without_uncalled(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    at: float,
    needs: int,
    given: int,
    model: Model,
) -> int:
    """Leave out what the diagnosis calls for and the state at the time `at`, ms, does not.

    Analgesia without pain, oxygen with a normal saturation and pressure, a second rewarming of those who are warm or
    not in danger, and of agent casualties a second anticonvulsant once they are awake or intubated, and atropine after
    an injector once nothing shows any more.
    """
    bit = model.treatments.rules.bit
    uncalled = 0
    if needs & bit[Treatment.ANALGESIA] and not _pain_calls_for_analgesia(
        output, record, casualty, at, model
    ):
        uncalled |= bit[Treatment.ANALGESIA]
    if (
        needs & bit[Treatment.OXYGEN]
        and not needs & (bit[Treatment.INTUBATION] | bit[Treatment.BAG_MASK_VENTILATION])
        and not calls_for_oxygen(output, record, casualty, at, given, model)
    ):
        uncalled |= bit[Treatment.OXYGEN]
    if needs & given & bit[Treatment.REWARMING]:
        find_signs(record, casualty, output.physiology, at, model)
        warm = output.physiology.signs.temperature >= model.treatments.limits.cold_temperature
        if warm or record.triage > TriageCategory.T2:
            uncalled |= bit[Treatment.REWARMING]
    if (
        record.kind == CasualtyKind.AGENT
        and needs & given & bit[Treatment.ANTICONVULSANT]
        and (given & bit[Treatment.INTUBATION] or not is_unconscious(output, record, casualty, at, model))
    ):
        uncalled |= bit[Treatment.ANTICONVULSANT]
    if (
        record.kind == CasualtyKind.AGENT
        and record.lethal == NONE
        and needs & bit[Treatment.ATROPINE_AND_OXIME]
        and given & bit[Treatment.AUTOINJECTOR]
        and not agent_shows(output, record, casualty, at, model)
    ):
        uncalled |= bit[Treatment.ATROPINE_AND_OXIME]
    return int(needs & ~uncalled)


@compiled
def _without_early_tube(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, needs: int, model: Model
) -> int:
    """Leave out the tube of a wounded casualty whose state at the time `at`, ms, does not call for it.

    For an operation it is put in on the table.
    """
    bit = model.treatments.rules.bit
    tube = int(bit[Treatment.INTUBATION] | bit[Treatment.VENTILATION])
    if (
        needs & tube
        and record.kind == CasualtyKind.WOUNDED
        and at >= output.physiology.tube_until
        and not needs_tube(output, record, casualty, at, model)
    ):
        return int(needs & ~tube)
    return int(needs)


@compiled
def _sides_of(kind: int, condition: int, rules: CareRules) -> int:
    """Return on how many sides a treatment of a wound is done: on both for a needle or drain of both lungs."""
    both = rules.both_sides[condition] and kind in (_NEEDLE_DECOMPRESSION, _CHEST_DRAIN)
    return 2 if both else 1


@compiled
def _fit(output: Output, first: int, now: float, reached: float, end: float, rules: CareRules) -> None:
    """Compress the treatments from row `first` on, which take until `reached`, so that they end by `end`, all in ms."""
    begin = int(now)
    scale = (end - now) / (reached - now)
    for k in range(first, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        treatment.start = begin + int((treatment.start - begin) * scale)
        if rules.until_end & rules.bit[treatment.kind]:
            treatment.end = int(end)
        else:
            treatment.end = begin + int((treatment.end - begin) * scale)


@compiled
def give_by_need(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    end: float,
    place: int,
    wanted: int,
    own: int,
    effect: int,
    uniform: float,
    model: Model,
) -> int:
    """Log what the casualty needs, has not had and can be given at a place, one after another; return how many.

    Parameters
    ----------
    now, end
        When care begins and ends, ms. If `end` is not after `now`, the care lasts as long as the treatments take.
    place
        `CarePlace`.
    wanted
        Mask of what is needed besides what the wounds call for.
    own
        The `Treatment` that acts on the lethal mechanism, with `effect`; NONE.
    uniform
        The pace of the treatments, on (0, 1).

    Notes
    -----
    Before the first facility `own` acts on the clock at `now`: somebody sees to it at once, beside the rest, and first
    sets the access that it needs. On the way, what would begin after twice the time left is put off to the facility.
    What goes on beside the rest until the end has a minute at least, which short care squeezes as it does the rest.
    """
    rules = model.treatments.rules
    record = output.patients[row]
    injured = record.kind == CasualtyKind.WOUNDED
    own_bit = int(rules.bit[own]) if own != NONE else 0
    given = given_so_far(output, casualty, rules)
    needs = _with_access(record, int(wanted | own_bit), given, place, uniform, model)
    needs = int(needs & rules.here[place])
    needs = int(_without_needless(needs, given, rules) | (needs & own_bit))
    reduces = bool(needs & rules.bit[_CLOSED_REDUCTION] and not given & rules.bit[_CLOSED_REDUCTION])
    needs = _without_uncalled(output, record, casualty, now, needs, given, model)
    needs = int(_without_early_tube(output, record, casualty, now, needs, model) | (needs & own_bit))
    if reduces:
        needs |= int(rules.bit[_SPLINT] & rules.here[place])
        if not is_unconscious(output, record, casualty, now, model):
            needs |= int(rules.bit[_ANALGESIA] & rules.here[place])
    first = int(output.rows[TREATMENT_COUNT])
    at = now
    reached = now
    at_once = 0
    target = 0
    if own_bit and injured:
        target = int(casualty.killer)
        if target == NONE:
            target = wound_for(output, casualty, own, rules)
    if own_bit & needs and place <= CarePlace.ON_THE_WAY:
        at_once = own_bit
        preparing = 0.0
        if own_bit & rules.needs_access and needs & rules.access:
            access = rules.access & needs
            at_once |= access
            for rank in range(rules.count):
                if access & (1 << rank):
                    preparing = minutes_of(int(rules.kind[rank]), uniform, rules)
                    log_treatment(
                        output,
                        row,
                        casualty.facility,
                        int(rules.kind[rank]),
                        now,
                        preparing,
                        _SUPPORTIVE,
                        NONE,
                    )
        each = bool(rules.each_wound & own_bit) and injured
        lasts = minutes_of(own, uniform, rules)
        named = _named(output, casualty, own, target, rules) if each else NONE
        begin = now + preparing * MINUTE
        log_treatment(output, row, casualty.facility, own, begin, lasts, effect, named)
        if own == Treatment.TOURNIQUET:  # the rest follows it
            at = now + lasts * MINUTE
        if not each:
            needs = int(needs & ~own_bit)
        needs = int(needs & ~(at_once & ~own_bit))
    for rank in range(rules.count):
        bit = 1 << rank
        kind = int(rules.kind[rank])
        if not needs & bit or at > record.onset + rules.latest[kind]:
            continue
        if place == CarePlace.ON_THE_WAY and end > now and at >= now + _MOST_HASTE * (end - now):
            break
        lasts = minutes_of(kind, uniform, rules)
        beside = bool(rules.until_end & bit) and end > now
        if beside:
            lasts = max(0.0, (end - min(at, end)) / MINUTE)
        of_wounds = bool(rules.each_wound & bit) and injured
        left = int(model.treatments.limits.most_wounds)
        for number in range(casualty.wounds if of_wounds else 1):
            wound = number if of_wounds else NONE
            acts = bool(bit == own_bit and (number == target or not of_wounds))
            if acts and at_once:
                continue
            if of_wounds and not acts:
                condition = output.wounds[casualty.wound + number].condition
                called_for = bool(rules.needs[condition] & bit)
                if kind == _TOURNIQUET_CONVERSION:
                    called_for = may_be_converted(output, casualty, number, rules)
                if not called_for:
                    continue
            if of_wounds:
                wound = _named(output, casualty, kind, number, rules)
            if left == 0 or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
                break
            before_reduction = reduces and kind == _ANALGESIA
            if not before_reduction and not _is_due(output, casualty, rank, wound, at, rules):
                continue
            sides = 1
            if of_wounds and wound != NONE:
                condition = output.wounds[casualty.wound + number].condition
                sides = _sides_of(kind, condition, rules)
            for side in range(sides):
                log_treatment(
                    output,
                    row,
                    casualty.facility,
                    kind,
                    at + side * lasts * MINUTE,
                    lasts,
                    effect if acts else _SUPPORTIVE,
                    wound,
                )
            if bit == rules.bit[Treatment.BLOOD_TRANSFUSION]:
                output.treatments[output.rows[TREATMENT_COUNT] - 1].units = casualty.blood_given
            left -= 1
            if beside:
                reached = max(reached, at + MINUTE)
            else:
                at += sides * lasts * MINUTE
    reached = max(reached, at)
    if reached > end > now:
        _fit(output, first, now, reached, end, rules)
    return int(output.rows[TREATMENT_COUNT]) - first
