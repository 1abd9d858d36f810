"""Soak test: run after run on one Ray with store and cache, for minutes or hours, to detect growth.

`make soak MINUTES=3` runs it (MINUTES=60 for an hour). Every few seconds, between two runs, it prints a line: runs
done,
patients, memory of the driver, of the actors and generators and of Ray's daemons (only memory that is not backed by a
file, because other programs change how files are shared), open handles of all, processes, bytes in the object store,
connections to the database, and the hit rate of the cache since the start. The first third of the samples is warm-up. A
figure has grown if its median over the last third exceeds that over the second third by more than its allowance; then
the exit code is 1.
"""

import argparse
import itertools
import os
import shutil
import statistics
import sys
import time
from typing import Any, NamedTuple

import psutil

from actors import cache
from actors.cluster import memory, session
from actors.run import RunResult, recorder
from bench import results_file, store_ground
from goldenhour import __version__

RUNS = (
    ("standard", 20_000, ("jsonl",), 1),
    ("coin", 10_000, ("csv", "parquet"), 1),
    ("brigade", 5_000, ("msgpack", "json"), 2),
)
"""Runs that alternate: scenario, patients, formats, writers."""

SAMPLE_SECONDS = 5.0

SETTLE_SECONDS = 1.0
"""Time after a run in which Ray releases its objects and updates its resource report."""

STORE = "object_store_memory"


class Sample(NamedTuple):
    """The figures at one moment between two runs; sizes in MB."""

    seconds: float
    runs: int
    patients: int
    driver_mb: float
    workers_mb: float
    daemons_mb: float
    handles: int
    daemon_handles: int
    processes: int
    store_mb: float
    connections: int
    hit_percent: float


ALLOWED = {
    "driver_mb": (5.0, 0.05),
    "workers_mb": (15.0, 0.10),
    "daemons_mb": (15.0, 0.10),
    "handles": (10, 0.05),
    "processes": (1, 0.0),
    "store_mb": (2.0, 0.0),
    "connections": (2, 0.0),
}
"""How far a median may rise from the second third to the last: an absolute amount plus a share of itself. Handles of
Ray's daemons are not judged, because Ray's log monitor holds open the log of each ended actor, up to 200 files."""


def sample(begun: float, runs: int, patients: int, connections: int) -> Sample:
    """Measure this process, its descendants and the object store."""
    driver = psutil.Process()
    workers = daemons = 0
    handles, daemon_handles, processes = driver.num_fds(), 0, 1
    for process in driver.children(recursive=True):
        try:
            words = process.cmdline()
            open_handles = process.num_fds()
        except psutil.Error:
            continue
        processes += 1
        size = memory.anonymous_pss_bytes(process.pid)
        if words and words[0].startswith("ray::") and "Agent" not in words[0]:
            workers += size
            handles += open_handles
        else:
            daemons += size
            daemon_handles += open_handles
    return Sample(
        seconds=round(time.monotonic() - begun, 1),
        runs=runs,
        patients=patients,
        driver_mb=round(memory.anonymous_pss_bytes(os.getpid()) / 1e6, 1),
        workers_mb=round(workers / 1e6, 1),
        daemons_mb=round(daemons / 1e6, 1),
        handles=handles,
        daemon_handles=daemon_handles,
        processes=processes,
        store_mb=round(store_bytes() / 1e6, 1),
        connections=connections,
        hit_percent=hit_percent(),
    )


def store_bytes() -> int:
    """Return the bytes that objects occupy in Ray's object store."""
    import ray

    return int(ray.cluster_resources()[STORE] - ray.available_resources().get(STORE, 0))


def hit_percent() -> float:
    """Return the hit rate of the cache over all namespaces since it started, in percent."""
    import ray

    found: cache.CacheStatistics = ray.get(cache.find_cache().stats.remote(), timeout=60)
    hits = sum(each.hits for each in found.namespaces.values())
    asked = hits + sum(each.misses for each in found.namespaces.values())
    return round(100 * hits / max(1, asked), 1)


def run(number: int, place: store_ground.Ground) -> RunResult:
    """Carry out and record the run with this number, then remove its files. Scenarios alternate; the number is the
    seed.
    """
    name, patients, formats, writers = RUNS[number % len(RUNS)]
    asked = store_ground.request(
        place.base / "out", name, number, patients, formats=formats, writers=writers, version=__version__
    )
    result = recorder.run_recorded(asked, store_ground.registration(asked), place.where)
    shutil.rmtree(asked.output)
    return result


def grown(samples: list[Sample]) -> list[str]:
    """Return one phrase for each figure that has grown."""
    third = len(samples) // 3
    found = []
    for name, (more, share) in ALLOWED.items():
        middle, end = (
            statistics.median(getattr(each, name) for each in part)
            for part in (samples[third : 2 * third], samples[2 * third :])
        )
        if end > middle + more + share * middle:
            found.append(f"{name} grew from {middle:,.1f} to {end:,.1f}")
    return found


def main() -> None:
    """Run until the time is up; print, save and judge the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=3.0)
    options = parser.parse_args()
    samples: list[Sample] = []
    recoveries = patients = 0
    every = max(SAMPLE_SECONDS, options.minutes * 60 / 120)
    os.environ["GOLDENHOUR_CACHE"] = "on"  # as on a cluster: one cache actor for all runs
    print("  ".join(Sample._fields))
    with store_ground.ground() as place, session.start_session(None, 1):
        for number in range(len(RUNS)):  # compiles the kernel and fills the system's file cache
            run(number, place)
        begun = looked = time.monotonic()
        for number in itertools.count():
            result = run(number, place)
            patients += result.patients
            recoveries += result.recoveries
            now = time.monotonic()
            if now - looked >= every:
                looked = now
                time.sleep(SETTLE_SECONDS)
                samples.append(sample(begun, number + 1, patients, place.connections()))
                print("  ".join(f"{value:>{len(name)},}" for name, value in samples[-1]._asdict().items()))
                sys.stdout.flush()
            if now - begun >= 60 * options.minutes:
                break
    if len(samples) < 9:
        raise SystemExit(f"{len(samples)} samples are too few to detect growth: allow more minutes")
    words = grown(samples)
    print(
        f"{number + 1} runs, {patients:,} patients, {recoveries} faults; {'; '.join(words) or 'nothing grew'}"
    )
    figures: dict[str, Any] = {"minutes": options.minutes, "runs": number + 1, "grown": words}
    results_file.append("soak", figures | {"first": samples[0]._asdict(), "last": samples[-1]._asdict()})
    sys.exit(1 if words or recoveries else 0)


if __name__ == "__main__":
    main()
