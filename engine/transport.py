"""Vehicles: who is fetched when, and where to; places, batches and scheduled lifts (MODEL section 5).

Those who wait for transport at one place form a line; a vehicle is sent for when more wait than are being fetched,
somewhere accepts a patient and a vehicle can go. It travels to the place, loads the most urgent of those who wait
there then, as far as litters, seats and places at the destination reach, brings them and returns to its base.
"""

import math
from typing import Any

from engine.casualties import unit
from engine.contention import end_wait, let_go, plan, touch
from engine.kernel_cache import inner
from engine.network import (
    CLOSEST,
    LEAST_LOADED,
    R_PLACE,
    RESOURCES,
    SPREAD_OUT,
    Z_TRAVEL,
    Z_VEHICLES,
    leg_time,
)
from engine.stages import board
from engine.streams import words
from engine.survival import DAY
from engine.world import (
    CATEGORIES,
    J_RIDE,
    J_TIME,
    K_LIFT,
    K_PICK_UP,
    K_RETURN,
    K_WAKE,
    RESOURCES_IN_ALL,
    note,
    schedule,
)

NOWHERE = -1


@inner
def accepts(w: Any, f: Any, m: Any) -> bool:
    """Whether a facility takes one more patient, those on the way to it included."""
    if w.closed[f] > 0:
        return False
    r = f * RESOURCES + R_PLACE
    return bool(m.network.push or not m.network.finite[r] or w.in_use[r] < w.capacity[r])


@inner
def book(w: Any, f: Any, now: Any, m: Any) -> None:
    """Keep a place at a facility for somebody on the way."""
    if not m.network.counted[f]:
        return
    w.inside[f] += 1
    r = f * RESOURCES + R_PLACE
    if m.network.finite[r] and not m.network.push:
        touch(w, r, now)
        w.in_use[r] += 1
        w.stay_sum[r] -= now
        w.max_used[r] = max(w.max_used[r], w.in_use[r])


@inner
def unbook(w: Any, f: Any, now: Any, m: Any) -> None:
    """A place at a facility is free again; who may now be brought there is the caller's to see to (`fill`)."""
    if not m.network.counted[f]:
        return
    w.inside[f] -= 1
    r = f * RESOURCES + R_PLACE
    if m.network.finite[r] and not m.network.push:
        touch(w, r, now)
        w.in_use[r] -= 1
        w.served[r] += 1
        w.stay_sum[r] += now


@inner
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
            u = unit(words(m.keys[Z_VEHICLES], m.network.pool_key[pool], int(day), 1)[0])
            w.weather_bad[pool] = 1 if u < m.network.grounded[pool] else 0
        if w.weather_bad[pool]:
            return False
    return True


@inner
def wake(w: Any, pool: Any, now: Any, m: Any) -> None:
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
    schedule(w, w.wake_at[pool], K_WAKE, pool, pool, 0)


@inner
def _batch_ready(w: Any, states: Any, way: Any, k: Any, category: Any, now: Any, m: Any) -> bool:
    """Whether a batch is complete, somebody has waited long enough, or the category goes at once."""
    if m.network.batch[k] == 0 or m.network.batch_override[k] >> category & 1:
        return True
    line = RESOURCES_IN_ALL + way
    if w.waiting[line] - w.coming[way] >= m.network.batch[k]:
        return True
    oldest = math.inf
    for c in range(CATEGORIES):
        slot = w.first[line, c]
        if slot >= 0:
            oldest = min(oldest, states[slot].wait_since)
    due = oldest + m.network.batch_wait[k]
    if now >= due:
        return True
    if w.batch_wake_at[way] <= now or due < w.batch_wake_at[way]:
        w.batch_wake_at[way] = due
        schedule(w, due, K_WAKE, 65536 + way, way, 1)
    return False


@inner
def _has_vehicle(w: Any, k: Any, now: Any, m: Any) -> bool:
    """Whether a vehicle can set off for candidate k."""
    pool = m.network.candidate_pool[k]
    if pool < 0:
        return True
    if m.network.lift_every[pool] > 0.0 or w.idle[pool] <= 0:
        return False
    if not can_move(w, pool, now, m):
        wake(w, pool, now, m)
        return False
    return True


