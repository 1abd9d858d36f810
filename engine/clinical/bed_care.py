"""Care that goes on in a bed, on the ward and in intensive care, and medicines of operations (docs/model.md section
2.7.5).
"""

import math

from engine.clinical.first_aid import burn_fluids_go_on, oxygen_in_bed, spine_stays_still
from engine.clinical.log import insert_treatment, log_treatment
from engine.clinical.needs import (
    is_unconscious,
    last_start,
    minutes_of,
    needs_of_injuries,
    place_of_role,
)
from engine.clinical.physiology import pain_of_record
from engine.codes import NONE, CasualtyKind, Effect, Treatment
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    DAY,
    HOUR,
    MINUTE,
    QUIET,
    TREATMENT_COUNT,
    CareRules,
    CasualtyState,
    Model,
    Output,
)

_ANALGESIA = int(Treatment.ANALGESIA)
_ANTIBIOTICS = int(Treatment.ANTIBIOTICS)
_VENTILATION = int(Treatment.VENTILATION)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""
_LONG_AGO = -1e15
"""ms"""
_TYPICAL_PACE = 0.5
"""Pace at which a treatment takes its mode."""


@compiled
def _was_broad(output: Output, row: int, casualty: CasualtyState, rules: CareRules) -> bool:
    """Return whether the last antibiotic lasts: ertapenem or moxifloxacin, from outside or for a contaminated wound."""
    record = output.patients[row]
    if record.kind != CasualtyKind.WOUNDED and rules.contaminated[record.condition]:
        return True
    for number in range(casualty.wounds):
        if rules.contaminated[output.wounds[casualty.wound + number].condition]:
            return True
    last, outside = -1, False
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.kind == _ANTIBIOTICS and treatment.start > last:
            last, outside = int(treatment.start), bool(treatment.facility < 0)
    return outside


@compiled
def antibiotics_before_operation(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model
) -> None:
    """Log the dose of antibiotics at the beginning of an operation, unless the last one was given shortly before."""
    rules = model.treatments.rules
    kind = _ANTIBIOTICS
    if (
        output.rows[QUIET]
        or rules.off & rules.bit[kind]
        or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS
    ):
        return
    last = last_start(output, casualty, kind, NONE)
    limits = model.treatments.limits
    if last >= 0 and now < last + limits.incision_minutes * MINUTE:
        return
    if last >= 0 and now < last + limits.broad_minutes * MINUTE and _was_broad(output, row, casualty, rules):
        return
    lasts = minutes_of(kind, _TYPICAL_PACE, rules)
    log_treatment(output, row, casualty.facility, kind, now, lasts, _SUPPORTIVE, NONE)


@compiled
def _operated_until(output: Output, casualty: CasualtyState, rules: CareRules) -> float:
    """Return when the last operation in the record ends, ms, at whatever facility; long ago without one."""
    end = _LONG_AGO
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if rules.operation_bit[treatment.kind]:
            end = max(end, float(treatment.end))
    return end


@compiled
def _antibiotics_in_bed(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, model: Model
) -> None:
    """Log the doses of antibiotics that are due in a bed of the wounded who are operated on, from `now` to `until`, ms.

    One is due a day after the last, in the first days after the injury and for a day after the last operation.
    """
    record = output.patients[row]
    rules = model.treatments.rules
    kind = _ANTIBIOTICS
    if record.kind != CasualtyKind.WOUNDED or not (casualty.operated or casualty.reoperate_at < math.inf):
        return
    if not needs_of_injuries(output, record, casualty, model) & rules.bit[kind] & ~rules.off:
        return
    lasts = minutes_of(kind, _TYPICAL_PACE, rules)
    stop = max(
        record.onset + model.treatments.limits.antibiotic_hours * HOUR,
        _operated_until(output, casualty, rules) + DAY,
    )
    stop = min(until - lasts * MINUTE, stop)
    last = last_start(output, casualty, kind, NONE)
    at = now if last < 0 else max(now, last + rules.repeat[kind])
    while at <= stop and output.rows[TREATMENT_COUNT] < casualty.first_treatment + CARE_ROWS:
        insert_treatment(output, row, casualty, kind, at, at + lasts * MINUTE, casualty.facility, NONE)
        at += rules.repeat[kind]


@compiled
def _ventilated_until(output: Output, casualty: CasualtyState) -> float:
    """Return when the last ventilation ends, ms; 0 without one."""
    end = 0.0
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.kind == _VENTILATION:
            end = max(end, float(treatment.end))
    return end


@compiled
def _analgesia_in_bed(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, model: Model
) -> None:
    """Log analgesia in a bed from `now` to `until`, ms: once a day, as it is written on a chart.

    It is for days after an operation, and for others as long as they are in pain; not for those with a tube and the
    unconscious.
    """
    record = output.patients[row]
    rules = model.treatments.rules
    limits = model.treatments.limits
    kind = _ANALGESIA
    if rules.off & rules.bit[kind]:
        return
    lasts = minutes_of(kind, _TYPICAL_PACE, rules)
    at = now + limits.bed_analgesia_minutes * MINUTE
    last = last_start(output, casualty, kind, NONE)
    at = max(at, _ventilated_until(output, casualty) + limits.bed_analgesia_minutes * MINUTE)
    operated_until = _operated_until(output, casualty, rules)
    if last >= 0 and last > operated_until:
        at = max(at, last + limits.mild_hours * HOUR)
    left = int(limits.bed_analgesia_days)
    while at + HOUR <= until and left > 0:
        if output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
            return
        if at > operated_until + limits.bed_analgesia_days * DAY and (
            pain_of_record(output, record, casualty, at, model) < limits.bed_pain
        ):
            return
        if not is_unconscious(output, record, casualty, at, model):
            insert_treatment(output, row, casualty, kind, at, at + lasts * MINUTE, casualty.facility, NONE)
        at += DAY
        left -= 1


@compiled
def care_in_bed(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, model: Model
) -> None:
    """Log what goes on, or is given again, on the ward or in intensive care from `now` to `until`, ms.

    It is oxygen, the fluids of a burn, spinal precautions, antibiotics and analgesia.
    """
    if output.rows[QUIET]:
        return
    oxygen_in_bed(output, row, casualty, now, until, model)
    if until == math.inf:
        return
    place = place_of_role(model.network.role[casualty.facility])
    burn_fluids_go_on(output, row, casualty, now, until, place, model)
    spine_stays_still(output, row, casualty, now, until, model)
    _antibiotics_in_bed(output, row, casualty, now, until, model)
    _analgesia_in_bed(output, row, casualty, now, until, model)
