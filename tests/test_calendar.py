"""The calendar of the event kernel gives back what was entered, in the order of time, whatever its width."""

import heapq
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from engine.kernel.calendar import (
    BUCKETS,
    CALENDAR,
    FRONT,
    MAX_ENTRIES,
    adjust_bucket_width,
    enter,
    initialise,
    next_time,
    take_first,
)

MINUTE = 60_000.0


@njit
def _drive(calendar: Any, ahead: Any, ties: Any, gaps: Any, takes: Any, out: Any) -> int:
    """Enters one by one, each `ahead` ms after the last taken; takes `takes` after each; re-sized for `gaps` > 0."""
    c = calendar[0]
    now = 0.0
    n = 0
    for k in range(len(ahead)):
        if gaps[k] > 0.0:
            adjust_bucket_width(c, gaps[k], now)
        enter(c, now + ahead[k], ties[k], k, 2 * k)
        for _ in range(takes[k]):
            at = next_time(c)
            if at == np.inf:
                break
            first = c.heap[FRONT]
            now = at
            out[n, 0] = first.at
            out[n, 1] = first.tie
            out[n, 2] = first.subject
            if first.version != 2 * first.subject:
                return -1
            take_first(c)
            n += 1
    return n


def _new() -> Any:
    calendar = np.zeros(1, CALENDAR)
    initialise(calendar)
    return calendar


STEPS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.5, 7.0, MINUTE, 13 * MINUTE, 60 * MINUTE, 9.5 * 86_400_000, 1e12)),
        st.floats(0.0, 1.0),
        st.integers(0, 3),
        st.sampled_from((0.0, 0.0, 0.0, 1.0, 1e3, 1e6, 1e9)),
        st.sampled_from((0, 0, 1, 2, 5)),
    ),
    min_size=1,
    max_size=300,
)


@given(STEPS)
def test_entries_come_out_in_the_order_of_time_and_then_of_their_ties(steps: list[Any]) -> None:
    ahead = np.array([a * (0.5 + share) for a, share, _, _, _ in steps])
    ties = np.array([tie * 1000 + k for k, (_, _, tie, _, _) in enumerate(steps)], np.int64)
    gaps = np.array([gap for _, _, _, gap, _ in steps])
    takes = np.array([take for _, _, _, _, take in steps], np.int64)
    takes[-1] = len(steps) + 1
    out = np.zeros((len(steps) + 1, 3))
    n = _drive(_new(), ahead, ties, gaps, takes, out)
    heap: list[tuple[float, int, int]] = []
    expected = []
    now = 0.0
    for k in range(len(steps)):
        heapq.heappush(heap, (now + ahead[k], int(ties[k]), k))
        for _ in range(min(int(takes[k]), len(heap))):
            expected.append(heapq.heappop(heap))
            now = expected[-1][0]
    assert n == len(steps) == len(expected)
    assert [tuple(row) for row in out[:n].tolist()] == [(at, float(tie), float(k)) for at, tie, k in expected]


def test_a_burst_in_one_bucket_costs_no_more_than_a_heap() -> None:
    n = 200_000
    ahead = np.random.default_rng(1).uniform(0.0, MINUTE, n)
    takes = np.zeros(n, np.int64)
    takes[-1] = n
    out = np.zeros((n, 3))
    assert _drive(_new(), ahead, np.arange(n), np.zeros(n), takes, out) == n
    assert (np.diff(out[:, 0]) >= 0).all()


def test_an_overflow_is_reported() -> None:
    calendar = _new()
    n = MAX_ENTRIES + 1
    ahead = np.full(n, 3 * BUCKETS * MINUTE)
    _drive(calendar, ahead, np.arange(n), np.zeros(n), np.zeros(n, np.int64), np.zeros((1, 3)))
    assert calendar["overflow"][0] == 1
