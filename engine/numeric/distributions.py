"""Inverse distribution functions: one uniform in, one value out, the same bits on every machine.

Every function is non-decreasing in its uniform, so that a larger rate or share with the same luck never gives fewer
casualties. Nothing is rejected and redrawn: a draw takes exactly one uniform (MODEL section 7).
"""

import math

from engine.numeric.elementary import exp, log, log_gamma, normal_quantile, uncompiled
from engine.numeric.jit import compiled

CONSTANT, EXPONENTIAL, LOGNORMAL, LOGNORMAL_MEDIAN, GAMMA, ERLANG, TRIANGULAR = range(7)
"""Codes of `continuous`. LOGNORMAL takes mean and SD, LOGNORMAL_MEDIAN median and sigma of the logarithm."""

_NEGLIGIBLE = (
    1e-19  # a term this much smaller than the mode's ends a tail: beyond what 53 bits of uniform can meet
)


@compiled(from_python=True)
def binomial(u: float, n: int, p: float) -> int:
    """The smallest k with P(Bin(n, p) <= k) >= u, exact up to n = 1e9.

    The terms are summed outwards from the mode in units of the mode's own and normalised by their sum, which needs no
    log-factorials (those of 1e9 are only known to 4 digits after the point). Time goes with the standard deviation.
    """
    if n <= 0 or not p > 0.0:
        return 0
    if p >= 1.0:
        return n
    odds = p / (1.0 - p)
    mode = int(math.floor((n + 1) * p))
    if mode > n:
        mode = n
    lower = 0.0
    term = 1.0
    last = 0.0  # term of the lowest k that counts
    k = mode
    while k > 0:
        term = term * (k / ((n - k + 1) * odds))
        if term < _NEGLIGIBLE:
            break
        lower += term
        last = term
        k -= 1
    bottom = k
    upper = 1.0
    term = 1.0
    top = mode
    while top < n:
        following = term * ((n - top) * odds / (top + 1))
        if following < _NEGLIGIBLE:
            break
        term = following
        upper += term
        top += 1
    if u * (lower + upper) <= lower:  # from the end of the tail, so that no large sums are subtracted
        target = u * (lower + upper)
        reached = last
        while reached < target and bottom < mode - 1:
            bottom += 1
            last = last * ((n - bottom + 1) * odds / bottom)
            reached += last
        return bottom
    target = (1.0 - u) * (lower + upper)
    beyond = term  # sum of the terms from `top` on
    while beyond <= target and top > mode:
        term = term * (top / ((n - top + 1) * odds))
        top -= 1
        beyond += term
    return top


@compiled(from_python=True)
def poisson(u: float, mean: float) -> int:
    """The smallest k with P(Poisson(mean) <= k) >= u, exact up to means of 1e9; see `binomial`."""
    if not mean > 0.0:
        return 0
    mode = int(math.floor(mean))
    lower = 0.0
    term = 1.0
    last = 0.0  # term of the lowest k that counts
    k = mode
    while k > 0:
        term = term * (k / mean)
        if term < _NEGLIGIBLE:
            break
        lower += term
        last = term
        k -= 1
    bottom = k
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
    if u * (lower + upper) <= lower:
        target = u * (lower + upper)
        reached = last
        while reached < target and bottom < mode - 1:
            bottom += 1
            last = last * (mean / bottom)
            reached += last
        return bottom
    target = (1.0 - u) * (lower + upper)
    beyond = term
    while beyond <= target and top > mode:
        term = term * (top / mean)
        top -= 1
        beyond += term
    return top


@compiled(from_python=True)
def gamma_cdf(shape: float, x: float) -> tuple[float, float]:
    """Regularised incomplete gammas (P, Q)(shape, x), P + Q = 1: series below shape + 1, continued fraction above.

    Algorithms of Abramowitz and Stegun 6.5.29 and 6.5.31 (the latter by Lentz's method); about 1e-14.
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


@compiled(from_python=True)
def gamma(u: float, shape: float) -> float:
    """Quantile of the gamma distribution with this shape and scale 1, relative error about 1e-10.

    Newton's method on log x, kept within a bracket; starts from Wilson and Hilferty's approximation (1931), for shapes
    up to 1 from the lower tail, where P(shape, x) is nearly x**shape / Gamma(shape + 1).
    """
    log_norm = log_gamma(shape)
    tail = (log(u) + log_gamma(shape + 1.0)) / shape
    y = tail
    if shape > 1.0 or tail > -1.0:
        z = normal_quantile(u)
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
        error = below - u if u < 0.5 else (1.0 - u) - above
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


@compiled(from_python=True)
def lognormal_sigma(code: int, a: float, b: float) -> float:
    """SD of the logarithm of a lognormal given by mean and SD, or by median and that SD itself."""
    if code == LOGNORMAL_MEDIAN:
        return b
    return math.sqrt(log(1.0 + (b / a) * (b / a)))


@compiled(from_python=True)
def lognormal_median(code: int, a: float, b: float) -> float:
    """Median of a lognormal given by mean and SD, or by that median itself and sigma."""
    if code == LOGNORMAL_MEDIAN:
        return a
    return a / math.sqrt(1.0 + (b / a) * (b / a))


@compiled(from_python=True)
def continuous(code: int, a: float, b: float, c: float, u: float) -> float:
    """Quantile u of one of the scenario's distributions.

    CONSTANT a; EXPONENTIAL mean a; LOGNORMAL mean a, SD b; LOGNORMAL_MEDIAN median a, sigma b; GAMMA mean a, SD b;
    ERLANG mean a, b stages; TRIANGULAR low a, mode b, high c.
    """
    if code == EXPONENTIAL:
        return -a * log(1.0 - u)
    if code in (LOGNORMAL, LOGNORMAL_MEDIAN):
        if not a > 0.0:
            return 0.0
        return lognormal_median(code, a, b) * exp(lognormal_sigma(code, a, b) * normal_quantile(u))
    if code in (GAMMA, ERLANG):
        if not a > 0.0:
            return 0.0
        shape = b if code == ERLANG else (a / b) * (a / b)
        return gamma(u, shape) * a / shape
    if code == TRIANGULAR:
        if not c > a:
            return a
        split = (b - a) / (c - a)
        if u < split:
            return a + math.sqrt(u * (c - a) * (b - a))
        return c - math.sqrt((1.0 - u) * (c - a) * (c - b))
    return a


interpreted_distributions = uncompiled(log, lognormal_sigma, lognormal_median)
"""`plain.lognormal_sigma`, `plain.lognormal_median`: for Python to call, see `numerics.uncompiled`."""
