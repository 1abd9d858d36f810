"""The Ray tasks that compute the values of the cache."""

from typing import Any

from actors.cache.shared_cache import SharedCache
from actors.cluster import check_package_root, hide_pyarrow_in_worker, lower_priority, restore_pyarrow
from engine.precomputed import SIMULATION_KINDS, CacheKey, build_value, cache_key, pack_value, scenario_of_key

hide_pyarrow_in_worker()


def compile_values(keys: list[CacheKey]) -> Any:
    """Return the packed values of the keys; as a Ray task it has one return value for each."""
    _prepare_worker()
    values = []
    for key in keys:
        _check_version(key)
        values.append(pack_value(key.kind, build_value(key.kind, key.inputs)))
    return values if len(values) > 1 else values[0]


def simulate_measures(key: CacheKey, cache: Any, tags: list[str]) -> bytes:
    """Return the packed measures of a run. What the run is compiled from comes from the actor `cache`."""
    _prepare_worker()
    _check_version(key)
    scenario = scenario_of_key(key.inputs)
    compiled = SharedCache(cache, tuple(tags)).get_or_build(scenario, SIMULATION_KINDS)
    return pack_value(key.kind, build_value(key.kind, key.inputs, compiled))


def _check_version(key: CacheKey) -> None:
    """Raise RuntimeError if this worker has another engine or catalogue than the process that made the key."""
    if cache_key(key.kind, key.inputs) != key.key:
        raise RuntimeError("another version of goldenhour asked for this value")


def _prepare_worker() -> None:
    lower_priority()
    check_package_root()
    restore_pyarrow()
