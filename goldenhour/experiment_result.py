"""The results of an experiment: its points, every replication, estimates and effects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, shown
from engine.experiments import (
    Difference,
    Effect,
    Estimate,
    ExperimentPlan,
    PointRow,
    Quantity,
    effects_table,
    encode_points,
    encode_results,
    estimates_table,
    points_table,
    results_table,
)
from engine.records import RunTable, encode_run_table, run_arrow_table
from engine.scenario import near_match
from goldenhour.packages import import_package
from goldenhour.result_html import table_html
from goldenhour.sentences import with_notes

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

Column = NDArray[np.float64]

TABLES = ("results", "points", "estimates", "effects")


@dataclass(frozen=True, eq=False)
class Experiment:
    """What the points of an experiment say, over replications with common random numbers.

    `to_arrow`, `to_pandas` and `to_polars` return one of its tables: results (every replication), points, estimates or
    effects, with the columns of the files of these names.
    """

    name: str
    """What it is called."""
    plan: ExperimentPlan
    """What was done, complete."""
    days: int
    """Days in which people are hurt, in the scenario that the points change."""
    factors: tuple[str, ...]
    """What the points have values of."""
    points: tuple[PointRow, ...]
    """The points of the design."""
    quantities: tuple[Quantity, ...]
    """What was measured."""
    results: dict[str, tuple[Column, ...]]
    """By measure, then by point: the value of each replication, shape (replications,); NaN without data."""
    estimates: tuple[Estimate, ...]
    """By measure, then by point."""
    effects: tuple[Effect, ...]
    """What the design is meant to find: effects of factors, or indices; empty for a list."""
    baseline: int | None
    """Number of the point that the others are compared with, if any."""
    precise: bool
    """Whether all half-widths that were asked for have been reached."""
    notes: tuple[str, ...]
    """What a reader of the intervals must know."""
    sentences: tuple[str, ...] = ()
    """What was found."""
    folder: Path | None = None
    """Where its files are, if they were written."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of what was measured."""
        return tuple(self.results)

    @property
    def confidence(self) -> float:
        """Confidence of the intervals."""
        return self.plan.results.confidence

    @property
    def seed(self) -> int:
        """Seed of the random draws, the same at all points."""
        return self.points[0].seed

    @property
    def replications(self) -> int:
        """Number of replications of all points together."""
        return sum(point.replications for point in self.points)

    def __len__(self) -> int:
        """Number of points."""
        return len(self.points)

    def __repr__(self) -> str:
        """The sentences and the notes."""
        return "\n".join(with_notes(self.sentences, self.notes))

    def _repr_html_(self) -> str:
        """What a notebook shows: the sentences, the notes and a table."""
        return table_html(with_notes(self.sentences, self.notes), self.table("estimates"))

    def estimate(self, measure: str, point: int | str = 0) -> Estimate:
        """Return what is known of a measure at a point, by its number or label. Raises InputError."""
        number = self._number(point)
        self._check_measure(measure)
        return next(each for each in self.estimates if each.measure == measure and each.point == number)

    def values(self, measure: str, point: int | str = 0) -> Column:
        """Return a measure by replication at a point, shape (replications,); NaN without data. Raises InputError."""
        number = self._number(point)
        self._check_measure(measure)
        return self.results[measure][number]

    def difference(self, estimate: Estimate) -> Difference | None:
        """Return how an estimate differs from that of the baseline; None without a comparison."""
        if self.baseline is None or estimate.difference is None:
            return None
        values = self.results[estimate.measure]
        pairs = min(len(values[self.baseline]), len(values[estimate.point]))
        base, own = values[self.baseline][:pairs], values[estimate.point][:pairs]
        there = ~np.isnan(own - base)
        count = max(1, int(there.sum()))
        return Difference(
            next(quantity for quantity in self.quantities if quantity.name == estimate.measure),
            estimate.point,
            self.estimate(estimate.measure, self.baseline).mean,
            estimate.mean,
            estimate.difference,
            float((own < base)[there].sum() / count),
            float((own == base)[there].sum() / count),
            estimate.pairing_gain,
        )

    def to_arrow(self, table: str = "results") -> "pyarrow.Table":
        """A table as a PyArrow table. Raises InputError if there is no such table, and NotInstalledError."""
        if table not in TABLES:
            raise InputError(f"table: got {shown(table)}; allowed: {', '.join(TABLES)}")
        import_package("pyarrow")
        if table == "results":
            return results_table(self.measures, self._blocks())
        if table == "points":
            return points_table(self.factors, self.points)
        found = self.table(table)
        return run_arrow_table(found.columns, found.values)

    def to_pandas(self, table: str = "results") -> "pandas.DataFrame":
        """A table as a pandas DataFrame. Raises InputError if there is no such table, and NotInstalledError."""
        import_package("pandas")
        return self.to_arrow(table).to_pandas()

    def to_polars(self, table: str = "results") -> "polars.DataFrame":
        """A table as a polars DataFrame. Raises InputError if there is no such table, and NotInstalledError."""
        return import_package("polars").from_arrow(self.to_arrow(table))

    def files(self, plan_text: str) -> Iterator[tuple[str, Iterable[bytes], int]]:
        """Yield the files of the experiment: name, content in pieces, and number of rows.

        `plan_text` is the content of experiment.toml.
        """
        rows = len(self.measures) * self.replications
        yield "results.parquet", encode_results(self.measures, self._blocks()), rows
        yield "points.parquet", [encode_points(self.factors, self.points)], len(self.points)
        for name in ("estimates", "effects") if self.effects else ("estimates",):
            table = self.table(name)
            yield f"{name}.csv", [bytes(encode_run_table(table, "csv", "none").data)], len(table)
        yield "experiment.toml", [plan_text.encode()], 0

    def table(self, name: str) -> RunTable:
        """The table estimates or effects, as its file has it."""
        if name == "effects":
            return effects_table(self.effects)
        labels = [point.label for point in self.points]
        return estimates_table(self.estimates, labels, self.plan.results.quantiles)

    def _blocks(self) -> Iterator[tuple[int, Column]]:
        """The points with their values, shape (replications, measures)."""
        for number in range(len(self.points)):
            yield number, np.column_stack([values[number] for values in self.results.values()])

    def _number(self, point: int | str) -> int:
        labels = [each.label for each in self.points]
        if isinstance(point, str) and point in labels:
            return labels.index(point)
        if isinstance(point, int) and not isinstance(point, bool) and 0 <= point < len(labels):
            return point
        near = near_match(point, labels) if isinstance(point, str) else None
        hint = f"; did you mean {near!r}?" if near else ""
        raise InputError(f"point: got {shown(point)}; allowed: 0 to {len(labels) - 1}, or a label{hint}")

    def _check_measure(self, measure: str) -> None:
        if measure not in self.results:
            near = near_match(measure, self.measures)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InputError(f"measure: got {shown(measure)}; allowed: {', '.join(self.measures[:20])}{hint}")
