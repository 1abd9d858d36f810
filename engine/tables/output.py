"""The tables that the kernel fills: one row of OUTPUT, passed by reference.

Each table has room for the most that PARQUET_PART patients could fill. Pages that are never used take no memory.
"""

import errno
import mmap
import weakref
from typing import Annotated

import numpy as np

from engine.tables.columns import (
    ENDS,
    PARQUET_PART,
    EventRow,
    PatientRow,
    Table,
    TreatmentRow,
    VitalRow,
    WoundRow,
    WriteOrderRow,
)
from engine.tables.rows import Ints, Row, Rows, dtype_of
from engine.tables.vital_signs import Physiology

MAX_WOUNDS = 24
"""Wounds of one casualty, at most."""

SLOTS = 1 << 18
"""Patients that may be open at a time. The decision pass has their rows in a table of the same dtype."""

MAX_EVENTS, MAX_TREATMENTS, MAX_VITALS = 320, 208, 512
"""Rows that one patient can fill, at most: a network has at most 10 facilities on a way."""

REPEATING_EVENTS_LIMIT = 240
"""Events of a patient after which those that may repeat without end (re-triage, bumping) are no longer logged."""

EVENT_COUNT, TREATMENT_COUNT, WOUND_COUNT, VITAL_COUNT, PATIENTS, QUIET = range(6)
"""Indices of `rows`: the number of rows in each table, then 1 where nothing is logged (in the decision pass)."""


_MOST_FREE = 2
"""Tables whose memory an `OutputPool` keeps while nobody uses it."""

_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Output(Row):
    """The tables that a pass of the kernel fills."""

    rows: Annotated[Ints, "i8", 6]  # see EVENT_COUNT to QUIET
    patients: Annotated[Rows[PatientRow], SLOTS + 1]
    write_order: Annotated[Rows[WriteOrderRow], SLOTS + 1]
    events: Annotated[Rows[EventRow], PARQUET_PART * MAX_EVENTS]
    treatments: Annotated[Rows[TreatmentRow], PARQUET_PART * MAX_TREATMENTS]
    wounds: Annotated[Rows[WoundRow], PARQUET_PART * MAX_WOUNDS]
    vitals: Annotated[Rows[VitalRow], PARQUET_PART * MAX_VITALS]
    physiology: Physiology  # of the patient whose record is being written


OUTPUT = dtype_of(Output)


def new_output(quiet: bool = False) -> Table:
    """Return empty tables: one row of OUTPUT. With `quiet` nothing is logged, and casualties only advance."""
    output = np.zeros(1, OUTPUT)
    output["rows"][0, QUIET] = quiet
    return output


class OutputPool:
    """Tables for one chunk after another, in memory that is used again once no array refers to it.

    Fresh memory costs more than its use: the operating system zeroes each page that the kernel touches. The memory is
    not NumPy's own, for which NumPy asks for pages of 2 MB: a chunk fills a quarter of them.
    """

    def __init__(self) -> None:
        self._free: list[mmap.mmap] = []

    def take(self, quiet: bool = False) -> Table:
        """Return tables without rows: one row of OUTPUT. What the tables hold besides is not defined.

        With `quiet` nothing is logged, and casualties only advance.

        Raises
        ------
        MemoryError
            The system has no memory for more tables.
        """
        memory = self._free.pop() if self._free else _new_memory()
        output: Table = np.frombuffer(
            memory, OUTPUT
        )  # views refer to this array, and not to the memory itself
        output["rows"] = 0
        output["rows"][0, QUIET] = quiet
        weakref.finalize(output, self._give_back, memory).atexit = False
        return output

    def _give_back(self, memory: mmap.mmap) -> None:
        """Keep memory for the next tables, unless a hit has filled far more of it than a chunk does."""
        patients = int(np.frombuffer(memory, OUTPUT)["rows"][0, PATIENTS])
        if len(self._free) < _MOST_FREE and patients <= PARQUET_PART:
            self._free.append(memory)


def _new_memory() -> mmap.mmap:
    """Return memory for one row of OUTPUT. Raises MemoryError, as NumPy does, where `mmap` raises OSError."""
    try:
        return mmap.mmap(-1, OUTPUT.itemsize, flags=_PRIVATE)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise MemoryError(f"no memory for tables of {OUTPUT.itemsize:,} bytes") from error


def drop_first_patients(output: Table, n: int, rest: Table) -> None:
    """Copy all but the first `n` patients of `output`, and their rows, to the empty tables `rest`."""
    count = int(output["rows"][0, PATIENTS])
    patients = rest["patients"][0, : count - n]
    patients[:] = output["patients"][0, n:count]
    rest["write_order"][0, : count - n] = output["write_order"][0, n:count]
    rest["rows"][0, PATIENTS] = count - n
    for k, (name, end) in enumerate(ENDS.items()):
        begin, until = int(output["patients"][0, n - 1][end]), int(output["rows"][0, k])
        rows = rest[name][0, : until - begin]
        rows[:] = output[name][0, begin:until]
        rows["patient"] -= n
        patients[end] -= begin
        rest["rows"][0, k] = until - begin
