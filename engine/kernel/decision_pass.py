"""The decision pass for one casualty: everything that is due now, until the next event lies in the future.

A casualty whose future no other patient can affect is closed: the replay pass writes the record and the slot is free.
"""

import math

from engine.clinical import copy_arrival, death_time
from engine.codes import AT_POI, EN_ROUTE, RESOURCE_COUNT, TRANSPORT, CasualtyKind, Resource
from engine.kernel.codes import WAY_WAKE_ORDER, EntryKind, KernelExit, PlaceCount, Stage
from engine.kernel.dispatch import dispatch_to_facility, dispatch_to_way
from engine.kernel.facility_stages import KEEP_HELD, needed_resource, resource_of_stage
from engine.kernel.new_casualty import initialise_casualty
from engine.kernel.outcomes import die
from engine.kernel.places import free_place
from engine.kernel.poi_stages import set_next_poi_stage
from engine.kernel.records import has_room
from engine.kernel.remains_stages import has_outcome, is_dead, will_be_moved
from engine.kernel.remains_transport import await_collection
from engine.kernel.replay import replay, write_record
from engine.kernel.resources import (
    acquire,
    end_wait,
    join_queue,
    leave_queue,
    release,
    release_held,
    release_later,
    schedule_next_event,
    start_holding,
)
from engine.kernel.stages import perform_stage
from engine.kernel.state import (
    ALL_RESOURCES,
    KernelState,
    free_slot,
    new_slot,
    next_due,
    report_contradiction,
    schedule,
)
from engine.kernel.transport_queue import join_transport_queue
from engine.kernel.unaffected import outcome_at_horizon, write_unaffected
from engine.kernel.waiting import start_wait
from engine.numeric import Counter, compiled
from engine.tables import PATIENTS, ArrivalRow, CasualtyState, Model, Output


@compiled
def _write_closed(
    state: KernelState, scratch: Output, output: Output, slot: int, model: Model, counter: Counter
) -> None:
    """Write a casualty's record by replay, and check that it has the outcome of the decision pass.

    After an error in the same step nothing is written: the casualty's decision log may be incomplete.
    """
    if state.status != KernelExit.RUNNING or not has_room(state, output):
        return
    casualty = state.casualties[slot]
    record = scratch.patients[slot]
    row = output.rows[PATIENTS]
    output.patients[row] = record
    written = output.patients[row]
    if written.kind == CasualtyKind.PSYCHOLOGICAL:
        written.kind = CasualtyKind.DISEASE  # as it arrived; drawing the condition sets it again
    decided = has_outcome(casualty)
    status = record.status
    closed = record.closed
    write_record(state, output, casualty.first_decision, model, counter)
    if (
        decided
        and closed <= model.care.horizon[0]
        and (output.patients[row].status != status or output.patients[row].closed != closed)
    ):
        report_contradiction(state, casualty.arrival_number)


@compiled
def close_casualty(state: KernelState, scratch: Output, output: Output, slot: int, model: Model) -> None:
    """Write the record of a casualty whom no other patient can affect any more, and free the slot.

    Where no records are written, only the outcome is counted.
    """
    casualty = state.casualties[slot]
    record = scratch.patients[slot]
    counter = (casualty.cell, casualty.index)
    state.closed_count += 1
    if state.writes_records:
        _write_closed(state, scratch, output, slot, model, counter)
    else:
        replay(state, scratch, slot, casualty, -1, model, counter)
        state.outcomes[record.stream, outcome_at_horizon(record, has_outcome(casualty), model)] += 1
    free_slot(state, slot)


