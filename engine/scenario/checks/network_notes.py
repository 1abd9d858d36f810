"""Notes on settings of a network that have no effect, and on where evacuation ends."""

from collections.abc import Iterable
from typing import Any

from engine.codes import LIMITING_FIELDS
from engine.scenario.checks.capacity_notes import note_capacities
from engine.scenario.checks.care import note_care, note_unavailable
from engine.scenario.checks.facilities import SERVICE_TIMES
from engine.scenario.checks.idle_notes import note_idle_constants
from engine.scenario.checks.mortuary import note_mortuary_affairs
from engine.scenario.checks.routes import Routes
from engine.scenario.checks.values import list_words
from engine.scenario.limits import (
    has_limits,
    idle_diverting_conditions,
    is_finite,
    limiting_settings,
    used_vehicle_pools,
)
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import CATEGORIES, POI
from engine.scenario.structs.world import WorldEvent
from scenarios import tables

_CAPABILITIES_AND_POLICY = ("dcr", "dcs", "icu", "definitive", "policy_days")
_BLOOD = ("blood_units", "resupply_hours", "resupply_units")
_CARE = tuple(name for name in LIMITING_FIELDS if name not in ("ward_beds", "places"))
"""Counts of what gives care; ward beds and places hold patients too."""

_NO_EFFECT_AT_STAGING_UNIT = ("policy_days", *_CARE, "shifts", "surge", "divert", *_BLOOD, *SERVICE_TIMES)
_NO_EFFECT_AT_ROLE_4 = (*LIMITING_FIELDS, "shifts", "surge", "divert", *_BLOOD, *SERVICE_TIMES)


def note_network(scenario: Scenario, complete: Scenario, routes: Routes) -> list[str]:
    """Notes on a network that can be run.

    Parameters
    ----------
    scenario
        The scenario as written.
    complete
        The same with its complete network.
    routes
        The routes through that network.
    """
    return [
        *_note_routes(scenario, complete, routes),
        *_note_facilities(scenario, complete, routes),
        *note_capacities(
            complete,
            reached={at for facilities in routes.reached.values() for at in facilities},
            written={facility.id for facility in scenario.facilities},
        ),
        *_note_vehicles(scenario, complete),
        *_note_world_events(scenario, complete),
        *note_care(complete),
        *note_unavailable(complete),
        *note_idle_constants(scenario, complete),
        *note_mortuary_affairs(complete),
        *_note_policies(complete, routes),
    ]


def _note_routes(scenario: Scenario, complete: Scenario, routes: Routes) -> Iterable[str]:
    """Where evacuation ends before a Role 4, for whom, and links that nobody takes."""
    by_id = {facility.id: facility for facility in complete.facilities}
    for front in complete.fronts:
        for at in routes.reached[front.name]:
            if by_id[at].role == 4:
                continue
            if not routes.candidates(at, front.name, CATEGORIES[0]):
                yield (
                    f"front {front.name}: evacuation ends at {at} (Role {by_id[at].role}), from where no link leads "
                    f"to a Role 4"
                )
                continue
            unnamed = [category for category in CATEGORIES if not routes.names(at, front.name, category)]
            if unnamed:
                yield (
                    f"front {front.name}: no link from {at} names {list_words(unnamed)}, so patients of these "
                    "categories may use all links from there"
                )
    for i, link in enumerate(complete.links[: len(scenario.links)]):
        reached = [name for name in link.fronts if link.origin == POI or link.origin in routes.reached[name]]
        if i in routes.used or not reached:
            continue
        category = (link.categories or list(CATEGORIES))[0]
        first = routes.candidate_numbers(link.origin, reached[0], category)[0]
        closest = complete.links[first].destination
        how = "closer" if routes.minutes[first] < routes.minutes[i] else "as close, earlier in links"
        why = "never full" if complete.bypass else "never passed over (bypass = false)"
        yield (
            f"links[{i}] ({link.origin} -> {link.destination}): not used from front {reached[0]}, because {closest} "
            f"is {how} and {why}"
        )


