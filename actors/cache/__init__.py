"""Caches of precomputed values: the cluster's cache actor, Redis, and files on this machine."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.cache.actor_name import find_cache
    from actors.cache.cache_actor import Cache, CacheStatistics
    from actors.cache.lifecycle import cache_for_run, end_cache, start_cache
    from actors.cache.local_cache import LocalCache
    from actors.cache.settings import CacheSettings, cache_settings
    from actors.cache.shared_cache import SharedCache, scenario_tag

__getattr__ = lazy_attributes(
    __name__,
    {
        "actor_name": ("find_cache",),
        "cache_actor": (
            "Cache",
            "CacheStatistics",
        ),
        "lifecycle": (
            "cache_for_run",
            "end_cache",
            "start_cache",
        ),
        "local_cache": ("LocalCache",),
        "settings": (
            "CacheSettings",
            "cache_settings",
        ),
        "shared_cache": (
            "SharedCache",
            "scenario_tag",
        ),
    },
)

__all__ = [
    "Cache",
    "CacheSettings",
    "CacheStatistics",
    "LocalCache",
    "SharedCache",
    "cache_for_run",
    "cache_settings",
    "end_cache",
    "find_cache",
    "scenario_tag",
    "start_cache",
]