@compiled
def free_everything(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """Release all that the patient holds at the facility, and the place there."""
    casualty = state.casualties[slot]
    release_held(state, scratch, slot, now, model)
    if casualty.granted_resource >= 0:
        release(state, scratch, casualty.granted_resource, now, model)
        casualty.granted_resource = -1
    facility = casualty.occupied_place
    if facility >= 0:
        casualty.occupied_place = -1
        if model.network.push and model.network.counts_places[facility] != PlaceCount.UNTIL_CARE_ENDS:
            release(state, scratch, facility * RESOURCE_COUNT + Resource.PLACE, now, model)
        else:
            free_place(state, facility, now, model)
            dispatch_to_facility(state, scratch, facility, now, model)
    facility = casualty.reserved_place
    if facility >= 0 and has_outcome(casualty):
        casualty.reserved_place = -1
        free_place(state, facility, now, model)
        dispatch_to_facility(state, scratch, facility, now, model)


@compiled
def _is_independent(state: KernelState, scratch: Output, slot: int, model: Model) -> bool:
    """Return whether no other patient can affect this one any more."""
    casualty = state.casualties[slot]
    if casualty.queue >= 0 or casualty.granted or is_dead(casualty):
        return False
    front = scratch.patients[slot].front
    holds_anything = casualty.held >= 0 or casualty.occupied_place >= 0 or casualty.reserved_place >= 0
    if casualty.facility >= 0:
        if model.network.may_be_hit[casualty.facility]:
            return False
        if casualty.stage == Stage.RETURN:
            return not (
                death_time(casualty) < math.inf
                and will_be_moved(casualty, front, model)
                and model.network.finite_ahead[casualty.facility, front]
            )
        return bool(not holds_anything and not model.network.finite_ahead[casualty.facility, front])
    return bool(
        casualty.facility == EN_ROUTE
        and casualty.stage == Stage.ARRIVE
        and not holds_anything
        and not model.network.finite_ahead[casualty.destination, front]
    )


@compiled
def _schedule_known_releases(state: KernelState, slot: int, model: Model) -> None:
    """Schedule the release of what a casualty holds who returns to duty or dies here at a known time."""
    casualty = state.casualties[slot]
    until = min(casualty.at, death_time(casualty))
    if until < math.inf:
        if casualty.held >= 0:
            state.scheduled_releases += 1
            schedule(state, until, EntryKind.RELEASE, casualty.held, casualty.held, 0)
        if casualty.occupied_place >= 0:
            state.scheduled_releases += 1
            schedule(
                state,
                until,
                EntryKind.RELEASE,
                ALL_RESOURCES + casualty.occupied_place,
                casualty.occupied_place,
                1,
            )
        casualty.held = -1
        casualty.occupied_place = -1


@compiled
def _stop_until_next_event(state: KernelState, slot: int, death: float) -> None:
    """Schedule the casualty's next event. A casualty with no death and no stage ahead must be in a queue, else it
    is an error.
    """
    casualty = state.casualties[slot]
    if death == math.inf and casualty.queue < 0:
        report_contradiction(state, casualty.arrival_number)
    schedule_next_event(state, slot)


@compiled
def _die_in_decision_pass(
    state: KernelState, scratch: Output, slot: int, death: float, now: float, model: Model
) -> None:
    """Let the casualty die, and take them out of their queue if they are in one."""
    casualty = state.casualties[slot]
    queue = casualty.queue
    if queue >= 0:
        if casualty.held >= 0:
            state.blocked_time[casualty.held] += now - casualty.wait_since
        state.died_waiting[queue] += 1
        end_wait(state, slot, now)
    die(scratch, slot, casualty, death, model)
    state.progress_at = now
    if is_dead(casualty):
        free_everything(state, scratch, slot, now, model)


@compiled
def _retriage_in_queue(
    state: KernelState, scratch: Output, slot: int, now: float, model: Model, counter: Counter
) -> None:
    """Repeat the triage; a casualty whose category changes moves within the queue."""
    casualty = state.casualties[slot]
    before = casualty.category
    perform_stage(scratch, slot, casualty, model, counter)
    if casualty.category != before and casualty.queue >= 0:
        queue = casualty.queue
        leave_queue(state, slot, before, now)
        if queue < ALL_RESOURCES:
            join_queue(state, slot, queue, now, False)
        else:
            join_transport_queue(state, scratch, slot, now, model)
            # 1 ms later, so that a resulting ride follows the re-triage in the record too
            schedule(state, now + 1.0, EntryKind.WAKE, WAY_WAKE_ORDER + casualty.way, casualty.way, 1)


@compiled
def _may_be_hit(casualty: CasualtyState, model: Model) -> bool:
    """Return whether the facility that the casualty is in or about to reach may be hit."""
    if casualty.facility >= 0 and model.network.may_be_hit[casualty.facility]:
        return True
    return bool(casualty.stage == Stage.ARRIVE and model.network.may_be_hit[casualty.destination])


@compiled
def _asks_for_transport(casualty: CasualtyState, model: Model) -> bool:
    """Return whether the stage that is due may put the casualty, or the remains, in the queue of a finite way."""
    return bool(
        casualty.way >= 0
        and (
            (
                model.network.way_finite[casualty.way]
                and (
                    casualty.stage == Stage.REQUEST
                    or casualty.stage == Stage.DISPOSITION
                    or casualty.stage == Stage.COMPLICATION
                    or casualty.stage == Stage.FIT_TO_TRAVEL
                )
            )
            or (casualty.stage == Stage.REMAINS and model.network.remains_wait[casualty.way])
        )
    )


@compiled
def _frees_place(casualty: CasualtyState) -> bool:
    """Return whether the stage that is due may free the casualty's place at the facility."""
    return bool(
        casualty.occupied_place >= 0
        and (
            casualty.stage == Stage.DISPOSITION
            or casualty.stage == Stage.COMPLICATION
            or casualty.stage == Stage.FIT_TO_TRAVEL
            or casualty.stage == Stage.LEAVE
            or casualty.stage == Stage.RETURN
        )
    )


@compiled
def _uses_reserved_place(casualty: CasualtyState, model: Model) -> bool:
    """Return whether the casualty is about to arrive and so give up a reserved place, under `push` or at Role 4."""
    return bool(
        casualty.reserved_place >= 0
        and casualty.stage == Stage.ARRIVE
        and (model.network.push or model.network.role[casualty.destination] == 4)
    )


@compiled
def _affects_others(casualty: CasualtyState, kind: int, resource: int, model: Model) -> bool:
    """Return whether the stage that is due affects other patients, so that it must wait for its time.

    `kind` is what the stage takes (`resource_of_stage`), `resource` the finite resource that it needs; -1: none.
    """
    return bool(
        resource >= 0
        or casualty.granted
        or casualty.queue >= 0
        or (
            casualty.held >= 0
            and (
                kind != KEEP_HELD
                or casualty.stage == Stage.DISPOSITION
                or casualty.stage == Stage.FIT_TO_TRAVEL
            )
        )
        or (model.network.bumping and casualty.in_bay > 0)
        or _may_be_hit(casualty, model)
        or _asks_for_transport(casualty, model)
        or _frees_place(casualty)
        or _uses_reserved_place(casualty, model)
    )


@compiled
def _waits_without(casualty: CasualtyState, kind: int, model: Model) -> bool:
    """Return whether a patient who waits for the resource gives up what is held.

    Who waits for an operating table keeps the treatment bay, unless the facility says otherwise, and gives up any bed.
    Otherwise patients in beds could wait for a table that is held by one who waits for a bed.
    """
    in_bay = casualty.held % RESOURCE_COUNT == Resource.TREATMENT_BAY
    return bool(
        kind == Resource.OPERATING_TABLE and not (in_bay and model.network.holds_bay[casualty.facility])
    )


@compiled
def _only_frees_team(casualty: CasualtyState, model: Model) -> bool:
    """Return whether the due stage affects others only by freeing the triage team."""
    return bool(casualty.stage == Stage.TRIAGE and casualty.held >= 0 and not _may_be_hit(casualty, model))


@compiled
def _change_place(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """Update places after the casualty has left or reached a facility."""
    casualty = state.casualties[slot]
    if casualty.facility == EN_ROUTE:
        free_everything(state, scratch, slot, now, model)
    elif casualty.facility >= 0:
        if not state.writes_records:
            state.arrived_at[casualty.facility] += 1
        if casualty.reserved_place >= 0:
            counted = model.network.counts_places[casualty.reserved_place]
            if model.network.push and counted != PlaceCount.UNTIL_CARE_ENDS:
                state.occupancy[casualty.reserved_place] -= 1
            else:
                casualty.occupied_place = casualty.reserved_place
            casualty.reserved_place = -1


@compiled
def _queue_for_transport(
    state: KernelState, scratch: Output, slot: int, requested_at: float, now: float, model: Model
) -> None:
    """Join the queue of the way, and send vehicles to it."""
    casualty = state.casualties[slot]
    casualty.wait_until = math.inf
    start_wait(scratch, slot, casualty, requested_at, TRANSPORT, model)
    if casualty.facility == AT_POI:
        set_next_poi_stage(casualty)
    join_transport_queue(state, scratch, slot, now, model)
    dispatch_to_way(state, scratch, casualty.way, now, model)


@compiled
def _perform_due_stage(
    state: KernelState, scratch: Output, slot: int, kind: int, now: float, model: Model, counter: Counter
) -> None:
    """Perform the stage that is due: take up what was granted, release what was held, update places and queues.

    `kind` is what the stage takes (`resource_of_stage`).
    """
    casualty = state.casualties[slot]
    due = casualty.at
    if casualty.granted:
        if kind == Resource.PLACE:
            casualty.occupied_place = casualty.facility
            casualty.granted_resource = -1
        else:
            start_holding(state, scratch, slot, now, model)
    elif kind != KEEP_HELD and casualty.held >= 0:
        release_held(state, scratch, slot, now, model)
    facility = casualty.facility
    care_ends = casualty.stage == Stage.DISPOSITION
    may_go = care_ends or casualty.stage == Stage.FIT_TO_TRAVEL
    dead = is_dead(casualty)
    perform_stage(scratch, slot, casualty, model, counter)
    if dead:
        if casualty.stage == Stage.AWAIT_COLLECTION:
            await_collection(state, slot, due, now)
            dispatch_to_way(state, scratch, casualty.way, now, model)
        return
    if casualty.facility != facility:
        _change_place(state, scratch, slot, now, model)
    elif may_go and casualty.in_quarters:
        free_everything(state, scratch, slot, now, model)
    elif (
        care_ends
        and casualty.occupied_place >= 0
        and model.network.counts_places[facility] == PlaceCount.UNTIL_CARE_ENDS
    ):
        casualty.occupied_place = -1
        free_place(state, facility, now, model)
    if casualty.stage == Stage.AWAIT_TRANSPORT and casualty.queue < 0:
        _queue_for_transport(state, scratch, slot, due, now, model)


@compiled
def advance_casualty(
    state: KernelState, scratch: Output, output: Output, slot: int, now: float, model: Model
) -> None:
    """Perform all that is due for a casualty at `now`, and later stages as long as they affect no other patient.

    Stops when the next event lies in the future, when the casualty joins a queue, or when the casualty is closed.
    """
    casualty = state.casualties[slot]
    record = scratch.patients[slot]
    counter = (casualty.cell, casualty.index)
    if casualty.queue < 0:
        state.progress_at = now
    while True:
        if casualty.stage == Stage.CLOSED:
            free_everything(state, scratch, slot, now, model)
            close_casualty(state, scratch, output, slot, model)
            return
        due = next_due(casualty)
        death = death_time(casualty)
        if death <= due:
            if death > now or death == math.inf:
                _stop_until_next_event(state, slot, death)
                return
            _die_in_decision_pass(state, scratch, slot, death, now, model)
            continue
        if casualty.retriage_at < casualty.at:
            if casualty.retriage_at > now:
                schedule_next_event(state, slot)
                return
            _retriage_in_queue(state, scratch, slot, now, model, counter)
            continue
        kind = resource_of_stage(record, casualty, model) if casualty.facility >= 0 else KEEP_HELD
        resource = needed_resource(casualty, kind, model)
        if casualty.at > now and _affects_others(casualty, kind, resource, model):
            if not _only_frees_team(casualty, model):
                schedule_next_event(state, slot)
                return
            release_later(state, casualty.held, casualty.at)
            casualty.held = -1
        if resource >= 0:
            if not acquire(state, scratch, slot, resource, now, model):
                if casualty.held >= 0 and _waits_without(casualty, kind, model):
                    release_held(state, scratch, slot, now, model)
                schedule_next_event(state, slot)
                return
            continue
        _perform_due_stage(state, scratch, slot, kind, now, model, counter)
        if casualty.stage != Stage.CLOSED and _is_independent(state, scratch, slot, model):
            if casualty.stage == Stage.RETURN:
                _schedule_known_releases(state, slot, model)
            close_casualty(state, scratch, output, slot, model)
            return


@compiled
def admit_arrival(
    state: KernelState, scratch: Output, output: Output, arrival: ArrivalRow, model: Model
) -> None:
    """Take a new casualty into the simulation."""
    counter = (arrival.cell, arrival.index)
    state.arrival_count += 1
    if state.excluded_front[arrival.front]:
        return
    if not model.network.poi_finite_ahead[arrival.front]:
        write_unaffected(state, scratch, output, arrival, model)
        return
    slot = new_slot(state)
    if slot < 0:
        return
    casualty = state.casualties[slot]
    copy_arrival(scratch.patients[slot], arrival, model.care.mascal_threshold[0])
    initialise_casualty(scratch, slot, casualty, model, counter)
    casualty.arrival_number = state.arrival_count
    advance_casualty(state, scratch, output, slot, float(arrival.time), model)
