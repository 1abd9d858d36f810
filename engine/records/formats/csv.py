"""CSV: the flat tables, one file a table and part, with a header line; texts in quotation marks, null is empty."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv

from engine.records.code_tables import CodeTables
from engine.records.formats import FLAT_TABLES, PART_PATIENTS, Frame
from engine.records.formats.compression import frame
from engine.records.formats.flat import chunk_arrow_table, spare_memory
from engine.records.schema import portion
from engine.tables import Chunk

BLOCK = 1024
"""Patients made into Arrow tables at once."""


def encode(chunks: Sequence[Chunk], lexicon: CodeTables, compress: str) -> list[Frame]:
    """One frame a chunk and table. The header stands in the first chunk of each part."""
    spare_memory()
    return [_frame(chunk, lexicon, table, compress) for chunk in chunks for table in FLAT_TABLES]


def _frame(chunk: Chunk, lexicon: CodeTables, table: str, compress: str) -> Frame:
    raw = bytearray()
    for first in range(0, max(len(chunk), 1), BLOCK):
        rows = chunk_arrow_table(portion(chunk, first, first + BLOCK), lexicon, table, text_times=True)
        header = first == 0 and chunk.first % PART_PATIENTS == 0
        sink = pa.BufferOutputStream()
        options = pyarrow.csv.WriteOptions(include_header=header, quoting_style="needed")
        pyarrow.csv.write_csv(rows, sink, options)
        raw += memoryview(sink.getvalue())
    return frame(table, raw, compress if raw else "none", len(chunk), len(getattr(chunk, table)))
