"""Checks of the settings of arrivals: fronts, casualties and their rates, days, special events, triage."""

from math import fsum

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.incidents import check_incidents
from engine.scenario.checks.strength import check_strength
from engine.scenario.checks.values import (
    check_distinct,
    check_name,
    check_nation,
    check_rate,
    check_shares,
    check_sum,
)
from engine.scenario.default_network import default_fronts
from engine.scenario.front_rates import front_rate, has_own_rates, mean_rate, mean_rates, strength_of
from engine.scenario.near_matches import near_match
from engine.scenario.parsing import key_place
from engine.scenario.start import events_from_start
from engine.scenario.structs.bounds import MAX_RATE_PARTS, MAX_TOTAL
from engine.scenario.structs.casualties import FrontRates, Rates
from engine.scenario.structs.distributions import mean_of, rate_components
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import CATEGORIES, STREAMS, Stream


def check_arrivals(scenario: Scenario) -> None:
    """Refuse settings of arrivals that contradict each other (ScenarioError)."""
    _check_fronts(scenario)
    _check_units(scenario)
    _check_casualties(scenario)
    _check_days(scenario)
    check_distinct("environment", scenario.environment)
    check_distinct("warfare", [warfare.type for warfare in scenario.warfare], "type")
    _check_events(scenario)
    check_incidents(scenario)
    _check_triage(scenario)


def _check_fronts(scenario: Scenario) -> None:
    for i, front in enumerate(scenario.fronts):
        check_name(f"fronts[{i}].name", front.name)
        _check_nations(f"fronts[{i}].nations", front)
    check_distinct("fronts", [front.name for front in scenario.fronts], "name")
    shares = [front.share for front in scenario.fronts]
    if None not in shares and shares:
        check_sum("fronts", [share for share in shares if share is not None])
    elif any(share is not None for share in shares):
        raise ScenarioError(
            f"fronts[{shares.index(None)}].share", MISSING, "a share for every front, or for none"
        )


def _check_nations(place: str, front: Front) -> None:
    for code in front.nations:
        check_nation(key_place(place, code), code)
    check_shares(place, front.nations)


def _check_casualties(scenario: Scenario) -> None:
    """A total with an optional mix, or rates on fronts with a population; never both."""
    rates, mix = scenario.casualties.rates, scenario.mix
    check_strength(scenario)
    if rates is None:
        if mix is not None:
            check_sum("mix", (mix.battle, mix.nbi, mix.disease))
        return
    if scenario.casualties.total is not None:
        raise ScenarioError("casualties", "total and rates", "total or rates, not both")
    if mix is not None:
        raise ScenarioError(
            "mix", "a mix and rates", "a mix with casualties.total only; rates give each stream its own rate"
        )
    check_rates(scenario)
    if not scenario.fronts:
        raise ScenarioError(
            "fronts", MISSING, "[[fronts]] with a population, to which casualties.rates apply"
        )
    for i, front in enumerate(scenario.fronts):
        if strength_of(front) is None:
            raise ScenarioError(
                f"fronts[{i}].population",
                MISSING,
                f"the strength at risk, from 1 to {MAX_TOTAL:,}, or units; casualties.rates need it",
            )
    strength = sum(strength_of(front) or 0 for front in scenario.fronts)
    expected = fsum(mean_rates(scenario).values()) * strength / 1000 * scenario.days
    if expected > MAX_TOTAL:
        raise ScenarioError(
            "casualties.rates",
            f"{expected:.3g} casualties expected",
            f"rates, populations and days that give at most {MAX_TOTAL:,} casualties",
        )


def check_rates(scenario: Scenario) -> None:
    """Refuse rates of no distribution, of one that makes no sense, or that are all 0 (ScenarioError).

    Parameters
    ----------
    scenario
        A scenario with rates.
    """
    rates = scenario.casualties.rates or Rates()
    count = _check_rate_settings("casualties.rates", rates)
    for i, front in enumerate(scenario.fronts):
        if front.rates is not None:
            count += _check_rate_settings(f"fronts[{i}].rates", front.rates)
        for j, unit in enumerate(front.units):
            if unit.rates is not None:
                count += _check_rate_settings(f"fronts[{i}].units[{j}].rates", unit.rates)
    if count == 0:
        raise ScenarioError("casualties.rates", MISSING, "a rate for at least one of battle, nbi, disease")
    if all(_is_zero(scenario, stream) for stream in STREAMS):
        raise ScenarioError("casualties.rates", 0, "at least one rate with a mean above 0")
    for i, front in enumerate(scenario.fronts):
        _check_components(f"fronts[{i}]", front, rates)


def _check_rate_settings(place: str, rates: Rates | FrontRates) -> int:
    """Check each of the rates of a table; returns how many distributions there are."""
    count = 0
    for stream in STREAMS:
        setting = getattr(rates, stream)
        at = f"{place}.{stream}"
        if isinstance(setting, list) and not setting:
            raise ScenarioError(at, setting, "at least one distribution")
        for i, rate in enumerate(rate_components(setting)):
            check_rate(f"{at}[{i}]" if isinstance(setting, list) else at, rate)
            count += 1
    return count


