"""Arrivals: who is hurt when, where and with whom, as columns sorted by time.

A plan is made of cells: (stream, kind, front, warfare type or special event). A cell's casualties come in incidents
(engine.arrivals.incidents) that follow the day's profile (arrivals.profiles); all its draws are keyed by its name,
so what happens
in one cell never moves another (MODEL sections 2 and 7).

- `total`: exactly N, by conditional binomials N -> stream -> front -> type or special event. A first pass counts
  each cell's incidents, a second splits that count over the days and draws the same sizes again.
- `rates`: one rate X per stream, front and day (one for each component where a stream has several, added), a Poisson
  count per cell and day given X. The Poisson counts of the types of a stream are independent given X, so that their sum
  is Poisson(X P / 1000) and adding a type leaves the draws of the others alone. The day is part of the cell's key.

A day's incidents are split on over its hours, and in an hour that holds many by halving it, always by the cell's own
binomials. Memory holds the casualties of such a leaf and those whose incident goes on past what is complete.

Readings of the model that planners may want to know:
- Shares of streams and fronts are those of all casualties, special events included: an event of a front takes its
  casualties from that front's battle casualties under `total`; under `rates` it comes on top.
- A special event without a front happens on every front at the same hour, with casualties by the fronts' shares.
- An event on a day that has no weight of its own gets the average day's.
- Under `rates` the types of a stream share its rate by weight; a day's rate is multiplied by day weight * days, the
  intensity's `patient_multiplier` and the environment's multipliers.
- Depletion: P falls by every casualty kept, those who come back to duty are not counted back; an incident of which
  nobody is kept is none, and `incident_size` counts those kept.
- A casualty belongs to the day on which the incident starts.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine import numeric
from engine.arrivals.incidents import count_incidents, draw_size, four_words
from engine.arrivals.plan import ArrivalPlan, day_factors
from engine.arrivals.profiles import QUARTERS, draw_profile
from engine.numeric import (
    binomial,
    compiled,
    compiled_entry,
    continuous,
    exp,
    lognormal_median,
    lognormal_sigma,
    normal_quantile,
    poisson,
    uniform,
)
from engine.tables import ARRIVAL

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

BATCH = 4_096
"""Fewest casualties that are worth a batch; there are more where more are still unfolding."""

LARGEST_BATCH = 65_536

_DEEPEST = 20  # halvings of an hour: leaves of 3 ms
_BUDGET = 4_000_000  # incidents the first pass counts in one call, so that Ctrl-C is heard

_PURPOSES = ("split", "days", "hours", "profile", "size", "incident", "time", "id", "rate", "count", "keep")
_SPLIT, _DAYS, _HOURS, _PROFILE, _SIZE, _INCIDENT, _TIME, _ID, _RATE, _COUNT, _KEEP = range(len(_PURPOSES))


def generate_arrivals(plan: ArrivalPlan, seed: int, replication: int) -> Iterator[Any]:
    """Batches of ARRIVAL rows: each sorted by (time, id_hi, id_lo), and so are all of them in a row.

    A batch holds up to 65,536 casualties; memory depends on how many are hurt at a time, not on how many in all.
    """
    return _Run(plan, seed, replication).batches()


def daily_counts(plan: ArrivalPlan, seed: int, replication: int) -> NDArray[np.int64]:
    """(days, C): casualties of each cell and day under `rates`, before depletion."""
    return _daily_counts(plan, _keys(seed, replication))


def _daily_counts(plan: ArrivalPlan, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    counts = np.zeros((plan.days, len(plan.cells)), np.int64)
    daily = np.zeros((len(plan.groups), plan.days))
    _draw_counts(keys, plan.rates, plan.cells, day_factors(plan), daily, counts)
    return counts


def _keys(seed: int, replication: int) -> NDArray[np.uint64]:
    return np.array([numeric.key(seed, replication, f"arrivals {p}") for p in _PURPOSES], np.uint64)


class _Run:
    """One replication in the making: the cells' state and the casualties that are not complete yet."""

    def __init__(self, plan: ArrivalPlan, seed: int, replication: int) -> None:
        self.plan = plan
        self.keys = _keys(seed, replication)
        self.cells = plan.cells.copy()
        count = len(self.cells)
        self.hours = np.zeros((count, 24), np.int64)
        self.profiles = np.zeros((len(plan.patterns), QUARTERS))
        self.stack = np.zeros((count, _DEEPEST + 4, 3), np.int64)
        self.top = np.zeros(count, np.int64)
        self.strength = plan.populations.astype(np.float64)
        self.cursor = np.array([0, _TO_OPEN, 0, 0], np.int64)
        self.buffer = np.empty(2 * BATCH, ARRIVAL)
        self.counts: NDArray[np.int64] = np.zeros((0, count), np.int64)
        self.day_share = np.zeros(plan.days)
        later = 0.0
        for day in range(plan.days - 1, -1, -1):
            later += float(plan.day_weights[day])
            self.day_share[day] = plan.day_weights[day] / later if later > 0.0 else 0.0

    def batches(self) -> Iterator[Any]:
        """See `generate`."""
        plan = self.plan
        if plan.total is None:
            self.counts = _daily_counts(plan, self.keys)
        else:
            self._split_total(plan.total)
            self._count()
        target = BATCH
        while self.cursor[_DAY] < plan.days:
            status = _draw_days(
                self.keys,
                self.cells,
                plan.sizes,
                plan.patterns,
                self.day_share,
                self.counts,
                plan.populations if plan.depletion else _UNDEPLETED,
                self.hours,
                self.profiles,
                self.stack,
                self.top,
                self.cursor,
                self.strength,
                self.buffer,
                target,
            )
            if status == _FULL:
                self._grow(int(self.cursor[_NEEDED]))
            elif status == _ENOUGH:
                yield from self._flush(int(self.cursor[_HORIZON]))
                target = max(BATCH, 2 * int(self.cursor[_USED]))
        yield from self._flush(np.iinfo(np.int64).max)

    def _split_total(self, total: int) -> None:
        """Draw each cell's casualties: N -> stream -> front -> type or special event, in the order of their names."""
        plan, cells = self.plan, self.cells
        in_streams = self._split(
            [numeric.cell("stream", name) for name, _ in plan.streams],
            [share for _, share in plan.streams],
            total,
        )
        for (stream, _), in_stream in zip(plan.streams, in_streams, strict=True):
            groups = [g for g, group in enumerate(plan.groups) if group.stream == stream]
            in_groups = self._split(
                [plan.groups[g].name for g in groups], [plan.groups[g].share for g in groups], in_stream
            )
            for g, in_group in zip(groups, in_groups, strict=True):
                mine = np.flatnonzero(cells["group"] == g).tolist()
                names = [int(cells["name"][c]) for c in mine]
                weights = [float(cells["weight"][c]) for c in mine]
                for c, casualties in zip(mine, self._split(names, weights, in_group), strict=True):
                    cells["casualties"][c] = cells["left"][c] = cells["uncounted"][c] = casualties
        cells["key"] = cells["name"]

    def _split(self, names: list[int], weights: list[float], n: int) -> list[int]:
        """`n` by conditional binomials over these weights; the order of the lists does not matter."""
        order = sorted(range(len(names)), key=names.__getitem__)
        out = np.zeros(len(names), np.int64)
        if order:
            _split_count(
                self.keys,
                np.array([names[i] for i in order], np.uint64),
                np.array([weights[i] for i in order]),
                np.int64(n),
                out,
            )
        counts = [0] * len(names)
        for i, count in zip(order, out.tolist(), strict=True):
            counts[i] = count
        return counts

    def _count(self) -> None:
        while not _count(self.keys, self.cells, self.plan.sizes, np.int64(_BUDGET)):
            pass

    def _grow(self, needed: int) -> None:
        used = int(self.cursor[_USED])
        larger = np.empty(max(needed, len(self.buffer) * 3 // 2), ARRIVAL)
        larger[:used] = self.buffer[:used]
        self.buffer = larger

    def _flush(self, horizon: int) -> Iterator[Any]:
        """Hand on what lies before `horizon`."""
        complete = _take(self.buffer, self.cursor, np.int64(horizon))
        for first in range(0, len(complete), LARGEST_BATCH):
            yield complete[first : first + LARGEST_BATCH]


_DAY, _HOUR, _USED, _HORIZON = range(4)  # places in the cursor
_NEEDED = _HORIZON  # of the buffer, when it is full
_TO_OPEN, _TO_COUNT, _OPEN = -3, -2, -1  # in the cursor's hour: what is to be done before the day's hours
_DONE, _ENOUGH, _FULL = range(3)  # what `_draw_hours` and `_draw_days` return
_DAYS_AT_A_TIME = 256
_UNDEPLETED = np.zeros(0, np.int64)


@compiled_entry
def _split_count(keys: Any, names: Any, weights: Any, n: int, out: Any) -> None:
    """`n` over the weights (all in order) by conditional binomials, each with the uniform of its name."""
    later = np.empty(len(weights) + 1)
    later[len(weights)] = 0.0
    for i in range(len(weights) - 1, -1, -1):
        later[i] = later[i + 1] + weights[i]
    for i in range(len(weights)):
        if not later[i] > 0.0:
            break
        u = uniform(keys[_SPLIT], names[i], np.uint64(0), np.uint64(0))
        out[i] = binomial(u, n, weights[i] / later[i])
        n -= out[i]


@compiled_entry
def _draw_counts(keys: Any, rates: Any, cells: Any, factors: Any, daily: Any, counts: Any) -> None:
    """Fill `daily` (G, days) with the groups' rates per 1,000 and `counts` (days, C) with the cells' casualties."""
    days = daily.shape[1]
    for r in range(len(rates)):
        rate = rates[r]
        if rate.correlation != 0.0 and rate.a > 0.0:
            sigma = lognormal_sigma(rate.code, rate.a, rate.b)
            median = lognormal_median(rate.code, rate.a, rate.b)
            fresh = math.sqrt(1.0 - rate.correlation * rate.correlation)
            z = 0.0
            for day in range(days):
                e = normal_quantile(uniform(keys[_RATE], rate.name, np.uint64(day), np.uint64(0)))
                z = e if day == 0 else rate.correlation * z + fresh * e
                daily[rate.group, day] += median * exp(sigma * z)
        else:
            for day in range(days):
                u = uniform(keys[_RATE], rate.name, np.uint64(day), np.uint64(0))
                daily[rate.group, day] += continuous(rate.code, rate.a, rate.b, rate.c, u)
    for c in range(len(cells)):
        cell = cells[c]
        for day in range(days):
            mean = daily[cell.group, day] * cell.weight * factors[day, c]
            if mean > 0.0:
                counts[day, c] = poisson(uniform(keys[_COUNT], cell.name, np.uint64(day), np.uint64(0)), mean)


@compiled_entry
def _count(keys: Any, cells: Any, sizes: Any, budget: int) -> bool:
    """`_count_cells`, for Python to call."""
    return _count_cells(keys, cells, sizes, budget)


@compiled
def _count_cells(keys: Any, cells: Any, sizes: Any, budget: int) -> bool:
    """First pass: count the incidents of cells with uncounted casualties; False if the budget ran out before."""
    for c in range(len(cells)):
        cell = cells[c]
        while cell.uncounted > 0:
            if budget <= 0:
                return False
            before = cell.incidents
            left, counted = count_incidents(
                sizes, cell.law, cell.uncounted, cell.incidents, budget, keys[_SIZE], cell.key
            )
            cell.uncounted = left
            cell.incidents = counted
            if sizes.shape[cell.law, 0] > 1:
                budget -= counted - before
    return True


@compiled
def _open_rates(cells: Any, day: Any, counts: Any, strength: Any, populations: Any) -> bool:
    """Make the cells those of a day under `rates`: keys with the day in them, the day's casualties, none drawn; False
    if there are none. Where forces deplete, `populations` says of how many the `strength` is left.
    """
    any_today = False
    for c in range(len(cells)):
        any_today = any_today or counts[day, c] > 0
    if not any_today:
        return False
    for c in range(len(cells)):
        cell = cells[c]
        a, b, _, _ = four_words(np.uint64(0), cell.name, np.uint64(day), np.uint64(1))
        cell.key = (a << np.uint64(32)) | b
        cell.casualties = counts[day, c]
        cell.uncounted = counts[day, c]
        cell.left = counts[day, c]
        cell.incidents = 0
        cell.incident = 0
        cell.index = 0
        cell.keep = 1.0
        if len(populations) > 0:
            cell.keep = max(0.0, strength[cell.front]) / populations[cell.front]
    return True


@compiled
def _open_hours(
    keys: Any, cells: Any, patterns: Any, day: Any, share: Any, hours: Any, profiles: Any
) -> bool:
    """Give each cell its incidents of the day, drawn from those left with probability `share`, hour by hour.

    Draws the profiles of the day as well. False if nothing happens.
    """
    any_today = False
    drawn = np.empty(len(patterns), np.bool_)
    for i in range(len(patterns)):
        drawn[i] = False
    for c in range(len(cells)):
        cell = cells[c]
        p = share
        if cell.day >= 0:
            p = 1.0 if cell.day == day else 0.0
        today = cell.incidents
        if today > 0 and p < 1.0:
            today = binomial(uniform(keys[_DAYS], cell.key, np.uint64(day), np.uint64(0)), today, p)
        cell.incidents -= today
        cell.today = today
        if today > 0:
            any_today = True
            if not drawn[cell.profile]:
                drawn[cell.profile] = True
                draw_profile(patterns[cell.profile], keys[_PROFILE], np.uint64(day), profiles[cell.profile])
    if not any_today:
        return False
    later = np.empty(25)
    for c in range(len(cells)):
        cell = cells[c]
        left = cell.today
        if left == 0:
            continue
        weights = profiles[cell.profile]
        later[24] = 0.0
        for hour in range(23, -1, -1):
            q = 4 * hour
            later[hour] = later[hour + 1] + (weights[q] + weights[q + 1] + weights[q + 2] + weights[q + 3])
        for hour in range(24):
            p = 1.0 if later[hour + 1] <= 0.0 else (later[hour] - later[hour + 1]) / later[hour]
            u = uniform(keys[_HOURS], cell.key, np.uint64(day), np.uint64(hour))
            hours[c, hour] = binomial(u, left, p)
            left -= hours[c, hour]
    return True


@njit
def _leaf_start(depth: int, position: int) -> int:
    """ms from the hour's start to that of its leaf `position` of 2**depth."""
    return (position * HOUR_MS) >> depth


@njit
def _left_share(weights: Any, depth: int, position: int) -> float:
    """Share of a leaf's weight that lies in its first half; `weights` are the hour's four quarters."""
    if depth == 0:
        first = weights[0] + weights[1]
        return first / (first + (weights[2] + weights[3]))
    if depth == 1:
        first = weights[2 * position]
        return first / (first + weights[2 * position + 1])
    return 0.5


@njit
def _start_in_leaf(weights: Any, depth: int, position: int, u: float) -> int:
    """ms from the hour's start: quantile u of the profile within the leaf."""
    if depth >= 2:
        return int((position + u) * (float(HOUR_MS) / float(1 << depth)))
    quarters = 4 >> depth
    first = position * quarters
    total = 0.0
    for q in range(first, first + quarters):
        total += weights[q]
    target = u * total
    below = 0.0
    last = first
    for q in range(first, first + quarters):
        if weights[q] > 0.0:
            last = q
            if below + weights[q] > target:
                break
            below += weights[q]
    within = (target - below) / weights[last]
    if within < 0.0:
        within = 0.0
    elif within >= 1.0:
        within = 1.0 - 1e-12
    return int((last + within) * (HOUR_MS / 4.0))


@njit
def _draw_leaf(
    keys: Any,
    cell: Any,
    sizes: Any,
    weights: Any,
    hour_ms: int,
    node: Any,
    strength: Any,
    buffer: Any,
    used: int,
) -> int:
    """Append the casualties of a leaf's incidents to the buffer; returns how much of it is used."""
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    name = cell.key
    single = sizes.shape[cell.law, 0] == 1
    to_unit = 1.0 / 9007199254740992.0
    w0, w1, w2, w3 = mask, mask, mask, mask
    for i in range(cell.incident, cell.incident + node[2]):
        size = 1
        if not single:
            place = i & 3
            if place == 0 or i == cell.incident:
                w0, w1, w2, w3 = four_words(keys[_SIZE], name, np.uint64(i >> 2), np.uint64(0))
            word = w0 if place == 0 else w1 if place == 1 else w2 if place == 2 else w3
            size = draw_size(sizes, cell.law, cell.left, word)
        cell.left -= size
        a, b, c, d = four_words(keys[_INCIDENT], name, np.uint64(i), np.uint64(0))
        u = (np.float64((a << np.uint64(21)) ^ (b >> np.uint64(11))) + 0.5) * to_unit
        incident = (c << shift) | d
        began = hour_ms + _start_in_leaf(weights, node[0], node[1], u)
        lasts = 0.0
        if size > 1:
            v = uniform(keys[_INCIDENT], name, np.uint64(i), np.uint64(2))
            lasts = cell.shortest + (cell.longest - cell.shortest) * v
        first = used
        for j in range(size):
            index = np.uint64(cell.index + j)
            if cell.keep < 1.0 and not uniform(keys[_KEEP], name, index, np.uint64(0)) < cell.keep:
                continue
            time = began
            if j > 0:
                time += int(uniform(keys[_TIME], name, index, np.uint64(0)) * lasts)
            a, b, c, d = four_words(keys[_ID], name, index, np.uint64(0))
            row = buffer[used]
            row.time = time
            row.id_hi = (a << shift) | (b & np.uint64(0xFFFF0FFF)) | np.uint64(0x8000)
            row.id_lo = ((c & np.uint64(0x3FFFFFFF)) << shift) | d | np.uint64(0x8000000000000000)
            row.cell = name
            row.incident = incident
            row.incident_time = began
            row.index = index
            row.front = cell.front
            row.kind = cell.kind
            row.type = cell.type
            row.special = cell.special
            used += 1
        for j in range(first, used):
            buffer[j].incident_size = used - first
        strength[cell.front] -= used - first
        cell.index += size
    cell.incident += node[2]
    return used


@compiled
def _draw_hours(
    keys: Any,
    cells: Any,
    sizes: Any,
    hours: Any,
    profiles: Any,
    stack: Any,
    top: Any,
    cursor: Any,
    strength: Any,
    buffer: Any,
    target: Any,
) -> int:
    """Draw the day's leaves in the order of their starts until the buffer holds `target` casualties.

    `stack` (C, depth, 3) holds each cell's leaves of the hour yet to come, (depth, position, incidents), the earliest
    on top; `cursor` is (day, hour, rows used, horizon). Returns _DONE at the end of the day, _ENOUGH with the time
    before which nothing more comes in the cursor, _FULL with the room needed.
    """
    day = cursor[_DAY]
    while True:
        hour = cursor[_HOUR]
        best = -1
        best_start = HOUR_MS
        if hour >= 0:
            for c in range(len(cells)):
                if top[c] > 0:
                    start = _leaf_start(stack[c, top[c] - 1, 0], stack[c, top[c] - 1, 1])
                    if best < 0 or start < best_start:
                        best = c
                        best_start = start
        if best < 0:
            hour += 1
            cursor[_HOUR] = hour
            if hour >= 24:
                return _DONE
            for c in range(len(cells)):
                if cells[c].today > 0 and hours[c, hour] > 0:
                    stack[c, 0, 0] = 0
                    stack[c, 0, 1] = 0
                    stack[c, 0, 2] = hours[c, hour]
                    top[c] = 1
            continue
        hour_ms = day * DAY_MS + hour * HOUR_MS
        if cursor[_USED] >= target:
            cursor[_HORIZON] = hour_ms + best_start
            return _ENOUGH
        cell = cells[best]
        weights = profiles[cell.profile, 4 * hour : 4 * hour + 4]
        node = stack[best, top[best] - 1]
        depth = node[0]
        position = node[1]
        count = node[2]
        if count > cell.limit and depth < _DEEPEST:
            draw = (np.uint64(hour + 1) << np.uint64(24)) | np.uint64((1 << depth) + position)
            u = uniform(keys[_HOURS], cell.key, np.uint64(day), draw)
            early = binomial(u, count, _left_share(weights, depth, position))
            top[best] -= 1
            if count - early > 0:
                later = stack[best, top[best]]
                later[0] = depth + 1
                later[1] = 2 * position + 1
                later[2] = count - early
                top[best] += 1
            if early > 0:
                first = stack[best, top[best]]
                first[0] = depth + 1
                first[1] = 2 * position
                first[2] = early
                top[best] += 1
            continue
        room = count * sizes.shape[cell.law, 0]
        if room > cell.left:
            room = cell.left
        if cursor[_USED] + room > len(buffer):
            cursor[_NEEDED] = cursor[_USED] + room
            return _FULL
        cursor[_USED] = _draw_leaf(keys, cell, sizes, weights, hour_ms, node, strength, buffer, cursor[_USED])
        top[best] -= 1


@compiled_entry
def _draw_days(
    keys: Any,
    cells: Any,
    sizes: Any,
    patterns: Any,
    day_share: Any,
    counts: Any,
    populations: Any,
    hours: Any,
    profiles: Any,
    stack: Any,
    top: Any,
    cursor: Any,
    strength: Any,
    buffer: Any,
    target: int,
) -> int:
    """Go on from the cursor, day by day: as `_draw_hours`, but _DONE after the last day, or to draw breath.

    `counts` (days, C) are the casualties of days under `rates`; without any row a total has been given to the cells,
    and a day takes the share `day_share` of what is left. `populations` (fronts): see `_open_rates`.
    """
    for _ in range(_DAYS_AT_A_TIME):
        day = cursor[_DAY]
        if day >= len(day_share):
            break
        goes_on = True
        if cursor[_HOUR] == _TO_OPEN:
            goes_on = len(counts) == 0 or _open_rates(cells, day, counts, strength, populations)
            cursor[_HOUR] = _TO_COUNT
        if goes_on and cursor[_HOUR] == _TO_COUNT:
            if not _count_cells(keys, cells, sizes, _BUDGET):
                break
            share = day_share[day] if len(counts) == 0 else 1.0
            goes_on = _open_hours(keys, cells, patterns, day, share, hours, profiles)
            cursor[_HOUR] = _OPEN
        if goes_on:
            status = _draw_hours(
                keys, cells, sizes, hours, profiles, stack, top, cursor, strength, buffer, target
            )
            if status != _DONE:
                return status
        cursor[_DAY] = day + 1
        cursor[_HOUR] = _TO_OPEN
    return _DONE


@compiled_entry
def _take(buffer: Any, cursor: Any, horizon: int) -> Any:
    """Remove the rows before `horizon` from the buffer and return them sorted: radix sort by time, ties by id."""
    used = cursor[_USED]
    order = np.empty(used, np.int64)
    n = 0
    earliest = horizon
    latest = np.int64(0)
    for i in range(used):
        time = buffer[i].time
        if time < horizon:
            order[n] = i
            n += 1
            if time < earliest:
                earliest = time
            if time > latest:
                latest = time
    other = np.empty(n, np.int64)
    starts = np.empty(2049, np.int64)
    shift = 0
    while n > 1 and (latest - earliest) >> shift > 0:
        for i in range(2049):
            starts[i] = 0
        for i in range(n):
            starts[(((buffer[order[i]].time - earliest) >> shift) & 2047) + 1] += 1
        for i in range(2048):
            starts[i + 1] += starts[i]
        for i in range(n):
            digit = ((buffer[order[i]].time - earliest) >> shift) & 2047
            other[starts[digit]] = order[i]
            starts[digit] += 1
        for i in range(n):
            order[i] = other[i]
        shift += 11
    for i in range(1, n):
        moved = order[i]
        j = i
        while j > 0 and _comes_later(buffer[order[j - 1]], buffer[moved]):
            order[j] = order[j - 1]
            j -= 1
        order[j] = moved
    complete = np.empty(n, ARRIVAL)
    for i in range(n):
        complete[i] = buffer[order[i]]
    kept = 0
    for i in range(used):
        if buffer[i].time >= horizon:
            buffer[kept] = buffer[i]
            kept += 1
    cursor[_USED] = kept
    return complete


@njit
def _comes_later(a: Any, b: Any) -> bool:
    """Whether row a belongs behind row b."""
    if a.time != b.time:
        return a.time > b.time
    if a.id_hi != b.id_hi:
        return a.id_hi > b.id_hi
    return a.id_lo > b.id_lo
