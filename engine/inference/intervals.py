"""Confidence intervals of what replications yield: means, paired differences, shares, quantiles.

Replications are independent of each other. A value that is not a number stands for a replication in which the measure
has no data; it is left out and counted. An interval is an estimate with two bounds; see `Interval` for what it means
where the data allow no bound.

Sources: A. M. Law, Simulation Modeling and Analysis (5th ed. 2015), sections 4.5 and 10.2 (means and paired
differences); C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), pp. 404-413 (shares); W. J. Conover, Practical
Nonparametric Statistics (3rd ed. 1999), section 3.2 (quantiles).
"""

import math
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError, shown
from engine.inference.distributions import (
    beta_quantile,
    binomial_cdf,
    check_confidence,
    t_cdf,
    t_half_width_factor,
)

Floats = NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True):
    """An estimate and its confidence interval, in the unit of the values.

    Without data all three are NaN. With a single value the bounds are NaN. Where values exist but are too few for a
    bound at the confidence asked for, the bound is -inf or inf. If all values are equal, the interval of a mean has no
    width: see `constant` and `unseen_share` for how little that says.
    """

    estimate: float
    low: float
    high: float
    count: int
    """Values used."""
    missing: int = 0
    """Replications without data."""

    @property
    def half_width(self) -> float:
        """Half of the distance of the bounds; NaN where there are none."""
        return 0.5 * (self.high - self.low)

    @property
    def constant(self) -> bool:
        """Whether two or more values were used and the interval has no width."""
        return self.count > 1 and self.low == self.high

    def contains(self, value: float) -> bool:
        """Whether the value lies between the bounds; the bounds belong to the interval."""
        return self.low <= value <= self.high


def observed(values: ArrayLike, name: str = "values") -> tuple[Floats, int]:
    """Return the values that are numbers, and how many are not.

    Parameters
    ----------
    values
        Shape (n,); NaN where a replication has no data.
    name
        What to call them in an error.

    Raises
    ------
    InputError
        If the array has another shape or holds an infinite value.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InputError(f"{name}: got an array of shape {array.shape}; allowed: one value per replication")
    if np.isinf(array).any():
        first = int(np.flatnonzero(np.isinf(array))[0])
        raise InputError(
            f"{name}[{first}]: got {array[first]}; allowed: a number, or NaN for a replication without data"
        )
    there = array[~np.isnan(array)]
    return there, array.size - there.size


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean with its t interval: exact for normal values, approximate for means of many others.

    Parameters
    ----------
    values
        Shape (n,), one per replication; NaN without data.
    confidence
        Probability with which such intervals contain the true mean, above 0 and below 1.

    >>> interval = mean_interval([4.0, 6.0, 5.0, 9.0, float("nan")])
    >>> interval.count, interval.missing, round(interval.estimate, 3), round(interval.half_width, 3)
    (4, 1, 6.0, 3.437)
    """
    check_confidence(confidence)
    used, missing = observed(values)
    return _mean_interval(used, missing, confidence)


def _mean_interval(used: Floats, missing: int, confidence: float) -> Interval:
    """Return the t interval of values without NaN."""
    n = used.size
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0, missing)
    if n == 1:
        return Interval(float(used[0]), math.nan, math.nan, 1, missing)
    if (used == used[0]).all():
        return Interval(float(used[0]), float(used[0]), float(used[0]), n, missing)
    mean = float(used.mean())
    half = t_half_width_factor(confidence, n - 1) * float(used.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n, missing)


