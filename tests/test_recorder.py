"""Recording runs: the database shows how each run ended, whatever happens to the database meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from databases import ask, connections, content, empty, experiment, registration, running, sql
from msgspec.structs import replace
from runs import children, digests, request

from actors import cache
from actors.cluster import package_root, session
from actors.run import Progress, RunResult, recorder, run_scenario
from actors.store import DRIVERS, Database, ExperimentDetail, Heartbeat, Server, get_or_create_shared_store
from engine.errors import Interrupted, RunError, StoreError
from engine.precomputed import cache_keys


@pytest.fixture(scope="module")
def server(data_folder: Path) -> Iterator[Server]:
    """The server of all tests of the module."""
    with running(data_folder, "recorder") as server:
        yield server


@pytest.fixture
def where(server: Server) -> Database:
    """An empty database of the server."""
    return empty(server)


@pytest.fixture
def embedded(server: Server) -> Database:
    """The server's own, embedded database."""
    return Database(folder=server.folder)


def rows(where: Database) -> list[dict[str, Any]]:
    return ask(where, lambda store: store.runs())


def only(where: Database) -> dict[str, Any]:
    """The one run in the database, with its measures."""
    (row,) = rows(where)
    found = ask(where, lambda store: store.run(row["id"]))
    assert found is not None
    return found


class During:
    """A progress report that calls a function once, as soon as patients are written.

    A short run may report its first patients in its last phase.
    """

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do
        self.done = threading.Event()

    def __call__(self, progress: Progress) -> None:
        if progress.patients and not self.done.is_set():
            self.done.set()
            self._do()


def slow(progress: Progress) -> None:
    """A progress report that slows the run down."""
    if progress.phase == "running":
        time.sleep(0.05)


def test_a_run_is_recorded_with_its_measures(where: Database, tmp_path: Path) -> None:
    recorded = registration(name="mine", settings={"workers": 0})
    result = recorder.run_recorded(request(tmp_path / "out", workers=0), recorded, where)
    row = only(where)
    assert (row["id"], row["name"], row["state"]) == (recorded.id, "mine", "succeeded")
    assert (row["patients"], row["fraction"], row["error"]) == (3000, 1.0, None)
    assert row["measures"] == result.measures == json.loads((tmp_path / "out/summary.json").read_bytes())
    assert row["created_at"] <= row["started_at"] <= row["ended_at"]


def test_a_failed_run_is_recorded_with_the_reason(where: Database, tmp_path: Path) -> None:
    asked = request(tmp_path / "out", workers=0)
    asked = replace(asked, scenario=replace(asked.scenario, days="eight"))
    with pytest.raises(Exception, match=r"days|str"):
        recorder.run_recorded(asked, registration(), where)
    row = only(where)
    assert row["state"] == "failed"
    assert row["error"]


def test_a_run_that_another_user_cancels_stops_within_five_seconds(where: Database, tmp_path: Path) -> None:
    recorded = registration()
    cancelled = []

    def cancel() -> None:
        ask(where, lambda store: store.cancel_run(recorded.id, "bert@there"))
        cancelled.append(time.monotonic())

    def report(progress: Progress) -> None:
        during(progress)
        slow(progress)

    during = During(lambda: threading.Thread(target=cancel).start())
    with pytest.raises(Interrupted, match="cancelled by bert@there"):
        recorder.run_recorded(
            request(tmp_path / "out", workers=0, patients=20_000_000), recorded, where, report
        )
    assert time.monotonic() - cancelled[0] < 5
    assert not (tmp_path / "out" / "manifest.json").exists()
    row = only(where)
    assert (row["state"], row["cancelled_by"]) == ("cancelled", "bert@there")


COMMAND = ("--patients", "20000000", "--workers", "0", "--quiet")


def started(where: Database, output: Path, *more: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Start `goldenhour run` in a process of its own; return it and its row once patients are written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "goldenhour", "run", "standard", "-o", str(output), *COMMAND, *more],
        stderr=subprocess.PIPE,
        cwd=package_root.PACKAGE_ROOT,
        env={**os.environ, "GOLDENHOUR_DATABASE_URL": str(where.url)},
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while time.monotonic() < until:
        found = [row for row in rows(where) if row["patients"]]
        if found:
            return process, found[0]
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.kill()
    raise AssertionError("no patients")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_or_terminated_run_is_recorded_as_cancelled(
    where: Database, tmp_path: Path, number: signal.Signals
) -> None:
    process, _ = started(where, tmp_path / "out")
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert only(where)["state"] == "cancelled"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_in_a_destructor_stops_the_experiment_at_its_next_report() -> None:
    class Interrupting:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    made = experiment()
    with (
        pytest.raises(Interrupted, match="stopped; finished replications are kept"),
        recorder.recorded(made, None) as record,
    ):
        record.report(ExperimentDetail(points=4))
        Interrupting()
        record.report(ExperimentDetail(points=4))


