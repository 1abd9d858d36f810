"""The Redis backend: values that several clusters share and that outlive each of them (docs/platform.md section 4).

Redis is never required. After a fault (the server is down, frozen or full, or it is not a Redis at all) the backend
does not use it for a few seconds, and every look-up is a miss meanwhile.

Redis is not trusted either: any program that reaches it may have written to it. Values and messages are signed, sizes
are bounded before anything is fetched, and names and types are checked (docs/caches.md).
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from actors.cache.backend import Usage
from actors.cache.signature import SIGNATURE_BYTES, sign, verify
from engine.masking import parse_address
from engine.precomputed import LARGEST_PACKED, NAMESPACES, CacheKey

T = TypeVar("T")

SOCKET_SECONDS = 0.25
"""Time-out of a connect and of a call. With redis-py's defaults, a call to a frozen server took 100 s."""

PAUSE_SECONDS = 5.0
"""How long Redis is not used after a fault."""

LARGEST_SHARE = 1 / 16
"""Largest size of a value as a share of Redis's memory: a larger one would evict many small ones."""

LARGEST_BYTES = LARGEST_PACKED + SIGNATURE_BYTES
"""Largest size of a value, whatever the memory of Redis."""

LARGEST_SET = 100_000
"""Most values that are read of a tag."""

CHANNEL = "goldenhour:invalidated"
"""Redis channel of the invalidations: (origin, tags, namespace) as signed MessagePack."""

_BATCH = 500
"""Number of names read at a time: the command KEYS would block the server."""

_LONGEST_ERROR = 200
"""Most characters that are shown of an error, which may be the server's own text."""

_DIGEST = "[0-9a-f]" * 64
"""Redis's pattern of a key, or of a tag's digest. Its length is fixed, so Redis never sends a longer name."""


