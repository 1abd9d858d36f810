"""Which fronts of a scenario can be simulated apart, and who then answers for what of the network."""

from collections.abc import Iterator, Sequence
from math import fsum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrivals import expected_arrivals, plan_arrivals
from engine.codes import RESOURCE_COUNT
from engine.compile import compile_network
from engine.kernel import WorldEventKind
from engine.scenario import Scenario
from engine.tables import DAY, Table

Fronts = tuple[int, ...]
Thing = tuple[str, int]
"""What fronts can have in common: ("facility" | "way" | "pool", its index)."""


class Owners(NamedTuple):
    """For each facility, way and pool of vehicles the shard whose casualties use it, 0 where none or several do."""

    facilities: NDArray[np.int64]
    ways: NDArray[np.int64]
    pools: NDArray[np.int64]


def independent_fronts(scenario: Scenario) -> list[Fronts]:
    """The fronts of a resolved scenario in groups, none of which can change what happens to another; indices, in order.

    All draws are keyed by front, patient, place or vehicle (MODEL section 7), so fronts touch only through what is
    finite and both can reach: a facility with a limit, or whose patients are counted; a pool of vehicles; and a waiting
    line for transport, where patients of both stand. Facilities and ways without limit join nothing: there nobody's
    time depends on who else is there. All are one group where the order of what belongs to no front matters:

    - a facility is hit, and those inside are dealt with in the order of the kernel's slots, which patients of all
      fronts with finite care take from one list: these fronts are one group, the others stay apart;
    - people may be hurt after the horizon, since it ends with the last day: how many of them are still taken in is up
      to the first entry of the calendar after it, of whichever front.
    """
    net = compile_network(scenario)[0]
    everything = [tuple(range(len(scenario.fronts)))]
    if len(everything[0]) == 1 or (_clockwork(net) and _hurt_after_horizon(scenario)):
        return everything
    reached = [set(_reached(net, f)) for f in everything[0]]
    if (net["happens"][: net["happenings"]] == WorldEventKind.HIT).any():
        for f in everything[0]:
            if net["poi_ahead"][f]:
                reached[f].add(("slots", 0))
    groups: list[tuple[list[int], set[Thing]]] = []
    for f, things in enumerate(reached):
        joined = [group for group in groups if group[1] & things]
        groups = [group for group in groups if not group[1] & things]
        fronts = sorted([f, *(k for group in joined for k in group[0])])
        groups.append((fronts, things.union(*(group[1] for group in joined))))
    return sorted(tuple(fronts) for fronts, _ in groups)


def partition_fronts(scenario: Scenario, number: int) -> list[Fronts]:
    """The components of a resolved scenario in `number` groups of about as many expected casualties each.

    At most as many groups as components.
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
    """Whose statistics hold, of the facilities, ways and pools of a scenario whose fronts were simulated as `parts`."""
    net = compile_network(scenario)[0]
    sizes = (len(scenario.facilities), int(net["ways"]), int(net["pools"]))
    found = {
        kind: np.zeros(size, np.int64) for kind, size in zip(("facility", "way", "pool"), sizes, strict=True)
    }
    for shard, fronts in enumerate(parts):
        for f in fronts:
            for kind, thing in _reached(net, f):
                found[kind][thing] = shard
    return Owners(found["facility"], found["way"], found["pool"])


def _clockwork(net: Table) -> bool:
    """Whether anything can stand in the calendar."""
    fields = ("finite", "poi_ahead", "resupply_every", "lift_every", "happenings")
    return any(bool(np.any(net[name])) for name in fields)


def _hurt_after_horizon(scenario: Scenario) -> bool:
    """Whether an incident may have casualties after the horizon."""
    if scenario.horizon_days is None:
        return False
    longest = plan_arrivals(scenario).cells["longest"].max(initial=0.0)
    return bool(scenario.horizon_days * DAY < scenario.days * DAY + longest)


def _reached(net: Any, front: int) -> Iterator[Thing]:
    """What casualties of a front can come to and others could take from them."""
    limited = (
        net["finite"].reshape(-1, RESOURCE_COUNT).any(axis=1) | (net["counted"] > 0) | (net["struck"] > 0)
    )
    ways = [int(net["poi_way"][front])]
    seen: set[int] = set()
    while ways:
        way = ways.pop()
        if way < 0:
            continue
        if net["way_finite"][way]:
            yield "way", way
        first = int(net["way_first"][way])
        for k in range(first, first + int(net["way_count"][way])):
            if net["candidate_pool"][k] >= 0:
                yield "pool", int(net["candidate_pool"][k])
            facility = int(net["destination"][net["candidate_link"][k]])
            if facility in seen:
                continue
            seen.add(facility)
            if limited[facility]:
                yield "facility", facility
            ways.append(int(net["way"][facility, front]))
