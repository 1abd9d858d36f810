"""Shelf, disk and Redis: budgets, ages and tags; a server that is killed, frozen, full, damaged or no Redis at all."""

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.cache import cache_settings, redis_backend
from actors.cache.backends import DiskBackend
from actors.cache.lru import LruCache
from actors.cache.redis_backend import RedisBackend
from bench.redis_server import ABSENT, Lent, Server, binary, serve
from engine.errors import InputError
from engine.precomputed import CacheKey

_numbers = itertools.count()


def recipe(kind: str = "people") -> CacheKey:
    """A recipe of its own."""
    return CacheKey(kind, b"", f"{next(_numbers):064x}")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_shelf_keeps_what_was_used_last_within_its_budget() -> None:
    shelf = LruCache(100, 60.0)
    for key in "abc":
        shelf.put(key, key.upper(), 30, ())
    assert shelf.get("a", ()) == "A"
    shelf.put("d", "D", 30, ())
    assert [shelf.get(key, ()) for key in "abcd"] == ["A", None, "C", "D"]
    figures = shelf.figures
    assert (figures.hits, figures.misses, figures.evictions, figures.bytes, figures.values) == (
        4,
        1,
        1,
        90,
        3,
    )
    assert figures.rate == 0.8
    shelf.put("large", "L", 101, ())
    assert shelf.get("large", ()) is None
    assert figures.values == 3
    shelf.put("a", "A2", 50, ())
    assert figures.bytes <= 100


def test_a_value_on_a_shelf_is_gone_when_its_time_is_up() -> None:
    clock = Clock()
    shelf = LruCache(100, 60.0, clock)
    shelf.put("a", "A", 1, ())
    clock.now = 59.0
    assert shelf.get("a", ()) == "A"
    clock.now = 60.0
    assert shelf.get("a", ()) is None
    assert (shelf.figures.bytes, shelf.figures.evictions) == (0, 1)


def test_a_value_goes_with_its_last_tag() -> None:
    shelf = LruCache(100, 60.0)
    shelf.put("shared", 1, 1, ["scenario:a"])
    shelf.put("own", 2, 1, ["scenario:a"])
    shelf.get("shared", ["scenario:b"])
    shelf.tag("never", ["scenario:b"])
    assert shelf.untag(["scenario:a"]) == 1
    assert (shelf.get("shared", ()), shelf.get("own", ())) == (1, None)
    assert shelf.untag(["scenario:b", "scenario:c"]) == 1
    shelf.put("x", 3, 1, ())
    assert shelf.clear() == 1
    assert (shelf.figures.bytes, shelf.figures.invalidated) == (0, 3)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiskBackend:
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "cache"))
    return DiskBackend(limit_bytes=1000)


def test_the_disk_keeps_values_by_namespace(disk: DiskBackend) -> None:
    one, other = recipe("people"), recipe("severity")
    assert disk.get([one]) == [None]
    disk.put([(one, b"1"), (other, b"22")], ())
    assert disk.get([other, recipe(), one]) == [b"22", None, b"1"]
    assert disk.usage()["demographics"] == (1, 33)
    assert disk.clear("demographics") == 1
    assert disk.get([one, other]) == [None, b"22"]
    assert disk.fault is None


def test_a_damaged_file_is_a_miss_and_written_anew(disk: DiskBackend, tmp_path: Path) -> None:
    one = recipe()
    disk.put([(one, b"value")], ())
    (path,) = (tmp_path / "cache").rglob("*.value")
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert disk.get([one]) == [None]
    assert disk.fault is not None
    disk.put([(one, b"value")], ())
    assert disk.get([one]) == [b"value"]


def test_the_disk_forgets_what_was_not_used_for_longest(disk: DiskBackend, tmp_path: Path) -> None:
    recipes = [recipe() for _ in range(5)]
    for age, each in enumerate(recipes[:4]):
        disk.put([(each, bytes(200))], ())
        (path,) = (tmp_path / "cache").rglob(f"{each.key}.value")
        os.utime(path, (1000 + age, 1000 + age))
    assert disk.get(recipes[:1]) == [bytes(200)]
    disk.put([(recipes[4], bytes(200))], ())
    assert [data is not None for data in disk.get(recipes)] == [True, False, True, True, True]


