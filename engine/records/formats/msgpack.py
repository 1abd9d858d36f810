"""MessagePack: one object after another, with the fields of the JSON records."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.records.formats.base import PART_PATIENTS, Format, Frame, table_rows

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.records.flat import Column
    from engine.records.program import Program
    from engine.tables import Chunk


def _program(code_tables: "CodeTables") -> "Program":
    from engine.records.notations import msgpack_parts
    from engine.records.program import Program
    from engine.records.schema import Patient

    return Program(msgpack_parts(Patient, full=code_tables.full), "patients", code_tables)


def encode(chunks: "Sequence[Chunk]", code_tables: "CodeTables", compress: str) -> list[Frame]:
    """Return one frame for each chunk."""
    from engine.records.formats.compression import frame

    program: Program = code_tables.reusable("msgpack", _program)
    return [frame("patients", program.write(chunk), compress, len(chunk), len(chunk)) for chunk in chunks]


def encode_table(columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str) -> bytearray:
    """Return a table of the run, one object for each row."""
    encoder, out = msgspec.msgpack.Encoder(), bytearray()
    for row in table_rows(columns, values):
        encoder.encode_into(row, out, -1)
    return out


FORMAT = Format(
    "msgpack",
    ".msgpack",
    ("patients",),
    "chunk",
    PART_PATIENTS,
    "patient records, one after another, with the fields of the JSON records",
    encode,
    encode_table,
    patient_seconds=5e-6,
)
