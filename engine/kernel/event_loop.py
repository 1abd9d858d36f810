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
    HOUR,
    copy_arrival,
    death_time,
    draw_fate_of_ill,
    draw_fate_of_wounded,
    draw_illness,
    draw_person,
    draw_wounds,
    draw_wounds_briefly,
    log_event,
    to_uniform,
)
from engine.codes import AT_POI, EN_ROUTE, NONE, CasualtyKind, DrawPurpose, Event, Outcome, Resource
from engine.kernel.calendar import BUCKETS, FAR, FRONT, adjust_bucket_width, next_time, take_first
from engine.kernel.codes import Decision, EntryKind, KernelExit, Stage, WorldEventKind
from engine.kernel.parameters import RESOURCE_COUNT, UNLIMITED
from engine.kernel.resources import (
    acquire,
    apply_grant,
    end_wait,
    join_queue,
    leave_queue,
    release,
    release_held,
    release_later,
    schedule_next_event,
    serve_queue,
    set_surge,
    start_holding,
    update_integrals,
    update_operating_tables,
    update_queue_integral,
)
from engine.kernel.stages import (
    WAITING_AFTER,
    WAITING_AT,
    begin_at_poi,
    board_vehicle,
    bump_from_bay,
    die,
    end_treatments,
    kill_in_hit,
    needed_resource,
    perform_stage,
    resource_of_stage,
    restart_care,
    resume_poi_stages,
    set_outcome,
    start_wait,
)
from engine.kernel.state import ALL_RESOURCES, SAMPLE_ROWS, free_slot, log_decision, new_slot, schedule
from engine.kernel.transport import (
    depart_lift,
    dispatch_from_pool,
    dispatch_to_facility,
    dispatch_to_way,
    free_place,
    pick_up,
)
from engine.numeric import compiled, compiled_entry, words
from engine.tables import ARRIVAL_SEQUENCE, HORIZON_SEQUENCE, PATIENTS, QUIET, SLOTS

MAX_STEPS = 400_000
"""Entries of the calendar after which the kernel returns, so that Ctrl-C works."""

STALL_TIME = 60.0 * DAY
"""Time without any progress after which a deadlock is looked for, at least (`_stall_time`)."""


@compiled
def _discard_after_horizon(o: Any, i: Any, s: Any, first_event: Any, first_vital: Any, m: Any) -> None:
    """At the horizon the casualty is still in care: what lies after it is taken out again."""
    p = o.patients[i]
    horizon = np.int64(m.care.horizon[0])
    while o.rows[0] > first_event + 1 and o.events[o.rows[0] - 1].at > horizon:
        o.rows[0] -= 1
    while o.rows[3] > first_vital and o.vitals[o.rows[3] - 1].at > horizon:
        o.rows[3] -= 1
    end_treatments(o, s.first_treatment, horizon, 1000)
    last = o.events[o.rows[0] - 1]
    s.facility = EN_ROUTE if last.kind == Event.DEPARTED else last.facility
    at = max(horizon, last.at)
    waiting = WAITING_AFTER[last.kind]
    if last.kind == Event.WAITING:
        waiting = (3, 4, 5, 7, 8, 9, 1)[last.detail]
    elif last.kind == Event.TRIAGED and s.facility == AT_POI:
        waiting = 1
    elif last.kind == Event.TRIAGED and s.wait_until > horizon:  # again, while waiting
        waiting = 7 if s.stage == Stage.ICU else 8 if s.stage == Stage.DISPOSITION else WAITING_AT[s.stage]
    log_event(o, i, at, s.facility, Event.IN_CARE_AT_HORIZON, 0)
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
    set_outcome(o, i, s, at, Outcome.IN_CARE)


@compiled
def _reset_casualty(p: Any, s: Any) -> None:
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


