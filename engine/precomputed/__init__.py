"""Cached values: their keys, the functions that build them from the fields of a scenario, and their bytes."""

from engine.precomputed.cache_keys import (
    MEASURES_KIND,
    NAMESPACES,
    REPLICATIONS_KIND,
    RESULT_KINDS,
    SIMULATION_KINDS,
    TEXT_KINDS,
    TILTS_KIND,
    CacheKey,
    ReplicationKeys,
    build_value,
    cache_key,
    key_of_measures,
    key_of_replications,
    keys_of_scenario,
    scenario_of_key,
)
from engine.precomputed.value_encoding import LARGEST_PACKED, pack_value, unpack_value

__all__ = [
    "LARGEST_PACKED",
    "MEASURES_KIND",
    "NAMESPACES",
    "REPLICATIONS_KIND",
    "RESULT_KINDS",
    "SIMULATION_KINDS",
    "TEXT_KINDS",
    "TILTS_KIND",
    "CacheKey",
    "ReplicationKeys",
    "build_value",
    "cache_key",
    "key_of_measures",
    "key_of_replications",
    "keys_of_scenario",
    "pack_value",
    "scenario_of_key",
    "unpack_value",
]
