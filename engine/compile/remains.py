"""Compile how the dead are moved (docs/model.md section 2.9.5)."""

from typing import Any

import numpy as np

from engine.compile.rows import ints
from engine.compile.way_network import WayNetwork
from engine.compile.world import WorldEvent, facilities_with
from engine.kernel import NO_VEHICLE, Recovery, WorldEventKind
from engine.scenario import POI, Scenario
from engine.tables import FACILITIES, FRONTS
from scenarios import tables

_BY_WAY_OR_CANDIDATE = (
    "remains_wait",
    "remains_pool",
    "remains_comes_from_base",
    "remains_returns_to_base",
)


def vehicle_trips(scenario: Scenario, link: int, pool: int) -> tuple[int, int]:
    """Return 1 if a vehicle of a pool comes from elsewhere to the origin of a link, and 1 if it goes back after it.

    Without a base of its own a vehicle is based at the destination of a link from the POI, else at the origin.
    """
    ends = scenario.links[link]
    base = (scenario.vehicles[pool].base if pool >= 0 else None) or (
        ends.destination if ends.origin == POI else ends.origin
    )
    return int(base != ends.origin), int(base != ends.destination)


def find_pools_for_remains(network: WayNetwork, events: list[WorldEvent]) -> None:
    """Find the pool that takes the dead on each link, and where they wait."""
    scenario = network.scenario
    network.remains_wait = [False] * len(network.links)
    given = scenario.mortuary_affairs
    if given is None or scenario.routing != "clock":
        return
    own = [pool.id for pool in scenario.vehicles].index(given.vehicle) if given.vehicle is not None else None
    changing = facilities_with(events, len(scenario.facilities), WorldEventKind.OPEN, WorldEventKind.CLOSE)
    for candidate in network.candidates:
        pool = candidate.pool if own is None else own
        fits = pool < 0 or _may_carry(scenario, candidate.link, pool)
        network.remains_pools.append(pool if fits else NO_VEHICLE)
    if given.collection_points:
        _leave_out_links_without_point(network)
    for candidate, pool in zip(network.candidates, network.remains_pools, strict=True):
        if pool >= 0 or (pool != NO_VEHICLE and changing[network.destination(candidate.link)]):
            network.remains_wait[candidate.way] = True


def _leave_out_links_without_point(network: WayNetwork) -> None:
    """Let no vehicle take the dead on links that lead to no collection point, of whichever front."""
    points = _points(network)
    leave, _ = _places_left(network)
    network.remains_pools = [
        pool if leave[target].any() or target in points else NO_VEHICLE
        for pool, candidate in zip(network.remains_pools, network.candidates, strict=True)
        for target in (network.destination(candidate.link),)
    ]


def _points(network: WayNetwork) -> set[int]:
    """Return the numbers of the collection points."""
    given = network.scenario.mortuary_affairs
    return {network.facilities[name] for name in (given.collection_points if given is not None else ())}


def _may_carry(scenario: Scenario, link: int, pool: int) -> bool:
    """Return whether a pool has litters and may use a link: aircraft and ground vehicles keep to their own."""
    vehicle = scenario.vehicles[pool]
    terrain = scenario.links[link].terrain
    flies = tables.transports()[vehicle.kind]["mode"] == "air"
    return bool(vehicle.litters) and (terrain is None or flies == (terrain == "air"))


def compile_remains(network: WayNetwork) -> dict[str, Any]:
    """Return the fields of NETWORK on the dead."""
    given = network.scenario.mortuary_affairs
    if given is None or not network.remains_pools:
        return {
            "recovers_dead": Recovery.NONE,
            "collection_points": 0,
            **{name: ints(()) for name in _BY_WAY_OR_CANDIDATE},
            "remains_leave": np.zeros((0, FRONTS), np.uint8),
            "remains_leave_poi": ints(()),
        }
    trips = [
        vehicle_trips(network.scenario, candidate.link, pool)
        for candidate, pool in zip(network.candidates, network.remains_pools, strict=True)
    ]
    leave, leave_poi = _places_left(network)
    return {
        "recovers_dead": Recovery.ALL if given.died_of_wounds else Recovery.BEFORE_ADMISSION,
        "collection_points": int(bool(given.collection_points)),
        "remains_wait": ints(network.remains_wait),
        "remains_pool": ints(network.remains_pools),
        "remains_comes_from_base": ints(comes for comes, _ in trips),
        "remains_returns_to_base": ints(returns for _, returns in trips),
        "remains_leave": leave,
        "remains_leave_poi": leave_poi,
    }


def _places_left(network: WayNetwork) -> tuple[Any, Any]:
    """Return from which facilities the dead of a front are moved on, shape (FACILITIES, FRONTS), and from the POI.

    With collection points they are moved on where one lies ahead. Links never form a cycle, so the recursion ends.
    """
    points = _points(network)
    leave = np.zeros((FACILITIES, FRONTS), np.uint8)
    leave_poi = np.zeros(FRONTS, np.uint8)
    for front in range(len(network.scenario.fronts)):
        known: dict[int, bool] = {}

        def leads_on(way: int, front: int, known: dict[int, bool]) -> bool:
            if way < 0:
                return False
            first = network.first[way]
            targets = [
                network.destination(link)
                for number, link in enumerate(network.links[way])
                if network.remains_pools[first + number] != NO_VEHICLE
            ]
            if not points:
                return len(targets) > 0
            return any(target in points or leaves(target, front, known) for target in targets)

        def leaves(facility: int, front: int, known: dict[int, bool]) -> bool:
            if facility not in known:
                way = int(network.way_of[facility, front])
                known[facility] = facility not in points and leads_on(way, front, known)
            return known[facility]

        leave_poi[front] = leads_on(int(network.poi_way[front]), front, known)
        for facility in range(len(network.scenario.facilities)):
            leave[facility, front] = leaves(facility, front, known)
    return leave, leave_poi
