"""Notes on what a network's settings do not do, and on where its ways end; and what of it is finite."""

from collections.abc import Iterable
from typing import Any

from engine.scenario.checks.capacity import SERVICE_TIMES
from engine.scenario.checks.routes import Routes
from engine.scenario.checks.values import listed
from engine.scenario.structs import CATEGORIES, POI, Facility, Scenario, Vehicle, WorldEvent
from scenarios import tables

FINITE = (
    "triage_teams",
    "treatment_bays",
    "operating_tables",
    "surgical_teams",
    "icu_beds",
    "ward_beds",
    "places",
)
"""Settings that limit a facility."""

_AT_ROLE_4 = ("dcr", "dcs", "icu", "definitive", "policy_days")
"""What care at a facility depends on: nothing at Role 4, where the clock ends."""

_STOCKS = ("blood_units", "resupply_hours", "resupply_units")
_NO_CARE = ("policy_days", *FINITE[:5], "shifts", "surge", *_STOCKS, *SERVICE_TIMES)
"""What a staging unit, which gives no care, has no use for."""


def network_notes(s: Scenario, whole: Scenario, routes: Routes) -> list[str]:
    """Notes on a network that can be run: `whole` is the scenario with its complete network."""
    return [
        *_way_notes(s, whole, routes),
        *_facility_notes(s, whole, routes),
        *_vehicle_notes(s, whole),
        *_world_notes(s, whole),
        *_policy_notes(whole, routes),
    ]


def limited(f: Facility) -> list[str]:
    """The settings that make a facility finite; none at a Role 4, where arrival ends the matter."""
    if f.role == 4:
        return []
    names = [name for name in FINITE if getattr(f, name) is not None]
    return [
        *names,
        *(["shifts"] if f.shifts else []),
        *(["blood_units"] if f.blood_units is not None else []),
    ]


def pools_used(whole: Scenario) -> list[Vehicle]:
    """The vehicle pools that a link names."""
    named = {link.vehicle for link in whole.links}
    return [v for v in whole.vehicles if v.id in named]


def is_finite(whole: Scenario) -> bool:
    """Whether anybody can have to wait: for a facility, a vehicle, or as something befalls them."""
    return whole.routing == "clock" and _has_limits(whole)


def _has_limits(whole: Scenario) -> bool:
    return bool(any(limited(f) for f in whole.facilities) or pools_used(whole) or whole.world)


def _way_notes(s: Scenario, whole: Scenario, routes: Routes) -> Iterable[str]:
    """Where the ways of each front end, for whom, and links nobody takes."""
    by_id = {f.id: f for f in whole.facilities}
    for front in whole.fronts:
        for at in routes.reached[front.name]:
            stay = [c for c in CATEGORIES if not routes.candidates(at, front.name, c)]
            if by_id[at].role == 4 or not stay:
                continue
            if len(stay) == len(CATEGORIES):
                yield (
                    f"front {front.name}: evacuation ends at {at} (Role {by_id[at].role}), no way leads "
                    f"to a Role 4 from there"
                )
            else:
                yield f"front {front.name}: for {listed(stay)} evacuation ends at {at}, no link takes them on"
    for i, link in enumerate(whole.links[: len(s.links)]):
        reached = [n for n in link.fronts if link.origin == POI or link.origin in routes.reached[n]]
        if i in routes.used or not reached:
            continue
        here = routes.candidates(link.origin, reached[0], (link.categories or list(CATEGORIES))[0])
        why = "no destination is passed over (bypass = false)" if not whole.bypass else "never full"
        yield (
            f"links[{i}] ({link.origin} -> {link.destination}): not used from front {reached[0]}, as "
            f"{here[0].destination} is closer and {why}"
        )


def _facility_notes(s: Scenario, whole: Scenario, routes: Routes) -> Iterable[str]:
    """Facilities nobody reaches, and settings of facilities that nothing comes of."""
    reached = {at for places in routes.reached.values() for at in places}
    by_id = {f.id: f for f in whole.facilities}
    for i, own in enumerate(s.facilities):
        place = f"facilities[{i}] ({own.id})"
        f = by_id[own.id]
        if own.id not in reached:
            yield f"{place}: nobody gets there"
        if f.role == 4:
            yield from _role_4_notes(place, own, whole.routing)
            continue
        if f.role == 0:
            idle = _set(own, _NO_CARE)
            if idle:
                yield f"{place}: {listed(idle)} without effect, as a staging unit gives no care"
            continue
        yield from _care_notes(place, own, f)


def _role_4_notes(place: str, own: Facility, routing: str) -> Iterable[str]:
    if routing != "clock":
        return
    usual = tables.default("capabilities")[own.kind or "role4"] | {"policy_days": None}
    idle = [name for name in _AT_ROLE_4 if getattr(own, name) not in (None, usual[name])]
    idle += _set(own, (*FINITE, "shifts", "surge", *_STOCKS, *SERVICE_TIMES))
    if idle:
        yield f"{place}: {listed(idle)} without effect, arrival at Role 4 fixes the outcome"


