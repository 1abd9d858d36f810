"""Shelf: the values of one namespace in memory, within a budget of bytes, the ones not used for longest go first."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec


class LruStatistics(msgspec.Struct, kw_only=True):
    """What a namespace did since its actor began.

    Of the `misses`, `from_tier` were found in Redis and `computed` were made; the others waited for one that was being
    made. `evictions` for want of room or by age, `invalidated` by tags or `cache clear`.
    """

    hits: int = 0
    misses: int = 0
    from_tier: int = 0
    computed: int = 0
    evictions: int = 0
    invalidated: int = 0
    values: int = 0
    bytes: int = 0
    limit_bytes: int = 0

    @property
    def rate(self) -> float | None:
        """Hits as a share of the look-ups; None without any."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@dataclass(slots=True)
class _Entry:
    value: Any
    size: int
    expires: float
    tags: set[str]


class LruCache:
    """Values by key; `limit_bytes` in all, `ttl_seconds` each."""

    def __init__(
        self, limit_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.figures = LruStatistics(limit_bytes=limit_bytes)
        self._ttl = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, key: str, tags: Iterable[str], counted: bool = True) -> Any:
        """The value, now also under `tags`, or None; `counted` as a hit or a miss."""
        entry = self._entries.get(key)
        if entry is not None and entry.expires <= self._clock():
            self._drop(key)
            self.figures.evictions += 1
            entry = None
        if entry is None:
            self.figures.misses += counted
            return None
        self.figures.hits += counted
        self._entries.move_to_end(key)
        entry.tags.update(tags)
        return entry.value

    def put(self, key: str, value: Any, size: int, tags: Iterable[str]) -> None:
        """Keep a value of `size` bytes; one larger than the whole budget is not kept."""
        self._drop(key)
        if size > self.figures.limit_bytes:
            return
        while self.figures.bytes + size > self.figures.limit_bytes:
            self._drop(next(iter(self._entries)))
            self.figures.evictions += 1
        self._entries[key] = _Entry(value, size, self._clock() + self._ttl, set(tags))
        self.figures.values += 1
        self.figures.bytes += size

    def tag(self, key: str, tags: Iterable[str]) -> None:
        """Put a value, if it is there, under more tags."""
        if key in self._entries:
            self._entries[key].tags.update(tags)

    def untag(self, tags: Iterable[str]) -> int:
        """Take tags off; values without any tag left go. Returns how many."""
        gone = set(tags)
        touched = [key for key, entry in self._entries.items() if entry.tags & gone]
        for key in touched:
            self._entries[key].tags -= gone
        return self._forget([key for key in touched if not self._entries[key].tags])

    def clear(self) -> int:
        """Forget all values; returns how many."""
        return self._forget(list(self._entries))

    def _forget(self, keys: list[str]) -> int:
        for key in keys:
            self._drop(key)
        self.figures.invalidated += len(keys)
        return len(keys)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.figures.values -= 1
            self.figures.bytes -= entry.size
