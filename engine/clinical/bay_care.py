"""Care in a treatment bay: of the wounded, of the ill, and resuscitation (docs/model.md section 2.7.5)."""

import math

from engine.clinical.agent_care import end_breaths, repeat_atropine
from engine.clinical.bed_care import antibiotics_before_operation
from engine.clinical.blood import spread_units
from engine.clinical.giving import give_by_need
from engine.clinical.illnesses import needs_of_second_diagnoses
from engine.clinical.imaging import log_images, log_ultrasound
from engine.clinical.log import log_treatment
from engine.clinical.needs import (
    given_so_far,
    is_unconscious,
    needs_of_breathing,
    needs_of_conscious,
    needs_of_injuries,
    needs_of_state,
    of_blood,
    place_of_role,
)
from engine.clinical.operations import log_anaesthesia, operation_here
from engine.clinical.physiology import needs_tube, note_rescue
from engine.clinical.survival import killing_region
from engine.codes import NONE, CasualtyKind, Effect, LethalMechanism, Treatment, TriageCategory
from engine.numeric import compiled
from engine.tables import MINUTE, QUIET, TREATMENT_COUNT, CasualtyState, Model, Output, PatientRow

_EFFECTIVE = int(Effect.EFFECTIVE)
_INEFFECTIVE = int(Effect.INEFFECTIVE)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
_ATROPINE_AND_OXIME = int(Treatment.ATROPINE_AND_OXIME)
_CYANIDE_ANTIDOTE = int(Treatment.CYANIDE_ANTIDOTE)
_EMERGENCY_CARE = int(Treatment.EMERGENCY_CARE)
_PREPARING = 8.0
"""Minutes of a care with an operation before that: induction."""
_GENERAL_ANAESTHESIA = int(Treatment.GENERAL_ANAESTHESIA)
_FRACTURE_FIXATION = int(Treatment.FRACTURE_FIXATION)
_OBSERVATION = int(Treatment.OBSERVATION)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def _observe_if_nothing(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, given: int
) -> None:
    """Log observation during care in which nothing else is given."""
    if given == 0:
        kind = _OBSERVATION
        log_treatment(output, row, casualty.facility, kind, now, minutes, Effect.SUPPORTIVE, NONE)


# --- care without weapon wounds


