"""The result of a sensitivity analysis: how far each answer moves with each assumption."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.experiments import Quantity, Swing, holds
from engine.inference import Interval
from engine.scenario import Assumption
from goldenhour.packages import import_package
from goldenhour.result_html import sensitivity_html
from goldenhour.sentences import sensitivity_sentence

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_COLUMNS = {
    **dict.fromkeys(("quantity", "assumption", "path", "tag"), "s"),
    **dict.fromkeys(("low", "high", "as_it_is", "at_low", "at_high"), "f"),
    **dict.fromkeys(("change_at_low_low", "change_at_low_high"), "f"),
    **dict.fromkeys(("change_at_high_low", "change_at_high_high", "width", "p_value"), "f"),
    "told_from_chance": "b",
}
"""Columns of the tables: text, number, or truth value. Those of an interval are its low and its high end."""


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How far each answer moves with each assumption."""

    labels: tuple[str, ...]
    """What the scenario is called; of two, the baseline first."""
    seed: int
    days: int
    replications: int
    """Of each point."""
    confidence: float
    quantities: tuple[Quantity, ...]
    assumptions: tuple[Assumption, ...]
    """Those that were varied."""
    answers: Mapping[str, Interval]
    """By quantity, the answer with all assumptions as they are: the mean, or that of the difference."""
    swings: Mapping[str, tuple[Swing, ...]]
    """By quantity, the assumptions, the widest swing first."""
    idle: tuple[str, ...]
    """Names of assumptions that do not matter to the scenario; they were not simulated."""

    @property
    def is_difference(self) -> bool:
        """Whether the answer is the difference of two scenarios."""
        return len(self.labels) == 2

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What was found, a sentence or two for each quantity."""
        return tuple(
            sensitivity_sentence(
                quantity,
                self.answers[quantity.name],
                self.swings[quantity.name],
                [one.name for one in self.assumptions],
                self.labels,
                self.days,
                self.confidence,
                self._holds(quantity),
            )
            for quantity in self.quantities
        )

    def _holds(self, quantity: Quantity) -> tuple[list[Swing], list[Swing]] | None:
        if not self.is_difference:
            return None
        return holds(self.answers[quantity.name], self.swings[quantity.name])

    def __repr__(self) -> str:
        """The sentences."""
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        """What a notebook shows: the sentences, and a table with a row for each assumption."""
        return sensitivity_html(self.sentences, self.rows())

    @property
    def estimates(self) -> Mapping[str, Interval]:
        """By quantity, the answer with all assumptions as they are: `answers`."""
        return self.answers

    def to_arrow(self) -> "pyarrow.Table":
        """A PyArrow table with a row for each quantity and assumption, the widest swing first.

        `low` and `high` are null where an assumption has several values. Raises NotInstalledError.
        """
        arrow = import_package("pyarrow")
        kinds = {"s": arrow.string(), "f": arrow.float64(), "b": arrow.bool_()}
        schema = arrow.schema([(name, kinds[kind]) for name, kind in _COLUMNS.items()])
        return arrow.Table.from_pylist([_flat(row) for row in self.rows()], schema)

    def to_pandas(self) -> "pandas.DataFrame":
        """The same as a pandas DataFrame. Raises NotInstalledError."""
        import_package("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> "polars.DataFrame":
        """The same as a polars DataFrame. Raises NotInstalledError."""
        return import_package("polars").from_arrow(self.to_arrow())

    def rows(self) -> list[dict[str, Any]]:
        """A row for each quantity and assumption, the widest swing first."""
        return [
            {
                "quantity": quantity.name,
                "assumption": self.assumptions[swing.assumption].name,
                "path": self.assumptions[swing.assumption].path,
                "tag": self.assumptions[swing.assumption].tag,
                "low": self.assumptions[swing.assumption].low,
                "high": self.assumptions[swing.assumption].high,
                "as_it_is": self.answers[quantity.name].estimate,
                "at_low": swing.at_low.estimate,
                "at_high": swing.at_high.estimate,
                "change_at_low": [swing.low.low, swing.low.high],
                "change_at_high": [swing.high.low, swing.high.high],
                "width": swing.width,
                "p_value": swing.p_value,
                "told_from_chance": swing.is_told(self.confidence),
            }
            for quantity in self.quantities
            for swing in self.swings[quantity.name]
        ]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `Sensitivity.rows` with the columns `_COLUMNS`."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name.startswith("change_"):
            found |= {f"{name}_low": _finite(value[0]), f"{name}_high": _finite(value[1])}
        elif _COLUMNS[name] == "f":
            found[name] = _finite(value)
        else:
            found[name] = value
    return found


def _finite(value: Any) -> float | None:
    """A number; None where there is none."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
