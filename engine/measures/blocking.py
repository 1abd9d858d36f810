"""How long treatment bays and operating tables are in use, and blocked: held by patients who wait for what comes next.

A patient keeps the table after the operation until a bed is free, and the bay after the treatment until a table or a
bed is free. A wait for a blocked bay or table is a lack of what its patient waits for.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import EN_ROUTE, RESOURCE_FIELDS, RESOURCES, Event, Resource
from engine.measures.durations import MINUTE
from engine.numeric import compiled, compiled_entry
from engine.scenario import Facility, Scenario, limiting_settings
from engine.tables import EVENT, Chunk, EventRow, Ints, Table

BLOCKED = (Resource.TREATMENT_BAY, Resource.OPERATING_TABLE)
AWAITED = (Resource.OPERATING_TABLE, Resource.ICU_BED, Resource.WARD_BED)
_IN_USE = len(AWAITED)
"""Column of the time in which care is given or prepared, after those of AWAITED."""

_NOTHING, _BAY, _TABLE = -1, 0, 1
_OPERATING_TABLE, _ICU_BED, _WARD_BED = (int(each) for each in AWAITED)


@compiled
def _held_after(event: EventRow, held: int, gives_up_bay: int) -> int:
    """Return what a patient holds after an event, an index of BLOCKED; _NOTHING: neither."""
    kind = event.kind
    if kind == Event.CARE_STARTED or kind == Event.RESUSCITATION_STARTED or kind == Event.CARE_RESUMED:
        return _BAY
    if kind == Event.SURGERY_STARTED or kind == Event.DEFINITIVE_SURGERY_STARTED:
        return _TABLE
    if (
        kind == Event.CARE_ENDED
        or kind == Event.RESUSCITATION_ENDED
        or kind == Event.SURGERY_ENDED
        or kind == Event.DEFINITIVE_SURGERY_ENDED
        or kind == Event.TRIAGED
    ):
        return held
    if kind == Event.WAITING and not (held == _BAY and event.detail == _OPERATING_TABLE and gives_up_bay):
        return held
    return _NOTHING


@compiled
def _use_after(event: EventRow, use: int) -> int:
    """Return what a bay or table is held for after an event, an index of AWAITED or _IN_USE."""
    if event.kind == Event.TRIAGED:
        return use  # the patient becomes more urgent, and still waits
    if event.kind == Event.WAITING:
        if event.detail == _OPERATING_TABLE:
            return 0
        if event.detail == _ICU_BED:
            return 1
        if event.detail == _WARD_BED:
            return 2
    return _IN_USE


@compiled
def _ends_care(event: EventRow) -> bool:
    return bool(
        event.kind == Event.CARE_ENDED
        or event.kind == Event.RESUSCITATION_ENDED
        or event.kind == Event.SURGERY_ENDED
        or event.kind == Event.DEFINITIVE_SURGERY_ENDED
    )


@compiled
def _is_operated_next(event: EventRow) -> bool:
    """Return whether the time since the treatment has been preparation for an operation, in the bay."""
    return bool(
        event.kind == Event.SURGERY_STARTED
        or (event.kind == Event.WAITING and event.detail == _OPERATING_TABLE)
    )


@compiled_entry(EVENT, "i8", ("i8", 3))
def count_blocking(events: Table, gives_up_bay: Ints, used: Ints) -> None:
    """Add for how long patients of a chunk held treatment bays and operating tables.

    Parameters
    ----------
    events
        Table of the chunk.
    gives_up_bay
        By facility - EN_ROUTE, 1: who waits for a table there gives up the bay.
    used
        Is increased by ms, by facility - EN_ROUTE, BLOCKED, and what it was held for: waiting for each of AWAITED, then
        care and its preparation.
    """
    patient, held, use, place = -1, _NOTHING, _IN_USE, 0
    since = 0
    has_ended = False  # the care in the bay or on the table
    for k in range(len(events)):
        event: EventRow = events[k]
        if event.patient != patient:
            patient, held, has_ended = event.patient, _NOTHING, False
        elif event.kind == Event.COMPLICATION:  # it is neither granted nor given up
            continue
        if held >= 0 and (not has_ended or use != _IN_USE or _is_operated_next(event)):
            used[place, held, use] += event.at - since
        use = _use_after(event, use)
        has_ended = _ends_care(event) or (has_ended and event.kind == Event.TRIAGED)
        place = event.facility - EN_ROUTE
        held = _held_after(event, held, gives_up_bay[place])
        since = event.at


class Blocking:
    """The use of treatment bays and operating tables by the patients of one scenario.

    Parameters
    ----------
    scenario
        The resolved scenario.
    """

    def __init__(self, scenario: Scenario) -> None:
        facilities = scenario.facilities
        self._places = ["en route", "POI", *(facility.id for facility in facilities)]
        self._limited = [[], [], *(_limited(each) for each in facilities)]
        gives_up = [False, False, *(not facility.hold_bay for facility in facilities)]
        self._gives_up_bay: NDArray[np.int64] = np.array(gives_up, np.int64)
        self.used = np.zeros((len(self._places), len(BLOCKED), len(AWAITED) + 1), np.int64)

    def add(self, chunk: Chunk) -> None:
        """Count the patients of a chunk."""
        count_blocking(chunk.events, self._gives_up_bay, self.used)

    def merge(self, other: "Blocking") -> None:
        """Add the counts of other patients of the same scenario."""
        self.used += other.used

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return the limited resources that were blocked, by place and resource, with the minutes in use and blocked.

        use_minutes (blocked or not), blocked_minutes (by the resource that was waited for), percent_blocked.
        """
        found: dict[str, dict[str, Any]] = {}
        for place, limited, rows in zip(self._places, self._limited, self.used.tolist(), strict=True):
            for resource, row in zip(BLOCKED, rows, strict=True):
                blocked = {
                    RESOURCE_FIELDS[awaited]: round(each / MINUTE, 3)
                    for awaited, each in zip(AWAITED, row[:_IN_USE], strict=True)
                    if each
                }
                if blocked and resource in limited:
                    found.setdefault(place, {})[RESOURCE_FIELDS[resource]] = {
                        "use_minutes": round(sum(row) / MINUTE, 3),
                        "blocked_minutes": blocked,
                        "percent_blocked": round(100.0 * sum(row[:_IN_USE]) / sum(row), 2),
                    }
        return found


def _limited(facility: Facility) -> list[Resource]:
    """Return which of BLOCKED are finite at a facility: tables also by shifts, bays also by a stock of blood."""
    found = set(limiting_settings(facility))
    for resource, other in ((Resource.OPERATING_TABLE, "shifts"), (Resource.TREATMENT_BAY, "blood_units")):
        if other in found:
            found.update(RESOURCES[resource].limits)
    return [resource for resource in BLOCKED if not found.isdisjoint(RESOURCES[resource].limits)]
