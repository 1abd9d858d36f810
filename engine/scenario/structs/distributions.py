"""Random durations and rates: one distribution, and a rate that may be a sum of several."""

from math import exp
from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_RATE_PARTS, MIN_MEAN
from engine.scenario.structs.vocabulary import DistributionKind


class Distribution(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A random duration in minutes, or a random daily rate per 1,000 strength.

    constant: mean. exponential: mean. lognormal: mean and sd, or median and sigma. gamma: mean and sd.
    erlang: mean and k. triangular: low, mode, high. Rates are constant, exponential, lognormal or gamma.
    """

    distribution: Annotated[
        DistributionKind,
        Meta(
            examples=["lognormal"],
            description="constant (mean), exponential (mean), lognormal (mean and sd, or median and sigma), "
            "gamma (mean and sd), erlang (mean and k), triangular (low, mode, high)",
        ),
    ]
    mean: Annotated[float, Meta(ge=0, le=1e6, description="mean, in the unit of the place")] | None = None
    sd: Annotated[float, Meta(ge=MIN_MEAN, le=1e6, description="standard deviation, same unit")] | None = None
    median: (
        Annotated[float, Meta(ge=MIN_MEAN, le=1e6, description="median of a lognormal, same unit")] | None
    ) = None
    sigma: (
        Annotated[
            float, Meta(ge=MIN_MEAN, le=5, description="standard deviation of the logarithm of a lognormal")
        ]
        | None
    ) = None
    low: Annotated[float, Meta(ge=0, le=1e6, description="smallest value of a triangular")] | None = None
    mode: Annotated[float, Meta(ge=0, le=1e6, description="most likely value of a triangular")] | None = None
    high: Annotated[float, Meta(ge=MIN_MEAN, le=1e6, description="largest value of a triangular")] | None = (
        None
    )
    k: Annotated[int, Meta(ge=1, le=1000, description="number of stages of an erlang")] | None = None
    autocorrelation: Annotated[
        float,
        Meta(
            gt=-1,
            lt=1,
            description="lognormal rates only: correlation of the logarithm of one day's rate with "
            "the next day's",
        ),
    ] = 0.0


RateSetting = Distribution | Annotated[list[Distribution], Meta(max_length=MAX_RATE_PARTS)] | None
"""What a daily rate may be set to: one distribution, the sum of several, or nothing."""


def rate_components(setting: RateSetting) -> list[Distribution]:
    """The distributions that a rate is the sum of; an empty list where the rate is unset."""
    if setting is None:
        return []
    return [setting] if isinstance(setting, Distribution) else list(setting)


def mean_of(distribution: Distribution) -> float:
    """Mean of a distribution, in the unit of its place: minutes, or casualties per 1,000 strength a day."""
    if distribution.distribution == "triangular":
        return ((distribution.low or 0.0) + (distribution.mode or 0.0) + (distribution.high or 0.0)) / 3.0
    if distribution.median is not None:
        sigma = distribution.sigma or 0.0
        return distribution.median * exp(sigma * sigma / 2.0)
    return distribution.mean or 0.0
