"""The event kernel: moves all patients through a network of finite care (docs/model.md section 5.3).

It makes two passes over each patient, and both run the stages of `kernel.stages`. The decision pass advances all open
patients together, in the order of time. It settles what depends on other patients: who gets which resource when, who is
fetched when, and where they are brought. It writes no events; each decision is added to the decision log of the patient
it concerns. A patient is closed as soon as no other patient can affect their future. The replay pass then runs the
stages again for that patient alone. It reads the decisions from the log and writes the record. Both passes use the same
random draws, so they come to the same outcome. Where nothing finite lies ahead of a casualty, the record is written at
injury and the decision pass has nothing to do. The records come out in the order in which patients are closed.
"""

import math

from engine.codes import RESOURCE_COUNT, Resource
from engine.kernel.calendar import FRONT, adjust_bucket_width, next_time, take_first
from engine.kernel.codes import ENTRY_KIND_SHIFT, EntryKind, FullTable, KernelExit
from engine.kernel.deadlock import STALL_TIME, is_deadlocked, stall_time
from engine.kernel.decision_pass import admit_arrival, advance_casualty, close_casualty
from engine.kernel.dispatch import dispatch_from_pool, dispatch_to_facility
from engine.kernel.loading import depart_lift, pick_up, pick_up_remains
from engine.kernel.periodic import apply_clock_event
from engine.kernel.places import free_place
from engine.kernel.resources import count_wait, release, update_queue_integral
from engine.kernel.state import KERNEL_STATE, KernelState, report_error, report_full_table
from engine.kernel.world import apply_world_event, serve_after_change
from engine.numeric import compiled, compiled_entry
from engine.tables import (
    ARRIVAL,
    ARRIVAL_SEQUENCE,
    HORIZON_SEQUENCE,
    MODEL,
    OUTPUT,
    PATIENTS,
    ArrivalRow,
    Ints,
    Model,
    Output,
    Table,
)

MAX_STEPS = 100_000
"""Entries of the calendar and `visited` together, after which the kernel returns, so that Ctrl-C works."""


@compiled
def _apply_release(
    state: KernelState, scratch: Output, subject: int, version: int, now: float, model: Model
) -> None:
    """Release a unit of a resource (`version` 0), or a place at a facility (1), as scheduled."""
    state.scheduled_releases -= 1
    if version == 0:
        release(state, scratch, subject, now, model)
    elif model.network.push:
        release(state, scratch, subject * RESOURCE_COUNT + Resource.PLACE, now, model)
    else:
        free_place(state, subject, now, model)
        dispatch_to_facility(state, scratch, subject, now, model)


@compiled
def _apply_vehicle_return(state: KernelState, scratch: Output, pool: int, now: float, model: Model) -> None:
    """Make a returned vehicle idle, and send it out if a patient waits for one."""
    state.idle_vehicles[pool] += 1
    if state.vehicle_wanted[pool]:
        state.vehicle_wanted[pool] = 0
        dispatch_from_pool(state, scratch, pool, now, model)


@compiled
def _process_entry(
    state: KernelState,
    scratch: Output,
    output: Output,
    kind: int,
    subject: int,
    version: int,
    now: float,
    model: Model,
) -> None:
    """Process one entry of the calendar."""
    if kind == EntryKind.PATIENT or kind == EntryKind.RETRIAGE:
        if state.casualties[subject].version == version:
            advance_casualty(state, scratch, output, subject, now, model)
    elif kind == EntryKind.VEHICLE_RETURN:
        _apply_vehicle_return(state, scratch, subject, now, model)
    elif kind == EntryKind.PICK_UP:
        if version == 0:
            pick_up(state, scratch, subject, now, model)
        else:
            pick_up_remains(state, scratch, subject, now, model)
    elif kind == EntryKind.RELEASE:
        _apply_release(state, scratch, subject, version, now, model)
    elif kind == EntryKind.WORLD:
        apply_world_event(state, scratch, output, subject, now, model)
    elif kind == EntryKind.SERVE:
        serve_after_change(state, scratch, subject, version, now, model)
    elif kind == EntryKind.LIFT:
        depart_lift(state, scratch, subject, now, model)
    else:
        apply_clock_event(state, scratch, kind, subject, version, now, model)


@compiled
def _close_open_casualties(
    state: KernelState, scratch: Output, output: Output, slots: Ints, model: Model
) -> None:
    """Write the records of the patients who are still open at the horizon."""
    for k in range(len(slots)):
        slot = int(slots[k])
        casualty = state.casualties[slot]
        queue = casualty.queue
        if queue >= 0:
            update_queue_integral(state, queue, state.now)
            count_wait(state, queue, casualty, state.now)
        state.sequence = HORIZON_SEQUENCE + casualty.arrival_number
        close_casualty(state, scratch, output, slot, model)


