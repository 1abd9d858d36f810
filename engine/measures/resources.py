"""Measures of the network, from the kernel's statistics: waits, queues, occupancy, blocking and vehicles.

Means over time run from the scenario's start to `Statistics.time_end`. A wait that has not ended by then counts up to
then, so that Little's law holds exactly: the area under a queue is the sum of its waits. Figures are rounded with
Python's `round` and summed with `math.fsum`, which give the same bits on every processor.
"""

from dataclasses import dataclass, fields
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import CATEGORY_COUNT, RESOURCE_COUNT, RESOURCE_FIELDS, TRIAGE
from engine.scenario import Facility, Scenario, Vehicle
from engine.tables import DAY, MINUTE
from scenarios import tables

CATEGORY_LABELS = TRIAGE[1:]
"""Labels of the triage categories 1 to 4. Index 0 of the kernel's arrays is not used."""


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

MAX_SAMPLES = 20_000
"""Largest length of a series. A longer one is returned with longer intervals."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Entry = dict[str, Any]


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
    way_died: Integers  # (W,) patients who died while waiting for transport
    way_origin: Integers  # (W,) index of a facility, -1 for the point of injury
    way_front: Integers  # (W,) index of a front, -1 for all
    sorties: Integers  # (P,) in the order of Scenario.vehicles
    carried: Integers  # (P,) patients
    litters_used: Integers  # (P,) patients carried on litters
    busy: Floats  # (P,) area of the vehicles that are on their way
    lost: Integers  # (P,)
    arrived: Integers  # (F,)
    refused: Integers  # (F,) patients refused
    bypassed: Integers  # (F,) patients for whom another facility was chosen
    blood_used: Floats  # (F,) units
    blood_short: Floats  # (F,) units that were needed and not in stock
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
    "blood_used",
    "blood_short",
)


def empty_statistics() -> Statistics:
    """Return the statistics of a network without finite resources: every array is empty."""
    shapes = dict.fromkeys(("wait_sum", "wait_count", "way_wait_sum", "way_wait_count"), (0, CATEGORY_COUNT))
    kinds: dict[str, Any] = {"finite": np.uint8, "samples": SERIES} | dict.fromkeys(_AREAS, np.float64)
    names = [field.name for field in fields(Statistics) if field.name != "time_end"]
    empty = {name: np.zeros(shapes.get(name, (0,)), kinds.get(name, np.int64)) for name in names}
    return Statistics(time_end=0.0, **empty)


class FlowMeasures:
    """The kernel's statistics of one replication as tables of plain numbers. Only limited resources are listed.

    Parameters
    ----------
    scenario
        The resolved scenario that was simulated.
    statistics
        The kernel's statistics.
    """

    def __init__(self, scenario: Scenario, statistics: Statistics) -> None:
        self._scenario = scenario
        self._statistics = statistics
        self.milliseconds = float(np.ravel(statistics.time_end)[0])
        """Length of the run."""

    @classmethod
    def empty(cls, scenario: Scenario) -> "FlowMeasures":
        """Return the measures of a run without finite resources."""
        return cls(scenario, empty_statistics())

    def resources(self) -> list[Entry]:
        """Return one row for each finite resource of each facility, in the order of the scenario.

        facility, resource; capacity (mean units offered), served (patients), waits; mean_wait_minutes, and by assigned
        category mean_wait_minutes_T1 to _T4 (None without waits); mean_queue, max_queue (patients); mean_in_use,
        max_in_use (units); utilisation (share of the capacity offered, None if none was); capacity_hours;
        blocked_minutes (held by patients who no longer needed it); deaths_waiting.
        """
        statistics = self._statistics
        return [
            {
                "facility": self._scenario.facilities[int(k) // RESOURCE_COUNT].id,
                "resource": RESOURCE_FIELDS[int(k) % RESOURCE_COUNT],
                "capacity": self._mean(statistics.capacity_time[k]),
                "served": int(statistics.served[k]),
                **_waits(statistics.wait_sum[k], statistics.wait_count[k]),
                "mean_queue": self._mean(statistics.queue_area[k]),
                "max_queue": int(statistics.max_queue[k]),
                "mean_in_use": self._mean(statistics.used_area[k]),
                "max_in_use": int(statistics.max_used[k]),
                "utilisation": _share(statistics.used_area[k], statistics.capacity_time[k]),
                "capacity_hours": round(float(statistics.capacity_time[k]) / (60 * MINUTE), 3),
                "blocked_minutes": round(float(statistics.blocked[k]) / MINUTE, 3),
                "deaths_waiting": int(statistics.died[k]),
            }
            for k in np.flatnonzero(statistics.finite)
        ]

    def transport(self) -> list[Entry]:
        """Return one row for each way that vehicles of a pool serve.

        origin, front (None for all), waits as in `resources`, mean_queue (patients), deaths_waiting.
        """
        statistics = self._statistics
        ways = zip(statistics.way_origin.tolist(), statistics.way_front.tolist(), strict=True)
        return [
            {
                "origin": "POI" if origin < 0 else self._scenario.facilities[origin].id,
                "front": None if front < 0 else self._scenario.fronts[front].name,
                **_waits(statistics.way_wait_sum[w], statistics.way_wait_count[w]),
                "mean_queue": self._mean(statistics.way_queue_area[w]),
                "deaths_waiting": int(statistics.way_died[w]),
            }
            for w, (origin, front) in enumerate(ways)
        ]

    def vehicles(self) -> list[Entry]:
        """Return one row for each pool of vehicles.

        vehicle, number, sorties, patients; litters_used, litters_offered, seats_offered (in all sorties); load
        (patients per litter or seat offered), busy_minutes, utilisation (share of the vehicles' time), lost.
        """
        statistics = self._statistics
        return [
            {
                "vehicle": pool.id,
                "number": pool.number,
                "sorties": int(statistics.sorties[p]),
                "patients": int(statistics.carried[p]),
                "litters_used": int(statistics.litters_used[p]),
                "litters_offered": int(statistics.sorties[p]) * litters_of(pool),
                "seats_offered": int(statistics.sorties[p]) * (pool.seats or 0),
                "load": _share(
                    statistics.carried[p], statistics.sorties[p] * (litters_of(pool) + (pool.seats or 0))
                ),
                "busy_minutes": round(float(statistics.busy[p]) / MINUTE, 3),
                "utilisation": _share(statistics.busy[p], pool.number * self.milliseconds),
                "lost": int(statistics.lost[p]),
            }
            for p, pool in enumerate(self._scenario.vehicles[: len(statistics.sorties)])
        ]

    def places(self) -> list[Entry]:
        """Return one row for each facility: arrived, refused, bypassed (patients), blood_used, blood_short (units)."""
        statistics = self._statistics
        facilities: list[Facility] = self._scenario.facilities[: len(statistics.arrived)]
        return [
            {
                "facility": facility.id,
                "arrived": int(statistics.arrived[f]),
                "refused": int(statistics.refused[f]),
                "bypassed": int(statistics.bypassed[f]),
                "blood_used": round(float(statistics.blood_used[f]), 3),
                "blood_short": round(float(statistics.blood_short[f]), 3),
            }
            for f, facility in enumerate(facilities)
        ]

    def series(self) -> NDArray[np.void]:
        """Return the samples over time, dtype SERIES, sorted by (at, facility, resource); at most MAX_SAMPLES.

        If there are more, consecutive intervals are merged, and means are weighted by the length of the intervals.
        If the samples lack `offered`, it is the capacity at the end of the interval, and at least what was in use.
        """
        samples = self._statistics.samples
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
        """Return all measures but the series, as in summary.json."""
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
        """Return the largest relative difference in Little's law: between an area and the sum of its times.

        For each resource these are the area in use and the times held, for each queue the area waiting and the waits.
        """
        statistics = self._statistics
        areas = [
            *statistics.used_area.tolist(),
            *statistics.queue_area.tolist(),
            *statistics.way_queue_area.tolist(),
        ]
        waits = [fsum(row) for row in [*statistics.wait_sum.tolist(), *statistics.way_wait_sum.tolist()]]
        times = [*statistics.stay_sum.tolist(), *waits]
        return max(
            (abs(a - b) / max(a, b) for a, b in zip(areas, times, strict=True) if max(a, b) > 0), default=0.0
        )

    def _mean(self, area: float) -> float:
        """Divide an area by the length of the run."""
        return round(float(area) / self.milliseconds, 6) if self.milliseconds else 0.0


def litters_of(pool: Vehicle) -> int:
    """Return the litters of each vehicle of a pool. The default is the kind's capacity (transport_logistics.json)."""
    return int(tables.transports()[pool.kind]["capacity"]) if pool.litters is None else pool.litters


def intervals(series: NDArray[np.void]) -> Integers:
    """Return the start of each sample's interval in ms: the end of the interval before it, 0 for the first."""
    ends, row = np.unique(series["at"], return_inverse=True)
    result: Integers = np.concatenate(([0], ends[:-1])).astype(np.int64)[row] if len(ends) else ends
    return result


def _waits(total: Floats, count: Integers) -> Entry:
    """Return the number of waits and their mean in minutes, for all patients and by category."""
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
    """Merge intervals of a series, which is sorted by `at`, so that at most MAX_SAMPLES samples remain."""
    ends, interval = np.unique(series["at"], return_inverse=True)
    each, kind = np.unique(
        series["facility"].astype(np.int64) * RESOURCE_COUNT + series["resource"],
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
