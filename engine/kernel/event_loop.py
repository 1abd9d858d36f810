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
    copy_arrival,
    death_time,
    draw_fate_of_ill,
    draw_fate_of_wounded,
    draw_illness,
    draw_person,
    draw_wound_scores,
    draw_wounds,
    log_event,
    to_uniform,
)
from engine.codes import (
    AT_POI,
    EN_ROUTE,
    HIT,
    NONE,
    RESOURCE_COUNT,
    CasualtyKind,
    DrawPurpose,
    Event,
    Outcome,
    Resource,
)
from engine.kernel.calendar import BUCKETS, FAR, FRONT, adjust_bucket_width, next_time, take_first
from engine.kernel.codes import (
    ENTRY_KIND_SHIFT,
    WAY_WAKE_ORDER,
    Decision,
    EntryKind,
    KernelExit,
    Stage,
    WorldEventKind,
)
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
from engine.kernel.state import (
    ALL_RESOURCES,
    SAMPLE_ROWS,
    KernelState,
    free_slot,
    log_decision,
    new_slot,
    schedule,
)
from engine.kernel.transport import (
    depart_lift,
    dispatch_from_pool,
    dispatch_to_facility,
    dispatch_to_way,
    free_place,
    pick_up,
)
from engine.numeric import Counter, compiled, compiled_entry, words
from engine.tables import (
    ARRIVAL_SEQUENCE,
    DAY,
    HORIZON_SEQUENCE,
    HOUR,
    PATIENTS,
    QUIET,
    SLOTS,
    UNLIMITED,
    ArrivalRow,
    CasualtyState,
    Ints,
    Model,
    Output,
    PatientRow,
    Table,
)

MAX_STEPS = 400_000
"""Entries of the calendar after which the kernel returns, so that Ctrl-C works."""

STALL_TIME = 60.0 * DAY
"""Time without any progress after which a deadlock is looked for, at least (`_stall_time`)."""


@compiled
def _discard_after_horizon(
    output: Output, row: int, casualty: CasualtyState, first_event: int, first_vital: int, model: Model
) -> None:
    """At the horizon the casualty is still in care: what lies after it is taken out again."""
    record = output.patients[row]
    horizon = int(model.care.horizon[0])
    while output.rows[0] > first_event + 1 and output.events[output.rows[0] - 1].at > horizon:
        output.rows[0] -= 1
    while output.rows[3] > first_vital and output.vitals[output.rows[3] - 1].at > horizon:
        output.rows[3] -= 1
    end_treatments(output, casualty.first_treatment, horizon, 1000)
    last = output.events[output.rows[0] - 1]
    casualty.facility = EN_ROUTE if last.kind == Event.DEPARTED else last.facility
    at = max(horizon, last.at)
    waiting = WAITING_AFTER[last.kind]
    if last.kind == Event.WAITING:
        waiting = (3, 4, 5, 7, 8, 9, 1)[last.detail]
    elif last.kind == Event.TRIAGED and casualty.facility == AT_POI:
        waiting = 1
    elif last.kind == Event.TRIAGED and casualty.wait_until > horizon:  # again, while waiting
        waiting = (
            7
            if casualty.stage == Stage.ICU
            else 8
            if casualty.stage == Stage.DISPOSITION
            else WAITING_AT[casualty.stage]
        )
    log_event(output, row, at, casualty.facility, Event.IN_CARE_AT_HORIZON, 0)
    record.death_cause = NONE
    record.waiting_for = waiting
    if record.first_care > horizon:
        record.first_care = -1
    if record.role1 > horizon:
        record.role1 = -1
    if record.role2 > horizon:
        record.role2 = -1
    if record.role3 > horizon:
        record.role3 = -1
    if record.role4 > horizon:
        record.role4 = -1
    if record.surgery > horizon:
        record.surgery = -1
    set_outcome(output, row, casualty, at, Outcome.IN_CARE)


@compiled
def _reset_casualty(record: PatientRow, casualty: CasualtyState) -> None:
    """A fresh patient row and state."""
    record.first_care = -1
    record.role1 = -1
    record.role2 = -1
    record.role3 = -1
    record.role4 = -1
    record.surgery = -1
    record.untreated_death = -1
    record.death_cause = NONE
    record.waiting_for = NONE
    record.lethal = NONE
    record.worst_ais = 0
    casualty.head_ais = 0
    casualty.admitted = 0
    casualty.expects_rtd72 = 0
    casualty.needs_surgery = 0
    casualty.resuscitated = 0
    casualty.resuscitating = 0
    casualty.operated = 0
    casualty.operated_here = 0
    casualty.definitive = 0
    casualty.decontaminated = 0
    casualty.category = 0
    casualty.outcome = 0
    casualty.retriage_at = math.inf
    casualty.wait_until = 0.0
    casualty.aboard = 1.0
    casualty.retriages = 0
    casualty.granted = 0
    casualty.sent = 0
    casualty.surged = 0
    casualty.no_blood = 0
    casualty.in_bay = 0
    casualty.chosen = 0
    casualty.line = -1
    casualty.next = -1
    casualty.previous = -1
    casualty.held = -1
    casualty.granted_resource = -1
    casualty.place = -1
    casualty.booked = -1
    casualty.journal = -1
    casualty.nobody = 0


