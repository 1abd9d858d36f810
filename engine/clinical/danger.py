"""How ill a casualty still is: the triage category by the state, in a facility (docs/model.md section 2.6.2).

It is judged from the diagnoses, the Glasgow Coma Scale drawn and what has been done, not from the vital signs, which
are computed only where a record is written. The hours are those in which these signs are seldom normal.
"""

import math

from engine.clinical.burns import burn_area
from engine.clinical.needs import needs_of_injuries
from engine.clinical.physiology import coma_scale, has_had_much_blood, travels_with_tube, used_share
from engine.codes import NONE, CasualtyKind, ConditionFlag, LethalMechanism, Region, Treatment, TriageCategory
from engine.numeric import compiled
from engine.tables import DAY, HOUR, CasualtyState, Model, Output, PatientRow

_IMMEDIATE = int(TriageCategory.T1)
_URGENT = int(TriageCategory.T2)
_MINOR = int(TriageCategory.T3)
"""Plain: Numba cannot unify a member with a column of bytes (docs/platform.md section 2.3)."""
_COMA_GCS = 9.0
"""Below it after the injury the airway is secured."""
_NEUROSURGICAL_ROLE = 3
_CONFUSED_GCS = 14.5
"""Below it the Glasgow Coma Scale is not normal."""


@compiled
def hours_unwell(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> float:
    """Return for how many hours from the first admission on the signs of a casualty are not normal.

    Reads the wounds, so it can be asked only when they have just been drawn.
    """
    care = model.care
    if record.kind == CasualtyKind.AGENT:
        return float(care.unwell_by_grade[record.severity]) if record.severity < NONE else 0.0
    if record.kind != CasualtyKind.WOUNDED:
        return float(care.unwell_by_triage[record.triage])
    hours = 0.0
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        flags = model.injuries.flags[wound.condition]
        if wound.region == Region.THORAX and (
            flags & ConditionFlag.PNEUMOTHORAX or wound.ais >= model.vital_signs.chest.minor_ais
        ):
            hours = max(hours, care.unwell_hours[0])
    if burn_area(output, record, casualty, model.injuries) >= care.unwell_burn[0]:
        hours = max(hours, care.unwell_hours[1])
    if casualty.blood_units > 0:
        hours = max(hours, care.unwell_hours[2])
    return hours


@compiled
def hours_with_tube(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> float:
    """Return for how many hours from the first admission on a casualty is intubated, operations and coma aside.

    Reads the wounds, so it can be asked only when they have just been drawn.
    """
    rules = model.treatments.rules
    hours = model.vital_signs.tube.hours
    if record.lethal == LethalMechanism.TBI:
        return float(hours[0])
    if record.lethal == LethalMechanism.AIRWAY:
        return float(hours[1])
    if casualty.gcs < _COMA_GCS:
        return float(hours[1])
    poisoned = record.kind == CasualtyKind.AGENT and record.triage == TriageCategory.T1
    rescued = record.kind != CasualtyKind.WOUNDED and record.lethal != NONE
    if (
        poisoned
        or rescued
        or needs_of_injuries(output, record, casualty, model) & rules.bit[Treatment.INTUBATION]
    ):
        return float(hours[2])
    return 0.0


@compiled
def looks_immediate(record: PatientRow, casualty: CasualtyState, now: float, model: Model) -> bool:
    """Return whether anybody sees at the point of injury, at `now`, ms, that a casualty is T1.

    It is who is comatose or severely poisoned, has a brain injury that kills, or has used up so much of the life that
    pulse, pressure or breathing show it (`care.triage.plain_share`).
    """
    if record.kind == CasualtyKind.AGENT:
        return bool(record.triage == TriageCategory.T1 and now >= record.onset)
    if coma_scale(casualty, now - float(record.onset)) < model.treatments.limits.unconscious_gcs + 0.5:
        return True
    if casualty.life == math.inf:
        return False
    return bool(
        record.lethal == LethalMechanism.TBI
        or record.worst_ais >= model.care.plain_ais[0]
        or used_share(casualty, now) >= model.care.plain_share[0]
    )


@compiled
def is_immediate(record: PatientRow, casualty: CasualtyState, now: float, model: Model) -> bool:
    """Return whether a casualty in a facility is comatose or intubated at `now`, ms, or awaits much blood: T1."""
    limits = model.treatments.limits
    admitted = now - casualty.admitted_at if casualty.admitted else 0.0
    if casualty.tube_hours > 0.0 and admitted < casualty.tube_hours * HOUR:
        return True
    since = now - float(record.onset)
    if casualty.gcs < 15.0 and coma_scale(casualty, since) < limits.unconscious_gcs + 0.5:
        return True
    tube = model.vital_signs.tube
    awaits_blood = casualty.transfused_at == math.inf and not casualty.operated
    return bool(
        (awaits_blood and casualty.blood_units >= limits.massive_units)
        or (casualty.ventilated and travels_with_tube(casualty, model))
        or (casualty.airway_held and not casualty.definitive)
        or (
            casualty.head_ais >= tube.brain_ais
            and not casualty.definitive
            and model.network.role[casualty.facility] < _NEUROSURGICAL_ROLE
        )
        or (casualty.operated and has_had_much_blood(casualty, now, model))
        or (
            casualty.operated
            and not casualty.definitive
            and ((casualty.cavity and casualty.blood_units > 0) or record.lethal != NONE)
            and since < tube.unfinished_hours * HOUR
        )
    )


@compiled
def category_of_state(record: PatientRow, casualty: CasualtyState, now: float, model: Model) -> int:
    """Return the triage category of a casualty in a facility at `now`, ms, by the state that lasts.

    T1 are the comatose and the intubated. T2 are those whose life is in danger, who are confused or short of breath,
    who await an operation, whose damage control surgery is not complete or who are in the first day after an operation
    in a cavity, and the true T1 who have been in intensive care. T3 are the others.
    """
    if is_immediate(record, casualty, now, model):
        return _IMMEDIATE
    awaits = casualty.needs_surgery and not casualty.operated
    if record.kind != CasualtyKind.WOUNDED:
        awaits = casualty.onward > 0 and not casualty.operated
    admitted = now - casualty.admitted_at if casualty.admitted else 0.0
    if (
        awaits
        or casualty.life < math.inf
        or casualty.late_death_at < math.inf
        or (casualty.grave and not casualty.definitive)
        or (casualty.prompt and not casualty.definitive)
        or (casualty.intensive and record.triage == TriageCategory.T1)
        or (casualty.cavity and casualty.operated and now < casualty.awake_at + DAY)
        or admitted < casualty.unwell_hours * HOUR
        or coma_scale(casualty, now - float(record.onset)) < _CONFUSED_GCS
    ):
        return _URGENT
    return _MINOR