@compiled
def _process_first_entry(
    state: KernelState, scratch: Output, output: Output, at: float, model: Model
) -> None:
    """Take the first entry, at `at`, out of the calendar and process it."""
    first = state.calendar.heap[FRONT]
    tie = first.tie
    subject = int(first.subject)
    version = int(first.version)
    if at > state.sequence_at:
        state.sequence_at = at
        state.sequence = tie
    elif at == state.sequence_at:
        state.sequence = max(state.sequence, tie)
    take_first(state.calendar)
    state.now = at
    _process_entry(state, scratch, output, tie >> ENTRY_KIND_SHIFT, subject, version, at, model)


@compiled
def _process_arrival(
    state: KernelState, scratch: Output, output: Output, arrival: ArrivalRow, model: Model
) -> None:
    """Advance to the next arrival and take it in."""
    state.now = arrival.time
    state.sequence_at = state.now
    state.sequence = ARRIVAL_SEQUENCE + state.arrival_count
    admit_arrival(state, scratch, output, arrival, model)
    state.next_arrival += 1


@compiled
def _check_progress(state: KernelState, at: float, model: Model) -> None:
    """Look for a deadlock after a long time without progress."""
    if at - state.progress_at > STALL_TIME and at - state.progress_at > stall_time(model):
        if is_deadlocked(state):
            report_error(state, KernelExit.DEADLOCK)
        state.progress_at = at


@compiled
def _is_after_end(state: KernelState, at: float) -> bool:
    """Return whether the first entry, at `at`, comes after the end of the whole run."""
    return bool(
        at > state.end_at or (at == state.end_at and state.calendar.heap[FRONT].tie >= state.end_sequence)
    )


@compiled
def _process_calendar(
    state: KernelState, scratch: Output, output: Output, at: float, has_arrival: bool, model: Model
) -> None:
    """Process the first entry of the calendar, at `at`, or end the run: `state.status` says which.

    `has_arrival`: an arrival follows, so that the run can neither end nor be stalled.
    """
    horizon = model.care.horizon[0]
    all_closed = not has_arrival and state.open_count == 0 and state.scheduled_releases == 0
    if all_closed and _is_after_end(state, at):
        state.now = max(state.now, state.end_at)
        state.status = KernelExit.FINISHED
    elif at == math.inf and horizon == math.inf:
        state.status = KernelExit.DEADLOCK
    elif at > horizon:
        state.now = horizon
        state.sequence_at = horizon
        state.sequence = HORIZON_SEQUENCE
        state.status = KernelExit.HORIZON
    else:
        _process_first_entry(state, scratch, output, at, model)
        if not has_arrival and not all_closed and horizon == math.inf and not state.calendar.overflow:
            _check_progress(state, at, model)


@compiled_entry(KERNEL_STATE, ARRIVAL, MODEL, OUTPUT, OUTPUT, int, "i8")
def advance(
    states: Table,
    arrivals: Table,
    models: Table,
    scratches: Table,
    outputs: Table,
    room: int,
    open_slots: Ints,
) -> None:
    """Run until `outputs` holds `room` patients, arrivals run out, or the run ends: `state.status` says which.

    Parameters
    ----------
    states
        One row of KERNEL_STATE.
    arrivals
        Rows of ARRIVAL; `state.next_arrival` is the next.
    models
        One row of MODEL.
    scratches
        One row of OUTPUT for the decision pass, which writes no events.
    outputs
        One row of OUTPUT that receives the records, of at most PARQUET_PART patients.
    room
        Patients in `outputs` at which to return.
    open_slots
        Slots of patients still open at the horizon. If there are any, only their records are written.
    """
    state: KernelState = states[0]
    model: Model = models[0]
    scratch: Output = scratches[0]
    output: Output = outputs[0]
    state.status = KernelExit.RUNNING
    if len(open_slots) > 0:
        _close_open_casualties(state, scratch, output, open_slots, model)
        return
    if state.next_arrival == 0 and len(arrivals) > 1 and arrivals[-1].time > arrivals[0].time:
        interval = (arrivals[-1].time - arrivals[0].time) / (len(arrivals) - 1)
        adjust_bucket_width(state.calendar, interval, state.now)
    steps = 0
    visited = state.visited
    while state.status == KernelExit.RUNNING and steps + state.visited - visited < MAX_STEPS:
        if output.rows[PATIENTS] >= room:
            state.status = KernelExit.CHUNK_FULL
            break
        has_arrival = state.next_arrival < len(arrivals)
        if not has_arrival and not state.arrivals_exhausted:
            state.status = KernelExit.NEEDS_ARRIVALS
            break
        at = next_time(state.calendar)
        if has_arrival and arrivals[state.next_arrival].time <= at:
            _process_arrival(state, scratch, output, arrivals[state.next_arrival], model)
        else:
            _process_calendar(state, scratch, output, at, has_arrival, model)
        steps += 1
        state.steps += 1
        if state.calendar.overflow:
            report_full_table(state, FullTable.CALENDAR)
