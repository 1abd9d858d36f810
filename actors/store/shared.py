"""SharedStore: the one named actor of a cluster that has its ConfigStore, for all drivers.

The store works in an event loop, in a thread of its own; calls come in by Ray's threads. An actor whose methods are
coroutines would need no loop of its own, but Ray hands each of its calls, and again each call's arguments, to and fro
between two threads: on two busy cores that made 9 to 11 ms at the 99th percentile of the smallest call, not 6 to 9.
"""

import asyncio
import inspect
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from actors.cluster import as_remote, hide_pyarrow_in_worker
from actors.store import database
from actors.store.actor import ConfigStore

hide_pyarrow_in_worker()

NAME, NAMESPACE = "ConfigStore", "goldenhour"
"""The actor's name on a cluster."""

CONNECTIONS = 9
"""Connections in the pool; a tenth one listens."""

CALLS, PROMPT = 64, 16
"""Calls at a time: of those that ask the database, and of those that are mostly answered from memory."""

PROMPT_CALLS = ("key", "beat", "scenario", "run_status")
"""These never wait behind calls that wait for a database that is away."""

TURN_SECONDS = 0.0002
"""Longest turn of a thread, instead of Python's 5 ms: a call goes through several."""


class SharedStore:
    """A ConfigStore of `CONNECTIONS` connections; every method of it, as a call that waits for its answer."""

    def __init__(self, conninfo: dict[str, Any], key: str) -> None:
        sys.setswitchinterval(TURN_SECONDS)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="goldenhour-store", daemon=True).start()
        self._store = self._wait(self._made(conninfo, key))

    def scenario(self, name: str, version: int | None = None) -> dict[str, Any] | None:
        """As ConfigStore does."""
        return self._store.known_scenario(name, version) or self._wait(self._store.scenario(name, version))

    def run_status(self, run: uuid.UUID) -> dict[str, Any] | None:
        """As ConfigStore does."""
        return self._store.known_status(run) or self._wait(self._store.run_status(run))

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _made(self, conninfo: dict[str, Any], key: str) -> ConfigStore:
        return ConfigStore(conninfo, CONNECTIONS, key)


def _passed_on(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: SharedStore, *arguments: Any, **options: Any) -> Any:
        return self._wait(getattr(self._store, name)(*arguments, **options))

    call.__name__, call.__doc__ = name, method.__doc__
    return call


for _name, _method in inspect.getmembers(ConfigStore, inspect.iscoroutinefunction):
    if not _name.startswith("_") and _name not in vars(SharedStore):
        setattr(SharedStore, _name, _passed_on(_name, _method))


def shared_store(where: database.Database) -> Any:
    """The handle of the cluster's SharedStore, which is made if there is none and outlives the driver that made it.

    An embedded database is reached on this machine only, so the actor is put here. Which database it uses is decided by
    whoever makes it: compare `key`.
    """
    import ray

    options: dict[str, Any] = {}
    if where.embedded:
        node = ray.get_runtime_context().get_node_id()
        options["scheduling_strategy"] = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            node, soft=False
        )
    for name in PROMPT_CALLS:
        ray.method(concurrency_group="prompt")(getattr(SharedStore, name))
    return (
        as_remote(SharedStore, concurrency_groups={"prompt": PROMPT})
        .options(
            name=NAME,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=0,
            max_concurrency=CALLS,
            **options,
        )
        .remote(where.conninfo(), where.key)
    )
