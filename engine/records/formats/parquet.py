"""Parquet: the flat tables, one file for each table and part, compressed inside."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from engine.records import arrow
from engine.records.code_tables import CodeTables
from engine.records.flat import FLAT_COLUMNS
from engine.records.formats import FORMATS, Frame
from engine.tables import Chunk

ROW_GROUP = 65_536
"""Rows of a row group."""

_CODECS: dict[str, dict[str, Any]] = {
    "none": {"compression": "none"},
    "gzip": {"compression": "gzip", "compression_level": 1},
    "zstd": {"compression": "zstd", "compression_level": 1},
}


def patient_arrow_table(chunks: Sequence[Chunk], code_tables: CodeTables, table: str) -> pa.Table:
    """Return one of the flat tables of consecutive chunks as an Arrow table whose columns are contiguous."""
    return pa.concat_tables(
        [arrow.chunk_arrow_table(chunk, code_tables, table) for chunk in chunks]
    ).combine_chunks()


def encode(chunks: Sequence[Chunk], code_tables: CodeTables, compress: str) -> list[Frame]:
    """Return one frame for each table: the whole file of the part. The bytes depend on the rows alone."""
    arrow.use_system_allocator()
    patients = sum(len(chunk) for chunk in chunks)
    frames = []
    for table in FORMATS["parquet"].tables:
        rows = patient_arrow_table(chunks, code_tables, table)
        dictionaries = [column.name for column in FLAT_COLUMNS[table] if column.kind != "number"]
        data = parquet_file(rows, dictionaries, compress)
        digest = hashlib.sha256(data).digest()
        frames.append(Frame(table, data, patients, rows.num_rows, len(data), digest))
    return frames


def parquet_file(rows: pa.Table, dictionaries: Sequence[str], compress: str) -> bytes:
    """Return a Parquet file.

    Parameters
    ----------
    rows
        The table.
    dictionaries
        Names of the columns with a dictionary: all but floats, for which a dictionary only costs time.
    compress
        A key of COMPRESSIONS.
    """
    sink = pa.BufferOutputStream()
    options: dict[str, Any] = {"use_dictionary": list(dictionaries), **_CODECS[compress]}
    pyarrow.parquet.write_table(rows, sink, row_group_size=ROW_GROUP, **options)
    data: bytes = sink.getvalue().to_pybytes()
    return data
