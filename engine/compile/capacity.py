"""What is finite in a scenario's network, compiled for the kernel: resources, ways, vehicles, the world, policies."""

import functools
import hashlib
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.codes import RESOURCE_COUNT, RESOURCES, Resource
from engine.compile.rows import floats, ints
from engine.kernel import DestinationPolicy, WorldEventKind
from engine.scenario import CATEGORIES, POI, Facility, Link, Scenario
from engine.tables import FACILITIES, FRONTS, HOUR, MINUTE, POOLS, UNLIMITED
from scenarios import catalogue
from scenarios.tables import model_parameters

ALL = 0b11111
POLICIES = {
    "closest-first": DestinationPolicy.CLOSEST,
    "spread-out": DestinationPolicy.SPREAD_OUT,
    "least-loaded": DestinationPolicy.LEAST_LOADED,
}


def compile_capacity(s: Scenario, order: Sequence[int], minutes: Sequence[float]) -> dict[str, Any]:
    """The fields of network.NETWORK about what is finite, of a resolved scenario.

    `order`: indices of the links, closest first; `minutes`: mean time of each link. Under transition-matrix
    routing nothing is finite.
    """
    unlimited = s.routing != "clock"
    index = {f.id: k for k, f in enumerate(s.facilities)}
    capacity = np.full(FACILITIES * RESOURCE_COUNT, UNLIMITED, np.int32)
    for k, f in enumerate(s.facilities):
        if not unlimited:
            capacity[k * RESOURCE_COUNT : (k + 1) * RESOURCE_COUNT] = _capacities(f)
    limited = (capacity < UNLIMITED).astype(np.uint8)
    for k, f in enumerate(s.facilities):
        if f.blood_units is not None and not unlimited:
            limited[k * RESOURCE_COUNT + Resource.TREATMENT_BAY] = 1
    happenings = [] if unlimited else _happenings(s, index)
    moves = (
        []
        if unlimited
        else sorted(
            (e.at_hours * HOUR, index[str(e.facility)], e.minutes_factor)
            for e in s.world
            if e.event == "move"
        )
    )
    ways = _ways(s, order, minutes, index, limited, happenings, unlimited)
    given = model_parameters("care")
    return {
        "facilities": len(s.facilities),
        "capacity": capacity,
        "finite": limited,
        "tables": ints(UNLIMITED if f.operating_tables is None else f.operating_tables for f in s.facilities),
        **_rosters(s, unlimited),
        "surge": np.array([_surge(f) for f in s.facilities], np.int32),
        "surge_trigger": ints(
            max(1, math.ceil(f.surge.trigger * f.ward_beds))
            if f.surge and f.ward_beds and not unlimited
            else UNLIMITED
            for f in s.facilities
        ),
        "surge_delay": floats(f.surge.delay_minutes * MINUTE if f.surge else 0.0 for f in s.facilities),
        "blood": ints(-1 if f.blood_units is None or unlimited else f.blood_units for f in s.facilities),
        "resupply_every": floats((f.resupply_hours or 0.0) * HOUR for f in s.facilities),
        "resupply": ints(f.resupply_units or 0 for f in s.facilities),
        "nation": ints(_nation(f) for f in s.facilities),
        **ways,
        **_pools(s, unlimited),
        "happenings": len(happenings),
        "happens_at": floats(h[0] for h in happenings),
        "happens": ints(h[1] for h in happenings),
        "happens_to": ints(h[2] for h in happenings),
        "happens_value": floats(h[3] for h in happenings),
        "happens_killed": floats(h[4] for h in happenings),
        "closed": ints(
            int(any(e.event == "open" and e.facility == f.id for e in s.world) and not unlimited)
            for f in s.facilities
        ),
        "moves": len(moves),
        "moved_at": floats(at for at, _, _ in moves),
        "moved": ints(where for _, where, _ in moves),
        "farther": floats(factor for _, _, factor in moves),
        "push": int(s.acceptance == "push"),
        "destinations": POLICIES[s.destination],
        "bypass": int(s.bypass),
        "national": int(s.national_preference),
        "bumping": int(s.bumping),
        "expectant": given["mascal"]["expectant_niss"] if s.expectant else 0,
        "retriage": math.inf if s.retriage_minutes is None else s.retriage_minutes * MINUTE,
        "night": floats([given["night"]["from_hour"] * HOUR, given["night"]["to_hour"] * HOUR]),
        "overflow": given["overflow"]["clock_factor"],
        "blood_units": given["blood"]["units"],
    }


def places(f: Facility) -> int:
    """Patients a facility takes in at a time: as set, else its beds and bays where ward beds are finite."""
    if f.places is not None:
        return f.places
    if f.ward_beds is None:
        return UNLIMITED
    return f.ward_beds + (f.icu_beds or 0) + (f.treatment_bays or 0)


