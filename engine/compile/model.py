"""A scenario compiled to arrays: the one row of `flow.MODEL` that the kernel reads.

Constants come from `scenarios/data/model` and `scenarios/data/reference`, each with its source beside it there; what
a scenario sets replaces them. Everything that reaches a record is computed with + - * / sqrt and `numeric.elementary`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine import numeric
from engine.clinical import SAMPLE, triage_of_sample
from engine.codes import DrawPurpose
from engine.compile.injuries import compile_injuries, compile_people
from engine.compile.network import compile_care, compile_network, compile_transitions
from engine.compile.rows import STANDARD, triage_weights
from engine.compile.survival import compile_survival
from engine.compile.treatments import compile_treatments, compile_vital_signs
from engine.scenario import Scenario, incident_types
from engine.tables import MODEL, TYPES, Table

TILT_SAMPLE = 20_000
TILT_STEPS = 14


def triage_shares(model_of: Table, row: int) -> list[float]:
    """Shares of T1..T3 among the admitted battle casualties of warfare type `row`, from a fixed sample."""
    key = np.uint64(numeric.key(0, 0, "tilt"))
    counts = triage_of_sample(TILT_SAMPLE, row, key, model_of, np.zeros(1, SAMPLE))
    total = int(counts.sum())
    return [int(c) / total for c in counts]


def tilt(s: Scenario, m: Table) -> None:
    """Sets the mean of Z, within -1..1, so that the author's T1 share of battle casualties comes out."""
    wanted = triage_weights(s, "battle")
    if wanted is None or s.routing != "clock":
        return
    severity = m["injuries"]["severity"][0]
    for row in _type_rows(s).values():
        low, high = -1.0, 1.0
        for _ in range(TILT_STEPS):
            middle = 0.5 * (low + high)
            severity[row] = middle
            if triage_shares(m, row)[0] < wanted[0]:
                low = middle
            else:
                high = middle


def _type_rows(s: Scenario) -> dict[str, int]:
    """Row of the tables by the name of each warfare type that occurs."""
    found = {name: k for k, name in enumerate(incident_types(s)[:-1])}
    return found if s.warfare else {STANDARD: TYPES - 1, **found}


TABLE_BUILDERS: dict[str, Callable[[Scenario], Table]] = {
    "people": compile_people,
    "injuries": compile_injuries,
    "survival": compile_survival,
    "network": compile_network,
    "care": compile_care,
    "transitions": compile_transitions,
}
"""What makes each table of flow.MODEL."""

NOTHING: Mapping[str, Any] = {}


def compile_scenario(s: Scenario, seed: int, replication: int, made: Mapping[str, Any] = NOTHING) -> Table:
    """All tables of a run of a resolved scenario: one row of flow.MODEL.

    `made`: values that need not be made again, by kind of `engine.precomputed.cache_keys`.
    """
    m = np.zeros(1, MODEL)
    for name, compile_table in TABLE_BUILDERS.items():
        m[name] = made[name] if name in made else compile_table(s)
    m["treatments"] = compile_treatments()
    m["vital_signs"] = compile_vital_signs()
    m["keys"][0] = [numeric.key(seed, replication, purpose) for purpose in DrawPurpose.labels()]
    if "severity" in made:
        m["injuries"]["severity"][0] = made["severity"]
    else:
        tilt(s, m)
    return m


def tilted_severity(s: Scenario) -> Any:
    """The mean of Z by warfare type, shape (TYPES,), with which the author's T1 share comes out."""
    m = np.zeros(1, MODEL)
    m["injuries"] = compile_injuries(s)
    m["survival"] = compile_survival(s)
    tilt(s, m)
    return m["injuries"]["severity"][0].copy()


def battle_triage_report(s: Scenario) -> dict[str, list[float]]:
    """By warfare type: the shares of T1..T3 that come out among the admitted battle casualties."""
    m = compile_scenario(s, 0, 0)
    return {name: triage_shares(m, row) for name, row in _type_rows(s).items()}
