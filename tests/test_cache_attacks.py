"""A Redis to which others write: nothing unsigned is believed, and nothing in it ends in more than one note."""

import hashlib
import os
import pickle
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from redis_fixtures import SECRET, redis, server
from test_cli import no_cache_yet

import scenarios
from actors.cache import cache_settings, redis_backend
from actors.cache.redis_backend import CHANNEL, LARGEST_BYTES, LARGEST_SET, RedisBackend
from actors.cache.signature import KEY, KEY_FILE, NoSecretError, deployment_secret, sign, verify
from bench.redis_server import Lent, Server
from engine import scenario as scenario_api
from engine.errors import InputError
from engine.precomputed import CacheKey, key_of_measures, pack_value
from engine.scenario import ScenarioOverrides, prepare

__all__ = ["no_cache_yet", "redis", "server"]

OTHER = b"the secret of another deployment"
KEY_A, KEY_B = (CacheKey("measures", b"", letter * 64) for letter in "ab")
SET_OF_TAG_A = f"goldenhour:tag:{hashlib.sha256(b'scenario:a').hexdigest()}"
FORGED = b'{"patients": 666, "flow": {}}'


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no fault of Redis here."""
    monkeypatch.setattr(redis_backend, "SOCKET_SECONDS", 20.0)


def name_of(key: CacheKey) -> str:
    return f"goldenhour:value:{key.namespace}:{key.key}"


def compressed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=19).compress(data)


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch goldenhour-must-not-exist",)


UNSIGNED = {
    "measures": pack_value("measures", FORGED),
    "pickle": compressed(pickle.dumps(Hostile())),
    "signed by another": sign(OTHER, name_of(KEY_A), pack_value("measures", FORGED)),
    "signed for another key": sign(SECRET, name_of(KEY_B), pack_value("measures", FORGED)),
    "signed for the channel": sign(SECRET, CHANNEL, pack_value("measures", FORGED)),
    "a signature alone": sign(SECRET, name_of(KEY_A), b"x")[:32],
    "cut off": sign(SECRET, name_of(KEY_A), pack_value("measures", FORGED))[:-1],
    "text": b"rubbish",
    "one byte": b"\xff",
}


@pytest.mark.parametrize("forged", list(UNSIGNED))
def test_a_forged_value_is_a_miss_with_one_fault(
    forged: str, server: Server | Lent, redis: RedisBackend
) -> None:
    server.client.set(name_of(KEY_A), UNSIGNED[forged])
    redis.put([(KEY_B, b"ours")], ())
    assert redis.get([KEY_A, KEY_B]) == [None, b"ours"]
    assert (redis.faults, KEY in (redis.fault or "")) == (1, True)
    redis.put([(KEY_A, b"again")], ())
    assert redis.get([KEY_A]) == [b"again"]


def of_wrong_type(client: Any, kind: str, name: str) -> None:
    """Store under a name what is not a value, or not a set."""
    client.delete(name)
    {
        "list": lambda: client.rpush(name, b"x"),
        "hash": lambda: client.hset(name, "x", "y"),
        "sorted set": lambda: client.zadd(name, {"x": 1}),
        "stream": lambda: client.xadd(name, {"x": "y"}),
        "set": lambda: client.sadd(name, b"x"),
        "string": lambda: client.set(name, b"x"),
    }[kind]()


@pytest.mark.parametrize("kind", ["list", "hash", "sorted set", "stream", "set"])
def test_a_value_of_a_wrong_type_is_a_miss_and_is_replaced(
    kind: str, server: Server | Lent, redis: RedisBackend
) -> None:
    of_wrong_type(server.client, kind, name_of(KEY_A))
    redis.put([(KEY_B, b"ours")], ())
    assert redis.get([KEY_A, KEY_B]) == [None, b"ours"]
    assert redis.faults == 1
    assert redis.usage()["computation"] == (2, 36)
    redis.put([(KEY_A, b"again")], ())
    assert redis.get([KEY_A]) == [b"again"]


@pytest.mark.parametrize("kind", ["list", "string", "hash"])
def test_sets_of_a_wrong_type_are_replaced_and_values_are_stored_all_the_same(
    kind: str, server: Server | Lent, redis: RedisBackend
) -> None:
    sets = SET_OF_TAG_A, f"goldenhour:tags-of:computation:{KEY_A.key}"
    for name in sets:
        of_wrong_type(server.client, kind, name)
    redis.put([(KEY_A, b"ours")], ["scenario:a"])
    assert redis.get([KEY_A]) == [b"ours"]
    assert "sets of tags" in (redis.fault or "")
    redis.put([(KEY_A, b"ours")], ["scenario:a"])
    assert redis.faults == 1
    assert redis.untag(["scenario:a"]) == 1
    for name in sets:
        of_wrong_type(server.client, kind, name)
        assert redis.untag(["scenario:a"]) == 0
    assert server.client.exists(sets[0]) == 0


def test_members_of_a_tag_that_are_no_values_are_ignored(server: Server | Lent, redis: RedisBackend) -> None:
    redis.put([(KEY_A, b"ours"), (KEY_B, b"other")], ["scenario:a"])
    redis.put([(KEY_B, b"other")], ["scenario:b"])
    server.client.set("goldenhour:value:mine", b"not in a namespace")
    members = (b"\xff\xfe", b"mine", b"", b"computation:" + b"A" * 64, b"x" * 1000, b"*")
    server.client.sadd(SET_OF_TAG_A, *members)
    assert redis.untag(["scenario:a"]) == 1
    assert redis.fault is None
    assert redis.get([KEY_A, KEY_B]) == [None, b"other"]
    assert server.client.get("goldenhour:value:mine") == b"not in a namespace"


def test_a_set_of_more_values_than_there_ever_are_is_removed_unread(
    server: Server | Lent, redis: RedisBackend
) -> None:
    for first in range(0, LARGEST_SET + 1, 20_000):
        server.client.sadd(SET_OF_TAG_A, *range(first, first + 20_000))
    assert redis.untag(["scenario:a"]) == 0
    assert server.client.exists(SET_OF_TAG_A) == 0


def test_huge_members_of_a_tag_and_huge_names_are_not_fetched(
    server: Server | Lent, redis: RedisBackend
) -> None:
    server.client.config_set("maxmemory", 0)
    redis.put([(KEY_A, b"ours")], ["scenario:a"])
    for number in range(3):
        huge = f"{number}".encode() * 30_000_000
        server.client.sadd(SET_OF_TAG_A, huge, b"computation:" + huge)
    for kind in (b"value:computation:", b"tag:", b"tags-of:computation:"):
        server.client.set(b"goldenhour:" + kind + huge, b"x")
    del huge
    tracemalloc.start()
    try:
        assert redis.usage()["computation"][0] == 1
        assert redis.untag(["scenario:a"]) == 1
        assert redis.clear(None) == 0
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert redis.fault is None
    assert server.client.exists(SET_OF_TAG_A) == 0


def test_a_huge_value_is_not_fetched(server: Server | Lent, redis: RedisBackend) -> None:
    server.client.config_set("maxmemory", 0)
    server.client.setrange(name_of(KEY_A), 200_000_000, b"x")
    tracemalloc.start()
    try:
        assert redis.get([KEY_A]) == [None]
        assert tracemalloc.get_traced_memory()[1] < 4 * LARGEST_BYTES
    finally:
        tracemalloc.stop()
    assert redis.fault is not None


@pytest.mark.parametrize(
    "forged",
    [
        msgspec.msgpack.encode(["someone", [], None]),
        sign(OTHER, CHANNEL, msgspec.msgpack.encode(["someone", [], None])),
        sign(SECRET, name_of(KEY_A), msgspec.msgpack.encode(["someone", [], None])),
        sign(SECRET, CHANNEL, b"\xc1"),
        b"",
    ],
)
def test_a_forged_invalidation_is_ignored(forged: bytes, server: Server | Lent, redis: RedisBackend) -> None:
    received: list[Any] = []
    redis.listen(lambda tags, namespace: received.append((tags, namespace)))
    until = time.monotonic() + 20
    while not server.client.pubsub_numsub(CHANNEL)[0][1]:
        assert time.monotonic() < until
        time.sleep(0.01)
    server.client.publish(CHANNEL, forged)
    RedisBackend(server.url, 60.0, SECRET).publish(["scenario:a"])
    while not received:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert received == [(["scenario:a"], None)]


@pytest.mark.parametrize(
    "forged", ["measures", "pickle", "signed by another", "list", "signed but no value", "signed text"]
)
def test_measures_in_redis_that_are_forged_are_never_shown(
    forged: str, call, no_cache_yet, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole command: the true figures, exit code 0, and one note."""
    monkeypatch.setenv("GOLDENHOUR_REDIS_URL", server.url)
    monkeypatch.setenv(KEY, SECRET.decode())
    written = scenario_api.parse(scenarios.builtin_bytes("coin"), "toml", "coin")
    s = prepare(written, ScenarioOverrides(None, 30, None), "").resolved
    name = name_of(key_of_measures(s, s.seed, 0))
    truth = call("measures", "coin", "--patients", 30, "--json")
    assert truth.code == 0
    assert "note:" not in truth.err  # it may say that the kernel is compiled first
    assert server.client.exists(name) == 1
    if forged == "list":
        of_wrong_type(server.client, "list", name)
    elif forged.startswith("signed but"):
        server.client.set(name, sign(SECRET, name, compressed(b"[1, 2")))
    elif forged == "signed text":
        server.client.set(name, sign(SECRET, name, b"text"))
    else:
        server.client.set(name, UNSIGNED[forged])
    answer = call("measures", "coin", "--patients", 30, "--json")
    assert (answer.code, answer.out) == (0, truth.out)
    assert answer.err.count("note:") == 1
    assert "Traceback" not in answer.err
    assert SECRET.decode() not in answer.err
    again = call("measures", "coin", "--patients", 30, "--json")
    assert (again.out, again.err) == (truth.out, "")


