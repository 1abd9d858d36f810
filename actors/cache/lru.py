"""An LRU cache: values in memory within a budget of bytes, with a time to live and tags."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec


class LruStatistics(msgspec.Struct, kw_only=True):
    """What the cache of a namespace has done since its actor started, and what it holds.

    Of the `misses`, `from_redis` were found in Redis and `computed` were computed; the others waited for a computation
    that was already in progress. `evictions` were for space or by age, `invalidated` by tag or by `cache clear`.
    """

    hits: int = 0
    misses: int = 0
    from_redis: int = msgspec.field(default=0, name="from_tier")  # the name in `cache stats --json`
    computed: int = 0
    evictions: int = 0
    invalidated: int = 0
    values: int = 0
    bytes: int = 0
    limit_bytes: int = 0

    @property
    def rate(self) -> float | None:
        """Hits as a share of the look-ups; None when there were none."""
        lookups = self.hits + self.misses
        return self.hits / lookups if lookups else None


@dataclass(slots=True)
class _Entry:
    value: Any
    size: int
    expires: float
    tags: set[str]


class LruCache:
    """Values by key. `limit_bytes` is the budget of all values, `ttl_seconds` the time to live of each."""

    def __init__(
        self, limit_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.statistics = LruStatistics(limit_bytes=limit_bytes)
        self._ttl = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, key: str, tags: Iterable[str], count: bool = True) -> Any:
        """Return the value and add `tags` to it, or return None. Unless `count` is false, record a hit or a miss."""
        entry = self._entries.get(key)
        if entry is not None and entry.expires <= self._clock():
            self._remove(key)
            self.statistics.evictions += 1
            entry = None
        if entry is None:
            self.statistics.misses += count
            return None
        self.statistics.hits += count
        self._entries.move_to_end(key)
        entry.tags.update(tags)
        return entry.value

    def put(self, key: str, value: Any, size: int, tags: Iterable[str]) -> None:
        """Store a value of `size` bytes and evict others for it. A value larger than the whole budget is not stored."""
        self._remove(key)
        if size > self.statistics.limit_bytes:
            return
        while self.statistics.bytes + size > self.statistics.limit_bytes:
            self._remove(next(iter(self._entries)))
            self.statistics.evictions += 1
        self._entries[key] = _Entry(value, size, self._clock() + self._ttl, set(tags))
        self.statistics.values += 1
        self.statistics.bytes += size

    def tag(self, key: str, tags: Iterable[str]) -> None:
        """Add tags to a value, if it is in the cache."""
        if key in self._entries:
            self._entries[key].tags.update(tags)

    def untag(self, tags: Iterable[str]) -> int:
        """Take tags from all values, and remove values that lose their last one. Return how many were removed."""
        taken = set(tags)
        tagged = [key for key, entry in self._entries.items() if entry.tags & taken]
        for key in tagged:
            self._entries[key].tags -= taken
        return self._invalidate([key for key in tagged if not self._entries[key].tags])

    def clear(self) -> int:
        """Remove all values. Return how many there were."""
        return self._invalidate(list(self._entries))

    def _invalidate(self, keys: list[str]) -> int:
        for key in keys:
            self._remove(key)
        self.statistics.invalidated += len(keys)
        return len(keys)

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.statistics.values -= 1
            self.statistics.bytes -= entry.size
