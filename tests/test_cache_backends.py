"""Backends and the LRU cache: budgets, times to live, tags, and a Redis that is killed, frozen, full or damaged."""

import contextlib
import itertools
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from redis_fixtures import SECRET, redis, server

from actors.cache import cache_settings, redis_backend
from actors.cache.disk_backend import DiskBackend
from actors.cache.lru import LruCache
from actors.cache.redis_backend import RedisBackend
from actors.cache.signature import SIGNATURE_BYTES
from bench.redis_server import ABSENT, Lent, Server, binary
from engine.errors import InputError
from engine.precomputed import CacheKey

__all__ = ["redis", "server"]

_numbers = itertools.count()


def new_key(kind: str = "people") -> CacheKey:
    """A key that no other test uses."""
    return CacheKey(kind, b"", f"{next(_numbers):064x}")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_lru_cache_evicts_the_least_recently_used_values() -> None:
    lru = LruCache(100, 60.0)
    for key in "abc":
        lru.put(key, key.upper(), 30, ())
    assert lru.get("a", ()) == "A"
    lru.put("d", "D", 30, ())
    assert [lru.get(key, ()) for key in "abcd"] == ["A", None, "C", "D"]
    statistics = lru.statistics
    assert (
        statistics.hits,
        statistics.misses,
        statistics.evictions,
        statistics.bytes,
        statistics.values,
    ) == (
        4,
        1,
        1,
        90,
        3,
    )
    assert statistics.rate == 0.8
    lru.put("large", "L", 101, ())
    assert lru.get("large", ()) is None
    assert statistics.values == 3
    lru.put("a", "A2", 50, ())
    assert statistics.bytes <= 100


def test_a_value_expires_after_its_time_to_live() -> None:
    clock = Clock()
    lru = LruCache(100, 60.0, clock)
    lru.put("a", "A", 1, ())
    clock.now = 59.0
    assert lru.get("a", ()) == "A"
    clock.now = 60.0
    assert lru.get("a", ()) is None
    assert (lru.statistics.bytes, lru.statistics.evictions) == (0, 1)


def test_a_value_is_removed_with_its_last_tag() -> None:
    lru = LruCache(100, 60.0)
    lru.put("shared", 1, 1, ["scenario:a"])
    lru.put("own", 2, 1, ["scenario:a"])
    lru.get("shared", ["scenario:b"])
    lru.tag("never", ["scenario:b"])
    assert lru.untag(["scenario:a"]) == 1
    assert (lru.get("shared", ()), lru.get("own", ())) == (1, None)
    assert lru.untag(["scenario:b", "scenario:c"]) == 1
    lru.put("x", 3, 1, ())
    assert lru.clear() == 1
    assert (lru.statistics.bytes, lru.statistics.invalidated) == (0, 3)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiskBackend:
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "cache"))
    return DiskBackend(limit_bytes=1000)


def test_the_disk_stores_values_by_namespace(disk: DiskBackend) -> None:
    one, other = new_key("people"), new_key("tilts")
    assert disk.get([one]) == [None]
    disk.put([(one, b"1"), (other, b"22")], ())
    assert disk.get([other, new_key(), one]) == [b"22", None, b"1"]
    assert disk.usage()["demographics"] == (1, 33)
    assert disk.clear("demographics") == 1
    assert disk.get([one, other]) == [None, b"22"]
    assert disk.fault is None


def test_a_damaged_file_is_a_miss_and_can_be_written_again(disk: DiskBackend, tmp_path: Path) -> None:
    one = new_key()
    disk.put([(one, b"value")], ())
    (path,) = (tmp_path / "cache").rglob("*.value")
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert disk.get([one]) == [None]
    assert disk.fault is not None
    disk.put([(one, b"value")], ())
    assert disk.get([one]) == [b"value"]


def test_the_disk_evicts_the_least_recently_used_files(disk: DiskBackend, tmp_path: Path) -> None:
    keys = [new_key() for _ in range(5)]
    for age, each in enumerate(keys[:4]):
        disk.put([(each, bytes(200))], ())
        (path,) = (tmp_path / "cache").rglob(f"{each.key}.value")
        os.utime(path, (1000 + age, 1000 + age))
    assert disk.get(keys[:1]) == [bytes(200)]
    disk.put([(keys[4], bytes(200))], ())
    assert [data is not None for data in disk.get(keys)] == [True, False, True, True, True]


def test_a_cache_folder_that_cannot_be_written_is_a_miss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "file" / "below"))
    disk = DiskBackend()
    one = new_key()
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
def test_a_setting_that_is_not_allowed_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        cache_settings({name: value})


def test_redis_shares_values_between_clients_until_they_expire(
    server: Server | Lent, redis: RedisBackend
) -> None:
    one, other = new_key("people"), new_key("tilts")
    redis.put([(one, b"1"), (other, b"22")], ["scenario:a"])
    second = RedisBackend(server.url, 60.0, SECRET)
    assert second.get([other, new_key(), one]) == [b"22", None, b"1"]
    assert second.usage()["computation"] == (1, 34)
    for name in server.client.keys("*"):
        assert 0 < server.client.pttl(name) <= 60_000
    assert second.clear("computation") == 1
    assert redis.get([one, other]) == [b"1", None]
    assert second.clear(None) == 1
    assert server.client.dbsize() == 0
    assert redis.fault is None


