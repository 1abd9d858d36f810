"""Compile the world events of a scenario: facilities that open, close, move or are hit, and vehicles out of use."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.compile.capacity import is_unlimited
from engine.compile.rows import floats, ints
from engine.kernel import WorldEventKind
from engine.scenario import Scenario
from engine.tables import HOUR


class WorldEvent(NamedTuple):
    """One event; sorted by time."""

    at: float
    """ms."""
    kind: int
    """`WorldEventKind`."""
    target: int
    """Number of the facility or vehicle pool."""
    value: float
    """Vehicles, or share of the capacity lost."""
    killed: float
    """Share of the patients inside who are killed."""


def world_events(scenario: Scenario, facilities: dict[str, int]) -> list[WorldEvent]:
    """Return the events in the order of time; an event with a duration has a second one at its end.

    `facilities`: number by identifier.
    """
    if is_unlimited(scenario):
        return []
    pools = {pool.id: number for number, pool in enumerate(scenario.vehicles)}
    found: list[WorldEvent] = []
    for event in scenario.world:
        at = event.at_hours * HOUR
        value, killed = 0.0, 0.0
        if event.event == "interdiction":
            target = pools[str(event.vehicle)]
            available = scenario.vehicles[target].number
            start, finish = WorldEventKind.VEHICLES_OUT, WorldEventKind.VEHICLES_BACK
            value = float(min(event.number or available, available))
        else:
            target = facilities[str(event.facility)]
            start, finish = WorldEventKind.CLOSE, WorldEventKind.OPEN
            if event.event == "hit":
                start, finish = WorldEventKind.HIT, WorldEventKind.HIT_END
                value, killed = event.capacity_lost, event.killed
        if event.event == "open":
            found.append(WorldEvent(at, WorldEventKind.OPEN, target, 0.0, 0.0))
            continue
        found.append(WorldEvent(at, start, target, value, killed))
        if event.duration_hours is not None:
            found.append(WorldEvent(at + event.duration_hours * HOUR, finish, target, value, 0.0))
    return sorted(found)


def compile_world(scenario: Scenario, facilities: dict[str, int], events: list[WorldEvent]) -> dict[str, Any]:
    """Return the fields of NETWORK on world events, moves included."""
    unlimited = is_unlimited(scenario)
    opening = {event.facility for event in scenario.world if event.event == "open"}
    moves = sorted(
        (event.at_hours * HOUR, facilities[str(event.facility)], event.minutes_factor)
        for event in scenario.world
        if event.event == "move" and not unlimited
    )
    return {
        "world_event_count": len(events),
        "world_event_at": floats(event.at for event in events),
        "world_event_kind": ints(event.kind for event in events),
        "world_event_target": ints(event.target for event in events),
        "world_event_value": floats(event.value for event in events),
        "world_event_killed": floats(event.killed for event in events),
        "closed_at_start": ints(
            int(facility.id in opening and not unlimited) for facility in scenario.facilities
        ),
        "move_count": len(moves),
        "move_at": floats(at for at, _, _ in moves),
        "moved_facility": ints(target for _, target, _ in moves),
        "move_factor": floats(factor for _, _, factor in moves),
        "may_be_hit": facilities_with(events, len(facilities), WorldEventKind.HIT),
    }


def facilities_with(events: list[WorldEvent], count: int, *kinds: WorldEventKind) -> NDArray[np.uint8]:
    """Return 1 for each facility with an event of one of these kinds; shape (count,)."""
    found = np.zeros(count, np.uint8)
    for event in events:
        if event.kind in kinds:
            found[event.target] = 1
    return found
