"""How commands use the store: one connection, opened for the command and closed with it."""

import asyncio
import getpass
import json
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from actors.store import ConfigStore, Database, opened

T = TypeVar("T")


def ask(work: Callable[[ConfigStore], Awaitable[T]]) -> T:
    """What `work` answers, given a store of the database that the environment names. Raises StoreError."""

    async def run() -> T:
        async with opened(Database.from_environment()) as store:
            return await work(store)

    return asyncio.run(run())


def who() -> str:
    """The user and machine of this process."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}".encode("utf-8", "backslashreplace").decode()


def print_json(value: Any) -> None:
    """`value` as JSON, times in ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def json_line(value: Any) -> str:
    """`value` as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def when(time: datetime | None) -> str:
    """A time for people, in this machine's zone; `-` for none."""
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
