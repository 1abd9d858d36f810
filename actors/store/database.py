"""Which database is used, how it is reached, and its migrations."""

import contextlib
import fcntl
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from actors.store.postgres import Server
from engine.errors import InputError, StoreError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

URL_VARIABLE, FOLDER_VARIABLE = "GOLDENHOUR_DATABASE_URL", "GOLDENHOUR_DATA_DIR"

CONNECT_SECONDS = 5

STATEMENT_MILLISECONDS = 30_000
"""Longest a statement may take, and a transaction may idle."""

DRIVERS = 10
"""Drivers of this machine with a store of their own that may use one database at once; the next one waits."""

PASSING = ("08", "53", "55", "57P", "40")
"""Beginnings of the SQLSTATEs of faults that pass by themselves: connection, resources, locks, shutdown, conflict."""


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """The database to use: the server at `url`, or without one the embedded PostgreSQL in `folder`."""

    folder: Path
    url: str | None = None

    @classmethod
    def from_environment(cls) -> "Database":
        """What GOLDENHOUR_DATABASE_URL and GOLDENHOUR_DATA_DIR say; by default the user's data folder."""
        folder = os.environ.get(FOLDER_VARIABLE)
        return cls(
            folder=Path(folder).expanduser() if folder else _data_folder(),
            url=os.environ.get(URL_VARIABLE) or None,
        )

    @property
    def embedded(self) -> bool:
        """Whether the server is ours to start."""
        return self.url is None

    @property
    def is_new(self) -> bool:
        """Whether nothing can be in it yet, because its server has never been started."""
        return self.embedded and not Server(self.folder).exists

    @property
    def key(self) -> str:
        """The same for the same database, without its secrets."""
        text = self.url or f"embedded in {os.path.abspath(self.folder)}"
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]

    def __str__(self) -> str:
        """For people: where it is, without the password."""
        if self.url is None:
            return f"embedded PostgreSQL in {self.folder}"
        return re.sub(r"password=\S+", "password=...", re.sub(r"(//[^:/@]*):[^@]*@", r"\1:...@", self.url))

    def conninfo(self) -> dict[str, Any]:
        """Keyword arguments for psycopg. InputError where the address cannot be read."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        settings: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "goldenhour",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
            "client_encoding": "utf8",
        }
        options = (
            f"-c search_path=goldenhour -c statement_timeout={STATEMENT_MILLISECONDS} -c lock_timeout=10000 "
            f"-c idle_in_transaction_session_timeout={STATEMENT_MILLISECONDS} -c client_min_messages=warning"
        )
        if self.url is None:
            return {**settings, **Server(self.folder).conninfo(), "options": options}
        try:
            given = conninfo_to_dict(self.url)
        except psycopg.ProgrammingError as error:
            raise InputError(
                f"{URL_VARIABLE}: {str(error).strip()}; allowed: postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from None
        return {**settings, **given, "options": f"{given.get('options') or ''} {options}".strip()}


def _data_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/goldenhour"
    shared = os.environ.get("XDG_DATA_HOME", "")
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".local/share") / "goldenhour"


@contextlib.contextmanager
def driver_slot(database: Database, waiting: Callable[[], None]) -> Iterator[None]:
    """One of the `DRIVERS` places at a database; `waiting` is called once when all are taken."""
    folder = database.folder / "places"
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        taken = _take_place(folder, database.key)
        if taken < 0:
            waiting()
        while taken < 0:
            time.sleep(0.2)
            taken = _take_place(folder, database.key)
    except OSError as error:
        raise StoreError(f"cannot write {str(folder)!r}: {error.strerror or error}") from error
    try:
        yield
    finally:
        os.close(taken)


def _take_place(folder: Path, key: str) -> int:
    """The descriptor of a place that was free, -1 when none is."""
    for number in range(DRIVERS):
        descriptor = os.open(folder / f"{key}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            os.close(descriptor)
    return -1


def is_transient(error: BaseException) -> bool:
    """Whether a call that failed so may be made again: the server is away, starting, full or was in the way."""
    import psycopg
    from psycopg_pool import PoolTimeout, TooManyRequests

    if isinstance(error, PoolTimeout | TooManyRequests):
        return True
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(PASSING)


def connection_error(error: BaseException) -> str:
    """What a database said, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@cache
def queries() -> dict[str, bytes]:
    """The named statements of sql/queries.sql."""
    text = files("actors").joinpath("store", "sql", "queries.sql").read_text(encoding="utf-8")
    found = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip().encode() for name, body in zip(found[::2], found[1::2], strict=True)}


class Migration(NamedTuple):
    """A numbered step of the schema, with its way back."""

    number: int
    name: str
    up: bytes
    down: bytes


@cache
def migrations() -> tuple[Migration, ...]:
    """All steps this version knows, in order."""
    folder = files("actors").joinpath("store", "sql", "migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".up.sql"))
    found = []
    for file in names:
        number, _, name = file.removesuffix(".up.sql").partition("_")
        down = folder.joinpath(f"{number}_{name}.down.sql")
        found.append(Migration(int(number), name, folder.joinpath(file).read_bytes(), down.read_bytes()))
    return tuple(found)


async def applied(connection: "AsyncConnection[Any]") -> list[dict[str, Any]]:
    """Number, name and time of the migrations a database has."""
    found = await (await connection.execute(queries()["has_migrations"])).fetchone()
    if not found or not found["found"]:
        return []
    return await (await connection.execute(queries()["applied_migrations"])).fetchall()


async def upgrade(connection: "AsyncConnection[Any]") -> list[Migration]:
    """Bring a database to the newest schema; returns what was applied. Any number of processes may do so at once.

    Raises StoreError when the database is newer than this version of goldenhour.
    """
    if await _current(connection) == migrations()[-1].number:
        return []
    async with connection.transaction():
        await connection.execute(queries()["lock_migrations"])
        now = await _current(connection)
        if now == 0:
            await connection.execute(queries()["prepare_migrations"])
        missing = [step for step in migrations() if step.number > now]
        for step in missing:
            await connection.execute(step.up)
            await connection.execute(queries()["enter_migration"], {"number": step.number, "name": step.name})
    return missing


async def rollback(connection: "AsyncConnection[Any]", target: int) -> list[Migration]:
    """Take back all migrations above number `target`, newest first; returns them."""
    if not 0 <= target <= migrations()[-1].number:
        raise InputError(f"migration: got {target}; allowed: 0 to {migrations()[-1].number}")
    async with connection.transaction():
        await connection.execute(queries()["lock_migrations"])
        now = await _current(connection)
        undone = [step for step in reversed(migrations()) if target < step.number <= now]
        for step in undone:
            await connection.execute(step.down)
            await connection.execute(queries()["remove_migration"], {"number": step.number})
    return undone


async def _current(connection: "AsyncConnection[Any]") -> int:
    rows = await applied(connection)
    now = rows[-1]["number"] if rows else 0
    if now > migrations()[-1].number:
        raise StoreError(
            f"the database is at migration {now}, this version of goldenhour knows {migrations()[-1].number}: "
            "use a newer goldenhour"
        )
    return int(now)
