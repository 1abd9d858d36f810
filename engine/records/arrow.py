"""The flat tables as Arrow tables.

Labels of codes are dictionaries, which pandas reads as categories. Columns are made from codes, never text by text, and
from NumPy's memory, which Arrow does not copy. Nothing here calls `pa.array`, which imports pandas where it is
installed: 0.2 s and 40 MB in each process.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import RunError
from engine.records.code_tables import Codes, CodeTables, check_days
from engine.records.fields import Rule, View
from engine.records.flat import FLAT_COLUMNS, Column, flat_fields
from engine.records.values import Coded, Dates, DigitTexts, FixedTexts, Integers, Joined, Times, Values
from engine.tables import Chunk, join_chunks

_TYPES: dict[str, Any] = {
    "text": pa.string(),
    "integer": pa.int32(),
    "number": pa.float64(),
    "truth": pa.bool_(),
    "time": pa.timestamp("ms", "UTC"),
    "date": pa.date32(),
}
_DTYPES: dict[str, Any] = {
    "integer": np.int32,
    "number": np.float64,
    "truth": np.bool_,
    "time": np.int64,
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


def encoded_table(
    chunk: Chunk, code_tables: CodeTables, table: str, of_chunk: dict[Rule, Any] | None = None
) -> pa.Table:
    """Return one of the flat tables of a chunk as an Arrow table. In it labels and `patient_id` are dictionaries.

    The table depends on the rows alone. Calls for tables of the same chunk may share `of_chunk`, which is empty at
    first.
    """
    view = View(chunk, getattr(chunk, table), code_tables, of_chunk)
    known: _KnownKeys = {}
    arrays = [
        _arrow(field.values(view), field.column, code_tables, f"{table}.{field.column.name}", known)
        for field in flat_fields(table)
    ]
    fields = [
        pa.field(field.column.name, array.type, field.column.nullable)
        for field, array in zip(flat_fields(table), arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def run_arrow_table(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> pa.Table:
    """Return a table of the run as an Arrow table. `values` are the columns, times in seconds since 1970."""
    schema = arrow_schema(columns)
    arrays = [
        arrow_list([1000 * x for x in entries] if column.kind == "time" else entries, column.kind)
        for column, entries in zip(columns, values, strict=True)
    ]
    return pa.Table.from_arrays(
        [array.cast(field.type) for array, field in zip(arrays, schema)], schema=schema
    )


def _arrow(values: Values, column: Column, code_tables: CodeTables, place: str, known: "_KnownKeys") -> Any:
    kind = _TYPES[column.kind]
    match values:
        case Coded():
            if column.kind == "text":
                return _coded_texts(values, _keys(values, place, known), code_tables)
            return _coded_numbers(values, _keys(values, place, known), column.kind)
        case Integers():
            return arrow_array(_int32(values.values, place), kind, values.values)
        case Times():
            milliseconds = code_tables.seconds(values.known(column.nullable))
            milliseconds *= 1000
            return arrow_array(milliseconds, kind, values.values if column.nullable else None)
        case Dates():
            check_days(values.values)
            return arrow_array(values.values.astype(np.int32), kind)
        case FixedTexts():
            texts = _fixed_texts(values.texts)
            if values.places is None:
                return texts
            # No text may stand in a dictionary twice: Arrow would then write bytes that it never set.
            places = arrow_array(values.places.astype(np.int32), pa.int32())
            return pa.DictionaryArray.from_arrays(places, texts)
        case DigitTexts():
            digits = values.texts()
            return _fixed_texts(digits) if digits.itemsize == values.least else _padded_texts(digits)
        case Joined():
            return _joined_texts(values, place)


def _int32(values: NDArray[Any], place: str) -> NDArray[np.int32]:
    """Return integers as those of an Arrow column. Raises RunError if one is larger than they can be."""
    largest = int(values.max(initial=0))
    if largest > np.iinfo(np.int32).max:
        raise RunError(f"{place}: {largest:,} is more than a table can hold, {np.iinfo(np.int32).max:,}")
    return values.astype(np.int32)


class _Vocabulary(NamedTuple):
    """The texts of a code."""

    texts: Sequence[str | None]
    sorted: pa.StringArray
    """Each of them once."""
    ranks: NDArray[np.int32]
    """By index of a text, its place in `sorted`; -1 for null."""


def _vocabulary(texts: Sequence[str | None]) -> _Vocabulary:
    entries = sorted({text for text in texts if text is not None})
    places: dict[str | None, int] = {text: place for place, text in enumerate(entries)}
    places[None] = -1
    ranks = np.fromiter(map(places.__getitem__, texts), np.int32, len(texts))
    return _Vocabulary(texts, arrow_list(entries, "text"), ranks)


class _Keys(NamedTuple):
    """The codes of the rows as numbers from 0 on, for a look-up of all rows at once."""

    keys: NDArray[Any]
    occurring: NDArray[np.int64]
    """The keys that occur, ascending."""
    indices: NDArray[np.int64]
    """The index of the value of each of them."""

    def look_up(self, entries: NDArray[Any]) -> NDArray[Any]:
        """Return for each row the entry of its key. `entries` are those of `occurring`."""
        table = np.zeros(int(self.occurring[-1]) + 1 if len(self.occurring) else 1, entries.dtype)
        table[self.occurring] = entries
        found: NDArray[Any] = table.take(self.keys)
        return found


_KnownKeys = dict[tuple[int, str], tuple[Codes, NDArray[Any], NDArray[np.int64]]]
"""Columns of codes whose keys have been found, by address and type, with the keys and those that occur. Several fields
may follow one code."""


def _keys(values: Coded, place: str, known: _KnownKeys) -> _Keys:
    """Raises RunError for a code that has no value."""
    codes = values.codes
    if codes.itemsize > 2:
        keys: NDArray[Any] = values.indices(place)
        occurring = np.flatnonzero(np.bincount(keys))
        return _Keys(keys, occurring, occurring)
    # The codes themselves, read without a sign, are the keys: looking up few codes is cheaper than many rows.
    column = codes.__array_interface__["data"][0], codes.dtype.str
    if column not in known:
        keys = np.ascontiguousarray(codes).view(f"u{codes.itemsize}")
        known[column] = codes, keys, np.flatnonzero(np.bincount(keys))
    _, keys, occurring = known[column]
    try:
        indices = values._replace(codes=occurring.astype(keys.dtype).view(codes.dtype)).indices(place)
    except RunError:
        values.indices(place)  # says in which row
        raise
    return _Keys(keys, occurring, indices)


def _coded_texts(values: Coded, keys: _Keys, code_tables: CodeTables) -> Any:
    """Return texts as a dictionary of those that occur, sorted and each only once.

    Codes may depend on the order in which a process loaded groups of texts, and two of them may have the same text.
    """
    # A group of texts that is loaded makes the list longer. The vocabulary keeps the list, and so its id.
    key = (_vocabulary, id(values.texts), len(values.texts))
    texts = code_tables.reusable(key, lambda _: _vocabulary(values.texts))
    ranks = texts.ranks.take(keys.indices)
    used = np.unique(ranks[ranks >= 0])
    numbers = np.where(ranks < 0, -1, np.searchsorted(used, ranks)).astype(np.int32)
    rows = keys.look_up(numbers)
    missing = rows if int(numbers.min(initial=0)) < 0 else None
    places = arrow_array(rows, pa.int32(), missing)
    return pa.DictionaryArray.from_arrays(places, texts.sorted.take(arrow_array(used, pa.int32())))


def _coded_numbers(values: Coded, keys: _Keys, kind: str) -> Any:
    """Return integers, numbers or truth values that a code stands for."""
    entries = [values.texts[index] for index in keys.indices.tolist()]
    known = np.array([0 if entry is None else entry for entry in entries], _DTYPES[kind])
    missing = None
    if None in entries:
        missing = keys.look_up(np.array([-1 if entry is None else 0 for entry in entries], np.int8))
    return arrow_array(keys.look_up(known), _TYPES[kind], missing)


def arrow_list(entries: Sequence[Any], kind: str) -> Any:
    """Return Python values as an Arrow array; None is null."""
    missing = np.array([-1 if entry is None else 0 for entry in entries], np.int8)
    if kind != "text":
        known = [0 if entry is None else entry for entry in entries]
        return arrow_array(np.array(known, _DTYPES[kind]), _TYPES[kind], missing)
    texts = [(entry or "").encode() for entry in entries]
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    data = pa.py_buffer(offsets.data), pa.py_buffer(b"".join(texts))
    return pa.StringArray.from_buffers(len(texts), *data, _validity(missing))


def arrow_array(values: NDArray[Any], kind: Any, missing: NDArray[Any] | None = None) -> Any:
    """Return values as an Arrow array; null where `missing` is negative."""
    data = _bits(values) if values.dtype == np.bool_ else pa.py_buffer(np.ascontiguousarray(values).data)
    return pa.Array.from_buffers(kind, len(values), [_validity(missing), data])


def _validity(missing: NDArray[Any] | None) -> pa.Buffer | None:
    return None if missing is None or int(missing.min(initial=0)) >= 0 else _bits(missing >= 0)


def _bits(truths: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(truths, bitorder="little").data)


def _joined_texts(values: Joined, place: str) -> pa.StringArray:
    """Return composed texts as an Arrow array: Arrow joins the parts of all rows at once."""
    columns = [
        arrow_list(part.texts, "text").take(arrow_array(part.indices(place), pa.int64()))
        for part in values.parts
    ]
    from pyarrow import compute  # 10 MB, which a process that writes no records does without

    whole = compute.binary_join_element_wise(*columns, "")
    _, offsets, data = whole.buffers()
    missing = values.shown.codes.astype(np.int8) - 1
    return pa.StringArray.from_buffers(len(whole), offsets, data, _validity(missing))


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
