"""Interruptions of care: bumping from a treatment bay, and a hit on the facility (docs/model.md section 2.8)."""

import math

from engine.clinical import log_event, set_rate
from engine.codes import CasualtyKind, Event
from engine.kernel.codes import Stage
from engine.kernel.outcomes import ONE_SECOND, end_treatments
from engine.kernel.waiting import may_log_repeating_event
from engine.numeric import compiled
from engine.tables import TREATMENT_COUNT, CasualtyState, Output


@compiled
def bump_from_bay(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Interrupt the care of a casualty whose bay a more urgent patient takes. The remaining care is given later."""
    if may_log_repeating_event(output, casualty):
        log_event(output, row, now, casualty.facility, Event.BUMPED, 0)
    casualty.remaining = casualty.at - now
    casualty.rate_before_bump = casualty.rate
    if casualty.rate == 0.0:
        set_rate(casualty, now, casualty.slowest * casualty.factor)
    casualty.bumped_at = now
    casualty.stage = Stage.RESUME
    casualty.at = now


@compiled
def resume_care(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Resume interrupted care, and shift the treatments that had not ended by the length of the interruption."""
    if may_log_repeating_event(output, casualty):
        log_event(output, row, now, casualty.facility, Event.CARE_RESUMED, 0)
    if casualty.rate_before_bump == 0.0:
        set_rate(casualty, now, 0.0)
    interrupted = int(casualty.bumped_at)
    gap = int(now) - interrupted
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        if output.treatments[k].start >= interrupted:
            output.treatments[k].start += gap
        if output.treatments[k].end > interrupted:
            output.treatments[k].end += gap
    casualty.stage = Stage.TREATED
    casualty.at = now + casualty.remaining


@compiled
def restart_care(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Interrupt all care because the facility is hit; it begins again with triage.

    An operation within the care of the ill, which has not ended, is done again.
    """
    ill = output.patients[row].kind != CasualtyKind.WOUNDED
    if ill and casualty.operated_here and casualty.stage in (Stage.TREATED, Stage.RESUME):
        casualty.operated = 0
        casualty.operated_here = 0
        casualty.definitive = 0
    log_event(output, row, now, casualty.facility, Event.FACILITY_HIT, 0)
    end_treatments(output, casualty.first_treatment, now, ONE_SECOND)
    if casualty.rate == 0.0 and casualty.life < math.inf:
        set_rate(casualty, now, casualty.slowest * casualty.factor)
    if casualty.resuscitating:
        casualty.resuscitating = 0
        casualty.resuscitated = 0
    casualty.no_blood = 0
    casualty.blood_given = casualty.blood_units
    casualty.retriage_at = math.inf
    casualty.stage = Stage.START_TRIAGE
    casualty.at = now
