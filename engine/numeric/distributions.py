"""Inverse distribution functions: one uniform in, one value out, with the same bits on every machine.

Every function is non-decreasing in its uniform. With the same draw, a larger rate or share therefore never gives fewer
casualties. A draw takes exactly one uniform, and none is rejected (docs/model.md section 5.2).
"""

import math

from engine.numeric.elementary import exp, log, log_gamma, normal_quantile, uncompiled
from engine.numeric.jit import compiled

CONSTANT, EXPONENTIAL, LOGNORMAL, LOGNORMAL_MEDIAN, GAMMA, ERLANG, TRIANGULAR = range(7)
"""Codes of `continuous`. LOGNORMAL takes mean and SD, LOGNORMAL_MEDIAN median and sigma of the logarithm."""

_NEGLIGIBLE = 1e-19
"""A tail ends at a term that is smaller, in units of the term at the mode: no uniform of 53 bits falls beyond it."""


@compiled
def binomial(uniform: float, trials: int, probability: float) -> int:
    """Return the smallest k with P(Bin(trials, probability) <= k) >= uniform; exact up to 1e9 trials.

    The terms are summed outwards from the mode, in units of the term at the mode, and divided by their sum. That
    needs no log-factorials: those of 1e9 are known only to 4 decimals. The time grows with the standard deviation.

    >>> binomial(0.5, 10, 0.5), binomial(0.99, 10, 0.5), binomial(0.5, 10, 1.0)
    (5, 9, 10)
    """
    if trials <= 0 or not probability > 0.0:
        return 0
    if probability >= 1.0:
        return trials
    odds = probability / (1.0 - probability)
    mode = int(math.floor((trials + 1) * probability))
    if mode > trials:
        mode = trials
    lower = 0.0
    term = 1.0
    last = 0.0  # term of the lowest k that counts
    bottom = mode
    while bottom > 0:
        term = term * (bottom / ((trials - bottom + 1) * odds))
        if term < _NEGLIGIBLE:
            break
        lower += term
        last = term
        bottom -= 1
    upper = 1.0
    term = 1.0
    top = mode
    while top < trials:
        following = term * ((trials - top) * odds / (top + 1))
        if following < _NEGLIGIBLE:
            break
        term = following
        upper += term
        top += 1
    if uniform * (lower + upper) <= lower:  # from the end of the tail, so that no large sums are subtracted
        target = uniform * (lower + upper)
        reached = last
        while reached < target and bottom < mode - 1:
            bottom += 1
            last = last * ((trials - bottom + 1) * odds / bottom)
            reached += last
        return bottom
    target = (1.0 - uniform) * (lower + upper)
    beyond = term  # sum of the terms from `top` on
    while beyond <= target and top > mode:
        term = term * (top / ((trials - top + 1) * odds))
        top -= 1
        beyond += term
    return top


@compiled
def poisson(uniform: float, mean: float) -> int:
    """Return the smallest k with P(Poisson(mean) <= k) >= uniform; exact up to means of 1e9. See `binomial`.

    >>> poisson(0.5, 3.0), poisson(0.99, 3.0), poisson(0.5, 0.0)
    (3, 8, 0)
    """
    if not mean > 0.0:
        return 0
    mode = int(math.floor(mean))
    lower = 0.0
    term = 1.0
    last = 0.0  # term of the lowest k that counts
    bottom = mode
    while bottom > 0:
        term = term * (bottom / mean)
        if term < _NEGLIGIBLE:
            break
        lower += term
        last = term
        bottom -= 1
    upper = 1.0
    term = 1.0
    top = mode
    while True:
        following = term * (mean / (top + 1))
        if following < _NEGLIGIBLE:
            break
        term = following
        upper += term
        top += 1
    if uniform * (lower + upper) <= lower:
        target = uniform * (lower + upper)
        reached = last
        while reached < target and bottom < mode - 1:
            bottom += 1
            last = last * (mean / bottom)
            reached += last
        return bottom
    target = (1.0 - uniform) * (lower + upper)
    beyond = term
    while beyond <= target and top > mode:
        term = term * (top / mean)
        top -= 1
        beyond += term
    return top


@compiled
def gamma_cdf(shape: float, x: float) -> tuple[float, float]:
    """Return the regularised incomplete gamma functions P and Q of (shape, x), where P + Q = 1.

    A series below shape + 1, a continued fraction above: Abramowitz and Stegun 6.5.29, and 6.5.31 by Lentz's method.
    Accurate to about 1e-14.
    """
    if not x > 0.0:
        return 0.0, 1.0
    front = exp(shape * log(x) - x - log_gamma(shape))
    if x < shape + 1.0:
        term = 1.0 / shape
        total = term
        a = shape
        while term > 1e-17 * total:
            a += 1.0
            term = term * x / a
            total += term
        below = front * total
        return below, 1.0 - below
    b = x + 1.0 - shape
    c = 1e300
    d = 1.0 / b
    h = d
    i = 0
    while i < 100_000:
        i += 1
        an = i * (shape - i)
        b += 2.0
        d = an * d + b
        if abs(d) < 1e-300:
            d = 1e-300
        c = b + an / c
        if abs(c) < 1e-300:
            c = 1e-300
        d = 1.0 / d
        factor = d * c
        h *= factor
        if abs(factor - 1.0) < 1e-16:
            break
    above = front * h
    return 1.0 - above, above


