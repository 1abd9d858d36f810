"""Cache: the actor of a cluster that keeps what runs are compiled from, and what they came to.

One actor with four namespaces, not four actors: an actor is a process of 60 MB, while all values of the built-in
scenarios take 1 MB; and a look-up of everything a run needs is then one call. The actor holds references only. It
submits the task that makes a value, so it owns the value, and concurrent misses wait for one task. When the actor dies,
its values are gone: a miss. Keys name the content a value is made from (`precomputed.cache_keys`), so that no
value is ever out
of date; invalidation frees what nobody will ask for again.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from actors.cache.local import CacheSettings, LocalCache, cache_settings
from actors.cache.lru import LruCache, LruStatistics
from actors.cache.redis_backend import RedisBackend
from actors.cluster import (
    add_metric,
    as_remote,
    check_package_root,
    hide_pyarrow_in_worker,
    lower_priority,
    put_metric,
    restore_pyarrow,
)
from engine.identity import catalogue_version, engine_version
from engine.precomputed import (
    MEASURES_KIND,
    NAMESPACES,
    SIMULATION_KINDS,
    TEXT_KINDS,
    CacheKey,
    build_value,
    cache_key,
    keys_of_scenario,
    pack_value,
    run_of_key,
    unpack_value,
)
from engine.scenario import Scenario

hide_pyarrow_in_worker()

NAME = "goldenhour-cache"
RAY_NAMESPACE = "goldenhour"

SHARES = {"configuration": 0.25, "demographics": 0.25, "medical": 0.25, "computation": 0.25}
"""Each namespace's part of the budget."""

WAIT_SECONDS = 10.0
"""A run that gets no answer in this time compiles for itself."""

TICK_SECONDS = 0.25
"""Longest time without a word while measures are simulated."""

TASKS_AT_ONCE = 2
"""Tasks that compile; measures take a core each and wait for one."""


class Answer(NamedTuple):
    """References to packed values, None for what could not be made; and what went wrong with Redis, if anything did."""

    references: list[list[Any] | None]
    fault: str | None


class CacheStatistics(msgspec.Struct, kw_only=True):
    """What `goldenhour cache stats` shows of an actor."""

    node: str
    pid: int
    namespaces: dict[str, LruStatistics]
    redis: str | None
    """Whether Redis is behind it: None, "ok", or the last fault."""
    redis_values: dict[str, tuple[int, int]] = {}


