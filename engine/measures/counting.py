"""The compiled loop of `Measures.add`: one pass over the columns of a chunk."""

from engine.codes import EN_ROUTE, Event, Outcome, Treatment, TriageCategory
from engine.measures.counted import DAY, GROUPS, ROLES, STANDARD, ByRole, ByStream, Daily, Operation
from engine.measures.durations import MINUTE
from engine.measures.histograms import cell_of
from engine.numeric import compiled, compiled_entry
from engine.tables import EVENT, PATIENT, TREATMENT, EventRow, Ints, PatientRow, Table, TreatmentRow

_DAILY_COUNT = len(Daily)
_LIMITS = tuple(minutes * MINUTE for minutes in STANDARD.values())
"""ms"""


@compiled
def _daily_cell(at: int, what: int, role: int) -> int:
    """Return the cell in which an event at `at`, ms, is counted: the index in an array by day, `Daily` and role."""
    return (int(at) // DAY * _DAILY_COUNT + what) * ROLES + role


@compiled
def _is_dead(status: int) -> bool:
    return status == Outcome.KIA or status == Outcome.DOW or status == Outcome.DIED_NONBATTLE


@compiled
def _add_severity(severity: Ints, role: int, patient: PatientRow) -> None:
    """Add ISS and NISS of an injured patient to the sums of a role."""
    severity[role, ByRole.INJURED] += 1
    severity[role, ByRole.ISS] += patient.iss
    severity[role, ByRole.NISS] += patient.niss


@compiled
def _add_in_time(in_time: Ints, group: int, patient: PatientRow) -> None:
    """Count a patient of a group, and each kind of care that they got in time."""
    in_time[group, 0] += 1
    reached = (patient.first_care, patient.role2, patient.surgery)
    for care in range(len(reached)):
        if reached[care] >= 0 and reached[care] - patient.time < _LIMITS[care]:
            in_time[group, 1 + care] += 1


@compiled_entry(
    PATIENT,
    EVENT,
    TREATMENT,
    "i8",
    ("i8", 3),
    ("i8", 2),
    ("i8", 2),
    ("i8", 2),
    ("i8", 2),
    ("i8", 2),
    ("i8", 2),
    ("i8", 2),
    ("i8", 2),
    ("i8", 2),
    "i8",
    "i8",
)
def count_chunk(
    patients: Table,
    events: Table,
    treatments: Table,
    roles: Ints,
    outcomes: Ints,
    by_front: Ints,
    by_stream: Ints,
    deaths: Ints,
    causes: Ints,
    death_times: Ints,
    severity: Ints,
    operations: Ints,
    in_time: Ints,
    took: Ints,
    daily: Ints,
    found: Ints,
) -> None:
    """Count the patients of a chunk, and list their durations and what is counted by day.

    Parameters
    ----------
    patients, events, treatments
        Tables of the chunk.
    roles
        Role by facility - EN_ROUTE.
    outcomes
        Counts by stream, true triage category and `Outcome`.
    by_front
        Counts by front and `Outcome`.
    by_stream
        Counts by `ByStream` and stream.
    deaths
        Counts by `WaitingFor`, whose last row is for nothing, and facility - EN_ROUTE.
    causes
        Deaths by `Outcome` and `DeathCause`.
    death_times
        Deaths by `Outcome` and cell of `engine.measures.histograms`: the time from the injury.
    severity
        Sums by role and `ByRole`.
    operations
        Counts by facility - EN_ROUTE and `Operation`.
    in_time
        Counts by group (all, true triage, front): patients who were not killed instantly, then those of them who got
        each care of STANDARD in time.
    took
        Receives durations, ms: a row for each `Took`, with room for all patients.
    daily
        Receives the cell, by day, `Daily` and role, of each event that is counted by day. It has room for five of each
        patient, and for all events and treatments.
    found
        Receives the numbers of durations in each row of `took`, then of cells. All are 0 before.
    """
    cells = 0
    for k in range(len(patients)):
        patient: PatientRow = patients[k]
        stream, status = int(patient.stream), int(patient.status)
        outcomes[stream, patient.triage, status] += 1
        by_front[patient.front, status] += 1
        if not _is_dead(status) or patient.closed > patient.time:
            _add_in_time(in_time, 0, patient)
            _add_in_time(in_time, patient.triage, patient)
            _add_in_time(in_time, GROUPS + patient.front, patient)
        if _is_dead(status):
            deaths[min(int(patient.waiting_for), len(deaths) - 1), patient.facility - EN_ROUTE] += 1
            causes[status, patient.death_cause] += 1
            death_times[status, cell_of(patient.closed - patient.time)] += 1
        if patient.iss > 0:
            _add_severity(severity, 0, patient)
        arrivals = (patient.role1, patient.role2, patient.role3, patient.role4)
        has_arrived = 0
        for role in range(1, ROLES):
            if arrivals[role - 1] >= 0:
                has_arrived = 1
                if patient.iss > 0:
                    _add_severity(severity, role, patient)
                daily[cells] = _daily_cell(arrivals[role - 1], Daily.ARRIVALS, role)
                cells += 1
        by_stream[ByStream.ARRIVED, stream] += has_arrived
        by_stream[ByStream.RTD72, stream] += patient.rtd72
        by_stream[ByStream.ARRIVED_RTD72, stream] += has_arrived * patient.rtd72
        reached = (patient.first_care, patient.role1, patient.role2)
        for number in range(len(reached)):
            if reached[number] >= 0:
                took[number, found[number]] = reached[number] - patient.time
                found[number] += 1
        if status == Outcome.RTD:
            role = roles[patient.facility - EN_ROUTE]
            daily[cells] = _daily_cell(patient.closed, Daily.RETURNED_TO_DUTY, role)
            cells += 1
    for k in range(len(events)):
        event: EventRow = events[k]
        if event.kind == Event.DEPARTED:
            lies = patients[event.patient].triage != TriageCategory.T3
            role = roles[event.facility - EN_ROUTE]
            daily[cells] = _daily_cell(event.at, Daily.LITTERS if lies else Daily.SEATS, role)
            cells += 1
        elif event.kind == Event.SURGERY_STARTED or event.kind == Event.DEFINITIVE_SURGERY_STARTED:
            is_definitive = event.kind == Event.DEFINITIVE_SURGERY_STARTED
            kind = Operation.DEFINITIVE if is_definitive else Operation.DAMAGE_CONTROL
            operations[event.facility - EN_ROUTE, kind] += 1
            daily[cells] = _daily_cell(event.at, Daily.OPERATIONS, roles[event.facility - EN_ROUTE])
            cells += 1
    for k in range(len(treatments)):
        treatment: TreatmentRow = treatments[k]
        if treatment.kind == Treatment.BLOOD_TRANSFUSION:
            role = roles[treatment.facility - EN_ROUTE]
            daily[cells] = _daily_cell(treatment.start, Daily.TRANSFUSIONS, role)
            cells += 1
    found[-1] = cells