def test_without_a_secret_redis_is_not_used(
    server: Server | Lent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "file"))
    settings = cache_settings({"GOLDENHOUR_REDIS_URL": server.url})
    assert settings.secret is None
    redis = RedisBackend(server.url, 60.0, settings.secret)
    redis.put([(KEY_A, b"value")], ["scenario:a"])
    assert redis.get([KEY_A]) == [None]
    assert server.client.dbsize() == 0
    assert KEY in (redis.fault or "")


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_processes_that_start_together_make_one_secret_that_only_this_user_can_read(own_folder: Path) -> None:
    code = "import sys; from actors.cache.signature import deployment_secret as s; sys.stdout.write(s().decode())"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    secrets = {process.communicate(timeout=60)[0] for process in processes}
    assert len(secrets) == 1
    (secret,) = secrets
    assert len(secret) == 64
    (file,) = (own_folder / "keys").iterdir()
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (secret, 0o600)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert deployment_secret({}) == secret


def test_no_secret_is_made_unless_there_is_a_redis(own_folder: Path) -> None:
    assert cache_settings({}).secret is None
    assert not own_folder.exists()


def test_a_secret_that_others_could_have_planted_is_not_used(own_folder: Path, tmp_path: Path) -> None:
    assert deployment_secret({}) is not None
    (file,) = (own_folder / "keys").iterdir()
    file.chmod(0o606)
    with pytest.raises(NoSecretError, match="other users can write"):
        deployment_secret({})
    settings = cache_settings({"GOLDENHOUR_REDIS_URL": "redis://127.0.0.1"})
    assert settings.secret is None
    assert "other users can write" in settings.secret_fault
    file.unlink()
    (tmp_path / "planted").write_bytes(OTHER)
    file.symlink_to(tmp_path / "planted")
    with pytest.raises(NoSecretError, match="is a link"):
        deployment_secret({})
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(NoSecretError, match="not a regular file"):
        deployment_secret({})


