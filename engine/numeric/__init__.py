"""Random draws, elementary functions and distributions with the same bits on every machine, and the kernel cache."""

from engine.numeric.distributions import (
    CONSTANT,
    ERLANG,
    EXPONENTIAL,
    GAMMA,
    LOGNORMAL,
    LOGNORMAL_MEDIAN,
    TRIANGULAR,
    binomial,
    continuous,
    interpreted_distributions,
    lognormal_median,
    lognormal_sigma,
    poisson,
)
from engine.numeric.elementary import exp, interpreted, log, normal_quantile
from engine.numeric.jit import compiled, compiled_entry, is_cold
from engine.numeric.philox import Counter, cell, key, uniform, words

__all__ = [
    "CONSTANT",
    "ERLANG",
    "EXPONENTIAL",
    "GAMMA",
    "LOGNORMAL",
    "LOGNORMAL_MEDIAN",
    "TRIANGULAR",
    "Counter",
    "binomial",
    "cell",
    "compiled",
    "compiled_entry",
    "continuous",
    "exp",
    "interpreted",
    "interpreted_distributions",
    "is_cold",
    "key",
    "log",
    "lognormal_median",
    "lognormal_sigma",
    "normal_quantile",
    "poisson",
    "uniform",
    "words",
]
