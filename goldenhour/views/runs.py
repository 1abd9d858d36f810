"""The runs and experiments of the database: tables of many, the facts of one, and the live view of `watch`."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from rich.text import Text

from actors.store import NO_OUTPUT, ExperimentDetail
from goldenhour import console
from goldenhour.console import Screen, Table
from goldenhour.views.formatting import format_duration, format_time, plural

Row = dict[str, Any]
"""A run or an experiment as the store returns it."""

STATE_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "resumable": "magenta",
    "running": "cyan",
}


class RunsView:
    """A view of runs that changes: a live table on a terminal, else a line for each change.

    Parameters
    ----------
    as_json
        Print a JSON array in one line at each update.
    noun
        What a row is called.
    table
        Lays the rows out.
    """

    def __init__(self, as_json: bool, noun: str, table: Callable[[Sequence[Row]], Table]) -> None:
        self._json = as_json
        self._none = f"no {noun} is in progress"
        self._table = table
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
            self._live.update(self._table(rows) if rows else Text(self._none), refresh=True)
        else:
            for row in rows:
                key = (row["state"], row["phase"], row["patients"], row["detail"])
                if self._last.get(row["id"]) != key:
                    self._last[row["id"]] = key
                    console.print_line(
                        f"{str(row['id'])[:8]} {row['scenario']} {row['state']} {_progress(row)}"
                    )
            if not rows:
                console.print_line(self._none)


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
            _took(row),
            row["who"],
        )
    return shown


def experiments_table(rows: Sequence[Row]) -> Table:
    """A line for each experiment."""
    shown = Table(
        "id",
        "kind",
        "name",
        "scenario",
        "state",
        "points",
        "replications",
        "widest interval",
        "left",
        "began",
        "output",
        right=("points", "replications", "left"),
        decorative=("scenario",),
        sentences=("widest interval",),
    )
    for row in rows:
        progress = _detail(row)
        shown.add_row(
            str(row["id"])[:8],
            row["kind"],
            row["name"] or "-",
            f"{row['scenario']}{_version(row)}",
            Text(row["state"], style=STATE_COLOURS.get(row["state"], "")),
            f"{progress.points_done:,}/{progress.points:,}",
            f"{progress.replications:,}/{progress.replications_wanted:,}",
            progress.widest or "-",
            _time_left(row) or "-",
            format_time(row["created_at"]),
            row["output"],
        )
    return shown


def show_run(screen: Screen, row: Row) -> None:
    """Print all that the database holds of a run or experiment, with its results if it has succeeded."""
    for name, value in _facts(row):
        screen.print(Text(f"{name:<12}", style="dim"), Text(value), soft_wrap=True)
    if row["measures"] is not None and row["kind"] != "run":
        for sentence in _texts(row["measures"].get("sentences")):
            screen.print()
            screen.print(Text(sentence))
        for number, note in enumerate(_texts(row["measures"].get("notes"))):
            if number == 0:
                screen.print()
            screen.print(Text(f"note: {note}"))
    elif row["measures"] is not None:
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
    yield row["kind"], f"{row['id']}{'' if row['name'] is None else ', ' + row['name']}"
    yield "state", row["state"]
    yield "progress", _progress(row)
    scenario = f"{row['scenario']}{_version(row)} ({row['source']})"
    yield "scenario", f"{scenario}, {row['hash'][:12]}" if row["kind"] == "run" else scenario
    if row["kind"] == "run":
        yield "seed", f"{row['seed']}, replication {row['replication']}"
    else:
        yield "plan", row["hash"][:12]
        yield "seed", str(row["seed"])
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
    if row["state"] in ("failed", "resumable") and row["output"] != NO_OUTPUT:
        yield "to continue", f"goldenhour resume {str(row['id'])[:8]}"


def _duration(row: Row) -> str:
    """How long a run took from its registration to its end, and its rate while it simulated."""
    whole = format_duration((row["ended_at"] - row["created_at"]).total_seconds())
    each = "patients/s while they were written" if row["kind"] == "run" else "replications/s were simulated"
    rate = f"; {row['rate']:,.0f} {each}" if row["rate"] else ""
    return f"{whole} in all, from the registration to the end{rate}"


def _version(row: Row) -> str:
    return "" if row["scenario_version"] is None else f"@{row['scenario_version']}"


def _took(row: Row) -> str:
    return format_duration(((row["ended_at"] or row["heartbeat"]) - row["created_at"]).total_seconds())


def _progress(row: Row) -> str:
    if row["state"] == "queued":
        return str(row["phase"])
    phase = f", {row['phase']}" if row["state"] == "running" and row["phase"] != "running" else ""
    if row["kind"] == "run":
        return f"{100 * row['fraction']:.0f} %, {row['patients']:,} patients{phase}"
    progress = _detail(row)
    text = f"{progress.points_done:,} of {plural(progress.points, 'point')}, {progress.replications:,} of "
    text += plural(progress.replications_wanted, "replication")
    if progress.cached:
        text += f" ({progress.cached:,} from the cache)"
    if progress.widest:
        words = "" if row["kind"] == "optimisation" else "widest interval: "
        text += f", {words}{progress.widest}"
    left = _time_left(row)
    return f"{text}{f', about {left} left' if left else ''}{phase}"


def _detail(row: Row) -> ExperimentDetail:
    return msgspec.convert(row["detail"] or {}, ExperimentDetail)


def _time_left(row: Row) -> str:
    """The expected time until the end of an experiment in progress; empty where that is unknown."""
    seconds = _detail(row).seconds_left
    return "" if seconds is None or row["state"] != "running" else format_duration(seconds)


def _texts(value: Any) -> list[str]:
    """The texts of a list that other programs may have written."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
