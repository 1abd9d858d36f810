"""Vehicles: who is fetched when, and where to; places, batches and scheduled lifts (MODEL section 5).

Those who wait for transport at one place form a line; a vehicle is sent for when more wait than are being fetched,
somewhere accepts a patient and a vehicle can go. It travels to the place, loads the most urgent of those who wait
there then, as far as litters, seats and places at the destination reach, brings them and returns to its base.
"""

import math

from engine.clinical import death_time, to_uniform
from engine.codes import (
    CATEGORY_COUNT,
    DESTINATION_BLOCKS,
    DESTINATION_CHOICE,
    LIFT_CANCELLED,
    RESOURCE_COUNT,
    SORTIE_LOSS,
    WAY_OUT,
    WAY_OUT_BLOCKS,
    WEATHER,
    DrawPurpose,
    Resource,
)
from engine.kernel.codes import WAY_WAKE_ORDER, Decision, DestinationPolicy, EntryKind, Stage
from engine.kernel.resources import end_wait, schedule_next_event, update_integrals
from engine.kernel.stages import board_vehicle, perform_stage
from engine.kernel.state import (
    ALL_RESOURCES,
    KernelState,
    add_pending_release,
    log_decision,
    next_pending_release,
    pop_pending_release,
    schedule,
)
from engine.kernel.travel import draw_leg_time, relocation_factor
from engine.numeric import compiled, words
from engine.tables import DAY, CasualtyState, Ints, Model, Output

NOBODY = -1
UNLIMITED_ROOM = 1 << 30
FOREIGN, INCAPABLE = 1e6, 2e6
"""Weights in the choice of a destination; ranks by distance and loads are smaller."""


@compiled
def accepts(state: KernelState, facility: int, model: Model) -> bool:
    """Whether a facility takes one more patient, those on the way to it included."""
    if state.closed[facility] > 0:
        return False
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    return bool(
        model.network.push
        or not model.network.finite[resource]
        or state.in_use[resource] < state.capacity[resource]
    )


@compiled
def reserve_place(state: KernelState, facility: int, now: float, model: Model) -> None:
    """Keep a place at a facility for somebody on the way."""
    if not model.network.counted[facility]:
        return
    state.inside[facility] += 1
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    if model.network.finite[resource] and not model.network.push:
        update_integrals(state, resource, now)
        state.in_use[resource] += 1
        state.stay_sum[resource] -= now
        state.max_used[resource] = max(state.max_used[resource], state.in_use[resource])


@compiled
def free_place(state: KernelState, facility: int, now: float, model: Model) -> None:
    """A place at a facility is free again; who may now be brought there is the caller's to see to (`fill`)."""
    if not model.network.counted[facility]:
        return
    state.inside[facility] -= 1
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    if model.network.finite[resource] and not model.network.push:
        update_integrals(state, resource, now)
        state.in_use[resource] -= 1
        state.served[resource] += 1
        state.stay_sum[resource] += now


@compiled
def can_move(state: KernelState, pool: int, now: float, model: Model) -> bool:
    """Whether vehicles of a pool may move at `now`: by night, and on a day that weather keeps them on the ground."""
    clock = model.people.start[0] + now
    day = math.floor(clock / DAY)
    if not model.network.by_night[pool]:
        hour = clock - day * DAY
        if hour >= model.network.night[0] or hour < model.network.night[1]:
            return False
    if model.network.grounded[pool] > 0.0:
        if state.weather_day[pool] != day:
            state.weather_day[pool] = day
            uniform = to_uniform(
                words(model.keys[DrawPurpose.VEHICLES], model.network.pool_key[pool], int(day), WEATHER)[0]
            )
            state.weather_bad[pool] = 1 if uniform < model.network.grounded[pool] else 0
        if state.weather_bad[pool]:
            return False
    return True


