"""The replay pass: runs the stages for one casualty alone and writes the record.

What depends on other patients is read from the casualty's decision log, which the decision pass has filled.
"""

import math

from engine.clinical import death_time, log_event, set_service_number
from engine.codes import (
    AT_POI,
    EN_ROUTE,
    NONE,
    TRANSPORT,
    WAIT_REASONS,
    DrawPurpose,
    Event,
    Outcome,
    WaitingFor,
)
from engine.kernel.codes import FIRST_INTERRUPTION, Decision, KernelExit, Stage, by_code
from engine.kernel.disposition_stages import board_vehicle
from engine.kernel.facility_stages import needed_resource, resource_of_stage
from engine.kernel.interruptions import bump_from_bay, restart_care
from engine.kernel.new_casualty import initialise_casualty
from engine.kernel.outcomes import ONE_SECOND, die, end_treatments, kill_in_hit, set_outcome
from engine.kernel.poi_stages import set_next_poi_stage
from engine.kernel.resources import apply_grant
from engine.kernel.stages import perform_stage
from engine.kernel.state import KernelState, kind_of, next_due
from engine.kernel.waiting import QUEUEING_AT, start_wait
from engine.numeric import Counter, compiled
from engine.tables import (
    EVENT_COUNT,
    HOUR,
    MAX_EVENTS,
    MAX_TREATMENTS,
    MAX_VITALS,
    MAX_WOUNDS,
    PATIENTS,
    SLOTS,
    TREATMENT_COUNT,
    VITAL_COUNT,
    WOUND_COUNT,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

WAITING_AFTER = by_code(
    {
        Event.INJURED: WaitingFor.FIRST_AID,
        Event.FELL_ILL: WaitingFor.EVACUATION,
        Event.EXPOSED: WaitingFor.FIRST_AID,
        Event.SYMPTOM_ONSET: WaitingFor.FIRST_AID,
        Event.FIRST_AID: WaitingFor.EVACUATION,
        Event.TRIAGED: WaitingFor.TREATMENT,
        Event.EVACUATION_REQUESTED: WaitingFor.EVACUATION,
        Event.DEPARTED: WaitingFor.TRANSPORT,
        Event.ARRIVED: WaitingFor.TRIAGE,
        Event.DECONTAMINATION_STARTED: WaitingFor.TRIAGE,
        Event.DECONTAMINATION_ENDED: WaitingFor.TRIAGE,
        Event.CARE_STARTED: WaitingFor.TREATMENT,
        Event.CARE_ENDED: WaitingFor.RECOVERY,
        Event.RESUSCITATION_STARTED: WaitingFor.TREATMENT,
        Event.RESUSCITATION_ENDED: WaitingFor.SURGERY,
        Event.SURGERY_STARTED: WaitingFor.SURGERY,
        Event.SURGERY_ENDED: WaitingFor.RECOVERY,
        Event.DEFINITIVE_SURGERY_STARTED: WaitingFor.SURGERY,
        Event.DEFINITIVE_SURGERY_ENDED: WaitingFor.RECOVERY,
        Event.ICU_ADMITTED: WaitingFor.RECOVERY,
        Event.WARD_ADMITTED: WaitingFor.RECOVERY,
        Event.BUMPED: WaitingFor.TREATMENT,
        Event.CARE_RESUMED: WaitingFor.TREATMENT,
        Event.REFUSED: WaitingFor.PLACE,
        Event.FACILITY_HIT: WaitingFor.TRIAGE,
        Event.STAGED: WaitingFor.EVACUATION,
    },
    Event,
)
"""By kind of the last event: what a casualty in care at the horizon waits for. For WAITING see WAIT_REASONS."""


@compiled
def _awaited_at_horizon(casualty: CasualtyState, kind: int, detail: int, horizon: float) -> int:
    """Return the `WaitingFor` of a casualty in care at the horizon, whose last event was of `kind`."""
    if kind == Event.WAITING:
        return WAIT_REASONS[detail]
    if kind == Event.TRIAGED and casualty.facility == AT_POI:
        return WaitingFor.EVACUATION
    if kind == Event.TRIAGED and casualty.wait_until > horizon:  # re-triage during a wait
        return QUEUEING_AT[casualty.stage]
    return WAITING_AFTER[kind]


@compiled
def _erase_times_after(record: PatientRow, horizon: int) -> None:
    """Erase the times in the record that are after the horizon, ms."""
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


@compiled
def _discard_after_horizon(
    output: Output, row: int, casualty: CasualtyState, first_event: int, first_vital: int, model: Model
) -> None:
    """Cut the record of a casualty who is still in care at the horizon, and set the outcome IN_CARE."""
    record = output.patients[row]
    horizon = int(model.care.horizon[0])
    while (
        output.rows[EVENT_COUNT] > first_event + 1
        and output.events[output.rows[EVENT_COUNT] - 1].at > horizon
    ):
        output.rows[EVENT_COUNT] -= 1
    while output.rows[VITAL_COUNT] > first_vital and output.vitals[output.rows[VITAL_COUNT] - 1].at > horizon:
        output.rows[VITAL_COUNT] -= 1
    end_treatments(output, casualty.first_treatment, horizon, ONE_SECOND)
    last = output.events[output.rows[EVENT_COUNT] - 1]
    casualty.facility = EN_ROUTE if last.kind == Event.DEPARTED else last.facility
    at = max(horizon, last.at)
    awaited = _awaited_at_horizon(casualty, last.kind, last.detail, horizon)
    log_event(output, row, at, casualty.facility, Event.IN_CARE_AT_HORIZON, 0)
    record.death_cause = NONE
    record.waiting_for = awaited
    _erase_times_after(record, horizon)
    set_outcome(output, row, casualty, at, Outcome.IN_CARE)


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
    state: KernelState, output: Output, row: int, casualty: CasualtyState, entry: int
) -> int:
    """Replay a bump or a hit; return the entry that follows."""
    decision = state.decisions[entry]
    if decision.code == Decision.BUMPED:
        bump_from_bay(output, row, casualty, decision.at)
    elif decision.code == Decision.KILLED:
        kill_in_hit(output, row, casualty, decision.at)
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
        due = next_due(casualty)
        death = death_time(casualty)
        following = min(due, death)
        if following > model.care.horizon[0] and not _is_interruption(state, entry):
            return
        if _is_interrupted(state, casualty, entry, following):
            entry = _replay_interruption(state, output, row, casualty, entry)
            ride_replayed = False
            continue
        if death <= due:
            if death == math.inf:
                return
            die(output, row, casualty, death, model)
            continue
        if casualty.retriage_at >= casualty.at:
            kind = resource_of_stage(output.patients[row], casualty, model)
            resource = needed_resource(casualty, kind, model)
            if resource >= 0:
                entry = _replay_grant(state, output, row, casualty, resource, entry, model)
                continue
            if casualty.granted and casualty.at < math.inf:
                apply_grant(casualty, casualty.at, casualty.granted_value, model)
            ride_replayed = False
        perform_stage(output, row, casualty, model, counter)


