"""The calendar of the event kernel: which event occurs when.

It has three levels. The front is a heap of the few entries in the current bucket of time and before. A ring of buckets
ahead holds an unsorted list in each bucket. A second heap, the far heap, holds entries later than the ring. An entry
costs constant time as long as most buckets have few entries. Entries come out in the order of (at, tie), whatever
the width of the buckets. After R. Brown, "Calendar queues", CACM 31 (1988); the front heap bounds bursts within one
bucket at n log n.
"""

import math
from typing import Annotated

from engine.numeric import compiled
from engine.tables import MINUTE, Float64, Int32, Int64, Ints, Row, Rows, Table, dtype_of

MAX_ENTRIES = 1 << 21
"""Most entries that each level can hold."""
BUCKETS = 1 << 12
"""Buckets of the ring; a power of two."""
NARROWEST, WIDEST = 1.0, 60.0 * MINUTE
"""Limits of the width of a bucket, ms."""
ENTRIES_PER_CASUALTY = 12.0
"""Rough number of entries per casualty, used to choose a bucket width that gives about one entry per bucket."""


class CalendarEntry(Row):
    """An entry: `tie` breaks ties of `at`, ms; the calendar does not interpret `subject` and `version`."""

    at: Float64
    tie: Int64
    subject: Int32
    version: Int32


ENTRY = dtype_of(CalendarEntry)


class ListedEntry(CalendarEntry):
    """An entry in the list of a bucket."""

    next: Int32  # row of the next; -1 none


LISTED = dtype_of(ListedEntry)

FRONT, FAR = 0, MAX_ENTRIES
"""First entries of the two heaps."""


class Calendar(Row):
    """The calendar of the event kernel."""

    overflow: Int64  # 1: an entry was lost for lack of room
    width: Float64  # ms of a bucket
    rate: Float64  # buckets per ms
    current: Int64  # number of the current bucket, counted from time 0
    in_front: Int64
    in_ring: Int64
    in_far: Int64
    free: Int32  # first of the list of free rows of `listed`
    used: Int32  # rows of `listed` that have been used
    bucket: Annotated[Ints, "i4", BUCKETS]  # first entry in `listed`; -1 none
    listed: Annotated[Rows[ListedEntry], MAX_ENTRIES]
    heap: Annotated[Rows[CalendarEntry], 2 * MAX_ENTRIES]  # the front from FRONT on, the far heap from FAR on


CALENDAR = dtype_of(Calendar)


def initialise(calendar: Table) -> None:
    """Make zeroed rows of CALENDAR empty calendars."""
    calendar["width"] = MINUTE
    calendar["rate"] = 1.0 / MINUTE
    calendar["bucket"] = -1
    calendar["free"] = -1


@compiled
def _push(calendar: Calendar, base: int, size: int, at: float, tie: int, subject: int, version: int) -> None:
    """Push an entry onto the 4-ary heap that begins at `base` and has `size` entries so far."""
    position = int(size)
    while position > 0:
        parent = (position - 1) >> 2
        above = calendar.heap[base + parent]
        if not (at < above.at or (at == above.at and tie < above.tie)):
            break
        row = calendar.heap[base + position]
        row.at = above.at
        row.tie = above.tie
        row.subject = above.subject
        row.version = above.version
        position = parent
    row = calendar.heap[base + position]
    row.at = at
    row.tie = tie
    row.subject = subject
    row.version = version


@compiled
def _pop(calendar: Calendar, base: int, size: int) -> None:
    """Remove the first entry of a heap, which has `size` entries afterwards."""
    if size <= 0:
        return
    moved = calendar.heap[base + size]
    at = moved.at
    tie = moved.tie
    subject = moved.subject
    version = moved.version
    position = 0
    while True:
        child = 4 * position + 1
        if child >= size:
            break
        least = int(child)
        least_at = calendar.heap[base + child].at
        least_tie = calendar.heap[base + child].tie
        for other in range(child + 1, min(child + 4, size)):
            if calendar.heap[base + other].at < least_at or (
                calendar.heap[base + other].at == least_at and calendar.heap[base + other].tie < least_tie
            ):
                least = other
                least_at = calendar.heap[base + other].at
                least_tie = calendar.heap[base + other].tie
        if not (least_at < at or (least_at == at and least_tie < tie)):
            break
        below = calendar.heap[base + least]
        row = calendar.heap[base + position]
        row.at = least_at
        row.tie = least_tie
        row.subject = below.subject
        row.version = below.version
        position = least
    row = calendar.heap[base + position]
    row.at = at
    row.tie = tie
    row.subject = subject
    row.version = version


