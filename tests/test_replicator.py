"""Replications of many points: the values depend on points and requests alone, and nothing finished is done again."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import effects as x
import msgspec
import psutil
import pytest
from runs import children

import goldenhour
import scenarios
from actors.cache import CacheSettings, LocalCache, disk_backend
from actors.cache.disk_backend import DiskBackend
from actors.cluster import session
from actors.experiments import (
    FinishedBatch,
    Point,
    ReplicationProgress,
    Replicator,
    Request,
    batches,
    pace,
    replicator,
)
from actors.experiments.tasks import LARGE_BYTES
from engine.errors import RunError
from engine.precomputed import key_of_replications
from engine.run import cut_replications, join_replications, replicate
from engine.scenario import Scenario, parse, resolve, with_overrides
from goldenhour import point_driver

REQUESTS = [
    *(Request(0, 0, 60), Request(1, 3, 8), Request(2, 30, 31), Request(3, 0, 5), Request(4, 0, 5)),
    Request(5, 20, 30),
]
"""Parts of batches, several batches, and points that go into one task."""


def resolved(name: str = "coin", days: int | None = None) -> Scenario:
    return resolve(with_overrides(parse(scenarios.builtin_bytes(name), "toml", name), days=days))


def points() -> list[Point]:
    return [*(Point(resolved(days=days), 7) for days in (1, 2, 3, 4, 5)), Point(resolved("brigade", 2), 7)]


class OnDemand:
    """Points that are made when they are read; `read` has their numbers in that order."""

    def __init__(self, make: Callable[[int], Point], count: int) -> None:
        self._make, self._count = make, count
        self.read: list[int] = []

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int, /) -> Point:
        self.read.append(number)
        return self._make(number)


def content(found: Iterator[FinishedBatch]) -> dict[tuple[int, int, int], tuple[object, ...]]:
    """Return the bytes of each batch by point, first and size."""
    return {
        (point, *batch): (
            each.names,
            each.values.tobytes(),
            None if each.given is None else each.given.tobytes(),
        )
        for point, batch, each in found
    }


def busy() -> list[psutil.Process]:
    """Return the processes that simulate replications at the moment."""
    return children("ray::goldenhour.simulate_replications") or children("ray::simulate_orders")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalCache:
    replicate(resolved(days=1), 1, 0, 1)  # what it needs is compiled in the usual folder
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path))
    return LocalCache(CacheSettings())


def test_a_stream_has_every_replication_that_is_asked_for_once() -> None:
    found = list(Replicator(points(), None).stream(REQUESTS))
    numbers = [
        (point, number)
        for point, batch, _ in found
        for number in range(batch.first, batch.first + batch.size)
    ]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) == {
        (point, number) for point, first, stop in REQUESTS for number in range(first, stop)
    }
    for point, batch, each in found:
        expected = replicate(points()[point].scenario, 7, batch.first, batch.size)
        assert each.names == expected.names
        assert each.values.tobytes() == expected.values.tobytes()


def test_points_are_read_when_their_turn_comes() -> None:
    lazy = OnDemand(lambda number: Point(resolved(days=1), number), 1_000_000_000)
    stream = Replicator(lazy, None).stream([Request(number, 0, 2) for number in (999_999_999, 5, 7)])
    assert lazy.read == []
    next(stream)
    assert lazy.read == [999_999_999]
    assert len(list(stream)) == 2
    assert lazy.read == [999_999_999, 5, 7]


def test_replications_that_are_cut_out_are_those_simulated_alone() -> None:
    scenario = resolved("brigade", days=1)
    whole = replicate(scenario, 1, 0, 12)
    for begin, end in ((0, 12), (0, 1), (4, 6), (11, 12)):
        cut, alone = cut_replications(whole, begin, end), replicate(scenario, 1, begin, end - begin)
        assert cut.names == alone.names
        assert cut.values.tobytes() == alone.values.tobytes()
    assert len(cut_replications(whole, 0, 1).names) < len(whole.names)
    assert join_replications([whole]).names == whole.names


def test_only_replications_that_are_new_are_simulated(
    cache: LocalCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = resolved(days=2)
    reports: list[ReplicationProgress] = []
    simulated: list[int] = []
    original = replicator.simulate_order

    def simulate_order(order: object, compiled: object) -> Iterator[bytes]:
        simulated.extend(
            number for batch in order.batches for number in range(batch.first, batch.first + batch.size)
        )
        return original(order, compiled)

    monkeypatch.setattr(replicator, "simulate_order", simulate_order)

    def ask(first: int, stop: int) -> dict[tuple[int, int, int], tuple[object, ...]]:
        simulated.clear()
        found = Replicator([Point(scenario, 7)], cache, on_progress=reports.append).stream(
            [Request(0, first, stop)]
        )
        return content(found)

    ask(0, 5)
    assert simulated == [*range(5)]
    ask(0, 12)
    assert simulated == [*range(5, 12)]
    assert reports[-1] == ReplicationProgress(12, 12, 5)
    ask(2, 9)
    assert simulated == []
    assert reports[-1] == ReplicationProgress(7, 7, 7)
    asked = ask(3, 60)
    assert simulated == [*range(12, 60)]
    assert asked == content(Replicator([Point(scenario, 7)], None).stream([Request(0, 3, 60)]))
    assert ask(0, 1) == content(Replicator([Point(scenario, 7)], None).stream([Request(0, 0, 1)]))
    assert ask(0, 25).keys() == {(0, 0, 25)}


@pytest.mark.parametrize("label", ["", "without ambulances"])
def test_an_error_names_point_and_replication_and_what_is_finished_is_kept(
    cache: LocalCache, label: str
) -> None:
    stuck = x.settings_of(
        40,
        facilities=[{"id": "R1", "role": 1, "policy_days": 0.0}, {"id": "R2", "role": 2}],
        links=[
            {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
            {"origin": "R1", "destination": "R2", "minutes": x.constant(60.0), "vehicle": "pool"},
        ],
        vehicles=[{"id": "pool", "kind": "ambulance_standard", "number": 2, "litters": 1, "loss": 1.0}],
    )
    bad = resolve(parse(msgspec.json.encode(stuck), "json"))
    two = [Point(resolved(days=1), 1), Point(bad, 1, label)]
    with pytest.raises(RunError, match=rf"^{label or 'point 1'}, replication 0: .*deadlock"):
        list(Replicator(two, cache).stream([Request(0, 0, 3), Request(1, 0, 6)]))
    key = key_of_replications(two[0].scenario, 1, 0, 25)
    assert len(cache.get(key).values) == 3


def test_writing_many_values_does_not_count_the_files_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(disk_backend, "DISK_VALUES", 64)
    counted: list[int] = []
    original = DiskBackend._files

    def files(self: DiskBackend, namespaces: Sequence[str]) -> object:
        counted.append(1)
        return original(self, namespaces)

    monkeypatch.setattr(DiskBackend, "_files", files)
    disk, scenario = DiskBackend(), resolved(days=1)
    keys = [key_of_replications(scenario, 1, number, 1) for number in range(300)]
    for key in keys:
        disk.put([(key, b"value")], ())
        assert len([*tmp_path.rglob("*.value")]) <= 64
    assert len(counted) < 300
    assert disk.get(keys[-3:]) == [b"value"] * 3
    assert disk.get(keys[:3]) == [None] * 3


# --- on Ray


@pytest.fixture(scope="module")
def two_workers() -> Iterator[None]:
    """One local Ray for all tests that need one."""
    with session.start_session(None, workers=2):
        yield


@pytest.mark.ray
@pytest.mark.usefixtures("two_workers")
def test_values_do_not_depend_on_workers_tasks_cache_or_on_killed_and_stalled_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = content(Replicator(points(), None).stream(REQUESTS))
    killed: list[int] = []

    def kill(progress: ReplicationProgress) -> None:
        for each in busy()[:1] if len(killed) < 2 else []:
            if each.pid not in killed:
                killed.append(each.pid)
                each.kill()

    assert content(Replicator(points(), None, 1).stream(REQUESTS)) == expected
    monkeypatch.setattr(pace, "TASK_SECONDS", 0.0)
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path))  # of this process, not of the workers
    cache = LocalCache(CacheSettings())
    assert content(Replicator(points(), cache, 2, kill).stream(REQUESTS)) == expected
    assert killed
    reports: list[ReplicationProgress] = []
    assert content(Replicator(points(), cache, 2, reports.append).stream(REQUESTS)) == expected
    assert reports[-1].cached == reports[-1].done == 86
    monkeypatch.setattr(replicator, "STALLED_SECONDS", 0.5)
    monkeypatch.setattr(replicator, "STALLED_TIMES", 0.0)
    stopped: list[psutil.Process] = []

    def stop(progress: ReplicationProgress) -> None:
        for each in [] if stopped else busy()[:1]:
            each.suspend()
            stopped.append(each)

    assert content(Replicator(points(), None, 2, stop).stream(REQUESTS)) == expected
    for each in stopped:
        each.kill()
    assert stopped


@pytest.mark.ray
@pytest.mark.usefixtures("two_workers")
def test_a_stream_that_is_closed_leaves_nothing_at_work() -> None:
    stream = Replicator(points(), None, 2).stream([Request(0, 0, 100_000)])
    assert next(stream).point == 0
    stream.close()  # as Ctrl-C does
    until = time.monotonic() + 60
    while busy():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.ray
@pytest.mark.usefixtures("two_workers")
def test_the_bytes_do_not_depend_on_the_workers_and_a_large_scenario_is_sent_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setenv("GOLDENHOUR_CACHE", "off")
    monkeypatch.setattr(point_driver, "CHECK_SECONDS", 0.0)  # everything is simulated on Ray
    small = {
        "scenario": "coin",
        "days": 3,
        "factors": [{"path": "triage_accuracy", "levels": [0.6, 0.8, 1.0]}],
        "replications": {"count": 12},
        "results": {"measures": ["deaths", "surgery"]},
    }
    days = {
        "scenario": "coin",
        "factors": [{"path": "days", "levels": [1, 10, 30]}],
        "constraints": [{"measure": "patients", "at_least": 40, "probability": 0.9}],
    }
    listed = "".join(f"{1 + n // 400},{n % 24:02}:{n % 60:02},1\n" for n in range(800))
    large = {
        "scenario": {"extends": "coin", "days": 2, "incidents": [{"csv": f"day,time,number\n{listed}"}]},
        "factors": [{"path": "triage_accuracy", "levels": [0.6, 1.0]}],
        "replications": {"count": 4},
        "results": {"measures": ["deaths", "patients"]},
    }
    sizes: list[int] = []
    put = ray.put

    def counted(value: bytes) -> Any:
        sizes.append(len(value))
        return put(value)

    monkeypatch.setattr(ray, "put", counted)

    def written(workers: int) -> list[dict[str, bytes]]:
        """The files of an experiment and of an optimisation."""
        folders = tmp_path / f"small {workers}", tmp_path / f"days {workers}"
        goldenhour.experiment(small, workers, output=folders[0])
        assert goldenhour.optimise(days, workers, output=folders[1]).best is not None
        return [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]

    assert written(0) == written(1) == written(2)
    assert sizes == []
    here = goldenhour.experiment(large)
    monkeypatch.setattr(batches, "MOST_REPLICATIONS", 2)
    monkeypatch.setattr(pace, "TASK_SECONDS", 0.0)  # a task for each batch
    there = goldenhour.experiment(large, workers=2)
    assert here.to_pandas().equals(there.to_pandas())
    assert len(sizes) == 2
    assert min(sizes) > LARGE_BYTES