@pytest.mark.parametrize("short", [b"", b"x", b" " * 64])
def test_a_secret_in_the_cache_folder_that_is_too_short_is_made_anew(short: bytes, own_folder: Path) -> None:
    deployment_secret({})
    file = own_folder / "keys" / "redis"
    file.write_bytes(short)
    assert len(deployment_secret({})) == 64
    assert deployment_secret({}) == file.read_bytes()


def test_the_secret_comes_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    file.chmod(0o440)
    link = tmp_path / "link"  # as Kubernetes mounts secrets
    link.symlink_to(file)
    assert deployment_secret({KEY: f" {SECRET.decode()} "}) == SECRET
    assert deployment_secret({KEY_FILE: str(file)}) == SECRET
    assert deployment_secret({KEY_FILE: str(link)}) == SECRET
    mounted = tmp_path / "..2026_01_01"  # as Kubernetes mounts a secret
    mounted.mkdir()
    mounted.joinpath("secret").write_bytes(SECRET)
    tmp_path.joinpath("..data").symlink_to(mounted.name)
    tmp_path.joinpath("mounted").symlink_to("..data/secret")
    mounted.joinpath("secret").chmod(0o440)
    assert deployment_secret({KEY_FILE: str(tmp_path / "mounted")}) == SECRET
    mounted.joinpath("secret").chmod(0o444)
    with pytest.raises(InputError, match=r"all users can read .*`defaultMode: 0440`"):
        deployment_secret({KEY_FILE: str(tmp_path / "mounted")})


