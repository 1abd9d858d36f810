"""An oracle for finite care: who held which resource when, who waited, and who travelled with whom.

It reads the event log alone, by the rules of docs/model.md sections 2.8 and 2.9, independently of the
kernel's counters.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from engine import scenario as scenario_api
from engine.codes import AT_POI, EN_ROUTE, EVENTS, LIMBS, OUTCOMES, WAITING_FOR, DeathCause
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
REMAINS = ("remains_collected", "remains_arrived", "remains_delivered")
"""What may follow the outcome."""
FOREVER = 1 << 62
MOST_ABOARD = 40


@dataclass
class Run:
    """The tables and measures of a run."""

    scenario: scenario_api.Scenario
    seed: int
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
    return simulate(resolved, resolved.seed if seed is None else seed, chunk_size)


def simulate(resolved: scenario_api.Scenario, seed: int, chunk_size: int = 2048) -> Run:
    """Run a scenario."""
    simulation = Simulation(resolved, seed, 0, chunk_size)
    rows: dict[str, list[Any]] = {name: [] for name in c.TABLES}
    for chunk in simulation:
        assert chunk.first == sum(map(len, rows["patients"]))
        for name, found in rows.items():
            table = getattr(chunk, name).copy()
            if name != "patients":
                table["patient"] += chunk.first
            found.append(table)
    tables = {name: np.concatenate(found) for name, found in rows.items()}
    return Run(resolved, seed, **tables, flow=simulation.flow)


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
    operated: int = -1  # end of the last operation before
    destination: int = -1  # unknown if the patient died or is still on the way
    arrived: int = -1


@dataclass(slots=True)
class Removal:
    """A trip of a dead patient, or the wait for one."""

    patient: int
    origin: int  # EN_ROUTE: died in a vehicle
    asked: int
    departed: int = FOREVER  # FOREVER: still waits
    destination: int = -1
    arrived: int = FOREVER
    ends: bool = False  # delivered there


class Span(NamedTuple):
    """The use of a unit of a resource."""

    start: int
    end: int
    waited: int  # 1 after a wait; of places since when the patient may have been promised the place
    category: int
    trip: Trip | None = None  # of places: the trip that the place was reserved for


@dataclass
class Observed:
    """What the records of all patients show."""

    spans: dict[tuple[int, int], list[Span]]  # by facility and resource
    waits: dict[tuple[int, int], list[Wait]]
    trips: list[Trip]
    stays: dict[int, list[tuple[int, int, int]]]  # at a facility: patient, from, to
    struck: Counter[int]  # by facility: patients hit who live
    complications: dict[int, set[int]]  # by patient
    removals: list[Removal] = field(default_factory=list)
    dead: list[tuple[int, int, int, bool]] = field(
        default_factory=list
    )  # patient, place, at, was at an MTF before


class Reader:
    """Reads one patient's events and asserts that each may follow the one before."""

    def __init__(
        self, observed: Observed, patient: int, role: list[int], push: bool, holds_bay: list[bool]
    ) -> None:
        self.holds_bay = holds_bay
        self.observed = observed
        self.patient = patient
        self.role = role
        self.push = push
        self.at = AT_POI
        self.came = -1
        self.category = 0
        self.category_before = 0  # of the last triage
        self.triaged_at = -1
        self.wait: Wait | None = None
        self.awaited = -1
        self.held: tuple[int, int, bool, int] | None = None  # resource, since, had waited, category
        self.place: tuple[int, int, int, Trip | None] | None = None  # facility, since, asked for since, trip
        self.trip: Trip | None = None
        self.triage = False  # the triage here is still to come
        self.triaged: list[int] = []
        self.asked = -1
        self.operated = -1  # end of the last operation
        self.bumped = False
        self.admitted = False
        self.in_quarters = False  # in the unit, and not at the facility

    def release(self, at: int) -> None:
        """Release the resource that is held at `at`."""
        if self.held is not None:
            resource, since, waited, category = self.held
            self.observed.spans[self.at, resource].append(Span(since, at, waited, category))
        self.held = None

    def leave(self, at: int) -> None:
        """Leave the facility, or close there."""
        self.release(at)
        if self.place is not None:
            facility, since, asked, trip = self.place
            self.observed.spans[facility, PLACE].append(Span(since, at, asked, self.category, trip))
        self.place = None
        if self.at >= 0 and not self.in_quarters:
            self.observed.stays[self.at].append((self.patient, self.came, at))
        self.in_quarters = False

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

    def take(self, at: int, resource: int, category: int) -> None:
        """Take a resource at `at` under a category; a wait before was for it."""
        waited = self.wait is not None
        assert not waited or self.awaited == resource, (self.patient, at, self.awaited, resource)
        self.end_wait(at, "got")
        self.release(at)
        self.held = (resource, at, waited, category)

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
        self.take(done - TRIAGE, TEAM, self.category_before)
        self.release(done)

    def admit(self, at: int) -> None:
        """Take a place at `at`, where places are limited."""
        if self.awaited == PLACE:
            self.end_wait(at, "got")
        if self.push and self.place is None and self.role[self.at] > 0:
            self.place = (self.at, at, at, None)

    def read(self, kind: str, at: int, facility: int, detail: int) -> None:
        """Read the next event."""
        if kind == "complication":  # nobody takes or gives up anything for it
            assert facility == self.at, (kind, facility, self.at)
            self.observed.complications[self.patient].add(detail // LIMBS)
            return
        final = kind in LAST or kind == "facility_hit"
        if kind == "triaged":
            self.category_before, self.category = self.category, detail
            self.triaged_at = at
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
                self.place = (facility, self.trip.departed, self.trip.asked, self.trip)
            self.trip = None
            self.at, self.came = facility, at
            self.admitted |= kind == "arrived"
            self.triage = kind == "arrived"
            self.triaged = []
        elif kind == "departed":
            assert facility == self.at
            assert 0 <= self.asked <= at, "nobody departs before a request"
            self.end_wait(at, "got")
            self.leave(at)
            self.trip = Trip(self.patient, self.at, at, self.category, self.asked, self.operated)
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
            if (
                detail == TABLE
                and self.held is not None
                and (self.held[0] != BAY or not self.holds_bay[self.at])
            ):
                self.release(at)  # a bay where the facility says so, and any bed before a further operation
        elif kind == "quarters":
            assert self.wait is None
            self.leave(at)
            self.in_quarters = True
        elif kind == "bumped":
            self.bumped = True
            assert self.held is not None and self.held[0] == BAY
            self.release(at)
        elif kind == "facility_hit":
            if self.push and self.place is None and self.role[self.at] > 0:
                # in triage, which shows only when it ends: the place is older than the hit
                self.place = (self.at, at if self.awaited == PLACE else self.came, self.came, None)
            self.end_wait(at, "hit")
            self.release(at)
            self.triage, self.triaged = True, []
            self.observed.struck[self.at] += 1
        elif kind == "evacuation_requested" and self.held is not None and self.held[0] == WARD:
            # the patient has recovered there, or a complication on the ward has changed the disposition
            assert self.wait is None, (self.patient, at)
        elif kind in STARTS and not (kind == "evacuation_requested" and self.at == AT_POI):
            # the bed is given before the triage for the evacuation from it, or for the stay in it
            anew = kind in ("evacuation_requested", "ward_admitted") and self.triaged_at == at
            self.take(at, STARTS[kind], self.category_before if anew else self.category)
        if kind in ("surgery_ended", "definitive_surgery_ended"):
            self.operated = at
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
            self.observed.dead.append((self.patient, self.at, at, self.admitted))
        elif kind == "in_care_at_horizon":
            at = FOREVER
            self.end_wait(at, "there")
        else:
            assert self.wait is None
        self.leave(at)


def read_remains(observed: Observed, patient: int, place: int, died: int, rows: list[Any]) -> None:
    """Read what follows a death, and assert that each event may follow the one before."""
    removal = Removal(patient, place, died, died if place == EN_ROUTE else FOREVER)
    for kind, at, facility in rows:
        assert kind in REMAINS and not removal.ends
        if kind == "remains_collected":
            assert removal.departed == FOREVER and facility == removal.origin
            removal.departed = at
            continue
        assert removal.departed <= at and facility >= 0
        removal.destination, removal.arrived, removal.ends = facility, at, kind == "remains_delivered"
        observed.removals.append(removal)
        if not removal.ends:
            removal = Removal(patient, facility, at)
    if rows and not removal.ends:
        observed.removals.append(removal)


def read(r: Run) -> Observed:
    """Read all records and assert that each of them is consistent."""
    observed = Observed(
        defaultdict(list), defaultdict(list), [], defaultdict(list), Counter(), defaultdict(set)
    )
    role = [f.role for f in r.scenario.facilities]
    holds_bay = [f.hold_bay for f in r.scenario.facilities]
    begin = 0
    for i, patient in enumerate(r.patients):
        reader = Reader(observed, i, role, r.scenario.acceptance == "push", holds_bay)
        rows = r.events[begin : begin + int(np.searchsorted(r.events["patient"][begin:], i, "right"))]
        begin += len(rows)
        assert len(rows) > 1 and (rows["patient"] == i).all()
        assert (np.diff(rows["at"]) >= 0).all(), "timelines are monotone"
        kinds = [EVENTS[k] for k in rows["kind"]]
        last = [k in LAST for k in kinds].index(True)
        found = list(
            zip(kinds, rows["at"].tolist(), rows["facility"].tolist(), rows["detail"].tolist(), strict=True)
        )
        assert last == len(kinds) - 1 or kinds[last] == "died", (
            "one outcome, and nothing but remains after it"
        )
        for event in found[: last + 1]:
            reader.read(*event)
        reader.finish(kinds[last], int(rows["at"][last]), patient)
        if kinds[last] == "died":
            _, died, place, _ = found[last]
            read_remains(observed, i, place, died, [event[:3] for event in found[last + 1 :]])
    assert begin == len(r.events)
    return observed
