"""The laws of finite care (docs/model.md sections 2.8 and 2.9), checked on what the records of a run show.

Who held which resource when, who waited, and who travelled with whom comes from `finite_oracle`. Capacities, closures
and vehicles come from the scenario. The kernel's counters must agree with both.
"""

import functools
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec
import numpy as np
from finite_oracle import (
    BAY,
    FOREVER,
    HOUR,
    ICU,
    MINUTE,
    MOST_ABOARD,
    PLACE,
    TABLE,
    TEAM,
    TRANSPORT,
    WARD,
    Observed,
    Run,
    Trip,
    read,
    simulate,
)
from finite_remains import check_remains, vehicles_away

from engine import scenario as scenario_api
from engine.codes import EVENTS, STREAMS, CasualtyKind, DeathCause, Outcome
from scenarios import catalogue

# --- what is available, and when


class Network:
    """Capacities, vehicles and closures of a scenario over time, from the scenario itself."""

    def __init__(self, s: scenario_api.Scenario) -> None:
        self.s = s
        self.index = {f.id: k for k, f in enumerate(s.facilities)}
        self.pools = {v.id: v for v in s.vehicles}
        assert s.start.endswith("T00:00:00Z")

    def base(self, f: int, resource: int) -> int | None:
        """Return the units without surge, rosters and hits; None without limit."""
        x = self.s.facilities[f]
        if resource == TABLE:
            limits = [x.operating_tables, max((t.surgical_teams for t in x.shifts), default=x.surgical_teams)]
            found = [n for n in limits if n is not None]
            return min(found) if found else None
        if resource == PLACE and x.places is None:
            return None if x.ward_beds is None else x.ward_beds + (x.icu_beds or 0) + (x.treatment_bays or 0)
        return (x.triage_teams, x.treatment_bays, 0, x.icu_beds, x.ward_beds, x.places)[resource]

    def lost(self, f: int, resource: int, at: int) -> int:
        """Return the units lost by hits at a time."""
        size = self.base(f, resource) or 0
        return sum(
            math.floor(e.capacity_lost * size + 0.5)
            for e in self.s.world
            if e.event == "hit" and self.index[str(e.facility)] == f and _during(e, at)
        )

    def teams(self, f: int, at: int) -> int:
        """Return the surgical teams on duty."""
        x = self.s.facilities[f]
        if not x.shifts:
            return FOREVER if x.surgical_teams is None else x.surgical_teams
        hour = at % (24 * HOUR) / HOUR
        return sum(
            t.surgical_teams
            for t in x.shifts
            if (
                t.from_hour <= hour < t.to_hour
                if t.from_hour < t.to_hour
                else hour >= t.from_hour or hour < t.to_hour
            )
        )

    def capacity(self, f: int, resource: int, at: int) -> int:
        """Return the units at a time, without surge."""
        base = self.base(f, resource)
        if base is None:
            return FOREVER
        if resource == TABLE:
            tables = self.s.facilities[f].operating_tables
            teams = self.teams(f, at)
            return max(0, (teams if tables is None else min(tables, teams)) - self.lost(f, resource, at))
        return base - self.lost(f, resource, at)

    def room(self, f: int, since: int, at: int) -> int:
        """Return the maximum of places from the request to the departure; a reserved place stays reserved."""
        hits = [e.at_hours * HOUR for e in self.s.world if e.event == "hit"]
        times = [since, at, *(int(t) - 1 for t in hits if since < t <= at)]
        return max(self.capacity(f, PLACE, t) for t in times)

    def surge(self, f: int, resource: int) -> int:
        """Return the units that surge adds."""
        x = self.s.facilities[f]
        if x.surge is None:
            return 0
        added = {
            WARD: x.surge.ward_beds,
            ICU: x.surge.icu_beds if x.icu_beds is not None else 0,
            BAY: x.surge.treatment_bays if x.treatment_bays is not None else 0,
        }
        return sum(added.values()) if resource == PLACE else added.get(resource, 0)

    def closed(self, f: int, at: int) -> bool:
        """Whether the facility is closed at a time."""
        mine = [e for e in self.s.world if e.facility == self.s.facilities[f].id]
        return any(
            at < e.at_hours * HOUR if e.event == "open" else e.event in ("close", "move") and _during(e, at)
            for e in mine
        )

    def link(self, origin: int, destination: int, front: str) -> scenario_api.Link:
        """Return the only link between two places for a front."""
        name = "POI" if origin < 0 else self.s.facilities[origin].id
        (found,) = (
            x
            for x in self.s.links
            if x.origin == name and x.destination == self.s.facilities[destination].id and front in x.fronts
        )
        return found

    def leaving(self, origin: int, front: str) -> list[scenario_api.Link]:
        """Return all links from a place for a front."""
        name = "POI" if origin < 0 else self.s.facilities[origin].id
        return [x for x in self.s.links if x.origin == name and front in x.fronts]

    def longest_way_out(self, link: scenario_api.Link, pool: scenario_api.Vehicle) -> float:
        """Return ms from a vehicle's dispatch to its arrival at the patients; it takes longer only very seldom."""
        delay = (pool.dispatch_minutes or 0.0) * MINUTE
        if self.base_of(link) == link.origin:
            return delay
        assert link.minutes is not None
        slower = math.prod(max(1.0, e.minutes_factor) for e in self.s.world if e.event == "move")
        mean = link.minutes.mean if link.minutes.mean is not None else link.minutes.high
        assert mean is not None
        return delay + slower * mean * MINUTE * (1.0 if link.minutes.distribution == "constant" else 12.0)

    def base_of(self, link: scenario_api.Link) -> str:
        """Return the base of the vehicles of a link."""
        home = self.pools[str(link.vehicle)].base
        return home or (link.destination if link.origin == "POI" else link.origin)

    def is_open_between(self, f: int, begin: float, end: float) -> bool:
        """Whether the facility is open at a time from `begin` to `end`."""
        edges = [e.at_hours + after for e in self.s.world for after in (0.0, e.duration_hours or 0.0)]
        times = [begin, end, *(t * HOUR for t in edges if begin < t * HOUR < end)]
        return any(not self.closed(f, int(t)) for t in times)

    def may_leave(self, pool: scenario_api.Vehicle, destination: int, begin: float, end: float) -> bool:
        """Whether vehicles of a pool may set off, and the destination is open, at a time from `begin` to `end`."""
        edges = [e.at_hours + after for e in self.s.world for after in (0.0, e.duration_hours or 0.0)]
        edges += [24.0 * day + 6.0 for day in range(int(end / HOUR / 24) + 1)]
        times = [begin, end, *(int(t * HOUR) for t in edges if begin < t * HOUR < end)]
        return any(
            not self.out_of_use(pool, int(t))
            and (pool.night or 6 <= t % (24 * HOUR) / HOUR < 20)
            and not self.closed(destination, int(t))
            for t in times
        )

    def out_of_use(self, pool: scenario_api.Vehicle, at: int) -> bool:
        """Whether all vehicles of a pool are interdicted at a time."""
        return any(
            e.vehicle == pool.id and (e.number is None or e.number == pool.number) and _during(e, at)
            for e in self.s.world
        )


