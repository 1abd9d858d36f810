"""Overrides: the settings of a scenario that the command line's options replace."""

from collections.abc import Sequence
from math import fsum

from msgspec.structs import replace

from engine.scenario.checks.arrivals import check_rates
from engine.scenario.day_weights import stretch_day_weights
from engine.scenario.front_rates import has_own_rates, mean_rate, strength_of
from engine.scenario.mix import rate_shares
from engine.scenario.parsing import validate
from engine.scenario.settings import Setting, with_settings
from engine.scenario.structs.bounds import MAX_DAYS
from engine.scenario.structs.casualties import Casualties, Mix, Rates
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import STREAMS


def with_overrides(
    scenario: Scenario,
    *,
    seed: int | None = None,
    total: int | None = None,
    days: int | None = None,
    settings: Sequence[Setting] = (),
) -> Scenario:
    """The scenario with other settings, another seed, number of casualties or number of days.

    The result may be out of bounds: `check` refuses it then.

    Parameters
    ----------
    seed
        Seed of all random draws.
    total
        Number of casualties. In place of rates, the streams keep the proportion of their mean rates.
    days
        Number of days. `day_weights` are stretched to it; special events keep their day.
    settings
        Single settings by their path, which are replaced first, in this order.

    Raises
    ------
    ScenarioError
        If there is no such setting, or if it cannot have that value; if `total` replaces rates that have no
        proportion, because they make no sense or are all 0.
    """
    if settings:
        scenario = with_settings(scenario, settings)
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    if total is not None:
        if scenario.casualties.rates is not None and scenario.mix is None:
            validate(scenario)
            check_rates(scenario)
            mix = Mix(**rate_shares(scenario))
            scenario = replace(scenario, mix=mix, fronts=_with_shares(scenario, scenario.casualties.rates))
        fronts = [replace(front, replacements_per_day=None) for front in scenario.fronts]
        scenario = replace(scenario, casualties=Casualties(total=total), fronts=fronts)
    if days is not None:
        if scenario.day_weights is not None and 1 <= days <= MAX_DAYS:
            scenario = replace(scenario, day_weights=stretch_day_weights(scenario.day_weights, days))
        scenario = replace(scenario, days=days)
    return scenario


def _with_shares(scenario: Scenario, rates: Rates) -> list[Front]:
    """The fronts with shares in the proportion of their expected casualties, where their rates differ."""
    fronts = list(scenario.fronts)
    if not any(map(has_own_rates, fronts)):
        return fronts
    expected = [
        (strength_of(front) or 0) * fsum(mean_rate(front, rates, stream) for stream in STREAMS)
        for front in fronts
    ]
    return [
        replace(
            front,
            share=round(casualties / fsum(expected), 12),
            population=strength_of(front),
            rates=None,
            rate_factor=None,
            units=[],
        )
        for front, casualties in zip(fronts, expected, strict=True)
    ]
