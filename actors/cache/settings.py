"""The settings of the caches, which environment variables give (docs/caches.md)."""

import contextlib
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from actors.cache.signature import NoSecretError, deployment_secret
from engine.errors import InputError, shown
from engine.masking import MASK, parse_address

MODES = ("auto", "on", "off")

REDIS_PARAMETERS = {
    "db": r"\d{1,6}",
    "username": ".+",
    "password": ".+",
    "protocol": "[23]",
    "client_name": r"[\w.-]+",
    "socket_timeout": r"\d+(\.\d+)?",
    "socket_connect_timeout": r"\d+(\.\d+)?",
    "socket_keepalive": "[Tt]rue|[Ff]alse",
    "health_check_interval": r"\d{1,6}",
    "max_connections": r"[1-9]\d{0,5}",
    "retry_on_timeout": "[Tt]rue|[Ff]alse",
    "lib_name": r"[\w.-]+",
    "lib_version": r"[\w.-]+",
    "ssl_cert_reqs": "none|optional|required",
    "ssl_check_hostname": "[Tt]rue|[Ff]alse",
    "ssl_ca_certs": ".+",
    "ssl_ca_path": ".+",
    "ssl_certfile": ".+",
    "ssl_keyfile": ".+",
}
"""Parameters of a Redis URL, with the pattern of their values."""


class CacheSettings(msgspec.Struct, frozen=True):
    """The settings of the caches (docs/caches.md).

    Whoever gets them can write what others believe: they are sent to the cluster's cache, and never shown.
    """

    mode: str = "auto"
    redis_url: str | None = None
    secret: bytes | None = None
    """What values in Redis are signed with. Redis is not used without it."""
    secret_fault: str = ""
    """Why there is no secret, if one is needed."""
    megabytes: float = 32.0
    ttl_seconds: float = 86_400.0

    def __repr__(self) -> str:
        url = None if self.redis_url is None else parse_address(self.redis_url).shown
        return f"CacheSettings({self.mode}, {url}, {self.megabytes} MB, {self.ttl_seconds} s)"


def cache_settings(environment: Mapping[str, str] = os.environ) -> CacheSettings:
    """Return the settings that the environment gives.

    Raises InputError, which names the variable, for a value that is not allowed.
    """
    mode = environment.get("GOLDENHOUR_CACHE") or "auto"
    if mode not in MODES:
        raise InputError(f"GOLDENHOUR_CACHE: got {shown(mode)}; allowed: {', '.join(MODES)}")
    url = environment.get("GOLDENHOUR_REDIS_URL") or None
    if url is not None:
        _check_redis_url(url)
    secret, secret_fault = None, ""
    if url is not None:
        try:
            secret = deployment_secret(environment)
        except NoSecretError as error:
            secret_fault = str(error)
    return CacheSettings(
        mode,
        url,
        secret,
        secret_fault,
        _number(environment, "GOLDENHOUR_CACHE_MB", CacheSettings().megabytes, 1, 100_000),
        _number(environment, "GOLDENHOUR_CACHE_TTL_SECONDS", CacheSettings().ttl_seconds, 1, 1e9),
    )


def _check_redis_url(url: str) -> None:
    """Raise InputError, which shows no password, for a URL that redis-py does not take or takes in another way."""
    address = parse_address(url)
    fault = f" ({address.doubt})" if address.doubt is not None else None
    if address.doubt is None and not _can_be_split(url):
        fault = " (a character of user or password has to be written as %XX)"
    elif address.doubt is None:
        path = "/.+" if address.scheme == "unix" else r"/?|/\d{1,6}"
        if address.hosts.count(",") or not re.fullmatch(path, address.path):
            fault = " (its path cannot be used)"
        for number, (name, value) in enumerate(address.parameters, 1):
            pattern = REDIS_PARAMETERS.get(name)
            if pattern is None:  # its name may be a part of the password
                fault = f" (parameter {number} cannot be used; there are {', '.join(REDIS_PARAMETERS)})"
            elif not re.fullmatch(pattern, value):
                fault = f" (the value of {name} cannot be used)"
            elif name == "socket_keepalive" and address.scheme == "unix":
                fault = f" ({name} cannot be used with unix://)"
    if fault is not None or not url.startswith(("redis://", "rediss://", "unix://")):
        shown = address.shown if fault is None or address.doubt is not None else f"{address.scheme}://{MASK}"
        raise InputError(
            f"GOLDENHOUR_REDIS_URL: got {shown}{fault or ''}; allowed: redis://HOST:PORT, rediss://HOST:PORT "
            "or unix://PATH, with /NUMBER or ?db=NUMBER for another database than 0"
        )


def _can_be_split(url: str) -> bool:
    try:
        return bool(urlsplit(url).scheme)
    except ValueError:  # a bracket, or a letter that contains one of /?#@: when it is normalised
        return False


def _number(environment: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    with contextlib.suppress(ValueError):
        if low <= float(text) <= high:
            return float(text)
    raise InputError(f"{name}: got {shown(text)}; allowed: {low:,.0f} to {high:,.0f}")
