"""The statistics of experiments (engine.inference) against their promises, with fixed seeds; fails if one is broken.

`make bench-experiments` runs 4,000 experiments of each kind whose true answer is known, and counts how often the
interval contains it. `--size small` runs 400 of each, with the same requirements less the larger sampling error.

The queue is M/M/1, empty at the start. Its waits follow Lindley's recursion; the exact mean wait of customer n follows
from the distribution of the number of others that this customer finds, a Markov chain over the arrivals (D. Gross et
al., Fundamentals of Queueing Theory, 4th ed. 2008, section 2.11).
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench import figures
from bench.figures import Figure, Section
from engine.inference import (
    Interval,
    Precision,
    SelectionRule,
    StoppingRule,
    holm,
    mean_interval,
    mean_p_value,
    median_interval,
    paired_interval,
    quantile_interval,
    share_interval,
    simultaneous_intervals,
)

Floats = NDArray[np.float64]

SIZES = {"small": 400, "full": 4000}
"""Experiments of each kind."""
CUSTOMERS = 40
"""Customers of one replication of the queue; its result is their mean wait."""
RATE, SERVICE = 0.8, 1.0
"""Arrivals per unit of time, and the mean service time."""


# --- the queue


def exact_wait(rate: float, service: float, customers: int) -> float:
    """Return the exact mean wait of the first `customers` customers of an M/M/1 queue that starts empty."""
    arrival_first = rate * service / (1.0 + rate * service)  # the next arrival comes before a departure
    found = np.zeros(customers + 1)  # the probability that a customer finds j others
    found[0] = 1.0
    total = 0.0
    for _ in range(customers):
        total += float(np.arange(found.size) @ found) * service
        after = np.zeros_like(found)
        for others in range(found.size - 1):
            present = others + 1
            left = np.arange(present)  # departures that leave at least one
            after[present - left] += found[others] * arrival_first * (1.0 - arrival_first) ** left
            after[0] += found[others] * (1.0 - arrival_first) ** present
        found = after
    return total / customers


def waits(
    random: np.random.Generator, shape: tuple[int, ...], services: Sequence[float] = (SERVICE,)
) -> list[Floats]:
    """Return the mean waits of replications of the queue, by mean service time, with common random numbers."""
    wait = [np.zeros(shape) for _ in services]
    total = [np.zeros(shape) for _ in services]
    for _ in range(CUSTOMERS):
        work, gap = random.standard_exponential(shape), random.standard_exponential(shape) / RATE
        for one, all_of_them, service in zip(wait, total, services):
            all_of_them += one
            one += service * work - gap
            np.maximum(one, 0.0, out=one)
    return [each / CUSTOMERS for each in total]


# --- how often an interval contains the true value


def covered(intervals: Iterable[Interval], truth: float) -> int:
    """Return how many intervals contain the true value."""
    return sum(interval.contains(truth) for interval in intervals)


def slack(experiments: int) -> float:
    """Return what a share of .95 may deviate in fewer than 4,000 experiments, beyond its window for 4,000."""
    error = math.sqrt(0.95 * 0.05 / experiments)
    return 0.0 if experiments >= SIZES["full"] else 3.0 * error


def nominal(name: str, share: float, experiments: int) -> Figure:
    """Return a coverage that must be between 94 and 96 %."""
    more = slack(experiments)
    return figures.between(name, share, 0.94 - more, 0.96 + more)


def conservative(name: str, share: float, experiments: int) -> Figure:
    """Return a coverage that must be at least 94 %."""
    return figures.at_least(name, share, 0.94 - slack(experiments))


def fixed_replications(experiments: int) -> Iterator[Figure]:
    """Measure the coverage of intervals over a fixed number of replications."""
    random = np.random.default_rng(1)
    services = (SERVICE, 0.9 * SERVICE)
    exact = [exact_wait(RATE, service, CUSTOMERS) for service in services]
    before, after = waits(random, (experiments, 200), services)
    share = covered(map(mean_interval, before), exact[0]) / experiments
    yield nominal("M/M/1 mean wait, 200 replications, t", share, experiments)
    share = covered(map(paired_interval, before, after), exact[1] - exact[0]) / experiments
    yield nominal("M/M/1 paired difference, 200 pairs, t", share, experiments)

    for chance, count in ((0.02, 50), (0.3, 50), (0.5, 200)):
        successes = random.binomial(count, chance, experiments)
        share = covered((share_interval(int(k), count) for k in successes), chance) / experiments
        yield conservative(f"binomial share {chance:g} of {count}, Clopper-Pearson", share, experiments)
    skewed = random.lognormal(sigma=1.5, size=(experiments, 100))
    share = covered(map(median_interval, skewed[:, :30]), 1.0) / experiments
    yield conservative("median of a lognormal, 30 values", share, experiments)
    for probability, z in ((0.1, -1.2815515655446004), (0.9, 1.2815515655446004)):
        intervals = (quantile_interval(row, probability) for row in skewed)
        share = covered(intervals, math.exp(1.5 * z)) / experiments
        yield conservative(f"quantile {probability:g} of a lognormal, 100 values", share, experiments)
    counts = random.poisson(3.0, (experiments, 25)).astype(float)
    share = covered(map(median_interval, counts), 3.0) / experiments
    yield conservative("median of a Poisson number, 25 values", share, experiments)


def at_the_stop(
    experiments: int, rule: StoppingRule, truth: float, draw: Callable[[int, int], Floats], batch: int
) -> tuple[int, float]:
    """Return how many intervals contain the true value when the rule stops, and the mean number of replications.

    `draw(rows, columns)` returns new replications; `batch` of them are simulated at a time.
    """
    contained, used = 0, 0
    known = np.zeros((experiments, 0))
    while known.shape[0]:
        known = np.hstack([known, draw(known.shape[0], batch)])
        unfinished = []
        for row in known:
            progress = rule.assess({"x": row})
            if progress.done:
                contained += progress.measures["x"].interval.contains(truth)
                used += progress.count
            else:
                unfinished.append(row)
        known = np.array(unfinished).reshape(len(unfinished), known.shape[1])
    return contained, used / experiments


def sequential(experiments: int) -> Iterator[Figure]:
    """Measure the coverage of the intervals at the stop, at two precisions of each kind."""
    random = np.random.default_rng(2)
    services = (SERVICE, 0.9 * SERVICE)
    first, second = (exact_wait(RATE, service, CUSTOMERS) for service in services)

    def wait(rows: int, columns: int) -> Floats:
        return waits(random, (rows, columns))[0]

    def difference(rows: int, columns: int) -> Floats:
        before, after = waits(random, (rows, columns), services)
        return after - before

    for name, truth, draw, precision in (
        ("M/M/1 mean wait", first, wait, Precision(relative=0.1)),
        ("M/M/1 mean wait", first, wait, Precision(relative=0.05)),
        ("M/M/1 paired difference", second - first, difference, Precision(absolute=0.1)),
        ("M/M/1 paired difference", second - first, difference, Precision(absolute=0.04)),
    ):
        rule = StoppingRule(measures={"x": precision})
        contained, mean = at_the_stop(experiments, rule, truth, draw, 200)
        low = share_interval(contained, experiments).low
        title = (
            f"{name} to {precision}: lower bound of {contained / experiments:.4f}, {mean:,.0f} replications"
        )
        yield figures.at_least(title, low, 0.92 - slack(experiments))


def worst_precision(experiments: int) -> Iterator[Figure]:
    """Measure the coverage for normal values at the precisions where the rule stops soonest after its first looks."""
    random = np.random.default_rng(3)
    shares = {}
    for wanted in (15, 20, 25, 30, 40, 60, 100):
        rule = StoppingRule(measures={"x": Precision(absolute=1.96 / math.sqrt(wanted))})
        contained, _ = at_the_stop(experiments, rule, 0.0, lambda r, c: random.normal(size=(r, c)), 200)
        shares[wanted] = contained / experiments
    worst = min(shares, key=lambda wanted: shares[wanted])
    promised = 0.95 - 3.0 * math.sqrt(0.95 * 0.05 / experiments)  # three standard errors: the lowest of seven
    yield figures.at_least(
        f"worst of {len(shares)} precisions (where {worst} would do)", shares[worst], promised
    )


def families(experiments: int) -> Iterator[Figure]:
    """Measure how often at least one of 20 comparisons with a baseline is called different, where none is."""
    random = np.random.default_rng(4)
    by_holm = by_interval = 0
    for _ in range(experiments):
        common = random.standard_exponential(30)
        scenarios = common + 0.5 * random.standard_exponential((21, 30))
        p_values = [mean_p_value(scenario - scenarios[0]) for scenario in scenarios[1:]]
        by_holm += bool(holm(p_values).min() <= 0.05)
        intervals = simultaneous_intervals(scenarios[0], list(scenarios[1:]))
        by_interval += any(not interval.contains(0.0) for interval in intervals)
    limit = 0.06 + slack(experiments)
    yield figures.at_most("familywise error of 20 comparisons, Holm", by_holm / experiments, limit)
    yield figures.at_most("familywise error of 20 intervals", by_interval / experiments, limit)


def selection(experiments: int) -> Iterator[Figure]:
    """Measure how often the best is selected when all others are worse by exactly the indifference zone."""
    random = np.random.default_rng(5)
    rule = SelectionRule(difference=1.0, first=10)
    promised = rule.confidence - 2.0 * math.sqrt(0.95 * 0.05 / experiments)
    for deviations, best, common in (
        ((2, 2, 2, 2), 0, 0.0),
        ((2, 2, 2, 2), 0, 3.0),
        ((1, 1, 6, 1), 2, 0.0),
        ((6, 1, 1, 1), 3, 0.0),
        ((1, 6, 1, 1), 3, 0.0),
        ((1, 6, 1, 1), 2, 3.0),
    ):
        right = used = 0
        for _ in range(experiments):
            results = random.normal(size=(4, 1200)) * np.array(deviations)[:, None]
            results += common * random.normal(size=1200)
            results[best] -= 1.0
            chosen = rule.assess(results)
            right += chosen.best == best
            used += chosen.count
        shared = ", common random numbers" if common else ""
        title = f"deviations {deviations}, best {best}{shared}; {used / experiments:.0f} replications"
        yield figures.at_least(title, right / experiments, promised)


def sections(experiments: int) -> list[Section]:
    """Return all sections by title."""
    return [
        ("coverage", lambda: fixed_replications(experiments)),
        ("sequential stopping", lambda: sequential(experiments)),
        ("sequential stopping, normal values", lambda: worst_precision(experiments)),
        ("many comparisons", lambda: families(experiments)),
        ("selection of the best", lambda: selection(experiments)),
    ]


def main() -> int:
    """Measure and print; return 1 if a line fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--only", default="", help="sections whose title contains this")
    options = parser.parse_args()
    chosen = [section for section in sections(SIZES[options.size]) if options.only in section[0]]
    return figures.run("experiments", chosen)


if __name__ == "__main__":
    sys.exit(main())
