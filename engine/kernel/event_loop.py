"""The event kernel: patients through a network of finite care (MODEL section 5).

Two passes share the stages of `kernel.stages`. The first, in the order of time over all open patients, decides what
depends on others: who gets which resource when, who is fetched when and brought where. It logs nothing; each decision
goes into the journal of the patient it concerns. When nothing that others do can change a patient's future, the
second pass tells the record: the stages run again for this patient alone, with the decisions read from the journal.
Where nothing is finite, a patient is told at injury, and the first pass has nothing to do.
"""

import math
from typing import Any

import numpy as np

from engine.clinical import (
    DAY,
    E_ARRIVED,
    E_DEPARTED,
    E_IN_CARE,
    E_STAGED,
    E_TRIAGED,
    E_WAITING,
    HOUR,
    death_time,
    fate_of_ill,
    fate_of_wounded,
    identify,
    ill,
    log_event,
    person,
    unit,
    wounded,
    wounded_in_brief,
)
from engine.kernel.calendar import BUCKETS, FAR, FRONT, next_time, suit, take_first
from engine.kernel.parameters import (
    R_PLACE,
    R_TABLE,
    RESOURCES,
    UNLIMITED,
    W_CLOSE,
    W_HIT,
    W_HIT_END,
    W_OPEN,
    W_VEHICLES_OUT,
    Z_INJURY,
    Z_PERSON,
    Z_SURVIVAL,
    Z_VEHICLES,
)
from engine.kernel.resources import (
    acquire,
    apply_grant,
    end_wait,
    give_waiting,
    hold,
    join,
    let_go,
    plan,
    promise,
    quit_line,
    release_held,
    set_surge,
    set_tables,
    touch,
    touch_line,
)
from engine.kernel.stages import (
    S_ADMIT,
    S_ARRIVE,
    S_AWAIT,
    S_CLOSED,
    S_DISPOSE,
    S_ICU,
    S_LEAVE,
    S_REQUEST,
    S_RTD,
    S_TREATED,
    S_TRIAGE,
    WAITING_AFTER,
    WAITING_AT,
    begin_way,
    board,
    bump,
    clip,
    close,
    die,
    killed,
    needed,
    requeue,
    resume_waiting,
    start_wait,
    step,
    taken_by,
)
from engine.kernel.state import (
    BROKEN,
    CROWDED,
    FULL,
    HORIZON,
    HUNGRY,
    J_BUMPED,
    J_GRANT,
    J_KILLED,
    J_REQUEUED,
    J_RIDE,
    K_LIFT,
    K_PATIENT,
    K_PICK_UP,
    K_RELEASE,
    K_RESUPPLY,
    K_RETURN,
    K_ROSTER,
    K_SAMPLE,
    K_SURGE,
    K_WAKE,
    K_WORLD,
    OVER,
    RESOURCES_IN_ALL,
    RUNNING,
    SAMPLE_ROWS,
    STUCK,
    free_slot,
    new_slot,
    note,
    schedule,
)
from engine.kernel.transport import fill, lift, pick_up, serve_way, unbook, use_pool
from engine.numeric import entry, inner, words
from engine.tables import (
    ARRIVES,
    AT_HORIZON,
    AT_POI,
    DISEASE,
    EN_ROUTE,
    IN_CARE,
    NONE,
    PATIENTS,
    PSYCHOLOGICAL,
    QUIET,
    RTD,
    SLOTS,
    WOUNDED,
)

STEPS = 400_000
"""Entries of the calendar after which the kernel returns, so that Ctrl-C works."""

PATIENCE = 60.0 * DAY
"""Time without any progress after which a deadlock is looked for, at least (`_patience`)."""


