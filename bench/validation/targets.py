"""Targets as data (`targets.toml`), the samples that they are measured on, and what was found."""

import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from bench.clinical.columns import Array, Column
from bench.clinical.records import FOLDER, CodeSets, Missing, Records
from bench.clinical.rules import Names, evaluated, planned
from bench.validation import measures
from bench.validation.samples import NOTHING, STATISTICS, Estimate
from engine.scenario import Scenario
from engine.tables import Chunk

FILE = Path(__file__).resolve().parent / "targets.toml"
MODULE = measures.__name__
"""Module whose values the expressions use besides those of the clinical rules; importing it registers them."""
Verdict = Literal["met", "missed", "explained", "not measured", "reported"]


class TargetError(ValueError):
    """A target is written wrongly."""


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published figure, and how records measure it; `targets.toml` describes the fields."""

    id: str
    quantity: str
    scenario: str
    statistic: str
    published: str
    source: str
    tag: str
    of: str = ""
    value: str = ""
    by: str = ""
    unit: str = "%"
    band: tuple[float, float] | None = None
    explained: str = ""
    needs: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A target with what was measured."""

    id: str
    quantity: str
    scenario: str
    published: str
    source: str
    measured: Estimate = NOTHING
    unit: str = "%"
    band: tuple[float, float] | None = None
    explained: str = ""
    needs: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met; a figure without a band is only reported."""
        if self.needs or math.isnan(self.measured.value):
            return "explained" if self.explained else "not measured"
        if self.band is None:
            return "reported"
        if self.band[0] <= self.measured.value <= self.band[1]:
            return "met"
        return "explained" if self.explained else "missed"


def load(path: Path = FILE) -> list[Target]:
    """Return all targets.

    Raises
    ------
    TargetError
        If an id occurs twice, a statistic is unknown, or a target neither is measured nor says what it needs.
    """
    targets = [msgspec.convert(row, Target) for row in tomllib.loads(path.read_text("utf-8"))["target"]]
    ids = [target.id for target in targets]
    for target in targets:
        if ids.count(target.id) > 1:
            raise TargetError(f"two targets are called {target.id}")
        if target.statistic not in STATISTICS:
            raise TargetError(
                f"{target.id}: no statistic {target.statistic!r}; there are {', '.join(STATISTICS)}"
            )
        if bool(target.needs) == bool(target.of and target.value):
            raise TargetError(f"{target.id}: give either `of` and `value`, or `needs`")
    return targets


class Samples:
    """The samples of all targets of one scenario, collected chunk by chunk."""

    def __init__(self, targets: Iterable[Target], scenario: Scenario) -> None:
        self.targets = [target for target in targets if not target.needs]
        self.scenario = scenario
        self.needs: dict[str, str] = {}
        """By id of a target: what the records lack."""
        self._parts: dict[str, list[Array]] = {target.id: [] for target in self.targets}
        self._sets = CodeSets(FOLDER / "sets.toml")
        self._planned = planned()

    def add(self, chunk: Chunk) -> None:
        """Collect the samples of a chunk."""
        if not len(chunk):
            return
        names = Names(Records(self.scenario, chunk, self._sets, self._planned))
        for target in self.targets:
            if target.id in self.needs:
                continue
            try:
                self._parts[target.id].append(_sample(target, names))
            except Missing as error:
                self.needs[target.id] = str(error)
            except Exception as error:
                raise TargetError(f"{target.id}: {type(error).__name__}: {error}") from error

    def sample(self, target: Target) -> Array:
        """Return the whole sample of a target."""
        parts = self._parts[target.id]
        return np.concatenate(parts) if parts else np.empty(0)


def _sample(target: Target, names: Names) -> Array:
    """Return the values of a target in the rows of its denominator; a second column for `by`."""
    of = evaluated(target.of, names)
    chosen = of.values.astype(bool)
    value = _on(of, evaluated(target.value, names))[chosen]
    if not target.by:
        return value if value.dtype == bool else value[~np.isnan(value)]
    by = _on(of, evaluated(target.by, names))[chosen].astype(np.float64)
    # The score comes first for an outcome, the group for a value.
    columns = (value, by) if target.statistic == "ROC area" else (by, value)
    table = np.stack([column.astype(np.float64) for column in columns], axis=1)
    return table[~np.isnan(table).any(axis=1)]


def _on(of: Column, value: Column) -> Array:
    """Return the values of a column for the rows of another; those of patients for the rows of each."""
    values = value.values if value.rows is of.rows else value.values[of.rows.patient]
    return values if values.dtype == bool else values.astype(np.float64)


def finding(target: Target, samples: dict[str, Samples]) -> Finding:
    """Return what was measured of a target; `samples` is by scenario."""
    needs, measured = target.needs, NOTHING
    if not needs:
        parts = [samples[name] for name in target.scenario.split("|")]
        needs = next((each.needs[target.id] for each in parts if target.id in each.needs), "")
        if not needs:
            measured = STATISTICS[target.statistic](_joined(target, parts))
    fields: dict[str, Any] = {
        name: getattr(target, name)
        for name in ("id", "quantity", "scenario", "published", "source", "unit", "band", "explained")
    }
    return Finding(**fields, measured=measured, needs=needs)


def _joined(target: Target, parts: list[Samples]) -> Array:
    """Return the sample of one scenario, or of two scenarios with their number as the group."""
    if len(parts) == 1:
        return parts[0].sample(target)
    rows = [
        np.stack([np.full(len(values), float(number)), values.astype(np.float64)], axis=1)
        for number, values in enumerate(part.sample(target) for part in parts)
    ]
    return np.concatenate(rows)
