"""Samples of a run: what a target is measured on, chunk by chunk, and statistics with 95 % confidence intervals."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Z95 = 1.959964


class Estimate(NamedTuple):
    """A measured value, its 95 % confidence interval, and the size of the sample."""

    value: float
    low: float
    high: float
    number: int


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def wilson(count: float, of: float) -> Estimate:
    """Return a share in %, with Wilson's interval."""
    if of == 0:
        return NOTHING
    p, z = count / of, Z95
    centre = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return Estimate(100 * p, 100 * (centre - half), 100 * (centre + half), int(of))


def share(values: Array) -> Estimate:
    """Return the share of true values in %."""
    return wilson(float(values.sum()), len(values))


def mean(values: Array) -> Estimate:
    """Return the mean, with the interval of the normal distribution."""
    if len(values) < 2:
        return NOTHING
    value, half = float(values.mean()), Z95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(value, value - half, value + half, len(values))


def quantile(values: Array, q: float) -> Estimate:
    """Return a quantile, with the interval of the order statistics."""
    if len(values) < 2:
        return NOTHING
    ordered, n = np.sort(values), len(values)
    half = Z95 * math.sqrt(n * q * (1 - q))
    low, high = int(max(0, math.floor(n * q - half))), int(min(n - 1, math.ceil(n * q + half)))
    return Estimate(float(np.quantile(ordered, q)), float(ordered[low]), float(ordered[high]), n)


def median(values: Array) -> Estimate:
    """Return the median."""
    return quantile(values, 0.5)


def upper_quartile(values: Array) -> Estimate:
    """Return the upper quartile."""
    return quantile(values, 0.75)


def roc_area(values: Array) -> Estimate:
    """Return the area under the ROC curve of a score for an outcome, with the interval of Hanley and McNeil.

    `values` has two columns: the score, larger for those expected to have the outcome, and the outcome (0 or 1).
    """
    score, outcome = values[:, 0], values[:, 1].astype(bool)
    cases, others = int(outcome.sum()), int((~outcome).sum())
    if not cases or not others:
        return NOTHING
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    area = float((ranks[outcome].sum() - cases * (cases + 1) / 2) / (cases * others))
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (cases - 1) * (q1 - area**2) + (others - 1) * (q2 - area**2)
    half = Z95 * math.sqrt(max(0.0, spread) / (cases * others))
    return Estimate(area, area - half, area + half, cases + others)


def inversions(values: Array) -> Estimate:
    """Return how often the mean of the outcome falls from one class to the next.

    `values` has two columns: class and outcome. Classes with fewer than 20 are left out. There is no interval.
    """
    means = [
        float(values[values[:, 0] == each, 1].mean())
        for each in np.unique(values[:, 0])
        if (values[:, 0] == each).sum() >= 20
    ]
    if len(means) < 2:
        return NOTHING
    found = float((np.diff(means) < 0).sum())
    return Estimate(found, found, found, len(values))


def _two(values: Array) -> tuple[Array, Array]:
    return values[values[:, 0] == 0, 1], values[values[:, 0] == 1, 1]


def median_difference(values: Array) -> Estimate:
    """Return the median of group 0 less that of group 1; `values` has two columns: group and value."""
    one, other = map(median, _two(values))
    if not one.number or not other.number:
        return NOTHING
    value = one.value - other.value
    half = math.hypot((one.high - one.low) / 2, (other.high - other.low) / 2)
    return Estimate(value, value - half, value + half, len(values))


def ratio(values: Array) -> Estimate:
    """Return the share of group 1 over that of group 0, with Katz's interval; two columns: group and outcome."""
    one, other = _two(values)
    if not one.sum() or not other.sum():
        return NOTHING
    value = float(other.mean() / one.mean())
    spread = Z95 * math.sqrt(1 / other.sum() - 1 / len(other) + 1 / one.sum() - 1 / len(one))
    return Estimate(value, value * math.exp(-spread), value * math.exp(spread), len(values))


def odds_ratio(values: Array) -> Estimate:
    """Return the odds of group 1 over those of group 0, with Woolf's interval; two columns: group and outcome."""
    one, other = _two(values)
    cells = [other.sum(), len(other) - other.sum(), one.sum(), len(one) - one.sum()]
    if min(cells) < 1:
        return NOTHING
    value = float(cells[0] * cells[3] / (cells[1] * cells[2]))
    spread = Z95 * math.sqrt(sum(1 / float(cell) for cell in cells))
    return Estimate(value, value * math.exp(-spread), value * math.exp(spread), len(values))


STATISTICS = {
    "share": share,
    "mean": mean,
    "median": median,
    "upper quartile": upper_quartile,
    "ROC area": roc_area,
    "inversions": inversions,
    "median difference": median_difference,
    "ratio": ratio,
    "odds ratio": odds_ratio,
}
"""By name in targets.csv."""
