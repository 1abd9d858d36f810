"""Many runs on one database: bytes, connections, latency."""

import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg_pool
from psycopg.conninfo import make_conninfo

from actors.cluster import package_root, session
from actors.run import Progress, RunRequest, recorder, run_scenario
from actors.store import get_or_create_shared_store
from bench import store_ground
from bench.figures import Figure, at_least, at_most, exactly
from bench.store_ground import Ground
from engine.errors import Interrupted

PATIENTS = 10_000
KINDS = ("conventional", "artillery", "urban", "guerrilla", "drone")
NAMES = tuple(name for kind in KINDS for name in (kind, "standard"))
"""Five warfare types alternating with `standard`."""

SAMPLES = 1_000
WARM_UP = 50
ROUNDS = 3
"""Rounds in which both calls are sampled in turn, so that a short disturbance affects a third of the samples."""

UNDER_WAY = 50_000
"""Patients that each run has written before the first sample; by then the one-time work of a run is done."""


def together() -> Iterator[Figure]:
    """Carry out ten runs through one store and compare bytes, rows and connections; then with one pool for each run."""
    with store_ground.ground() as place, session.start_session(None, workers=1):
        lone = [_lone(place, number) for number in range(len(NAMES))]
        requests = [_request(place, number, "all") for number in range(len(NAMES))]
        entered = [store_ground.registration(asked) for asked in requests]
        with store_ground.Eye(place) as eye, ThreadPoolExecutor(len(NAMES)) as threads:
            list(
                threads.map(
                    lambda asked, run: recorder.run_recorded(asked, run, place.where), requests, entered
                )
            )
        states = place.sql("SELECT state, count(*) FROM runs GROUP BY 1")
        yield exactly("states of the ten runs", dict(states), {"succeeded": 10})
        equal = sum(store_ground.digest(asked.output) == lone[n] for n, asked in enumerate(requests))
        yield exactly("runs equal to the same run alone, all files", equal, 10)
        rows = dict(place.sql("SELECT r.id, c.hash FROM runs r JOIN contents c USING (digest)"))
        right = sum(
            rows.get(run.id) == _manifest_hash(asked.output) == run.content.hash
            for run, asked in zip(entered, requests, strict=True)
        )
        yield exactly("5 warfare + 5 standard: rows and files of the scenario asked for", right, 10)
        yield at_most(f"connections, the most of {eye.samples:,} samples", eye.most, 10)
        naive = _naive(place)
        yield Figure(
            "connections with a pool for each run (psycopg's defaults)", str(naive), "for comparison", True
        )
        yield at_least(
            "fewer connections than with a pool for each run", 100 * (1 - eye.most / naive), 70, "%"
        )


def _request(place: Ground, number: int, folder: str, **settings: Any) -> RunRequest:
    output = place.base / folder / str(number)
    return store_ground.request(output, NAMES[number], number + 1, PATIENTS, **settings)


def _lone(place: Ground, number: int) -> str:
    asked = _request(place, number, "lone", workers=0)
    run_scenario(asked)
    return store_ground.digest(asked.output)


def _manifest_hash(folder: Path) -> str:
    import msgspec

    manifest = folder / "manifest.json"
    return (
        str(msgspec.json.decode(manifest.read_bytes())["scenario_hash"]) if manifest.exists() else "missing"
    )


def _naive(place: Ground) -> int:
    """Return the maximum of connections when each run writes its progress through its own pool."""
    conninfo = make_conninfo(**place.where.conninfo())

    def one(number: int) -> None:
        last = 0.0
        with psycopg_pool.ConnectionPool(conninfo, kwargs={"autocommit": True}, open=True) as pool:

            def report(progress: Progress) -> None:
                nonlocal last
                if time.monotonic() - last > 1.0:
                    last = time.monotonic()
                    with pool.connection() as connection:
                        connection.execute(
                            "UPDATE runs SET rate = %s WHERE seed = %s", (progress.fraction, number + 1)
                        )

            run_scenario(_request(place, number, "naive"), report)

    with store_ground.Eye(place) as eye, ThreadPoolExecutor(len(NAMES)) as threads:
        list(threads.map(one, range(len(NAMES))))
    return eye.most


