"""What of a scenario is finite: settings that limit facilities, vehicle pools, and whether anybody has to wait."""

from engine.codes import LIMITING_FIELDS
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle


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
    """The vehicle pools that a link names; the scenario has its complete network."""
    named = {link.vehicle for link in scenario.links}
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
