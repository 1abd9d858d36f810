"""Chance and ignorance: how much of the spread of results is chance, and how much comes from what is not known.

A second-order Monte Carlo experiment draws the assumptions many times (the points) and simulates some replications of
each draw. Replications differ by chance alone, points also because the assumptions differ. With common random numbers
replication j meets the same casualties at all points, so results are a two-way table: result = mean + ignorance(point)
+ chance(replication) + rest. The analysis of variance of a table with one value in each cell separates the three; the
variance of the points' means would overstate ignorance by the noise of each mean.

Sources: S. R. Searle, G. Casella and C. E. McCulloch, Variance Components (1992), sections 3.6 (one way) and 4.3 (two
ways); Y. Sun, D. W. Apley and J. Staum, Operations Research 59 (2011) 998-1007 (nested simulation of the variance of a
conditional expectation); T. A. Louis, Journal of the American Statistical Association 79 (1984) 393-398 (the shrunken
means, whose spread is that of what they estimate).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.inference import Factor, Interval, beta_quantile, check_confidence, latin_hypercube

Table = NDArray[np.float64]

_DRAWS = 5_000
"""Draws of the interval of the share."""


class Drawn(Protocol):
    """What is drawn: an assumption or a factor."""

    def at(self, unit: float) -> Any:
        """Return the value at a quantile, 0 to 1."""


class Assumed(NamedTuple):
    """Joint draws of assumptions."""

    rows: list[tuple[Any, ...]]
    """By point, a value of each assumption."""
    units: Table
    """Shape (points, assumptions): their quantiles."""


class Split(NamedTuple):
    """The spread of a result, separated into chance and ignorance. Variances are in the squared unit of the result."""

    mean: float
    """Over all points and replications."""
    mean_error: float
    """Standard error of all points' means together, by chance: more replications make it smaller."""
    ignorance: float
    """Variance of the mean between points."""
    chance: float
    """Variance between replications of a point."""
    share: Interval
    """Share of ignorance in the variance of a single result, with its interval: for normal values exact, with common
    random numbers approximate."""
    mean_range: tuple[float, float]
    """Where the mean lies, given what is not known: in so many of the points (`level`)."""
    result_range: tuple[float, float]
    """Where a single replication lies, given chance and what is not known."""
    level: float
    """Probability of the two ranges."""
    points: int
    """Points with data."""
    replications: int
    """Replications of each point that were used."""
    missing: int
    """Replications that were left out, because a point has no data in them."""


def assumption_points(ranges: Sequence[Drawn], points: int, seed: int = 0) -> Assumed:
    """Return joint draws of assumptions, independent of each other: a Latin hypercube of their quantiles.

    Each assumption has one draw in each of `points` equally probable parts of its distribution.

    Parameters
    ----------
    ranges
        The assumptions.
    points
        Number of draws, 2 or more.
    seed
        Selects the draws.

    Raises
    ------
    InputError
        If there are no assumptions, fewer than two points, or SciPy is missing.
    """
    units_of = [Factor(name=str(number), low=0.0, high=1.0) for number in range(len(ranges))]
    units = latin_hypercube(units_of, points, seed=seed).points().units
    assert units is not None
    rows = [tuple(each.at(unit) for each, unit in zip(ranges, row, strict=True)) for row in units.tolist()]
    return Assumed(rows, units)


