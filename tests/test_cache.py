"""The cache actor of a cluster: it changes no byte, computes nothing twice, and its death counts as a miss."""

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from msgspec.structs import replace
from redis_fixtures import server
from runs import request

import scenarios
from actors import cache
from actors.cache import CacheSettings
from actors.cache.redis_backend import CHANNEL
from actors.cluster import package_root, session
from actors.run import Progress, RunRequest, run_scenario
from bench.redis_server import Lent, Server
from engine import scenario as scenario_api
from engine.compile import model
from engine.precomputed import cache_keys
from engine.scenario import Scenario

__all__ = ["server"]

pytestmark = pytest.mark.ray

WAIT = 120.0
"""Seconds that a call may take on a busy machine."""


@pytest.fixture(scope="module", autouse=True)
def ray() -> Any:
    """One local Ray for all tests of the module."""
    import ray

    with session.start_session(None, workers=1):
        yield ray


@pytest.fixture(scope="module")
def shared(ray: Any) -> Any:
    """The cluster's Cache, warmed up."""
    actor = cache.start_cache(CacheSettings())
    ray.get(actor.warm_builtins.remote(), timeout=WAIT)
    return actor


@pytest.fixture
def make_cache(ray: Any) -> Iterator[Any]:
    """A function that starts caches of other clusters: actors without a name."""
    actors: list[Any] = []

    def make(**settings: Any) -> Any:
        made = CacheSettings(secret=b"the secret of these tests", **settings)
        actors.append(ray.remote(cache.Cache).options(num_cpus=0).remote(made))
        return actors[-1]

    yield make
    for actor in actors:
        ray.kill(actor)


def scenario(name: str = "coin", **changes: Any) -> Scenario:
    parsed = scenario_api.parse(scenarios.builtin_bytes(name), "toml", name)
    return scenario_api.resolve(replace(parsed, **changes))


def stats(actor: Any) -> cache.CacheStatistics:
    import ray

    found: cache.CacheStatistics = ray.get(actor.stats.remote(), timeout=WAIT)
    return found


def totals(actor: Any, figure: str) -> int:
    return sum(getattr(figures, figure) for figures in stats(actor).namespaces.values())


def complete(values: list[Any]) -> bool:
    return all(value is not None for value in values)


def get(actor: Any, *wanted: cache_keys.CacheKey, tags: tuple[str, ...] = ()) -> list[Any]:
    return cache.SharedCache(actor, tags).get(wanted, WAIT)


def test_a_warm_cache_has_everything_a_run_of_a_builtin_scenario_needs(shared: Any) -> None:
    before = totals(shared, "hits"), totals(shared, "misses")
    for name in scenarios.builtin_names():
        wanted = cache_keys.keys_of_scenario(
            scenario(name), cache_keys.SIMULATION_KINDS + cache_keys.TEXT_KINDS
        )
        assert complete(get(shared, *wanted))
    assert totals(shared, "misses") == before[1]
    assert totals(shared, "hits") > before[0] + 9 * 20


