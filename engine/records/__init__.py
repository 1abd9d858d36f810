"""The patient record: its schema, the texts behind the codes, and the file formats."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from engine.records.code_tables import CodedText, CodeTables, TextSource
    from engine.records.formats import (
        COMPRESSIONS,
        FORMATS,
        PARQUET_PART_PATIENTS,
        PART_PATIENTS,
        RUN_TABLES,
        Frame,
        encode_chunks,
    )
    from engine.records.formats.compression import frame
    from engine.records.formats.flat import FLAT_COLUMNS, Column, arrow_schema
    from engine.records.formats.parquet import parquet_file, patient_arrow_table
    from engine.records.schema import Patient, build_patients

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
        "formats.flat": (
            "Column",
            "FLAT_COLUMNS",
            "arrow_schema",
        ),
        "formats.parquet": (
            "parquet_file",
            "patient_arrow_table",
        ),
        "schema": (
            "Patient",
            "build_patients",
        ),
    },
)

__all__ = [
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
    "TextSource",
    "arrow_schema",
    "build_patients",
    "encode_chunks",
    "frame",
    "parquet_file",
    "patient_arrow_table",
]
