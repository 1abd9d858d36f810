"""Vehicles: who is fetched when, and where to; places, batches and scheduled lifts (MODEL section 5).

Those who wait for transport at one place form a line; a vehicle is sent for when more wait than are being fetched,
somewhere accepts a patient and a vehicle can go. It travels to the place, loads the most urgent of those who wait
there then, as far as litters, seats and places at the destination reach, brings them and returns to its base.
"""

import math
from typing import Any

import numpy as np

from engine.clinical import DAY, death_time, to_uniform
from engine.codes import DrawPurpose, Resource
from engine.kernel.codes import Decision, DestinationPolicy, EntryKind, Stage
from engine.kernel.parameters import RESOURCE_COUNT, draw_leg_time, relocation_factor
from engine.kernel.resources import end_wait, schedule_next_event, update_integrals
from engine.kernel.stages import board_vehicle, perform_stage
from engine.kernel.state import (
    ALL_RESOURCES,
    CATEGORY_COUNT,
    add_pending_release,
    log_decision,
    next_pending_release,
    pop_pending_release,
    schedule,
)
from engine.numeric import compiled, words

NOBODY = -1
UNLIMITED_ROOM = 1 << 30
FOREIGN, INCAPABLE = 1e6, 2e6
"""Weights in the choice of a destination; ranks by distance and loads are smaller."""


@compiled
def accepts(w: Any, f: Any, m: Any) -> bool:
    """Whether a facility takes one more patient, those on the way to it included."""
    if w.closed[f] > 0:
        return False
    r = f * RESOURCE_COUNT + Resource.PLACE
    return bool(m.network.push or not m.network.finite[r] or w.in_use[r] < w.capacity[r])


@compiled
def reserve_place(w: Any, f: Any, now: Any, m: Any) -> None:
    """Keep a place at a facility for somebody on the way."""
    if not m.network.counted[f]:
        return
    w.inside[f] += 1
    r = f * RESOURCE_COUNT + Resource.PLACE
    if m.network.finite[r] and not m.network.push:
        update_integrals(w, r, now)
        w.in_use[r] += 1
        w.stay_sum[r] -= now
        w.max_used[r] = max(w.max_used[r], w.in_use[r])


@compiled
def free_place(w: Any, f: Any, now: Any, m: Any) -> None:
    """A place at a facility is free again; who may now be brought there is the caller's to see to (`fill`)."""
    if not m.network.counted[f]:
        return
    w.inside[f] -= 1
    r = f * RESOURCE_COUNT + Resource.PLACE
    if m.network.finite[r] and not m.network.push:
        update_integrals(w, r, now)
        w.in_use[r] -= 1
        w.served[r] += 1
        w.stay_sum[r] += now


@compiled
def can_move(w: Any, pool: Any, now: Any, m: Any) -> bool:
    """Whether vehicles of a pool may move at `now`: by night, and on a day that weather keeps them on the ground."""
    clock = m.people.start[0] + now
    day = math.floor(clock / DAY)
    if not m.network.by_night[pool]:
        hour = clock - day * DAY
        if hour >= m.network.night[0] or hour < m.network.night[1]:
            return False
    if m.network.grounded[pool] > 0.0:
        if w.weather_day[pool] != day:
            w.weather_day[pool] = day
            u = to_uniform(words(m.keys[DrawPurpose.VEHICLES], m.network.pool_key[pool], int(day), 1)[0])
            w.weather_bad[pool] = 1 if u < m.network.grounded[pool] else 0
        if w.weather_bad[pool]:
            return False
    return True


@compiled
def schedule_wake(w: Any, pool: Any, now: Any, m: Any) -> None:
    """Look again when vehicles that may not move now may: at the end of the night or of the day."""
    if w.wake_at[pool] > now:
        return
    clock = m.people.start[0] + now
    day = math.floor(clock / DAY)
    next_day = (day + 1.0) * DAY
    at = next_day + m.network.night[1]
    if m.network.by_night[pool]:
        at = next_day
    elif clock - day * DAY < m.network.night[1]:
        at = day * DAY + m.network.night[1]
    w.wake_at[pool] = at - m.people.start[0]
    schedule(w, w.wake_at[pool], EntryKind.WAKE, pool, pool, 0)


