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


def _minutes(link: Link, vehicles: list[Vehicle], handling: bool) -> Distribution:
    if link.minutes is not None:
        return link.minutes
    travel: dict[str, Any] = tables.default("travel")
    name = link.vehicle or travel["air_vehicle" if link.terrain == "air" else "vehicle"]
    pool = next((vehicle for vehicle in vehicles if vehicle.id == name), None)
    row = tables.transports()[pool.kind if pool else name]
    terrain = link.terrain or ("air" if row["mode"] == "air" else travel["terrain"])
    speed_kmh = pool.speed_kmh if pool and pool.speed_kmh else float(row["speed_kmh"])
    factor = tables.terrain_factors()[terrain]
    moving = (link.distance_km or 0.0) / speed_kmh * 60.0 * factor
    loading = ((pool.load_minutes or 0.0) + (pool.unload_minutes or 0.0)) if pool and handling else 0.0
    return Distribution(distribution="lognormal", mean=moving + loading, sd=moving * travel["spread"])
