"""The patient record: its schema, the texts behind the codes, and the file formats."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from engine.records.arrow import arrow_array, arrow_list, patient_arrow_table, run_arrow_table
    from engine.records.code_tables import CodedText, CodeTables, TextSource
    from engine.records.fields import fields_of
    from engine.records.flat import FLAT_COLUMNS, Column
    from engine.records.formats import (
        COMPRESSIONS,
        FORMATS,
        PARQUET_PART_PATIENTS,
        PART_PATIENTS,
        RUN_TABLES,
        Frame,
        encode_chunks,
    )
    from engine.records.formats.base import table_rows
    from engine.records.formats.compression import frame
    from engine.records.formats.parquet import parquet_options, schema_metadata
    from engine.records.json_schema import data_package, record_schema
    from engine.records.objects import build_patients
    from engine.records.program import ASSEMBLE
    from engine.records.run_tables import RunTable, encode_run_table
    from engine.records.schema import Patient

__getattr__ = lazy_attributes(
    __name__,
    {
        "code_tables": (
            "CodeTables",
            "CodedText",
            "TextSource",
        ),
        "formats": (
            "COMPRESSIONS",
            "FORMATS",
            "Frame",
            "PARQUET_PART_PATIENTS",
            "PART_PATIENTS",
            "RUN_TABLES",
            "encode_chunks",
        ),
        "formats.compression": ("frame",),
        "formats.parquet": (
            "parquet_options",
            "schema_metadata",
        ),
        "arrow": (
            "arrow_array",
            "arrow_list",
            "patient_arrow_table",
            "run_arrow_table",
        ),
        "fields": ("fields_of",),
        "flat": (
            "Column",
            "FLAT_COLUMNS",
        ),
        "formats.base": ("table_rows",),
        "json_schema": (
            "data_package",
            "record_schema",
        ),
        "objects": ("build_patients",),
        "program": ("ASSEMBLE",),
        "run_tables": (
            "RunTable",
            "encode_run_table",
        ),
        "schema": ("Patient",),
    },
)

__all__ = [
    "ASSEMBLE",
    "COMPRESSIONS",
    "FLAT_COLUMNS",
    "FORMATS",
    "PARQUET_PART_PATIENTS",
    "PART_PATIENTS",
    "RUN_TABLES",
    "CodeTables",
    "CodedText",
    "Column",
    "Frame",
    "Patient",
    "RunTable",
    "TextSource",
    "arrow_array",
    "arrow_list",
    "build_patients",
    "data_package",
    "encode_chunks",
    "encode_run_table",
    "fields_of",
    "frame",
    "parquet_options",
    "patient_arrow_table",
    "record_schema",
    "run_arrow_table",
    "schema_metadata",
    "table_rows",
]