@compiled
def _is_batch_ready(w: Any, way: Any, k: Any, category: Any, now: Any, m: Any) -> bool:
    """Whether a batch is complete, somebody has waited long enough, or the category goes at once."""
    if m.network.batch[k] == 0 or m.network.batch_override[k] >> category & 1:
        return True
    line = ALL_RESOURCES + way
    if w.waiting[line] - w.coming[way, category] >= m.network.batch[k]:
        return True
    oldest = math.inf
    for c in range(CATEGORY_COUNT):
        slot = w.first[line, c]
        if slot >= 0:
            oldest = min(oldest, w.states[slot].wait_since)
    due = oldest + m.network.batch_wait[k]
    if now >= due:
        return True
    if w.batch_wake_at[way] <= now or due < w.batch_wake_at[way]:
        w.batch_wake_at[way] = due
        schedule(w, due, EntryKind.WAKE, 65536 + way, way, 1)
    return False


@compiled
def collect_returned_vehicles(w: Any, pool: Any, now: Any) -> None:
    """Vehicles that were to be back by `now` are idle."""
    while next_pending_release(w, ALL_RESOURCES + pool) <= now:
        pop_pending_release(w, ALL_RESOURCES + pool)
        w.idle[pool] += 1


@compiled
def _schedule_returns(w: Any, pool: Any) -> None:
    """Somebody waits for a vehicle of the pool from now on: the returns that are known go into the calendar."""
    w.wanted[pool] = 1
    while w.promised_first[ALL_RESOURCES + pool] >= 0:
        schedule(w, pop_pending_release(w, ALL_RESOURCES + pool), EntryKind.VEHICLE_RETURN, pool, pool, 0)


@compiled
def _has_vehicle(w: Any, k: Any, now: Any, m: Any) -> bool:
    """Whether a vehicle can set off for candidate k."""
    pool = m.network.candidate_pool[k]
    if pool < 0:
        return True
    if m.network.lift_every[pool] > 0.0:
        return False
    collect_returned_vehicles(w, pool, now)
    if w.idle[pool] <= 0:
        if not w.wanted[pool]:
            _schedule_returns(w, pool)
        return False
    if not can_move(w, pool, now, m):
        schedule_wake(w, pool, now, m)
        return False
    return True


@compiled
def _can_send(w: Any, k: Any, category: Any, now: Any, m: Any) -> bool:
    """Whether a vehicle can set off for candidate k now and be accepted."""
    if not accepts(w, m.network.destination[m.network.candidate_link[k]], m):
        return False
    way = m.network.candidate_way[k]
    return _has_vehicle(w, k, now, m) and _is_batch_ready(w, way, k, category, now, m)


@compiled
def _needs_litter(s: Any) -> bool:
    """Whether the patient needs a litter: T1, T2 and whoever needs surgery."""
    return bool(s.category <= 2 or s.needs_surgery)


@compiled
def _has_litter_if_needed(s: Any, k: Any, m: Any) -> bool:
    """Whether vehicles of candidate k have the litter that the patient needs."""
    pool = m.network.candidate_pool[k]
    return bool(pool < 0 or m.network.litters[pool] > 0 or not _needs_litter(s))


@compiled
def _needs_surgery(s: Any) -> bool:
    return bool(s.needs_surgery and not s.operated)


@compiled
def _preference_penalty(s: Any, nation: Any, k: Any, m: Any) -> float:
    """How far candidate k goes against what the scenario prefers, distance apart: facilities that cannot operate for
    who needs surgery (with `bypass`), and then those of other nations.
    """
    demerit = 0.0
    if _needs_surgery(s) and not m.network.able[k] and m.network.able_for[m.network.candidate_way[k]]:
        demerit = INCAPABLE
    if m.network.national and m.network.nation[m.network.destination[m.network.candidate_link[k]]] != nation:
        demerit += FOREIGN
    return demerit


@compiled
def _distance(k: Any, now: Any, m: Any) -> float:
    """Rank of candidate k by mean travel time; once facilities move, that time itself in minutes."""
    if m.network.moves == 0:
        return m.network.rank[k]
    link = m.network.candidate_link[k]
    return m.network.minutes[link] * relocation_factor(link, now, m)


