"""How long after a reading of the vital signs the next one is due (docs/model.md section 2.12)."""

import math

from engine.codes import NONE, CasualtyKind, TriageCategory, Watch
from engine.numeric import compiled
from engine.tables import HOUR, MINUTE, CasualtyState, Model, PatientRow, Physiology

_URGENT = int(TriageCategory.T2)
"""Plain: Numba cannot unify a member with a column of bytes (docs/platform.md section 2.3)."""


@compiled
def _in_danger(casualty: CasualtyState, state: Physiology, model: Model) -> bool:
    """Return whether something kills the patient, or the last signs were those of somebody gravely ill."""
    unwell = model.vital_signs.schedule.unwell
    signs = state.signs
    return bool(
        casualty.life < math.inf
        or (
            state.number > 0
            and (
                signs.heart_rate > unwell[0]
                or signs.systolic < unwell[1]
                or signs.spo2 < unwell[2]
                or signs.gcs < unwell[3]
            )
        )
    )


@compiled
def interval_after(
    record: PatientRow, casualty: CasualtyState, state: Physiology, at: float, model: Model
) -> float:
    """Return the ms between a reading at `at` and the next one: by who watches, the category and the state."""
    schedule = model.vital_signs.schedule
    if not model.vital_signs.full:
        return schedule.core_minutes * MINUTE
    danger = _in_danger(casualty, state, model)
    category = min(4, casualty.category)
    if danger and category == TriageCategory.T3:
        category = _URGENT
    minutes = schedule.minutes[state.watch, category]
    outside = state.watch == Watch.FIELD or state.watch == Watch.VEHICLE
    slight = record.triage == TriageCategory.T3 or (record.kind == CasualtyKind.NBI and record.lethal == NONE)
    if outside and slight and not danger:
        minutes = max(minutes, schedule.slight_minutes)
    spent = (at - state.watch_since) / MINUTE
    if not danger and spent >= schedule.settled[0] and state.watch in (Watch.FIELD, Watch.VEHICLE, Watch.BAY):
        minutes = max(minutes, schedule.settled[1])
    minutes = min(schedule.most_minutes, max(minutes, schedule.thinning * spent))
    if state.watch == Watch.WARD and at < casualty.operated_until + schedule.recovery[0] * HOUR:
        minutes = min(minutes, schedule.recovery[1])
    dying = casualty.life < math.inf or at > casualty.late_death_at - schedule.dying_hours * HOUR
    if state.watch == Watch.INTENSIVE_CARE and danger and dying:
        minutes = min(minutes, schedule.dying_minutes)
    if record.kind == CasualtyKind.AGENT and state.watch != Watch.NOBODY:
        since = (at - float(record.onset)) / MINUTE
        if since < schedule.agent[0]:
            minutes = min(minutes, schedule.agent[1])
        elif since < schedule.agent[2]:
            minutes = min(minutes, schedule.agent[3])
    return minutes * MINUTE