def _during(e: scenario_api.WorldEvent, at: int) -> bool:
    begin = e.at_hours * HOUR
    return begin <= at and (e.duration_hours is None or at < begin + e.duration_hours * HOUR)


class Preparation:
    """When patients are prepared to leave a facility (docs/model.md section 2.7.4), as far as the records show.

    Treatments of a complication count from a decision on the stay, which is no later than the request.
    """

    def __init__(self, r: Run, observed: Observed) -> None:
        given = scenario_api.model_constants(r.scenario, "care")["preparation"]
        self._minutes: list[float] = given["minutes"]
        self._after_operation: float = given["after_operation_minutes"]
        self._complications = observed.complications
        self._last: dict[tuple[int, int], float] = {}
        for trip in observed.trips:
            at = (trip.origin, trip.departed)
            self._last[at] = max(self._last.get(at, 0.0), self.latest(trip))

    def earliest(self, trip: Trip) -> float:
        """Return the time before which a patient cannot leave."""
        if trip.origin < 0:
            return trip.asked
        ready = trip.asked + self._minutes[trip.category - 1] * MINUTE
        return ready if trip.operated < 0 else max(ready, trip.operated + self._after_operation * MINUTE)

    def latest(self, trip: Trip) -> float:
        """Return the time from which on a patient is prepared for certain."""
        busy = [complication_minutes(kind) for kind in self._complications.get(trip.patient, ())]
        if trip.origin < 0 or not busy:
            return self.earliest(trip)
        return max(self.earliest(trip), trip.asked + max(busy) * MINUTE)

    def has_waited(self, trip: Trip, ready: float) -> bool:
        """Whether a vehicle that loads at `ready` may have waited for a patient to be prepared."""
        return trip.origin >= 0 and ready <= self._last[trip.origin, trip.departed] + 2


