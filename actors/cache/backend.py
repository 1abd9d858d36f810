"""Backends of the caches: storage that outlives a process.

A fault of a backend is never an error for the caller: it counts as a miss, and `fault` describes it. A value that may
not be believed is a miss too; the caller computes it again and writes it anew.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from engine.precomputed import CacheKey


def unreadable(key: CacheKey) -> str:
    """Return the note about bytes that are signed or intact, and yet no value of the key's kind."""
    return f"the cache holds a value of the kind {key.kind} that cannot be read"


class Usage(dict[str, tuple[int, int]]):
    """Number of values and their size in bytes, by namespace."""


class Backend(Protocol):
    """Storage of packed values. `fault` describes the last fault; it is None as long as there has been none."""

    name: str
    fault: str | None

    def get(self, keys: Sequence[CacheKey]) -> list[bytes | None]:
        """Return the packed value of each key, None for those that are missing."""

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Store packed values under tags."""

    def clear(self, namespace: str | None) -> int:
        """Remove all values of a namespace, or of all namespaces for None. Return how many were removed."""

    def usage(self) -> Usage:
        """Return the number and size of the values by namespace."""
