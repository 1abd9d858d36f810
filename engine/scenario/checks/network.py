"""The check of the evacuation network as a whole: that every patient reaches care and can be moved on."""

from engine.errors import ScenarioError
from engine.scenario.checks.facilities import check_facilities
from engine.scenario.checks.links import (
    check_acyclic,
    check_batches_and_lifts,
    check_ends,
    check_link,
    check_parallel_links,
)
from engine.scenario.checks.mortuary import check_mortuary_affairs
from engine.scenario.checks.network_notes import note_network
from engine.scenario.checks.places import entry_place, link_place
from engine.scenario.checks.products import check_cells, check_size, check_travel, check_ways
from engine.scenario.checks.routes import Routes
from engine.scenario.checks.values import check_distinct
from engine.scenario.checks.vehicles import check_vehicles
from engine.scenario.checks.world import check_world_events
from engine.scenario.default_network import default_facilities, default_fronts
from engine.scenario.near_matches import near_id
from engine.scenario.network import complete_network, expand_network, template_of
from engine.scenario.structs.bounds import MAX_FACILITIES, MAX_LINKS, MAX_VEHICLES
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import CATEGORIES, POI


def check_network(scenario: Scenario) -> list[str]:
    """Refuse a network that cannot carry every patient; return notes on settings that have no effect.

    Links without facilities change the default network, entries beside a named network its template. Every front needs
    a link from POI for every triage category. Its chain need not end in a Role 4, because a network may be any part of
    an evacuation system; a note says where it ends.

    Raises
    ------
    ScenarioError
        With the place of the first mistake, its value and what is allowed there.
    """
    if scenario.network is None and scenario.network_scale != 1.0:
        raise ScenarioError("network_scale", scenario.network_scale, "a scale only with network")
    check_distinct("facilities", [facility.id for facility in scenario.facilities], "id")
    check_distinct("vehicles", [pool.id for pool in scenario.vehicles], "id")
    _check_new(scenario)
    expanded = expand_network(scenario)
    _check_size(scenario, expanded)
    _check_entries(scenario, expanded)
    complete = complete_network(scenario)
    check_size(complete)
    check_acyclic(scenario, complete.links)
    check_ways(complete)
    check_ends(_placed_links(scenario, expanded), complete)
    check_parallel_links(scenario, complete)
    check_batches_and_lifts(scenario, complete)
    check_mortuary_affairs(scenario, complete)
    check_world_events(complete)
    check_travel(scenario, complete)
    check_cells(complete)
    routes = Routes(complete)
    _check_links_onward(scenario, complete, routes)
    _check_staging_units(scenario, complete)
    return note_network(scenario, complete, routes)


def _check_new(scenario: Scenario) -> None:
    """An entry that is added to a template says so where its id looks like a slip of a template's id."""
    template = template_of(scenario)
    for field, what in (("facilities", "facility"), ("vehicles", "vehicle pool")):
        for i, entry in enumerate(getattr(scenario, field)):
            if template is None:
                if entry.new:
                    raise ScenarioError(
                        f"{field}[{i}].new", True, "true only beside the entries of a network"
                    )
                continue
            ids = [other.id for other in getattr(template, field)]
            if entry.new and entry.id in ids:
                raise ScenarioError(
                    f"{field}[{i}].new",
                    True,
                    f"false, because network {scenario.network} has a {what} {entry.id}, which this entry overrides",
                )
            near = None if entry.new else near_id(entry.id, ids)
            if near is not None:
                raise ScenarioError(
                    f"{field}[{i}].id",
                    entry.id,
                    f"the id of a {what} of network {scenario.network}, to override it; new = true in this entry, to "
                    f"add another beside {near}",
                    near,
                )


def _placed_links(scenario: Scenario, expanded: Scenario) -> list[tuple[str, Link]]:
    """The links of the expanded network, each with its place for messages."""
    return [(link_place(scenario, i, link), link) for i, link in enumerate(expanded.links)]


