"""The finite resources of a facility. `RESOURCES` is their only list: limits, queues, measures and messages follow it.

CONTRIBUTING.md has the recipe for adding one.
"""

from typing import NamedTuple

from engine.codes.base import Code
from engine.codes.course import Event, WaitingFor


class Resource(Code):
    """A finite resource of a facility. Resource r of facility f has the number f * RESOURCE_COUNT + r."""

    TRIAGE_TEAM = 0
    TREATMENT_BAY = 1
    """Where care and damage control resuscitation are given."""
    OPERATING_TABLE = 2
    """A table with a surgical team on shift."""
    ICU_BED = 3
    WARD_BED = 4
    PLACE = 5
    """Room for one patient, inside the facility or on the way to it."""


class ResourceInfo(NamedTuple):
    """One row of the registry of resources."""

    resource: Resource
    field: str
    """Field of a facility in a scenario, and the name in the measures."""
    limits: tuple[str, ...]
    """Fields of a facility that limit it."""
    label: str
    """Plural, for messages."""
    unit: str
    """What is counted: a singular noun."""
    event: Event
    """Event logged when a patient starts to wait for it."""
    wait_reason: WaitingFor
    """Entry in the record of a patient who dies, or reaches the horizon, in its queue."""


RESOURCES = (
    ResourceInfo(
        Resource.TRIAGE_TEAM,
        "triage_teams",
        ("triage_teams",),
        "triage teams",
        "team",
        Event.WAITING,
        WaitingFor.TRIAGE,
    ),
    ResourceInfo(
        Resource.TREATMENT_BAY,
        "treatment_bays",
        ("treatment_bays",),
        "treatment bays",
        "bay",
        Event.WAITING,
        WaitingFor.TREATMENT,
    ),
    ResourceInfo(
        Resource.OPERATING_TABLE,
        "operating_tables",
        ("operating_tables", "surgical_teams"),
        "operating tables",
        "table",
        Event.WAITING,
        WaitingFor.SURGERY,
    ),
    ResourceInfo(
        Resource.ICU_BED, "icu_beds", ("icu_beds",), "ICU beds", "bed", Event.WAITING, WaitingFor.ICU_BED
    ),
    ResourceInfo(
        Resource.WARD_BED, "ward_beds", ("ward_beds",), "ward beds", "bed", Event.WAITING, WaitingFor.WARD_BED
    ),
    ResourceInfo(Resource.PLACE, "places", ("places",), "places", "place", Event.REFUSED, WaitingFor.PLACE),
)
"""Indexed by `Resource`."""

RESOURCE_COUNT = len(RESOURCES)

RESOURCE_FIELDS = tuple(info.field for info in RESOURCES)
"""Indexed by `Resource`: the field in a scenario."""

LIMITING_FIELDS = tuple(field for info in RESOURCES for field in info.limits)
"""Fields of a facility that limit a resource by a count."""

TRANSPORT = RESOURCE_COUNT
"""Code of a wait for a vehicle, in arrays indexed by `Resource`. Not the same as WaitingFor.TRANSPORT."""

AWAITED = (*Resource.labels(), "transport")
"""Labels of what a casualty waits for, indexed by `Resource` or TRANSPORT."""

WAIT_EVENTS = tuple(int(info.event) for info in RESOURCES)
"""Indexed by `Resource`: the event logged when a patient starts to wait."""

WAIT_REASONS = (*(int(info.wait_reason) for info in RESOURCES), int(WaitingFor.EVACUATION))
"""Indexed by `Resource` or TRANSPORT: the `WaitingFor` of a patient who dies waiting."""
