"""The tables of the run as a whole, as rows and as Arrow tables."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine import records

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.records import RunTable


def table_rows(table: "RunTable") -> Iterator[dict[str, Any]]:
    """Yield the rows as dictionaries by column, times as ISO 8601 texts."""
    return records.table_rows(table.columns, table.values)


def run_arrow_table(table: "RunTable") -> "pa.Table":
    """Return the table as an Arrow table with the types of the flat tables."""
    return records.run_arrow_table(table.columns, table.values)
