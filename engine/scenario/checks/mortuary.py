"""Checks of mortuary affairs: who moves the dead, and where to."""

from collections.abc import Iterable, Sequence

from engine.errors import ScenarioError
from engine.scenario.checks.places import entry_place
from engine.scenario.checks.values import check_distinct, check_known
from engine.scenario.limits import used_vehicle_pools
from engine.scenario.structs.mortuary import MortuaryAffairs
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import POI
from scenarios import tables

_PLACE = "mortuary_affairs"


def check_mortuary_affairs(scenario: Scenario, complete: Scenario) -> None:
    """Refuse mortuary affairs with an unknown or unfit vehicle, or a collection point that no dead can reach.

    Parameters
    ----------
    scenario
        The scenario as written.
    complete
        The same with its complete network.

    Raises
    ------
    ScenarioError
        With the place of the first mistake, its value and what is allowed there.
    """
    given = complete.mortuary_affairs
    if given is None:
        return
    pools = {pool.id: pool for pool in complete.vehicles}
    if given.vehicle is not None:
        check_known(f"{_PLACE}.vehicle", given.vehicle, list(pools), "one of vehicles")
        pool = pools[given.vehicle]
        if not pool.litters:
            place = entry_place(scenario, "vehicles", pool.id)
            raise ScenarioError(f"{place}.litters", 0, f"litters, because {_PLACE}.vehicle names this pool")
        if pool.lift is not None:
            raise ScenarioError(
                f"{_PLACE}.vehicle", given.vehicle, "a vehicle pool without a lift on a schedule"
            )
    ids = [facility.id for facility in complete.facilities]
    for i, name in enumerate(given.collection_points):
        check_known(f"{_PLACE}.collection_points[{i}]", name, ids, "a facility")
    check_distinct(f"{_PLACE}.collection_points", given.collection_points)
    _check_reached(given, complete)


def _check_reached(given: MortuaryAffairs, complete: Scenario) -> None:
    """Every front has a collection point ahead of POI, if there are any."""
    points = set(given.collection_points)
    for front in complete.fronts if points else ():
        found: set[str] = set()
        places = [POI]
        while places:
            at = places.pop()
            following = [
                link.destination for link in complete.links if link.origin == at and front.name in link.fronts
            ]
            places += [place for place in following if place not in found]
            found.update(following)
        if not found & points:
            raise ScenarioError(
                f"{_PLACE}.collection_points",
                given.collection_points,
                f"at least one facility that is reached from POI of front {front.name!r}",
            )


def note_mortuary_affairs(complete: Scenario) -> Iterable[str]:
    """Mortuary affairs that have no effect in the scenario's complete network, or not on all links."""
    given = complete.mortuary_affairs
    if given is None:
        return
    if complete.routing != "clock":
        yield f"{_PLACE}: no effect under routing transition-matrix"
        return
    pools = {pool.id: pool for pool in used_vehicle_pools(complete)}
    if not pools:
        yield f"{_PLACE}: the dead delay nobody, because vehicles have no limit"
    own = pools.get(given.vehicle or "")
    if own is not None:
        unfit = _unfit_links(own, complete)
        if unfit:
            yield f"{_PLACE}.vehicle: {own.id} does not move the dead from {', '.join(unfit)}: the terrain does not fit"
    if own is None:
        seats = [pool.id for pool in pools.values() if not pool.litters]
        if seats:
            yield f"{_PLACE}: {', '.join(seats)} move no dead, because they have no litters"


def _unfit_links(pool: Vehicle, complete: Scenario) -> Sequence[str]:
    """Ids of the places with a link that a pool cannot use: aircraft and ground vehicles keep to their own."""
    flies = tables.transports()[pool.kind]["mode"] == "air"
    found = [
        link.origin
        for link in complete.links
        if link.terrain is not None and flies != (link.terrain == "air")
    ]
    return list(dict.fromkeys(found))
