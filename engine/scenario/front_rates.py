"""Casualty rates by front: a front's own, its factor, and those of its units."""

from math import fsum
from typing import cast

from msgspec.structs import replace

from engine.scenario.structs.casualties import FrontRates, RateFactor, Rates
from engine.scenario.structs.distributions import Distribution, RateSetting, mean_of, rate_components
from engine.scenario.structs.fronts import Front, Unit
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import STREAMS, Stream


def has_own_rates(front: Front) -> bool:
    """Whether the rates of a front may differ from those of the scenario."""
    return (
        front.rates is not None
        or front.rate_factor is not None
        or any(unit.rates is not None or unit.rate_factor is not None for unit in front.units)
    )


def strength_of(front: Front) -> int | None:
    """Strength at risk of a front: its population, else the sum of its units; None where neither is given."""
    if front.population is not None or not front.units:
        return front.population
    return sum(unit.strength for unit in front.units)


def front_rate(front: Front, rates: Rates, stream: Stream) -> list[Distribution]:
    """The distributions whose sum is the daily rate of a stream per 1,000 strength of a front.

    A front without units has its own rate, else the scenario's, times its factor. With units it has the mean of their
    rates, weighted by strength. Units without rates of their own share one draw a day; units with rates draw apart.
    """
    own = _own(front.rates, stream)
    base = rate_components(getattr(rates, stream) if own is None else own)
    factor = _factor(front.rate_factor, stream)
    if not front.units:
        return [_times(rate, factor) for rate in base]
    strength = sum(unit.strength for unit in front.units)
    shared = fsum(
        _factor(unit.rate_factor, stream) * unit.strength / strength
        for unit in front.units
        if _own(unit.rates, stream) is None
    )
    components = [_times(rate, factor * shared) for rate in base] if shared > 0.0 else []
    return components + [rate for unit in front.units for rate in _own_part(unit, stream, factor / strength)]


def mean_rate(front: Front, rates: Rates, stream: Stream) -> float:
    """Mean of `front_rate`, in casualties per 1,000 strength a day."""
    return fsum(map(mean_of, front_rate(front, rates, stream)))


def mean_rates(scenario: Scenario) -> dict[Stream, float]:
    """By stream: the mean rate of a scenario with rates, over the fronts by their strength."""
    rates = scenario.casualties.rates or Rates()
    if not any(map(has_own_rates, scenario.fronts)):
        return {stream: fsum(map(mean_of, rate_components(getattr(rates, stream)))) for stream in STREAMS}
    strengths = [strength_of(front) or 0 for front in scenario.fronts]
    return {
        stream: fsum(
            strength * mean_rate(front, rates, stream)
            for front, strength in zip(scenario.fronts, strengths, strict=True)
        )
        / max(1, sum(strengths))
        for stream in STREAMS
    }


def resolve_front_rates(front: Front, rates: Rates | None) -> Front:
    """The front with its strength as its population and with rates of its own in place of factors and units."""
    strength = strength_of(front)
    if rates is None or not has_own_rates(front):
        return replace(front, population=strength, units=[]) if front.units else front
    found = {stream: front_rate(front, rates, stream) for stream in STREAMS}
    return replace(
        front,
        population=strength,
        rates=FrontRates(**{stream: _setting(found[stream]) for stream in STREAMS}),
        rate_factor=None,
        units=[],
    )


def _own(rates: FrontRates | None, stream: Stream) -> RateSetting:
    return None if rates is None else cast("RateSetting", getattr(rates, stream))


def _own_part(unit: Unit, stream: Stream, weight: float) -> list[Distribution]:
    """What a unit with rates of its own adds to the rate of its front."""
    factor = _factor(unit.rate_factor, stream) * unit.strength * weight
    if factor == 0.0:
        return []
    return [_times(rate, factor) for rate in rate_components(_own(unit.rates, stream))]


def _factor(setting: RateFactor, stream: Stream) -> float:
    """The factor on a stream: a number holds for all, a table for those that it names."""
    if isinstance(setting, dict):
        return setting.get(stream, 1.0)
    return 1.0 if setting is None else setting


def _times(rate: Distribution, factor: float) -> Distribution:
    """The distribution of a rate times a factor; of a factor 0 the constant 0."""
    if factor == 1.0:
        return rate
    if factor == 0.0:
        return Distribution(distribution="constant", mean=0.0)
    scaled = {
        name: float(f"{getattr(rate, name) * factor:.12g}")
        for name in ("mean", "sd", "median")
        if getattr(rate, name) is not None
    }
    return replace(rate, **scaled)


def _setting(components: list[Distribution]) -> RateSetting:
    """Distributions as a rate is set: one alone, several as a list; none as a constant 0, so that the rate is set."""
    if not components:
        return Distribution(distribution="constant", mean=0.0)
    return components[0] if len(components) == 1 else components
