"""Tables of the caches, for `cache stats`."""

from typing import TYPE_CHECKING

from goldenhour.console import Table

if TYPE_CHECKING:
    from actors.cache import CacheStatistics


def cluster_cache_table(statistics: "CacheStatistics") -> Table:
    """Hits, misses and sizes of a cluster's cache, by namespace."""
    right = (
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
    shown = Table("namespace", *right, right=right, title="Cache of the cluster")
    for name, figures in statistics.namespaces.items():
        shown.add_row(
            name,
            f"{figures.hits:,}",
            f"{figures.misses:,}",
            "-" if figures.rate is None else f"{100 * figures.rate:.1f} %",
            f"{figures.from_redis:,}",
            f"{figures.computed:,}",
            f"{figures.values:,}",
            f"{figures.bytes / 1000:,.0f}",
            f"{figures.limit_bytes / 1000:,.0f}",
            f"{figures.evictions:,}",
            f"{figures.invalidated:,}",
        )
    states = {None: "no Redis behind it", "ok": "Redis behind it"}
    shown.caption = states.get(statistics.redis, statistics.redis)
    shown.caption_justify = "left"
    return shown


def backend_table(name: str, usage: dict[str, tuple[int, int]]) -> Table:
    """Values and bytes in the backend `name` (redis or disk), by namespace."""
    right = ("values", "kB")
    shown = Table("namespace", *right, right=right, title="Redis" if name == "redis" else "Disk")
    for namespace, (values, size) in usage.items():
        shown.add_row(namespace, f"{values:,}", f"{size / 1000:,.0f}")
    return shown
