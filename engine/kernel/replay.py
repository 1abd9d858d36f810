"""The replay pass: runs the stages for one casualty alone and writes the record.

What depends on other patients is read from the casualty's decision log, which the decision pass has filled.
"""

import math

from engine.clinical import death_time, take_last, take_until, take_with_events
from engine.codes import (
    AT_POI,
    TRANSPORT,
)
from engine.kernel.codes import FIRST_INTERRUPTION, Decision, Stage
from engine.kernel.disposition_stages import board_vehicle
from engine.kernel.facility_stages import needed_resource, resource_of_stage
from engine.kernel.interruptions import bump_from_bay, restart_care
from engine.kernel.outcomes import die, kill_in_hit
from engine.kernel.poi_stages import set_next_poi_stage
from engine.kernel.records import begin_record, end_record
from engine.kernel.remains_stages import board_remains
from engine.kernel.resources import apply_grant
from engine.kernel.stages import perform_stage
from engine.kernel.state import KernelState, kind_of, next_due
from engine.kernel.waiting import start_wait
from engine.numeric import Counter, compiled
from engine.tables import (
    PATIENTS,
    SLOTS,
    CasualtyState,
    Model,
    Output,
)


@compiled
def _replay_ride(
    state: KernelState, output: Output, row: int, casualty: CasualtyState, entry: int, model: Model
) -> int:
    """Replay the wait for transport and the ride in the log, if any; return the next log entry.

    Without a ride, first aid may still be due at the point of injury.
    """
    casualty.wait_until = math.inf
    if entry >= 0 and state.decisions[entry].code == Decision.RIDE:
        ride = state.decisions[entry]
        casualty.wait_until = ride.at
        departure = ride.next
        arrival = state.decisions[departure].next
        begin = casualty.at if casualty.facility == AT_POI else casualty.transport_requested_at
        board_vehicle(casualty, ride.value, state.decisions[departure].at, state.decisions[arrival].at, model)
        start_wait(output, row, casualty, begin, TRANSPORT, model)
        return int(state.decisions[arrival].next)
    begin = casualty.at if casualty.facility == AT_POI else casualty.transport_requested_at
    start_wait(output, row, casualty, begin, TRANSPORT, model)
    if casualty.facility == AT_POI:
        set_next_poi_stage(casualty)
    return int(entry)


@compiled
def _replay_collection(state: KernelState, casualty: CasualtyState, entry: int, model: Model) -> int:
    """Replay the ride of the remains in the log, if any; return the next log entry."""
    if entry >= 0 and state.decisions[entry].code == Decision.COLLECTION:
        ride = state.decisions[entry]
        departure = ride.next
        arrival = state.decisions[departure].next
        board_remains(casualty, ride.value, state.decisions[departure].at, state.decisions[arrival].at, model)
        return int(state.decisions[arrival].next)
    return int(entry)


@compiled
def _replay_grant(
    state: KernelState,
    output: Output,
    row: int,
    casualty: CasualtyState,
    resource: int,
    entry: int,
    model: Model,
) -> int:
    """Replay the grant of a resource, and the wait for it if there was one; return the entry that follows.

    Without a grant in the log, the wait does not end.
    """
    asked_at = casualty.at
    casualty.at = math.inf
    casualty.wait_until = math.inf
    flags = 0
    following = int(entry)
    if entry >= 0 and state.decisions[entry].code == Decision.GRANT:
        casualty.at = state.decisions[entry].at
        casualty.wait_until = casualty.at
        flags = state.decisions[entry].value
        following = int(state.decisions[entry].next)
    if casualty.at > asked_at:
        start_wait(output, row, casualty, asked_at, kind_of(resource), model)
    casualty.granted = 1
    casualty.granted_value = flags
    return following