@inner
def _truncate(o: Any, i: Any, s: Any, first_event: Any, first_vital: Any, m: Any) -> None:
    """At the horizon the casualty is still in care: what lies after it is taken out again."""
    p = o.patients[i]
    horizon = np.int64(m.care.horizon[0])
    while o.rows[0] > first_event + 1 and o.events[o.rows[0] - 1].at > horizon:
        o.rows[0] -= 1
    while o.rows[3] > first_vital and o.vitals[o.rows[3] - 1].at > horizon:
        o.rows[3] -= 1
    clip(o, s.first_treatment, horizon, 1000)
    last = o.events[o.rows[0] - 1]
    s.facility = EN_ROUTE if last.kind == E_DEPARTED else last.facility
    at = max(horizon, last.at)
    waiting = WAITING_AFTER[last.kind]
    if last.kind == E_WAITING:
        waiting = (3, 4, 5, 7, 8, 9, 1)[last.detail]
    elif last.kind == E_TRIAGED and s.facility == AT_POI:
        waiting = 1
    elif last.kind == E_TRIAGED and s.wait_until > horizon:  # again, while waiting
        waiting = 7 if s.stage == S_ICU else 8 if s.stage == S_DISPOSE else WAITING_AT[s.stage]
    log_event(o, i, at, s.facility, E_IN_CARE, 0)
    p.death_cause = NONE
    p.waiting_for = waiting
    if p.first_care > horizon:
        p.first_care = -1
    if p.role1 > horizon:
        p.role1 = -1
    if p.role2 > horizon:
        p.role2 = -1
    if p.role3 > horizon:
        p.role3 = -1
    if p.role4 > horizon:
        p.role4 = -1
    if p.surgery > horizon:
        p.surgery = -1
    close(o, i, s, at, IN_CARE)


@inner
def _reset(p: Any, s: Any) -> None:
    """A fresh patient row and state."""
    p.first_care = -1
    p.role1 = -1
    p.role2 = -1
    p.role3 = -1
    p.role4 = -1
    p.surgery = -1
    p.untreated_death = -1
    p.death_cause = NONE
    p.waiting_for = NONE
    p.lethal = NONE
    p.worst_ais = 0
    s.head_ais = 0
    s.admitted = 0
    s.expects_rtd72 = 0
    s.needs_surgery = 0
    s.resuscitated = 0
    s.resuscitating = 0
    s.operated = 0
    s.operated_here = 0
    s.definitive = 0
    s.decontaminated = 0
    s.category = 0
    s.outcome = 0
    s.retriage_at = math.inf
    s.wait_until = 0.0
    s.aboard = 1.0
    s.retriages = 0
    s.granted = 0
    s.sent = 0
    s.surged = 0
    s.no_blood = 0
    s.in_bay = 0
    s.chosen = 0
    s.line = -1
    s.next = -1
    s.previous = -1
    s.held = -1
    s.granted_resource = -1
    s.place = -1
    s.booked = -1
    s.journal = -1
    s.nobody = 0


