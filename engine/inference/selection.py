"""Selection of the best of several alternatives with a guaranteed probability, by the procedure of Kim and Nelson.

S.-H. Kim and B. L. Nelson, A fully sequential procedure for indifference-zone selection in simulation, ACM Transactions
on Modeling and Computer Simulation 11 (2001), pp. 251-273, with c = 1. In each replication all alternatives that are
still in contention share their random numbers. An alternative is eliminated as soon as the sum of its differences to
another one leaves a triangular region, whose size depends on the variance of exactly that pair's differences.

**What is guaranteed.** If the results of one replication are jointly normal and the best alternative is better than
every other by at least the indifference zone, it is selected with at least the confidence, whatever the variances and
the correlations are. If others come closer to the best than the indifference zone, the selected one is as a rule one of
those; Kim and Nelson's proof does not cover this case.

**Equal differences.** A pair whose difference is the same in the whole first stage has a variance of 0 there, which
would end its contest at once, although replications that differ may only be rare. Such a pair stays open until its
difference varies, and its variance is then estimated from all replications so far. If it does not vary in
`equal_count` replications, it is decided as it is. Then replications that differ are known to be rare, with the error
probability of the pair; how large they are is not known, so that the guarantee above does not cover the pair
(`Selection.constant`).
"""

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError, shown
from engine.inference.decisions import all_equal, equal_count
from engine.inference.distributions import check_confidence
from engine.inference.intervals import Floats
from engine.inference.sequential import LEAST_GROWTH, look_schedule

LEAST_FIRST = 10
"""Fewest replications of the first stage, which estimates the variances; with fewer the later stages grow long."""
_CHUNK = 256
"""Replications that are searched for eliminations at a time."""


