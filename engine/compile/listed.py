"""Compile what listed casualties are given to the table of `engine.clinical.listed` (docs/model.md section 2.3.6)."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrivals import listed_arrivals, plan_listed
from engine.clinical import SAMPLE, iss_of_listed
from engine.codes import CASUALTY_KINDS, MECHANISMS, NONE, REGIONS, SEXES
from engine.compile.listed_deaths import ListedDeaths, meet_deaths
from engine.compile.rows import STANDARD
from engine.compile.survival import HIGHEST_NISS
from engine.scenario import (
    Incident,
    ListedRow,
    Scenario,
    entries_of,
    heaviest_type,
    listed_rows,
    listed_units,
    mechanisms_of,
    model_constants,
    unnamed_categories,
)
from engine.tables import Table
from scenarios import catalogue

LOWEST_SHIFT, HIGHEST_SHIFT = -8.0, 8.0
"""Bounds of the shift of the latent severity by which a mean ISS is sought."""
ISS_STEPS = 40
"""Bisections of that search."""


def has_mean_iss(scenario: Scenario) -> bool:
    """Return whether a row of the list gives a mean ISS, for which `fit_mean_iss` has to find the severity."""
    return any(incident.mean_iss is not None for incident in scenario.incidents)


def compile_listed(scenario: Scenario, model: Table, seed: int, replication: int) -> list[ListedDeaths]:
    """Fill `model["listed"]` for a resolved scenario, and meet the given mean ISS and the share that dies untreated.

    The other tables are filled. Returned is the share that is reached, by group of rows that are given a severity or
    triage; nothing where the scenario asks for no share.
    """
    plan = plan_listed(scenario, 0)
    rows = listed_rows(scenario)
    order = np.argsort(plan["key"])
    table = model["listed"][0]
    table["count"] = len(rows)
    table["cells"][: len(rows)] = plan["key"][order]
    _Writer(scenario, table).write([rows[k] for k in order])
    niss = {}
    for place, k in enumerate(order):
        mean = rows[k].incident.mean_iss
        if mean is not None:
            arrivals = listed_arrivals(plan[k : k + 1], seed, replication)
            niss[place] = fit_mean_iss(mean, place, arrivals, model)
    return meet_deaths(scenario, model, [rows[k] for k in order], niss)


def fit_mean_iss(mean: float, place: int, arrivals: Table, model: Table) -> NDArray[np.int64]:
    """Set the severity of a row of the list so that the mean ISS of its casualties is as near to `mean` as it can be.

    Returned are the numbers of these casualties by NISS, without those killed at once.

    By bisection with the draws of the run itself: the mean never falls as the severity rises.
    """
    low, high = LOWEST_SHIFT, HIGHEST_SHIFT
    for _ in range(ISS_STEPS):
        middle = 0.5 * (low + high)
        if _mean_iss(middle, place, arrivals, model)[0] < mean:
            low = middle
        else:
            high = middle
    best = min((low, high), key=lambda shift: abs(_mean_iss(shift, place, arrivals, model)[0] - mean))
    return _mean_iss(best, place, arrivals, model)[1]


def _mean_iss(shift: float, place: int, arrivals: Table, model: Table) -> tuple[float, NDArray[np.int64]]:
    """Return mean ISS and number by NISS of a row's casualties with this shift, without those killed at once."""
    model["listed"]["severity"][0, place] = shift
    sums = np.zeros(2, np.int64)
    niss = np.zeros(HIGHEST_NISS + 1, np.int64)
    iss_of_listed(arrivals, place, model, np.zeros(1, SAMPLE), sums, niss)
    return (float(sums[0]) / float(sums[1]) if sums[1] else 0.0), niss


def _bits(categories: Sequence[str]) -> int:
    """Return the bits of triage categories, T1 the second lowest."""
    return sum(1 << int(category[1]) for category in categories)


