"""The evacuation network of a scenario, checked: links, and that everyone reaches care and can be moved on."""

from collections.abc import Sequence

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.capacity import check_facilities, check_vehicles, check_world, places
from engine.scenario.checks.notes import network_notes
from engine.scenario.checks.routes import Routes
from engine.scenario.checks.values import check_duration, check_known, distinct, listed
from engine.scenario.defaults import completed, default_facilities, default_fronts, facility_fronts, laid
from engine.scenario.structs import (
    CATEGORIES,
    MAX_FACILITIES,
    MAX_LINKS,
    MAX_VEHICLES,
    POI,
    TRANSPORT_KINDS,
    Link,
    Scenario,
    Vehicle,
)
from scenarios import tables


def check_network(s: Scenario) -> list[str]:
    """Refuse a network that cannot carry everyone (ScenarioError); return notes on what is not used.

    Links without facilities are laid over the default laydown, entries beside a named network over its own.
    Every front needs a link from POI for every triage category; its chain need not end in a Role 4 (a note says
    where it ends), as a network may be any part of an evacuation system.
    """
    if s.network is None and s.network_scale != 1.0:
        raise ScenarioError("network_scale", s.network_scale, "a scale only with network")
    distinct("facilities", [f.id for f in s.facilities], "id")
    distinct("vehicles", [v.id for v in s.vehicles], "id")
    _check_size(s)
    fronts = list(s.fronts) or default_fronts()
    names = [front.name for front in fronts]
    base = laid(s)
    facilities = list(base.facilities) or default_facilities(fronts)
    ids = [f.id for f in facilities]
    check_facilities([(_place(s, "facilities", f.id), f) for f in base.facilities], names)
    check_vehicles([(_place(s, "vehicles", v.id), v) for v in base.vehicles], ids)
    for place, link in _placed_links(s, base):
        _check_link(place, link, base.vehicles, names, ids)
    whole = completed(s)
    _check_cycles(s, whole.links)
    for place, link in _placed_links(s, base):
        _check_reach(place, link, whole)
    _check_twins(s, whole)
    _check_pools(s, whole)
    check_world(s.world, whole)
    routes = Routes(whole)
    _check_ways(s, whole, routes)
    _check_staging(s, whole)
    return network_notes(s, whole, routes)


def _place(s: Scenario, field: str, word: str) -> str:
    """Where an entry of the complete network stands: in the scenario, or in the network it names."""
    for i, entry in enumerate(getattr(s, field)):
        if entry.id == word:
            return f"{field}[{i}]"
    return f"network {s.network}, {word}" if s.network else f"default laydown, {word}"


def _link_place(s: Scenario, i: int, link: Link) -> str:
    """Where link i of the complete network stands: the scenario's own come first."""
    if i < len(s.links):
        return f"links[{i}]"
    return f"network {s.network or 'default'}, {link.origin} -> {link.destination}"


def _placed_links(s: Scenario, base: Scenario) -> list[tuple[str, Link]]:
    return [(_link_place(s, i, link), link) for i, link in enumerate(base.links)]


def _check_size(s: Scenario) -> None:
    """A network laid for many fronts stays within the bounds of the lists."""
    if s.network is None:
        return
    base = laid(s)
    for name, most in (("facilities", MAX_FACILITIES), ("links", MAX_LINKS), ("vehicles", MAX_VEHICLES)):
        count = len(getattr(base, name))
        if count > most:
            raise ScenarioError(
                "network", f"{s.network} with {count:,} {name}", f"fewer fronts: at most {most:,} {name}"
            )


