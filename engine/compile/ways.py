"""Compile the ways of a network: the candidates among which patients at one place may choose.

A way belongs to a facility, or to the point of injury of one front. Its candidates are links, the closest first. A
way is finite if a choice on it depends on other patients (docs/model.md sections 2.7 and 2.9).
"""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import RESOURCE_COUNT, Resource
from engine.compile.capacity import is_unlimited
from engine.compile.remains import compile_remains, find_pools_for_remains, vehicle_trips
from engine.compile.rows import ALL_CATEGORIES, category_bits, floats, ints
from engine.compile.way_network import Candidate, WayNetwork
from engine.compile.world import WorldEvent, facilities_with
from engine.kernel import PlaceCount, WorldEventKind
from engine.scenario import POI, TRANSPORT_KINDS, Scenario, may_divert, transport_kind
from engine.tables import FACILITIES, FRONTS, MINUTE, POOLS


def compile_ways(
    scenario: Scenario,
    facilities: dict[str, int],
    finite: NDArray[np.uint8],
    events: list[WorldEvent],
    order: Sequence[int],
    minutes: Sequence[float],
) -> dict[str, Any]:
    """Return the fields of NETWORK on ways and candidates.

    Parameters
    ----------
    facilities
        Number by identifier.
    finite
        1 for each finite resource.
    order
        Numbers of the links, the closest first.
    minutes
        Mean time of each link.
    """
    network = WayNetwork(scenario, facilities, finite)
    _find_ways(network, order)
    _add_candidates(network, events)
    balanced = _balance_ties(network, minutes)
    find_pools_for_remains(network, events)
    struck = facilities_with(events, len(scenario.facilities), WorldEventKind.HIT)
    ahead, poi_ahead = _anything_finite_ahead(network, struck)
    return {
        "counts_places": ints(
            PlaceCount.UNTIL_DEPARTURE
            if finite[number * RESOURCE_COUNT + Resource.PLACE] or scenario.destination == "least-loaded"
            else PlaceCount.UNTIL_CARE_ENDS
            if number in balanced
            else PlaceCount.NONE
            for number in range(len(scenario.facilities))
        ),
        "ways": len(network.links),
        "way": network.way_of,
        "poi_way": network.poi_way,
        "way_first": ints(network.first),
        "way_count": ints(len(links) for links in network.links),
        "way_finite": ints(network.is_finite),
        **_candidate_fields(network, minutes),
        "operating_categories": ints(network.able_for),
        "diverted_categories": ints(network.diverted),
        "seats_only": ints(_seats_only(network, way) for way in range(len(network.links))),
        **_ways_by_target(network),
        "finite_ahead": ahead,
        "poi_finite_ahead": poi_ahead,
    }


def _find_ways(network: WayNetwork, order: Sequence[int]) -> None:
    """Number the ways: fronts share that of a facility if the same links lead on from there."""
    scenario = network.scenario
    leaving: dict[str, list[int]] = {}
    for link in order:
        leaving.setdefault(scenario.links[link].origin, []).append(link)
    numbers: dict[tuple[int, int, tuple[int, ...]], int] = {}
    for number, front in enumerate(scenario.fronts):
        for origin, links in leaving.items():
            of_front = tuple(link for link in links if front.name in scenario.links[link].fronts)
            if not of_front:
                continue
            at_poi = origin == POI
            place = -1 if at_poi else network.facilities[origin]
            way = numbers.setdefault((place, number if at_poi else -1, of_front), len(numbers))
            if at_poi:
                network.poi_way[number] = way
            else:
                network.way_of[place, number] = way
    network.links = [links for _, _, links in numbers]


