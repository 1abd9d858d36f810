"""Changes of scenarios, which PostgreSQL announces (docs/platform.md section 3.3)."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.store.connections import Connections
from actors.store.rows import Change

CHANNEL = "goldenhour_changes"
"""PostgreSQL channel of changes of scenarios: {"kind": "scenario", "name": ..., "hash": ...}."""

CACHED_SCENARIOS = 256
"""Largest number of scenario versions in memory."""


class ScenarioChanges:
    """A listener for changes of scenarios. It invalidates scenarios in memory and notifies subscribers.

    `listening` says whether there is a connection that receives the announcements. `changes` counts invalidations: a
    row that was read before one must not be cached after it. `epoch` identifies this listener.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._subscribers: list[Any] = []
        self._cached: dict[tuple[str, int | None], dict[str, Any]] = {}
        self.epoch = uuid.uuid4().hex
        self.listening = False
        self.changes = 0

    def cached(self, name: str, version: int | None) -> dict[str, Any] | None:
        """Return a scenario from memory, or None. Any thread may call this."""
        return self._cached.get((name, version))

    def cache(self, name: str, version: int | None, row: dict[str, Any], changes: int) -> None:
        """Keep a scenario in memory, if all changes since it was read would have been noticed.

        `changes` is the value of the attribute before the row was read.
        """
        if self.listening and changes == self.changes:
            if len(self._cached) >= CACHED_SCENARIOS:
                self._cached.clear()
            self._cached[name, version] = row

    def invalidate(self, names: Sequence[str] | None) -> None:
        """Remove these scenarios from memory, or all of them for None."""
        self.changes += 1
        for key in [key for key in self._cached if names is None or key[0] in names]:
            del self._cached[key]

    def subscribe(self, subscriber: Any) -> None:
        """Notify an actor of all changes from now on: `subscriber.invalidate.remote(["scenario:NAME", ...])`."""
        if subscriber not in self._subscribers:
            self._subscribers.append(subscriber)

    async def listen(self) -> None:
        """Receive announcements until the task is cancelled; connect again whenever the connection is lost."""
        import psycopg

        while True:
            try:
                with contextlib.suppress(psycopg.Error, OSError):
                    await self._connections.with_new_connection(self._receive)
            finally:
                self.listening = False
                self.invalidate(None)
            await asyncio.sleep(0.5)

    async def _receive(self, connection: Any) -> None:
        await connection.execute(f"LISTEN {CHANNEL}".encode())
        # Announcements made without a connection are lost: every scenario may have changed.
        names = await self._connections.fetch(connection, "scenario_names")
        self.listening = True
        self._announce([row["name"] for row in names])
        while True:
            async for notice in connection.notifies(timeout=1):
                with contextlib.suppress(
                    msgspec.MsgspecError
                ):  # any user of the database may announce anything
                    self._announce([msgspec.json.decode(notice.payload, type=Change).name])
            await connection.execute(
                b"SELECT 1"
            )  # an idle connection does not notice that the server is gone

    def _announce(self, names: Sequence[str]) -> None:
        self.invalidate(names)
        for subscriber in list(self._subscribers):
            if names:
                with contextlib.suppress(Exception):  # the subscriber has died
                    subscriber.invalidate.remote([f"scenario:{name}" for name in names])
