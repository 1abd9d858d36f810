"""What a planner reads: counts, rates with their denominators and times, mergeable over chunks and replications."""

from typing import Any

import numpy as np

from engine.columns import DOW, KIA, NONE, RTD, STATUSES, STREAMS, Chunk, Table
from engine.scenario_structs import Scenario

MINUTE = 60_000
_MINUTES = 30 * 24 * 60
"""Times are counted by whole minutes up to 30 days; longer ones fall into the last cell."""

TIMES = {"first_care": "first_care", "role1": "role1", "role2": "role2", "surgery": "surgery"}
"""Measured times from the injury (for agents: exposure) -> column of PATIENT."""

SHARES = {"first_care": 10, "role2": 60, "surgery": 120}
"""The 10-1-2 standard: care within 10 minutes, Role 2 within 1 h, surgery within 2 h."""


class Measures:
    """Counts of one or more chunks of a scenario; `merge` adds those of another replication."""

    def __init__(self, scenario: Scenario) -> None:
        self._fronts = [f.name for f in scenario.fronts]
        self.patients = 0
        self.outcomes = np.zeros((len(STREAMS), 4, len(STATUSES)), np.int64)  # by stream, true triage, status
        self.by_front = np.zeros((len(self._fronts), len(STATUSES)), np.int64)
        self.rtd72 = np.zeros(len(STREAMS), np.int64)
        self.arrived = np.zeros(len(STREAMS), np.int64)  # at an MTF
        self.arrived_rtd72 = 0  # battle casualties
        self.times = {name: np.zeros(_MINUTES + 1, np.int64) for name in TIMES}

    def add(self, chunk: Chunk) -> None:
        """Counts the patients of a chunk."""
        p = chunk.patients
        self.patients += len(p)
        shape = self.outcomes.shape
        place = (p["stream"].astype(np.int64) * shape[1] + p["triage"]) * shape[2] + p["status"]
        self.outcomes += np.bincount(place, minlength=self.outcomes.size).reshape(shape)
        place = p["front"].astype(np.int64) * len(STATUSES) + p["status"]
        self.by_front += np.bincount(place, minlength=self.by_front.size).reshape(self.by_front.shape)
        back = p["rtd72"] == 1
        self.rtd72 += np.bincount(p["stream"][back], minlength=len(STREAMS))
        reached = np.maximum.reduce([p[f"role{r}"] for r in (1, 2, 3, 4)]) >= 0
        self.arrived += np.bincount(p["stream"][reached], minlength=len(STREAMS))
        self.arrived_rtd72 += int(np.count_nonzero(reached & back & (p["stream"] == 0)))
        for name, column in TIMES.items():
            self.times[name] += _minutes(p, column)

    def merge(self, other: "Measures") -> None:
        """Adds the counts of another replication of the same scenario."""
        self.patients += other.patients
        self.outcomes += other.outcomes
        self.by_front += other.by_front
        self.rtd72 += other.rtd72
        self.arrived += other.arrived
        self.arrived_rtd72 += other.arrived_rtd72
        for name in TIMES:
            self.times[name] += other.times[name]

    def summary(self) -> dict[str, Any]:
        """The measures as plain numbers, ready for JSON; rates are None where the denominator is 0."""
        by_status = self.outcomes.sum(axis=(0, 1))
        return {
            "patients": self.patients,
            "outcomes": dict(zip(STATUSES, by_status.tolist(), strict=True)),
            "categories": {
                stream: {
                    "patients": int(self.outcomes[k].sum()),
                    "triage": {f"T{t}": int(self.outcomes[k, t].sum()) for t in (1, 2, 3)},
                    "outcomes": dict(zip(STATUSES, self.outcomes[k].sum(axis=0).tolist(), strict=True)),
                }
                for k, stream in enumerate(STREAMS)
            },
            "triage": {f"T{t}": int(self.outcomes[:, t].sum()) for t in (1, 2, 3)},
            "fronts": {
                name: {"patients": int(row.sum()), "outcomes": dict(zip(STATUSES, row.tolist(), strict=True))}
                for name, row in zip(self._fronts, self.by_front, strict=True)
            },
            "mortality": self._holcomb(),
            "rtd_within_72h": dict(zip(STREAMS, self.rtd72.tolist(), strict=True)),
            "minutes_from_injury": {name: self._time(name) for name in TIMES},
        }

    def _holcomb(self) -> dict[str, Any]:
        """%KIA, %DOW and CFR of battle casualties with their denominators (Holcomb et al., J Trauma 2006;60:397)."""
        battle = self.outcomes[0].sum(axis=0)
        casualties, rtd72 = int(battle.sum()), int(self.rtd72[0])
        kia, dow = int(battle[KIA]), int(battle[DOW])
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
        """Number, median minutes and, where there is a standard, the share within it."""
        counts = self.times[name]
        total = int(counts.sum())
        result: dict[str, Any] = {"patients": total, "median": None}
        if total:
            reached = np.cumsum(counts)
            cell = int(np.searchsorted(reached, 0.5 * total))
            before = int(reached[cell - 1]) if cell else 0
            result["median"] = round(cell + (0.5 * total - before) / int(counts[cell]), 1)
        if name in SHARES:
            within = int(counts[: SHARES[name]].sum())
            result[f"percent_within_{SHARES[name]}"] = _percent(within, total)
        return result


def _minutes(p: Table, column: str) -> Any:
    """Counts by whole minute from the injury to `column`, of those who got there; shape (_MINUTES + 1,)."""
    reached = p[column] >= 0
    minutes = (p[column][reached] - p["time"][reached]) // MINUTE
    return np.bincount(np.minimum(minutes, _MINUTES), minlength=_MINUTES + 1)


def _percent(part: int, whole: int) -> float | None:
    return round(100.0 * part / whole, 2) if whole else None


__all__ = ["NONE", "RTD", "Measures"]
