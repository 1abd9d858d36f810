"""Care of agent casualties beside that by need: mask and skin at once, and atropine until secretions are dry."""

from engine.clinical.log import insert_treatment
from engine.clinical.needs import given_so_far, is_unconscious, minutes_of, needs_of_breathing
from engine.codes import AT_POI, NONE, CasualtyKind, Treatment
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    MINUTE,
    QUIET,
    TREATMENT_COUNT,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_AT_POI = int(AT_POI)
_ATROPINE = int(Treatment.ATROPINE)
_BAG_MASK_VENTILATION = int(Treatment.BAG_MASK_VENTILATION)
_PERSONAL_DECONTAMINATION = int(Treatment.PERSONAL_DECONTAMINATION)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""
_TYPICAL_PACE = 0.5
"""Pace at which a treatment takes its mode."""


@compiled
def _is_severe_nerve_agent(record: PatientRow, model: Model) -> bool:
    """Return whether a casualty is severely poisoned by an agent that atropine acts on."""
    rules = model.treatments.rules
    return bool(
        record.kind == CasualtyKind.AGENT
        and record.severity < NONE
        and record.severity >= model.treatments.limits.atropine_grade
        and rules.needs[record.condition] & rules.bit[Treatment.ATROPINE_AND_OXIME]
    )


@compiled
def decontaminate_at_once(output: Output, row: int, casualty: CasualtyState, model: Model) -> None:
    """Log that an agent casualty, or a buddy, puts on the mask and cleans the skin as soon as anything is noticed."""
    record = output.patients[row]
    if record.kind != CasualtyKind.AGENT or record.severity == NONE:
        return
    kind = _PERSONAL_DECONTAMINATION
    minutes = minutes_of(kind, _TYPICAL_PACE, model.treatments.rules)
    begin = float(record.onset)
    insert_treatment(output, row, casualty, kind, begin, begin + minutes * MINUTE, _AT_POI, NONE)


@compiled
def repeat_atropine(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    end: float,
    minutes: float,
    model: Model,
) -> None:
    """Log atropine every `minutes` from `now` until `end`, both in ms, to a severe nerve agent casualty."""
    record = output.patients[row]
    rules = model.treatments.rules
    if output.rows[QUIET] or rules.off & rules.bit[Treatment.ATROPINE_AND_OXIME]:
        return
    if not _is_severe_nerve_agent(record, model):
        return
    kind = _ATROPINE
    lasts = minutes_of(kind, _TYPICAL_PACE, rules)
    at = now
    left = int(model.treatments.limits.atropine_doses)
    while at + lasts * MINUTE <= end and left > 0:
        if output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
            return
        insert_treatment(output, row, casualty, kind, at, at + lasts * MINUTE, casualty.facility, NONE)
        at += minutes * MINUTE
        left -= 1


@compiled
def care_in_decontamination(
    output: Output, row: int, casualty: CasualtyState, now: float, end: float, model: Model
) -> None:
    """Log what agent casualties are given during decontamination: breaths by bag and mask, and atropine.

    Breaths are for the unconscious, and for those who hardly breathe; not for those with a tube.
    """
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    rules = model.treatments.rules
    repeat_atropine(output, row, casualty, now, end, model.treatments.limits.atropine_minutes, model)
    tube = rules.bit[Treatment.INTUBATION] | rules.bit[Treatment.SURGICAL_AIRWAY]
    if given_so_far(output, casualty, rules) & tube or rules.off & rules.bit[_BAG_MASK_VENTILATION]:
        return
    found = False
    breathless = needs_of_breathing(output, record, casualty, now, found, model)
    if breathless or is_unconscious(output, record, casualty, now, model):
        kind = _BAG_MASK_VENTILATION
        insert_treatment(output, row, casualty, kind, now, end, casualty.facility, NONE)
