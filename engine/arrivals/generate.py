"""Arrivals: when and where each casualty occurs, sorted by time (docs/model.md sections 2.3 and 5.2).

A plan consists of cells. A cell is one combination of stream, kind, front, and warfare type or special event. Its
casualties occur in incidents that follow the day's profile. All its draws are keyed by its name, so a change in one
cell never changes another.

- `total`: exactly N casualties, by conditional binomials over streams, fronts, and types or special events. The
  counting pass counts the incidents of each cell. The drawing pass divides that count over the days and draws the
  same sizes again.
- `rates`: one rate X per stream, front and day, the sum of its components, and a Poisson count per cell and day. The
  counts of a stream's types are independent given X. Their sum is Poisson(X P / 1000), and a further type leaves the
  draws of the others unchanged. The day is part of the cell's key.

A day's incidents are divided over its hours, and a busy hour is halved, always by the cell's own binomials. Memory
holds the casualties of one such part, and those of incidents that continue after it.

Readings of the model that matter to planners:

- Shares of streams and fronts are those of all casualties, special events included. Under `total` a special event
  takes its casualties from the front's battle casualties. Under `rates` they are added.
- A special event without a front occurs on every front at the same hour, with casualties by the fronts' shares.
- An event on a day without a weight of its own has the weight of an average day.
- Under `rates` the types of a stream share its rate by weight. A day's rate is multiplied by day weight * days, by the
  intensity's `patient_multiplier` and by the factors of the environment.
- With depletion the strength falls by every casualty kept. Expected returns to duty and replacements are added to it
  where the scenario has them. An incident of which no casualty is kept does not occur, and `incident_size` counts the
  casualties kept.
- A mass casualty event is one incident, on one front, of its size range. Under `total` its casualties are those of the
  front's battle casualties; where these are too few, the rest is taken from other fronts and streams.
- Listed casualties are part of a total and come on top of rates. The remainder of a total is divided as if it were all.
- A casualty belongs to the day on which the incident starts.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.arrivals.complete import DIGITS, take_complete
from engine.arrivals.counts import (
    INCIDENT_BUDGET,
    count_all,
    draw_counts,
    draw_daily_counts,
    split_count,
    split_total,
)
from engine.arrivals.days import ENOUGH, FULL, TO_OPEN, Cursor, draw_days
from engine.arrivals.draws import arrival_keys
from engine.arrivals.incidents import fill_renewal
from engine.arrivals.listed import draw_listed, listed_arrivals, listed_by_day, sorted_arrivals
from engine.arrivals.parts import MAX_DEPTH
from engine.arrivals.plan import ONE_INCIDENT_EVENTS, ArrivalPlan
from engine.arrivals.rows import HOUR_PART, QUARTERS
from engine.arrivals.strength import additions_by_day, fill_return_shares
from engine.codes import STREAMS
from engine.numeric import NativeFunction
from engine.scenario import Scenario
from engine.tables import ARRIVAL, Table

BATCH = 4_096
"""Fewest casualties of a batch, except for the last one. More are drawn while more than half of it are incomplete."""

LARGEST_BATCH = 65_536

ENTRY_POINTS_TOTAL = (draw_days, take_complete, count_all, split_count, fill_renewal)
"""The compiled functions that arrivals of an exact total call, and those under rates."""
ENTRY_POINTS_RATES = (draw_days, take_complete, draw_counts, fill_renewal)

_NO_POPULATIONS = np.zeros(0, np.int64)


def arrival_entry_points(scenario: Scenario) -> tuple[NativeFunction, ...]:
    """Return the compiled functions that the arrivals of a resolved scenario call."""
    given = scenario.casualties.rates
    rates = given is not None
    has_incident = any(event.event in ONE_INCIDENT_EVENTS for event in scenario.events)
    return (
        *(ENTRY_POINTS_RATES if rates else ENTRY_POINTS_TOTAL),
        *((split_count,) if rates and has_incident else ()),
        *((fill_return_shares,) if given is not None and given.return_to_duty else ()),
        *((draw_listed,) if scenario.incidents else ()),
    )


def generate_arrivals(plan: ArrivalPlan, seed: int, replication: int) -> Iterator[Table]:
    """Yield the arrivals of one replication in batches of ARRIVAL rows, sorted by (time, id_hi, id_lo) throughout.

    A batch holds at most 65,536 casualties. Memory depends on how many are hurt at a time, not on how many in all.
    """
    return _Generator(plan, seed, replication).batches()


def _day_shares(day_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the weight left that each day takes, so that binomial draws divide a total over the days."""
    shares = np.zeros(len(day_weights))
    later = 0.0
    for day in range(len(day_weights) - 1, -1, -1):
        later += float(day_weights[day])
        shares[day] = day_weights[day] / later if later > 0.0 else 0.0
    return shares