@inner
def _choose(w: Any, states: Any, q: Any, way: Any, slot: Any, only: Any, now: Any, m: Any) -> int:
    """The candidate by which the patient would go now, by the policies of the scenario; -1: none can be had.

    `only` >= 0: only by vehicles of that pool.
    """
    s = states[slot]
    first = m.network.way_first[way]
    chosen = NOWHERE
    best = math.inf
    for k in range(first, first + m.network.way_count[way]):
        if not (m.network.allowed[k] >> s.category & 1):
            continue
        link = m.network.candidate_link[k]
        f = m.network.destination[link]
        open_there = accepts(w, f, m)
        if open_there and _has_vehicle(w, k, now, m) and _batch_ready(w, states, way, k, s.category, now, m):
            value = 0.0
            if m.network.destinations == SPREAD_OUT:
                value = unit(words(m.keys[Z_TRAVEL], s.cell, s.index, 4096 + s.leg * 64 + k - first)[2])
            elif m.network.destinations == LEAST_LOADED:
                r = f * RESOURCES + R_PLACE
                size = float(w.capacity[r]) if m.network.finite[r] else 1.0
                value = w.inside[f] / max(1.0, size) if m.network.finite[r] else float(w.inside[f])
            else:
                value = m.network.rank[k] + 1e-6 * w.inside[f]  # of equally close ones, the emptier
            if m.network.national and m.network.nation[f] != q.patients[slot].nation:
                value += 1e9
            if value < best:
                best = value
                chosen = k
        if not m.network.bypass:
            break
    if chosen >= 0 and only >= 0 and m.network.candidate_pool[chosen] != only:
        return NOWHERE
    return chosen


@inner
def _board(w: Any, states: Any, slot: Any, k: Any, now: Any, depart: Any, arrive: Any, m: Any) -> None:
    """The patient leaves the line: ride, departure and arrival are fixed and journalled; a place is booked already."""
    s = states[slot]
    if s.held >= 0:
        w.blocked[s.held] += now - s.wait_since
    end_wait(w, states, slot, now)
    f = m.network.destination[m.network.candidate_link[k]]
    s.booked = f if m.network.counted[f] else -1
    first = m.network.way_first[m.network.candidate_way[k]]
    for other in range(first, k):
        g = m.network.destination[m.network.candidate_link[other]]
        if m.network.allowed[other] >> s.category & 1 and not accepts(w, g, m):
            w.bypassed[g] += 1
    note(w, s, now, J_RIDE, k)
    note(w, s, depart, J_TIME, 0)
    note(w, s, arrive, J_TIME, 0)
    s.wait_until = now
    board(s, k, depart, arrive, m)
    plan(w, states, slot)
    w.progress_at = now


@inner
def _travel(w: Any, s: Any, k: Any, m: Any) -> float:
    """ms from the place of the patient to the destination: the patient's own draw for the leg."""
    return leg_time(m.network.candidate_link[k], s.leg, m, (s.cell, s.index))


@inner
def _send(w: Any, states: Any, q: Any, way: Any, slot: Any, k: Any, now: Any, m: Any) -> None:
    """A vehicle sets off for candidate k because of this patient; without limit of vehicles it is there already."""
    s = states[slot]
    link = m.network.candidate_link[k]
    f = m.network.destination[link]
    pool = m.network.candidate_pool[k]
    if pool < 0:
        book(w, f, now, m)
        leg = _travel(w, s, k, m)
        depart = now
        if s.facility < 0:
            closest = leg_time(m.network.first_link[q.patients[slot].front], s.leg, m, (s.cell, s.index))
            depart = now + max(0.0, s.rest + m.care.request[1] * (leg - closest))
            leg = leg * (1.0 - m.care.request[1])
        _board(w, states, slot, k, now, depart, depart + leg, m)
        return
    w.idle[pool] -= 1
    w.sorties[pool] += 1
    if m.network.loss[pool] > 0.0:
        u = unit(words(m.keys[Z_VEHICLES], m.network.pool_key[pool], w.sorties[pool], 0)[0])
        if u < m.network.loss[pool]:
            w.vehicles_lost[pool] += 1
            return
    book(w, f, now, m)
    out = m.network.dispatch[pool]
    if m.network.out[k]:
        out += leg_time(link, 2048 + s.leg + 128 * s.sent, m, (s.cell, s.index))
        s.sent += 1
    w.coming[way] += m.network.litters[pool] + m.network.seats[pool]
    w.busy[pool] += out
    schedule(w, now + out, K_PICK_UP, k, k, 0)