@inner
def _prepare(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Who the casualty of row i is and what is wrong, and the way to the first door."""
    p = o.patients[i]
    quiet = o.rows[QUIET]
    _reset(p, s)
    s.cell = who[0]
    s.index = who[1]
    if not quiet or m.network.national:
        person(p, who[0], who[1], m.keys[Z_PERSON], m.people)
    s.wound = o.rows[2]
    s.wounds = 0
    if p.kind == WOUNDED:
        if quiet:
            s.wounds = wounded_in_brief(p, o, s.wound, who[0], who[1], m.keys[Z_INJURY], m.injuries)
        else:
            s.wounds = wounded(p, o, s.wound, who[0], who[1], m.keys[Z_INJURY], m.injuries)
        fate_of_wounded(p, s, o, s.wound, s.wounds, who[0], who[1], m.keys[Z_SURVIVAL], m.survival)
    else:
        kills = ill(p, who[0], who[1], m.keys[Z_INJURY], m.injuries)
        fate_of_ill(p, s, kills, who[0], who[1], m.keys[Z_SURVIVAL], m.survival)
    if not quiet:
        for k in range(s.wounds):
            o.wounds[s.wound + k].patient = i
        o.rows[2] += s.wounds
    if s.life < math.inf:
        p.untreated_death = np.int64(p.onset + s.life / s.factor)
    s.first_treatment = o.rows[1]
    s.first_event = o.rows[0]
    begin_way(o, i, s, m, who)


@inner
def _next_time(s: Any) -> float:
    return min(s.at, s.retriage_at)


@inner
def _read_ride(w: Any, o: Any, i: Any, s: Any, at: Any, m: Any) -> Any:
    """Waiting for transport, as the journal tells it; returns the entry after those of the ride."""
    s.wait_until = math.inf
    if at >= 0 and w.notes[at].code == J_RIDE:
        ride = w.notes[at]
        s.wait_until = ride.at
        departure = ride.next
        arrival = w.notes[departure].next
        begin = s.at if s.facility == AT_POI else s.asked_at
        board(s, ride.value, w.notes[departure].at, w.notes[arrival].at, m)
        start_wait(o, i, s, begin, 6, m)
        return np.int64(w.notes[arrival].next)
    begin = s.at if s.facility == AT_POI else s.asked_at
    start_wait(o, i, s, begin, 6, m)
    if s.facility == AT_POI:
        resume_waiting(s)
    return np.int64(at)


@inner
def _walk(w: Any, o: Any, i: Any, s: Any, journal: Any, m: Any, who: Any) -> None:
    """Moves one casualty from stage to stage until the outcome is fixed or the journal ends at the horizon."""
    at = np.int64(journal)
    asked = False  # the wait for transport has been read
    while s.stage != S_CLOSED:
        if (
            s.stage == S_AWAIT and not asked
        ):  # the request has been made: also where the ride comes after the horizon
            asked = True
            at = _read_ride(w, o, i, s, at, m)
            continue
        due = _next_time(s)
        death = death_time(s)
        if min(due, death) > m.care.horizon[0] and (at < 0 or w.notes[at].code < J_BUMPED):
            return
        disturbed = at >= 0 and w.notes[at].code >= J_BUMPED and w.notes[at].at <= min(due, death)
        if disturbed and (
            w.notes[at].code != J_BUMPED or s.stage == S_TREATED
        ):  # not before care that begins then
            entry_now = w.notes[at]
            if entry_now.code == J_BUMPED:
                bump(o, i, s, entry_now.at)
            elif entry_now.code == J_KILLED:
                killed(o, i, s, entry_now.at)
            else:
                requeue(o, i, s, entry_now.at)
            s.granted = 0
            asked = False
            at = np.int64(entry_now.next)
            continue
        if death <= due:
            if death == math.inf:
                return
            die(o, i, s, death, m)
            continue
        if s.retriage_at >= s.at:
            r = needed(o.patients[i], s, m)
            if r >= 0:
                wait = s.at
                s.at = math.inf
                s.wait_until = math.inf
                value = 0
                if at >= 0 and w.notes[at].code == J_GRANT:
                    s.at = w.notes[at].at
                    s.wait_until = s.at
                    value = w.notes[at].value
                    at = np.int64(w.notes[at].next)
                if s.at > wait:
                    start_wait(o, i, s, wait, r - (r // RESOURCES) * RESOURCES, m)
                s.granted = 1
                s.granted_value = value
                continue
            if s.granted and s.at < math.inf:
                apply_grant(s, s.at, s.granted_value, m)
            asked = False
        step(o, i, s, m, who)


@inner
def _tell(w: Any, o: Any, journal: Any, m: Any, who: Any) -> None:
    """The record of the casualty whose identity stands in the next row of o.patients."""
    i = o.rows[PATIENTS]
    s = w.states[SLOTS]
    p = o.patients[i]
    first_event = o.rows[0]
    first_vital = o.rows[3]
    _prepare(o, i, s, m, who)
    _walk(w, o, i, s, journal, m, who)
    if s.stage != S_CLOSED or p.closed > m.care.horizon[0]:
        _truncate(o, i, s, first_event, first_vital, m)
    p.rtd72 = 1 if p.status == RTD and p.closed - p.time <= 72 * HOUR else 0
    for k in range(first_event, o.rows[0]):
        e = o.events[k]
        if e.kind == E_ARRIVED or e.kind == E_STAGED:
            w.arrived_at[e.facility] += 1
    p.event_end = o.rows[0]
    p.treatment_end = o.rows[1]
    p.wound_end = o.rows[2]
    p.vital_end = o.rows[3]
    o.left[i].at = w.turn_at
    o.left[i].turn = w.turn
    o.rows[PATIENTS] = i + 1


@inner
def _finish(w: Any, q: Any, o: Any, slot: Any, m: Any) -> None:
    """Nothing that others do matters to this patient any more: the record is told and the slot is free."""
    s = w.states[slot]
    p = q.patients[slot]
    who = (s.cell, s.index)
    w.closed_patients += 1
    if w.told:
        i = o.rows[PATIENTS]
        o.patients[i] = p
        told = o.patients[i]
        if told.kind == PSYCHOLOGICAL:
            told.kind = DISEASE
        decided = s.stage == S_CLOSED
        status = p.status
        at = p.closed
        _tell(w, o, s.journal, m, who)
        if (
            decided
            and at <= m.care.horizon[0]
            and (o.patients[i].status != status or o.patients[i].closed != at)
        ):
            w.blame = s.order
            w.status = BROKEN
    else:
        _walk(w, q, slot, s, -1, m, who)
        status = p.status if s.stage == S_CLOSED and p.closed <= m.care.horizon[0] else IN_CARE
        w.outcomes[p.stream, status] += 1
    free_slot(w, slot)


@inner
def _leave_place(w: Any, q: Any, slot: Any, now: Any, m: Any) -> None:
    """The place at the facility is free, and so is what the patient held."""
    s = w.states[slot]
    release_held(w, q, slot, now, m)
    if s.granted_resource >= 0:
        let_go(w, q, s.granted_resource, now, m)
        s.granted_resource = -1
    f = s.place
    if f >= 0:
        s.place = -1
        if m.network.push:
            let_go(w, q, f * RESOURCES + R_PLACE, now, m)
        else:
            unbook(w, f, now, m)
            fill(w, q, f, now, m)
    f = s.booked
    if f >= 0 and s.stage == S_CLOSED:
        s.booked = -1
        unbook(w, f, now, m)
        fill(w, q, f, now, m)


@inner
def _closable(w: Any, q: Any, slot: Any, m: Any) -> bool:
    """Whether nothing that others do can change the patient's future."""
    s = w.states[slot]
    if s.line >= 0 or s.granted:
        return False
    front = q.patients[slot].front
    if s.facility >= 0:
        if m.network.struck[s.facility]:
            return False
        if s.stage == S_RTD:
            return True
        return bool(s.held < 0 and s.place < 0 and s.booked < 0 and not m.network.ahead[s.facility, front])
    return bool(
        s.facility == EN_ROUTE
        and s.stage == S_ARRIVE
        and s.booked < 0
        and s.held < 0
        and s.place < 0
        and not m.network.ahead[s.destination, front]
    )


@inner
def _settle(w: Any, slot: Any, m: Any) -> None:
    """Returns to duty or dies here at a time that is known: what is held will be free then."""
    s = w.states[slot]
    until = min(s.at, death_time(s))
    if until < math.inf:
        if s.held >= 0:
            w.releases += 1
            schedule(w, until, K_RELEASE, s.held, s.held, 0)
        if s.place >= 0:
            w.releases += 1
            schedule(w, until, K_RELEASE, RESOURCES_IN_ALL + s.place, s.place, 1)
        s.held = -1
        s.place = -1


@inner
def _own_events(w: Any, q: Any, o: Any, slot: Any, now: Any, m: Any) -> None:
    """What is due for a patient, and all that follows and touches nobody else."""
    s = w.states[slot]
    p = q.patients[slot]
    who = (s.cell, s.index)
    w.progress_at = now if s.line < 0 else w.progress_at
    while True:
        if s.stage == S_CLOSED:
            _leave_place(w, q, slot, now, m)
            _finish(w, q, o, slot, m)
            return
        due = _next_time(s)
        death = death_time(s)
        if death <= due:
            if death > now or death == math.inf:
                if death == math.inf and s.line < 0:
                    w.status = BROKEN
                    w.blame = s.order
                plan(w, slot)
                return
            line = s.line
            if line >= 0:
                if s.held >= 0:
                    w.blocked[s.held] += now - s.wait_since
                w.died_waiting[line] += 1
                end_wait(w, slot, now)
            die(q, slot, s, death, m)
            w.progress_at = now
            continue
        if s.retriage_at < s.at:
            if s.retriage_at > now:
                plan(w, slot)
                return
            before = s.category
            step(q, slot, s, m, who)
            if s.category != before and s.line >= 0:
                line = s.line
                quit_line(w, slot, before, now)
                join(w, slot, line, now, False)
                if (
                    line >= RESOURCES_IN_ALL
                ):  # a ride that follows from it comes after it, in the record as well
                    schedule(w, now + 1.0, K_WAKE, 65536 + s.way, s.way, 1)
            continue
        r = np.int64(-1)
        kind = taken_by(p, s, m) if s.facility >= 0 else -1
        if kind >= 0 and not s.granted:
            r = np.int64(s.facility * RESOURCES + kind)
            if not m.network.finite[r]:
                r = np.int64(-1)
        finite_way = s.way >= 0 and m.network.way_finite[s.way]
        struck = (s.facility >= 0 and m.network.struck[s.facility]) or (
            s.stage == S_ARRIVE and m.network.struck[s.destination]
        )
        touches = (
            r >= 0
            or s.granted
            or s.line >= 0
            or struck
            or (finite_way and (s.stage == S_REQUEST or s.stage == S_DISPOSE))
            or (s.held >= 0 and kind != -1)
            or (s.place >= 0 and (s.stage == S_DISPOSE or s.stage == S_LEAVE or s.stage == S_RTD))
            or (m.network.bumping and s.in_bay > 0)
            or (
                s.booked >= 0
                and s.stage == S_ARRIVE
                and (m.network.push or m.network.role[s.destination] == 4)
            )
        )
        if touches and s.at > now:
            if s.stage != S_TRIAGE or s.held < 0 or struck:
                plan(w, slot)
                return
            promise(w, s.held, s.at)  # the team is free when triage ends, and that is all it does to others
            s.held = -1
        if r >= 0:
            if not acquire(w, q, slot, r, now, m):
                plan(w, slot)
                return
            continue
        at = s.at
        if s.granted:
            if kind == R_PLACE:
                s.place = s.facility
                s.granted_resource = -1
            else:
                hold(w, q, slot, now, m)
        elif kind != -1 and s.held >= 0:
            release_held(w, q, slot, now, m)
        was = s.facility
        step(q, slot, s, m, who)
        if s.facility != was:
            if s.facility == EN_ROUTE:
                _leave_place(w, q, slot, now, m)
            elif s.facility >= 0:
                if not w.told:
                    w.arrived_at[s.facility] += 1
                if s.booked >= 0:
                    if not m.network.push:
                        s.place = s.booked
                    else:
                        w.inside[s.booked] -= 1
                    s.booked = -1
        if s.stage == S_AWAIT and s.line < 0:
            s.wait_until = math.inf
            start_wait(q, slot, s, at, 6, m)
            if s.facility == AT_POI:
                resume_waiting(s)
            join(w, slot, RESOURCES_IN_ALL + s.way, now, False)
            serve_way(w, q, s.way, now, m)
        if s.stage != S_CLOSED and _closable(w, q, slot, m):
            if s.stage == S_RTD:
                _settle(w, slot, m)
            _finish(w, q, o, slot, m)
            return


@inner
def _take_in(w: Any, q: Any, o: Any, arrival: Any, m: Any) -> None:
    """A casualty comes about."""
    who = (arrival.cell, arrival.index)
    w.arrived += 1
    if w.foreign[arrival.front]:
        return
    if not m.network.poi_ahead[arrival.front]:
        w.closed_patients += 1
        if w.told:
            identify(o.patients[o.rows[PATIENTS]], arrival, m.care.threshold[0])
            _tell(w, o, -1, m, who)
        else:
            p = q.patients[SLOTS]
            s = w.states[SLOTS]
            identify(p, arrival, m.care.threshold[0])
            _prepare(q, SLOTS, s, m, who)
            _walk(w, q, SLOTS, s, -1, m, who)
            w.outcomes[p.stream, p.status if p.closed <= m.care.horizon[0] else IN_CARE] += 1
        return
    slot = new_slot(w)
    if slot < 0:
        return
    s = w.states[slot]
    identify(q.patients[slot], arrival, m.care.threshold[0])
    _prepare(q, slot, s, m, who)
    s.order = w.arrived
    _own_events(w, q, o, slot, np.float64(arrival.time), m)


@inner
def _hit(w: Any, q: Any, o: Any, number: Any, now: Any, m: Any) -> None:
    """A facility is hit: capacity is lost; those inside are killed or begin again with triage."""
    f = m.network.happens_to[number]
    for k in range(RESOURCES):
        r = f * RESOURCES + k
        if m.network.capacity[r] < UNLIMITED:  # a bay may count as finite for its blood
            touch(w, r, now)
            gone = int(m.network.happens_value[number] * m.network.capacity[r] + 0.5)
            w.lost[r] += gone
            if k != R_TABLE:
                w.capacity[r] -= gone
    set_tables(w, f, now, m)
    for slot in range(w.used_slots):
        s = w.states[slot]
        if s.nobody or s.facility != f or s.stage == S_LEAVE or s.stage == S_CLOSED:
            continue
        u = unit(words(m.keys[Z_VEHICLES], s.cell, s.index, 16 + number)[0])
        if u < m.network.happens_killed[number]:
            if s.line >= 0:
                end_wait(w, slot, now)
            note(w, s, now, J_KILLED, 0)
            killed(q, slot, s, now)
            s.retriage_at = math.inf
            _own_events(w, q, o, slot, now, m)
        elif s.stage != S_AWAIT and s.stage != S_ADMIT:  # who waits at the door is not inside
            if s.line >= 0:
                end_wait(w, slot, now)
            release_held(w, q, slot, now, m)
            if s.granted_resource >= 0:
                r = s.granted_resource
                s.granted_resource = -1
                let_go(w, q, r, now, m)
            s.granted = 0
            note(w, s, now, J_REQUEUED, 0)
            requeue(q, slot, s, now)
            plan(w, slot)


@inner
def _happen(w: Any, q: Any, o: Any, number: Any, now: Any, m: Any) -> None:
    """Something of the scenario's world happens."""
    what = m.network.happens[number]
    target = m.network.happens_to[number]
    if what == W_OPEN:
        w.closed[target] -= 1
        fill(w, q, target, now, m)
    elif what == W_CLOSE:
        w.closed[target] += 1
    elif what == W_HIT:
        _hit(w, q, o, number, now, m)
    elif what == W_HIT_END:
        for k in range(RESOURCES):
            r = target * RESOURCES + k
            if m.network.capacity[r] < UNLIMITED:
                touch(w, r, now)
                back = int(m.network.happens_value[number] * m.network.capacity[r] + 0.5)
                w.lost[r] -= back
                if k != R_TABLE:
                    w.capacity[r] += back
        set_tables(w, target, now, m)
        for k in range(RESOURCES):
            give_waiting(w, q, target * RESOURCES + k, now, m)
        fill(w, q, target, now, m)
    elif what == W_VEHICLES_OUT:
        w.idle[target] -= int(m.network.happens_value[number])
    else:
        w.idle[target] += int(m.network.happens_value[number])
        use_pool(w, q, target, now, m)


@inner
def _sample(w: Any, now: Any, m: Any) -> None:
    """One row of the time series for each finite resource."""
    dt = now - w.sampled_at
    if dt <= 0.0:
        return
    for r in range(m.network.facilities * RESOURCES):
        if m.network.capacity[r] >= UNLIMITED:
            continue
        touch(w, r, now)
        if w.samples >= SAMPLE_ROWS:
            return
        row = w.sample[w.samples]
        row.at = np.int64(now)
        row.facility = r // RESOURCES
        row.resource = r - (r // RESOURCES) * RESOURCES
        row.in_use = (w.used_area[r] - w.sampled_used[r]) / dt
        row.queue = (w.queue_area[r] - w.sampled_queue[r]) / dt
        row.in_use_now = w.in_use[r]
        row.queue_now = w.waiting[r]
        row.capacity = w.capacity[r]
        w.sampled_used[r] = w.used_area[r]
        w.sampled_queue[r] = w.queue_area[r]
        w.samples += 1
    w.sampled_at = now


@inner
def _patience(m: Any) -> float:
    """PATIENCE, or longer where batches wait long, lifts come seldom or weather mostly keeps vehicles grounded."""
    patience = PATIENCE
    for k in range(m.network.way_first[m.network.ways - 1] + m.network.way_count[m.network.ways - 1]):
        patience = max(patience, m.network.batch_wait[k] + DAY)
    for pool in range(m.network.pools):
        every = DAY
        if m.network.lift_every[pool] > 0.0 and m.network.lift_cancelled[pool] < 1.0:
            every = max(every, m.network.lift_every[pool] / (1.0 - m.network.lift_cancelled[pool]))
            patience = max(patience, m.network.lift_first[pool] + 20.0 * every)
        if m.network.grounded[pool] < 1.0:
            patience = max(patience, 20.0 * every / (1.0 - m.network.grounded[pool]))
    return patience


@inner
def _helps(w: Any, tie: Any, what: Any, version: Any) -> bool:
    """Whether an entry of the calendar may help somebody who waits."""
    kind = tie >> np.int64(48)
    if kind == K_PATIENT:
        s = w.states[what]
        return bool(version == s.version and not s.nobody and (s.line < 0 or death_time(s) < math.inf))
    return kind in (K_WORLD, K_RETURN, K_RELEASE, K_PICK_UP, K_SURGE)


@inner
def _stuck(w: Any) -> bool:
    """Whether no entry of the calendar can ever help those who wait: only clocks are left, and re-triage."""
    c = w.calendar
    for k in range(c.in_front):
        e = c.heap[FRONT + k]
        if _helps(w, e.tie, e.what, e.version):
            return False
    for place in range(BUCKETS):
        at = np.int64(c.bucket[place])
        while at >= 0:
            e = c.listed[at]
            if _helps(w, e.tie, e.what, e.version):
                return False
            at = np.int64(e.next)
    for k in range(c.in_far):
        e = c.heap[FAR + k]
        if _helps(w, e.tie, e.what, e.version):
            return False
    return True


@inner
def _teams(w: Any, f: Any, change: Any, now: Any, m: Any) -> None:
    """A shift begins: the surgical teams of the roster."""
    w.teams[f] = m.network.teams[f, change]
    set_tables(w, f, now, m)


@inner
def _roster(w: Any, f: Any, now: Any, m: Any) -> int:
    """Which change of a roster comes next after `now`; enters it in the calendar. Returns the one in force."""
    n = m.network.shifts[f]
    clock = m.people.start[0] + now
    day = math.floor(clock / DAY) * DAY
    within = clock - day
    following = 0
    at = day + DAY + m.network.shift[f, 0]
    for k in range(n):
        if m.network.shift[f, k] > within:
            following = k
            at = day + m.network.shift[f, k]
            break
    schedule(w, at - m.people.start[0], K_ROSTER, f, f, following)
    return (following + n - 1) % n


@entry
def begin_run(world: Any, model: Any) -> None:
    """Capacities, rosters, vehicles and all that is fixed by the clock are entered in an empty world."""
    w = world[0]
    m = model[0]
    for f in range(m.network.facilities):
        w.closed[f] = m.network.closed[f]
        w.blood[f] = m.network.blood[f]
        w.teams[f] = m.network.capacity[f * RESOURCES + R_TABLE]
        for k in range(RESOURCES):
            w.capacity[f * RESOURCES + k] = m.network.capacity[f * RESOURCES + k]
        if m.network.shifts[f] > 0:
            _teams(w, f, _roster(w, f, 0.0, m), 0.0, m)
        if m.network.resupply_every[f] > 0.0:
            schedule(w, m.network.resupply_every[f], K_RESUPPLY, f, f, 0)
    for pool in range(m.network.pools):
        w.idle[pool] = m.network.vehicles[pool]
        if m.network.lift_every[pool] > 0.0:
            schedule(w, m.network.lift_first[pool], K_LIFT, pool, pool, 0)
    for k in range(m.network.happenings):
        schedule(w, m.network.happens_at[k], K_WORLD, k, k, 0)
    if w.sample_every > 0.0:
        schedule(w, w.sample_every, K_SAMPLE, 0, 0, 0)


@inner
def _clockwork(w: Any, q: Any, kind: Any, what: Any, version: Any, now: Any, m: Any) -> None:
    """What comes round by the clock."""
    if kind == K_ROSTER:
        _teams(w, what, version, now, m)
        _roster(w, what, now, m)
        give_waiting(w, q, what * RESOURCES + R_TABLE, now, m)
    elif kind == K_RESUPPLY:
        w.blood[what] += m.network.resupply[what]
        schedule(w, now + m.network.resupply_every[what], K_RESUPPLY, what, what, 0)
    elif kind == K_SURGE:
        w.surge_coming[what] = 0
        set_surge(w, what, 1, now, m)
        for k in range(RESOURCES):
            give_waiting(w, q, what * RESOURCES + k, now, m)
        fill(w, q, what, now, m)
    elif kind == K_SAMPLE:
        _sample(w, now, m)
        schedule(w, now + w.sample_every, K_SAMPLE, 0, 0, 0)
    elif version == 0:
        use_pool(w, q, what, now, m)
    else:
        serve_way(w, q, what, now, m)


@inner
def _perform(w: Any, q: Any, o: Any, kind: Any, what: Any, version: Any, now: Any, m: Any) -> None:
    """One entry of the calendar."""
    if kind == K_PATIENT:
        if w.states[what].version == version:
            _own_events(w, q, o, what, now, m)
    elif kind == K_RETURN:
        w.idle[what] += 1
        if w.wanted[what]:
            w.wanted[what] = 0
            use_pool(w, q, what, now, m)
    elif kind == K_PICK_UP:
        pick_up(w, q, what, now, m)
    elif kind == K_RELEASE:
        w.releases -= 1
        if version == 0:
            let_go(w, q, what, now, m)
        elif m.network.push:
            let_go(w, q, what * RESOURCES + R_PLACE, now, m)
        else:
            unbook(w, what, now, m)
            fill(w, q, what, now, m)
    elif kind == K_WORLD:
        _happen(w, q, o, what, now, m)
    elif kind == K_LIFT:
        lift(w, q, what, now, m)
    else:
        _clockwork(w, q, kind, what, version, now, m)


@inner
def _finish_open(w: Any, q: Any, o: Any, slots: Any, m: Any) -> None:
    """At the horizon: the records of patients who are still open."""
    for k in range(len(slots)):
        slot = np.int64(slots[k])
        s = w.states[slot]
        line = s.line
        if line >= 0:
            touch_line(w, line, w.now)
            w.wait_sum[line, s.category] += w.now - s.wait_since
            w.wait_count[line, s.category] += 1
        w.turn = AT_HORIZON + s.order
        _finish(w, q, o, slot, m)


@entry
def advance(world: Any, arrivals: Any, model: Any, quiet: Any, output: Any, room: int, leaving: Any) -> None:
    """Go on until `room` patients stand in `output`, arrivals run out, or all is over; world[0].status says which.

    `leaving`: slots of patients still open at the horizon; where there are any, only their records are told.

    `quiet` and `output` are rows of output.OUTPUT; nothing is logged in the first. At most PARQUET_PART patients
    have room.
    """
    w = world[0]
    m = model[0]
    q = quiet[0]
    o = output[0]
    horizon = m.care.horizon[0]
    w.status = RUNNING
    if len(leaving) > 0:
        _finish_open(w, q, o, leaving, m)
        return
    if w.cursor == 0 and len(arrivals) > 1 and arrivals[-1].time > arrivals[0].time:
        suit(w.calendar, (arrivals[-1].time - arrivals[0].time) / (len(arrivals) - 1), w.now)
    steps = 0
    while w.status == RUNNING:
        if o.rows[PATIENTS] >= room:
            w.status = FULL
            break
        if w.cursor >= len(arrivals) and not w.exhausted:
            w.status = HUNGRY
            break
        coming = w.cursor < len(arrivals)
        over = not coming and w.open == 0 and w.releases == 0
        at = next_time(w.calendar)
        if over and (at > w.until or (at == w.until and w.calendar.heap[FRONT].tie >= w.until_turn)):
            w.now = max(w.now, w.until)
            w.status = OVER
            break
        if coming and arrivals[w.cursor].time <= at:
            w.now = arrivals[w.cursor].time
            w.turn_at = w.now
            w.turn = ARRIVES + w.arrived
            _take_in(w, q, o, arrivals[w.cursor], m)
            w.cursor += 1
        elif at == math.inf and horizon == math.inf:
            w.status = STUCK
        elif at > horizon:
            w.now = horizon
            w.turn_at = horizon
            w.turn = AT_HORIZON
            w.status = HORIZON
        else:
            first = w.calendar.heap[FRONT]
            kind = first.tie >> np.int64(48)
            what = np.int64(first.what)
            version = np.int64(first.version)
            if at > w.turn_at:
                w.turn_at = at
                w.turn = first.tie
            elif at == w.turn_at:
                w.turn = max(w.turn, first.tie)
            take_first(w.calendar)
            w.now = at
            _perform(w, q, o, kind, what, version, at, m)
            stalled = not coming and not over and horizon == math.inf and at - w.progress_at > PATIENCE
            if stalled and at - w.progress_at > _patience(m):
                if _stuck(w):
                    w.status = STUCK
                w.progress_at = at
        steps += 1
        w.steps += 1
        if w.calendar.overflow:
            w.status = CROWDED
        if steps >= STEPS:
            break


@entry
def close_books(world: Any, model: Any) -> None:
    """Bring all time integrals to the end of the run: the last thing that happened, or was promised to."""
    w = world[0]
    m = model[0]
    for r in range(m.network.facilities * RESOURCES):
        if w.promised_first[r] >= 0:
            w.now = min(m.care.horizon[0], max(w.now, w.notes[w.promised_last[r]].at))
    for r in range(m.network.facilities * RESOURCES):
        touch(w, r, w.now)
        w.stay_sum[r] += w.in_use[r] * w.now
    for line in range(RESOURCES_IN_ALL, RESOURCES_IN_ALL + m.network.ways):
        touch_line(w, line, w.now)


__all__ = ["advance", "begin_run", "close_books"]