@compiled
def _initialise_casualty(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Who the casualty of row i is and what is wrong, and the way to the first door."""
    record = output.patients[row]
    quiet = output.rows[QUIET]
    _reset_casualty(record, casualty)
    casualty.cell = counter[0]
    casualty.index = counter[1]
    if not quiet or model.network.national:
        draw_person(record, counter[0], counter[1], model.keys[DrawPurpose.PERSON], model.people)
    casualty.wound = output.rows[2]
    casualty.wounds = 0
    if record.kind == CasualtyKind.WOUNDED:
        if quiet:
            casualty.wounds = draw_wound_scores(
                record,
                output,
                casualty.wound,
                counter[0],
                counter[1],
                model.keys[DrawPurpose.INJURY],
                model.injuries,
            )
        else:
            casualty.wounds = draw_wounds(
                record,
                output,
                casualty.wound,
                counter[0],
                counter[1],
                model.keys[DrawPurpose.INJURY],
                model.injuries,
            )
        draw_fate_of_wounded(
            record,
            casualty,
            output,
            casualty.wound,
            casualty.wounds,
            counter[0],
            counter[1],
            model.keys[DrawPurpose.SURVIVAL],
            model.survival,
        )
    else:
        kills = draw_illness(record, counter[0], counter[1], model.keys[DrawPurpose.INJURY], model.injuries)
        draw_fate_of_ill(
            record, casualty, kills, counter[0], counter[1], model.keys[DrawPurpose.SURVIVAL], model.survival
        )
    if not quiet:
        for k in range(casualty.wounds):
            output.wounds[casualty.wound + k].patient = row
        output.rows[2] += casualty.wounds
    if casualty.life < math.inf:
        record.untreated_death = int(record.onset + casualty.life / casualty.factor)
    casualty.first_treatment = output.rows[1]
    casualty.first_event = output.rows[0]
    begin_at_poi(output, row, casualty, model, counter)


@compiled
def _next_due(casualty: CasualtyState) -> float:
    return min(casualty.at, casualty.retriage_at)


@compiled
def _replay_ride(
    state: KernelState, output: Output, row: int, casualty: CasualtyState, at: int, model: Model
) -> Any:
    """Waiting for transport, as the journal tells it; returns the entry after those of the ride."""
    casualty.wait_until = math.inf
    if at >= 0 and state.notes[at].code == Decision.RIDE:
        ride = state.notes[at]
        casualty.wait_until = ride.at
        departure = ride.next
        arrival = state.notes[departure].next
        begin = casualty.at if casualty.facility == AT_POI else casualty.asked_at
        board_vehicle(casualty, ride.value, state.notes[departure].at, state.notes[arrival].at, model)
        start_wait(output, row, casualty, begin, 6, model)
        return int(state.notes[arrival].next)
    begin = casualty.at if casualty.facility == AT_POI else casualty.asked_at
    start_wait(output, row, casualty, begin, 6, model)
    if casualty.facility == AT_POI:
        resume_poi_stages(casualty)
    return int(at)


@compiled
def _replay(
    state: KernelState,
    output: Output,
    row: int,
    casualty: CasualtyState,
    decisions: int,
    model: Model,
    counter: Counter,
) -> None:
    """Moves one casualty from stage to stage until the outcome is fixed or the journal ends at the horizon."""
    at = int(decisions)
    asked = False  # the wait for transport has been read
    while casualty.stage != Stage.CLOSED:
        if (
            casualty.stage == Stage.AWAIT_TRANSPORT and not asked
        ):  # the request has been made: also where the ride comes after the horizon
            asked = True
            at = _replay_ride(state, output, row, casualty, at, model)
            continue
        due = _next_due(casualty)
        death = death_time(casualty)
        if min(due, death) > model.care.horizon[0] and (at < 0 or state.notes[at].code < Decision.BUMPED):
            return
        disturbed = (
            at >= 0 and state.notes[at].code >= Decision.BUMPED and state.notes[at].at <= min(due, death)
        )
        if disturbed and (
            state.notes[at].code != Decision.BUMPED or casualty.stage == Stage.TREATED
        ):  # not before care that begins then
            entry_now = state.notes[at]
            if entry_now.code == Decision.BUMPED:
                bump_from_bay(output, row, casualty, entry_now.at)
            elif entry_now.code == Decision.KILLED:
                kill_in_hit(output, row, casualty, entry_now.at)
            else:
                restart_care(output, row, casualty, entry_now.at)
            casualty.granted = 0
            asked = False
            at = int(entry_now.next)
            continue
        if death <= due:
            if death == math.inf:
                return
            die(output, row, casualty, death, model)
            continue
        if casualty.retriage_at >= casualty.at:
            resource = needed_resource(output.patients[row], casualty, model)
            if resource >= 0:
                wait = casualty.at
                casualty.at = math.inf
                casualty.wait_until = math.inf
                value = 0
                if at >= 0 and state.notes[at].code == Decision.GRANT:
                    casualty.at = state.notes[at].at
                    casualty.wait_until = casualty.at
                    value = state.notes[at].value
                    at = int(state.notes[at].next)
                if casualty.at > wait:
                    start_wait(
                        output,
                        row,
                        casualty,
                        wait,
                        resource - (resource // RESOURCE_COUNT) * RESOURCE_COUNT,
                        model,
                    )
                casualty.granted = 1
                casualty.granted_value = value
                continue
            if casualty.granted and casualty.at < math.inf:
                apply_grant(casualty, casualty.at, casualty.granted_value, model)
            asked = False
        perform_stage(output, row, casualty, model, counter)


@compiled
def _write_record(state: KernelState, output: Output, decisions: int, model: Model, counter: Counter) -> None:
    """The record of the casualty whose identity stands in the next row of o.patients."""
    row = output.rows[PATIENTS]
    casualty = state.states[SLOTS]
    record = output.patients[row]
    first_event = output.rows[0]
    first_vital = output.rows[3]
    _initialise_casualty(output, row, casualty, model, counter)
    _replay(state, output, row, casualty, decisions, model, counter)
    if casualty.stage != Stage.CLOSED or record.closed > model.care.horizon[0]:
        _discard_after_horizon(output, row, casualty, first_event, first_vital, model)
    record.rtd72 = 1 if record.status == Outcome.RTD and record.closed - record.time <= 72 * HOUR else 0
    for k in range(first_event, output.rows[0]):
        event = output.events[k]
        if event.kind == Event.ARRIVED or event.kind == Event.STAGED:
            state.arrived_at[event.facility] += 1
    record.event_end = output.rows[0]
    record.treatment_end = output.rows[1]
    record.wound_end = output.rows[2]
    record.vital_end = output.rows[3]
    output.left[row].at = state.turn_at
    output.left[row].turn = state.turn
    output.rows[PATIENTS] = row + 1


@compiled
def _outcome_at_horizon(record: PatientRow, closed: bool, model: Model) -> int:
    """The outcome, as far as it is fixed at the horizon."""
    if closed and record.closed <= model.care.horizon[0]:
        return int(record.status)
    return int(np.int64(Outcome.IN_CARE))


@compiled
def _close_casualty(state: KernelState, scratch: Output, output: Output, slot: int, model: Model) -> None:
    """Nothing that others do matters to this patient any more: the record is told and the slot is free."""
    casualty = state.states[slot]
    record = scratch.patients[slot]
    counter = (casualty.cell, casualty.index)
    state.closed_patients += 1
    if state.told:
        row = output.rows[PATIENTS]
        output.patients[row] = record
        written = output.patients[row]
        if written.kind == CasualtyKind.PSYCHOLOGICAL:
            written.kind = CasualtyKind.DISEASE
        decided = casualty.stage == Stage.CLOSED
        status = record.status
        at = record.closed
        _write_record(state, output, casualty.journal, model, counter)
        if (
            decided
            and at <= model.care.horizon[0]
            and (output.patients[row].status != status or output.patients[row].closed != at)
        ):
            state.blame = casualty.order
            state.status = KernelExit.CONTRADICTION
    else:
        _replay(state, scratch, slot, casualty, -1, model, counter)
        state.outcomes[record.stream, _outcome_at_horizon(record, casualty.stage == Stage.CLOSED, model)] += 1
    free_slot(state, slot)


@compiled
def _free_everything(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """The place at the facility is free, and so is what the patient held."""
    casualty = state.states[slot]
    release_held(state, scratch, slot, now, model)
    if casualty.granted_resource >= 0:
        release(state, scratch, casualty.granted_resource, now, model)
        casualty.granted_resource = -1
    facility = casualty.place
    if facility >= 0:
        casualty.place = -1
        if model.network.push:
            release(state, scratch, facility * RESOURCE_COUNT + Resource.PLACE, now, model)
        else:
            free_place(state, facility, now, model)
            dispatch_to_facility(state, scratch, facility, now, model)
    facility = casualty.booked
    if facility >= 0 and casualty.stage == Stage.CLOSED:
        casualty.booked = -1
        free_place(state, facility, now, model)
        dispatch_to_facility(state, scratch, facility, now, model)


@compiled
def _is_independent(state: KernelState, scratch: Output, slot: int, model: Model) -> bool:
    """Whether nothing that others do can change the patient's future."""
    casualty = state.states[slot]
    if casualty.line >= 0 or casualty.granted:
        return False
    front = scratch.patients[slot].front
    if casualty.facility >= 0:
        if model.network.struck[casualty.facility]:
            return False
        if casualty.stage == Stage.RETURN:
            return True
        return bool(
            casualty.held < 0
            and casualty.place < 0
            and casualty.booked < 0
            and not model.network.ahead[casualty.facility, front]
        )
    return bool(
        casualty.facility == EN_ROUTE
        and casualty.stage == Stage.ARRIVE
        and casualty.booked < 0
        and casualty.held < 0
        and casualty.place < 0
        and not model.network.ahead[casualty.destination, front]
    )


@compiled
def _schedule_known_releases(state: KernelState, slot: int, model: Model) -> None:
    """Returns to duty or dies here at a time that is known: what is held will be free then."""
    casualty = state.states[slot]
    until = min(casualty.at, death_time(casualty))
    if until < math.inf:
        if casualty.held >= 0:
            state.releases += 1
            schedule(state, until, EntryKind.RELEASE, casualty.held, casualty.held, 0)
        if casualty.place >= 0:
            state.releases += 1
            schedule(state, until, EntryKind.RELEASE, ALL_RESOURCES + casualty.place, casualty.place, 1)
        casualty.held = -1
        casualty.place = -1


@compiled
def _advance_casualty(
    state: KernelState, scratch: Output, output: Output, slot: int, now: float, model: Model
) -> None:
    """What is due for a patient, and all that follows and touches nobody else."""
    casualty = state.states[slot]
    record = scratch.patients[slot]
    counter = (casualty.cell, casualty.index)
    state.progress_at = now if casualty.line < 0 else state.progress_at
    while True:
        if casualty.stage == Stage.CLOSED:
            _free_everything(state, scratch, slot, now, model)
            _close_casualty(state, scratch, output, slot, model)
            return
        due = _next_due(casualty)
        death = death_time(casualty)
        if death <= due:
            if death > now or death == math.inf:
                if death == math.inf and casualty.line < 0:
                    state.status = KernelExit.CONTRADICTION
                    state.blame = casualty.order
                schedule_next_event(state, slot)
                return
            queue = casualty.line
            if queue >= 0:
                if casualty.held >= 0:
                    state.blocked[casualty.held] += now - casualty.wait_since
                state.died_waiting[queue] += 1
                end_wait(state, slot, now)
            die(scratch, slot, casualty, death, model)
            state.progress_at = now
            continue
        if casualty.retriage_at < casualty.at:
            if casualty.retriage_at > now:
                schedule_next_event(state, slot)
                return
            before = casualty.category
            perform_stage(scratch, slot, casualty, model, counter)
            if casualty.category != before and casualty.line >= 0:
                queue = casualty.line
                leave_queue(state, slot, before, now)
                join_queue(state, slot, queue, now, False)
                if (
                    queue >= ALL_RESOURCES
                ):  # a ride that follows from it comes after it, in the record as well
                    schedule(state, now + 1.0, EntryKind.WAKE, WAY_WAKE_ORDER + casualty.way, casualty.way, 1)
            continue
        resource = -1
        kind = resource_of_stage(record, casualty, model) if casualty.facility >= 0 else -1
        if kind >= 0 and not casualty.granted:
            resource = int(casualty.facility * RESOURCE_COUNT + kind)
            if not model.network.finite[resource]:
                resource = -1
        finite_way = casualty.way >= 0 and model.network.way_finite[casualty.way]
        struck = (casualty.facility >= 0 and model.network.struck[casualty.facility]) or (
            casualty.stage == Stage.ARRIVE and model.network.struck[casualty.destination]
        )
        touches = (
            resource >= 0
            or casualty.granted
            or casualty.line >= 0
            or struck
            or (finite_way and (casualty.stage == Stage.REQUEST or casualty.stage == Stage.DISPOSITION))
            or (casualty.held >= 0 and kind != -1)
            or (
                casualty.place >= 0
                and (
                    casualty.stage == Stage.DISPOSITION
                    or casualty.stage == Stage.LEAVE
                    or casualty.stage == Stage.RETURN
                )
            )
            or (model.network.bumping and casualty.in_bay > 0)
            or (
                casualty.booked >= 0
                and casualty.stage == Stage.ARRIVE
                and (model.network.push or model.network.role[casualty.destination] == 4)
            )
        )
        if touches and casualty.at > now:
            if casualty.stage != Stage.TRIAGE or casualty.held < 0 or struck:
                schedule_next_event(state, slot)
                return
            release_later(
                state, casualty.held, casualty.at
            )  # the team is free when triage ends, and that is all it does to others
            casualty.held = -1
        if resource >= 0:
            if not acquire(state, scratch, slot, resource, now, model):
                schedule_next_event(state, slot)
                return
            continue
        at = casualty.at
        if casualty.granted:
            if kind == Resource.PLACE:
                casualty.place = casualty.facility
                casualty.granted_resource = -1
            else:
                start_holding(state, scratch, slot, now, model)
        elif kind != -1 and casualty.held >= 0:
            release_held(state, scratch, slot, now, model)
        was = casualty.facility
        perform_stage(scratch, slot, casualty, model, counter)
        if casualty.facility != was:
            if casualty.facility == EN_ROUTE:
                _free_everything(state, scratch, slot, now, model)
            elif casualty.facility >= 0:
                if not state.told:
                    state.arrived_at[casualty.facility] += 1
                if casualty.booked >= 0:
                    if not model.network.push:
                        casualty.place = casualty.booked
                    else:
                        state.inside[casualty.booked] -= 1
                    casualty.booked = -1
        if casualty.stage == Stage.AWAIT_TRANSPORT and casualty.line < 0:
            casualty.wait_until = math.inf
            start_wait(scratch, slot, casualty, at, 6, model)
            if casualty.facility == AT_POI:
                resume_poi_stages(casualty)
            join_queue(state, slot, ALL_RESOURCES + casualty.way, now, False)
            dispatch_to_way(state, scratch, casualty.way, now, model)
        if casualty.stage != Stage.CLOSED and _is_independent(state, scratch, slot, model):
            if casualty.stage == Stage.RETURN:
                _schedule_known_releases(state, slot, model)
            _close_casualty(state, scratch, output, slot, model)
            return


@compiled
def _admit_arrival(
    state: KernelState, scratch: Output, output: Output, arrival: ArrivalRow, model: Model
) -> None:
    """A casualty comes about."""
    counter = (arrival.cell, arrival.index)
    state.arrived += 1
    if state.foreign[arrival.front]:
        return
    if not model.network.poi_ahead[arrival.front]:
        state.closed_patients += 1
        if state.told:
            copy_arrival(output.patients[output.rows[PATIENTS]], arrival, model.care.threshold[0])
            _write_record(state, output, -1, model, counter)
        else:
            record = scratch.patients[SLOTS]
            casualty = state.states[SLOTS]
            copy_arrival(record, arrival, model.care.threshold[0])
            _initialise_casualty(scratch, SLOTS, casualty, model, counter)
            _replay(state, scratch, SLOTS, casualty, -1, model, counter)
            state.outcomes[record.stream, _outcome_at_horizon(record, True, model)] += 1
        return
    slot = new_slot(state)
    if slot < 0:
        return
    casualty = state.states[slot]
    copy_arrival(scratch.patients[slot], arrival, model.care.threshold[0])
    _initialise_casualty(scratch, slot, casualty, model, counter)
    casualty.order = state.arrived
    _advance_casualty(state, scratch, output, slot, float(arrival.time), model)


@compiled
def _hit_facility(
    state: KernelState, scratch: Output, output: Output, number: int, now: float, model: Model
) -> None:
    """A facility is hit: capacity is lost; those inside are killed or begin again with triage."""
    facility = model.network.happens_to[number]
    for k in range(RESOURCE_COUNT):
        resource = facility * RESOURCE_COUNT + k
        if model.network.capacity[resource] < UNLIMITED:  # a bay may count as finite for its blood
            update_integrals(state, resource, now)
            gone = int(model.network.happens_value[number] * model.network.capacity[resource] + 0.5)
            state.lost[resource] += gone
            if k != Resource.OPERATING_TABLE:
                state.capacity[resource] -= gone
    update_operating_tables(state, facility, now, model)
    for slot in range(state.used_slots):
        casualty = state.states[slot]
        if (
            casualty.nobody
            or casualty.facility != facility
            or casualty.stage == Stage.LEAVE
            or casualty.stage == Stage.CLOSED
        ):
            continue
        uniform = to_uniform(
            words(model.keys[DrawPurpose.VEHICLES], casualty.cell, casualty.index, HIT + number)[0]
        )
        if uniform < model.network.happens_killed[number]:
            if casualty.line >= 0:
                end_wait(state, slot, now)
            log_decision(state, casualty, now, Decision.KILLED, 0)
            kill_in_hit(scratch, slot, casualty, now)
            casualty.retriage_at = math.inf
            _advance_casualty(state, scratch, output, slot, now, model)
        elif (
            casualty.stage != Stage.AWAIT_TRANSPORT and casualty.stage != Stage.ADMIT
        ):  # who waits at the door is not inside
            if casualty.line >= 0:
                end_wait(state, slot, now)
            release_held(state, scratch, slot, now, model)
            if casualty.granted_resource >= 0:
                resource = casualty.granted_resource
                casualty.granted_resource = -1
                release(state, scratch, resource, now, model)
            casualty.granted = 0
            log_decision(state, casualty, now, Decision.REQUEUED, 0)
            restart_care(scratch, slot, casualty, now)
            schedule_next_event(state, slot)


@compiled
def _apply_world_event(
    state: KernelState, scratch: Output, output: Output, number: int, now: float, model: Model
) -> None:
    """Something of the scenario's world happens."""
    what = model.network.happens[number]
    target = model.network.happens_to[number]
    if what == WorldEventKind.OPEN:
        state.closed[target] -= 1
        dispatch_to_facility(state, scratch, target, now, model)
    elif what == WorldEventKind.CLOSE:
        state.closed[target] += 1
    elif what == WorldEventKind.HIT:
        _hit_facility(state, scratch, output, number, now, model)
    elif what == WorldEventKind.HIT_END:
        for k in range(RESOURCE_COUNT):
            resource = target * RESOURCE_COUNT + k
            if model.network.capacity[resource] < UNLIMITED:
                update_integrals(state, resource, now)
                back = int(model.network.happens_value[number] * model.network.capacity[resource] + 0.5)
                state.lost[resource] -= back
                if k != Resource.OPERATING_TABLE:
                    state.capacity[resource] += back
        update_operating_tables(state, target, now, model)
        for k in range(RESOURCE_COUNT):
            serve_queue(state, scratch, target * RESOURCE_COUNT + k, now, model)
        dispatch_to_facility(state, scratch, target, now, model)
    elif what == WorldEventKind.VEHICLES_OUT:
        state.idle[target] -= int(model.network.happens_value[number])
    else:
        state.idle[target] += int(model.network.happens_value[number])
        dispatch_from_pool(state, scratch, target, now, model)


@compiled
def _take_sample(state: KernelState, now: float, model: Model) -> None:
    """One row of the time series for each finite resource."""
    dt = now - state.sampled_at
    if dt <= 0.0:
        return
    for resource in range(model.network.facilities * RESOURCE_COUNT):
        if model.network.capacity[resource] >= UNLIMITED:
            continue
        update_integrals(state, resource, now)
        if state.samples >= SAMPLE_ROWS:
            return
        row = state.sample[state.samples]
        row.at = int(now)
        row.facility = resource // RESOURCE_COUNT
        row.resource = resource - (resource // RESOURCE_COUNT) * RESOURCE_COUNT
        row.in_use = (state.used_area[resource] - state.sampled_used[resource]) / dt
        row.queue = (state.queue_area[resource] - state.sampled_queue[resource]) / dt
        row.in_use_now = state.in_use[resource]
        row.queue_now = state.waiting[resource]
        row.capacity = state.capacity[resource]
        state.sampled_used[resource] = state.used_area[resource]
        state.sampled_queue[resource] = state.queue_area[resource]
        state.samples += 1
    state.sampled_at = now


@compiled
def _stall_time(model: Model) -> float:
    """PATIENCE, or longer where batches wait long, lifts come seldom or weather mostly keeps vehicles grounded."""
    patience = STALL_TIME
    for k in range(
        model.network.way_first[model.network.ways - 1] + model.network.way_count[model.network.ways - 1]
    ):
        patience = max(patience, model.network.batch_wait[k] + DAY)
    for pool in range(model.network.pools):
        every = DAY
        if model.network.lift_every[pool] > 0.0 and model.network.lift_cancelled[pool] < 1.0:
            every = max(every, model.network.lift_every[pool] / (1.0 - model.network.lift_cancelled[pool]))
            patience = max(patience, model.network.lift_first[pool] + 20.0 * every)
        if model.network.grounded[pool] < 1.0:
            patience = max(patience, 20.0 * every / (1.0 - model.network.grounded[pool]))
    return patience


@compiled
def _may_help_waiting(state: KernelState, tie: int, what: int, version: int) -> bool:
    """Whether an entry of the calendar may help somebody who waits."""
    kind = tie >> ENTRY_KIND_SHIFT
    if kind == EntryKind.PATIENT:
        casualty = state.states[what]
        return bool(
            version == casualty.version
            and not casualty.nobody
            and (casualty.line < 0 or death_time(casualty) < math.inf)
        )
    return kind in (
        EntryKind.WORLD,
        EntryKind.VEHICLE_RETURN,
        EntryKind.RELEASE,
        EntryKind.PICK_UP,
        EntryKind.SURGE,
    )


@compiled
def _is_deadlocked(state: KernelState) -> bool:
    """Whether no entry of the calendar can ever help those who wait: only clocks are left, and re-triage."""
    calendar = state.calendar
    for k in range(calendar.in_front):
        event = calendar.heap[FRONT + k]
        if _may_help_waiting(state, event.tie, event.what, event.version):
            return False
    for place in range(BUCKETS):
        at = int(calendar.bucket[place])
        while at >= 0:
            event = calendar.listed[at]
            if _may_help_waiting(state, event.tie, event.what, event.version):
                return False
            at = int(event.next)
    for k in range(calendar.in_far):
        event = calendar.heap[FAR + k]
        if _may_help_waiting(state, event.tie, event.what, event.version):
            return False
    return True


@compiled
def _begin_shift(state: KernelState, facility: int, change: int, now: float, model: Model) -> None:
    """A shift begins: the surgical teams of the roster."""
    state.teams[facility] = model.network.teams[facility, change]
    update_operating_tables(state, facility, now, model)


@compiled
def _schedule_next_shift(state: KernelState, facility: int, now: float, model: Model) -> int:
    """Which change of a roster comes next after `now`; enters it in the calendar. Returns the one in force."""
    n = model.network.shifts[facility]
    clock = model.people.start[0] + now
    day = math.floor(clock / DAY) * DAY
    within = clock - day
    following = 0
    at = day + DAY + model.network.shift[facility, 0]
    for k in range(n):
        if model.network.shift[facility, k] > within:
            following = k
            at = day + model.network.shift[facility, k]
            break
    schedule(state, at - model.people.start[0], EntryKind.ROSTER, facility, facility, following)
    return (following + n - 1) % n


@compiled_entry
def begin_run(states: Table, models: Table) -> None:
    """Capacities, rosters, vehicles and all that is fixed by the clock are entered in an empty world."""
    state: KernelState = states[0]
    model: Model = models[0]
    for facility in range(model.network.facilities):
        state.closed[facility] = model.network.closed[facility]
        state.blood[facility] = model.network.blood[facility]
        state.teams[facility] = model.network.capacity[facility * RESOURCE_COUNT + Resource.OPERATING_TABLE]
        for k in range(RESOURCE_COUNT):
            state.capacity[facility * RESOURCE_COUNT + k] = model.network.capacity[
                facility * RESOURCE_COUNT + k
            ]
        if model.network.shifts[facility] > 0:
            _begin_shift(state, facility, _schedule_next_shift(state, facility, 0.0, model), 0.0, model)
        if model.network.resupply_every[facility] > 0.0:
            schedule(state, model.network.resupply_every[facility], EntryKind.RESUPPLY, facility, facility, 0)
    for pool in range(model.network.pools):
        state.idle[pool] = model.network.vehicles[pool]
        if model.network.lift_every[pool] > 0.0:
            schedule(state, model.network.lift_first[pool], EntryKind.LIFT, pool, pool, 0)
    for k in range(model.network.happenings):
        schedule(state, model.network.happens_at[k], EntryKind.WORLD, k, k, 0)
    if state.sample_every > 0.0:
        schedule(state, state.sample_every, EntryKind.SAMPLE, 0, 0, 0)


@compiled
def _apply_clock_event(
    state: KernelState, scratch: Output, kind: int, what: int, version: int, now: float, model: Model
) -> None:
    """What comes round by the clock."""
    if kind == EntryKind.ROSTER:
        _begin_shift(state, what, version, now, model)
        _schedule_next_shift(state, what, now, model)
        serve_queue(state, scratch, what * RESOURCE_COUNT + Resource.OPERATING_TABLE, now, model)
    elif kind == EntryKind.RESUPPLY:
        state.blood[what] += model.network.resupply[what]
        schedule(state, now + model.network.resupply_every[what], EntryKind.RESUPPLY, what, what, 0)
    elif kind == EntryKind.SURGE:
        state.surge_coming[what] = 0
        set_surge(state, what, 1, now, model)
        for k in range(RESOURCE_COUNT):
            serve_queue(state, scratch, what * RESOURCE_COUNT + k, now, model)
        dispatch_to_facility(state, scratch, what, now, model)
    elif kind == EntryKind.SAMPLE:
        _take_sample(state, now, model)
        schedule(state, now + state.sample_every, EntryKind.SAMPLE, 0, 0, 0)
    elif version == 0:
        dispatch_from_pool(state, scratch, what, now, model)
    else:
        dispatch_to_way(state, scratch, what, now, model)


@compiled
def _process_entry(
    state: KernelState,
    scratch: Output,
    output: Output,
    kind: int,
    what: int,
    version: int,
    now: float,
    model: Model,
) -> None:
    """One entry of the calendar."""
    if kind == EntryKind.PATIENT:
        if state.states[what].version == version:
            _advance_casualty(state, scratch, output, what, now, model)
    elif kind == EntryKind.VEHICLE_RETURN:
        state.idle[what] += 1
        if state.wanted[what]:
            state.wanted[what] = 0
            dispatch_from_pool(state, scratch, what, now, model)
    elif kind == EntryKind.PICK_UP:
        pick_up(state, scratch, what, now, model)
    elif kind == EntryKind.RELEASE:
        state.releases -= 1
        if version == 0:
            release(state, scratch, what, now, model)
        elif model.network.push:
            release(state, scratch, what * RESOURCE_COUNT + Resource.PLACE, now, model)
        else:
            free_place(state, what, now, model)
            dispatch_to_facility(state, scratch, what, now, model)
    elif kind == EntryKind.WORLD:
        _apply_world_event(state, scratch, output, what, now, model)
    elif kind == EntryKind.LIFT:
        depart_lift(state, scratch, what, now, model)
    else:
        _apply_clock_event(state, scratch, kind, what, version, now, model)


@compiled
def _close_open_casualties(
    state: KernelState, scratch: Output, output: Output, slots: Ints, model: Model
) -> None:
    """At the horizon: the records of patients who are still open."""
    for k in range(len(slots)):
        slot = int(slots[k])
        casualty = state.states[slot]
        queue = casualty.line
        if queue >= 0:
            update_queue_integral(state, queue, state.now)
            state.wait_sum[queue, casualty.category] += state.now - casualty.wait_since
            state.wait_count[queue, casualty.category] += 1
        state.turn = HORIZON_SEQUENCE + casualty.order
        _close_casualty(state, scratch, output, slot, model)


@compiled_entry
def advance(
    states: Table, arrivals: Table, models: Table, scratches: Table, outputs: Table, room: int, leaving: Ints
) -> None:
    """Go on until `room` patients stand in `outputs`, arrivals run out, or all is over; states[0].status says which.

    `leaving`: slots of patients still open at the horizon; where there are any, only their records are told.

    `scratches` and `outputs` are rows of output.OUTPUT; nothing is logged in the first. At most PARQUET_PART patients
    have room.
    """
    state: KernelState = states[0]
    model: Model = models[0]
    scratch: Output = scratches[0]
    output: Output = outputs[0]
    horizon = model.care.horizon[0]
    state.status = KernelExit.RUNNING
    if len(leaving) > 0:
        _close_open_casualties(state, scratch, output, leaving, model)
        return
    if state.cursor == 0 and len(arrivals) > 1 and arrivals[-1].time > arrivals[0].time:
        adjust_bucket_width(
            state.calendar, (arrivals[-1].time - arrivals[0].time) / (len(arrivals) - 1), state.now
        )
    steps = 0
    while state.status == KernelExit.RUNNING:
        if output.rows[PATIENTS] >= room:
            state.status = KernelExit.CHUNK_FULL
            break
        if state.cursor >= len(arrivals) and not state.exhausted:
            state.status = KernelExit.NEEDS_ARRIVALS
            break
        coming = state.cursor < len(arrivals)
        over = not coming and state.open == 0 and state.releases == 0
        at = next_time(state.calendar)
        if over and (
            at > state.until or (at == state.until and state.calendar.heap[FRONT].tie >= state.until_turn)
        ):
            state.now = max(state.now, state.until)
            state.status = KernelExit.FINISHED
            break
        if coming and arrivals[state.cursor].time <= at:
            state.now = arrivals[state.cursor].time
            state.turn_at = state.now
            state.turn = ARRIVAL_SEQUENCE + state.arrived
            _admit_arrival(state, scratch, output, arrivals[state.cursor], model)
            state.cursor += 1
        elif at == math.inf and horizon == math.inf:
            state.status = KernelExit.DEADLOCK
        elif at > horizon:
            state.now = horizon
            state.turn_at = horizon
            state.turn = HORIZON_SEQUENCE
            state.status = KernelExit.HORIZON
        else:
            first = state.calendar.heap[FRONT]
            kind = first.tie >> ENTRY_KIND_SHIFT
            what = int(first.what)
            version = int(first.version)
            if at > state.turn_at:
                state.turn_at = at
                state.turn = first.tie
            elif at == state.turn_at:
                state.turn = max(state.turn, first.tie)
            take_first(state.calendar)
            state.now = at
            _process_entry(state, scratch, output, kind, what, version, at, model)
            stalled = not coming and not over and horizon == math.inf and at - state.progress_at > STALL_TIME
            if stalled and at - state.progress_at > _stall_time(model):
                if _is_deadlocked(state):
                    state.status = KernelExit.DEADLOCK
                state.progress_at = at
        steps += 1
        state.steps += 1
        if state.calendar.overflow:
            state.status = KernelExit.TABLES_FULL
        if steps >= MAX_STEPS:
            break


@compiled_entry
def finish_statistics(states: Table, models: Table) -> None:
    """Bring all time integrals to the end of the run: the last thing that happened, or was promised to."""
    state: KernelState = states[0]
    model: Model = models[0]
    for resource in range(model.network.facilities * RESOURCE_COUNT):
        if state.promised_first[resource] >= 0:
            state.now = min(
                model.care.horizon[0], max(state.now, state.notes[state.promised_last[resource]].at)
            )
    for resource in range(model.network.facilities * RESOURCE_COUNT):
        update_integrals(state, resource, state.now)
        state.stay_sum[resource] += state.in_use[resource] * state.now
    for queue in range(ALL_RESOURCES, ALL_RESOURCES + model.network.ways):
        update_queue_integral(state, queue, state.now)
