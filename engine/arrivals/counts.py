"""Numbers of casualties and incidents of each cell (docs/model.md sections 2.3.1 to 2.3.3)."""

import math

import numpy as np
from numpy.typing import NDArray

from engine import numeric
from engine.arrivals.draws import ArrivalDraw, arrival_keys
from engine.arrivals.incidents import SIZE_TABLES, SizeTables, count_incidents, four_words
from engine.arrivals.plan import ArrivalPlan, day_factors
from engine.arrivals.rows import CELL, RATE, CellRow, RateRow
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
from engine.tables import Floats, Ints, Rows, Table

INCIDENT_BUDGET = 4_000_000
"""Incidents that the counting pass counts in one call, so that Python can handle Ctrl-C in between."""


# --- exact totals


def split_total(plan: ArrivalPlan, keys: NDArray[np.uint64], cells: Table, total: int) -> None:
    """Draw the casualties of each cell: a total over streams, fronts, and warfare types or special events.

    docs/model.md section 2.3.2. Sets `casualties`, `left`, `uncounted` and `key` of the cells.
    """
    in_streams = _split(
        keys,
        [numeric.cell("stream", name) for name, _ in plan.streams],
        [share for _, share in plan.streams],
        total,
    )
    in_groups = [0] * len(plan.groups)
    for (stream, _), in_stream in zip(plan.streams, in_streams, strict=True):
        groups = [number for number, group in enumerate(plan.groups) if group.stream == stream]
        names = [plan.groups[number].name for number in groups]
        shares = [plan.groups[number].share for number in groups]
        for group, in_group in zip(groups, _split(keys, names, shares, in_stream), strict=True):
            in_groups[group] = in_group
    for number, size in event_sizes(plan, keys).items():
        _set_casualties(cells, number, _take(plan, in_groups, int(cells["group"][number]), size))
    for group, remaining in enumerate(in_groups):
        own = np.flatnonzero((cells["group"] == group) & (cells["most"] == 0))
        names = cells["name"][own].tolist()
        weights = cells["weight"][own].tolist()
        for cell, casualties in zip(own.tolist(), _split(keys, names, weights, remaining), strict=True):
            _set_casualties(cells, cell, casualties)
    cells["key"] = cells["name"]


def _set_casualties(cells: Table, number: int, casualties: int) -> None:
    for field in ("casualties", "left", "uncounted"):
        cells[field][number] = casualties


def _take(plan: ArrivalPlan, in_groups: list[int], group: int, size: int) -> int:
    """Take the casualties of an event from those of its group, and what is lacking from others, the largest first.

    Other fronts of the same stream come before other streams. Returns how many were taken: all, if there are so many.
    """
    stream = plan.groups[group].stream
    taken = 0
    for other in sorted(
        range(len(in_groups)),
        key=lambda k: (k != group, plan.groups[k].stream != stream, -in_groups[k], plan.groups[k].name),
    ):
        part = min(size - taken, in_groups[other])
        in_groups[other] -= part
        taken += part
    return taken


def event_sizes(plan: ArrivalPlan, keys: NDArray[np.uint64]) -> dict[int, int]:
    """Draw the cell and the number of casualties of each event that is one incident: sizes by number of the cell."""
    cells = plan.cells
    found = {}
    for special in sorted(set(cells["special"][cells["most"] > 0].tolist())):
        own = np.flatnonzero((cells["special"] == special) & (cells["most"] > 0))
        drawn = _split(keys, cells["name"][own].tolist(), cells["chance"][own].tolist(), 1)
        number = int(own[drawn.index(1)])
        sizes = list(range(int(cells["fewest"][number]), int(cells["most"][number]) + 1))
        names = [numeric.cell("event size", int(cells["name"][number]), size) for size in sizes]
        found[number] = sizes[_split(keys, names, [1.0] * len(sizes), 1).index(1)]
    return found


def _split(keys: NDArray[np.uint64], names: list[int], weights: list[float], number: int) -> list[int]:
    """Divide `number` by these weights; the order of the lists does not matter, for the draws go by name."""
    order = sorted(range(len(names)), key=names.__getitem__)
    drawn = np.zeros(len(names), np.int64)
    if order:
        split_count(
            keys,
            np.array([names[place] for place in order], np.uint64),
            np.array([weights[place] for place in order]),
            np.empty(len(names) + 1),
            drawn,
            number,
        )
    counts = [0] * len(names)
    for place, count in zip(order, drawn.tolist(), strict=True):
        counts[place] = count
    return counts


@compiled_entry("u8", "u8", "f8", "f8", "i8", int)
def split_count(keys: Ints, names: Ints, weights: Floats, later: Floats, counts: Ints, number: int) -> None:
    """Divide `number` by conditional binomials: n_i ~ Bin(n - sum of n_j for j < i, w_i / sum of w_j for j >= i).

    `later`, one longer than `weights`, is working memory.
    """
    later[len(weights)] = 0.0
    for i in range(len(weights) - 1, -1, -1):
        later[i] = later[i + 1] + weights[i]
    for i in range(len(weights)):
        if not later[i] > 0.0:
            break
        u = uniform(keys[ArrivalDraw.SPLIT], names[i], np.uint64(0), np.uint64(0))
        counts[i] = binomial(u, number, weights[i] / later[i])
        number -= counts[i]


# --- rates


