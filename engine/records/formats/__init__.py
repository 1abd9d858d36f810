"""The formats of patient files: their names and parts, and the encoding of chunks into bytes.

Importing this module loads neither NumPy nor pyarrow, because the driver and the writer need only `FORMATS`. The bytes
of a file depend on the run's patients alone; those of compressed and Parquet files also on the division into chunks.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.tables import Chunk

PART_PATIENTS = 65_536
"""Patients in one file. Equal to `engine.tables.columns.PART`, which cannot be imported without NumPy (tested)."""
PARQUET_PART_PATIENTS = 16_384
"""Patients in one Parquet file, likewise `PARQUET_PART`."""

COMPRESSIONS = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""Compression methods, and the suffix each adds to a file's name. Parquet compresses inside the file."""

FLAT_TABLES = ("patients", "events", "treatments", "wounds", "vitals")
"""The tables of csv and parquet. `patients.id` is `patient_id` in the others."""

RUN_TABLES = ("facilities", "measures")
"""The tables of a run as a whole, each one file in every format (`engine.measures.whole_run`)."""


class FormatInfo(NamedTuple):
    """A format as the pipeline and the writer see it."""

    name: str
    tables: tuple[str, ...]
    """The tables of patients that it has, each in files of its own."""
    suffix: str
    """Ending of a file's name, before the compression's suffix."""
    unit: str
    """What one call of `encode_chunks` encodes: a "chunk", whose frames are appended to the part's files, or all chunks
    of a "part", whose frames are whole files."""
    part_patients: int | None
    """Patients in a part, None where the whole run is one part."""
    content: str
    """What a file holds, for docs/records.md."""
    libraries: tuple[str, ...] = ()
    """Packages whose version determines the bytes, besides those of the compression."""

    def filename(self, table: str, part: int, compress: str = "none") -> str:
        """Return the name of a file: a part of a table of patients, or one of RUN_TABLES, which have no number.

        >>> FORMATS["csv"].filename("events", 3, "zstd")
        'events-00003.csv.zst'
        >>> FORMATS["csv"].filename("measures", 0)
        'measures.csv'
        """
        number = "" if self.part_patients is None or table in RUN_TABLES else f"-{part:05}"
        return f"{table}{number}{self.suffix}{COMPRESSIONS[compress] if self.unit == 'chunk' else ''}"

    def part_number(self, first: int) -> int:
        """Return the number of the part that holds the patient with index `first` in the run."""
        return 0 if self.part_patients is None else first // self.part_patients


FORMATS = {
    info.name: info
    for info in (
        FormatInfo(
            "jsonl", ("patients",), ".jsonl", "chunk", PART_PATIENTS, "one patient record on each line"
        ),
        FormatInfo("json", ("patients",), ".json", "chunk", None, "one array of all patient records"),
        FormatInfo(
            "csv",
            FLAT_TABLES,
            ".csv",
            "chunk",
            PART_PATIENTS,
            "one flat table with a header line; null is empty",
        ),
        FormatInfo(
            "parquet",
            FLAT_TABLES,
            ".parquet",
            "part",
            PARQUET_PART_PATIENTS,
            "one flat table, compressed inside (by default with zstd level 1)",
            ("pyarrow",),
        ),
        FormatInfo(
            "msgpack",
            ("patients",),
            ".msgpack",
            "chunk",
            PART_PATIENTS,
            "patient records, one after another, with the fields of the JSON records",
        ),
    )
}


class Frame(Struct, gc=False):
    """Encoded and compressed rows of one table. They are appended to the table's file or, for a part, are the file."""

    table: str
    data: bytes | bytearray | memoryview
    patients: int
    rows: int
    raw_bytes: int
    """Size before compression; of Parquet, of the file."""
    raw_sha256: bytes = b""
    """SHA-256 of the bytes before compression. Empty where they are not compressed: then hash `data`."""


def encode_chunks(
    chunks: "Sequence[Chunk]", code_tables: "CodeTables", fmt: str, compress: str = "none"
) -> list[Frame]:
    """Encode consecutive chunks in one format.

    Parameters
    ----------
    chunks
        Chunks of one run. For a format whose unit is the part, all chunks of one part.
    code_tables
        The texts behind the codes.
    fmt
        A key of FORMATS.
    compress
        A key of COMPRESSIONS.

    Returns
    -------
    list[Frame]
        The frames chunk by chunk, and within a chunk in the order of `FORMATS[fmt].tables`.

    Raises
    ------
    KeyError
        If the format or the compression is unknown.
    """
    info = FORMATS[fmt]
    if compress not in COMPRESSIONS:
        raise KeyError(compress)
    module = import_module(f"engine.records.formats.{info.name}")
    frames: list[Frame] = module.encode(chunks, code_tables, compress)
    return frames