class Cache:
    """The actor. All methods are coroutines; none of them raises because of Redis or of a value that cannot be made."""

    def __init__(self, chosen: CacheSettings) -> None:
        check_package_root()
        limit = int(chosen.megabytes * 1024 * 1024)
        self._shelves: dict[str, LruCache] = {
            name: LruCache(int(limit * SHARES[name]), chosen.ttl_seconds) for name in NAMESPACES
        }
        self._redis = RedisBackend(chosen.redis_url, chosen.ttl_seconds) if chosen.redis_url else None
        self._pending: dict[str, asyncio.Future[Any]] = {}
        self._compiling = asyncio.Semaphore(TASKS_AT_ONCE)
        self._background: set[asyncio.Task[Any]] = set()
        self._listening = False
        self._told = dict.fromkeys(self._shelves, (0, 0, 0))

    async def hello(self) -> tuple[str, int]:
        """Node and process id."""
        import ray

        self._listen()
        return ray.get_runtime_context().get_node_id(), os.getpid()

    async def get(self, wanted: list[CacheKey], tags: list[str], counted: bool = True) -> Answer:
        """The values, from memory, from Redis, or made now; kept under `tags`. `counted` in hits and misses."""
        self._listen()
        faults = self._redis.faults if self._redis else 0
        found: dict[str, Any] = {}
        mine: list[CacheKey] = []
        for recipe in wanted:
            value = self._shelves[recipe.namespace].get(recipe.key, tags, counted)
            if value is not None:
                found[recipe.key] = value
            elif recipe.key not in self._pending:
                self._pending[recipe.key] = asyncio.get_running_loop().create_future()
                mine.append(recipe)
        waiting = [(r, self._pending[r.key]) for r in wanted if r.key not in found]
        if mine:
            self._start(self._fill(mine, tags))
        for recipe, future in waiting:
            found[recipe.key] = await asyncio.shield(future)
            self._shelves[recipe.namespace].tag(recipe.key, tags)
        self._measure()
        fault = self._redis.fault if self._redis and self._redis.faults > faults else None
        return Answer([None if found[r.key] is None else [found[r.key]] for r in wanted], fault)

    async def keep(self, recipe: CacheKey, data: bytes, tags: list[str]) -> str | None:
        """Keep a packed value that was made elsewhere; returns what went wrong with Redis."""
        import ray

        faults = self._redis.faults if self._redis else 0
        self._shelves[recipe.namespace].put(recipe.key, ray.put(data), len(data), tags)
        await self._to_redis([(recipe, data)], tags)
        return self._redis.fault if self._redis and self._redis.faults > faults else None

    async def warm(self, named: list[tuple[str, bytes]]) -> int:
        """Make ready what runs of these scenarios need: (name, scenario as JSON) each. Returns how many are ready.

        Called with the built-in scenarios when the actor starts, and with the stored ones by whoever has them.
        """
        ready = 0
        for name, text in named:
            with contextlib.suppress(Exception):
                from engine.scenario import resolve

                s = resolve(msgspec.json.decode(text, type=Scenario))
                wanted = keys_of_scenario(s, SIMULATION_KINDS + TEXT_KINDS)
                answer = await self.get(wanted, [tag_of(name)], counted=False)
                ready += None not in answer.references
        return ready

    async def warm_builtins(self) -> int:
        """`warm` with the built-in scenarios."""
        import scenarios
        from engine.scenario import parse

        named = []
        for name in scenarios.builtin_names():
            named.append((name, msgspec.json.encode(parse(scenarios.builtin_bytes(name), "toml", name))))
        return await self.warm(named)

    async def invalidate(self, tags: list[str]) -> int:
        """Forget what only these tags hold, such as "scenario:NAME", here, in Redis and in other clusters.

        "catalogue" stands for everything. Returns how many values of this actor went.
        """
        if "catalogue" in tags:
            return await self.clear(None)
        gone = sum(shelf.untag(tags) for shelf in self._shelves.values())
        if self._redis is not None:
            await asyncio.to_thread(self._redis.untag, tags)
            await asyncio.to_thread(self._redis.publish, tags)
        return gone

    async def clear(self, namespace: str | None) -> int:
        """Forget a namespace, or all, here, in Redis and in other clusters; returns how many of this actor's went."""
        gone = self._clear(namespace)
        if self._redis is not None:
            await asyncio.to_thread(self._redis.clear, namespace)
            await asyncio.to_thread(self._redis.publish, [], namespace)
        return gone

    async def stats(self) -> CacheStatistics:
        """What each namespace did and holds."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        figures: dict[str, LruStatistics] = {name: shelf.figures for name, shelf in self._shelves.items()}
        found = CacheStatistics(node=node, pid=os.getpid(), namespaces=figures, redis=None)
        if self._redis is not None:
            found.redis_values = await asyncio.to_thread(self._redis.usage)
            found.redis = self._redis.fault or "ok"
        return found

    def _measure(self) -> None:
        """Tell the metrics what each namespace did since the last time, and holds."""
        for name, shelf in self._shelves.items():
            figures = shelf.figures
            now = figures.hits, figures.misses, figures.evictions
            hits, misses, evictions = (new - old for new, old in zip(now, self._told[name], strict=True))
            self._told[name] = now
            add_metric("cache_lookups", hits, namespace=name, result="hit")
            add_metric("cache_lookups", misses, namespace=name, result="miss")
            add_metric("cache_evictions", evictions, namespace=name)
            put_metric("cache_bytes", figures.bytes, namespace=name)
            put_metric("cache_limit_bytes", figures.limit_bytes, namespace=name)

    async def _fill(self, wanted: list[CacheKey], tags: list[str]) -> None:
        """Settle the pending futures of `wanted`: with a reference, or None for what cannot be made."""
        import ray

        settled: dict[str, Any] = {}
        try:
            missing = wanted
            if self._redis is not None:
                packed = await asyncio.to_thread(self._redis.get, wanted)
                for recipe, data in zip(wanted, packed, strict=True):
                    if data is not None:
                        shelf = self._shelves[recipe.namespace]
                        settled[recipe.key] = reference = ray.put(data)
                        shelf.put(recipe.key, reference, len(data), tags)
                        shelf.figures.from_tier += 1
                missing = [recipe for recipe in wanted if recipe.key not in settled]
            parts = [recipe for recipe in missing if recipe.kind != MEASURES_KIND]
            whole = [recipe for recipe in missing if recipe.kind == MEASURES_KIND]
            await asyncio.gather(
                *([self._compile(parts, tags, settled)] if parts else []),
                *(self._simulate(recipe, tags, settled) for recipe in whole),
            )
        finally:
            for recipe in wanted:
                future = self._pending.pop(recipe.key)
                if not future.done():
                    future.set_result(settled.get(recipe.key))

    async def _compile(self, wanted: list[CacheKey], tags: list[str], settled: dict[str, Any]) -> None:
        """All of `wanted` in one task."""
        async with self._compiling:
            task = _task(compile_values, num_cpus=0, num_returns=len(wanted))
            references = task.remote(wanted)
            await self._made(wanted, references if len(wanted) > 1 else [references], tags, settled)

    async def _simulate(self, recipe: CacheKey, tags: list[str], settled: dict[str, Any]) -> None:
        """The measures of a run, in a task that takes a core and gets the run's parts from this cache."""
        import ray

        this = ray.get_runtime_context().current_actor
        task = _task(simulate_measures, num_cpus=1, num_returns=1)
        await self._made([recipe], [task.remote(recipe, this, tags)], tags, settled)

    async def _made(
        self, wanted: list[CacheKey], references: list[Any], tags: list[str], settled: dict[str, Any]
    ) -> None:
        """Keep what a task has made; where it failed, who asked will meet the reason in its own process."""
        made = []
        for recipe, reference in zip(wanted, references, strict=True):
            try:
                data = await reference
            except Exception:
                continue
            shelf = self._shelves[recipe.namespace]
            shelf.put(recipe.key, reference, len(data), tags)
            shelf.figures.computed += 1
            settled[recipe.key] = reference
            made.append((recipe, data))
        self._start(self._to_redis(made, tags))

    async def _to_redis(self, made: list[tuple[CacheKey, bytes]], tags: list[str]) -> None:
        if self._redis is not None and made:
            await asyncio.to_thread(self._redis.put, made, tags)

    def _clear(self, namespace: str | None) -> int:
        names = NAMESPACES if namespace is None else (namespace,)
        return sum(self._shelves[name].clear() for name in names)

    def _start(self, work: Any) -> None:
        """Run a coroutine that no caller waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _listen(self) -> None:
        """Hear, from the first call on, what other clusters invalidate."""
        if self._redis is None or self._listening:
            return
        self._listening = True
        loop = asyncio.get_running_loop()

        def heard(tags: list[str], namespace: str | None) -> None:
            loop.call_soon_threadsafe(self._heard, tags, namespace)

        self._redis.listen(heard)

    def _heard(self, tags: list[str], namespace: str | None) -> None:
        if not tags:
            self._clear(namespace if namespace in NAMESPACES else None)
        for shelf in self._shelves.values():
            shelf.untag(tags)


def _task(function: Any, **options: Any) -> Any:
    return as_remote(function, f"goldenhour.{function.__name__}").options(
        max_retries=2, retry_exceptions=False, **options
    )


def _check(recipe: CacheKey) -> None:
    """Raise where this process has another engine or catalogue than the one that asked."""
    if cache_key(recipe.kind, recipe.inputs) != recipe.key:
        raise RuntimeError("another version of goldenhour asked for this value")


def _prepare() -> None:
    """Make a Ray worker ready to compute."""
    import sys

    lower_priority()
    check_package_root()
    restore_pyarrow()
    sys.modules.setdefault("scipy", None)  # type: ignore[arg-type] # see FlowSimulator.prepare


def compile_values(wanted: list[CacheKey]) -> Any:
    """Packed values of recipes, as a Ray task with as many returns."""
    _prepare()
    made = []
    for recipe in wanted:
        _check(recipe)
        made.append(pack_value(build_value(recipe.kind, recipe.inputs)))
    return made if len(made) > 1 else made[0]


def simulate_measures(recipe: CacheKey, cache: Any, tags: list[str]) -> bytes:
    """The packed measures of a run, as a Ray task."""
    _prepare()
    _check(recipe)
    s, _ = run_of_key(recipe.inputs)
    parts = SharedCache(cache, tuple(tags)).made(s, SIMULATION_KINDS)
    return pack_value(build_value(recipe.kind, recipe.inputs, parts))


class SharedCache:
    """A process's view of its cluster's Cache; can be sent to another process.

    `fault` says what went wrong with Redis behind it, once something has. The other process looks the actor up by its
    name: Ray forgets the class of an actor that died after the driver that had made it, and from then on no process can
    read a handle of it.
    """

    def __init__(self, actor: Any, tags: tuple[str, ...] = ()) -> None:
        self._actor = actor
        self.tags = list(tags)
        self.fault: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_actor": None}

    def get(
        self,
        wanted: Sequence[CacheKey],
        seconds: float = WAIT_SECONDS,
        waiting: Callable[[], None] | None = None,
    ) -> list[Any]:
        """The values; None for those that are not to be had within `seconds`, as after the actor's death.

        With `waiting`, which is called meanwhile, it may take as long as it takes.
        """
        import ray

        try:
            asked = self._found().get.remote(list(wanted), self.tags)
            while waiting is not None and not ray.wait([asked], timeout=TICK_SECONDS)[0]:
                waiting()
            answer = ray.get(asked, timeout=seconds)
            self.fault = answer.fault or self.fault
            references = [reference[0] for reference in answer.references if reference is not None]
            packed = iter(ray.get(references, timeout=seconds))
            return [None if r is None else unpack_value(next(packed)) for r in answer.references]
        except (ray.exceptions.RayError, ValueError):
            self._actor = None
            return [None] * len(wanted)

    def made(self, s: Scenario, kinds: tuple[str, ...]) -> dict[str, Any]:
        """The values of a resolved scenario by kind, those that are to be had."""
        wanted = keys_of_scenario(s, kinds)
        values = zip(wanted, self.get(wanted), strict=True)
        return {recipe.kind: value for recipe, value in values if value is not None}

    def keep(self, recipe: CacheKey, value: Any) -> None:
        """Let others have a value that was made here."""
        import ray

        with contextlib.suppress(ray.exceptions.RayError, ValueError):
            sent = self._found().keep.remote(recipe, pack_value(value), self.tags)
            self.fault = ray.get(sent, timeout=WAIT_SECONDS) or self.fault

    def _found(self) -> Any:
        """The actor; ValueError where there is none by now."""
        self._actor = self._actor or _named()
        return self._actor


def tag_of(name: str) -> str:
    """The tag of a scenario's values."""
    return f"scenario:{name}"


