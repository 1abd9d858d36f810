"""Care of agent casualties beside that by need: mask and skin at once, and atropine until secretions are dry."""

from engine.clinical.log import insert_treatment
from engine.clinical.needs import (
    agent_shows,
    given_so_far,
    is_unconscious,
    last_start,
    minutes_of,
    needs_of_breathing,
)
from engine.clinical.physiology import find_signs
from engine.codes import AT_POI, EN_ROUTE, NONE, CasualtyKind, Treatment
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
_EN_ROUTE = int(EN_ROUTE)
_AUTOINJECTOR = int(Treatment.AUTOINJECTOR)
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
def _is_wet(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, severe: bool, model: Model
) -> bool:
    """Return whether secretions call for more of the antidote at the time `at`, ms: of the severe in coma or hypoxia.

    Of the others any sign calls for it.
    """
    found = False
    if not severe:
        return agent_shows(output, record, casualty, at, found, model)
    if is_unconscious(output, record, casualty, at, model):
        return True
    find_signs(record, casualty, output.physiology, at, model)
    return bool(output.physiology.signs.spo2 < model.treatments.limits.agent_spo2)


@compiled
def decontaminate_at_once(output: Output, row: int, casualty: CasualtyState, model: Model) -> None:
    """Log that an agent casualty, or a buddy, puts on the mask and cleans the skin a minute after the first sign."""
    record = output.patients[row]
    if record.kind != CasualtyKind.AGENT or record.severity == NONE:
        return
    kind = _PERSONAL_DECONTAMINATION
    minutes = minutes_of(kind, _TYPICAL_PACE, model.treatments.rules)
    begin = float(record.onset) + MINUTE
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
    """Log atropine every `minutes` from `now` until `end`, both in ms, to a severe nerve agent casualty.

    It ends when the secretions are dry: out of coma, with a good saturation.
    """
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
        severe = True
        if not _is_wet(output, record, casualty, at, severe, model):
            return
        insert_treatment(output, row, casualty, kind, at, at + lasts * MINUTE, casualty.facility, NONE)
        at += minutes * MINUTE
        left -= 1


@compiled
def repeat_antidote_in_the_field(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, model: Model
) -> None:
    """Log what follows the first injector before the first facility, while the signs go on: until `until`, ms.

    Mild and moderate nerve agent casualties get one injector after the other, three at most; the severe, who have had
    three, get atropine. The departure is at `now`, in ms.
    """
    record = output.patients[row]
    if record.kind != CasualtyKind.AGENT or record.severity == NONE:
        return
    rules = model.treatments.rules
    limits = model.treatments.limits
    first = last_start(output, casualty, _AUTOINJECTOR, NONE)
    if first < 0 or rules.off & rules.bit[_AUTOINJECTOR]:
        return
    kind = _AUTOINJECTOR
    every = limits.second_injector_minutes
    left = int(limits.further_injectors)
    severe = _is_severe_nerve_agent(record, model)
    if severe:
        kind = _ATROPINE
        every = limits.atropine_minutes
        left = int(limits.field_atropine_doses)
    lasts = minutes_of(kind, _TYPICAL_PACE, rules)
    at = first + every * MINUTE
    while at + lasts * MINUTE <= until and left > 0:
        if output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS or not _is_wet(
            output, record, casualty, at, severe, model
        ):
            return
        place = _AT_POI if at + lasts * MINUTE <= now else _EN_ROUTE
        begin = at if place == _AT_POI else max(at, now)
        insert_treatment(output, row, casualty, kind, begin, begin + lasts * MINUTE, place, NONE)
        at += every * MINUTE
        left -= 1


@compiled
def care_in_decontamination(
    output: Output, row: int, casualty: CasualtyState, now: float, end: float, model: Model
) -> None:
    """Log what agent casualties are given during decontamination: breaths by bag and mask, and atropine.

    Breaths are for the unconscious, and for those who hardly breathe; not for those with a tube. They go on until care
    begins.
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
        until = now + model.treatments.limits.waiting_care_minutes * MINUTE
        insert_treatment(output, row, casualty, kind, now, until, casualty.facility, NONE)


@compiled
def end_breaths(output: Output, casualty: CasualtyState, now: float) -> None:
    """End the breaths by bag and mask that go on at `now`, ms: care begins, which finds out whether they are needed."""
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.kind == _BAG_MASK_VENTILATION and treatment.end > now:
            treatment.end = int(now)
    output.physiology.bagged_until = min(output.physiology.bagged_until, now)
