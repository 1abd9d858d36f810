"""Loading: who goes with a vehicle that has arrived, and scheduled lifts (docs/model.md section 2.9).

A vehicle travels to a place and loads the patients of `engine.kernel.boarding`. It brings them to the destination and
returns to its base.
"""

from engine.clinical import to_uniform
from engine.codes import EMPTY_RETURN, LIFT_CANCELLED, DrawPurpose
from engine.kernel.boarding import TRAVEL, UNLOADED, select_passengers
from engine.kernel.codes import EntryKind
from engine.kernel.dispatch import count_expected_room, dispatch_to_facility, dispatch_to_way
from engine.kernel.periods import count_busy_in_periods
from engine.kernel.places import free_place
from engine.kernel.remains_transport import load_lift_with_remains, load_remains
from engine.kernel.rides import assign_ride, ready_to_depart
from engine.kernel.state import ALL_RESOURCES, KernelState, add_pending_release, schedule
from engine.kernel.travel import draw_leg_time
from engine.kernel.vehicles import can_move
from engine.numeric import compiled, words
from engine.tables import Model, Output


@compiled
def _load_vehicle(
    state: KernelState,
    scratch: Output,
    candidate: int,
    litters: int,
    seats: int,
    reserved: int,
    now: float,
    model: Model,
) -> int:
    """Load a vehicle with the most urgent patients who wait for it; return their number.

    It waits until the last of them is prepared. Sets `vehicle_times`. Patients are unloaded one after the other, one ms
    apart.
    """
    pool = model.network.candidate_pool[candidate]
    select_passengers(state, scratch, candidate, litters, seats, reserved, now, model)
    passengers = int(state.loading.passengers)
    ready = now
    slot = int(state.loading.first_aboard)
    for _ in range(passengers):
        ready = max(ready, ready_to_depart(state.casualties[slot], model))
        slot = int(state.queue_nodes[slot].next_aboard)
    depart = ready + model.network.load_time[pool] * passengers
    arrive = depart + state.vehicle_times[TRAVEL] + model.network.unload_time[pool] * passengers
    slot = int(state.loading.first_aboard)
    for boarded in range(passengers):
        assign_ride(state, scratch, slot, candidate, now, depart, arrive + boarded, model)
        slot = int(state.queue_nodes[slot].next_aboard)
    state.carried[pool] += passengers
    state.vehicle_times[UNLOADED] = arrive + passengers
    return passengers


@compiled
def _end_sortie(
    state: KernelState,
    pool: int,
    candidate: int,
    aboard: int,
    comes: int,
    returns: int,
    now: float,
    model: Model,
) -> float:
    """Schedule the return of a vehicle that has been loaded with `aboard`; empty, it returns at once.

    `comes` and `returns`: 1 if it has come from its base elsewhere, and has to travel back there. Returns when it is
    back, ms.
    """
    home = now
    if aboard > 0:
        home = state.vehicle_times[UNLOADED]
        if returns:
            home += state.vehicle_times[TRAVEL]
    elif comes:
        sortie = (model.network.pool_key[pool], state.sorties[pool])
        home = now + draw_leg_time(model.network.candidate_link[candidate], EMPTY_RETURN, now, model, sortie)
    state.busy_time[pool] += home - now
    count_busy_in_periods(state, pool, now, home)
    if state.vehicle_wanted[pool]:
        schedule(state, home, EntryKind.VEHICLE_RETURN, pool, pool, 0)
    else:
        add_pending_release(state, ALL_RESOURCES + pool, home)
    return home


