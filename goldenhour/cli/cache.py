"""`goldenhour cache stats|clear` and `goldenhour measures`: what is kept, and the measures of runs through it."""

import json
import sys
from typing import Any

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from actors.cache import (
    CacheSettings,
    CacheStatistics,
    LocalCache,
    SharedCache,
    cache_for_run,
    cache_settings,
    end_cache,
    find_cache,
)
from actors.cluster import start_session
from engine.errors import InputError, RunError
from engine.precomputed import SIMULATION_KINDS, CacheKey, build_value, key_of_measures
from engine.scenario import Scenario, check, resolve, with_overrides
from goldenhour import scenario_files
from goldenhour.cli.run import check_address

CALL_SECONDS = 30.0
"""Time a Cache has to answer; it answers in milliseconds."""


def stats(address: str | None, as_json: bool) -> None:
    """The figures of a cluster's Cache, and what outlives it."""
    chosen = cache_settings()
    found = _of_cluster(address) if address else None
    tier = LocalCache(chosen).tier
    usage = tier.usage()
    if as_json:
        document: dict[str, Any] = {
            "cache": None if found is None else _as_json(found),
            "tier": {
                "name": tier.name,
                "fault": tier.fault,
                "namespaces": {name: {"values": n, "bytes": size} for name, (n, size) in usage.items()},
            },
        }
        click.echo(json.dumps(document, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    if found is not None:
        console.print(_actor_table(found))
        console.print()
    elif address:
        console.print("No run of this version has started a cache on that cluster yet.")
    else:
        console.print("A cluster's cache: --address HOST:PORT. What outlives processes:")
    if tier.fault:
        console.print(f"{tier.fault}", markup=False)
    else:
        console.print(_tier_table(tier.name, usage))


def clear(namespace: str | None, address: str | None) -> None:
    """Forget a namespace, or everything, of a cluster's Cache and of what outlives it."""
    chosen = cache_settings()
    gone = 0
    if address:
        check_address(address)
        with start_session(address, 1):
            actor = find_cache()
            if actor is not None:
                gone = _answer(actor.clear.remote(namespace))
            if namespace is None:
                end_cache()
    tier = LocalCache(chosen).tier
    outlived = tier.clear(namespace)
    if tier.fault:
        raise RunError(tier.fault)
    where = "in the Redis" if tier.name == "redis" else "on the disk"
    told = f"{gone:,} values in the cluster's cache, " if address else ""
    click.echo(f"cleared {namespace or 'all namespaces'}: {told}{outlived:,} {where}")


def measures(
    source: str,
    seed: int | None,
    replication: int,
    patients: int | None,
    days: int | None,
    address: str | None,
    as_json: bool,
) -> None:
    """The measures of a run without its patients; simulated where nobody has simulated it before."""
    written = scenario_files.load(source)
    original = with_overrides(written, seed=seed, total=patients, days=days)
    check(original)
    check_address(address)
    s = resolve(original)
    chosen = cache_settings()
    recipe = key_of_measures(s, s.seed, replication)
    data, fault = (
        _measures_on(address, original.name, recipe) if address else _measures_here(chosen, s, recipe)
    )
    if fault:
        click.echo(f"note: {fault}; the measures were made without it", err=True)
    found = msgspec.json.decode(data)
    if as_json:
        click.echo(json.dumps(found))
        return
    from goldenhour.views import summary_tables

    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    console.print(
        f"{found['patients']:,} patients of {original.name}, seed {s.seed}, replication {replication}",
        markup=False,
    )
    for table in summary_tables(found):
        console.print()
        console.print(table)


def _measures_here(chosen: CacheSettings, s: Scenario, recipe: CacheKey) -> tuple[bytes, str | None]:
    """In this process, without Ray: from the Redis or the disk, else simulated."""
    if chosen.mode == "off":
        return _simulated(recipe, {}), None
    alone = LocalCache(chosen)
    data = alone.get(recipe)
    if data is None:
        data = _simulated(recipe, alone.made(s, SIMULATION_KINDS))
        alone.keep(recipe, data)
    return data, alone.fault


def _simulated(recipe: CacheKey, made: dict[str, Any]) -> bytes:
    from engine.numeric import is_cold

    if is_cold():
        click.echo("Preparing the kernel (its first use on a machine compiles it) ...", err=True)
    with Console(stderr=True).status("Simulating ..."):
        data: bytes = build_value(recipe.kind, recipe.inputs, made)
    return data


def _measures_on(address: str, name: str, recipe: CacheKey) -> tuple[bytes, str | None]:
    """Through the Cache of a cluster."""
    with (
        Console(stderr=True).status("Asking the cluster's cache ...") as status,
        start_session(address, 1) as session,
    ):
        shared = cache_for_run(session.local, name)
        if not isinstance(shared, SharedCache):
            raise InputError(
                "GOLDENHOUR_CACHE=off and --address exclude each other: measures come from the cache"
            )
        (data,) = shared.get([recipe], waiting=lambda: status.update("Simulating on the cluster ..."))
    if data is not None:
        return data, shared.fault
    return _simulated(recipe, {}), "the cluster's cache did not answer"


def _of_cluster(address: str) -> CacheStatistics | None:
    check_address(address)
    with start_session(address, 1):
        actor = find_cache()
        return None if actor is None else _answer(actor.stats.remote())


def _answer(reference: Any) -> Any:
    import ray

    try:
        return ray.get(reference, timeout=CALL_SECONDS)
    except ray.exceptions.RayError as error:
        raise RunError(f"the cluster's cache did not answer: {type(error).__name__}") from error


def _as_json(found: CacheStatistics) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(found)
    for name, figures in found.namespaces.items():
        document["namespaces"][name]["rate"] = figures.rate
    return document


def _actor_table(found: CacheStatistics) -> Table:
    names = (
        "namespace",
        "hits",
        "misses",
        "rate",
        "from Redis",
        "computed",
        "values",
        "kB",
        "of kB",
        "evicted",
        "invalidated",
    )
    table = _table("Cache of the cluster", names)
    for name, f in found.namespaces.items():
        table.add_row(
            name,
            f"{f.hits:,}",
            f"{f.misses:,}",
            "-" if f.rate is None else f"{100 * f.rate:.1f} %",
            f"{f.from_tier:,}",
            f"{f.computed:,}",
            f"{f.values:,}",
            f"{f.bytes / 1000:,.0f}",
            f"{f.limit_bytes / 1000:,.0f}",
            f"{f.evictions:,}",
            f"{f.invalidated:,}",
        )
    table.caption = {None: "no Redis behind it", "ok": "Redis behind it"}.get(found.redis, found.redis)
    table.caption_justify = "left"
    return table


def _tier_table(name: str, usage: dict[str, tuple[int, int]]) -> Table:
    table = _table("Redis" if name == "redis" else "Disk", ("namespace", "values", "kB"))
    for namespace, (values, size) in usage.items():
        table.add_row(namespace, f"{values:,}", f"{size / 1000:,.0f}")
    return table


def _table(title: str, names: tuple[str, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.show_edge = False
    for name in names:
        table.add_column(name, justify="left" if name == "namespace" else "right")
    return table