@compiled
def _choose_candidate(w: Any, q: Any, way: Any, slot: Any, only: Any, able: Any, now: Any, m: Any) -> int:
    """The candidate by which the patient would go now, by the policies of the scenario; -1: none can be had.

    Without `bypass` only the closest that is for this patient. `only` >= 0: only
    by vehicles of that pool. `able`: only to a facility that operates.
    """
    s = w.states[slot]
    first = m.network.way_first[way]
    chosen = NOBODY
    best = math.inf
    for k in range(first, first + m.network.way_count[way]):
        if not (m.network.allowed[k] >> s.category & 1) or not _has_litter_if_needed(s, k, m):
            continue
        link = m.network.candidate_link[k]
        f = m.network.destination[link]
        if not m.network.bypass or _can_send(w, k, s.category, now, m):
            value = 0.0
            if not m.network.bypass:
                value = _distance(k, now, m)
            elif m.network.destinations == DestinationPolicy.SPREAD_OUT:
                value = to_uniform(
                    words(m.keys[DrawPurpose.TRAVEL], s.cell, s.index, 4096 + s.leg * 64 + k - first)[2]
                )
            elif m.network.destinations == DestinationPolicy.LEAST_LOADED:
                r = f * RESOURCE_COUNT + Resource.PLACE
                size = float(w.capacity[r]) if m.network.finite[r] else 1.0
                value = w.inside[f] / max(1.0, size) if m.network.finite[r] else float(w.inside[f])
            else:
                value = _distance(k, now, m) + 1e-6 * w.inside[f]  # of equally close ones, the emptier
            if m.network.bypass:
                value += _preference_penalty(s, q.patients[slot].nation, k, m)
            if value < best:
                best = value
                chosen = k
    if chosen >= 0 and not m.network.bypass and not _can_send(w, chosen, s.category, now, m):
        return NOBODY
    if chosen >= 0 and only >= 0 and m.network.candidate_pool[chosen] != only:
        return NOBODY
    if chosen >= 0 and able and not m.network.able[chosen]:
        return NOBODY
    return chosen


@compiled
def _assign_ride(w: Any, q: Any, slot: Any, k: Any, now: Any, depart: Any, arrive: Any, m: Any) -> None:
    """The patient leaves the line: ride, departure and arrival are fixed and journalled; a place is booked already."""
    s = w.states[slot]
    if s.held >= 0:
        w.blocked[s.held] += now - s.wait_since
    end_wait(w, slot, now)
    f = m.network.destination[m.network.candidate_link[k]]
    s.booked = f if m.network.counted[f] else -1
    first = m.network.way_first[m.network.candidate_way[k]]
    for other in range(first, first + m.network.way_count[m.network.candidate_way[k]]):
        if other >= k if m.network.moves == 0 else _distance(other, now, m) >= _distance(k, now, m):
            continue
        g = m.network.destination[m.network.candidate_link[other]]
        incapable = _needs_surgery(s) and m.network.able[k] and not m.network.able[other]
        if m.network.allowed[other] >> s.category & 1 and (incapable or not accepts(w, g, m)):
            w.bypassed[g] += 1
    log_decision(w, s, now, Decision.RIDE, k)
    log_decision(w, s, depart, Decision.TIME, 0)
    log_decision(w, s, arrive, Decision.TIME, 0)
    who = (s.cell, s.index)
    if s.stage == Stage.FIRST_AID and s.at <= now:
        perform_stage(q, slot, s, m, who)
    s.wait_until = now
    board_vehicle(s, k, depart, arrive, m)
    while s.stage <= Stage.DEPART and s.at < death_time(s):  # from the POI: nothing that concerns others
        perform_stage(q, slot, s, m, who)
    schedule_next_event(w, slot)
    w.progress_at = now


@compiled
def _ride_time(s: Any, k: Any, now: Any, m: Any) -> float:
    """ms from the place of the patient to the destination: the patient's own draw for the leg."""
    return draw_leg_time(m.network.candidate_link[k], s.leg, now, m, (s.cell, s.index))


