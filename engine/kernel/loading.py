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
from engine.kernel.rides import assign_ride
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

    Sets `vehicle_times`. Patients are unloaded one after the other, one ms apart.
    """
    pool = model.network.candidate_pool[candidate]
    select_passengers(state, scratch, candidate, litters, seats, reserved, now, model)
    passengers = int(state.loading.passengers)
    depart = now + model.network.load_time[pool] * passengers
    arrive = depart + state.vehicle_times[TRAVEL] + model.network.unload_time[pool] * passengers
    slot = int(state.loading.first_aboard)
    for boarded in range(passengers):
        assign_ride(state, scratch, slot, candidate, now, depart, arrive + boarded, model)
        slot = int(state.queue_nodes[slot].next_aboard)
    state.carried[pool] += passengers
    state.vehicle_times[UNLOADED] = arrive + passengers
    return passengers


@compiled
def pick_up(state: KernelState, scratch: Output, candidate: int, now: float, model: Model) -> None:
    """Load a vehicle that has reached its place and schedule its return; empty, it returns at once."""
    pool = model.network.candidate_pool[candidate]
    way = model.network.candidate_way[candidate]
    link = model.network.candidate_link[candidate]
    facility = model.network.destination[link]
    count_expected_room(state, candidate, -1, model)
    passengers = _load_vehicle(
        state, scratch, candidate, model.network.litters[pool], model.network.seats[pool], 1, now, model
    )
    home = now
    if passengers == 0:
        free_place(state, facility, now, model)
        if model.network.comes_from_base[candidate]:
            sortie = (model.network.pool_key[pool], state.sorties[pool])
            home = now + draw_leg_time(link, EMPTY_RETURN, now, model, sortie)
    else:
        home = state.vehicle_times[UNLOADED]
        if model.network.returns_to_base[candidate]:
            home += state.vehicle_times[TRAVEL]
    state.busy_time[pool] += home - now
    count_busy_in_periods(state, pool, now, home)
    if state.vehicle_wanted[pool]:
        schedule(state, home, EntryKind.VEHICLE_RETURN, pool, pool, 0)
    else:
        add_pending_release(state, ALL_RESOURCES + pool, home)
    dispatch_to_way(state, scratch, way, now, model)
    if passengers == 0:
        dispatch_to_facility(state, scratch, facility, now, model)


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
