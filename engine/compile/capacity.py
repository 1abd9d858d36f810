"""Compile the finite resources of a scenario's facilities, and its policies (docs/model.md section 2.8)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import RESOURCE_COUNT, RESOURCES, Resource
from engine.compile.rows import category_bits, floats, ints
from engine.kernel import DestinationPolicy
from engine.scenario import (
    Facility,
    Scenario,
    facility_places,
    is_available,
    may_divert,
    model_constants,
    roster_of,
)
from engine.tables import FACILITIES, HOUR, MINUTE, UNLIMITED
from scenarios import catalogue

POLICIES = {
    "closest-first": DestinationPolicy.CLOSEST,
    "spread-out": DestinationPolicy.SPREAD_OUT,
    "least-loaded": DestinationPolicy.LEAST_LOADED,
}


def is_unlimited(scenario: Scenario) -> bool:
    """Whether nothing is finite: under transition-matrix routing."""
    return scenario.routing != "clock"


def resource_capacities(scenario: Scenario) -> NDArray[np.int32]:
    """Return the capacity of each resource, shape (FACILITIES * RESOURCE_COUNT,); UNLIMITED where it is not finite."""
    capacity = np.full(FACILITIES * RESOURCE_COUNT, UNLIMITED, np.int32)
    if not is_unlimited(scenario):
        for number, facility in enumerate(scenario.facilities):
            first = number * RESOURCE_COUNT
            capacity[first : first + RESOURCE_COUNT] = _capacities(facility)
    return capacity


def finite_resources(scenario: Scenario, capacity: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return 1 for each finite resource; a treatment bay is also finite where blood is."""
    finite = (capacity < UNLIMITED).astype(np.uint8)
    for number, facility in enumerate(scenario.facilities):
        if _has_blood_stock(scenario, facility):
            finite[number * RESOURCE_COUNT + Resource.TREATMENT_BAY] = 1
    return finite


def _has_blood_stock(scenario: Scenario, facility: Facility) -> bool:
    """Whether blood is limited at a facility: it has a stock, and somebody gets blood from it."""
    given = is_available(scenario, "blood_transfusion") and is_available(scenario, "resuscitation")
    return facility.blood_units is not None and given and not is_unlimited(scenario)


def compile_capacity(
    scenario: Scenario, capacity: NDArray[np.int32], finite: NDArray[np.uint8]
) -> dict[str, Any]:
    """Return the fields of NETWORK on resources and policies; parameters as the two functions above return them."""
    unlimited = is_unlimited(scenario)
    facilities = scenario.facilities
    return {
        "facilities": len(facilities),
        "capacity": capacity,
        "finite": finite,
        "operating_tables": ints(
            UNLIMITED if facility.operating_tables is None else facility.operating_tables
            for facility in facilities
        ),
        **_rosters(scenario),
        "surge": np.array([_surge(facility) for facility in facilities], np.int32),
        "surge_trigger": ints(
            UNLIMITED if unlimited else _surge_trigger(facility) for facility in facilities
        ),
        "surge_delay": floats(
            facility.surge.delay_minutes * MINUTE if facility.surge else 0.0 for facility in facilities
        ),
        "blood": ints(
            facility.blood_units or 0 if _has_blood_stock(scenario, facility) else -1
            for facility in facilities
        ),
        "holds_bay": ints(int(facility.hold_bay) for facility in facilities),
        "resupply_interval": floats((facility.resupply_hours or 0.0) * HOUR for facility in facilities),
        "resupply_units": ints(facility.resupply_units or 0 for facility in facilities),
        **_diversion(scenario),
        "fewest_units": ints(
            min([UNLIMITED, *_capacities(facility)[: Resource.WARD_BED]]) for facility in facilities
        ),
        "nation": ints(_nation(facility) for facility in facilities),
        **_policies(scenario),
    }


