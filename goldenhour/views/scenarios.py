"""Tables of scenarios: the list of all, the versions of a stored one, and where the settings of one come from."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from goldenhour.console import Table
from goldenhour.views.formatting import format_time

if TYPE_CHECKING:
    from engine.scenario import Evidence


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


def evidence_table(rows: "Iterable[Evidence]") -> Table:
    """Each setting of a scenario with its value, what it rests on, and its source."""
    shown = Table(
        "setting", "value", "basis", "source or reason", "read", sentences=("value", "source or reason")
    )
    for row in rows:
        shown.add_row(row.setting, row.value, row.basis, row.source, row.seen)
    return shown
