"""Checks of the settings of arrivals: fronts, casualties and their rates, days, special events, triage."""

from math import fsum

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.values import (
    check_distinct,
    check_name,
    check_nation,
    check_rate,
    check_shares,
    check_sum,
)
from engine.scenario.default_network import default_fronts
from engine.scenario.near_matches import near_match
from engine.scenario.parsing import key_place
from engine.scenario.structs.bounds import MAX_TOTAL
from engine.scenario.structs.casualties import Rates
from engine.scenario.structs.distributions import mean_of, rate_components
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import CATEGORIES, STREAMS, Stream


def check_arrivals(scenario: Scenario) -> None:
    """Refuse settings of arrivals that contradict each other (ScenarioError)."""
    _check_fronts(scenario)
    _check_casualties(scenario)
    _check_days(scenario)
    check_distinct("environment", scenario.environment)
    check_distinct("warfare", [warfare.type for warfare in scenario.warfare], "type")
    _check_events(scenario)
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
    check_rates(rates)
    if not scenario.fronts:
        raise ScenarioError(
            "fronts", MISSING, "[[fronts]] with a population, to which casualties.rates apply"
        )
    for i, front in enumerate(scenario.fronts):
        if front.population is None:
            raise ScenarioError(
                f"fronts[{i}].population",
                MISSING,
                f"the strength at risk, from 1 to {MAX_TOTAL:,}; casualties.rates need it",
            )
    strength = sum(front.population or 0 for front in scenario.fronts)
    per_1000_day = fsum(
        mean_of(rate) for stream in STREAMS for rate in rate_components(getattr(rates, stream))
    )
    expected = per_1000_day * strength / 1000 * scenario.days
    if expected > MAX_TOTAL:
        raise ScenarioError(
            "casualties.rates",
            f"{expected:.3g} casualties expected",
            f"rates, populations and days that give at most {MAX_TOTAL:,} casualties",
        )


def check_rates(rates: Rates) -> None:
    """Refuse rates of no distribution, of one that makes no sense, or that are all 0 (ScenarioError)."""
    count = 0
    for stream in STREAMS:
        setting = getattr(rates, stream)
        place = f"casualties.rates.{stream}"
        if isinstance(setting, list) and not setting:
            raise ScenarioError(place, setting, "at least one distribution")
        for i, rate in enumerate(rate_components(setting)):
            check_rate(f"{place}[{i}]" if isinstance(setting, list) else place, rate)
            count += 1
    if count == 0:
        raise ScenarioError("casualties.rates", MISSING, "a rate for at least one of battle, nbi, disease")
    if all(_is_zero(rates, stream) for stream in STREAMS):
        raise ScenarioError("casualties.rates", 0, "at least one rate with a mean above 0")


def _is_zero(rates: Rates, stream: Stream) -> bool:
    """Whether a stream's rate is unset or always 0."""
    return not any(mean_of(rate) > 0 for rate in rate_components(getattr(rates, stream)))


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
    no_battle = mix.battle == 0 if mix else rates is not None and _is_zero(rates, "battle")
    for i, event in enumerate(scenario.events):
        place = f"events[{i}]"
        if event.day is not None and event.day > scenario.days:
            raise ScenarioError(f"{place}.day", event.day, f"a day from 1 to days = {scenario.days}")
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
        check_shares(place, shares)
