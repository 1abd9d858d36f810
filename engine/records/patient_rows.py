"""What rules of full records look up across the tables of a chunk: rows of the same patient, before or after a time.

Rows of a table are patient after patient, and by time within a patient.
"""

from collections.abc import Iterable
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


def keys_of(patients: NDArray[Any], times: Milliseconds) -> NDArray[np.int64]:
    """Return numbers that order by patient and then by time."""
    found: NDArray[np.int64] = patients * _PATIENT
    found += np.maximum(times, 0)
    return found


class Lookup:
    """Rows by patient and time.

    Parameters
    ----------
    rows
        The table.
    column
        The column of its times.
    patients, times
        Whose rows are looked for, and at or before, or at or after, which time.
    """

    def __init__(self, rows: Table, column: str, patients: NDArray[Any], times: Milliseconds) -> None:
        self._patients = patients
        self._owners = np.ascontiguousarray(rows["patient"])
        self._keys = keys_of(self._owners, rows[column])
        self._wanted = keys_of(patients, times)
        self._before: Places | None = None
        self._after: Places | None = None

    def last_before(self, known: NDArray[np.bool_] | None = None) -> Places:
        """Return the last row of each patient, of those `known`, at or before the time; -1 without one."""
        if self._before is None:
            self._before = np.searchsorted(self._keys, self._wanted, "right") - 1
        places = self._before
        if known is not None and len(known):
            among = np.flatnonzero(known)
            latest = np.searchsorted(among, places, "right") - 1
            places = np.where(latest < 0, -1, among.take(latest, mode="clip")) if len(among) else latest
        return self._own(places)

    def first_after(self, known: NDArray[np.bool_] | None = None) -> Places:
        """Return the first row of each patient, of those `known`, at or after the time; -1 without one."""
        if self._after is None:
            self._after = np.searchsorted(self._keys, self._wanted, "left")
        places = self._after
        if known is not None and len(known):
            among = np.append(np.flatnonzero(known), len(known))
            places = among.take(np.searchsorted(among, places, "left"))
        return self._own(places)

    def _own(self, places: NDArray[Any]) -> Places:
        """Return the places, -1 for each that is outside the table or of another patient."""
        if not len(self._owners):
            return np.full(len(self._patients), -1, np.int64)
        inside = (places >= 0) & (places < len(self._owners))
        inside &= self._owners.take(places, mode="clip") == self._patients
        found: Places = np.where(inside, places, -1)
        return found


def of_kinds(rows: Table, kinds: Iterable[int]) -> NDArray[np.bool_]:
    """Return which rows are of one of these kinds: events or treatments."""
    wanted = np.zeros(256, bool)
    wanted[list(kinds)] = True
    return wanted.take(rows["kind"])


def last_before(rows: Table, column: str, patients: NDArray[Any], times: Milliseconds) -> Places:
    """Return the row of each patient that is the last at or before the time given; -1 where there is none."""
    return Lookup(rows, column, patients, times).last_before()


def first_after(rows: Table, column: str, patients: NDArray[Any], times: Milliseconds) -> Places:
    """Return the row of each patient that is the first at or after the time given; -1 where there is none."""
    return Lookup(rows, column, patients, times).first_after()


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