@functools.cache
def complication_minutes(kind: int) -> float:
    """Return the minutes that the treatments of a complication take; at least 20."""
    known = catalogue.treatment_kinds()
    needs = catalogue.complication_kinds()[kind].needs
    return max(20.0, sum(known[label].minutes_mode for label in needs if not known[label].until_end))


def longest_preparation(r: Run) -> float:
    """Return the longest time from a request to the end of the preparation, ms."""
    given = scenario_api.model_constants(r.scenario, "care")["preparation"]
    longest = max(*given["minutes"], given["after_operation_minutes"])
    kinds = range(len(catalogue.complication_kinds()))
    return float(max(longest, *map(complication_minutes, kinds))) * MINUTE


# --- the checks


def promised(r: Run, observed: Observed) -> dict[int, float]:
    """Return since when the place of a trip may have been reserved, by `id` of the trip.

    A place is reserved when a vehicle is sent, and may go to a patient who asked for transport only later. Whoever else
    boards gets a place of the moment of loading.
    """
    net = Network(r.scenario)
    preparation = Preparation(r, observed)
    found: dict[int, float] = {}
    for link, trips in groups(r, observed):
        pool = net.pools[str(link.vehicle)]
        departed = trips[0].departed
        alone = len(trips) == 1 or (link.minutes is not None and link.minutes.distribution == "constant")
        if pool.lift is None and alone:
            load = (pool.load_minutes or 0.0) * MINUTE * len(trips)
            came = departed - load
            if preparation.has_waited(trips[0], came):
                came = min(came, *(trip.asked for trip in trips))
            found |= {id(trip): came - net.longest_way_out(link, pool) for trip in trips}
    return found


def check_capacity(r: Run, observed: Observed) -> None:
    """Check that no more is used than is available, with hits, rosters and surge."""
    net = Network(r.scenario)
    reserved = promised(r, observed)
    for (f, resource), spans in observed.spans.items():
        if net.base(f, resource) is None or (
            resource == PLACE and net.s.facilities[f].role == 0 and net.s.acceptance == "push"
        ):
            continue
        wards = observed.spans.get((f, WARD), [])
        count = 0
        for at, change, asked in sorted(
            [(x.start, 1, min(x.waited, reserved.get(id(x.trip), FOREVER))) for x in spans if x.end > x.start]
            + [(x.end, -1, 0) for x in spans if x.end > x.start]
        ):
            count += change
            there = net.room(f, asked, at) if resource == PLACE else net.capacity(f, resource, at)
            if change < 0 or count <= there:
                continue
            assert count <= there + net.surge(f, resource), (f, resource, at, count)
            x = net.s.facilities[f]
            assert x.surge is not None
            trigger = max(1, math.ceil(x.surge.trigger * (x.ward_beds or 0)))
            called = at - x.surge.delay_minutes * MINUTE
            assert any(
                sum(y.start <= t <= y.end for y in wards) >= trigger
                for t in {y.start for y in wards}
                if t <= called
            ), ("surge before its trigger", f, resource, at, count)


