"""JSON Lines: one patient a line."""

from collections.abc import Sequence

import msgspec

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.formats.fragments import encoded
from engine.tables import Chunk


def lines(chunk: Chunk, lexicon: CodeTables) -> bytearray:
    """The patients of `chunk`, each one JSON object and a line feed."""
    encoder = msgspec.json.Encoder()
    out = bytearray()
    for patients in encoded(chunk, lexicon):
        out += encoder.encode_lines(patients)
    return out


def encode(chunks: Sequence[Chunk], lexicon: CodeTables, compress: str) -> list[Frame]:
    """One frame a chunk."""
    frames = []
    for chunk in chunks:
        raw = lines(chunk, lexicon)
        frames.append(frame("patients", raw, compress, len(chunk), len(chunk)))
    return frames
