"""CSV: the flat tables, one file for each table and part. Texts are in quotation marks, null is empty."""

from collections.abc import Sequence
from functools import partial

from engine.records.code_tables import CodeTables
from engine.records.flat import FLAT_COLUMNS
from engine.records.formats import FLAT_TABLES, PART_PATIENTS, Frame
from engine.records.formats.compression import frame
from engine.records.notations import csv_parts, to_csv
from engine.records.program import Program
from engine.tables import Chunk


def _program(table: str, code_tables: CodeTables) -> Program:
    return Program(csv_parts(table), table, code_tables)


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk and table. The first chunk of each part has the header line."""
    return [_frame(chunk, code_tables, table, compress) for chunk in chunks for table in FLAT_TABLES]


def _frame(chunk: Chunk, code_tables: CodeTables, table: str, compress: str) -> Frame:
    program: Program = code_tables.reusable(f"csv {table}", partial(_program, table))
    raw: memoryview | bytearray = program.write(chunk)
    if chunk.first % PART_PATIENTS == 0:
        raw = bytearray(_header(table)) + raw
    return frame(table, raw, compress if raw else "none", len(chunk), len(getattr(chunk, table)))


def _header(table: str) -> bytes:
    return b",".join(to_csv(column.name) for column in FLAT_COLUMNS[table]) + b"\n"
