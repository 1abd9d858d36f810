"""Checks of links: each on its own, with the facilities at its ends, with its vehicle pool, and against each other."""

from collections import Counter
from collections.abc import Mapping, Sequence

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.places import link_place
from engine.scenario.checks.values import check_distinct, check_duration, check_known, list_words
from engine.scenario.limits import facility_places
from engine.scenario.network import facility_fronts
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import CATEGORIES, POI, TRANSPORT_KINDS, Category
from scenarios import tables


def check_link(
    place: str, link: Link, vehicles: Sequence[Vehicle], fronts: Sequence[str], facilities: Sequence[str]
) -> None:
    """Refuse a link with unknown ends or fronts, or whose time, vehicle and batch do not fit (ScenarioError).

    Parameters
    ----------
    place
        Place of the link in the scenario, for messages.
    fronts, facilities
        Names of the fronts and ids of the facilities.
    """
    check_known(f"{place}.origin", link.origin, [POI, *facilities], "POI or a facility")
    check_known(f"{place}.destination", link.destination, facilities, "a facility")
    for j, name in enumerate(link.fronts):
        check_known(f"{place}.fronts[{j}]", name, fronts, "a front")
    check_distinct(f"{place}.fronts", link.fronts)
    check_distinct(f"{place}.categories", link.categories)
    _check_time(place, link)
    kind_by_pool = {pool.id: pool.kind for pool in vehicles}
    if link.vehicle is not None:
        known = [*kind_by_pool, *TRANSPORT_KINDS]
        check_known(f"{place}.vehicle", link.vehicle, known, "one of vehicles or a kind of transport")
        mode = tables.transports()[kind_by_pool.get(link.vehicle, link.vehicle)]["mode"]
        if link.terrain is not None and (mode == "air") != (link.terrain == "air"):
            fitting = "air, because aircraft fly" if mode == "air" else "any but air, for a ground vehicle"
            raise ScenarioError(f"{place}.terrain", link.terrain, fitting)
    if link.batch is not None:
        check_distinct(f"{place}.batch.override", link.batch.override)
        if link.vehicle not in kind_by_pool:
            raise ScenarioError(
                f"{place}.batch",
                link.vehicle or MISSING,
                "a batch only on a link whose vehicle is one of vehicles",
            )


def _check_time(place: str, link: Link) -> None:
    """Either minutes or a distance; a terrain with a distance only."""
    if link.minutes is not None and link.distance_km is not None:
        raise ScenarioError(place, "minutes and distance_km", "one of the two")
    if link.minutes is None and link.distance_km is None:
        raise ScenarioError(f"{place}.minutes", MISSING, "minutes (a distribution) or distance_km")
    if link.minutes is not None:
        check_duration(f"{place}.minutes", link.minutes)
        if link.terrain is not None:
            raise ScenarioError(f"{place}.terrain", link.terrain, "a terrain only with distance_km")


def check_acyclic(scenario: Scenario, links: Sequence[Link]) -> None:
    """Refuse links that form a cycle (ScenarioError names it), by depth-first search."""
    links_from: dict[str, list[tuple[str, int]]] = {}
    for i, link in enumerate(links):
        links_from.setdefault(link.origin, []).append((link.destination, i))
    done: set[str] = set()
    for root in links_from:
        path = [root]
        untried = [iter(links_from[root])]
        while path:
            step = next(untried[-1], None)
            if step is None:
                done.add(path.pop())
                untried.pop()
                continue
            destination, i = step
            if destination in path:
                cycle = " -> ".join([*path[path.index(destination) :], destination])
                raise ScenarioError(
                    link_place(scenario, i, links[i]),
                    cycle,
                    "links that form no cycle: patients never come back to a place they left",
                )
            if destination not in done:
                path.append(destination)
                untried.append(iter(links_from.get(destination, [])))


def check_ends(placed: Sequence[tuple[str, Link]], complete: Scenario) -> None:
    """Refuse links to a lower role, or whose ends do not serve their fronts (ScenarioError).

    A staging unit has no role.

    Parameters
    ----------
    placed
        Links, each with its place in the scenario for messages.
    complete
        The scenario with its complete network.
    """
    by_id = {facility.id: facility for facility in complete.facilities}
    served = {
        facility.id: frozenset(facility_fronts(facility, complete.fronts)) for facility in complete.facilities
    }
    for place, link in placed:
        _check_ends(place, link, complete, by_id, served)