@compiled
def _initialise_casualty(o: Any, i: Any, s: Any, m: Any, who: Any) -> None:
    """Who the casualty of row i is and what is wrong, and the way to the first door."""
    p = o.patients[i]
    quiet = o.rows[QUIET]
    _reset_casualty(p, s)
    s.cell = who[0]
    s.index = who[1]
    if not quiet or m.network.national:
        draw_person(p, who[0], who[1], m.keys[DrawPurpose.PERSON], m.people)
    s.wound = o.rows[2]
    s.wounds = 0
    if p.kind == CasualtyKind.WOUNDED:
        if quiet:
            s.wounds = draw_wounds_briefly(
                p, o, s.wound, who[0], who[1], m.keys[DrawPurpose.INJURY], m.injuries
            )
        else:
            s.wounds = draw_wounds(p, o, s.wound, who[0], who[1], m.keys[DrawPurpose.INJURY], m.injuries)
        draw_fate_of_wounded(
            p, s, o, s.wound, s.wounds, who[0], who[1], m.keys[DrawPurpose.SURVIVAL], m.survival
        )
    else:
        kills = draw_illness(p, who[0], who[1], m.keys[DrawPurpose.INJURY], m.injuries)
        draw_fate_of_ill(p, s, kills, who[0], who[1], m.keys[DrawPurpose.SURVIVAL], m.survival)
    if not quiet:
        for k in range(s.wounds):
            o.wounds[s.wound + k].patient = i
        o.rows[2] += s.wounds
    if s.life < math.inf:
        p.untreated_death = np.int64(p.onset + s.life / s.factor)
    s.first_treatment = o.rows[1]
    s.first_event = o.rows[0]
    begin_at_poi(o, i, s, m, who)


@compiled
def _next_due(s: Any) -> float:
    return min(s.at, s.retriage_at)


@compiled
def _replay_ride(w: Any, o: Any, i: Any, s: Any, at: Any, m: Any) -> Any:
    """Waiting for transport, as the journal tells it; returns the entry after those of the ride."""
    s.wait_until = math.inf
    if at >= 0 and w.notes[at].code == Decision.RIDE:
        ride = w.notes[at]
        s.wait_until = ride.at
        departure = ride.next
        arrival = w.notes[departure].next
        begin = s.at if s.facility == AT_POI else s.asked_at
        board_vehicle(s, ride.value, w.notes[departure].at, w.notes[arrival].at, m)
        start_wait(o, i, s, begin, 6, m)
        return np.int64(w.notes[arrival].next)
    begin = s.at if s.facility == AT_POI else s.asked_at
    start_wait(o, i, s, begin, 6, m)
    if s.facility == AT_POI:
        resume_poi_stages(s)
    return np.int64(at)


