"""An oracle for finite care: who held which resource when, who waited, and who travelled with whom.

It reads the event log alone, by the rules of docs/model.md sections 2.8 and 2.9, independently of the
kernel's counters.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine import scenario as scenario_api
from engine.codes import AT_POI, EN_ROUTE, EVENTS, OUTCOMES, WAITING_FOR, CasualtyKind, DeathCause, Outcome
from engine.measures import FlowMeasures
from engine.run import Simulation
from engine.tables import columns as c

HOUR = 3_600_000
MINUTE = 60_000
TRIAGE = int(2.5 * MINUTE)
"""Duration of a triage in ms (care.toml)."""
TEAM, BAY, TABLE, ICU, WARD, PLACE, TRANSPORT = range(7)
REASONS = {
    TEAM: "triage",
    BAY: "treatment",
    TABLE: "surgery",
    ICU: "icu_bed",
    WARD: "ward_bed",
    PLACE: "place",
}
STARTS = {
    "care_started": BAY,
    "resuscitation_started": BAY,
    "care_resumed": BAY,
    "surgery_started": TABLE,
    "definitive_surgery_started": TABLE,
    "icu_admitted": ICU,
    "ward_admitted": WARD,
    "evacuation_requested": WARD,
}
"""Events that start the use of a resource and end the use of the one before."""
LAST = {
    "died": ("kia", "dow", "died_nonbattle"),
    "returned_to_duty": ("rtd",),
    "left_theatre": ("evacuated",),
    "discharged": ("discharged",),
    "in_care_at_horizon": ("in_care",),
}
FOREVER = 1 << 62
MOST_ABOARD = 40


@dataclass
class Run:
    """The tables and measures of a run."""

    scenario: scenario_api.Scenario
    patients: Any
    events: Any
    treatments: Any
    vitals: Any
    wounds: Any
    flow: FlowMeasures


def run(scenario: dict[str, Any], chunk_size: int = 2048, seed: int | None = None) -> Run:
    """Run a scenario that is given as a mapping."""
    given = scenario_api.parse(json.dumps(scenario).encode(), "json")
    scenario_api.check(given)
    resolved = scenario_api.resolve(given)
    simulation = Simulation(resolved, resolved.seed if seed is None else seed, 0, chunk_size)
    rows: dict[str, list[Any]] = {name: [] for name in c.TABLES}
    for chunk in simulation:
        assert chunk.first == sum(map(len, rows["patients"]))
        for name, found in rows.items():
            table = getattr(chunk, name).copy()
            if name != "patients":
                table["patient"] += chunk.first
            found.append(table)
    tables = {name: np.concatenate(found) for name, found in rows.items()}
    return Run(resolved, **tables, flow=simulation.flow)


@dataclass(slots=True)
class Wait:
    """A stay in a queue."""

    patient: int
    since: int
    until: int = FOREVER
    how: str = "there"  # got, died, hit, there (at the horizon)
    front: bool = False  # bumped: in front of the others of the category
    categories: list[tuple[int, int]] = field(default_factory=list)  # (from, category)

    def category(self, at: int) -> tuple[int, int]:
        """Return the last (time, category) before `at`."""
        return [entry for entry in self.categories if entry[0] < at][-1]


@dataclass(slots=True)
class Trip:
    """A trip of a patient."""

    patient: int
    origin: int
    departed: int
    category: int
    asked: int
    destination: int = -1  # unknown if the patient died or is still on the way
    arrived: int = -1


@dataclass
class Observed:
    """What the records of all patients show."""

    spans: dict[
        tuple[int, int], list[tuple[int, int, int]]
    ]  # by facility and resource: from, to, waited (of places: since when)
    waits: dict[tuple[int, int], list[Wait]]
    trips: list[Trip]
    stays: dict[int, list[tuple[int, int, int]]]  # at a facility: patient, from, to
    struck: Counter[int]  # by facility: patients hit who live


class Reader:
    """Reads one patient's events and asserts that each may follow the one before."""

    def __init__(self, observed: Observed, patient: int, role: list[int], push: bool) -> None:
        self.observed = observed
        self.patient = patient
        self.role = role
        self.push = push
        self.at = AT_POI
        self.came = -1
        self.category = 0
        self.wait: Wait | None = None
        self.awaited = -1
        self.held: tuple[int, int, bool] | None = None  # resource, since, had waited
        self.place: tuple[int, int, int] | None = None  # facility, since, asked for since
        self.trip: Trip | None = None
        self.triage = False  # the triage here is still to come
        self.triaged: list[int] = []
        self.asked = -1
        self.bumped = False

    def release(self, at: int) -> None:
        """Release the resource that is held at `at`."""
        if self.held is not None:
            resource, since, waited = self.held
            self.observed.spans[self.at, resource].append((since, at, waited))
        self.held = None

    def leave(self, at: int) -> None:
        """Leave the facility, or close there."""
        self.release(at)
        if self.place is not None:
            self.observed.spans[self.place[0], PLACE].append((self.place[1], at, self.place[2]))
        self.place = None
        if self.at >= 0:
            self.observed.stays[self.at].append((self.patient, self.came, at))

    def begin_wait(self, at: int, resource: int) -> None:
        """Join a queue at `at`."""
        assert self.wait is None
        self.wait = Wait(self.patient, at, front=self.bumped, categories=[(-1, self.category)])
        self.awaited = resource

    def end_wait(self, at: int, how: str) -> None:
        """Leave the queue."""
        if self.wait is not None:
            self.wait.until, self.wait.how = at, how
            assert self.wait.since <= at
            self.observed.waits[self.at, self.awaited].append(self.wait)
        self.wait = None
        self.awaited = -1

    def take(self, at: int, resource: int) -> None:
        """Take a resource at `at`; a wait before was for it."""
        waited = self.wait is not None
        assert not waited or self.awaited == resource, (self.patient, at, self.awaited, resource)
        self.end_wait(at, "got")
        self.release(at)
        self.held = (resource, at, waited)

    def settle_triage(self, at: int, broken: bool) -> None:
        """End the triage, as a later stage has begun: the last `triaged` was that of the facility, unless care was
        broken off.
        """
        if not self.triage:
            return
        waited = self.wait is not None
        if broken and waited:
            return  # the records do not show what a patient held who died before the end of triage
        if not self.triaged:
            assert broken, (self.patient, at)
            return
        done = self.triaged[-1]
        self.triage = False
        self.admit(done - TRIAGE)
        if self.wait is not None:
            assert self.awaited == TEAM, (self.patient, self.awaited)
            if self.wait.categories[-1][0] == done:
                self.wait.categories.pop()
        self.take(done - TRIAGE, TEAM)
        self.release(done)

    def admit(self, at: int) -> None:
        """Take a place at `at`, where places are limited."""
        if self.awaited == PLACE:
            self.end_wait(at, "got")
        if self.push and self.place is None and self.role[self.at] > 0:
            self.place = (self.at, at, at)

    def read(self, kind: str, at: int, facility: int, detail: int) -> None:
        """Read the next event."""
        final = kind in LAST or kind == "facility_hit"
        if kind == "triaged":
            self.category = detail
            if self.wait is not None:
                self.wait.categories.append((at, detail))
            if self.triage:
                self.triaged.append(at)
        elif kind not in ("waiting", "refused", "decontamination_started", "decontamination_ended") or (
            kind == "waiting" and detail != TEAM
        ):
            self.settle_triage(at, final)
        if kind in ("arrived", "staged"):
            assert self.at == EN_ROUTE and self.trip is not None
            self.trip.destination, self.trip.arrived = facility, at
            if not self.push:
                self.place = (facility, self.trip.departed, self.trip.asked)
            self.trip = None
            self.at, self.came = facility, at
            self.triage = kind == "arrived"
            self.triaged = []
        elif kind == "departed":
            assert facility == self.at
            assert 0 <= self.asked <= at, "nobody departs before a request"
            self.end_wait(at, "got")
            self.leave(at)
            self.trip = Trip(self.patient, self.at, at, self.category, self.asked)
            self.observed.trips.append(self.trip)
            self.at = EN_ROUTE
            self.asked = -1
        elif kind == "refused":
            self.begin_wait(at, PLACE)
        elif kind == "decontamination_started":
            self.admit(at)
        elif kind == "waiting":
            if detail == TEAM:
                self.admit(at)
            self.begin_wait(at, detail)
            self.bumped = False
        elif kind == "bumped":
            self.bumped = True
            assert self.held is not None and self.held[0] == BAY
            self.release(at)
        elif kind == "facility_hit":
            self.end_wait(at, "hit")
            self.release(at)
            self.triage, self.triaged = True, []
            self.observed.struck[self.at] += 1
        elif kind in STARTS and not (kind == "evacuation_requested" and self.at == AT_POI):
            self.take(at, STARTS[kind])
        if kind == "evacuation_requested":
            self.asked = at
            self.begin_wait(at, TRANSPORT)
        assert facility == self.at or kind == "departed", (kind, facility, self.at)

    def finish(self, kind: str, at: int, patient: Any) -> None:
        """Read the last event."""
        assert OUTCOMES[patient["status"]] in LAST[kind]
        assert at == patient["closed"]
        assert patient["facility"] == self.at
        hit = patient["death_cause"] == DeathCause.FACILITY_HIT
        if self.wait is not None and not hit and self.awaited != TRANSPORT:
            waiting = WAITING_FOR[patient["waiting_for"]]
            known = self.awaited not in (
                TEAM,
                PLACE,
            )  # the records do not distinguish triage from waiting for it
            assert waiting == REASONS[self.awaited] or not known, (self.patient, waiting, self.awaited)
        if kind == "died":
            self.end_wait(at, "died")
        elif kind == "in_care_at_horizon":
            at = FOREVER
            self.end_wait(at, "there")
        else:
            assert self.wait is None
        self.leave(at)