@compiled
def schedule_wake(state: KernelState, pool: int, now: float, model: Model) -> None:
    """Look again when vehicles that may not move now may: at the end of the night or of the day."""
    if state.wake_at[pool] > now:
        return
    clock = model.people.start[0] + now
    day = math.floor(clock / DAY)
    next_day = (day + 1.0) * DAY
    at = next_day + model.network.night[1]
    if model.network.by_night[pool]:
        at = next_day
    elif clock - day * DAY < model.network.night[1]:
        at = day * DAY + model.network.night[1]
    state.wake_at[pool] = at - model.people.start[0]
    schedule(state, state.wake_at[pool], EntryKind.WAKE, pool, pool, 0)


@compiled
def _is_batch_ready(
    state: KernelState, way: int, candidate: int, category: int, now: float, model: Model
) -> bool:
    """Whether a batch is complete, somebody has waited long enough, or the category goes at once."""
    if model.network.batch[candidate] == 0 or model.network.batch_override[candidate] >> category & 1:
        return True
    queue = ALL_RESOURCES + way
    if state.waiting[queue] - state.coming[way, category] >= model.network.batch[candidate]:
        return True
    oldest = math.inf
    for c in range(CATEGORY_COUNT):
        slot = state.first[queue, c]
        if slot >= 0:
            oldest = min(oldest, state.states[slot].wait_since)
    due = oldest + model.network.batch_wait[candidate]
    if now >= due:
        return True
    if state.batch_wake_at[way] <= now or due < state.batch_wake_at[way]:
        state.batch_wake_at[way] = due
        schedule(state, due, EntryKind.WAKE, WAY_WAKE_ORDER + way, way, 1)
    return False


@compiled
def collect_returned_vehicles(state: KernelState, pool: int, now: float) -> None:
    """Vehicles that were to be back by `now` are idle."""
    while next_pending_release(state, ALL_RESOURCES + pool) <= now:
        pop_pending_release(state, ALL_RESOURCES + pool)
        state.idle[pool] += 1


@compiled
def _schedule_returns(state: KernelState, pool: int) -> None:
    """Somebody waits for a vehicle of the pool from now on: the returns that are known go into the calendar."""
    state.wanted[pool] = 1
    while state.promised_first[ALL_RESOURCES + pool] >= 0:
        schedule(
            state, pop_pending_release(state, ALL_RESOURCES + pool), EntryKind.VEHICLE_RETURN, pool, pool, 0
        )


@compiled
def _has_vehicle(state: KernelState, candidate: int, now: float, model: Model) -> bool:
    """Whether a vehicle can set off for candidate k."""
    pool = model.network.candidate_pool[candidate]
    if pool < 0:
        return True
    if model.network.lift_every[pool] > 0.0:
        return False
    collect_returned_vehicles(state, pool, now)
    if state.idle[pool] <= 0:
        if not state.wanted[pool]:
            _schedule_returns(state, pool)
        return False
    if not can_move(state, pool, now, model):
        schedule_wake(state, pool, now, model)
        return False
    return True


@compiled
def _can_send(state: KernelState, candidate: int, category: int, now: float, model: Model) -> bool:
    """Whether a vehicle can set off for candidate k now and be accepted."""
    if not accepts(state, model.network.destination[model.network.candidate_link[candidate]], model):
        return False
    way = model.network.candidate_way[candidate]
    return _has_vehicle(state, candidate, now, model) and _is_batch_ready(
        state, way, candidate, category, now, model
    )


@compiled
def _needs_litter(casualty: CasualtyState) -> bool:
    """Whether the patient needs a litter: T1, T2 and whoever needs surgery."""
    return bool(casualty.category <= 2 or casualty.needs_surgery)


@compiled
def _has_litter_if_needed(casualty: CasualtyState, candidate: int, model: Model) -> bool:
    """Whether vehicles of candidate k have the litter that the patient needs."""
    pool = model.network.candidate_pool[candidate]
    return bool(pool < 0 or model.network.litters[pool] > 0 or not _needs_litter(casualty))


