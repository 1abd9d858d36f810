"""Fixtures of the tests that need a Redis: a server for each test, and our backend on it."""

from collections.abc import Iterator

import pytest

from actors.cache.redis_backend import RedisBackend
from bench.redis_server import Lent, Server, serve

SECRET = b"the secret of these tests"


@pytest.fixture
def server() -> Iterator[Server | Lent]:
    """A Redis without values."""
    started = serve()
    yield started
    started.stop()


@pytest.fixture
def redis(server: Server | Lent) -> RedisBackend:
    """Our backend on that Redis."""
    return RedisBackend(server.url, 60.0, SECRET)
