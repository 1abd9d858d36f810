"""JSON: one array of all patients, one patient on each line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.records.formats import jsonl
from engine.records.formats.base import Format, Frame

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.records.flat import Column
    from engine.records.program import Program
    from engine.tables import Chunk


def _program(code_tables: "CodeTables") -> "Program":
    from engine.records.notations import json_parts
    from engine.records.program import Program
    from engine.records.schema import Patient

    return Program((b",\n", *json_parts(Patient, full=code_tables.full)), "patients", code_tables)


def encode(chunks: "Sequence[Chunk]", code_tables: "CodeTables", compress: str) -> list[Frame]:
    """Return one frame for each chunk. The run's first chunk opens the array, its last closes it."""
    from engine.records.formats.compression import frame

    program: Program = code_tables.reusable("json", _program)
    frames = []
    for chunk in chunks:
        raw = bytearray(program.write(chunk))
        if chunk.first == 0:
            raw[:1] = b"["  # in place of the comma
        if chunk.last:
            raw += b"\n]\n"
        frames.append(frame("patients", raw, compress, len(chunk), len(chunk)))
    return frames


def encode_table(columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str) -> bytes:
    """Return a table of the run as an array, one row on each line."""
    lines = jsonl.encode_table(columns, values, compress).replace(
        b"\n", b",\n"
    )  # JSON escapes line feeds in texts
    return b"[\n" + lines.removesuffix(b",\n") + b"\n" * bool(lines) + b"]\n"


FORMAT = Format(
    "json",
    ".json",
    ("patients",),
    "chunk",
    None,
    "one array of all patient records",
    encode,
    encode_table,
    patient_seconds=7e-6,
)
