"""Watchdog: notices when nothing has happened for too long."""

import time
from collections.abc import Callable


class StalledError(Exception):
    """Nothing has happened for too long."""


class Watchdog:
    """Measures the time since the last event, `idle_seconds`, and raises StalledError beyond `limit_seconds`."""

    def __init__(self, limit_seconds: float) -> None:
        self.idle_seconds = 0.0
        self._limit_seconds = limit_seconds
        self._last_event = time.monotonic()

    def check(self, event: bool, awaited: Callable[[], str], factor: float = 1.0) -> None:
        """Note whether there was an event just now.

        `awaited` says in words what is waited for. `factor` extends the limit for what may take long.
        """
        now = time.monotonic()
        if event:
            self._last_event = now
        self.idle_seconds = now - self._last_event
        limit = self._limit_seconds * factor
        if self.idle_seconds > limit:
            raise StalledError(f"nothing has happened for {limit:g} s, waiting for {awaited()}")
