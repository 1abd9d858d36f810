"""SharedStore: the named actor that holds the ConfigStore of a cluster, for all drivers.

The store works in an event loop in a thread of its own, and calls arrive in Ray's threads. An actor with coroutine
methods would not need that loop, but Ray passes each of its calls, and each call's arguments, between two threads: the
smallest call then took 9 to 11 ms at the 99th percentile on two busy cores, instead of 6 to 9 (docs/platform.md section
1.4).
"""

import asyncio
import inspect
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from actors.cluster import as_remote, hide_pyarrow_in_worker
from actors.store.config_store import ConfigStore
from actors.store.database import Database
from actors.store.libpq_environment import remove_libpq_variables

hide_pyarrow_in_worker()

NAME, NAMESPACE = "ConfigStore", "goldenhour"
"""Name and namespace of the actor in Ray."""

CONNECTIONS = 9
"""Largest number of connections in the pool. The store has one more connection to listen."""

CONCURRENT_CALLS = 64
"""Largest number of calls at a time that query the database."""

CONCURRENT_PROMPT_CALLS = 16
"""Largest number of calls at a time that are mostly answered from memory."""

PROMPT_CALLS = ("key", "heartbeat", "scenario", "run_status")
"""Calls that never wait behind calls that wait for the database."""

SWITCH_SECONDS = 0.0002
"""Python's switch interval in this process, instead of 5 ms, because a call passes through several threads."""


class SharedStore:
    """A ConfigStore with `CONNECTIONS` connections. It has all public methods of ConfigStore, as plain methods.

    `embedded` says whether the database is that of the embedded server.
    """

    def __init__(self, conninfo: dict[str, Any], key: str, embedded: bool = False) -> None:
        if embedded:
            remove_libpq_variables()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="goldenhour-store", daemon=True).start()
        self._store = self._wait(self._create(conninfo, key))

    def scenario(self, name: str, version: int | None = None) -> dict[str, Any] | None:
        """Do the same as `ConfigStore.scenario`; answers from memory need no other thread."""
        return self._store.cached_scenario(name, version) or self._wait(self._store.scenario(name, version))

    def run_status(self, run: uuid.UUID) -> dict[str, Any] | None:
        """Do the same as `ConfigStore.run_status`; answers from memory need no other thread."""
        return self._store.live_status(run) or self._wait(self._store.run_status(run))

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _create(self, conninfo: dict[str, Any], key: str) -> ConfigStore:
        return ConfigStore(conninfo, CONNECTIONS, key)


def _blocking(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of SharedStore that calls a coroutine method of its store and waits for the result."""

    def call(self: SharedStore, *arguments: Any, **options: Any) -> Any:
        return self._wait(getattr(self._store, name)(*arguments, **options))

    call.__name__, call.__doc__ = name, method.__doc__
    return call


for _name, _method in inspect.getmembers(ConfigStore, inspect.iscoroutinefunction):
    if not _name.startswith("_") and _name not in vars(SharedStore):
        setattr(SharedStore, _name, _blocking(_name, _method))


def get_or_create_shared_store(database: Database) -> Any:
    """Return the handle of the cluster's SharedStore. If there is none, create one, which outlives this driver.

    With an embedded database the actor runs on this machine, because the server cannot be reached from another one. The
    driver that creates the actor decides which database it uses: the others should compare `key`.
    """
    import ray

    options: dict[str, Any] = {}
    if database.embedded:
        node = ray.get_runtime_context().get_node_id()
        options["scheduling_strategy"] = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            node, soft=False
        )
    for name in PROMPT_CALLS:
        ray.method(concurrency_group="prompt")(getattr(SharedStore, name))
    return (
        as_remote(SharedStore, concurrency_groups={"prompt": CONCURRENT_PROMPT_CALLS})
        .options(
            name=NAME,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=0,
            max_concurrency=CONCURRENT_CALLS,
            **options,
        )
        .remote(database.conninfo(), database.key, database.embedded)
    )
