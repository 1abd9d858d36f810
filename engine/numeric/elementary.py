"""Elementary functions with the same bits on every machine (docs/model.md section 5.4).

The exp, log and pow of the C library and of NumPy differ in the last bit between processors. These functions use only
+ - * / sqrt and exact scaling by powers of two. They are compiled without fastmath, so an addition is never fused
with a multiplication.
"""

import math
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from engine.numeric.jit import compiled

_LN2_HIGH = 6.93147180369123816490e-01
"""The first part of ln 2, short enough that k * _LN2_HIGH is exact for |k| < 2**20; the rest is _LN2_LOW."""
_LN2_LOW = 1.90821492927058770002e-10
_SQRT_HALF = 0.7071067811865476
_MANTISSA = (1 << 52) - 1
"""Mask of the mantissa in the bits of a number."""
_HALF = 1022 << 52
"""Sign and exponent bits of a number in [1/2, 1)."""


@compiled
def _power_of_two(k: float) -> Any:
    """Return 2**k for a whole k from -1022 to 1023, by its bits."""
    return np.int64((np.int64(k) + 1023) << 52).view(np.float64)


@compiled
def exp(x: float) -> float:
    """Return e**x to about 1 ulp; 0 below -745, infinity above 709.78.

    e**x = 2**k * e**r with x = k ln 2 + r, and a polynomial for e**r.

    >>> exp(0.0), exp(1.0), exp(-1000.0)
    (1.0, 2.7182818284590455, 0.0)
    """
    if x != x:
        return x
    if x > 709.782712893384:
        return math.inf
    if x < -745.2:
        return 0.0
    k = math.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    if k < -1021.0 or k > 1023.0:  # in two steps, of which only the second may round
        split = -1000.0 if k < 0.0 else 1.0
        return p * _power_of_two(k - split) * _power_of_two(split)
    return p * _power_of_two(k)


@compiled
def log(x: float) -> float:
    """Return the natural logarithm to about 1 ulp; -infinity at 0, NaN below.

    log x = e ln 2 + log m with m between sqrt(1/2) and sqrt(2), and log m = 2 artanh((m - 1) / (m + 1)).

    >>> log(1.0), log(10.0), log(0.0)
    (0.0, 2.302585092994046, -inf)
    """
    if x == 0.0:
        return -math.inf
    if not x > 0.0:
        return math.nan
    if x == math.inf:
        return x
    bits = np.float64(x).view(np.int64)
    e: Any = (bits >> 52) - 1022
    m: Any = np.int64((bits & _MANTISSA) | _HALF).view(np.float64)  # in [1/2, 1)
    if e <= -1022:  # subnormal
        bits = np.float64(x * 18014398509481984.0).view(np.int64)  # exact: times 2**54
        e = (bits >> 52) - 1022 - 54
        m = np.int64((bits & _MANTISSA) | _HALF).view(np.float64)
    if m < _SQRT_HALF:
        m = m * 2.0
        e = e - 1
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 1.0 / 23.0
    p = p * z + 1.0 / 21.0
    p = p * z + 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    return e * _LN2_HIGH + (2.0 * s + (2.0 * s * z * p + e * _LN2_LOW))


@compiled
def power(base: float, exponent: float) -> float:
    """Return base**exponent for a positive base."""
    return exp(exponent * log(base))


