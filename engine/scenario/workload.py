"""How much a run has to do: its casualties, and the events that occur by the clock whoever is hurt."""

from collections import Counter
from math import fsum
from typing import NamedTuple

from engine.errors import ScenarioError
from engine.scenario.day_weights import day_weights_of
from engine.scenario.front_rates import mean_rate
from engine.scenario.limits import is_finite, used_vehicle_pools
from engine.scenario.listed import listed_rows
from engine.scenario.mix import environment_multipliers
from engine.scenario.structs.bounds import MAX_HORIZON_DAYS, MAX_TOTAL
from engine.scenario.structs.distributions import mean_of
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import POI, STREAMS
from engine.scenario.travel import one_way_minutes
from scenarios import tables

DAYS_AFTER = 30.0
"""Days that most patients are followed after the last day of injuries; with `horizon_days` they are known."""

MAX_CLOCK_EVENTS = 100_000_000
"""Most events by the clock: a thousand pools with a lift every hour for ten years have fewer. They take ten seconds."""

MAX_VEHICLES_IN_ALL = 1_000_000
"""Most vehicles of all pools: no theatre has had as many for its casualties."""


_ROUNDING = 1 + 1e-6
"""Shares of a total sum to 1 nearly."""


class Workload(NamedTuple):
    """What a run has to do, as far as it is known before the run."""

    casualties: float
    """Expected."""
    days: float
    """How long patients are followed."""
    clock_events: dict[str, float]
    """By place, as in `vehicles[2].lift`: events that occur by the clock in that time, a lift for each of its links."""
    vehicles: int
    """Vehicles of all pools that a link names."""
    transport_days: dict[str, float]
    """By front: days that the vehicles need to fetch everybody from the point of injury, if only they can."""
    is_finite: bool
    """Whether a patient may have to wait, so that each of them is simulated twice."""

    @property
    def events(self) -> float:
        """Events by the clock in all."""
        return fsum(self.clock_events.values())


def workload_of(resolved: Scenario) -> Workload:
    """What a run of a resolved scenario has to do.

    Casualties under depletion are counted as without; how long patients wait is unknown before the run.
    """
    finite = is_finite(resolved)
    casualties = _casualties(resolved)
    days = resolved.horizon_days or resolved.days + DAYS_AFTER
    pools = used_vehicle_pools(resolved) if finite else []
    return Workload(
        fsum(casualties.values()),
        days,
        _clock_events(resolved, days) if resolved.routing == "clock" else {},
        sum(pool.number for pool in pools),
        _transport_days(resolved, casualties) if finite else {},
        finite,
    )


def check_workload(resolved: Scenario) -> None:
    """Refuse counts that no theatre has (ScenarioError): `--allow-long` lets them pass.

    Parameters
    ----------
    resolved
        A scenario with a value for every setting, from `resolve`.
    """
    work = workload_of(resolved)
    remedy = "or --allow-long (allow_long=True) if it is meant"
    if work.casualties > MAX_TOTAL * _ROUNDING:
        raise ScenarioError(
            "casualties.rates",
            f"{work.casualties:.4g} casualties expected, those of special events included",
            f"rates, intensity, environment, populations, days and events that give at most {MAX_TOTAL:,}, {remedy}",
        )
    if work.events > MAX_CLOCK_EVENTS:
        place = max(work.clock_events, key=work.clock_events.__getitem__)
        raise ScenarioError(
            place,
            f"{work.clock_events[place]:,.0f} events in {work.days:,.0f} days",
            f"at most {MAX_CLOCK_EVENTS:,} lifts (for each link that they leave by), deliveries and shifts in "
            f"a run, which has {work.events:,.0f}; a longer interval, fewer days, {remedy}",
        )
    if work.vehicles > MAX_VEHICLES_IN_ALL:
        raise ScenarioError(
            "vehicles",
            f"{work.vehicles:,} vehicles in all pools",
            f"at most {MAX_VEHICLES_IN_ALL:,}; smaller pools, {remedy}",
        )
    for front, days in work.transport_days.items():
        if resolved.horizon_days is None and days > MAX_HORIZON_DAYS:
            raise ScenarioError(
                "links",
                f"{days / 365:,.0f} years until the vehicles have fetched everybody of front {front!r}",
                f"at most {MAX_HORIZON_DAYS // 365} years without horizon_days; more or faster vehicles, horizon_days, "
                f"{remedy}",
            )


