"""Random draws, elementary functions and distributions with the same bits on every machine, and the kernel cache."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
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
    from engine.numeric.jit import compiled, compiled_entry
    from engine.numeric.native import (
        MOST_BYTES,
        NativeFunction,
        cache_refusal,
        checked,
        compile_to_cache,
        digest,
        with_checksum,
    )
    from engine.numeric.philox import Counter, cell, key, uniform, words

__getattr__ = lazy_attributes(
    __name__,
    {
        "distributions": (
            "CONSTANT",
            "ERLANG",
            "EXPONENTIAL",
            "GAMMA",
            "LOGNORMAL",
            "LOGNORMAL_MEDIAN",
            "TRIANGULAR",
            "binomial",
            "continuous",
            "interpreted_distributions",
            "lognormal_median",
            "lognormal_sigma",
            "poisson",
        ),
        "elementary": (
            "exp",
            "interpreted",
            "log",
            "normal_quantile",
        ),
        "jit": (
            "compiled",
            "compiled_entry",
        ),
        "native": (
            "MOST_BYTES",
            "NativeFunction",
            "cache_refusal",
            "checked",
            "compile_to_cache",
            "digest",
            "with_checksum",
        ),
        "philox": (
            "Counter",
            "cell",
            "key",
            "uniform",
            "words",
        ),
    },
)

__all__ = [
    "CONSTANT",
    "ERLANG",
    "EXPONENTIAL",
    "GAMMA",
    "LOGNORMAL",
    "LOGNORMAL_MEDIAN",
    "MOST_BYTES",
    "TRIANGULAR",
    "Counter",
    "NativeFunction",
    "binomial",
    "cache_refusal",
    "cell",
    "checked",
    "compile_to_cache",
    "compiled",
    "compiled_entry",
    "continuous",
    "digest",
    "exp",
    "interpreted",
    "interpreted_distributions",
    "key",
    "log",
    "lognormal_median",
    "lognormal_sigma",
    "normal_quantile",
    "poisson",
    "uniform",
    "with_checksum",
    "words",
]
