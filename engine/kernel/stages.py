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
    E_AID,
    E_ARRIVED,
    E_BUMPED,
    E_CARE_ENDED,
    E_CARE_STARTED,
    E_DECON_ENDED,
    E_DECON_STARTED,
    E_DEFINITIVE_ENDED,
    E_DEFINITIVE_STARTED,
    E_DEPARTED,
    E_DIED,
    E_DISCHARGED,
    E_EXPOSED,
    E_FELL_ILL,
    E_HIT,
    E_ICU,
    E_INJURED,
    E_LEFT_THEATRE,
    E_ONSET,
    E_REFUSED,
    E_REQUESTED,
    E_RESUMED,
    E_RESUS_ENDED,
    E_RESUS_STARTED,
    E_RTD,
    E_STAGED,
    E_SURGERY_ENDED,
    E_SURGERY_STARTED,
    E_TRIAGED,
    E_WAITING,
    E_WARD,
    EFFECTIVE,
    FLAG_FRACTURE,
    INEFFECTIVE,
    MINUTE,
    SUPPORTIVE,
    T_CRITICAL_CARE,
    T_DECONTAMINATION,
    T_DEFINITIVE,
    T_FRACTURE_FIXATION,
    T_WARD,
    Z_CARE,
    care_of_ill,
    care_of_wounded,
    death_time,
    first_aid,
    late_death,
    log_event,
    log_treatment,
    pick,
    rescue,
    resuscitate,
    resuscitation_effect,
    set_factor,
    set_rate,
    slow,
    start_recovery,
    start_surgery,
    type_row,
    unit,
    vitals,
)
from engine.kernel.parameters import (
    OUT_DEAD,
    OUT_RETURNED,
    R_BAY,
    R_ICU,
    R_PLACE,
    R_TABLE,
    R_TRIAGE,
    R_WARD,
    RESOURCES,
    S_CARE_TIME,
    S_ICU_TIME,
    S_RESUS_TIME,
    S_SURGERY_TIME,
    S_TRIAGE_TIME,
    Z_SURVIVAL,
    draw_outcome,
    leg_time,
    service,
    way_time,
)
from engine.numeric import inner, words
from engine.tables import (
    AGENT,
    AT_POI,
    DEATH_HIT,
    DEATH_INSTANT,
    DEATH_LATE,
    DEATH_TRANSITION,
    DIED_NONBATTLE,
    DISCHARGED,
    DISEASE,
    DOW,
    EN_ROUTE,
    EVACUATED,
    EVENTS_KEPT,
    KIA,
    NBI,
    NONE,
    QUIET,
    RTD,
    WOUNDED,
)

# Stages: what is due next.
(
    S_AID,
    S_REQUEST,
    S_DEPART,
    S_ARRIVE,
    S_DECONTAMINATED,
    S_TRIAGE,
    S_TREAT,
    S_TREATED,
    S_SURGERY,
    S_OPERATED,
    S_DEFINITIVE,
    S_DEFINITIVE_DONE,
    S_ICU,
    S_DISPOSE,
    S_RTD,
    S_CLOSED,
    S_ADMIT,
    S_TRIAGE_STARTS,
    S_RESUME,
    S_AWAIT,
    S_LEAVE,
) = range(21)

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


@inner
def taken_by(p: Any, s: Any, m: Any) -> int:
    """Which resource of a facility (0..5) the stage that is due takes; -1: none, what is held is kept; -2: what is
    held is given back.
    """
    stage = s.stage
    if stage == S_TRIAGE_STARTS:
        return R_TRIAGE
    if stage in (S_TREAT, S_RESUME):
        return R_BAY
    if stage in (S_SURGERY, S_DEFINITIVE):
        return R_TABLE
    if stage == S_ICU:
        return R_ICU if _intensive(p, s, m) else -1
    if stage == S_DISPOSE:
        return R_WARD
    if stage == S_ADMIT:
        return R_PLACE
    if stage in (S_TRIAGE, S_LEAVE, S_RTD):
        return -2
    return -1


