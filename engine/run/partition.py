"""Finds the fronts that can be simulated independently, and which shard owns each part of the network."""

from collections.abc import Iterator, Sequence
from math import fsum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrivals import expected_arrivals, plan_arrivals
from engine.codes import RESOURCE_COUNT
from engine.compile import compile_network
from engine.kernel import WorldEventKind, uses_calendar
from engine.scenario import Scenario
from engine.tables import DAY

Fronts = tuple[int, ...]
Shared = tuple[str, int]
"""Something that fronts can share: ("facility" | "way" | "pool" | "slots", its index)."""


class Owners(NamedTuple):
    """For each facility, way and vehicle pool the shard whose casualties use it; 0 where none or several do."""

    facilities: NDArray[np.int64]
    ways: NDArray[np.int64]
    pools: NDArray[np.int64]


def independent_fronts(scenario: Scenario) -> list[Fronts]:
    """Return the fronts of a resolved scenario in groups that cannot affect one another: their indices, in order.

    All draws are keyed by front, patient, place or vehicle (docs/model.md section 5.2). Fronts affect one another only
    through what is finite and both can reach: a facility with a limit, or whose patients are counted; a vehicle pool;
    and a queue for transport. Unlimited facilities and ways do not connect fronts. Fronts are also one group where an
    order matters that belongs to no front:

    - Where a facility may be hit, all fronts with finite care are one group. Those inside are processed in the order
      of the kernel's slots, which these fronts share. Other fronts stay independent.
    - Where arrivals after the horizon are possible, all fronts are one group: how many of them are taken in depends on
      the first entry of the calendar after the horizon, of whichever front.
    """
    net = compile_network(scenario)[0]
    all_fronts = tuple(range(len(scenario.fronts)))
    if len(all_fronts) == 1 or (uses_calendar(net) and _may_arrive_after_horizon(scenario)):
        return [all_fronts]
    reached = [set(_reached(net, f)) for f in all_fronts]
    if (net["world_event_kind"][: net["world_event_count"]] == WorldEventKind.HIT).any():
        for f in all_fronts:
            if net["poi_finite_ahead"][f]:
                reached[f].add(("slots", 0))
    groups: list[tuple[list[int], set[Shared]]] = []
    for f, shared in enumerate(reached):
        joined = [group for group in groups if group[1] & shared]
        groups = [group for group in groups if not group[1] & shared]
        fronts = sorted([f, *(k for group in joined for k in group[0])])
        groups.append((fronts, shared.union(*(group[1] for group in joined))))
    return sorted(tuple(fronts) for fronts, _ in groups)


def partition_fronts(scenario: Scenario, number: int) -> list[Fronts]:
    """Return the fronts of a resolved scenario in at most `number` groups with about equal expected casualties.

    Fronts that affect one another stay together (`independent_fronts`).
    """
    expected = dict.fromkeys((front.name for front in scenario.fronts), 0.0)
    for row in expected_arrivals(plan_arrivals(scenario)):
        expected[row.front] += row.expected
    load = list(expected.values())
    found = independent_fronts(scenario)
    groups: list[list[int]] = [[] for _ in range(min(number, len(found)))]
    for fronts in sorted(found, key=lambda fronts: -fsum(load[f] for f in fronts)):
        min(groups, key=lambda group: fsum(load[f] for f in group)).extend(fronts)
    return sorted(tuple(sorted(group)) for group in groups)


def owners(scenario: Scenario, parts: Sequence[Fronts]) -> Owners:
    """Return which shard owns each facility, way and pool of a scenario whose fronts were simulated as `parts`."""
    net = compile_network(scenario)[0]
    sizes = (len(scenario.facilities), int(net["ways"]), int(net["pools"]))
    found = {
        kind: np.zeros(size, np.int64) for kind, size in zip(("facility", "way", "pool"), sizes, strict=True)
    }
    for shard, fronts in enumerate(parts):
        for f in fronts:
            for kind, index in _reached(net, f):
                found[kind][index] = shard
    return Owners(found["facility"], found["way"], found["pool"])


def _may_arrive_after_horizon(scenario: Scenario) -> bool:
    """Return whether an incident may have casualties after the horizon."""
    if scenario.horizon_days is None:
        return False
    longest = plan_arrivals(scenario).cells["longest"].max(initial=0.0)
    return bool(scenario.horizon_days * DAY < scenario.days * DAY + longest)


def _reached(net: np.void, front: int) -> Iterator[Shared]:
    """Yield the finite things that casualties of a front can reach."""
    limited = (
        net["finite"].reshape(-1, RESOURCE_COUNT).any(axis=1)
        | (net["counts_places"] > 0)
        | (net["may_be_hit"] > 0)
    )
    ways = [int(net["poi_way"][front])]
    seen: set[int] = set()
    while ways:
        way = ways.pop()
        if way < 0:
            continue
        if net["way_finite"][way] or net["remains_wait"][way]:
            yield "way", way
        first = int(net["way_first"][way])
        for k in range(first, first + int(net["way_count"][way])):
            if net["candidate_pool"][k] >= 0:
                yield "pool", int(net["candidate_pool"][k])
            if net["recovers_dead"] and net["remains_pool"][k] >= 0:
                yield "pool", int(net["remains_pool"][k])
            facility = int(net["destination"][net["candidate_link"][k]])
            if facility in seen:
                continue
            seen.add(facility)
            if limited[facility]:
                yield "facility", facility
            ways.append(int(net["way"][facility, front]))