def test_a_disk_that_cannot_be_written_is_a_miss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "file" / "below"))
    disk = DiskBackend()
    one = recipe()
    disk.put([(one, b"1")], ())
    assert disk.get([one]) == [None]
    assert "cache folder" in (disk.fault or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOLDENHOUR_CACHE", "yes"),
        ("GOLDENHOUR_REDIS_URL", "localhost:6379"),
        ("GOLDENHOUR_CACHE_MB", "many"),
        ("GOLDENHOUR_CACHE_MB", "0"),
        ("GOLDENHOUR_CACHE_TTL_SECONDS", "nan"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        cache_settings({name: value})


@pytest.fixture
def server() -> Iterator[Server | Lent]:
    started = serve()
    yield started
    started.stop()


@pytest.fixture
def redis(server: Server | Lent) -> RedisBackend:
    return RedisBackend(server.url, 60.0)


def test_redis_keeps_values_for_others_and_for_a_time(server: Server | Lent, redis: RedisBackend) -> None:
    one, other = recipe("people"), recipe("severity")
    redis.put([(one, b"1"), (other, b"22")], ["scenario:a"])
    second = RedisBackend(server.url, 60.0)
    assert second.get([other, recipe(), one]) == [b"22", None, b"1"]
    assert second.usage()["computation"] == (1, 34)
    for name in server.client.keys("*"):
        assert 0 < server.client.pttl(name) <= 60_000
    assert second.clear("computation") == 1
    assert redis.get([one, other]) == [b"1", None]
    assert second.clear(None) == 1
    assert server.client.dbsize() == 0
    assert redis.fault is None


def test_a_value_in_redis_goes_with_its_last_tag(redis: RedisBackend) -> None:
    shared, own = recipe(), recipe()
    redis.put([(shared, b"1"), (own, b"2")], ["scenario:a"])
    redis.put([(shared, b"1")], ["scenario:b"])
    assert redis.untag(["scenario:a"]) == 1
    assert redis.get([shared, own]) == [b"1", None]
    assert redis.untag(["scenario:b", "scenario:never"]) == 1
    assert redis.get([shared]) == [None]


def test_a_value_that_fails_its_digest_is_a_miss(server: Server | Lent, redis: RedisBackend) -> None:
    one = recipe()
    for damage in (b"", b"rubbish", b"\0" * 40):
        server.client.set(f"goldenhour:value:demographics:{one.key}", damage)
        assert redis.get([one]) == [None]
    assert "failed their digest" in (redis.fault or "")
    redis.put([(one, b"value")], ())
    assert redis.get([one]) == [b"value"]


def test_a_value_too_large_for_this_redis_is_left_out(server: Server | Lent, redis: RedisBackend) -> None:
    small, large = recipe(), recipe()
    limit = int(server.client.info("memory")["maxmemory"]) or 16 * redis_backend.LARGEST_VALUE
    redis.put([(small, bytes(1000)), (large, bytes(limit // 16))], ())  # the digest comes on top
    assert [data is not None for data in redis.get([small, large])] == [True, False]
    assert redis.fault is None


def test_a_full_redis_takes_nothing_more_and_still_answers() -> None:
    if binary() is None:
        pytest.skip(ABSENT)
    server = Server(megabytes=8, policy="noeviction")
    try:
        redis = RedisBackend(server.url, 60.0)
        many = [recipe() for _ in range(40)]
        for each in many:
            redis.put([(each, os.urandom(400_000))], ())
        assert "full" in (redis.fault or "")
        assert redis.get(many[:1])[0] is not None
    finally:
        server.stop()


def test_a_frozen_redis_costs_a_moment_once(server: Server | Lent, redis: RedisBackend) -> None:
    one = recipe()
    redis.put([(one, b"1")], ())
    server.freeze()
    begun = time.monotonic()
    for _ in range(100):
        assert redis.get([one]) == [None]
        redis.put([(one, b"1")], ())
    assert time.monotonic() - begun < redis_backend.REST_SECONDS
    assert "Timeout" in (redis.fault or "")
    server.thaw()


def test_a_redis_that_was_killed_is_used_again_when_it_is_back(
    server: Server | Lent, redis: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_backend, "REST_SECONDS", 0.05)
    one = recipe()
    redis.put([(one, b"1")], ())
    server.kill()
    assert redis.get([one]) == [None]
    assert "ConnectionError" in (redis.fault or "")
    server.start()
    time.sleep(0.1)
    redis.put([(one, b"2")], ())
    assert redis.get([one]) == [b"2"]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$9999999999\r\nx", b"\0" * 100, b""]
)
def test_a_server_that_is_no_redis_is_a_miss(answer: bytes) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(10)

        def answer_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    connection.recv(1000)
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=answer_all, daemon=True).start()
        redis = RedisBackend(f"redis://user:secret@127.0.0.1:{listening.getsockname()[1]}", 60.0)
        one = recipe()
        assert redis.get([one]) == [None]
        redis.put([(one, b"1")], ["scenario:a"])
        assert redis.untag(["scenario:a"]) == 0
        assert "127.0.0.1" in (redis.fault or "")
        assert "secret" not in (redis.fault or "")


def test_what_one_cluster_invalidates_the_others_hear(server: Server | Lent, redis: RedisBackend) -> None:
    heard: list[Any] = []
    there = threading.Event()

    def hear(tags: list[str], namespace: str | None) -> None:
        heard.append((tags, namespace))
        if len(heard) == 2:
            there.set()

    redis.listen(hear)
    sender = RedisBackend(server.url, 60.0)
    until = time.monotonic() + 20
    while not server.client.pubsub_numsub(redis_backend.CHANNEL)[0][1]:
        assert time.monotonic() < until
        time.sleep(0.01)
    server.client.publish(redis_backend.CHANNEL, b"rubbish")
    redis.publish(["scenario:own"])
    sender.publish(["scenario:a", "scenario:b"])
    sender.publish([], "medical")
    assert there.wait(20)
    assert heard == [(["scenario:a", "scenario:b"], None), ([], "medical")]
