"""Caches of precomputed values: the cluster's cache actor, Redis, and files on this machine."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.cache.actor import CacheStatistics, SharedCache, cache_for_run, end_cache, find_cache
    from actors.cache.local import CacheSettings, LocalCache, cache_settings

__getattr__ = lazy_attributes(
    __name__,
    {
        "actor": (
            "CacheStatistics",
            "SharedCache",
            "cache_for_run",
            "end_cache",
            "find_cache",
        ),
        "local": (
            "CacheSettings",
            "LocalCache",
            "cache_settings",
        ),
    },
)

__all__ = [
    "CacheSettings",
    "CacheStatistics",
    "LocalCache",
    "SharedCache",
    "cache_for_run",
    "cache_settings",
    "end_cache",
    "find_cache",
]
