"""JSON Lines: one patient a line."""

from collections.abc import Sequence

import msgspec

from engine.columns import Chunk
from engine.formats import Frame
from engine.formats.compression import frame
from engine.formats.fragments import encoded
from engine.lexicon import Lexicon


def lines(chunk: Chunk, lexicon: Lexicon) -> bytearray:
    """The patients of `chunk`, each one JSON object and a line feed."""
    encoder = msgspec.json.Encoder()
    out = bytearray()
    for patients in encoded(chunk, lexicon):
        out += encoder.encode_lines(patients)
    return out


def encode(chunks: Sequence[Chunk], lexicon: Lexicon, compress: str) -> list[Frame]:
    """One frame a chunk."""
    frames = []
    for chunk in chunks:
        raw = lines(chunk, lexicon)
        frames.append(frame("patients", raw, compress, len(chunk), len(chunk)))
    return frames
