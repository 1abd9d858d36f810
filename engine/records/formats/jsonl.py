"""JSON Lines: one patient on each line."""

from collections.abc import Sequence

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.notations import json_parts
from engine.records.program import Program
from engine.records.schema import Patient
from engine.tables import Chunk


def _program(code_tables: CodeTables) -> Program:
    return Program((*json_parts(Patient), b"\n"), "patients", code_tables)


def lines(chunk: Chunk, code_tables: CodeTables) -> memoryview:
    """Return the patients of `chunk`, each as a JSON object and a line feed."""
    program: Program = code_tables.reusable("jsonl", _program)
    return program.write(chunk)


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk."""
    return [
        frame("patients", lines(chunk, code_tables), compress, len(chunk), len(chunk)) for chunk in chunks
    ]