@compiled
def _needs_surgery(casualty: CasualtyState) -> bool:
    return bool(casualty.needs_surgery and not casualty.operated)


@compiled
def _preference_penalty(casualty: CasualtyState, nation: int, candidate: int, model: Model) -> float:
    """How far candidate k goes against what the scenario prefers, distance apart: facilities that cannot operate for
    who needs surgery (with `bypass`), and then those of other nations.
    """
    demerit = 0.0
    if (
        _needs_surgery(casualty)
        and not model.network.able[candidate]
        and model.network.able_for[model.network.candidate_way[candidate]]
    ):
        demerit = INCAPABLE
    if (
        model.network.national
        and model.network.nation[model.network.destination[model.network.candidate_link[candidate]]] != nation
    ):
        demerit += FOREIGN
    return demerit


@compiled
def _distance(candidate: int, now: float, model: Model) -> float:
    """Rank of candidate k by mean travel time; once facilities move, that time itself in minutes."""
    if model.network.moves == 0:
        return model.network.rank[candidate]
    link = model.network.candidate_link[candidate]
    return model.network.minutes[link] * relocation_factor(link, now, model)


@compiled
def _choose_candidate(
    state: KernelState, scratch: Output, way: int, slot: int, only: int, able: int, now: float, model: Model
) -> int:
    """The candidate by which the patient would go now, by the policies of the scenario; -1: none can be had.

    Without `bypass` only the closest that is for this patient. `only` >= 0: only
    by vehicles of that pool. `able`: only to a facility that operates.
    """
    casualty = state.states[slot]
    first = model.network.way_first[way]
    chosen = NOBODY
    best = math.inf
    for candidate in range(first, first + model.network.way_count[way]):
        if not (model.network.allowed[candidate] >> casualty.category & 1) or not _has_litter_if_needed(
            casualty, candidate, model
        ):
            continue
        link = model.network.candidate_link[candidate]
        facility = model.network.destination[link]
        if not model.network.bypass or _can_send(state, candidate, casualty.category, now, model):
            value = 0.0
            if not model.network.bypass:
                value = _distance(candidate, now, model)
            elif model.network.destinations == DestinationPolicy.SPREAD_OUT:
                value = to_uniform(
                    words(
                        model.keys[DrawPurpose.TRAVEL],
                        casualty.cell,
                        casualty.index,
                        DESTINATION_CHOICE + DESTINATION_BLOCKS * casualty.leg + candidate - first,
                    )[2]
                )
            elif model.network.destinations == DestinationPolicy.LEAST_LOADED:
                resource = facility * RESOURCE_COUNT + Resource.PLACE
                size = float(state.capacity[resource]) if model.network.finite[resource] else 1.0
                value = (
                    state.inside[facility] / max(1.0, size)
                    if model.network.finite[resource]
                    else float(state.inside[facility])
                )
            else:
                value = (
                    _distance(candidate, now, model) + 1e-6 * state.inside[facility]
                )  # of equally close ones, the emptier
            if model.network.bypass:
                value += _preference_penalty(casualty, scratch.patients[slot].nation, candidate, model)
            if value < best:
                best = value
                chosen = candidate
    if (
        chosen >= 0
        and not model.network.bypass
        and not _can_send(state, chosen, casualty.category, now, model)
    ):
        return NOBODY
    if chosen >= 0 and only >= 0 and model.network.candidate_pool[chosen] != only:
        return NOBODY
    if chosen >= 0 and able and not model.network.able[chosen]:
        return NOBODY
    return chosen