@compiled
def _operate_on_ill(record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the operation of an illness or accident that calls for surgery; NONE where none is done here.

    The operation is done once, within the care, whatever the triage category, at the first facility that can operate.
    Where that does one short of it, the first that can do it follows.
    """
    here = casualty.facility
    if not model.network.operates[here]:
        return NONE
    rules = model.treatments.rules
    wanted = int(rules.operations[record.condition, 0])
    kind = operation_here(wanted, int(model.network.role[here]), rules)
    if wanted == _FRACTURE_FIXATION and kind != wanted:  # closed: it waits in a splint and is fixed once
        kind = NONE
    if kind == NONE or (casualty.operated and (kind != wanted or casualty.onward == 0)):
        return NONE
    casualty.operated = 1
    casualty.operated_here = 1
    casualty.definitive = 1
    if kind == wanted:
        casualty.onward = 0
    return kind


@compiled
def _antidote(record: PatientRow, model: Model) -> int:
    """Return the treatment that acts on an agent."""
    rules = model.treatments.rules
    needs = rules.needs[record.condition]
    if needs & rules.bit[Treatment.ATROPINE_AND_OXIME] or not needs:
        return _ATROPINE_AND_OXIME
    if needs & rules.bit[Treatment.CYANIDE_ANTIDOTE]:
        return _CYANIDE_ANTIDOTE
    return _EMERGENCY_CARE


@compiled
def treat_ill(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    minutes: float,
    effect: int,
    unconscious: int,
    pace: float,
    model: Model,
) -> None:
    """Log the care of a casualty without weapon wounds, `minutes` long; operate where it is called for.

    `effect` is what the care does to the lethal mechanism, `unconscious` the mask of `needs_of_coma` before it, `pace`
    on (0, 1) how long its treatments take.
    """
    record = output.patients[row]
    operation = NONE
    if record.kind != CasualtyKind.AGENT:
        operation = _operate_on_ill(record, casualty, model)
    if output.rows[QUIET]:
        return
    note_rescue(record, casualty, output.physiology, now, model)
    end_breaths(output, casualty, now)
    rules = model.treatments.rules
    immediate = record.triage == TriageCategory.T1
    needs = needs_of_injuries(output, record, casualty, model) & ~of_blood(rules)
    needs |= needs_of_second_diagnoses(record, model)
    own = NONE
    if record.kind == CasualtyKind.AGENT:
        antidote = _antidote(record, model)
        if record.lethal != NONE or (immediate and antidote == _EMERGENCY_CARE):
            own = antidote
        elif immediate:
            needs |= rules.bit[antidote]
        found = False
        has_tube = now < output.physiology.tube_until
        if has_tube or needs_tube(output, record, casualty, now, found, model):
            needs |= rules.bit[Treatment.INTUBATION] | rules.bit[Treatment.VENTILATION]
    elif effect != Effect.SUPPORTIVE or (
        immediate and not given_so_far(output, casualty, rules) & rules.bit[_EMERGENCY_CARE]
    ):
        own = _EMERGENCY_CARE
    if immediate:
        needs |= rules.bit[Treatment.IV_ACCESS] | rules.bit[Treatment.OXYGEN]
    is_awake = not unconscious
    if effect != Effect.SUPPORTIVE:  # the rescue has changed the state
        is_awake = not is_unconscious(output, record, casualty, now, model)
    if is_awake:
        needs |= needs_of_conscious(output, record, casualty, now, model)
    found = True
    needs |= needs_of_breathing(output, record, casualty, now, found, model)
    needs |= unconscious
    if record.kind == CasualtyKind.DISEASE and record.triage <= TriageCategory.T2:
        needs |= rules.bit[Treatment.OBSERVATION]
    end = now + minutes * MINUTE
    place = place_of_role(model.network.role[casualty.facility])
    begin = log_ultrasound(output, row, casualty, now, end, model)
    given = give_by_need(output, row, casualty, begin, end, place, int(needs), own, effect, pace, now, model)
    operates_at = min(begin + _PREPARING * MINUTE, now + 0.5 * minutes * MINUTE)
    log_images(output, row, casualty, now, operates_at if operation != NONE else end, model)
    every = model.treatments.limits.atropine_minutes
    repeat_atropine(output, row, casualty, now + every * MINUTE, end, every, model)
    if operation != NONE:
        antibiotics_before_operation(output, row, casualty, now, model)
        begin = operates_at
        lasts = (end - begin) / MINUTE
        first = int(output.rows[TREATMENT_COUNT]) + 1
        log_treatment(
            output, row, casualty.facility, _GENERAL_ANAESTHESIA, begin, lasts, Effect.SUPPORTIVE, NONE
        )
        log_treatment(output, row, casualty.facility, operation, begin, lasts, Effect.SUPPORTIVE, NONE)
        under_tube = bool(rules.needs_airway[operation])
        log_anaesthesia(output, row, casualty, begin, lasts, first, under_tube, model)
        given += 1
    _observe_if_nothing(output, row, casualty, now, minutes, given)


# --- care of the wounded


@compiled
def treat_wounded(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, pace: float, model: Model
) -> None:
    """Log the care, `minutes` long, of a wounded casualty who is not resuscitated at this facility."""
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    rules = model.treatments.rules
    end = now + minutes * MINUTE
    place = place_of_role(model.network.role[casualty.facility])
    needs = needs_of_injuries(output, record, casualty, model)
    needs = (needs | needs_of_state(output, record, casualty, now, place, model)) & ~of_blood(rules)
    supportive = _SUPPORTIVE
    begin = log_ultrasound(output, row, casualty, now, end, model)
    given = give_by_need(
        output, row, casualty, begin, end, place, int(needs), NONE, supportive, pace, now, model
    )
    log_images(output, row, casualty, now, end, model)
    _observe_if_nothing(output, row, casualty, now, minutes, given)


@compiled
def starts_resuscitation(record: PatientRow, casualty: CasualtyState, facility: int, model: Model) -> bool:
    """Return whether a wounded casualty gets damage control resuscitation at a facility, once.

    Of T1, T2 and T4 the grave, and those in shock from open wounds of limbs.
    """
    return bool(
        record.kind == CasualtyKind.WOUNDED
        and record.triage != TriageCategory.T3
        and (casualty.grave or casualty.blood_units > 0)
        and model.network.resuscitates[facility]
        and not casualty.resuscitated
    )


@compiled
def resuscitate(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    minutes: float,
    works: bool,
    pace: float,
    model: Model,
) -> None:
    """Log the treatments of damage control resuscitation, which lasts `minutes` and works or fails."""
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    rules = model.treatments.rules
    effect = _SUPPORTIVE
    own = NONE
    if record.lethal != NONE and casualty.life < math.inf:
        effect = _EFFECTIVE if works else _INEFFECTIVE
        own = int(rules.resuscitation[record.lethal, killing_region(output, casualty)])
    place = place_of_role(model.network.role[casualty.facility])
    needs = needs_of_injuries(output, record, casualty, model)
    needs |= needs_of_state(output, record, casualty, now, place, model)
    if casualty.blood_units > 0:
        needs |= of_blood(rules)
    if casualty.blood_units == 0 or casualty.no_blood:
        needs &= ~of_blood(rules)
        if own == Treatment.BLOOD_TRANSFUSION:
            own = NONE
    if record.lethal == LethalMechanism.TBI:
        needs |= rules.bit[Treatment.INTUBATION] | rules.bit[Treatment.VENTILATION]
    end = now + minutes * MINUTE
    first = int(output.rows[TREATMENT_COUNT])
    begin = log_ultrasound(output, row, casualty, now, end, model)
    given = give_by_need(output, row, casualty, begin, end, place, int(needs), own, effect, pace, now, model)
    log_images(output, row, casualty, now, end, model)
    spread_units(output, row, casualty, first, model)
    _observe_if_nothing(output, row, casualty, now, minutes, given)