class _Writer:
    """Writes rows of the list into the table."""

    def __init__(self, scenario: Scenario, table: Any) -> None:
        self.scenario = scenario
        self.table = table
        self.nations = {nation.code: number for number, nation in enumerate(catalogue.nations())}
        self.units: dict[str, list[str]] = {}
        self.conditions: dict[tuple[Any, ...], int] = {}
        self.used = 0
        types = model_constants(scenario, "casualties")["types"]
        self.mechanisms: dict[Any, float] = (
            scenario.survival.mechanisms or types[heaviest_type(scenario) or STANDARD]["mechanisms"]
        )

    def write(self, rows: list[ListedRow]) -> None:
        """Write all rows."""
        for place, row in enumerate(rows):
            self._write_row(place, row)

    def _write_row(self, place: int, row: ListedRow) -> None:
        incident, table = row.incident, self.table
        table["nation"][place] = -1 if incident.nation is None else self.nations[incident.nation]
        table["unit"][place] = -1 if incident.unit is None else self._units(row.front).index(incident.unit)
        table["categories"][place] = list(accumulate(row.categories or (0, 0, 0)))
        table["mechanism"][place] = NONE
        if incident.mechanism is not None:
            table["mechanism"][place] = MECHANISMS.index(incident.mechanism)
        table["kind"][place] = table["sex"][place] = NONE
        table["may_kill"][place] = 1
        table["odds"][place] = table["life"][place] = 1.0
        table["fitting"][place] = 0
        if row.categories is not None and sum(row.categories) < row.number:
            table["fitting"][place] = _bits(unnamed_categories(incident))
        if incident.conditions is not None:
            self._write_conditions(place, incident, incident.conditions)

    def _share(self, mechanism: str) -> float:
        """Return the share of a mechanism among the casualties of the scenario's heaviest type."""
        return float(self.mechanisms.get(mechanism, 0.0))

    def _units(self, front: str) -> list[str]:
        """Return the names of a front's units, those that the list adds last."""
        if front not in self.units:
            known = catalogue.units(front)
            self.units[front] = [*known, *listed_units(self.scenario, front, known)]
        return self.units[front]

    def _write_conditions(self, place: int, incident: Incident, codes: list[str]) -> None:
        table, conditions = self.table, catalogue.conditions()
        if incident.stream == "battle" and incident.mechanism != "cbrn":
            mechanism: str = incident.mechanism or max(mechanisms_of(incident), key=self._share)
            table["mechanism"][place] = MECHANISMS.index(mechanism)
            found = [
                [n for n in entries_of(incident, code) if mechanism in conditions[n].mechanisms]
                for code in codes
            ]
            sexes = [conditions[n].sex for numbers in found for n in numbers]
            table["sex"][place] = next((SEXES.index(sex) for sex in sexes if sex), NONE)
        else:
            found = [entries_of(incident, code) for code in codes]
            condition = conditions[found[0][0]]
            table["kind"][place] = CASUALTY_KINDS.index(condition.use)
            table["sex"][place] = NONE if condition.sex is None else SEXES.index(condition.sex)
            entries = [conditions[number] for number in found[0]]
            table["may_kill"][place] = condition.use == "agent" or any(one.lethal for one in entries)
            fitting = _bits(sorted({category for one in entries for category in one.categories}))
            table["fitting"][place] = fitting & int(table["fitting"][place]) or fitting
        table["first"][place], table["conditions"][place] = self._conditions(found), len(found)

    def _conditions(self, found: list[list[int]]) -> int:
        """Return the first entry of these conditions, each of which has one or several entries of the catalogue."""
        content = tuple(map(tuple, found))
        if content not in self.conditions:
            self.conditions[content] = self.used
            for numbers in found:
                entries = [catalogue.conditions()[number] for number in numbers]
                self.table["condition"][self.used] = numbers[0]
                if entries[0].regions:
                    self.table["region"][self.used] = REGIONS.index(entries[0].regions[0])
                low, high = min(entry.ais_low for entry in entries), max(entry.ais_high for entry in entries)
                self.table["ais"][self.used] = low, high
                self.used += 1
        return self.conditions[content]