@inner
def _try_ways(w: Any, states: Any, q: Any, way: Any, only: Any, now: Any, m: Any) -> int:
    """Send one vehicle to a way, if it needs one and can have one; 1 if so."""
    line = RESOURCES_IN_ALL + way
    if w.waiting[line] <= w.coming[way]:
        return 0
    for c in range(CATEGORIES):
        slot = w.first[line, c]
        if slot >= 0:
            k = _choose(w, states, q, way, slot, only, now, m)
            if k >= 0:
                _send(w, states, q, way, slot, k, now, m)
                return 1
    return 0


@inner
def serve_way(w: Any, states: Any, q: Any, way: Any, now: Any, m: Any) -> None:
    """Send as many vehicles to a way as it needs and can have."""
    while _try_ways(w, states, q, way, -1, now, m):
        pass


@inner
def _serve_list(
    w: Any, states: Any, q: Any, ways: Any, first: Any, last: Any, only: Any, now: Any, m: Any
) -> None:
    """Send vehicles to several ways: the most urgent of all first, of equals who has waited longest."""
    if last - first == 1:
        serve_way(w, states, q, ways[first], now, m)
        return
    while True:
        chosen = NOWHERE
        urgency = CATEGORIES
        since = math.inf
        for j in range(first, last):
            way = ways[j]
            line = RESOURCES_IN_ALL + way
            if w.waiting[line] <= w.coming[way]:
                continue
            for c in range(min(urgency + 1, CATEGORIES)):
                slot = w.first[line, c]
                if slot < 0:
                    continue
                if c == urgency and states[slot].wait_since >= since:
                    break
                if _choose(w, states, q, way, slot, only, now, m) >= 0:
                    chosen = way
                    urgency = c
                    since = states[slot].wait_since
                    break
        if chosen < 0 or not _try_ways(w, states, q, chosen, only, now, m):
            return


@inner
def fill(w: Any, states: Any, q: Any, f: Any, now: Any, m: Any) -> None:
    """A facility may accept more patients: fetch those who wait to be brought there."""
    first = m.network.into_first[f]
    last = m.network.into_first[f + 1]
    if last > first and accepts(w, f, m):
        _serve_list(w, states, q, m.network.into, first, last, -1, now, m)


@inner
def use_pool(w: Any, states: Any, q: Any, pool: Any, now: Any, m: Any) -> None:
    """A vehicle of a pool may be free: send it where it is needed most."""
    if w.idle[pool] > 0:
        first = m.network.using_first[pool]
        last = m.network.using_first[pool + 1]
        if last > first:
            _serve_list(w, states, q, m.network.using, first, last, pool, now, m)


@inner
def _prefers_another(w: Any, q: Any, slot: Any, category: Any, k: Any, m: Any) -> bool:
    """Whether a facility of the patient's own nation would accept, and candidate k leads to another nation's."""
    nation = q.patients[slot].nation
    if m.network.nation[m.network.destination[m.network.candidate_link[k]]] == nation:
        return False
    way = m.network.candidate_way[k]
    first = m.network.way_first[way]
    for other in range(first, first + m.network.way_count[way]):
        f = m.network.destination[m.network.candidate_link[other]]
        if m.network.nation[f] == nation and m.network.allowed[other] >> category & 1 and accepts(w, f, m):
            return True
    return False