class RedisBackend:
    """Values in Redis under `goldenhour:value:NAMESPACE:KEY`, with their tags.

    `url` is an address as redis-py takes it. Values expire after `ttl_seconds`. They are signed with `secret`; without
    one Redis is not used. `publish` and `listen` carry invalidations from one cluster to the others. `faults` counts
    the faults; `fault` describes the last one.
    """

    name = "redis"

    def __init__(self, url: str, ttl_seconds: float, secret: bytes | None, secret_fault: str = "") -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.fault: str | None = None
        self.faults = 0
        self._redis = redis
        self._secret = secret or b""
        self._secret_fault = f" ({secret_fault})" if secret_fault else ""
        self._address = parse_address(url)
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
        misses: list[Any] = [b""] * len(names)
        stored = self._try(lambda: self._read(names), misses)
        values = [verify(self._secret, name, each) for name, each in zip(names, stored, strict=True)]
        if refused := sum(each != b"" and data is None for each, data in zip(stored, values, strict=True)):
            self._record_fault(
                f"{refused} of its values had no valid signature and are computed again (all who share it need the "
                "same GOLDENHOUR_CACHE_KEY)"
            )
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
            for each in (namespace,) if namespace else NAMESPACES:
                for batch in self._batches(_value_name(each, _DIGEST)):
                    removed += self._client.unlink(*batch)
            if namespace is None:
                for pattern in (f"goldenhour:tag:{_DIGEST}", *map(_tags_name, _member_patterns())):
                    for batch in self._batches(pattern):
                        self._client.unlink(*batch)
            return removed

        return self._try(work, 0)

    def usage(self) -> Usage:
        """Return the number and size of the values by namespace."""

        def work() -> Usage:
            usage = Usage()
            for namespace in NAMESPACES:
                values = size = 0
                for batch in self._batches(_value_name(namespace, _DIGEST)):
                    with self._client.pipeline(transaction=False) as pipe:
                        for name in batch:
                            pipe.strlen(name)
                        values += len(batch)
                        size += sum(length or 0 for length in self._execute(pipe))
                usage[namespace] = values, size
            return usage

        return self._try(work, Usage())

    def publish(self, tags: Sequence[str], namespace: str | None = None) -> None:
        """Announce to other clusters that tags were invalidated; without tags, that a namespace or all were cleared."""
        message = sign(self._secret, CHANNEL, msgspec.msgpack.encode([self._origin, list(tags), namespace]))
        self._try(lambda: self._client.publish(CHANNEL, message), 0)

    def listen(self, handler: Callable[[list[str], str | None], None]) -> None:
        """Call `handler(tags, namespace)`, in a thread of its own, for everything that other clusters publish."""
        if not self._secret:
            return
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

    def _handle(self, message: Any, handler: Callable[[list[str], str | None], None]) -> None:
        data = verify(self._secret, CHANNEL, message)
        if data is None:
            return
        try:
            origin, tags, namespace = msgspec.msgpack.decode(data, type=tuple[str, list[str], str | None])
        except msgspec.DecodeError:
            return
        if origin != self._origin:
            handler(tags, namespace)

    def _read(self, names: list[str]) -> list[Any]:
        """Return what is stored under each name: no bytes where there is nothing, None for what is no value.

        A value that is too large is cut off, so that its signature is wrong.
        """
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.getrange(name, 0, LARGEST_BYTES)  # both ends count
            return self._execute(pipe)

    def _put(self, values: list[tuple[CacheKey, bytes]], tags: list[str]) -> None:
        if self._largest is None:
            limit = int(self._client.info("memory").get("maxmemory", 0))
            self._largest = min(LARGEST_BYTES, int(limit * LARGEST_SHARE) if limit else LARGEST_BYTES)
        try:
            with self._client.pipeline(transaction=False) as pipe:
                names = []
                for key, data in values:
                    name = _value_name(key.namespace, key.key)
                    stored = sign(self._secret, name, data)
                    if len(stored) > self._largest:
                        continue
                    member = f"{key.namespace}:{key.key}"
                    pipe.set(name, stored, px=self._ttl_ms)
                    names.append(name)
                    for tag in tags:
                        pipe.sadd(_members_name(tag), member)
                        pipe.pexpire(_members_name(tag), self._ttl_ms)
                        pipe.sadd(_tags_name(member), tag)
                        names += [_members_name(tag)] * 2 + [_tags_name(member)]
                    if tags:
                        pipe.pexpire(_tags_name(member), self._ttl_ms)
                        names.append(_tags_name(member))
                answers = self._execute(pipe)
            self._remove_sets({name for name, answer in zip(names, answers, strict=True) if answer is None})
        except self._redis.exceptions.OutOfMemoryError:
            self._full_until = time.monotonic() + PAUSE_SECONDS
            self._record_fault("it is full and takes no more values")

    def _untag(self, tag: str) -> int:
        members = self._members(tag)
        with self._client.pipeline(transaction=False) as pipe:
            for member in members:
                pipe.srem(_tags_name(member), tag)
                pipe.scard(_tags_name(member))
            remaining_tags = self._execute(pipe)[1::2]
        untagged = [
            f"goldenhour:value:{member}"
            for member, remaining in zip(members, remaining_tags, strict=True)
            if not remaining
        ]
        self._client.unlink(_members_name(tag))
        return self._client.unlink(*untagged) if untagged else 0

    def _members(self, tag: str) -> list[str]:
        """Return the values that have a tag, as NAMESPACE:KEY. Anything else in the set is ignored."""
        name = _members_name(tag)
        with self._client.pipeline(transaction=False) as pipe:
            pipe.scard(name)
            (count,) = self._execute(pipe)
        if count is None or count > LARGEST_SET:
            self._remove_sets({name})
            return []
        found: dict[str, None] = {}
        for pattern in _member_patterns():
            for member in self._client.sscan_iter(name, match=pattern, count=_BATCH):
                found[member.decode()] = None
                if len(found) > LARGEST_SET:  # somebody adds to it meanwhile
                    return []
        return list(found)

    def _execute(self, pipe: Any) -> list[Any]:
        """Return the answers of the commands; None where a name holds another type than the command is for."""
        answers = pipe.execute(raise_on_error=False)
        for number, answer in enumerate(answers):
            if isinstance(answer, Exception):
                if not str(answer).startswith("WRONGTYPE"):
                    raise answer
                answers[number] = None
        return answers

    def _remove_sets(self, names: set[str]) -> None:
        """Remove sets of tags that are none, or that hold more than a set of ours ever does."""
        if names:
            self._client.unlink(*names)
            self._record_fault(f"{len(names)} of its sets of tags were not ours and have been removed")

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
        """Return the result of `work`; `otherwise` after a fault, in the pause that follows, and without a secret."""
        if not self._secret:
            self._record_fault(
                f"it is not used, as there is no secret to sign with{self._secret_fault}; set GOLDENHOUR_CACHE_KEY"
            )
            return otherwise
        if time.monotonic() < self._paused_until:
            self.faults += 1
            return otherwise
        try:
            return work()
        except Exception as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self._largest = None
            line = "".join(filter(str.isprintable, next(iter(str(error).splitlines()), "")))[:_LONGEST_ERROR]
            self._record_fault(f"{type(error).__name__}: {line}" if line else type(error).__name__)
            return otherwise

    def _record_fault(self, what: str) -> None:
        self.faults += 1
        place = self._address.hosts or self._address.path or self._address.shown
        self.fault = f"Redis at {place}: {self._address.mask(what.rstrip('.'))}"


def _value_name(namespace: str, key: str) -> str:
    """Return the name of a value in Redis."""
    return f"goldenhour:value:{namespace}:{key}"


def _members_name(tag: str) -> str:
    """Return the name of the set of values that have a tag."""
    return f"goldenhour:tag:{hashlib.sha256(tag.encode('utf-8', 'surrogateescape')).hexdigest()}"


def _tags_name(member: str) -> str:
    """Return the name of the set of tags that a value has. `member` is NAMESPACE:KEY."""
    return f"goldenhour:tags-of:{member}"


def _member_patterns() -> list[str]:
    """Return Redis's patterns of what is in the set of a tag: NAMESPACE:KEY."""
    return [f"{namespace}:{_DIGEST}" for namespace in NAMESPACES]
