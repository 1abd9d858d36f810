"""Defaults: what a scenario leaves open, filled in."""

from msgspec.structs import replace

from engine.scenario.front_rates import resolve_front_rates, strength_of
from engine.scenario.listed import resolve_time
from engine.scenario.network import complete_network
from engine.scenario.start import middle_day, start_seconds
from engine.scenario.structs.casualties import Casualties
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import WarfareType
from engine.scenario.structs.warfare import SpecialEvent
from engine.scenario.warfare_types import heaviest_type, type_weight
from scenarios import tables


def resolve(scenario: Scenario) -> Scenario:
    """The same scenario with every default filled in; resolving twice changes nothing.

    Filled in are: casualties (only the listed; without a list, total 1,440); fronts and their `share` (given, else by
    population, else equal); tempo and weights of warfare types; day, type and multiplier of special events; times of
    incidents, counted from the start; rates of fronts from their factors and units; the named network, which is then
    unset, or the default network; kind, name, capabilities and policy of facilities; `fronts` of links; litters and
    seats of vehicles.

    Parameters
    ----------
    scenario
        A scenario that `check` accepts.

    Examples
    --------
    >>> from engine.scenario import parse, resolve
    >>> scenario = resolve(parse(b'name = "small"', "toml"))
    >>> scenario.casualties.total, [front.name for front in scenario.fronts]
    (1440, ['Poland', 'Estonia', 'Finland'])
    """
    scenario = complete_network(scenario)
    casualties = scenario.casualties
    if casualties.only_listed or (
        scenario.incidents and casualties.total is None and casualties.rates is None
    ):
        casualties = Casualties(only_listed=True)
        scenario = replace(
            scenario,
            fronts=[
                replace(
                    front,
                    population=strength_of(front),
                    rates=None,
                    rate_factor=None,
                    replacements_per_day=None,
                    units=[],
                )
                for front in scenario.fronts
            ],
        )
    elif casualties.total is None and casualties.rates is None:
        casualties = Casualties(total=tables.default("total"))
    warfare = [replace(entry, weight=type_weight(entry)) for entry in scenario.warfare]
    default_tempo = tables.default("tempo") if warfare and scenario.day_weights is None else None
    return replace(
        scenario,
        casualties=casualties,
        tempo=scenario.tempo or default_tempo,
        warfare=warfare,
        events=[
            _resolve_event(event, scenario.days, heaviest_type(scenario) or "conventional")
            for event in scenario.events
        ],
        incidents=[resolve_time(incident, start_seconds(scenario)) for incident in scenario.incidents],
        fronts=_resolve_shares([resolve_front_rates(front, casualties.rates) for front in scenario.fronts]),
    )


def _resolve_event(event: SpecialEvent, days: int, heaviest: WarfareType) -> SpecialEvent:
    """The event with its day (else the middle one), type and multiplier.

    The default type is the heaviest of the warfare types, the first of equals, or conventional without types.
    """
    template = tables.warfare_patterns()["special_event_templates"][event.event]
    return replace(
        event,
        day=event.day or middle_day(days),
        type=event.type or heaviest,
        casualty_multiplier=event.casualty_multiplier or float(template["casualty_multiplier"]),
    )


def _resolve_shares(fronts: list[Front]) -> list[Front]:
    """Fronts with shares: those given, else in proportion to population, else equal."""
    if all(front.share is not None for front in fronts):
        return fronts
    by_population = all(front.population for front in fronts)
    weights = [front.population or 0 for front in fronts] if by_population else [1] * len(fronts)
    return [
        replace(front, share=weight / sum(weights)) for front, weight in zip(fronts, weights, strict=True)
    ]