def _check_ends(
    place: str,
    link: Link,
    complete: Scenario,
    by_id: Mapping[str, Facility],
    served: Mapping[str, frozenset[str]],
) -> None:
    """Check the ends of one link; `by_id` has the facilities and `served` the fronts that each serves."""
    ends = [by_id[end] for end in (link.origin, link.destination) if end in by_id]
    if len(ends) == 2 and 0 < ends[1].role < ends[0].role:
        raise ScenarioError(
            f"{place}.destination",
            link.destination,
            f"a facility of Role {ends[0].role}, like {link.origin}, or higher; {link.destination} is of Role "
            f"{ends[1].role}",
        )
    for j, name in enumerate(link.fronts):
        for end in ends:
            if name not in served[end.id]:
                words = list_words(facility_fronts(end, complete.fronts))
                raise ScenarioError(f"{place}.fronts[{j}]", name, f"a front that {end.id} serves: {words}")
    if not frozenset.intersection(*(served[end.id] for end in ends)):
        raise ScenarioError(
            place, f"{link.origin} -> {link.destination}", "ends that serve at least one front in common"
        )


def check_parallel_links(scenario: Scenario, complete: Scenario) -> None:
    """Refuse two links between the same places for the same front that cannot be told apart (ScenarioError).

    They must differ in vehicle pool or have no category in common.
    """
    pool_ids = {pool.id for pool in complete.vehicles}
    # By ends, front and category: the first link of each pool; None stands for all vehicles that are no pool.
    seen: dict[tuple[str, str, str, Category], dict[str | None, int]] = {}
    parallel = Counter((link.origin, link.destination) for link in complete.links)
    for i, link in enumerate(complete.links):
        if parallel[link.origin, link.destination] == 1:
            continue
        pool = link.vehicle if link.vehicle in pool_ids else None
        for name in link.fronts:
            earlier: list[int] = []
            for category in link.categories or CATEGORIES:
                first = seen.setdefault((link.origin, link.destination, name, category), {})
                earlier += (
                    first.values() if pool is None else [first[key] for key in (pool, None) if key in first]
                )
                first.setdefault(pool, i)
            if earlier:
                j = min(earlier)
                raise ScenarioError(
                    link_place(scenario, i, link),
                    f"{link.origin} -> {link.destination}",
                    f"one link between the same two places for a front, or links that differ in vehicle pool or "
                    f"have no category in common; {link_place(scenario, j, complete.links[j])} already serves {name}",
                )


def check_batches_and_lifts(scenario: Scenario, complete: Scenario) -> None:
    """Refuse batches that are too large, and lifts in batches, from POI or from two places (ScenarioError)."""
    pools = {pool.id: pool for pool in complete.vehicles}
    by_id = {facility.id: facility for facility in complete.facilities}
    lift_origins: dict[str, str] = {}
    for i, link in enumerate(complete.links):
        place = link_place(scenario, i, link)
        pool = pools.get(link.vehicle or "")
        if pool is None:
            continue
        if link.batch is not None:
            minimum = link.batch.minimum
            room = (pool.litters or 0) + (pool.seats or 0)
            if minimum > room:
                raise ScenarioError(
                    f"{place}.batch.minimum", minimum, f"at most {room}, the litters and seats of {pool.id}"
                )
            waiting = facility_places(by_id[link.origin]) if link.origin in by_id else None
            if waiting is not None and minimum > waiting:
                raise ScenarioError(
                    f"{place}.batch.minimum", minimum, f"at most {waiting}, the places of {link.origin}"
                )
        if pool.lift is None:
            continue
        if link.batch is not None:
            raise ScenarioError(
                f"{place}.batch", pool.id, f"no batch, because {pool.id} leaves on a schedule"
            )
        if link.origin == POI:
            raise ScenarioError(f"{place}.vehicle", pool.id, "no scheduled lift from POI")
        if lift_origins.setdefault(pool.id, link.origin) != link.origin:
            raise ScenarioError(
                f"{place}.origin",
                link.origin,
                f"{lift_origins[pool.id]}, because the scheduled lift {pool.id} leaves from there on another link",
            )
