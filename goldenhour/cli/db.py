"""`goldenhour db`: which database is used, and its migrations."""

from typing import Any

import click

from actors.store import Database
from goldenhour.cli import store_access
from goldenhour.cli.store_access import ask, print_json, when


def status(as_json: bool) -> None:
    """Where the database is, its version, its migrations and what it holds."""
    where = Database.from_environment()
    found = ask(lambda store: store.status())
    missing = found["known"][len(found["applied"]) :]
    if as_json:
        print_json({"where": str(where), "embedded": where.embedded, **found, "missing": missing})
        return
    click.echo(f"{where}\nPostgreSQL {found['version']}, {found['bytes'] / 1e6:,.1f} MB")
    for step in found["applied"]:
        click.echo(f"migration {step['number']}, {step['name']}: applied {when(step['applied_at'])}")
    for step in missing:
        click.echo(f"migration {step['number']}, {step['name']}: missing; the next use applies it")
    if "runs" in found:
        scenarios = f"{found['scenarios']:,} scenarios in {found['versions']:,} versions"
        click.echo(f"{scenarios}, {found['runs']:,} runs")


def upgrade(as_json: bool) -> None:
    """Apply what is missing."""
    _tell(ask(lambda store: store.upgrade()), "applied", as_json)


def rollback(target: int | None, yes: bool, as_json: bool) -> None:
    """Take back the newest migration, or all above `target`, after asking."""
    if not yes:
        where = Database.from_environment()
        click.confirm(f"Take migrations back in {where}? What only they hold is lost", abort=True, err=True)
    _tell(ask(lambda store: store.rollback(target)), "taken back", as_json)


def _tell(numbers: list[int], what: str, as_json: bool) -> None:
    if as_json:
        key: dict[str, Any] = {what.replace(" ", "_"): numbers}
        store_access.print_json(key)
    else:
        click.echo(f"migrations {what}: {', '.join(map(str, numbers)) or 'none'}")