def processes() -> Iterator[Figure]:
    """Carry out ten runs as processes, each with its own Ray and store, on one database."""
    with store_ground.ground() as place:
        lone = [_lone(place, number) for number in range(len(NAMES))]
        environment = {**os.environ, "GOLDENHOUR_DATA_DIR": str(place.where.folder)}
        environment.pop("GOLDENHOUR_DATABASE_URL", None)
        outputs = [place.base / "process" / str(number) for number in range(len(NAMES))]
        with store_ground.Eye(place) as eye:
            begun = [
                subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "goldenhour",
                        "run",
                        name,
                        "--seed",
                        str(number + 1),
                        "--workers",
                        "1",
                    ]
                    + ["--patients", str(PATIENTS), "--quiet", "-o", str(outputs[number])],
                    cwd=package_root.PACKAGE_ROOT,
                    env=environment,
                )
                for number, name in enumerate(NAMES)
            ]
            try:
                codes = [process.wait(timeout=900) for process in begun]
            finally:
                for process in begun:
                    process.kill()
                    process.wait()
        yield exactly("exit codes", sorted(codes), [0] * 10)
        equal = sum(store_ground.digest(output) == lone[n] for n, output in enumerate(outputs))
        yield exactly("runs equal to the same run alone, all files", equal, 10)
        yield exactly(
            "states of the ten runs",
            dict(place.sql("SELECT state, count(*) FROM runs GROUP BY 1")),
            {"succeeded": 10},
        )
        yield at_most(f"connections, the most of {eye.samples:,} samples", eye.most, 20)
        yield exactly("connections afterwards", store_ground.settled(place.connections, 0), 0)


class Caller:
    """An actor that calls the store and measures the time."""

    def measure(self, handle: Any, method: str, *arguments: Any, samples: int = SAMPLES) -> list[float]:
        """Return the times of `samples` consecutive calls in milliseconds."""
        import ray

        times = []
        for number in range(WARM_UP + samples):
            begin = time.perf_counter()
            found = ray.get(getattr(handle, method).remote(*arguments), timeout=60)
            if number >= WARM_UP:
                times.append(1000 * (time.perf_counter() - begin))
            assert found is not None
            time.sleep(0.002)
        return times


def latency() -> Iterator[Figure]:
    """Call the store actor from another process while two runs generate patients."""
    import ray

    with store_ground.ground() as place, session.start_session(None, session.default_workers()):
        handle = get_or_create_shared_store(place.where)
        text = store_ground.registration(store_ground.request(Path("x"), "brigade", 1, 1000)).content
        ray.get(handle.add_scenario.remote("mine", text, "bench"), timeout=60)
        caller = ray.remote(Caller).options(num_cpus=0).remote()
        ray.get(caller.measure.remote(handle, "key", samples=0), timeout=60)
        runs: list[uuid.UUID] = []
        moving = [threading.Event(), threading.Event()]
        patients = [0, 0]

        def generate(number: int) -> None:
            asked = store_ground.request(place.base / str(number), "standard", number, 20_000_000)
            entered = store_ground.registration(asked)
            runs.append(entered.id)

            def report(progress: Progress) -> None:
                patients[number] = progress.patients
                if progress.patients >= UNDER_WAY:
                    moving[number].set()

            try:
                recorder.run_recorded(asked, entered, place.where, report)
            except Interrupted:
                stopped.append(time.monotonic())

        stopped: list[float] = []
        threads = [threading.Thread(target=generate, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for event in moving:
            event.wait(300)
        before = list(patients)
        looked_up: list[float] = []
        status: list[float] = []
        for _ in range(ROUNDS):
            looked_up += ray.get(caller.measure.remote(handle, "scenario", "mine"), timeout=600)
            status += ray.get(caller.measure.remote(handle, "run_status", runs[0]), timeout=600)
        generated = [after - then for after, then in zip(patients, before, strict=True)]
        begin = time.monotonic()
        for run in runs:
            ray.get(handle.cancel_run.remote(run, "bench"), timeout=60)
        for thread in threads:
            thread.join(60)
        yield at_least("patients the two runs generated meanwhile, the fewer", min(generated), 1)
        for name, times, limit in (("scenario look-up", looked_up, 10.0), ("run status", status, 20.0)):
            yield Figure(f"{name}, median of {len(times):,}", f"{statistics.median(times):.2f} ms", "", True)
            yield at_most(f"{name}, 99th percentile", _percentile(times, 99), limit, "ms")
        yield at_most("a cancelled run has stopped after", max(stopped, default=1e9) - begin, 5, "s")


def _percentile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1]
