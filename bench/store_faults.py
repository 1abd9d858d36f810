"""Faults during runs: the database is restarted, killed or full, the store is killed. And a thousand stores in a
row.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import psycopg
from msgspec.structs import replace

from actors.cluster import session
from actors.run import Progress, RunRequest, recorder, run_scenario
from actors.store import ConfigStore
from bench import store_ground
from bench.figures import Figure, at_most, exactly
from bench.store_ground import Ground

RUNS, PATIENTS = 4, 60_000
PAUSE_SECONDS = 0.1
"""Pause at each progress report, so that the runs last until the fault has occurred."""

FULL_SECONDS = 4.0
CYCLES = 1_000


def faults() -> Iterator[Figure]:
    """Inject four kinds of faults, each during four new runs."""
    kinds: tuple[tuple[str, Callable[[Ground], None]], ...] = (
        ("PostgreSQL restarted", lambda place: place.server.stop()),
        ("PostgreSQL killed -9", _kill_server),
        ("out of connections", _take_all_connections),
        ("store actor killed", lambda place: _kill_store()),
    )
    with store_ground.ground() as place, session.start_session(None, workers=2):
        lone = store_ground.request(place.base / "lone", "standard", 1, PATIENTS, workers=0)
        run_scenario(lone)
        expected = store_ground.digest(lone.output)
        _through(place, "warm", None)
        before = store_ground.settled(place.connections, 2)
        yield Figure("connections at the start", str(before), "", True)
        for kind, fault in kinds:
            done, messages, requests = _through(place, kind, fault)
            yield exactly(f"{kind}: runs that finished", done, RUNS)
            states = place.sql(f"SELECT state, count(*) FROM runs WHERE who = '{kind}' GROUP BY 1")
            yield exactly(f"{kind}: rows by state, each run once", dict(states), {"succeeded": RUNS})
            equal = sum(store_ground.digest(asked.output) == expected for asked in requests)
            yield exactly(f"{kind}: runs equal to an undisturbed run", equal, RUNS)
            after = store_ground.settled(place.connections, before)
            yield at_most(f"{kind}: connections afterwards", after, before)
            yield Figure(f"{kind}: messages on the terminal", str(len(messages)), "", True)


def _through(
    place: Ground, kind: str, fault: Callable[[Ground], None] | None
) -> tuple[int, list[str], list[RunRequest]]:
    """Inject a fault during some runs; return how many succeeded, their messages and their requests."""
    messages: list[str] = []
    begun = threading.Barrier(RUNS + 1)
    over = threading.Event()
    requests = [
        store_ground.request(place.base / f"{kind} {number}", "standard", 1, PATIENTS)
        for number in range(RUNS)
    ]

    def one(asked: RunRequest) -> bool:
        waiting = [True]

        def report(progress: Progress) -> None:
            if progress.phase == "running" and progress.patients:
                if waiting:
                    waiting.clear()
                    begun.wait(300)
                if not over.is_set():
                    time.sleep(PAUSE_SECONDS)

        entered = replace(store_ground.registration(asked), who=kind)
        return (
            recorder.run_recorded(asked, entered, place.where, report, messages.append).patients == PATIENTS
        )

    with ThreadPoolExecutor(RUNS) as threads:
        futures = [threads.submit(one, asked) for asked in requests]
        begun.wait(300)
        if fault is not None:
            fault(place)
        over.set()
        done = sum(future.exception() is None and future.result() for future in futures)
    return done, messages, requests


def _kill_server(place: Ground) -> None:
    owner = place.server.owner()
    assert owner is not None
    owner.kill()
    psutil.wait_procs([owner], 30)


def _take_all_connections(place: Ground) -> None:
    taken = []
    until = time.monotonic() + FULL_SECONDS
    while time.monotonic() < until:
        try:
            taken.append(psycopg.connect(**place.where.conninfo()))
        except psycopg.OperationalError:
            time.sleep(0.01)
    for connection in taken:
        connection.close()


def _kill_store() -> None:
    for process in psutil.Process().children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith("ray::SharedStore"):
                process.kill()
        except psutil.Error:
            continue


def cycles() -> Iterator[Figure]:
    """Open, use and close one store after another."""

    async def work(place: Ground, count: int) -> None:
        for _ in range(count):
            store = ConfigStore(place.where.conninfo())
            await store.scenario("none")
            await store.close()

    with store_ground.ground() as place:
        asyncio.run(work(place, 10))
        before = store_ground.settled(place.connections, 0)
        files, memory = psutil.Process().num_fds(), psutil.Process().memory_info().rss
        begin = time.perf_counter()
        asyncio.run(work(place, CYCLES))
        took = time.perf_counter() - begin
        yield exactly(
            "connections afterwards, as before", store_ground.settled(place.connections, before), before
        )
        yield at_most("open files more than before", psutil.Process().num_fds() - files, 0)
        grown = (psutil.Process().memory_info().rss - memory) / 1e6
        yield at_most("memory more than before", grown, 20, "MB")
        yield Figure("milliseconds for a cycle", f"{1000 * took / CYCLES:.1f}", "", True)
