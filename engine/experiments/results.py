"""The results of an experiment as files: every replication of every point, the points, and estimates.

The bytes depend on the rows alone: those of results.parquet come in the order of (point, replication, measure), in row
groups of a fixed size. They pass through in blocks, so that the memory does not depend on how many there are.
"""

import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.experiments.effects import EFFECT_COLUMNS, Effect, effect_row
from engine.experiments.estimates import Estimate, estimate_columns, estimate_row
from engine.records import Column, RunTable, arrow_array, arrow_list, parquet_options, schema_metadata

if TYPE_CHECKING:
    import pyarrow

GROUP_ROWS = 1 << 18
"""Rows in each row group of the results but the last."""

_COMPRESS = "zstd"

_OWN_COLUMNS = ("point", "label", "scenario_hash", "seed", "replications")
"""Columns of the points besides those of the factors."""


class PointRow(NamedTuple):
    """A point of an experiment, as the file points.parquet has it."""

    point: int
    """Its number, from 0."""
    label: str
    values: tuple[Any, ...]
    """One value of each factor; None where the point leaves it as it is in the scenario."""
    scenario_hash: str
    """SHA-256 (hex) of the scenario of the point."""
    seed: int
    replications: int


def results_table(measures: Sequence[str], blocks: Iterable[tuple[int, NDArray[Any]]]) -> "pyarrow.Table":
    """Return the replications as an Arrow table with the columns and parameters of `encode_results`."""
    import pyarrow as pa

    return pa.Table.from_batches(_record_batches(measures, blocks), _results_schema())


def encode_results(measures: Sequence[str], blocks: Iterable[tuple[int, NDArray[Any]]]) -> Iterator[bytes]:
    """Yield the file results.parquet piece by piece: columns point, replication, measure and value.

    Parameters
    ----------
    measures
        Names of the measures, m of them.
    blocks
        Numbers of points, ascending, each with its values, shape (replications, m). A value is null in the file where
        it is NaN: the replication has no data for the measure.
    """
    import pyarrow.parquet

    schema = _results_schema()
    sink: Any = _Pieces()
    with pyarrow.parquet.ParquetWriter(sink, schema, **parquet_options(schema, _COMPRESS)) as writer:
        for batch in _record_batches(measures, blocks):
            writer.write_batch(batch, row_group_size=GROUP_ROWS)
            yield from sink.take()
        writer.add_key_value_metadata(schema_metadata(schema))
    yield from sink.take()


def _results_schema() -> "pyarrow.Schema":
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("point", pa.int32(), False),
            pa.field("replication", pa.int32(), False),
            pa.field("measure", pa.dictionary(pa.int32(), pa.string()), False),
            pa.field("value", pa.float64()),
        ]
    )


def _record_batches(
    measures: Sequence[str], blocks: Iterable[tuple[int, NDArray[Any]]]
) -> Iterator["pyarrow.RecordBatch"]:
    """Yield the rows in Arrow's memory, `GROUP_ROWS` at a time."""
    import pyarrow as pa

    labels = arrow_list(measures, "text")
    for points, replications, columns, values in _groups(len(measures), blocks):
        missing = np.where(np.isnan(values), np.int8(-1), np.int8(0))
        arrays = [
            arrow_array(points, pa.int32()),
            arrow_array(replications, pa.int32()),
            pa.DictionaryArray.from_arrays(arrow_array(columns, pa.int32()), labels),
            arrow_array(np.nan_to_num(values), pa.float64(), missing),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=_results_schema())


def _groups(width: int, blocks: Iterable[tuple[int, NDArray[Any]]]) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield points, replications, numbers of measures and values of `GROUP_ROWS` rows, and of the rest."""
    columns = _columns()
    filled = 0
    for point, block in blocks:
        values = np.ascontiguousarray(block, np.float64).reshape(-1)
        done = 0
        while done < values.size:
            count = min(GROUP_ROWS - filled, values.size - done)
            rows = np.arange(done, done + count)
            part = slice(filled, filled + count)
            columns[0][part] = point
            columns[1][part], columns[2][part] = np.divmod(rows, width)
            columns[3][part] = values[done : done + count]
            filled, done = filled + count, done + count
            if filled == GROUP_ROWS:
                yield tuple(columns)
                columns, filled = _columns(), 0
    if filled:
        yield tuple(column[:filled] for column in columns)


def _columns() -> list[NDArray[Any]]:
    return [np.empty(GROUP_ROWS, dtype) for dtype in (np.int32, np.int32, np.int32, np.float64)]


class _Pieces(io.RawIOBase):
    """A file that holds what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Whether it can be written."""
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        return self._size

    def write(self, data: Any) -> int:
        """Append bytes."""
        piece = bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def take(self) -> list[bytes]:
        """What was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces


