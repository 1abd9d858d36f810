"""What of a scenario is finite: settings that limit facilities, vehicle pools, and whether anybody has to wait."""

from engine.codes import LIMITING_FIELDS
from engine.scenario.structs.facilities import Divert, Facility
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle

DIVERTING_CONDITIONS = ("queue", "tables_busy", "no_team", "ward_share", "icu_share")
"""Conditions of `divert`."""


def diverting_conditions(divert: Divert) -> list[str]:
    """Names of the conditions that are set."""
    return [name for name in DIVERTING_CONDITIONS if getattr(divert, name) not in (None, False)]


def idle_diverting_conditions(facility: Facility) -> dict[str, str]:
    """Conditions of a facility's `divert` that never hold, and why."""
    if facility.divert is None:
        return {}
    operates = facility.dcs or facility.definitive
    has_tables = facility.operating_tables or facility.surgical_teams or facility.shifts
    known = {
        "queue": (
            bool(facility.triage_teams or facility.treatment_bays or (operates and has_tables)),
            "triage teams, treatment bays and operating tables have no limit",
        ),
        "tables_busy": (bool(operates and has_tables), "operating tables have no limit"),
        "no_team": (bool(operates and facility.shifts), "no shifts are set"),
        "ward_share": (facility.ward_beds is not None, "the ward beds have no limit"),
        "icu_share": (bool(facility.icu and facility.icu_beds), "the ICU beds have no limit"),
    }
    return {name: known[name][1] for name in diverting_conditions(facility.divert) if not known[name][0]}


def may_divert(facility: Facility) -> bool:
    """Whether a complete facility may divert patients: a condition that may hold, below Role 4 and at an MTF."""
    return (
        facility.divert is not None
        and 0 < facility.role < 4
        and len(idle_diverting_conditions(facility)) < len(diverting_conditions(facility.divert))
    )


def facility_places(facility: Facility) -> int | None:
    """Number of patients that a facility has room for; None without a limit.

    `places` where set; else beds and bays together where the ward is finite; else no limit.
    """
    if facility.places is not None:
        return facility.places
    if facility.ward_beds is None:
        return None
    return facility.ward_beds + (facility.icu_beds or 0) + (facility.treatment_bays or 0)


def limiting_settings(facility: Facility) -> list[str]:
    """Names of the settings that make a facility finite; none at a Role 4, where the outcome is fixed on arrival."""
    if facility.role == 4:
        return []
    counts = [name for name in LIMITING_FIELDS if getattr(facility, name) is not None]
    return [
        *counts,
        *(["shifts"] if facility.shifts else []),
        *(["blood_units"] if facility.blood_units is not None else []),
    ]


def used_vehicle_pools(scenario: Scenario) -> list[Vehicle]:
    """The vehicle pools that a link names, or that move the dead; the scenario has its complete network."""
    named = {link.vehicle for link in scenario.links}
    if scenario.mortuary_affairs is not None:
        named.add(scenario.mortuary_affairs.vehicle)
    return [pool for pool in scenario.vehicles if pool.id in named]


def has_limits(scenario: Scenario) -> bool:
    """Whether a facility or a used vehicle pool is finite, or a world event happens."""
    return bool(
        any(limiting_settings(facility) for facility in scenario.facilities)
        or used_vehicle_pools(scenario)
        or scenario.world
    )


def is_finite(scenario: Scenario) -> bool:
    """Whether a patient may have to wait: for a facility or a vehicle, or because of a world event."""
    return scenario.routing == "clock" and has_limits(scenario)
