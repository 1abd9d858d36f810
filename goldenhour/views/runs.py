"""The runs of the database: a table of many, the facts of one, and the live view of `runs watch`."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from rich.text import Text

from goldenhour import console
from goldenhour.console import Screen, Table
from goldenhour.views.formatting import format_duration, format_time

Row = dict[str, Any]
"""A run as the store returns it."""

STATE_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "resumable": "magenta",
    "running": "cyan",
}


class RunsView:
    """A view of runs that changes: a live table on a terminal, else a line for each change.

    With `as_json` it prints a JSON array in one line at each update.
    """

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._live = None if as_json else console.live_display()
        self._last: dict[Any, tuple[Any, ...]] = {}

    def __enter__(self) -> Self:
        """Start the live table."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the live table; its last state stays on the screen."""
        if self._live is not None:
            self._live.stop()

    def update(self, rows: Sequence[Row]) -> None:
        """Show the runs as they are now."""
        if self._json:
            hidden = ("text", "measures")
            plain = [{key: value for key, value in row.items() if key not in hidden} for row in rows]
            console.print_json(plain, indent=None)
        elif self._live is not None:
            self._live.update(runs_table(rows) if rows else Text("no run is in progress"), refresh=True)
        else:
            for row in rows:
                key = (row["state"], row["phase"], row["patients"])
                if self._last.get(row["id"]) != key:
                    self._last[row["id"]] = key
                    console.print_line(
                        f"{str(row['id'])[:8]} {row['scenario']} {row['state']} {_progress(row)}"
                    )
            if not rows:
                console.print_line("no run is in progress")


def runs_table(rows: Sequence[Row]) -> Table:
    """A line for each run."""
    shown = Table(
        "id",
        "name",
        "scenario",
        "seed",
        "state",
        "progress",
        "rate/s",
        "began",
        "took",
        "who",
        right=("seed", "rate/s"),
    )
    for row in rows:
        shown.add_row(
            str(row["id"])[:8],
            row["name"] or "-",
            f"{row['scenario']}{_version(row)}",
            f"{row['seed']}" + (f"/{row['replication']}" if row["replication"] else ""),
            Text(row["state"], style=STATE_COLOURS.get(row["state"], "")),
            _progress(row),
            f"{row['rate']:,.0f}" if row["rate"] else "-",
            format_time(row["created_at"]),
            format_duration(((row["ended_at"] or row["heartbeat"]) - row["created_at"]).total_seconds()),
            row["who"],
        )
    return shown


def show_run(screen: Screen, row: Row) -> None:
    """Print all that the database holds of a run, with its summary if it has succeeded."""
    for name, value in _facts(row):
        screen.print(Text(f"{name:<12}", style="dim"), Text(value), soft_wrap=True)
    if row["measures"] is not None:
        from goldenhour.views.summary import summary_tables

        try:
            tables = summary_tables(row["measures"])
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            screen.print("the measures in the database are damaged, or of another version of goldenhour")
            return
        for each in tables:
            screen.print()
            screen.print(each)


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    """The labels and values of a run's fields, as text."""
    yield "run", f"{row['id']}{'' if row['name'] is None else ', ' + row['name']}"
    yield "state", row["state"]
    yield "progress", _progress(row)
    yield "scenario", f"{row['scenario']}{_version(row)} ({row['source']}), {row['hash'][:12]}"
    yield "seed", f"{row['seed']}, replication {row['replication']}"
    yield "settings", ", ".join(f"{key} {value}" for key, value in row["settings"].items())
    yield "who", row["who"]
    yield "output", row["output"]
    yield "registered", format_time(row["created_at"])
    yield "started", format_time(row["started_at"])
    if row["resumed_at"]:
        yield "resumed", format_time(row["resumed_at"])
    if row["ended_at"]:
        yield "ended", format_time(row["ended_at"])
        yield "took", _duration(row)
    else:
        yield "last seen", format_time(row["heartbeat"])
    if row["cancelled_by"]:
        yield "cancelled by", row["cancelled_by"]
    if row["error"]:
        yield "error", row["error"]


def _duration(row: Row) -> str:
    """How long a run took from its registration to its end, and its rate while patients were written."""
    whole = format_duration((row["ended_at"] - row["created_at"]).total_seconds())
    rate = f"; {row['rate']:,.0f} patients/s while they were written" if row["rate"] else ""
    return f"{whole} in all, from the registration to the end{rate}"


def _version(row: Row) -> str:
    return "" if row["scenario_version"] is None else f"@{row['scenario_version']}"


def _progress(row: Row) -> str:
    if row["state"] == "queued":
        return str(row["phase"])
    phase = f", {row['phase']}" if row["state"] == "running" and row["phase"] != "running" else ""
    return f"{100 * row['fraction']:.0f} %, {row['patients']:,} patients{phase}"