def _note_facilities(scenario: Scenario, complete: Scenario, routes: Routes) -> Iterable[str]:
    """Facilities that nobody reaches, and settings of facilities that have no effect."""
    reached = {at for facilities in routes.reached.values() for at in facilities}
    by_id = {facility.id: facility for facility in complete.facilities}
    for i, own in enumerate(scenario.facilities):
        place = f"facilities[{i}] ({own.id})"
        facility = by_id[own.id]
        if own.id not in reached:
            yield f"{place}: nobody gets there"
        if facility.role == 4:
            yield from _note_role_4(place, own, complete.routing)
        elif facility.role == 0:
            idle = _set_names(own, _NO_EFFECT_AT_STAGING_UNIT) + ([] if own.hold_bay else ["hold_bay"])
            if idle:
                yield f"{place}: {list_words(idle)}: no effect, because a staging unit gives no care"
        else:
            yield from _note_care(place, own, facility)
            yield from _note_surge(place, own, facility)
            if own.divert is not None:
                yield from _note_diversion(place, facility, complete, routes)


def _note_role_4(place: str, own: Facility, routing: str) -> Iterable[str]:
    if routing != "clock":
        return
    usual = tables.default("capabilities")[own.kind or "role4"] | {"policy_days": None}
    idle = [name for name in _CAPABILITIES_AND_POLICY if getattr(own, name) not in (None, usual[name])]
    idle += _set_names(own, _NO_EFFECT_AT_ROLE_4) + ([] if own.hold_bay else ["hold_bay"])
    if idle:
        yield f"{place}: {list_words(idle)}: no effect, because arrival at a Role 4 fixes the outcome"


def _note_care(place: str, own: Facility, facility: Facility) -> Iterable[str]:
    """Settings that need a capability the facility lacks: `own` as written, `facility` with its defaults."""
    idle = []
    if not (facility.dcs or facility.definitive):
        idle += _set_names(own, ("operating_tables", "surgical_teams", "shifts", "surgery_minutes"))
    if not facility.icu:
        idle += _set_names(own, ("icu_beds", "icu_minutes"))
    if not facility.dcr:
        idle += _set_names(own, ("resuscitation_minutes", *_BLOOD))
    if idle:
        yield f"{place}: {list_words(idle)}: no effect, because it lacks the capability they belong to"
    has_tables = facility.operating_tables or facility.surgical_teams or facility.shifts
    if not own.hold_bay and not (facility.treatment_bays and has_tables and facility.dcs):
        yield f"{place}: hold_bay: no effect, because treatment bays or operating tables have no limit"
    if own.shifts and own.surgical_teams is not None:
        yield f"{place}: surgical_teams: no effect, because shifts give the roster"


def _note_surge(place: str, own: Facility, facility: Facility) -> Iterable[str]:
    if own.surge is None:
        return
    if facility.ward_beds is None:
        yield f"{place}: surge: no effect, because the ward beds have no limit"
        return
    limits = {
        "ward_beds": facility.ward_beds,
        "icu_beds": facility.icu_beds,
        "treatment_bays": facility.treatment_bays,
    }
    if not any(getattr(own.surge, name) for name in limits):
        yield f"{place}: surge: no effect, because it adds nothing"
    for name, limit in limits.items():
        if getattr(own.surge, name) and limit is None:
            yield f"{place}: surge.{name}: no effect, because they have no limit"


def _note_diversion(place: str, facility: Facility, complete: Scenario, routes: Routes) -> Iterable[str]:
    """Conditions that never hold, and diversion where patients can go nowhere else."""
    idle = idle_diverting_conditions(facility)
    for name, why in idle.items():
        yield f"{place}: divert.{name}: no effect, because {why}"
    if not complete.bypass:
        yield f"{place}: divert: no effect, because without bypass patients wait for the closest"
        return
    has_other = any(
        len(candidates) > 1 and facility.id in (link.destination for link in candidates)
        for front in complete.fronts
        for at in (POI, *routes.reached[front.name])
        for category in CATEGORIES
        for candidates in [routes.candidates(at, front.name, category)]
    )
    if not has_other and complete.routing == "clock":
        yield f"{place}: divert: no effect, because no place with a link to it has another link"


def _set_names(entry: Any, names: Iterable[str]) -> list[str]:
    """Those of the fields that are set."""
    return [name for name in names if getattr(entry, name) not in (None, [])]


