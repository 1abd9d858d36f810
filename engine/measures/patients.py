"""Measures of patients: counts, times, and rates with their denominators. They can be added up over chunks and
replications.
"""

from typing import Any

import numpy as np

from engine.codes import EN_ROUTE, EVENTS, OUTCOMES, STREAMS, TREATMENTS, WAITING_FOR, Outcome
from engine.measures.durations import Durations
from engine.scenario import Scenario
from engine.tables import Chunk, Table

DAY = 86_400_000

TIMES = {"first_care": "first_care", "role1": "role1", "role2": "role2", "surgery": "surgery"}
"""By time that is measured, from the injury (for agents the exposure): its column of PATIENT."""

SHARES = {"first_care": 10, "role2": 60, "surgery": 120}
"""The 10-1-2 standard, in minutes: care within 10 minutes, Role 2 within 1 hour, surgery within 2 hours."""

DAILY = ("arrivals", "returned_to_duty", "litters", "seats", "transfusions")
"""What is counted by day and role: first arrivals at a facility of the role, returns to duty from it, departures of
patients who need a litter and of those who can sit, and transfusions there. Role 0 is everything before Role 1: the
point of injury, staging units and the way between facilities."""

LITTER_TRIAGE = (1, 2)
"""True triage categories that need a litter; T3 can sit (a planning assumption, as in `engine.kernel.vehicles`)."""

LAST_DAY = 50_000
"""Days that are counted one by one. What happens after them is counted by role only, in `Measures.later`."""

NOTHING = "nothing"
"""In place of a label of WAITING_FOR: the patient died while being treated, and waited for nothing."""

_ROLES = 5
_DEAD = np.isin(np.arange(256), (Outcome.KIA, Outcome.DOW, Outcome.DIED_NONBATTLE))  # by status
_LITTER = np.isin(np.arange(256), LITTER_TRIAGE)  # by triage category
_DEPARTED, _TRANSFUSION = EVENTS.index("departed"), TREATMENTS.index("blood_transfusion")