def test_a_value_in_redis_is_removed_with_its_last_tag(redis: RedisBackend) -> None:
    shared, own = new_key(), new_key()
    redis.put([(shared, b"1"), (own, b"2")], ["scenario:a"])
    redis.put([(shared, b"1")], ["scenario:b"])
    assert redis.untag(["scenario:a"]) == 1
    assert redis.get([shared, own]) == [b"1", None]
    assert redis.untag(["scenario:b", "scenario:never"]) == 1
    assert redis.get([shared]) == [None]


def test_a_value_without_a_valid_signature_is_a_miss(server: Server | Lent, redis: RedisBackend) -> None:
    one = new_key()
    for damage in (b"", b"rubbish", bytes(SIGNATURE_BYTES), b"\0" * 40):
        server.client.set(f"goldenhour:value:demographics:{one.key}", damage)
        assert redis.get([one]) == [None]
    assert "no valid signature" in (redis.fault or "")
    redis.put([(one, b"value")], ())
    assert redis.get([one]) == [b"value"]


def test_a_value_too_large_for_this_redis_is_not_stored(server: Server | Lent, redis: RedisBackend) -> None:
    small, large = new_key(), new_key()
    share = int(server.client.info("memory")["maxmemory"]) // 16 or redis_backend.LARGEST_BYTES
    limit = min(share, redis_backend.LARGEST_BYTES)
    redis.put(
        [(small, bytes(1000)), (large, bytes(limit))], ()
    )  # the signature makes it larger than the limit
    assert [data is not None for data in redis.get([small, large])] == [True, False]
    assert redis.fault is None


def test_a_full_redis_takes_no_more_values_and_is_still_read() -> None:
    if binary() is None:
        pytest.skip(ABSENT)
    server = Server(megabytes=8, policy="noeviction")
    try:
        redis = RedisBackend(server.url, 60.0, SECRET)
        many = [new_key() for _ in range(40)]
        for each in many:
            redis.put([(each, os.urandom(400_000))], ())
        assert "full" in (redis.fault or "")
        assert redis.get(many[:1])[0] is not None
    finally:
        server.stop()


def test_a_frozen_redis_delays_only_the_first_call(server: Server | Lent, redis: RedisBackend) -> None:
    one = new_key()
    redis.put([(one, b"1")], ())
    server.freeze()
    begun = time.monotonic()
    for _ in range(100):
        assert redis.get([one]) == [None]
        redis.put([(one, b"1")], ())
    assert time.monotonic() - begun < redis_backend.PAUSE_SECONDS
    assert "Timeout" in (redis.fault or "")
    server.thaw()


def test_a_redis_that_was_killed_is_used_again_after_its_restart(
    server: Server | Lent, redis: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_backend, "PAUSE_SECONDS", 0.05)
    one = new_key()
    redis.put([(one, b"1")], ())
    server.kill()
    assert redis.get([one]) == [None]
    assert "ConnectionError" in (redis.fault or "")
    server.start()
    time.sleep(0.1)
    redis.put([(one, b"2")], ())
    assert redis.get([one]) == [b"2"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$9999999999\r\nx",
        b"\0" * 100,
        b"",
        b"*1\r\n" * 100_000,
        b"*2147483647\r\n",
        b"$-9\r\n" * 100,
        b":" + b"9" * 5000 + b"\r\n",
        b"*1\r\n:5\r\n" * 100,
        (b"-ERR \x1b[31m" + b"x" * 10_000 + b"\r\n") * 100,
        b"+OK\r\n" * 100,
        b">3\r\n+message\r\n+a\r\n*0\r\n" * 100,
    ],
)
def test_a_server_that_is_not_a_redis_is_a_miss(answer: bytes) -> None:
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
        redis = RedisBackend(f"redis://user:secret@127.0.0.1:{listening.getsockname()[1]}", 60.0, SECRET)
        one = new_key()
        assert redis.get([one]) == [None]
        redis.put([(one, b"1")], ["scenario:a"])
        assert redis.untag(["scenario:a"]) == 0
        assert "127.0.0.1" in (redis.fault or "")
        assert "secret" not in (redis.fault or "")
        assert (redis.fault or "").isprintable()
        assert len(redis.fault or "") < 400


def test_invalidations_of_one_cluster_reach_the_others(server: Server | Lent, redis: RedisBackend) -> None:
    received: list[Any] = []
    there = threading.Event()

    def handle(tags: list[str], namespace: str | None) -> None:
        received.append((tags, namespace))
        if len(received) == 2:
            there.set()

    redis.listen(handle)
    sender = RedisBackend(server.url, 60.0, SECRET)
    until = time.monotonic() + 20
    while not server.client.pubsub_numsub(redis_backend.CHANNEL)[0][1]:
        assert time.monotonic() < until
        time.sleep(0.01)
    server.client.publish(redis_backend.CHANNEL, b"rubbish")
    redis.publish(["scenario:own"])
    sender.publish(["scenario:a", "scenario:b"])
    sender.publish([], "medical")
    assert there.wait(20)
    assert received == [(["scenario:a", "scenario:b"], None), ([], "medical")]
