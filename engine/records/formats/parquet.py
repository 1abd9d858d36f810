"""Parquet: the flat tables, one file a table and part, compressed inside (zstd unless asked otherwise)."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from engine.records.code_tables import CodeTables
from engine.records.formats import FORMATS, Frame, flat
from engine.tables import Chunk

ROW_GROUP = 65_536

_CODECS: dict[str, dict[str, Any]] = {
    "none": {"compression": "none"},
    "gzip": {"compression": "gzip", "compression_level": 1},
    "zstd": {"compression": "zstd", "compression_level": 1},
}


def patient_arrow_table(chunks: Sequence[Chunk], lexicon: CodeTables, table: str) -> pa.Table:
    """One of the flat tables of consecutive chunks as one Arrow table, each column in one piece."""
    return pa.concat_tables(
        [flat.chunk_arrow_table(chunk, lexicon, table) for chunk in chunks]
    ).combine_chunks()


def encode(chunks: Sequence[Chunk], lexicon: CodeTables, compress: str) -> list[Frame]:
    """One frame a table: the whole file of the part that `chunks` are. The bytes depend on the rows alone."""
    flat.spare_memory()
    patients = sum(len(chunk) for chunk in chunks)
    frames = []
    for table in FORMATS["parquet"].tables:
        rows = patient_arrow_table(chunks, lexicon, table)
        dictionaries = [column.name for column in flat.FLAT_COLUMNS[table] if column.kind != "number"]
        data = file_of(rows, dictionaries, compress)
        digest = hashlib.sha256(data).digest()
        frames.append(Frame(table, data, patients, rows.num_rows, len(data), digest))
    return frames


def file_of(rows: pa.Table, dictionaries: Sequence[str], compress: str) -> bytes:
    """A whole file; `dictionaries` are all columns but floats, which they would only slow down."""
    sink = pa.BufferOutputStream()
    options: dict[str, Any] = {"use_dictionary": list(dictionaries), **_CODECS[compress]}
    pyarrow.parquet.write_table(rows, sink, row_group_size=ROW_GROUP, **options)
    data: bytes = sink.getvalue().to_pybytes()
    return data