@compiled
def _assign_ride(
    state: KernelState,
    scratch: Output,
    slot: int,
    candidate: int,
    now: float,
    depart: float,
    arrive: float,
    model: Model,
) -> None:
    """The patient leaves the line: ride, departure and arrival are fixed and journalled; a place is booked already."""
    casualty = state.states[slot]
    if casualty.held >= 0:
        state.blocked[casualty.held] += now - casualty.wait_since
    end_wait(state, slot, now)
    facility = model.network.destination[model.network.candidate_link[candidate]]
    casualty.booked = facility if model.network.counted[facility] else -1
    first = model.network.way_first[model.network.candidate_way[candidate]]
    for other in range(first, first + model.network.way_count[model.network.candidate_way[candidate]]):
        if (
            other >= candidate
            if model.network.moves == 0
            else _distance(other, now, model) >= _distance(candidate, now, model)
        ):
            continue
        other_facility = model.network.destination[model.network.candidate_link[other]]
        incapable = (
            _needs_surgery(casualty) and model.network.able[candidate] and not model.network.able[other]
        )
        if model.network.allowed[other] >> casualty.category & 1 and (
            incapable or not accepts(state, other_facility, model)
        ):
            state.bypassed[other_facility] += 1
    log_decision(state, casualty, now, Decision.RIDE, candidate)
    log_decision(state, casualty, depart, Decision.TIME, 0)
    log_decision(state, casualty, arrive, Decision.TIME, 0)
    counter = (casualty.cell, casualty.index)
    if casualty.stage == Stage.FIRST_AID and casualty.at <= now:
        perform_stage(scratch, slot, casualty, model, counter)
    casualty.wait_until = now
    board_vehicle(casualty, candidate, depart, arrive, model)
    while casualty.stage <= Stage.DEPART and casualty.at < death_time(
        casualty
    ):  # from the POI: nothing that concerns others
        perform_stage(scratch, slot, casualty, model, counter)
    schedule_next_event(state, slot)
    state.progress_at = now


@compiled
def _ride_time(casualty: CasualtyState, candidate: int, now: float, model: Model) -> float:
    """ms from the place of the patient to the destination: the patient's own draw for the leg."""
    return draw_leg_time(
        model.network.candidate_link[candidate], casualty.leg, now, model, (casualty.cell, casualty.index)
    )


@compiled
def _send_vehicle(
    state: KernelState, scratch: Output, way: int, slot: int, candidate: int, now: float, model: Model
) -> None:
    """A vehicle sets off for candidate k because of this patient; without limit of vehicles it is there already."""
    casualty = state.states[slot]
    link = model.network.candidate_link[candidate]
    facility = model.network.destination[link]
    pool = model.network.candidate_pool[candidate]
    if pool < 0:
        reserve_place(state, facility, now, model)
        leg = _ride_time(casualty, candidate, now, model)
        depart = now
        if casualty.facility < 0:
            record = scratch.patients[slot]
            closest = draw_leg_time(
                model.network.first_link[record.front],
                casualty.leg,
                record.onset,
                model,
                (casualty.cell, casualty.index),
            )
            depart = now + max(0.0, casualty.rest + model.care.request[1] * (leg - closest))
            leg = leg * (1.0 - model.care.request[1])
        _assign_ride(state, scratch, slot, candidate, now, depart, depart + leg, model)
        return
    state.idle[pool] -= 1
    state.sorties[pool] += 1
    if model.network.loss[pool] > 0.0:
        uniform = to_uniform(
            words(
                model.keys[DrawPurpose.VEHICLES],
                model.network.pool_key[pool],
                state.sorties[pool],
                SORTIE_LOSS,
            )[0]
        )
        if uniform < model.network.loss[pool]:
            state.vehicles_lost[pool] += 1
            return
    reserve_place(state, facility, now, model)
    out = model.network.dispatch[pool]
    if model.network.out[candidate]:
        out += draw_leg_time(
            link,
            WAY_OUT + casualty.leg + WAY_OUT_BLOCKS * casualty.sent,
            now,
            model,
            (casualty.cell, casualty.index),
        )
        casualty.sent += 1
    _count_expected_room(state, candidate, 1, model)
    state.busy[pool] += out
    schedule(state, now + out, EntryKind.PICK_UP, candidate, candidate, 0)


