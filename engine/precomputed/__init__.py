"""Values computed once per scenario and cached: their keys, and how they are built."""

from engine.precomputed.cache_keys import (
    MEASURES_KIND,
    NAMESPACES,
    SIMULATION_KINDS,
    TEXT_KINDS,
    CacheKey,
    build_value,
    cache_key,
    key_of_measures,
    keys_of_scenario,
    pack_value,
    run_of_key,
    unpack_value,
)

__all__ = [
    "MEASURES_KIND",
    "NAMESPACES",
    "SIMULATION_KINDS",
    "TEXT_KINDS",
    "CacheKey",
    "build_value",
    "cache_key",
    "key_of_measures",
    "keys_of_scenario",
    "pack_value",
    "run_of_key",
    "unpack_value",
]