@inner
def needed(p: Any, s: Any, m: Any) -> Any:
    """Number of the finite resource without which the stage that is due cannot be performed; -1: none."""
    if s.granted or s.facility < 0:
        return np.int64(-1)
    kind = taken_by(p, s, m)
    if kind < 0:
        return np.int64(-1)
    r = np.int64(s.facility * RESOURCES + kind)
    return r if m.network.finite[r] else np.int64(-1)


@inner
def _intensive(p: Any, s: Any, m: Any) -> bool:
    """Whether the casualty needs intensive care here, and there is any: after surgery or for AIS >= 4."""
    return bool(p.kind == WOUNDED and m.network.icu[s.facility] and (s.operated_here or p.worst_ais >= 4))


@inner
def _assign(true: Any, right: Any, over: Any, u: Any) -> Any:
    """Assigned triage category: right with probability `right`, else a neighbour (MODEL section 9)."""
    if u < right:
        return np.int64(true)
    if true == 1:
        return 2
    if true == 3:
        return 2
    return 1 if (u - right) / (1.0 - right) < over / (1.0 + over) else 3


@inner
def _categorise(o: Any, i: Any, s: Any, now: Any, place: Any, u: Any, m: Any) -> Any:
    """The category assigned at a place (0 POI, else the role): from the true one, or T1 where death is near; under a
    declared MASCAL policy the worst wounded of a MASCAL incident are expectant (T4).
    """
    p = o.patients[i]
    true = np.int64(p.triage)
    if m.network.expectant and p.mascal and p.kind == WOUNDED and p.niss >= m.network.expectant:
        return np.int64(4)
    if s.retriages > 0 and s.life < math.inf and s.rate > 0.0:
        left = (s.life - s.used) / s.rate - (now - s.since)
        if left <= m.survival.triage[0] * MINUTE:
            true = np.int64(1)
    return np.int64(_assign(true, m.care.right[place], m.care.over[0], u))


