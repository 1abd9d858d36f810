"""MessagePack: one object after another, with the fields of the JSON records."""

from collections.abc import Sequence

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.notations import msgpack_parts
from engine.records.program import Program
from engine.records.schema import Patient
from engine.tables import Chunk


def _program(code_tables: CodeTables) -> Program:
    return Program(msgpack_parts(Patient), "patients", code_tables)


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk."""
    program: Program = code_tables.reusable("msgpack", _program)
    return [frame("patients", program.write(chunk), compress, len(chunk), len(chunk)) for chunk in chunks]
