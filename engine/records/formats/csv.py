"""CSV: the flat tables, one file for each table and part. Texts are in quotation marks, null is empty.

The spelling of a value depends on its column alone: integers have no point, numbers always have one, truth values are
`true` and `false`.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv

from engine.records.code_tables import CodeTables
from engine.records.formats import FLAT_TABLES, PART_PATIENTS, Frame
from engine.records.formats.compression import frame
from engine.records.formats.flat import chunk_arrow_table, use_system_allocator
from engine.tables import Chunk, slice_chunk

BLOCK = 1024
"""Patients converted to Arrow tables at the same time."""


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each chunk and table. The first chunk of each part has the header line."""
    use_system_allocator()
    return [_frame(chunk, code_tables, table, compress) for chunk in chunks for table in FLAT_TABLES]


def _frame(chunk: Chunk, code_tables: CodeTables, table: str, compress: str) -> Frame:
    raw = bytearray()
    for first in range(0, max(len(chunk), 1), BLOCK):
        rows = chunk_arrow_table(slice_chunk(chunk, first, first + BLOCK), code_tables, table, as_texts=True)
        header = first == 0 and chunk.first % PART_PATIENTS == 0
        sink = pa.BufferOutputStream()
        options = pyarrow.csv.WriteOptions(include_header=header, quoting_style="needed")
        pyarrow.csv.write_csv(rows, sink, options)
        raw += memoryview(sink.getvalue())
    return frame(table, raw, compress if raw else "none", len(chunk), len(getattr(chunk, table)))
