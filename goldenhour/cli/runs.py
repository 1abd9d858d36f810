"""`goldenhour runs`: list, show, watch, cancel and remove the runs in the database."""

import asyncio
import time
from typing import TYPE_CHECKING, Any, get_args

import click

from actors.store import ENDED, State
from engine.errors import InputError, StoreError, shown
from goldenhour import console, views
from goldenhour.cli import options
from goldenhour.cli.groups import SuggestingGroup
from goldenhour.cli.listing import listed
from goldenhour.database import user_and_machine, with_store

if TYPE_CHECKING:
    from actors.store import ConfigStore

WATCH_SECONDS = 1.0
"""Seconds between two queries of `watch`."""

CANCEL_SECONDS = 40.0
"""How long `cancel` waits. A live driver stops within seconds; a dead one is noticed after 15 s."""

MAX_WATCHED = 200
"""`watch` without RUN looks for unfinished runs among this many of the latest."""

Row = dict[str, Any]
"""A run as the store returns it."""


@click.group(cls=SuggestingGroup)
def runs() -> None:
    """List, show, watch, cancel and remove the runs in the database."""


@runs.command("list")
@click.option("--state", type=click.Choice(get_args(State)), help="List only runs in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=30, help="List at most this many. Default: 30."
)
@options.as_json
def list_runs(state: str | None, limit: int, as_json: bool) -> None:
    """List the latest runs."""
    rows = listed(lambda store: store.runs(state, limit))
    if as_json:
        console.print_json(rows)
    elif not rows:
        console.print_error_line("there are no runs; `goldenhour run standard` starts one")
    else:
        console.screen().print(views.runs_table(rows))


@runs.command("show")
@click.argument("run")
@options.as_json
def show(run: str, as_json: bool) -> None:
    """Show all that the database holds of a run.

    RUN is an id, the first characters of one, or a name.
    """

    async def find(store: "ConfigStore") -> Row | None:
        return await store.run(await store.find_run(run))

    row = _existing(with_store(find), run)
    if as_json:
        console.print_json(row)
    else:
        views.show_run(console.screen(), row)


@runs.command("watch")
@click.argument("run", required=False)
@options.as_json
def watch(run: str | None, as_json: bool) -> None:
    """Watch a run, or all unfinished runs, until they end.

    RUN is an id, the first characters of one, or a name.
    """

    async def follow(store: "ConfigStore") -> None:
        chosen = None if run is None else await store.find_run(run)
        with views.RunsView(as_json) as view:
            watched: set[Any] = set()
            while True:
                if chosen is not None:
                    rows = [_existing(await store.run(chosen), str(run))]
                else:
                    rows = [row for row in await store.runs(None, MAX_WATCHED) if _is_unfinished(row)]
                    unfinished = {row["id"] for row in rows}
                    ended = [await store.run(each) for each in watched - unfinished]
                    rows += [row for row in ended if row is not None]
                    watched = unfinished
                view.update(rows)
                if not any(map(_is_unfinished, rows)) or console.is_output_lost():
                    return
                await asyncio.sleep(WATCH_SECONDS)

    with_store(follow)


@runs.command("cancel")
@click.argument("run")
@options.as_json
def cancel(run: str, as_json: bool) -> None:
    """Stop a run, and wait until it has stopped.

    RUN is an id, the first characters of one, or a name. The run may be on another machine.
    """

    async def stop(store: "ConfigStore") -> State | None:
        found = await store.find_run(run)
        row = _existing(await store.run(found), run)
        short = str(found)[:8]
        if row["state"] in ENDED:
            raise InputError(f"run {short} has already ended: {row['state']}")
        limit = time.monotonic() + CANCEL_SECONDS
        announced = as_json
        while (state := await store.cancel_run(found, user_and_machine())) in ("queued", "running"):
            if time.monotonic() > limit:
                raise StoreError(f"run {short} has not stopped within {CANCEL_SECONDS:.0f} s")
            if not announced:
                announced = True
                console.print_error_line(f"Asked run {short} of {row['who']} to stop ...")
            await asyncio.sleep(0.3)
        return state

    state = with_store(stop)
    if as_json:
        console.print_json({"run": run, "state": state})
    else:
        console.print_line(f"{run} is {state}")


@runs.command("rm")
@click.argument("run", nargs=-1, required=True)
@options.as_json
def remove(run: tuple[str, ...], as_json: bool) -> None:
    """Remove runs that have ended from the database.

    RUN is an id, the first characters of one, or a name. The files of the run stay.
    """

    async def remove_each(store: "ConfigStore") -> list[str]:
        removed = []
        for reference in run:
            found = await store.find_run(reference)
            if not await store.remove_run(found):
                row = _existing(await store.run(found), reference)
                short = str(found)[:8]
                raise InputError(
                    f"run {short} is {row['state']}; stop it first: `goldenhour runs cancel {short}`"
                )
            removed.append(str(found))
        return removed

    removed = with_store(remove_each)
    if as_json:
        console.print_json({"removed": removed})
    else:
        console.print_line(f"removed: {', '.join(each[:8] for each in removed)}; their files stay")


def _is_unfinished(row: Row) -> bool:
    return row["state"] in ("queued", "running")


def _existing(row: Row | None, reference: str) -> Row:
    """The row. Raises InputError if the run was removed after it had been found."""
    if row is None:
        raise InputError(f"run {shown(reference)} was removed")
    return row
