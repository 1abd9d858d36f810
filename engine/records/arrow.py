"""The flat tables as Arrow tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.records.code_tables import CodeTables
from engine.records.fields import View
from engine.records.flat import FLAT_COLUMNS, Column, flat_fields
from engine.records.values import Coded, Dates, FixedTexts, Integers, Times, Values
from engine.tables import Chunk

_TYPES = {
    "text": pa.string(),
    "integer": pa.int32(),
    "number": pa.float64(),
    "truth": pa.bool_(),
    "time": pa.timestamp("ms", "UTC"),
    "date": pa.date32(),
}


def table_schema(table: str) -> pa.Schema:
    """Return the Arrow schema of a flat table."""
    return arrow_schema(FLAT_COLUMNS[table])


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the Arrow schema of these columns."""
    return pa.schema([pa.field(column.name, _TYPES[column.kind], column.nullable) for column in columns])


def chunk_arrow_table(chunk: Chunk, code_tables: CodeTables, table: str) -> pa.Table:
    """Return one of the flat tables of `chunk` as an Arrow table with the schema of `table_schema`."""
    view = View(chunk, getattr(chunk, table), code_tables)
    schema = table_schema(table)
    arrays = [
        _arrow(field.values(view), kind.type, code_tables)
        for field, kind in zip(flat_fields(table), schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def patient_arrow_table(chunks: Sequence[Chunk], code_tables: CodeTables, table: str) -> pa.Table:
    """Return one of the flat tables of consecutive chunks as an Arrow table whose columns are contiguous."""
    return pa.concat_tables(
        [chunk_arrow_table(chunk, code_tables, table) for chunk in chunks]
    ).combine_chunks()


def run_arrow_table(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> pa.Table:
    """Return a table of the run as an Arrow table. `values` are the columns, times in seconds since 1970."""
    schema = arrow_schema(columns)
    arrays = [
        pa.array([1000 * x for x in entries] if column.kind == "time" else entries, kind.type)
        for column, entries, kind in zip(columns, values, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _arrow(values: Values, kind: pa.DataType, code_tables: CodeTables) -> Any:
    match values:
        case Coded():
            indices = pa.array(values.indices().astype(np.int32), pa.int32())
            return pa.array(list(values.texts), kind).take(indices)
        case Integers():
            return pa.array(values.values.astype(np.int32), kind, mask=values.values < 0)
        case Times():
            return pa.array(code_tables.seconds(values.values) * 1000, kind, mask=values.values < 0)
        case Dates():
            return pa.array(values.values.astype(np.int32), kind)
        case FixedTexts():
            return _arrow_texts(values.values)


def _arrow_texts(texts: NDArray[np.bytes_]) -> pa.StringArray:
    """Return texts of fixed width as an Arrow array without padding."""
    offsets = np.arange(len(texts) + 1, dtype=np.int32) * texts.itemsize
    data = pa.py_buffer(np.ascontiguousarray(texts).view(np.uint8).data)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets.data), data)


def use_system_allocator() -> None:
    """Make Arrow allocate from the system. Its own pools would retain freed memory, some 40 MB in each process."""
    pa.set_memory_pool(pa.system_memory_pool())
