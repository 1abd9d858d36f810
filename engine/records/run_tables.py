"""RunTable: a table of the run as a whole (`engine.records.formats.RUN_TABLES`), and its encoding in each format."""

from dataclasses import dataclass
from typing import Any

from engine.records.flat import Column
from engine.records.formats import FORMATS, Frame
from engine.records.formats.compression import frame


@dataclass(frozen=True, slots=True)
class RunTable:
    """A table by columns of plain values. None is null; times are seconds since 1970."""

    name: str
    columns: tuple[Column, ...]
    values: list[list[Any]]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values[0])


def encode_run_table(table: RunTable, fmt: str, compress: str) -> Frame:
    """Encode a table as one frame, which is the whole file. Only Parquet needs pyarrow.

    Parameters
    ----------
    table
        The table.
    fmt
        A key of `engine.records.FORMATS`.
    compress
        A key of `engine.records.COMPRESSIONS`.
    """
    info = FORMATS[fmt]
    data = info.encode_table(table.columns, table.values, compress)
    if info.unit == "part":
        return Frame(table.name, data, 0, len(table), len(data))
    return frame(table.name, data, compress, 0, len(table))
