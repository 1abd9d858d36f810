"""Cache: the actor of a cluster that caches what runs are compiled from, and their measures.

One actor has all four namespaces. An actor is a process of 60 MB, while all values of the built-in scenarios take 1 MB;
and a single call gets everything that a run needs. The actor holds references to the values. It submits the task that
computes a value, so it owns the value (docs/platform.md section 1.8), and concurrent misses wait for one task. When the
actor dies its values are lost, which counts as a miss. A key is a digest of all that its value depends on
(`engine.precomputed`), so a value is never out of date; invalidation only frees memory.
"""

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from typing import Any

import msgspec

from actors.cache.lru import LruCache, LruStatistics
from actors.cache.redis_backend import RedisBackend
from actors.cache.settings import CacheSettings
from actors.cache.shared_cache import LookupResult, scenario_tag
from actors.cache.tasks import compile_values, simulate_measures
from actors.cluster import add_metric, as_remote, check_package_root, hide_pyarrow_in_worker, put_metric
from engine.precomputed import (
    NAMESPACES,
    RESULT_KINDS,
    SIMULATION_KINDS,
    TEXT_KINDS,
    CacheKey,
    keys_of_scenario,
)
from engine.scenario import Scenario

hide_pyarrow_in_worker()

SHARES = {"configuration": 0.25, "demographics": 0.25, "medical": 0.25, "computation": 0.25}
"""Share of the budget by namespace."""

CONCURRENT_COMPILES = 2
"""Largest number of compile tasks at a time. Tasks that simulate measures are limited by Ray: each needs a CPU."""


class CacheStatistics(msgspec.Struct, kw_only=True):
    """What `goldenhour cache stats` shows of an actor.

    `redis` is None without Redis, "ok", or the description of its last fault. `redis_values` has the number of values
    in Redis and their bytes, by namespace.
    """

    node: str
    pid: int
    namespaces: dict[str, LruStatistics]
    redis: str | None
    redis_values: dict[str, tuple[int, int]] = {}


