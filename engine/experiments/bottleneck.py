"""What limits a network: the resource that patients wait for most, and how busy it is."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.codes import PERIODS, RESOURCE_FIELDS, RESOURCES
from engine.compile import NOTHING
from engine.measures import FlowMeasures, flow_of, intervals, named_values, summary
from engine.run import Simulation
from engine.scenario import Scenario
from engine.tables import HOUR

REPLICATIONS = 20
"""Replications that a bottleneck is found in."""

BLOCKED_PERCENT = 50.0
"""Share of its time in use, in %, from which on a resource is short because of what its patients wait for next."""

WAITING_SHARE = 0.9
"""Share of all waiting that falls into the hours for which the busy share is given."""

BIN_HOURS = 6
"""The hours are multiples of this."""

VEHICLES = "vehicles"

_RESOURCES_OF_STAGE = {
    "vehicle": (VEHICLES,),
    "triage": ("triage_teams", "places"),
    "bay": ("treatment_bays",),
    "team": ("operating_tables",),
    "table": ("operating_tables",),
    "blocked": ("icu_beds", "ward_beds"),
}
"""By stage of the time to surgery that is a wait: what is waited for; the one with most waiting at the place counts."""

_LABELS = {info.field: info.label for info in RESOURCES}

Misses = Callable[[Mapping[str, float]], bool]

Key = tuple[str, str]
"""A facility, or an origin of vehicles, and a resource or stage."""


class Bottleneck(NamedTuple):
    """What patients wait for most."""

    place: str
    """A facility, or where the vehicles are waited for."""
    resource: str
    """In words: "operating tables", or the id of the vehicles."""
    vehicles: bool
    """Whether it is vehicles that are waited for."""
    wait_minutes: float
    """Mean wait of those who wait for it there."""
    busy: float
    """Share of what is offered that is in use, 0 to 1, while patients wait; of vehicles in the casualty period."""
    from_hours: float
    """From the start of the scenario: when most of the waiting begins."""
    to_hours: float
    peak_busy: float
    """The share in the 24 hours with most casualties."""
    holds: tuple[str, ...]
    """Resources of the place that are held by patients who wait for this one, in words."""
    stage_minutes: float
    """Part of the time to surgery that is spent waiting there; 0 if surgery is not what is asked about."""
    surgery_minutes: float
    """Time from injury to surgery; 0 likewise."""
    longest_stage: str
    """The stage of the time to surgery with most minutes, if it is no wait: "treatment", "travel"; else empty."""
    longest_minutes: float
    replications: int
    """Those that were judged."""


@dataclass(slots=True)
class _Counts:
    """Sums over the replications, by place and resource where nothing else is said."""

    replications: int = 0
    stages: list[tuple[int, dict[Key, float]]] = field(default_factory=list)
    """By replication in which somebody was operated on: how many were, and their mean minutes by place and stage."""
    waiting: defaultdict[Key, float] = field(default_factory=lambda: defaultdict(float))
    """Minutes waited."""
    waits: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))
    used: defaultdict[Key, float] = field(default_factory=lambda: defaultdict(float))
    """Minutes in use, blocked or not."""
    blocked: dict[Key, defaultdict[str, float]] = field(default_factory=dict)
    """Minutes held by patients who waited for another resource, by that."""
    busy: dict[Key, list[list[float]]] = field(default_factory=dict)
    """Busy shares in each replication, by period; those of vehicles by VEHICLES and pool."""
    bins: dict[Key, NDArray[np.float64]] = field(default_factory=dict)
    """Shape (2, bins): patient hours of waiting in bins of BIN_HOURS, and these times the busy share of the bin."""


def find_bottleneck(
    scenario: Scenario,
    seed: int,
    about_surgery: bool,
    misses: Misses | None = None,
    replications: int = REPLICATIONS,
    precomputed: Mapping[str, Any] = NOTHING,
) -> Bottleneck | None:
    """Simulate some replications of a scenario and return what limits it; None if nobody waits for anything.

    A limit that most replications must keep is missed in ordinary ones, a mean may be too high because of a few bad
    ones. So the former is judged by the median of the replications that miss it, the latter by the mean of all.

    Parameters
    ----------
    scenario
        The resolved scenario.
    seed
        Of the replications, which begin with number 0.
    about_surgery
        Whether to judge by the waits on the way to the first operation, or by all waits of all patients.
    misses
        Tells from the measures of a replication whether it misses what is asked of most replications; None: a mean is
        asked about.
    replications
        How many.
    precomputed
        As for `engine.run.replicate`.

    Raises
    ------
    RunError
        If a replication cannot be simulated.
    """
    counts = _Counts()
    for replication in range(replications):
        simulation = Simulation(scenario, seed, replication, precomputed=precomputed)
        for _ in simulation:
            pass
        flow = flow_of(simulation, scenario)
        measures = summary(simulation, flow)
        if misses is None or misses(named_values(measures)):
            counts.replications += 1
            _add_waits(counts, measures["time_to_surgery"], flow)
            _add_busy(counts, scenario, flow)
    return _judge(counts, scenario, _stages(counts, misses is not None) if about_surgery else {})


def _add_waits(counts: _Counts, surgery: Mapping[str, Any], flow: FlowMeasures) -> None:
    if surgery["patients"]:
        minutes = {(row["place"], row["stage"]): row["mean_minutes"] for row in surgery["ranking"]}
        counts.stages.append((surgery["patients"], minutes))
    for place, rows in surgery["blocked"].items():
        for resource, row in rows.items():
            counts.used[place, resource] += row["use_minutes"]
            blocked = counts.blocked.setdefault((place, resource), defaultdict(float))
            for awaited, minutes in row["blocked_minutes"].items():
                blocked[awaited] += minutes
    rows = [((row["facility"], row["resource"]), row) for row in flow.resources()]
    rows += [((row["origin"], VEHICLES), row) for row in flow.transport()]
    for key, row in rows:
        counts.waiting[key] += row["waits"] * (row["mean_wait_minutes"] or 0.0)
        counts.waits[key] += row["waits"]


def _add_busy(counts: _Counts, scenario: Scenario, flow: FlowMeasures) -> None:
    for period, found in flow.periods().items():
        rows = [((row["facility"], row["resource"]), row) for row in found["resources"]]
        rows += [((VEHICLES, row["vehicle"]), row) for row in found["vehicles"]]
        for key, row in rows:
            shares = counts.busy.setdefault(key, [[] for _ in PERIODS])
            if row["utilisation"] is not None:
                shares[PERIODS.index(period)].append(row["utilisation"])
    series = flow.series()
    if not len(series):
        return
    start = intervals(series)
    hours = (series["at"] - start) / HOUR
    number = ((series["at"] + start) // (2 * BIN_HOURS * HOUR)).astype(np.int64)
    for facility, resource in np.unique(series[["facility", "resource"]]).tolist():
        mine = (series["facility"] == facility) & (series["resource"] == resource)
        used, offered, queue = (
            np.bincount(number[mine], hours[mine] * series[name][mine])
            for name in ("in_use", "offered", "queue")
        )
        share = np.divide(used, offered, out=np.zeros_like(used), where=offered > 0)
        sums = np.stack([queue, queue * share])
        key = scenario.facilities[facility].id, RESOURCE_FIELDS[resource]
        before = counts.bins.get(key, np.zeros((2, 0)))
        whole = np.zeros((2, max(before.shape[1], sums.shape[1])))
        whole[:, : before.shape[1]] += before
        whole[:, : sums.shape[1]] += sums
        counts.bins[key] = whole


def _stages(counts: _Counts, by_median: bool) -> dict[Key, float]:
    """Return the minutes on the way to surgery by place and stage: in the median replication, or of all patients."""
    keys = dict.fromkeys(key for _, minutes in counts.stages for key in minutes)
    if not keys:
        return {}
    table = np.array([[minutes.get(key, 0.0) for key in keys] for _, minutes in counts.stages])
    weights = [patients for patients, _ in counts.stages]
    found = np.median(table, axis=0) if by_median else np.average(table, axis=0, weights=weights)
    return dict(zip(keys, found.tolist(), strict=True))


def _judge(counts: _Counts, scenario: Scenario, stages: Mapping[Key, float]) -> Bottleneck | None:
    """Return the place and the resource with most waiting, after those that hold it up."""
    stage_minutes = surgery_minutes = longest_minutes = 0.0
    longest_stage = ""
    waits = {key: minutes for key, minutes in stages.items() if key[1] in _RESOURCES_OF_STAGE}
    if waits and any(waits.values()):
        place, stage = max(waits, key=lambda key: waits[key])
        stage_minutes, surgery_minutes = waits[place, stage], sum(stages.values())
        care: defaultdict[str, float] = defaultdict(float)
        for (_, other), minutes in stages.items():
            if other not in _RESOURCES_OF_STAGE:
                care[other] += minutes
        longest = max(care, key=lambda each: care[each], default="")
        if longest and care[longest] > stage_minutes:
            longest_stage, longest_minutes = longest, care[longest]
        resource = max(_RESOURCES_OF_STAGE[stage], key=lambda each: counts.waiting[place, each])
    elif any(counts.waiting.values()):
        place, resource = max(counts.waiting, key=lambda key: counts.waiting[key])
    else:
        return None
    holds = []
    while blocked := counts.blocked.get((place, resource)):
        if 100.0 * sum(blocked.values()) < BLOCKED_PERCENT * counts.used[place, resource]:
            break
        holds.append(_LABELS[resource])
        resource = max(blocked, key=lambda each: blocked[each])
    key = (VEHICLES, _pool_of(counts, scenario, place)) if resource == VEHICLES else (place, resource)
    busy, begin, end = _busy(counts, key, scenario)
    number = counts.waits[place, resource]
    return Bottleneck(
        place=place,
        resource=_LABELS.get(resource, key[1]),
        vehicles=resource == VEHICLES,
        wait_minutes=counts.waiting[place, resource] / number if number else 0.0,
        busy=busy,
        from_hours=begin,
        to_hours=end,
        peak_busy=_mean(counts.busy.get(key, [[], []])[1]),
        holds=tuple(holds),
        stage_minutes=stage_minutes,
        surgery_minutes=surgery_minutes,
        longest_stage=longest_stage,
        longest_minutes=longest_minutes,
        replications=counts.replications,
    )


def _pool_of(counts: _Counts, scenario: Scenario, place: str) -> str:
    """Return the busiest of the pools of vehicles that leave a place."""
    pools = {link.vehicle for link in scenario.links if link.origin == place and link.vehicle is not None}
    known = [pool.id for pool in scenario.vehicles if pool.id in pools]
    return max(known, key=lambda pool: _mean(counts.busy.get((VEHICLES, pool), [[]])[0]), default="")


def _busy(counts: _Counts, key: Key, scenario: Scenario) -> tuple[float, float, float]:
    """Return the busy share while patients wait, and the hours into which most of the waiting falls.

    The hours are the fewest in a row, of bins of BIN_HOURS, that have WAITING_SHARE of all waiting. Without samples
    over time, as for vehicles, it is the busy share of the casualty period.
    """
    queue, busy = counts.bins.get(key, np.zeros((2, 0)))
    total = float(queue.sum())
    if total <= 0.0:
        return _mean(counts.busy.get(key, [[]])[0]), 0.0, 24.0 * scenario.days
    waited = np.concatenate([[0.0], np.cumsum(queue)])
    ends = np.searchsorted(waited, waited[:-1] + (WAITING_SHARE - 1e-9) * total)
    lengths = np.where(ends < waited.size, ends - np.arange(ends.size), waited.size)
    begin = int(np.argmin(lengths))
    return float(busy.sum()) / total, float(BIN_HOURS * begin), float(BIN_HOURS * ends[begin])


def _mean(shares: list[float]) -> float:
    return float(np.mean(shares)) if shares else 0.0