class Measures:
    """Counts of patients of one scenario.

    Parameters
    ----------
    scenario
        The resolved scenario.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._fronts = [f.name for f in scenario.fronts]
        self._places = ["en route", "POI", *(f.id for f in scenario.facilities)]  # by facility - EN_ROUTE
        self._roles = np.array([0, 0, *(f.role for f in scenario.facilities)], np.int64)  # by place
        self.patients = 0
        self.outcomes = np.zeros((len(STREAMS), 4, len(OUTCOMES)), np.int64)  # by stream, true triage, status
        self.by_front = np.zeros((len(self._fronts), len(OUTCOMES)), np.int64)
        self.rtd72 = np.zeros(len(STREAMS), np.int64)
        self.arrived = np.zeros(len(STREAMS), np.int64)  # at an MTF
        self.arrived_rtd72 = 0  # battle casualties
        self.times = {name: Durations() for name in TIMES}
        self.deaths = np.zeros((len(WAITING_FOR) + 1, len(self._places)), np.int64)  # last row: NOTHING
        self.daily = np.zeros((0, len(DAILY), _ROLES), np.int64)  # as many days as were needed
        self.later = np.zeros((len(DAILY), _ROLES), np.int64)  # after LAST_DAY days

    def add(self, chunk: Chunk) -> None:
        """Count the patients of a chunk."""
        patients = chunk.patients
        self.patients += len(patients)
        shape = self.outcomes.shape
        stream = patients["stream"].astype(np.int64)
        cell = (stream * shape[1] + patients["triage"]) * shape[2] + patients["status"]
        self.outcomes += np.bincount(cell, minlength=self.outcomes.size).reshape(shape)
        cell = patients["front"].astype(np.int64) * len(OUTCOMES) + patients["status"]
        self.by_front += np.bincount(cell, minlength=self.by_front.size).reshape(self.by_front.shape)
        back = patients["rtd72"] == 1
        self.rtd72 += np.bincount(patients["stream"][back], minlength=len(STREAMS))
        reached = np.maximum.reduce([patients[f"role{r}"] for r in (1, 2, 3, 4)]) >= 0
        self.arrived += np.bincount(patients["stream"][reached], minlength=len(STREAMS))
        self.arrived_rtd72 += int(np.count_nonzero(reached & back & (patients["stream"] == 0)))
        for name, column in TIMES.items():
            took = patients[column] - patients["time"]
            self.times[name].add(took[patients[column] >= 0])
        self._add_deaths(patients)
        self._add_days(chunk)

    def _add_deaths(self, patients: Table) -> None:
        dead = np.flatnonzero(_DEAD[patients["status"]])
        waited = np.minimum(patients["waiting_for"][dead], len(WAITING_FOR)).astype(np.int64)
        cell = waited * len(self._places) + patients["facility"][dead] - EN_ROUTE
        self.deaths += np.bincount(cell, minlength=self.deaths.size).reshape(self.deaths.shape)

    def _add_days(self, chunk: Chunk) -> None:
        patients, events, treatments = chunk.patients, chunk.events, chunk.treatments
        for role in range(1, _ROLES):
            at = patients[f"role{role}"]
            self._count("arrivals", at[at >= 0], role)
        back = np.flatnonzero(patients["status"] == Outcome.RTD)
        self._count("returned_to_duty", patients["closed"][back], self._role_of(patients, back))
        left = np.flatnonzero(events["kind"] == _DEPARTED)
        lying = _LITTER[patients["triage"][events["patient"][left]]]
        for what, rows in (("litters", left[lying]), ("seats", left[~lying])):
            self._count(what, events["at"][rows], self._role_of(events, rows))
        given = np.flatnonzero(treatments["kind"] == _TRANSFUSION)
        self._count("transfusions", treatments["start"][given], self._role_of(treatments, given))

    def _role_of(self, table: Table, rows: Any) -> Any:
        """Return the role of the rows' facilities, 0 before Role 1."""
        return self._roles[table["facility"][rows] - EN_ROUTE]

    def _count(self, what: str, at: Any, role: Any) -> None:
        """Count events at times `at` (ms) by day and by role: one role for all, or an array."""
        if len(at) == 0:
            return
        day = at // DAY
        if day.max() >= LAST_DAY:
            self._count_later(what, day, role)
            return
        self._extend_days(int(day.max()) + 1)
        found = np.bincount(day * _ROLES + role, minlength=len(self.daily) * _ROLES)
        self.daily[:, DAILY.index(what)] += found.reshape(-1, _ROLES)

    def _count_later(self, what: str, day: Any, role: Any) -> None:
        """Count events of which some are after LAST_DAY days: these by role alone."""
        roles = np.broadcast_to(role, day.shape)
        late = day >= LAST_DAY
        self.later[DAILY.index(what)] += np.bincount(roles[late], minlength=_ROLES)
        self._count(what, day[~late] * DAY, roles[~late])

    def _extend_days(self, days: int) -> None:
        """Extend the counts by day to at least so many days."""
        missing = days - len(self.daily)
        if missing > 0:
            self.daily = np.pad(self.daily, ((0, missing), (0, 0), (0, 0)))

    def merge(self, other: "Measures") -> None:
        """Add the counts of another replication of the same scenario."""
        self.patients += other.patients
        self.outcomes += other.outcomes
        self.by_front += other.by_front
        self.rtd72 += other.rtd72
        self.arrived += other.arrived
        self.arrived_rtd72 += other.arrived_rtd72
        for name in TIMES:
            self.times[name].merge(other.times[name])
        self.deaths += other.deaths
        self._extend_days(len(other.daily))
        self.daily[: len(other.daily)] += other.daily
        self.later += other.later

    def summary(self) -> dict[str, Any]:
        """Return the measures as plain numbers, ready for JSON. Rates are None where the denominator is 0."""
        by_status = self.outcomes.sum(axis=(0, 1))
        return {
            "patients": self.patients,
            "outcomes": dict(zip(OUTCOMES, by_status.tolist(), strict=True)),
            "categories": {
                stream: {
                    "patients": int(self.outcomes[k].sum()),
                    "triage": {f"T{t}": int(self.outcomes[k, t].sum()) for t in (1, 2, 3)},
                    "outcomes": dict(zip(OUTCOMES, self.outcomes[k].sum(axis=0).tolist(), strict=True)),
                }
                for k, stream in enumerate(STREAMS)
            },
            "triage": {f"T{t}": int(self.outcomes[:, t].sum()) for t in (1, 2, 3)},
            "fronts": {
                name: {"patients": int(row.sum()), "outcomes": dict(zip(OUTCOMES, row.tolist(), strict=True))}
                for name, row in zip(self._fronts, self.by_front, strict=True)
            },
            "mortality": self._mortality(),
            "rtd_within_72h": dict(zip(STREAMS, self.rtd72.tolist(), strict=True)),
            "minutes_from_injury": {name: self._time(name) for name in TIMES},
            "deaths_by_waiting_for": self._deaths_by_waiting_for(),
            "by_role": {what: self._by_role(k) for k, what in enumerate(DAILY)},
            "by_day": self._by_day(),
        }

    def _deaths_by_waiting_for(self) -> dict[str, dict[str, int]]:
        """Return deaths by what the patient was waiting for and by place, without those that are 0."""
        return {
            what: {place: int(n) for place, n in zip(self._places, row, strict=True) if n}
            for what, row in zip((*WAITING_FOR, NOTHING), self.deaths, strict=True)
            if row.any()
        }

    def _by_role(self, what: int) -> dict[str, int]:
        """Return totals by role, without those that are 0."""
        totals = (self.daily[:, what].sum(axis=0) + self.later[what]).tolist()
        return {_role_name(role): n for role, n in enumerate(totals) if n}

    def _by_day(self) -> dict[str, Any]:
        """Return counts by day from the scenario's first day on: returns to duty by role, the others for all roles.

        `later`: totals of what was counted after LAST_DAY days, if anything was.
        """
        daily = {what: self.daily[:, k] for k, what in enumerate(DAILY)}
        back = daily["returned_to_duty"]
        return {
            "returned_to_duty": {
                _role_name(role): back[:, role].tolist() for role in range(_ROLES) if back[:, role].any()
            },
            "role4_arrivals": daily["arrivals"][:, 4].tolist(),
            **{what: daily[what].sum(axis=1).tolist() for what in ("litters", "seats", "transfusions")},
            **(
                {"later": dict(zip(DAILY, self.later.sum(axis=1).tolist(), strict=True))}
                if self.later.any()
                else {}
            ),
        }

    def _mortality(self) -> dict[str, Any]:
        """Return %KIA, %DOW and CFR of battle casualties with their denominators.

        Definitions: Holcomb et al., J Trauma 2006;60:397.
        """
        battle = self.outcomes[0].sum(axis=0)
        casualties, rtd72 = int(battle.sum()), int(self.rtd72[0])
        kia, dow = int(battle[Outcome.KIA]), int(battle[Outcome.DOW])
        seriously = casualties - rtd72
        admitted = int(self.arrived[0]) - self.arrived_rtd72
        return {
            "battle_casualties": casualties,
            "kia": kia,
            "dow": dow,
            "percent_kia": _percent(kia, seriously),
            "percent_kia_of": seriously,
            "percent_dow": _percent(dow, admitted),
            "percent_dow_of": admitted,
            "case_fatality_rate": _percent(kia + dow, casualties),
            "case_fatality_rate_of": casualties,
        }

    def _time(self, name: str) -> dict[str, Any]:
        """Return the number of patients, the median in minutes and, where there is a standard, the share within it."""
        times = self.times[name]
        result: dict[str, Any] = {"patients": len(times), "median": times.median()}
        if name in SHARES:
            result[f"percent_within_{SHARES[name]}"] = _percent(times.below(SHARES[name]), len(times))
        return result


def _role_name(role: int) -> str:
    return f"role{role}" if role else "before_role1"


def _percent(part: int, whole: int) -> float | None:
    return round(100.0 * part / whole, 2) if whole else None
