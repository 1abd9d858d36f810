"""Checks of what several settings give together: each may be within its bounds and the product far beyond."""

from collections.abc import Iterator

from engine.errors import ScenarioError
from engine.scenario.checks.places import link_place
from engine.scenario.mix import mix_of
from engine.scenario.structs.bounds import (
    MAX_CANDIDATES,
    MAX_CELL_DAYS,
    MAX_FACILITIES_ON_WAY,
    MAX_FACTOR,
    MAX_LINK_FRONTS,
    MAX_MINUTES,
    MAX_WAYS,
    MIN_FACTOR,
)
from engine.scenario.structs.distributions import mean_of
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import POI
from engine.scenario.travel import link_minutes


def check_size(complete: Scenario) -> None:
    """Refuse a network whose links and fronts are too many together (ScenarioError).

    Parameters
    ----------
    complete
        The scenario with its complete network.
    """
    pairs = sum(len(link.fronts) for link in complete.links)
    if pairs > MAX_LINK_FRONTS:
        raise ScenarioError(
            "links",
            f"{len(complete.links):,} links that serve {pairs:,} fronts, counted link by link",
            f"at most {MAX_LINK_FRONTS:,}; use fewer links or fronts",
        )
    ways = _ways(complete)
    candidates = sum(len(links) for _, _, links in ways)
    if len(ways) > MAX_WAYS or candidates > MAX_CANDIDATES:
        raise ScenarioError(
            "links",
            f"{len(ways):,} different sets of links from one place, with {candidates:,} links in all",
            f"at most {MAX_WAYS:,} sets with {MAX_CANDIDATES:,} links; fronts that use the same links from a facility "
            "share a set",
        )


def check_ways(complete: Scenario) -> None:
    """Refuse a way from POI that passes more facilities than a patient's record has room for (ScenarioError).

    Parameters
    ----------
    complete
        The scenario with its complete network, without circles.
    """
    onward: dict[str, set[str]] = {}
    arrivals: dict[str, int] = {}
    for link in complete.links:
        if link.destination not in onward.setdefault(link.origin, set()):
            onward[link.origin].add(link.destination)
            arrivals[link.destination] = arrivals.get(link.destination, 0) + 1
    passed = dict.fromkeys([*onward, *arrivals], 0)
    ready = [place for place in passed if place not in arrivals]
    while ready:
        place = ready.pop()
        for destination in onward.get(place, ()):
            passed[destination] = max(passed[destination], passed[place] + 1)
            arrivals[destination] -= 1
            if not arrivals[destination]:
                ready.append(destination)
    last = max(passed, key=passed.__getitem__, default=POI)
    if passed.get(last, 0) > MAX_FACILITIES_ON_WAY:
        raise ScenarioError(
            "links",
            f"a way of {passed[last]:,} facilities from POI to {last}",
            f"ways of at most {MAX_FACILITIES_ON_WAY} facilities and staging units",
        )


def check_cells(complete: Scenario) -> None:
    """Refuse more days, fronts, warfare types and special events than can be planned together (ScenarioError).

    Parameters
    ----------
    complete
        The scenario with its complete network.
    """
    fronts = len(complete.fronts)
    kinds = len(mix_of(complete))
    at_events = sum((1 if event.front else fronts) for event in complete.events)
    cells = complete.days * (kinds * fronts + at_events)
    if cells > MAX_CELL_DAYS:
        events = f" + {at_events:,} for special events" if at_events else ""
        raise ScenarioError(
            "days",
            complete.days,
            f"at most {MAX_CELL_DAYS // (kinds * fronts + at_events):,} here: days x ({fronts:,} fronts x {kinds:,} "
            f"kinds of casualties{events}) is at most {MAX_CELL_DAYS:,}; use fewer days, fronts or warfare types",
        )


def check_travel(scenario: Scenario, complete: Scenario) -> None:
    """Refuse links that take too long, by their distance and speed or by the moves of their ends (ScenarioError).

    Parameters
    ----------
    scenario
        The scenario as written, for the places in messages.
    complete
        The same with its complete network.
    """
    moves: dict[str, list[tuple[float, int]]] = {}
    for number, event in enumerate(complete.world):
        if event.event == "move" and event.facility is not None:
            moves.setdefault(event.facility, []).append((event.at_hours, number))
    for i, link in enumerate(complete.links):
        minutes = mean_of(link_minutes(link, complete.vehicles))
        if minutes > MAX_MINUTES:
            raise ScenarioError(
                f"{link_place(scenario, i, link)}.distance_km",
                link.distance_km,
                f"a distance and a speed that give at most {MAX_MINUTES:,.0f} minutes; these give {minutes:,.0f}",
            )
        ends = moves.get(link.origin, []) + moves.get(link.destination, [])
        for number, factor in _factors(complete, sorted(ends)):
            if not MIN_FACTOR <= factor <= MAX_FACTOR:
                raise ScenarioError(
                    f"world[{number}].minutes_factor",
                    complete.world[number].minutes_factor,
                    f"moves that together multiply the minutes of a link by {MIN_FACTOR:g} to {MAX_FACTOR:g}; those of "
                    f"{link_place(scenario, i, link)} ({link.origin} -> {link.destination}) are then multiplied by "
                    f"{factor:g}",
                )
            if minutes * factor > MAX_MINUTES:
                raise ScenarioError(
                    f"world[{number}].minutes_factor",
                    complete.world[number].minutes_factor,
                    f"moves after which every link takes at most {MAX_MINUTES:,.0f} minutes on average; "
                    f"{link_place(scenario, i, link)} ({link.origin} -> {link.destination}) then takes "
                    f"{minutes * factor:,.0f}",
                )


def _factors(complete: Scenario, moves: list[tuple[float, int]]) -> Iterator[tuple[int, float]]:
    """The number of each of these moves, and the product of the factors up to it."""
    factor = 1.0
    for _, number in moves:
        factor *= complete.world[number].minutes_factor
        yield number, factor


def _ways(complete: Scenario) -> set[tuple[str, str, tuple[int, ...]]]:
    """The sets of links among which patients of a front choose at a place, as the engine counts them."""
    leaving: dict[tuple[str, str], list[int]] = {}
    for i, link in enumerate(complete.links):
        for front in link.fronts:
            leaving.setdefault((link.origin, front), []).append(i)
    return {
        (origin, front if origin == POI else "", tuple(links)) for (origin, front), links in leaving.items()
    }