@compiled
def _count_expected_room(state: KernelState, candidate: int, sign: int, model: Model) -> None:
    """A vehicle sets off for candidate k (sign 1), or is there (-1): the room that those who wait may count on."""
    way = model.network.candidate_way[candidate]
    pool = model.network.candidate_pool[candidate]
    litters = model.network.litters[pool]
    state.coming_by[candidate] += sign * litters
    for category in range(CATEGORY_COUNT):
        if model.network.allowed[candidate] >> category & 1:
            state.coming[way, category] += sign * (
                litters + (model.network.seats[pool] if category > 2 else 0)
            )


@compiled
def _most_urgent_to_fetch(
    state: KernelState, scratch: Output, way: int, only: int, now: float, model: Model
) -> int:
    """The most urgent patient for whom a vehicle would set off now, w.picked the candidate; -1: nobody.

    A vehicle is sent for when more wait, of a category and the more urgent ones, than are being fetched; or more who
    need surgery than will be fetched to where it can be had.
    """
    queue = ALL_RESOURCES + way
    before = 0
    for category in range(CATEGORY_COUNT):
        slot = state.first[queue, category]
        if slot >= 0:
            before += state.waiting_as[queue, category]
            if before > state.coming[way, category]:
                state.picked = _choose_candidate(state, scratch, way, slot, only, 0, now, model)
                if (
                    state.picked < 0 and model.network.seated[way]
                ):  # a vehicle without litters may go for one behind
                    while slot >= 0 and _needs_litter(state.states[slot]):
                        slot = int(state.states[slot].next)
                    if slot >= 0:
                        state.picked = _choose_candidate(state, scratch, way, slot, only, 0, now, model)
                if state.picked >= 0:
                    return slot
    able_for = model.network.able_for[way]
    if able_for == 0 or state.waiting[queue] == 0:
        return NOBODY
    first = model.network.way_first[way]
    coming = 0
    for candidate in range(first, first + model.network.way_count[way]):
        if model.network.able[candidate]:
            coming += state.coming_by[candidate]
    for category in range(CATEGORY_COUNT):
        if able_for >> category & 1:
            slot = state.first[queue, category]
            while slot >= 0:
                if _needs_surgery(state.states[slot]):
                    if coming <= 0:
                        state.picked = _choose_candidate(state, scratch, way, slot, only, 1, now, model)
                        if state.picked >= 0:
                            return slot
                        break
                    coming -= 1
                slot = state.states[slot].next
    return NOBODY


@compiled
def dispatch_to_way(state: KernelState, scratch: Output, way: int, now: float, model: Model) -> None:
    """Send as many vehicles to a way as it needs and can have."""
    while True:
        slot = _most_urgent_to_fetch(state, scratch, way, -1, now, model)
        if slot < 0:
            return
        _send_vehicle(state, scratch, way, slot, state.picked, now, model)


@compiled
def _dispatch_to_ways(
    state: KernelState,
    scratch: Output,
    ways: Ints,
    first: int,
    last: int,
    only: int,
    now: float,
    model: Model,
) -> None:
    """Send vehicles to several ways: the most urgent of all first, of equals who has waited longest."""
    if last - first == 1:
        dispatch_to_way(state, scratch, ways[first], now, model)
        return
    while True:
        chosen = NOBODY
        found = NOBODY
        other_pool = NOBODY
        urgency = CATEGORY_COUNT
        since = math.inf
        for position in range(first, last):
            way = ways[position]
            if state.waiting[ALL_RESOURCES + way] == 0:
                continue
            slot = _most_urgent_to_fetch(state, scratch, way, only, now, model)
            if slot < 0:
                continue
            casualty = state.states[slot]
            if casualty.category < urgency or (casualty.category == urgency and casualty.wait_since < since):
                chosen = way
                found = slot
                other_pool = state.picked
                urgency = casualty.category
                since = casualty.wait_since
        if chosen < 0:
            return
        _send_vehicle(state, scratch, chosen, found, other_pool, now, model)