@compiled
def _send_vehicle(w: Any, q: Any, way: Any, slot: Any, k: Any, now: Any, m: Any) -> None:
    """A vehicle sets off for candidate k because of this patient; without limit of vehicles it is there already."""
    s = w.states[slot]
    link = m.network.candidate_link[k]
    f = m.network.destination[link]
    pool = m.network.candidate_pool[k]
    if pool < 0:
        reserve_place(w, f, now, m)
        leg = _ride_time(s, k, now, m)
        depart = now
        if s.facility < 0:
            p = q.patients[slot]
            closest = draw_leg_time(m.network.first_link[p.front], s.leg, p.onset, m, (s.cell, s.index))
            depart = now + max(0.0, s.rest + m.care.request[1] * (leg - closest))
            leg = leg * (1.0 - m.care.request[1])
        _assign_ride(w, q, slot, k, now, depart, depart + leg, m)
        return
    w.idle[pool] -= 1
    w.sorties[pool] += 1
    if m.network.loss[pool] > 0.0:
        u = to_uniform(words(m.keys[DrawPurpose.VEHICLES], m.network.pool_key[pool], w.sorties[pool], 0)[0])
        if u < m.network.loss[pool]:
            w.vehicles_lost[pool] += 1
            return
    reserve_place(w, f, now, m)
    out = m.network.dispatch[pool]
    if m.network.out[k]:
        out += draw_leg_time(link, 2048 + s.leg + 128 * s.sent, now, m, (s.cell, s.index))
        s.sent += 1
    _count_expected_room(w, k, 1, m)
    w.busy[pool] += out
    schedule(w, now + out, EntryKind.PICK_UP, k, k, 0)


@compiled
def _count_expected_room(w: Any, k: Any, sign: Any, m: Any) -> None:
    """A vehicle sets off for candidate k (sign 1), or is there (-1): the room that those who wait may count on."""
    way = m.network.candidate_way[k]
    pool = m.network.candidate_pool[k]
    litters = m.network.litters[pool]
    w.coming_by[k] += sign * litters
    for c in range(CATEGORY_COUNT):
        if m.network.allowed[k] >> c & 1:
            w.coming[way, c] += sign * (litters + (m.network.seats[pool] if c > 2 else 0))


@compiled
def _most_urgent_to_fetch(w: Any, q: Any, way: Any, only: Any, now: Any, m: Any) -> int:
    """The most urgent patient for whom a vehicle would set off now, w.picked the candidate; -1: nobody.

    A vehicle is sent for when more wait, of a category and the more urgent ones, than are being fetched; or more who
    need surgery than will be fetched to where it can be had.
    """
    line = ALL_RESOURCES + way
    before = 0
    for c in range(CATEGORY_COUNT):
        slot = w.first[line, c]
        if slot >= 0:
            before += w.waiting_as[line, c]
            if before > w.coming[way, c]:
                w.picked = _choose_candidate(w, q, way, slot, only, 0, now, m)
                if w.picked < 0 and m.network.seated[way]:  # a vehicle without litters may go for one behind
                    while slot >= 0 and _needs_litter(w.states[slot]):
                        slot = np.int64(w.states[slot].next)
                    if slot >= 0:
                        w.picked = _choose_candidate(w, q, way, slot, only, 0, now, m)
                if w.picked >= 0:
                    return slot
    able_for = m.network.able_for[way]
    if able_for == 0 or w.waiting[line] == 0:
        return NOBODY
    first = m.network.way_first[way]
    coming = 0
    for k in range(first, first + m.network.way_count[way]):
        if m.network.able[k]:
            coming += w.coming_by[k]
    for c in range(CATEGORY_COUNT):
        if able_for >> c & 1:
            slot = w.first[line, c]
            while slot >= 0:
                if _needs_surgery(w.states[slot]):
                    if coming <= 0:
                        w.picked = _choose_candidate(w, q, way, slot, only, 1, now, m)
                        if w.picked >= 0:
                            return slot
                        break
                    coming -= 1
                slot = w.states[slot].next
    return NOBODY


@compiled
def dispatch_to_way(w: Any, q: Any, way: Any, now: Any, m: Any) -> None:
    """Send as many vehicles to a way as it needs and can have."""
    while True:
        slot = _most_urgent_to_fetch(w, q, way, -1, now, m)
        if slot < 0:
            return
        _send_vehicle(w, q, way, slot, w.picked, now, m)