def differences(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return b - a by replication, shape (n,); NaN where either has no data.

    Raises
    ------
    InputError
        If the two have different numbers of replications.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(
            f"pairs: got arrays of shapes {first.shape} and {second.shape}; allowed: the same replications of both"
        )
    for name, array in (("a", first), ("b", second)):
        observed(array, name)
    return second - first


def paired_interval(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of b - a over pairs of replications, with its t interval.

    The two of a pair share their random numbers (seed and replication), which is what makes the interval narrow. A pair
    in which either has no data is left out and counted as missing.

    Parameters
    ----------
    a, b
        Shape (n,): the same replications of two scenarios; NaN without data.
    confidence
        Above 0 and below 1.

    >>> interval = paired_interval([3.0, 5.0, 4.0], [2.0, 3.5, 3.0])
    >>> round(interval.estimate, 3), round(interval.low, 3), round(interval.high, 3)
    (-1.167, -1.884, -0.45)
    """
    check_confidence(confidence)
    used, missing = observed(differences(a, b), "b - a")
    return _mean_interval(used, missing, confidence)


def variance_ratio(a: ArrayLike, b: ArrayLike) -> float:
    """Return (var a + var b) / var(b - a): how many times more independent pairs the same precision would need.

    1 says that pairing gained nothing; below 1, it lost. Pairs in which either has no data are left out. Infinite if
    the difference is the same in all pairs, NaN if a and b do not vary either or if there are fewer than two pairs.
    Law (2015), section 11.2.

    >>> round(variance_ratio([1.0, 2.0, 3.0], [1.0, 2.5, 3.0]), 6)
    25.0
    """
    there = ~np.isnan(differences(a, b))
    if there.sum() < 2:
        return math.nan
    first, second = np.asarray(a, dtype=np.float64)[there], np.asarray(b, dtype=np.float64)[there]
    difference = second - first
    apart = float(first.var(ddof=1) + second.var(ddof=1))
    together = 0.0 if (difference == difference[0]).all() else float(difference.var(ddof=1))
    if together == 0.0:
        return math.nan if apart == 0.0 else math.inf
    return apart / together


def mean_p_value(values: ArrayLike) -> float:
    """Return the two-sided p-value of the hypothesis that the true mean is 0; for pairs, give their differences.

    Student's t test. Where all values are equal t has no meaning: the p-value is then 1 if they are 0, and that of the
    sign test, 2 ** (1 - n), if not. NaN with fewer than two values.

    >>> round(mean_p_value([1.0, 2.0, 3.0, 4.0]), 4)
    0.0305
    """
    used, _ = observed(values)
    n = used.size
    if n < 2:
        return math.nan
    if (used == used[0]).all():
        return 1.0 if used[0] == 0.0 else math.ldexp(1.0, 1 - n)
    t = float(used.mean()) / (float(used.std(ddof=1)) / math.sqrt(n))
    return 2.0 * t_cdf(-abs(t), n - 1)


def unseen_share(count: int, confidence: float = 0.95) -> float:
    """Return the largest share of replications that `count` of them may all have missed, with this confidence.

    If no replication of `count` differed from the others, replications that differ may still be as frequent as this:
    1 - (1 - confidence) ** (1 / count), about 3 / count at 0.95 (J. A. Hanley and A. Lippman-Hand, JAMA 249, 1983,
    pp. 1743-1745).

    >>> round(unseen_share(20), 3)
    0.139
    """
    check_confidence(confidence)
    return 1.0 if count < 1 else -math.expm1(math.log1p(-confidence) / count)


def interval_notes(interval: Interval, confidence: float = 0.95) -> list[str]:
    """Return what a reader of the interval of a mean must know: values that are missing, and values that are all equal.

    >>> interval_notes(mean_interval([2.0, 2.0, float("nan")]))[0]
    'no data in 1 of 3 replications, which are left out'
    """
    notes = []
    if interval.missing:
        of = interval.count + interval.missing
        notes.append(f"no data in {interval.missing} of {of} replications, which are left out")
    if interval.constant:
        unseen = 100.0 * unseen_share(interval.count, confidence)
        notes.append(
            f"all {interval.count} values are equal, so the interval has no width; other values may still occur in "
            f"up to {unseen:.2g} % of replications"
        )
    return notes


def share_interval(successes: int, count: int, confidence: float = 0.95, *, missing: int = 0) -> Interval:
    """Return the share successes / count with its Clopper-Pearson interval.

    It contains the true share with at least this confidence, whatever the share; its bounds are quantiles of beta
    distributions.

    Parameters
    ----------
    successes, count
        Replications (or patients, if independent) with the property, and all of them.
    confidence
        Above 0 and below 1.
    missing
        Replications without data, which `count` does not include.

    >>> interval = share_interval(0, 20)
    >>> interval.low, round(interval.high, 4)
    (0.0, 0.1684)
    """
    check_confidence(confidence)
    if count < 0 or not 0 <= successes <= count:
        raise InputError(f"successes: got {shown(successes)} of {shown(count)}; allowed: 0 to the count")
    if count == 0:
        return Interval(math.nan, math.nan, math.nan, 0, missing)
    tail = 0.5 * (1.0 - confidence)
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, count - successes + 1.0)
    failures = count - successes
    high = 1.0 if failures == 0 else 1.0 - beta_quantile(tail, failures, successes + 1.0)
    return Interval(successes / count, low, high, count, missing)


def quantile_interval(values: ArrayLike, probability: float, confidence: float = 0.95) -> Interval:
    """Return a quantile over replications with its interval between two order statistics.

    It contains the true quantile with at least this confidence, whatever the distribution: the number of values below
    the quantile is binomial. A bound is infinite where the values are too few for it; `quantile_count` says how many
    are needed. The estimate interpolates between the order statistics like `numpy.quantile`, and is moved into the
    interval.

    Parameters
    ----------
    values
        Shape (n,), one per replication; NaN without data.
    probability
        Which quantile, above 0 and below 1; 0.5 is the median.
    confidence
        Above 0 and below 1.

    >>> quantile_interval(range(1, 21), 0.5)
    Interval(estimate=10.5, low=6.0, high=15.0, count=20, missing=0)
    """
    check_confidence(confidence)
    _check_open(probability)
    used, missing = observed(values)
    n = used.size
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0, missing)
    if n == 1:
        return Interval(float(used[0]), math.nan, math.nan, 1, missing)
    ordered = np.sort(used)
    below, above = _order_statistics(n, probability, confidence)
    low = float(ordered[below - 1]) if below >= 1 else -math.inf
    high = float(ordered[above - 1]) if above <= n else math.inf
    estimate = _interpolated(ordered, probability)
    return Interval(min(max(estimate, low), high), low, high, n, missing)


def _interpolated(ordered: Floats, probability: float) -> float:
    """Return what `numpy.quantile` returns for ascending values, without its overhead."""
    rank = probability * (ordered.size - 1)
    below = int(rank)
    part = rank - below
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1.0 - part)


def median_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the median over replications with its interval between two order statistics: see `quantile_interval`."""
    return quantile_interval(values, 0.5, confidence)


def quantile_count(probability: float, confidence: float = 0.95) -> int:
    """Return the least number of values with which `quantile_interval` has two finite bounds.

    >>> quantile_count(0.5), quantile_count(0.95)
    (6, 72)
    """
    check_confidence(confidence)
    _check_open(probability)
    tail = math.log(0.5 * (1.0 - confidence))
    rarer = max(probability, 1.0 - probability)
    return max(2, math.ceil(tail / math.log(rarer) - 1e-12))


def _check_open(probability: float) -> None:
    if not 0.0 < probability < 1.0:
        raise InputError(f"probability: got {shown(probability)}; allowed: above 0 and below 1")


@lru_cache(maxsize=1024)
def _order_statistics(n: int, probability: float, confidence: float) -> tuple[int, int]:
    """Return the ranks of the bounds of a quantile, from 1 to n; 0 and n + 1 where there is no bound.

    The lower rank is the largest r with P(B < r) <= (1 - confidence) / 2 for the binomial number B of values that do
    not exceed the quantile, the upper one the smallest r with P(B >= r) <= (1 - confidence) / 2.
    """
    tail = 0.5 * (1.0 - confidence)
    lower, beyond = 0, n + 1
    while beyond - lower > 1:
        middle = (lower + beyond) // 2
        if binomial_cdf(middle - 1, n, probability) <= tail:
            lower = middle
        else:
            beyond = middle
    upper, short = n + 1, 0
    while upper - short > 1:
        middle = (short + upper) // 2
        if binomial_cdf(n - middle, n, 1.0 - probability) <= tail:
            upper = middle
        else:
            short = middle
    return lower, upper
