"""Dispatch: which vehicle sets off for whom (docs/model.md section 2.9).

The patients who wait for transport at one place are a queue. A vehicle is dispatched when more patients wait than
vehicles under way have room for, a destination accepts one, and a vehicle can move.
"""

import math

from engine.clinical import to_uniform
from engine.codes import CATEGORY_COUNT, SORTIE_LOSS, WAY_OUT, WAY_OUT_BLOCKS, DrawPurpose, TriageCategory
from engine.kernel.codes import DEPARTURE_SHARE, Demand, EntryKind
from engine.kernel.destinations import NOBODY, choose_candidate
from engine.kernel.periods import count_busy_in_periods
from engine.kernel.places import accepts, reserve_place
from engine.kernel.queue_groups import group_of, nth, size
from engine.kernel.remains_transport import (
    expect_remains_vehicle,
    first_remains_to_fetch,
    send_unlimited_for_remains,
)
from engine.kernel.rides import assign_ride, ready_to_depart, ride_time
from engine.kernel.state import ALL_RESOURCES, KernelState, schedule
from engine.kernel.transport_queue import first_who_sits
from engine.kernel.travel import draw_leg_time
from engine.kernel.vehicles import collect_returned_vehicles, schedule_returns
from engine.numeric import compiled, words
from engine.tables import Ints, Model, Output


@compiled
def _assign_unlimited_vehicle(
    state: KernelState, scratch: Output, slot: int, candidate: int, now: float, model: Model
) -> None:
    """Assign a ride in an unlimited vehicle, which is already at the place.

    At a facility the patient departs once prepared. At the point of injury the leg includes the preparation: the
    patient departs after it, and only the rest is travel.
    """
    casualty = state.casualties[slot]
    facility = model.network.destination[model.network.candidate_link[candidate]]
    reserve_place(state, facility, now, model)
    depart = max(now, ready_to_depart(casualty, model))
    leg = ride_time(casualty, candidate, depart, model)
    if casualty.facility < 0:
        record = scratch.patients[slot]
        closest = draw_leg_time(
            model.network.first_link[record.front],
            casualty.leg,
            record.onset,
            model,
            (casualty.cell, casualty.index),
        )
        depart = now + max(
            0.0, casualty.remaining + model.care.request_shares[DEPARTURE_SHARE] * (leg - closest)
        )
        leg = leg * (1.0 - model.care.request_shares[DEPARTURE_SHARE])
    assign_ride(state, scratch, slot, candidate, now, depart, depart + leg, model)


@compiled
def _is_lost_on_sortie(state: KernelState, pool: int, model: Model) -> bool:
    """Return whether the vehicle that sets off now is lost."""
    if model.network.loss_probability[pool] <= 0.0:
        return False
    uniform = to_uniform(
        words(
            model.keys[DrawPurpose.VEHICLES], model.network.pool_key[pool], state.sorties[pool], SORTIE_LOSS
        )[0]
    )
    return bool(uniform < model.network.loss_probability[pool])


@compiled
def _draw_way_out(state: KernelState, slot: int, candidate: int, now: float, model: Model) -> float:
    """Return ms from a vehicle's base to the place of those it is sent for, by the draw of the first of them."""
    casualty = state.casualties[slot]
    block = WAY_OUT + casualty.leg + WAY_OUT_BLOCKS * casualty.vehicles_sent
    casualty.vehicles_sent += 1
    link = model.network.candidate_link[candidate]
    return draw_leg_time(link, block, now, model, (casualty.cell, casualty.index))


@compiled
def _send_vehicle(
    state: KernelState, scratch: Output, slot: int, candidate: int, now: float, model: Model
) -> None:
    """Send a vehicle of a candidate for a patient. Unless it is lost, reserve a place and schedule the pick-up."""
    link = model.network.candidate_link[candidate]
    pool = model.network.candidate_pool[candidate]
    if pool < 0:
        _assign_unlimited_vehicle(state, scratch, slot, candidate, now, model)
        return
    state.idle_vehicles[pool] -= 1
    state.sorties[pool] += 1
    if _is_lost_on_sortie(state, pool, model):
        state.vehicles_lost[pool] += 1
        return
    reserve_place(state, model.network.destination[link], now, model)
    travel = model.network.dispatch_delay[pool]
    if model.network.comes_from_base[candidate]:
        travel += _draw_way_out(state, slot, candidate, now, model)
    count_expected_room(state, candidate, 1, model)
    state.busy_time[pool] += travel
    count_busy_in_periods(state, pool, now, now + travel)
    schedule(state, now + travel, EntryKind.PICK_UP, candidate, candidate, 0)