def _add_candidates(network: WayNetwork, events: list[WorldEvent]) -> None:
    """Fill the candidates of each way, and find out which ways are finite.

    A category that no link of a way names may take all of them.
    """
    scenario = network.scenario
    unlimited = is_unlimited(scenario)
    pools = {pool.id: number for number, pool in enumerate(scenario.vehicles)}
    changing = facilities_with(events, len(scenario.facilities), WorldEventKind.OPEN, WorldEventKind.CLOSE)
    for way, links in enumerate(network.links):
        masks = [category_bits(scenario.links[link].categories) for link in links]
        unnamed = ALL_CATEGORIES & ~functools.reduce(operator.or_, masks, 0)
        network.first.append(len(network.candidates))
        is_finite = False
        for link, mask in zip(links, masks, strict=True):
            pool = -1 if unlimited else pools.get(scenario.links[link].vehicle or "", -1)
            target = network.destination(link)
            allowed = mask | unnamed
            network.candidates.append(Candidate(link, pool, way, ALL_CATEGORIES if unlimited else allowed))
            is_finite |= pool >= 0 or bool(changing[target]) or allowed != ALL_CATEGORIES
            is_finite |= scenario.links[link].batch is not None
            is_finite |= scenario.acceptance == "accept" and bool(
                network.finite[target * RESOURCE_COUNT + Resource.PLACE]
            )
        able_for = diverted = 0
        if len(links) > 1:
            diverted = _diverted(network, links)
            is_finite |= diverted > 0
            is_finite |= scenario.destination != "closest-first" or scenario.national_preference
            able_for = _able_for(network, links, masks, unnamed) if scenario.bypass else 0
        network.able_for.append(0 if unlimited else able_for)
        network.diverted.append(0 if unlimited else diverted)
        network.is_finite.append((is_finite or able_for > 0) and not unlimited)


def _able_for(network: WayNetwork, links: Sequence[int], masks: Sequence[int], unnamed: int) -> int:
    """Return the bits of the categories that some destination which operates takes; 0 where all or none operate."""
    able = [network.operates(link) for link in links]
    if all(able):
        return 0
    taken = [mask | unnamed for mask, operates in zip(masks, able, strict=True) if operates]
    return functools.reduce(operator.or_, taken, 0)


def _diverted(network: WayNetwork, links: Sequence[int]) -> int:
    """Return the bits of the categories that some destination may divert; 0 without bypass."""
    bits = 0
    for link in links:
        divert = network.scenario.facilities[network.destination(link)].divert
        if (
            divert is not None
            and network.scenario.bypass
            and may_divert(network.scenario.facilities[network.destination(link)])
        ):
            bits |= category_bits(divert.categories)
    return bits


def _balance_ties(network: WayNetwork, minutes: Sequence[float]) -> set[int]:
    """Return the facilities without a limit of places that share their load with others, equally close.

    The ways that lead to them become finite. Only ties at the smallest distance of a way count where nothing else
    makes it finite, because a facility that is farther is then never chosen.
    """
    scenario = network.scenario
    if is_unlimited(scenario) or not scenario.bypass or scenario.destination != "closest-first":
        return set()
    balanced: set[int] = set()
    for way, links in enumerate(network.links):
        times = [round(minutes[link], 6) for link in links]
        tied: dict[float, list[int]] = {}
        for link, time in zip(links, times, strict=True):
            tied.setdefault(time, []).append(network.destination(link))
        groups = list(tied.values())
        for targets in groups if network.is_finite[way] else groups[:1]:
            limited = [target for target in targets if network.is_limited(target)]
            if len(targets) > 1 and limited:
                network.is_finite[way] = True
                balanced.update(
                    target
                    for target in limited
                    if not network.finite[target * RESOURCE_COUNT + Resource.PLACE]
                )
    for way, links in enumerate(network.links):
        network.is_finite[way] |= any(network.destination(link) in balanced for link in links)
    return balanced


def _candidate_fields(network: WayNetwork, minutes: Sequence[float]) -> dict[str, Any]:
    """Return the fields of NETWORK by candidate."""
    scenario = network.scenario
    candidates = network.candidates
    batches = [
        None if is_unlimited(scenario) else scenario.links[candidate.link].batch for candidate in candidates
    ]
    return {
        "candidate_link": ints(candidate.link for candidate in candidates),
        "distance_rank": floats(_ranks(candidates, minutes)),
        "candidate_pool": ints(candidate.pool for candidate in candidates),
        "candidate_platform": ints(_platform(scenario, each.link) for each in candidates),
        "candidate_way": ints(candidate.way for candidate in candidates),
        "allowed_categories": ints(candidate.allowed for candidate in candidates),
        "candidate_operates": ints(
            int(network.able_for[candidate.way] > 0 and network.operates(candidate.link))
            for candidate in candidates
        ),
        "batch": ints(0 if batch is None else batch.minimum for batch in batches),
        "batch_wait": floats(0.0 if batch is None else batch.wait_minutes * MINUTE for batch in batches),
        "batch_override": ints(
            category_bits(batch.override) if batch is not None and batch.override else 0 for batch in batches
        ),
        **_vehicle_trips(network),
        **compile_remains(network),
    }


