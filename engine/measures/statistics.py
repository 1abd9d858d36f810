"""The statistics that the kernel keeps of the network: by resource, way of transport, pool of vehicles and facility."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import CATEGORY_COUNT, PERIOD_COUNT

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SERIES = np.dtype(
    [
        ("at", "i8"),  # ms from the start: end of the interval
        ("facility", "i2"),  # index of scenario.facilities
        ("resource", "u1"),  # a `Resource`
        ("in_use", "f8"),  # units in use, mean over the interval
        ("queue", "f8"),  # patients waiting for it, mean over the interval
        ("offered", "f8"),  # units offered, mean over the interval
        ("in_use_now", "i4"),  # at the end of the interval
        ("queue_now", "i4"),
        ("capacity", "i4"),  # negative: no limit
    ],
    align=True,
)
"""One sample of one resource of one facility."""


@dataclass(slots=True)
class Statistics:
    """The statistics of the kernel: arrays over F facilities, W ways, P pools of vehicles, and resources of facilities.

    There are R = F * RESOURCE_COUNT resources; row facility * RESOURCE_COUNT + resource. C is CATEGORY_COUNT; column 0
    is not used. Times are in ms. Areas are in ms x units or ms x patients.
    """

    time_end: Any  # a number or an array of one: time of the last event, or the horizon
    capacity_time: Floats  # (R,) area of the units offered
    used_area: Floats  # (R,) area of the units in use
    stay_sum: Floats  # (R,) sum of the times for which a patient held a unit
    queue_area: Floats  # (R,) area of the patients waiting
    max_queue: Integers  # (R,)
    max_used: Integers  # (R,)
    served: Integers  # (R,) patients who got a unit
    wait_sum: Floats  # (R, C) by category at the end of the wait
    wait_count: Integers  # (R, C) waits, including those of no length
    blocked: Floats  # (R,) time for which patients held a unit that they no longer needed
    died: Integers  # (R,) patients who died while waiting for it
    finite: NDArray[np.uint8]  # (R,) 1: limited
    way_wait_sum: Floats  # (W, C) waits for transport
    way_wait_count: Integers  # (W, C)
    way_queue_area: Floats  # (W,)
    way_max_queue: Integers  # (W,)
    way_died: Integers  # (W,) patients who died while waiting for transport
    way_origin: Integers  # (W,) index of a facility, -1 for the point of injury
    way_front: Integers  # (W,) index of a front, -1 for all
    sorties: Integers  # (P,) in the order of Scenario.vehicles
    carried: Integers  # (P,) patients
    litters_used: Integers  # (P,) patients carried on litters
    busy: Floats  # (P,) area of the vehicles that are on their way
    lost: Integers  # (P,)
    # the dead (docs/model.md section 2.9.5)
    way_remains_count: Integers  # (W,) waits for a vehicle
    way_remains_sum: Floats  # (W,) of these waits
    way_remains_area: Floats  # (W,)
    way_remains_max: Integers  # (W,) most who wait
    way_remains_left: Integers  # (W,) who wait at the end
    remains_carried: Integers  # (P,)
    remains_time: Floats  # (P,) that vehicles spent on them
    arrived: Integers  # (F,)
    refused: Integers  # (F,) patients refused
    bypassed: Integers  # (F,) patients for whom another facility was chosen
    blood_used: Floats  # (F,) units
    blood_short: Floats  # (F,) units that were needed and not in stock
    # in the periods of `engine.codes.Period`, P of them
    periods: Floats  # (P, 3) begin and end in ms, casualties; no row in a network without finite resources
    period_used_area: Floats  # (R, P)
    period_capacity_time: Floats  # (R, P)
    period_queue_area: Floats  # (R, P)
    period_max_queue: Integers  # (R, P)
    period_wait_sum: Floats  # (R, P, C) whole waits, those that began in the period
    period_wait_count: Integers  # (R, P, C)
    way_period_queue_area: Floats  # (W, P)
    way_period_max_queue: Integers  # (W, P)
    way_period_wait_sum: Floats  # (W, P, C)
    way_period_wait_count: Integers  # (W, P, C)
    period_busy: Floats  # (vehicle pools, P)
    samples: NDArray[np.void]  # with the fields of SERIES; `offered` may be missing


_AREAS = (
    "capacity_time",
    "used_area",
    "stay_sum",
    "queue_area",
    "wait_sum",
    "blocked",
    "way_wait_sum",
    "way_queue_area",
    "busy",
    "way_remains_sum",
    "way_remains_area",
    "remains_time",
    "blood_used",
    "blood_short",
    "period_used_area",
    "period_capacity_time",
    "period_queue_area",
    "period_wait_sum",
    "way_period_queue_area",
    "way_period_wait_sum",
    "period_busy",
)


def empty_statistics() -> Statistics:
    """Return the statistics of a network without finite resources: every array is empty."""
    shapes: dict[str, tuple[int, ...]] = {"periods": (0, 3)}
    kinds: dict[str, Any] = {"finite": np.uint8, "samples": SERIES, "periods": np.float64}
    kinds |= dict.fromkeys(_AREAS, np.float64)
    names = [field.name for field in fields(Statistics) if field.name != "time_end"]
    for name in names:
        shape = (0, PERIOD_COUNT) if "period_" in name else (0,)
        shapes.setdefault(name, (*shape, CATEGORY_COUNT) if "wait_" in name else shape)
    empty = {name: np.zeros(shapes[name], kinds.get(name, np.int64)) for name in names}
    return Statistics(time_end=0.0, **empty)
