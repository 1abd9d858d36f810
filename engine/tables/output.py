"""The tables that the kernel fills: one row of OUTPUT, passed by reference.

Each table has room for all rows that PARQUET_PART patients could fill. Pages that are never touched take no memory.
"""

from typing import Annotated, Any

import numpy as np

from engine.tables.columns import (
    ENDS,
    PARQUET_PART,
    EventRow,
    PatientRow,
    TreatmentRow,
    VitalRow,
    WoundRow,
    WriteOrderRow,
)
from engine.tables.rows import Ints, Row, Rows, dtype_of

MAX_WOUNDS = 24
"""Largest number of wounds of one casualty."""

SLOTS = 1 << 18
"""Patients that may be open at the same time. The decision pass has their rows in a table of the same dtype."""

MAX_EVENTS, MAX_TREATMENTS, MAX_VITALS = 288, 80, 40
"""Largest numbers of rows of one patient, given that a way through the network has at most 10 facilities."""

REPEATING_EVENTS_LIMIT = 240
"""Events of a patient after which those that may repeat without end (re-triage, bumping) are no longer logged."""

PATIENTS, QUIET = 4, 5
"""Indices in `Output.rows` of the number of patients written, and of the switch that turns off all logging."""


class Output(Row):
    """The rows of up to PARQUET_PART patients, and how many of each table are filled."""

    rows: Annotated[Ints, "i8", 6]  # filled rows of events, treatments, wounds, vitals, patients; then QUIET
    patients: Annotated[Rows[PatientRow], SLOTS + 1]
    left: Annotated[Rows[WriteOrderRow], SLOTS + 1]
    events: Annotated[Rows[EventRow], PARQUET_PART * MAX_EVENTS]
    treatments: Annotated[Rows[TreatmentRow], PARQUET_PART * MAX_TREATMENTS]
    wounds: Annotated[Rows[WoundRow], PARQUET_PART * MAX_WOUNDS]
    vitals: Annotated[Rows[VitalRow], PARQUET_PART * MAX_VITALS]


OUTPUT = dtype_of(Output)


def new_output(quiet: bool = False) -> Any:
    """Return empty tables: an array of one row of OUTPUT. `quiet` turns off all logging, for the decision pass."""
    output = np.zeros(1, OUTPUT)
    output["rows"][0, QUIET] = quiet
    return output


def drop_first_patients(output: Any, count: int) -> Any:
    """Return new tables with all but the first `count` patients of `output` and their rows."""
    rest = new_output()
    written = int(output["rows"][0, PATIENTS])
    patients = rest["patients"][0, : written - count]
    patients[:] = output["patients"][0, count:written]
    rest["left"][0, : written - count] = output["left"][0, count:written]
    rest["rows"][0, PATIENTS] = written - count
    for table, (name, end) in enumerate(ENDS.items()):
        begin, until = int(output["patients"][0, count - 1][end]), int(output["rows"][0, table])
        rows = rest[name][0, : until - begin]
        rows[:] = output[name][0, begin:until]
        rows["patient"] -= count
        patients[end] -= begin
        rest["rows"][0, table] = until - begin
    return rest
