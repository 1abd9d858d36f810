"""Speed and memory of experiments: replications a second against SimPy, against a loop, and against plain processes.

`make bench-experiments` runs it after the statistics. `--size small` does a tenth. Ratios are of one interleaved run:
each way takes its turn in every round, and the sums are compared. All ways must find the same measures, to the byte.

Parts run in processes of their own (`--part`): half of the replications, a cluster of pinned nodes, a driver whose
memory is watched. Each prints one line of JSON.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from actors.cluster import session
from actors.cluster.memory import pss_bytes
from actors.experiments import FinishedBatch, Point, Replicator, Request
from bench import figures
from bench.figures import Figure, Section
from bench.peers import simpy_model
from bench.peers.network import BRIGADE
from bench.scaleout import pin
from engine.inference import Factor, morris_design, morris_indices
from engine.scenario import (
    PreparedScenario,
    ScenarioOverrides,
    Setting,
    assumptions_of,
    given_assumption,
    parse,
    prepare,
)
from scenarios import builtin_bytes

DAYS = 30
CORES = 2
SEED = 1


class Size(NamedTuple):
    """Amount of work."""

    replications: int
    """Of `brigade`, in all rounds together."""
    rounds: int
    looped: int
    """Replications of a loop over `goldenhour.simulate`, and of SimPy."""
    trajectories: int
    """Of Morris."""
    most: int
    """Replications in the measurement of memory."""


SIZES = {"small": Size(200, 2, 6, 2, 1000), "full": Size(1000, 4, 20, 20, 10_000)}

TIMES_SIMPY, TIMES_A_LOOP, OWN_COST, TIMES_A_NODE = 30.0, 3.0, 0.10, 1.7
"""Requirements: at least, at least, at most, at least."""

MORRIS_SECONDS = 900.0
MORRIS_REPLICATIONS = 5
MOST_MB, MOST_GROWTH_MB = 150.0, 10.0

LAYDOWN = {
    "facilities[R2-North].operating_tables": (1, 3),
    "facilities[R2-North].surgical_teams": (1, 3),
    "facilities[R2-North].icu_beds": (2, 8),
    "facilities[R2-North].ward_beds": (10, 40),
    "facilities[R2-North].treatment_bays": (2, 5),
    "facilities[R2-North].triage_teams": (1, 4),
    "facilities[R1-North-1].treatment_bays": (2, 5),
    "facilities[R1-North-1].ward_beds": (7, 28),
    "facilities[R3].operating_tables": (4, 8),
    "vehicles[ambulances-North].number": (5, 15),
    "vehicles[casevac-North].number": (1, 4),
    "vehicles[transfer-North].number": (3, 9),
    "vehicles[medevac].number": (1, 4),
}
"""Settings of `brigade` that are varied beside the assumptions of the model: low and high."""


# --- ways to simulate the replications of `brigade`


def brigade(settings: Sequence[Setting] = ()) -> PreparedScenario:
    """Return `brigade` with other settings, prepared."""
    written = parse(builtin_bytes("brigade"), "toml", "brigade")
    return prepare(written, ScenarioOverrides(SEED, None, DAYS, tuple(settings)))


def point() -> Point:
    """Return `brigade` as the point of an experiment."""
    return Point(brigade().resolved, SEED)


def digest_of(found: Iterator[FinishedBatch]) -> str:
    """Return a digest of all measures. It does not depend on the order in which they come."""
    parts = [
        (number, *batch, hashlib.sha256(repr(each.names).encode() + each.values.tobytes()).hexdigest())
        for number, batch, each in found
    ]
    return hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()


def simulated(first: int, stop: int, workers: int) -> tuple[float, str]:
    """Return the time that replications take, and a digest of their measures."""
    begun = time.perf_counter()
    digest = digest_of(Replicator([point()], None, workers).stream([Request(0, first, stop)]))
    return time.perf_counter() - begun, digest


def part(*words: str) -> "subprocess.Popen[str]":
    """Start a part of this bench in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "bench.experiments_speed", "--part", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def answer(process: "subprocess.Popen[str]") -> Any:
    """Return the next line of JSON that a part prints. Raises RuntimeError if it ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r}: exit code {process.wait()}")
    return json.loads(line)


def half() -> None:
    """Simulate replications as often as a line with their first and last numbers comes in: a plain process."""
    simulated(0, 5, 0)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        first, stop = map(int, line.split())
        print(json.dumps(simulated(first, stop, 0)), flush=True)


class PlainProcesses:
    """Processes that each simulate their part of the replications, without Ray."""

    def __init__(self, number: int) -> None:
        self._processes = [part("half") for _ in range(number)]
        for process in self._processes:
            answer(process)

    def run(self, first: int, stop: int) -> float:
        """Return the time until all have finished their parts, begun at multiples of 25 replications."""
        begun = time.perf_counter()
        share = math.ceil((stop - first) / len(self._processes) / 25) * 25
        for number, process in enumerate(self._processes):
            assert process.stdin is not None
            begin = first + number * share
            process.stdin.write(f"{begin} {max(begin, min(stop, begin + share))}\n")
            process.stdin.flush()
        for process in self._processes:
            answer(process)
        return time.perf_counter() - begun

    def stop(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.communicate()


def in_simpy(replications: int, days: int) -> float:
    """Return the time of replications of SimPy's brigade."""
    begun = time.perf_counter()
    for seed in range(replications):
        simpy_model.run(BRIGADE, days, seed)
    return time.perf_counter() - begun