@compiled
def dispatch_to_facility(
    state: KernelState, scratch: Output, facility: int, now: float, model: Model
) -> None:
    """A facility may accept more patients: fetch those who wait to be brought there."""
    first = model.network.into_first[facility]
    last = model.network.into_first[facility + 1]
    if last > first and accepts(state, facility, model):
        _dispatch_to_ways(state, scratch, model.network.into, first, last, -1, now, model)


@compiled
def dispatch_from_pool(state: KernelState, scratch: Output, pool: int, now: float, model: Model) -> None:
    """A vehicle of a pool may be free: send it where it is needed most."""
    first = model.network.using_first[pool]
    last = model.network.using_first[pool + 1]
    if last <= first:
        return
    collect_returned_vehicles(state, pool, now)
    if state.idle[pool] > 0:
        _dispatch_to_ways(state, scratch, model.network.using, first, last, pool, now, model)
    elif not state.wanted[pool]:  # somebody may wait who found a vehicle that has gone out of use meanwhile
        _schedule_returns(state, pool)


@compiled
def _waits_for_preferred(
    state: KernelState,
    scratch: Output,
    slot: int,
    candidate: int,
    left: int,
    only: int,
    now: float,
    model: Model,
) -> bool:
    """Whether the patient stays for a facility that the scenario prefers to candidate k's, with `left` others who do:
    a vehicle for there is on its way or can set off now, and has room. For the own nation the next of the pool will
    do, unless this one (`only`) would then leave empty.
    """
    casualty = state.states[slot]
    nation = scratch.patients[slot].nation
    own = _preference_penalty(casualty, nation, candidate, model)
    if own == 0.0 or not model.network.bypass:
        return False
    pool = model.network.candidate_pool[candidate]
    way = model.network.candidate_way[candidate]
    first = model.network.way_first[way]
    room = 0
    for other in range(first, first + model.network.way_count[way]):
        if not (model.network.allowed[other] >> casualty.category & 1) or not _has_litter_if_needed(
            casualty, other, model
        ):
            continue
        if _preference_penalty(casualty, nation, other, model) >= own:
            continue
        room += state.coming_by[other]
        if not accepts(state, model.network.destination[model.network.candidate_link[other]], model):
            continue
        other_pool = model.network.candidate_pool[other]
        if other_pool == pool and model.network.lift_every[pool] > 0.0:
            return True  # the same lift goes there too
        if other_pool == pool and own < INCAPABLE and not only:
            return True  # the next vehicle of the pool will
        if _has_vehicle(state, other, now, model) and _is_batch_ready(
            state, way, other, casualty.category, now, model
        ):
            room += (
                UNLIMITED_ROOM
                if other_pool < 0
                else state.idle[other_pool] * max(1, model.network.litters[other_pool])
            )
    return bool(room > left)