@compiled
def _replay_interruption(
    state: KernelState, output: Output, row: int, casualty: CasualtyState, entry: int, model: Model
) -> int:
    """Replay a bump or a hit; return the entry that follows."""
    decision = state.decisions[entry]
    if decision.code == Decision.BUMPED:
        bump_from_bay(output, row, casualty, decision.at)
    elif decision.code == Decision.KILLED:
        kill_in_hit(output, row, casualty, decision.at, model)
    else:
        restart_care(output, row, casualty, decision.at)
    casualty.granted = 0
    return int(decision.next)


@compiled
def _is_interruption(state: KernelState, entry: int) -> bool:
    """Return whether a log entry is a bump or a hit."""
    return bool(entry >= 0 and state.decisions[entry].code >= FIRST_INTERRUPTION)


@compiled
def _is_interrupted(state: KernelState, casualty: CasualtyState, entry: int, until: float) -> bool:
    """Return whether the log gives an interruption at or before `until`.

    If a bump and the start of care have the same time, the care starts first.
    """
    if not _is_interruption(state, entry) or state.decisions[entry].at > until:
        return False
    return bool(state.decisions[entry].code != Decision.BUMPED or casualty.stage == Stage.TREATED)


@compiled
def replay(
    state: KernelState,
    output: Output,
    row: int,
    casualty: CasualtyState,
    first_entry: int,
    model: Model,
    counter: Counter,
) -> None:
    """Move one casualty from stage to stage until the outcome is fixed or the horizon is reached.

    Parameters
    ----------
    first_entry
        The first entry of the decision log, a row of `state.decisions`; -1: the log is empty.
    """
    entry = int(first_entry)
    ride_replayed = False
    while casualty.stage != Stage.CLOSED:
        # before the horizon check: a ride after the horizon also needs its wait replayed
        if casualty.stage == Stage.AWAIT_TRANSPORT and not ride_replayed:
            ride_replayed = True
            entry = _replay_ride(state, output, row, casualty, entry, model)
            continue
        if casualty.stage == Stage.AWAIT_COLLECTION and not ride_replayed:
            ride_replayed = True
            entry = _replay_collection(state, casualty, entry, model)
            continue
        due = next_due(casualty)
        death = death_time(casualty)
        following = min(due, death)
        if following > model.care.horizon[0] and not _is_interruption(state, entry):
            take_until(output, row, casualty, model.care.horizon[0], model, counter)
            return
        if _is_interrupted(state, casualty, entry, following):
            take_until(output, row, casualty, state.decisions[entry].at, model, counter)
            interrupted = state.decisions[entry].at
            entry = _replay_interruption(state, output, row, casualty, entry, model)
            take_with_events(output, row, casualty, interrupted, model, counter)
            ride_replayed = False
            continue
        if death <= due:
            if death == math.inf:
                return
            take_until(output, row, casualty, death, model, counter)
            take_last(output, row, casualty, death, model, counter)
            die(output, row, casualty, death, model)
            continue
        if casualty.retriage_at >= casualty.at:
            kind = resource_of_stage(output.patients[row], casualty, model)
            resource = needed_resource(casualty, kind, model)
            if resource >= 0:
                entry = _replay_grant(state, output, row, casualty, resource, entry, model)
                continue
            take_until(output, row, casualty, due, model, counter)
            if casualty.granted and casualty.at < math.inf:
                apply_grant(casualty, casualty.at, casualty.granted_value, model)
            ride_replayed = False
        else:
            take_until(output, row, casualty, due, model, counter)
        perform_stage(output, row, casualty, model, counter)
        take_with_events(output, row, casualty, due, model, counter)


@compiled
def write_record(
    state: KernelState, output: Output, first_entry: int, model: Model, counter: Counter
) -> None:
    """Write the record of the casualty who has just been copied to the next row of `output.patients`."""
    row = output.rows[PATIENTS]
    casualty = state.casualties[SLOTS]
    first_event, first_vital = begin_record(output, row, casualty, model, counter)
    replay(state, output, row, casualty, first_entry, model, counter)
    end_record(state, output, row, casualty, first_event, first_vital, model)
