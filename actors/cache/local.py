"""What is kept without an actor, and how caches are set up."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.cache.backends import Backend, DiskBackend
from actors.cache.redis_backend import RedisBackend
from engine.errors import InputError, shown
from engine.precomputed import CacheKey, build_value, keys_of_scenario, pack_value, unpack_value
from engine.scenario import Scenario

MODES = ("auto", "on", "off")


class CacheSettings(msgspec.Struct, frozen=True):
    """How the caches are set up, from the environment (docs/caches.md)."""

    mode: str = "auto"
    redis_url: str | None = None
    megabytes: float = 32.0
    ttl_seconds: float = 86_400.0


def cache_settings(environment: Mapping[str, str] = os.environ) -> CacheSettings:
    """The settings of this process; InputError names a variable that cannot be used."""
    mode = environment.get("GOLDENHOUR_CACHE") or "auto"
    if mode not in MODES:
        raise InputError(f"GOLDENHOUR_CACHE: got {shown(mode)}; allowed: {', '.join(MODES)}")
    url = environment.get("GOLDENHOUR_REDIS_URL") or None
    if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
        raise InputError(
            "GOLDENHOUR_REDIS_URL: allowed: redis://HOST:PORT, rediss://HOST:PORT or unix://PATH"
        )
    return CacheSettings(
        mode,
        url,
        _number(environment, "GOLDENHOUR_CACHE_MB", CacheSettings().megabytes, 1, 100_000),
        _number(environment, "GOLDENHOUR_CACHE_TTL_SECONDS", CacheSettings().ttl_seconds, 1, 1e9),
    )


def _number(environment: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    with contextlib.suppress(ValueError):
        if low <= float(text) <= high:
            return float(text)
    raise InputError(f"{name}: got {shown(text)}; allowed: {low:,.0f} to {high:,.0f}")


class LocalCache:
    """A process's own view of what outlives it: Redis where there is one, else files in the user's cache folder.

    Only what takes longer to make than to fetch: the severity behind an author's triage weights, and the measures of
    runs. Can be sent to another process.
    """

    KINDS = ("severity",)

    def __init__(self, chosen: CacheSettings) -> None:
        self._chosen = chosen
        self._tier: Backend | None = None

    def __reduce__(self) -> Any:
        return LocalCache, (self._chosen,)

    @property
    def tier(self) -> Backend:
        """Redis or the disk."""
        if self._tier is None:
            url = self._chosen.redis_url
            self._tier = RedisBackend(url, self._chosen.ttl_seconds) if url else DiskBackend()
        return self._tier

    @property
    def fault(self) -> str | None:
        """What went wrong with the Redis that was asked for; a disk without room for values is nobody's worry."""
        return self._tier.fault if isinstance(self._tier, RedisBackend) else None

    def get(self, recipe: CacheKey) -> Any:
        """A value that is kept, or None."""
        data = self.tier.get([recipe])[0]
        with contextlib.suppress(ValueError):
            return None if data is None else unpack_value(data)
        return None

    def keep(self, recipe: CacheKey, value: Any) -> None:
        """Let others have a value that was made here."""
        self.tier.put([(recipe, pack_value(value))], ())

    def made(self, s: Scenario, kinds: tuple[str, ...]) -> dict[str, Any]:
        """Those of `KINDS` that a resolved scenario has, made where nobody has them."""
        found = {}
        for recipe in keys_of_scenario(s, tuple(kind for kind in kinds if kind in self.KINDS)):
            value = self.get(recipe)
            if value is None:
                value = build_value(recipe.kind, recipe.inputs)
                self.keep(recipe, value)
            found[recipe.kind] = value
        return found


__all__ = ["CacheSettings", "LocalCache", "cache_settings"]
