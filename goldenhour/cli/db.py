"""`goldenhour db`: which database is used, and its migrations."""

import click

from goldenhour import console, views
from goldenhour.cli import options
from goldenhour.cli.groups import SuggestingGroup
from goldenhour.database import current_database, with_store


@click.group(cls=SuggestingGroup)
def db() -> None:
    """Show, upgrade or roll back the database."""


@db.command("status")
@options.as_json
def status(as_json: bool) -> None:
    """Show the database in use, its migrations and its size."""
    database = current_database()
    found = with_store(lambda store: store.status())
    missing = found["known"][len(found["applied"]) :]
    if as_json:
        document = {"where": str(database), "embedded": database.embedded, **found, "missing": missing}
        console.print_json(document)
        return
    console.print_line(str(database))
    console.print_line(f"PostgreSQL {found['version']}, {found['bytes'] / 1e6:,.1f} MB")
    for step in found["applied"]:
        applied = views.format_time(step["applied_at"])
        console.print_line(f"migration {step['number']}, {step['name']}: applied {applied}")
    for step in missing:
        console.print_line(f"migration {step['number']}, {step['name']}: missing; the next use applies it")
    if "runs" in found:
        scenarios = f"{found['scenarios']:,} scenarios in {found['versions']:,} versions"
        console.print_line(f"{scenarios}, {found['runs']:,} runs, {found['experiments']:,} experiments")


@db.command("upgrade")
@options.as_json
def upgrade(as_json: bool) -> None:
    """Apply the missing migrations. The first use of a database does this too."""
    applied = with_store(lambda store: store.upgrade())
    if as_json:
        console.print_json({"applied": applied})
    else:
        console.print_line(f"migrations applied: {_numbers(applied)}")


@db.command("rollback")
@click.option(
    "--to",
    "target",
    type=click.IntRange(0),
    help="Roll back all migrations above this number. Default: the newest one only.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@options.as_json
def rollback(target: int | None, yes: bool, as_json: bool) -> None:
    """Roll back migrations, to use an older goldenhour. Data that only they can hold is lost."""
    if not yes:
        console.confirm(f"Roll back migrations of {current_database()}? Data that only they can hold is lost")
    rolled_back = with_store(lambda store: store.rollback(target))
    if as_json:
        console.print_json({"taken_back": rolled_back})
    else:
        console.print_line(f"migrations rolled back: {_numbers(rolled_back)}")


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
