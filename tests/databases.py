"""Databases for the tests of the store: one server, with an empty database for each test that needs one."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from actors.store import ConfigStore, Content, Database, ExperimentDetail, Registration, Server

T = TypeVar("T")
_numbers = itertools.count(1)


@contextlib.contextmanager
def running(base: Path, name: str) -> Iterator[Server]:
    """Run a server in a data folder of this name beside `base`."""
    server = Server(folder_of(base, name))
    server.open()
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def database(base: Path, name: str) -> Iterator[Database]:
    """Run such a server with one database, whose schema is up to date."""
    with running(base, name) as server:
        made = empty(server)
        ask(made, lambda store: store.open())
        yield made


def empty(server: Server) -> Database:
    """Create a database on a running server and return its address by URL."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(**server.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return Database(folder=server.folder, url=make_conninfo(**{**server.conninfo(), "dbname": name}))


def ask(where: Database, work: Callable[[ConfigStore], Awaitable[T]], **settings: Any) -> T:
    """Return the result of `work`, given a store in this process."""

    async def run() -> T:
        store = ConfigStore(where.conninfo(), key=where.key, **settings)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def sql(where: Database, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Execute a statement on a new connection and return its rows."""
    with psycopg.connect(**where.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def connections(server: Server) -> int:
    """Return the number of client connections, without the one that asks."""
    with psycopg.connect(**server.conninfo()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(row[0]) if row else 0


def content(text: str = 'name = "x"\n') -> Content:
    return Content(text=text, format="toml", hash="0" * 64)


def registration(**values: Any) -> Registration:
    """Return the registration of a run whose scenario is never read."""
    given: dict[str, Any] = {
        "scenario": "x",
        "source": "file",
        "content": content(),
        "seed": 2**63 - 1,
        "replication": 0,
        "settings": {"workers": 0},
        "who": "me@here",
        "output": "/out",
        "version": "0",
    }
    return Registration(**{**given, **values})


PLAN = 'scenario = "brigade"\n[design]\nkind = "list"\n'


def experiment(**values: Any) -> Registration:
    """Return the registration of an experiment of four points, whose plan is never read."""
    detail = ExperimentDetail(points=4, replications_wanted=200)
    return registration(**{"kind": "experiment", "content": content(PLAN), "detail": detail, **values})


def folder_of(base: Path, name: str) -> Path:
    """Return a data folder that a server started by root, which runs as the user nobody, can use."""
    folder = base.parent / name
    folder.mkdir(mode=0o711, exist_ok=True)
    folder.chmod(0o711)
    return folder