def daily_counts(plan: ArrivalPlan, seed: int, replication: int) -> NDArray[np.int64]:
    """Return the casualties of each day and cell under `rates`, before depletion; shape (days, cells)."""
    return draw_daily_counts(plan, arrival_keys(seed, replication))


def draw_daily_counts(plan: ArrivalPlan, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the casualties of each day and cell under `rates`, before depletion; shape (days, cells)."""
    return _draw_daily_counts(plan, keys, day_factors(plan))


def total_counts(plan: ArrivalPlan, seed: int, replications: int) -> NDArray[np.int64]:
    """Return the casualties that the first replications draw under `rates`, before depletion; shape (replications,)."""
    factors = day_factors(plan)
    return np.array(
        [
            _draw_daily_counts(plan, arrival_keys(seed, replication), factors).sum()
            for replication in range(replications)
        ],
        np.int64,
    )


def _draw_daily_counts(
    plan: ArrivalPlan, keys: NDArray[np.uint64], factors: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return what `draw_daily_counts` returns, with the `day_factors` of the plan."""
    counts = np.zeros((plan.days, len(plan.cells)), np.int64)
    rates = np.zeros((len(plan.groups), plan.days))
    draw_counts(keys, plan.rates, plan.cells, factors, rates, counts)
    for number, size in event_sizes(plan, keys).items():
        counts[int(plan.cells["day"][number]), number] = size
    return counts


@compiled
def _add_rate(keys: Ints, rate: RateRow, daily: Floats) -> None:
    """Add the daily rates of one component to the row of its group in `daily`, shape (groups, days).

    An autocorrelated lognormal rate is exp(m + s Z_d) with Z_d = r Z_(d-1) + sqrt(1 - r**2) e_d.
    """
    days = daily.shape[1]
    if rate.correlation != 0.0 and rate.a > 0.0:
        sigma = lognormal_sigma(rate.code, rate.a, rate.b)
        median = lognormal_median(rate.code, rate.a, rate.b)
        fresh = math.sqrt(1.0 - rate.correlation * rate.correlation)
        state = 0.0
        for day in range(days):
            u = uniform(keys[ArrivalDraw.RATE], rate.name, np.uint64(day), np.uint64(0))
            innovation = normal_quantile(u)
            state = innovation if day == 0 else rate.correlation * state + fresh * innovation
            daily[rate.group, day] += median * exp(sigma * state)
    else:
        for day in range(days):
            u = uniform(keys[ArrivalDraw.RATE], rate.name, np.uint64(day), np.uint64(0))
            daily[rate.group, day] += continuous(rate.code, rate.a, rate.b, rate.c, u)


@compiled_entry("u8", RATE, CELL, ("f8", 2), ("f8", 2), ("i8", 2))
def draw_counts(
    keys: Ints, rates: Rows[RateRow], cells: Rows[CellRow], factors: Floats, daily: Floats, counts: Ints
) -> None:
    """Draw rates and casualties: N | X ~ Poisson(X P / 1000) (docs/model.md section 2.3.1).

    Parameters
    ----------
    factors
        Shape (days, cells): factors on the weights of the cells.
    daily
        Shape (groups, days): receives the rates per 1,000.
    counts
        Shape (days, cells): receives the casualties.
    """
    for number in range(len(rates)):
        _add_rate(keys, rates[number], daily)
    for c in range(len(cells)):
        cell = cells[c]
        for day in range(daily.shape[1]):
            mean = daily[cell.group, day] * cell.weight * factors[day, c]
            if mean > 0.0:
                u = uniform(keys[ArrivalDraw.COUNT], cell.name, np.uint64(day), np.uint64(0))
                counts[day, c] = poisson(u, mean)


@compiled
def open_day(cells: Rows[CellRow], day: int, counts: Ints, strength: Floats, populations: Ints) -> bool:
    """Give the cells their casualties of a day under `rates`; return False if there are none.

    The key of a cell then contains the day.

    Parameters
    ----------
    counts
        Shape (days, cells): casualties.
    strength, populations
        Shape (fronts,): people left, and people at the start. `populations` is empty where forces do not deplete.
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
        cell.first_number = int(np.uint64(day) * cell.cell_count + cell.rank)
        cell.keep = 1.0
        if len(populations) > 0 and cell.most == 0:
            cell.keep = max(0.0, strength[cell.front]) / populations[cell.front]
    return True


# --- incidents


@compiled_entry("u8", CELL, *SIZE_TABLES, int)
def count_all(
    keys: Ints,
    cells: Rows[CellRow],
    probability: Floats,
    cumulated: Floats,
    renewal: Floats,
    shape: Ints,
    budget: int,
) -> bool:
    """`count_cells` for Python to call, with the arrays of `SizeTables`."""
    return count_cells(keys, cells, SizeTables(probability, cumulated, renewal, shape), budget)


@compiled
def count_cells(keys: Ints, cells: Rows[CellRow], sizes: SizeTables, budget: int) -> bool:
    """Count the incidents of all cells, at most about `budget` of them; return False if some are left to count."""
    for c in range(len(cells)):
        cell = cells[c]
        while cell.uncounted > 0:
            if budget <= 0:
                return False
            before = cell.incidents
            left, counted = count_incidents(
                sizes, cell.law, cell.uncounted, cell.incidents, budget, keys[ArrivalDraw.SIZE], cell.key
            )
            cell.uncounted = left
            cell.incidents = counted
            if sizes.shape[cell.law, 0] > 1:
                budget -= counted - before
    return True