@inner
def retriage(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Triage again of one who waits: who deteriorates moves up. Sets the time of the next."""
    now = s.retriage_at
    s.retriages += 1
    u = unit(words(m.keys[Z_CARE], who[0], who[1], 8192 + s.retriages)[0])
    place = np.int64(0)
    if s.facility >= 0:
        place = np.int64(m.network.role[s.facility])
    category = _categorise(o, i, s, now, place, u, m)
    if category < s.category:
        s.category = category
        if o.rows[QUIET] or o.rows[0] < s.first_event + EVENTS_KEPT:
            log_event(o, i, now, s.facility, E_TRIAGED, category)
    _plan_retriage(s, now, m)


@inner
def _plan_retriage(s: Any, now: Any, m: Any) -> None:
    """Triage again after the interval, if the wait lasts so long and the casualty may deteriorate."""
    s.retriage_at = now + m.network.retriage
    if s.retriage_at >= s.wait_until or s.category == 1 or s.category == 4 or s.life == math.inf:
        s.retriage_at = math.inf


@inner
def start_wait(o: Any, i: Any, s: Any, now: Any, what: Any, m: Any) -> None:
    """From now on the casualty waits for `what` (an index of columns.AWAITED); transport is logged as asked for."""
    if what < 6 and (o.rows[QUIET] or o.rows[0] < s.first_event + EVENTS_KEPT):
        log_event(o, i, now, s.facility, E_REFUSED if what == R_PLACE else E_WAITING, what)
    s.wait_since = now
    _plan_retriage(s, now, m)


@inner
def _band(iss: Any) -> int:
    """ISS band of EVIDENCE 1.4: 1-8, 9-15, 16-24, 25 and more."""
    if iss < 9:
        return 0
    if iss < 16:
        return 1
    return 2 if iss < 25 else 3


@inner
def _next_poi_stage(s: Any) -> None:
    """Before the first door: first aid, request, departure and arrival in the order of their times."""
    stage = S_ARRIVE
    at = s.arrive_at
    if s.depart_at <= at:
        stage = S_DEPART
        at = s.depart_at
    if s.request_at <= at:
        stage = S_REQUEST
        at = s.request_at
    if s.aid_at <= at and s.aid_at < s.arrive_at:
        stage = S_AID
        at = s.aid_at
    s.stage = stage
    s.at = at


@inner
def close(o: Any, i: Any, s: Any, at: Any, status: Any) -> None:
    """The outcome is fixed."""
    p = o.patients[i]
    p.closed = np.int64(at)
    p.status = status
    p.facility = s.facility
    s.stage = S_CLOSED


@inner
def clip(o: Any, first: Any, at: Any, least: Any) -> None:
    """Treatments of the patient (rows from `first` on) end at `at`; what is cut to under `least` ms is taken out."""
    kept = first
    end = np.int64(at)
    for k in range(first, o.rows[1]):
        if o.treatments[k].end <= end or o.treatments[k].start + least <= end:
            o.treatments[kept] = o.treatments[k]
            o.treatments[kept].end = min(o.treatments[kept].end, end)
            kept += 1
    o.rows[1] = kept


@inner
def die(o: Any, i: Any, s: Any, at: Any, m: Any) -> None:
    """Death at `at`: KIA before the first MTF, DOW after; final."""
    p = o.patients[i]
    if p.worst_ais == 6:
        p.death_cause = DEATH_INSTANT
    elif m.transitions.used[0]:
        p.death_cause = DEATH_TRANSITION
    elif at >= s.late:
        p.death_cause = DEATH_LATE
    else:
        p.death_cause = 1 + p.lethal
    if p.death_cause != DEATH_INSTANT:
        p.waiting_for = WAITING_AT[s.stage]
        if at < s.wait_until and s.stage == S_ICU:
            p.waiting_for = 7
        elif at < s.wait_until and s.stage == S_DISPOSE:
            p.waiting_for = 8
    log_event(o, i, at, s.facility, E_DIED, 0)
    clip(o, s.first_treatment, at, 1)
    if p.stream != 0:
        close(o, i, s, at, DIED_NONBATTLE)
    else:
        close(o, i, s, at, DOW if s.admitted else KIA)


@inner
def _begin_by_matrix(p: Any, s: Any, start: Any, leg: Any, m: Any, who: Any) -> float:
    """Transition-matrix routing at the point of injury: category, outcome and the time of the first leg (ms)."""
    row = type_row(p, m.injuries)
    _, u, v, _ = words(m.keys[Z_SURVIVAL], who[0], who[1], 7)
    p.triage = 1 + pick(m.transitions.triage[row, p.stream], 0, 3, unit(u))
    s.needs_surgery = 1 if p.kind == WOUNDED and p.triage <= 2 else 0
    if p.worst_ais == 6:
        return leg
    s.life = math.inf
    p.lethal = NONE
    p.untreated_death = -1
    draw_outcome(p, s, 0, m, who)
    if s.outcome == OUT_DEAD:
        s.late = start + unit(v) * m.care.request[1] * leg
    elif s.outcome <= 4:
        s.destination = m.transitions.facility[p.front, s.outcome]
        return way_time(s, p.front, s.destination, m.network.first_link[p.front], m, who)
    return leg


@inner
def begin_way(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
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
    a, _, _, _ = words(m.keys[Z_CARE], who[0], who[1], 0)
    delay = numeric.exp(m.survival.aid_delay[0] + m.survival.aid_delay[1] * numeric.normal_quantile(unit(a)))
    s.aid_at = start + delay * m.care.aid_slowdown[0] * MINUTE if p.kind <= NBI else math.inf
    leg = leg_time(m.network.first_link[p.front], 0, start, m, who)
    if m.transitions.used[0]:
        leg = _begin_by_matrix(p, s, start, leg, m, who)
    s.arrive_at = start + leg
    s.depart_at = start + leg * m.care.request[1]
    if p.kind == AGENT:
        log_event(o, i, p.time, AT_POI, E_EXPOSED, 0)
        if p.onset > p.time:
            log_event(o, i, p.onset, AT_POI, E_ONSET, 0)
    elif p.kind >= DISEASE:
        log_event(o, i, p.time, AT_POI, E_FELL_ILL, 0)
    else:
        log_event(o, i, p.time, AT_POI, E_INJURED, 0)
    s.request_at = min(start + leg * m.care.request[0], s.aid_at)
    if m.network.way_finite[s.way]:  # who goes when, and where to, depends on others
        s.rest = s.depart_at - s.request_at
        s.arrive_at = math.inf
        s.depart_at = math.inf
    _next_poi_stage(s)


@inner
def _request(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Triage by the first responder and the evacuation request with its precedence."""
    u = unit(words(m.keys[Z_CARE], who[0], who[1], 0)[1])
    s.category = _categorise(o, i, s, s.at, 0, u, m)
    log_event(o, i, s.at, AT_POI, E_TRIAGED, s.category)
    log_event(o, i, s.at, AT_POI, E_REQUESTED, min(np.int64(3), s.category))
    if m.network.way_finite[s.way]:
        s.stage = S_AWAIT


@inner
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
        log_event(o, i, now, s.facility, E_STAGED, 0)
        s.leg += 1
        s.operated_here = 0
        s.stage = S_DISPOSE
        s.at = now
        return
    log_event(o, i, now, s.facility, E_ARRIVED, 0)
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
        clip(o, s.first_treatment, now, 1000)
        if not m.transitions.used[0]:
            late_death(p, s, now, who[0], who[1], m.keys[Z_SURVIVAL], m.survival)
        if p.kind != WOUNDED:
            s.stay_end += now
    s.leg += 1
    s.operated_here = 0
    vitals(o, i, s, now, s.leg * 4, m, who)
    if m.transitions.used[0]:
        draw_outcome(p, s, role, m, who)
    elif role == 4:
        if death_time(s) < math.inf:
            s.stage = S_RTD  # dies before: the clock or the late hazard decides
            s.at = math.inf
        else:
            log_event(o, i, now, s.facility, E_LEFT_THEATRE, 0)
            close(o, i, s, now, EVACUATED)
        return
    if m.network.push and m.network.finite[s.facility * RESOURCES + R_PLACE]:
        s.stage = S_ADMIT
        s.at = now
    else:
        _enter(o, i, s, now, m)


@inner
def _enter(o: Any, i: Any, s: Any, now: Any, m: Any) -> None:
    """Through the door: decontamination where it is called for, then triage."""
    p = o.patients[i]
    s.stage = S_TRIAGE_STARTS
    s.at = now
    if p.kind == AGENT and not s.decontaminated:
        log_event(o, i, now, s.facility, E_DECON_STARTED, 0)
        log_treatment(o, i, s.facility, T_DECONTAMINATION, now, m.care.decontamination[0], SUPPORTIVE, NONE)
        s.stage = S_DECONTAMINATED
        s.at = now + m.care.decontamination[0] * MINUTE


@inner
def _triage_starts(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """A triage team takes the casualty on."""
    minutes = m.care.triage[0]
    if m.network.service_kind[s.facility, S_TRIAGE_TIME] >= 0:
        u = unit(words(m.keys[Z_CARE], who[0], who[1], 1 + 4 * s.leg)[3])
        minutes = service(m, s.facility, S_TRIAGE_TIME, m.care.role1, u)
    s.stage = S_TRIAGE
    s.at = now + minutes * MINUTE


@inner
def _triage(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    role = m.network.role[s.facility]
    u = unit(words(m.keys[Z_CARE], who[0], who[1], 1 + 4 * s.leg)[0])
    s.category = _categorise(o, i, s, now, role, u, m)
    log_event(o, i, now, s.facility, E_TRIAGED, s.category)
    dying = m.transitions.used[0] and s.outcome == OUT_DEAD  # the time of that death is set in `_treat`
    if s.operated and m.network.definitive[s.facility] and not s.definitive and not dying:
        s.stage = S_DEFINITIVE
        s.at = now + m.care.waits[1] * MINUTE
    else:
        s.stage = S_TREAT
        s.at = now + max(0.0, m.care.waits[0] - m.care.triage[0]) * MINUTE


@inner
def _treat(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Resuscitation of the wounded in need where it can be done, else the treatment room."""
    p = o.patients[i]
    here = s.facility
    role = m.network.role[here]
    _, u, v, _ = words(m.keys[Z_CARE], who[0], who[1], 1 + 4 * s.leg)
    if p.first_care < 0:
        p.first_care = np.int64(now)
    if p.kind == WOUNDED and s.needs_surgery and m.network.resuscitates[here] and not s.resuscitated:
        minutes = service(m, here, S_RESUS_TIME, m.care.resuscitation, unit(u))
        log_event(o, i, now, here, E_RESUS_STARTED, 0)
        resuscitate(o, i, s, now, minutes, m)
        set_rate(s, now, 0.0)
        s.resuscitated = 1
        s.resuscitating = 1
    else:
        minutes = service(m, here, S_CARE_TIME, m.care.role1 if role == 1 else m.care.care, unit(u))
        log_event(o, i, now, here, E_CARE_STARTED, 0)
        if p.kind == WOUNDED:
            care_of_wounded(o, i, s, now, minutes)
        else:
            effect = SUPPORTIVE
            if s.life < math.inf and (p.kind == AGENT or role >= 2) and not s.resuscitated:
                s.resuscitated = 1
                set_rate(s, now, 0.0)
                effect = INEFFECTIVE
                if unit(v) < m.survival.surgery_works[p.lethal]:
                    effect = EFFECTIVE
                    rescue(s, now)
            care_of_ill(o, i, s, now, minutes, effect, m)
    if m.transitions.used[0] and s.outcome == OUT_DEAD:
        s.late = now + unit(v) * minutes * MINUTE
    s.stage = S_TREATED
    s.at = now + minutes * MINUTE


@inner
def _treated(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    p = o.patients[i]
    here = s.facility
    if s.resuscitating:
        log_event(o, i, now, here, E_RESUS_ENDED, 0)
    else:
        log_event(o, i, now, here, E_CARE_ENDED, 0)
    if s.rate == 0.0 and s.life < math.inf:
        if s.no_blood:  # without blood no better than first aid
            slow(s, now, max(m.survival.resuscitation_rate[p.lethal], m.survival.aid_rate[p.lethal]))
        else:
            slow(s, now, m.survival.resuscitation_rate[p.lethal])
    if s.resuscitating:
        s.resuscitating = 0
        if not o.rows[QUIET]:  # scores decide nothing
            resuscitation_effect(p, s, now, m.survival)
            vitals(o, i, s, now, s.leg * 4 + 1, m, who)
    if not o.rows[QUIET] and s.life == math.inf and s.recover_span == 0.0 and not s.needs_surgery:
        start_recovery(p, s, now, m.survival)
    if s.needs_surgery and m.network.operates[here] and not s.operated:
        s.stage = S_SURGERY
        s.at = now + m.care.waits[1] * MINUTE
    else:
        s.stage = S_ICU
        s.at = now


@inner
def _surgery(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Damage control surgery, or the definitive operation that follows it at a facility that can."""
    p = o.patients[i]
    a, b, _, _ = words(m.keys[Z_CARE], who[0], who[1], 2 + 4 * s.leg)
    if m.network.service_kind[s.facility, S_SURGERY_TIME] >= 0:
        minutes = service(m, s.facility, S_SURGERY_TIME, m.care.icu, unit(a))
    else:
        median = m.care.surgery[0 if m.network.role[s.facility] <= 2 else 1, _band(p.iss)]
        minutes = numeric.exp(median + m.care.surgery_sigma[0] * numeric.normal_quantile(unit(a)))
    s.operated_here = 1
    if s.operated:
        log_event(o, i, now, s.facility, E_DEFINITIVE_STARTED, 0)
        kind = T_DEFINITIVE
        if not o.rows[QUIET] and m.injuries.flags[o.wounds[s.wound].condition] & FLAG_FRACTURE:
            kind = T_FRACTURE_FIXATION
        log_treatment(o, i, s.facility, kind, now, minutes, SUPPORTIVE, 0)
        s.definitive = 1
        set_rate(s, now, 0.0)
        s.stage = S_DEFINITIVE_DONE
    else:
        log_event(o, i, now, s.facility, E_SURGERY_STARTED, 0)
        start_surgery(o, i, s, now, minutes, unit(b), m)
        p.surgery = np.int64(now)
        s.operated = 1
        if m.network.definitive[s.facility]:
            s.definitive = 1
        s.stage = S_OPERATED
    s.at = now + minutes * MINUTE


@inner
def _operated(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    p = o.patients[i]
    ended = E_SURGERY_ENDED if s.stage == S_OPERATED else E_DEFINITIVE_ENDED
    log_event(o, i, now, s.facility, ended, 0)
    if s.life < math.inf:
        set_rate(s, now, s.slowest * s.factor)
    elif not o.rows[QUIET] and s.recover_span == 0.0:
        start_recovery(p, s, now, m.survival)
    vitals(o, i, s, now, s.leg * 4 + 2, m, who)
    s.stage = S_ICU
    s.at = now


@inner
def _icu(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Intensive care after surgery or for AIS >= 4, where there is any."""
    p = o.patients[i]
    s.stage = S_DISPOSE
    if _intensive(p, s, m):
        u = unit(words(m.keys[Z_CARE], who[0], who[1], 3 + 4 * s.leg)[0])
        minutes = service(m, s.facility, S_ICU_TIME, m.care.icu, u)
        log_event(o, i, now, s.facility, E_ICU, 0)
        log_treatment(o, i, s.facility, T_CRITICAL_CARE, now, minutes, SUPPORTIVE, NONE)
        s.at = now + minutes * MINUTE


@inner
def _onwards(o: Any, i: Any, s: Any, now: Any, leg: Any, goal: Any, m: Any) -> None:
    """Leaves this facility for `goal`, `leg` ms away; unlimited vehicles leave at once."""
    log_event(o, i, now, s.facility, E_REQUESTED, min(np.int64(3), s.category))
    log_event(o, i, now, s.facility, E_DEPARTED, 0)
    s.facility = EN_ROUTE
    if s.surged:  # out of the overflow area
        s.surged = 0
        set_factor(s, now, m.survival.factor[0])
    s.destination = goal
    s.stage = S_ARRIVE
    s.at = now + leg


@inner
def _stay(o: Any, i: Any, s: Any, now: Any, end: Any) -> None:
    """On the ward until `end` (infinity: until death)."""
    log_event(o, i, now, s.facility, E_WARD, 0)
    until = min(end, death_time(s))
    log_treatment(o, i, s.facility, T_WARD, now, (until - now) / MINUTE, SUPPORTIVE, NONE)
    s.stage = S_RTD
    s.at = end


@inner
def _dispose(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """Return to duty here when the stay fits the evacuation policy, else onwards as soon as stable."""
    p = o.patients[i]
    here = s.facility
    link = m.network.next_link[here, p.front]
    healing = s.life == math.inf and s.late == math.inf and (not s.needs_surgery or s.operated)
    fits = healing and s.stay_end - p.time <= m.network.policy[here] and m.network.role[here] > 0
    if m.transitions.used[0]:
        if s.outcome <= 4:
            goal = m.transitions.facility[p.front, s.outcome]
            _onwards(o, i, s, now, way_time(s, p.front, goal, link, m, who), goal, m)
        else:
            _stay(o, i, s, now, max(now + 30.0 * MINUTE, min(s.stay_end, p.time + m.network.policy[here])))
    elif fits or link < 0:
        end = max(s.stay_end, now + 30.0 * MINUTE)
        _stay(o, i, s, now, end if death_time(s) == math.inf else math.inf)
    elif m.network.way_finite[s.way]:
        log_event(o, i, now, here, E_REQUESTED, min(np.int64(3), s.category))
        s.stage = S_AWAIT
        s.at = math.inf
        s.asked_at = now
    else:
        _onwards(o, i, s, now, leg_time(link, s.leg, now, m, who), m.network.destination[link], m)


@inner
def _leave(o: Any, i: Any, s: Any, now: Any, m: Any) -> None:
    """Departs with a vehicle that others might have had; it arrives at `arrive_at`."""
    log_event(o, i, now, s.facility, E_DEPARTED, 0)
    s.facility = EN_ROUTE
    if s.aboard != 1.0 or s.surged:  # or out of the overflow area
        s.surged = 0
        set_factor(s, now, m.survival.factor[0] * s.aboard)
    s.stage = S_ARRIVE
    s.at = s.arrive_at


@inner
def board(s: Any, candidate: Any, depart: Any, arrive: Any, m: Any) -> None:
    """A vehicle takes the casualty to a candidate of the way: departure and arrival are known from now on."""
    s.destination = m.network.destination[m.network.candidate_link[candidate]]
    pool = m.network.candidate_pool[candidate]
    s.aboard = m.network.aboard[pool] if pool >= 0 else 1.0
    s.depart_at = depart
    s.arrive_at = arrive
    s.retriage_at = math.inf
    if s.facility == AT_POI:
        _next_poi_stage(s)
    else:
        s.stage = S_LEAVE
        s.at = depart


@inner
def bump(o: Any, i: Any, s: Any, now: Any) -> None:
    """Somebody more urgent takes the treatment bay: the rest of the care comes later."""
    if o.rows[QUIET] or o.rows[0] < s.first_event + EVENTS_KEPT:
        log_event(o, i, now, s.facility, E_BUMPED, 0)
    s.rest = s.at - now
    s.protected = s.rate
    if s.rate == 0.0:
        set_rate(s, now, s.slowest * s.factor)
    s.bumped_at = now
    s.stage = S_RESUME
    s.at = now


@inner
def _resume(o: Any, i: Any, s: Any, now: Any) -> None:
    """Care goes on where it was broken off; treatments that had not ended end later by the time between."""
    if o.rows[QUIET] or o.rows[0] < s.first_event + EVENTS_KEPT:
        log_event(o, i, now, s.facility, E_RESUMED, 0)
    if s.protected == 0.0:
        set_rate(s, now, 0.0)
    broken = np.int64(s.bumped_at)
    gap = np.int64(now) - broken
    for k in range(s.first_treatment, o.rows[1]):
        if o.treatments[k].start >= broken:
            o.treatments[k].start += gap
        if o.treatments[k].end > broken:
            o.treatments[k].end += gap
    s.stage = S_TREATED
    s.at = now + s.rest


@inner
def requeue(o: Any, i: Any, s: Any, now: Any) -> None:
    """The facility was hit: care is broken off and begins again with triage."""
    log_event(o, i, now, s.facility, E_HIT, 0)
    clip(o, s.first_treatment, now, 1000)
    if s.rate == 0.0 and s.life < math.inf:
        set_rate(s, now, s.slowest * s.factor)
    if s.resuscitating:
        s.resuscitating = 0
        s.resuscitated = 0
    s.no_blood = 0
    s.retriage_at = math.inf
    s.stage = S_TRIAGE_STARTS
    s.at = now


@inner
def killed(o: Any, i: Any, s: Any, now: Any) -> None:
    """Killed by the hit on the facility."""
    log_event(o, i, now, s.facility, E_HIT, 0)
    log_event(o, i, now, s.facility, E_DIED, 0)
    clip(o, s.first_treatment, now, 1)
    p = o.patients[i]
    p.death_cause = DEATH_HIT
    if p.stream != 0:
        close(o, i, s, now, DIED_NONBATTLE)
    else:
        close(o, i, s, now, DOW if s.admitted else KIA)


@inner
def _return(o: Any, i: Any, s: Any, now: Any, m: Any) -> None:
    """Back to duty; from Role 4, which only transition-matrix routing leaves: out of the force."""
    clip(o, s.first_treatment, now, 1000)
    if s.facility >= 0 and m.network.role[s.facility] == 4:
        log_event(o, i, now, s.facility, E_DISCHARGED, 0)
        close(o, i, s, now, DISCHARGED)
    else:
        log_event(o, i, now, s.facility, E_RTD, 0)
        close(o, i, s, now, RTD)


@inner
def _at_poi(o: Any, i: Any, s: Any, now: Any, m: Any, who: Any) -> None:
    """The stages before the first door: request, first aid, departure."""
    if s.stage == S_REQUEST:
        s.request_at = math.inf
        _request(o, i, s, m, who)
    elif s.stage == S_AID:
        s.aid_at = math.inf
        o.patients[i].first_care = np.int64(now)
        log_event(o, i, now, s.facility, E_AID, 0)
        u = unit(words(m.keys[Z_SURVIVAL], who[0], who[1], 3)[0])
        first_aid(o, i, s, now, u, m)
    else:
        s.depart_at = math.inf
        log_event(o, i, now, AT_POI, E_DEPARTED, 0)
        clip(o, s.first_treatment, now, 1000)
        s.facility = EN_ROUTE
        if s.aboard != 1.0:
            set_factor(s, now, m.survival.factor[0] * s.aboard)
    if m.transitions.used[0] and s.outcome == OUT_RETURNED and s.stage != S_REQUEST:
        s.stage = S_RTD
        s.at = now
    elif s.stage != S_AWAIT:
        _next_poi_stage(s)


@inner
def resume_waiting(s: Any) -> None:
    """At the point of injury what comes next while no vehicle is known: first aid, if it is still to come."""
    _next_poi_stage(s)


@inner
def step(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Performs the stage that is due, or the re-triage that comes before."""
    if s.retriage_at < s.at:
        retriage(o, i, s, m, who)
        return
    now = s.at
    s.granted = 0
    if s.stage <= S_DEPART:
        _at_poi(o, i, s, now, m, who)
    elif s.stage == S_ARRIVE:
        _arrive(o, i, s, now, m, who)
    elif s.stage == S_DECONTAMINATED:
        s.decontaminated = 1
        log_event(o, i, now, s.facility, E_DECON_ENDED, 0)
        s.stage = S_TRIAGE_STARTS
    elif s.stage == S_ADMIT:
        _enter(o, i, s, now, m)
    elif s.stage == S_TRIAGE_STARTS:
        _triage_starts(o, i, s, now, m, who)
    elif s.stage == S_LEAVE:
        _leave(o, i, s, now, m)
    elif s.stage == S_RESUME:
        _resume(o, i, s, now)
    elif s.stage == S_TRIAGE:
        _triage(o, i, s, now, m, who)
    elif s.stage == S_TREAT:
        _treat(o, i, s, now, m, who)
    elif s.stage == S_TREATED:
        _treated(o, i, s, now, m, who)
    elif s.stage == S_SURGERY or s.stage == S_DEFINITIVE:
        _surgery(o, i, s, now, m, who)
    elif s.stage == S_OPERATED or s.stage == S_DEFINITIVE_DONE:
        _operated(o, i, s, now, m, who)
    elif s.stage == S_ICU:
        _icu(o, i, s, now, m, who)
    elif s.stage == S_DISPOSE:
        _dispose(o, i, s, now, m, who)
    else:
        _return(o, i, s, now, m)