def in_a_loop(replications: int) -> float:
    """Return the time of a loop over `goldenhour.simulate`."""
    import goldenhour

    begun = time.perf_counter()
    for replication in range(replications):
        _ = goldenhour.simulate("brigade", SEED, replication, days=DAYS).measures
    return time.perf_counter() - begun


def speed(size: Size) -> Iterator[Figure]:
    """Compare the speed of an experiment on Ray with SimPy, with a loop and with plain processes."""
    import goldenhour

    goldenhour.simulate("brigade", SEED, days=1)
    each = size.replications // size.rounds
    seconds = dict.fromkeys(("ray", "plain", "loop", "simpy", "simpy, same casualties"), 0.0)
    casualties = 9.0 * DAYS
    same_days = max(1, round(casualties / BRIGADE.per_day))
    plain = PlainProcesses(CORES)
    try:
        with session.start_session(None, CORES):
            simulated(0, 100, CORES)
            for number in range(size.rounds):
                first = number * each
                seconds["ray"] += simulated(first, first + each, CORES)[0]
                seconds["plain"] += plain.run(first, first + each)
                seconds["loop"] += in_a_loop(max(1, size.looped // size.rounds))
                seconds["simpy"] += in_simpy(max(1, size.looped // size.rounds), DAYS)
                seconds["simpy, same casualties"] += in_simpy(max(1, size.looped // size.rounds), same_days)
                seconds["ray"] += simulated(first, first + each, CORES)[0]
                seconds["plain"] += plain.run(first, first + each)
    finally:
        plain.stop()
    replications = 2 * each * size.rounds
    looped = max(1, size.looped // size.rounds) * size.rounds
    ours = seconds["ray"] / replications
    (found,) = Replicator([point()], None).extend([(0, 25)])
    print(
        f"  {1000 * ours:.0f} s for 1,000 replications on {CORES} cores: {1 / ours:,.0f} replications/s, each with "
        f"{len(found.names)} measures ({8 * len(found.names):,} bytes)"
    )
    simpy, same = (seconds[name] / looped for name in ("simpy", "simpy, same casualties"))
    more = BRIGADE.per_day * DAYS / casualties
    name = (
        f"times SimPy's brigade: as many replications, {CORES} cores against 1; its network has {more:.1f} times our "
        "casualties"
    )
    yield figures.at_least(name, simpy / ours, TIMES_SIMPY)
    name = (
        f"times SimPy's brigade, like for like: as many casualties a replication ({same_days} days of its network), "
        f"as if it ran on {CORES} cores too"
    )
    yield figures.printed(name, same / CORES / ours)
    loop = seconds["loop"] / looped
    yield figures.at_least("times a loop over goldenhour.simulate", loop / ours, TIMES_A_LOOP)
    cost = seconds["ray"] / seconds["plain"] - 1.0
    yield figures.at_most("Ray's own cost against two plain processes", cost, OWN_COST)


# --- nodes


def nodes(number: int, replications: int) -> None:
    """Start a cluster of nodes that are pinned to a core each, and simulate on it."""
    cores = sorted(os.sched_getaffinity(0))
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}
    from ray.cluster_utils import Cluster

    arguments = {"num_cpus": 1, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**arguments, "include_dashboard": False})
    started = [cluster.head_node, *(cluster.add_node(**arguments) for _ in range(number - 1))]
    cluster.wait_for_nodes()
    for index, node in enumerate(started):
        for processes in node.all_processes.values():
            for each in processes:
                pin(each.process.pid, cores[index % len(cores)])
    os.sched_setaffinity(0, {cores[0]})
    try:
        with session.start_session(cluster.address, number):
            simulated(0, 300 * number, number)  # until the workers of all nodes are warm
            seconds, digest = simulated(0, replications, number)
        print(json.dumps([seconds, digest]), flush=True)
    finally:
        cluster.shutdown()


def scaling(size: Size) -> Iterator[Figure]:
    """Compare two pinned nodes with one; the best of some rounds counts for each."""
    best = {1: math.inf, 2: math.inf}
    digests = set()
    for _ in range(size.rounds):
        for number in best:
            process = part("nodes", str(number), str(size.replications))
            seconds, digest = answer(process)
            process.communicate()
            best[number] = min(best[number], seconds)
            digests.add(digest)
    yield figures.at_least("times one pinned node, two of them", best[1] / best[2], TIMES_A_NODE)
    yield figures.exactly("different results", len(digests), 1)


# --- Morris


class MorrisPoints:
    """The points of a Morris design over the assumptions of the model and the laydown, prepared when they are read."""

    def __init__(self, trajectories: int) -> None:
        base = brigade()
        self.factors = [
            *(given_assumption(base.resolved, path, *ends) for path, ends in LAYDOWN.items()),
            *assumptions_of(base.original),
        ]
        design = morris_design(
            [Factor(name=one.name, low=0.0, high=1.0) for one in self.factors], trajectories, seed=SEED
        )
        units = design.points().units
        assert units is not None
        self.units = units
        self._written = base.written

    def __len__(self) -> int:
        return len(self.units)

    def __getitem__(self, number: int, /) -> Point:
        settings = tuple(
            Setting(one.path, one.at(unit))
            for one, unit in zip(self.factors, self.units[number].tolist(), strict=True)
        )
        return Point(prepare(self._written, ScenarioOverrides(SEED, None, DAYS, settings)).resolved, SEED)


def screening(size: Size) -> Iterator[Figure]:
    """Find the effects of 65 factors on the deaths in `brigade`."""
    import numpy as np

    points = MorrisPoints(size.trajectories)
    deaths = np.zeros(len(points))
    with session.start_session(None, CORES):
        begun = time.perf_counter()
        requests = [Request(number, 0, MORRIS_REPLICATIONS) for number in range(len(points))]
        for number, _, found in Replicator(points, None, CORES).stream(requests):
            columns = [found.names.index(name) for name in ("mortality.kia", "mortality.dow")]
            deaths[number] = found.values[:, columns].sum(axis=1).mean()
        seconds = time.perf_counter() - begun
    effects = morris_indices(points.units, deaths)
    most = sorted(range(len(effects)), key=lambda factor: -effects[factor].mu_star.estimate)
    print("  the largest effects on deaths in 30 days (mu*):")
    for factor in most[:5]:
        star = effects[factor].mu_star
        print(f"    {points.factors[factor].name}: {star.estimate:.2f} ({star.low:.2f} to {star.high:.2f})")
    print(f"  {len(points):,} points, {seconds / len(points) * 1e3:.1f} ms each")
    yield figures.at_least("factors", len(points.factors), 65)
    limit = MORRIS_SECONDS * size.trajectories / SIZES["full"].trajectories
    name = f"Morris, {len(points):,} points of {MORRIS_REPLICATIONS} replications"
    yield figures.at_most(name, seconds, limit, "s")


# --- memory


def memory(most: int) -> None:
    """Print the driver's memory after 100, 1,000, ... replications on Ray, in MB."""
    found: list[float] = []
    with session.start_session(None, CORES):
        done, next_look = 0, 100
        for _, batch, _ in Replicator([point()], None, CORES).stream([Request(0, 0, most)]):
            done += batch.size
            if done >= next_look:
                found.append(pss_bytes(os.getpid()) / 1e6)
                next_look *= 10
    print(json.dumps(found), flush=True)


PLAN = """
scenario = "brigade"
days = {days}
design.kind = "list"
points = [{{ label = "as it is" }}]
replications.count = {replications}
"""


def workers_below(pid: int) -> int:
    """How many Ray workers run below a process."""
    with contextlib.suppress(psutil.Error):
        titles = [each.name() for each in psutil.Process(pid).children(recursive=True)]
        return sum(title.startswith("ray::") for title in titles)
    return 0


def memory_of_command(replications: int) -> float:
    """Return the highest memory of `goldenhour experiment` with so many replications on Ray, in MB.

    It is looked at while the workers run: once they have ended, pages of libraries that all of them shared count in
    full for the last process that maps them.
    """
    highest = 0
    with tempfile.TemporaryDirectory(prefix="goldenhour-memory-") as name:
        plan = Path(name, "plan.toml")
        plan.write_text(PLAN.format(days=DAYS, replications=replications))
        words = [str(plan), "-o", str(Path(name, "out")), "--workers", str(CORES), "--no-store", "--quiet"]
        process = subprocess.Popen(
            [sys.executable, "-m", "goldenhour", "experiment", *words],
            env=os.environ | {"GOLDENHOUR_CACHE": "off"},
        )
        while process.poll() is None:
            found = pss_bytes(process.pid)
            if workers_below(process.pid) >= CORES:
                highest = max(highest, found)
            time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"the experiment ended with exit code {process.returncode}")
    return highest / 1e6


def flatness(size: Size) -> Iterator[Figure]:
    """Measure whether the driver's memory grows with the number of replications."""
    process = part("memory", str(size.most))
    found = answer(process)
    process.communicate()
    print(f"  driver after 100, 1,000, ... replications, MB: {', '.join(f'{one:.1f}' for one in found)}")
    yield figures.at_most("memory of the driver (PSS)", max(found), MOST_MB, "MB")
    yield figures.at_most(
        f"growth from {size.most // 10:,} to {size.most:,} replications",
        found[-1] - found[-2],
        MOST_GROWTH_MB,
        "MB",
    )
    fewer, more = memory_of_command(size.most // 10), memory_of_command(size.most)
    print(
        f"  goldenhour experiment, {size.most // 10:,} and {size.most:,} replications, MB: {fewer:.1f}, {more:.1f}"
    )
    yield figures.at_most("highest memory of goldenhour experiment (PSS)", more, MOST_MB, "MB")
    yield figures.at_most("growth with ten times the replications", more - fewer, MOST_GROWTH_MB, "MB")


PARTS: dict[str, Callable[..., None]] = {"half": half, "nodes": nodes, "memory": memory}
"""What runs in a process of its own, by the word after `--part`."""


def sections(size: Size) -> list[Section]:
    """Return all sections by title."""
    return [
        ("speed", partial(speed, size)),
        ("nodes", partial(scaling, size)),
        ("Morris", partial(screening, size)),
        ("memory", partial(flatness, size)),
    ]


def main() -> int:
    """Measure and print; return 1 if a line fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--only", default="", help="sections whose title contains this")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        name, *numbers = options.part
        PARTS[name](*map(int, numbers))
        return 0
    chosen = [each for each in sections(SIZES[options.size]) if options.only in each[0]]
    return figures.run("experiments_speed", chosen)


if __name__ == "__main__":
    sys.exit(main())
