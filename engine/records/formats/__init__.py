"""The formats of patient files: what they are called and cut into, and how chunks of columns become their bytes.

Importing this module needs neither NumPy nor pyarrow: the driver and the writer know formats by `FORMATS` alone.
Bytes depend on the run's patients only, those of compressed and Parquet files on the cutting into chunks too.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.tables import Chunk

PART_PATIENTS = 65_536
PARQUET_PART_PATIENTS = 16_384

COMPRESSIONS = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""Ways to compress, and what they add to a file's name. Parquet compresses inside the file."""

FLAT_TABLES = ("patients", "events", "treatments", "wounds", "vitals")
"""The tables of csv and parquet; `patients.id` is `patient_id` in the others."""

RUN_TABLES = ("facilities", "measures")
"""The tables of a run that are one whole file in every format (`engine.measures.whole_run`)."""


class FormatInfo(NamedTuple):
    """A format as the pipeline and the writer see it.

    `unit` says what one `encode` call gets: a "chunk", whose frames are appended to the part's files, or all chunks
    of a "part", whose frames are whole files. `part_patients` is None where a run is a single part.
    """

    name: str
    tables: tuple[str, ...]
    suffix: str
    unit: str
    part_patients: int | None

    def filename(self, table: str, part: int, compress: str = "none") -> str:
        """Name of the file of one table's part, such as `events-00003.csv.zst`; RUN_TABLES have no number."""
        number = "" if self.part_patients is None or table in RUN_TABLES else f"-{part:05}"
        return f"{table}{number}{self.suffix}{COMPRESSIONS[compress] if self.unit == 'chunk' else ''}"

    def part_number(self, first: int) -> int:
        """Number of the part that holds the run's patient `first`."""
        return 0 if self.part_patients is None else first // self.part_patients


FORMATS = {
    info.name: info
    for info in (
        FormatInfo("jsonl", ("patients",), ".jsonl", "chunk", PART_PATIENTS),
        FormatInfo("json", ("patients",), ".json", "chunk", None),
        FormatInfo("csv", FLAT_TABLES, ".csv", "chunk", PART_PATIENTS),
        FormatInfo("parquet", FLAT_TABLES, ".parquet", "part", PARQUET_PART_PATIENTS),
        FormatInfo("msgpack", ("patients",), ".msgpack", "chunk", PART_PATIENTS),
    )
}


class Frame(Struct, gc=False):
    """Encoded and compressed bytes of one table, to be appended to its file (or, of a whole part, to be the file)."""

    table: str
    data: bytes | bytearray
    patients: int
    rows: int
    raw_bytes: int
    """Size before compression; of Parquet, of the file."""
    raw_sha256: bytes = b""
    """SHA-256 of the bytes before compression; empty where they are not compressed, as `data` is what to hash."""


def encode_chunks(
    chunks: "Sequence[Chunk]", lexicon: "CodeTables", fmt: str, compress: str = "none"
) -> list[Frame]:
    """Frames of consecutive `chunks` in format `fmt`: chunk by chunk, tables in the order of `FORMATS[fmt].tables`.

    Of a format whose unit is the part, `chunks` are all of one part. Raises KeyError for an unknown format or
    compression.
    """
    info = FORMATS[fmt]
    if compress not in COMPRESSIONS:
        raise KeyError(compress)
    module = import_module(f"engine.records.formats.{info.name}")
    frames: list[Frame] = module.encode(chunks, lexicon, compress)
    return frames
