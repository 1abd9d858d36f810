"""The results of experiments: replications of a scenario, and scenarios compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.experiments import (
    DEFAULT_QUANTITIES,
    Difference,
    Estimate,
    Quantity,
    estimate_points,
    find_quantities,
    fitted,
    values_of,
)
from engine.inference import Interval, mean_interval, quantile_interval
from engine.measures import absent_value
from engine.run import Replications
from engine.scenario import Scenario
from goldenhour.packages import import_package
from goldenhour.result_html import comparison_html, replicated_html
from goldenhour.sentences import difference_sentence, mean_sentence, with_notes

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


@dataclass(frozen=True, eq=False)
class Replicated:
    """The measures of many replications of a scenario."""

    scenario: Scenario
    """As it was run, resolved."""
    first: int
    """Number of the first replication."""
    replications: Replications
    """Names and values of all measures."""
    measures: tuple[str, ...] | None = None
    """What was asked for: what `estimates` and the tables have. None: nothing in particular."""

    def __len__(self) -> int:
        """Number of replications."""
        return len(self.replications.values)

    def __repr__(self) -> str:
        """Number of replications, scenario and seed in one line, then a sentence for each of the estimates."""
        return "\n".join([f"<{self._title}>", *self.sentences])

    def _repr_html_(self) -> str:
        """What a notebook shows: number of replications, scenario and seed, and a table of the estimates."""
        return replicated_html(self._title, self._quantities, self.estimates)

    @property
    def _title(self) -> str:
        return f"{len(self):,} replications of {self.scenario.name!r}, seed {self.scenario.seed}"

    @cached_property
    def _quantities(self) -> list[Quantity]:
        names = DEFAULT_QUANTITIES if self.measures is None else self.measures
        return [fitted(one, self.values(one.name).tolist()) for one in self._find(names)]

    def _find(self, names: Sequence[str]) -> list[Quantity]:
        counts = {name for name in names if absent_value(name) == 0.0}  # summaries leave out counts of 0
        return find_quantities(names, sorted({*self.replications.names, *counts}))

    @cached_property
    def estimates(self) -> tuple[Estimate, ...]:
        """Mean, median and their intervals of each measure; of deaths and surgery if none was asked for."""
        return tuple(estimate_points({one.name: [self.values(one.name)] for one in self._quantities}))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The mean of each measure with its interval."""
        pairs = zip(self._quantities, self.estimates, strict=True)
        return tuple(mean_sentence(quantity, estimate.mean) for quantity, estimate in pairs)

    def values(self, measure: str) -> NDArray[np.float64]:
        """Return a measure by replication, shape (replications,); NaN without data. Raises InputError."""
        (quantity,) = self._find([measure])
        return values_of(quantity, self.replications)

    def estimate(self, measure: str, confidence: float = 0.95) -> Interval:
        """Return the mean of a measure with its t interval. Raises InputError."""
        return mean_interval(self.values(measure), confidence)

    def quantile(self, measure: str, probability: float, confidence: float = 0.95) -> Interval:
        """Return a quantile of a measure over the replications, between order statistics. Raises InputError."""
        return quantile_interval(self.values(measure), probability, confidence)

    def to_arrow(self) -> "pyarrow.Table":
        """A PyArrow table with a row for each replication and a column for each measure. Raises NotInstalledError."""
        arrow = import_package("pyarrow")
        values = self.replications.values
        numbers = np.arange(self.first, self.first + len(values))
        columns = {name: values[:, column] for column, name in enumerate(self.replications.names)}
        if self.measures is not None:
            columns = {name: self.values(name) for name in self.measures}
        return arrow.table({"replication": numbers, **columns}).cast(
            arrow.schema([("replication", arrow.int64()), *((name, arrow.float64()) for name in columns)])
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """The same as a pandas DataFrame. Raises NotInstalledError."""
        import_package("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> "polars.DataFrame":
        """The same as a polars DataFrame. Raises NotInstalledError."""
        return import_package("polars").from_arrow(self.to_arrow())


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scenarios compared with a baseline, over replications with common random numbers.

    `differences` has the intervals; `to_arrow`, `to_pandas` and `to_polars` return every replication, one row for each
    scenario, replication and quantity.
    """

    labels: tuple[str, ...]
    """What the scenarios are called, the baseline first."""
    seed: int
    """Seed of the random draws."""
    days: int
    """Days in which people are hurt, in the baseline."""
    confidence: float
    """Confidence of the intervals."""
    quantities: tuple[Quantity, ...]
    """What was compared."""
    differences: tuple[Difference, ...]
    """By quantity, then by scenario."""
    replications: tuple[Replications, ...]
    """All measures of every replication, by scenario."""
    precise: bool
    """Whether all half-widths that were asked for have been reached."""
    notes: tuple[str, ...]
    """What a reader of the intervals must know."""
    sequential: bool = False
    """Whether pairs were added until the intervals were narrow enough."""

    @property
    def pairs(self) -> int:
        """Number of pairs of replications."""
        return len(self.replications[0].values)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What was found, a sentence for each difference."""
        return tuple(
            difference_sentence(
                each, self.labels[0], self.labels[each.alternative], self.days, self.confidence
            )
            for each in self.differences
        )

    @cached_property
    def estimates(self) -> tuple[Estimate, ...]:
        """By quantity, then by scenario, the baseline first: mean, median, difference, and their intervals.

        `Estimate.point` is the number of the scenario.
        """
        values = {
            quantity.name: [values_of(quantity, each) for each in self.replications]
            for quantity in self.quantities
        }
        return tuple(
            estimate_points(values, confidence=self.confidence, baseline=0, sequential=self.sequential)
        )

    def __repr__(self) -> str:
        """The sentences and the notes."""
        return "\n".join(with_notes(self.sentences, self.notes))

    def _repr_html_(self) -> str:
        """What a notebook shows: the sentences, the notes and a table."""
        return comparison_html(self.labels, self.differences, with_notes(self.sentences, self.notes))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield scenario, replication, quantity and value, one row after the other."""
        for label, found in zip(self.labels, self.replications, strict=True):
            for quantity in self.quantities:
                for number, value in enumerate(values_of(quantity, found).tolist()):
                    yield {
                        "scenario": label,
                        "replication": number,
                        "quantity": quantity.name,
                        "value": value if value == value else None,
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
