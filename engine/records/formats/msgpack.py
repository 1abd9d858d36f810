"""MessagePack: the patients' objects one after another, the same fields as in JSON."""

from collections.abc import Sequence

import msgspec

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.schema import build_patients, portion
from engine.tables import Chunk

SLICE = 256
"""Patients held as Structs at once (some 6 kB each)."""


def encode(chunks: Sequence[Chunk], lexicon: CodeTables, compress: str) -> list[Frame]:
    """One frame a chunk."""
    encoder = msgspec.msgpack.Encoder()
    frames = []
    for chunk in chunks:
        raw = bytearray()
        for first in range(0, len(chunk), SLICE):
            for patient in build_patients(portion(chunk, first, first + SLICE), lexicon):
                encoder.encode_into(patient, raw, -1)
        frames.append(frame("patients", raw, compress, len(chunk), len(chunk)))
    return frames
