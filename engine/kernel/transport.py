"""Vehicles: who is fetched when, and where to; places, batches and scheduled lifts (MODEL section 5).

Those who wait for transport at one place form a line; a vehicle is sent for when more wait than are being fetched,
somewhere accepts a patient and a vehicle can go. It travels to the place, loads the most urgent of those who wait
there then, as far as litters, seats and places at the destination reach, brings them and returns to its base.
"""

import math
from typing import Any

import numpy as np

from engine.clinical import DAY, death_time, unit
from engine.kernel.parameters import (
    CLOSEST,
    LEAST_LOADED,
    R_PLACE,
    RESOURCES,
    SPREAD_OUT,
    Z_TRAVEL,
    Z_VEHICLES,
    farther,
    leg_time,
)
from engine.kernel.resources import end_wait, let_go, plan, touch
from engine.kernel.stages import S_AID, S_DEPART, board, step
from engine.kernel.state import (
    CATEGORIES,
    J_RIDE,
    J_TIME,
    K_LIFT,
    K_PICK_UP,
    K_RETURN,
    K_WAKE,
    RESOURCES_IN_ALL,
    keep_promise,
    note,
    promised_until,
    schedule,
    take_promise,
)
from engine.numeric import inner, words

NOWHERE = -1
MANY = 1 << 30
FOREIGN, INCAPABLE = 1e6, 2e6
"""Weights in the choice of a destination; ranks by distance and loads are smaller."""


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
def _batch_ready(w: Any, way: Any, k: Any, category: Any, now: Any, m: Any) -> bool:
    """Whether a batch is complete, somebody has waited long enough, or the category goes at once."""
    if m.network.batch[k] == 0 or m.network.batch_override[k] >> category & 1:
        return True
    line = RESOURCES_IN_ALL + way
    if w.waiting[line] - w.coming[way, category] >= m.network.batch[k]:
        return True
    oldest = math.inf
    for c in range(CATEGORIES):
        slot = w.first[line, c]
        if slot >= 0:
            oldest = min(oldest, w.states[slot].wait_since)
    due = oldest + m.network.batch_wait[k]
    if now >= due:
        return True
    if w.batch_wake_at[way] <= now or due < w.batch_wake_at[way]:
        w.batch_wake_at[way] = due
        schedule(w, due, K_WAKE, 65536 + way, way, 1)
    return False


@inner
def come_home(w: Any, pool: Any, now: Any) -> None:
    """Vehicles that were to be back by `now` are idle."""
    while promised_until(w, RESOURCES_IN_ALL + pool) <= now:
        take_promise(w, RESOURCES_IN_ALL + pool)
        w.idle[pool] += 1


@inner
def _call_home(w: Any, pool: Any) -> None:
    """Somebody waits for a vehicle of the pool from now on: the returns that are known go into the calendar."""
    w.wanted[pool] = 1
    while w.promised_first[RESOURCES_IN_ALL + pool] >= 0:
        schedule(w, take_promise(w, RESOURCES_IN_ALL + pool), K_RETURN, pool, pool, 0)


@inner
def _has_vehicle(w: Any, k: Any, now: Any, m: Any) -> bool:
    """Whether a vehicle can set off for candidate k."""
    pool = m.network.candidate_pool[k]
    if pool < 0:
        return True
    if m.network.lift_every[pool] > 0.0:
        return False
    come_home(w, pool, now)
    if w.idle[pool] <= 0:
        if not w.wanted[pool]:
            _call_home(w, pool)
        return False
    if not can_move(w, pool, now, m):
        wake(w, pool, now, m)
        return False
    return True


@inner
def _can_go(w: Any, k: Any, category: Any, now: Any, m: Any) -> bool:
    """Whether a vehicle can set off for candidate k now and be accepted."""
    if not accepts(w, m.network.destination[m.network.candidate_link[k]], m):
        return False
    way = m.network.candidate_way[k]
    return _has_vehicle(w, k, now, m) and _batch_ready(w, way, k, category, now, m)


@inner
def _lies(s: Any) -> bool:
    """Whether the patient needs a litter: T1, T2 and whoever needs surgery."""
    return bool(s.category <= 2 or s.needs_surgery)


@inner
def _fits(s: Any, k: Any, m: Any) -> bool:
    """Whether vehicles of candidate k have the litter that the patient needs."""
    pool = m.network.candidate_pool[k]
    return bool(pool < 0 or m.network.litters[pool] > 0 or not _lies(s))


@inner
def _wants_surgery(s: Any) -> bool:
    return bool(s.needs_surgery and not s.operated)


