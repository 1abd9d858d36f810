"""`goldenhour cache`: the statistics of the caches, and clearing them."""

from typing import TYPE_CHECKING, Any

import click
import msgspec

from actors import cache as cache_wing
from actors import cluster
from engine.errors import RunError
from engine.precomputed import NAMESPACES
from goldenhour import console, views
from goldenhour.cli import options
from goldenhour.cli.groups import SuggestingGroup

if TYPE_CHECKING:
    from actors.cache import CacheStatistics

CALL_SECONDS = 30.0
"""Seconds within which a cluster's cache must answer. It usually answers within milliseconds."""


def _namespace(ctx: click.Context, argument: click.Parameter, value: str | None) -> str | None:
    return None if value is None else options.choice(value, NAMESPACES, "NAMESPACE")


@click.group(cls=SuggestingGroup)
def cache() -> None:
    """Show or clear the caches of precomputed values and measures."""


@cache.command("stats")
@click.option(
    "--address", metavar="A", help="Also show the cache of the Ray cluster at this address, HOST:PORT."
)
@options.json_for_tables
def stats(address: str | None, as_json: bool) -> None:
    """Show hits, misses and sizes, by namespace."""
    settings = cache_wing.cache_settings()
    statistics = _cluster_statistics(address) if address else None
    backend = cache_wing.LocalCache(settings).backend
    usage = backend.usage()
    if as_json:
        document: dict[str, Any] = {
            "cache": None if statistics is None else _statistics_json(statistics),
            "tier": {
                "name": backend.name,
                "fault": backend.fault,
                "namespaces": {name: {"values": n, "bytes": size} for name, (n, size) in usage.items()},
            },
        }
        console.print_json(document)
        return
    screen = console.screen(110, highlight=False)
    if statistics is not None:
        screen.print(views.cluster_cache_table(statistics))
        screen.print()
    elif address:
        screen.print("No run of this version has started a cache on that cluster yet.")
    else:
        screen.print("Values that outlive processes. For the cache of a cluster: --address HOST:PORT.")
    if backend.fault:
        screen.print(backend.fault)
    else:
        screen.print(views.backend_table(backend.name, usage))


@cache.command("clear")
@click.argument("namespace", required=False, callback=_namespace)
@click.option(
    "--address", metavar="A", help="Also clear the cache of the Ray cluster at this address, HOST:PORT."
)
def clear(namespace: str | None, address: str | None) -> None:
    """Remove the cached values of one namespace, or of all.

    NAMESPACE is configuration, demographics, medical or computation. Without it, the cache of a cluster also ends;
    the next run starts another.
    """
    settings = cache_wing.cache_settings()
    removed_there = 0
    if address:
        options.check_ray_address(address)
        with cluster.start_session(address, 1):
            actor = cache_wing.find_cache()
            if actor is not None:
                removed_there = _result(actor.clear.remote(namespace))
            if namespace is None:
                cache_wing.end_cache()
    backend = cache_wing.LocalCache(settings).backend
    removed = backend.clear(namespace)
    if backend.fault:
        raise RunError(backend.fault)
    place = "in the Redis" if backend.name == "redis" else "on the disk"
    there = f"{removed_there:,} values in the cluster's cache, " if address else ""
    console.print_line(f"cleared {namespace or 'all namespaces'}: {there}{removed:,} {place}")


def _cluster_statistics(address: str) -> "CacheStatistics | None":
    """The statistics of a cluster's cache; None if it has none."""
    options.check_ray_address(address)
    with cluster.start_session(address, 1):
        actor = cache_wing.find_cache()
        return None if actor is None else _result(actor.stats.remote())


def _statistics_json(statistics: "CacheStatistics") -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(statistics)
    for name, figures in statistics.namespaces.items():
        document["namespaces"][name]["rate"] = figures.rate
    return document


def _result(reference: Any) -> Any:
    """The result of a call of the cache actor. Raises RunError."""
    import ray

    try:
        return ray.get(reference, timeout=CALL_SECONDS)
    except ray.exceptions.RayError as error:
        raise RunError(f"the cluster's cache did not answer: {type(error).__name__}") from error