def actor_name() -> str:
    """The actor's name in Ray: one for each version of engine and catalogue, as their values differ."""
    return f"{NAME}-{engine_version()[:10]}{catalogue_version()[:10]}"


def find_cache() -> Any:
    """The cluster's Cache, or None; in a process that has joined Ray."""
    try:
        return _named()
    except ValueError:
        return None


def _named() -> Any:
    import ray

    return ray.get_actor(actor_name(), namespace=RAY_NAMESPACE)


def start_cache(chosen: CacheSettings) -> Any:
    """The cluster's Cache, made (and warming up) where there is none."""
    actor = find_cache()
    if actor is not None:
        return actor
    options = {"num_cpus": 0, "max_restarts": 0, "lifetime": "detached", "namespace": RAY_NAMESPACE}
    actor = as_remote(Cache).options(name=actor_name(), get_if_exists=True, **options).remote(chosen)
    actor.warm_builtins.remote()
    return actor


def end_cache() -> int:
    """End the Caches of this and all other versions; returns how many there were."""
    import ray

    ended = 0
    for found in ray.util.list_named_actors(all_namespaces=True):
        if found["namespace"] == RAY_NAMESPACE and found["name"].startswith(f"{NAME}-"):
            with contextlib.suppress(ValueError):
                ray.kill(ray.get_actor(found["name"], namespace=RAY_NAMESPACE))
                ended += 1
    return ended


def cache_for_run(local: bool, name: str) -> "SharedCache | LocalCache | None":
    """What a run of scenario `name` takes values from: the Cache of the shared cluster this process has joined.

    On a Ray of one's own, which ends with the run, only what `LocalCache` keeps: an actor of 60 MB would save its
    simulator
    20 ms. GOLDENHOUR_CACHE=on starts one all the same, off does without any.
    """
    chosen = cache_settings()
    if chosen.mode == "off":
        return None
    if local and chosen.mode == "auto":
        return LocalCache(chosen)
    import ray

    try:
        return SharedCache(start_cache(chosen), (tag_of(name),))
    except ray.exceptions.RayError:  # a cluster too busy to say whether it has one
        return LocalCache(chosen)


__all__ = [
    "Cache",
    "CacheStatistics",
    "SharedCache",
    "cache_for_run",
    "end_cache",
    "find_cache",
    "start_cache",
    "tag_of",
]
