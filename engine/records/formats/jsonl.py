"""JSON Lines: one patient on each line."""

from collections.abc import Sequence

import msgspec

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.formats.patient_encoder import encode_patients
from engine.tables import Chunk


def lines(chunk: Chunk, code_tables: CodeTables) -> bytearray:
    """Return the patients of `chunk`, each as a JSON object and a line feed."""
    encoder = msgspec.json.Encoder()
    out = bytearray()
    for patients in encode_patients(chunk, code_tables):
        out += encoder.encode_lines(patients)
    return out


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk."""
    frames = []
    for chunk in chunks:
        raw = lines(chunk, code_tables)
        frames.append(frame("patients", raw, compress, len(chunk), len(chunk)))
    return frames
