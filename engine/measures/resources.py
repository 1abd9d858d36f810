"""Measures of the network, from the kernel's statistics: waits, queues, occupancy, blocking and vehicles.

Means over time run from the scenario's start to `Statistics.time_end`. A wait that has not ended by then counts up to
then, so that Little's law holds exactly: the area under a queue is the sum of its waits. Figures are rounded with
Python's `round` and summed with `math.fsum`, which give the same bits on every processor.
"""

from math import fsum

import numpy as np
from numpy.typing import NDArray

from engine.codes import RESOURCE_COUNT, RESOURCE_FIELDS
from engine.measures.figures import Entry, mean_of, minutes_of, share_of, waits_of
from engine.measures.periods import measures_by_period, queues_by_role, way_names
from engine.measures.statistics import SERIES, Integers, Statistics, empty_statistics
from engine.scenario import Facility, Scenario, Vehicle, moment_text, start_seconds
from engine.tables import DAY, MINUTE
from scenarios import tables

MAX_SAMPLES = 20_000
"""Largest length of a series. A longer one is returned with longer intervals."""


ENDS_WITH = {
    "last_use": "the last use of a limited resource or vehicle",
    "horizon": "the horizon of the scenario",
}
"""What a run ends with, in words. Later, no patient can affect another."""


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
                **waits_of(statistics.wait_sum[k], statistics.wait_count[k]),
                "mean_queue": self._mean(statistics.queue_area[k]),
                "max_queue": int(statistics.max_queue[k]),
                "mean_in_use": self._mean(statistics.used_area[k]),
                "max_in_use": int(statistics.max_used[k]),
                "utilisation": share_of(statistics.used_area[k], statistics.capacity_time[k]),
                "capacity_hours": round(float(statistics.capacity_time[k]) / (60 * MINUTE), 3),
                "blocked_minutes": round(float(statistics.blocked[k]) / MINUTE, 3),
                "deaths_waiting": int(statistics.died[k]),
            }
            for k in np.flatnonzero(statistics.finite)
        ]

    def transport(self) -> list[Entry]:
        """Return one row for each way that vehicles of a pool serve.

        origin, front (None for all), waits as in `resources`, mean_queue, max_queue (patients), deaths_waiting.
        """
        statistics = self._statistics
        ways = zip(statistics.way_origin.tolist(), statistics.way_front.tolist(), strict=True)
        return [
            {
                **way_names(self._scenario, origin, front),
                **waits_of(statistics.way_wait_sum[w], statistics.way_wait_count[w]),
                "mean_queue": self._mean(statistics.way_queue_area[w]),
                "max_queue": int(statistics.way_max_queue[w]),
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
                "load": share_of(
                    statistics.carried[p], statistics.sorties[p] * (litters_of(pool) + (pool.seats or 0))
                ),
                "busy_minutes": round(float(statistics.busy[p]) / MINUTE, 3),
                "utilisation": share_of(statistics.busy[p], pool.number * self.milliseconds),
                "lost": int(statistics.lost[p]),
            }
            for p, pool in enumerate(self._scenario.vehicles[: len(statistics.sorties)])
        ]

    def mortuary_affairs(self) -> Entry:
        """Return how the dead waited for vehicles, and what vehicles did for them; only places and pools that served.

        places: origin, front (None for all), waits, mean_wait_minutes (None without waits), mean_waiting, max_waiting
        and waiting_at_end (of the dead). vehicles: vehicle, dead (carried), minutes (on the way to the dead, and from
        loading them until the vehicle is back).
        """
        statistics = self._statistics
        ways = zip(statistics.way_origin.tolist(), statistics.way_front.tolist(), strict=True)
        return {
            "places": [
                {
                    **way_names(self._scenario, origin, front),
                    "waits": int(statistics.way_remains_count[w]),
                    "mean_wait_minutes": minutes_of(
                        float(statistics.way_remains_sum[w]), int(statistics.way_remains_count[w])
                    ),
                    "mean_waiting": self._mean(statistics.way_remains_area[w]),
                    "max_waiting": int(statistics.way_remains_max[w]),
                    "waiting_at_end": int(statistics.way_remains_left[w]),
                }
                for w, (origin, front) in enumerate(ways)
                if statistics.way_remains_max[w]
            ],
            "vehicles": [
                {
                    "vehicle": pool.id,
                    "dead": int(statistics.remains_carried[p]),
                    "minutes": round(float(statistics.remains_time[p]) / MINUTE, 3),
                }
                for p, pool in enumerate(self._scenario.vehicles[: len(statistics.sorties)])
                if statistics.remains_carried[p] or statistics.remains_time[p]
            ],
        }

    def places(self) -> list[Entry]:
        """Return one row for each facility: arrived, refused, bypassed (patients), blood_used, blood_short (units).

        The last two are None where the scenario sets no stock of blood.
        """
        statistics = self._statistics
        facilities: list[Facility] = self._scenario.facilities[: len(statistics.arrived)]
        return [
            {
                "facility": facility.id,
                "arrived": int(statistics.arrived[f]),
                "refused": int(statistics.refused[f]),
                "bypassed": int(statistics.bypassed[f]),
                **{
                    name: None if facility.blood_units is None else round(float(units[f]), 3)
                    for name, units in (
                        ("blood_used", statistics.blood_used),
                        ("blood_short", statistics.blood_short),
                    )
                },
            }
            for f, facility in enumerate(facilities)
        ]

    def periods(self) -> dict[str, Entry]:
        """Return the measures of the casualty period and of the peak 24 hours: see `measures_by_period`."""
        return measures_by_period(self._scenario, self._statistics, self.milliseconds)

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
        dead = {"mortuary_affairs": self.mortuary_affairs()} if self._scenario.mortuary_affairs else {}
        return {
            "days": round(self.milliseconds / DAY, 3),
            "ends_at": moment_text(start_seconds(self._scenario) + int(self.milliseconds) // 1000),
            "ends_with": self._ends_with(),
            "resources": resources,
            "transport": ways,
            "vehicles": self.vehicles(),
            "facilities": self.places(),
            **dead,
            "roles": queues_by_role(self._scenario, resources),
            "periods": self.periods(),
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

    def _ends_with(self) -> str:
        """Return what the whole run ends with: a key of ENDS_WITH."""
        horizon = self._scenario.horizon_days
        return "horizon" if horizon is not None and self.milliseconds >= horizon * DAY else "last_use"

    def little_error(self) -> float:
        """Return the largest relative difference in Little's law: between an area and the sum of its times.

        For each resource these are the area in use and the times held, for each queue the area waiting and the waits.
        """
        statistics = self._statistics
        areas = [
            *statistics.used_area.tolist(),
            *statistics.queue_area.tolist(),
            *statistics.way_queue_area.tolist(),
            *statistics.way_remains_area.tolist(),
        ]
        waits = [fsum(row) for row in [*statistics.wait_sum.tolist(), *statistics.way_wait_sum.tolist()]]
        times = [*statistics.stay_sum.tolist(), *waits, *statistics.way_remains_sum.tolist()]
        return max(
            (abs(a - b) / max(a, b) for a, b in zip(areas, times, strict=True) if max(a, b) > 0), default=0.0
        )

    def _mean(self, area: float) -> float:
        """Divide an area by the length of the run."""
        return mean_of(area, self.milliseconds)


def litters_of(pool: Vehicle) -> int:
    """Return the litters of each vehicle of a pool. The default is the kind's capacity (transport_logistics.json)."""
    return int(tables.transports()[pool.kind]["capacity"]) if pool.litters is None else pool.litters


def intervals(series: NDArray[np.void]) -> Integers:
    """Return the start of each sample's interval in ms: the end of the interval before it, 0 for the first."""
    ends, row = np.unique(series["at"], return_inverse=True)
    result: Integers = np.concatenate(([0], ends[:-1])).astype(np.int64)[row] if len(ends) else ends
    return result


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
