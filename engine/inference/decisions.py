"""Decisions about a mean or a share against a limit that may be looked at after any number of replications.

An interval of a fixed number of replications errs more often than promised if it is looked at again and again until it
says something. The bounds here are confidence sequences: with the stated probability they contain the true value after
every number of replications at once, so it is right to stop as soon as they exclude the limit.

**A share** (of the replications in which something holds). For a limit p, the likelihood of the results is averaged
over all shares above p, each as likely as the other, and divided by the likelihood of p. If the true share is p or
less, this ratio is a nonnegative supermartingale that begins with 1, so that it ever reaches 1 / error with a
probability of at most `error` (J. Ville, Étude critique de la notion de collectif, 1939). Then the share is above p.
Likewise below. Nothing is assumed but independent replications. H. Robbins, Annals of Mathematical Statistics 41
(1970), pp. 1397-1409, introduced such mixtures; S. R. Howard et al., Annals of Statistics 49 (2021), pp. 1055-1080,
have the theory.

**A mean.** The likelihood of Student's t is averaged over standardised means, which are normal around 0 with the
variance 1, and divided by the one of the mean 0. For normal values of any variance this ratio is a nonnegative
martingale (T. L. Lai, Annals of Statistics 4 (1976), pp. 265-280; H. Wang and A. Ramdas, Anytime-valid t-tests and
confidence sequences for Gaussian means with unknown variance, Sequential Analysis 44 (2025), pp. 56-110). For other
values it is one approximately, as for every t interval; LEAST_VALUES keeps a decision from resting on a few skewed
values.

**Equal values** have no variance to judge by. That n values are equal bounds how often others occur: in fewer than
1 - error**(1/n) of the replications. It does not bound a mean, since nothing is known of how large the others are. So
equal values decide nothing until that share is below MOST_UNSEEN; then they count as if there were no others. The
confidence of such a decision is about the share, not about the mean, and whoever reports it must say so (`all_equal`).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError, shown
from engine.inference.distributions import beta_cdf, check_confidence
from engine.inference.intervals import Floats, Interval, observed

LEAST_VALUES = 50
"""Fewest values for a decision about a mean. With 20, means of skewed values are called too low twice as often."""
MOST_UNSEEN = 0.01
"""Equal values decide about a mean when others are known to occur in no more than this share of replications."""
_ROUNDING = 1e-9
"""Values that differ by less than this share of the largest are equal."""
_STEPS = 36
"""Bisections of a bound of a share, which is then known to 1e-11."""

Verdict = Literal["met", "missed", "too close", "open"]
"""Whether a limit is kept: yes or no with the stated error, within the indifference of the limit, or not known yet."""


class Decision(msgspec.Struct, frozen=True):
    """What is known of a requirement after some replications."""

    verdict: Verdict
    interval: Interval
    """Of the mean or the share; valid whenever it is looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """A limit on the mean of a measure, or on the share of replications that keep one.

    Parameters
    ----------
    at_most, at_least
        The limit of the measure; exactly one of them.
    probability
        The least share of the replications that must keep the limit, above 0 and below 1; None: the mean must.
    indifference
        How near to `probability` (or, for a mean, to the limit) the truth is no matter: if it is known to be that near,
        the verdict is "too close". 0: never.

    Raises
    ------
    InputError
        If a value makes no sense.

    >>> requirement = Requirement(at_most=120.0, probability=0.9)
    >>> requirement.decide([100.0] * 60, 0.025, 0.025).verdict
    'met'
    """

    at_most: float | None = None
    at_least: float | None = None
    probability: float | None = None
    indifference: float = 0.0

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise InputError("requirement: got both or none of at_most and at_least; allowed: one of them")
        if not _is_finite(self.limit):
            raise InputError(f"requirement: got the limit {shown(self.limit)}; allowed: a number")
        if self.probability is not None and not (_is_finite(self.probability) and 0 < self.probability < 1):
            hint = ""
            if _is_finite(self.probability) and 1 < self.probability < 100:
                hint = f"; did you mean {self.probability / 100:g}?"
            raise InputError(
                f"probability: got {shown(self.probability)}; allowed: above 0 and below 1, the share of the "
                f"replications that must keep the limit{hint}"
            )
        if not (_is_finite(self.indifference) and self.indifference >= 0):
            raise InputError(f"indifference: got {shown(self.indifference)}; allowed: 0 or more")

    @property
    def limit(self) -> float:
        """The limit of the measure."""
        return self.at_least if self.at_most is None else self.at_most  # type: ignore[return-value]

    def keeps(self, values: Floats) -> NDArray[np.bool_]:
        """Return which values are within the limit, in the same shape; NaN is not."""
        return values <= self.limit if self.at_least is None else values >= self.limit

    def decide(self, values: ArrayLike, met_error: float, missed_error: float) -> Decision:
        """Return what the values of the replications say.

        Parameters
        ----------
        values
            Shape (n,): the measure by replication, in order; NaN without data, which is left out.
        met_error, missed_error
            Probability of ever saying "met" where the requirement is not met, and of ever saying "missed" where it is.

        Raises
        ------
        InputError
            If the array has another shape or holds an infinite value.
        """
        used, missing = observed(values)
        if self.probability is None:
            return self._decide_mean(used, missing, met_error, missed_error)
        kept = self.keeps(used)
        interval = share_sequence(int(kept.sum()), used.size, met_error, missed_error, missing=missing)
        return Decision(
            self._verdict(interval.low >= self.probability, interval.high < self.probability, interval),
            interval,
        )

    def _decide_mean(self, used: Floats, missing: int, met_error: float, missed_error: float) -> Decision:
        lower = self.at_least is None
        low_error, high_error = (missed_error, met_error) if lower else (met_error, missed_error)
        low, high = mean_sequence(used, low_error).low, mean_sequence(used, high_error).high
        interval = Interval(float(used.mean()) if used.size else math.nan, low, high, used.size, missing)
        met = high <= self.limit if lower else low >= self.limit
        missed = low > self.limit if lower else high < self.limit
        if used.size < LEAST_VALUES:
            met = missed = False
        return Decision(self._verdict(met, missed, interval), interval)

    def _verdict(self, met: bool, missed: bool, interval: Interval) -> Verdict:
        """Return the verdict; a requirement that is met and near is met."""
        if met or missed:
            return "met" if met else "missed"
        center = self.limit if self.probability is None else self.probability
        near = self.indifference
        if near > 0.0 and center - near <= interval.low and interval.high <= center + near:
            return "too close"
        return "open"