@pytest.mark.parametrize(
    "bad", ["short", "long", "both", "absent", "folder", "pipe", "writable", "readable", "foreign", "empty"]
)
def test_a_secret_that_is_not_allowed_is_refused_and_not_shown(bad: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"" if bad == "empty" else SECRET)
    file.chmod(0o604 if bad == "readable" else 0o600)
    if bad == "foreign":
        if os.geteuid():
            pytest.skip("only root can give a file away")
        os.chown(file, 12345, -1)
    if bad == "folder":
        file = tmp_path
    elif bad == "absent":
        file.unlink()
    elif bad == "pipe":
        file.unlink()
        os.mkfifo(file)
    elif bad == "writable":
        file.chmod(0o666)
    environment = {
        "short": {KEY: "topsecret"},
        "long": {KEY: "topsecret" * 1000},
        "both": {KEY: SECRET.decode(), KEY_FILE: str(file)},
    }.get(bad, {KEY_FILE: str(file)})
    with pytest.raises(InputError, match=KEY) as caught:
        cache_settings({"GOLDENHOUR_REDIS_URL": "redis://127.0.0.1", **environment})
    assert "topsecret" not in str(caught.value)
    assert SECRET.decode() not in str(caught.value)


def test_settings_are_never_shown_with_their_secrets() -> None:
    settings = cache_settings({"GOLDENHOUR_REDIS_URL": "redis://:password@127.0.0.1", KEY: SECRET.decode()})
    assert settings.secret == SECRET
    shown = repr(settings) + str(settings) + f"{[settings]}"
    assert "password" not in shown
    assert SECRET.decode() not in shown


def test_a_signature_holds_for_its_name_and_data_alone() -> None:
    signed = sign(SECRET, "name", b"data")
    assert verify(SECRET, "name", signed) == b"data"
    assert verify(SECRET, "nam", sign(SECRET, "name", b"data")) is None
    assert verify(SECRET, "named", b"".join((signed[:32], signed[33:]))) is None
    for place in range(len(signed)):
        changed = bytearray(signed)
        changed[place] ^= 1
        assert verify(SECRET, "name", bytes(changed)) is None
    for wrong in (None, 5, "text", [], b"", {}):
        assert verify(SECRET, "name", wrong) is None