def check_idle(r: Run, observed: Observed) -> None:
    """Check that nobody waits for long while a unit is free."""
    net = Network(r.scenario)
    changes = [
        e.at_hours * HOUR + (e.duration_hours or 0.0) * HOUR for e in r.scenario.world if e.event == "hit"
    ]
    for (f, resource), waits in observed.waits.items():
        if f < 0 or resource not in (BAY, TABLE, ICU, WARD):
            continue
        steps = [(x.start, 1, 0) for x in observed.spans[f, resource] if x.end > x.start]
        steps += [(x.end, -1, 0) for x in observed.spans[f, resource] if x.end > x.start]
        steps += [(x.since, 0, 1) for x in waits] + [(x.until, 0, -1) for x in waits]
        last = min(max(at for at, _, _ in steps), r.flow.milliseconds)
        steps += [(int(at), 0, 0) for at in changes if at <= last]
        if resource == TABLE and net.s.facilities[f].shifts:
            hours = {h for shift in net.s.facilities[f].shifts for h in (shift.from_hour, shift.to_hour)}
            steps += [
                (int((24 * day + hour) * HOUR), 0, 0)
                for day in range(int(last / HOUR / 24) + 1)
                for hour in hours
            ]
        steps.sort()
        used = waiting = 0
        for (at, change, joined), (following, _, _) in itertools.pairwise(steps):
            used += change
            waiting += joined
            if waiting and following > at + 1 and at < last:
                assert used >= net.capacity(f, resource, at), ("idle", f, resource, at, used, waiting)


def check_order(r: Run, observed: Observed) -> None:
    """Check that the most urgent are served first, and of equals who came first; that nobody jumps a queue."""
    net = Network(r.scenario)
    for (f, resource), waits in observed.waits.items():
        if f < 0 or resource in (TRANSPORT, PLACE):
            continue
        for x in waits:
            if x.how != "got":
                continue
            since, category = x.category(max(x.until, x.since + 1))
            for y in waits:
                if y is x or not y.since < x.until < y.until or y.how != "got":
                    continue
                entered, other = y.category(x.until)
                assert other >= category, ("a more urgent patient waits on", f, resource, x, y)
                if (
                    other == category
                    and not x.front
                    and not y.front
                    and max(y.since, entered) < max(x.since, since)
                ):
                    raise AssertionError(("passed in the line", f, resource, x, y))
        if resource == BAY and r.scenario.bumping:
            continue
        spans = observed.spans[f, resource]
        ends = {x.end for x in spans if x.end > x.start}
        for x in spans:
            if x.waited or x.end == x.start:
                continue
            passed = [y.category(x.start)[1] for y in waits if y.since < x.start < y.until and y.how == "got"]
            if not passed:
                continue
            # whoever is more urgent than all who wait may get, without a wait, what becomes free at the same moment
            freed = (
                x.start in ends
                or net.surge(f, resource)
                or net.capacity(f, resource, x.start) > net.capacity(f, resource, x.start - 1)
            )
            assert min(passed) > x.category, ("jumped the queue", f, resource, x)
            assert freed, ("was free while others waited", f, resource, x)


def check_flow(r: Run, observed: Observed) -> None:
    """Check that the kernel's counters agree with the records."""
    if not r.flow.resources():
        return
    length = r.flow.milliseconds
    names = [f.id for f in r.scenario.facilities]
    for row in r.flow.resources():
        f = names.index(row["facility"])
        resource = (
            "triage_teams",
            "treatment_bays",
            "operating_tables",
            "icu_beds",
            "ward_beds",
            "places",
        ).index(row["resource"])
        if resource in (TEAM, PLACE):
            continue
        spans = observed.spans.get((f, resource), [])
        waits = observed.waits.get((f, resource), [])
        assert row["served"] == len(spans), (row, len(spans))
        assert row["deaths_waiting"] == sum(
            w.how == "died" and r.patients["death_cause"][w.patient] != DeathCause.FACILITY_HIT for w in waits
        )
        waited = sum(min(w.until, length) - w.since for w in waits)
        assert abs(row["mean_queue"] * length - waited) <= 1e-6 * length + 2 * len(waits), row
        used = sum(min(x.end, length) - x.start for x in spans)
        assert abs(row["mean_in_use"] * length - used) <= 1e-6 * length + 2 * len(spans), row
    assert r.flow.little_error() <= 1e-9


def groups(r: Run, observed: Observed) -> Iterator[tuple[scenario_api.Link, list[Trip]]]:
    """Group the completed trips of a pool's vehicles by departure, arrival and places."""
    net = Network(r.scenario)
    together: dict[tuple[int, int, str, int], list[Trip]] = defaultdict(list)
    for trip in observed.trips:
        if trip.destination < 0:
            continue
        front = r.scenario.fronts[r.patients["front"][trip.patient]].name
        link = net.link(trip.origin, trip.destination, front)
        if link.vehicle in net.pools:
            key = front if trip.origin < 0 else ""
            together[trip.origin, trip.destination, key, trip.departed].append(trip)
    for (origin, destination, _, _), trips in together.items():
        front = r.scenario.fronts[r.patients["front"][trips[0].patient]].name
        trips.sort(key=lambda t: t.arrived)
        first = 0
        for k in range(1, len(trips) + 1):  # unloading takes a millisecond for each
            if k == len(trips) or trips[k].arrived > trips[first].arrived + MOST_ABOARD:
                yield net.link(origin, destination, front), trips[first:k]
                first = k


