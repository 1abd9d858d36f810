"""Starting and ending a cluster's cache actor, and the choice of the cache that a run uses."""

import contextlib
from typing import Any

from actors.cache.actor_name import NAME_PREFIX, RAY_NAMESPACE, actor_name, find_cache
from actors.cache.cache_actor import Cache
from actors.cache.local_cache import LocalCache
from actors.cache.settings import CacheSettings, cache_settings
from actors.cache.shared_cache import SharedCache, scenario_tag
from actors.cluster import as_remote


def start_cache(settings: CacheSettings) -> Any:
    """Return the handle of the cluster's Cache. If there is none, start one and let it warm up."""
    actor = find_cache()
    if actor is not None:
        return actor
    options = {"num_cpus": 0, "max_restarts": 0, "lifetime": "detached", "namespace": RAY_NAMESPACE}
    actor = as_remote(Cache).options(name=actor_name(), get_if_exists=True, **options).remote(settings)
    actor.warm_builtins.remote()
    return actor


def end_cache() -> int:
    """End the Caches of the cluster, of this and of all other versions. Return how many there were."""
    import ray

    ended = 0
    for named in ray.util.list_named_actors(all_namespaces=True):
        if named["namespace"] == RAY_NAMESPACE and named["name"].startswith(f"{NAME_PREFIX}-"):
            with contextlib.suppress(ValueError):
                ray.kill(ray.get_actor(named["name"], namespace=RAY_NAMESPACE))
                ended += 1
    return ended


def cache_for_run(local: bool, name: str) -> SharedCache | LocalCache | None:
    """Return the cache for a run of scenario `name`, or None if GOLDENHOUR_CACHE is `off`.

    On a shared cluster this is a client of its Cache, which is started if there is none. With a local Ray, which ends
    with the run, it is a LocalCache: an actor would take 60 MB and save the simulator 20 ms. GOLDENHOUR_CACHE=on starts
    an actor there too.

    Parameters
    ----------
    local
        Whether the run has a local Ray.
    name
        Name of the scenario; the values of the run are tagged with it.
    """
    settings = cache_settings()
    if settings.mode == "off":
        return None
    if local and settings.mode == "auto":
        return LocalCache(settings)
    import ray

    try:
        return SharedCache(start_cache(settings), (scenario_tag(name),))
    except ray.exceptions.RayError:  # the cluster is too busy to answer
        return LocalCache(settings)
