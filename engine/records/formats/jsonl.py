"""JSON Lines: one patient on each line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.records.formats.base import PART_PATIENTS, Format, Frame, table_rows

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.records.flat import Column
    from engine.records.program import Program
    from engine.tables import Chunk


def lines(chunk: "Chunk", code_tables: "CodeTables") -> memoryview:
    """Return the patients of `chunk`, each as a JSON object and a line feed."""
    program: Program = code_tables.reusable("jsonl", _program)
    return program.write(chunk)


def _program(code_tables: "CodeTables") -> "Program":
    from engine.records.notations import json_parts
    from engine.records.program import Program
    from engine.records.schema import Patient

    return Program((*json_parts(Patient, full=code_tables.full), b"\n"), "patients", code_tables)


def encode(chunks: "Sequence[Chunk]", code_tables: "CodeTables", compress: str) -> list[Frame]:
    """Return one frame for each chunk."""
    from engine.records.formats.compression import frame

    return [
        frame("patients", lines(chunk, code_tables), compress, len(chunk), len(chunk)) for chunk in chunks
    ]


def encode_table(columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str) -> bytearray:
    """Return a table of the run, one row on each line."""
    encoder, out = msgspec.json.Encoder(), bytearray()
    for row in table_rows(columns, values):
        encoder.encode_into(row, out, -1)
        out += b"\n"
    return out


FORMAT = Format(
    "jsonl",
    ".jsonl",
    ("patients",),
    "chunk",
    PART_PATIENTS,
    "one patient record on each line",
    encode,
    encode_table,
    patient_seconds=6e-6,
)
