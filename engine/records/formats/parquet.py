"""Parquet: the flat tables, one file for each table and part, compressed inside."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
    from engine.records.arrow import arrow_schema, encoded_table, use_system_allocator
    from engine.records.flat import FLAT_COLUMNS
    from engine.tables import join_chunks

    use_system_allocator()
    part = join_chunks(chunks)
    # One thread writes files while the rows of the next table are made: Arrow does not hold Python's lock. A second
    # one would take 150 MB more.
    with ThreadPoolExecutor(1, thread_name_prefix="goldenhour-parquet") as thread:
        files = []
        for table in FLAT_TABLES:
            rows = encoded_table(part, code_tables, table)
            files.append(
                (
                    table,
                    rows.num_rows,
                    thread.submit(_file, rows, arrow_schema(FLAT_COLUMNS[table]), compress),
                )
            )
        encoded = [(table, rows, file.result()) for table, rows, file in files]
    return [Frame(table, data, len(part), rows, len(data)) for table, rows, data in encoded]


def encode_table(columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str) -> bytes:
    """Return a table of the run."""
    from engine.records.arrow import arrow_schema, run_arrow_table

    return _file(run_arrow_table(columns, values), arrow_schema(columns), compress)


def _file(rows: "pyarrow.Table", schema: "pyarrow.Schema", compress: str) -> bytes:
    """Return a Parquet file that Arrow reads with the types of `schema`.

    Columns that are dictionaries already are written as such. Integers and times are written as differences: building
    a dictionary of them would cost more than all the rest. Only they have statistics: those of texts would take as long
    as all other work.
    """
    import base64

    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    dictionaries = [field.name for field in rows.schema if pa.types.is_dictionary(field.type)]
    differences = [
        field.name
        for field in rows.schema
        if pa.types.is_integer(field.type)
        or pa.types.is_timestamp(field.type)
        or pa.types.is_date(field.type)
    ]
    options: dict[str, Any] = {
        "use_dictionary": dictionaries,
        "write_statistics": differences,
        "column_encoding": dict.fromkeys(differences, "DELTA_BINARY_PACKED"),
        "store_schema": False,
        **_CODECS[compress],
    }
    with pyarrow.parquet.ParquetWriter(sink, rows.schema, **options) as writer:
        writer.write_table(rows, row_group_size=ROW_GROUP)
        writer.add_key_value_metadata(
            {"ARROW:schema": base64.b64encode(schema.serialize().to_pybytes()).decode()}
        )
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