@compiled
def count_expected_room(state: KernelState, candidate: int, sign: int, model: Model) -> None:
    """Add a vehicle's room to the room that is on its way to waiting patients, or subtract it.

    `sign` is 1 when the vehicle sets off and -1 when it has reached them.
    """
    way = model.network.candidate_way[candidate]
    pool = model.network.candidate_pool[candidate]
    litters = model.network.litters[pool]
    state.expected_litters[candidate] += sign * litters
    for category in range(CATEGORY_COUNT):
        if model.network.allowed_categories[candidate] >> category & 1:
            state.expected_room[way, category] += sign * (
                litters + (model.network.seats[pool] if category > TriageCategory.T2 else 0)
            )


@compiled
def _choose_for_first_in_queue(
    state: KernelState, scratch: Output, way: int, category: int, pool: int, now: float, model: Model
) -> int:
    """Return the slot of the patient of a category whom a vehicle can fetch now; NOBODY if there is none.

    Sets `state.chosen_candidate`. A vehicle that has only seats may go for a patient behind one who needs a litter.
    """
    slot = int(state.queue_first[ALL_RESOURCES + way, category])
    state.chosen_candidate = choose_candidate(state, scratch, way, slot, pool, 0, now, model)
    if state.chosen_candidate < 0 and model.network.seats_only[way]:
        slot = first_who_sits(state, way, category)
        if slot >= 0:
            state.chosen_candidate = choose_candidate(state, scratch, way, slot, pool, 0, now, model)
    return slot if state.chosen_candidate >= 0 else NOBODY


@compiled
def _most_urgent_surgical(
    state: KernelState, scratch: Output, way: int, pool: int, now: float, model: Model
) -> int:
    """Return the slot of one who lies and awaits surgery, to whom no vehicle to it comes; NOBODY if there is none.

    Sets `state.chosen_candidate`.
    """
    queue = ALL_RESOURCES + way
    operating_categories = model.network.operating_categories[way]
    if operating_categories == 0 or state.queue_length[queue] == 0:
        return NOBODY
    first = model.network.way_first[way]
    expected = 0
    for candidate in range(first, first + model.network.way_count[way]):
        if model.network.candidate_operates[candidate]:
            expected += state.expected_litters[candidate]
    for category in range(CATEGORY_COUNT):
        if not (operating_categories >> category & 1):
            continue
        tree = group_of(way, category, Demand.SURGERY)
        slot = nth(state, tree, expected)
        if slot < 0:
            expected -= size(state, tree)
            continue
        expected = 0
        state.chosen_candidate = choose_candidate(state, scratch, way, slot, pool, 1, now, model)
        if state.chosen_candidate >= 0:
            return slot
    return NOBODY


@compiled
def _most_urgent_to_fetch(
    state: KernelState, scratch: Output, way: int, pool: int, now: float, model: Model
) -> int:
    """Return the slot of the most urgent patient for whom a vehicle would set off now; NOBODY if there is none.

    Sets `state.chosen_candidate`. A vehicle sets off when more patients of a category and the more urgent ones wait
    than vehicles under way have room for, or when more who need surgery wait than will be brought to it. `pool` >= 0:
    only vehicles of that pool.
    """
    queue = ALL_RESOURCES + way
    waiting = 0
    for category in range(CATEGORY_COUNT):
        if state.queue_first[queue, category] < 0:
            continue
        waiting += state.queue_length_by_category[queue, category]
        if waiting > state.expected_room[way, category]:
            slot = _choose_for_first_in_queue(state, scratch, way, category, pool, now, model)
            if slot >= 0:
                return slot
    return _most_urgent_surgical(state, scratch, way, pool, now, model)


@compiled
def _send_for_remains(state: KernelState, slot: int, candidate: int, now: float, model: Model) -> None:
    """Send a vehicle of a candidate for the dead. No place is reserved for them, and no patient waits for it."""
    pool = model.network.remains_pool[candidate]
    if pool < 0:
        send_unlimited_for_remains(state, slot, candidate, now, model)
        return
    state.idle_vehicles[pool] -= 1
    state.sorties[pool] += 1
    if _is_lost_on_sortie(state, pool, model):
        state.vehicles_lost[pool] += 1
        return
    travel = model.network.dispatch_delay[pool]
    if model.network.remains_comes_from_base[candidate]:
        travel += _draw_way_out(state, slot, candidate, now, model)
    state.busy_time[pool] += travel
    count_busy_in_periods(state, pool, now, now + travel)
    expect_remains_vehicle(state, candidate, now, travel, model)