def _note_vehicles(scenario: Scenario, complete: Scenario) -> Iterable[str]:
    """Vehicle pools that no link names, and settings of links and pools that have no effect."""
    pool_ids = {pool.id for pool in complete.vehicles}
    for i, link in enumerate(scenario.links):
        if link.vehicle is not None and link.vehicle not in pool_ids and link.minutes is not None:
            yield (
                f"links[{i}].vehicle: no effect, because {link.vehicle} is a kind of transport, which only gives the "
                "speed, and minutes gives the time; vehicles in limited number are an entry of vehicles, whose id is "
                "written here"
            )
    for i, pool in enumerate(scenario.vehicles):
        place = f"vehicles[{i}] ({pool.id})"
        links = [link for link in complete.links if link.vehicle == pool.id]
        if not links and (complete.mortuary_affairs is None or complete.mortuary_affairs.vehicle != pool.id):
            yield f"{place}: no link names it"
        if not links:
            continue
        if pool.speed_kmh is not None and all(link.minutes is not None for link in links):
            yield f"{place}: speed_kmh: no effect, because its links give minutes"
        yield from _note_base(place, pool, {end for link in links for end in (link.origin, link.destination)})
        if not pool.night:
            yield f"{place}: does not move from 20 to 6 h UTC (night = false)"
        cancelled = pool.lift is not None and pool.lift.cancellation == 1
        if pool.grounded == 1 or pool.loss == 1 or cancelled:
            yield f"{place}: never moves anybody, because grounded, loss or cancellation is 1"


def _note_base(place: str, pool: Vehicle, ends: set[str]) -> Iterable[str]:
    """Settings that act on the way from the base, which a lift on a schedule does not have."""
    if pool.lift is not None:
        idle = [name for name in ("base", "dispatch_minutes") if getattr(pool, name) is not None]
        idle += ["loss"] if pool.loss else []
        if idle:
            yield f"{place}: {list_words(idle)}: no effect on a scheduled lift"
    elif pool.base is not None and pool.base not in ends:
        yield f"{place}: base {pool.base} is no end of its links; the way from there takes as long as the link"


def _note_world_events(scenario: Scenario, complete: Scenario) -> Iterable[str]:
    by_id = {facility.id: facility for facility in complete.facilities}
    used = {pool.id for pool in used_vehicle_pools(complete)}
    for i, event in enumerate(scenario.world):
        place = f"world[{i}] ({event.event})"
        if scenario.horizon_days is not None and event.at_hours >= 24 * scenario.horizon_days:
            yield f"{place}: after the horizon"
        if event.vehicle is not None and event.vehicle not in used:
            yield f"{place}: no effect, because no link names {event.vehicle}"
        if event.event == "hit":
            yield from _note_hit(place, event, by_id[event.facility or ""])


def _note_hit(place: str, event: WorldEvent, facility: Facility) -> Iterable[str]:
    if event.capacity_lost == 0 and event.killed == 0:
        yield f"{place}: takes no capacity and kills nobody; patients only queue again"
    elif event.capacity_lost > 0 and not limiting_settings(facility):
        yield f"{place}: capacity_lost: no effect, because nothing at {facility.id} is limited"


def _note_policies(complete: Scenario, routes: Routes) -> Iterable[str]:
    """Policies of the scenario that never apply in its network."""
    if complete.routing != "clock" and has_limits(complete):
        yield (
            "routing transition-matrix: nothing is finite; capacities, numbers of vehicles and world events have no "
            "effect"
        )
    reached = {at for facilities in routes.reached.values() for at in facilities}
    facilities = [
        facility for facility in complete.facilities if facility.id in reached and facility.role < 4
    ]
    may_fill = any(facility.places is not None or facility.ward_beds is not None for facility in facilities)
    if complete.bumping and not any(facility.treatment_bays for facility in facilities):
        yield "bumping: no effect, because no treatment bays are limited"
    if complete.retriage_minutes != 60.0 and not is_finite(complete):
        yield "retriage_minutes: no effect, because nobody waits where nothing is limited"
    if complete.acceptance == "push" and not may_fill:
        yield 'acceptance "push": no effect, because no facility can be full'
    yield from _note_choice_of_links(complete, routes)


def _note_choice_of_links(complete: Scenario, routes: Routes) -> Iterable[str]:
    """Policies that choose among the links from a place, where there is no choice."""
    has_choice = any(
        len(routes.candidates(at, front.name, category)) > 1
        for front in complete.fronts
        for at in (POI, *routes.reached[front.name])
        for category in CATEGORIES
    )
    why = (
        "because without bypass patients wait for the closest"
        if has_choice
        else "because no place has a choice of links"
    )
    chooses = has_choice and complete.bypass
    if not chooses and complete.destination != "closest-first":
        yield f'destination "{complete.destination}": no effect, {why}'
    if not has_choice and not complete.bypass:
        yield "bypass = false: no effect, because no place has a choice of links"
    if complete.national_preference and not any(facility.nation for facility in complete.facilities):
        yield "national_preference: no effect, because no facility has a nation"
    elif complete.national_preference and not chooses:
        yield f"national_preference: no effect, {why}"
