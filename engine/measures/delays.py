"""Why surgery is late: the time from injury to the first operation, split by stage.

Every millisecond from the injury to the first operation belongs to one stage, so the stages of a patient add up to the
time to surgery exactly. The event log says which stage: it lasts from the event that begins it to the next.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import AT_POI, EN_ROUTE, RESOURCES, TRIAGE, Event, Resource
from engine.measures.blocking import Blocking
from engine.measures.counted import DAY, GROUPS, STAGES, TO_SURGERY, DelayStage
from engine.measures.durations import MINUTE, Durations
from engine.measures.histograms import CELLS, cell_of, cells_up_to, quantiles
from engine.numeric import compiled, compiled_entry
from engine.scenario import Scenario, hours_short_of_teams, start_seconds
from engine.tables import EVENT, PATIENT, Chunk, EventRow, Ints, PatientRow, Table

_KEEP = -1
"""The event does not begin a stage."""

_BEGINS = tuple(
    int(
        {
            Event.FIRST_AID: _KEEP,
            Event.TRIAGED: _KEEP,  # see `_begun_by`
            Event.INJURED: DelayStage.POINT_OF_INJURY,
            Event.FELL_ILL: DelayStage.POINT_OF_INJURY,
            Event.EXPOSED: DelayStage.POINT_OF_INJURY,
            Event.SYMPTOM_ONSET: DelayStage.POINT_OF_INJURY,
            Event.EVACUATION_REQUESTED: DelayStage.VEHICLE,
            Event.DEPARTED: DelayStage.TRAVEL,
            Event.ARRIVED: DelayStage.TRIAGE,
            Event.REFUSED: DelayStage.TRIAGE,
            Event.DECONTAMINATION_ENDED: DelayStage.TRIAGE,
            Event.FACILITY_HIT: DelayStage.TRIAGE,
            Event.BUMPED: DelayStage.BAY,
            Event.CARE_STARTED: DelayStage.TREATMENT,
            Event.CARE_RESUMED: DelayStage.TREATMENT,
            Event.RESUSCITATION_STARTED: DelayStage.TREATMENT,
            Event.CARE_ENDED: DelayStage.PREPARATION,
            Event.RESUSCITATION_ENDED: DelayStage.PREPARATION,
        }.get(event, DelayStage.OTHER)
    )
    for event in Event
)
"""By kind of event: the `DelayStage` that it begins, except for WAITING."""

_WAITING_FOR = tuple(
    int(
        {
            Resource.TRIAGE_TEAM: DelayStage.TRIAGE,
            Resource.PLACE: DelayStage.TRIAGE,
            Resource.TREATMENT_BAY: DelayStage.BAY,
            Resource.OPERATING_TABLE: DelayStage.TABLE,
        }.get(resource, DelayStage.BLOCKED)
    )
    for resource in Resource
)
"""By `Resource`: the stage of those who wait for it."""

_POINT_OF_INJURY, _TRIAGE, _PREPARATION = (
    int(stage) for stage in (DelayStage.POINT_OF_INJURY, DelayStage.TRIAGE, DelayStage.PREPARATION)
)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""

_WORDS = {
    DelayStage.POINT_OF_INJURY: "care at the point of injury",
    DelayStage.VEHICLE: "preparation for the journey and waiting for a vehicle",
    DelayStage.TRAVEL: "travel",
    DelayStage.TRIAGE: "waiting for a place and triage",
    DelayStage.PREPARATION: "preparation for treatment and surgery",
    DelayStage.BAY: "waiting for a treatment bay",
    DelayStage.TREATMENT: "treatment before the operation",
    DelayStage.TEAM: "waiting for a surgical team",
    DelayStage.TABLE: "waiting for an operating table",
    DelayStage.BLOCKED: "waiting for a bed after treatment",
    DelayStage.OTHER: "stays in beds, at staging units and in decontamination",
}
"""The stages in the plain sentence."""

_WAITS_FOR = {"bay": "treatment_bays", "team": "operating_tables", "table": "operating_tables"}
"""By stage: the resource, which may be blocked, that a patient waits for."""
_LABELS = {info.field: info.label for info in RESOURCES}

BLOCKED_PERCENT = 10.0
"""Share of the time in use, in %, from which on the sentence mentions that a resource was blocked."""

_LONGEST_RANKING = 20
_QUANTILES = (0.5, 0.9)


@compiled
def _time_short_of_teams(short: Ints, place: int, clock: int) -> int:
    """Return for how many ms, from the first midnight to `clock`, a place has had too few teams for its tables.

    `short`: by place the parts of the day (ms) in which it has; `clock` is in ms from a midnight in UTC.
    """
    days = clock // DAY
    within = clock - days * DAY
    total = 0
    for k in range(short.shape[1]):
        begin, end = short[place, k, 0], short[place, k, 1]
        total += days * (end - begin) + max(0, min(within, end) - begin)
    return total


@compiled
def _begun_by(event: EventRow, stage: int) -> int:
    """Return the stage that an event begins, `stage` if it begins none."""
    if event.kind == Event.WAITING:
        return _WAITING_FOR[event.detail]
    if event.kind == Event.TRIAGED:
        return _PREPARATION if stage == _TRIAGE else stage
    begun = _BEGINS[event.kind]
    return begun if begun >= 0 else stage


@compiled
def _shows_that_triage_goes_on(event: EventRow) -> bool:
    """Return whether the event before, a triage, was one in the queue: the patient has yet to be triaged."""
    return (
        event.kind == Event.TRIAGED
        or event.kind == Event.DECONTAMINATION_STARTED
        or (event.kind == Event.WAITING and event.detail == Resource.TRIAGE_TEAM)
    )


@compiled
def _split(
    events: Table,
    first: int,
    until: int,
    surgery: int,
    start: int,
    injury: int,
    short: Ints,
    delay: Ints,
    at: Ints,
) -> None:
    """Split the time from an injury to the first operation by stage.

    Parameters
    ----------
    events, first, until
        The patient's events: rows `first` to `until` - 1.
    surgery, injury
        ms from the scenario's start.
    start
        The scenario's start, ms from a midnight.
    short
        See `_time_short_of_teams`; by facility - EN_ROUTE.
    delay
        Receives ms by stage.
    at
        Is increased by ms, by facility - EN_ROUTE and stage.
    """
    stage = _POINT_OF_INJURY
    place = AT_POI - EN_ROUTE
    since = injury
    is_triaged = False  # PREPARATION follows a triage, which may turn out to have been one in the queue
    for k in range(first, until):
        event: EventRow = events[k]
        if event.kind == Event.COMPLICATION:  # it changes neither place nor stage
            continue
        now = min(event.at, surgery)
        if is_triaged and _shows_that_triage_goes_on(event):
            stage = _TRIAGE
        if stage == DelayStage.TABLE:
            waited = _time_short_of_teams(short, place, start + now) - _time_short_of_teams(
                short, place, start + since
            )
            delay[DelayStage.TEAM] += waited
            at[place, DelayStage.TEAM] += waited
            since += waited
        delay[stage] += now - since
        at[place, stage] += now - since
        since = now
        if event.kind == Event.SURGERY_STARTED:
            return
        begun = _begun_by(event, stage)
        is_triaged = begun == _PREPARATION and event.kind == Event.TRIAGED
        stage = begun
        place = (EN_ROUTE if event.kind == Event.DEPARTED else event.facility) - EN_ROUTE


@compiled
def _count(delay: Ints, group: int, sums: Ints, counts: Ints) -> None:
    """Count the stages of one patient, `delay`, in a group."""
    for stage in range(TO_SURGERY + 1):
        sums[group, stage] += delay[stage]
        if stage < TO_SURGERY:
            counts[group, stage, cell_of(delay[stage])] += 1


@compiled_entry(PATIENT, EVENT, ("i8", 3), int, ("i8", 2), ("i8", 2), ("i8", 2), ("i8", 3))
def split_delays(
    patients: Table,
    events: Table,
    short: Ints,
    start: int,
    delays: Ints,
    by_place: Ints,
    sums: Ints,
    counts: Ints,
) -> None:
    """Split the time to surgery of each patient who was operated on, and count the stages.

    Parameters
    ----------
    patients, events
        Tables of a chunk.
    short, start
        See `_split`.
    delays
        Receives ms by patient and stage, the whole time in column TO_SURGERY; -1 without an operation.
    by_place
        Sums in ms by facility - EN_ROUTE and stage.
    sums
        Sums in ms by group and stage: all, true triage, front.
    counts
        Patients by group, stage (without the whole time) and cell of `engine.measures.histograms`.
    """
    first = 0
    for k in range(len(patients)):
        patient: PatientRow = patients[k]
        until = min(patient.event_end, len(events))
        if patient.surgery < 0:
            for stage in range(TO_SURGERY + 1):
                delays[k, stage] = -1
            first = until
            continue
        for stage in range(TO_SURGERY + 1):
            delays[k, stage] = 0
        _split(events, first, until, patient.surgery, start, patient.time, short, delays[k], by_place)
        delays[k, TO_SURGERY] = patient.surgery - patient.time
        _count(delays[k], 0, sums, counts)
        _count(delays[k], patient.triage, sums, counts)
        _count(delays[k], GROUPS + patient.front, sums, counts)
        first = until


class Delays:
    """The stages of the time to surgery, over the patients of one scenario who were operated on.

    Parameters
    ----------
    scenario
        The resolved scenario.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._fronts = [front.name for front in scenario.fronts]
        self._triage = (1, 2, 3, 4) if scenario.expectant else (1, 2, 3)  # true categories
        self._places = ["en route", "POI", *(facility.id for facility in scenario.facilities)]
        self._start = start_seconds(scenario) * 1000 % DAY
        self._short = _hours_short_of_teams(scenario)
        groups = GROUPS + len(self._fronts)
        self.by_place = np.zeros((len(self._places), TO_SURGERY), np.int64)
        self.sums = np.zeros((groups, TO_SURGERY + 1), np.int64)
        self.counts = np.zeros((groups, TO_SURGERY, CELLS), np.int64)
        self._longest = 0  # stage, ms
        self.whole = [Durations() for _ in range(groups)]
        self.blocking = Blocking(scenario)

    @property
    def to_surgery(self) -> Durations:
        """The times from injury to the first operation, of all who were operated on."""
        return self.whole[0]

    def add(self, chunk: Chunk) -> NDArray[np.int64]:
        """Count the patients of a chunk.

        Returns
        -------
        ms by patient and stage; the last column is the time from injury to the first operation. -1 for patients who
        were not operated on.
        """
        delays = np.empty((len(chunk), TO_SURGERY + 1), np.int64)
        split_delays(
            chunk.patients,
            chunk.events,
            self._short,
            self._start,
            delays,
            self.by_place,
            self.sums,
            self.counts,
        )
        self._longest = max(self._longest, int(delays[:, :TO_SURGERY].max(initial=0)))
        self._add_whole(chunk, delays[:, TO_SURGERY])
        self.blocking.add(chunk)
        return delays

    def _add_whole(self, chunk: Chunk, times: NDArray[np.int64]) -> None:
        """Count the whole times to surgery of a chunk by group; -1: none."""
        operated = times >= 0
        times = times[operated]
        if not len(times):
            return
        self.whole[0].add(times)
        for field, first in (("triage", 0), ("front", GROUPS)):
            groups = chunk.patients[field][operated].astype(np.int64)
            for group in np.unique(groups).tolist():
                self.whole[first + group].add(times[groups == group])

    def table(self, chunk: Chunk) -> Table:
        """Return the stages of the patients of a chunk: ms, a field for each stage and `to_surgery`."""
        names = [(name, "i8") for name in (*STAGES, "to_surgery")]
        return np.ascontiguousarray(self.add(chunk)).view(np.dtype(names))[:, 0]

    def merge(self, other: "Delays") -> None:
        """Add the counts of other patients of the same scenario."""
        self.by_place += other.by_place
        self.sums += other.sums
        self.counts += other.counts
        self._longest = max(self._longest, other._longest)
        for mine, theirs in zip(self.whole, other.whole, strict=True):
            mine.merge(theirs)
        self.blocking.merge(other.blocking)

    def summary(self) -> dict[str, Any]:
        """Return the stages in minutes, of all, by true triage category and by front, and their ranking."""
        return {
            **self._group(0),
            "by_triage": {TRIAGE[category]: self._group(category) for category in self._triage},
            "by_front": {name: self._group(GROUPS + k) for k, name in enumerate(self._fronts)},
            "ranking": self._ranking(),
            "blocked": self.blocking.summary(),
            "sentence": self._sentence(),
        }

    def _group(self, group: int) -> dict[str, Any]:
        """Return number of patients, and mean, median and 90th percentile of each stage and of the whole time."""
        whole = self.whole[group]
        patients = len(whole)
        counts = self.counts[group, :, : cells_up_to(self._longest)]
        found = [quantiles(each, _QUANTILES) for each in counts]
        found.append([whole.quantile(share) for share in _QUANTILES])
        stages = {}
        for stage, name in enumerate((*STAGES, "to_surgery")):
            median, p90 = found[stage]
            mean = _minutes(int(self.sums[group, stage]), patients)
            stages[name] = {"mean": mean, "median": median, "p90": p90}
        return {"patients": patients, "minutes": stages}

    def _ranking(self) -> list[dict[str, Any]]:
        """Return the longest stages by place: mean minutes over all who were operated on, and their share in %."""
        patients, whole = len(self.to_surgery), int(self.sums[0, TO_SURGERY])
        order = np.argsort(-self.by_place, axis=None, kind="stable")[:_LONGEST_RANKING]
        return [
            {
                "stage": STAGES[stage],
                "place": self._places[place],
                "mean_minutes": _minutes(total, patients),
                "percent": round(100.0 * total / whole, 2),
            }
            for place, stage in (divmod(int(k), TO_SURGERY) for k in order)
            if (total := int(self.by_place[place, stage]))
        ]

    def _sentence(self) -> str:
        """Return in plain words how late surgery comes, and what the largest part of the time is."""
        median = self.to_surgery.median()
        if median is None:
            return "Nobody was operated on."
        how_late = f"Surgery comes {median:,.0f} min (median) after injury"
        ranking = self._ranking()
        if not ranking:
            return f"{how_late}."
        largest = ranking[0]
        words = _WORDS[DelayStage(STAGES.index(largest["stage"]))]
        where = {"en route": "", "POI": "" if "point of injury" in words else " at the point of injury"}
        place = where.get(largest["place"], f" at {largest['place']}")
        return (
            f"{how_late}; the largest part is {words}{place}: {largest['mean_minutes']:,.0f} min on average "
            f"({largest['percent']:.0f} %).{self._blocked_note(largest)}"
        )

    def _blocked_note(self, largest: dict[str, Any]) -> str:
        """Return sentences on the blocked bays or tables that those in the largest stage wait for; empty: few are."""
        resource = _WAITS_FOR.get(largest["stage"])
        place = self.blocking.summary().get(largest["place"], {})
        note = ""
        while resource in place and place[resource]["percent_blocked"] >= BLOCKED_PERCENT:
            minutes = place[resource]["blocked_minutes"]
            waits = [
                f"{each / 60:,.0f} h by patients who waited for {_LABELS[awaited]}"
                for awaited, each in sorted(minutes.items(), key=lambda item: -item[1])
            ]
            note += (
                f" The {_LABELS[resource]} there were held {' and '.join(waits)}, "
                f"{place[resource]['percent_blocked']:.0f} % of their time in use."
            )
            resource = max(minutes, key=lambda awaited: minutes[awaited])
        return note and f"{note} More {_LABELS[_WAITS_FOR[largest['stage']]]} alone may not help."


def _hours_short_of_teams(scenario: Scenario) -> NDArray[np.int64]:
    """Return by facility - EN_ROUTE the parts of the day, ms, in which it has fewer teams than tables; 0, 0: none."""
    parts = [[], [], *(hours_short_of_teams(facility) for facility in scenario.facilities)]
    found = np.zeros((len(parts), max(len(part) for part in parts), 2), np.int64)
    for place, part in enumerate(parts):
        for k, bounds in enumerate(part):
            found[place, k] = bounds
    return found


def _minutes(milliseconds: int, patients: int) -> float | None:
    """Return the mean in minutes; None without patients."""
    return round(milliseconds / MINUTE / patients, 2) if patients else None
