"""Sequential decisions, the search for the cheapest point, and the race of a front against their promises.

The truth is always as awkward as it can be: shares and means that lie at the limit, points that differ by nothing.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from bench import figures
from bench.figures import Figure
from engine.inference import (
    CheapestRule,
    FrontRule,
    Requirement,
    SelectionRule,
    look_schedule,
)

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

LOOKS = look_schedule(20, 2000)
ERROR = 0.025
"""Error probability of each verdict."""


def allowed(promised: float, experiments: int) -> float:
    """Return the largest share of errors that is compatible with the promise, within two standard errors."""
    return promised + 2.0 * math.sqrt(promised * (1.0 - promised) / experiments)


def verdicts(
    requirement: Requirement, draw: Draw, experiments: int, seed: int
) -> tuple[Mapping[str, float], float]:
    """Return the share of each verdict over sequences that are looked at up to 2,000 values, and the values used."""
    random = np.random.default_rng(seed)
    counts: dict[str, int] = {}
    used = 0
    for _ in range(experiments):
        values = draw(random, LOOKS[-1])
        for look in LOOKS:
            verdict = requirement.decide(values[:look], ERROR, ERROR).verdict
            if verdict != "open":
                break
        counts[verdict] = counts.get(verdict, 0) + 1
        used += look
    return {name: count / experiments for name, count in counts.items()}, used / experiments


def limits(experiments: int, wait: Draw, mean_wait: float) -> Iterator[Figure]:
    """Measure how often a share or a mean at its limit is called wrongly, and how soon one beside it is decided.

    Parameters
    ----------
    wait, mean_wait
        Draws waits of a queue, and their exact mean.
    """

    def share(probability: float) -> Draw:
        return lambda random, count: (random.random(count) < probability).astype(np.float64)

    def normal(mean: float) -> Draw:
        return lambda random, count: random.normal(mean, 1.0, count)

    limit = allowed(ERROR, experiments)
    for level in (0.5, 0.95):
        kept = Requirement(at_least=0.5, probability=level)
        found, used = verdicts(kept, share(level), experiments, 31)
        title = f"a share at its limit {level:g} called missed; {used:,.0f} replications"
        yield figures.at_most(title, found.get("missed", 0.0), limit)
        found, used = verdicts(kept, share(level - 1e-9), experiments, 32)
        title = f"a share just below its limit {level:g} called met; {used:,.0f} replications"
        yield figures.at_most(title, found.get("met", 0.0), limit)
    for truth in (0.85, 0.99, 1.0):
        wanted = "met" if truth > 0.95 else "missed"
        found, used = verdicts(
            Requirement(at_least=0.5, probability=0.95), share(truth), experiments // 4, 33
        )
        title = f"a share of {truth:g} for the limit 0.95 called {wanted}; {used:,.0f} replications"
        yield figures.at_least(title, found.get(wanted, 0.0), 1.0 - limit)
    for name, draw, mean in (("normal values", normal(0.0), 0.0), ("M/M/1 waits", wait, mean_wait)):
        for requirement, wrong in (
            (Requirement(at_most=mean), "missed"),
            (Requirement(at_least=mean), "missed"),
        ):
            found, used = verdicts(requirement, draw, experiments, 34)
            side = "above" if requirement.at_least is None else "below"
            title = f"the mean of {name} called {side} its limit; {used:,.0f} replications"
            yield figures.at_most(title, found.get(wrong, 0.0), limit)
    found, used = verdicts(Requirement(at_most=0.5), normal(0.0), experiments // 4, 35)
    title = f"a mean half a standard deviation below its limit called met; {used:,.0f} replications"
    yield figures.at_least(title, found.get("met", 0.0), 1.0 - limit)


def cheapest(experiments: int) -> Iterator[Figure]:
    """Measure how often the cheapest point is wrong, with shares at and just below the limit."""
    random = np.random.default_rng(36)
    for name, truth, monotone in (
        ("in the order of costs", (0.2, 0.7, 0.9499, 0.9499, 0.95, 0.95, 0.99, 0.999), False),
        ("by halving", (0.2, 0.7, 0.9, 0.9499, 0.95, 0.97, 0.99, 0.999), True),
    ):
        rule = CheapestRule(requirements=(Requirement(at_least=0.5, probability=0.95),))
        shares = np.array(truth)
        right = int(np.argmax(shares >= 0.95))
        wrong = decided = used = 0
        for _ in range(experiments):
            uniform = random.random(rule.cap)

            def sample(
                wanted: Mapping[int, tuple[int, int]], uniform: Floats = uniform, shares: Floats = shares
            ) -> dict[int, Floats]:
                return {
                    point: (uniform[None, first:stop] < shares[point]).astype(np.float64)
                    for point, (first, stop) in wanted.items()
                }

            levels = np.arange(shares.size)[:, None] if monotone else None
            found = rule.search(np.arange(shares.size), sample, levels)
            missed = {each.point for each in found.examined.values() if each.verdict == "missed"}
            excluded = right in missed or right in found.ruled_out
            wrong += excluded or (found.best is not None and found.best < right)
            decided += found.best == right
            used += sum(each.count for each in found.examined.values())
        title = f"wrong about the cheapest of 8 points, {name}; {used / experiments:,.0f} replications in all"
        yield figures.at_most(title, wrong / experiments, allowed(0.05, experiments))


def fronts(experiments: int) -> Iterator[Figure]:
    """Measure how often anything that is said of a front is wrong, with points that differ by nothing."""
    costs = np.array([1.0, 2.0, 2.0, 3.0, 4.0, 5.0])
    means = np.array([10.0, 9.0, 9.0, 9.0, 8.5, 8.5])
    deviations = np.array([1.0, 1.0, 3.0, 2.0, 1.0, 3.0])[:, None]
    rule = FrontRule(difference=0.3, cap=500)
    random = np.random.default_rng(37)
    noises: tuple[tuple[str, Callable[[tuple[int, int]], Floats]], ...] = (
        ("normal values", lambda shape: random.normal(size=shape)),
        ("exponential values", lambda shape: random.standard_exponential(shape) - 1.0),
    )
    for name, noise in noises:
        wrong = used = 0
        for _ in range(experiments):
            values = means[:, None] + deviations * noise((6, rule.cap)) + 3.0 * noise((1, rule.cap))

            def sample(wanted: Mapping[int, tuple[int, int]], values: Floats = values) -> dict[int, Floats]:
                return {point: values[point, first:stop] for point, (first, stop) in wanted.items()}

            found = rule.search(costs, sample)
            used += sum(each.count for each in found)
            wrong += front_is_wrong(costs, means, rule.difference, [each.place for each in found])
        title = f"wrong about a front of 6 points, {name}; {used / experiments:,.0f} replications in all"
        yield figures.at_most(title, wrong / experiments, allowed(0.05, experiments))


def front_is_wrong(costs: Floats, means: Floats, difference: float, places: list[str]) -> bool:
    """Whether anything that a race says of the points is false; less is better."""
    kept = [point for point, place in enumerate(places) if place in ("front", "open")]
    for point, place in enumerate(places):
        if place == "dominated" and not (means[costs <= costs[point]] < means[point]).any():
            return True
        if place == "not worth it" and not any(
            costs[other] <= costs[point] and means[other] <= means[point] + difference for other in kept
        ):
            return True
        cheaper = [other for other in kept if costs[other] < costs[point]]
        if place == "front" and any(means[other] <= means[point] for other in cheaper):
            return True
    return False


def rare_events(experiments: int) -> Iterator[Figure]:
    """Measure decisions about a mean of which 3 % of the replications make all: they are 20 larger, so it is .6.

    As long as no such replication has come, all values or differences are equal.
    """
    random = np.random.default_rng(38)
    share, size, zone = 0.03, 20.0, 0.2

    def rare(random: np.random.Generator, count: int) -> Floats:
        return size * (random.random(count) < share).astype(np.float64)

    found, used = verdicts(Requirement(at_most=0.3), rare, experiments, 39)
    title = f"a mean of .6 called at most .3; {used:,.0f} replications"
    yield figures.at_most(title, found.get("met", 0.0), allowed(ERROR, experiments))
    front, best = FrontRule(difference=zone), SelectionRule(difference=zone, cap=5000)
    wrong_front = wrong_best = used_front = used_best = 0
    for _ in range(experiments):
        values = np.tile(random.normal(size=best.cap or 0), (2, 1))
        values[0] += rare(random, values.shape[1])

        def sample(wanted: Mapping[int, tuple[int, int]], values: Floats = values) -> dict[int, Floats]:
            return {point: values[point, first:stop] for point, (first, stop) in wanted.items()}

        points = front.search([1.0, 2.0], sample)
        used_front += sum(each.count for each in points)
        wrong_front += front_is_wrong(
            np.array([1.0, 2.0]), np.array([share * size, 0.0]), zone, [each.place for each in points]
        )
        selected = best.assess(values)
        used_best += selected.count
        wrong_best += selected.best != 1
    title = f"wrong about a front of 2 points; {used_front / experiments:,.0f} replications in all"
    yield figures.at_most(title, wrong_front / experiments, allowed(0.05, experiments))
    title = f"wrong about the best of 2 points; {used_best / experiments:,.0f} replications"
    yield figures.at_most(title, wrong_best / experiments, allowed(0.05, experiments))
