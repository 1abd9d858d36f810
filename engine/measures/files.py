"""The tables of a run as a whole, encoded in each of the formats."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from engine.records import Frame, frame

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.measures.whole_run import RunTable


def encode_run_table(table: "RunTable", fmt: str, compress: str) -> Frame:
    """Encode a table as one frame, which is the whole file. Only Parquet needs pyarrow.

    Parameters
    ----------
    table
        The table.
    fmt
        A key of `engine.records.FORMATS`.
    compress
        A key of `engine.records.COMPRESSIONS`.
    """
    if fmt == "parquet":
        from engine.records import parquet_file

        dictionaries = [column.name for column in table.columns if column.kind != "number"]
        data = parquet_file(run_arrow_table(table), dictionaries, compress)
        return Frame(table.name, data, 0, len(table), len(data), hashlib.sha256(data).digest())
    return frame(table.name, _ENCODERS[fmt](table), compress, 0, len(table))


def table_rows(table: "RunTable") -> Iterator[dict[str, Any]]:
    """Yield the rows as dictionaries by column, times as ISO 8601 texts."""
    names = [column.name for column in table.columns]
    return (dict(zip(names, row, strict=True)) for row in _lines(table))


def run_arrow_table(table: "RunTable") -> "pa.Table":
    """Return the table as an Arrow table with the types of the flat tables."""
    import pyarrow as pa

    from engine.records import arrow_schema

    fields = arrow_schema(table.columns)
    arrays = [
        pa.array([1000 * x for x in values] if column.kind == "time" else values, field.type)
        for column, values, field in zip(table.columns, table.values, fields, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=fields)


def _lines(table: "RunTable") -> Iterator[tuple[Any, ...]]:
    """Yield the rows as tuples, times as ISO 8601 texts."""
    readable = (
        map(_instant, values) if column.kind == "time" else values
        for column, values in zip(table.columns, table.values, strict=True)
    )
    return zip(*readable, strict=True)


@cache
def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _jsonl(table: "RunTable") -> bytearray:
    encoder, out = msgspec.json.Encoder(), bytearray()
    for row in table_rows(table):
        encoder.encode_into(row, out, -1)
        out += b"\n"
    return out


def _json(table: "RunTable") -> bytes:
    lines = _jsonl(table).replace(b"\n", b",\n")  # JSON escapes line feeds in texts
    return b"[\n" + lines.removesuffix(b",\n") + b"\n" * bool(lines) + b"]\n"


def _msgpack(table: "RunTable") -> bytearray:
    encoder, out = msgspec.msgpack.Encoder(), bytearray()
    for row in table_rows(table):
        encoder.encode_into(row, out, -1)
    return out


def _csv(table: "RunTable") -> bytes:
    """Encode as CSV like the flat tables of patients: texts in quotation marks, null is empty."""
    header = tuple(column.name for column in table.columns)
    lines = (",".join(map(_cell, line)) for line in chain([header], _lines(table)))
    return "".join(f"{line}\n" for line in lines).encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return repr(value)


_ENCODERS: dict[str, Callable[["RunTable"], bytes | bytearray]] = {
    "jsonl": _jsonl,
    "json": _json,
    "msgpack": _msgpack,
    "csv": _csv,
}
