"""Compile a scenario to arrays: the one row of MODEL that the kernel reads.

Constants come from `scenarios/data/model` and `scenarios/data/reference`, where each has its source. A scenario may
replace some of them. Everything that reaches a record is computed with + - * / sqrt and the functions of
`engine.numeric` (docs/model.md section 5.4).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import numeric
from engine.clinical import SAMPLE, triage_of_sample
from engine.codes import DrawPurpose
from engine.compile.injuries import compile_injuries
from engine.compile.listed import compile_listed
from engine.compile.network import compile_care, compile_network, compile_transitions
from engine.compile.people import compile_people
from engine.compile.rows import STANDARD, triage_weights
from engine.compile.survival import compile_survival
from engine.compile.treatments import compile_treatments, compile_vital_signs
from engine.scenario import Scenario, incident_types
from engine.tables import MODEL, TYPES, Table

FIT_SAMPLE = 20_000
"""Casualties in the sample by which the severity is fitted to an author's triage weights."""
FIT_STEPS = 14
"""Bisections of that fit."""

TABLE_BUILDERS: dict[str, Callable[[Scenario], Table]] = {
    "people": compile_people,
    "injuries": compile_injuries,
    "survival": compile_survival,
    "network": compile_network,
    "care": compile_care,
    "transitions": compile_transitions,
}
"""By field of MODEL that depends on the scenario: the function that compiles it."""

NOTHING: Mapping[str, Any] = {}
"""No precomputed values."""


def compile_scenario(
    scenario: Scenario, seed: int, replication: int, precomputed: Mapping[str, Any] = NOTHING
) -> Table:
    """Return all tables of a run of a resolved scenario: one row of MODEL.

    Parameters
    ----------
    precomputed
        Values that are not computed again, by kind of `engine.precomputed.cache_keys`.
    """
    model = np.zeros(1, MODEL)
    for name, compile_table in TABLE_BUILDERS.items():
        model[name] = precomputed[name] if name in precomputed else compile_table(scenario)
    model["treatments"] = compile_treatments()
    model["vital_signs"] = compile_vital_signs()
    model["keys"][0] = [numeric.key(seed, replication, purpose) for purpose in DrawPurpose.labels()]
    if "severity" in precomputed:
        model["injuries"]["severity"][0] = precomputed["severity"]
    else:
        fit_severity(scenario, model)
    if scenario.incidents:
        compile_listed(scenario, model, seed, replication)
    return model


def is_severity_fitted(scenario: Scenario) -> bool:
    """Return whether a resolved scenario has triage weights for battle casualties that `fit_severity` must meet."""
    return scenario.routing == "clock" and triage_weights(scenario, "battle") is not None


def fit_severity(scenario: Scenario, model: Table) -> None:
    """Set the mean of Z of each warfare type so that the author's share of T1 results (docs/model.md section 2.6.1).

    By bisection between -1 and 1 with a fixed sample. Without triage weights for battle casualties nothing changes.
    """
    wanted = triage_weights(scenario, "battle")
    if wanted is None or not is_severity_fitted(scenario):
        return
    severity = model["injuries"]["severity"][0]
    for row in _type_rows(scenario).values():
        low, high = -1.0, 1.0
        for _ in range(FIT_STEPS):
            middle = 0.5 * (low + high)
            severity[row] = middle
            if triage_shares(model, row)[0] < wanted[0]:
                low = middle
            else:
                high = middle


def triage_shares(model: Table, row: int) -> list[float]:
    """Return the shares of T1 to T3 among the admitted battle casualties of a warfare type, from a fixed sample."""
    key = numeric.key(0, 0, "tilt")
    counts = np.zeros(3, np.int64)
    triage_of_sample(FIT_SAMPLE, row, key, model, np.zeros(1, SAMPLE), counts)
    total = max(1, int(counts.sum()))  # nobody is admitted where all are killed at once
    return [int(count) / total for count in counts]


def _type_rows(scenario: Scenario) -> dict[str, int]:
    """Return the row of the tables by the name of each warfare type that occurs."""
    found = {name: row for row, name in enumerate(incident_types(scenario)[:-1])}
    return found if scenario.warfare else {STANDARD: TYPES - 1, **found}


def fitted_severity(scenario: Scenario) -> NDArray[np.float64]:
    """Return the mean of Z by warfare type, shape (TYPES,), that meets the author's share of T1."""
    model = np.zeros(1, MODEL)
    model["injuries"] = compile_injuries(scenario)
    model["survival"] = compile_survival(scenario)
    fit_severity(scenario, model)
    severity: NDArray[np.float64] = model["injuries"]["severity"][0].copy()
    return severity


def battle_triage_report(scenario: Scenario) -> dict[str, list[float]]:
    """Return the shares of T1 to T3 among the admitted battle casualties, by warfare type."""
    model = compile_scenario(scenario, 0, 0)
    return {name: triage_shares(model, row) for name, row in _type_rows(scenario).items()}
