"""Loading: who goes with a vehicle that has arrived, and scheduled lifts (docs/model.md section 2.9).

A vehicle travels to a place and loads the most urgent patients who wait there by then, as far as litters, seats and
places at the destination allow. It brings them to the destination and returns to its base.
"""

from engine.clinical import to_uniform
from engine.codes import CATEGORY_COUNT, EMPTY_RETURN, LIFT_CANCELLED, DrawPurpose, TriageCategory
from engine.kernel.codes import EntryKind
from engine.kernel.destinations import INCAPABLE_PENALTY, may_take, preference_penalty
from engine.kernel.dispatch import count_expected_room, dispatch_to_facility, dispatch_to_way
from engine.kernel.places import accepts, free_place, reserve_place
from engine.kernel.rides import assign_ride, ride_time
from engine.kernel.state import ALL_RESOURCES, KernelState, add_pending_release, schedule
from engine.kernel.travel import draw_leg_time
from engine.kernel.vehicles import can_move, has_vehicle, is_batch_ready, needs_litter
from engine.numeric import compiled, words
from engine.tables import Model, Output

UNLIMITED_ROOM = 1 << 30
"""Room of vehicles without limit."""

UNLOADED, TRAVEL = 0, 1
"""Indices of `vehicle_times`: the end of unloading, and ms of travel."""


@compiled
def _waits_for_preferred(
    state: KernelState,
    scratch: Output,
    slot: int,
    candidate: int,
    stay_behind: int,
    is_last_chance: bool,
    now: float,
    model: Model,
) -> bool:
    """Return whether the patient waits for another vehicle to a facility that the scenario prefers.

    That is so if vehicles for such a facility are under way or can set off now, and have room for this patient besides
    the `stay_behind` others who wait for one. For the own nation the next vehicle of the same pool will do, unless this
    one would leave empty (`is_last_chance`).
    """
    casualty = state.casualties[slot]
    nation = scratch.patients[slot].nation
    penalty = preference_penalty(casualty, nation, candidate, model)
    if penalty == 0.0 or not model.network.bypass:
        return False
    pool = model.network.candidate_pool[candidate]
    way = model.network.candidate_way[candidate]
    first = model.network.way_first[way]
    room = 0
    for other in range(first, first + model.network.way_count[way]):
        if not may_take(casualty, other, model):
            continue
        if preference_penalty(casualty, nation, other, model) >= penalty:
            continue
        room += state.expected_litters[other]
        if not accepts(state, model.network.destination[model.network.candidate_link[other]], model):
            continue
        other_pool = model.network.candidate_pool[other]
        if other_pool == pool and model.network.lift_interval[pool] > 0.0:
            return True  # the same lift goes there too
        if other_pool == pool and penalty < INCAPABLE_PENALTY and not is_last_chance:
            return True  # wait for the next vehicle of the pool
        if has_vehicle(state, other, now, model) and is_batch_ready(
            state, way, other, casualty.category, now, model
        ):
            room += (
                UNLIMITED_ROOM
                if other_pool < 0
                else state.idle_vehicles[other_pool] * max(1, model.network.litters[other_pool])
            )
    return bool(room > stay_behind)


@compiled
def _select_passengers(
    state: KernelState,
    scratch: Output,
    candidate: int,
    litters: int,
    seats: int,
    reserved: int,
    now: float,
    model: Model,
) -> int:
    """Mark the patients who go with a vehicle (`boards`), the most urgent first; return their number.

    T1, T2 and whoever needs surgery lie; others sit, or lie where no seat is free. If all stay behind for a preferred
    facility, a second round lets those go who can. Sets `vehicle_times[TRAVEL]`. `reserved` places at the destination
    have been reserved already.
    """
    pool = model.network.candidate_pool[candidate]
    queue = ALL_RESOURCES + model.network.candidate_way[candidate]
    facility = model.network.destination[model.network.candidate_link[candidate]]
    passengers = 0
    stay_behind = 0
    state.vehicle_times[TRAVEL] = 0.0
    for step in range(2 * CATEGORY_COUNT):
        category = step % CATEGORY_COUNT
        if step == CATEGORY_COUNT:
            if passengers > 0 or stay_behind == 0:
                break
            stay_behind = 0
        slot = int(state.queue_first[queue, category])
        while slot >= 0 and litters + seats > 0:
            casualty = state.casualties[slot]
            following = int(casualty.next)
            if not model.network.allowed_categories[candidate] >> category & 1 or (
                category <= TriageCategory.T2 and litters == 0
            ):
                break
            if _waits_for_preferred(
                state, scratch, slot, candidate, stay_behind, step >= CATEGORY_COUNT, now, model
            ):
                stay_behind += 1
                slot = following
                continue
            if reserved <= 0 and not accepts(state, facility, model):
                litters = 0
                seats = 0
            else:
                sits = not needs_litter(casualty) and seats > 0
                if sits or litters > 0:
                    if sits:
                        seats -= 1
                    else:
                        litters -= 1
                        state.litters_used[pool] += 1
                    if reserved > 0:
                        reserved -= 1
                    else:
                        reserve_place(state, facility, now, model)
                    if passengers == 0:
                        state.vehicle_times[TRAVEL] = ride_time(casualty, candidate, now, model)
                    passengers += 1
                    casualty.boards = 1
            slot = following
    return passengers


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
    queue = ALL_RESOURCES + model.network.candidate_way[candidate]
    passengers = _select_passengers(state, scratch, candidate, litters, seats, reserved, now, model)
    depart = now + model.network.load_time[pool] * passengers
    arrive = depart + state.vehicle_times[TRAVEL] + model.network.unload_time[pool] * passengers
    boarded = 0
    for category in range(CATEGORY_COUNT):
        slot = int(state.queue_first[queue, category])
        while slot >= 0 and boarded < passengers:
            following = int(state.casualties[slot].next)
            if state.casualties[slot].boards:
                state.casualties[slot].boards = 0
                assign_ride(state, scratch, slot, candidate, now, depart, arrive + boarded, model)
                boarded += 1
            slot = following
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
