"""What `goldenhour runs` and `goldenhour experiments` do with the rows of the database that they show."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.store import ENDED, Kind
from engine.errors import InputError, StoreError, shown
from goldenhour import console, views
from goldenhour.cli.listing import listed
from goldenhour.database import user_and_machine, with_store

if TYPE_CHECKING:
    from actors.store import ConfigStore
    from goldenhour.console import Table

WATCH_SECONDS = 1.0
"""Seconds between two queries of `watch`."""

CANCEL_SECONDS = 40.0
"""How long `cancel` waits. A live driver stops within seconds; a dead one is noticed after 15 s."""

MAX_WATCHED = 200
"""`watch` without a reference looks for unfinished rows among this many of the latest."""

Row = dict[str, Any]
"""A run or an experiment as the store returns it."""


class Subject(NamedTuple):
    """The rows that a group of commands shows."""

    kinds: tuple[Kind, ...]
    noun: str
    """What a row is called. The group of commands is its plural."""
    first: str
    """A command that adds the first row."""
    table: "Callable[[Sequence[Row]], Table]"
    """Lays rows out."""


def list_rows(subject: Subject, state: str | None, limit: int, as_json: bool) -> None:
    """Print the latest rows."""
    rows = listed(lambda store: store.runs(state, limit, subject.kinds))
    if as_json:
        console.print_json(rows)
    elif not rows:
        console.print_error_line(f"there are no {subject.noun}s; `{subject.first}` starts one")
    else:
        console.screen().print(subject.table(rows))


def show_row(subject: Subject, reference: str, as_json: bool) -> None:
    """Print all that the database holds of a row. Raises InputError if there is none."""

    async def find(store: "ConfigStore") -> Row | None:
        return await store.run(await store.find_run(reference, subject.kinds))

    row = _existing(with_store(find), reference)
    if as_json:
        console.print_json(row)
    else:
        views.show_run(console.screen(), row)


def watch_rows(subject: Subject, reference: str | None, as_json: bool) -> None:
    """Show a row, or all unfinished ones, until they end. Raises InputError if there is no such row."""

    async def follow(store: "ConfigStore") -> None:
        chosen = None if reference is None else await store.find_run(reference, subject.kinds)
        with views.RunsView(as_json, subject.noun, subject.table) as view:
            watched: set[Any] = set()
            while True:
                if chosen is not None:
                    rows = [_existing(await store.run(chosen), str(reference))]
                else:
                    latest = await store.runs(None, MAX_WATCHED, subject.kinds)
                    rows = [row for row in latest if _is_unfinished(row)]
                    unfinished = {row["id"] for row in rows}
                    ended = [await store.run(each) for each in watched - unfinished]
                    rows += [row for row in ended if row is not None]
                    watched = unfinished
                view.update(rows)
                if not any(map(_is_unfinished, rows)) or console.is_output_lost():
                    return
                await asyncio.sleep(WATCH_SECONDS)

    with_store(follow)


def cancel_row(subject: Subject, reference: str, as_json: bool) -> Row:
    """Ask a driver to stop, wait until it has stopped, print the state, and return the row as it is then.

    Raises InputError for what has already ended, and StoreError if the driver has not stopped in time.
    """

    async def stop(store: "ConfigStore") -> Row:
        found = await store.find_run(reference, subject.kinds)
        row = _existing(await store.run(found), reference)
        title = f"{row['kind']} {str(found)[:8]}"
        if row["state"] in ENDED:
            raise InputError(f"{title} has already ended: {row['state']}")
        limit = time.monotonic() + CANCEL_SECONDS
        announced = as_json
        while await store.cancel_run(found, user_and_machine()) in ("queued", "running"):
            if time.monotonic() > limit:
                raise StoreError(f"{title} has not stopped within {CANCEL_SECONDS:.0f} s")
            if not announced:
                announced = True
                console.print_error_line(f"Asked {title} of {row['who']} to stop ...")
            await asyncio.sleep(0.3)
        return _existing(await store.run(found), reference)

    row = with_store(stop)
    if as_json:
        console.print_json({subject.noun: reference, "state": row["state"]})
    else:
        console.print_line(f"{reference} is {row['state']}")
    return row


def remove_rows(subject: Subject, references: Sequence[str], as_json: bool) -> None:
    """Remove rows that have ended. Raises InputError for one that has not."""

    async def remove_each(store: "ConfigStore") -> list[str]:
        removed = []
        for reference in references:
            found = await store.find_run(reference, subject.kinds)
            if not await store.remove_run(found):
                row = _existing(await store.run(found), reference)
                short = str(found)[:8]
                raise InputError(
                    f"{row['kind']} {short} is {row['state']}; stop it first: "
                    f"`goldenhour {subject.noun}s cancel {short}`"
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
    """The row. Raises InputError if it was removed after it had been found."""
    if row is None:
        raise InputError(f"{shown(reference)} was removed")
    return row
