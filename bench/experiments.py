"""The statistics of experiments (engine.inference) against their promises, with fixed seeds; fails if one is broken.

`make bench-experiments` runs 4,000 experiments of each kind whose true answer is known, and counts how often the
interval contains it. `--size small` runs 400 of each, with the same requirements less the larger sampling error.

The queue is M/M/1, empty at the start. Its waits follow Lindley's recursion. Their exact means follow from the number
of others that a customer finds: a Markov chain over the arrivals, since the next event is an arrival with probability
lambda / (lambda + mu) whatever came before.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench import experiment_decisions, figures
from bench.figures import Figure, Section
from engine.experiments import split_variance
from engine.inference import (
    Factor,
    Interval,
    Precision,
    SelectionRule,
    StoppingRule,
    holm,
    mean_interval,
    mean_p_value,
    median_interval,
    morris_design,
    morris_indices,
    paired_interval,
    quantile_interval,
    rank_correlation,
    rank_p_value,
    share_interval,
    simultaneous_intervals,
    sobol_index_design,
    sobol_indices,
)

Floats = NDArray[np.float64]

SIZES = {"small": 400, "full": 4000}
"""Experiments of each kind."""
CUSTOMERS = 40
"""Customers of one replication of the queue; its result is their mean wait."""
ROUNDING = 1e-9
"""Rounding error of an index where the interval has no width."""
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
    for confidence, z in ((0.95, 1.96), (0.99, 2.576)):
        shares = {}
        for wanted in (15, 20, 25, 30, 40, 60, 100):
            precision = Precision(absolute=z / math.sqrt(wanted))
            rule = StoppingRule(measures={"x": precision}, confidence=confidence)
            contained, _ = at_the_stop(
                experiments, rule, 0.0, lambda rows, columns: random.normal(size=(rows, columns)), 200
            )
            shares[wanted] = contained / experiments
        worst = min(shares, key=lambda wanted: shares[wanted])
        error = math.sqrt(confidence * (1.0 - confidence) / experiments)
        title = f"{confidence:g}: worst of {len(shares)} precisions (where {worst} would do)"
        yield figures.at_least(title, shares[worst], confidence - 3.0 * error)  # 3: the lowest of seven


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


# --- sensitivity


def ishigami(units: Floats) -> Floats:
    """Return Ishigami's function (a = 7, b = 0.1) at coordinates from 0 to 1, shape (n, 3)."""
    x = math.pi * (2.0 * units - 1.0)
    result: Floats = np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    return result


def ishigami_indices() -> tuple[Floats, Floats]:
    """Return the exact first-order and total indices (T. Ishigami and T. Homma, 1990)."""
    b = 0.1 * math.pi**4 / 5.0
    alone, curved, both = 0.5 * (1.0 + b) ** 2, 49.0 / 8.0, 8.0 * 0.01 * math.pi**8 / 225.0
    variance = alone + curved + both
    return np.array([alone, curved, 0.0]) / variance, np.array([alone + both, curved, both]) / variance


def exact_effects(function: Callable[[Floats], Floats], grid: int) -> tuple[Floats, Floats]:
    """Return the exact mu and mu* of a function of three coordinates, over all steps that the grid of Morris allows."""
    level = np.arange(grid) / (grid - 1)
    half = grid // 2
    points = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    values = function(points).reshape(grid, grid, grid)
    steps = [np.moveaxis(values, axis, 0) for axis in range(3)]
    effects = [(each[half:] - each[:half]) / (half / (grid - 1)) for each in steps]
    return np.array([e.mean() for e in effects]), np.array([np.abs(e).mean() for e in effects])


def sensitivity(experiments: int) -> Iterator[Figure]:
    """Compare the indices of Ishigami's function with the exact ones; all intervals of a kind hold with 99 %."""
    factors = [Factor(name=name, low=0.0, high=1.0) for name in ("x1", "x2", "x3")]
    together = 1.0 - 0.01 / 6.0
    units = sobol_index_design(factors, 4096, seed=6).points().units
    assert units is not None
    indices = sobol_indices(ishigami(units), 3, together)
    for name, intervals, exact in zip(("first", "total"), (indices.first, indices.total), ishigami_indices()):
        yield from (
            inside(f"Sobol, {name} index of {factor.name}", interval, value)
            for factor, interval, value in zip(factors, intervals, exact)
        )
    units = morris_design(factors, 400, seed=6).points().units
    assert units is not None
    effects = morris_indices(units, ishigami(units), together)
    mu, mu_star = exact_effects(ishigami, 4)
    for position, factor in enumerate(factors):
        yield inside(f"Morris, mu of {factor.name}", effects[position].mu, mu[position])
        yield inside(f"Morris, mu* of {factor.name}", effects[position].mu_star, mu_star[position])

    random = np.random.default_rng(6)
    hits = np.zeros((2, 3))
    for _ in range(experiments):
        a, b = random.random((2, 500, 3))
        blocks = [a, b]
        for position in range(3):
            block = a.copy()
            block[:, position] = b[:, position]
            blocks.append(block)
        indices = sobol_indices(ishigami(np.vstack(blocks)), 3, resamples=300)
        for row, (intervals, exact) in enumerate(zip((indices.first, indices.total), ishigami_indices())):
            hits[row] += [interval.contains(value) for interval, value in zip(intervals, exact)]
    yield figures.at_least(
        "lowest coverage of six Sobol intervals (bootstrap, 500 base points)",
        float(hits.min()) / experiments,
        0.92 - slack(experiments),
    )