@compiled
def _replay(w: Any, o: Any, i: Any, s: Any, journal: Any, m: Any, who: Any) -> None:
    """Moves one casualty from stage to stage until the outcome is fixed or the journal ends at the horizon."""
    at = np.int64(journal)
    asked = False  # the wait for transport has been read
    while s.stage != Stage.CLOSED:
        if (
            s.stage == Stage.AWAIT_TRANSPORT and not asked
        ):  # the request has been made: also where the ride comes after the horizon
            asked = True
            at = _replay_ride(w, o, i, s, at, m)
            continue
        due = _next_due(s)
        death = death_time(s)
        if min(due, death) > m.care.horizon[0] and (at < 0 or w.notes[at].code < Decision.BUMPED):
            return
        disturbed = at >= 0 and w.notes[at].code >= Decision.BUMPED and w.notes[at].at <= min(due, death)
        if disturbed and (
            w.notes[at].code != Decision.BUMPED or s.stage == Stage.TREATED
        ):  # not before care that begins then
            entry_now = w.notes[at]
            if entry_now.code == Decision.BUMPED:
                bump_from_bay(o, i, s, entry_now.at)
            elif entry_now.code == Decision.KILLED:
                kill_in_hit(o, i, s, entry_now.at)
            else:
                restart_care(o, i, s, entry_now.at)
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
            r = needed_resource(o.patients[i], s, m)
            if r >= 0:
                wait = s.at
                s.at = math.inf
                s.wait_until = math.inf
                value = 0
                if at >= 0 and w.notes[at].code == Decision.GRANT:
                    s.at = w.notes[at].at
                    s.wait_until = s.at
                    value = w.notes[at].value
                    at = np.int64(w.notes[at].next)
                if s.at > wait:
                    start_wait(o, i, s, wait, r - (r // RESOURCE_COUNT) * RESOURCE_COUNT, m)
                s.granted = 1
                s.granted_value = value
                continue
            if s.granted and s.at < math.inf:
                apply_grant(s, s.at, s.granted_value, m)
            asked = False
        perform_stage(o, i, s, m, who)


@compiled
def _write_record(w: Any, o: Any, journal: Any, m: Any, who: Any) -> None:
    """The record of the casualty whose identity stands in the next row of o.patients."""
    i = o.rows[PATIENTS]
    s = w.states[SLOTS]
    p = o.patients[i]
    first_event = o.rows[0]
    first_vital = o.rows[3]
    _initialise_casualty(o, i, s, m, who)
    _replay(w, o, i, s, journal, m, who)
    if s.stage != Stage.CLOSED or p.closed > m.care.horizon[0]:
        _discard_after_horizon(o, i, s, first_event, first_vital, m)
    p.rtd72 = 1 if p.status == Outcome.RTD and p.closed - p.time <= 72 * HOUR else 0
    for k in range(first_event, o.rows[0]):
        e = o.events[k]
        if e.kind == Event.ARRIVED or e.kind == Event.STAGED:
            w.arrived_at[e.facility] += 1
    p.event_end = o.rows[0]
    p.treatment_end = o.rows[1]
    p.wound_end = o.rows[2]
    p.vital_end = o.rows[3]
    o.left[i].at = w.turn_at
    o.left[i].turn = w.turn
    o.rows[PATIENTS] = i + 1


@compiled
def _outcome_at_horizon(p: Any, closed: Any, m: Any) -> int:
    """The outcome, as far as it is fixed at the horizon."""
    if closed and p.closed <= m.care.horizon[0]:
        return np.int64(p.status)
    return np.int64(Outcome.IN_CARE)


@compiled
def _close_casualty(w: Any, q: Any, o: Any, slot: Any, m: Any) -> None:
    """Nothing that others do matters to this patient any more: the record is told and the slot is free."""
    s = w.states[slot]
    p = q.patients[slot]
    who = (s.cell, s.index)
    w.closed_patients += 1
    if w.told:
        i = o.rows[PATIENTS]
        o.patients[i] = p
        told = o.patients[i]
        if told.kind == CasualtyKind.PSYCHOLOGICAL:
            told.kind = CasualtyKind.DISEASE
        decided = s.stage == Stage.CLOSED
        status = p.status
        at = p.closed
        _write_record(w, o, s.journal, m, who)
        if (
            decided
            and at <= m.care.horizon[0]
            and (o.patients[i].status != status or o.patients[i].closed != at)
        ):
            w.blame = s.order
            w.status = KernelExit.CONTRADICTION
    else:
        _replay(w, q, slot, s, -1, m, who)
        w.outcomes[p.stream, _outcome_at_horizon(p, s.stage == Stage.CLOSED, m)] += 1
    free_slot(w, slot)


@compiled
def _free_everything(w: Any, q: Any, slot: Any, now: Any, m: Any) -> None:
    """The place at the facility is free, and so is what the patient held."""
    s = w.states[slot]
    release_held(w, q, slot, now, m)
    if s.granted_resource >= 0:
        release(w, q, s.granted_resource, now, m)
        s.granted_resource = -1
    f = s.place
    if f >= 0:
        s.place = -1
        if m.network.push:
            release(w, q, f * RESOURCE_COUNT + Resource.PLACE, now, m)
        else:
            free_place(w, f, now, m)
            dispatch_to_facility(w, q, f, now, m)
    f = s.booked
    if f >= 0 and s.stage == Stage.CLOSED:
        s.booked = -1
        free_place(w, f, now, m)
        dispatch_to_facility(w, q, f, now, m)


@compiled
def _is_independent(w: Any, q: Any, slot: Any, m: Any) -> bool:
    """Whether nothing that others do can change the patient's future."""
    s = w.states[slot]
    if s.line >= 0 or s.granted:
        return False
    front = q.patients[slot].front
    if s.facility >= 0:
        if m.network.struck[s.facility]:
            return False
        if s.stage == Stage.RETURN:
            return True
        return bool(s.held < 0 and s.place < 0 and s.booked < 0 and not m.network.ahead[s.facility, front])
    return bool(
        s.facility == EN_ROUTE
        and s.stage == Stage.ARRIVE
        and s.booked < 0
        and s.held < 0
        and s.place < 0
        and not m.network.ahead[s.destination, front]
    )


@compiled
def _schedule_known_releases(w: Any, slot: Any, m: Any) -> None:
    """Returns to duty or dies here at a time that is known: what is held will be free then."""
    s = w.states[slot]
    until = min(s.at, death_time(s))
    if until < math.inf:
        if s.held >= 0:
            w.releases += 1
            schedule(w, until, EntryKind.RELEASE, s.held, s.held, 0)
        if s.place >= 0:
            w.releases += 1
            schedule(w, until, EntryKind.RELEASE, ALL_RESOURCES + s.place, s.place, 1)
        s.held = -1
        s.place = -1


@compiled
def _advance_casualty(w: Any, q: Any, o: Any, slot: Any, now: Any, m: Any) -> None:
    """What is due for a patient, and all that follows and touches nobody else."""
    s = w.states[slot]
    p = q.patients[slot]
    who = (s.cell, s.index)
    w.progress_at = now if s.line < 0 else w.progress_at
    while True:
        if s.stage == Stage.CLOSED:
            _free_everything(w, q, slot, now, m)
            _close_casualty(w, q, o, slot, m)
            return
        due = _next_due(s)
        death = death_time(s)
        if death <= due:
            if death > now or death == math.inf:
                if death == math.inf and s.line < 0:
                    w.status = KernelExit.CONTRADICTION
                    w.blame = s.order
                schedule_next_event(w, slot)
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
                schedule_next_event(w, slot)
                return
            before = s.category
            perform_stage(q, slot, s, m, who)
            if s.category != before and s.line >= 0:
                line = s.line
                leave_queue(w, slot, before, now)
                join_queue(w, slot, line, now, False)
                if line >= ALL_RESOURCES:  # a ride that follows from it comes after it, in the record as well
                    schedule(w, now + 1.0, EntryKind.WAKE, 65536 + s.way, s.way, 1)
            continue
        r = np.int64(-1)
        kind = resource_of_stage(p, s, m) if s.facility >= 0 else -1
        if kind >= 0 and not s.granted:
            r = np.int64(s.facility * RESOURCE_COUNT + kind)
            if not m.network.finite[r]:
                r = np.int64(-1)
        finite_way = s.way >= 0 and m.network.way_finite[s.way]
        struck = (s.facility >= 0 and m.network.struck[s.facility]) or (
            s.stage == Stage.ARRIVE and m.network.struck[s.destination]
        )
        touches = (
            r >= 0
            or s.granted
            or s.line >= 0
            or struck
            or (finite_way and (s.stage == Stage.REQUEST or s.stage == Stage.DISPOSITION))
            or (s.held >= 0 and kind != -1)
            or (
                s.place >= 0
                and (s.stage == Stage.DISPOSITION or s.stage == Stage.LEAVE or s.stage == Stage.RETURN)
            )
            or (m.network.bumping and s.in_bay > 0)
            or (
                s.booked >= 0
                and s.stage == Stage.ARRIVE
                and (m.network.push or m.network.role[s.destination] == 4)
            )
        )
        if touches and s.at > now:
            if s.stage != Stage.TRIAGE or s.held < 0 or struck:
                schedule_next_event(w, slot)
                return
            release_later(
                w, s.held, s.at
            )  # the team is free when triage ends, and that is all it does to others
            s.held = -1
        if r >= 0:
            if not acquire(w, q, slot, r, now, m):
                schedule_next_event(w, slot)
                return
            continue
        at = s.at
        if s.granted:
            if kind == Resource.PLACE:
                s.place = s.facility
                s.granted_resource = -1
            else:
                start_holding(w, q, slot, now, m)
        elif kind != -1 and s.held >= 0:
            release_held(w, q, slot, now, m)
        was = s.facility
        perform_stage(q, slot, s, m, who)
        if s.facility != was:
            if s.facility == EN_ROUTE:
                _free_everything(w, q, slot, now, m)
            elif s.facility >= 0:
                if not w.told:
                    w.arrived_at[s.facility] += 1
                if s.booked >= 0:
                    if not m.network.push:
                        s.place = s.booked
                    else:
                        w.inside[s.booked] -= 1
                    s.booked = -1
        if s.stage == Stage.AWAIT_TRANSPORT and s.line < 0:
            s.wait_until = math.inf
            start_wait(q, slot, s, at, 6, m)
            if s.facility == AT_POI:
                resume_poi_stages(s)
            join_queue(w, slot, ALL_RESOURCES + s.way, now, False)
            dispatch_to_way(w, q, s.way, now, m)
        if s.stage != Stage.CLOSED and _is_independent(w, q, slot, m):
            if s.stage == Stage.RETURN:
                _schedule_known_releases(w, slot, m)
            _close_casualty(w, q, o, slot, m)
            return


@compiled
def _admit_arrival(w: Any, q: Any, o: Any, arrival: Any, m: Any) -> None:
    """A casualty comes about."""
    who = (arrival.cell, arrival.index)
    w.arrived += 1
    if w.foreign[arrival.front]:
        return
    if not m.network.poi_ahead[arrival.front]:
        w.closed_patients += 1
        if w.told:
            copy_arrival(o.patients[o.rows[PATIENTS]], arrival, m.care.threshold[0])
            _write_record(w, o, -1, m, who)
        else:
            p = q.patients[SLOTS]
            s = w.states[SLOTS]
            copy_arrival(p, arrival, m.care.threshold[0])
            _initialise_casualty(q, SLOTS, s, m, who)
            _replay(w, q, SLOTS, s, -1, m, who)
            w.outcomes[p.stream, _outcome_at_horizon(p, True, m)] += 1
        return
    slot = new_slot(w)
    if slot < 0:
        return
    s = w.states[slot]
    copy_arrival(q.patients[slot], arrival, m.care.threshold[0])
    _initialise_casualty(q, slot, s, m, who)
    s.order = w.arrived
    _advance_casualty(w, q, o, slot, np.float64(arrival.time), m)


@compiled
def _hit_facility(w: Any, q: Any, o: Any, number: Any, now: Any, m: Any) -> None:
    """A facility is hit: capacity is lost; those inside are killed or begin again with triage."""
    f = m.network.happens_to[number]
    for k in range(RESOURCE_COUNT):
        r = f * RESOURCE_COUNT + k
        if m.network.capacity[r] < UNLIMITED:  # a bay may count as finite for its blood
            update_integrals(w, r, now)
            gone = int(m.network.happens_value[number] * m.network.capacity[r] + 0.5)
            w.lost[r] += gone
            if k != Resource.OPERATING_TABLE:
                w.capacity[r] -= gone
    update_operating_tables(w, f, now, m)
    for slot in range(w.used_slots):
        s = w.states[slot]
        if s.nobody or s.facility != f or s.stage == Stage.LEAVE or s.stage == Stage.CLOSED:
            continue
        u = to_uniform(words(m.keys[DrawPurpose.VEHICLES], s.cell, s.index, 16 + number)[0])
        if u < m.network.happens_killed[number]:
            if s.line >= 0:
                end_wait(w, slot, now)
            log_decision(w, s, now, Decision.KILLED, 0)
            kill_in_hit(q, slot, s, now)
            s.retriage_at = math.inf
            _advance_casualty(w, q, o, slot, now, m)
        elif (
            s.stage != Stage.AWAIT_TRANSPORT and s.stage != Stage.ADMIT
        ):  # who waits at the door is not inside
            if s.line >= 0:
                end_wait(w, slot, now)
            release_held(w, q, slot, now, m)
            if s.granted_resource >= 0:
                r = s.granted_resource
                s.granted_resource = -1
                release(w, q, r, now, m)
            s.granted = 0
            log_decision(w, s, now, Decision.REQUEUED, 0)
            restart_care(q, slot, s, now)
            schedule_next_event(w, slot)


@compiled
def _apply_world_event(w: Any, q: Any, o: Any, number: Any, now: Any, m: Any) -> None:
    """Something of the scenario's world happens."""
    what = m.network.happens[number]
    target = m.network.happens_to[number]
    if what == WorldEventKind.OPEN:
        w.closed[target] -= 1
        dispatch_to_facility(w, q, target, now, m)
    elif what == WorldEventKind.CLOSE:
        w.closed[target] += 1
    elif what == WorldEventKind.HIT:
        _hit_facility(w, q, o, number, now, m)
    elif what == WorldEventKind.HIT_END:
        for k in range(RESOURCE_COUNT):
            r = target * RESOURCE_COUNT + k
            if m.network.capacity[r] < UNLIMITED:
                update_integrals(w, r, now)
                back = int(m.network.happens_value[number] * m.network.capacity[r] + 0.5)
                w.lost[r] -= back
                if k != Resource.OPERATING_TABLE:
                    w.capacity[r] += back
        update_operating_tables(w, target, now, m)
        for k in range(RESOURCE_COUNT):
            serve_queue(w, q, target * RESOURCE_COUNT + k, now, m)
        dispatch_to_facility(w, q, target, now, m)
    elif what == WorldEventKind.VEHICLES_OUT:
        w.idle[target] -= int(m.network.happens_value[number])
    else:
        w.idle[target] += int(m.network.happens_value[number])
        dispatch_from_pool(w, q, target, now, m)


@compiled
def _take_sample(w: Any, now: Any, m: Any) -> None:
    """One row of the time series for each finite resource."""
    dt = now - w.sampled_at
    if dt <= 0.0:
        return
    for r in range(m.network.facilities * RESOURCE_COUNT):
        if m.network.capacity[r] >= UNLIMITED:
            continue
        update_integrals(w, r, now)
        if w.samples >= SAMPLE_ROWS:
            return
        row = w.sample[w.samples]
        row.at = np.int64(now)
        row.facility = r // RESOURCE_COUNT
        row.resource = r - (r // RESOURCE_COUNT) * RESOURCE_COUNT
        row.in_use = (w.used_area[r] - w.sampled_used[r]) / dt
        row.queue = (w.queue_area[r] - w.sampled_queue[r]) / dt
        row.in_use_now = w.in_use[r]
        row.queue_now = w.waiting[r]
        row.capacity = w.capacity[r]
        w.sampled_used[r] = w.used_area[r]
        w.sampled_queue[r] = w.queue_area[r]
        w.samples += 1
    w.sampled_at = now


@compiled
def _stall_time(m: Any) -> float:
    """PATIENCE, or longer where batches wait long, lifts come seldom or weather mostly keeps vehicles grounded."""
    patience = STALL_TIME
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


@compiled
def _may_help_waiting(w: Any, tie: Any, what: Any, version: Any) -> bool:
    """Whether an entry of the calendar may help somebody who waits."""
    kind = tie >> np.int64(48)
    if kind == EntryKind.PATIENT:
        s = w.states[what]
        return bool(version == s.version and not s.nobody and (s.line < 0 or death_time(s) < math.inf))
    return kind in (
        EntryKind.WORLD,
        EntryKind.VEHICLE_RETURN,
        EntryKind.RELEASE,
        EntryKind.PICK_UP,
        EntryKind.SURGE,
    )


@compiled
def _is_deadlocked(w: Any) -> bool:
    """Whether no entry of the calendar can ever help those who wait: only clocks are left, and re-triage."""
    c = w.calendar
    for k in range(c.in_front):
        e = c.heap[FRONT + k]
        if _may_help_waiting(w, e.tie, e.what, e.version):
            return False
    for place in range(BUCKETS):
        at = np.int64(c.bucket[place])
        while at >= 0:
            e = c.listed[at]
            if _may_help_waiting(w, e.tie, e.what, e.version):
                return False
            at = np.int64(e.next)
    for k in range(c.in_far):
        e = c.heap[FAR + k]
        if _may_help_waiting(w, e.tie, e.what, e.version):
            return False
    return True


@compiled
def _begin_shift(w: Any, f: Any, change: Any, now: Any, m: Any) -> None:
    """A shift begins: the surgical teams of the roster."""
    w.teams[f] = m.network.teams[f, change]
    update_operating_tables(w, f, now, m)


@compiled
def _schedule_next_shift(w: Any, f: Any, now: Any, m: Any) -> int:
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
    schedule(w, at - m.people.start[0], EntryKind.ROSTER, f, f, following)
    return (following + n - 1) % n


@compiled_entry
def begin_run(world: Any, model: Any) -> None:
    """Capacities, rosters, vehicles and all that is fixed by the clock are entered in an empty world."""
    w = world[0]
    m = model[0]
    for f in range(m.network.facilities):
        w.closed[f] = m.network.closed[f]
        w.blood[f] = m.network.blood[f]
        w.teams[f] = m.network.capacity[f * RESOURCE_COUNT + Resource.OPERATING_TABLE]
        for k in range(RESOURCE_COUNT):
            w.capacity[f * RESOURCE_COUNT + k] = m.network.capacity[f * RESOURCE_COUNT + k]
        if m.network.shifts[f] > 0:
            _begin_shift(w, f, _schedule_next_shift(w, f, 0.0, m), 0.0, m)
        if m.network.resupply_every[f] > 0.0:
            schedule(w, m.network.resupply_every[f], EntryKind.RESUPPLY, f, f, 0)
    for pool in range(m.network.pools):
        w.idle[pool] = m.network.vehicles[pool]
        if m.network.lift_every[pool] > 0.0:
            schedule(w, m.network.lift_first[pool], EntryKind.LIFT, pool, pool, 0)
    for k in range(m.network.happenings):
        schedule(w, m.network.happens_at[k], EntryKind.WORLD, k, k, 0)
    if w.sample_every > 0.0:
        schedule(w, w.sample_every, EntryKind.SAMPLE, 0, 0, 0)


@compiled
def _apply_clock_event(w: Any, q: Any, kind: Any, what: Any, version: Any, now: Any, m: Any) -> None:
    """What comes round by the clock."""
    if kind == EntryKind.ROSTER:
        _begin_shift(w, what, version, now, m)
        _schedule_next_shift(w, what, now, m)
        serve_queue(w, q, what * RESOURCE_COUNT + Resource.OPERATING_TABLE, now, m)
    elif kind == EntryKind.RESUPPLY:
        w.blood[what] += m.network.resupply[what]
        schedule(w, now + m.network.resupply_every[what], EntryKind.RESUPPLY, what, what, 0)
    elif kind == EntryKind.SURGE:
        w.surge_coming[what] = 0
        set_surge(w, what, 1, now, m)
        for k in range(RESOURCE_COUNT):
            serve_queue(w, q, what * RESOURCE_COUNT + k, now, m)
        dispatch_to_facility(w, q, what, now, m)
    elif kind == EntryKind.SAMPLE:
        _take_sample(w, now, m)
        schedule(w, now + w.sample_every, EntryKind.SAMPLE, 0, 0, 0)
    elif version == 0:
        dispatch_from_pool(w, q, what, now, m)
    else:
        dispatch_to_way(w, q, what, now, m)


@compiled
def _process_entry(w: Any, q: Any, o: Any, kind: Any, what: Any, version: Any, now: Any, m: Any) -> None:
    """One entry of the calendar."""
    if kind == EntryKind.PATIENT:
        if w.states[what].version == version:
            _advance_casualty(w, q, o, what, now, m)
    elif kind == EntryKind.VEHICLE_RETURN:
        w.idle[what] += 1
        if w.wanted[what]:
            w.wanted[what] = 0
            dispatch_from_pool(w, q, what, now, m)
    elif kind == EntryKind.PICK_UP:
        pick_up(w, q, what, now, m)
    elif kind == EntryKind.RELEASE:
        w.releases -= 1
        if version == 0:
            release(w, q, what, now, m)
        elif m.network.push:
            release(w, q, what * RESOURCE_COUNT + Resource.PLACE, now, m)
        else:
            free_place(w, what, now, m)
            dispatch_to_facility(w, q, what, now, m)
    elif kind == EntryKind.WORLD:
        _apply_world_event(w, q, o, what, now, m)
    elif kind == EntryKind.LIFT:
        depart_lift(w, q, what, now, m)
    else:
        _apply_clock_event(w, q, kind, what, version, now, m)


@compiled
def _close_open_casualties(w: Any, q: Any, o: Any, slots: Any, m: Any) -> None:
    """At the horizon: the records of patients who are still open."""
    for k in range(len(slots)):
        slot = np.int64(slots[k])
        s = w.states[slot]
        line = s.line
        if line >= 0:
            update_queue_integral(w, line, w.now)
            w.wait_sum[line, s.category] += w.now - s.wait_since
            w.wait_count[line, s.category] += 1
        w.turn = HORIZON_SEQUENCE + s.order
        _close_casualty(w, q, o, slot, m)


@compiled_entry
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
    w.status = KernelExit.RUNNING
    if len(leaving) > 0:
        _close_open_casualties(w, q, o, leaving, m)
        return
    if w.cursor == 0 and len(arrivals) > 1 and arrivals[-1].time > arrivals[0].time:
        adjust_bucket_width(w.calendar, (arrivals[-1].time - arrivals[0].time) / (len(arrivals) - 1), w.now)
    steps = 0
    while w.status == KernelExit.RUNNING:
        if o.rows[PATIENTS] >= room:
            w.status = KernelExit.CHUNK_FULL
            break
        if w.cursor >= len(arrivals) and not w.exhausted:
            w.status = KernelExit.NEEDS_ARRIVALS
            break
        coming = w.cursor < len(arrivals)
        over = not coming and w.open == 0 and w.releases == 0
        at = next_time(w.calendar)
        if over and (at > w.until or (at == w.until and w.calendar.heap[FRONT].tie >= w.until_turn)):
            w.now = max(w.now, w.until)
            w.status = KernelExit.FINISHED
            break
        if coming and arrivals[w.cursor].time <= at:
            w.now = arrivals[w.cursor].time
            w.turn_at = w.now
            w.turn = ARRIVAL_SEQUENCE + w.arrived
            _admit_arrival(w, q, o, arrivals[w.cursor], m)
            w.cursor += 1
        elif at == math.inf and horizon == math.inf:
            w.status = KernelExit.DEADLOCK
        elif at > horizon:
            w.now = horizon
            w.turn_at = horizon
            w.turn = HORIZON_SEQUENCE
            w.status = KernelExit.HORIZON
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
            _process_entry(w, q, o, kind, what, version, at, m)
            stalled = not coming and not over and horizon == math.inf and at - w.progress_at > STALL_TIME
            if stalled and at - w.progress_at > _stall_time(m):
                if _is_deadlocked(w):
                    w.status = KernelExit.DEADLOCK
                w.progress_at = at
        steps += 1
        w.steps += 1
        if w.calendar.overflow:
            w.status = KernelExit.TABLES_FULL
        if steps >= MAX_STEPS:
            break


@compiled_entry
def finish_statistics(world: Any, model: Any) -> None:
    """Bring all time integrals to the end of the run: the last thing that happened, or was promised to."""
    w = world[0]
    m = model[0]
    for r in range(m.network.facilities * RESOURCE_COUNT):
        if w.promised_first[r] >= 0:
            w.now = min(m.care.horizon[0], max(w.now, w.notes[w.promised_last[r]].at))
    for r in range(m.network.facilities * RESOURCE_COUNT):
        update_integrals(w, r, w.now)
        w.stay_sum[r] += w.in_use[r] * w.now
    for line in range(ALL_RESOURCES, ALL_RESOURCES + m.network.ways):
        update_queue_integral(w, line, w.now)