def split_variance(values: Table, common: bool = True, confidence: float = 0.95, level: float = 0.9) -> Split:
    """Separate the spread of a result into chance and ignorance.

    Parameters
    ----------
    values
        Shape (points, replications); NaN where a replication has no data. Replications in which any point has none are
        left out.
    common
        Whether replication j has the same random numbers at all points.
    confidence
        Of the interval of the share.
    level
        Probability of the ranges of the mean and of a single result.

    Raises
    ------
    InputError
        If there are fewer than two points, or fewer than two replications with data at all points.
    """
    check_confidence(confidence)
    if values.ndim != 2 or len(values) < 2:
        raise InputError(
            f"values: got an array of shape {values.shape}; allowed: two or more points by replications"
        )
    there = ~np.isnan(values).any(axis=0)
    used = values[:, there]
    points, count = used.shape
    if count < 2:
        raise InputError(
            f"values: got {count} replications with data at all points; allowed: two or more, which show chance"
        )
    mean, means = float(used.mean()), used.mean(axis=1)
    between = count * float(((means - mean) ** 2).sum()) / (points - 1)
    of_replications = by_replication = 0.0
    if common:
        columns = used.mean(axis=0)
        by_replication = points * float(((columns - mean) ** 2).sum()) / (count - 1)
        rest = used - means[:, None] - columns[None, :] + mean
        degrees = (points - 1) * (count - 1)
        within = float((rest**2).sum()) / degrees
        of_replications = max(0.0, (by_replication - within) / points)
    else:
        degrees = points * (count - 1)
        within = float(((used - means[:, None]) ** 2).sum()) / degrees
    ignorance = max(0.0, (between - within) / count)
    chance = within + of_replications
    shrunk = mean + (means - mean) * _root(ignorance, between / count)
    tail = 0.5 * (1.0 - level)
    return Split(
        mean,
        math.sqrt(of_replications / count + within / (points * count)),
        ignorance,
        chance,
        _common_share(between, by_replication, within, (points, count), confidence)
        if common
        else _share(between, within, (points - 1, degrees), count, confidence),
        _range(shrunk, tail),
        _range(used.ravel(), tail),
        level,
        points,
        count,
        int((~there).sum()),
    )


def _root(part: float, whole: float) -> float:
    return math.sqrt(part / whole) if whole > 0.0 else 0.0


def _share(
    between: float, within: float, degrees: tuple[int, int], count: int, confidence: float
) -> Interval:
    """The share of ignorance without common random numbers, with the interval from the F distribution (exact)."""

    def share(ratio: float) -> float:
        """The share if ignorance has `ratio` times the variance `within`."""
        ignorance = max(0.0, ratio) * within
        return ignorance / (ignorance + within)

    if within <= 0.0:
        found = 1.0 if between > 0.0 else 0.0
        return Interval(found, found, found, degrees[0] + 1)
    tail = 0.5 * (1.0 - confidence)
    f = between / within
    low, high = (share((f / _f_quantile(p, *degrees) - 1.0) / count) for p in (1.0 - tail, tail))
    return Interval(share((f - 1.0) / count), low, high, degrees[0] + 1)


def _common_share(
    between: float, by_replication: float, within: float, shape: tuple[int, int], confidence: float
) -> Interval:
    """The share of ignorance with common random numbers, with its generalised interval.

    For normal values the three mean squares are independent, and each divided by its expectation is a chi-square
    variable divided by its degrees of freedom. So what the expectations may be, given the mean squares, is drawn from
    such variables, and with it the share (S. Weerahandi, Journal of the American Statistical Association 88, 1993, pp.
    899-905). Also the variance between replications is then uncertain, which few replications show badly.
    """
    points, count = shape
    degrees = (points - 1, count - 1, (points - 1) * (count - 1))

    def share(square_of_points: Any, square_of_replications: Any, rest: Any) -> Any:
        ignorance = np.maximum(0.0, square_of_points - rest) / count
        whole = ignorance + rest + np.maximum(0.0, square_of_replications - rest) / points
        return np.where(whole > 0.0, ignorance / np.where(whole > 0.0, whole, 1.0), 0.0)

    found = float(share(between, by_replication, within))
    random = np.random.Generator(np.random.PCG64(0))
    drawn = [
        square * free / random.chisquare(free, _DRAWS)
        for square, free in zip((between, by_replication, within), degrees, strict=True)
    ]
    tail = 0.5 * (1.0 - confidence)
    low, high = np.quantile(share(*drawn), [tail, 1.0 - tail])
    return Interval(found, min(found, float(low)), max(found, float(high)), points)


def _f_quantile(probability: float, upper: int, lower: int) -> float:
    """The quantile of the F distribution, from that of the beta distribution."""
    x = beta_quantile(probability, 0.5 * upper, 0.5 * lower)
    return lower * x / (upper * (1.0 - x))


def _range(values: Table, tail: float) -> tuple[float, float]:
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return float(low), float(high)
