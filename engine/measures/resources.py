"""What the network did: waits, queues, occupancy, blocking, vehicles; from the statistics the event kernel gathers.

All means over time run from the scenario's start to `time_end`. A wait that has not ended by then counts as long as it
lasted until then, so that Little's law holds without remainder: the area under a queue is the sum of its waits.
Figures are rounded with Python's `round` and summed with `math.fsum`, which give the same bits on every processor.
"""

from dataclasses import dataclass, fields
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import RESOURCE_FIELDS, TRIAGE
from engine.scenario import Facility, Scenario, Vehicle
from engine.tables import DAY, MINUTE
from scenarios import tables

CATEGORY_LABELS = TRIAGE[1:]
"""Assigned triage categories 1 to 4; index 0 of the kernel's arrays is not used."""


SERIES = np.dtype(
    [
        ("at", "i8"),  # ms from the start: end of the interval
        ("facility", "i2"),  # index of scenario.facilities
        ("resource", "u1"),  # index of RESOURCES
        ("in_use", "f8"),  # time-weighted mean of the interval
        ("queue", "f8"),  # the same of patients who wait for it
        ("offered", "f8"),  # the same of the capacity
        ("in_use_now", "i4"),  # at the interval's end
        ("queue_now", "i4"),
        ("capacity", "i4"),  # negative: no limit
    ],
    align=True,
)
"""One sample of one resource."""

