"""Chaos in experiments: workers, nodes and drivers are killed; the results must be the same, to the byte.

`make bench-experiments` runs 10 rounds. A round starts an experiment of 2,000 replications on a cluster of three nodes
on this machine, with an empty cache, and kills a victim at a random moment of its life. A driver that ends is started
again until it has finished. Then its results.parquet must equal the one of a driver without Ray.
"""

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from actors.cache import CacheSettings, LocalCache
from actors.cluster import session
from actors.experiments import Point, Replicator, Request
from bench import figures
from bench.chaos import Cluster, actors, prepare_ray
from bench.experiments_speed import DAYS, SEED
from bench.figures import Figure, Section
from engine.errors import GoldenhourError
from engine.identity import cache_root
from engine.scenario import ScenarioOverrides, Setting, parse, prepare
from scenarios import builtin_bytes

ROUNDS = {"small": 3, "full": 10}
REPLICATIONS = {"small": 100, "full": 500}
"""Of each point."""

TABLES = (1, 2, 3, 4)
"""Operating tables of the Role 2, by point."""

VICTIMS = ("worker", "driver", "node", "worker", "driver", "head", "node", "worker", "driver", "node")
"""Which process is killed, by round; `node` and `head` are all processes of a node at once."""

WORKERS = ("ray::goldenhour.simulate_replications", "ray::simulate_orders")
"""Titles of processes that simulate, while they do."""

STARTS = 6
"""How often a driver is started at most."""

LIMIT_SECONDS = 600.0


class Lost(Exception):
    """A round failed."""


def points() -> list[Point]:
    """Return `brigade` with each number of operating tables."""
    written = parse(builtin_bytes("brigade"), "toml", "brigade")
    settings = [(Setting("facilities[R2-North].operating_tables", tables),) for tables in TABLES]
    prepared = [prepare(written, ScenarioOverrides(SEED, None, DAYS, each)) for each in settings]
    return [Point(each.resolved, SEED) for each in prepared]


def experiment(output: Path, replications: int, address: str) -> None:
    """Carry out the experiment on a cluster, without one for an empty address, and write results.parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    workers = 3 if address else 0
    requests = [Request(point, 0, replications) for point in range(len(TABLES))]
    with session.start_session(address, workers) if workers else contextlib.nullcontext():
        stream = Replicator(points(), LocalCache(CacheSettings()), workers).stream(requests)
        found = sorted(stream, key=lambda each: (each.point, each.batch))
    rows: dict[str, list[object]] = {"point": [], "replication": [], "measure": [], "value": []}
    for point, batch, each in found:
        for number, values in enumerate(each.values.tolist(), batch.first):
            for name, value in zip(each.names, values, strict=True):
                for column, cell in zip(rows.values(), (point, number, name, value), strict=True):
                    column.append(cell)
    draft = output.with_suffix(".draft")
    parquet.write_table(pa.table(rows), draft)
    draft.rename(output)


class Bench:
    """The cluster, and the results of an undisturbed experiment."""

    def __init__(self, place: Path, replications: int, dice: random.Random) -> None:
        self._place = place
        self._replications = replications
        self._dice = dice
        self.cluster = Cluster()
        self._compiled = cache_root()
        self.expected = self._undisturbed("")
        begun = time.monotonic()
        self.cluster.heal()
        if self._undisturbed(self.cluster.address) != self.expected:
            raise Lost("without any fault the results on the cluster differ")
        self._life = time.monotonic() - begun

    def round(self, victim: str) -> int:
        """Carry out a round; return how often the driver was started again. Raises Lost if it fails."""
        self.cluster.heal()
        with self._folder() as folder:
            process = self._start(folder, self.cluster.address)
            self._strike(process, victim, time.monotonic() + self._dice.uniform(0.2, 0.9) * self._life)
            for again in range(STARTS):
                code = self._wait(process)
                if code == 0:
                    if digest(folder / "results.parquet") != self.expected:
                        raise Lost("the results differ")
                    if victim == "worker" and again:
                        raise Lost("the driver did not survive the loss of a worker")
                    return again
                self.cluster.heal()
                process = self._start(folder, self.cluster.address)
            raise Lost(f"not finished after {STARTS} starts; exit code {code}")

    def _undisturbed(self, address: str) -> str:
        with self._folder() as folder:
            process = self._start(folder, address)
            if code := self._wait(process):
                raise Lost(f"an experiment without any fault ended with exit code {code}")
            return digest(folder / "results.parquet")

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """A folder with a cache that holds compiled kernels and no values."""
        with tempfile.TemporaryDirectory(dir=self._place) as name:
            for each in self._compiled.iterdir():
                if each.is_dir() and each.name != "values":
                    shutil.copytree(each, Path(name, "cache", each.name), symlinks=True)
            Path(name, "cache").chmod(0o700)
            yield Path(name)

    def _start(self, folder: Path, address: str) -> "subprocess.Popen[bytes]":
        words = ["--part", str(folder / "results.parquet"), str(self._replications), address]
        return subprocess.Popen(
            [sys.executable, "-m", "bench.experiments_chaos", *words],
            env=os.environ | {"GOLDENHOUR_CACHE_DIR": str(folder / "cache")},
            stderr=subprocess.DEVNULL,
        )

    def _strike(self, process: "subprocess.Popen[bytes]", victim: str, moment: float) -> None:
        """Kill a victim at the moment, or as soon after as there is one."""
        while process.poll() is None:
            if time.monotonic() >= moment:
                if victim == "driver":
                    process.kill()
                    return
                if victim != "worker":
                    self.cluster.kill(victim, self._dice)
                    return
                if found := actors(*WORKERS):
                    self._dice.choice(found).kill()
                    return
            time.sleep(0.01)
        raise Lost(f"the driver ended before the {victim} was killed")

    def _wait(self, process: "subprocess.Popen[bytes]") -> int:
        try:
            return process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Lost(f"the driver did not end within {LIMIT_SECONDS:.0f} s") from None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def chaos(rounds: int, replications: int, seed: int) -> Iterator[Figure]:
    """Carry out the rounds."""
    with tempfile.TemporaryDirectory(prefix="goldenhour-chaos-", ignore_cleanup_errors=True) as name:
        prepare_ray(name)
        bench = Bench(Path(name), replications, random.Random(seed))
        lost = 0
        try:
            for number in range(rounds):
                victim = VICTIMS[number % len(VICTIMS)]
                try:
                    again = bench.round(victim)
                    print(f"  {number + 1}: {victim} killed, driver started again {again} x", flush=True)
                except Lost as error:
                    lost += 1
                    bench.cluster.stop()
                    print(f"  {number + 1}: {victim} LOST: {error}", flush=True)
        finally:
            bench.cluster.stop()
    what = f"rounds of {len(TABLES) * replications:,} replications with other results, of {rounds}"
    yield figures.exactly(what, lost, 0)


def sections(size: str, seed: int = 1) -> list[Section]:
    """Return the section."""
    return [("chaos", lambda: chaos(ROUNDS[size], REPLICATIONS[size], seed))]


def main() -> int:
    """Carry out the rounds; return 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=ROUNDS, default="full")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        output, replications, address = options.part
        try:
            experiment(Path(output), int(replications), address)
        except GoldenhourError as error:
            return error.exit_code
        return 0
    return figures.run("experiments_chaos", sections(options.size, options.seed))


if __name__ == "__main__":
    sys.exit(main())