def read(r: Run) -> Observed:
    """Read all records and assert that each of them is consistent."""
    observed = Observed(defaultdict(list), defaultdict(list), [], defaultdict(list), Counter())
    role = [f.role for f in r.scenario.facilities]
    begin = 0
    for i, patient in enumerate(r.patients):
        reader = Reader(observed, i, role, r.scenario.acceptance == "push")
        rows = r.events[begin : begin + int(np.searchsorted(r.events["patient"][begin:], i, "right"))]
        begin += len(rows)
        assert len(rows) > 1 and (rows["patient"] == i).all()
        assert (np.diff(rows["at"]) >= 0).all(), "timelines are monotone"
        kinds = [EVENTS[k] for k in rows["kind"]]
        assert [k in LAST for k in kinds].index(True) == len(kinds) - 1, "one outcome, and nothing after it"
        for kind, at, facility, detail in zip(
            kinds, rows["at"].tolist(), rows["facility"].tolist(), rows["detail"].tolist(), strict=True
        ):
            reader.read(kind, at, facility, detail)
        reader.finish(kinds[-1], int(rows["at"][-1]), patient)
    assert begin == len(r.events)
    return observed


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

    def base_of(self, link: scenario_api.Link) -> str:
        """Return the base of the vehicles of a link."""
        home = self.pools[str(link.vehicle)].base
        return home or (link.destination if link.origin == "POI" else link.origin)

    def out_of_use(self, pool: scenario_api.Vehicle, at: int) -> bool:
        """Whether all vehicles of a pool are interdicted at a time."""
        return any(
            e.vehicle == pool.id and (e.number is None or e.number == pool.number) and _during(e, at)
            for e in self.s.world
        )