@compiled
def _dispatch_for_remains(
    state: KernelState, ways: Ints, first: int, last: int, pool: int, now: float, model: Model
) -> None:
    """Send vehicles for the dead of the ways `ways[first:last]`, who have waited longest first.

    `pool` >= 0: only vehicles of that pool.
    """
    while True:
        found = NOBODY
        candidate = NOBODY
        since = math.inf
        for position in range(first, last):
            slot = first_remains_to_fetch(state, ways[position], pool, now, model)
            if slot >= 0 and state.casualties[slot].wait_since < since:
                found = slot
                candidate = state.chosen_candidate
                since = state.casualties[slot].wait_since
        if found < 0:
            return
        _send_for_remains(state, found, candidate, now, model)


@compiled
def dispatch_to_way(state: KernelState, scratch: Output, way: int, now: float, model: Model) -> None:
    """Send as many vehicles to a way as it needs and can get: for patients first, then for the dead."""
    slot = _most_urgent_to_fetch(state, scratch, way, -1, now, model)
    while slot >= 0:
        _send_vehicle(state, scratch, slot, state.chosen_candidate, now, model)
        slot = _most_urgent_to_fetch(state, scratch, way, -1, now, model)
    if model.network.recovers_dead:
        slot = first_remains_to_fetch(state, way, -1, now, model)
        while slot >= 0:
            _send_for_remains(state, slot, state.chosen_candidate, now, model)
            slot = first_remains_to_fetch(state, way, -1, now, model)


@compiled
def _dispatch_to_ways(
    state: KernelState,
    scratch: Output,
    ways: Ints,
    first: int,
    last: int,
    pool: int,
    now: float,
    model: Model,
) -> None:
    """Send vehicles to the ways `ways[first:last]`: to the most urgent patient of all, then to who has waited longest.

    `pool` >= 0: only vehicles of that pool.
    """
    if last - first == 1:
        dispatch_to_way(state, scratch, ways[first], now, model)
        return
    while True:
        found = NOBODY
        candidate = NOBODY
        urgency = CATEGORY_COUNT
        since = math.inf
        for position in range(first, last):
            way = ways[position]
            if state.queue_length[ALL_RESOURCES + way] == 0:
                continue
            slot = _most_urgent_to_fetch(state, scratch, way, pool, now, model)
            if slot < 0:
                continue
            casualty = state.casualties[slot]
            if casualty.category < urgency or (casualty.category == urgency and casualty.wait_since < since):
                found = slot
                candidate = state.chosen_candidate
                urgency = casualty.category
                since = casualty.wait_since
        if found < 0:
            break
        _send_vehicle(state, scratch, found, candidate, now, model)
    if model.network.recovers_dead:
        _dispatch_for_remains(state, ways, first, last, pool, now, model)


@compiled
def dispatch_to_facility(
    state: KernelState, scratch: Output, facility: int, now: float, model: Model
) -> None:
    """Send vehicles to the patients who wait to be brought to a facility, if it accepts any.

    During a hit nothing is sent; a SERVE entry follows.
    """
    if state.in_hit:
        return
    first = model.network.ways_to_first[facility]
    last = model.network.ways_to_first[facility + 1]
    if last <= first:
        return
    if accepts(state, facility, model):
        _dispatch_to_ways(state, scratch, model.network.ways_to, first, last, -1, now, model)
    elif model.network.recovers_dead:  # a full facility takes the dead
        _dispatch_for_remains(state, model.network.ways_to, first, last, -1, now, model)


@compiled
def dispatch_from_pool(state: KernelState, scratch: Output, pool: int, now: float, model: Model) -> None:
    """Send the idle vehicles of a pool to where they are needed most."""
    first = model.network.ways_of_pool_first[pool]
    last = model.network.ways_of_pool_first[pool + 1]
    if last <= first:
        return
    collect_returned_vehicles(state, pool, now)
    if state.idle_vehicles[pool] > 0:
        _dispatch_to_ways(state, scratch, model.network.ways_of_pool, first, last, pool, now, model)
    elif not state.vehicle_wanted[pool]:
        # a patient may be waiting for a vehicle that has since gone out of use
        schedule_returns(state, pool)
