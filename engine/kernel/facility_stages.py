"""The stages inside a facility: arrival, decontamination, triage, treatment (docs/model.md section 2.7). Operations and
intensive care are in `operation_stages`.
"""

import math

from engine.clinical import (
    bleeds_to_death,
    care_in_decontamination,
    coma_scale,
    consider_complications,
    death_time,
    draw_late_death,
    log_event,
    log_treatment,
    needs_of_coma,
    note_shock,
    resuscitate,
    resuscitation_effect,
    set_factor,
    set_rate,
    slow_clock,
    start_recovery,
    starts_resuscitation,
    stay_after_operation,
    stop_clock,
    to_uniform,
    treat_ill,
    treat_wounded,
)
from engine.codes import (
    INTENSIVE_CARE,
    LEG_BLOCKS,
    NONE,
    RESOURCE_COUNT,
    TRIAGE_AND_TREATMENT,
    CasualtyKind,
    DrawPurpose,
    Effect,
    Event,
    Outcome,
    Resource,
    Treatment,
    TriageCategory,
)
from engine.kernel.codes import MatrixOutcome, ServiceTime, Stage
from engine.kernel.disposition_stages import goes_to_quarters
from engine.kernel.operation_stages import needs_intensive_care, put_off_until
from engine.kernel.outcomes import ONE_SECOND, end_treatments, set_outcome
from engine.kernel.travel import draw_matrix_outcome, draw_service_time
from engine.kernel.waiting import assign_category
from engine.numeric import Counter, compiled, words
from engine.tables import HOUR, MINUTE, QUIET, CasualtyState, Model, Output, PatientRow

KEEP_HELD, RELEASE_HELD = -1, -2
"""Returned instead of a `Resource`: the stage takes none, and keeps or releases what the casualty holds."""