def _check_size(scenario: Scenario, expanded: Scenario) -> None:
    """A template that is expanded for many fronts stays within the bounds of the lists."""
    if scenario.network is None:
        return
    for name, most in (("facilities", MAX_FACILITIES), ("links", MAX_LINKS), ("vehicles", MAX_VEHICLES)):
        count = len(getattr(expanded, name))
        if count > most:
            raise ScenarioError(
                "network",
                f"{scenario.network} with {count:,} {name}",
                f"at most {most:,} {name}; use fewer fronts",
            )


def _check_entries(scenario: Scenario, expanded: Scenario) -> None:
    """Facilities, vehicle pools and links, each on its own."""
    fronts = list(scenario.fronts) or default_fronts()
    front_names = [front.name for front in fronts]
    facilities = list(expanded.facilities) or default_facilities(fronts)
    facility_ids = [facility.id for facility in facilities]
    check_facilities(
        [(entry_place(scenario, "facilities", facility.id), facility) for facility in expanded.facilities],
        front_names,
    )
    check_vehicles(
        [(entry_place(scenario, "vehicles", pool.id), pool) for pool in expanded.vehicles], facility_ids
    )
    for place, link in _placed_links(scenario, expanded):
        check_link(place, link, expanded.vehicles, front_names, facility_ids)


def _check_links_onward(scenario: Scenario, complete: Scenario, routes: Routes) -> None:
    """Every patient can leave POI and every staging unit, on a litter where one is needed."""
    by_id = {facility.id: facility for facility in complete.facilities}
    for front in complete.fronts:
        if not any(routes.candidates(POI, front.name, category) for category in CATEGORIES):
            raise ScenarioError(
                "links",
                f"none from POI for front {front.name!r}",
                'a link from POI for every front: [[links]] with origin = "POI"',
            )
        for at in (POI, *routes.reached[front.name]):
            is_staging = at != POI and by_id[at].role == 0
            for category in CATEGORIES:
                candidates = routes.candidates(at, front.name, category)
                if (at == POI or is_staging) and not routes.names(at, front.name, category):
                    raise ScenarioError(
                        "links" if at == POI else entry_place(scenario, "facilities", at),
                        f"no link onward from {at} for {category} of front {front.name!r}",
                        "a link onward for every category, from POI and from every staging unit",
                    )
                pools = [routes.pool(link) for link in candidates]
                if pools and all(pool is not None and not pool.litters for pool in pools):
                    raise ScenarioError(
                        f"{entry_place(scenario, 'vehicles', pools[0].id)}.litters"
                        if pools[0]
                        else "vehicles",
                        0,
                        f"litters on at least one link from {at}, for patients of {category} who cannot sit",
                    )


def _check_staging_units(scenario: Scenario, complete: Scenario) -> None:
    """A staging unit leads to no lower role than those it takes patients from."""
    by_id = {facility.id: facility for facility in complete.facilities}
    origins: dict[tuple[str, str], list[str]] = {}
    for link in complete.links:
        for front in link.fronts:
            origins.setdefault((link.destination, front), []).append(link.origin)
    known: dict[tuple[str, str], int] = {}

    def highest_role(at: str, front: str) -> int:
        """The highest role on the way to a place, its own included."""
        if at == POI:
            return 0
        if (at, front) not in known:
            before = origins.get((at, front), [])
            role = by_id[at].role
            known[at, front] = role or max((highest_role(origin, front) for origin in before), default=0)
        return known[at, front]

    for i, link in enumerate(complete.links):
        if link.origin == POI or by_id[link.origin].role != 0 or by_id[link.destination].role == 0:
            continue
        role = max(highest_role(link.origin, front) for front in link.fronts)
        if by_id[link.destination].role < role:
            raise ScenarioError(
                f"{link_place(scenario, i, link)}.destination",
                link.destination,
                f"a facility of Role {role} or higher, because {link.origin} takes patients from Role {role}",
            )
