"""The stages of a casualty's way through the evacuation network (MODEL section 5).

A casualty on the way is a row of `survival.STATE`. Each stage function performs what is due and sets the next stage
and its time; between two stages the survival clock may bring death. A stage that needs a finite resource is performed
when `kernel.event_loop` grants it; what it is granted with, and when, is all that others decide. The event log of
a patient
is what the stages emit, in the order of time.
"""

import math
from typing import Any

from engine import numeric
from engine.clinical import (
    death_time,
    draw_late_death,
    give_first_aid,
    log_event,
    log_treatment,
    measure_vitals,
    pick_cumulated,
    resuscitate,
    resuscitation_effect,
    set_factor,
    set_rate,
    slow_clock,
    start_recovery,
    start_surgery,
    stop_clock,
    to_uniform,
    treat_ill,
    treat_wounded,
    type_row,
)
from engine.codes import (
    AT_POI,
    EN_ROUTE,
    FIRST_AID,
    FIRST_RESPONDER,
    INTENSIVE_CARE,
    LEG_BLOCKS,
    MATRIX_START,
    NONE,
    OPERATION,
    RESOURCE_COUNT,
    RETRIAGE,
    TRIAGE_AND_TREATMENT,
    CasualtyKind,
    ConditionFlag,
    DeathCause,
    DrawPurpose,
    Effect,
    Event,
    Outcome,
    Resource,
    Treatment,
)
from engine.kernel.codes import MatrixOutcome, ServiceTime, Stage
from engine.kernel.travel import draw_leg_time, draw_matrix_outcome, draw_route_time, draw_service_time
from engine.numeric import Counter, compiled, words
from engine.tables import MINUTE, QUIET, REPEATING_EVENTS_LIMIT, CasualtyState, Model, Output, PatientRow

# Stages: what is due next.


WAITING_AT = (0, 1, 1, 2, NONE, 3, 4, NONE, 5, NONE, 5, NONE, 6, 6, 6, 6, 9, 3, 4, 1, 1)
"""By stage: the index of columns.WAITING_FOR that names what a casualty waits for; NONE while it is being done."""

WAITING_AFTER = (
    0,
    1,
    0,
    0,
    1,
    4,
    1,
    2,
    3,
    3,
    3,
    4,
    6,
    4,
    5,
    5,
    6,
    5,
    6,
    6,
    6,
    6,
    6,
    6,
    6,
    6,
    1,
    4,
    4,
    9,
    3,
    1,
)
"""By kind of the last event: the stage that a casualty in care at the horizon has not finished."""

WAITING_IN = (3, 4, 5, 7, 8, 9, 1)
"""By what is waited for (columns.AWAITED): the index of columns.WAITING_FOR."""


