"""The stages of a casualty's way through the evacuation network (MODEL section 5).

A casualty on the way is a row of `survival.STATE`. Each stage function performs what is due and sets the next stage
and its time; between two stages the survival clock may bring death. A stage that needs a finite resource is performed
when `kernel.event_loop` grants it; what it is granted with, and when, is all that others decide. The event log of
a patient
is what the stages emit, in the order of time.
"""

import math
from typing import Any

import numpy as np

from engine import numeric
from engine.clinical import (
    MINUTE,
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
    NONE,
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
from engine.kernel.parameters import (
    RESOURCE_COUNT,
    draw_leg_time,
    draw_matrix_outcome,
    draw_route_time,
    draw_service_time,
)
from engine.numeric import compiled, words
from engine.tables import QUIET, REPEATING_EVENTS_LIMIT

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
def resource_of_stage(p: Any, s: Any, m: Any) -> int:
    """Which resource of a facility (0..5) the stage that is due takes; -1: none, what is held is kept; -2: what is
    held is given back.
    """
    stage = s.stage
    if stage == Stage.START_TRIAGE:
        return Resource.TRIAGE_TEAM
    if stage in (Stage.TREAT, Stage.RESUME):
        return Resource.TREATMENT_BAY
    if stage in (Stage.SURGERY, Stage.DEFINITIVE_SURGERY):
        return Resource.OPERATING_TABLE
    if stage == Stage.ICU:
        return Resource.ICU_BED if _needs_intensive_care(p, s, m) else -1
    if stage == Stage.DISPOSITION:
        return Resource.WARD_BED
    if stage == Stage.ADMIT:
        return Resource.PLACE
    if stage in (Stage.TRIAGE, Stage.LEAVE, Stage.RETURN):
        return -2
    return -1


@compiled
def needed_resource(p: Any, s: Any, m: Any) -> Any:
    """Number of the finite resource without which the stage that is due cannot be performed; -1: none."""
    if s.granted or s.facility < 0:
        return np.int64(-1)
    kind = resource_of_stage(p, s, m)
    if kind < 0:
        return np.int64(-1)
    r = np.int64(s.facility * RESOURCE_COUNT + kind)
    return r if m.network.finite[r] else np.int64(-1)


@compiled
def _needs_intensive_care(p: Any, s: Any, m: Any) -> bool:
    """Whether the casualty needs intensive care here, and there is any: after surgery or for AIS >= 4."""
    return bool(
        p.kind == CasualtyKind.WOUNDED and m.network.icu[s.facility] and (s.operated_here or p.worst_ais >= 4)
    )


@compiled
def _draw_assigned_category(true: Any, right: Any, over: Any, u: Any) -> Any:
    """Assigned triage category: right with probability `right`, else a neighbour (MODEL section 9)."""
    if u < right:
        return np.int64(true)
    if true == 1:
        return 2
    if true == 3:
        return 2
    return 1 if (u - right) / (1.0 - right) < over / (1.0 + over) else 3


@compiled
def _assign_category(o: Any, i: Any, s: Any, now: Any, place: Any, u: Any, m: Any) -> Any:
    """The category assigned at a place (0 POI, else the role): from the true one, or T1 where death is near; under a
    declared MASCAL policy the worst wounded of a MASCAL incident are expectant (T4).
    """
    p = o.patients[i]
    true = np.int64(p.triage)
    if m.network.expectant and p.mascal and p.kind == CasualtyKind.WOUNDED and p.niss >= m.network.expectant:
        return np.int64(4)
    if s.retriages > 0 and s.life < math.inf and s.rate > 0.0:
        left = (s.life - s.used) / s.rate - (now - s.since)
        if left <= m.survival.triage[0] * MINUTE:
            true = np.int64(1)
    return np.int64(_draw_assigned_category(true, m.care.right[place], m.care.over[0], u))


@compiled
def retriage(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Triage again of one who waits: who deteriorates moves up. Sets the time of the next."""
    now = s.retriage_at
    s.retriages += 1
    u = to_uniform(words(m.keys[DrawPurpose.CARE], who[0], who[1], 8192 + s.retriages)[0])
    place = np.int64(0)
    if s.facility >= 0:
        place = np.int64(m.network.role[s.facility])
    category = _assign_category(o, i, s, now, place, u, m)
    if category < s.category:
        s.category = category
        if o.rows[QUIET] or o.rows[0] < s.first_event + REPEATING_EVENTS_LIMIT:
            log_event(o, i, now, s.facility, Event.TRIAGED, category)
    _schedule_retriage(s, now, m)


@compiled
def _schedule_retriage(s: Any, now: Any, m: Any) -> None:
    """Triage again after the interval, if the wait lasts so long and the casualty may deteriorate."""
    s.retriage_at = now + m.network.retriage
    if s.retriage_at >= s.wait_until or s.category == 1 or s.category == 4 or s.life == math.inf:
        s.retriage_at = math.inf


@compiled
def start_wait(o: Any, i: Any, s: Any, now: Any, what: Any, m: Any) -> None:
    """From now on the casualty waits for `what` (an index of columns.AWAITED); transport is logged as asked for."""
    if what < 6 and (o.rows[QUIET] or o.rows[0] < s.first_event + REPEATING_EVENTS_LIMIT):
        log_event(o, i, now, s.facility, Event.REFUSED if what == Resource.PLACE else Event.WAITING, what)
    s.wait_since = now
    _schedule_retriage(s, now, m)


@compiled
def _iss_band(iss: Any) -> int:
    """ISS band of EVIDENCE 1.4: 1-8, 9-15, 16-24, 25 and more."""
    if iss < 9:
        return 0
    if iss < 16:
        return 1
    return 2 if iss < 25 else 3


@compiled
def _set_next_poi_stage(s: Any) -> None:
    """Before the first door: first aid, request, departure and arrival in the order of their times."""
    stage = Stage.ARRIVE
    at = s.arrive_at
    if s.depart_at <= at:
        stage = Stage.DEPART
        at = s.depart_at
    if s.request_at <= at:
        stage = Stage.REQUEST
        at = s.request_at
    if s.aid_at <= at and s.aid_at < s.arrive_at:
        stage = Stage.FIRST_AID
        at = s.aid_at
    s.stage = stage
    s.at = at


@compiled
def set_outcome(o: Any, i: Any, s: Any, at: Any, status: Any) -> None:
    """The outcome is fixed."""
    p = o.patients[i]
    p.closed = np.int64(at)
    p.status = status
    p.facility = s.facility
    s.stage = Stage.CLOSED


@compiled
def end_treatments(o: Any, first: Any, at: Any, least: Any) -> None:
    """Treatments of the patient (rows from `first` on) end at `at`; what is cut to under `least` ms is taken out."""
    kept = first
    end = np.int64(at)
    for k in range(first, o.rows[1]):
        if o.treatments[k].end <= end or o.treatments[k].start + least <= end:
            o.treatments[kept] = o.treatments[k]
            o.treatments[kept].end = min(o.treatments[kept].end, end)
            kept += 1
    o.rows[1] = kept


@compiled
def die(o: Any, i: Any, s: Any, at: Any, m: Any) -> None:
    """Death at `at`: KIA before the first MTF, DOW after; final."""
    p = o.patients[i]
    if p.worst_ais == 6:
        p.death_cause = DeathCause.INSTANTLY_FATAL_INJURY
    elif m.transitions.used[0]:
        p.death_cause = DeathCause.TRANSITION
    elif at >= s.late:
        p.death_cause = DeathCause.LATE_COMPLICATIONS
    else:
        p.death_cause = 1 + p.lethal
    if p.death_cause != DeathCause.INSTANTLY_FATAL_INJURY:
        p.waiting_for = WAITING_AT[s.stage]
        if at < s.wait_until and s.stage == Stage.ICU:
            p.waiting_for = 7
        elif at < s.wait_until and s.stage == Stage.DISPOSITION:
            p.waiting_for = 8
    log_event(o, i, at, s.facility, Event.DIED, 0)
    end_treatments(o, s.first_treatment, at, 1)
    if p.stream != 0:
        set_outcome(o, i, s, at, Outcome.DIED_NONBATTLE)
    else:
        set_outcome(o, i, s, at, Outcome.DOW if s.admitted else Outcome.KIA)


@compiled
def _begin_under_matrix(p: Any, s: Any, start: Any, leg: Any, m: Any, who: Any) -> float:
    """Transition-matrix routing at the point of injury: category, outcome and the time of the first leg (ms)."""
    row = type_row(p, m.injuries)
    _, u, v, _ = words(m.keys[DrawPurpose.SURVIVAL], who[0], who[1], 7)
    p.triage = 1 + pick_cumulated(m.transitions.triage[row, p.stream], 0, 3, to_uniform(u))
    s.needs_surgery = 1 if p.kind == CasualtyKind.WOUNDED and p.triage <= 2 else 0
    if p.worst_ais == 6:
        return leg
    s.life = math.inf
    p.lethal = NONE
    p.untreated_death = -1
    draw_matrix_outcome(p, s, 0, m, who)
    if s.outcome == MatrixOutcome.DEAD:
        s.late = start + to_uniform(v) * m.care.request[1] * leg
    elif s.outcome <= 4:
        s.destination = m.transitions.facility[p.front, s.outcome]
        return draw_route_time(s, p.front, s.destination, m.network.first_link[p.front], m, who)
    return leg


@compiled
def begin_at_poi(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """The event that makes a casualty of somebody, and the times of the first leg.

    Request, departure and first aid have their own times: a vehicle that is near can come before the aid, which is
    then given on the way. The request is made at first aid, at the latest after a share of the leg.
    """
    p = o.patients[i]
    s.facility = AT_POI
    s.leg = 0
    s.destination = m.network.destination[m.network.first_link[p.front]]
    start = np.float64(p.onset)
    s.way = m.network.poi_way[p.front]
    a, _, _, _ = words(m.keys[DrawPurpose.CARE], who[0], who[1], 0)
    delay = numeric.exp(
        m.survival.aid_delay[0] + m.survival.aid_delay[1] * numeric.normal_quantile(to_uniform(a))
    )
    s.aid_at = start + delay * m.care.aid_slowdown[0] * MINUTE if p.kind <= CasualtyKind.NBI else math.inf
    leg = draw_leg_time(m.network.first_link[p.front], 0, start, m, who)
    if m.transitions.used[0]:
        leg = _begin_under_matrix(p, s, start, leg, m, who)
    s.arrive_at = start + leg
    s.depart_at = start + leg * m.care.request[1]
    if p.kind == CasualtyKind.AGENT:
        log_event(o, i, p.time, AT_POI, Event.EXPOSED, 0)
        if p.onset > p.time:
            log_event(o, i, p.onset, AT_POI, Event.SYMPTOM_ONSET, 0)
    elif p.kind >= CasualtyKind.DISEASE:
        log_event(o, i, p.time, AT_POI, Event.FELL_ILL, 0)
    else:
        log_event(o, i, p.time, AT_POI, Event.INJURED, 0)
    s.request_at = min(start + leg * m.care.request[0], s.aid_at)
    if m.network.way_finite[s.way]:  # who goes when, and where to, depends on others
        s.rest = s.depart_at - s.request_at
        s.arrive_at = math.inf
        s.depart_at = math.inf
    _set_next_poi_stage(s)


@compiled
def _request_evacuation(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Triage by the first responder and the evacuation request with its precedence."""
    u = to_uniform(words(m.keys[DrawPurpose.CARE], who[0], who[1], 0)[1])
    s.category = _assign_category(o, i, s, s.at, 0, u, m)
    log_event(o, i, s.at, AT_POI, Event.TRIAGED, s.category)
    log_event(o, i, s.at, AT_POI, Event.EVACUATION_REQUESTED, min(np.int64(3), s.category))
    if m.network.way_finite[s.way]:
        s.stage = Stage.AWAIT_TRANSPORT


@compiled
def _arrive(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """At the door of an MTF; at Role 4 the outcome is fixed."""
    p = o.patients[i]
    s.facility = s.destination
    role = m.network.role[s.facility]
    if s.aboard != 1.0:
        s.aboard = 1.0
        set_factor(s, now, m.survival.factor[0])
    s.way = m.network.way[s.facility, p.front]
    if role == 0:  # a staging unit: no MTF, no care
        log_event(o, i, now, s.facility, Event.STAGED, 0)
        s.leg += 1
        s.operated_here = 0
        s.stage = Stage.DISPOSITION
        s.at = now
        return
    log_event(o, i, now, s.facility, Event.ARRIVED, 0)
    at = np.int64(now)
    if role == 1 and p.role1 < 0:
        p.role1 = at
    elif role == 2 and p.role2 < 0:
        p.role2 = at
    elif role == 3 and p.role3 < 0:
        p.role3 = at
    elif role == 4:
        p.role4 = at
    if not s.admitted:
        s.admitted = 1
        end_treatments(o, s.first_treatment, now, 1000)
        if not m.transitions.used[0]:
            draw_late_death(p, s, now, who[0], who[1], m.keys[DrawPurpose.SURVIVAL], m.survival)
        if p.kind != CasualtyKind.WOUNDED:
            s.stay_end += now
    s.leg += 1
    s.operated_here = 0
    measure_vitals(o, i, s, now, s.leg * 4, m, who)
    if m.transitions.used[0]:
        draw_matrix_outcome(p, s, role, m, who)
    elif role == 4:
        if death_time(s) < math.inf:
            s.stage = Stage.RETURN  # dies before: the clock or the late hazard decides
            s.at = math.inf
        else:
            log_event(o, i, now, s.facility, Event.LEFT_THEATRE, 0)
            set_outcome(o, i, s, now, Outcome.EVACUATED)
        return
    if m.network.push and m.network.finite[s.facility * RESOURCE_COUNT + Resource.PLACE]:
        s.stage = Stage.ADMIT
        s.at = now
    else:
        _enter_facility(o, i, s, now, m)


@compiled
def _enter_facility(o: Any, i: Any, s: Any, now: Any, m: Any) -> None:
    """Through the door: decontamination where it is called for, then triage."""
    p = o.patients[i]
    s.stage = Stage.START_TRIAGE
    s.at = now
    if p.kind == CasualtyKind.AGENT and not s.decontaminated:
        log_event(o, i, now, s.facility, Event.DECONTAMINATION_STARTED, 0)
        log_treatment(
            o,
            i,
            s.facility,
            Treatment.DECONTAMINATION,
            now,
            m.care.decontamination[0],
            Effect.SUPPORTIVE,
            NONE,
        )
        s.stage = Stage.DECONTAMINATED
        s.at = now + m.care.decontamination[0] * MINUTE


@compiled
def _start_triage(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """A triage team takes the casualty on."""
    minutes = m.care.triage[0]
    if m.network.service_kind[s.facility, ServiceTime.TRIAGE] >= 0:
        u = to_uniform(words(m.keys[DrawPurpose.CARE], who[0], who[1], 1 + 4 * s.leg)[3])
        minutes = draw_service_time(m, s.facility, ServiceTime.TRIAGE, m.care.role1, u)
    s.stage = Stage.TRIAGE
    s.at = now + minutes * MINUTE


@compiled
def _triage(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    role = m.network.role[s.facility]
    u = to_uniform(words(m.keys[DrawPurpose.CARE], who[0], who[1], 1 + 4 * s.leg)[0])
    s.category = _assign_category(o, i, s, now, role, u, m)
    log_event(o, i, now, s.facility, Event.TRIAGED, s.category)
    dying = (
        m.transitions.used[0] and s.outcome == MatrixOutcome.DEAD
    )  # the time of that death is set in `_start_treatment`
    if s.operated and m.network.definitive[s.facility] and not s.definitive and not dying:
        s.stage = Stage.DEFINITIVE_SURGERY
        s.at = now + m.care.waits[1] * MINUTE
    else:
        s.stage = Stage.TREAT
        s.at = now + max(0.0, m.care.waits[0] - m.care.triage[0]) * MINUTE


@compiled
def _start_treatment(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Resuscitation of the wounded in need where it can be done, else the treatment room."""
    p = o.patients[i]
    here = s.facility
    role = m.network.role[here]
    _, u, v, _ = words(m.keys[DrawPurpose.CARE], who[0], who[1], 1 + 4 * s.leg)
    if p.first_care < 0:
        p.first_care = np.int64(now)
    if (
        p.kind == CasualtyKind.WOUNDED
        and s.needs_surgery
        and m.network.resuscitates[here]
        and not s.resuscitated
    ):
        minutes = draw_service_time(m, here, ServiceTime.RESUSCITATION, m.care.resuscitation, to_uniform(u))
        log_event(o, i, now, here, Event.RESUSCITATION_STARTED, 0)
        resuscitate(o, i, s, now, minutes, m)
        set_rate(s, now, 0.0)
        s.resuscitated = 1
        s.resuscitating = 1
    else:
        minutes = draw_service_time(
            m, here, ServiceTime.CARE, m.care.role1 if role == 1 else m.care.care, to_uniform(u)
        )
        log_event(o, i, now, here, Event.CARE_STARTED, 0)
        if p.kind == CasualtyKind.WOUNDED:
            treat_wounded(o, i, s, now, minutes)
        else:
            effect = Effect.SUPPORTIVE
            if s.life < math.inf and (p.kind == CasualtyKind.AGENT or role >= 2) and not s.resuscitated:
                s.resuscitated = 1
                set_rate(s, now, 0.0)
                effect = Effect.INEFFECTIVE
                if to_uniform(v) < m.survival.surgery_works[p.lethal]:
                    effect = Effect.EFFECTIVE
                    stop_clock(s, now)
            treat_ill(o, i, s, now, minutes, effect, m)
    if m.transitions.used[0] and s.outcome == MatrixOutcome.DEAD:
        s.late = now + to_uniform(v) * minutes * MINUTE
    s.stage = Stage.TREATED
    s.at = now + minutes * MINUTE


@compiled
def _end_treatment(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    p = o.patients[i]
    here = s.facility
    if s.resuscitating:
        log_event(o, i, now, here, Event.RESUSCITATION_ENDED, 0)
    else:
        log_event(o, i, now, here, Event.CARE_ENDED, 0)
    if s.rate == 0.0 and s.life < math.inf:
        if s.no_blood:  # without blood no better than first aid
            slow_clock(s, now, max(m.survival.resuscitation_rate[p.lethal], m.survival.aid_rate[p.lethal]))
        else:
            slow_clock(s, now, m.survival.resuscitation_rate[p.lethal])
    if s.resuscitating:
        s.resuscitating = 0
        if not o.rows[QUIET]:  # scores decide nothing
            resuscitation_effect(p, s, now, m.survival)
            measure_vitals(o, i, s, now, s.leg * 4 + 1, m, who)
    if not o.rows[QUIET] and s.life == math.inf and s.recover_span == 0.0 and not s.needs_surgery:
        start_recovery(p, s, now, m.survival)
    if s.needs_surgery and m.network.operates[here] and not s.operated:
        s.stage = Stage.SURGERY
        s.at = now + m.care.waits[1] * MINUTE
    else:
        s.stage = Stage.ICU
        s.at = now


@compiled
def _start_operation(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Damage control surgery, or the definitive operation that follows it at a facility that can."""
    p = o.patients[i]
    a, b, _, _ = words(m.keys[DrawPurpose.CARE], who[0], who[1], 2 + 4 * s.leg)
    if m.network.service_kind[s.facility, ServiceTime.SURGERY] >= 0:
        minutes = draw_service_time(m, s.facility, ServiceTime.SURGERY, m.care.icu, to_uniform(a))
    else:
        median = m.care.surgery[0 if m.network.role[s.facility] <= 2 else 1, _iss_band(p.iss)]
        minutes = numeric.exp(median + m.care.surgery_sigma[0] * numeric.normal_quantile(to_uniform(a)))
    s.operated_here = 1
    if s.operated:
        log_event(o, i, now, s.facility, Event.DEFINITIVE_SURGERY_STARTED, 0)
        kind = Treatment.DEFINITIVE_SURGERY
        if not o.rows[QUIET] and m.injuries.flags[o.wounds[s.wound].condition] & ConditionFlag.FRACTURE:
            kind = Treatment.FRACTURE_FIXATION
        log_treatment(o, i, s.facility, kind, now, minutes, Effect.SUPPORTIVE, 0)
        s.definitive = 1
        set_rate(s, now, 0.0)
        s.stage = Stage.DEFINITIVE_DONE
    else:
        log_event(o, i, now, s.facility, Event.SURGERY_STARTED, 0)
        start_surgery(o, i, s, now, minutes, to_uniform(b), m)
        p.surgery = np.int64(now)
        s.operated = 1
        if m.network.definitive[s.facility]:
            s.definitive = 1
        s.stage = Stage.OPERATED
    s.at = now + minutes * MINUTE


@compiled
def _end_operation(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    p = o.patients[i]
    ended = Event.SURGERY_ENDED if s.stage == Stage.OPERATED else Event.DEFINITIVE_SURGERY_ENDED
    log_event(o, i, now, s.facility, ended, 0)
    if s.life < math.inf:
        set_rate(s, now, s.slowest * s.factor)
    elif not o.rows[QUIET] and s.recover_span == 0.0:
        start_recovery(p, s, now, m.survival)
    measure_vitals(o, i, s, now, s.leg * 4 + 2, m, who)
    s.stage = Stage.ICU
    s.at = now


@compiled
def _start_intensive_care(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Intensive care after surgery or for AIS >= 4, where there is any."""
    p = o.patients[i]
    s.stage = Stage.DISPOSITION
    if _needs_intensive_care(p, s, m):
        u = to_uniform(words(m.keys[DrawPurpose.CARE], who[0], who[1], 3 + 4 * s.leg)[0])
        minutes = draw_service_time(m, s.facility, ServiceTime.ICU, m.care.icu, u)
        log_event(o, i, now, s.facility, Event.ICU_ADMITTED, 0)
        log_treatment(o, i, s.facility, Treatment.CRITICAL_CARE, now, minutes, Effect.SUPPORTIVE, NONE)
        s.at = now + minutes * MINUTE


@compiled
def _depart_onwards(o: Any, i: Any, s: Any, now: Any, leg: Any, goal: Any, m: Any) -> None:
    """Leaves this facility for `goal`, `leg` ms away; unlimited vehicles leave at once."""
    log_event(o, i, now, s.facility, Event.EVACUATION_REQUESTED, min(np.int64(3), s.category))
    log_event(o, i, now, s.facility, Event.DEPARTED, 0)
    s.facility = EN_ROUTE
    if s.surged:  # out of the overflow area
        s.surged = 0
        set_factor(s, now, m.survival.factor[0])
    s.destination = goal
    s.stage = Stage.ARRIVE
    s.at = now + leg


@compiled
def _admit_to_ward(o: Any, i: Any, s: Any, now: Any, end: Any) -> None:
    """On the ward until `end` (infinity: until death)."""
    log_event(o, i, now, s.facility, Event.WARD_ADMITTED, 0)
    until = min(end, death_time(s))
    log_treatment(o, i, s.facility, Treatment.WARD_CARE, now, (until - now) / MINUTE, Effect.SUPPORTIVE, NONE)
    s.stage = Stage.RETURN
    s.at = end


@compiled
def _decide_disposition(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Return to duty here when the stay fits the evacuation policy, else onwards as soon as stable."""
    p = o.patients[i]
    here = s.facility
    link = m.network.next_link[here, p.front]
    healing = s.life == math.inf and s.late == math.inf and (not s.needs_surgery or s.operated)
    fits = healing and s.stay_end - p.time <= m.network.policy[here] and m.network.role[here] > 0
    if m.transitions.used[0]:
        if s.outcome <= 4:
            goal = m.transitions.facility[p.front, s.outcome]
            _depart_onwards(o, i, s, now, draw_route_time(s, p.front, goal, link, m, who), goal, m)
        else:
            _admit_to_ward(
                o, i, s, now, max(now + 30.0 * MINUTE, min(s.stay_end, p.time + m.network.policy[here]))
            )
    elif fits or link < 0:
        end = max(s.stay_end, now + 30.0 * MINUTE)
        _admit_to_ward(o, i, s, now, end if death_time(s) == math.inf else math.inf)
    elif m.network.way_finite[s.way]:
        log_event(o, i, now, here, Event.EVACUATION_REQUESTED, min(np.int64(3), s.category))
        s.stage = Stage.AWAIT_TRANSPORT
        s.at = math.inf
        s.asked_at = now
    else:
        _depart_onwards(o, i, s, now, draw_leg_time(link, s.leg, now, m, who), m.network.destination[link], m)


@compiled
def _leave_with_vehicle(o: Any, i: Any, s: Any, now: Any, m: Any) -> None:
    """Departs with a vehicle that others might have had; it arrives at `arrive_at`."""
    log_event(o, i, now, s.facility, Event.DEPARTED, 0)
    s.facility = EN_ROUTE
    if s.aboard != 1.0 or s.surged:  # or out of the overflow area
        s.surged = 0
        set_factor(s, now, m.survival.factor[0] * s.aboard)
    s.stage = Stage.ARRIVE
    s.at = s.arrive_at


@compiled
def board_vehicle(s: Any, candidate: Any, depart: Any, arrive: Any, m: Any) -> None:
    """A vehicle takes the casualty to a candidate of the way: departure and arrival are known from now on."""
    s.destination = m.network.destination[m.network.candidate_link[candidate]]
    pool = m.network.candidate_pool[candidate]
    s.aboard = m.network.aboard[pool] if pool >= 0 else 1.0
    s.depart_at = depart
    s.arrive_at = arrive
    s.retriage_at = math.inf
    if s.facility == AT_POI:
        _set_next_poi_stage(s)
    else:
        s.stage = Stage.LEAVE
        s.at = depart


@compiled
def bump_from_bay(o: Any, i: Any, s: Any, now: Any) -> None:
    """Somebody more urgent takes the treatment bay: the rest of the care comes later."""
    if o.rows[QUIET] or o.rows[0] < s.first_event + REPEATING_EVENTS_LIMIT:
        log_event(o, i, now, s.facility, Event.BUMPED, 0)
    s.rest = s.at - now
    s.protected = s.rate
    if s.rate == 0.0:
        set_rate(s, now, s.slowest * s.factor)
    s.bumped_at = now
    s.stage = Stage.RESUME
    s.at = now


@compiled
def _resume_care(o: Any, i: Any, s: Any, now: Any) -> None:
    """Care goes on where it was broken off; treatments that had not ended end later by the time between."""
    if o.rows[QUIET] or o.rows[0] < s.first_event + REPEATING_EVENTS_LIMIT:
        log_event(o, i, now, s.facility, Event.CARE_RESUMED, 0)
    if s.protected == 0.0:
        set_rate(s, now, 0.0)
    broken = np.int64(s.bumped_at)
    gap = np.int64(now) - broken
    for k in range(s.first_treatment, o.rows[1]):
        if o.treatments[k].start >= broken:
            o.treatments[k].start += gap
        if o.treatments[k].end > broken:
            o.treatments[k].end += gap
    s.stage = Stage.TREATED
    s.at = now + s.rest


@compiled
def restart_care(o: Any, i: Any, s: Any, now: Any) -> None:
    """The facility was hit: care is broken off and begins again with triage."""
    log_event(o, i, now, s.facility, Event.FACILITY_HIT, 0)
    end_treatments(o, s.first_treatment, now, 1000)
    if s.rate == 0.0 and s.life < math.inf:
        set_rate(s, now, s.slowest * s.factor)
    if s.resuscitating:
        s.resuscitating = 0
        s.resuscitated = 0
    s.no_blood = 0
    s.retriage_at = math.inf
    s.stage = Stage.START_TRIAGE
    s.at = now


@compiled
def kill_in_hit(o: Any, i: Any, s: Any, now: Any) -> None:
    """Killed by the hit on the facility."""
    log_event(o, i, now, s.facility, Event.FACILITY_HIT, 0)
    log_event(o, i, now, s.facility, Event.DIED, 0)
    end_treatments(o, s.first_treatment, now, 1)
    p = o.patients[i]
    p.death_cause = DeathCause.FACILITY_HIT
    if p.stream != 0:
        set_outcome(o, i, s, now, Outcome.DIED_NONBATTLE)
    else:
        set_outcome(o, i, s, now, Outcome.DOW if s.admitted else Outcome.KIA)


@compiled
def _return_to_duty(o: Any, i: Any, s: Any, now: Any, m: Any) -> None:
    """Back to duty; from Role 4, which only transition-matrix routing leaves: out of the force."""
    end_treatments(o, s.first_treatment, now, 1000)
    if s.facility >= 0 and m.network.role[s.facility] == 4:
        log_event(o, i, now, s.facility, Event.DISCHARGED, 0)
        set_outcome(o, i, s, now, Outcome.DISCHARGED)
    else:
        log_event(o, i, now, s.facility, Event.RETURNED_TO_DUTY, 0)
        set_outcome(o, i, s, now, Outcome.RTD)


@compiled
def _at_poi(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """The stages before the first door: request, first aid, departure."""
    if s.stage == Stage.REQUEST:
        s.request_at = math.inf
        _request_evacuation(o, i, s, m, who)
    elif s.stage == Stage.FIRST_AID:
        s.aid_at = math.inf
        o.patients[i].first_care = np.int64(now)
        log_event(o, i, now, s.facility, Event.FIRST_AID, 0)
        u = to_uniform(words(m.keys[DrawPurpose.SURVIVAL], who[0], who[1], 3)[0])
        give_first_aid(o, i, s, now, u, m)
    else:
        s.depart_at = math.inf
        log_event(o, i, now, AT_POI, Event.DEPARTED, 0)
        end_treatments(o, s.first_treatment, now, 1000)
        s.facility = EN_ROUTE
        if s.aboard != 1.0:
            set_factor(s, now, m.survival.factor[0] * s.aboard)
    if m.transitions.used[0] and s.outcome == MatrixOutcome.RETURNED and s.stage != Stage.REQUEST:
        s.stage = Stage.RETURN
        s.at = now
    elif s.stage != Stage.AWAIT_TRANSPORT:
        _set_next_poi_stage(s)


@compiled
def resume_poi_stages(s: Any) -> None:
    """At the point of injury what comes next while no vehicle is known: first aid, if it is still to come."""
    _set_next_poi_stage(s)


@compiled
def perform_stage(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Performs the stage that is due, or the re-triage that comes before."""
    if s.retriage_at < s.at:
        retriage(o, i, s, m, who)
        return
    now = s.at
    s.granted = 0
    if s.stage <= Stage.DEPART:
        _at_poi(o, i, s, now, m, who)
    elif s.stage == Stage.ARRIVE:
        _arrive(o, i, s, now, m, who)
    elif s.stage == Stage.DECONTAMINATED:
        s.decontaminated = 1
        log_event(o, i, now, s.facility, Event.DECONTAMINATION_ENDED, 0)
        s.stage = Stage.START_TRIAGE
    elif s.stage == Stage.ADMIT:
        _enter_facility(o, i, s, now, m)
    elif s.stage == Stage.START_TRIAGE:
        _start_triage(o, i, s, now, m, who)
    elif s.stage == Stage.LEAVE:
        _leave_with_vehicle(o, i, s, now, m)
    elif s.stage == Stage.RESUME:
        _resume_care(o, i, s, now)
    elif s.stage == Stage.TRIAGE:
        _triage(o, i, s, now, m, who)
    elif s.stage == Stage.TREAT:
        _start_treatment(o, i, s, now, m, who)
    elif s.stage == Stage.TREATED:
        _end_treatment(o, i, s, now, m, who)
    elif s.stage == Stage.SURGERY or s.stage == Stage.DEFINITIVE_SURGERY:
        _start_operation(o, i, s, now, m, who)
    elif s.stage == Stage.OPERATED or s.stage == Stage.DEFINITIVE_DONE:
        _end_operation(o, i, s, now, m, who)
    elif s.stage == Stage.ICU:
        _start_intensive_care(o, i, s, now, m, who)
    elif s.stage == Stage.DISPOSITION:
        _decide_disposition(o, i, s, now, m, who)
    else:
        _return_to_duty(o, i, s, now, m)
