"""Measures of patients: counts, times, and rates with their denominators. They can be added up over chunks and
replications.
"""

from typing import Any

import numpy as np

from engine.codes import CATEGORY_COUNT, DEATH_CAUSES, OUTCOMES, STREAMS, WAITING_FOR, Outcome, Stream
from engine.measures.consumption import Consumption, ConsumptionRates
from engine.measures.counted import (
    DAILY,
    DAY,
    GROUPS,
    LAST_DAY,
    ROLES,
    STANDARD,
    TIMES,
    ByRole,
    ByStream,
    Operation,
)
from engine.measures.counting import count_chunk
from engine.measures.delays import Delays
from engine.measures.durations import Durations
from engine.measures.histograms import CELLS, quantiles, shorter_than
from engine.measures.remains import Remains
from engine.scenario import Scenario, moment_text, start_seconds
from engine.tables import Chunk, Ints

NOTHING = "nothing"
"""In place of a label of WAITING_FOR: the patient died while being treated, and waited for nothing."""

DEATHS = (Outcome.KIA, Outcome.DOW, Outcome.DIED_NONBATTLE)
QUARTILES = (0.25, 0.5, 0.75, 0.9)
DEATH_HOURS = (0.5, 1, 2, 3, 6, 12, 24, 48, 96, 192)
"""Hours from the injury at which deaths are counted."""

_FIRST_DAYS = 64
"""Days for which a new `Measures` has room."""


