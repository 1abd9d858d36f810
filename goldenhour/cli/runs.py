"""`goldenhour runs`: list, show, watch, cancel and forget the runs in the database."""

import asyncio
import sys
import time
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from actors.store import ENDED, ConfigStore, State
from engine.errors import InputError, StoreError, shown
from goldenhour.cli.store_access import ask, json_line, print_json, when, who
from goldenhour.views import console, duration, table

WATCH_SECONDS = 1.0
"""Time between two looks of `watch`."""

CANCEL_SECONDS = 40.0
"""How long `cancel` waits: a driver that lives stops in a few seconds, one that is dead is known to be in 15."""

COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "resumable": "magenta",
    "running": "cyan",
}


def show_list(state: str | None, limit: int, as_json: bool) -> None:
    """The latest runs."""
    found = ask(lambda store: store.runs(state, limit))
    if as_json:
        print_json(found)
    elif not found:
        click.echo("no runs; `goldenhour run standard` makes one", err=True)
    else:
        console().print(_runs_table(found))


def show(reference: str, as_json: bool) -> None:
    """All that is known of one run."""

    async def find(store: ConfigStore) -> dict[str, Any] | None:
        return await store.run(await store.find_run(reference))

    row = _there(ask(find), reference)
    if as_json:
        print_json(row)
        return
    out = console()
    for name, value in _facts(row):
        out.print(Text(f"{name:<12}", style="dim"), Text(value), soft_wrap=True)
    if row["measures"] is not None:
        from goldenhour.views import summary_tables

        for shown_table in summary_tables(row["measures"]):
            out.print()
            out.print(shown_table)


def watch(reference: str | None, as_json: bool) -> None:
    """A live table of one run or of all that are not ended, until they are; plain lines where there is no terminal."""

    async def follow(store: ConfigStore) -> None:
        wanted = None if reference is None else await store.find_run(reference)
        view = _View(as_json)
        with view:
            seen: list[Any] = []
            while True:
                if wanted is not None:
                    found = [_there(await store.run(wanted), str(reference))]
                else:
                    found = [row for row in await store.runs(None, 200) if _is_under_way(row)]
                    ids = {row["id"] for row in found}
                    ended = [await store.run(run) for run in seen if run not in ids]
                    found += [row for row in ended if row is not None]
                    seen = list(ids)
                view.update(found)
                if not any(_is_under_way(row) for row in found):
                    return
                await asyncio.sleep(WATCH_SECONDS)

    ask(follow)


def cancel(reference: str, as_json: bool) -> None:
    """Stop a run and wait until it has stopped."""

    async def stop(store: ConfigStore) -> State | None:
        run = await store.find_run(reference)
        row = _there(await store.run(run), reference)
        if row["state"] in ENDED:
            raise InputError(f"run {str(run)[:8]} is {row['state']} already")
        until = time.monotonic() + CANCEL_SECONDS
        told = False
        while (state := await store.cancel_run(run, who())) in ("queued", "running"):
            if time.monotonic() > until:
                raise StoreError(f"run {str(run)[:8]} has not stopped within {CANCEL_SECONDS:.0f} s")
            if not told and not as_json:
                told = True
                click.echo(f"Asked run {str(run)[:8]} of {row['who']} to stop ...", err=True)
            await asyncio.sleep(0.3)
        return state

    state = ask(stop)
    if as_json:
        print_json({"run": reference, "state": state})
    else:
        click.echo(f"{reference} is {state}")


def remove(references: tuple[str, ...], as_json: bool) -> None:
    """Forget runs that are not under way."""

    async def forget(store: ConfigStore) -> list[str]:
        gone = []
        for reference in references:
            run = await store.find_run(reference)
            row = _there(await store.run(run), reference)
            if not await store.remove_run(run):
                raise InputError(
                    f"run {str(run)[:8]} is {row['state']}: `goldenhour runs cancel {str(run)[:8]}` first"
                )
            gone.append(str(run))
        return gone

    gone = ask(forget)
    if as_json:
        print_json({"removed": gone})
    else:
        click.echo(f"forgotten: {', '.join(run[:8] for run in gone)}; their files stay")


class _View:
    """Where `watch` shows what it sees: a live table, lines of changes, or a JSON array a line."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._live = None if as_json or not sys.stdout.isatty() else Live(console=Console())
        self._last: dict[Any, tuple[Any, ...]] = {}

    def __enter__(self) -> "_View":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, rows: list[dict[str, Any]]) -> None:
        """Show what there is now."""
        if self._json:
            click.echo(
                json_line([{key: row[key] for key in row if key not in ("text", "measures")} for row in rows])
            )
        elif self._live is not None:
            self._live.update(_runs_table(rows) if rows else Text("no run is under way"), refresh=True)
        else:
            for row in rows:
                key = (row["state"], row["phase"], row["patients"])
                if self._last.get(row["id"]) != key:
                    self._last[row["id"]] = key
                    click.echo(f"{str(row['id'])[:8]} {row['scenario']} {row['state']} {_progress(row)}")
            if not rows:
                click.echo("no run is under way")


def _runs_table(rows: list[dict[str, Any]]) -> Table:
    shown_table = table(
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
        version = "" if row["scenario_version"] is None else f"@{row['scenario_version']}"
        shown_table.add_row(
            str(row["id"])[:8],
            Text(row["name"] or "-"),
            Text(f"{row['scenario']}{version}"),
            f"{row['seed']}" + (f"/{row['replication']}" if row["replication"] else ""),
            Text(row["state"], style=COLOURS.get(row["state"], "")),
            _progress(row),
            f"{row['rate']:,.0f}" if row["rate"] else "-",
            when(row["created_at"]),
            _took(row),
            Text(row["who"]),
        )
    return shown_table


def _progress(row: dict[str, Any]) -> str:
    if row["state"] == "queued":
        return row["phase"]
    phase = f", {row['phase']}" if row["state"] == "running" and row["phase"] != "running" else ""
    return f"{100 * row['fraction']:.0f} %, {row['patients']:,} patients{phase}"


def _took(row: dict[str, Any]) -> str:
    end = row["ended_at"] or row["heartbeat"]
    return duration((end - row["created_at"]).total_seconds())


def _facts(row: dict[str, Any]) -> list[tuple[str, str]]:
    version = "" if row["scenario_version"] is None else f"@{row['scenario_version']}"
    facts = [
        ("run", f"{row['id']}{'' if row['name'] is None else ', ' + row['name']}"),
        ("state", row["state"]),
        ("progress", _progress(row)),
        ("scenario", f"{row['scenario']}{version} ({row['source']}), {row['hash'][:12]}"),
        ("seed", f"{row['seed']}, replication {row['replication']}"),
        ("settings", ", ".join(f"{key} {value}" for key, value in row["settings"].items())),
        ("who", row["who"]),
        ("output", row["output"]),
        ("entered", when(row["created_at"])),
        ("started", when(row["started_at"])),
        *([("resumed", when(row["resumed_at"]))] if row["resumed_at"] else []),
        ("ended" if row["ended_at"] else "heard of", when(row["ended_at"] or row["heartbeat"])),
    ]
    if row["cancelled_by"]:
        facts.append(("cancelled by", row["cancelled_by"]))
    if row["error"]:
        facts.append(("error", row["error"]))
    return facts


def _is_under_way(row: dict[str, Any]) -> bool:
    return row["state"] in ("queued", "running")


def _there(row: dict[str, Any] | None, reference: str) -> dict[str, Any]:
    if row is None:
        raise InputError(f"run {shown(reference)} was removed")
    return row