def _casualties(resolved: Scenario) -> dict[str, float]:
    """Expected casualties by front."""
    total, rates = resolved.casualties.total, resolved.casualties.rates
    listed = {front.name: 0.0 for front in resolved.fronts}
    for row in listed_rows(resolved):
        listed[row.front] += row.number
    if rates is None:
        drawn = (total or 0) - fsum(listed.values()) if total else 0.0
        return {front.name: listed[front.name] + drawn * (front.share or 0.0) for front in resolved.fronts}
    factors = environment_multipliers(resolved)
    patterns = tables.warfare_patterns()
    level = patterns["intensity_levels"][resolved.intensity]["patient_multiplier"]
    daily = {
        (front.name, stream): level * factors[stream] * mean_rate(front, rates, stream) / 1000
        for front in resolved.fronts
        for stream in STREAMS
    }
    weights = day_weights_of(resolved)
    at_events = {
        front.name: 0.0 for front in resolved.fronts
    }  # as many average days more of battle casualties
    for event in resolved.events:
        hours = patterns["special_event_templates"][event.event]["duration_hours"]
        weight = weights[(event.day or 1) - 1] * resolved.days or 1.0
        for name in [event.front] if event.front else at_events:
            at_events[name] += (event.casualty_multiplier or 1.0) * hours / 24 * weight
    return {
        front.name: listed[front.name]
        + (front.population or 0)
        * (
            fsum(daily[front.name, stream] for stream in STREAMS) * resolved.days
            + daily[front.name, "battle"] * at_events[front.name]
        )
        for front in resolved.fronts
    }


def _clock_events(resolved: Scenario, days: float) -> dict[str, float]:
    """Lifts, deliveries and changes of shift in so many days, by place."""
    events = {}
    links = Counter(link.vehicle for link in resolved.links)
    for i, pool in enumerate(resolved.vehicles):
        if pool.lift is not None:
            lifts = 24 * days / pool.lift.interval_hours
            events[f"vehicles[{i}].lift ({pool.id})"] = lifts * max(1, links[pool.id])
        elif links[pool.id] and (pool.grounded or not pool.night):
            events[f"vehicles[{i}] ({pool.id})"] = days
    for i, facility in enumerate(resolved.facilities):
        if facility.resupply_hours is not None:
            events[f"facilities[{i}].resupply_hours ({facility.id})"] = 24 * days / facility.resupply_hours
        if facility.shifts:
            events[f"facilities[{i}].shifts ({facility.id})"] = 2 * len(facility.shifts) * days
    return events


def _transport_days(resolved: Scenario, casualties: dict[str, float]) -> dict[str, float]:
    """By front that only vehicles of pools fetch casualties for: the days they need for all, each to its own front."""
    pools = {pool.id: pool for pool in resolved.vehicles}
    per_day: dict[str, float] = {}
    for link in resolved.links:
        if link.origin != POI:
            continue
        pool = pools.get(link.vehicle or "")
        rate = (
            float("inf")
            if pool is None
            else _fetched_per_day(pool, mean_of(one_way_minutes(link, resolved.vehicles)))
        )
        for front in link.fronts:
            per_day[front] = per_day.get(front, 0.0) + rate
    return {front: casualties[front] / rate for front, rate in per_day.items() if 0.0 < rate < float("inf")}


def _fetched_per_day(pool: Vehicle, minutes: float) -> float:
    """Patients that the vehicles of a pool can bring in a day over a way of so many minutes."""
    room = (pool.litters or 0) + (pool.seats or 0)
    trip = 2.0 * minutes + (pool.dispatch_minutes or 0.0)
    handling = room * ((pool.load_minutes or 0.0) + (pool.unload_minutes or 0.0))
    moves = (1.0 - pool.grounded) * (1.0 if pool.night else 14.0 / 24.0)
    return pool.number * room * moves * 1440.0 / max(trip + handling, 1.0 / 60.0)
