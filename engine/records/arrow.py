"""The flat tables as Arrow tables.

Labels of codes are dictionaries, which pandas reads as categories. Columns are made from codes, never text by text.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import RunError
from engine.records.code_tables import CodeTables, check_days
from engine.records.fields import View
from engine.records.flat import FLAT_COLUMNS, Column, flat_fields
from engine.records.values import Coded, Dates, DigitTexts, FixedTexts, Integers, Times, Values
from engine.tables import Chunk, join_chunks

_TYPES: dict[str, Any] = {
    "text": pa.string(),
    "integer": pa.int32(),
    "number": pa.float64(),
    "truth": pa.bool_(),
    "time": pa.timestamp("ms", "UTC"),
    "date": pa.date32(),
}
_CATEGORY = pa.dictionary(pa.int32(), pa.string())


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the Arrow schema of these columns. The labels of a code are a dictionary."""
    return pa.schema(
        [
            pa.field(column.name, _CATEGORY if column.codes else _TYPES[column.kind], column.nullable)
            for column in columns
        ]
    )


def patient_arrow_table(chunks: Sequence[Chunk], code_tables: CodeTables, table: str) -> pa.Table:
    """Return one of the flat tables of consecutive chunks as an Arrow table with the schema of `arrow_schema`."""
    encoded = encoded_table(join_chunks(chunks), code_tables, table)
    return encoded.cast(arrow_schema(FLAT_COLUMNS[table]))


def encoded_table(chunk: Chunk, code_tables: CodeTables, table: str) -> pa.Table:
    """Return one of the flat tables of a chunk as an Arrow table in which labels and ids are dictionaries.

    The table depends on the rows alone.
    """
    view = View(chunk, getattr(chunk, table), code_tables)
    arrays = [
        _arrow(source.values(view), column, code_tables, f"{table}.{column.name}")
        for column, source in flat_fields(table)
    ]
    fields = [
        pa.field(column.name, array.type, column.nullable)
        for (column, _), array in zip(flat_fields(table), arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def run_arrow_table(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> pa.Table:
    """Return a table of the run as an Arrow table. `values` are the columns, times in seconds since 1970."""
    schema = arrow_schema(columns)
    arrays = [
        pa.array([1000 * x for x in entries] if column.kind == "time" else entries, _TYPES[column.kind]).cast(
            kind.type
        )
        for column, entries, kind in zip(columns, values, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _arrow(values: Values, column: Column, code_tables: CodeTables, place: str) -> Any:
    kind = _TYPES[column.kind]
    match values:
        case Coded():
            return _coded(values, kind, place)
        case Integers():
            return pa.array(_int32(values.values, place), kind, mask=values.values < 0)
        case Times():
            mask = values.values < 0 if column.nullable else None
            seconds = code_tables.seconds(values.known(column.nullable))
            return pa.array(seconds * 1000, kind, mask=mask)
        case Dates():
            check_days(values.values)
            return pa.array(values.values.astype(np.int32), kind)
        case FixedTexts():
            return _ids(values)
        case DigitTexts():
            return _padded_texts(values.texts())


def _ids(values: FixedTexts) -> Any:
    """Return ids as a dictionary. No text may stand in it twice: Arrow would then write bytes that it never set."""
    texts = _fixed_texts(values.texts)
    if values.places is None:
        return texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(values.places.astype(np.int32), texts)


def _int32(values: NDArray[Any], place: str) -> NDArray[np.int32]:
    """Return integers as those of an Arrow column. Raises RunError if one is larger than they can be."""
    largest = int(values.max(initial=0))
    if largest > np.iinfo(np.int32).max:
        raise RunError(f"{place}: {largest:,} is more than a table can hold, {np.iinfo(np.int32).max:,}")
    return values.astype(np.int32)


def _coded(values: Coded, kind: Any, place: str) -> Any:
    """Return coded values. Texts become a dictionary of those that occur, sorted and each only once.

    Codes may depend on the order in which a process loaded groups of texts, and two of them may have the same text.
    """
    indices = values.indices(place)
    if kind != pa.string():
        return pa.array(list(values.texts), kind).take(pa.array(indices))
    occurs = np.flatnonzero(np.bincount(indices, minlength=len(values.texts)))
    found = {index: values.texts[index] for index in occurs.tolist()}
    entries = sorted({text for text in found.values() if text is not None})
    numbered = {text: number for number, text in enumerate(entries)}
    numbers = np.zeros(len(values.texts), np.int32)
    missing = np.zeros(len(values.texts), bool)
    for index, text in found.items():
        if text is None:
            missing[index] = True
        else:
            numbers[index] = numbered[text]
    mask = missing.take(indices) if missing.any() else None
    return pa.DictionaryArray.from_arrays(
        pa.array(numbers.take(indices), pa.int32(), mask=mask), pa.array(entries, pa.string())
    )


def _fixed_texts(texts: NDArray[np.bytes_]) -> pa.StringArray:
    """Return texts of fixed width as an Arrow array without padding."""
    offsets = np.arange(len(texts) + 1, dtype=np.int32) * texts.itemsize
    data = pa.py_buffer(np.ascontiguousarray(texts).view(np.uint8).data)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets.data), data)


def _padded_texts(texts: NDArray[np.bytes_]) -> pa.StringArray:
    """Return texts, which NumPy pads with zeros, as an Arrow array without padding."""
    octets = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.itemsize)
    used = octets != 0
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(used.sum(axis=1), out=offsets[1:])
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(offsets.data), pa.py_buffer(octets[used].data)
    )


def use_system_allocator() -> None:
    """Make Arrow allocate from the system. Its own pools would retain freed memory, some 40 MB in each process."""
    pa.set_memory_pool(pa.system_memory_pool())
