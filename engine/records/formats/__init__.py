"""The formats of patient files: their names and parts, and the encoding of chunks into bytes.

Each module in this package that exports a `FORMAT` is a format. Importing the package loads neither NumPy nor pyarrow,
because the driver and the writer need only `FORMATS`. The bytes of a file depend on the run's patients alone; those of
compressed and Parquet files also on the division into chunks.
"""

from engine.records.formats.base import (
    COMPRESSIONS,
    FLAT_TABLES,
    PARQUET_PART_PATIENTS,
    PART_PATIENTS,
    RUN_TABLES,
    Format,
    Frame,
)
from engine.records.formats.registry import FORMATS, encode_chunks

__all__ = [
    "COMPRESSIONS",
    "FLAT_TABLES",
    "FORMATS",
    "PARQUET_PART_PATIENTS",
    "PART_PATIENTS",
    "RUN_TABLES",
    "Format",
    "Frame",
    "encode_chunks",
]
