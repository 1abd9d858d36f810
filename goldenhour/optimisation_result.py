"""The result of an optimisation: what was found, and the points that were looked at."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.experiments import (
    Bottleneck,
    OptimisationPlan,
    PointRow,
    Quantity,
    difference_of,
    encode_points,
    encode_results,
    larger_is_better,
    table_of,
)
from engine.inference import Interval
from engine.records import encode_run_table
from goldenhour.packages import import_package
from goldenhour.result_html import rows_html
from goldenhour.sentences import with_notes

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


ESTIMATE_COLUMNS = (
    "point",
    "label",
    "cost",
    "measure",
    "constraint",
    "value",
    "low",
    "high",
    "missing",
    "decision",
    "by",
    "replications",
)
"""Columns of `Optimisation.rows` and of estimates.csv. `value` is that of `PointOutcome.intervals`."""


class PointOutcome(NamedTuple):
    """A point that was simulated."""

    number: int
    """In the design, from 0."""
    label: str
    values: tuple[Any, ...]
    """Of the factors, in the order of `Optimisation.factors`."""
    cost: float
    intervals: tuple[Interval, ...]
    """By constraint: of the share of replications that keep the limit, or of the mean; else of the mean objective."""
    decision: str
    """Cheapest: meets, fails, too close, not needed. Best: best, dropped, equal, not decided. Front: on the front,
    dominated, not worth it, not decided."""
    by: str | None
    """The label of a point that is better."""
    replications: int


class SimulatedPoint(NamedTuple):
    """A point with its replications."""

    outcome: PointOutcome
    scenario_hash: str
    """SHA-256 (hex) of its scenario."""
    values: NDArray[np.float64]
    """Of each quantity, shape (replications, quantities); NaN without data."""


@dataclass(frozen=True, eq=False)
class Optimisation:
    """What a search has found.

    `to_arrow`, `to_pandas` and `to_polars` return the points that were looked at, a row for each and measure.
    """

    name: str
    plan: OptimisationPlan
    """What was asked."""
    seed: int
    """Seed of the random draws, the same at all points."""
    days: int
    """Days in which people are hurt, in the scenario that the points change."""
    factors: tuple[str, ...]
    """What the points have values of."""
    quantities: tuple[Quantity, ...]
    """By constraint, or the objective."""
    size: int
    """Points among which was searched."""
    points: tuple[PointOutcome, ...]
    """Those that were simulated, cheaper ones first."""
    decided: bool
    """Whether the answer has the confidence that was asked for; if not, some points were not decided."""
    notes: tuple[str, ...]
    """What a reader of the answer must know."""
    best_number: int | None = None
    """Number of the point that was found; None for a front, or if there is none."""
    undecided_numbers: tuple[int, ...] = ()
    """Numbers of the points that could not be decided."""
    constant_numbers: tuple[int, ...] = ()
    """Numbers of the points that were decided by results, or by differences from another point, that were the same in
    all replications. The confidence is then only that others are rare, not that they are small."""
    largest_number: int | None = None
    """Number of the most expensive point, if none meets the constraints."""
    bottleneck: Bottleneck | None = None
    """What limits the network at that point."""
    sentences: tuple[str, ...] = ()
    """What was found."""
    folder: Path | None = None
    """Where its files are, if they were written."""

    @property
    def goal(self) -> str:
        """cheapest, best or front."""
        return self.plan.goal

    @property
    def confidence(self) -> float:
        """Confidence of the answer."""
        return self.plan.search.confidence

    @property
    def difference(self) -> float:
        """The smallest difference of the objective that matters; NaN without an objective."""
        return difference_of(self.plan)

    @property
    def larger_is_better(self) -> bool:
        """Whether more of the objective is better."""
        return larger_is_better(self.plan)

    @property
    def best(self) -> PointOutcome | None:
        """The point that was found; None for a front, or if there is none."""
        return self.point(self.best_number)

    @property
    def undecided(self) -> tuple[PointOutcome, ...]:
        """The points that could not be decided."""
        return tuple(each for each in self.points if each.number in self.undecided_numbers)

    @property
    def front(self) -> tuple[PointOutcome, ...]:
        """The points on the front, cheaper ones first."""
        return tuple(each for each in self.points if each.decision == "on the front")

    @property
    def replications(self) -> int:
        """Number of replications of all points together."""
        return sum(point.replications for point in self.points)

    def point(self, number: int | None) -> PointOutcome | None:
        """The point of this number, if it was simulated."""
        return next((each for each in self.points if each.number == number), None)

    def __len__(self) -> int:
        """Number of points that were simulated."""
        return len(self.points)

    def __repr__(self) -> str:
        """The sentences and the notes."""
        return "\n".join(with_notes(self.sentences, self.notes))

    def _repr_html_(self) -> str:
        """What a notebook shows: the sentences, the notes and a table."""
        return rows_html(with_notes(self.sentences, self.notes), list(self.rows()))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the columns `ESTIMATE_COLUMNS` of each point and constraint, or of the objective, one row at a time."""
        for each in self.points:
            for number, (quantity, interval) in enumerate(zip(self.quantities, each.intervals, strict=True)):
                yield {
                    "point": each.number,
                    "label": each.label,
                    "cost": each.cost,
                    "measure": quantity.name,
                    "constraint": number if self.goal == "cheapest" else None,
                    "value": _finite(interval.estimate),
                    "low": _finite(interval.low),
                    "high": _finite(interval.high),
                    "missing": interval.missing,
                    "decision": each.decision,
                    "by": each.by,
                    "replications": each.replications,
                }

    def to_arrow(self) -> "pyarrow.Table":
        """The rows as a PyArrow table. Raises NotInstalledError."""
        return import_package("pyarrow").Table.from_pylist(list(self.rows()))

    def to_pandas(self) -> "pandas.DataFrame":
        """The rows as a pandas DataFrame. Raises NotInstalledError."""
        import_package("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> "polars.DataFrame":
        """The rows as a polars DataFrame. Raises NotInstalledError."""
        return import_package("polars").from_arrow(self.to_arrow())


def optimisation_files(
    found: Optimisation, points: Sequence[SimulatedPoint], plan_text: str
) -> Iterator[tuple[str, Iterable[bytes], int]]:
    """Yield the files of an optimisation: name, content in pieces, and number of rows.

    Parameters
    ----------
    found
        The optimisation.
    points
        Those that were simulated, by number.
    plan_text
        The content of optimisation.toml.
    """
    names = [quantity.name for quantity in found.quantities]
    columns = [names.index(name) for name in dict.fromkeys(names)]  # two constraints can be about one measure
    blocks = ((point.outcome.number, point.values[:, columns]) for point in points)
    rows = len(columns) * sum(len(point.values) for point in points)
    yield "results.parquet", encode_results([names[column] for column in columns], blocks), rows
    own = ("cost", "decision", "by")
    factors = [f"factor {name}" if name in own else name for name in found.factors]
    table = [
        PointRow(
            outcome.number,
            outcome.label,
            (*outcome.values, outcome.cost, outcome.decision, outcome.by),
            scenario_hash,
            found.seed,
            len(values),
        )
        for outcome, scenario_hash, values in points
    ]
    yield "points.parquet", [encode_points((*factors, *own), table)], len(table)
    estimates = [tuple(row.values()) for row in found.rows()]
    text = encode_run_table(table_of("estimates", ESTIMATE_COLUMNS, estimates), "csv", "none").data
    yield "estimates.csv", [bytes(text)], len(estimates)
    yield "optimisation.toml", [plan_text.encode()], 0


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
