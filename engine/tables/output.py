"""The tables that the kernel fills: one row of OUTPUT, passed by reference.

Each table is made for the most that PARQUET_PART patients could fill; pages never touched take no memory.
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
"""Of one casualty."""

SLOTS = 1 << 18
"""Patients that may be open at a time; the quiet pass keeps their rows in a table of the same dtype."""

MAX_EVENTS, MAX_TREATMENTS, MAX_VITALS = 288, 80, 40
"""Rows at the most that one patient can fill: a network has at most 10 facilities on a way."""

REPEATING_EVENTS_LIMIT = 240
"""Rows of events after which those that may repeat without end (re-triage, bumping) are no longer logged."""

PATIENTS, QUIET = 4, 5
"""Indices in `rows` of the number of patients told, and of the switch that ends all logging."""


class Output(Row):
    """."""

    rows: Annotated[Ints, "i8", 6]  # filled of events, treatments, wounds, vitals, patients; quiet
    patients: Annotated[Rows[PatientRow], SLOTS + 1]
    left: Annotated[Rows[WriteOrderRow], SLOTS + 1]
    events: Annotated[Rows[EventRow], PARQUET_PART * MAX_EVENTS]
    treatments: Annotated[Rows[TreatmentRow], PARQUET_PART * MAX_TREATMENTS]
    wounds: Annotated[Rows[WoundRow], PARQUET_PART * MAX_WOUNDS]
    vitals: Annotated[Rows[VitalRow], PARQUET_PART * MAX_VITALS]


OUTPUT = dtype_of(Output)


def new_output(quiet: bool = False) -> Any:
    """Empty tables: one row of OUTPUT. `quiet`: nothing is logged, casualties only move on."""
    o = np.zeros(1, OUTPUT)
    o["rows"][0, QUIET] = quiet
    return o


def without_first(o: Any, n: int) -> Any:
    """Tables with all but the first `n` patients of `o` and their rows."""
    rest = new_output()
    told = int(o["rows"][0, PATIENTS])
    patients = rest["patients"][0, : told - n]
    patients[:] = o["patients"][0, n:told]
    rest["left"][0, : told - n] = o["left"][0, n:told]
    rest["rows"][0, PATIENTS] = told - n
    for k, (name, end) in enumerate(ENDS.items()):
        begin, until = int(o["patients"][0, n - 1][end]), int(o["rows"][0, k])
        rows = rest[name][0, : until - begin]
        rows[:] = o[name][0, begin:until]
        rows["patient"] -= n
        patients[end] -= begin
        rest["rows"][0, k] = until - begin
    return rest