def encode_points(factors: Sequence[str], rows: Sequence[PointRow]) -> bytes:
    """Return the file points.parquet: point, label, a column for each factor, scenario_hash, seed, replications.

    A factor whose values are all numbers has a column of numbers; one of other values has their texts, as JSON where
    they are neither words nor numbers.
    """
    import pyarrow as pa
    import pyarrow.parquet

    table = points_table(factors, rows)
    sink = pa.BufferOutputStream()
    options = parquet_options(table.schema, _COMPRESS)
    with pyarrow.parquet.ParquetWriter(sink, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=max(1, table.num_rows))
        writer.add_key_value_metadata(schema_metadata(table.schema))
    return bytes(sink.getvalue())


def points_table(factors: Sequence[str], rows: Sequence[PointRow]) -> "pyarrow.Table":
    """Return the points as an Arrow table with the columns of `encode_points`."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "point": arrow_list([row.point for row in rows], "integer"),
        "label": arrow_list([row.label for row in rows], "text"),
    }
    for number, name in enumerate(factors):
        columns[_factor_name(name)] = _factor_column([row.values[number] for row in rows])
    columns |= {
        "scenario_hash": arrow_list([row.scenario_hash for row in rows], "text"),
        "seed": _whole_numbers([row.seed for row in rows]),
        "replications": arrow_list([row.replications for row in rows], "integer"),
    }
    return pa.Table.from_arrays(list(columns.values()), list(columns))


def decode_experiment(
    points: bytes, results: bytes, factors: Sequence[str]
) -> tuple[list[PointRow], dict[str, tuple[NDArray[np.float64], ...]]]:
    """Return the points, and by measure and point the values of the replications, from the two Parquet files.

    Values are NaN where a replication has no data.
    """
    import pyarrow as pa
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(pa.BufferReader(points)).to_pydict()
    columns = [table[_factor_name(name)] for name in factors]
    rows = [
        PointRow(
            number,
            table["label"][number],
            tuple(column[number] for column in columns),
            table["scenario_hash"][number],
            table["seed"][number],
            table["replications"][number],
        )
        for number in table["point"]
    ]
    found = pyarrow.parquet.read_table(pa.BufferReader(results)).combine_chunks()
    values = found["value"].to_numpy()
    labels: Any = found["measure"].combine_chunks()
    measures = labels.dictionary.to_pylist() if len(found) else []
    width, first = len(measures), 0
    by_measure: dict[str, list[NDArray[np.float64]]] = {name: [] for name in measures}
    for row in rows:
        block = values[first : first + width * row.replications].reshape(row.replications, width)
        first += block.size
        for column, name in enumerate(measures):
            by_measure[name].append(np.ascontiguousarray(block[:, column]))
    return rows, {name: tuple(columns) for name, columns in by_measure.items()}


def _factor_name(name: str) -> str:
    """The name of the column of a factor among the points."""
    return f"factor {name}" if name in _OWN_COLUMNS else name


def _factor_column(values: Sequence[Any]) -> Any:
    """Return the column of a factor as an Arrow array."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return arrow_list(values, "truth")
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return _whole_numbers(values)
    if kinds and kinds <= {int, float}:
        return arrow_list(values, "number")
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]
    return arrow_list(texts, "text")


def _whole_numbers(values: Sequence[int | None]) -> Any:
    """Return whole numbers of 64 bits as an Arrow array."""
    import pyarrow as pa

    missing = np.array([-1 if value is None else 0 for value in values], np.int8)
    return arrow_array(np.array([value or 0 for value in values], np.int64), pa.int64(), missing)


def estimates_table(
    estimates: Sequence[Estimate], labels: Sequence[str], quantiles: Sequence[float]
) -> RunTable:
    """Return the table estimates: a row for each estimate. `labels` are those of the points."""
    rows = [estimate_row(estimate, labels[estimate.point]) for estimate in estimates]
    return table_of("estimates", estimate_columns(quantiles), rows)


def effects_table(effects: Sequence[Effect]) -> RunTable:
    """Return the table effects: a row for each number of each effect."""
    return table_of("effects", EFFECT_COLUMNS, [effect_row(effect) for effect in effects])


def table_of(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> RunTable:
    """Return rows of plain values as a table. A column is of numbers unless its first value is a text or a count.

    NaN is null.
    """
    values: list[list[Any]] = [[] for _ in columns]
    for row in rows:
        for column, value in zip(values, row, strict=True):
            column.append(None if isinstance(value, float) and math.isnan(value) else value)
    kinds = [_kind(column) for column in values]
    return RunTable(
        name,
        tuple(Column(name, kind, "", nullable=True) for name, kind in zip(columns, kinds, strict=True)),
        values,
    )


def _kind(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {str}:
        return "text"
    if kinds == {bool}:
        return "truth"
    return "integer" if kinds == {int} else "number"