def noise_alone(experiments: int) -> Iterator[Figure]:
    """Measure how often any of many factors is named where none does anything."""
    factors = [Factor(name=f"x{number}", low=0.0, high=1.0) for number in range(20)]
    units = morris_design(factors, 20, seed=7).points().units
    assert units is not None
    random = np.random.default_rng(7)
    repeats = experiments // 4
    limit = experiment_decisions.allowed(0.05, repeats)
    named = 0
    for _ in range(repeats):
        found = morris_indices(units, random.normal(size=(len(units), 5)))
        named += bool(holm([index.p_value for index in found]).min() <= 0.05)
    yield figures.at_most("Morris, any of 20 factors named, 5 replications", named / repeats, limit)
    named = 0
    for _ in range(repeats):
        draws, means = random.random((48, 64)), random.normal(size=64)
        p_values = [rank_p_value(rank_correlation(draw, means)) for draw in draws]
        named += bool(holm(p_values).min() <= 0.05)
    yield figures.at_most("rank correlation, any of 48 assumptions named", named / repeats, limit)


def ignorance(experiments: int) -> Iterator[Figure]:
    """Measure the coverage of the interval of the share of ignorance, with common random numbers and without."""
    random = np.random.default_rng(8)
    repeats = experiments // 4
    for replications, deviations in ((5, (1, 3, 0.5)), (10, (1, 3, 0.5)), (20, (1, 3, 0.5)), (100, (1, 3, 0.5)),
                                     (20, (3, 1, 1))):  # fmt: skip
        own, shared, rest = deviations
        truth = own**2 / (own**2 + shared**2 + rest**2)
        intervals = (
            split_variance(
                own * random.normal(size=(64, 1))
                + shared * random.normal(size=(1, replications))
                + rest * random.normal(size=(64, replications))
            ).share
            for _ in range(repeats)
        )
        share = covered(intervals, truth) / repeats
        title = f"share of ignorance {truth:.2f}, 64 points, {replications} replications"
        yield figures.at_least(title, share, 0.95 - 3.0 * math.sqrt(0.95 * 0.05 / repeats))


def limits(experiments: int) -> Iterator[Figure]:
    """Measure decisions about a share and a mean against a limit that is looked at again and again."""

    def wait(random: np.random.Generator, count: int) -> Floats:
        return waits(random, (count,))[0]

    yield from experiment_decisions.limits(experiments, wait, exact_wait(RATE, SERVICE, CUSTOMERS))


def inside(name: str, interval: Interval, exact: float) -> Figure:
    """Return a figure whose exact value must lie in the interval, apart from rounding."""
    measured = f"{interval.estimate:.4f}, interval {interval.low:.4f} to {interval.high:.4f}"
    met = interval.low - ROUNDING <= exact <= interval.high + ROUNDING
    return Figure(name, measured, f"contains {exact:.4f}", bool(met))


def sections(experiments: int) -> list[Section]:
    """Return all sections by title."""
    return [
        ("coverage", lambda: fixed_replications(experiments)),
        ("sequential stopping", lambda: sequential(experiments)),
        ("sequential stopping, normal values", lambda: worst_precision(experiments)),
        ("many comparisons", lambda: families(experiments)),
        ("selection of the best", lambda: selection(experiments)),
        ("decisions against a limit", lambda: limits(experiments)),
        ("the cheapest point", lambda: experiment_decisions.cheapest(experiments)),
        ("fronts", lambda: experiment_decisions.fronts(experiments)),
        ("chance and ignorance", lambda: ignorance(experiments)),
        ("noise alone", lambda: noise_alone(experiments)),
        ("rare events", lambda: experiment_decisions.rare_events(experiments)),
        ("sensitivity", lambda: sensitivity(experiments)),
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