def _platform(scenario: Scenario, link: int) -> int:
    """Return 1 + the kind of transport of a link; 0 where it names none."""
    kind = transport_kind(scenario.links[link], scenario.vehicles)
    return ("", *TRANSPORT_KINDS).index(kind or "")


def _ranks(candidates: Sequence[Candidate], minutes: Sequence[float]) -> list[float]:
    """Return the rank of each candidate within its way by mean time; equally close ones share a rank."""
    times: dict[int, set[float]] = {}
    for candidate in candidates:
        times.setdefault(candidate.way, set()).add(round(minutes[candidate.link], 6))
    order = {way: sorted(found) for way, found in times.items()}
    return [float(order[candidate.way].index(round(minutes[candidate.link], 6))) for candidate in candidates]


def _vehicle_trips(network: WayNetwork) -> dict[str, Any]:
    """Return whether the vehicle of a candidate comes from elsewhere, and whether it goes back."""
    trips = [
        vehicle_trips(network.scenario, candidate.link, candidate.pool) for candidate in network.candidates
    ]
    return {
        "comes_from_base": ints(comes for comes, _ in trips),
        "returns_to_base": ints(returns for _, returns in trips),
    }


def _seats_only(network: WayNetwork, way: int) -> int:
    """Return 1 if some vehicle pool of a way has no litters."""
    pools = [candidate.pool for candidate in network.candidates_of(way)]
    return int(any(pool >= 0 and not network.scenario.vehicles[pool].litters for pool in pools))


def _ways_by_target(network: WayNetwork) -> dict[str, Any]:
    """Return the finite ways that lead to each facility, and those that each vehicle pool serves, concatenated."""
    into: list[list[int]] = [[] for _ in network.scenario.facilities]
    using: list[list[int]] = [[] for _ in range(max(1, len(network.scenario.vehicles)))]
    for number, candidate in enumerate(network.candidates):
        pools = (candidate.pool, *network.remains_pools[number : number + 1])
        if network.is_finite[candidate.way] or network.remains_wait[candidate.way]:
            _add_once(into[network.destination(candidate.link)], candidate.way)
            for pool in pools:
                if pool >= 0:
                    _add_once(using[pool], candidate.way)
    return {
        "ways_to_first": _starts(into, FACILITIES),
        "ways_to": ints(way for ways in into for way in ways),
        "ways_of_pool_first": _starts(using, POOLS),
        "ways_of_pool": ints(way for ways in using for way in ways),
    }


def _add_once(found: list[int], way: int) -> None:
    if way not in found:
        found.append(way)


def _starts(lists: Sequence[Sequence[int]], size: int) -> NDArray[np.int64]:
    """Return where each list begins in their concatenation; shape (size + 1,)."""
    starts = np.zeros(size + 1, np.int64)
    lengths = [len(found) for found in lists]
    starts[1 : len(lengths) + 1] = np.cumsum(lengths)
    starts[len(lengths) + 1 :] = sum(lengths)
    return starts


def _anything_finite_ahead(
    network: WayNetwork, struck: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return whether anything is finite at a facility or after it, by facility and front, and from the POI by front.

    Links never form a cycle, so the recursion ends.
    """
    ahead = np.zeros((FACILITIES, FRONTS), np.uint8)
    poi_ahead = np.zeros(FRONTS, np.uint8)
    for front in range(len(network.scenario.fronts)):
        known: dict[int, bool] = {}

        def on_way(way: int, front: int, known: dict[int, bool]) -> bool:
            if way < 0:
                return False
            targets = [network.destination(candidate.link) for candidate in network.candidates_of(way)]
            waits = network.is_finite[way] or network.remains_wait[way]
            return waits or any(from_facility(target, front, known) for target in targets)

        def from_facility(facility: int, front: int, known: dict[int, bool]) -> bool:
            if facility not in known:
                first = facility * RESOURCE_COUNT
                own = network.finite[first : first + RESOURCE_COUNT].any() or struck[facility]
                known[facility] = bool(own) or on_way(int(network.way_of[facility, front]), front, known)
            return known[facility]

        poi_ahead[front] = on_way(int(network.poi_way[front]), front, known)
        for facility in range(len(network.scenario.facilities)):
            ahead[facility, front] = from_facility(facility, front, known)
    return ahead, poi_ahead
