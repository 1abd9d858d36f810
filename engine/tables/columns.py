"""The tables of a simulation's results, one documented dtype each, and `Chunk`, which holds one part of all of them.

Every table is a NumPy structured array. Times are integer milliseconds from the scenario's start; -1 means "never".
Codes are those of `engine.codes`. `condition`, `cause`, `nation`, `rank`, names and blood groups index the catalogues
of `scenarios.catalogue`; `front`, `type`, `special` and `facility` index the lists of the scenario.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.tables.rows import Float64, Int16, Int32, Int64, Row, UInt8, UInt16, UInt32, UInt64, dtype_of


class ArrivalRow(Row):
    """One casualty as `engine.arrivals` generates it. Tables are sorted by (time, id_hi, id_lo)."""

    time: Int64  # ms from the start: injury, exposure or falling ill
    id_hi: UInt64  # the 128 bits of the patient's UUID
    id_lo: UInt64
    cell: UInt64  # key of the cell for random draws
    incident: UInt64  # id of the incident
    incident_time: Int64  # ms: when the incident began
    number: UInt64  # of the casualty, unique within the run
    index: UInt32  # index within the cell
    incident_size: Int32  # casualties of the incident
    front: UInt16  # index of scenario.fronts
    kind: UInt8  # CasualtyKind; psychological casualties arrive as DISEASE
    type: UInt8  # index of scenario.warfare, NONE without warfare type
    special: UInt8  # index of scenario.events, NONE outside special events


ARRIVAL = dtype_of(ArrivalRow)


class PatientRow(Row):
    """One patient. Tables are in record order."""

    id_hi: UInt64
    id_lo: UInt64
    incident: UInt64
    incident_time: Int64  # begin of the incident
    time: Int64  # injury, exposure or falling ill
    onset: Int64  # when the survival clock starts: `time`, or the symptom onset of agent casualties
    closed: Int64  # time of the outcome
    untreated_death: Int64  # when the casualty would have died without care; -1: never
    first_care: Int64  # first aid or first treatment
    role1: Int64  # first arrival at a facility of each role
    role2: Int64
    role3: Int64
    role4: Int64
    surgery: Int64  # start of the first operation
    service_number: UInt64  # in the kernel, until the record is written: `ArrivalRow.number`
    incident_size: Int32
    birth: Int32  # days from 1970-01-01
    event_end: UInt32  # exclusive ends of the patient's rows in the chunk's other tables
    treatment_end: UInt32
    wound_end: UInt32
    vital_end: UInt32
    front: UInt16
    nation: UInt16
    given_name: UInt16  # index of the nation's male_given or female_given
    family_name: UInt16  # index of the nation's male_family or female_family
    unit: UInt16
    condition: UInt16  # main diagnosis: that of the worst wound, or the illness
    cause: UInt16  # external cause; 65535 without
    second: UInt16  # further diagnoses of the ill and of agent casualties; 65535 without
    third: UInt16
    fourth: UInt16
    facility: Int16  # place of the outcome
    type: UInt8
    special: UInt8
    stream: UInt8
    kind: UInt8
    mechanism: UInt8
    sex: UInt8
    age: UInt8
    rank: UInt8
    blood_group: UInt8
    weight: UInt8  # kg
    iss: UInt8
    niss: UInt8
    worst_ais: UInt8
    triage: UInt8  # true category, 1..3
    severity: UInt8  # of agent casualties: 0 mild .. 3 very severe; else NONE
    agent: UInt8  # of agent casualties: position in catalogue.agent_kinds(); else NONE
    lethal: UInt8  # LethalMechanism or NONE
    mascal: UInt8  # 1: the incident reached the scenario's MASCAL threshold
    rtd72: UInt8  # 1: returned to duty within 72 h of the injury
    status: UInt8
    death_cause: UInt8
    waiting_for: UInt8
    fatal_complication: UInt8  # Complication that a late death is of, or NONE


PATIENT = dtype_of(PatientRow)


class EventRow(Row):
    """One change of state in the event log; `patient` is a row of the chunk's patients."""

    at: Int64
    patient: Int32
    facility: Int16
    kind: UInt8
    detail: UInt8


EVENT = dtype_of(EventRow)


class TreatmentRow(Row):
    """One treatment; `patient` is a row of the chunk's patients."""

    start: Int64
    end: Int64
    patient: Int32
    facility: Int16  # AT_POI for first aid
    kind: UInt8
    effect: UInt8
    wound: UInt8  # index among the patient's wounds, NONE if it is not for one wound
    units: UInt8  # of blood; 0 for other treatments


TREATMENT = dtype_of(TreatmentRow)


class WoundRow(Row):
    """One wound; `patient` is a row of the chunk's patients."""

    patient: Int32
    condition: UInt16
    region: UInt8
    side: UInt8
    ais: UInt8


WOUND = dtype_of(WoundRow)


class VitalRow(Row):
    """Vital signs, laboratory values and health score at one time; NONE where a sign was not taken."""

    at: Int64
    patient: Int32
    facility: Int16
    score: Int16  # health score in tenths, 0..200 (docs/model.md section 2.5.7)
    heart_rate: UInt8  # per minute
    systolic: UInt8  # mmHg
    diastolic: UInt8  # mmHg
    respiratory_rate: UInt8  # per minute
    spo2: UInt8  # %
    gcs: UInt8  # 3..15
    gcs_eye: UInt8  # 1..4
    gcs_verbal: UInt8  # 1..5
    gcs_motor: UInt8  # 1..6
    pain: UInt8  # 0..10
    etco2: UInt8  # mmHg, only of the intubated
    temperature: UInt8  # tenths of a degree above COLDEST
    lactate: UInt8  # tenths of mmol/L
    base_excess: UInt8  # tenths of mmol/L above LOWEST_BASE_EXCESS
    haemoglobin: UInt8  # tenths of g/dL
    inr: UInt8  # tenths