def share_sequence(
    successes: int, count: int, low_error: float, high_error: float, *, missing: int = 0
) -> Interval:
    """Return the share successes / count between two bounds that hold after every number of replications.

    Parameters
    ----------
    successes, count
        Replications with the property, and all of them.
    low_error, high_error
        Probability that the true share is ever below the lower bound, and that it is ever above the upper one.
    missing
        Replications without data, which `count` does not include.

    >>> interval = share_sequence(100, 100, 0.025, 0.025)
    >>> round(interval.low, 3), interval.high
    (0.948, 1.0)
    """
    check_confidence(1.0 - low_error)
    check_confidence(1.0 - high_error)
    if count < 0 or not 0 <= successes <= count:
        raise InputError(f"successes: got {shown(successes)} of {shown(count)}; allowed: 0 to the count")
    if count == 0:
        return Interval(math.nan, 0.0, 1.0, 0, missing)
    low = _lower_share(successes, count, low_error)
    high = 1.0 - _lower_share(count - successes, count, high_error)
    return Interval(successes / count, low, high, count, missing)


@lru_cache(maxsize=65536)
def _lower_share(successes: int, count: int, error: float) -> float:
    """Return the largest share that is known to be exceeded, by bisection; 0 without a success."""
    low, high = 0.0, successes / count
    wanted = -math.log(error)
    for _ in range(_STEPS if successes else 0):
        middle = 0.5 * (low + high)
        if share_evidence(successes, count, middle) >= wanted:
            low = middle
        else:
            high = middle
    return low