@compiled
def gamma(uniform: float, shape: float) -> float:
    """Return a quantile of the gamma distribution with this shape and scale 1; relative error about 1e-10.

    Newton's method on y = log x, within a bracket. It starts from Wilson and Hilferty's approximation (1931), and for
    shapes up to 1 from the lower tail, where P(shape, x) is nearly x**shape / Gamma(shape + 1).
    """
    log_norm = log_gamma(shape)
    tail = (log(uniform) + log_gamma(shape + 1.0)) / shape
    y = tail
    if shape > 1.0 or tail > -1.0:
        z = normal_quantile(uniform)
        root = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * math.sqrt(shape))
        if root > 0.1:
            y = log(shape * root * root * root)
        elif tail > 0.0:
            y = 0.0
    if tail < -40.0:
        return exp(tail)  # the correction x * shape / (shape + 1) is far below 1e-16
    low = -745.0
    high = log(shape + 40.0 * math.sqrt(shape) + 60.0)
    for _ in range(200):
        if not low < y < high:
            y = 0.5 * (low + high)
        x = exp(y)
        below, above = gamma_cdf(shape, x)
        error = below - uniform if uniform < 0.5 else (1.0 - uniform) - above
        if error > 0.0:
            high = y
        else:
            low = y
        slope = exp(shape * y - x - log_norm)  # dP / dy
        if slope > 1e-300:
            step = error / slope
            following = y - step
            if abs(step) < 1e-12 or high - low < 1e-13:
                y = following
                break
            y = following
        else:
            y = 0.5 * (low + high)
    return exp(y)


@compiled
def lognormal_sigma(code: int, first: float, second: float) -> float:
    """Return the SD of the logarithm of a lognormal; parameters as for `continuous`."""
    if code == LOGNORMAL_MEDIAN:
        return second
    return math.sqrt(log(1.0 + (second / first) * (second / first)))


@compiled
def lognormal_median(code: int, first: float, second: float) -> float:
    """Return the median of a lognormal; parameters as for `continuous`."""
    if code == LOGNORMAL_MEDIAN:
        return first
    return first / math.sqrt(1.0 + (second / first) * (second / first))


@compiled
def _triangular(low: float, mode: float, high: float, uniform: float) -> float:
    """Return a quantile of a triangular distribution; `low` if it has no width."""
    if not high > low:
        return low
    split = (mode - low) / (high - low)
    if uniform < split:
        return low + math.sqrt(uniform * (high - low) * (mode - low))
    return high - math.sqrt((1.0 - uniform) * (high - low) * (high - mode))


@compiled
def continuous(code: int, first: float, second: float, third: float, uniform: float) -> float:
    """Return a quantile of one of the distributions that a scenario may name.

    | code | first | second | third |
    |---|---|---|---|
    | CONSTANT | value | | |
    | EXPONENTIAL | mean | | |
    | LOGNORMAL | mean | SD | |
    | LOGNORMAL_MEDIAN | median | sigma of the logarithm | |
    | GAMMA | mean | SD | |
    | ERLANG | mean | stages | |
    | TRIANGULAR | low | mode | high |

    >>> continuous(CONSTANT, 7.0, 0.0, 0.0, 0.3), continuous(TRIANGULAR, 0.0, 1.0, 2.0, 0.5)
    (7.0, 1.0)
    """
    if code == EXPONENTIAL:
        return -first * log(1.0 - uniform)
    if code in (LOGNORMAL, LOGNORMAL_MEDIAN):
        if not first > 0.0:
            return 0.0
        z = normal_quantile(uniform)
        return lognormal_median(code, first, second) * exp(lognormal_sigma(code, first, second) * z)
    if code in (GAMMA, ERLANG):
        if not first > 0.0:
            return 0.0
        shape = second if code == ERLANG else (first / second) * (first / second)
        return gamma(uniform, shape) * first / shape
    if code == TRIANGULAR:
        return _triangular(first, second, third, uniform)
    return first


interpreted_distributions = uncompiled(log, lognormal_sigma, lognormal_median)
"""`lognormal_sigma` and `lognormal_median` for Python to call: see `engine.numeric.elementary.uncompiled`."""
