"""Compile the parameters of vital signs to the row that `engine.clinical.physiology` reads."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import SIGN_PATTERNS, TREATMENTS, SignPattern
from engine.compile.rows import filled_from
from engine.scenario import Scenario, model_constants
from engine.tables import CONDITION_ROWS, PATTERNS, VITAL_SIGN_PARAMETERS, Table
from scenarios import catalogue, tables

_SINGLE = ("by_triage", "spread", "source", "confidence", "onset_hours", "cold_coma")
"""Keys of the illnesses that do not go by pattern."""


def compile_vital_signs(scenario: Scenario) -> Table:
    """Return one row of VITAL_SIGN_PARAMETERS for a resolved scenario."""
    given = dict(model_constants(scenario, "vital_signs")["vital_signs"])
    treatments = given.pop("treatments")
    given["illness"] = {
        name: _padded(value, PATTERNS) if name not in _SINGLE else value
        for name, value in given["illness"].items()
    }
    minutes = dict(treatments["minutes"])
    given["rescue_minutes"] = minutes.pop("rescue")
    given["relief"] = _by_treatment(treatments["relief"], 0.0)
    given["relief_minutes"] = _by_treatment(minutes, 1.0)
    given["tubes"] = _by_treatment(treatments["tubes"], 0.0).astype(np.int64)
    given["analgesia"] = _by_treatment(treatments["analgesia"], 0.0)
    given["patterns"] = _patterns()
    given["full"] = int(scenario.detail == "full")
    given["taken"] = 1
    return filled_from(VITAL_SIGN_PARAMETERS, given)


def _padded(values: Sequence[float], length: int) -> NDArray[np.float64]:
    """Return the values, followed by zeros."""
    padded = np.zeros(length)
    padded[: len(values)] = values
    return padded


def _by_treatment(values: Mapping[str, Any], otherwise: float) -> NDArray[np.float64]:
    """Return the values of a table with labels of treatments as keys, by `Treatment`."""
    labels = {name: value for name, value in values.items() if name not in ("source", "confidence")}
    if unknown := set(labels) - set(TREATMENTS):
        raise ValueError(f"no such treatments: {sorted(unknown)}")
    return np.array([labels.get(name, otherwise) for name in TREATMENTS], np.float64)


@cache
def _patterns() -> NDArray[np.uint8]:
    """Return the `SignPattern` of each condition: that of the longest beginning of its code in the table."""
    table = {row["code"]: SIGN_PATTERNS.index(row["pattern"]) for row in tables.sign_patterns()}
    found = np.full(CONDITION_ROWS, SignPattern.NONE, np.uint8)
    for number, condition in enumerate(catalogue.conditions()):
        code = condition.code
        beginnings = (code[:length] for length in range(len(code), 0, -1))
        found[number] = next((table[part] for part in beginnings if part in table), SignPattern.NONE)
    return found
