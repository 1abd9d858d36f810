"""CSV: the flat tables, one file for each table and part. Texts are in quotation marks, null is empty."""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from engine.records.formats.base import FLAT_TABLES, PART_PATIENTS, Format, Frame, table_lines

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.records.flat import Column
    from engine.records.program import Program
    from engine.tables import Chunk


def _program(table: str, code_tables: "CodeTables") -> "Program":
    from engine.records.notations import csv_parts
    from engine.records.program import Program

    return Program(csv_parts(table, code_tables.full), table, code_tables)


def encode(chunks: "Sequence[Chunk]", code_tables: "CodeTables", compress: str) -> list[Frame]:
    """Return one frame for each chunk and table. The first chunk of each part has the header line."""
    return [_frame(chunk, code_tables, table, compress) for chunk in chunks for table in FLAT_TABLES]


def _frame(chunk: "Chunk", code_tables: "CodeTables", table: str, compress: str) -> Frame:
    from engine.records.flat import FLAT_COLUMNS
    from engine.records.formats.compression import frame

    program: Program = code_tables.reusable(f"csv {table}", partial(_program, table))
    raw: memoryview | bytearray = program.write(chunk)
    if chunk.first % PART_PATIENTS == 0:
        raw = bytearray(_line(column.name for column in FLAT_COLUMNS[table])) + raw
    return frame(table, raw, compress if raw else "none", len(chunk), len(getattr(chunk, table)))


def encode_table(columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str) -> bytes:
    """Return a table of the run with a header line."""
    header = tuple(column.name for column in columns)
    return b"".join(map(_line, chain([header], table_lines(columns, values))))


def _line(values: Any) -> bytes:
    from engine.records.notations import to_csv

    return b",".join(map(to_csv, values)) + b"\n"


FORMAT = Format(
    "csv",
    ".csv",
    FLAT_TABLES,
    "chunk",
    PART_PATIENTS,
    "one flat table with a header line; null is empty",
    encode,
    encode_table,
    patient_seconds=6e-6,
)