@compiled
def resource_of_stage(record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Which resource of a facility (0..5) the stage that is due takes; -1: none, what is held is kept; -2: what is
    held is given back.
    """
    stage = casualty.stage
    if stage == Stage.START_TRIAGE:
        return Resource.TRIAGE_TEAM
    if stage in (Stage.TREAT, Stage.RESUME):
        return Resource.TREATMENT_BAY
    if stage in (Stage.SURGERY, Stage.DEFINITIVE_SURGERY):
        return Resource.OPERATING_TABLE
    if stage == Stage.ICU:
        return Resource.ICU_BED if _needs_intensive_care(record, casualty, model) else -1
    if stage == Stage.DISPOSITION:
        return Resource.WARD_BED
    if stage == Stage.ADMIT:
        return Resource.PLACE
    if stage in (Stage.TRIAGE, Stage.LEAVE, Stage.RETURN):
        return -2
    return -1


@compiled
def needed_resource(record: PatientRow, casualty: CasualtyState, model: Model) -> Any:
    """Number of the finite resource without which the stage that is due cannot be performed; -1: none."""
    if casualty.granted or casualty.facility < 0:
        return -1
    kind = resource_of_stage(record, casualty, model)
    if kind < 0:
        return -1
    resource = int(casualty.facility * RESOURCE_COUNT + kind)
    return resource if model.network.finite[resource] else -1


@compiled
def _needs_intensive_care(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Whether the casualty needs intensive care here, and there is any: after surgery or for AIS >= 4."""
    return bool(
        record.kind == CasualtyKind.WOUNDED
        and model.network.icu[casualty.facility]
        and (casualty.operated_here or record.worst_ais >= 4)
    )


@compiled
def _draw_assigned_category(true: int, right: float, over: float, uniform: float) -> Any:
    """Assigned triage category: right with probability `right`, else a neighbour (MODEL section 9)."""
    if uniform < right:
        return int(true)
    if true == 1:
        return 2
    if true == 3:
        return 2
    return 1 if (uniform - right) / (1.0 - right) < over / (1.0 + over) else 3


@compiled
def _assign_category(
    output: Output, row: int, casualty: CasualtyState, now: float, place: int, uniform: float, model: Model
) -> Any:
    """The category assigned at a place (0 POI, else the role): from the true one, or T1 where death is near; under a
    declared MASCAL policy the worst wounded of a MASCAL incident are expectant (T4).
    """
    record = output.patients[row]
    true = int(record.triage)
    if (
        model.network.expectant
        and record.mascal
        and record.kind == CasualtyKind.WOUNDED
        and record.niss >= model.network.expectant
    ):
        return 4
    if casualty.retriages > 0 and casualty.life < math.inf and casualty.rate > 0.0:
        left = (casualty.life - casualty.used) / casualty.rate - (now - casualty.since)
        if left <= model.survival.triage[0] * MINUTE:
            true = 1
    return int(_draw_assigned_category(true, model.care.right[place], model.care.over[0], uniform))


@compiled
def retriage(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Triage again of one who waits: who deteriorates moves up. Sets the time of the next."""
    now = casualty.retriage_at
    casualty.retriages += 1
    uniform = to_uniform(
        words(model.keys[DrawPurpose.CARE], counter[0], counter[1], RETRIAGE + casualty.retriages)[0]
    )
    place = 0
    if casualty.facility >= 0:
        place = int(model.network.role[casualty.facility])
    category = _assign_category(output, row, casualty, now, place, uniform, model)
    if category < casualty.category:
        casualty.category = category
        if output.rows[QUIET] or output.rows[0] < casualty.first_event + REPEATING_EVENTS_LIMIT:
            log_event(output, row, now, casualty.facility, Event.TRIAGED, category)
    _schedule_retriage(casualty, now, model)


@compiled
def _schedule_retriage(casualty: CasualtyState, now: float, model: Model) -> None:
    """Triage again after the interval, if the wait lasts so long and the casualty may deteriorate."""
    casualty.retriage_at = now + model.network.retriage
    if (
        casualty.retriage_at >= casualty.wait_until
        or casualty.category == 1
        or casualty.category == 4
        or casualty.life == math.inf
    ):
        casualty.retriage_at = math.inf


@compiled
def start_wait(
    output: Output, row: int, casualty: CasualtyState, now: float, what: int, model: Model
) -> None:
    """From now on the casualty waits for `what` (an index of columns.AWAITED); transport is logged as asked for."""
    if what < 6 and (output.rows[QUIET] or output.rows[0] < casualty.first_event + REPEATING_EVENTS_LIMIT):
        log_event(
            output,
            row,
            now,
            casualty.facility,
            Event.REFUSED if what == Resource.PLACE else Event.WAITING,
            what,
        )
    casualty.wait_since = now
    _schedule_retriage(casualty, now, model)


@compiled
def _iss_band(iss: int) -> int:
    """ISS band of EVIDENCE 1.4: 1-8, 9-15, 16-24, 25 and more."""
    if iss < 9:
        return 0
    if iss < 16:
        return 1
    return 2 if iss < 25 else 3


@compiled
def _set_next_poi_stage(casualty: CasualtyState) -> None:
    """Before the first door: first aid, request, departure and arrival in the order of their times."""
    stage = Stage.ARRIVE
    at = casualty.arrive_at
    if casualty.depart_at <= at:
        stage = Stage.DEPART
        at = casualty.depart_at
    if casualty.request_at <= at:
        stage = Stage.REQUEST
        at = casualty.request_at
    if casualty.aid_at <= at and casualty.aid_at < casualty.arrive_at:
        stage = Stage.FIRST_AID
        at = casualty.aid_at
    casualty.stage = stage
    casualty.at = at


@compiled
def set_outcome(output: Output, row: int, casualty: CasualtyState, at: float, status: int) -> None:
    """The outcome is fixed."""
    record = output.patients[row]
    record.closed = int(at)
    record.status = status
    record.facility = casualty.facility
    casualty.stage = Stage.CLOSED


@compiled
def end_treatments(output: Output, first: int, at: float, least: int) -> None:
    """Treatments of the patient (rows from `first` on) end at `at`; what is cut to under `least` ms is taken out."""
    kept = first
    end = int(at)
    for k in range(first, output.rows[1]):
        if output.treatments[k].end <= end or output.treatments[k].start + least <= end:
            output.treatments[kept] = output.treatments[k]
            output.treatments[kept].end = min(output.treatments[kept].end, end)
            kept += 1
    output.rows[1] = kept


@compiled
def die(output: Output, row: int, casualty: CasualtyState, at: float, model: Model) -> None:
    """Death at `at`: KIA before the first MTF, DOW after; final."""
    record = output.patients[row]
    if record.worst_ais == 6:
        record.death_cause = DeathCause.INSTANTLY_FATAL_INJURY
    elif model.transitions.used[0]:
        record.death_cause = DeathCause.TRANSITION
    elif at >= casualty.late:
        record.death_cause = DeathCause.LATE_COMPLICATIONS
    else:
        record.death_cause = 1 + record.lethal
    if record.death_cause != DeathCause.INSTANTLY_FATAL_INJURY:
        record.waiting_for = WAITING_AT[casualty.stage]
        if at < casualty.wait_until and casualty.stage == Stage.ICU:
            record.waiting_for = 7
        elif at < casualty.wait_until and casualty.stage == Stage.DISPOSITION:
            record.waiting_for = 8
    log_event(output, row, at, casualty.facility, Event.DIED, 0)
    end_treatments(output, casualty.first_treatment, at, 1)
    if record.stream != 0:
        set_outcome(output, row, casualty, at, Outcome.DIED_NONBATTLE)
    else:
        set_outcome(output, row, casualty, at, Outcome.DOW if casualty.admitted else Outcome.KIA)


@compiled
def _begin_under_matrix(
    record: PatientRow, casualty: CasualtyState, start: float, leg: int, model: Model, counter: Counter
) -> float:
    """Transition-matrix routing at the point of injury: category, outcome and the time of the first leg (ms)."""
    row = type_row(record, model.injuries)
    _, uniform, second_uniform, _ = words(
        model.keys[DrawPurpose.SURVIVAL], counter[0], counter[1], MATRIX_START
    )
    record.triage = 1 + pick_cumulated(
        model.transitions.triage[row, record.stream], 0, 3, to_uniform(uniform)
    )
    casualty.needs_surgery = 1 if record.kind == CasualtyKind.WOUNDED and record.triage <= 2 else 0
    if record.worst_ais == 6:
        return leg
    casualty.life = math.inf
    record.lethal = NONE
    record.untreated_death = -1
    draw_matrix_outcome(record, casualty, 0, model, counter)
    if casualty.outcome == MatrixOutcome.DEAD:
        casualty.late = start + to_uniform(second_uniform) * model.care.request[1] * leg
    elif casualty.outcome <= 4:
        casualty.destination = model.transitions.facility[record.front, casualty.outcome]
        return draw_route_time(
            casualty,
            record.front,
            casualty.destination,
            model.network.first_link[record.front],
            model,
            counter,
        )
    return leg


@compiled
def begin_at_poi(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """The event that makes a casualty of somebody, and the times of the first leg.

    Request, departure and first aid have their own times: a vehicle that is near can come before the aid, which is
    then given on the way. The request is made at first aid, at the latest after a share of the leg.
    """
    record = output.patients[row]
    casualty.facility = AT_POI
    casualty.leg = 0
    casualty.destination = model.network.destination[model.network.first_link[record.front]]
    start = float(record.onset)
    casualty.way = model.network.poi_way[record.front]
    a, _, _, _ = words(model.keys[DrawPurpose.CARE], counter[0], counter[1], FIRST_RESPONDER)
    delay = numeric.exp(
        model.survival.aid_delay[0] + model.survival.aid_delay[1] * numeric.normal_quantile(to_uniform(a))
    )
    casualty.aid_at = (
        start + delay * model.care.aid_slowdown[0] * MINUTE if record.kind <= CasualtyKind.NBI else math.inf
    )
    leg = draw_leg_time(model.network.first_link[record.front], 0, start, model, counter)
    if model.transitions.used[0]:
        leg = _begin_under_matrix(record, casualty, start, leg, model, counter)
    casualty.arrive_at = start + leg
    casualty.depart_at = start + leg * model.care.request[1]
    if record.kind == CasualtyKind.AGENT:
        log_event(output, row, record.time, AT_POI, Event.EXPOSED, 0)
        if record.onset > record.time:
            log_event(output, row, record.onset, AT_POI, Event.SYMPTOM_ONSET, 0)
    elif record.kind >= CasualtyKind.DISEASE:
        log_event(output, row, record.time, AT_POI, Event.FELL_ILL, 0)
    else:
        log_event(output, row, record.time, AT_POI, Event.INJURED, 0)
    casualty.request_at = min(start + leg * model.care.request[0], casualty.aid_at)
    if model.network.way_finite[casualty.way]:  # who goes when, and where to, depends on others
        casualty.rest = casualty.depart_at - casualty.request_at
        casualty.arrive_at = math.inf
        casualty.depart_at = math.inf
    _set_next_poi_stage(casualty)


@compiled
def _request_evacuation(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Triage by the first responder and the evacuation request with its precedence."""
    uniform = to_uniform(words(model.keys[DrawPurpose.CARE], counter[0], counter[1], FIRST_RESPONDER)[1])
    casualty.category = _assign_category(output, row, casualty, casualty.at, 0, uniform, model)
    log_event(output, row, casualty.at, AT_POI, Event.TRIAGED, casualty.category)
    log_event(output, row, casualty.at, AT_POI, Event.EVACUATION_REQUESTED, min(3, casualty.category))
    if model.network.way_finite[casualty.way]:
        casualty.stage = Stage.AWAIT_TRANSPORT


@compiled
def _arrive(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """At the door of an MTF; at Role 4 the outcome is fixed."""
    record = output.patients[row]
    casualty.facility = casualty.destination
    role = model.network.role[casualty.facility]
    if casualty.aboard != 1.0:
        casualty.aboard = 1.0
        set_factor(casualty, now, model.survival.factor[0])
    casualty.way = model.network.way[casualty.facility, record.front]
    if role == 0:  # a staging unit: no MTF, no care
        log_event(output, row, now, casualty.facility, Event.STAGED, 0)
        casualty.leg += 1
        casualty.operated_here = 0
        casualty.stage = Stage.DISPOSITION
        casualty.at = now
        return
    log_event(output, row, now, casualty.facility, Event.ARRIVED, 0)
    at = int(now)
    if role == 1 and record.role1 < 0:
        record.role1 = at
    elif role == 2 and record.role2 < 0:
        record.role2 = at
    elif role == 3 and record.role3 < 0:
        record.role3 = at
    elif role == 4:
        record.role4 = at
    if not casualty.admitted:
        casualty.admitted = 1
        end_treatments(output, casualty.first_treatment, now, 1000)
        if not model.transitions.used[0]:
            draw_late_death(
                record,
                casualty,
                now,
                counter[0],
                counter[1],
                model.keys[DrawPurpose.SURVIVAL],
                model.survival,
            )
        if record.kind != CasualtyKind.WOUNDED:
            casualty.stay_end += now
    casualty.leg += 1
    casualty.operated_here = 0
    measure_vitals(output, row, casualty, now, LEG_BLOCKS * casualty.leg, model, counter)
    if model.transitions.used[0]:
        draw_matrix_outcome(record, casualty, role, model, counter)
    elif role == 4:
        if death_time(casualty) < math.inf:
            casualty.stage = Stage.RETURN  # dies before: the clock or the late hazard decides
            casualty.at = math.inf
        else:
            log_event(output, row, now, casualty.facility, Event.LEFT_THEATRE, 0)
            set_outcome(output, row, casualty, now, Outcome.EVACUATED)
        return
    if model.network.push and model.network.finite[casualty.facility * RESOURCE_COUNT + Resource.PLACE]:
        casualty.stage = Stage.ADMIT
        casualty.at = now
    else:
        _enter_facility(output, row, casualty, now, model)


@compiled
def _enter_facility(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Through the door: decontamination where it is called for, then triage."""
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


@compiled
def _start_triage(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """A triage team takes the casualty on."""
    minutes = model.care.triage[0]
    if model.network.service_kind[casualty.facility, ServiceTime.TRIAGE] >= 0:
        uniform = to_uniform(
            words(
                model.keys[DrawPurpose.CARE],
                counter[0],
                counter[1],
                TRIAGE_AND_TREATMENT + LEG_BLOCKS * casualty.leg,
            )[3]
        )
        minutes = draw_service_time(model, casualty.facility, ServiceTime.TRIAGE, model.care.role1, uniform)
    casualty.stage = Stage.TRIAGE
    casualty.at = now + minutes * MINUTE


@compiled
def _triage(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    role = model.network.role[casualty.facility]
    uniform = to_uniform(
        words(
            model.keys[DrawPurpose.CARE],
            counter[0],
            counter[1],
            TRIAGE_AND_TREATMENT + LEG_BLOCKS * casualty.leg,
        )[0]
    )
    casualty.category = _assign_category(output, row, casualty, now, role, uniform, model)
    log_event(output, row, now, casualty.facility, Event.TRIAGED, casualty.category)
    dying = (
        model.transitions.used[0] and casualty.outcome == MatrixOutcome.DEAD
    )  # the time of that death is set in `_start_treatment`
    if (
        casualty.operated
        and model.network.definitive[casualty.facility]
        and not casualty.definitive
        and not dying
    ):
        casualty.stage = Stage.DEFINITIVE_SURGERY
        casualty.at = now + model.care.waits[1] * MINUTE
    else:
        casualty.stage = Stage.TREAT
        casualty.at = now + max(0.0, model.care.waits[0] - model.care.triage[0]) * MINUTE


@compiled
def _start_treatment(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Resuscitation of the wounded in need where it can be done, else the treatment room."""
    record = output.patients[row]
    here = casualty.facility
    role = model.network.role[here]
    _, uniform, second_uniform, _ = words(
        model.keys[DrawPurpose.CARE], counter[0], counter[1], TRIAGE_AND_TREATMENT + LEG_BLOCKS * casualty.leg
    )
    if record.first_care < 0:
        record.first_care = int(now)
    if (
        record.kind == CasualtyKind.WOUNDED
        and casualty.needs_surgery
        and model.network.resuscitates[here]
        and not casualty.resuscitated
    ):
        minutes = draw_service_time(
            model, here, ServiceTime.RESUSCITATION, model.care.resuscitation, to_uniform(uniform)
        )
        log_event(output, row, now, here, Event.RESUSCITATION_STARTED, 0)
        resuscitate(output, row, casualty, now, minutes, model)
        set_rate(casualty, now, 0.0)
        casualty.resuscitated = 1
        casualty.resuscitating = 1
    else:
        minutes = draw_service_time(
            model,
            here,
            ServiceTime.CARE,
            model.care.role1 if role == 1 else model.care.care,
            to_uniform(uniform),
        )
        log_event(output, row, now, here, Event.CARE_STARTED, 0)
        if record.kind == CasualtyKind.WOUNDED:
            treat_wounded(output, row, casualty, now, minutes, model)
        else:
            effect = Effect.SUPPORTIVE
            if (
                casualty.life < math.inf
                and (record.kind == CasualtyKind.AGENT or role >= 2)
                and not casualty.resuscitated
            ):
                casualty.resuscitated = 1
                set_rate(casualty, now, 0.0)
                effect = Effect.INEFFECTIVE
                if to_uniform(second_uniform) < model.survival.surgery_works[record.lethal]:
                    effect = Effect.EFFECTIVE
                    stop_clock(casualty, now)
            treat_ill(output, row, casualty, now, minutes, effect, model)
    if model.transitions.used[0] and casualty.outcome == MatrixOutcome.DEAD:
        casualty.late = now + to_uniform(second_uniform) * minutes * MINUTE
    casualty.stage = Stage.TREATED
    casualty.at = now + minutes * MINUTE


@compiled
def _end_treatment(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    record = output.patients[row]
    here = casualty.facility
    if casualty.resuscitating:
        log_event(output, row, now, here, Event.RESUSCITATION_ENDED, 0)
    else:
        log_event(output, row, now, here, Event.CARE_ENDED, 0)
    if casualty.rate == 0.0 and casualty.life < math.inf:
        if casualty.no_blood:  # without blood no better than first aid
            slow_clock(
                casualty,
                now,
                max(model.survival.resuscitation_rate[record.lethal], model.survival.aid_rate[record.lethal]),
            )
        else:
            slow_clock(casualty, now, model.survival.resuscitation_rate[record.lethal])
    if casualty.resuscitating:
        casualty.resuscitating = 0
        if not output.rows[QUIET]:  # scores decide nothing
            resuscitation_effect(record, casualty, now, model.survival)
            measure_vitals(output, row, casualty, now, LEG_BLOCKS * casualty.leg + 1, model, counter)
    if (
        not output.rows[QUIET]
        and casualty.life == math.inf
        and casualty.recover_span == 0.0
        and not casualty.needs_surgery
    ):
        start_recovery(record, casualty, now, model.survival)
    if casualty.needs_surgery and model.network.operates[here] and not casualty.operated:
        casualty.stage = Stage.SURGERY
        casualty.at = now + model.care.waits[1] * MINUTE
    else:
        casualty.stage = Stage.ICU
        casualty.at = now


@compiled
def _start_operation(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Damage control surgery, or the definitive operation that follows it at a facility that can."""
    record = output.patients[row]
    a, b, _, _ = words(
        model.keys[DrawPurpose.CARE], counter[0], counter[1], OPERATION + LEG_BLOCKS * casualty.leg
    )
    if model.network.service_kind[casualty.facility, ServiceTime.SURGERY] >= 0:
        minutes = draw_service_time(
            model, casualty.facility, ServiceTime.SURGERY, model.care.icu, to_uniform(a)
        )
    else:
        median = model.care.surgery[
            0 if model.network.role[casualty.facility] <= 2 else 1, _iss_band(record.iss)
        ]
        minutes = numeric.exp(median + model.care.surgery_sigma[0] * numeric.normal_quantile(to_uniform(a)))
    casualty.operated_here = 1
    if casualty.operated:
        log_event(output, row, now, casualty.facility, Event.DEFINITIVE_SURGERY_STARTED, 0)
        kind = Treatment.DEFINITIVE_SURGERY
        if (
            not output.rows[QUIET]
            and model.injuries.flags[output.wounds[casualty.wound].condition] & ConditionFlag.FRACTURE
        ):
            kind = Treatment.FRACTURE_FIXATION
        log_treatment(output, row, casualty.facility, kind, now, minutes, Effect.SUPPORTIVE, 0)
        casualty.definitive = 1
        set_rate(casualty, now, 0.0)
        casualty.stage = Stage.DEFINITIVE_DONE
    else:
        log_event(output, row, now, casualty.facility, Event.SURGERY_STARTED, 0)
        start_surgery(output, row, casualty, now, minutes, to_uniform(b), model)
        record.surgery = int(now)
        casualty.operated = 1
        if model.network.definitive[casualty.facility]:
            casualty.definitive = 1
        casualty.stage = Stage.OPERATED
    casualty.at = now + minutes * MINUTE


@compiled
def _end_operation(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    record = output.patients[row]
    ended = Event.SURGERY_ENDED if casualty.stage == Stage.OPERATED else Event.DEFINITIVE_SURGERY_ENDED
    log_event(output, row, now, casualty.facility, ended, 0)
    if casualty.life < math.inf:
        set_rate(casualty, now, casualty.slowest * casualty.factor)
    elif not output.rows[QUIET] and casualty.recover_span == 0.0:
        start_recovery(record, casualty, now, model.survival)
    measure_vitals(output, row, casualty, now, LEG_BLOCKS * casualty.leg + 2, model, counter)
    casualty.stage = Stage.ICU
    casualty.at = now


@compiled
def _start_intensive_care(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Intensive care after surgery or for AIS >= 4, where there is any."""
    record = output.patients[row]
    casualty.stage = Stage.DISPOSITION
    if _needs_intensive_care(record, casualty, model):
        uniform = to_uniform(
            words(
                model.keys[DrawPurpose.CARE],
                counter[0],
                counter[1],
                INTENSIVE_CARE + LEG_BLOCKS * casualty.leg,
            )[0]
        )
        minutes = draw_service_time(model, casualty.facility, ServiceTime.ICU, model.care.icu, uniform)
        log_event(output, row, now, casualty.facility, Event.ICU_ADMITTED, 0)
        log_treatment(
            output, row, casualty.facility, Treatment.CRITICAL_CARE, now, minutes, Effect.SUPPORTIVE, NONE
        )
        casualty.at = now + minutes * MINUTE


@compiled
def _depart_onwards(
    output: Output, row: int, casualty: CasualtyState, now: float, leg: int, goal: int, model: Model
) -> None:
    """Leaves this facility for `goal`, `leg` ms away; unlimited vehicles leave at once."""
    log_event(output, row, now, casualty.facility, Event.EVACUATION_REQUESTED, min(3, casualty.category))
    log_event(output, row, now, casualty.facility, Event.DEPARTED, 0)
    casualty.facility = EN_ROUTE
    if casualty.surged:  # out of the overflow area
        casualty.surged = 0
        set_factor(casualty, now, model.survival.factor[0])
    casualty.destination = goal
    casualty.stage = Stage.ARRIVE
    casualty.at = now + leg


@compiled
def _admit_to_ward(output: Output, row: int, casualty: CasualtyState, now: float, end: float) -> None:
    """On the ward until `end` (infinity: until death)."""
    log_event(output, row, now, casualty.facility, Event.WARD_ADMITTED, 0)
    until = min(end, death_time(casualty))
    log_treatment(
        output,
        row,
        casualty.facility,
        Treatment.WARD_CARE,
        now,
        (until - now) / MINUTE,
        Effect.SUPPORTIVE,
        NONE,
    )
    casualty.stage = Stage.RETURN
    casualty.at = end


@compiled
def _decide_disposition(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Return to duty here when the stay fits the evacuation policy, else onwards as soon as stable."""
    record = output.patients[row]
    here = casualty.facility
    link = model.network.next_link[here, record.front]
    healing = (
        casualty.life == math.inf
        and casualty.late == math.inf
        and (not casualty.needs_surgery or casualty.operated)
    )
    fits = (
        healing
        and casualty.stay_end - record.time <= model.network.policy[here]
        and model.network.role[here] > 0
    )
    if model.transitions.used[0]:
        if casualty.outcome <= 4:
            goal = model.transitions.facility[record.front, casualty.outcome]
            _depart_onwards(
                output,
                row,
                casualty,
                now,
                draw_route_time(casualty, record.front, goal, link, model, counter),
                goal,
                model,
            )
        else:
            _admit_to_ward(
                output,
                row,
                casualty,
                now,
                max(now + 30.0 * MINUTE, min(casualty.stay_end, record.time + model.network.policy[here])),
            )
    elif fits or link < 0:
        end = max(casualty.stay_end, now + 30.0 * MINUTE)
        _admit_to_ward(output, row, casualty, now, end if death_time(casualty) == math.inf else math.inf)
    elif model.network.way_finite[casualty.way]:
        log_event(output, row, now, here, Event.EVACUATION_REQUESTED, min(3, casualty.category))
        casualty.stage = Stage.AWAIT_TRANSPORT
        casualty.at = math.inf
        casualty.asked_at = now
    else:
        _depart_onwards(
            output,
            row,
            casualty,
            now,
            draw_leg_time(link, casualty.leg, now, model, counter),
            model.network.destination[link],
            model,
        )


@compiled
def _leave_with_vehicle(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Departs with a vehicle that others might have had; it arrives at `arrive_at`."""
    log_event(output, row, now, casualty.facility, Event.DEPARTED, 0)
    casualty.facility = EN_ROUTE
    if casualty.aboard != 1.0 or casualty.surged:  # or out of the overflow area
        casualty.surged = 0
        set_factor(casualty, now, model.survival.factor[0] * casualty.aboard)
    casualty.stage = Stage.ARRIVE
    casualty.at = casualty.arrive_at


@compiled
def board_vehicle(
    casualty: CasualtyState, candidate: int, depart: float, arrive: float, model: Model
) -> None:
    """A vehicle takes the casualty to a candidate of the way: departure and arrival are known from now on."""
    casualty.destination = model.network.destination[model.network.candidate_link[candidate]]
    pool = model.network.candidate_pool[candidate]
    casualty.aboard = model.network.aboard[pool] if pool >= 0 else 1.0
    casualty.depart_at = depart
    casualty.arrive_at = arrive
    casualty.retriage_at = math.inf
    if casualty.facility == AT_POI:
        _set_next_poi_stage(casualty)
    else:
        casualty.stage = Stage.LEAVE
        casualty.at = depart


@compiled
def bump_from_bay(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Somebody more urgent takes the treatment bay: the rest of the care comes later."""
    if output.rows[QUIET] or output.rows[0] < casualty.first_event + REPEATING_EVENTS_LIMIT:
        log_event(output, row, now, casualty.facility, Event.BUMPED, 0)
    casualty.rest = casualty.at - now
    casualty.protected = casualty.rate
    if casualty.rate == 0.0:
        set_rate(casualty, now, casualty.slowest * casualty.factor)
    casualty.bumped_at = now
    casualty.stage = Stage.RESUME
    casualty.at = now


@compiled
def _resume_care(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Care goes on where it was broken off; treatments that had not ended end later by the time between."""
    if output.rows[QUIET] or output.rows[0] < casualty.first_event + REPEATING_EVENTS_LIMIT:
        log_event(output, row, now, casualty.facility, Event.CARE_RESUMED, 0)
    if casualty.protected == 0.0:
        set_rate(casualty, now, 0.0)
    broken = int(casualty.bumped_at)
    gap = int(now) - broken
    for k in range(casualty.first_treatment, output.rows[1]):
        if output.treatments[k].start >= broken:
            output.treatments[k].start += gap
        if output.treatments[k].end > broken:
            output.treatments[k].end += gap
    casualty.stage = Stage.TREATED
    casualty.at = now + casualty.rest


@compiled
def restart_care(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """The facility was hit: care is broken off and begins again with triage."""
    log_event(output, row, now, casualty.facility, Event.FACILITY_HIT, 0)
    end_treatments(output, casualty.first_treatment, now, 1000)
    if casualty.rate == 0.0 and casualty.life < math.inf:
        set_rate(casualty, now, casualty.slowest * casualty.factor)
    if casualty.resuscitating:
        casualty.resuscitating = 0
        casualty.resuscitated = 0
    casualty.no_blood = 0
    casualty.retriage_at = math.inf
    casualty.stage = Stage.START_TRIAGE
    casualty.at = now


@compiled
def kill_in_hit(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Killed by the hit on the facility."""
    log_event(output, row, now, casualty.facility, Event.FACILITY_HIT, 0)
    log_event(output, row, now, casualty.facility, Event.DIED, 0)
    end_treatments(output, casualty.first_treatment, now, 1)
    record = output.patients[row]
    record.death_cause = DeathCause.FACILITY_HIT
    if record.stream != 0:
        set_outcome(output, row, casualty, now, Outcome.DIED_NONBATTLE)
    else:
        set_outcome(output, row, casualty, now, Outcome.DOW if casualty.admitted else Outcome.KIA)


@compiled
def _return_to_duty(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Back to duty; from Role 4, which only transition-matrix routing leaves: out of the force."""
    end_treatments(output, casualty.first_treatment, now, 1000)
    if casualty.facility >= 0 and model.network.role[casualty.facility] == 4:
        log_event(output, row, now, casualty.facility, Event.DISCHARGED, 0)
        set_outcome(output, row, casualty, now, Outcome.DISCHARGED)
    else:
        log_event(output, row, now, casualty.facility, Event.RETURNED_TO_DUTY, 0)
        set_outcome(output, row, casualty, now, Outcome.RTD)


@compiled
def _at_poi(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """The stages before the first door: request, first aid, departure."""
    if casualty.stage == Stage.REQUEST:
        casualty.request_at = math.inf
        _request_evacuation(output, row, casualty, model, counter)
    elif casualty.stage == Stage.FIRST_AID:
        casualty.aid_at = math.inf
        output.patients[row].first_care = int(now)
        log_event(output, row, now, casualty.facility, Event.FIRST_AID, 0)
        uniform = to_uniform(words(model.keys[DrawPurpose.SURVIVAL], counter[0], counter[1], FIRST_AID)[0])
        give_first_aid(output, row, casualty, now, uniform, model)
    else:
        casualty.depart_at = math.inf
        log_event(output, row, now, AT_POI, Event.DEPARTED, 0)
        end_treatments(output, casualty.first_treatment, now, 1000)
        casualty.facility = EN_ROUTE
        if casualty.aboard != 1.0:
            set_factor(casualty, now, model.survival.factor[0] * casualty.aboard)
    if (
        model.transitions.used[0]
        and casualty.outcome == MatrixOutcome.RETURNED
        and casualty.stage != Stage.REQUEST
    ):
        casualty.stage = Stage.RETURN
        casualty.at = now
    elif casualty.stage != Stage.AWAIT_TRANSPORT:
        _set_next_poi_stage(casualty)


@compiled
def resume_poi_stages(casualty: CasualtyState) -> None:
    """At the point of injury what comes next while no vehicle is known: first aid, if it is still to come."""
    _set_next_poi_stage(casualty)


@compiled
def perform_stage(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Performs the stage that is due, or the re-triage that comes before."""
    if casualty.retriage_at < casualty.at:
        retriage(output, row, casualty, model, counter)
        return
    now = casualty.at
    casualty.granted = 0
    if casualty.stage <= Stage.DEPART:
        _at_poi(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.ARRIVE:
        _arrive(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.DECONTAMINATED:
        casualty.decontaminated = 1
        log_event(output, row, now, casualty.facility, Event.DECONTAMINATION_ENDED, 0)
        casualty.stage = Stage.START_TRIAGE
    elif casualty.stage == Stage.ADMIT:
        _enter_facility(output, row, casualty, now, model)
    elif casualty.stage == Stage.START_TRIAGE:
        _start_triage(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.LEAVE:
        _leave_with_vehicle(output, row, casualty, now, model)
    elif casualty.stage == Stage.RESUME:
        _resume_care(output, row, casualty, now)
    elif casualty.stage == Stage.TRIAGE:
        _triage(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.TREAT:
        _start_treatment(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.TREATED:
        _end_treatment(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.SURGERY or casualty.stage == Stage.DEFINITIVE_SURGERY:
        _start_operation(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.OPERATED or casualty.stage == Stage.DEFINITIVE_DONE:
        _end_operation(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.ICU:
        _start_intensive_care(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.DISPOSITION:
        _decide_disposition(output, row, casualty, now, model, counter)
    else:
        _return_to_duty(output, row, casualty, now, model)
