"""Checks of world events."""

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.values import check_known, join_with_or
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.world import WorldEvent

_KINDS_BY_FIELD = {
    "facility": ("open", "close", "move", "hit"),
    "vehicle": ("interdiction",),
    "number": ("interdiction",),
    "duration_hours": ("close", "move", "hit", "interdiction"),
    "minutes_factor": ("move",),
    "capacity_lost": ("hit",),
    "killed": ("hit",),
}
"""By field: the kinds of event that it belongs to."""


def check_world_events(complete: Scenario) -> None:
    """Refuse world events that name nothing they act on, or have a setting of another kind (ScenarioError).

    Parameters
    ----------
    complete
        The scenario with its complete network.
    """
    facility_ids = [facility.id for facility in complete.facilities]
    opened: dict[str, int] = {}
    for i, event in enumerate(complete.world):
        place = f"world[{i}]"
        _check_fields(place, event)
        if event.event == "interdiction":
            _check_interdiction(place, event, complete.vehicles)
            continue
        if event.facility is None:
            raise ScenarioError(
                f"{place}.facility", MISSING, f"the id of a facility; {event.event} needs one"
            )
        check_known(f"{place}.facility", event.facility, facility_ids, "a facility")
        if event.event == "open" and opened.setdefault(event.facility, i) != i:
            raise ScenarioError(
                f"{place}.facility",
                event.facility,
                f"each facility opened once; world[{opened[event.facility]}] opens it",
            )


def _check_fields(place: str, event: WorldEvent) -> None:
    """No field is set that belongs to other kinds of event."""
    default = WorldEvent(event="open", at_hours=0)
    for name, kinds in _KINDS_BY_FIELD.items():
        value = getattr(event, name)
        if value != getattr(default, name) and event.event not in kinds:
            raise ScenarioError(f"{place}.{name}", value, f"{name} only with {join_with_or(kinds)}")


def _check_interdiction(place: str, event: WorldEvent, pools: list[Vehicle]) -> None:
    if event.vehicle is None:
        raise ScenarioError(f"{place}.vehicle", MISSING, "the id of one of vehicles; interdiction needs one")
    check_known(f"{place}.vehicle", event.vehicle, [pool.id for pool in pools], "one of vehicles")
    number = next(pool.number for pool in pools if pool.id == event.vehicle)
    if event.number is not None and event.number > number:
        raise ScenarioError(
            f"{place}.number",
            event.number,
            f"at most {number}, the number of vehicles of pool {event.vehicle}",
        )
