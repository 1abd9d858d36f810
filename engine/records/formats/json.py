"""JSON: one array of all patients, one patient on each line."""

from collections.abc import Sequence

import msgspec

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.formats.patient_encoder import encode_patients
from engine.tables import Chunk


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk. The run's first chunk opens the array, its last closes it."""
    frames = []
    encoder = msgspec.json.Encoder()
    for chunk in chunks:
        raw = bytearray()
        opening = b"[\n" if chunk.first == 0 else b",\n"
        for patients in encode_patients(chunk, code_tables):
            raw += opening
            raw += encoder.encode_lines(patients)[:-1].replace(
                b"\n", b",\n"
            )  # JSON escapes line feeds in texts
            opening = b",\n"
        if chunk.first == 0 and len(chunk) == 0:
            raw += b"["
        if chunk.last:
            raw += b"\n]\n"
        frames.append(frame("patients", raw, compress, len(chunk), len(chunk)))
    return frames
