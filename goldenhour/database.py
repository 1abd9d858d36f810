"""How the commands use the database: one connection, opened for the command and closed with it."""

import asyncio
import getpass
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from actors import store as store_wing  # a lazy face: nothing is loaded before a command uses the database

if TYPE_CHECKING:
    from actors.store import ConfigStore, Database

T = TypeVar("T")

MOST_NOTES = 5
"""Most damaged rows that are named."""


def current_database() -> "Database":
    """The database that the environment names, else the embedded one."""
    return store_wing.Database.from_environment()


def with_store(work: Callable[["ConfigStore"], Awaitable[T]]) -> T:
    """Open the current database, await `work` on its store, close it, and return the result.

    Raises StoreError if the database cannot be used.
    """

    async def run() -> T:
        async with store_wing.open_store(current_database()) as store:
            return await work(store)

    return asyncio.run(run())


def listed(work: Callable[["ConfigStore"], Awaitable[list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The same as `with_store` for a list of rows. A note on stderr names each row that is damaged and left out."""

    async def run(store: "ConfigStore") -> tuple[list[dict[str, Any]], list[str]]:
        return await work(store), store.damaged

    rows, damaged = with_store(run)
    for message in damaged[:MOST_NOTES]:
        click.echo(f"note: {message}", err=True)
    if len(damaged) > MOST_NOTES:
        click.echo(f"note: {len(damaged) - MOST_NOTES:,} more rows are damaged", err=True)
    return rows


def user_and_machine() -> str:
    """The user and the machine of this process, as `user@machine`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}".encode("utf-8", "backslashreplace").decode()