@compiled
def normal_quantile(probability: float) -> float:
    """Return the inverse of the standard normal distribution function; relative error about 1e-15.

    Wichura, algorithm AS 241 (PPND16), Applied Statistics 37 (1988) 477: rational functions, one for the middle and two
    for the tails.

    >>> normal_quantile(0.5), round(normal_quantile(0.975), 12)
    (0.0, 1.95996398454)
    """
    q = probability - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = 2.5090809287301226727e3
        num = num * r + 3.3430575583588128105e4
        num = num * r + 6.7265770927008700853e4
        num = num * r + 4.5921953931549871457e4
        num = num * r + 1.3731693765509461125e4
        num = num * r + 1.9715909503065514427e3
        num = num * r + 1.3314166789178437745e2
        num = num * r + 3.3871328727963666080e0
        den = 5.2264952788528545610e3
        den = den * r + 2.8729085735721942674e4
        den = den * r + 3.9307895800092710610e4
        den = den * r + 2.1213794301586595867e4
        den = den * r + 5.3941960214247511077e3
        den = den * r + 6.8718700749205790830e2
        den = den * r + 4.2313330701600911252e1
        den = den * r + 1.0
        return q * num / den
    r = probability if q < 0.0 else 1.0 - probability
    if r <= 0.0:
        return -math.inf if q < 0.0 else math.inf
    r = math.sqrt(-log(r))
    if r <= 5.0:
        r = r - 1.6
        num = 7.74545014278341407640e-4
        num = num * r + 2.27238449892691845833e-2
        num = num * r + 2.41780725177450611770e-1
        num = num * r + 1.27045825245236838258e0
        num = num * r + 3.64784832476320460504e0
        num = num * r + 5.76949722146069140550e0
        num = num * r + 4.63033784615654529590e0
        num = num * r + 1.42343711074968357734e0
        den = 1.05075007164441684324e-9
        den = den * r + 5.47593808499534494600e-4
        den = den * r + 1.51986665636164571966e-2
        den = den * r + 1.48103976427480074590e-1
        den = den * r + 6.89767334985100004550e-1
        den = den * r + 1.67638483018380384940e0
        den = den * r + 2.05319162663775882187e0
        den = den * r + 1.0
    else:
        r = r - 5.0
        num = 2.01033439929228813265e-7
        num = num * r + 2.71155556874348757815e-5
        num = num * r + 1.24266094738807843860e-3
        num = num * r + 2.65321895265761230930e-2
        num = num * r + 2.96560571828504891230e-1
        num = num * r + 1.78482653991729133580e0
        num = num * r + 5.46378491116411436990e0
        num = num * r + 6.65790464350110377720e0
        den = 2.04426310338993978564e-15
        den = den * r + 1.42151175831644588870e-7
        den = den * r + 1.84631831751005468180e-5
        den = den * r + 7.86869131145613259100e-4
        den = den * r + 1.48753612908506148525e-2
        den = den * r + 1.36929880922735805310e-1
        den = den * r + 5.99832206555887937690e-1
        den = den * r + 1.0
    value = num / den
    return -value if q < 0.0 else value


@compiled
def log_gamma(x: float) -> float:
    """Return log Gamma(x) for x > 0; relative error below 1e-14. The recurrence up to 10, then Stirling's series."""
    shift = 1.0
    while x < 10.0:
        shift = shift * x
        x = x + 1.0
    z = 1.0 / (x * x)
    series = 1.0 / 156.0
    series = -691.0 / 360360.0 + series * z
    series = 1.0 / 1188.0 + series * z
    series = -1.0 / 1680.0 + series * z
    series = 1.0 / 1260.0 + series * z
    series = -1.0 / 360.0 + series * z
    series = 1.0 / 12.0 + series * z
    return (x - 0.5) * log(x) - x + 0.9189385332046727418 + series / x - log(shift)


def uncompiled(*functions: Any) -> SimpleNamespace:
    """Return these compiled functions as Python functions: the same operations, so the same bits.

    The compilation of a scenario needs a few hundred values. A call of a compiled function from Python would compile it
    anew in every process.

    Parameters
    ----------
    functions
        Compiled functions. They may call only one another.
    """
    names: dict[str, Any] = {"math": math, "np": np}
    for function in functions:
        constants = function.py_func.__globals__.items()
        names |= {name: value for name, value in constants if isinstance(value, int | float)}
    for function in functions:
        names[function.__name__] = FunctionType(function.py_func.__code__, names, function.__name__)
    return SimpleNamespace(**{function.__name__: names[function.__name__] for function in functions})


interpreted = uncompiled(_power_of_two, exp, log, power, normal_quantile, log_gamma)
"""`exp`, `log`, `power`, `normal_quantile` and `log_gamma` for Python to call: see `uncompiled`."""
