"""MessagePack: one object after another, with the fields of the JSON records."""

from collections.abc import Sequence

import msgspec

from engine.records.code_tables import CodeTables
from engine.records.formats import Frame
from engine.records.formats.compression import frame
from engine.records.schema import build_patients
from engine.tables import Chunk, slice_chunk

SLICE = 256
"""Patients that exist as Structs at the same time (some 6 kB each)."""


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk."""
    encoder = msgspec.msgpack.Encoder()
    frames = []
    for chunk in chunks:
        raw = bytearray()
        for first in range(0, len(chunk), SLICE):
            for patient in build_patients(slice_chunk(chunk, first, first + SLICE), code_tables):
                encoder.encode_into(patient, raw, -1)
        frames.append(frame("patients", raw, compress, len(chunk), len(chunk)))
    return frames