class Selection(msgspec.Struct, frozen=True):
    """What a selection has decided about the results so far. Alternatives are rows of the results, from 0."""

    done: bool
    survivors: tuple[int, ...]
    """Alternatives still in contention, ascending; one when the procedure ended by itself."""
    best: int | None
    """The survivor with the best mean; None before the first stage is complete."""
    count: int
    """Replications used."""
    missing: int
    """Replications left out because a survivor of that time had no data."""
    more: int
    """Replications to add of the survivors before the next decision; 0 when done."""
    most: int | None
    """Replications, the present ones included, with which the procedure ends at the latest, apart from the cap."""
    eliminated: dict[int, int]
    """By alternative: the replications after which it was eliminated."""
    guaranteed: bool
    """Whether the selection was decided with the stated confidence, and not by the cap. Survivors besides the best are
    then as good as it in all replications together."""
    constant: tuple[int, ...] = ()
    """Alternatives that were decided beside another from which they differed by the same in all replications: for
    them the confidence is only that others are rare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectionRule:
    """The procedure of Kim and Nelson, as a pure function of the results so far.

    Parameters
    ----------
    difference
        The indifference zone: the smallest difference of means worth detecting, in the unit of the measure, above 0.
    confidence
        Probability of selecting the best, above 1 / (number of alternatives).
    largest
        Whether the largest mean is best; otherwise the smallest.
    first
        Replications of the first stage, 10 or more.
    cap
        Most replications; without one the procedure ends by itself.

    Raises
    ------
    InputError
        If a value makes no sense.

    >>> import numpy as np
    >>> results = np.random.default_rng(1).normal(size=(3, 500)) + [[5.0], [4.0], [6.0]]
    >>> selection = SelectionRule(difference=0.5).assess(results)
    >>> selection.best, selection.survivors, selection.more
    (1, (1,), 0)
    """

    difference: float
    confidence: float = 0.95
    largest: bool = False
    first: int = 20
    cap: int | None = None

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if not 0.0 < self.difference < math.inf:
            raise InputError(f"difference: got {shown(self.difference)}; allowed: above 0")
        if self.first < LEAST_FIRST:
            raise InputError(f"first: got {shown(self.first)}; allowed: whole numbers from {LEAST_FIRST}")
        if self.cap is not None and self.cap < self.first:
            raise InputError(
                f"cap: got {shown(self.cap)}; allowed: whole numbers from {self.first}, the replications of the "
                "first stage"
            )

    def pending(self, results: ArrayLike) -> int:
        """Return how many more replications of the survivors are needed before the next decision; 0 when it ends."""
        return self.assess(results).more

    def assess(self, results: ArrayLike) -> Selection:
        """Return what is decided after these results.

        Parameters
        ----------
        results
            Shape (k, n): one row per alternative, one column per replication with common random numbers, in order. NaN
            where a replication has no data and where an alternative is not simulated any more. Columns after the
            decision are not used.

        Raises
        ------
        InputError
            If there are fewer than two alternatives, a value is infinite, or the confidence is not above 1 / k.
        """
        values = self._values(results)
        usable = np.flatnonzero(~np.isnan(values).any(axis=0))
        if usable.size < self.first:
            return self._first_stage(values.shape, usable.size)
        stage = values[:, usable[: self.first]]
        variances = _Variances(stage, self.difference, (1.0 - self.confidence) / (values.shape[0] - 1))
        cap = math.inf if self.cap is None else self.cap
        alive = np.arange(values.shape[0])
        count, eliminated = self.first - 1, dict[int, int]()
        used = usable[: self.first - 1]
        columns, path = usable[self.first - 1 : self.first], stage.sum(axis=1, keepdims=True)
        while True:
            among = variances.limits[np.ix_(alive, alive)]
            losers, taken = _first_elimination(path, count + 1, among, self.difference)
            sums, position = path[:, taken - 1], int(columns[taken - 1]) + 1
            used = np.concatenate([used, columns[:taken]])
            count += taken
            gone = [*alive[losers]]
            alive, sums = variances.without(losers, alive, sums)
            if variances.update(values[:, used], alive):
                among = variances.limits[np.ix_(alive, alive)]
                losers, _ = _first_elimination(sums[:, None], count, among, self.difference)
                gone += [*alive[losers]]
                alive, sums = variances.without(losers, alive, sums)
            eliminated |= dict.fromkeys(map(int, gone), count)
            end = variances.end(alive)
            decided = alive.size == 1 or count >= end
            ahead = position + np.flatnonzero(~np.isnan(values[alive, position:]).any(axis=0))
            until = min(_CHUNK, end - count, cap - count, variances.next_look(count) - count)
            columns = ahead[: int(until)] if not decided else ahead[:0]
            if columns.size == 0:
                break
            path = sums[:, None] + np.cumsum(values[np.ix_(alive, columns)], axis=1)
        done = decided or count >= cap
        if decided:
            variances.note_equal(alive, sums)
        return Selection(
            done=done,
            survivors=tuple(int(i) for i in alive),
            best=int(alive[np.argmax(sums)]),
            count=count,
            missing=(position if done else values.shape[1]) - count,
            more=0 if done else int(min(end - count, max(self.first, count // 4), cap - count)),
            most=count if decided else None if math.isinf(end) else int(end),
            eliminated=eliminated,
            guaranteed=decided,
            constant=tuple(sorted(variances.constant)),
        )

    def _first_stage(self, shape: tuple[int, ...], count: int) -> Selection:
        """Return what is known before the first stage is complete."""
        return Selection(
            done=False,
            survivors=tuple(range(shape[0])),
            best=None,
            count=count,
            missing=shape[1] - count,
            more=self.first - count,
            most=None,
            eliminated={},
            guaranteed=False,
        )

    def _values(self, results: ArrayLike) -> Floats:
        """Return the results with a sign such that the largest mean is best."""
        values = np.array(results, dtype=np.float64)
        if values.ndim != 2 or values.shape[0] < 2:
            raise InputError(
                f"results: got an array of shape {values.shape}; allowed: two or more alternatives, a row each"
            )
        if np.isinf(values).any():
            raise InputError("results: got an infinite value; allowed: numbers, and NaN without data")
        if self.confidence <= 1.0 / values.shape[0]:
            raise InputError(
                f"confidence: got {self.confidence:g} for {values.shape[0]} alternatives; allowed: above "
                f"{1.0 / values.shape[0]:.3g}, which chance alone achieves"
            )
        return values if self.largest else -values


class _Variances:
    """Where the region of each pair's differences ends, and the pairs whose differences have not varied yet."""

    limits: Floats
    """Shape (k, k), of `_limits`; infinite for a pair that is not to be decided yet."""
    constant: set[int]
    """Alternatives that were decided by a difference that never varied."""

    def __init__(self, stage: Floats, difference: float, error: float) -> None:
        self._difference, self._error = difference, error
        self._first = stage.shape[1]
        self._enough = max(self._first, equal_count(error))
        self._looks = look_schedule(self._first, self._enough, 1, LEAST_GROWTH)
        self.limits = _limits(stage, difference, error)
        self.constant = set()
        self._same = _same_differences(stage) & ~np.eye(len(stage), dtype=np.bool_)
        self._settle(self._first)

    def update(self, results: Floats, alive: NDArray[np.intp]) -> bool:
        """Look again, if it is time to, at the pairs of these alternatives whose differences had not varied.

        `results` has shape (k, count): the replications so far. Returns whether a limit has changed.
        """
        count = results.shape[1]
        pairs = self._same[np.ix_(alive, alive)]
        if count not in self._looks or count == self._first or not pairs.any():
            return False
        own = results[alive]
        varied = pairs & ~_same_differences(own)
        place = np.ix_(alive, alive)
        self.limits[place] = np.where(varied, _limits(own, self._difference, self._error), self.limits[place])
        self._same[place] = pairs & ~varied
        self._settle(count)
        return bool(varied.any()) or count >= self._enough

    def _settle(self, count: int) -> None:
        """Leave the pairs whose differences have not varied open, or decide them if there are enough replications."""
        self.limits[self._same] = 0.0 if count >= self._enough else math.inf

    def next_look(self, count: int) -> float:
        """Return the replications at which such pairs are looked at next."""
        return next((look for look in self._looks if look > count), math.inf)

    def end(self, alive: NDArray[np.intp]) -> float:
        """Return the replications with which the procedure ends at the latest; infinite if that is not known."""
        largest = float(self.limits[np.ix_(alive, alive)].max())
        return math.inf if math.isinf(largest) else math.floor(largest) + 1

    def without(
        self, losers: NDArray[np.bool_], alive: NDArray[np.intp], sums: Floats
    ) -> tuple[NDArray[np.intp], Floats]:
        """Return the alternatives that are left, and their sums; note losers that never varied beside the leader."""
        self._note(alive[losers], int(alive[np.argmax(sums)]))
        return alive[~losers], sums[~losers]

    def note_equal(self, alive: NDArray[np.intp], sums: Floats) -> None:
        """Note the survivors that never varied beside the best."""
        self._note(alive, int(alive[np.argmax(sums)]))

    def _note(self, those: NDArray[np.intp], leader: int) -> None:
        settled = self._same[:, leader] & (self.limits[:, leader] == 0.0)
        self.constant |= {int(one) for one in those if settled[one]}