class Measures:
    """Counts of patients of one scenario.

    Parameters
    ----------
    scenario
        The resolved scenario.
    rates
        Its `consumption_rates`, if they are known.
    """

    def __init__(self, scenario: Scenario, rates: ConsumptionRates | None = None) -> None:
        self._fronts = [f.name for f in scenario.fronts]
        self._places = ["en route", "POI", *(f.id for f in scenario.facilities)]  # by facility - EN_ROUTE
        self._roles = np.array([0, 0, *(f.role for f in scenario.facilities)], np.int64)  # by place
        self._triage = (1, 2, 3, 4) if scenario.expectant else (1, 2, 3)  # true categories
        self.patients = 0
        self.outcomes = np.zeros(
            (len(STREAMS), CATEGORY_COUNT, len(OUTCOMES)), np.int64
        )  # by stream, true triage, status
        self.by_front = np.zeros((len(self._fronts), len(OUTCOMES)), np.int64)
        self.by_stream = np.zeros((len(ByStream), len(STREAMS)), np.int64)
        self.times = {name: Durations() for name in TIMES}
        self.deaths = np.zeros((len(WAITING_FOR) + 1, len(self._places)), np.int64)  # last row: NOTHING
        self.causes = np.zeros((len(OUTCOMES), len(DEATH_CAUSES)), np.int64)
        self.death_times = np.zeros((len(OUTCOMES), CELLS), np.int64)
        self.severity = np.zeros((ROLES, len(ByRole)), np.int64)
        self.operations = np.zeros((len(self._places), len(Operation)), np.int64)
        groups = GROUPS + len(self._fronts)
        self.in_time = np.zeros((groups, 1 + len(STANDARD)), np.int64)
        self._start = start_seconds(scenario)
        self.last_closed = -1  # ms from the start
        self.delays = Delays(scenario)
        self.consumption = Consumption(scenario, rates)
        self.remains = Remains(scenario)
        self._days = 0
        self._daily = np.zeros((_FIRST_DAYS, len(DAILY), ROLES), np.int64)  # `_days` rows of it are in use
        self.later = np.zeros((len(DAILY), ROLES), np.int64)  # after LAST_DAY days

    @property
    def daily(self) -> Ints:
        """Counts by day, DAILY and role, for as many days as were needed."""
        return self._daily[: self._days]

    def add(self, chunk: Chunk) -> None:
        """Count the patients of a chunk."""
        self.patients += len(chunk)
        self.last_closed = max(self.last_closed, int(chunk.patients["closed"].max(initial=-1)))
        self.delays.add(chunk)
        self.consumption.add(chunk)
        self.remains.add(chunk)
        took = np.empty((len(TIMES), len(chunk)), np.int64)
        daily = np.empty(ROLES * len(chunk) + len(chunk.events) + len(chunk.treatments), np.int64)
        found = np.zeros(len(TIMES) + 1, np.int64)
        count_chunk(
            chunk.patients,
            chunk.events,
            chunk.treatments,
            self._roles,
            self.outcomes,
            self.by_front,
            self.by_stream,
            self.deaths,
            self.causes,
            self.death_times,
            self.severity,
            self.operations,
            self.in_time,
            took,
            daily,
            found,
        )
        *durations, cells = found.tolist()
        for times, row, count in zip(self.times.values(), took, durations, strict=True):
            times.add(row[:count])
        self._add_daily(daily[:cells])

    def _add_daily(self, cells: Ints) -> None:
        """Count events that are given by their cells, indices in an array by day, DAILY and role."""
        latest = int(cells.max(initial=-1)) // self.later.size
        if latest >= LAST_DAY:
            late = cells >= LAST_DAY * self.later.size
            np.add.at(self.later.reshape(-1), cells[late] % self.later.size, 1)
            self._add_daily(cells[~late])
            return
        self._extend_days(latest + 1)
        np.add.at(self._daily.reshape(-1), cells, 1)

    def _extend_days(self, days: int) -> None:
        """Extend the counts by day to at least so many days, with room for more."""
        self._days = max(self._days, days)
        missing = days - len(self._daily)
        if missing > 0:
            self._daily = np.pad(self._daily, ((0, max(missing, len(self._daily))), (0, 0), (0, 0)))

    def merge(self, other: "Measures") -> None:
        """Add the counts of another replication of the same scenario."""
        self.patients += other.patients
        self.outcomes += other.outcomes
        self.by_front += other.by_front
        self.by_stream += other.by_stream
        for name in TIMES:
            self.times[name].merge(other.times[name])
        self.deaths += other.deaths
        self.causes += other.causes
        self.death_times += other.death_times
        self.severity += other.severity
        self.operations += other.operations
        self.in_time += other.in_time
        self.last_closed = max(self.last_closed, other.last_closed)
        self.delays.merge(other.delays)
        self.consumption.merge(other.consumption)
        self.remains.merge(other.remains)
        self._extend_days(len(other.daily))
        self._daily[: len(other.daily)] += other.daily
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
                    "triage": {f"T{t}": int(self.outcomes[k, t].sum()) for t in self._triage},
                    "outcomes": dict(zip(OUTCOMES, self.outcomes[k].sum(axis=0).tolist(), strict=True)),
                }
                for k, stream in enumerate(STREAMS)
            },
            "triage": {f"T{t}": int(self.outcomes[:, t].sum()) for t in self._triage},
            "fronts": {
                name: {"patients": int(row.sum()), "outcomes": dict(zip(OUTCOMES, row.tolist(), strict=True))}
                for name, row in zip(self._fronts, self.by_front, strict=True)
            },
            "mortality": self._mortality(),
            "rtd_within_72h": dict(zip(STREAMS, self.by_stream[ByStream.RTD72].tolist(), strict=True)),
            "minutes_from_injury": {
                name: _time(name, times)
                for name, times in (*self.times.items(), ("surgery", self.delays.to_surgery))
            },
            "in_time": self._in_time(),
            "time_to_surgery": self.delays.summary(),
            "operations": self._operations(),
            "severity_by_role": self._severity(),
            "deaths": self._deaths(),
            "deaths_by_waiting_for": self._deaths_by_waiting_for(),
            "by_role": {what: self._by_role(k) for k, what in enumerate(DAILY)},
            "by_day": self._by_day(),
            "consumption": self.consumption.summary(),
            **self.remains.summary(),
            "last_outcome": self._last_outcome(),
        }

    def _last_outcome(self) -> dict[str, Any]:
        """Return when the last patient gets an outcome: the time, and days from the scenario's start."""
        if self.last_closed < 0:
            return {"at": None, "days": None}
        return {
            "at": moment_text(self._start + self.last_closed // 1000),
            "days": round(self.last_closed / DAY, 3),
        }

    def _in_time(self) -> dict[str, Any]:
        """Return the shares in time of all who were not killed instantly, of each true triage category and front."""
        found = [_in_time(row) for row in self.in_time.tolist()]
        return {
            **found[0],
            "by_triage": {f"T{t}": found[t] for t in self._triage},
            "by_front": dict(zip(self._fronts, found[GROUPS:], strict=True)),
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
                _role_name(role): back[:, role].tolist() for role in range(ROLES) if back[:, role].any()
            },
            "role4_arrivals": daily["arrivals"][:, 4].tolist(),
            **{
                what: daily[what].sum(axis=1).tolist()
                for what in ("litters", "seats", "transfusions", "operations")
            },
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
        back, arrived, arrived_back = self.by_stream
        casualties, rtd72 = int(battle.sum()), int(back[Stream.BATTLE])
        kia, dow = int(battle[Outcome.KIA]), int(battle[Outcome.DOW])
        seriously = casualties - rtd72
        admitted = int((arrived - arrived_back)[Stream.BATTLE])
        return {
            "battle_casualties": casualties,
            "kia": kia,
            "dow": dow,
            "wia": casualties - kia,
            "percent_dow_of_wia": _percent(dow, casualties - kia),
            "percent_kia": _percent(kia, seriously),
            "percent_kia_of": seriously,
            "percent_dow": _percent(dow, admitted),
            "percent_dow_of": admitted,
            "case_fatality_rate": _percent(kia + dow, casualties),
            "case_fatality_rate_of": casualties,
        }

    def _operations(self) -> dict[str, Any]:
        """Return the operations by kind, in all and by place, without those that are 0."""
        return {
            kind.name.lower(): {
                "operations": int(self.operations[:, kind].sum()),
                "by_place": {
                    place: n
                    for place, n in zip(self._places, self.operations[:, kind].tolist(), strict=True)
                    if n
                },
            }
            for kind in Operation
        }

    def _severity(self) -> dict[str, dict[str, Any]]:
        """Return mean ISS and NISS of the injured who reached each role, on first arrival; `injured`: of all."""
        return {
            "injured" if role == 0 else _role_name(role): {
                "patients": int(row[ByRole.INJURED]),
                "mean_iss": _mean(int(row[ByRole.ISS]), int(row[ByRole.INJURED])),
                "mean_niss": _mean(int(row[ByRole.NISS]), int(row[ByRole.INJURED])),
            }
            for role, row in enumerate(self.severity)
            if row[ByRole.INJURED]
        }

    def _deaths(self) -> dict[str, Any]:
        """Return the deaths by status: causes, quartiles of the time to death, and how many die within some hours.

        `within_hours` has the deaths within so many hours of the injury, added up; an instant death is one within 0 h.
        """
        return {
            OUTCOMES[status]: {
                "deaths": int(self.causes[status].sum()),
                "causes": {
                    cause: n for cause, n in zip(DEATH_CAUSES, self.causes[status].tolist(), strict=True) if n
                },
                "minutes": dict(
                    zip(("q25", "median", "q75", "q90"), quantiles(times, QUARTILES), strict=True)
                ),
                "within_hours": {"0": int(times[0])}
                | {f"{hours:g}": shorter_than(times, int(60 * hours)) for hours in DEATH_HOURS},
            }
            for status in DEATHS
            for times in (self.death_times[status],)
        }


def _time(name: str, times: Durations) -> dict[str, Any]:
    """Return the number of patients, the median in minutes and, where there is a standard, the share within it."""
    result: dict[str, Any] = {"patients": len(times), "median": times.median()}
    if name in STANDARD:
        result[f"percent_within_{STANDARD[name]}"] = _percent(times.below(STANDARD[name]), len(times))
    return result


def _in_time(row: list[int]) -> dict[str, Any]:
    """Return how many were not killed instantly, and which share of them got each care in time, from `in_time`."""
    alive, *counts = row
    return {"alive_at_first": alive} | {
        f"{name}_percent_within_{limit}": _percent(count, alive)
        for (name, limit), count in zip(STANDARD.items(), counts, strict=True)
    }


def _role_name(role: int) -> str:
    return f"role{role}" if role else "before_role1"


def _mean(total: int, count: int) -> float | None:
    return round(total / count, 2) if count else None


def _percent(part: int, whole: int) -> float | None:
    return round(100.0 * part / whole, 2) if whole else None