def share_evidence(successes: int, count: int, limit: float) -> float:
    """Return the logarithm of the evidence that a share exceeds a limit: the mean likelihood ratio of shares above it.

    If the share does not, the evidence ever exceeds log(1 / error) with a probability of at most `error`.

    >>> round(share_evidence(10, 10, 0.5), 2)
    5.23
    """
    failures = count - successes
    above = beta_cdf(1.0 - limit, failures + 1.0, successes + 1.0)
    if above <= 0.0:
        return -math.inf
    whole = math.lgamma(successes + 1.0) + math.lgamma(failures + 1.0) - math.lgamma(count + 2.0)
    at_limit = successes * math.log(limit) + failures * math.log1p(-limit)
    return whole + math.log(above) - math.log1p(-limit) - at_limit


def mean_sequence(values: ArrayLike, error: float) -> Interval:
    """Return the mean between two bounds that hold after every number of replications.

    Parameters
    ----------
    values
        Shape (n,), one per replication; NaN without data.
    error
        Probability that the true mean is ever outside.

    Returns
    -------
    Interval
        Infinite bounds where the values are too few. If all values are equal it has no width from `equal_count` values
        on: then other values are known to be rare, and nothing is known of their size.

    >>> interval = mean_sequence([float(i % 5) for i in range(100)], 0.05)
    >>> round(interval.low, 3), round(interval.high, 3)
    (1.524, 2.476)
    """
    check_confidence(1.0 - error)
    used, missing = observed(values)
    n = used.size
    if n == 0:
        return Interval(math.nan, -math.inf, math.inf, 0, missing)
    mean = float(used.mean())
    squares = 0.0 if all_equal(used) else float(((used - mean) ** 2).sum())
    half = float(sequence_half_widths(np.array(float(n)), np.array(squares), error))
    return Interval(mean, mean - half, mean + half, n, missing)


def equal_count(error: float) -> int:
    """Return how many equal values show that others occur in at most MOST_UNSEEN of the replications.

    If others occur more often, so many values are all equal with a probability of at most `error`. This holds whenever
    it is looked at, since later values do not make the first ones equal.

    >>> equal_count(0.05)
    299
    """
    check_confidence(1.0 - error)
    return math.ceil(math.log(error) / math.log1p(-MOST_UNSEEN))


def all_equal(values: ArrayLike, scale: float = 0.0) -> bool:
    """Whether two or more values are the same, apart from rounding; NaN is left out.

    Parameters
    ----------
    values
        Shape (n,).
    scale
        Size of the numbers whose differences the values are, if they are differences: rounding is relative to it.

    >>> all_equal([0.1 + 0.2, 0.3, float("nan")]), all_equal([1.0]), all_equal([1.0, 2.0])
    (True, False, False)
    """
    used, _ = observed(values)
    if used.size < 2:
        return False
    return float(np.ptp(used)) <= _ROUNDING * max(scale, float(np.abs(used).max()))


def sequence_half_widths(count: Floats, squares: Floats, error: float) -> Floats:
    """Return half of the width of `mean_sequence`, for many means at once.

    With x = t**2 / (n - 1) the ratio of the likelihoods is (1 + n)**(-1/2) ((1 + x) / (1 + x / (1 + n)))**(n / 2). The
    bounds are where it is 1 / error, if it reaches that at all.

    Parameters
    ----------
    count
        Values of each mean, any shape.
    squares
        Sums of the squared deviations from the mean, the same shape; 0 where all values are equal.
    error
        As in `mean_sequence`.
    """
    n = np.maximum(count, 1.0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        factor = np.exp((0.5 * np.log1p(n) - math.log(error)) * 2.0 / n)
        reached = (factor < 1.0 + n) & (count >= 2)
        x = np.where(reached, (factor - 1.0) / (1.0 - factor / (1.0 + n)), np.inf)
        half = np.sqrt(x * squares / n)
    equal: NDArray[np.bool_] = squares <= 0.0
    enough = n >= equal_count(error)
    found: Floats = np.where(equal, np.where(enough, 0.0, np.inf), np.where(reached, half, np.inf))
    return found


def _is_finite(value: Any) -> bool:
    """Whether it is a number, and neither a truth value nor infinite nor NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