@compiled
def _load_vehicle(
    state: KernelState,
    scratch: Output,
    candidate: int,
    litters: int,
    seats: int,
    booked: int,
    now: float,
    model: Model,
) -> int:
    """Load the most urgent who wait at candidate k's place, up to `litters` and `seats`; number loaded.

    T1, T2 and whoever needs surgery lie; the others sit, or lie where no seat is left. w.ends[0], w.ends[1] become the
    times of departure and of the last unloading.
    """
    pool = model.network.candidate_pool[candidate]
    way = model.network.candidate_way[candidate]
    queue = ALL_RESOURCES + way
    facility = model.network.destination[model.network.candidate_link[candidate]]
    # who goes
    going = 0
    left = 0
    left_litters = litters
    left_seats = seats
    travel = 0.0
    for turn in range(2 * CATEGORY_COUNT):
        category = turn % CATEGORY_COUNT
        if turn == CATEGORY_COUNT:
            if going > 0 or left == 0:
                break
            left = 0
        slot = state.first[queue, category]
        while slot >= 0 and left_litters + left_seats > 0:
            casualty = state.states[slot]
            after = casualty.next
            if not model.network.allowed[candidate] >> category & 1 or (category <= 2 and left_litters == 0):
                break
            if _waits_for_preferred(
                state, scratch, slot, candidate, left, turn >= CATEGORY_COUNT, now, model
            ):
                left += 1
                slot = after
                continue
            if booked <= 0 and not accepts(state, facility, model):
                left_litters = 0
                left_seats = 0
            else:
                sits = not _needs_litter(casualty) and left_seats > 0
                if sits or left_litters > 0:
                    if sits:
                        left_seats -= 1
                    else:
                        left_litters -= 1
                        state.litters_used[pool] += 1
                    if booked > 0:
                        booked -= 1
                    else:
                        reserve_place(state, facility, now, model)
                    if going == 0:
                        travel = _ride_time(casualty, candidate, now, model)
                    going += 1
                    casualty.chosen = 1
            slot = after
    depart = now + model.network.load[pool] * going
    arrive = depart + travel + model.network.unload[pool] * going
    boarded = 0
    for category in range(CATEGORY_COUNT):
        slot = state.first[queue, category]
        while slot >= 0 and boarded < going:
            after = state.states[slot].next
            if state.states[slot].chosen:
                state.states[slot].chosen = 0
                _assign_ride(
                    state, scratch, slot, candidate, now, depart, arrive + boarded, model
                )  # one after the other
                boarded += 1
            slot = after
    state.carried[pool] += going
    state.ends[0] = arrive + going
    state.ends[1] = travel
    return going


@compiled
def pick_up(state: KernelState, scratch: Output, candidate: int, now: float, model: Model) -> None:
    """A vehicle is at the place: it loads, brings and returns; empty, it goes home at once."""
    pool = model.network.candidate_pool[candidate]
    way = model.network.candidate_way[candidate]
    link = model.network.candidate_link[candidate]
    facility = model.network.destination[link]
    litters = model.network.litters[pool]
    seats = model.network.seats[pool]
    _count_expected_room(state, candidate, -1, model)
    going = _load_vehicle(state, scratch, candidate, litters, seats, 1, now, model)
    home = now
    if going == 0:
        free_place(state, facility, now, model)
        if model.network.out[candidate]:
            home = now + draw_leg_time(
                link, 1024, now, model, (model.network.pool_key[pool], state.sorties[pool])
            )
    else:
        home = state.ends[0]
        if model.network.back[candidate]:
            home += state.ends[1]
    state.busy[pool] += home - now
    if state.wanted[pool]:
        schedule(state, home, EntryKind.VEHICLE_RETURN, pool, pool, 0)
    else:
        add_pending_release(state, ALL_RESOURCES + pool, home)
    dispatch_to_way(state, scratch, way, now, model)
    if going == 0:
        dispatch_to_facility(state, scratch, facility, now, model)


@compiled
def depart_lift(state: KernelState, scratch: Output, pool: int, now: float, model: Model) -> None:
    """A scheduled lift leaves from every place it serves, unless it is cancelled; the next is entered."""
    state.sorties[pool] += 1
    schedule(state, now + model.network.lift_every[pool], EntryKind.LIFT, pool, pool, 0)
    uniform = to_uniform(
        words(
            model.keys[DrawPurpose.VEHICLES],
            model.network.pool_key[pool],
            state.sorties[pool],
            LIFT_CANCELLED,
        )[0]
    )
    number = state.idle[pool]
    if uniform < model.network.lift_cancelled[pool] or number <= 0 or not can_move(state, pool, now, model):
        return
    litters = model.network.litters[pool] * number
    seats = model.network.seats[pool] * number
    for position in range(model.network.using_first[pool], model.network.using_first[pool + 1]):
        way = model.network.using[position]
        first = model.network.way_first[way]
        for candidate in range(first, first + model.network.way_count[way]):
            if model.network.candidate_pool[candidate] == pool:
                before = state.litters_used[pool]
                going = _load_vehicle(state, scratch, candidate, litters, seats, 0, now, model)
                lying = state.litters_used[pool] - before
                litters -= lying
                seats -= going - lying
