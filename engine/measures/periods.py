"""Measures of the network in the casualty period and in the 24 hours with most casualties.

Averages over a whole run also contain the weeks in which the last patients leave. In the period in which people are
hurt, queues are longer and resources busier. Areas are those within the period; a wait counts in full in the period in
which it began.
"""

from math import fsum
from typing import Any

import numpy as np

from engine.codes import PERIODS, RESOURCE_COUNT, RESOURCE_FIELDS
from engine.measures.figures import Entry, mean_of, share_of, waits_of
from engine.measures.statistics import Statistics
from engine.scenario import Scenario
from engine.tables import HOUR

POI = "POI"


def measures_by_period(scenario: Scenario, statistics: Statistics, time_end: float) -> dict[str, Entry]:
    """Return the measures of the network by period: a key of `engine.codes.PERIODS`.

    from_hours, to_hours (from the scenario's start, cut at the end of the run), casualties (arrivals in the period);
    resources and transport with the rows of `FlowMeasures`, without what has no period; vehicles; roles.

    Parameters
    ----------
    scenario
        The resolved scenario.
    statistics
        The kernel's statistics. Without finite resources there are no periods.
    time_end
        End of the run, ms.
    """
    found = {}
    for number, (begin, end, casualties) in enumerate(statistics.periods.tolist()):
        begin, end = min(begin, time_end), min(end, time_end)
        resources = _resources(scenario, statistics, number, end - begin)
        transport = _transport(scenario, statistics, number, end - begin)
        found[PERIODS[number]] = {
            "from_hours": round(begin / HOUR, 6),
            "to_hours": round(end / HOUR, 6),
            "casualties": int(casualties),
            "resources": resources,
            "transport": transport,
            "vehicles": _vehicles(scenario, statistics, number, end - begin, transport),
            "roles": queues_by_role(scenario, resources),
        }
    return found


def queues_by_role(scenario: Scenario, resources: list[Entry]) -> dict[str, Entry]:
    """Return how many wait at the facilities of each role, for all limited resources together.

    mean_queue (the mean queues added up) and max_queue (the longest queue of one resource of one facility), patients.
    """
    roles = {facility.id: facility.role for facility in scenario.facilities}
    found: dict[str, list[Entry]] = {}
    for row in resources:
        found.setdefault(f"role{roles[row['facility']]}", []).append(row)
    return {
        role: {
            "mean_queue": round(fsum(row["mean_queue"] for row in rows), 6),
            "max_queue": max(row["max_queue"] for row in rows),
        }
        for role, rows in sorted(found.items())
    }


def _resources(scenario: Scenario, statistics: Statistics, period: int, length: float) -> list[Entry]:
    used, offered = statistics.period_used_area[:, period], statistics.period_capacity_time[:, period]
    return [
        {
            "facility": scenario.facilities[int(k) // RESOURCE_COUNT].id,
            "resource": RESOURCE_FIELDS[int(k) % RESOURCE_COUNT],
            "capacity": mean_of(offered[k], length),
            **waits_of(statistics.period_wait_sum[k, period], statistics.period_wait_count[k, period]),
            "mean_queue": mean_of(statistics.period_queue_area[k, period], length),
            "max_queue": int(statistics.period_max_queue[k, period]),
            "mean_in_use": mean_of(used[k], length),
            "utilisation": share_of(used[k], offered[k]),
        }
        for k in np.flatnonzero(statistics.finite)
    ]


def _transport(scenario: Scenario, statistics: Statistics, period: int, length: float) -> list[Entry]:
    ways = zip(statistics.way_origin.tolist(), statistics.way_front.tolist(), strict=True)
    return [
        {
            **way_names(scenario, origin, front),
            **waits_of(
                statistics.way_period_wait_sum[w, period], statistics.way_period_wait_count[w, period]
            ),
            "mean_queue": mean_of(statistics.way_period_queue_area[w, period], length),
            "max_queue": int(statistics.way_period_max_queue[w, period]),
        }
        for w, (origin, front) in enumerate(ways)
    ]


def _vehicles(
    scenario: Scenario, statistics: Statistics, period: int, length: float, transport: list[Entry]
) -> list[Entry]:
    """Return utilisation of each pool, and waits and queues at the places from which its links lead."""
    return [
        {
            "vehicle": pool.id,
            "number": pool.number,
            "utilisation": share_of(statistics.period_busy[p, period], pool.number * length),
            **_joined([row for row in transport if (row["origin"], row["front"]) in served]),
        }
        for p, (pool, served) in enumerate(_served_by_pool(scenario, len(statistics.period_busy)))
    ]


def _served_by_pool(scenario: Scenario, pools: int) -> list[tuple[Any, set[tuple[str, str | None]]]]:
    """Return the pools, each with the origins and fronts of the ways that its vehicles serve."""
    found = []
    for pool in scenario.vehicles[:pools]:
        served: set[tuple[str, str | None]] = set()
        for link in scenario.links:
            if link.vehicle != pool.id:
                continue
            if link.origin == POI:
                served |= {
                    (POI, front.name)
                    for front in scenario.fronts
                    if not link.fronts or front.name in link.fronts
                }
            else:
                served.add((link.origin, None))
        found.append((pool, served))
    return found


def _joined(rows: list[Entry]) -> Entry:
    """Return waits and queues of several ways together; `max_queue` is the longest of one of them."""
    waits = sum(row["waits"] for row in rows)
    total = fsum(row["waits"] * (row["mean_wait_minutes"] or 0.0) for row in rows)
    return {
        "waits": waits,
        "mean_wait_minutes": round(total / waits, 4) if waits else None,
        "mean_queue": round(fsum(row["mean_queue"] for row in rows), 6),
        "max_queue": max((row["max_queue"] for row in rows), default=0),
    }


def way_names(scenario: Scenario, origin: int, front: int) -> Entry:
    """Return origin and front of a way; front None: all."""
    return {
        "origin": POI if origin < 0 else scenario.facilities[origin].id,
        "front": None if front < 0 else scenario.fronts[front].name,
    }
