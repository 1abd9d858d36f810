"""The 24 hours in which most casualties of a replication arrive."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrivals.generate import generate_arrivals
from engine.arrivals.plan import ArrivalPlan
from engine.tables import Table

MINUTE = 60_000
"""ms"""
DAY_MINUTES = 1440


class Peak(NamedTuple):
    """The 24 hours with most casualties, and what was counted on the way."""

    begin: int
    """A full minute, ms from the start; the latest of several, so that the work that follows lies within them."""
    casualties: int
    """Arrivals in the 24 hours."""
    within_days: int
    """Arrivals within the days of the plan, before `days`."""
    first: int = -1
    """Time of the first arrival, ms from the start; -1: there is none."""
    last: int = -1
    """Time of the last arrival."""
    total: int = 0
    """All arrivals."""


def find_peak(plan: ArrivalPlan, seed: int, replication: int) -> Peak:
    """Return the 24 hours, from a full minute on, in which most casualties of a replication arrive.

    The arrivals are generated for this alone.
    """
    return peak_of(generate_arrivals(plan, seed, replication), plan.days)


def peak_of(batches: Iterable[Table], days: int) -> Peak:
    """Return the 24 hours, from a full minute on, in which most casualties of a replication of so many days arrive.

    Memory does not grow with their number: a minute that no later 24 hours can contain is forgotten.

    Parameters
    ----------
    batches
        All arrivals in batches of ARRIVAL rows, sorted by time throughout.
    days
        Days of the plan.
    """
    best = Peak(0, 0, 0)
    counts: NDArray[np.int64] = np.zeros(0, np.int64)  # by minute, from `first` on
    first = 0
    last_day = days * DAY_MINUTES * MINUTE
    within = 0
    earliest, latest, total = -1, -1, 0
    for batch in batches:
        if not len(batch):
            continue
        within += int(np.searchsorted(batch["time"], last_day))
        earliest = int(batch["time"][0]) if total == 0 else earliest
        latest = int(batch["time"][-1])
        total += len(batch)
        minutes = batch["time"] // MINUTE - first
        found = np.bincount(minutes, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
        settled = len(counts) - DAY_MINUTES  # a later batch may add to the last minute
        if settled > 0:
            best = _better(best, counts[:-1], first)
            counts = counts[settled:]
            first += settled
    best = _better(best, np.pad(counts, (0, DAY_MINUTES)), first)
    return best._replace(within_days=within, first=earliest, last=latest, total=total)


def _better(best: Peak, counts: NDArray[np.int64], first: int) -> Peak:
    """Return the busiest 24 hours of `counts`, by minute from `first` on, unless `best` are busier."""
    sums = np.concatenate(([0], np.cumsum(counts)))
    totals = sums[DAY_MINUTES:] - sums[:-DAY_MINUTES]
    if not len(totals):
        return best
    begin = len(totals) - 1 - int(np.argmax(totals[::-1]))
    if totals[begin] < max(1, best.casualties):
        return best
    return Peak((first + begin) * MINUTE, int(totals[begin]), 0)
