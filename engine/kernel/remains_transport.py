"""Transport of the dead: who waits, which vehicle is sent, who is loaded (docs/model.md section 2.9.5).

The dead of a place are a queue of their own, first come first served. A vehicle is sent for them when no patient can
be fetched. It carries patients or the dead, never both.
"""

import math

from engine.kernel.boarding import TRAVEL, UNLOADED
from engine.kernel.codes import NO_VEHICLE, REMAINS_ORDER, Decision, EntryKind
from engine.kernel.destinations import NOBODY, distance
from engine.kernel.remains_stages import board_remains
from engine.kernel.resources import end_wait, join_queue, schedule_next_event
from engine.kernel.rides import ride_time
from engine.kernel.state import REMAINS_QUEUES, KernelState, log_decision, schedule
from engine.kernel.vehicles import pool_has_vehicle
from engine.numeric import compiled
from engine.tables import Model


@compiled
def await_collection(state: KernelState, slot: int, requested_at: float, now: float) -> None:
    """Join the queue of the dead at the place; the caller sends vehicles."""
    casualty = state.casualties[slot]
    casualty.wait_since = requested_at
    join_queue(state, slot, REMAINS_QUEUES + casualty.way, now, False)


@compiled
def _carries_dead(state: KernelState, candidate: int, model: Model) -> bool:
    """Return whether vehicles of a candidate take the dead, to a facility that is open."""
    return bool(
        model.network.remains_pool[candidate] != NO_VEHICLE
        and state.closures[model.network.destination[model.network.candidate_link[candidate]]] <= 0
    )


@compiled
def _closest_that_carries(way: int, now: float, model: Model) -> float:
    """Return the distance of the closest candidate of a way that takes the dead; infinity if none does."""
    closest = math.inf
    first = model.network.way_first[way]
    for candidate in range(first, first + model.network.way_count[way]):
        if model.network.remains_pool[candidate] != NO_VEHICLE:
            closest = min(closest, distance(candidate, now, model))
    return closest


@compiled
def first_remains_to_fetch(state: KernelState, way: int, pool: int, now: float, model: Model) -> int:
    """Return the slot of the first of the dead at a place if a vehicle would set off for them now, else NOBODY.

    Sets `state.chosen_candidate`: the closest open facility to which a vehicle can go; without bypass the closest of
    all. `pool` >= 0: only vehicles of that pool.
    """
    queue = REMAINS_QUEUES + way
    if state.queue_length[queue] <= state.expected_remains[way]:
        return NOBODY
    farthest = math.inf if model.network.bypass else _closest_that_carries(way, now, model)
    chosen = NOBODY
    best = math.inf
    first = model.network.way_first[way]
    for candidate in range(first, first + model.network.way_count[way]):
        if not _carries_dead(state, candidate, model):
            continue
        value = distance(candidate, now, model)
        if (
            value < best
            and value <= farthest
            and pool_has_vehicle(state, model.network.remains_pool[candidate], now, model)
        ):
            best = value
            chosen = candidate
    if chosen < 0 or (pool >= 0 and model.network.remains_pool[chosen] != pool):
        return NOBODY
    state.chosen_candidate = chosen
    return int(state.queue_first[queue, 0])


@compiled
def _assign_ride(
    state: KernelState, slot: int, candidate: int, now: float, depart: float, arrive: float, model: Model
) -> None:
    """Assign a ride to the remains: end the wait, log the ride and schedule what follows."""
    casualty = state.casualties[slot]
    end_wait(state, slot, now)
    log_decision(state, casualty, now, Decision.COLLECTION, candidate)
    log_decision(state, casualty, depart, Decision.TIME, 0)
    log_decision(state, casualty, arrive, Decision.TIME, 0)
    board_remains(casualty, candidate, depart, arrive, model)
    schedule_next_event(state, slot)
    state.progress_at = now


@compiled
def send_unlimited_for_remains(
    state: KernelState, slot: int, candidate: int, now: float, model: Model
) -> None:
    """Let the remains leave at once with an unlimited vehicle."""
    leg = ride_time(state.casualties[slot], candidate, now, model)
    _assign_ride(state, slot, candidate, now, now, now + leg, model)


@compiled
def expect_remains_vehicle(
    state: KernelState, candidate: int, now: float, travel: float, model: Model
) -> None:
    """Note a vehicle that has set off for the dead and reaches them after `travel` ms."""
    pool = model.network.remains_pool[candidate]
    state.expected_remains[model.network.candidate_way[candidate]] += model.network.litters[pool]
    state.remains_time[pool] += travel
    schedule(state, now + travel, EntryKind.PICK_UP, REMAINS_ORDER + candidate, candidate, 1)


@compiled
def load_remains(state: KernelState, candidate: int, litters: int, now: float, model: Model) -> int:
    """Load a vehicle with the dead of its place, one on each litter; return their number.

    Sets `vehicle_times`. As with patients, the first decides the travel time, and they are unloaded one ms apart.
    """
    pool = model.network.remains_pool[candidate]
    queue = REMAINS_QUEUES + model.network.candidate_way[candidate]
    number = min(litters, int(state.queue_length[queue]))
    if number <= 0:
        return 0
    first = int(state.queue_first[queue, 0])
    state.vehicle_times[TRAVEL] = ride_time(state.casualties[first], candidate, now, model)
    depart = now + model.network.load_time[pool] * number
    arrive = depart + state.vehicle_times[TRAVEL] + model.network.unload_time[pool] * number
    for loaded in range(number):
        _assign_ride(state, int(state.queue_first[queue, 0]), candidate, now, depart, arrive + loaded, model)
    state.remains_carried[pool] += number
    state.vehicle_times[UNLOADED] = arrive + number
    return number


@compiled
def load_lift_with_remains(state: KernelState, candidate: int, litters: int, now: float, model: Model) -> int:
    """Load a lift with the dead of a place it serves, if the destination is open; return their number."""
    if not _carries_dead(state, candidate, model):
        return 0
    return load_remains(state, candidate, litters, now, model)
