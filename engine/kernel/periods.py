"""Statistics of the network in some periods of the run (`engine.codes.Period`), beside those of the whole run."""

from engine.codes import PERIOD_COUNT
from engine.kernel.state import KernelState
from engine.numeric import compiled


@compiled
def _time_in(state: KernelState, period: int, since: float, until: float) -> float:
    """Return how much of the time from `since` to `until` is in a period, ms; not above 0: nothing."""
    return min(until, state.period_end[period]) - max(since, state.period_begin[period])


@compiled
def count_use_in_periods(state: KernelState, resource: int, since: float, until: float) -> None:
    """Add the use of a resource, which was the same from `since` to `until`, to the periods."""
    for period in range(PERIOD_COUNT):
        elapsed = _time_in(state, period, since, until)
        if elapsed > 0.0:
            in_use = state.in_use[resource]
            state.period_used_area[resource, period] += in_use * elapsed
            state.period_capacity_area[resource, period] += max(state.capacity[resource], in_use) * elapsed


@compiled
def count_queue_in_periods(state: KernelState, queue: int, since: float, until: float) -> None:
    """Add the length of a queue, which was the same from `since` to `until`, to the periods."""
    length = state.queue_length[queue]
    if length == 0:
        return
    for period in range(PERIOD_COUNT):
        elapsed = _time_in(state, period, since, until)
        if elapsed > 0.0:
            state.period_queue_area[queue, period] += length * elapsed
            state.period_max_queue[queue, period] = max(state.period_max_queue[queue, period], length)


@compiled
def is_in_period(state: KernelState, period: int, at: float) -> bool:
    """Return whether a time, ms, is in a period."""
    return bool(state.period_begin[period] <= at < state.period_end[period])


@compiled
def count_joining_in_periods(state: KernelState, queue: int, now: float) -> None:
    """Note the length of a queue that a patient has joined at `now` in the periods."""
    for period in range(PERIOD_COUNT):
        if is_in_period(state, period, now):
            state.period_max_queue[queue, period] = max(
                state.period_max_queue[queue, period], state.queue_length[queue]
            )


@compiled
def count_wait_in_periods(state: KernelState, queue: int, category: int, since: float, until: float) -> None:
    """Count a whole wait, from `since` to `until`, in the periods in which it began."""
    for period in range(PERIOD_COUNT):
        if is_in_period(state, period, since):
            state.period_wait_sum[queue, period, category] += until - since
            state.period_wait_count[queue, period, category] += 1


@compiled
def count_busy_in_periods(state: KernelState, pool: int, since: float, until: float) -> None:
    """Add the time for which a vehicle of a pool is on its way to the periods."""
    for period in range(PERIOD_COUNT):
        elapsed = _time_in(state, period, since, until)
        if elapsed > 0.0:
            state.period_busy_time[pool, period] += elapsed