def _during(e: scenario_api.WorldEvent, at: int) -> bool:
    begin = e.at_hours * HOUR
    return begin <= at and (e.duration_hours is None or at < begin + e.duration_hours * HOUR)


# --- the checks


def check_capacity(r: Run, observed: Observed) -> None:
    """Check that no more is used than is available, with hits, rosters and surge."""
    net = Network(r.scenario)
    for (f, resource), spans in observed.spans.items():
        if net.base(f, resource) is None or (
            resource == PLACE and net.s.facilities[f].role == 0 and net.s.acceptance == "push"
        ):
            continue
        wards = observed.spans.get((f, WARD), [])
        count = 0
        for at, change, asked in sorted(
            [(start, 1, since) for start, end, since in spans if end > start]
            + [(end, -1, 0) for start, end, _ in spans if end > start]
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
                sum(begin <= t <= end for begin, end, _ in wards) >= trigger
                for t in {begin for begin, _, _ in wards}
                if t <= called
            ), ("surge before its trigger", f, resource, at, count)


def check_order(r: Run, observed: Observed) -> None:
    """Check that the most urgent are served first, and of equals who came first; that nobody jumps a queue."""
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
        for start, end, waited in observed.spans[f, resource]:
            if not waited and end > start:
                assert not any(y.since < start < y.until and y.how == "got" for y in waits), (
                    f,
                    resource,
                    start,
                )


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
        hit = any(
            e.event == "hit" for e in r.scenario.world
        )  # resources granted at that moment are lost again
        assert row["served"] == len(spans) or (hit and row["served"] > len(spans)), (row, len(spans))
        assert row["deaths_waiting"] == sum(
            w.how == "died" and r.patients["death_cause"][w.patient] != DeathCause.FACILITY_HIT for w in waits
        )
        waited = sum(min(w.until, length) - w.since for w in waits)
        assert abs(row["mean_queue"] * length - waited) <= 1e-6 * length + 2 * len(waits), row
        used = sum(min(end, length) - start for start, end, _ in spans)
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
    for trip in observed.trips:
        if trip.destination < 0:
            continue
        front = r.scenario.fronts[r.patients["front"][trip.patient]].name
        link = net.link(trip.origin, trip.destination, front)
        category = "T1" if trip.category == 4 else f"T{trip.category}"
        offered = [x for x in net.leaving(trip.origin, front) if not x.categories or category in x.categories]
        assert not offered or link in offered, ("categories of the link", trip)
        if trip.origin >= 0 and link.vehicle not in net.pools:
            assert not net.closed(trip.destination, trip.departed), ("to a closed door", trip)
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
            passed = departed - pool.lift.first_hour * HOUR
            assert passed >= 0 and passed % (pool.lift.interval_hours * HOUR) == 0, (
                "not on the schedule",
                trips,
            )
            lifted[pool.id, departed] += len(trips)
            continue
        back = net.base_of(link) != link.destination
        way = max(
            0.0, arrived - departed - (pool.unload_minutes or 0.0) * MINUTE * (litters + seats) - MOST_ABOARD
        )
        least = 1 if not alike else -(-len(trips) // (litters + seats))
        sent = departed - load - (pool.dispatch_minutes or 0.0) * MINUTE
        away[pool.id] += [(sent, least), (arrived + (way if back else 0.0) - 1, -least)]
        if net.base_of(link) == link.origin and not pool.dispatch_minutes and load == 0.0:
            assert not net.out_of_use(pool, ready), ("interdicted", link, trips)
            assert pool.night or 6 <= ready % (24 * HOUR) / HOUR < 20, ("by night", link, trips)
            assert not net.closed(net.index[link.destination], departed), ("to a closed door", link, trips)
    for name, changes in away.items():
        under_way = 0
        for _, change in sorted(changes):
            under_way += change
            assert under_way <= net.pools[name].number, ("more vehicles than there are", name)
    for (name, _), number in lifted.items():
        pool = net.pools[name]
        assert number <= pool.number * ((pool.litters or 0) + (pool.seats or 0)), ("lift too full", name)


def check_whole(r: Run) -> None:
    """Carry out all checks of a run."""
    assert len(r.patients) == r.scenario.casualties.total
    assert len({(int(p["id_hi"]), int(p["id_lo"])) for p in r.patients}) == len(r.patients)
    in_care = r.patients["status"] == Outcome.IN_CARE
    if r.scenario.horizon_days is None:
        assert not in_care.any()
    else:
        horizon = r.scenario.horizon_days * 24 * HOUR
        assert (r.patients["closed"][in_care] >= horizon).all()
        assert (r.patients["closed"][~in_care] <= horizon).all()
        late = r.events["at"] > horizon
        assert (EVENTS.index("in_care_at_horizon") == r.events["kind"][late]).all()
    observed = read(r)
    check_capacity(r, observed)
    check_order(r, observed)
    check_flow(r, observed)
    check_trips(r, observed)