@compiled
def _enter_far(calendar: Calendar, at: float, tie: int, subject: int, version: int) -> bool:
    """Push an entry onto the far heap; return whether there was room."""
    if calendar.in_far >= MAX_ENTRIES - 1:
        calendar.overflow = 1
        return False
    _push(calendar, FAR, calendar.in_far, at, tie, subject, version)
    calendar.in_far += 1
    return True


@compiled
def enter(calendar: Calendar, at: float, tie: int, subject: int, version: int) -> None:
    """Put an entry in the calendar; `at` is finite, ms."""
    number = int(at * calendar.rate)
    if number <= calendar.current:
        if calendar.in_front >= MAX_ENTRIES - 1:
            calendar.overflow = 1
            return
        _push(calendar, FRONT, calendar.in_front, at, tie, subject, version)
        calendar.in_front += 1
    elif number < calendar.current + BUCKETS:
        position = calendar.free
        if position >= 0:
            calendar.free = calendar.listed[position].next
        else:
            position = calendar.used
            if position >= MAX_ENTRIES:
                calendar.overflow = 1
                return
            calendar.used = position + 1
        row = calendar.listed[position]
        row.at = at
        row.tie = tie
        row.subject = subject
        row.version = version
        place = number & (BUCKETS - 1)
        row.next = calendar.bucket[place]
        calendar.bucket[place] = position
        calendar.in_ring += 1
    else:
        _enter_far(calendar, at, tie, subject, version)


@compiled
def _move_far_to_ring(calendar: Calendar) -> None:
    """Move the entries of the far heap that the ring now covers into the ring."""
    while calendar.in_far > 0:
        first = calendar.heap[FAR]
        if int(first.at * calendar.rate) >= calendar.current + BUCKETS:
            return
        at = first.at
        tie = first.tie
        subject = first.subject
        version = first.version
        calendar.in_far -= 1
        _pop(calendar, FAR, calendar.in_far)
        enter(calendar, at, tie, subject, version)


@compiled
def _move_bucket_to_front(calendar: Calendar) -> None:
    """Move the entries of the current bucket to the front."""
    place = calendar.current & (BUCKETS - 1)
    position = int(calendar.bucket[place])
    calendar.bucket[place] = -1
    while position >= 0:
        row = calendar.listed[position]
        after = int(row.next)
        _push(calendar, FRONT, calendar.in_front, row.at, row.tie, row.subject, row.version)
        calendar.in_front += 1
        calendar.in_ring -= 1
        row.next = calendar.free
        calendar.free = position
        position = after


@compiled
def next_time(calendar: Calendar) -> float:
    """Bring the first entry to `heap[FRONT]` and return its time, ms; infinity if the calendar is empty."""
    while calendar.in_front == 0:
        if calendar.in_ring > 0:
            calendar.current += 1
            _move_far_to_ring(calendar)
            _move_bucket_to_front(calendar)
        elif calendar.in_far > 0:
            calendar.current = int(calendar.heap[FAR].at * calendar.rate)
            _move_far_to_ring(calendar)
        else:
            return math.inf
    return float(calendar.heap[FRONT].at)


@compiled
def take_first(calendar: Calendar) -> None:
    """Remove the first entry, which `next_time` has brought to the front."""
    calendar.in_front -= 1
    _pop(calendar, FRONT, calendar.in_front)


@compiled
def adjust_bucket_width(calendar: Calendar, interval: float, now: float) -> None:
    """Choose the width of the buckets for a casualty every `interval` ms, unless the present width is about right.

    `now` is in ms. All entries are moved.
    """
    width = min(WIDEST, max(NARROWEST, interval / ENTRIES_PER_CASUALTY))
    if 0.25 < width / calendar.width < 4.0:
        return
    for place in range(BUCKETS):
        position = int(calendar.bucket[place])
        calendar.bucket[place] = -1
        while position >= 0:
            row = calendar.listed[position]
            after = int(row.next)
            if not _enter_far(calendar, row.at, row.tie, row.subject, row.version):
                return
            row.next = calendar.free
            calendar.free = position
            position = after
    calendar.in_ring = 0
    for j in range(calendar.in_front):
        entry = calendar.heap[FRONT + j]
        if not _enter_far(calendar, entry.at, entry.tie, entry.subject, entry.version):
            return
    calendar.in_front = 0
    calendar.width = width
    calendar.rate = 1.0 / width
    calendar.current = int(now * calendar.rate)
    _move_far_to_ring(calendar)
