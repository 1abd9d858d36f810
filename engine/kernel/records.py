"""The beginning and the end of a record: what comes before a casualty's first stage and after the last.

A record ends with the casualty's outcome, or at the horizon.
"""

from engine.clinical import begin_readings, log_event, set_service_number
from engine.codes import (
    AT_POI,
    EN_ROUTE,
    NONE,
    WAIT_REASONS,
    DrawPurpose,
    Event,
    Outcome,
    WaitingFor,
)
from engine.kernel.codes import FullTable, by_code
from engine.kernel.new_casualty import initialise_casualty
from engine.kernel.outcomes import ONE_SECOND, end_treatments, set_outcome
from engine.kernel.remains_stages import has_outcome
from engine.kernel.state import KernelState, report_full_table
from engine.kernel.waiting import QUEUEING_AT
from engine.numeric import Counter, compiled
from engine.tables import (
    EVENT_COUNT,
    HOUR,
    MAX_EVENTS,
    MAX_TREATMENTS,
    MAX_VITALS,
    MAX_WOUNDS,
    PATIENTS,
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
        Event.QUARTERS: WaitingFor.RECOVERY,
        Event.BUMPED: WaitingFor.TREATMENT,
        Event.CARE_RESUMED: WaitingFor.TREATMENT,
        Event.REFUSED: WaitingFor.PLACE,
        Event.FACILITY_HIT: WaitingFor.TRIAGE,
        Event.STAGED: WaitingFor.EVACUATION,
        Event.COMPLICATION: WaitingFor.RECOVERY,
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
    record.fatal_complication = NONE
    record.waiting_for = awaited
    _erase_times_after(record, horizon)
    set_outcome(output, row, casualty, at, Outcome.IN_CARE)


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
    report_full_table(state, FullTable.OUTPUT)
    return False


@compiled
def begin_record(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter
) -> tuple[int, int]:
    """Begin the record of the casualty who has just been copied to row `row`, the next one of `output.patients`.

    Returns the first rows of the record in the tables of events and of vital signs.
    """
    first_event = output.rows[EVENT_COUNT]
    first_vital = output.rows[VITAL_COUNT]
    initialise_casualty(output, row, casualty, model, counter)
    set_service_number(output.patients[row], model.keys[DrawPurpose.PERSON])
    begin_readings(output, row, casualty, model, counter)
    return first_event, first_vital


@compiled
def end_record(
    state: KernelState,
    output: Output,
    row: int,
    casualty: CasualtyState,
    first_event: int,
    first_vital: int,
    model: Model,
) -> None:
    """End a record: discard what comes after the horizon, and count the arrivals at facilities."""
    record = output.patients[row]
    if not has_outcome(casualty) or record.closed > model.care.horizon[0]:
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