def _diversion(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of NETWORK on diversion; without bypass nobody is diverted."""
    applies = scenario.bypass and not is_unlimited(scenario)
    rows = [
        facility.divert if facility.divert is not None and applies and may_divert(facility) else None
        for facility in scenario.facilities
    ]
    return {
        "divert_categories": ints(0 if row is None else category_bits(row.categories) for row in rows),
        "divert_queue": ints((row.queue or 0) if row else 0 for row in rows),
        "divert_tables_busy": ints(int(row.tables_busy) if row else 0 for row in rows),
        "divert_no_team": ints(int(row.no_team) if row else 0 for row in rows),
        "divert_ward_share": floats((row.ward_share or 0.0) if row else 0.0 for row in rows),
        "divert_icu_share": floats((row.icu_share or 0.0) if row else 0.0 for row in rows),
    }


def _policies(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of NETWORK on policies, and the model's constants that go with them."""
    given = model_constants(scenario, "care")
    retriage = scenario.retriage_minutes
    return {
        "push": int(scenario.acceptance == "push"),
        "destination_policy": POLICIES[scenario.destination],
        "bypass": int(scenario.bypass),
        "prefers_own_nation": int(scenario.national_preference),
        "bumping": int(scenario.bumping),
        "retriage_interval": math.inf if retriage is None else retriage * MINUTE,
        "night": floats([given["night"]["from_hour"] * HOUR, given["night"]["to_hour"] * HOUR]),
        "overflow_factor": given["overflow"]["clock_factor"],
    }


def places(facility: Facility) -> int:
    """Return the places of a facility; UNLIMITED if it has no limit."""
    room = facility_places(facility)
    return UNLIMITED if room is None else room


def _capacities(facility: Facility) -> list[int]:
    """Return the capacities of a facility by `Resource`; an operating table needs a surgical team."""
    tables = UNLIMITED if facility.operating_tables is None else facility.operating_tables
    teams = UNLIMITED if facility.surgical_teams is None else facility.surgical_teams
    if facility.shifts:
        teams = max(shift.surgical_teams for shift in facility.shifts)
    found = {info.resource: getattr(facility, info.field) for info in RESOURCES}
    found[Resource.OPERATING_TABLE] = min(tables, teams)
    found[Resource.PLACE] = places(facility)
    return [UNLIMITED if found[resource] is None else int(found[resource]) for resource in Resource]


def _surge(facility: Facility) -> list[int]:
    """Return what surge adds to a facility by `Resource`: nothing to a resource that is not finite."""
    added = [0] * RESOURCE_COUNT
    if facility.surge and facility.ward_beds:
        for resource, own, more in (
            (Resource.WARD_BED, facility.ward_beds, facility.surge.ward_beds),
            (Resource.ICU_BED, facility.icu_beds, facility.surge.icu_beds),
            (Resource.TREATMENT_BAY, facility.treatment_bays, facility.surge.treatment_bays),
        ):
            added[resource] = more if own is not None else 0
        if places(facility) < UNLIMITED:
            added[Resource.PLACE] = sum(added)
    return added


def _surge_trigger(facility: Facility) -> int:
    """Return the number of ward beds in use that starts surge; UNLIMITED without surge."""
    if not facility.surge or not facility.ward_beds:
        return UNLIMITED
    return max(1, math.ceil(facility.surge.trigger * facility.ward_beds))


def _nation(facility: Facility) -> int:
    """Return the number of the facility's nation in the catalogue; -1 without."""
    codes = [nation.code for nation in catalogue.nations()]
    return codes.index(facility.nation) if facility.nation in codes else -1


def _rosters(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of NETWORK on the shifts of surgical teams."""
    rows = [([], []) if is_unlimited(scenario) else roster_of(facility) for facility in scenario.facilities]
    widest = max((len(changes) for changes, _ in rows), default=0) or 1
    teams = np.zeros((len(rows), widest), np.int32)
    shift = np.zeros((len(rows), widest))
    for number, (changes, on_duty) in enumerate(rows):
        shift[number, : len(changes)] = changes
        teams[number, : len(on_duty)] = on_duty
    return {
        "surgical_teams": teams,
        "shift_start": shift,
        "shift_count": ints(len(changes) for changes, _ in rows),
    }
