"""Many comparisons at once: adjusted p-values, and intervals against a baseline that hold together.

Twenty comparisons of scenarios that do not differ give at least one "significant" difference in about two of three
experiments if each is tested at 0.05. The procedures here bound the probability of any false claim instead. None of
them assumes that the comparisons are independent, so they hold under common random numbers, where all share a baseline
and the draws.

Sources: S. Holm, Scandinavian Journal of Statistics 6 (1979), pp. 65-70; for Bonferroni with paired t intervals under
common random numbers, A. M. Law, Simulation Modeling and Analysis (5th ed. 2015), section 10.3.1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError, shown
from engine.inference.distributions import check_confidence
from engine.inference.intervals import Floats, Interval, paired_interval


def holm(p_values: ArrayLike) -> Floats:
    """Return p-values adjusted by Holm's step-down method; each at most 1.

    To claim every difference whose adjusted p-value is at most alpha makes a false claim with a probability of at most
    alpha, however many are true and however they depend on each other.

    Parameters
    ----------
    p_values
        Shape (m,). NaN where there is no test: it stays NaN and does not count.

    Returns
    -------
    Shape (m,), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    given = np.asarray(p_values, dtype=np.float64)
    if given.ndim != 1:
        raise InputError(
            f"p_values: got an array of shape {given.shape}; allowed: one p-value per comparison"
        )
    outside = given[(given < 0.0) | (given > 1.0)]
    if outside.size:
        raise InputError(f"p_values: got {shown(float(outside[0]))}; allowed: 0 to 1, or NaN without a test")
    tested = np.flatnonzero(~np.isnan(given))
    adjusted = np.full(given.shape, np.nan)
    order = tested[np.argsort(given[tested], kind="stable")]
    weights = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(weights * given[order]))
    return adjusted


def simultaneous_intervals(
    baseline: ArrayLike, alternatives: Sequence[ArrayLike], confidence: float = 0.95
) -> list[Interval]:
    """Return the paired intervals of alternative minus baseline that all hold together with this confidence.

    Bonferroni: each of the m intervals has the confidence 1 - (1 - confidence) / m.

    Parameters
    ----------
    baseline
        Shape (n,): one measure in replications 0 to n - 1; NaN without data.
    alternatives
        For each alternative, shape (n,): the same measure in the same replications.
    confidence
        Of all intervals together.

    >>> a, b = simultaneous_intervals([1.0, 2.0, 4.0], [[2.0, 3.5, 5.0], [1.5, 1.5, 4.0]])
    >>> round(a.estimate, 3), round(b.estimate, 3), round(b.half_width, 3)
    (1.167, 0.0, 1.791)
    """
    check_confidence(confidence)
    if not alternatives:
        return []
    each = 1.0 - (1.0 - confidence) / len(alternatives)
    return [paired_interval(baseline, alternative, each) for alternative in alternatives]
