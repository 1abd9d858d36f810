"""Lists of rows from the database, without those that are damaged."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from goldenhour import console
from goldenhour.database import with_store

if TYPE_CHECKING:
    from actors.store import ConfigStore

MOST_NOTES = 5
"""Most damaged rows that are named."""


def listed(work: Callable[["ConfigStore"], Awaitable[list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The same as `with_store` for a list of rows. A note on stderr names each row that is damaged and left out."""

    async def run(store: "ConfigStore") -> tuple[list[dict[str, Any]], list[str]]:
        return await work(store), store.damaged

    rows, damaged = with_store(run)
    for message in damaged[:MOST_NOTES]:
        console.print_error_line(f"note: {message}")
    if len(damaged) > MOST_NOTES:
        console.print_error_line(f"note: {len(damaged) - MOST_NOTES:,} more rows are damaged")
    return rows
