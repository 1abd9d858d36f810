"""JSON: one array of all patients, one patient on each line."""

from collections.abc import Sequence

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.notations import json_parts
from engine.records.program import Program
from engine.records.schema import Patient
from engine.tables import Chunk


def _program(code_tables: CodeTables) -> Program:
    return Program((b",\n", *json_parts(Patient)), "patients", code_tables)


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk. The run's first chunk opens the array, its last closes it."""
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
