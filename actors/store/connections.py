"""The connections of a store: a pool that is opened when it is first needed, and the repetition of failed calls."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from actors.cluster import put_metric
from actors.store.database_errors import fault_of_settings, is_transient, masked_error
from actors.store.migrations import upgrade
from actors.store.queries import queries
from engine.errors import InputError, StoreError

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")

UNDEFINED_TABLE = "42P01"
"""SQLSTATE of a statement that names a table that does not exist."""


class Connections:
    """A pool of at most `limit` connections to one database (docs/platform.md section 3.2).

    `conninfo` are keyword arguments of psycopg's `connect`. Calls wait up to `patience_seconds` for a database that
    cannot be reached, and then raise StoreError.
    """

    def __init__(self, conninfo: dict[str, Any], limit: int, patience_seconds: float) -> None:
        self.conninfo = conninfo
        self.limit = limit
        self._patience = patience_seconds
        self._pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the pool. The next call opens it again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close(timeout=2)

    def export_metrics(self) -> None:
        """Set the metrics of the pool."""
        statistics = self._pool.get_stats() if self._pool is not None else {}
        size, idle = statistics.get("pool_size", 0), statistics.get("pool_available", 0)
        put_metric("pool_connections", size - idle, state="used")
        put_metric("pool_connections", idle, state="idle")
        put_metric("pool_limit", self.limit)
        put_metric("pool_waiting", statistics.get("requests_waiting", 0))

    async def query(self, name: str, /, **values: Any) -> list[dict[str, Any]]:
        """Run a named statement on a connection of the pool and return its rows. It must be idempotent."""
        return await self.call(lambda connection: self.fetch(connection, name, **values))

    async def call(self, work: "Callable[[AsyncConnection[Any]], Awaitable[T]]") -> T:
        """Call `work` with a connection of the pool. It must be idempotent, because it may be called again."""

        async def once() -> T:
            pool = await self.ready()
            async with pool.connection() as connection:
                return await work(connection)

        return await self.retry(once)

    async def retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it succeeds, as long as the faults are transient and `patience_seconds` have not passed.

        Raises InputError for a value that the database rejects and for settings of which libpq makes no connection,
        StoreError for all other errors of psycopg. They do not carry psycopg's error as their cause, whose text may
        show secrets of the connection.
        """
        import psycopg

        until = time.monotonic() + self._patience
        while True:
            try:
                return await call()
            except psycopg.Error as error:
                text = masked_error(error, self.conninfo)
                if fault := fault_of_settings(error):
                    raise InputError(f"PostgreSQL's library refuses {fault}: {text}") from None
                if is_transient(error):
                    if time.monotonic() < until:
                        await asyncio.sleep(0.1)
                        continue
                    raise StoreError(f"the database cannot be reached: {text}") from None
                if error.sqlstate == UNDEFINED_TABLE:  # another process has rolled back the schema
                    raise StoreError(
                        "the database's schema was rolled back: `goldenhour db upgrade`"
                    ) from None
                if isinstance(error, psycopg.DataError):
                    raise InputError(f"the database rejects a value: {text}") from None
                raise StoreError(f"the database reports an error: {text}") from None

    async def ready(self) -> "AsyncConnectionPool[AsyncConnection[dict[str, Any]]]":
        """Return the pool, open, of a database whose schema is up to date. Raises psycopg's errors."""
        async with self._opening:
            if self._pool is None:
                await self.with_new_connection(upgrade)
                self._pool = await self._new_pool()
            return self._pool

    async def _new_pool(self) -> "AsyncConnectionPool[AsyncConnection[dict[str, Any]]]":
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool

        # The errors of the calls have the same information as the pool's log.
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
            kwargs={**self.conninfo, "autocommit": True, "row_factory": dict_row},
            min_size=min(2, self.limit - 1),
            max_size=self.limit,
            timeout=min(5.0, max(1.0, self._patience)),
            max_waiting=200,
            reconnect_timeout=3,
            max_idle=10,
            check=AsyncConnectionPool.check_connection,
            configure=_load_bounded,
            open=False,
        )
        await pool.open()
        return pool

    async def with_new_connection(self, work: "Callable[[AsyncConnection[Any]], Awaitable[T]]") -> T:
        """Call `work` with a connection outside the pool."""
        import psycopg
        from psycopg.rows import dict_row

        connection = await psycopg.AsyncConnection.connect(
            **self.conninfo, autocommit=True, row_factory=dict_row
        )
        async with connection:
            await _load_bounded(connection)
            return await work(connection)

    async def fetch(
        self, connection: "AsyncConnection[Any]", name: str, /, **values: Any
    ) -> list[dict[str, Any]]:
        """Run a named statement on this connection and return its rows. Raises psycopg's errors."""
        cursor = await connection.execute(queries()[name], values or None)
        return await cursor.fetchall() if cursor.description else []


async def _load_bounded(connection: "AsyncConnection[Any]") -> None:
    """Read times and JSON that Python cannot hold as values that no check of a row lets pass, instead of an error."""
    from psycopg import DataError
    from psycopg.types.datetime import TimestamptzLoader
    from psycopg.types.json import set_json_loads

    class Loader(TimestamptzLoader):
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except (DataError, OverflowError, ValueError):  # infinity, or beyond the year 9999
                return None

    connection.adapters.register_loader("timestamptz", Loader)
    set_json_loads(_load_json, connection)


def _load_json(data: str | bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return "unreadable"
