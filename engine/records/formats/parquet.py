"""Parquet: the flat tables, one file for each table and part, compressed inside."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.records.formats.base import FLAT_TABLES, PARQUET_PART_PATIENTS, Format, Frame

if TYPE_CHECKING:
    import pyarrow

    from engine.records.code_tables import CodeTables
    from engine.records.flat import Column
    from engine.tables import Chunk

ROW_GROUP = 65_536
"""Rows of a row group."""

_CODECS: dict[str, dict[str, Any]] = {
    "none": {"compression": "none"},
    "gzip": {"compression": "gzip", "compression_level": 1},
    "zstd": {"compression": "zstd", "compression_level": 1},
}


def encode(chunks: "Sequence[Chunk]", code_tables: "CodeTables", compress: str) -> list[Frame]:
    """Return one frame for each table: the whole file of the part. The bytes depend on the rows alone."""
    from engine.records.arrow import patient_arrow_table, use_system_allocator
    from engine.records.flat import FLAT_COLUMNS

    use_system_allocator()
    patients = sum(len(chunk) for chunk in chunks)
    frames = []
    for table in FLAT_TABLES:
        rows = patient_arrow_table(chunks, code_tables, table)
        data = _file(rows, FLAT_COLUMNS[table], compress)
        frames.append(Frame(table, data, patients, rows.num_rows, len(data), hashlib.sha256(data).digest()))
    return frames


def encode_table(columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str) -> bytes:
    """Return a table of the run."""
    from engine.records.arrow import run_arrow_table

    return _file(run_arrow_table(columns, values), columns, compress)


def _file(rows: "pyarrow.Table", columns: "Sequence[Column]", compress: str) -> bytes:
    """Return a Parquet file. All columns but floats have a dictionary, which for floats would only cost time."""
    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    dictionaries = [column.name for column in columns if column.kind != "number"]
    options: dict[str, Any] = {"use_dictionary": dictionaries, **_CODECS[compress]}
    pyarrow.parquet.write_table(rows, sink, row_group_size=ROW_GROUP, **options)
    data: bytes = sink.getvalue().to_pybytes()
    return data


FORMAT = Format(
    "parquet",
    ".parquet",
    FLAT_TABLES,
    "part",
    PARQUET_PART_PATIENTS,
    "one flat table, compressed inside (by default with zstd level 1)",
    encode,
    encode_table,
    ("pyarrow",),
)