def _lies(r: Run, trip: Trip) -> bool:
    p = r.patients[trip.patient]
    return trip.category <= 2 or (p["kind"] == CasualtyKind.WOUNDED and p["triage"] <= 2)


def check_trips(r: Run, observed: Observed) -> None:
    """Check litters, seats, categories, closures, night, and the number of vehicles in use."""
    net = Network(r.scenario)
    preparation = Preparation(r, observed)
    for trip in observed.trips:
        assert trip.departed + 2 >= preparation.earliest(trip), ("not prepared", trip)
        if trip.destination < 0:
            continue
        front = r.scenario.fronts[r.patients["front"][trip.patient]].name
        link = net.link(trip.origin, trip.destination, front)
        category = "T1" if trip.category == 4 else f"T{trip.category}"
        offered = [x for x in net.leaving(trip.origin, front) if not x.categories or category in x.categories]
        assert not offered or link in offered, ("categories of the link", trip)
        if trip.origin >= 0 and link.vehicle not in net.pools:
            waited = preparation.has_waited(trip, trip.departed)
            chosen = trip.asked if waited else trip.departed
            assert net.is_open_between(trip.destination, chosen, trip.departed), ("to a closed door", trip)
        opens = [
            e.at_hours * HOUR
            for e in r.scenario.world
            if e.event == "open" and e.facility == link.destination
        ]
        assert trip.arrived >= max(opens, default=0.0)
    away: dict[str, list[tuple[float, int]]] = defaultdict(list)
    lifted: Counter[tuple[str, float]] = Counter()
    for link, trips in groups(r, observed):
        pool = net.pools[str(link.vehicle)]
        litters, seats = pool.litters or 0, pool.seats or 0
        load = (pool.load_minutes or 0.0) * MINUTE
        departed, arrived = trips[0].departed, trips[-1].arrived
        ready = departed - load * len(trips)
        alike = link.minutes is not None and link.minutes.distribution == "constant"
        number = pool.number if pool.lift is not None or alike else 1
        assert len(trips) <= number * (litters + seats), ("room", link, trips)
        assert sum(_lies(r, t) for t in trips) <= number * litters, ("litters", link, trips)
        if pool.lift is not None:
            passed = ready - pool.lift.first_hour * HOUR
            late = passed % (pool.lift.interval_hours * HOUR)
            on_time = late <= 2 or preparation.has_waited(trips[0], ready)
            assert passed >= 0 and on_time, ("not on the schedule", trips)
            lifted[pool.id, ready - late] += len(trips)
            continue
        back = net.base_of(link) != link.destination
        way = max(
            0.0, arrived - departed - (pool.unload_minutes or 0.0) * MINUTE * (litters + seats) - MOST_ABOARD
        )
        least = 1 if not alike else -(-len(trips) // (litters + seats))
        sent = departed - load - (pool.dispatch_minutes or 0.0) * MINUTE
        away[pool.id] += [(sent, least), (arrived + (way if back else 0.0) - 1, -least)]
        if net.base_of(link) == link.origin and not pool.dispatch_minutes and load == 0.0:
            came = ready
            if preparation.has_waited(trips[0], ready):
                asked = [trip.asked for trip in trips]
                came = min(asked) if alike else max(asked)  # alike: they may be of several vehicles
            there = net.index[link.destination]
            assert net.may_leave(pool, there, came, ready), (
                "interdicted, at night or to a closed door",
                trips,
            )
    for name, sent, back, least in vehicles_away(r, observed, net):
        away[name] += [(sent, least), (back, -least)]
    for name, changes in away.items():
        under_way = 0
        for _, change in sorted(changes):
            under_way += change
            assert under_way <= net.pools[name].number, ("more vehicles than there are", name)
    for (name, _), number in lifted.items():
        pool = net.pools[name]
        assert number <= pool.number * ((pool.litters or 0) + (pool.seats or 0)), ("lift too full", name)


def check_operations(r: Run) -> None:
    """Check that operations in a stay are no more than the scenario says, and that beds are used between them."""
    given = r.scenario.reoperations
    begins = [EVENTS.index(name) for name in ("surgery_started", "definitive_surgery_started")]
    ends = [EVENTS.index(name) for name in ("surgery_ended", "definitive_surgery_ended")]
    opening = [*begins, EVENTS.index("arrived"), EVENTS.index("facility_hit")]
    operations: Counter[tuple[int, int]] = Counter()
    last: dict[int, int] = {}
    for row in r.events[np.isin(r.events["kind"], [*opening, *ends])]:
        patient, facility = int(row["patient"]), int(row["facility"])
        if row["kind"] in ends:
            last[patient] = int(row["at"])
        elif row["kind"] in begins:
            operations[patient, facility] += 1
            if operations[patient, facility] > 1 and patient in last and given is not None:
                shortest = _shortest(given.interval_minutes)
                assert row["at"] + 2 >= last[patient] + shortest * MINUTE, ("too soon", row)
        else:
            last.pop(patient, None)
    for (patient, facility), number in operations.items():
        role = r.scenario.facilities[facility].role
        allowed = given is not None and (not given.roles or role in given.roles)
        # a hit may interrupt the operation by which damage control surgery is followed here
        most = given.most if given is not None and allowed else 1
        assert number <= most, ("more operations than allowed", patient, facility, number)


def _shortest(interval: scenario_api.Distribution | None) -> float:
    """Return the shortest time between operations, in minutes."""
    if interval is None:
        return 1440.0
    if interval.distribution == "constant":
        return interval.mean or 0.0
    return interval.low or 0.0


def _between(entries: list[tuple[int, int]], at: int, certain: bool) -> int:
    """Count the intervals around a time: `certain` without those that begin or end at it."""
    if certain:
        return sum(begin < at < end for begin, end in entries)
    return sum(begin <= at <= end for begin, end in entries)


class Diversion:
    """Whether facilities divert patients, by what the records show."""

    def __init__(self, r: Run, observed: Observed) -> None:
        self.net = Network(r.scenario)
        self.spans = {key: [(x.start, x.end) for x in spans] for key, spans in observed.spans.items()}
        self.waits = {key: [(x.since, x.until) for x in waits] for key, waits in observed.waits.items()}

    def used(self, f: int, resource: int, at: int, certain: bool) -> int:
        """Count the units in use."""
        return _between(self.spans.get((f, resource), []), at, certain)

    def diverts(self, f: int, category: int, at: int, certain: bool) -> bool:
        """Whether a facility diverts a category at a time for certain, or perhaps."""
        x = self.net.s.facilities[f]
        divert = x.divert
        name = "T1" if category == 4 else f"T{category}"
        if divert is None or not 0 < x.role < 4 or (divert.categories and name not in divert.categories):
            return False  # staging units and Role 4 give no care that could be short
        if not certain:
            return True  # who waits for triage is not known of everybody
        bays = self.waits.get((f, BAY), []) + self.waits.get((f, TABLE), [])
        if divert.queue and _between(bays, at, True) >= divert.queue:
            return True
        hits = [e for e in self.net.s.world if e.event == "hit" and e.facility == x.id]
        if hits or x.surge is not None:
            return False  # the capacity at an instant is not certain
        if divert.no_team and x.shifts and max(self.net.teams(f, t) for t in (at - 1, at)) == 0:
            return True
        tables = max(self.net.capacity(f, TABLE, t) for t in (at - 1, at))
        if divert.tables_busy and (x.dcs or x.definitive) and self.used(f, TABLE, at, True) >= tables:
            return True
        shares = ((WARD, x.ward_beds, divert.ward_share), (ICU, x.icu_beds, divert.icu_share))
        return any(
            beds is not None and share is not None and self.used(f, resource, at, True) >= share * beds
            for resource, beds, share in shares
        )


def check_diversion(r: Run, observed: Observed) -> None:
    """Check that nobody is brought to a facility that diverts while one stood open that never does.

    A vehicle without limit is assigned at the request where there are no others, and leaves when the patient is
    prepared. Where there are others, a patient who has waited longer than that is assigned one on departure.
    """
    s = r.scenario
    if not s.bypass or not any(f.divert for f in s.facilities):
        return
    diversion = Diversion(r, observed)
    preparation = Preparation(r, observed)
    net = diversion.net
    for trip in observed.trips:
        if trip.origin < 0 or trip.destination < 0 or s.facilities[trip.destination].divert is None:
            continue
        front = s.fronts[r.patients["front"][trip.patient]].name
        link = net.link(trip.origin, trip.destination, front)
        if link.vehicle in net.pools:
            continue
        chosen = trip.departed
        if preparation.has_waited(trip, trip.departed):
            if any(x.vehicle in net.pools for x in net.leaving(trip.origin, front)):
                continue  # a vehicle on its way may have been waited for
            chosen = trip.asked
        category = "T1" if trip.category == 4 else f"T{trip.category}"
        offered = [x for x in net.leaving(trip.origin, front) if not x.categories or category in x.categories]
        targets = [net.index[x.destination] for x in offered if x.vehicle not in net.pools]
        others = [
            f
            for f in targets
            if net.base(f, PLACE) is None
            and not any(e.facility == s.facilities[f].id for e in s.world)
            and not diversion.diverts(f, trip.category, chosen, certain=False)
            and bool(s.facilities[f].dcs) >= bool(s.facilities[trip.destination].dcs)
        ]
        assert not others or not diversion.diverts(trip.destination, trip.category, chosen, certain=True), (
            "diverted to a facility that diverts",
            trip,
            others,
        )


def check_number(r: Run) -> None:
    """Check that all casualties are there; where the horizon ends with the last day, all who are hurt before it."""
    total, horizon = r.scenario.casualties.total, r.scenario.horizon_days
    if len(r.patients) == total:
        return
    assert horizon == r.scenario.days, len(r.patients)
    later = simulate(msgspec.structs.replace(r.scenario, horizon_days=horizon + 30.0), r.seed)
    assert len(later.patients) == total
    before = later.patients[later.patients["time"] <= horizon * 24 * HOUR]
    assert set(before["id_lo"].tolist()) <= set(r.patients["id_lo"].tolist())


def check_listed(r: Run) -> None:
    """Check that listed casualties come at their time, as many as listed and as described."""
    patients = r.patients
    for row in r.scenario.incidents:
        day, hour, minute = map(int, re.fullmatch(r"day (\d+) (\d\d):(\d\d)", row.at).groups())  # type: ignore[union-attr]
        first = ((day - 1) * 24 + hour) * HOUR + minute * MINUTE
        front = [f.name for f in r.scenario.fronts].index(str(row.front))
        for k, number in enumerate(row.numbers or [row.number]):
            at = first + k * (row.every_minutes or 0.0) * MINUTE
            mine = (patients["time"] == at) & (patients["front"] == front)
            mine &= patients["stream"] == STREAMS.index(row.stream)
            if row.category is not None:
                mine &= patients["triage"] == int(row.category[1])
            assert mine.sum() >= number, ("fewer than listed", row, at, int(mine.sum()))


def check_whole(r: Run) -> None:
    """Carry out all checks of a run."""
    check_number(r)
    check_listed(r)
    assert len({(int(p["id_hi"]), int(p["id_lo"])) for p in r.patients}) == len(r.patients)
    in_care = r.patients["status"] == Outcome.IN_CARE
    if r.scenario.horizon_days is None:
        assert not in_care.any()
    else:
        horizon = r.scenario.horizon_days * 24 * HOUR
        assert (r.patients["closed"][in_care] >= horizon).all()
        assert (r.patients["closed"][~in_care] <= horizon).all()
        hurt_before = r.patients["time"][r.events["patient"]] <= horizon
        late = (r.events["at"] > horizon) & hurt_before
        assert (EVENTS.index("in_care_at_horizon") == r.events["kind"][late]).all()
    observed = read(r)
    check_capacity(r, observed)
    check_idle(r, observed)
    check_order(r, observed)
    check_flow(r, observed)
    check_trips(r, observed)
    check_diversion(r, observed)
    check_operations(r)
    check_remains(r, observed, Network(r.scenario))
