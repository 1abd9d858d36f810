"""The recorder's clients of the store: one with a store in this process, one for the actor of a cluster."""

import abc
import asyncio
import contextlib
from typing import Any

import msgspec

from actors.cache import find_cache
from actors.store import ConfigStore, Database, Server, connection_error, get_or_create_shared_store
from engine.errors import GoldenhourError, StoreError
from engine.scenario import parse

CALL_SECONDS = 30.0
"""Longest time of a call of the store's actor. After that the call counts as lost."""

CACHE_LOOKUPS = 20
"""Number of calls after which the client no longer looks for the cluster's cache: it is considered switched off."""


class StoreClient(abc.ABC):
    """A client of a ConfigStore. It keeps the server of an embedded database running.

    `database` is the database, and `can_recover` says whether a call that failed may succeed later.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._server = Server(database.folder) if database.embedded else None
        self._opened = False
        self.can_recover = True

    @abc.abstractmethod
    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of ConfigStore. Raises StoreError when the store cannot be reached."""

    async def ready(self) -> None:
        """Start the embedded server unless it is running. Call it before each call."""
        if self._server is None:
            return
        if not self._opened:
            try:
                await asyncio.to_thread(self._server.open)
            except StoreError:
                self.can_recover = False
                raise
            self._opened = True
        elif self._server.owner() is None:
            await asyncio.to_thread(self._server.ensure)

    async def close(self) -> None:
        """Leave the embedded server."""
        if self._server is not None:
            await asyncio.to_thread(self._server.close)


class InProcessStoreClient(StoreClient):
    """A store in this process, with one connection."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._store: ConfigStore | None = None

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the store."""
        if self._store is None:
            self._store = ConfigStore(self.database.conninfo(), key=self.database.key, patience_seconds=1.0)
        return await getattr(self._store, method)(*arguments)

    async def close(self) -> None:
        """Close the store and leave the embedded server."""
        if self._store is not None:
            await self._store.close()
        await super().close()


class SharedStoreClient(StoreClient):
    """The SharedStore of the cluster, which is started again when it has died."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._handle: Any = None
        self._cache_lookups = 0
        """Number of calls that have looked for the cluster's cache, which may start later than the store."""

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the actor."""
        from ray.exceptions import RayError, RayTaskError

        try:
            if self._handle is None:
                self._handle = await asyncio.to_thread(get_or_create_shared_store, self.database)
                await self._check_database()
                self._cache_lookups = 0
            if self._cache_lookups < CACHE_LOOKUPS:
                await self._subscribe_cache()
            return await self._result(getattr(self._handle, method).remote(*arguments))
        except RayTaskError as error:
            if isinstance(error.cause, GoldenhourError):
                raise error.cause from None
            raise StoreError(f"the store failed: {connection_error(error)}") from error
        except (RayError, TimeoutError, ValueError) as error:
            self._handle = None
            raise StoreError(f"the cluster's store does not answer: {connection_error(error)}") from error

    async def _check_database(self) -> None:
        key = await self._result(self._handle.key.remote())
        if key != self.database.key:
            self.can_recover = False
            raise StoreError(
                f"the cluster's store uses another database than this run would ({self.database})"
            )

    async def _subscribe_cache(self) -> None:
        """If the cluster has a cache, subscribe it to changes of scenarios and warm it with the stored ones."""
        self._cache_lookups += 1
        cache = await asyncio.to_thread(find_cache)
        if cache is None:
            return
        self._cache_lookups = CACHE_LOOKUPS
        await self._result(self._handle.subscribe.remote(cache))
        stored = []
        for row in await self._result(self._handle.scenarios.remote()):
            with contextlib.suppress(GoldenhourError):
                if row["text"] is None:
                    continue
                scenario = parse(row["text"].encode(), row["format"], row["name"])
                stored.append((row["name"], msgspec.json.encode(scenario)))
        if stored:
            cache.warm.remote(stored)

    async def _result(self, reference: Any) -> Any:
        return await asyncio.wait_for(asyncio.wrap_future(reference.future()), CALL_SECONDS)