class _Generator:
    """One replication in progress: the state of the cells, and the casualties that are not complete yet."""

    def __init__(self, plan: ArrivalPlan, seed: int, replication: int) -> None:
        self.plan = plan
        self.keys = arrival_keys(seed, replication)
        self.cells = plan.cells.copy()
        count = len(self.cells)
        self.hours = np.zeros((count, 24), np.int64)
        self.profiles = np.zeros((len(plan.patterns), QUARTERS))
        self.stack = np.zeros((count, MAX_DEPTH + 4), HOUR_PART)
        self.top = np.zeros(count, np.int64)
        self.strength = plan.populations.astype(np.float64)
        self.kept = np.zeros(len(plan.groups), np.int64)
        self.groups = np.array(
            [(STREAMS.index(group.stream), group.front) for group in plan.groups], np.int64
        ).reshape(-1, 2)
        self.added = additions_by_day(plan.replacements, plan.returning, plan.listed, plan.days)
        self.cursor = np.array([0, TO_OPEN, 0, 0], np.int64)
        self.buffer = np.empty(2 * BATCH, ARRIVAL)
        self.counts: NDArray[np.int64] = np.zeros((0, count), np.int64)
        self.day_share = _day_shares(plan.day_weights)
        self.drawn = np.zeros(len(plan.patterns), np.uint8)
        self.work = np.zeros(25)
        self.listed = sorted_arrivals(listed_arrivals(plan.listed, seed, replication))
        self.listed_by_day = listed_by_day(plan.listed, plan.days, len(plan.fronts))
        if not plan.depletion or not len(plan.listed):
            self.listed_by_day = self.listed_by_day[:0]

    def batches(self) -> Iterator[Table]:
        """Yield the batches: see `generate_arrivals`."""
        plan = self.plan
        if plan.total is None:
            self.counts = draw_daily_counts(plan, self.keys)
        else:
            split_total(plan, self.keys, self.cells, plan.total)
            while not count_all(self.keys, self.cells, *plan.sizes, INCIDENT_BUDGET):
                pass
        target = BATCH
        while self.cursor[Cursor.DAY] < plan.days:
            status = self._draw(target)
            if status == FULL:
                self._grow(int(self.cursor[Cursor.HORIZON]))
            elif status == ENOUGH:
                yield from self._flush(int(self.cursor[Cursor.HORIZON]))
                target = max(BATCH, 2 * int(self.cursor[Cursor.USED]))
        yield from self._flush(np.iinfo(np.int64).max)

    def _draw(self, target: int) -> int:
        """Continue the drawing pass: see `draw_days`."""
        plan = self.plan
        status: int = draw_days(
            self.keys,
            self.cells,
            *plan.sizes,
            plan.patterns,
            self.day_share,
            self.counts,
            plan.populations if plan.depletion else _NO_POPULATIONS,
            self.hours,
            self.profiles,
            self.stack,
            self.top,
            self.cursor,
            self.strength,
            self.kept,
            self.groups,
            plan.returning,
            self.added,
            self.listed_by_day,
            self.buffer,
            self.drawn,
            self.work,
            target,
        )
        return status

    def _grow(self, needed: int) -> None:
        """Give the buffer room for `needed` rows, or half as many again if that is more."""
        used = int(self.cursor[Cursor.USED])
        larger = np.empty(max(needed, len(self.buffer) * 3 // 2), ARRIVAL)
        larger[:used] = self.buffer[:used]
        self.buffer = larger

    def _add_listed(self, horizon: int) -> None:
        """Put the listed casualties before `horizon` (ms) into the buffer."""
        count = int(np.searchsorted(self.listed["time"], horizon))
        used = int(self.cursor[Cursor.USED])
        if used + count > len(self.buffer):
            self._grow(used + count)
        self.buffer[used : used + count] = self.listed[:count]
        self.listed = self.listed[count:]
        self.cursor[Cursor.USED] = used + count

    def _flush(self, horizon: int) -> Iterator[Table]:
        """Yield the casualties before `horizon` (ms)."""
        self._add_listed(horizon)
        used = int(self.cursor[Cursor.USED])
        order, other = np.empty((2, used), np.int64)
        complete = np.empty(used, ARRIVAL)
        starts = np.empty(DIGITS + 1, np.int64)
        found = take_complete(self.buffer, self.cursor, order, other, starts, complete, horizon)
        complete = complete[:found]
        for first in range(0, len(complete), LARGEST_BATCH):
            yield complete[first : first + LARGEST_BATCH]
