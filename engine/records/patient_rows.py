"""What rules of full records look up across the tables of a chunk: rows of the same patient, before or after a time.

Rows of a table are patient after patient, and by time within a patient.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.tables import ENDS, Chunk, Table

Places = NDArray[np.int64]
Milliseconds = NDArray[np.int64]

NEVER = np.int64(1) << 60
"""ms; later than any time of a record."""

_PATIENT = np.int64(1) << 45
"""ms that each patient has room for in a key of patient and time: a thousand years."""


def keys(rows: Table, column: str) -> NDArray[np.int64]:
    """Return numbers that order rows by patient and then by the time in `column`."""
    return keys_of(rows["patient"], rows[column])


def keys_of(patients: NDArray[Any], times: Milliseconds) -> NDArray[np.int64]:
    """Return numbers that order by patient and then by time."""
    found: NDArray[np.int64] = patients.astype(np.int64) * _PATIENT + np.clip(times, 0, _PATIENT - 1)
    return found


def last_before(rows: Table, column: str, patients: NDArray[Any], times: Milliseconds) -> Places:
    """Return the row of each patient that is the last at or before the time given; -1 where there is none."""
    places = np.searchsorted(keys(rows, column), keys_of(patients, times), "right") - 1
    return _of_patient(rows, places, patients)


def first_after(rows: Table, column: str, patients: NDArray[Any], times: Milliseconds) -> Places:
    """Return the row of each patient that is the first at or after the time given; -1 where there is none."""
    places = np.searchsorted(keys(rows, column), keys_of(patients, times), "left")
    return _of_patient(rows, places, patients)


def _of_patient(rows: Table, places: NDArray[Any], patients: NDArray[Any]) -> Places:
    if not len(rows):
        return np.full(len(patients), -1, np.int64)
    inside = (places >= 0) & (places < len(rows))
    places = np.where(inside, places, 0)
    found: Places = np.where(inside & (rows["patient"].take(places) == patients), places, -1)
    return found


def earliest(patients: int, rows: Table, column: str) -> Milliseconds:
    """Return the earliest time of each patient in `rows`, NEVER without rows."""
    found = np.full(patients, NEVER)
    np.minimum.at(found, rows["patient"], rows[column])
    return found


def wound_rows(chunk: Chunk, patients: NDArray[Any], numbers: NDArray[Any]) -> Places:
    """Return the rows of the wounds with these numbers among those of their patients; -1 for none of them."""
    ends = chunk.patients[ENDS["wounds"]].astype(np.int64)
    starts = np.concatenate(([0], ends[:-1]))
    places = starts.take(patients) + numbers
    found: Places = np.where(places < ends.take(patients), places, -1)
    return found


def ends_of(rows: Table, patients: int) -> Places:
    """Return the exclusive ends of the patients' rows."""
    found: Places = np.bincount(rows["patient"], minlength=patients).cumsum()
    return found