def _capacities(f: Facility) -> list[int]:
    tables = UNLIMITED if f.operating_tables is None else f.operating_tables
    teams = UNLIMITED if f.surgical_teams is None else f.surgical_teams
    if f.shifts:
        teams = max(shift.surgical_teams for shift in f.shifts)
    found = {info.resource: getattr(f, info.field) for info in RESOURCES}
    found[Resource.OPERATING_TABLE] = min(tables, teams)
    found[Resource.PLACE] = places(f)
    return [UNLIMITED if found[resource] is None else int(found[resource]) for resource in Resource]


def _surge(f: Facility) -> list[int]:
    added = [0] * RESOURCE_COUNT
    if f.surge and f.ward_beds:
        for k, own, more in (
            (Resource.WARD_BED, f.ward_beds, f.surge.ward_beds),
            (Resource.ICU_BED, f.icu_beds, f.surge.icu_beds),
            (Resource.TREATMENT_BAY, f.treatment_bays, f.surge.treatment_bays),
        ):
            added[k] = more if own is not None else 0
        if places(f) < UNLIMITED:
            added[Resource.PLACE] = sum(added)
    return added


def _nation(f: Facility) -> int:
    codes = [n.code for n in catalogue.nations()]
    return codes.index(f.nation) if f.nation in codes else -1


def _rosters(s: Scenario, unlimited: bool) -> dict[str, Any]:
    """Surgical teams by the changes of the roster over the day."""
    rows = [([], []) if unlimited else _roster(f) for f in s.facilities]
    widest = max((len(changes) for changes, _ in rows), default=0) or 1
    teams = np.zeros((len(rows), widest), np.int32)
    shift = np.zeros((len(rows), widest))
    for k, (changes, numbers) in enumerate(rows):
        shift[k, : len(changes)] = changes
        teams[k, : len(numbers)] = numbers
    return {"teams": teams, "shift": shift, "shifts": ints(len(changes) for changes, _ in rows)}


def _roster(f: Facility) -> tuple[list[float], list[int]]:
    """Times of the day (ms) at which the number of teams changes, and the numbers from then on."""
    if not f.shifts:
        return [], []
    times = sorted({hour % 24 for shift in f.shifts for hour in (shift.from_hour, shift.to_hour)})

    def on_duty(hour: float) -> int:
        return sum(
            shift.surgical_teams
            for shift in f.shifts
            if (
                shift.from_hour <= hour < shift.to_hour
                if shift.from_hour < shift.to_hour
                else hour >= shift.from_hour or hour < shift.to_hour
            )
        )

    return [hour * HOUR for hour in times], [on_duty(hour) for hour in times]


def _happenings(s: Scenario, index: dict[str, int]) -> list[tuple[float, int, int, float, float]]:
    """(ms, what, facility or pool, value, killed) in the order of time."""
    pools = {v.id: k for k, v in enumerate(s.vehicles)}
    found: list[tuple[float, int, int, float, float]] = []
    for e in s.world:
        at = e.at_hours * HOUR
        end = None if e.duration_hours is None else at + e.duration_hours * HOUR
        if e.event == "interdiction":
            pool = pools[str(e.vehicle)]
            number = float(min(e.number or s.vehicles[pool].number, s.vehicles[pool].number))
            found.append((at, WorldEventKind.VEHICLES_OUT, pool, number, 0.0))
            if end is not None:
                found.append((end, WorldEventKind.VEHICLES_BACK, pool, number, 0.0))
            continue
        where = index[str(e.facility)]
        if e.event == "open":
            found.append((at, WorldEventKind.OPEN, where, 0.0, 0.0))
        elif e.event in ("close", "move"):
            found.append((at, WorldEventKind.CLOSE, where, 0.0, 0.0))
            if end is not None:
                found.append((end, WorldEventKind.OPEN, where, 0.0, 0.0))
        else:
            found.append((at, WorldEventKind.HIT, where, e.capacity_lost, e.killed))
            if end is not None:
                found.append((end, WorldEventKind.HIT_END, where, e.capacity_lost, 0.0))
    return sorted(found)


def _mask(categories: Sequence[str]) -> int:
    """Bits of the triage categories; T4 goes with T1."""
    if not categories:
        return ALL
    bits = sum(1 << (1 + CATEGORIES.index(c)) for c in categories)  # type: ignore[arg-type]
    return bits | (1 << 4 if bits & 2 else 0)