def _check_link(
    place: str, link: Link, vehicles: Sequence[Vehicle], fronts: Sequence[str], ids: Sequence[str]
) -> None:
    """The link on its own: ends, fronts, categories, time or distance, vehicle, batch."""
    check_known(f"{place}.origin", link.origin, [POI, *ids], "POI or a facility")
    check_known(f"{place}.destination", link.destination, ids, "a facility")
    for j, name in enumerate(link.fronts):
        check_known(f"{place}.fronts[{j}]", name, fronts, "a front")
    distinct(f"{place}.fronts", link.fronts)
    distinct(f"{place}.categories", link.categories)
    if link.minutes is not None and link.distance_km is not None:
        raise ScenarioError(place, "minutes and distance_km", "one of the two")
    if link.minutes is None and link.distance_km is None:
        raise ScenarioError(f"{place}.minutes", MISSING, "minutes (a distribution) or distance_km")
    if link.minutes is not None:
        check_duration(f"{place}.minutes", link.minutes)
        if link.terrain is not None:
            raise ScenarioError(f"{place}.terrain", link.terrain, "a terrain only with distance_km")
    pools = {v.id: v.kind for v in vehicles}
    if link.vehicle is not None:
        kinds = [*pools, *TRANSPORT_KINDS]
        check_known(f"{place}.vehicle", link.vehicle, kinds, "a vehicle or a kind of transport")
        mode = tables.transports()[pools.get(link.vehicle, link.vehicle)]["mode"]
        if link.terrain is not None and (mode == "air") != (link.terrain == "air"):
            fitting = (
                "air, as aircraft fly" if mode == "air" else "a terrain on the ground for ground vehicles"
            )
            raise ScenarioError(f"{place}.terrain", link.terrain, fitting)
    if link.batch is not None:
        distinct(f"{place}.batch.override", link.batch.override)
        if link.vehicle not in pools:
            raise ScenarioError(
                f"{place}.batch",
                link.vehicle or MISSING,
                "a batch only with a vehicle that is one of vehicles",
            )


def _check_cycles(s: Scenario, links: Sequence[Link]) -> None:
    """Depth-first search for a way back to where one came from; ScenarioError names it."""
    onward: dict[str, list[tuple[str, int]]] = {}
    for i, link in enumerate(links):
        onward.setdefault(link.origin, []).append((link.destination, i))
    done: set[str] = set()
    for root in onward:
        path = [root]
        ways = [iter(onward[root])]
        while path:
            step = next(ways[-1], None)
            if step is None:
                done.add(path.pop())
                ways.pop()
            elif step[0] in path:
                cycle = " -> ".join([*path[path.index(step[0]) :], step[0]])
                raise ScenarioError(
                    _link_place(s, step[1], links[step[1]]),
                    cycle,
                    "links that never lead back to where they came from",
                )
            elif step[0] not in done:
                path.append(step[0])
                ways.append(iter(onward.get(step[0], [])))


def _check_reach(place: str, link: Link, whole: Scenario) -> None:
    """The link and its ends: roles do not fall (a staging unit has none), and both ends serve its fronts."""
    by_id = {f.id: f for f in whole.facilities}
    ends = [by_id[end] for end in (link.origin, link.destination) if end in by_id]
    if len(ends) == 2 and 0 < ends[1].role < ends[0].role:
        raise ScenarioError(
            f"{place}.destination",
            link.destination,
            f"a facility of Role {ends[0].role}, as {link.origin}, or a higher one; it is Role "
            f"{ends[1].role}",
        )
    for j, name in enumerate(link.fronts):
        for end in ends:
            served = facility_fronts(end, whole.fronts)
            if name not in served:
                raise ScenarioError(
                    f"{place}.fronts[{j}]", name, f"a front that {end.id} serves: {listed(served)}"
                )
    served = [front.name for front in whole.fronts]
    for end in ends:
        served = [name for name in facility_fronts(end, whole.fronts) if name in served]
    if not served:
        raise ScenarioError(
            place, f"{link.origin} -> {link.destination}", "ends that serve at least one front in common"
        )


def _check_twins(s: Scenario, whole: Scenario) -> None:
    """Links that join the same two places for the same front differ in vehicle pool or share no category."""
    pools = {v.id for v in whole.vehicles}
    seen: dict[tuple[str, str, str], list[int]] = {}
    for i, link in enumerate(whole.links):
        for name in link.fronts:
            for first in seen.setdefault((link.origin, link.destination, name), []):
                other = whole.links[first]
                meet = set(link.categories or CATEGORIES) & set(other.categories or CATEGORIES)
                apart = link.vehicle != other.vehicle and {link.vehicle, other.vehicle} <= pools
                if meet and not apart:
                    raise ScenarioError(
                        _link_place(s, i, link),
                        f"{link.origin} -> {link.destination}",
                        f"one link between two places for a front, or vehicles or categories that differ; "
                        f"{_link_place(s, first, other)} is the same for {name}",
                    )
            seen[link.origin, link.destination, name].append(i)


