"""Tables of scenarios: the list of all, and the versions of a stored one."""

from collections.abc import Iterable, Mapping
from typing import Any

from goldenhour.console import Table
from goldenhour.views.formatting import format_time


def scenarios_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Name, kind, casualties, days and description of each scenario."""
    shown = Table("name", "kind", "casualties", "days", "description", right=("casualties", "days"))
    for row in rows:
        total = row["casualties"]
        version = f" @{row['version']}" if "version" in row else ""
        shown.add_row(
            row["name"],
            f"{row['kind']}{version}",
            f"{total:,}" if total else "rates",
            str(row["days"]),
            row["description"],
        )
    return shown


def versions_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The versions of a stored scenario."""
    shown = Table("version", "parent", "added", "author", "hash", "note", right=("version", "parent"))
    for row in rows:
        shown.add_row(
            str(row["version"]),
            "-" if row["parent"] is None else str(row["parent"]),
            format_time(row["created_at"]),
            row["author"],
            row["hash"][:12],
            row["note"],
        )
    return shown
