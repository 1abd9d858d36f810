"""Redis as a tier: shared by clusters, kept over restarts, and never needed.

A server that is down, frozen, full or no Redis at all is left alone for a few seconds after each fault; meanwhile
every look-up is a miss.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from actors.cache.backends import Usage, seal, unseal
from engine.precomputed import NAMESPACES, CacheKey

T = TypeVar("T")

SOCKET_SECONDS = 0.25
REST_SECONDS = 5.0
"""How long Redis is left alone after a fault."""

SHARE_OF_MEMORY = 16
"""A value takes at most one part in so many of Redis's memory ..."""

LARGEST_VALUE = 16 * 1024 * 1024
"""... and where Redis has no limit, at most so many bytes."""

CHANNEL = "goldenhour:invalidated"
_SCAN = 500


class RedisBackend:
    """Values in Redis under `goldenhour:value:NAMESPACE:KEY`, each with the tags it was kept under.

    `url` as redis-py takes it; values go after `ttl_seconds`. `listen` and `publish` carry invalidations from one
    cluster to the others.
    """

    name = "redis"

    def __init__(self, url: str, ttl_seconds: float) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.fault: str | None = None
        self.faults = 0
        self._redis = redis
        self._where = _without_password(url)
        self._ttl_ms = max(1, int(1000 * ttl_seconds))
        self._off_until = self._full_until = 0.0
        self._largest: int | None = None
        self._origin = f"{time.time_ns():x}-{id(self):x}"
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    def get(self, wanted: Sequence[CacheKey]) -> list[bytes | None]:
        """The packed values, None for what is not there or damaged."""
        names = [_value(recipe.namespace, recipe.key) for recipe in wanted]
        nothing: list[bytes | None] = [None] * len(names)
        found = self._try(lambda: self._client.mget(names), nothing)
        values = [None if sealed is None else unseal(sealed) for sealed in found]
        if damaged := sum(
            sealed is not None and data is None for sealed, data in zip(found, values, strict=True)
        ):
            self._note(f"{damaged} of its values failed their digest and are made again")
        return values

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Keep packed values under tags; those too large for this Redis are left out."""
        if time.monotonic() < self._full_until:
            return
        self._try(lambda: self._put(list(values), list(tags)), None)

    def untag(self, tags: Iterable[str]) -> int:
        """Take tags off; values without any tag left go. Returns how many."""
        return self._try(lambda: sum(self._untag(tag) for tag in tags), 0)

    def clear(self, namespace: str | None) -> int:
        """Forget a namespace, or all; returns how many values went."""

        def work() -> int:
            gone = 0
            for batch in self._batches(_value(namespace or "*", "*")):
                gone += self._client.unlink(*batch)
            if namespace is None:
                for batch in self._batches("goldenhour:tag*"):
                    self._client.unlink(*batch)
            return gone

        return self._try(work, 0)

    def usage(self) -> Usage:
        """What is there."""

        def work() -> Usage:
            found = Usage()
            for namespace in NAMESPACES:
                values = size = 0
                for batch in self._batches(_value(namespace, "*")):
                    with self._client.pipeline(transaction=False) as pipe:
                        for name in batch:
                            pipe.strlen(name)
                        values += len(batch)
                        size += sum(pipe.execute())
                found[namespace] = values, size
            return found

        return self._try(work, Usage())

    def publish(self, tags: Sequence[str], namespace: str | None = None) -> None:
        """Tell other clusters that tags were invalidated; without tags, that a namespace (or all) was cleared."""
        message = msgspec.msgpack.encode([self._origin, list(tags), namespace])
        self._try(lambda: self._client.publish(CHANNEL, message), 0)

    def listen(self, heard: Callable[[list[str], str | None], None]) -> None:
        """Call `heard(tags, namespace)`, in a thread of its own, for whatever others publish."""
        threading.Thread(target=self._listen, args=(heard,), daemon=True, name="invalidations").start()

    def _listen(self, heard: Callable[[list[str], str | None], None]) -> None:
        while True:
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(CHANNEL)
                    while True:
                        if message := subscription.get_message(timeout=1.0):
                            self._hear(message["data"], heard)
            except Exception:
                time.sleep(1.0)

    def _hear(self, data: bytes, heard: Callable[[list[str], str | None], None]) -> None:
        try:
            origin, tags, namespace = msgspec.msgpack.decode(data, type=tuple[str, list[str], str | None])
        except msgspec.DecodeError:
            return
        if origin != self._origin:
            heard(tags, namespace)

    def _put(self, values: list[tuple[CacheKey, bytes]], tags: list[str]) -> None:
        if self._largest is None:
            limit = int(self._client.info("memory").get("maxmemory", 0))
            self._largest = limit // SHARE_OF_MEMORY if limit else LARGEST_VALUE
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for recipe, data in values:
                    sealed = seal(data)
                    if len(sealed) > self._largest:
                        continue
                    mine = f"{recipe.namespace}:{recipe.key}"
                    pipe.set(_value(recipe.namespace, recipe.key), sealed, px=self._ttl_ms)
                    for tag in tags:
                        pipe.sadd(_tag(tag), mine)
                        pipe.pexpire(_tag(tag), self._ttl_ms)
                        pipe.sadd(_tags_of(mine), tag)
                    if tags:
                        pipe.pexpire(_tags_of(mine), self._ttl_ms)
                pipe.execute()
        except self._redis.exceptions.OutOfMemoryError:
            self._full_until = time.monotonic() + REST_SECONDS
            self._note("it is full and takes no more values")

    def _untag(self, tag: str) -> int:
        members = [member.decode() for member in self._client.smembers(_tag(tag))]
        with self._client.pipeline(transaction=False) as pipe:
            for mine in members:
                pipe.srem(_tags_of(mine), tag)
                pipe.scard(_tags_of(mine))
            left = pipe.execute()[1::2]
        gone = [f"goldenhour:value:{mine}" for mine, tags in zip(members, left, strict=True) if not tags]
        self._client.unlink(_tag(tag))
        return self._client.unlink(*gone) if gone else 0

    def _batches(self, pattern: str) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        for name in self._client.scan_iter(match=pattern, count=_SCAN):
            batch.append(name)
            if len(batch) == _SCAN:
                yield batch
                batch = []
        if batch:
            yield batch

    def _try(self, work: Callable[[], T], otherwise: T) -> T:
        """The work's result; after a fault `otherwise`, and so for a while without asking."""
        if time.monotonic() < self._off_until:
            self.faults += 1
            return otherwise
        try:
            return work()
        except Exception as error:
            self._off_until = time.monotonic() + REST_SECONDS
            self._largest = None
            line = next(iter(str(error).splitlines()), "")
            self._note(f"{type(error).__name__}: {line}" if line else type(error).__name__)
            return otherwise

    def _note(self, what: str) -> None:
        self.faults += 1
        self.fault = f"Redis at {self._where}: {what.rstrip('.')}"


def _value(namespace: str, key: str) -> str:
    return f"goldenhour:value:{namespace}:{key}"


def _tag(tag: str) -> str:
    return f"goldenhour:tag:{tag}"


def _tags_of(mine: str) -> str:
    return f"goldenhour:tags-of:{mine}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path if not parts.hostname else ''}"