@pytest.fixture(scope="module")
def without(ray: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The manifest, and so the digests, of a run without any cache."""
    output = tmp_path_factory.mktemp("without")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GOLDENHOUR_CACHE", "off")
        run_scenario(run_of_drones(output))
    return (output / "manifest.json").read_bytes()


def run_of_drones(output: Path) -> RunRequest:
    return request(output, kind="drone", formats=("jsonl", "csv"))


def test_a_run_writes_the_same_bytes_with_a_cache_and_without(
    shared: Any, without: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENHOUR_CACHE", "on")
    hits = stats(shared).namespaces["medical"].hits
    for time_ in ("first", "second"):
        result = run_scenario(run_of_drones(tmp_path / time_))
        assert (result.notes, result.recoveries) == ((), 0)
        assert (tmp_path / time_ / "manifest.json").read_bytes() == without
    # the second run found the simulator's `injuries` and `survival`, and twice the generator's `diagnoses`
    assert stats(shared).namespaces["medical"].hits >= hits + 3
    computed = stats(shared).namespaces["computation"].computed
    key = cache_keys.key_of_measures(run_of_drones(tmp_path).scenario, 7, 0)
    assert msgspec.json.decode(get(shared, key)[0]) == result.measures
    assert stats(shared).namespaces["computation"].computed == computed


def test_a_value_requested_by_many_at_once_is_computed_once(shared: Any) -> None:
    s = scenario(mascal_threshold=77)
    key = cache_keys.key_of_measures(replace(s, days=3), 1, 0)
    before = stats(shared).namespaces
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: get(shared, key)[0], range(4)))
    assert len(set(found)) == 1
    assert found[0] == cache_keys.build_value(key.kind, key.inputs)
    after = stats(shared).namespaces
    assert after["computation"].computed == before["computation"].computed + 1
    # what the measures are compiled from came from the cache too: all but the new threshold was there
    assert after["configuration"].hits > before["configuration"].hits


def test_an_edit_removes_the_values_that_only_the_old_version_used(shared: Any) -> None:
    import ray

    old, new = scenario(triage_accuracy=0.71), scenario(triage_accuracy=0.72)
    tag = (cache.scenario_tag("edited"),)
    before, after = (cache_keys.keys_of_scenario(s, cache_keys.SIMULATION_KINDS) for s in (old, new))
    get(shared, *before, tags=tag)
    held = totals(shared, "values")
    assert ray.get(shared.invalidate.remote(list(tag)), timeout=WAIT) == 1  # `care`; the rest is coin's too
    assert totals(shared, "values") == held - 1
    misses = totals(shared, "misses")
    found = dict(zip([key.kind for key in after], get(shared, *after, tags=tag), strict=True))
    for kind, compile_table in model.TABLE_BUILDERS.items():
        assert found[kind].tobytes() == compile_table(new).tobytes()
    assert totals(shared, "misses") == misses + 1
    assert ray.get(shared.invalidate.remote(["scenario:never"]), timeout=WAIT) == 0


def test_a_value_that_cannot_be_built_is_none_and_is_tried_again(make_cache: Any) -> None:
    actor = make_cache()
    impossible = cache_keys.CacheKey("care", b"\xc1", cache_keys.cache_key("care", b"\xc1"))
    foreign = cache_keys.keys_of_scenario(scenario(), ("care",))[0]._replace(key="0" * 64)
    for wanted in (impossible, foreign):
        assert get(actor, wanted) == [None]
        assert get(actor, wanted) == [None]
    assert totals(actor, "misses") == 4
    assert totals(actor, "computed") == 0


def test_a_small_budget_is_not_exceeded(make_cache: Any) -> None:
    actor = make_cache(megabytes=0.02)
    for threshold in range(20, 60):
        get(actor, *cache_keys.keys_of_scenario(scenario(mascal_threshold=threshold), ("care",)))
    figures = stats(actor).namespaces["configuration"]
    assert figures.bytes <= figures.limit_bytes < 6_000
    assert figures.evictions >= 10
    assert figures.values + figures.evictions == 40


def test_a_second_cluster_finds_the_values_of_the_first_in_redis(
    make_cache: Any, server: Server | Lent
) -> None:
    import ray

    wanted = cache_keys.keys_of_scenario(scenario(), cache_keys.SIMULATION_KINDS + cache_keys.TEXT_KINDS)
    tag = cache.scenario_tag("coin")
    first, second = make_cache(redis_url=server.url), make_cache(redis_url=server.url)
    get(first, *wanted, tags=(tag,))
    until = time.monotonic() + WAIT
    while totals(first, "computed") < len(wanted) or server.client.dbsize() < 2 * len(wanted) + 1:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert complete(get(second, *wanted, tags=(tag,)))
    assert totals(second, "from_redis") == len(wanted)
    assert totals(second, "computed") == 0
    assert stats(second).redis == "ok"
    while server.client.pubsub_numsub(CHANNEL)[0][1] < 2:
        assert time.monotonic() < until, "the clusters do not listen"
        time.sleep(0.05)
    assert ray.get(first.invalidate.remote([tag]), timeout=WAIT) == len(wanted)
    while totals(second, "values"):
        assert time.monotonic() < until, "the second cluster did not hear of it"
        time.sleep(0.05)
    assert server.client.keys("goldenhour:value:*") == []


def test_damaged_values_in_redis_are_computed_again(make_cache: Any, server: Server | Lent) -> None:
    (key,) = cache_keys.keys_of_scenario(scenario(), ("care",))
    name = f"goldenhour:value:configuration:{key.key}"
    server.client.set(name, b"\0" * 500)
    actor = make_cache(redis_url=server.url)
    client = cache.SharedCache(actor)
    (value,) = client.get([key], WAIT)
    assert value.tobytes() == cache_keys.build_value(key.kind, key.inputs).tobytes()
    assert "no valid signature" in (client.fault or "")
    until = time.monotonic() + WAIT
    while server.client.get(name) == b"\0" * 500:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("failure", ["kill", "freeze"])
def test_losing_redis_during_a_run_causes_one_note_and_changes_no_byte(
    failure: str,
    without: bytes,
    server: Server | Lent,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOLDENHOUR_CACHE", "on")
    monkeypatch.setenv("GOLDENHOUR_REDIS_URL", server.url)
    cache.end_cache()
    lost = threading.Event()

    def report(progress: Progress) -> None:
        if progress.phase == "running" and not lost.is_set():
            lost.set()
            getattr(server, failure)()

    try:
        result = run_scenario(run_of_drones(tmp_path), report)
    finally:
        cache.end_cache()
    assert lost.is_set()
    assert (tmp_path / "manifest.json").read_bytes() == without
    assert len(result.notes) == 1
    assert "Redis" in result.notes[0]


def test_a_killed_cache_counts_as_a_miss_and_the_next_run_starts_another(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = cache.start_cache(CacheSettings())
    client = cache.SharedCache(actor)
    wanted = cache_keys.keys_of_scenario(scenario(), cache_keys.SIMULATION_KINDS)
    sent = pickle.dumps(client)
    assert complete(pickle.loads(sent).get(wanted, WAIT))
    psutil.Process(stats(actor).pid).kill()
    until = time.monotonic() + WAIT
    while cache.find_cache() is not None:
        assert time.monotonic() < until
        time.sleep(0.05)
    # Ray cannot unpickle a handle when the actor and the driver that created it are gone.
    assert b"ActorHandle" not in sent
    assert b"ActorHandle" in pickle.dumps([actor])
    assert pickle.loads(sent).get(wanted) == [None] * len(wanted)
    assert client.get(wanted) == [None] * len(wanted)
    assert client.get_or_build(scenario(), cache_keys.SIMULATION_KINDS) == {}
    monkeypatch.setenv("GOLDENHOUR_CACHE", "on")
    result = run_scenario(request(tmp_path / "out"))
    assert (result.patients, result.notes) == (3000, ())
    assert cache.find_cache() is not None
    assert cache.end_cache() == 1


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "goldenhour", *arguments],
        env={**os.environ, **environment},
        cwd=package_root.PACKAGE_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )


def test_measures_on_a_cluster_are_simulated_once_and_counted_by_cache_stats(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.end_cache()  # the command starts another, which counts from 0
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path))
    address = ray.get_runtime_context().gcs_address
    asked = ("measures", "coin", "--patients", "321", "--address", address, "--json")
    printed = command(*asked)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["patients"] == 321
    written = scenario_api.parse(scenarios.builtin_bytes("coin"), "toml", "coin")
    s = scenario_api.resolve(scenario_api.with_overrides(written, total=321))
    (found,) = get(cache.find_cache(), cache_keys.key_of_measures(s, s.seed, 0))
    assert msgspec.json.decode(found) == json.loads(printed.stdout)
    shown = json.loads(command("cache", "stats", "--address", address, "--json").stdout)
    figures = shown["cache"]["namespaces"]["computation"]
    assert (figures["hits"], figures["misses"], figures["rate"]) == (1, 1, 0.5)
    assert command("cache", "clear", "--address", address).returncode == 0
    assert cache.find_cache() is None