class Cache:
    """The actor. All methods are coroutines; none raises because of Redis or of a value that cannot be built."""

    def __init__(self, settings: CacheSettings) -> None:
        check_package_root()
        limit = int(settings.megabytes * 1024 * 1024)
        self._namespaces: dict[str, LruCache] = {
            name: LruCache(int(limit * SHARES[name]), settings.ttl_seconds) for name in NAMESPACES
        }
        url = settings.redis_url
        self._redis = (
            RedisBackend(url, settings.ttl_seconds, settings.secret, settings.secret_fault) if url else None
        )
        self._pending: dict[str, asyncio.Future[Any]] = {}
        self._compile_slots = asyncio.Semaphore(CONCURRENT_COMPILES)
        self._background: set[asyncio.Task[Any]] = set()
        self._listening = False
        self._exported = dict.fromkeys(self._namespaces, (0, 0, 0))

    async def get(self, keys: list[CacheKey], tags: list[str], count: bool = True) -> LookupResult:
        """Return references to the values: from memory, from Redis, or computed now.

        Parameters
        ----------
        keys
            The keys.
        tags
            Tags that the values get in addition to those they have.
        count
            Whether to record hits and misses.
        """
        self._listen()
        faults = self._redis.faults if self._redis else 0
        found: dict[str, Any] = {}
        missing: list[CacheKey] = []
        for key in keys:
            value = self._namespaces[key.namespace].get(key.key, tags, count)
            if value is not None:
                found[key.key] = value
            elif key.key not in self._pending:
                self._pending[key.key] = asyncio.get_running_loop().create_future()
                missing.append(key)
        pending = [(key, self._pending[key.key]) for key in keys if key.key not in found]
        if missing:
            self._start(self._resolve(missing, tags))
        for key, future in pending:
            found[key.key] = await asyncio.shield(future)
            self._namespaces[key.namespace].tag(key.key, tags)
        self._export_metrics()
        fault = self._redis.fault if self._redis and self._redis.faults > faults else None
        return LookupResult([None if found[key.key] is None else [found[key.key]] for key in keys], fault)

    async def put(self, key: CacheKey, data: bytes, tags: list[str]) -> str | None:
        """Store a packed value that another process has computed. Return the fault of Redis, if there was one."""
        import ray

        faults = self._redis.faults if self._redis else 0
        self._namespaces[key.namespace].put(key.key, ray.put(data), len(data), tags)
        await self._put_in_redis([(key, data)], tags)
        return self._redis.fault if self._redis and self._redis.faults > faults else None

    async def warm(self, named: list[tuple[str, bytes]]) -> int:
        """Load or compute what runs of some scenarios need.

        It is called with the built-in scenarios when the actor starts, and by recorders with the stored ones.

        Parameters
        ----------
        named
            Name and text, as JSON, of each scenario.

        Returns
        -------
        int
            The number of scenarios all of whose values are cached.
        """
        ready = 0
        for name, text in named:
            with contextlib.suppress(Exception):
                from engine.scenario import resolve

                scenario = resolve(msgspec.json.decode(text, type=Scenario))
                keys = keys_of_scenario(scenario, SIMULATION_KINDS + TEXT_KINDS)
                result = await self.get(keys, [scenario_tag(name)], count=False)
                ready += None not in result.references
        return ready

    async def warm_builtins(self) -> int:
        """Call `warm` with the built-in scenarios."""
        import scenarios
        from engine.scenario import parse

        named = []
        for name in scenarios.builtin_names():
            named.append((name, msgspec.json.encode(parse(scenarios.builtin_bytes(name), "toml", name))))
        return await self.warm(named)

    async def invalidate(self, tags: list[str]) -> int:
        """Take tags, such as "scenario:NAME", from all values, here, in Redis and in other clusters.

        Values without any tag left are removed. The tag "catalogue" removes all values. Returns the number of values
        removed from this actor.
        """
        if "catalogue" in tags:
            return await self.clear(None)
        removed = sum(cache.untag(tags) for cache in self._namespaces.values())
        if self._redis is not None:
            await asyncio.to_thread(self._redis.untag, tags)
            await asyncio.to_thread(self._redis.publish, tags)
        return removed

    async def clear(self, namespace: str | None) -> int:
        """Remove all values of a namespace, or of all for None, here, in Redis and in other clusters.

        Returns the number of values removed from this actor.
        """
        removed = self._clear(namespace)
        if self._redis is not None:
            await asyncio.to_thread(self._redis.clear, namespace)
            await asyncio.to_thread(self._redis.publish, [], namespace)
        return removed

    async def stats(self) -> CacheStatistics:
        """Return the statistics of each namespace."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        namespaces: dict[str, LruStatistics] = {
            name: cache.statistics for name, cache in self._namespaces.items()
        }
        statistics = CacheStatistics(node=node, pid=os.getpid(), namespaces=namespaces, redis=None)
        if self._redis is not None:
            statistics.redis_values = await asyncio.to_thread(self._redis.usage)
            statistics.redis = self._redis.fault or "ok"
        return statistics

    def _export_metrics(self) -> None:
        """Add to the metrics what each namespace has done since the last call, and set its size."""
        for name, cache in self._namespaces.items():
            statistics = cache.statistics
            now = statistics.hits, statistics.misses, statistics.evictions
            hits, misses, evictions = (new - old for new, old in zip(now, self._exported[name], strict=True))
            self._exported[name] = now
            add_metric("cache_lookups", hits, namespace=name, result="hit")
            add_metric("cache_lookups", misses, namespace=name, result="miss")
            add_metric("cache_evictions", evictions, namespace=name)
            put_metric("cache_bytes", statistics.bytes, namespace=name)
            put_metric("cache_limit_bytes", statistics.limit_bytes, namespace=name)

    async def _resolve(self, keys: list[CacheKey], tags: list[str]) -> None:
        """Resolve the pending future of each key: with a reference, or with None if its value cannot be built."""
        import ray

        resolved: dict[str, Any] = {}
        try:
            missing = keys
            if self._redis is not None:
                packed = await asyncio.to_thread(self._redis.get, keys)
                for key, data in zip(keys, packed, strict=True):
                    if data is not None:
                        cache = self._namespaces[key.namespace]
                        resolved[key.key] = reference = ray.put(data)
                        cache.put(key.key, reference, len(data), tags)
                        cache.statistics.from_redis += 1
                missing = [key for key in keys if key.key not in resolved]
            compiled = [key for key in missing if key.kind not in RESULT_KINDS]
            simulated = [key for key in missing if key.kind in RESULT_KINDS]
            await asyncio.gather(
                *([self._compile(compiled, tags, resolved)] if compiled else []),
                *(self._simulate(key, tags, resolved) for key in simulated),
            )
        finally:
            for key in keys:
                future = self._pending.pop(key.key)
                if not future.done():
                    future.set_result(resolved.get(key.key))

    async def _compile(self, keys: list[CacheKey], tags: list[str], resolved: dict[str, Any]) -> None:
        """Compute the values of all keys in one task."""
        async with self._compile_slots:
            task = _task(compile_values, num_cpus=0, num_returns=len(keys))
            references = task.remote(keys)
            await self._collect(keys, references if len(keys) > 1 else [references], tags, resolved)

    async def _simulate(self, key: CacheKey, tags: list[str], resolved: dict[str, Any]) -> None:
        """Compute the measures of a run in a task that uses one CPU and this cache."""
        import ray

        this = ray.get_runtime_context().current_actor
        task = _task(simulate_measures, num_cpus=1, num_returns=1)
        await self._collect([key], [task.remote(key, this, tags)], tags, resolved)

    async def _collect(
        self, keys: list[CacheKey], references: list[Any], tags: list[str], resolved: dict[str, Any]
    ) -> None:
        """Store what a task returns.

        Failures are dropped: a caller that gets no value builds it in its own process and meets the same error there.
        """
        computed = []
        for key, reference in zip(keys, references, strict=True):
            try:
                data = await reference
            except Exception:
                continue
            cache = self._namespaces[key.namespace]
            cache.put(key.key, reference, len(data), tags)
            cache.statistics.computed += 1
            resolved[key.key] = reference
            computed.append((key, data))
        self._start(self._put_in_redis(computed, tags))

    async def _put_in_redis(self, values: list[tuple[CacheKey, bytes]], tags: list[str]) -> None:
        if self._redis is not None and values:
            await asyncio.to_thread(self._redis.put, values, tags)

    def _clear(self, namespace: str | None) -> int:
        return sum(
            cache.clear()
            for name, cache in self._namespaces.items()
            if namespace is None or name == namespace
        )

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for which no caller waits."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _listen(self) -> None:
        """Subscribe to the invalidations of other clusters, at the first call."""
        if self._redis is None or self._listening:
            return
        self._listening = True
        loop = asyncio.get_running_loop()

        def handle(tags: list[str], namespace: str | None) -> None:
            loop.call_soon_threadsafe(self._apply_invalidation, tags, namespace)

        self._redis.listen(handle)

    def _apply_invalidation(self, tags: list[str], namespace: str | None) -> None:
        """Apply an invalidation of another cluster: of tags, or with no tags of a namespace or of everything."""
        if not tags:
            self._clear(namespace if namespace in NAMESPACES else None)
        for cache in self._namespaces.values():
            cache.untag(tags)


def _task(function: Any, **options: Any) -> Any:
    return as_remote(function, f"goldenhour.{function.__name__}").options(
        max_retries=2, retry_exceptions=False, **options
    )
