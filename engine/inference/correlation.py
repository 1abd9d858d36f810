"""Rank correlation: whether a result rises or falls with a factor, whatever the shape.

Sources: C. Spearman, American Journal of Psychology 15 (1904), pp. 72-101; for the interval, D. G. Bonett and T. A.
Wright, Psychometrika 65 (2000), pp. 23-28: Fisher's transformation with the variance (1 + r**2 / 2) / (n - 3); for the
p-value, M. G. Kendall and A. Stuart, The Advanced Theory of Statistics, vol. 2 (3rd ed. 1973): Student's t with n - 2
degrees of freedom.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.inference.distributions import check_confidence, normal_quantile, t_cdf
from engine.inference.intervals import Floats, Interval


def rank_correlation(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return Spearman's rank correlation with an approximate interval; equal values share their mean rank.

    Parameters
    ----------
    a, b
        Shape (n,). A pair with NaN in either is left out and counted as missing.
    confidence
        Above 0 and below 1.

    Returns
    -------
    Interval
        NaN where one of the two does not vary; without bounds with fewer than four pairs.

    >>> round(rank_correlation([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 9.0, 16.0, 25.0]).estimate, 3)
    0.9
    """
    check_confidence(confidence)
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(
            f"pairs: got arrays of shapes {first.shape} and {second.shape}; allowed: one value each"
        )
    there = ~(np.isnan(first) | np.isnan(second))
    n, missing = int(there.sum()), int((~there).sum())
    x, y = (_ranks(values[there]) for values in (first, second))
    x, y = x - x.mean() if n else x, y - y.mean() if n else y
    size = math.sqrt(float((x * x).sum() * (y * y).sum()))
    if size == 0.0:
        return Interval(math.nan, math.nan, math.nan, n, missing)
    r = min(1.0, max(-1.0, float((x * y).sum()) / size))
    if n < 4:
        return Interval(r, math.nan, math.nan, n, missing)
    if abs(r) == 1.0:
        return Interval(r, r, r, n, missing)
    half = normal_quantile(0.5 + 0.5 * confidence) * math.sqrt((1.0 + 0.5 * r * r) / (n - 3))
    return Interval(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), n, missing)


def rank_p_value(correlation: Interval) -> float:
    """Return the two-sided p-value of no correlation, of the result of `rank_correlation`.

    NaN without a correlation, or with fewer than four pairs. It is at least 2 / n!, the probability that chance puts
    all ranks in the same or the opposite order.

    >>> round(rank_p_value(Interval(0.5, -0.1, 0.8, 12)), 4)
    0.0979
    """
    r, n = correlation.estimate, correlation.count
    if n < 4 or math.isnan(r):
        return math.nan
    least = 2.0 * math.exp(-math.lgamma(n + 1.0))
    if abs(r) >= 1.0:
        return least
    return max(least, 2.0 * t_cdf(-abs(r) * math.sqrt((n - 2) / (1.0 - r * r)), n - 2))


def _ranks(values: Floats) -> Floats:
    """Return ranks from 1; equal values have the mean of theirs."""
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Floats = (last - 0.5 * (count - 1))[which]
    return ranks
