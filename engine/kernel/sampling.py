"""The time series of resources, and the time integrals at the end of a run."""

from engine.codes import RESOURCE_COUNT
from engine.kernel.resources import update_integrals, update_queue_integral
from engine.kernel.state import (
    ALL_RESOURCES,
    KERNEL_STATE,
    REMAINS_QUEUES,
    SAMPLE_ROWS,
    KernelState,
    kind_of,
)
from engine.numeric import compiled, compiled_entry
from engine.tables import MODEL, UNLIMITED, Model, Table


@compiled
def _halve_series(state: KernelState, finite: int) -> None:
    """Merge each two consecutive intervals of a full time series, and double the interval of the next samples.

    `finite`: rows of an interval, one for each finite resource.
    """
    intervals = state.series_length // finite
    begin = 0
    kept = 0
    for interval in range(0, intervals, 2):
        last = min(interval + 1, intervals - 1)
        end = state.series[last * finite].at
        share = (state.series[interval * finite].at - begin) / (end - begin)
        for k in range(finite):
            first = state.series[interval * finite + k]
            second = state.series[last * finite + k]
            row = state.series[kept]
            in_use = share * first.in_use + (1.0 - share) * second.in_use
            queue = share * first.queue + (1.0 - share) * second.queue
            row.at = second.at
            row.facility = second.facility
            row.resource = second.resource
            row.in_use = in_use
            row.queue = queue
            row.in_use_now = second.in_use_now
            row.queue_now = second.queue_now
            row.capacity = second.capacity
            kept += 1
        begin = end
    state.series_length = kept
    state.sample_interval *= 2.0


@compiled
def take_sample(state: KernelState, now: float, model: Model) -> None:
    """Add a row to the time series for each finite resource: means over the interval since the last sample."""
    interval = now - state.sampled_at
    if interval <= 0.0:
        return
    finite = 0
    for resource in range(model.network.facilities * RESOURCE_COUNT):
        if model.network.capacity[resource] < UNLIMITED:
            finite += 1
    if state.series_length + finite > SAMPLE_ROWS:
        _halve_series(state, finite)
    for resource in range(model.network.facilities * RESOURCE_COUNT):
        if model.network.capacity[resource] >= UNLIMITED:
            continue
        update_integrals(state, resource, now)
        row = state.series[state.series_length]
        row.at = int(now)
        row.facility = resource // RESOURCE_COUNT
        row.resource = kind_of(resource)
        row.in_use = (state.used_area[resource] - state.sampled_used[resource]) / interval
        row.queue = (state.queue_area[resource] - state.sampled_queue[resource]) / interval
        row.in_use_now = state.in_use[resource]
        row.queue_now = state.queue_length[resource]
        row.capacity = state.capacity[resource]
        state.sampled_used[resource] = state.used_area[resource]
        state.sampled_queue[resource] = state.queue_area[resource]
        state.series_length += 1
    state.sampled_at = now


@compiled_entry(KERNEL_STATE, MODEL)
def finish_statistics(states: Table, models: Table) -> None:
    """Bring all time integrals to the end of the run: the last event or the last pending release."""
    state: KernelState = states[0]
    model: Model = models[0]
    for resource in range(model.network.facilities * RESOURCE_COUNT):
        if state.pending_first[resource] >= 0:
            state.now = min(model.care.horizon[0], max(state.now, state.pending_until[resource]))
    for resource in range(model.network.facilities * RESOURCE_COUNT):
        update_integrals(state, resource, state.now)
        state.stay_sum[resource] += state.in_use[resource] * state.now
    for way in range(model.network.ways):
        update_queue_integral(state, ALL_RESOURCES + way, state.now)
        update_queue_integral(state, REMAINS_QUEUES + way, state.now)
