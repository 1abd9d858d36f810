"""Travel times of links."""

from typing import Any

from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.links import Link
from engine.scenario.structs.vehicles import Vehicle
from scenarios import tables


def link_minutes(link: Link, vehicles: list[Vehicle]) -> Distribution:
    """Time that a link takes, in minutes, loading and unloading included.

    `minutes` where the link gives them. Otherwise lognormal: the mean is distance / speed * terrain factor
    (transport_logistics.json) plus loading and unloading, the standard deviation is `travel.spread`
    (scenario_defaults.json) of the time on the move.
    """
    return _minutes(link, vehicles, handling=True)


def one_way_minutes(link: Link, vehicles: list[Vehicle]) -> Distribution:
    """Time on the move in minutes: `link_minutes` without loading and unloading, where the link gives a distance."""
    return _minutes(link, vehicles, handling=False)


def transport_kind(link: Link, vehicles: list[Vehicle]) -> str | None:
    """Kind of transport of a link: that of its pool, the one named, or by default the one that gives the speed.

    None where the link gives `minutes` and names none.
    """
    return None if link.vehicle is None and link.minutes is not None else _kind(link, vehicles)


def _kind(link: Link, vehicles: list[Vehicle]) -> str:
    travel: dict[str, Any] = tables.default("travel")
    name: str = link.vehicle or travel["air_vehicle" if link.terrain == "air" else "vehicle"]
    return next((vehicle.kind for vehicle in vehicles if vehicle.id == name), name)


def _minutes(link: Link, vehicles: list[Vehicle], handling: bool) -> Distribution:
    if link.minutes is not None:
        return link.minutes
    travel: dict[str, Any] = tables.default("travel")
    pool = next((vehicle for vehicle in vehicles if vehicle.id == link.vehicle), None)
    row = tables.transports()[_kind(link, vehicles)]
    terrain = link.terrain or ("air" if row["mode"] == "air" else travel["terrain"])
    speed_kmh = pool.speed_kmh if pool and pool.speed_kmh else float(row["speed_kmh"])
    factor = tables.terrain_factors()[terrain]
    moving = (link.distance_km or 0.0) / speed_kmh * 60.0 * factor
    loading = ((pool.load_minutes or 0.0) + (pool.unload_minutes or 0.0)) if pool and handling else 0.0
    return Distribution(distribution="lognormal", mean=moving + loading, sd=moving * travel["spread"])