@inner
def _demerit(s: Any, nation: Any, k: Any, m: Any) -> float:
    """How far candidate k goes against what the scenario prefers, distance apart: facilities that cannot operate for
    who needs surgery (with `bypass`), and then those of other nations.
    """
    demerit = 0.0
    if _wants_surgery(s) and not m.network.able[k] and m.network.able_for[m.network.candidate_way[k]]:
        demerit = INCAPABLE
    if m.network.national and m.network.nation[m.network.destination[m.network.candidate_link[k]]] != nation:
        demerit += FOREIGN
    return demerit


@inner
def _distance(k: Any, now: Any, m: Any) -> float:
    """Rank of candidate k by mean travel time; once facilities move, that time itself in minutes."""
    if m.network.moves == 0:
        return m.network.rank[k]
    link = m.network.candidate_link[k]
    return m.network.minutes[link] * farther(link, now, m)


@inner
def _choose(w: Any, q: Any, way: Any, slot: Any, only: Any, able: Any, now: Any, m: Any) -> int:
    """The candidate by which the patient would go now, by the policies of the scenario; -1: none can be had.

    Without `bypass` only the closest that is for this patient. `only` >= 0: only
    by vehicles of that pool. `able`: only to a facility that operates.
    """
    s = w.states[slot]
    first = m.network.way_first[way]
    chosen = NOWHERE
    best = math.inf
    for k in range(first, first + m.network.way_count[way]):
        if not (m.network.allowed[k] >> s.category & 1) or not _fits(s, k, m):
            continue
        link = m.network.candidate_link[k]
        f = m.network.destination[link]
        if not m.network.bypass or _can_go(w, k, s.category, now, m):
            value = 0.0
            if not m.network.bypass:
                value = _distance(k, now, m)
            elif m.network.destinations == SPREAD_OUT:
                value = unit(words(m.keys[Z_TRAVEL], s.cell, s.index, 4096 + s.leg * 64 + k - first)[2])
            elif m.network.destinations == LEAST_LOADED:
                r = f * RESOURCES + R_PLACE
                size = float(w.capacity[r]) if m.network.finite[r] else 1.0
                value = w.inside[f] / max(1.0, size) if m.network.finite[r] else float(w.inside[f])
            else:
                value = _distance(k, now, m) + 1e-6 * w.inside[f]  # of equally close ones, the emptier
            if m.network.bypass:
                value += _demerit(s, q.patients[slot].nation, k, m)
            if value < best:
                best = value
                chosen = k
    if chosen >= 0 and not m.network.bypass and not _can_go(w, chosen, s.category, now, m):
        return NOWHERE
    if chosen >= 0 and only >= 0 and m.network.candidate_pool[chosen] != only:
        return NOWHERE
    if chosen >= 0 and able and not m.network.able[chosen]:
        return NOWHERE
    return chosen


@inner
def _board(w: Any, q: Any, slot: Any, k: Any, now: Any, depart: Any, arrive: Any, m: Any) -> None:
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
        incapable = _wants_surgery(s) and m.network.able[k] and not m.network.able[other]
        if m.network.allowed[other] >> s.category & 1 and (incapable or not accepts(w, g, m)):
            w.bypassed[g] += 1
    note(w, s, now, J_RIDE, k)
    note(w, s, depart, J_TIME, 0)
    note(w, s, arrive, J_TIME, 0)
    who = (s.cell, s.index)
    if s.stage == S_AID and s.at <= now:
        step(q, slot, s, m, who)
    s.wait_until = now
    board(s, k, depart, arrive, m)
    while s.stage <= S_DEPART and s.at < death_time(s):  # from the POI: nothing that concerns others
        step(q, slot, s, m, who)
    plan(w, slot)
    w.progress_at = now


@inner
def _travel(s: Any, k: Any, now: Any, m: Any) -> float:
    """ms from the place of the patient to the destination: the patient's own draw for the leg."""
    return leg_time(m.network.candidate_link[k], s.leg, now, m, (s.cell, s.index))


@inner
def _send(w: Any, q: Any, way: Any, slot: Any, k: Any, now: Any, m: Any) -> None:
    """A vehicle sets off for candidate k because of this patient; without limit of vehicles it is there already."""
    s = w.states[slot]
    link = m.network.candidate_link[k]
    f = m.network.destination[link]
    pool = m.network.candidate_pool[k]
    if pool < 0:
        book(w, f, now, m)
        leg = _travel(s, k, now, m)
        depart = now
        if s.facility < 0:
            p = q.patients[slot]
            closest = leg_time(m.network.first_link[p.front], s.leg, p.onset, m, (s.cell, s.index))
            depart = now + max(0.0, s.rest + m.care.request[1] * (leg - closest))
            leg = leg * (1.0 - m.care.request[1])
        _board(w, q, slot, k, now, depart, depart + leg, m)
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
        out += leg_time(link, 2048 + s.leg + 128 * s.sent, now, m, (s.cell, s.index))
        s.sent += 1
    _expect(w, k, 1, m)
    w.busy[pool] += out
    schedule(w, now + out, K_PICK_UP, k, k, 0)


