"""The cheapest of many points that meets requirements, decided one point after the other.

Points are examined in the order of their costs, a few at a time. Each gets more replications until every requirement is
met, one is missed, or the cap is reached. The search ends as soon as a point meets all of them and every cheaper one is
decided, so most points far from the limits cost a single look, and those that are more expensive nothing.

**What is guaranteed.** Let the cheapest point that truly meets the requirements be C. With the stated confidence the
point found meets them, and no cheaper one does, apart from those that are listed as undecided. This is wrong only if C
is called missed, or if a point that does not meet the requirements is called met. Half of the error probability is for
the first: it is divided by the number of requirements, but not by that of the points, since C is one point. The other
half is for the second and is divided by the number of points (Bonferroni). Each decision of a point may be looked at
at any time (`engine.inference.decisions`). That the points share their random numbers changes nothing.

**Monotone points.** If more of any factor never hurts, a point that misses the requirements rules out all points with
as much or less of everything. Then the search halves the points in question instead of going through them, and both
error probabilities are divided by the number of points, since any of them may be the one that rules others out. At the
end the neighbours with one step less of one factor are examined themselves. If one of them contradicts the assumption,
the search says so and goes on in the order of costs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError, shown
from engine.inference.decisions import Decision, Requirement, Verdict
from engine.inference.distributions import check_confidence
from engine.inference.intervals import Floats
from engine.inference.sequential import LEAST_FIRST, LEAST_GROWTH, look_schedule

WINDOW = 4
"""Points examined at a time in the order of costs. It is fixed, so that the outcome does not depend on the workers."""

Sample = Callable[[Mapping[int, tuple[int, int]]], Mapping[int, Floats]]
"""Returns replications `first` to `stop` - 1 of the points asked for: the results of a replication are the last
axis."""


class Examined(msgspec.Struct, frozen=True):
    """A point that was simulated."""

    point: int
    verdict: Verdict
    """"met" if every requirement is; "missed" if one is; "too close" if the cap or the indifference ended it; "open"
    if a cheaper point made it needless to decide."""
    decisions: tuple[Decision, ...]
    """By requirement."""
    count: int
    """Replications."""


class Cheapest(msgspec.Struct, frozen=True):
    """What a search for the cheapest point has found."""

    best: int | None
    """The cheapest point that meets the requirements; None if none is known to."""
    examined: dict[int, Examined]
    """By point, in the order of the costs: those that were simulated."""
    undecided: tuple[int, ...]
    """Points cheaper than the best one, or all if there is none, that came too close to a limit to be decided."""
    ruled_out: dict[int, int]
    """By point: the point with as much or more of everything that misses a requirement."""
    contradictions: tuple[tuple[int, int], ...]
    """Pairs that contradict monotonicity: a point that meets the requirements, and one with as much or more of
    everything that does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheapestRule:
    """How to search for the cheapest point.

    Parameters
    ----------
    requirements
        One or more, all of which must be met.
    confidence
        Of the answer.
    first
        Replications at the first look, 20 or more.
    cap
        Most replications of a point.
    batch
        Looks are multiples of this, apart from the cap.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    requirements: tuple[Requirement, ...]
    confidence: float = 0.95
    first: int = LEAST_FIRST
    cap: int = 2000
    batch: int = 1

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if not self.requirements:
            raise InputError("requirements: got none; allowed: one or more")
        check_looks(self.first, self.cap)

    def search(self, costs: ArrayLike, sample: Sample, levels: ArrayLike | None = None) -> Cheapest:
        """Return the cheapest point that meets the requirements.

        Parameters
        ----------
        costs
            Shape (points,). Of points with the same cost the first counts as cheaper.
        sample
            Simulates; returns shape (requirements, stop - first) by point: the measure of each requirement.
        levels
            Shape (points, factors): the level of each factor. If given, more of any factor is taken never to hurt.
        """
        search = _Search(self, np.asarray(costs, dtype=np.float64), sample)
        return search.in_order() if levels is None else search.halving(np.asarray(levels, dtype=np.float64))


def check_looks(first: int, cap: int) -> None:
    """Refuse a first look that is too early, or a cap before it. Raises InputError."""
    if not isinstance(first, int) or isinstance(first, bool) or first < LEAST_FIRST:
        raise InputError(f"first: got {shown(first)}; allowed: whole numbers from {LEAST_FIRST}")
    if not isinstance(cap, int) or isinstance(cap, bool) or cap < first:
        raise InputError(
            f"most: got {shown(cap)}; allowed: whole numbers from {first}, those of the first look"
        )


@dataclass(slots=True)
class _Search:
    """A search that is under way."""

    rule: CheapestRule
    costs: Floats
    sample: Sample
    order: tuple[int, ...] = field(init=False)
    values: dict[int, Floats] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    decisions: dict[int, tuple[Decision, ...]] = field(default_factory=dict)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    ruled_out: dict[int, int] = field(default_factory=dict)
    shared_miss: bool = False
    """Whether the error of calling a point missed is divided by the number of points, too."""

    def __post_init__(self) -> None:
        if self.costs.ndim != 1 or not self.costs.size or not np.isfinite(self.costs).all():
            raise InputError(
                f"costs: got an array of shape {self.costs.shape}; allowed: one number for each point"
            )
        self.order = tuple(int(point) for point in np.argsort(self.costs, kind="stable"))

    def in_order(self) -> Cheapest:
        """Examine the points in the order of their costs until one is met and all cheaper ones are decided."""
        while True:
            waiting = []
            for point in self.order:
                verdict = self.verdicts.get(point, "open")
                if verdict == "met":
                    break
                if verdict == "open" and point not in self.ruled_out:
                    waiting.append(point)
                if len(waiting) == WINDOW:
                    break
            if not waiting:
                return self._result(())
            self._look(waiting)

    def halving(self, levels: NDArray[np.float64]) -> Cheapest:
        """Examine the middle one of the points in question until none is left; then check the neighbours."""
        self.shared_miss = True
        undecided = list(self.order)
        while undecided:
            self._decide(middle := undecided[len(undecided) // 2])
            verdict = self.verdicts[middle]
            if verdict == "met":
                undecided = undecided[: len(undecided) // 2]
            elif verdict == "missed":
                below = {point for point in undecided if (levels[point] <= levels[middle]).all()}
                self.ruled_out |= dict.fromkeys(sorted(below - {middle}), middle)
                undecided = [point for point in undecided if point not in below]
            else:
                undecided.remove(middle)
        for neighbour in self._neighbours_below(levels):
            self._decide(neighbour)
        found = self._contradictions(levels)
        if found:
            self.ruled_out.clear()
            self.in_order()
        return self._result(found)

    def _neighbours_below(self, levels: NDArray[np.float64]) -> list[int]:
        """Return the cheaper points that differ from the best one by one step less of one factor, if not simulated."""
        best = self._best()
        if best is None:
            return []
        found = []
        for factor in range(levels.shape[1]):
            others = np.delete(levels, factor, axis=1)
            same = np.flatnonzero(
                (others == others[best]).all(axis=1) & (levels[:, factor] < levels[best, factor])
            )
            if same.size:
                found.append(int(same[np.argmax(levels[same, factor])]))
        return [p for p in found if p not in self.verdicts and self.costs[p] <= self.costs[best]]

    def _contradictions(self, levels: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
        met = [point for point, verdict in self.verdicts.items() if verdict == "met"]
        missed = [point for point, verdict in self.verdicts.items() if verdict == "missed"]
        return tuple((a, b) for a in met for b in missed if (levels[a] <= levels[b]).all())

    def _decide(self, point: int) -> None:
        """Add replications of a point until it is decided."""
        while self.verdicts.get(point, "open") == "open":
            self._look([point])

    def _look(self, points: Sequence[int]) -> None:
        """Simulate each of the points up to its next look, and decide."""
        looks = look_schedule(self.rule.first, self.rule.cap, self.rule.batch, LEAST_GROWTH)
        wanted = {}
        for point in points:
            have = self.counts.get(point, 0)
            wanted[point] = (have, next(look for look in looks if look > have))
        found = self.sample(wanted)
        for point, (_, stop) in wanted.items():
            before = [self.values[point]] if point in self.values else []
            self.values[point] = np.concatenate([*before, found[point]], axis=1)
            self.counts[point] = stop
            self._judge(point, capped=stop >= looks[-1])

    def _judge(self, point: int, capped: bool) -> None:
        """Decide a point by its replications so far."""
        half = 0.5 * (1.0 - self.rule.confidence)
        met_error = half / self.costs.size
        missed_error = half / len(self.rule.requirements) / (self.costs.size if self.shared_miss else 1)
        decisions = tuple(
            requirement.decide(values, met_error, missed_error)
            for requirement, values in zip(self.rule.requirements, self.values[point])
        )
        verdicts = {decision.verdict for decision in decisions}
        verdict: Verdict
        if "missed" in verdicts:
            verdict = "missed"
        elif verdicts == {"met"}:
            verdict = "met"
        elif capped or "open" not in verdicts:
            verdict = "too close"
        else:
            verdict = "open"
        self.decisions[point], self.verdicts[point] = decisions, verdict

    def _best(self) -> int | None:
        return next((point for point in self.order if self.verdicts.get(point) == "met"), None)

    def _result(self, contradictions: tuple[tuple[int, int], ...]) -> Cheapest:
        best = self._best()
        cheaper = self.order if best is None else self.order[: self.order.index(best)]
        return Cheapest(
            best=best,
            examined={
                point: Examined(point, self.verdicts[point], self.decisions[point], self.counts[point])
                for point in self.order
                if point in self.verdicts
            },
            undecided=tuple(point for point in cheaper if self.verdicts.get(point) == "too close"),
            ruled_out=dict(self.ruled_out),
            contradictions=contradictions,
        )