@inner
def _load(
    w: Any, states: Any, q: Any, k: Any, litters: Any, seats: Any, booked: Any, now: Any, m: Any
) -> int:
    """Load the most urgent who wait at candidate k's place, up to `litters` and `seats`; number loaded.

    T1, T2 and whoever needs surgery lie; the others sit, or lie where no seat is left. w.ends[0], w.ends[1] become the
    times of departure and of the last unloading.
    """
    pool = m.network.candidate_pool[k]
    way = m.network.candidate_way[k]
    line = RESOURCES_IN_ALL + way
    f = m.network.destination[m.network.candidate_link[k]]
    # who goes
    going = 0
    left_litters = litters
    left_seats = seats
    travel = 0.0
    for c in range(CATEGORIES):
        slot = w.first[line, c]
        while slot >= 0 and left_litters + left_seats > 0:
            s = states[slot]
            after = s.next
            if not m.network.allowed[k] >> c & 1 or (c <= 2 and left_litters == 0):
                break
            if m.network.national and _prefers_another(w, q, slot, c, k, m):
                slot = after
                continue
            if booked <= 0 and not accepts(w, f, m):
                left_litters = 0
                left_seats = 0
            else:
                lies = c <= 2 or s.needs_surgery
                sits = not lies and left_seats > 0
                if sits or left_litters > 0:
                    if sits:
                        left_seats -= 1
                    else:
                        left_litters -= 1
                        w.litters_used[pool] += 1
                    if booked > 0:
                        booked -= 1
                    else:
                        book(w, f, now, m)
                    if going == 0:
                        travel = _travel(w, s, k, m)
                    going += 1
                    s.chosen = 1
            slot = after
    depart = now + m.network.load[pool] * going
    arrive = depart + travel + m.network.unload[pool] * going
    left = going
    for c in range(CATEGORIES):
        slot = w.first[line, c]
        while slot >= 0 and left > 0:
            after = states[slot].next
            if states[slot].chosen:
                left -= 1
                states[slot].chosen = 0
                _board(w, states, slot, k, now, depart, arrive + (going - 1 - left), m)  # one after the other
            slot = after
    w.carried[pool] += going
    w.ends[0] = arrive + going
    w.ends[1] = travel
    return going


@inner
def pick_up(w: Any, states: Any, q: Any, k: Any, now: Any, m: Any) -> None:
    """A vehicle is at the place: it loads, brings and returns; empty, it goes home at once."""
    pool = m.network.candidate_pool[k]
    way = m.network.candidate_way[k]
    link = m.network.candidate_link[k]
    f = m.network.destination[link]
    litters = m.network.litters[pool]
    seats = m.network.seats[pool]
    w.coming[way] -= litters + seats
    going = _load(w, states, q, k, litters, seats, 1, now, m)
    home = now
    if going == 0:
        unbook(w, f, now, m)
        if m.network.out[k]:
            home = now + leg_time(link, 1024, m, (m.network.pool_key[pool], w.sorties[pool]))
    else:
        home = w.ends[0]
        if m.network.back[k]:
            home += w.ends[1]
    w.busy[pool] += home - now
    schedule(w, home, K_RETURN, pool, pool, 0)
    serve_way(w, states, q, way, now, m)
    if going == 0:
        fill(w, states, q, f, now, m)


@inner
def lift(w: Any, states: Any, q: Any, pool: Any, now: Any, m: Any) -> None:
    """A scheduled lift leaves from every place it serves, unless it is cancelled; the next is entered."""
    w.sorties[pool] += 1
    schedule(w, now + m.network.lift_every[pool], K_LIFT, pool, pool, 0)
    u = unit(words(m.keys[Z_VEHICLES], m.network.pool_key[pool], w.sorties[pool], 2)[0])
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
                going = _load(w, states, q, k, litters, seats, 0, now, m)
                lying = w.litters_used[pool] - before
                litters -= lying
                seats -= going - lying


__all__ = ["CLOSEST", "fill", "let_go", "lift", "pick_up", "serve_way", "use_pool"]