_SUPPORTIVE, _EFFECTIVE, _INEFFECTIVE = int(Effect.SUPPORTIVE), int(Effect.EFFECTIVE), int(Effect.INEFFECTIVE)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def resource_of_stage(record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the `Resource` that the stage that is due takes, KEEP_HELD or RELEASE_HELD."""
    stage = casualty.stage
    if stage == Stage.START_TRIAGE:
        return Resource.TRIAGE_TEAM
    if stage in (Stage.TREAT, Stage.RESUME):
        return Resource.TREATMENT_BAY
    if stage in (Stage.SURGERY, Stage.DEFINITIVE_SURGERY, Stage.REOPERATION):
        return Resource.OPERATING_TABLE
    if stage == Stage.ICU:
        return Resource.ICU_BED if needs_intensive_care(record, casualty, model) else KEEP_HELD
    if stage == Stage.DISPOSITION:
        # who may go to quarters keeps the bay until that is decided: a complication may call for a bed instead
        return KEEP_HELD if goes_to_quarters(record, casualty, model) else Resource.WARD_BED
    if stage == Stage.AWAIT_OPERATION or (stage == Stage.COMPLICATION and casualty.in_quarters):
        return Resource.WARD_BED
    if stage == Stage.ADMIT:
        return Resource.PLACE
    if stage in (Stage.TRIAGE, Stage.LEAVE, Stage.RETURN):
        return RELEASE_HELD
    return KEEP_HELD


@compiled
def needed_resource(casualty: CasualtyState, kind: int, model: Model) -> int:
    """Return the number of the finite resource that the casualty must get before the stage that is due; -1: none.

    `kind` is the result of `resource_of_stage`.
    """
    if kind < 0 or casualty.granted or casualty.facility < 0:
        return -1
    resource = int(casualty.facility * RESOURCE_COUNT + kind)
    return resource if model.network.finite[resource] else -1


@compiled
def _record_first_arrival(record: PatientRow, role: int, at: int) -> None:
    """Enter the first arrival at a role, ms, in the record."""
    if role == 1 and record.role1 < 0:
        record.role1 = at
    elif role == 2 and record.role2 < 0:
        record.role2 = at
    elif role == 3 and record.role3 < 0:
        record.role3 = at
    elif role == 4:
        record.role4 = at


@compiled
def _admit_first_time(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Note the arrival at the first MTF: field treatments end, and the late death is drawn."""
    record = output.patients[row]
    casualty.admitted = 1
    casualty.admitted_at = now

    note_shock(record, casualty, now, model.complications)
    end_treatments(output, casualty.first_treatment, now, ONE_SECOND)
    if not model.transitions.used[0]:
        draw_late_death(
            record, casualty, now, counter[0], counter[1], model.keys[DrawPurpose.SURVIVAL], model.survival
        )
    if record.kind != CasualtyKind.WOUNDED:
        casualty.stay_end += now


@compiled
def _begin_stay(casualty: CasualtyState) -> None:
    """Reset what belongs to the stay at one facility."""
    casualty.operated_here = 0
    casualty.operations_here = 0
    casualty.reoperate_at = math.inf
    casualty.operated_until = -math.inf
    casualty.recovered_at = -math.inf
    casualty.arranged_at = -math.inf
    casualty.in_quarters = 0


@compiled
def _arrive_at_staging_unit(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Arrive at a casualty staging unit, which is no MTF and gives no care."""
    log_event(output, row, now, casualty.facility, Event.STAGED, 0)
    casualty.leg += 1
    _begin_stay(casualty)
    casualty.stage = Stage.DISPOSITION
    casualty.at = now


@compiled
def _arrive_at_role_4(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Arrive at Role 4. A casualty with a pending death dies there; any other leaves the theatre as evacuated."""
    if death_time(casualty) < math.inf:
        casualty.stage = Stage.RETURN
        casualty.at = math.inf  # the survival clock or the late hazard fixes the outcome
    else:
        consider_complications(output, row, casualty, now, model)
        end_treatments(output, casualty.first_treatment, now, ONE_SECOND)
        log_event(output, row, now, casualty.facility, Event.LEFT_THEATRE, 0)
        set_outcome(output, row, casualty, now, Outcome.EVACUATED)


@compiled
def arrive(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Arrive at a facility. Admission follows, except at a staging unit and, without matrix routing, at Role 4."""
    record = output.patients[row]
    casualty.facility = casualty.destination
    role = model.network.role[casualty.facility]
    if casualty.vehicle_clock_factor != 1.0:
        casualty.vehicle_clock_factor = 1.0
        set_factor(casualty, now, model.survival.factor[0])
    casualty.way = model.network.way[casualty.facility, record.front]
    if role == 0:
        _arrive_at_staging_unit(output, row, casualty, now)
        return
    log_event(output, row, now, casualty.facility, Event.ARRIVED, 0)
    _record_first_arrival(record, role, int(now))
    if not casualty.admitted:
        _admit_first_time(output, row, casualty, now, model, counter)
    casualty.leg += 1
    _begin_stay(casualty)
    if model.transitions.used[0]:
        draw_matrix_outcome(record, casualty, role, model, counter)
    elif role == 4:
        _arrive_at_role_4(output, row, casualty, now, model)
        return
    if model.network.push and model.network.finite[casualty.facility * RESOURCE_COUNT + Resource.PLACE]:
        casualty.stage = Stage.ADMIT
        casualty.at = now
    else:
        enter_facility(output, row, casualty, now, model)


@compiled
def enter_facility(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Enter the facility: decontamination where it is needed, then triage."""
    record = output.patients[row]
    casualty.stage = Stage.START_TRIAGE
    casualty.at = now
    if record.kind == CasualtyKind.AGENT and not casualty.decontaminated:
        log_event(output, row, now, casualty.facility, Event.DECONTAMINATION_STARTED, 0)
        log_treatment(
            output,
            row,
            casualty.facility,
            Treatment.DECONTAMINATION,
            now,
            model.care.decontamination[0],
            Effect.SUPPORTIVE,
            NONE,
        )
        casualty.stage = Stage.DECONTAMINATED
        casualty.at = now + model.care.decontamination[0] * MINUTE
        care_in_decontamination(output, row, casualty, now, casualty.at, model)


@compiled
def end_decontamination(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """End the decontamination; triage begins."""
    casualty.decontaminated = 1
    log_event(output, row, now, casualty.facility, Event.DECONTAMINATION_ENDED, 0)
    casualty.stage = Stage.START_TRIAGE


@compiled
def start_triage(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Start the triage: a triage team is available. The draws of triage and treatment are noted for both."""
    triage, treatment, rescue, time = words(
        model.keys[DrawPurpose.CARE], counter[0], counter[1], TRIAGE_AND_TREATMENT + LEG_BLOCKS * casualty.leg
    )
    casualty.triage_word = triage
    casualty.treatment_word = treatment
    casualty.rescue_word = rescue
    minutes = model.care.triage[0]
    if model.network.service_kind[casualty.facility, ServiceTime.TRIAGE] >= 0:
        minutes = draw_service_time(
            model, casualty.facility, ServiceTime.TRIAGE, model.care.role1, to_uniform(time)
        )
    casualty.stage = Stage.TRIAGE
    casualty.at = now + minutes * MINUTE


@compiled
def end_triage(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """End the triage: assign a category and choose between treatment and a definitive operation.

    One that is due later comes after treatment.
    """
    role = model.network.role[casualty.facility]
    uniform = to_uniform(casualty.triage_word)
    casualty.category = assign_category(output, row, casualty, now, role, uniform, model)
    log_event(output, row, now, casualty.facility, Event.TRIAGED, casualty.category)
    since = now - float(output.patients[row].onset)
    edge = model.treatments.limits.unconscious_gcs + 0.5
    tubed = casualty.tube_hours * HOUR > now - casualty.admitted_at
    casualty.comatose = 1 if tubed or coma_scale(casualty, since) < edge else 0
    will_die_here = model.transitions.used[0] and casualty.outcome == MatrixOutcome.DEAD
    if (
        casualty.operated
        and model.network.definitive[casualty.facility]
        and not casualty.definitive
        and not will_die_here
    ):
        casualty.stage = Stage.DEFINITIVE_SURGERY
        casualty.at = now + model.care.waits[1] * MINUTE
        due = put_off_until(output.patients[row], casualty, casualty.at, model, counter)
        if due == casualty.at:
            return
        casualty.reoperate_at = due
    casualty.stage = Stage.TREAT
    casualty.at = now + max(0.0, model.care.waits[0] - model.care.triage[0]) * MINUTE


@compiled
def _resuscitation_works(casualty: CasualtyState, model: Model) -> bool:
    """Return whether the resuscitation of a wounded casualty slows the clock."""
    return bool(to_uniform(casualty.rescue_word) < model.survival.resuscitation_works)


@compiled
def _bleeds_without_blood(record: PatientRow, casualty: CasualtyState) -> bool:
    """Return whether a haemorrhage would kill and there is no blood for the resuscitation."""
    return bool(casualty.no_blood and bleeds_to_death(record))


@compiled
def _slow_by_resuscitation(record: PatientRow, casualty: CasualtyState, now: float, model: Model) -> None:
    """Let the clock run from `now` on, slowed by the resuscitation if it works."""
    rate = model.survival.resuscitation_rate[record.lethal]
    if _bleeds_without_blood(record, casualty):  # no better than first aid
        rate = max(rate, model.survival.aid_rate[record.lethal])
    if record.kind == CasualtyKind.WOUNDED and not _resuscitation_works(casualty, model):
        rate = 1.0
    slow_clock(casualty, now, rate)


@compiled
def _start_resuscitation(
    output: Output, row: int, casualty: CasualtyState, now: float, uniform: float, pace: float, model: Model
) -> float:
    """Start damage control resuscitation, and return its minutes.

    Meanwhile the clock stops, except for those who would bleed to death and get no blood.
    """
    record = output.patients[row]
    here = casualty.facility
    minutes = draw_service_time(model, here, ServiceTime.RESUSCITATION, model.care.resuscitation, uniform)
    log_event(output, row, now, here, Event.RESUSCITATION_STARTED, 0)
    if not model.survival.available[Treatment.BLOOD_TRANSFUSION]:
        casualty.no_blood = 1
    if casualty.blood_units > 0 and not casualty.no_blood:
        casualty.transfused_at = min(casualty.transfused_at, now)
    resuscitate(output, row, casualty, now, minutes, _resuscitation_works(casualty, model), pace, model)
    if _bleeds_without_blood(record, casualty):
        _slow_by_resuscitation(record, casualty, now, model)
    else:
        set_rate(casualty, now, 0.0)
    casualty.resuscitated = 1
    casualty.resuscitating = 1
    return minutes


@compiled
def _rescue_ill(
    record: PatientRow, casualty: CasualtyState, now: float, role: int, word: int, model: Model
) -> int:
    """Try once to save a casualty without weapon wounds from what would kill them; return the `Effect`.

    Agent casualties can be rescued at every MTF, others from Role 2 on.
    """
    effect = _SUPPORTIVE
    if (
        casualty.life < math.inf
        and (record.kind == CasualtyKind.AGENT or role >= 2)
        and not casualty.resuscitated
        and model.survival.available[
            Treatment.ATROPINE_AND_OXIME if record.kind == CasualtyKind.AGENT else Treatment.EMERGENCY_CARE
        ]
    ):
        casualty.resuscitated = 1
        set_rate(casualty, now, 0.0)
        effect = _INEFFECTIVE
        if to_uniform(word) < model.survival.surgery_works[record.lethal]:
            effect = _EFFECTIVE
            stop_clock(casualty, now)
    return effect


@compiled
def _start_care(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    uniform: float,
    word: int,
    pace: float,
    model: Model,
) -> float:
    """Start care in a treatment bay; return its minutes.

    `word` is the random word of the rescue of the ill.
    """
    record = output.patients[row]
    here = casualty.facility
    role = model.network.role[here]
    usual = model.care.role1 if role == 1 else model.care.care
    minutes = draw_service_time(model, here, ServiceTime.CARE, usual, uniform)
    log_event(output, row, now, here, Event.CARE_STARTED, 0)
    if record.kind == CasualtyKind.WOUNDED:
        treat_wounded(output, row, casualty, now, minutes, pace, model)
    else:
        unconscious = 0
        if not output.rows[QUIET]:
            unconscious = needs_of_coma(output, record, casualty, now, model)
        effect = _rescue_ill(record, casualty, now, role, word, model)
        treat_ill(output, row, casualty, now, minutes, effect, unconscious, pace, model)
    return minutes


@compiled
def start_treatment(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Start resuscitation where it is needed and possible, else care."""
    record = output.patients[row]
    if record.first_care < 0:
        record.first_care = int(now)
    uniform = to_uniform(casualty.treatment_word)
    pace = 0.0
    if not output.rows[QUIET]:
        block = INTENSIVE_CARE + LEG_BLOCKS * casualty.leg
        pace = to_uniform(words(model.keys[DrawPurpose.CARE], counter[0], counter[1], block)[1])
    if starts_resuscitation(record, casualty, casualty.facility, model):
        minutes = _start_resuscitation(output, row, casualty, now, uniform, pace, model)
    else:
        minutes = _start_care(output, row, casualty, now, uniform, casualty.rescue_word, pace, model)
    if model.transitions.used[0] and casualty.outcome == MatrixOutcome.DEAD:
        casualty.late_death_at = now + to_uniform(casualty.rescue_word) * minutes * MINUTE
    casualty.stage = Stage.TREATED
    casualty.at = now + minutes * MINUTE


@compiled
def end_treatment(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """End resuscitation or care: surgery follows where it is needed and possible, else intensive care is considered."""
    record = output.patients[row]
    here = casualty.facility
    if casualty.resuscitating:
        log_event(output, row, now, here, Event.RESUSCITATION_ENDED, 0)
    else:
        log_event(output, row, now, here, Event.CARE_ENDED, 0)
    if record.kind != CasualtyKind.WOUNDED and casualty.operated_here:  # within the care
        stay_after_operation(casualty, now, model.survival)
        casualty.awake_at = max(casualty.awake_at, now + model.care.awakening[0])
        casualty.operated_until = now
        casualty.recovered_at = now + model.care.recovery[1]
    if casualty.rate == 0.0 and casualty.life < math.inf:
        _slow_by_resuscitation(record, casualty, now, model)
    if casualty.resuscitating:
        casualty.resuscitating = 0
        if not output.rows[QUIET]:  # the health score does not affect the flow
            resuscitation_effect(record, casualty, now, model.survival)
    if (
        not output.rows[QUIET]
        and casualty.life == math.inf
        and casualty.recover_span == 0.0
        and not casualty.needs_surgery
        and (
            record.kind != CasualtyKind.WOUNDED
            or record.triage == TriageCategory.T3
            or casualty.resuscitated
            or not casualty.grave
        )
    ):
        start_recovery(record, casualty, now, model.survival)
    if (
        casualty.needs_surgery
        and model.network.operates[here]
        and not casualty.operated
        and casualty.operable >> model.network.role[here] & 1
    ):
        casualty.stage = Stage.SURGERY
        casualty.at = now + model.care.waits[1] * MINUTE
        due = put_off_until(record, casualty, casualty.at, model, counter)
        if due == casualty.at:
            return
        casualty.reoperate_at = due
    casualty.stage = Stage.ICU
    casualty.at = now
