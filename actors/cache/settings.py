"""The settings of the caches, which environment variables give (docs/caches.md)."""

import contextlib
import os
from collections.abc import Mapping

import msgspec

from actors.cache.signature import deployment_secret
from engine.errors import InputError, shown

MODES = ("auto", "on", "off")


class CacheSettings(msgspec.Struct, frozen=True):
    """The settings of the caches (docs/caches.md).

    Whoever gets them can write what others believe: they are sent to the cluster's cache, and never shown.
    """

    mode: str = "auto"
    redis_url: str | None = None
    secret: bytes | None = None
    """What values in Redis are signed with. Redis is not used without it."""
    megabytes: float = 32.0
    ttl_seconds: float = 86_400.0

    def __repr__(self) -> str:
        return f"CacheSettings({self.mode}, ...)"


def cache_settings(environment: Mapping[str, str] = os.environ) -> CacheSettings:
    """Return the settings that the environment gives.

    Raises InputError, which names the variable, for a value that is not allowed.
    """
    mode = environment.get("GOLDENHOUR_CACHE") or "auto"
    if mode not in MODES:
        raise InputError(f"GOLDENHOUR_CACHE: got {shown(mode)}; allowed: {', '.join(MODES)}")
    url = environment.get("GOLDENHOUR_REDIS_URL") or None
    if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
        # The value is not shown: it may contain a password.
        raise InputError(
            "GOLDENHOUR_REDIS_URL: allowed: redis://HOST:PORT, rediss://HOST:PORT or unix://PATH"
        )
    return CacheSettings(
        mode,
        url,
        None if url is None else deployment_secret(environment),
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
