"""How far the numbers of casualties spread: counts of many replications of the arrivals alone."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrivals.counts import total_counts
from engine.arrivals.generate import generate_arrivals
from engine.arrivals.plan import ArrivalPlan, expected_total
from engine.codes import NONE, STREAMS, CasualtyKind
from engine.tables import DAY

MOST_REPLICATIONS, FEWEST_REPLICATIONS = 400, 40
"""Replications that are counted; with fewer than the fewest a range of 5 to 95 % would say little."""
MOST_CASUALTIES = 400_000
"""Casualties that are drawn in all: less than a second's work."""


MOST_TOTALS = 500
"""Replications of which `total_spread` counts the casualties: the 5 % outside are known to about 1 %."""
MOST_DAILY_COUNTS = 200_000
"""Numbers of casualties of a cell and day that it draws at most. They take 0.1 s."""
MOST_DEPLETING = 60_000
"""Casualties that it draws where forces deplete. They take 0.15 s."""

Counts = NDArray[np.int64]


class Range(NamedTuple):
    """The range in which nine of ten replications lie: 5 % are below and 5 % above."""

    low: int
    high: int


class ArrivalCounts(NamedTuple):
    """Counts of casualties, each with one number per replication, shape (R,)."""

    replications: int
    by_day: Counts
    """Shape (days, R)."""
    by_front: dict[tuple[str, str], Counts]
    """By front and stream."""
    by_type: dict[tuple[str | None, str | None, str], Counts]
    """By warfare type, special event and stream."""

    @property
    def total(self) -> Counts:
        """All casualties."""
        found: Counts = self.by_day.sum(axis=0)
        return found


class TotalSpread(NamedTuple):
    """How the number of all casualties varies between replications."""

    mean: float
    """Expected."""
    counts: Counts
    """The casualties of the first replications, shape (R,)."""


def total_spread(plan: ArrivalPlan, seed: int) -> TotalSpread | None:
    """Return how many casualties replications have under `rates`, within 0.2 s; None where that would take longer.

    The mean is that of the theory; where forces deplete, that of the replications that were counted.
    """
    mean = expected_total(plan)
    if plan.depletion:
        number = min(MOST_TOTALS, int(MOST_DEPLETING / max(1.0, mean)))
    else:
        number = min(MOST_TOTALS, MOST_DAILY_COUNTS // max(1, plan.days * len(plan.cells)))
    if number < FEWEST_REPLICATIONS:
        return None
    if not plan.depletion:
        return TotalSpread(mean, total_counts(plan, seed, number) + plan.listed["number"].sum())
    counts = np.array(
        [sum(map(len, generate_arrivals(plan, seed, replication))) for replication in range(number)], np.int64
    )
    return TotalSpread(float(counts.mean()), counts)


def count_replications(plan: ArrivalPlan, expected: float, seed: int) -> ArrivalCounts | None:
    """Return the counts of the first replications of a scenario; None where that would take long.

    Parameters
    ----------
    plan
        The plan of the arrivals.
    expected
        The casualties that are expected of a replication.
    seed
        The seed: replication 0 is the one that a run with this seed simulates.
    """
    number = min(MOST_REPLICATIONS, int(MOST_CASUALTIES / max(1.0, expected)))
    if number < FEWEST_REPLICATIONS:
        return None
    by_day = np.zeros((plan.days, number), np.int64)
    by_front = {(front, stream): np.zeros(number, np.int64) for front in plan.fronts for stream in STREAMS}
    by_type: dict[tuple[str | None, str | None, str], Counts] = {}
    labels = _labels(plan)
    for replication in range(number):
        batches = list(generate_arrivals(plan, seed, replication))
        if not batches:
            continue
        rows = np.concatenate(batches)
        stream = np.maximum(rows["kind"].astype(np.int64) - CasualtyKind.AGENT, 0)
        day = np.minimum(rows["incident_time"] // int(DAY), plan.days - 1)
        by_day[:, replication] = np.bincount(day, minlength=plan.days)
        fronts = np.bincount(rows["front"] * np.int64(len(STREAMS)) + stream, minlength=len(by_front))
        for counts, count in zip(by_front.values(), fronts.tolist(), strict=True):
            counts[replication] = count
        types = (rows["special"].astype(np.int64) << 16) + (rows["type"].astype(np.int64) << 8) + stream
        for code, count in zip(
            *(part.tolist() for part in np.unique(types, return_counts=True)), strict=True
        ):
            type_, special = labels.get((code >> 16, (code >> 8) & 255), (None, None))
            key = (type_, special, STREAMS[code & 255])
            by_type.setdefault(key, np.zeros(number, np.int64))[replication] += count
    return ArrivalCounts(number, by_day, by_front, by_type)


def range_of(counts: Iterable[Counts]) -> Range:
    """Return the range of the sum of some counts."""
    total = np.sort(np.sum(np.stack(list(counts)), axis=0))
    outside = len(total) // 20
    return Range(int(total[outside]), int(total[-1 - outside]))


def _labels(plan: ArrivalPlan) -> dict[tuple[int, int], tuple[Any, Any]]:
    """Return warfare type and special event of the casualties with these values of `special` and `type`.

    Listed casualties belong to a type, but to no cell.
    """
    cells = zip(plan.cells["special"].tolist(), plan.cells["type"].tolist(), strict=True)
    found: dict[tuple[int, int], tuple[Any, Any]] = dict(zip(cells, plan.labels, strict=True))
    for (_, type_), (name, _) in list(found.items()):
        found.setdefault((int(NONE), type_), (name, None))
    return found