@compiled
def _dispatch_to_ways(w: Any, q: Any, ways: Any, first: Any, last: Any, only: Any, now: Any, m: Any) -> None:
    """Send vehicles to several ways: the most urgent of all first, of equals who has waited longest."""
    if last - first == 1:
        dispatch_to_way(w, q, ways[first], now, m)
        return
    while True:
        chosen = NOBODY
        found = NOBODY
        by = NOBODY
        urgency = CATEGORY_COUNT
        since = math.inf
        for j in range(first, last):
            way = ways[j]
            if w.waiting[ALL_RESOURCES + way] == 0:
                continue
            slot = _most_urgent_to_fetch(w, q, way, only, now, m)
            if slot < 0:
                continue
            s = w.states[slot]
            if s.category < urgency or (s.category == urgency and s.wait_since < since):
                chosen = way
                found = slot
                by = w.picked
                urgency = s.category
                since = s.wait_since
        if chosen < 0:
            return
        _send_vehicle(w, q, chosen, found, by, now, m)


@compiled
def dispatch_to_facility(w: Any, q: Any, f: Any, now: Any, m: Any) -> None:
    """A facility may accept more patients: fetch those who wait to be brought there."""
    first = m.network.into_first[f]
    last = m.network.into_first[f + 1]
    if last > first and accepts(w, f, m):
        _dispatch_to_ways(w, q, m.network.into, first, last, -1, now, m)


@compiled
def dispatch_from_pool(w: Any, q: Any, pool: Any, now: Any, m: Any) -> None:
    """A vehicle of a pool may be free: send it where it is needed most."""
    first = m.network.using_first[pool]
    last = m.network.using_first[pool + 1]
    if last <= first:
        return
    collect_returned_vehicles(w, pool, now)
    if w.idle[pool] > 0:
        _dispatch_to_ways(w, q, m.network.using, first, last, pool, now, m)
    elif not w.wanted[pool]:  # somebody may wait who found a vehicle that has gone out of use meanwhile
        _schedule_returns(w, pool)


@compiled
def _waits_for_preferred(w: Any, q: Any, slot: Any, k: Any, left: Any, only: Any, now: Any, m: Any) -> bool:
    """Whether the patient stays for a facility that the scenario prefers to candidate k's, with `left` others who do:
    a vehicle for there is on its way or can set off now, and has room. For the own nation the next of the pool will
    do, unless this one (`only`) would then leave empty.
    """
    s = w.states[slot]
    nation = q.patients[slot].nation
    own = _preference_penalty(s, nation, k, m)
    if own == 0.0 or not m.network.bypass:
        return False
    pool = m.network.candidate_pool[k]
    way = m.network.candidate_way[k]
    first = m.network.way_first[way]
    room = 0
    for other in range(first, first + m.network.way_count[way]):
        if not (m.network.allowed[other] >> s.category & 1) or not _has_litter_if_needed(s, other, m):
            continue
        if _preference_penalty(s, nation, other, m) >= own:
            continue
        room += w.coming_by[other]
        if not accepts(w, m.network.destination[m.network.candidate_link[other]], m):
            continue
        by = m.network.candidate_pool[other]
        if by == pool and m.network.lift_every[pool] > 0.0:
            return True  # the same lift goes there too
        if by == pool and own < INCAPABLE and not only:
            return True  # the next vehicle of the pool will
        if _has_vehicle(w, other, now, m) and _is_batch_ready(w, way, other, s.category, now, m):
            room += UNLIMITED_ROOM if by < 0 else w.idle[by] * max(1, m.network.litters[by])
    return bool(room > left)


