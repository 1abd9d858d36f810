"""Checks of what restores the strength at risk, and notes where it has no effect."""

from collections.abc import Iterator

from engine.errors import ScenarioError
from engine.scenario.checks.values import check_duration
from engine.scenario.front_rates import mean_rates
from engine.scenario.parsing import key_place
from engine.scenario.structs.distributions import Distribution, mean_of
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import Stream

_MOST_DAYS = 3650.0
_PLACE = "casualties.rates.return_to_duty"


def check_strength(scenario: Scenario) -> None:
    """Refuse returns and replacements without depletion, and delays that make no sense (ScenarioError)."""
    rates = scenario.casualties.rates
    for stream, given in rates.return_to_duty.items() if rates is not None else ():
        place = f"{key_place(_PLACE, stream)}.days"
        if mean_of(given.days) > _MOST_DAYS:
            raise ScenarioError(
                place, f"a mean of {mean_of(given.days):.4g}", f"a mean of at most {_MOST_DAYS:,.0f} days"
            )
        check_duration(place, given.days)
    if rates is not None and rates.depletion:
        return
    needs = "depletion = true in [casualties.rates], because without it casualties do not reduce the strength"
    if rates is not None and rates.return_to_duty:
        raise ScenarioError(_PLACE, "returns to duty without depletion", needs)
    for i, front in enumerate(scenario.fronts):
        if front.replacements_per_day is not None:
            raise ScenarioError(f"fronts[{i}].replacements_per_day", front.replacements_per_day, needs)


def note_strength(scenario: Scenario) -> Iterator[str]:
    """Notes on returns and replacements that restore nothing."""
    rates = scenario.casualties.rates
    for stream, given in rates.return_to_duty.items() if rates is not None else ():
        place = key_place(_PLACE, stream)
        if given.share == 0:
            yield f"{place}: no effect, because nobody returns with a share of 0"
        elif not _has_casualties(scenario, stream):
            yield f"{place}: no effect, because there are no {stream} casualties"
        elif _shortest(given.days) >= scenario.days - 1:
            yield f"{place}: no effect, because nobody is back before the last of the {scenario.days} days"
    for i, front in enumerate(scenario.fronts):
        if front.replacements_per_day == 0:
            yield f"fronts[{i}].replacements_per_day: no effect, because there are 0"
        elif front.replacements_per_day is not None and scenario.days == 1:
            yield f"fronts[{i}].replacements_per_day: no effect on a single day"


def _has_casualties(scenario: Scenario, stream: Stream) -> bool:
    """Whether casualties of a stream are drawn or listed."""
    return (
        mean_rates(scenario)[stream] > 0
        or (stream == "battle" and bool(scenario.events))
        or any(incident.stream == stream for incident in scenario.incidents)
    )


def _shortest(days: Distribution) -> float:
    """The shortest delay in days of a constant or triangular distribution; 0 for the others."""
    if days.distribution == "triangular":
        return days.low or 0.0
    return days.mean or 0.0 if days.distribution == "constant" else 0.0