@compiled
def pick_up(state: KernelState, scratch: Output, candidate: int, now: float, model: Model) -> None:
    """Load a vehicle that has reached its place and schedule its return. Without patients it takes the dead, if any."""
    pool = model.network.candidate_pool[candidate]
    way = model.network.candidate_way[candidate]
    facility = model.network.destination[model.network.candidate_link[candidate]]
    count_expected_room(state, candidate, -1, model)
    passengers = _load_vehicle(
        state, scratch, candidate, model.network.litters[pool], model.network.seats[pool], 1, now, model
    )
    dead = 0
    if passengers == 0:
        free_place(state, facility, now, model)
        if model.network.recovers_dead and model.network.remains_pool[candidate] == pool:
            dead = load_remains(state, candidate, model.network.litters[pool], now, model)
    comes = model.network.comes_from_base[candidate]
    returns = model.network.returns_to_base[candidate]
    home = _end_sortie(state, pool, candidate, passengers + dead, comes, returns, now, model)
    if dead > 0:
        state.remains_time[pool] += home - now
    dispatch_to_way(state, scratch, way, now, model)
    if passengers == 0:
        dispatch_to_facility(state, scratch, facility, now, model)


@compiled
def pick_up_remains(state: KernelState, scratch: Output, candidate: int, now: float, model: Model) -> None:
    """Load a vehicle that was sent for the dead and schedule its return.

    If patients wait whom vehicles of its pool fetch, it takes them instead.
    """
    pool = model.network.remains_pool[candidate]
    way = model.network.candidate_way[candidate]
    litters = model.network.litters[pool]
    state.expected_remains[way] -= litters
    passengers = 0
    if pool == model.network.candidate_pool[candidate]:
        passengers = _load_vehicle(
            state, scratch, candidate, litters, model.network.seats[pool], 0, now, model
        )
    dead = 0
    if passengers == 0:
        dead = load_remains(state, candidate, litters, now, model)
    comes = model.network.remains_comes_from_base[candidate]
    returns = model.network.remains_returns_to_base[candidate]
    home = _end_sortie(state, pool, candidate, passengers + dead, comes, returns, now, model)
    if passengers == 0:
        state.remains_time[pool] += home - now
    dispatch_to_way(state, scratch, way, now, model)


@compiled
def _load_lift_with_remains(
    state: KernelState, pool: int, litters: int, seats: int, now: float, model: Model
) -> None:
    """Load those vehicles of a lift with the dead that have no patient aboard; so many litters and seats are left."""
    room = litters
    if model.network.seats[pool] > 0 and model.network.litters[pool] > 0:
        empty = min(litters // model.network.litters[pool], seats // model.network.seats[pool])
        room = empty * model.network.litters[pool]
    elif model.network.litters[pool] > 0:
        room = litters // model.network.litters[pool] * model.network.litters[pool]
    for position in range(model.network.ways_of_pool_first[pool], model.network.ways_of_pool_first[pool + 1]):
        way = model.network.ways_of_pool[position]
        first = model.network.way_first[way]
        for candidate in range(first, first + model.network.way_count[way]):
            if model.network.remains_pool[candidate] == pool:
                room -= load_lift_with_remains(state, candidate, room, now, model)


@compiled
def depart_lift(state: KernelState, scratch: Output, pool: int, now: float, model: Model) -> None:
    """Let a scheduled lift leave every place it serves, unless it is cancelled; schedule the next."""
    state.sorties[pool] += 1
    schedule(state, now + model.network.lift_interval[pool], EntryKind.LIFT, pool, pool, 0)
    uniform = to_uniform(
        words(
            model.keys[DrawPurpose.VEHICLES],
            model.network.pool_key[pool],
            state.sorties[pool],
            LIFT_CANCELLED,
        )[0]
    )
    vehicles = state.idle_vehicles[pool]
    if uniform < model.network.lift_cancelled[pool] or vehicles <= 0 or not can_move(state, pool, now, model):
        return
    litters = model.network.litters[pool] * vehicles
    seats = model.network.seats[pool] * vehicles
    for position in range(model.network.ways_of_pool_first[pool], model.network.ways_of_pool_first[pool + 1]):
        way = model.network.ways_of_pool[position]
        first = model.network.way_first[way]
        for candidate in range(first, first + model.network.way_count[way]):
            if model.network.candidate_pool[candidate] == pool:
                before = state.litters_used[pool]
                passengers = _load_vehicle(state, scratch, candidate, litters, seats, 0, now, model)
                lying = state.litters_used[pool] - before
                litters -= lying
                seats -= passengers - lying
    if model.network.recovers_dead:
        _load_lift_with_remains(state, pool, litters, seats, now, model)
