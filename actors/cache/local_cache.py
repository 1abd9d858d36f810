"""The cache of a process that uses no cache actor."""

from collections.abc import Sequence
from typing import Any

from actors.cache.backend import Backend, unreadable
from actors.cache.disk_backend import DiskBackend
from actors.cache.redis_backend import RedisBackend
from actors.cache.settings import CacheSettings
from engine.precomputed import CacheKey, build_value, keys_of_scenario, pack_value, unpack_value
from engine.scenario import Scenario


class LocalCache:
    """A cache on one backend: Redis if one is configured, otherwise files in the user's cache folder.

    It holds only values that take longer to build than to fetch: the tilts of scenarios with shares of triage or deaths
    of their own, and the measures of runs. It can be pickled.
    """

    KINDS = ("tilts",)

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._backend: Backend | None = None
        self._unreadable: str | None = None

    def __reduce__(self) -> Any:
        return LocalCache, (self._settings,)

    @property
    def backend(self) -> Backend:
        """Redis or the disk."""
        if self._backend is None:
            url = self._settings.redis_url
            settings = self._settings
            self._backend = (
                RedisBackend(url, settings.ttl_seconds, settings.secret, settings.secret_fault)
                if url
                else DiskBackend()
            )
        return self._backend

    @property
    def fault(self) -> str | None:
        """The last fault of Redis, or why the cache folder is not trusted, or the last value that could not be read.

        Other faults of the disk are not reported: no user asked for that backend.
        """
        if self._unreadable is not None:
            return self._unreadable
        if isinstance(self._backend, DiskBackend):
            return self._backend.refusal
        return self._backend.fault if self._backend is not None else None

    def get(self, key: CacheKey) -> Any:
        """Return the value of a key, or None if it is not cached."""
        return self.get_all([key])[0]

    def get_all(self, keys: Sequence[CacheKey]) -> list[Any]:
        """Return the value of each key, None for those that are not cached."""
        return [
            None if data is None else self._unpack(key, data)
            for key, data in zip(keys, self.backend.get(keys), strict=True)
        ]

    def put(self, key: CacheKey, value: Any) -> None:
        """Store a value."""
        self.put_packed(key, pack_value(key.kind, value))

    def put_packed(self, key: CacheKey, data: bytes) -> None:
        """Store a packed value."""
        self.backend.put([(key, data)], ())

    def get_or_build(self, scenario: Scenario, kinds: tuple[str, ...]) -> dict[str, Any]:
        """Return the values of a resolved scenario by kind. Values that are not cached are built and stored.

        Kinds that are not in `KINDS` are left out.
        """
        values = {}
        for key in keys_of_scenario(scenario, tuple(kind for kind in kinds if kind in self.KINDS)):
            value = self.get(key)
            if value is None:
                value = build_value(key.kind, key.inputs)
                self.put(key, value)
            values[key.kind] = value
        return values

    def _unpack(self, key: CacheKey, data: bytes) -> Any:
        try:
            return unpack_value(key.kind, data)
        except ValueError:
            self._unreadable = unreadable(key)
            return None