@inner
def _expect(w: Any, k: Any, sign: Any, m: Any) -> None:
    """A vehicle sets off for candidate k (sign 1), or is there (-1): the room that those who wait may count on."""
    way = m.network.candidate_way[k]
    pool = m.network.candidate_pool[k]
    litters = m.network.litters[pool]
    w.coming_by[k] += sign * litters
    for c in range(CATEGORIES):
        if m.network.allowed[k] >> c & 1:
            w.coming[way, c] += sign * (litters + (m.network.seats[pool] if c > 2 else 0))


@inner
def _needs(w: Any, q: Any, way: Any, only: Any, now: Any, m: Any) -> int:
    """The most urgent patient for whom a vehicle would set off now, w.picked the candidate; -1: nobody.

    A vehicle is sent for when more wait, of a category and the more urgent ones, than are being fetched; or more who
    need surgery than will be fetched to where it can be had.
    """
    line = RESOURCES_IN_ALL + way
    before = 0
    for c in range(CATEGORIES):
        slot = w.first[line, c]
        if slot >= 0:
            before += w.waiting_as[line, c]
            if before > w.coming[way, c]:
                w.picked = _choose(w, q, way, slot, only, 0, now, m)
                if w.picked < 0 and m.network.seated[way]:  # a vehicle without litters may go for one behind
                    while slot >= 0 and _lies(w.states[slot]):
                        slot = np.int64(w.states[slot].next)
                    if slot >= 0:
                        w.picked = _choose(w, q, way, slot, only, 0, now, m)
                if w.picked >= 0:
                    return slot
    able_for = m.network.able_for[way]
    if able_for == 0 or w.waiting[line] == 0:
        return NOWHERE
    first = m.network.way_first[way]
    coming = 0
    for k in range(first, first + m.network.way_count[way]):
        if m.network.able[k]:
            coming += w.coming_by[k]
    for c in range(CATEGORIES):
        if able_for >> c & 1:
            slot = w.first[line, c]
            while slot >= 0:
                if _wants_surgery(w.states[slot]):
                    if coming <= 0:
                        w.picked = _choose(w, q, way, slot, only, 1, now, m)
                        if w.picked >= 0:
                            return slot
                        break
                    coming -= 1
                slot = w.states[slot].next
    return NOWHERE


@inner
def serve_way(w: Any, q: Any, way: Any, now: Any, m: Any) -> None:
    """Send as many vehicles to a way as it needs and can have."""
    while True:
        slot = _needs(w, q, way, -1, now, m)
        if slot < 0:
            return
        _send(w, q, way, slot, w.picked, now, m)


@inner
def _serve_list(w: Any, q: Any, ways: Any, first: Any, last: Any, only: Any, now: Any, m: Any) -> None:
    """Send vehicles to several ways: the most urgent of all first, of equals who has waited longest."""
    if last - first == 1:
        serve_way(w, q, ways[first], now, m)
        return
    while True:
        chosen = NOWHERE
        found = NOWHERE
        by = NOWHERE
        urgency = CATEGORIES
        since = math.inf
        for j in range(first, last):
            way = ways[j]
            if w.waiting[RESOURCES_IN_ALL + way] == 0:
                continue
            slot = _needs(w, q, way, only, now, m)
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
        _send(w, q, chosen, found, by, now, m)


@inner
def fill(w: Any, q: Any, f: Any, now: Any, m: Any) -> None:
    """A facility may accept more patients: fetch those who wait to be brought there."""
    first = m.network.into_first[f]
    last = m.network.into_first[f + 1]
    if last > first and accepts(w, f, m):
        _serve_list(w, q, m.network.into, first, last, -1, now, m)


@inner
def use_pool(w: Any, q: Any, pool: Any, now: Any, m: Any) -> None:
    """A vehicle of a pool may be free: send it where it is needed most."""
    first = m.network.using_first[pool]
    last = m.network.using_first[pool + 1]
    if last <= first:
        return
    come_home(w, pool, now)
    if w.idle[pool] > 0:
        _serve_list(w, q, m.network.using, first, last, pool, now, m)
    elif not w.wanted[pool]:  # somebody may wait who found a vehicle that has gone out of use meanwhile
        _call_home(w, pool)


