"""Complete arrivals: those of the buffer that no later incident can precede, sorted by time."""

import numpy as np
from numba import njit

from engine.arrivals.days import Cursor
from engine.numeric import compiled, compiled_entry
from engine.tables import ARRIVAL, ArrivalRow, Ints, Rows, Table

_DIGIT_BITS = 11
_DIGITS = 1 << _DIGIT_BITS


@compiled
def _sort_by_time(buffer: Rows[ArrivalRow], order: Ints, earliest: int, latest: int) -> None:
    """Sort row numbers by the time of the rows: a stable radix sort, 11 bits at a time."""
    count = len(order)
    other = np.empty(count, np.int64)
    starts = np.empty(_DIGITS + 1, np.int64)
    shift = 0
    while count > 1 and (latest - earliest) >> shift > 0:
        for i in range(_DIGITS + 1):
            starts[i] = 0
        for i in range(count):
            starts[(((buffer[order[i]].time - earliest) >> shift) & (_DIGITS - 1)) + 1] += 1
        for i in range(_DIGITS):
            starts[i + 1] += starts[i]
        for i in range(count):
            digit = ((buffer[order[i]].time - earliest) >> shift) & (_DIGITS - 1)
            other[starts[digit]] = order[i]
            starts[digit] += 1
        for i in range(count):
            order[i] = other[i]
        shift += _DIGIT_BITS


@compiled
def _sort_ties(buffer: Rows[ArrivalRow], order: Ints) -> None:
    """Sort row numbers that are sorted by time by identifier as well: an insertion sort."""
    for i in range(1, len(order)):
        moved = order[i]
        j = i
        while j > 0 and _comes_later(buffer[order[j - 1]], buffer[moved]):
            order[j] = order[j - 1]
            j -= 1
        order[j] = moved


@njit
def _comes_later(one: ArrivalRow, other: ArrivalRow) -> bool:
    """Whether `one` belongs behind `other`: by time, ties by identifier."""
    if one.time != other.time:
        return one.time > other.time
    if one.id_hi != other.id_hi:
        return one.id_hi > other.id_hi
    return one.id_lo > other.id_lo


@compiled_entry
def take_complete(buffer: Rows[ArrivalRow], cursor: Ints, horizon: int) -> Table:
    """Remove the arrivals before `horizon` (ms) from the buffer and return them, sorted by time and identifier."""
    used = cursor[Cursor.USED]
    order = np.empty(used, np.int64)
    count = 0
    earliest = horizon
    latest = 0
    for row in range(used):
        time = buffer[row].time
        if time < horizon:
            order[count] = row
            count += 1
            if time < earliest:
                earliest = time
            if time > latest:
                latest = time
    order = order[:count]
    _sort_by_time(buffer, order, earliest, latest)
    _sort_ties(buffer, order)
    complete = np.empty(count, ARRIVAL)
    for row in range(count):
        complete[row] = buffer[order[row]]
    kept = 0
    for row in range(used):
        if buffer[row].time >= horizon:
            buffer[kept] = buffer[row]
            kept += 1
    cursor[Cursor.USED] = kept
    return complete