@compiled
def has_room(state: KernelState, output: Output) -> bool:
    """Return whether the tables have room for the record of one more patient; if not, the status is TABLES_FULL."""
    if (
        output.rows[PATIENTS] < len(output.patients)
        and output.rows[EVENT_COUNT] + MAX_EVENTS <= len(output.events)
        and output.rows[TREATMENT_COUNT] + MAX_TREATMENTS <= len(output.treatments)
        and output.rows[WOUND_COUNT] + MAX_WOUNDS <= len(output.wounds)
        and output.rows[VITAL_COUNT] + MAX_VITALS <= len(output.vitals)
    ):
        return True
    state.status = KernelExit.TABLES_FULL
    return False


@compiled
def write_record(
    state: KernelState, output: Output, first_entry: int, model: Model, counter: Counter
) -> None:
    """Write the record of the casualty who has just been copied to the next row of `output.patients`."""
    row = output.rows[PATIENTS]
    casualty = state.casualties[SLOTS]
    record = output.patients[row]
    first_event = output.rows[EVENT_COUNT]
    first_vital = output.rows[VITAL_COUNT]
    initialise_casualty(output, row, casualty, model, counter)
    set_service_number(record, model.keys[DrawPurpose.PERSON])
    replay(state, output, row, casualty, first_entry, model, counter)
    if casualty.stage != Stage.CLOSED or record.closed > model.care.horizon[0]:
        _discard_after_horizon(output, row, casualty, first_event, first_vital, model)
    record.rtd72 = 1 if record.status == Outcome.RTD and record.closed - record.time <= 72 * HOUR else 0
    for k in range(first_event, output.rows[EVENT_COUNT]):
        event = output.events[k]
        if event.kind == Event.ARRIVED or event.kind == Event.STAGED:
            state.arrived_at[event.facility] += 1
    record.event_end = output.rows[EVENT_COUNT]
    record.treatment_end = output.rows[TREATMENT_COUNT]
    record.wound_end = output.rows[WOUND_COUNT]
    record.vital_end = output.rows[VITAL_COUNT]
    output.write_order[row].at = state.sequence_at
    output.write_order[row].sequence = state.sequence
    output.rows[PATIENTS] = row + 1
