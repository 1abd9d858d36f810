"""The front of cost against an objective: points than which no cheaper one is as good.

All points are simulated in stages with common random numbers. After each stage the mean differences of all pairs are
bounded by confidence sequences (`engine.inference.decisions`), and the points are raced:

- A point is **dominated** when one that costs no more is better with confidence. It is not simulated further.
- A point is **confirmed** on the front when it is better with confidence than all remaining cheaper ones.
- A point is **not worth it** when it is better than a confirmed one that costs no more by less than the difference
  worth paying for, with confidence.

What is left at the cap is open: it may or may not be on the front.

**What is guaranteed.** All bounds of all pairs hold together with the confidence, for normal differences exactly and
for others approximately (Bonferroni over the pairs; the looks need no correction). A pair whose difference is the same
in all replications is an exception: after `equal_count` replications it is taken to be so always, and what is known
with the confidence is only that other differences are rare (`FrontPoint.constant`). But for such pairs, each dominated
point is truly dominated, each confirmed one is truly better than every cheaper point on the front, and every point
that is left out has one beside it that costs no more, is not left out, and is worse by the difference at most. Racing
of alternatives that are eliminated by simultaneous bounds goes back to O. Maron and A. W. Moore, Hoeffding races,
Advances in Neural Information Processing Systems 6 (1994), pp. 59-66.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError, shown
from engine.inference.cheapest import check_looks
from engine.inference.decisions import all_equal, mean_sequence, sequence_half_widths
from engine.inference.distributions import check_confidence
from engine.inference.intervals import Floats, Interval
from engine.inference.sequential import LEAST_FIRST, LEAST_GROWTH, look_schedule

BLOCK = 256
"""Points whose differences to all others are computed at a time."""
_EQUAL = 1e-12
"""Variance of a difference, relative to that of the two, below which it is rounding."""

Place = Literal["front", "dominated", "not worth it", "open"]
"""What is known of a point: see the module."""

SampleOne = Callable[[Mapping[int, tuple[int, int]]], Mapping[int, Floats]]
"""Returns the objective in replications `first` to `stop` - 1 of the points asked for."""


class FrontPoint(msgspec.Struct, frozen=True):
    """A point of a race."""

    point: int
    place: Place
    interval: Interval
    """Of the mean objective; the intervals of all points hold together with the confidence."""
    by: int | None
    """The point that dominates it, or beside which it is not worth its cost."""
    constant: bool
    """Whether the place rests on a difference that was the same in all replications: the confidence is then only that
    others are rare, not that they are small."""
    count: int
    """Replications."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontRule:
    """How to race points of a front.

    Parameters
    ----------
    difference
        The smallest improvement of the objective that is worth a higher cost, above 0.
    confidence
        Of all that is said.
    largest
        Whether a larger objective is better.
    first
        Replications of the first stage, 20 or more.
    cap
        Most replications of a point.
    batch
        Stages are multiples of this, apart from the cap.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    difference: float
    confidence: float = 0.95
    largest: bool = False
    first: int = LEAST_FIRST
    cap: int = 2000
    batch: int = 1

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if not 0.0 < self.difference < math.inf:
            raise InputError(f"difference: got {shown(self.difference)}; allowed: above 0")
        check_looks(self.first, self.cap)

    def search(self, costs: ArrayLike, sample: SampleOne) -> list[FrontPoint]:
        """Return what is known of each point, in the order given.

        Parameters
        ----------
        costs
            Shape (points,).
        sample
            Simulates; returns shape (stop - first,) by point, NaN without data.
        """
        race = _Race(self, np.asarray(costs, dtype=np.float64))
        have = 0
        for stop in look_schedule(self.first, self.cap, self.batch, LEAST_GROWTH):
            active = race.active()
            if not active.size:
                break
            race.add(active, sample({int(point): (have, stop) for point in active}))
            race.decide(active)
            have = stop
        return race.result()


class _Race:
    """A race that is under way. Better means less: the sign of the objective is turned if more is better.

    A point is active as long as it is open, or as an open one is not known to be better or worse than it. All active
    points have the same replications.
    """

    def __init__(self, rule: FrontRule, costs: Floats) -> None:
        if costs.ndim != 1 or not costs.size or not np.isfinite(costs).all():
            raise InputError(
                f"costs: got an array of shape {costs.shape}; allowed: one number for each point"
            )
        self._rule = rule
        self._costs = costs
        count = costs.size
        pairs = max(1, count * (count - 1) // 2)
        self._pair_error = (1.0 - rule.confidence) / pairs
        self._own_error = (1.0 - rule.confidence) / count
        self._values: list[list[Floats]] = [[] for _ in range(count)]
        self._open = np.ones(count, dtype=np.bool_)
        self._front = np.zeros(count, dtype=np.bool_)
        self._by: dict[int, tuple[int | None, Place]] = {}
        self._better = np.zeros((count, count), dtype=np.bool_)
        """Whether the first is known to be better than the second."""
        self._near = np.zeros((count, count), dtype=np.bool_)
        """Whether the second is known to be better than the first by less than the difference, if at all."""

    def active(self) -> NDArray[np.intp]:
        """Return the points that are simulated in the next stage."""
        alive = self._open | self._front
        dearer = self._costs[:, None] >= self._costs[None, :]
        unknown = ~self._better & ~self._better.T & dearer & self._open[:, None]
        needed = alive & (self._open | unknown.any(axis=0))
        return np.flatnonzero(needed) if self._open.any() else np.zeros(0, np.intp)

    def add(self, points: NDArray[np.intp], found: Mapping[int, Floats]) -> None:
        """Add the replications of a stage."""
        sign = -1.0 if self._rule.largest else 1.0
        for point in points:
            self._values[point].append(sign * np.asarray(found[int(point)], dtype=np.float64))

    def decide(self, points: NDArray[np.intp]) -> None:
        """Compare the active points with each other, and drop or confirm them."""
        values = np.stack([np.concatenate(self._values[point]) for point in points])
        for begin in range(0, points.size, BLOCK):
            block = slice(begin, begin + BLOCK)
            mean, half = pair_differences(values[block], values, self._pair_error)
            place = np.ix_(points[block], points)
            self._better[place] |= mean + half < 0.0
            self._near[place] |= mean + half < self._rule.difference
        self._drop_dominated(points)
        self._settle(points)

    def _drop_dominated(self, points: NDArray[np.intp]) -> None:
        cheap = self._costs[:, None] <= self._costs[None, :]
        beaten = self._better & cheap & (self._open | self._front)[:, None]
        losers = [int(point) for point in points if self._open[point] and beaten[:, point].any()]
        self._open[losers] = False
        for point in losers:
            left = beaten[:, point] & (self._open | self._front)
            by = int(np.flatnonzero(left if left.any() else beaten[:, point])[0])
            self._by[point] = (by, "dominated")

    def _settle(self, points: NDArray[np.intp]) -> None:
        """Confirm points, cheaper ones first, and drop those that are not worth their cost beside a confirmed one."""
        for point in points[np.argsort(self._costs[points], kind="stable")]:
            if not self._open[point]:
                continue
            alive = self._open | self._front
            cost = self._costs[point]
            beside = np.flatnonzero(self._front & (self._costs <= cost) & self._near[:, point])
            if beside.size:
                self._open[point] = False
                self._by[int(point)] = (int(beside[0]), "not worth it")
                continue
            cheaper = np.flatnonzero(alive & (self._costs < cost))
            peers = np.flatnonzero(alive & (self._costs == cost))
            peers = peers[peers != point]
            if self._better[point, cheaper].all() and self._near[point, peers].all():
                self._open[point], self._front[point] = False, True
        # A point may have been confirmed after one that is not worth its cost beside it was looked at.
        for point in np.flatnonzero(self._open):
            beside = np.flatnonzero(self._front & (self._costs <= self._costs[point]) & self._near[:, point])
            if beside.size:
                self._open[point] = False
                self._by[int(point)] = (int(beside[0]), "not worth it")

    def result(self) -> list[FrontPoint]:
        """Return what is known of each point."""
        found = []
        for point, parts in enumerate(self._values):
            values = np.concatenate(parts) if parts else np.zeros(0)
            interval = mean_sequence(-values if self._rule.largest else values, self._own_error)
            place: Place = "front" if self._front[point] else "open"
            by, place = self._by.get(point, (None, place))
            found.append(FrontPoint(point, place, interval, by, self._rests_on_constant(point), values.size))
        return found

    def _rests_on_constant(self, point: int) -> bool:
        """Whether the place of a point rests on a difference that was the same in all replications."""
        if point in self._by:
            by, _ = self._by[point]
            others = [] if by is None else [by]
        elif self._front[point]:
            alive = self._open | self._front
            others = [int(other) for other in np.flatnonzero(alive & (self._costs < self._costs[point]))]
        else:
            return False
        own = np.concatenate(self._values[point])
        for other in others:
            beside = np.concatenate(self._values[other])
            pairs = min(own.size, beside.size)
            differences = own[:pairs] - beside[:pairs]
            there = ~np.isnan(differences)
            if there.any() and all_equal(differences, float(np.abs(own[:pairs][there]).max())):
                return True
        return False


def pair_differences(first: Floats, second: Floats, error: float) -> tuple[Floats, Floats]:
    """Return the mean differences first - second of all pairs of points, and half of the width of their bounds.

    A replication in which one of a pair has no data is left out for that pair.

    Parameters
    ----------
    first, second
        Shapes (a, n) and (b, n): points with common random numbers.
    error
        Probability that a difference is ever outside its bounds.

    Returns
    -------
    Shape (a, b) each. NaN and infinity where a pair has fewer than two replications.
    """
    here, there = ~np.isnan(first), ~np.isnan(second)
    center = float(np.nanmean(second)) if there.any() else 0.0
    x = np.where(here, first - center, 0.0)
    y = np.where(there, second - center, 0.0)
    one, other = here.astype(np.float64), there.astype(np.float64)
    count = one @ other.T
    total = x @ other.T - one @ y.T
    size = (x * x) @ other.T + one @ (y * y).T
    squares = size - 2.0 * (x @ y.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        squares = squares - total * mean
        equal = squares <= _EQUAL * size
        mean = np.where(equal & (np.abs(mean) <= np.sqrt(_EQUAL * size / count)), 0.0, mean)
        half = sequence_half_widths(count, np.where(equal, 0.0, squares), error)
    return mean, half
