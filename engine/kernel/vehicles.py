"""Vehicle pools: whether a vehicle can set off now (docs/model.md section 2.9)."""

import math

from engine.clinical import to_uniform
from engine.codes import CATEGORY_COUNT, WEATHER, DrawPurpose, TriageCategory
from engine.kernel.codes import WAY_WAKE_ORDER, EntryKind
from engine.kernel.places import accepts
from engine.kernel.state import (
    ALL_RESOURCES,
    KernelState,
    next_pending_release,
    pop_pending_release,
    schedule,
)
from engine.numeric import compiled, words
from engine.tables import DAY, CasualtyState, Model


@compiled
def can_move(state: KernelState, pool: int, now: float, model: Model) -> bool:
    """Return whether vehicles of a pool may move at `now`. Night or the weather of the day may forbid it."""
    clock = model.people.start[0] + now
    day = math.floor(clock / DAY)
    if not model.network.moves_by_night[pool]:
        hour = clock - day * DAY
        if hour >= model.network.night[0] or hour < model.network.night[1]:
            return False
    if model.network.grounded_probability[pool] > 0.0:
        if state.weather_day[pool] != day:
            state.weather_day[pool] = day
            uniform = to_uniform(
                words(model.keys[DrawPurpose.VEHICLES], model.network.pool_key[pool], int(day), WEATHER)[0]
            )
            state.weather_grounds[pool] = 1 if uniform < model.network.grounded_probability[pool] else 0
        if state.weather_grounds[pool]:
            return False
    return True


@compiled
def schedule_wake(state: KernelState, pool: int, now: float, model: Model) -> None:
    """Schedule another look at a pool whose vehicles may not move now: at the end of the night or the day."""
    if state.wake_at[pool] > now:
        return
    clock = model.people.start[0] + now
    day = math.floor(clock / DAY)
    next_day = (day + 1.0) * DAY
    at = next_day + model.network.night[1]
    if model.network.moves_by_night[pool]:
        at = next_day
    elif clock - day * DAY < model.network.night[1]:
        at = day * DAY + model.network.night[1]
    state.wake_at[pool] = at - model.people.start[0]
    schedule(state, state.wake_at[pool], EntryKind.WAKE, pool, pool, 0)


@compiled
def is_batch_ready(
    state: KernelState, way: int, candidate: int, category: int, now: float, model: Model
) -> bool:
    """Return whether the batch is complete, a patient has waited long enough, or the category overrides the batch."""
    if model.network.batch[candidate] == 0 or model.network.batch_override[candidate] >> category & 1:
        return True
    queue = ALL_RESOURCES + way
    if state.queue_length[queue] - state.expected_room[way, category] >= model.network.batch[candidate]:
        return True
    oldest = math.inf
    for c in range(CATEGORY_COUNT):
        slot = state.queue_first[queue, c]
        if slot >= 0:
            oldest = min(oldest, state.casualties[slot].wait_since)
    due = oldest + model.network.batch_wait[candidate]
    if now >= due:
        return True
    if state.batch_wake_at[way] <= now or due < state.batch_wake_at[way]:
        state.batch_wake_at[way] = due
        schedule(state, due, EntryKind.WAKE, WAY_WAKE_ORDER + way, way, 1)
    return False


@compiled
def collect_returned_vehicles(state: KernelState, pool: int, now: float) -> None:
    """Make the vehicles idle that have returned by `now`."""
    while next_pending_release(state, ALL_RESOURCES + pool) <= now:
        pop_pending_release(state, ALL_RESOURCES + pool)
        state.idle_vehicles[pool] += 1


@compiled
def schedule_returns(state: KernelState, pool: int) -> None:
    """Put the known returns of a pool's vehicles in the calendar, because a patient waits for one."""
    state.vehicle_wanted[pool] = 1
    while state.pending_first[ALL_RESOURCES + pool] >= 0:
        schedule(
            state, pop_pending_release(state, ALL_RESOURCES + pool), EntryKind.VEHICLE_RETURN, pool, pool, 0
        )


@compiled
def pool_has_vehicle(state: KernelState, pool: int, now: float, model: Model) -> bool:
    """Return whether a vehicle of a pool can set off; -1 stands for vehicles without limit."""
    if pool < 0:
        return True
    if model.network.lift_interval[pool] > 0.0:
        return False
    collect_returned_vehicles(state, pool, now)
    if state.idle_vehicles[pool] <= 0:
        if not state.vehicle_wanted[pool]:
            schedule_returns(state, pool)
        return False
    if not can_move(state, pool, now, model):
        schedule_wake(state, pool, now, model)
        return False
    return True


@compiled
def has_vehicle(state: KernelState, candidate: int, now: float, model: Model) -> bool:
    """Return whether a vehicle can set off for a candidate."""
    return pool_has_vehicle(state, model.network.candidate_pool[candidate], now, model)


@compiled
def can_send(state: KernelState, candidate: int, category: int, now: float, model: Model) -> bool:
    """Return whether a vehicle can set off for a candidate now and the destination accepts the patient."""
    if not accepts(state, model.network.destination[model.network.candidate_link[candidate]], model):
        return False
    way = model.network.candidate_way[candidate]
    return has_vehicle(state, candidate, now, model) and is_batch_ready(
        state, way, candidate, category, now, model
    )


@compiled
def needs_litter(casualty: CasualtyState) -> bool:
    """Return whether the patient needs a litter: T1 and T2 as triaged, and the wounded who truly are."""
    return bool(casualty.category <= TriageCategory.T2 or casualty.must_lie)


@compiled
def has_litter_if_needed(casualty: CasualtyState, candidate: int, model: Model) -> bool:
    """Return whether vehicles of a candidate have the litter that the patient may need."""
    pool = model.network.candidate_pool[candidate]
    return bool(pool < 0 or model.network.litters[pool] > 0 or not needs_litter(casualty))
