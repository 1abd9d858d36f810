"""How the commands use the database: one connection, opened for the command and closed with it."""

import asyncio
import getpass
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from actors import store as store_wing  # a lazy face: nothing is loaded before a command uses the database

if TYPE_CHECKING:
    from actors.store import ConfigStore, Database

T = TypeVar("T")


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


def user_and_machine() -> str:
    """The user and the machine of this process, as `user@machine`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}".encode("utf-8", "backslashreplace").decode()
