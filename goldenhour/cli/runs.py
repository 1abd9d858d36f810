"""`goldenhour runs`: list, show, watch, cancel and remove the runs in the database."""

from typing import get_args

import click

from actors.store import RUNS, State
from goldenhour import views
from goldenhour.cli import options, recorded
from goldenhour.cli.groups import SuggestingGroup

SUBJECT = recorded.Subject(RUNS, "run", "goldenhour run standard", lambda rows: views.runs_table(rows))


@click.group(cls=SuggestingGroup)
def runs() -> None:
    """List, show, watch, cancel and remove the runs in the database."""


@runs.command("list")
@click.option("--state", type=click.Choice(get_args(State)), help="List only runs in this state.")
@options.limit
@options.as_json
def list_runs(state: str | None, limit: int, as_json: bool) -> None:
    """List the latest runs."""
    recorded.list_rows(SUBJECT, state, limit, as_json)


@runs.command("show")
@click.argument("run")
@options.as_json
def show(run: str, as_json: bool) -> None:
    """Show all that the database holds of a run.

    RUN is an id, the first characters of one, or a name.
    """
    recorded.show_row(SUBJECT, run, as_json)


@runs.command("watch")
@click.argument("run", required=False)
@options.as_json
def watch(run: str | None, as_json: bool) -> None:
    """Watch a run, or all unfinished runs, until they end.

    RUN is an id, the first characters of one, or a name.
    """
    recorded.watch_rows(SUBJECT, run, as_json)


@runs.command("cancel")
@click.argument("run")
@options.as_json
def cancel(run: str, as_json: bool) -> None:
    """Stop a run, and wait until it has stopped.

    RUN is an id, the first characters of one, or a name. The run may be on another machine.
    """
    recorded.cancel_row(SUBJECT, run, as_json)


@runs.command("rm")
@click.argument("run", nargs=-1, required=True)
@options.as_json
def remove(run: tuple[str, ...], as_json: bool) -> None:
    """Remove runs that have ended from the database.

    RUN is an id, the first characters of one, or a name. The files of the run stay.
    """
    recorded.remove_rows(SUBJECT, run, as_json)
