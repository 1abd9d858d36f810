"""`goldenhour experiments`: list, show, watch, cancel and remove the experiments in the database."""

from typing import get_args

import click

from actors.store import EXPERIMENTS, NO_OUTPUT, State
from goldenhour import console, views
from goldenhour.cli import options, recorded
from goldenhour.cli.groups import SuggestingGroup

SUBJECT = recorded.Subject(
    EXPERIMENTS, "experiment", "goldenhour experiment FILE", lambda rows: views.experiments_table(rows)
)


@click.group(cls=SuggestingGroup)
def experiments() -> None:
    """List, show, watch, cancel and remove the experiments, comparisons and optimisations in the database."""


@experiments.command("list")
@click.option("--state", type=click.Choice(get_args(State)), help="List only experiments in this state.")
@options.limit
@options.as_json
def list_experiments(state: str | None, limit: int, as_json: bool) -> None:
    """List the latest experiments, with their points, replications and widest intervals."""
    recorded.list_rows(SUBJECT, state, limit, as_json)


@experiments.command("show")
@click.argument("experiment")
@options.as_json
def show(experiment: str, as_json: bool) -> None:
    """Show all that the database holds of an experiment.

    EXPERIMENT is an id, the first characters of one, or a name. --json prints the plan too.
    """
    recorded.show_row(SUBJECT, experiment, as_json)


@experiments.command("watch")
@click.argument("experiment", required=False)
@options.as_json
def watch(experiment: str | None, as_json: bool) -> None:
    """Watch an experiment, or all unfinished ones, until they end.

    EXPERIMENT is an id, the first characters of one, or a name.
    """
    recorded.watch_rows(SUBJECT, experiment, as_json)


@experiments.command("cancel")
@click.argument("experiment")
@options.as_json
def cancel(experiment: str, as_json: bool) -> None:
    """Stop an experiment, and wait until it has stopped.

    EXPERIMENT is an id, the first characters of one, or a name. It may be on another machine. Finished replications
    are kept: `goldenhour resume` continues it.
    """
    row = recorded.cancel_row(SUBJECT, experiment, as_json)
    who, _, left = (row["error"] or "").partition("; ")
    if not as_json and row["state"] == "cancelled":
        # A driver says itself what it has left; one that is silent may have left a folder.
        console.print_line(left if who.startswith("cancelled by") else _may_be_continued(row))


def _may_be_continued(row: recorded.Row) -> str:
    if row["output"] == NO_OUTPUT:
        return "finished replications are kept in the cache: the same command continues"
    return f"finished replications are kept: `goldenhour resume {str(row['id'])[:8]}` continues"


@experiments.command("rm")
@click.argument("experiment", nargs=-1, required=True)
@options.as_json
def remove(experiment: tuple[str, ...], as_json: bool) -> None:
    """Remove experiments that have ended from the database.

    EXPERIMENT is an id, the first characters of one, or a name. The files of the experiment stay.
    """
    recorded.remove_rows(SUBJECT, experiment, as_json)
