"""Cached values: their keys, and the functions that build them from the fields of a scenario."""

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
