"""The connections of a store: a pool that is opened when first needed, and calls that outlast a database's absence."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from actors.cluster import put_metric
from actors.store import database
from engine.errors import InputError, StoreError

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")


class Connections:
    """At most `most` connections to one database; `conninfo` are keyword arguments of psycopg.

    Calls wait up to `patience_seconds` for a database that is away, and raise StoreError when it stays so.
    """

    def __init__(self, conninfo: dict[str, Any], most: int, patience_seconds: float) -> None:
        self.conninfo = conninfo
        self.most = most
        self._patience = patience_seconds
        self._pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close them all; they are opened again when needed."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close(timeout=2)

    def measure(self) -> None:
        """Tell the metrics how many connections there are."""
        figures = self._pool.get_stats() if self._pool is not None else {}
        size, idle = figures.get("pool_size", 0), figures.get("pool_available", 0)
        put_metric("pool_connections", size - idle, state="used")
        put_metric("pool_connections", idle, state="idle")
        put_metric("pool_limit", self.most)
        put_metric("pool_waiting", figures.get("requests_waiting", 0))

    async def query(self, query: str, /, **values: Any) -> list[dict[str, Any]]:
        """Rows of the named statement, with a connection of the pool."""
        return await self.call(lambda connection: self.fetch(connection, query, **values))

    async def call(self, work: "Callable[[AsyncConnection[Any]], Awaitable[T]]") -> T:
        """Do something idempotent with a connection of the pool."""

        async def once() -> T:
            pool = await self.ready()
            async with pool.connection() as connection:
                return await work(connection)

        return await self.retried(once)

    async def retried(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it succeeds, while what fails is a fault that passes; other errors of the database are told."""
        import psycopg

        until = time.monotonic() + self._patience
        while True:
            try:
                return await call()
            except psycopg.Error as error:
                if database.is_transient(error):
                    if time.monotonic() < until:
                        await asyncio.sleep(0.1)
                        continue
                    raise StoreError(
                        f"the database cannot be reached: {database.connection_error(error)}"
                    ) from error
                if error.sqlstate == "42P01":  # rolled back by somebody else
                    raise StoreError(
                        "the database's schema was rolled back: `goldenhour db upgrade`"
                    ) from error
                if isinstance(error, psycopg.DataError):
                    raise InputError(
                        f"the database refuses a value: {database.connection_error(error)}"
                    ) from error
                raise StoreError(f"the database refused: {database.connection_error(error)}") from error

    async def ready(self) -> "AsyncConnectionPool[AsyncConnection[dict[str, Any]]]":
        """The pool, opened, of a database whose schema is up to date. Raises psycopg's errors."""
        async with self._opening:
            if self._pool is None:
                await self.alone(database.upgrade)
                self._pool = await self._new_pool()
            return self._pool

    async def _new_pool(self) -> "AsyncConnectionPool[AsyncConnection[dict[str, Any]]]":
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool

        # What the pool would log, the errors of the calls say too.
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
            kwargs={**self.conninfo, "autocommit": True, "row_factory": dict_row},
            min_size=min(2, self.most - 1),
            max_size=self.most,
            timeout=min(5.0, max(1.0, self._patience)),
            max_waiting=200,
            reconnect_timeout=3,
            max_idle=10,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        await pool.open()
        return pool

    async def alone(self, work: "Callable[[AsyncConnection[Any]], Awaitable[T]]") -> T:
        """Do something with a connection of its own, when there is no pool yet."""
        import psycopg
        from psycopg.rows import dict_row

        connection = await psycopg.AsyncConnection.connect(
            **self.conninfo, autocommit=True, row_factory=dict_row
        )
        async with connection:
            return await work(connection)

    async def fetch(
        self, connection: "AsyncConnection[Any]", query: str, /, **values: Any
    ) -> list[dict[str, Any]]:
        """Rows of the named statement, with this connection. Raises psycopg's errors."""
        cursor = await connection.execute(database.queries()[query], values or None)
        return await cursor.fetchall() if cursor.description else []
