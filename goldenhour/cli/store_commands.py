"""The part of the command line that works on the database: stored scenarios, runs, and the database itself."""

from pathlib import Path

import click

from goldenhour.cli.near_matches import NearMatches

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
STATES = ("queued", "running", "succeeded", "failed", "cancelled", "resumable")


@click.command("add")
@click.argument("file", metavar="FILE")
@click.option("--name", help="Name to store it under; default: the file's name without its ending.")
@click.option(
    "--parent", type=click.IntRange(1, 2**31 - 1), help="The version this is an edit of: the newest one."
)
@click.option("--note", default="", help="What is different, in a line.")
@as_json
def add(file: str, name: str | None, parent: int | None, note: str, as_json: bool) -> None:
    """Store FILE (.toml or .json) as a new scenario, or as the next version of one."""
    from goldenhour.cli import stored_scenarios

    stored_scenarios.add(Path(file), name, parent, note, as_json)


@click.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@as_json
def diff(first: str, second: str | None, as_json: bool) -> None:
    """Say what differs between two scenarios: NAME, NAME@VERSION or files. Without B: A against its parent."""
    from goldenhour.cli import stored_scenarios

    stored_scenarios.diff(first, second, as_json)


@click.command("rm")
@click.argument("name")
@as_json
def remove(name: str, as_json: bool) -> None:
    """Take a stored scenario off the list. Its versions stay, for the runs of them."""
    from goldenhour.cli import stored_scenarios

    stored_scenarios.remove(name, as_json)


@click.group(cls=NearMatches)
def runs() -> None:
    """The runs in the database: what they were asked, how far they are, what came of them."""


@runs.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=30, help="At most so many; default 30.")
@as_json
def runs_list(state: str | None, limit: int, as_json: bool) -> None:
    """List the latest runs."""
    from goldenhour.cli import runs as runs_command

    runs_command.show_list(state, limit, as_json)


@runs.command("show")
@click.argument("run")
@as_json
def runs_show(run: str, as_json: bool) -> None:
    """Show all that is known of RUN: an id, the first characters of one, or a name."""
    from goldenhour.cli import runs as runs_command

    runs_command.show(run, as_json)


@runs.command("watch")
@click.argument("run", required=False)
@as_json
def runs_watch(run: str | None, as_json: bool) -> None:
    """Watch RUN, or all that are not ended, until they are."""
    from goldenhour.cli import runs as runs_command

    runs_command.watch(run, as_json)


@runs.command("cancel")
@click.argument("run")
@as_json
def runs_cancel(run: str, as_json: bool) -> None:
    """Stop RUN, wherever it goes on, and wait until it has stopped."""
    from goldenhour.cli import runs as runs_command

    runs_command.cancel(run, as_json)


@runs.command("rm")
@click.argument("run", nargs=-1, required=True)
@as_json
def runs_remove(run: tuple[str, ...], as_json: bool) -> None:
    """Forget runs that are ended. Their files stay."""
    from goldenhour.cli import runs as runs_command

    runs_command.remove(run, as_json)


@click.group(cls=NearMatches)
def db() -> None:
    """The database of scenarios and runs."""


@db.command("status")
@as_json
def db_status(as_json: bool) -> None:
    """Say which database is used, its migrations, and how much is in it."""
    from goldenhour.cli import db as db_command

    db_command.status(as_json)


@db.command("upgrade")
@as_json
def db_upgrade(as_json: bool) -> None:
    """Apply the migrations that are missing; the first use of a database does so by itself."""
    from goldenhour.cli import db as db_command

    db_command.upgrade(as_json)


@db.command("rollback")
@click.option("--to", "target", type=click.IntRange(0), help="Number to go back to; default: one step.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def db_rollback(target: int | None, yes: bool, as_json: bool) -> None:
    """Take migrations back, with what only they hold, to use an older goldenhour."""
    from goldenhour.cli import db as db_command

    db_command.rollback(target, yes, as_json)
