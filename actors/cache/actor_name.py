"""The name of a cluster's cache actor, and how it is found."""

from typing import Any

from engine.identity import catalogue_version, engine_version

NAME_PREFIX = "goldenhour-cache"
RAY_NAMESPACE = "goldenhour"


def actor_name() -> str:
    """Return the actor's name in Ray. It contains the versions of engine and catalogue, because their values differ."""
    return f"{NAME_PREFIX}-{engine_version()[:10]}{catalogue_version()[:10]}"


def get_cache_actor() -> Any:
    """Return the handle of the cluster's Cache. Raises ValueError if there is none."""
    import ray

    return ray.get_actor(actor_name(), namespace=RAY_NAMESPACE)


def find_cache() -> Any:
    """Return the handle of the cluster's Cache, or None if there is none. This process must have joined Ray."""
    try:
        return get_cache_actor()
    except ValueError:
        return None
