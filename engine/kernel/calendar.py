"""What is to happen when: the calendar of the event kernel.

Three tiers. `front`: a heap of the few entries of the current bucket of time and before. A ring of buckets ahead, each
an unsorted list. `far`: a heap of what lies beyond the ring. An entry costs a constant time as long as a bucket has
few entries and few buckets have none. The order of what comes out is that of (at, tie), whatever the width of the
buckets. After R. Brown, "Calendar queues", CACM 31 (1988); the front heap keeps bursts within one bucket at n log n.
"""

import math
from typing import Annotated, Any

import numpy as np

from engine.numeric import compiled
from engine.tables import Float64, Int32, Int64, Ints, Row, Rows, dtype_of

MAX_ENTRIES = 1 << 21
"""Of each tier at the most."""
BUCKETS = 1 << 12
"""Of the ring; a power of two."""
MINUTE = 60_000.0
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
def _push(c: Any, base: Any, size: Any, at: Any, tie: Any, what: Any, version: Any) -> None:
    """Enter at the end of the heap from `base` on, in which every entry has four below it, `size` entries so far."""
    k = np.int64(size)
    while k > 0:
        parent = (k - 1) >> 2
        above = c.heap[base + parent]
        if not (at < above.at or (at == above.at and tie < above.tie)):
            break
        row = c.heap[base + k]
        row.at = above.at
        row.tie = above.tie
        row.what = above.what
        row.version = above.version
        k = parent
    row = c.heap[base + k]
    row.at = at
    row.tie = tie
    row.what = what
    row.version = version


@compiled
def _pop(c: Any, base: Any, n: Any) -> None:
    """Take the first entry out of a heap that has `n` entries afterwards."""
    if n <= 0:
        return
    moved = c.heap[base + n]
    at = moved.at
    tie = moved.tie
    what = moved.what
    version = moved.version
    k = np.int64(0)
    while True:
        child = 4 * k + 1
        if child >= n:
            break
        least: Any = child
        least_at = c.heap[base + child].at
        least_tie = c.heap[base + child].tie
        for other in range(child + 1, min(child + 4, n)):
            if c.heap[base + other].at < least_at or (
                c.heap[base + other].at == least_at and c.heap[base + other].tie < least_tie
            ):
                least = other
                least_at = c.heap[base + other].at
                least_tie = c.heap[base + other].tie
        if not (least_at < at or (least_at == at and least_tie < tie)):
            break
        below = c.heap[base + least]
        row = c.heap[base + k]
        row.at = least_at
        row.tie = least_tie
        row.what = below.what
        row.version = below.version
        k = least
    row = c.heap[base + k]
    row.at = at
    row.tie = tie
    row.what = what
    row.version = version


@compiled
def enter(c: Any, at: Any, tie: Any, what: Any, version: Any) -> None:
    """Enter something that happens at `at`, finite ms."""
    number = np.int64(at * c.rate)
    if number <= c.current:
        if c.in_front >= MAX_ENTRIES - 1:
            c.overflow = 1
            return
        _push(c, FRONT, c.in_front, at, tie, what, version)
        c.in_front += 1
    elif number < c.current + BUCKETS:
        k = c.free
        if k >= 0:
            c.free = c.listed[k].next
        else:
            k = c.used
            if k >= MAX_ENTRIES:
                c.overflow = 1
                return
            c.used = k + 1
        row = c.listed[k]
        row.at = at
        row.tie = tie
        row.what = what
        row.version = version
        place = number & (BUCKETS - 1)
        row.next = c.bucket[place]
        c.bucket[place] = k
        c.in_ring += 1
    else:
        if c.in_far >= MAX_ENTRIES - 1:
            c.overflow = 1
            return
        _push(c, FAR, c.in_far, at, tie, what, version)
        c.in_far += 1


@compiled
def _move_far_to_ring(c: Any) -> None:
    """What lay beyond the ring and no longer does comes into it."""
    while c.in_far > 0:
        first = c.heap[FAR]
        if np.int64(first.at * c.rate) >= c.current + BUCKETS:
            return
        at = first.at
        tie = first.tie
        what = first.what
        version = first.version
        c.in_far -= 1
        _pop(c, FAR, c.in_far)
        enter(c, at, tie, what, version)


@compiled
def _move_bucket_to_front(c: Any) -> None:
    """The entries of the current bucket come to the front."""
    place = c.current & (BUCKETS - 1)
    k = np.int64(c.bucket[place])
    c.bucket[place] = -1
    while k >= 0:
        row = c.listed[k]
        after = np.int64(row.next)
        _push(c, FRONT, c.in_front, row.at, row.tie, row.what, row.version)
        c.in_front += 1
        c.in_ring -= 1
        row.next = c.free
        c.free = k
        k = after


@compiled
def next_time(c: Any) -> float:
    """ms of the first entry, which is c.heap[FRONT] from now on; infinity: there is none."""
    while c.in_front == 0:
        if c.in_ring > 0:
            c.current += 1
            _move_far_to_ring(c)
            _move_bucket_to_front(c)
        elif c.in_far > 0:
            c.current = np.int64(c.heap[FAR].at * c.rate)
            _move_far_to_ring(c)
        else:
            return math.inf
    return np.float64(c.heap[FRONT].at)


@compiled
def take_first(c: Any) -> None:
    """Remove the first entry; `next_time` has been asked."""
    c.in_front -= 1
    _pop(c, FRONT, c.in_front)


@compiled
def adjust_bucket_width(c: Any, interval: Any, now: Any) -> None:
    """At `now`, ms: choose the width of the buckets for a casualty every `interval` ms, if it is far from suiting."""
    width = min(WIDEST, max(NARROWEST, interval / ENTRIES_PER_CASUALTY))
    if 0.25 < width / c.width < 4.0:
        return
    for place in range(BUCKETS):
        k = np.int64(c.bucket[place])
        c.bucket[place] = -1
        while k >= 0:
            row = c.listed[k]
            after = np.int64(row.next)
            if c.in_far >= MAX_ENTRIES - 1:
                c.overflow = 1
                return
            _push(c, FAR, c.in_far, row.at, row.tie, row.what, row.version)
            c.in_far += 1
            row.next = c.free
            c.free = k
            k = after
    c.in_ring = 0
    for j in range(c.in_front):
        row = c.heap[FRONT + j]
        if c.in_far >= MAX_ENTRIES - 1:
            c.overflow = 1
            return
        _push(c, FAR, c.in_far, row.at, row.tie, row.what, row.version)
        c.in_far += 1
    c.in_front = 0
    c.width = width
    c.rate = 1.0 / width
    c.current = np.int64(now * c.rate)
    _move_far_to_ring(c)