def _ways(
    s: Scenario,
    order: Sequence[int],
    minutes: Sequence[float],
    index: dict[str, int],
    limited: Any,
    happenings: list[tuple[float, int, int, float, float]],
    unlimited: bool,
) -> dict[str, Any]:
    """What those who are at one place may choose among, the closest first; who is at the POI of each front apart."""
    pools = {v.id: k for k, v in enumerate(s.vehicles)}
    facilities = len(s.facilities)
    struck = np.zeros(facilities, np.uint8)
    shut = np.zeros(facilities, np.uint8)
    for _, what, where, _, _ in happenings:
        if what == WorldEventKind.HIT:
            struck[where] = 1
        if what in (WorldEventKind.OPEN, WorldEventKind.CLOSE):
            shut[where] = 1
    way_of = np.full((FACILITIES, FRONTS), -1, np.int32)
    poi_way = np.full(FRONTS, -1, np.int32)
    ways: dict[tuple[int, int, tuple[int, ...]], int] = {}
    leaving: dict[str, list[int]] = {}
    for k in order:
        leaving.setdefault(s.links[k].origin, []).append(k)
    for f, front in enumerate(s.fronts):
        for origin, links in leaving.items():
            mine = tuple(k for k in links if front.name in s.links[k].fronts)
            if not mine:
                continue
            here = -1 if origin == POI else index[origin]
            number = ways.setdefault((here, f if here < 0 else -1, mine), len(ways))
            if here < 0:
                poi_way[f] = number
            else:
                way_of[here, f] = number
    rows: list[tuple[int, int, int, int]] = []  # link, pool, way, allowed
    first: list[int] = []
    count: list[int] = []
    bounded: list[int] = []
    able_for: list[int] = []
    for (_, _, leading), way in ways.items():
        masks = [_mask(s.links[k].categories) for k in leading]
        anywhere = 0
        for mask in masks:
            anywhere |= mask
        first.append(len(rows))
        count.append(len(leading))
        limits = False
        for k, mask in zip(leading, masks, strict=True):
            link = s.links[k]
            pool = -1 if unlimited else pools.get(link.vehicle or "", -1)
            target = index[link.destination]
            allowed = mask | (ALL & ~anywhere)
            rows.append((k, pool, way, ALL if unlimited else allowed))
            limits |= pool >= 0 or bool(shut[target]) or link.batch is not None or allowed != ALL
            limits |= s.acceptance == "accept" and bool(limited[target * RESOURCE_COUNT + Resource.PLACE])
        able = 0
        if len(leading) > 1:
            limits |= s.destination != "closest-first" or s.national_preference
            able = _able_for(s, index, leading, masks, anywhere) if s.bypass else 0
        able_for.append(0 if unlimited else able)
        bounded.append(int((limits or able > 0) and not unlimited))
    into: list[list[int]] = [[] for _ in s.facilities]
    using: list[list[int]] = [[] for _ in range(max(1, len(s.vehicles)))]
    for k, pool, way, _ in rows:
        if bounded[way]:
            _once(into[index[s.links[k].destination]], way)
            if pool >= 0:
                _once(using[pool], way)
    ahead, poi_ahead = _ahead(s, index, limited, struck, rows, first, count, bounded, way_of, poi_way)
    batches = [None if unlimited else s.links[row[0]].batch for row in rows]
    return {
        "struck": struck,
        "counted": ints(
            int(limited[k * RESOURCE_COUNT + Resource.PLACE] or s.destination == "least-loaded")
            for k in range(facilities)
        ),
        "ways": len(ways),
        "way": way_of,
        "poi_way": poi_way,
        "way_first": ints(first),
        "way_count": ints(count),
        "way_finite": ints(bounded),
        "candidate_link": ints(row[0] for row in rows),
        "rank": floats(_ranks(rows, minutes)),
        "candidate_pool": ints(row[1] for row in rows),
        "candidate_way": ints(row[2] for row in rows),
        "allowed": ints(row[3] for row in rows),
        "able": ints(
            int(able_for[row[2]] > 0 and bool(s.facilities[index[s.links[row[0]].destination]].dcs))
            for row in rows
        ),
        "able_for": ints(able_for),
        "seated": ints(
            int(any(r[2] == way and r[1] >= 0 and not s.vehicles[r[1]].litters for r in rows))
            for way in range(len(ways))
        ),
        "batch": ints(0 if b is None else b.minimum for b in batches),
        "batch_wait": floats(0.0 if b is None else b.wait_minutes * MINUTE for b in batches),
        "batch_override": ints(0 if b is None else (_mask(b.override) if b.override else 0) for b in batches),
        **_trips(s, rows),
        "into_first": _starts(into, FACILITIES),
        "into": ints(way for ways_in in into for way in ways_in),
        "using_first": _starts(using, POOLS),
        "using": ints(way for ways_in in using for way in ways_in),
        "ahead": ahead,
        "poi_ahead": poi_ahead,
    }


def _able_for(
    s: Scenario, index: dict[str, int], leading: Sequence[int], masks: Sequence[int], anywhere: int
) -> int:
    """Bits of the categories that some destination which operates takes; 0 where all destinations operate or none."""
    able = [bool(s.facilities[index[s.links[k].destination]].dcs) for k in leading]
    if all(able):
        return 0
    taken = [mask | (ALL & ~anywhere) for mask, operates in zip(masks, able, strict=True) if operates]
    return functools.reduce(operator.or_, taken, 0)


