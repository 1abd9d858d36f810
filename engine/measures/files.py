"""The tables of the run as a whole, encoded in each of the formats."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine import records
from engine.records import FORMATS, Frame, frame

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.measures.whole_run import RunTable


def encode_run_table(table: "RunTable", fmt: str, compress: str) -> Frame:
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


def table_rows(table: "RunTable") -> Iterator[dict[str, Any]]:
    """Yield the rows as dictionaries by column, times as ISO 8601 texts."""
    return records.table_rows(table.columns, table.values)


def run_arrow_table(table: "RunTable") -> "pa.Table":
    """Return the table as an Arrow table with the types of the flat tables."""
    return records.run_arrow_table(table.columns, table.values)