def test_a_killed_run_becomes_resumable_within_thirty_seconds(where: Database, tmp_path: Path) -> None:
    process, _ = started(where, tmp_path / "out")
    process.kill()
    process.communicate()
    until = time.monotonic() + 30
    while rows(where)[0]["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.25)
    row = only(where)
    assert row["state"] == "resumable"
    assert "no sign of life" in row["error"]


def test_an_unreachable_server_ends_the_run_before_it_starts(tmp_path: Path) -> None:
    nowhere = Database(folder=tmp_path, url="postgresql://me:secret@127.0.0.1:1/x")
    with pytest.raises(StoreError, match=r"GOLDENHOUR_DATABASE_URL \(postgresql://me:...@127.0.0.1:1/x\)"):
        recorder.run_recorded(request(tmp_path / "out", workers=0), registration(), nowhere)
    assert not (tmp_path / "out").exists()


def test_without_an_embedded_server_the_run_continues_after_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(server: Server) -> None:
        raise StoreError("the embedded PostgreSQL did not start: no reason given")

    monkeypatch.setattr(Server, "open", fail)
    messages: list[str] = []
    where = Database(folder=tmp_path / "data")
    result = recorder.run_recorded(
        request(tmp_path / "out", workers=0, patients=20_000), registration(), where, notify=messages.append
    )
    assert result.patients == 20_000
    assert messages == [
        "the embedded PostgreSQL did not start: no reason given; the run continues without a record"
    ]


def test_a_server_killed_during_a_run_is_started_again_and_the_record_is_complete(
    server: Server, embedded: Database, tmp_path: Path
) -> None:
    recorded = registration()
    owner = server.owner()
    assert owner is not None

    def report(progress: Progress) -> None:
        killing(progress)
        slow(progress)

    killing = During(owner.kill)
    before = len(rows(embedded))
    recorder.run_recorded(request(tmp_path / "out", workers=0, patients=60_000), recorded, embedded, report)
    assert killing.done.is_set()
    assert server.owner() != owner
    found = [row for row in rows(embedded) if row["id"] == recorded.id]
    assert [row["state"] for row in found] == ["succeeded"]
    assert len(rows(embedded)) == before + 1


def test_the_next_run_records_the_end_of_a_run_that_could_not_be_recorded(
    server: Server, where: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "END_SECONDS", 1.0)
    recorded, messages = registration(), list[str]()

    def hide() -> None:
        until = time.monotonic() + 60
        while not rows(where):
            assert time.monotonic() < until
            time.sleep(0.05)
        sql(where, "ALTER TABLE runs RENAME TO hidden")

    refuse = During(hide)
    recorder.run_recorded(
        request(tmp_path / "one", workers=0, patients=20_000), recorded, where, refuse, notify=messages.append
    )
    assert refuse.done.is_set()
    assert any("is saved in" in message for message in messages)
    sql(where, "ALTER TABLE hidden RENAME TO runs")
    assert only(where)["state"] in ("queued", "running")
    recorder.run_recorded(request(tmp_path / "two", workers=0, patients=100), registration(), where)
    states = {row["id"]: row["state"] for row in rows(where)}
    assert len(states) == 2
    assert states[recorded.id] == "succeeded"
    assert ask(where, lambda store: store.run(recorded.id))["measures"]["patients"] == 20_000  # type: ignore[index]


def test_the_end_of_a_run_that_an_earlier_version_saved_is_recorded(where: Database, tmp_path: Path) -> None:
    saved = registration()
    ending = {
        "registration": msgspec.to_builtins(saved),
        "state": "failed",
        "error": "the disk is full",
        "beat": {"id": str(saved.id), "phase": "running", "patients": 5, "bytes": 9},
    }
    path = where.folder / "unsaved" / where.key / f"{saved.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ending))
    recorder.run_recorded(request(tmp_path / "out", workers=0, patients=100), registration(), where)
    row = ask(where, lambda store: store.run(saved.id))
    assert row is not None
    assert (row["state"], row["error"], row["patients"]) == ("failed", "the disk is full", 5)
    assert not path.exists()


def test_a_saved_end_that_no_database_takes_does_not_keep_other_runs_from_it(
    where: Database, tmp_path: Path
) -> None:
    saved, messages = registration(), list[str]()
    ending = recorder.FinishedRun(registration=saved, state="failed", last=Heartbeat(id=saved.id, patients=0))
    folder = where.folder / "unsaved" / where.key
    folder.mkdir(parents=True, exist_ok=True)
    path, link = folder / f"{saved.id}.json", folder / "link.json"
    path.write_bytes(msgspec.json.encode(ending).replace(b'"patients":0', b'"patients":%d' % 2**63))
    link.symlink_to("/dev/zero")
    mine = registration()
    recorder.run_recorded(
        request(tmp_path / "out", workers=0, patients=100), mine, where, notify=messages.append
    )
    assert ask(where, lambda store: store.run(mine.id))["state"] == "succeeded"  # type: ignore[index]
    assert not path.exists()
    assert not link.is_symlink()
    assert any(f"run {saved.id} could not be recorded" in message for message in messages), messages


def test_a_driver_with_a_store_of_its_own_has_at_most_two_connections(
    server: Server, where: Database, tmp_path: Path
) -> None:
    seen: list[int] = []
    before = connections(server)

    def report(progress: Progress) -> None:
        seen.append(connections(server) - before)
        slow(progress)

    recorder.run_recorded(
        request(tmp_path / "out", workers=0, patients=60_000), registration(), where, report
    )
    assert 1 <= max(seen) <= 2


@pytest.mark.ray
def test_runs_on_one_ray_share_a_store_and_survive_its_death(
    server: Server, where: Database, tmp_path: Path
) -> None:
    recorded = [registration() for _ in range(3)]
    seen: list[int] = []
    before = connections(server)
    kill = threading.Lock()

    def report(progress: Progress) -> None:
        seen.append(connections(server) - before)
        if progress.phase == "running" and progress.patients and kill.acquire(blocking=False):
            for process in children("ray::SharedStore"):
                process.kill()
                killed.append(process)

    killed: list[psutil.Process] = []
    with session.start_session(None, workers=1):

        def one(number: int) -> RunResult:
            asked = request(tmp_path / str(number), seed=number, patients=20_000)
            return recorder.run_recorded(asked, recorded[number], where, report)

        with ThreadPoolExecutor(3) as threads:
            results = list(threads.map(one, range(3)))
        assert len(killed) == 1
        store = get_or_create_shared_store(where)
        import ray

        status = ray.get(store.run_status.remote(recorded[0].id), timeout=60)
        assert status["state"] == "succeeded"
        assert ray.get(store.key.remote(), timeout=60) == where.key
    assert [result.patients for result in results] == [20_000] * 3
    assert {row["id"]: row["state"] for row in rows(where)} == {run.id: "succeeded" for run in recorded}
    assert max(seen) <= 10
    run_scenario(request(tmp_path / "lone", seed=1, patients=20_000, workers=0))
    assert digests(tmp_path / "lone") == digests(tmp_path / "1")


@pytest.mark.ray
def test_the_clusters_cache_is_notified_of_changed_scenarios(where: Database, tmp_path: Path) -> None:
    with session.start_session(None, workers=1):
        import ray

        cache_actor = cache.start_cache(cache.CacheSettings())
        asked = request(tmp_path / "out", patients=2000)
        recorder.run_recorded(asked, registration(), where)

        def values() -> int:
            stats = ray.get(cache_actor.stats.remote(), timeout=60)
            return sum(figures.values for figures in stats.namespaces.values())

        ray.get(cache_actor.warm_builtins.remote(), timeout=120)
        before = values()
        other = replace(
            asked.scenario, fronts=[replace(f, name="Elsewhere") for f in asked.scenario.fronts[:1]]
        )
        ray.get(
            cache_actor.get.remote(
                cache_keys.keys_of_scenario(other, cache_keys.SIMULATION_KINDS), ["scenario:mine"]
            ),
            timeout=60,
        )
        assert values() > before
        ray.get(
            get_or_create_shared_store(where).add_scenario.remote("mine", content("mine"), "test"), timeout=60
        )
        until = time.monotonic() + 60
        while values() > before:
            assert time.monotonic() < until
            time.sleep(0.1)
        cache.end_cache()


@pytest.mark.ray
def test_a_run_is_not_recorded_by_a_cluster_that_uses_another_database(
    server: Server, where: Database, tmp_path: Path
) -> None:
    messages: list[str] = []
    with session.start_session(None, workers=1):
        recorder.run_recorded(request(tmp_path / "one", patients=100), registration(), where)
        other = empty(server)
        result = recorder.run_recorded(
            request(tmp_path / "two", patients=100), registration(), other, notify=messages.append
        )
    assert result.patients == 100
    assert len(messages) == 1
    assert "another database" in messages[0]
    assert len(rows(where)) == 1


def test_a_failed_run_releases_its_driver_slot(where: Database, tmp_path: Path) -> None:
    for number in range(DRIVERS + 1):
        with pytest.raises(RunError):
            recorder.run_recorded(
                request(tmp_path / "file" / "out", workers=0, patients=1 + number),
                registration(content=content()),
                Database(folder=tmp_path / "data", url=where.url),
                report=lambda progress: (_ for _ in ()).throw(RunError("no")),
            )