def _ranks(rows: Sequence[tuple[int, int, int, int]], minutes: Sequence[float]) -> list[float]:
    """Rank of each candidate among those of its way by mean time; equally close ones share theirs."""
    times: dict[int, set[float]] = {}
    for link, _, way, _ in rows:
        times.setdefault(way, set()).add(round(minutes[link], 6))
    order = {way: sorted(found) for way, found in times.items()}
    return [float(order[way].index(round(minutes[link], 6))) for link, _, way, _ in rows]


def _once(found: list[int], way: int) -> None:
    if way not in found:
        found.append(way)


def _starts(lists: Sequence[Sequence[int]], size: int) -> Any:
    """Where each list begins in their concatenation; shape (size + 1,)."""
    starts = np.zeros(size + 1, np.int64)
    lengths = [len(found) for found in lists]
    starts[1 : len(lengths) + 1] = np.cumsum(lengths)
    starts[len(lengths) + 1 :] = sum(lengths)
    return starts


def _trips(s: Scenario, rows: Sequence[tuple[int, int, int, int]]) -> dict[str, Any]:
    """Whether the vehicle of a candidate comes from elsewhere, and goes back; its base is the destination for links
    from the POI and the origin for others, unless it has one.
    """
    out = []
    back = []
    for k, pool, _, _ in rows:
        link: Link = s.links[k]
        base = (s.vehicles[pool].base if pool >= 0 else None) or (
            link.destination if link.origin == POI else link.origin
        )
        out.append(int(base != link.origin))
        back.append(int(base != link.destination))
    return {"out": ints(out), "back": ints(back)}


def _ahead(
    s: Scenario,
    index: dict[str, int],
    limited: Any,
    struck: Any,
    rows: Sequence[tuple[int, int, int, int]],
    first: Sequence[int],
    count: Sequence[int],
    bounded: Sequence[int],
    way_of: Any,
    poi_way: Any,
) -> tuple[Any, Any]:
    """Whether anything at a facility or beyond is finite, by front."""
    ahead = np.zeros((FACILITIES, FRONTS), np.uint8)
    poi_ahead = np.zeros(FRONTS, np.uint8)
    # by the length of the way onward: links never lead back, so as many rounds as facilities suffice
    for f in range(len(s.fronts)):
        known: dict[int, bool] = {}

        def beyond(way: int, front: int, known: dict[int, bool] = known) -> bool:
            if way < 0:
                return False
            targets = [
                index[s.links[rows[j][0]].destination] for j in range(first[way], first[way] + count[way])
            ]
            return bool(bounded[way]) or any(here(t, front, known) for t in targets)

        def here(k: int, front: int, known: dict[int, bool]) -> bool:
            if k not in known:
                own = limited[k * RESOURCE_COUNT : (k + 1) * RESOURCE_COUNT].any() or struck[k]
                known[k] = bool(own) or beyond(int(way_of[k, front]), front)
            return known[k]

        poi_ahead[f] = beyond(int(poi_way[f]), f)
        for k in range(len(s.facilities)):
            ahead[k, f] = here(k, f, known)
    return ahead, poi_ahead


def _pools(s: Scenario, unlimited: bool) -> dict[str, Any]:
    vehicles = [] if unlimited else s.vehicles
    lifts = [v.lift for v in vehicles]
    return {
        "pools": len(vehicles),
        "vehicles": ints(v.number for v in vehicles),
        "litters": ints(v.litters or 0 for v in vehicles),
        "seats": ints(v.seats or 0 for v in vehicles),
        "load": floats((v.load_minutes or 0.0) * MINUTE for v in vehicles),
        "unload": floats((v.unload_minutes or 0.0) * MINUTE for v in vehicles),
        "dispatch": floats((v.dispatch_minutes or 0.0) * MINUTE for v in vehicles),
        "by_night": ints(int(v.night) for v in vehicles),
        "grounded": floats(v.grounded for v in vehicles),
        "loss": floats(v.loss for v in vehicles),
        "aboard": floats(1.0 if v.clock_factor is None else v.clock_factor for v in vehicles),
        "lift_every": floats(0.0 if lift is None else lift.interval_hours * HOUR for lift in lifts),
        "lift_first": floats(0.0 if lift is None else lift.first_hour * HOUR for lift in lifts),
        "lift_cancelled": floats(0.0 if lift is None else lift.cancellation for lift in lifts),
        "pool_key": np.array([_key(v.id) for v in vehicles], np.uint64),
    }


def _key(name: str) -> int:
    """64 bits of a name, so that pools are keyed by name and not by position (MODEL section 7)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
