"""Complete arrivals: those of the buffer that no later incident can precede, sorted by time."""

from engine.arrivals.days import Cursor
from engine.numeric import compiled, compiled_entry
from engine.tables import ARRIVAL, ArrivalRow, Ints, Rows

_DIGIT_BITS = 11
DIGITS = 1 << _DIGIT_BITS


@compiled
def _sort_by_time(
    buffer: Rows[ArrivalRow], order: Ints, other: Ints, starts: Ints, earliest: int, latest: int
) -> None:
    """Sort row numbers by the time of the rows: a stable radix sort, 11 bits at a time.

    `other`, as long as `order`, and `starts`, shape (DIGITS + 1,), are working memory.
    """
    count = len(order)
    shift = 0
    while count > 1 and (latest - earliest) >> shift > 0:
        for i in range(DIGITS + 1):
            starts[i] = 0
        for i in range(count):
            starts[(((buffer[order[i]].time - earliest) >> shift) & (DIGITS - 1)) + 1] += 1
        for i in range(DIGITS):
            starts[i + 1] += starts[i]
        for i in range(count):
            digit = ((buffer[order[i]].time - earliest) >> shift) & (DIGITS - 1)
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


@compiled
def _comes_later(one: ArrivalRow, other: ArrivalRow) -> bool:
    """Whether `one` belongs behind `other`: by time, ties by identifier."""
    if one.time != other.time:
        return one.time > other.time
    if one.id_hi != other.id_hi:
        return one.id_hi > other.id_hi
    return one.id_lo > other.id_lo


@compiled_entry(ARRIVAL, "i8", "i8", "i8", "i8", ARRIVAL, int)
def take_complete(
    buffer: Rows[ArrivalRow],
    cursor: Ints,
    order: Ints,
    other: Ints,
    starts: Ints,
    complete: Rows[ArrivalRow],
    horizon: int,
) -> int:
    """Move the arrivals before `horizon` (ms) from the buffer to `complete`, sorted by time and identifier.

    `order`, `other` and `complete` have room for the rows of the buffer that are used. `order`, `other` and `starts`,
    shape (DIGITS + 1,), are working memory. Returns the number of arrivals moved.
    """
    used = cursor[Cursor.USED]
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
    _sort_by_time(buffer, order, other, starts, earliest, latest)
    _sort_ties(buffer, order)
    for row in range(count):
        complete[row] = buffer[order[row]]
    kept = 0
    for row in range(used):
        if buffer[row].time >= horizon:
            buffer[kept] = buffer[row]
            kept += 1
    cursor[Cursor.USED] = kept
    return count
