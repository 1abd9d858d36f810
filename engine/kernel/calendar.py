"""What is to happen when: the calendar of the event kernel.

Three tiers. `front`: a heap of the few entries of the current bucket of time and before. A ring of buckets ahead, each
an unsorted list. `far`: a heap of what lies beyond the ring. An entry costs a constant time as long as a bucket has
few entries and few buckets have none. The order of what comes out is that of (at, tie), whatever the width of the
buckets. After R. Brown, "Calendar queues", CACM 31 (1988); the front heap keeps bursts within one bucket at n log n.
"""

import math
from typing import Annotated, Any

from engine.numeric import compiled
from engine.tables import MINUTE, Float64, Int32, Int64, Ints, Row, Rows, dtype_of

MAX_ENTRIES = 1 << 21
"""Of each tier at the most."""
BUCKETS = 1 << 12
"""Of the ring; a power of two."""
NARROWEST, WIDEST = 1.0, 60.0 * MINUTE
"""ms of a bucket."""
ENTRIES_PER_CASUALTY = 12.0
"""Entries of one casualty, more or less: a bucket is made for one entry."""


class CalendarEntry(Row):
    """`tie` breaks ties of `at`, ms; `what` and `version` are the caller's."""

    at: Float64
    tie: Int64
    what: Int32
    version: Int32


ENTRY = dtype_of(CalendarEntry)


class ListedEntry(CalendarEntry):
    """An entry in the list of its bucket."""

    next: Int32  # row of the next; -1 none


LISTED = dtype_of(ListedEntry)

FRONT, FAR = 0, MAX_ENTRIES
"""Where the two heaps begin."""


class Calendar(Row):
    """The calendar of the event kernel."""

    overflow: Int64  # 1: an entry found no room and is lost
    width: Float64  # ms of a bucket, and its inverse
    rate: Float64
    current: Int64  # number of the current bucket, counted from time 0
    in_front: Int64
    in_ring: Int64
    in_far: Int64
    free: Int32  # of `listed`
    used: Int32
    bucket: Annotated[Ints, "i4", BUCKETS]  # first entry in `listed`; -1 none
    listed: Annotated[Rows[ListedEntry], MAX_ENTRIES]
    heap: Annotated[
        Rows[CalendarEntry], 2 * MAX_ENTRIES
    ]  # two heaps: the front from FRONT on, the far from FAR on


CALENDAR = dtype_of(Calendar)


def initialise(calendar: Any) -> None:
    """Make a zeroed CALENDAR an empty one."""
    calendar["width"] = MINUTE
    calendar["rate"] = 1.0 / MINUTE
    calendar["bucket"] = -1
    calendar["free"] = -1


@compiled
def _push(calendar: Calendar, base: int, size: int, at: float, tie: int, what: int, version: int) -> None:
    """Enter at the end of the heap from `base` on, in which every entry has four below it, `size` entries so far."""
    position = int(size)
    while position > 0:
        parent = (position - 1) >> 2
        above = calendar.heap[base + parent]
        if not (at < above.at or (at == above.at and tie < above.tie)):
            break
        row = calendar.heap[base + position]
        row.at = above.at
        row.tie = above.tie
        row.what = above.what
        row.version = above.version
        position = parent
    row = calendar.heap[base + position]
    row.at = at
    row.tie = tie
    row.what = what
    row.version = version


@compiled
def _pop(calendar: Calendar, base: int, size: int) -> None:
    """Take the first entry out of a heap that has `size` entries afterwards."""
    if size <= 0:
        return
    moved = calendar.heap[base + size]
    at = moved.at
    tie = moved.tie
    what = moved.what
    version = moved.version
    position = 0
    while True:
        child = 4 * position + 1
        if child >= size:
            break
        least: Any = child
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
        row.what = below.what
        row.version = below.version
        position = least
    row = calendar.heap[base + position]
    row.at = at
    row.tie = tie
    row.what = what
    row.version = version


@compiled
def enter(calendar: Calendar, at: float, tie: int, what: int, version: int) -> None:
    """Enter something that happens at `at`, finite ms."""
    number = int(at * calendar.rate)
    if number <= calendar.current:
        if calendar.in_front >= MAX_ENTRIES - 1:
            calendar.overflow = 1
            return
        _push(calendar, FRONT, calendar.in_front, at, tie, what, version)
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
        row.what = what
        row.version = version
        place = number & (BUCKETS - 1)
        row.next = calendar.bucket[place]
        calendar.bucket[place] = position
        calendar.in_ring += 1
    else:
        if calendar.in_far >= MAX_ENTRIES - 1:
            calendar.overflow = 1
            return
        _push(calendar, FAR, calendar.in_far, at, tie, what, version)
        calendar.in_far += 1


@compiled
def _move_far_to_ring(calendar: Calendar) -> None:
    """What lay beyond the ring and no longer does comes into it."""
    while calendar.in_far > 0:
        first = calendar.heap[FAR]
        if int(first.at * calendar.rate) >= calendar.current + BUCKETS:
            return
        at = first.at
        tie = first.tie
        what = first.what
        version = first.version
        calendar.in_far -= 1
        _pop(calendar, FAR, calendar.in_far)
        enter(calendar, at, tie, what, version)


@compiled
def _move_bucket_to_front(calendar: Calendar) -> None:
    """The entries of the current bucket come to the front."""
    place = calendar.current & (BUCKETS - 1)
    position = int(calendar.bucket[place])
    calendar.bucket[place] = -1
    while position >= 0:
        row = calendar.listed[position]
        after = int(row.next)
        _push(calendar, FRONT, calendar.in_front, row.at, row.tie, row.what, row.version)
        calendar.in_front += 1
        calendar.in_ring -= 1
        row.next = calendar.free
        calendar.free = position
        position = after


@compiled
def next_time(calendar: Calendar) -> float:
    """ms of the first entry, which is c.heap[FRONT] from now on; infinity: there is none."""
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
    """Remove the first entry; `next_time` has been asked."""
    calendar.in_front -= 1
    _pop(calendar, FRONT, calendar.in_front)


@compiled
def adjust_bucket_width(calendar: Calendar, interval: float, now: float) -> None:
    """At `now`, ms: choose the width of the buckets for a casualty every `interval` ms, if it is far from suiting."""
    width = min(WIDEST, max(NARROWEST, interval / ENTRIES_PER_CASUALTY))
    if 0.25 < width / calendar.width < 4.0:
        return
    for place in range(BUCKETS):
        position = int(calendar.bucket[place])
        calendar.bucket[place] = -1
        while position >= 0:
            row = calendar.listed[position]
            after = int(row.next)
            if calendar.in_far >= MAX_ENTRIES - 1:
                calendar.overflow = 1
                return
            _push(calendar, FAR, calendar.in_far, row.at, row.tie, row.what, row.version)
            calendar.in_far += 1
            row.next = calendar.free
            calendar.free = position
            position = after
    calendar.in_ring = 0
    for j in range(calendar.in_front):
        entry = calendar.heap[FRONT + j]
        if calendar.in_far >= MAX_ENTRIES - 1:
            calendar.overflow = 1
            return
        _push(calendar, FAR, calendar.in_far, entry.at, entry.tie, entry.what, entry.version)
        calendar.in_far += 1
    calendar.in_front = 0
    calendar.width = width
    calendar.rate = 1.0 / width
    calendar.current = int(now * calendar.rate)
    _move_far_to_ring(calendar)