def _check_components(place: str, front: Front, rates: Rates) -> None:
    """The rates of a front, with its factors and units, are rates that a scenario may have."""
    for stream in STREAMS:
        components = front_rate(front, rates, stream)
        if len(components) > MAX_RATE_PARTS:
            raise ScenarioError(
                f"{place}.units",
                f"{len(components)} distributions of {stream} rates",
                f"at most {MAX_RATE_PARTS} in all, those of its units with rates of their own included",
            )
        for rate in components if has_own_rates(front) else ():
            try:
                check_rate(place, rate)
            except ScenarioError as error:
                raise ScenarioError(
                    f"{place}.rate_factor",
                    error.value,
                    f"a factor that leaves {stream} rates with {error.allowed}",
                ) from None


def _is_zero(scenario: Scenario, stream: Stream) -> bool:
    """Whether a stream's rate is unset or always 0, on every front."""
    rates = scenario.casualties.rates or Rates()
    if not scenario.fronts:
        return not any(mean_of(rate) > 0 for rate in rate_components(getattr(rates, stream)))
    return not any(mean_rate(front, rates, stream) > 0 for front in scenario.fronts)


def _check_units(scenario: Scenario) -> None:
    """Units add up to the population that a front gives; rates of fronts and units only where casualties have rates."""
    for i, front in enumerate(scenario.fronts):
        place = f"fronts[{i}]"
        check_distinct(f"{place}.units", [unit.type for unit in front.units], "type")
        strength = sum(unit.strength for unit in front.units)
        if front.units and front.population not in (None, strength):
            raise ScenarioError(
                f"{place}.population",
                front.population,
                f"{strength:,}, the sum of its units; or leave it out",
            )
        if strength > MAX_TOTAL:
            raise ScenarioError(
                f"{place}.units", f"a strength of {strength:,}", f"at most {MAX_TOTAL:,} in all"
            )
        if scenario.casualties.rates is not None:
            continue
        parts = [(place, front), *((f"{place}.units[{j}]", unit) for j, unit in enumerate(front.units))]
        for at, part in parts:
            for name in ("rates", "rate_factor"):
                if getattr(part, name) is not None:
                    raise ScenarioError(
                        f"{at}.{name}",
                        getattr(part, name),
                        "rates of a front only with a table [casualties.rates], which may be empty where every front "
                        "has its own; under casualties.total a front has a share",
                    )


def _check_days(scenario: Scenario) -> None:
    if scenario.horizon_days is not None and scenario.horizon_days < scenario.days:
        raise ScenarioError(
            "horizon_days",
            scenario.horizon_days,
            f"at least days = {scenario.days}, because people are hurt until then",
        )
    weights = scenario.day_weights
    if weights is None:
        return
    if scenario.tempo is not None:
        raise ScenarioError("day_weights", "day_weights and tempo", "one of the two")
    if len(weights) != scenario.days:
        raise ScenarioError("day_weights", f"{len(weights)} weights", f"one weight per day, {scenario.days}")
    if fsum(weights) <= 0:
        raise ScenarioError("day_weights", weights, "at least one weight above 0")


def _check_events(scenario: Scenario) -> None:
    """Special events on days, fronts and of types that the scenario has."""
    names = [front.name for front in scenario.fronts or default_fronts()]
    types = [warfare.type for warfare in scenario.warfare]
    rates, mix = scenario.casualties.rates, scenario.mix
    no_battle = mix.battle == 0 if mix else rates is not None and _is_zero(scenario, "battle")
    for i, (event, counted) in enumerate(zip(scenario.events, events_from_start(scenario), strict=True)):
        place = f"events[{i}]"
        if event.day is not None and event.day > scenario.days:
            raise ScenarioError(f"{place}.day", event.day, f"a day from 1 to days = {scenario.days}")
        if counted.day == 0:
            raise ScenarioError(
                f"{place}.hour",
                event.hour,
                f"a time from the start on, {scenario.start}; day 1 is the day of the start",
            )
        if event.front is not None and event.front not in names:
            raise ScenarioError(
                f"{place}.front", event.front, f"a front: {', '.join(names)}", near_match(event.front, names)
            )
        if event.type is not None and types and event.type not in types:
            raise ScenarioError(
                f"{place}.type", event.type, f"a warfare type of this scenario: {', '.join(types)}"
            )
        if no_battle:
            raise ScenarioError(
                place, event.event, "no events, because the scenario has no battle casualties"
            )


def _check_triage(scenario: Scenario) -> None:
    for stream, shares in (scenario.triage or {}).items():
        place = key_place("triage", stream)
        for category in CATEGORIES:
            if category not in shares:
                raise ScenarioError(key_place(place, category), MISSING, "shares of T1, T2 and T3")
        if "T4" in shares and not (stream == "battle" and scenario.expectant and scenario.routing == "clock"):
            raise ScenarioError(
                key_place(place, "T4"),
                shares["T4"],
                "a share of T4 for battle only, with expectant = true and routing clock",
            )
        check_shares(place, shares)