def _care_notes(place: str, own: Facility, f: Facility) -> Iterable[str]:
    """Settings of a facility that gives care: `own` as written, `f` complete."""
    operates = f.dcs or f.definitive
    missing = (
        ([] if operates else _set(own, ("operating_tables", "surgical_teams", "shifts", "surgery_minutes")))
        + ([] if f.icu else _set(own, ("icu_beds", "icu_minutes")))
        + ([] if f.dcr else _set(own, ("resuscitation_minutes", *_STOCKS)))
    )
    if missing:
        yield f"{place}: {listed(missing)} without effect, as it cannot do what they are for"
    if own.shifts and own.surgical_teams is not None:
        yield f"{place}: surgical_teams without effect, as shifts give the roster"
    if own.surge is None:
        return
    if f.ward_beds is None:
        yield f"{place}: surge without effect, as its ward beds have no limit"
        return
    added = {"ward_beds": f.ward_beds, "icu_beds": f.icu_beds, "treatment_bays": f.treatment_bays}
    if not any(getattr(own.surge, name) for name in added):
        yield f"{place}: surge without effect, as it adds nothing"
    for name, limit in added.items():
        if getattr(own.surge, name) and limit is None:
            yield f"{place}: surge.{name} without effect, as they have no limit"


def _set(entry: Any, names: Iterable[str]) -> list[str]:
    """Those of the fields that are set."""
    return [name for name in names if getattr(entry, name) not in (None, [])]


def _vehicle_notes(s: Scenario, whole: Scenario) -> Iterable[str]:
    """Vehicles that no link names, and settings of links and vehicles that nothing comes of."""
    by_id = {v.id: v for v in whole.vehicles}
    for i, link in enumerate(s.links):
        if link.vehicle is not None and link.vehicle not in by_id and link.minutes is not None:
            yield f"links[{i}].vehicle: without effect, as minutes gives the travel time"
    for i, own in enumerate(s.vehicles):
        place = f"vehicles[{i}] ({own.id})"
        links = [link for link in whole.links if link.vehicle == own.id]
        if not links:
            yield f"{place}: no link names it"
            continue
        if own.speed_kmh is not None and all(link.minutes is not None for link in links):
            yield f"{place}: speed_kmh without effect, as its links give minutes"
        ends = {end for link in links for end in (link.origin, link.destination)}
        if own.lift is not None:
            idle = [n for n in ("base", "dispatch_minutes") if getattr(own, n) is not None]
            idle += ["loss"] if own.loss else []
            if idle:
                yield f"{place}: {listed(idle)} without effect on a lift by a schedule"
        elif own.base is not None and own.base not in ends:
            yield f"{place}: base {own.base} is no end of its links; the way from there takes as long as the link"
        if not own.night:
            yield f"{place}: does not move from 20 to 6 h UTC (night = false)"
        cancelled = own.lift is not None and own.lift.cancellation == 1
        if own.grounded == 1 or own.loss == 1 or cancelled:
            yield f"{place}: never brings anybody, by grounded, loss or cancellation of 1"


def _world_notes(s: Scenario, whole: Scenario) -> Iterable[str]:
    by_id = {f.id: f for f in whole.facilities}
    named = {v.id for v in pools_used(whole)}
    for i, event in enumerate(s.world):
        place = f"world[{i}] ({event.event})"
        if s.horizon_days is not None and event.at_hours >= 24 * s.horizon_days:
            yield f"{place}: after the horizon"
        if event.vehicle is not None and event.vehicle not in named:
            yield f"{place}: without effect, as no link names {event.vehicle}"
        if event.event == "hit":
            yield from _hit_notes(place, event, by_id[event.facility or ""])


def _hit_notes(place: str, event: WorldEvent, f: Facility) -> Iterable[str]:
    if event.capacity_lost == 0 and event.killed == 0:
        yield f"{place}: takes no capacity and kills nobody; patients only queue again"
    elif event.capacity_lost > 0 and not limited(f):
        yield f"{place}: capacity_lost without effect, as nothing at {f.id} is limited"


def _policy_notes(whole: Scenario, routes: Routes) -> Iterable[str]:
    """Policies that nothing in the network gives cause for."""
    if whole.routing != "clock" and _has_limits(whole):
        yield (
            "routing transition-matrix: nothing is finite; capacities, numbers of vehicles and events in the world "
            "have no effect"
        )
    places = {at for reached in routes.reached.values() for at in reached}
    there = [f for f in whole.facilities if f.id in places and f.role < 4]
    several = any(
        len(routes.candidates(at, front.name, category)) > 1
        for front in whole.fronts
        for at in (POI, *routes.reached[front.name])
        for category in CATEGORIES
    )
    full = any(f.places is not None or f.ward_beds is not None for f in there)
    if whole.bumping and not any(f.treatment_bays for f in there):
        yield "bumping: without effect, as no treatment bays are limited"
    if whole.retriage_minutes != 60.0 and not is_finite(whole):
        yield "retriage_minutes: without effect, as nobody waits where nothing is limited"
    if whole.acceptance == "push" and not full:
        yield 'acceptance "push": without effect, as no facility can be full'
    idle = (
        "as no place has a choice of links" if not several else "as without bypass the closest is waited for"
    )
    choice = several and whole.bypass
    if not choice and whole.destination != "closest-first":
        yield f'destination "{whole.destination}": without effect, {idle}'
    if not several and not whole.bypass:
        yield "bypass = false: without effect, as no place has a choice of links"
    if whole.national_preference and not any(f.nation for f in whole.facilities):
        yield "national_preference: without effect, as no facility has a nation"
    elif whole.national_preference and not choice:
        yield f"national_preference: without effect, {idle}"
