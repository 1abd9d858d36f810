"""The Redis backend: values that several clusters share and that outlive each of them (docs/platform.md section 4).

Redis is never required. After a fault (the server is down, frozen or full, or it is not a Redis at all) the backend
does not use it for a few seconds, and every look-up is a miss meanwhile.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from actors.cache.backend import Usage, add_checksum, verify_checksum
from engine.precomputed import NAMESPACES, CacheKey

T = TypeVar("T")

SOCKET_SECONDS = 0.25
"""Time-out of a connect and of a call. With redis-py's defaults, a call to a frozen server took 100 s."""

PAUSE_SECONDS = 5.0
"""How long Redis is not used after a fault."""

LARGEST_SHARE = 1 / 16
"""Largest size of a value as a share of Redis's memory: a larger one would evict many small ones."""

LARGEST_BYTES = 16 * 1024 * 1024
"""Largest size of a value in a Redis without a memory limit."""

CHANNEL = "goldenhour:invalidated"
"""Redis channel of the invalidations: (origin, tags, namespace) as MessagePack."""

_BATCH = 500
"""Number of names read at a time: the command KEYS would block the server."""


class RedisBackend:
    """Values in Redis under `goldenhour:value:NAMESPACE:KEY`, with their tags.

    `url` is an address as redis-py takes it. Values expire after `ttl_seconds`. `publish` and `listen` carry
    invalidations from one cluster to the others. `faults` counts the faults; `fault` describes the last one.
    """

    name = "redis"

    def __init__(self, url: str, ttl_seconds: float) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.fault: str | None = None
        self.faults = 0
        self._redis = redis
        self._address = _without_password(url)
        self._ttl_ms = max(1, int(1000 * ttl_seconds))
        self._paused_until = self._full_until = 0.0
        self._largest: int | None = None
        self._origin = f"{time.time_ns():x}-{id(self):x}"
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    def get(self, keys: Sequence[CacheKey]) -> list[bytes | None]:
        """Return the packed value of each key, None for those that are missing or damaged."""
        names = [_value_name(key.namespace, key.key) for key in keys]
        misses: list[bytes | None] = [None] * len(names)
        stored = self._try(lambda: self._client.mget(names), misses)
        values = [None if each is None else verify_checksum(each) for each in stored]
        if damaged := sum(
            each is not None and data is None for each, data in zip(stored, values, strict=True)
        ):
            self._record_fault(f"{damaged} of its values had a wrong checksum and are computed again")
        return values

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Store packed values under tags, except those that are too large for this Redis."""
        if time.monotonic() < self._full_until:
            return
        self._try(lambda: self._put(list(values), list(tags)), None)

    def untag(self, tags: Iterable[str]) -> int:
        """Take tags from all values, and remove values that lose their last one. Return how many were removed."""
        return self._try(lambda: sum(self._untag(tag) for tag in tags), 0)

    def clear(self, namespace: str | None) -> int:
        """Remove all values of a namespace, or of all namespaces for None. Return how many were removed."""

        def work() -> int:
            removed = 0
            for batch in self._batches(_value_name(namespace or "*", "*")):
                removed += self._client.unlink(*batch)
            if namespace is None:
                for batch in self._batches("goldenhour:tag*"):
                    self._client.unlink(*batch)
            return removed

        return self._try(work, 0)

    def usage(self) -> Usage:
        """Return the number and size of the values by namespace."""

        def work() -> Usage:
            usage = Usage()
            for namespace in NAMESPACES:
                values = size = 0
                for batch in self._batches(_value_name(namespace, "*")):
                    with self._client.pipeline(transaction=False) as pipe:
                        for name in batch:
                            pipe.strlen(name)
                        values += len(batch)
                        size += sum(pipe.execute())
                usage[namespace] = values, size
            return usage

        return self._try(work, Usage())

    def publish(self, tags: Sequence[str], namespace: str | None = None) -> None:
        """Announce to other clusters that tags were invalidated; without tags, that a namespace or all were cleared."""
        message = msgspec.msgpack.encode([self._origin, list(tags), namespace])
        self._try(lambda: self._client.publish(CHANNEL, message), 0)

    def listen(self, handler: Callable[[list[str], str | None], None]) -> None:
        """Call `handler(tags, namespace)`, in a thread of its own, for everything that other clusters publish."""
        threading.Thread(target=self._listen, args=(handler,), daemon=True, name="invalidations").start()

    def _listen(self, handler: Callable[[list[str], str | None], None]) -> None:
        while True:
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(CHANNEL)
                    while True:
                        if message := subscription.get_message(timeout=1.0):
                            self._handle(message["data"], handler)
            except Exception:
                time.sleep(1.0)

    def _handle(self, data: bytes, handler: Callable[[list[str], str | None], None]) -> None:
        try:
            origin, tags, namespace = msgspec.msgpack.decode(data, type=tuple[str, list[str], str | None])
        except msgspec.DecodeError:
            return
        if origin != self._origin:
            handler(tags, namespace)

    def _put(self, values: list[tuple[CacheKey, bytes]], tags: list[str]) -> None:
        if self._largest is None:
            limit = int(self._client.info("memory").get("maxmemory", 0))
            self._largest = int(limit * LARGEST_SHARE) if limit else LARGEST_BYTES
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for key, data in values:
                    stored = add_checksum(data)
                    if len(stored) > self._largest:
                        continue
                    member = f"{key.namespace}:{key.key}"
                    pipe.set(_value_name(key.namespace, key.key), stored, px=self._ttl_ms)
                    for tag in tags:
                        pipe.sadd(_members_name(tag), member)
                        pipe.pexpire(_members_name(tag), self._ttl_ms)
                        pipe.sadd(_tags_name(member), tag)
                    if tags:
                        pipe.pexpire(_tags_name(member), self._ttl_ms)
                pipe.execute()
        except self._redis.exceptions.OutOfMemoryError:
            self._full_until = time.monotonic() + PAUSE_SECONDS
            self._record_fault("it is full and takes no more values")

    def _untag(self, tag: str) -> int:
        members = [member.decode() for member in self._client.smembers(_members_name(tag))]
        with self._client.pipeline(transaction=False) as pipe:
            for member in members:
                pipe.srem(_tags_name(member), tag)
                pipe.scard(_tags_name(member))
            remaining_tags = pipe.execute()[1::2]
        untagged = [
            f"goldenhour:value:{member}"
            for member, remaining in zip(members, remaining_tags, strict=True)
            if not remaining
        ]
        self._client.unlink(_members_name(tag))
        return self._client.unlink(*untagged) if untagged else 0

    def _batches(self, pattern: str) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        for name in self._client.scan_iter(match=pattern, count=_BATCH):
            batch.append(name)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _try(self, work: Callable[[], T], otherwise: T) -> T:
        """Return the result of `work`; after a fault, and during the pause that follows it, `otherwise`."""
        if time.monotonic() < self._paused_until:
            self.faults += 1
            return otherwise
        try:
            return work()
        except Exception as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self._largest = None
            line = next(iter(str(error).splitlines()), "")
            self._record_fault(f"{type(error).__name__}: {line}" if line else type(error).__name__)
            return otherwise

    def _record_fault(self, what: str) -> None:
        self.faults += 1
        self.fault = f"Redis at {self._address}: {what.rstrip('.')}"


def _value_name(namespace: str, key: str) -> str:
    """Return the name of a value in Redis."""
    return f"goldenhour:value:{namespace}:{key}"


def _members_name(tag: str) -> str:
    """Return the name of the set of values that have a tag."""
    return f"goldenhour:tag:{tag}"


def _tags_name(member: str) -> str:
    """Return the name of the set of tags that a value has. `member` is NAMESPACE:KEY."""
    return f"goldenhour:tags-of:{member}"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path if not parts.hostname else ''}"
