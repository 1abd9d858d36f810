"""Events that occur by the clock: shifts, blood supply, surge, samples, and checks on vehicles that could not move."""

import math

from engine.codes import RESOURCE_COUNT, Resource
from engine.kernel.codes import EntryKind
from engine.kernel.dispatch import dispatch_from_pool, dispatch_to_facility, dispatch_to_way
from engine.kernel.resources import serve_queue, set_surge, update_operating_tables
from engine.kernel.sampling import take_sample
from engine.kernel.state import KERNEL_STATE, KernelState, schedule
from engine.numeric import compiled, compiled_entry
from engine.tables import DAY, MODEL, Model, Output, Table


@compiled
def _begin_shift(state: KernelState, facility: int, change: int, now: float, model: Model) -> None:
    """Begin a shift with the surgical teams of the roster."""
    state.surgical_teams[facility] = model.network.surgical_teams[facility, change]
    update_operating_tables(state, facility, now, model)


@compiled
def _schedule_next_shift(state: KernelState, facility: int, now: float, model: Model) -> int:
    """Schedule the first shift of a facility that begins after `now`; return the number of the current shift."""
    n = model.network.shift_count[facility]
    clock = model.people.start[0] + now
    day = math.floor(clock / DAY) * DAY
    within = clock - day
    following = 0
    at = day + DAY + model.network.shift_start[facility, 0]
    for k in range(n):
        if model.network.shift_start[facility, k] > within:
            following = k
            at = day + model.network.shift_start[facility, k]
            break
    schedule(state, at - model.people.start[0], EntryKind.ROSTER, facility, facility, following)
    return (following + n - 1) % n


@compiled
def _begin_at_facility(state: KernelState, facility: int, model: Model) -> None:
    """Set a facility's capacities at the start of the run, its roster and its blood supply."""
    network = model.network
    state.closures[facility] = network.closed_at_start[facility]
    state.blood[facility] = network.blood[facility]
    first = facility * RESOURCE_COUNT
    state.surgical_teams[facility] = network.capacity[first + Resource.OPERATING_TABLE]
    for k in range(RESOURCE_COUNT):
        state.capacity[first + k] = network.capacity[first + k]
    if network.shift_count[facility] > 0:
        _begin_shift(state, facility, _schedule_next_shift(state, facility, 0.0, model), 0.0, model)
    if network.resupply_interval[facility] > 0.0:
        schedule(state, network.resupply_interval[facility], EntryKind.RESUPPLY, facility, facility, 0)


@compiled_entry(KERNEL_STATE, MODEL)
def begin_run(states: Table, models: Table) -> None:
    """Set the capacities of an empty state and schedule all that is fixed by the clock.

    Parameters
    ----------
    states
        One row of KERNEL_STATE.
    models
        One row of MODEL.
    """
    state: KernelState = states[0]
    model: Model = models[0]
    state.separates_nations = 1 if model.network.prefers_own_nation and model.network.bypass else 0
    for facility in range(model.network.facilities):
        _begin_at_facility(state, facility, model)
    for pool in range(model.network.pools):
        state.idle_vehicles[pool] = model.network.vehicles[pool]
        if model.network.lift_interval[pool] > 0.0:
            schedule(state, model.network.first_lift_at[pool], EntryKind.LIFT, pool, pool, 0)
    for k in range(model.network.world_event_count):
        schedule(state, model.network.world_event_at[k], EntryKind.WORLD, k, k, 0)
    if state.sample_interval > 0.0:
        schedule(state, state.sample_interval, EntryKind.SAMPLE, 0, 0, 0)


@compiled
def _open_surge(state: KernelState, scratch: Output, facility: int, now: float, model: Model) -> None:
    """Open the surge places of a facility and serve those who wait for them."""
    state.surge_scheduled[facility] = 0
    set_surge(state, facility, 1, now, model)
    for k in range(RESOURCE_COUNT):
        serve_queue(state, scratch, facility * RESOURCE_COUNT + k, now, model)
    dispatch_to_facility(state, scratch, facility, now, model)


@compiled
def apply_clock_event(
    state: KernelState, scratch: Output, kind: int, subject: int, version: int, now: float, model: Model
) -> None:
    """Apply a clock entry. `EntryKind` says what `subject` and `version` mean for each kind."""
    if kind == EntryKind.ROSTER:
        _begin_shift(state, subject, version, now, model)
        _schedule_next_shift(state, subject, now, model)
        serve_queue(state, scratch, subject * RESOURCE_COUNT + Resource.OPERATING_TABLE, now, model)
    elif kind == EntryKind.RESUPPLY:
        state.blood[subject] += model.network.resupply_units[subject]
        schedule(
            state, now + model.network.resupply_interval[subject], EntryKind.RESUPPLY, subject, subject, 0
        )
    elif kind == EntryKind.SURGE:
        _open_surge(state, scratch, subject, now, model)
    elif kind == EntryKind.SAMPLE:
        take_sample(state, now, model)
        schedule(state, now + state.sample_interval, EntryKind.SAMPLE, 0, 0, 0)
    elif version == 0:
        dispatch_from_pool(state, scratch, subject, now, model)
    else:
        dispatch_to_way(state, scratch, subject, now, model)