@inner
def _left_for_better(w: Any, q: Any, slot: Any, k: Any, left: Any, only: Any, now: Any, m: Any) -> bool:
    """Whether the patient stays for a facility that the scenario prefers to candidate k's, with `left` others who do:
    a vehicle for there is on its way or can set off now, and has room. For the own nation the next of the pool will
    do, unless this one (`only`) would then leave empty.
    """
    s = w.states[slot]
    nation = q.patients[slot].nation
    own = _demerit(s, nation, k, m)
    if own == 0.0 or not m.network.bypass:
        return False
    pool = m.network.candidate_pool[k]
    way = m.network.candidate_way[k]
    first = m.network.way_first[way]
    room = 0
    for other in range(first, first + m.network.way_count[way]):
        if not (m.network.allowed[other] >> s.category & 1) or not _fits(s, other, m):
            continue
        if _demerit(s, nation, other, m) >= own:
            continue
        room += w.coming_by[other]
        if not accepts(w, m.network.destination[m.network.candidate_link[other]], m):
            continue
        by = m.network.candidate_pool[other]
        if by == pool and m.network.lift_every[pool] > 0.0:
            return True  # the same lift goes there too
        if by == pool and own < INCAPABLE and not only:
            return True  # the next vehicle of the pool will
        if _has_vehicle(w, other, now, m) and _batch_ready(w, way, other, s.category, now, m):
            room += MANY if by < 0 else w.idle[by] * max(1, m.network.litters[by])
    return bool(room > left)


@inner
def _load(w: Any, q: Any, k: Any, litters: Any, seats: Any, booked: Any, now: Any, m: Any) -> int:
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
    left = 0
    left_litters = litters
    left_seats = seats
    travel = 0.0
    for turn in range(2 * CATEGORIES):
        c = turn % CATEGORIES
        if turn == CATEGORIES:
            if going > 0 or left == 0:
                break
            left = 0
        slot = w.first[line, c]
        while slot >= 0 and left_litters + left_seats > 0:
            s = w.states[slot]
            after = s.next
            if not m.network.allowed[k] >> c & 1 or (c <= 2 and left_litters == 0):
                break
            if _left_for_better(w, q, slot, k, left, turn >= CATEGORIES, now, m):
                left += 1
                slot = after
                continue
            if booked <= 0 and not accepts(w, f, m):
                left_litters = 0
                left_seats = 0
            else:
                sits = not _lies(s) and left_seats > 0
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
                        travel = _travel(s, k, now, m)
                    going += 1
                    s.chosen = 1
            slot = after
    depart = now + m.network.load[pool] * going
    arrive = depart + travel + m.network.unload[pool] * going
    boarded = 0
    for c in range(CATEGORIES):
        slot = w.first[line, c]
        while slot >= 0 and boarded < going:
            after = w.states[slot].next
            if w.states[slot].chosen:
                w.states[slot].chosen = 0
                _board(w, q, slot, k, now, depart, arrive + boarded, m)  # one after the other
                boarded += 1
            slot = after
    w.carried[pool] += going
    w.ends[0] = arrive + going
    w.ends[1] = travel
    return going


@inner
def pick_up(w: Any, q: Any, k: Any, now: Any, m: Any) -> None:
    """A vehicle is at the place: it loads, brings and returns; empty, it goes home at once."""
    pool = m.network.candidate_pool[k]
    way = m.network.candidate_way[k]
    link = m.network.candidate_link[k]
    f = m.network.destination[link]
    litters = m.network.litters[pool]
    seats = m.network.seats[pool]
    _expect(w, k, -1, m)
    going = _load(w, q, k, litters, seats, 1, now, m)
    home = now
    if going == 0:
        unbook(w, f, now, m)
        if m.network.out[k]:
            home = now + leg_time(link, 1024, now, m, (m.network.pool_key[pool], w.sorties[pool]))
    else:
        home = w.ends[0]
        if m.network.back[k]:
            home += w.ends[1]
    w.busy[pool] += home - now
    if w.wanted[pool]:
        schedule(w, home, K_RETURN, pool, pool, 0)
    else:
        keep_promise(w, RESOURCES_IN_ALL + pool, home)
    serve_way(w, q, way, now, m)
    if going == 0:
        fill(w, q, f, now, m)


@inner
def lift(w: Any, q: Any, pool: Any, now: Any, m: Any) -> None:
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
                going = _load(w, q, k, litters, seats, 0, now, m)
                lying = w.litters_used[pool] - before
                litters -= lying
                seats -= going - lying


__all__ = ["CLOSEST", "fill", "let_go", "lift", "pick_up", "serve_way", "use_pool"]