def _same_differences(results: Floats) -> NDArray[np.bool_]:
    """Return whether the difference of each pair is the same in all replications, apart from rounding; shape (k, k)."""
    return np.array(
        [[all_equal(one - other, float(np.abs(one).max())) for other in results] for one in results]
    )


def _limits(stage: Floats, difference: float, error: float) -> Floats:
    """Return h**2 S_il**2 / difference**2 by pair, shape (k, k): where the region of a pair's differences ends.

    S_il**2 is the variance of the differences in the first stage of n0 replications, h**2 = 2 eta (n0 - 1), and
    eta = ((2 error)**(-2 / (n0 - 1)) - 1) / 2 with error = (1 - confidence) / (k - 1), which is valid under common
    random numbers (Kim and Nelson 2001, section 3 with c = 1).
    """
    first = stage.shape[1]
    eta = 0.5 * ((2.0 * error) ** (-2.0 / (first - 1)) - 1.0)
    between = (stage[:, None, :] - stage[None, :, :]).var(axis=2, ddof=1)
    limits: Floats = 2.0 * eta * (first - 1) * between / difference**2
    return limits


def _first_elimination(
    path: Floats, first: int, limits: Floats, difference: float
) -> tuple[NDArray[np.bool_], int]:
    """Return who is eliminated at the first replication at which any alternative is, and the columns up to it.

    Parameters
    ----------
    path
        Shape (a, m): sums of the alternatives after `first`, `first` + 1, ... replications; a larger one is better.
    limits
        Shape (a, a), of `_limits`.

    Returns
    -------
    Shape (a,), and 1 to m: m, and no alternative, if none is eliminated.
    """
    counts = np.arange(first, first + path.shape[1])
    bounds = np.maximum(0.0, 0.5 * difference * (limits[:, :, None] - counts))
    beaten = np.any(path[None, :, :] - path[:, None, :] > bounds, axis=1)
    anybody = np.any(beaten, axis=0)
    taken = int(np.argmax(anybody)) + 1 if anybody.any() else path.shape[1]
    return beaten[:, taken - 1], taken
