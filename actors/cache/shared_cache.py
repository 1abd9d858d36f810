"""The client of a cluster's cache actor."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from actors.cache.actor_name import get_cache_actor
from actors.cache.backend import unreadable
from engine.precomputed import CacheKey, keys_of_scenario, pack_value, unpack_value
from engine.scenario import Scenario

WAIT_SECONDS = 10.0
"""A run that gets no answer within this time builds its values itself."""

TICK_SECONDS = 0.25
"""Time between two calls of `waiting` while measures are simulated."""


def scenario_tag(name: str) -> str:
    """Return the tag of the values of a scenario."""
    return f"scenario:{name}"


class LookupResult(NamedTuple):
    """The answer of the actor: references to packed values, None for those that could not be built.

    `redis_fault` describes a fault of Redis during the look-up; None if there was none.
    """

    references: list[list[Any] | None]
    redis_fault: str | None


class SharedCache:
    """A client of the cluster's Cache. It can be pickled.

    `tags` are the tags of all values that it reads and writes. `fault` describes the last fault of the Redis behind the
    actor, or the last value that could not be read.

    The actor's handle is dropped when the client is pickled, and the other process looks the actor up by name: Ray
    forgets the class of an actor that died after the driver that created it, and from then on no process can unpickle a
    handle of it (docs/platform.md section 1.4).
    """

    def __init__(self, actor: Any, tags: tuple[str, ...] = ()) -> None:
        self._actor = actor
        self.tags = list(tags)
        self.fault: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_actor": None}

    def get(
        self,
        keys: Sequence[CacheKey],
        seconds: float = WAIT_SECONDS,
        waiting: Callable[[], None] | None = None,
    ) -> list[Any]:
        """Return the value of each key, which the actor builds if it is not cached.

        Parameters
        ----------
        keys
            The keys.
        seconds
            How long to wait for the actor.
        waiting
            Called every `TICK_SECONDS` until the actor answers. With it, there is no limit on building the values.

        Returns
        -------
        list
            The values, None for those that could not be built. All are None if the actor has died or did not answer.
        """
        import ray

        try:
            call = self._handle().get.remote(list(keys), self.tags)
            while waiting is not None and not ray.wait([call], timeout=TICK_SECONDS)[0]:
                waiting()
            result = ray.get(call, timeout=seconds)
            self.fault = result.redis_fault or self.fault
            references = [reference[0] for reference in result.references if reference is not None]
            packed = iter(ray.get(references, timeout=seconds))
            return [
                None if each is None else self._unpack(key, next(packed))
                for key, each in zip(keys, result.references, strict=True)
            ]
        except (ray.exceptions.RayError, ValueError):
            self._actor = None
            return [None] * len(keys)

    def get_or_build(self, scenario: Scenario, kinds: tuple[str, ...]) -> dict[str, Any]:
        """Return the values of a resolved scenario by kind, without those that could not be built."""
        keys = keys_of_scenario(scenario, kinds)
        values = zip(keys, self.get(keys), strict=True)
        return {key.kind: value for key, value in values if value is not None}

    def put(self, key: CacheKey, value: Any) -> None:
        """Store a value that this process has computed."""
        import ray

        with contextlib.suppress(ray.exceptions.RayError, ValueError):
            call = self._handle().put.remote(key, pack_value(key.kind, value), self.tags)
            self.fault = ray.get(call, timeout=WAIT_SECONDS) or self.fault

    def _handle(self) -> Any:
        """Return the actor's handle. Raises ValueError if there is no actor."""
        self._actor = self._actor or get_cache_actor()
        return self._actor

    def _unpack(self, key: CacheKey, data: bytes) -> Any:
        """Return the value, or None for bytes that are no value of the key's kind."""
        try:
            return unpack_value(key.kind, data)
        except ValueError:
            self.fault = unreadable(key)
            return None
