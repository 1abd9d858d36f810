"""What a format of patient files declares about itself, and the frames that it returns."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.records.flat import Column
    from engine.tables import Chunk

PART_PATIENTS = 65_536
"""Patients in one file. Equal to `engine.tables.columns.PART`, which cannot be imported without NumPy (tested)."""
PARQUET_PART_PATIENTS = 16_384
"""Patients in one Parquet file, likewise `PARQUET_PART`."""

COMPRESSIONS = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""Compression methods, and the suffix each adds to a file's name. Parquet compresses inside the file."""

FLAT_TABLES = ("patients", "events", "treatments", "wounds", "vitals")
"""The flat tables. `patients.id` is `patient_id` in the others. Equal to the keys of `engine.records.schema.FLAT` and
`engine.tables.TABLES`, which likewise cannot be imported here (tested)."""

RUN_TABLES = ("facilities", "measures", "consumption")
"""The tables of a run as a whole, each one file in every format (`engine.measures.whole_run`)."""


class Frame(Struct, gc=False):
    """Encoded and compressed rows of one table. They are appended to the table's file or, for a part, are the file."""

    table: str
    data: bytes | bytearray | memoryview
    patients: int
    rows: int
    raw_bytes: int
    """Size before compression; of Parquet, of the file."""
    raw: bytes | bytearray | memoryview | None = None
    """The bytes before compression, where `data` is compressed."""


class EncodeChunks(Protocol):
    """Encodes consecutive chunks of patients."""

    def __call__(self, chunks: "Sequence[Chunk]", code_tables: "CodeTables", compress: str, /) -> list[Frame]:
        """Return the frames chunk by chunk, and within a chunk in the order of the format's tables."""


class EncodeTable(Protocol):
    """Encodes a table of the run as a whole."""

    def __call__(
        self, columns: "Sequence[Column]", values: Sequence[Sequence[Any]], compress: str, /
    ) -> bytes | bytearray:
        """Return the content of the file, compressed if `Format.unit` is "part".

        `values` are the columns' values, times in seconds since 1970.
        """


class Format(NamedTuple):
    """A format of patient files. Each module of this package exports one as `FORMAT`.

    The command line, file names, `--force`, resume, the manifest and docs/records.md follow from it. The module is
    imported by processes that only need the names of files, so it imports what encoding needs when it encodes.
    """

    name: str
    suffix: str
    """Ending of a file's name, before the compression's suffix."""
    tables: tuple[str, ...]
    """The tables of patients that it has, each in files of its own."""
    unit: str
    """What one call of `encode` encodes: a "chunk", whose frames are appended to the part's files, or all chunks of a
    "part", whose frames are whole files."""
    part_patients: int | None
    """Patients in a part, None where the whole run is one part."""
    content: str
    """What a file holds, for docs/records.md."""
    encode: EncodeChunks
    encode_table: EncodeTable
    libraries: tuple[str, ...] = ()
    """Packages whose version determines the bytes, besides those of the compression."""
    patient_seconds: float = 8e-6
    """Encoding, hashing and writing a patient on one core, roughly, for the announcement of long runs."""

    @property
    def is_flat(self) -> bool:
        """Whether it holds the flat tables, not records."""
        return self.tables == FLAT_TABLES

    def filename(self, table: str, part: int, compress: str = "none") -> str:
        """Return the name of a file: a part of a table of patients, or one of RUN_TABLES, which have no number.

        >>> from engine.records import FORMATS
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


def table_lines(columns: "Sequence[Column]", values: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table of the run as tuples, times as ISO 8601 texts."""
    readable = (
        map(_instant, column_values) if column.kind == "time" else column_values
        for column, column_values in zip(columns, values, strict=True)
    )
    return zip(*readable, strict=True)


def table_rows(columns: "Sequence[Column]", values: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table of the run as dictionaries by column, times as ISO 8601 texts."""
    names = [column.name for column in columns]
    return (dict(zip(names, line, strict=True)) for line in table_lines(columns, values))


@cache
def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