def _check_pools(s: Scenario, whole: Scenario) -> None:
    """Batches fit vehicle and place; a scheduled lift leaves from one facility, and not in batches."""
    pools = {v.id: v for v in whole.vehicles}
    by_id = {f.id: f for f in whole.facilities}
    origin: dict[str, str] = {}
    for i, link in enumerate(whole.links):
        place = _link_place(s, i, link)
        pool = pools.get(link.vehicle or "")
        if pool is None:
            continue
        room = (pool.litters or 0) + (pool.seats or 0)
        if link.batch is not None and link.batch.minimum > room:
            raise ScenarioError(
                f"{place}.batch.minimum",
                link.batch.minimum,
                f"at most {room}, the litters and seats of {pool.id}",
            )
        waiting = places(by_id[link.origin]) if link.batch is not None and link.origin in by_id else None
        if link.batch is not None and waiting is not None and link.batch.minimum > waiting:
            raise ScenarioError(
                f"{place}.batch.minimum",
                link.batch.minimum,
                f"at most {waiting}, the places of {link.origin}",
            )
        if pool.lift is None:
            continue
        if link.batch is not None:
            raise ScenarioError(f"{place}.batch", pool.id, f"no batch, as {pool.id} goes by a schedule")
        if link.origin == POI:
            raise ScenarioError(f"{place}.vehicle", pool.id, "no scheduled lift from POI")
        if origin.setdefault(pool.id, link.origin) != link.origin:
            raise ScenarioError(
                f"{place}.origin",
                link.origin,
                f"{origin[pool.id]}, from which the scheduled lift {pool.id} leaves on another link",
            )


def _check_ways(s: Scenario, whole: Scenario, routes: Routes) -> None:
    """Everyone is fetched at the POI and moved on from a staging unit, lying down where need be."""
    by_id = {f.id: f for f in whole.facilities}
    for front in whole.fronts:
        if not any(routes.candidates(POI, front.name, category) for category in CATEGORIES):
            raise ScenarioError(
                "links", f"none from POI for front {front.name!r}", "a link from POI for every front"
            )
        for at in (POI, *routes.reached[front.name]):
            staging = at != POI and by_id[at].role == 0
            for category in CATEGORIES:
                found = routes.candidates(at, front.name, category)
                if not found and (at == POI or staging):
                    raise ScenarioError(
                        "links" if at == POI else _place(s, "facilities", at),
                        f"no link onward from {at} for {category} of front {front.name!r}",
                        "a way onward for everyone at POI and at a staging unit",
                    )
                pools = [routes.pool(link) for link in found]
                if pools and all(pool is not None and not pool.litters for pool in pools):
                    raise ScenarioError(
                        f"{_place(s, 'vehicles', pools[0].id)}.litters" if pools[0] else "vehicles",
                        0,
                        f"litters on some way from {at}, for those of {category} who cannot sit",
                    )


def _check_staging(s: Scenario, whole: Scenario) -> None:
    """A staging unit leads to no lower role than those it takes patients from."""
    by_id = {f.id: f for f in whole.facilities}
    into: dict[tuple[str, str], list[str]] = {}
    for link in whole.links:
        for name in link.fronts:
            into.setdefault((link.destination, name), []).append(link.origin)
    known: dict[tuple[str, str], int] = {}

    def highest(at: str, front: str) -> int:
        """The highest role on the way to a place, its own included."""
        if at == POI:
            return 0
        if (at, front) not in known:
            before = into.get((at, front), [])
            role = by_id[at].role
            known[at, front] = role or max((highest(origin, front) for origin in before), default=0)
        return known[at, front]

    for i, link in enumerate(whole.links):
        if link.origin == POI or by_id[link.origin].role != 0 or by_id[link.destination].role == 0:
            continue
        role = max(highest(link.origin, name) for name in link.fronts)
        if by_id[link.destination].role < role:
            raise ScenarioError(
                f"{_link_place(s, i, link)}.destination",
                link.destination,
                f"a facility of Role {role} or higher, as {link.origin} takes patients from Role {role}",
            )