@compiled
def _load_vehicle(w: Any, q: Any, k: Any, litters: Any, seats: Any, booked: Any, now: Any, m: Any) -> int:
    """Load the most urgent who wait at candidate k's place, up to `litters` and `seats`; number loaded.

    T1, T2 and whoever needs surgery lie; the others sit, or lie where no seat is left. w.ends[0], w.ends[1] become the
    times of departure and of the last unloading.
    """
    pool = m.network.candidate_pool[k]
    way = m.network.candidate_way[k]
    line = ALL_RESOURCES + way
    f = m.network.destination[m.network.candidate_link[k]]
    # who goes
    going = 0
    left = 0
    left_litters = litters
    left_seats = seats
    travel = 0.0
    for turn in range(2 * CATEGORY_COUNT):
        c = turn % CATEGORY_COUNT
        if turn == CATEGORY_COUNT:
            if going > 0 or left == 0:
                break
            left = 0
        slot = w.first[line, c]
        while slot >= 0 and left_litters + left_seats > 0:
            s = w.states[slot]
            after = s.next
            if not m.network.allowed[k] >> c & 1 or (c <= 2 and left_litters == 0):
                break
            if _waits_for_preferred(w, q, slot, k, left, turn >= CATEGORY_COUNT, now, m):
                left += 1
                slot = after
                continue
            if booked <= 0 and not accepts(w, f, m):
                left_litters = 0
                left_seats = 0
            else:
                sits = not _needs_litter(s) and left_seats > 0
                if sits or left_litters > 0:
                    if sits:
                        left_seats -= 1
                    else:
                        left_litters -= 1
                        w.litters_used[pool] += 1
                    if booked > 0:
                        booked -= 1
                    else:
                        reserve_place(w, f, now, m)
                    if going == 0:
                        travel = _ride_time(s, k, now, m)
                    going += 1
                    s.chosen = 1
            slot = after
    depart = now + m.network.load[pool] * going
    arrive = depart + travel + m.network.unload[pool] * going
    boarded = 0
    for c in range(CATEGORY_COUNT):
        slot = w.first[line, c]
        while slot >= 0 and boarded < going:
            after = w.states[slot].next
            if w.states[slot].chosen:
                w.states[slot].chosen = 0
                _assign_ride(w, q, slot, k, now, depart, arrive + boarded, m)  # one after the other
                boarded += 1
            slot = after
    w.carried[pool] += going
    w.ends[0] = arrive + going
    w.ends[1] = travel
    return going


@compiled
def pick_up(w: Any, q: Any, k: Any, now: Any, m: Any) -> None:
    """A vehicle is at the place: it loads, brings and returns; empty, it goes home at once."""
    pool = m.network.candidate_pool[k]
    way = m.network.candidate_way[k]
    link = m.network.candidate_link[k]
    f = m.network.destination[link]
    litters = m.network.litters[pool]
    seats = m.network.seats[pool]
    _count_expected_room(w, k, -1, m)
    going = _load_vehicle(w, q, k, litters, seats, 1, now, m)
    home = now
    if going == 0:
        free_place(w, f, now, m)
        if m.network.out[k]:
            home = now + draw_leg_time(link, 1024, now, m, (m.network.pool_key[pool], w.sorties[pool]))
    else:
        home = w.ends[0]
        if m.network.back[k]:
            home += w.ends[1]
    w.busy[pool] += home - now
    if w.wanted[pool]:
        schedule(w, home, EntryKind.VEHICLE_RETURN, pool, pool, 0)
    else:
        add_pending_release(w, ALL_RESOURCES + pool, home)
    dispatch_to_way(w, q, way, now, m)
    if going == 0:
        dispatch_to_facility(w, q, f, now, m)


@compiled
def depart_lift(w: Any, q: Any, pool: Any, now: Any, m: Any) -> None:
    """A scheduled lift leaves from every place it serves, unless it is cancelled; the next is entered."""
    w.sorties[pool] += 1
    schedule(w, now + m.network.lift_every[pool], EntryKind.LIFT, pool, pool, 0)
    u = to_uniform(words(m.keys[DrawPurpose.VEHICLES], m.network.pool_key[pool], w.sorties[pool], 2)[0])
    number = w.idle[pool]
    if u < m.network.lift_cancelled[pool] or number <= 0 or not can_move(w, pool, now, m):
        return
    litters = m.network.litters[pool] * number
    seats = m.network.seats[pool] * number
    for j in range(m.network.using_first[pool], m.network.using_first[pool + 1]):
        way = m.network.using[j]
        first = m.network.way_first[way]
        for k in range(first, first + m.network.way_count[way]):
            if m.network.candidate_pool[k] == pool:
                before = w.litters_used[pool]
                going = _load_vehicle(w, q, k, litters, seats, 0, now, m)
                lying = w.litters_used[pool] - before
                litters -= lying
                seats -= going - lying