MAX_SAMPLES = 20_000
"""A longer series is given by longer intervals."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Entry = dict[str, Any]


@dataclass(slots=True)
class Statistics:
    """What the kernel counts. R = 6 x facilities (row facility * 6 + resource), W ways, P pools, F facilities.

    Times and areas are in ms; areas are ms x units or ms x patients. Categories are columns 1 to 4 of 0 to 4.
    """

    time_end: Any  # a number or array of one: when the last event was, or the horizon
    capacity_time: Floats  # (R,) units offered, over time
    used_area: Floats  # (R,) units in use, over time
    stay_sum: Floats  # (R,) time held, summed over the holders
    queue_area: Floats  # (R,) patients waiting, over time
    max_queue: Integers  # (R,)
    max_used: Integers  # (R,)
    served: Integers  # (R,) patients who got it
    wait_sum: Floats  # (R, 5) by category at the wait's end
    wait_count: Integers  # (R, 5) waits, those of no length included
    blocked: Floats  # (R,) time held by patients who were done with it
    died: Integers  # (R,) patients who died waiting for it
    finite: NDArray[np.uint8]  # (R,) 1: it has a limit
    way_wait_sum: Floats  # (W, 5) waits for transport
    way_wait_count: Integers  # (W, 5)
    way_queue_area: Floats  # (W,)
    way_died: Integers  # (W,) patients who died waiting for transport
    way_origin: Integers  # (W,) facility, -1 POI
    way_front: Integers  # (W,) front, -1 all
    sorties: Integers  # (P,) in the order of scenario.vehicles
    carried: Integers  # (P,) patients
    litters_used: Integers  # (P,) patients carried lying
    busy: Floats  # (P,) vehicles on their way, over time
    lost: Integers  # (P,)
    arrived: Integers  # (F,)
    refused: Integers  # (F,) at the door
    bypassed: Integers  # (F,) passed over for the next
    blood_used: Floats  # (F,) units
    blood_short: Floats  # (F,) units that were needed and not there
    samples: NDArray[np.void]  # fields of SERIES; `offered` may be missing


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
    "blood_used",
    "blood_short",
)


def empty_statistics() -> Statistics:
    """Of a network in which nothing is finite: every array is empty."""
    shapes = {"wait_sum": (0, 5), "wait_count": (0, 5), "way_wait_sum": (0, 5), "way_wait_count": (0, 5)}
    kinds: dict[str, Any] = {"finite": np.uint8, "samples": SERIES} | dict.fromkeys(_AREAS, np.float64)
    names = [field.name for field in fields(Statistics) if field.name != "time_end"]
    empty = {name: np.zeros(shapes.get(name, (0,)), kinds.get(name, np.int64)) for name in names}
    return Statistics(time_end=0.0, **empty)


class FlowMeasures:
    """The kernel's statistics of one replication as tables of plain numbers.

    `scenario` is the resolved scenario that `raw` was gathered for. A resource without limit is not listed.
    """

    def __init__(self, scenario: Scenario, raw: Statistics) -> None:
        self._scenario = scenario
        self._raw = raw
        self.milliseconds = float(np.ravel(raw.time_end)[0])
        """Length of the run."""

    @classmethod
    def empty(cls, scenario: Scenario) -> "FlowMeasures":
        """Of a run in which nothing was finite."""
        return cls(scenario, empty_statistics())

    def resources(self) -> list[Entry]:
        """One row for each finite resource of each facility, in the order of the scenario.

        facility, resource; capacity (mean units offered), served (patients), waits; mean_wait_minutes, and by assigned
        category mean_wait_minutes_T1 to _T4 (None where nobody asked for it); mean_queue, max_queue (patients);
        mean_in_use, max_in_use (units); utilisation (share of the capacity offered, None where none was);
        capacity_hours; blocked_minutes (held by patients who were done); deaths_waiting.
        """
        r = self._raw
        return [
            {
                "facility": self._scenario.facilities[int(k) // len(RESOURCE_FIELDS)].id,
                "resource": RESOURCE_FIELDS[int(k) % len(RESOURCE_FIELDS)],
                "capacity": self._mean(r.capacity_time[k]),
                "served": int(r.served[k]),
                **_waits(r.wait_sum[k], r.wait_count[k]),
                "mean_queue": self._mean(r.queue_area[k]),
                "max_queue": int(r.max_queue[k]),
                "mean_in_use": self._mean(r.used_area[k]),
                "max_in_use": int(r.max_used[k]),
                "utilisation": _share(r.used_area[k], r.capacity_time[k]),
                "capacity_hours": round(float(r.capacity_time[k]) / (60 * MINUTE), 3),
                "blocked_minutes": round(float(r.blocked[k]) / MINUTE, 3),
                "deaths_waiting": int(r.died[k]),
            }
            for k in np.flatnonzero(r.finite)
        ]

    def transport(self) -> list[Entry]:
        """One row for each way that vehicles of a pool serve.

        origin, front (None: all), waits as in `resources`, mean_queue (patients), deaths_waiting.
        """
        r = self._raw
        return [
            {
                "origin": "POI" if origin < 0 else self._scenario.facilities[origin].id,
                "front": None if front < 0 else self._scenario.fronts[front].name,
                **_waits(r.way_wait_sum[w], r.way_wait_count[w]),
                "mean_queue": self._mean(r.way_queue_area[w]),
                "deaths_waiting": int(r.way_died[w]),
            }
            for w, (origin, front) in enumerate(zip(r.way_origin.tolist(), r.way_front.tolist(), strict=True))
        ]

    def vehicles(self) -> list[Entry]:
        """One row for each pool: vehicle, number, sorties, patients, litters_used, litters_offered, seats_offered
        (all sorties together), load (patients per place offered), busy_minutes, utilisation (share of the
        vehicles' time), lost.
        """
        r = self._raw
        return [
            {
                "vehicle": pool.id,
                "number": pool.number,
                "sorties": int(r.sorties[p]),
                "patients": int(r.carried[p]),
                "litters_used": int(r.litters_used[p]),
                "litters_offered": int(r.sorties[p]) * litters_of(pool),
                "seats_offered": int(r.sorties[p]) * (pool.seats or 0),
                "load": _share(r.carried[p], r.sorties[p] * (litters_of(pool) + (pool.seats or 0))),
                "busy_minutes": round(float(r.busy[p]) / MINUTE, 3),
                "utilisation": _share(r.busy[p], pool.number * self.milliseconds),
                "lost": int(r.lost[p]),
            }
            for p, pool in enumerate(self._scenario.vehicles[: len(r.sorties)])
        ]

    def places(self) -> list[Entry]:
        """One row for each facility: arrived, refused, bypassed (patients), blood_used, blood_short (units)."""
        r = self._raw
        facilities: list[Facility] = self._scenario.facilities[: len(r.arrived)]
        return [
            {
                "facility": facility.id,
                "arrived": int(r.arrived[f]),
                "refused": int(r.refused[f]),
                "bypassed": int(r.bypassed[f]),
                "blood_used": round(float(r.blood_used[f]), 3),
                "blood_short": round(float(r.blood_short[f]), 3),
            }
            for f, facility in enumerate(facilities)
        ]

    def series(self) -> NDArray[np.void]:
        """The samples over time, dtype SERIES, by (at, facility, resource); at most MAX_SAMPLES.

        Where there are more, several intervals are put together: means are weighted by their length. What was offered
        is, where the samples do not tell, the capacity at the interval's end, and at least what was in use.
        """
        samples = self._raw.samples
        series = np.zeros(len(samples), SERIES)
        given = samples.dtype.names or ()
        for name in given:
            series[name] = samples[name]
        if "offered" not in given:
            limited = series["capacity"] >= 0
            series["offered"] = np.where(limited, np.maximum(series["capacity"], series["in_use"]), 0.0)
        series = series[np.lexsort((series["resource"], series["facility"], series["at"]))]
        return _lengthen_intervals(series) if len(series) > MAX_SAMPLES else series

    def summary(self) -> Entry:
        """All but the series, for summary.json."""
        resources, ways = self.resources(), self.transport()
        return {
            "days": round(self.milliseconds / DAY, 3),
            "resources": resources,
            "transport": ways,
            "vehicles": self.vehicles(),
            "facilities": self.places(),
            "blocked_minutes": round(fsum(row["blocked_minutes"] for row in resources), 3),
            "deaths_waiting": {
                name: sum(row["deaths_waiting"] for row in rows)
                for name, rows in [
                    *(
                        (name, [row for row in resources if row["resource"] == name])
                        for name in RESOURCE_FIELDS
                    ),
                    ("transport", ways),
                ]
                if rows
            },
        }

    def little_error(self) -> float:
        """Little's law: the largest relative difference between an area and the sum of the times that make it up.

        Of every resource the area in use and the times held, of every line the area waiting and the waits.
        """
        r = self._raw
        areas = [*r.used_area.tolist(), *r.queue_area.tolist(), *r.way_queue_area.tolist()]
        waits = [fsum(row) for row in [*r.wait_sum.tolist(), *r.way_wait_sum.tolist()]]
        times = [*r.stay_sum.tolist(), *waits]
        return max(
            (abs(a - b) / max(a, b) for a, b in zip(areas, times, strict=True) if max(a, b) > 0), default=0.0
        )

    def _mean(self, area: float) -> float:
        """An area over the run's length."""
        return round(float(area) / self.milliseconds, 6) if self.milliseconds else 0.0


def litters_of(pool: Vehicle) -> int:
    """Litters of each vehicle of a pool: its own, else the kind's capacity (transport_logistics.json)."""
    return int(tables.transports()[pool.kind]["capacity"]) if pool.litters is None else pool.litters


def intervals(series: NDArray[np.void]) -> Integers:
    """Begin of each sample's interval in ms: the end of the interval before it, 0 for the first."""
    ends, row = np.unique(series["at"], return_inverse=True)
    result: Integers = np.concatenate(([0], ends[:-1])).astype(np.int64)[row] if len(ends) else ends
    return result


def _waits(total: Floats, count: Integers) -> Entry:
    """`waits`, and their mean in minutes: of all and by category."""
    sums, counts = total.tolist(), count.tolist()
    result = {"waits": sum(counts), "mean_wait_minutes": _minutes(fsum(sums), sum(counts))}
    for k, name in enumerate(CATEGORY_LABELS, 1):
        result[f"waits_{name}"] = counts[k]
        result[f"mean_wait_minutes_{name}"] = _minutes(sums[k], counts[k])
    return result


def _minutes(total: float, count: int) -> float | None:
    return round(total / MINUTE / count, 4) if count else None


def _share(part: float, whole: float) -> float | None:
    return round(float(part) / float(whole), 6) if whole > 0 else None


def _lengthen_intervals(series: NDArray[np.void]) -> NDArray[np.void]:
    """The series over intervals so long that at most MAX_SAMPLES are left; `series` is sorted by `at`."""
    ends, interval = np.unique(series["at"], return_inverse=True)
    each, kind = np.unique(
        series["facility"].astype(np.int64) * len(RESOURCE_FIELDS) + series["resource"],
        return_inverse=True,
    )
    joined = -(-len(ends) // max(1, MAX_SAMPLES // len(each)))
    cell = (interval // joined) * len(each) + kind
    cells, row = np.unique(cell, return_inverse=True)
    last = np.zeros(len(cells), np.int64)
    np.maximum.at(last, row, np.arange(len(series)))
    result = series[last]
    result["at"] = ends[np.minimum((cells // len(each) + 1) * joined, len(ends)) - 1]
    weight = (series["at"] - intervals(series)).astype(np.float64)
    whole = np.bincount(row, weight)
    for name in ("in_use", "queue", "offered"):
        result[name] = np.bincount(row, weight * series[name]) / np.where(whole > 0, whole, 1.0)
    return result
