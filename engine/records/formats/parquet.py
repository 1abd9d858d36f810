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

_ORDER = ("events", "treatments", "vitals", "wounds", "patients")
"""The tables in the order in which they are encoded: first the one whose file takes longest, last the one whose rows
do."""

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
    of_chunk: dict[Any, Any] = {}
    # One thread writes files while the rows of the next table are made: Arrow does not hold Python's lock. A second
    # one would take 150 MB more.
    with ThreadPoolExecutor(1, thread_name_prefix="goldenhour-parquet") as thread:
        files = {}
        for table in _ORDER:
            rows = encoded_table(part, code_tables, table, of_chunk)
            schema = arrow_schema(FLAT_COLUMNS[table])
            files[table] = rows.num_rows, thread.submit(_file, rows, schema, compress)
        encoded = [(table, files[table][0], files[table][1].result()) for table in FLAT_TABLES]
    return [Frame(table, data, len(part), rows, len(data)) for table, rows, data in encoded]


def encode_table(columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str) -> bytes:
    """Return a table of the run."""
    from engine.records.arrow import arrow_schema, run_arrow_table

    return bytes(_file(run_arrow_table(columns, values), arrow_schema(columns), compress))


def parquet_options(schema: "pyarrow.Schema", compress: str) -> dict[str, Any]:
    """Return the options of a Parquet writer for columns of these types, which determine its bytes.

    Columns that are dictionaries already are written as such. Integers and times are written as differences: building
    a dictionary of them would cost more than all the rest. Only they have statistics: those of texts would take as long
    as all other work.
    """
    import pyarrow as pa

    dictionaries = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    differences = [
        field.name
        for field in schema
        if pa.types.is_integer(field.type)
        or pa.types.is_timestamp(field.type)
        or pa.types.is_date(field.type)
    ]
    return {
        "use_dictionary": dictionaries,
        "write_statistics": differences,
        "column_encoding": dict.fromkeys(differences, "DELTA_BINARY_PACKED"),
        "store_schema": False,
        **_CODECS[compress],
    }


def schema_metadata(schema: "pyarrow.Schema") -> dict[str, str]:
    """Return the metadata of a Parquet file by which Arrow reads it with the types of `schema`."""
    import base64

    return {"ARROW:schema": base64.b64encode(schema.serialize().to_pybytes()).decode()}


def _file(rows: "pyarrow.Table", schema: "pyarrow.Schema", compress: str) -> memoryview:
    """Return a Parquet file that Arrow reads with the types of `schema`."""
    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    with pyarrow.parquet.ParquetWriter(sink, rows.schema, **parquet_options(rows.schema, compress)) as writer:
        # One row group: each has dictionaries of its own, and that of the patients' ids is larger than all else.
        writer.write_table(rows, row_group_size=max(1, rows.num_rows))
        writer.add_key_value_metadata(schema_metadata(schema))
    return memoryview(sink.getvalue()).cast("B")


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
    patient_seconds=4e-6,
)