VITAL = dtype_of(VitalRow)


COLDEST, LOWEST_BASE_EXCESS = 20.0, -21.0
"""What the value 0 of `temperature` (degrees Celsius) and of `base_excess` (mmol/L) stands for."""


class WriteOrderRow(Row):
    """When a patient's record was written. Both columns together never decrease from one patient to the next.

    `sequence` orders what happens at the same time. It is ARRIVAL_SEQUENCE plus the number of the arrival, the largest
    tie of the calendar's entries so far at that time, or HORIZON_SEQUENCE plus the number of the arrival.
    """

    at: Float64  # ms
    sequence: Int64


WRITE_ORDER = dtype_of(WriteOrderRow)

ARRIVAL_SEQUENCE, HORIZON_SEQUENCE = -(1 << 62), 1 << 62
"""Sequence numbers of what happens before, and after, all entries of the calendar at the same time."""

TABLES = {"patients": PATIENT, "events": EVENT, "treatments": TREATMENT, "wounds": WOUND, "vitals": VITAL}

ENDS = {"events": "event_end", "treatments": "treatment_end", "wounds": "wound_end", "vitals": "vital_end"}
"""By table other than patients: the column of PATIENT with the exclusive ends of each patient's rows."""

PART = 65_536
"""Patients in a part, which is one file of each table."""
PARQUET_PART = 16_384
"""Patients in a part of a Parquet run. A chunk never crosses a multiple of it."""

Table = NDArray[np.void]


def _empty(dtype: "np.dtype[np.void]") -> Table:
    return np.empty(0, dtype)


@dataclass(slots=True)
class Chunk:
    """Consecutive patients in record order with all their rows.

    `first` is the index of the first patient in the run; `number` counts chunks. The run's last chunk has
    `last` set; a run without casualties is one empty chunk that is both first and last. `write_order` has a row for
    each patient only where the fronts of a run are simulated independently (`engine.run.merging`).
    """

    number: int
    first: int
    last: bool
    patients: Table = field(default_factory=lambda: _empty(PATIENT))
    events: Table = field(default_factory=lambda: _empty(EVENT))
    treatments: Table = field(default_factory=lambda: _empty(TREATMENT))
    wounds: Table = field(default_factory=lambda: _empty(WOUND))
    vitals: Table = field(default_factory=lambda: _empty(VITAL))
    write_order: Table = field(default_factory=lambda: _empty(WRITE_ORDER))

    def __len__(self) -> int:
        return len(self.patients)


def slice_chunk(chunk: Chunk, first: int, stop: int) -> Chunk:
    """Return patients `first` to `stop` - 1 of `chunk` (fewer at its end) with their rows, as a new chunk."""
    patients = chunk.patients[first:stop].copy()
    tables = []
    for name, end in ENDS.items():
        start = int(chunk.patients[end][first - 1]) if first else 0
        rows = getattr(chunk, name)[start : int(patients[end][-1]) if len(patients) else start].copy()
        rows["patient"] -= first
        patients[end] -= start
        tables.append(rows)
    last = chunk.last and first + len(patients) == len(chunk)
    return Chunk(chunk.number, chunk.first + first, last, patients, *tables)


def join_chunks(chunks: Sequence[Chunk]) -> Chunk:
    """Return consecutive chunks of one run as a single chunk."""
    if len(chunks) == 1:
        return chunks[0]
    joined = {name: _join_rows([getattr(chunk, name) for chunk in chunks]) for name in TABLES}
    begin = 0
    starts = dict.fromkeys(ENDS, 0)
    for chunk in chunks:
        stop = begin + len(chunk)
        for name, end in ENDS.items():
            rows = len(getattr(chunk, name))
            joined["patients"][end][begin:stop] += starts[name]
            joined[name]["patient"][starts[name] : starts[name] + rows] += begin
            starts[name] += rows
        begin = stop
    return Chunk(chunks[0].number, chunks[0].first, chunks[-1].last, **joined)


def _join_rows(tables: Sequence[Table]) -> Table:
    """Return the rows of tables of one dtype. NumPy would copy each column apart, which takes thirty times as long."""
    dtype = tables[0].dtype
    rows = np.concatenate([np.ascontiguousarray(table).view(f"V{dtype.itemsize}") for table in tables])
    joined: Table = rows.view(dtype)
    return joined


def number_chunks(
    take: Callable[[int], Chunk], chunk_size: int, close: Callable[[], None]
) -> Iterator[Chunk]:
    """Yield the chunks of a run with `number`, `first` and `last` set.

    Parameters
    ----------
    take
        Returns the next n patients as a chunk; fewer only at the end of the run.
    chunk_size
        Largest number of patients in a chunk. A chunk also ends at each multiple of PARQUET_PART.
    close
        Called when there are no more patients, before the last chunk is yielded.
    """
    number = first = 0
    pending: Chunk | None = None
    while True:
        chunk = take(min(chunk_size, PARQUET_PART - first % PARQUET_PART))
        chunk.number, chunk.first = number, first
        if not len(chunk):
            break
        if pending is not None:
            yield pending
        pending = chunk
        number += 1
        first += len(chunk)
    pending = chunk if pending is None else pending
    pending.last = True
    close()
    yield pending
