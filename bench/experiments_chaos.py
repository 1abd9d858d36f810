"""Chaos in experiments: workers, nodes and drivers are killed; all files must be the same, to the byte.

`make bench-experiments` runs 10 rounds. A round starts `goldenhour experiment` with 2,000 replications on a cluster of
three nodes on this machine, with an empty cache, and kills a victim at a random moment of its life. A command that ends
is started again, or resumed, until it has finished. Then its files must equal those of a command without Ray.
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import goldenhour
from actors.run.partial_folder import PARTIAL
from actors.run.run_file import RUN_FILE
from bench import figures
from bench.chaos import Cluster, actors, contents, prepare_ray
from bench.figures import Figure, Section
from engine.identity import cache_root

ROUNDS = {"small": 3, "full": 10}
REPLICATIONS = {"small": 100, "full": 500}
"""Of each point."""

PLAN = """
scenario = "brigade"
days = 30

[design]
kind = "full factorial"

[[factors]]
path = "facilities[R2-North].operating_tables"
levels = [1, 2, 3, 4]

[replications]
count = {replications}

[results]
measures = "all"
"""

POINTS = 4

VICTIMS = ("worker", "driver", "node", "worker", "driver", "head", "node", "worker", "driver", "node")
"""Which process is killed, by round; `node` and `head` are all processes of a node at once."""

WORKERS = ("ray::goldenhour.simulate_replications", "ray::simulate_orders")
"""Titles of processes that simulate, while they do."""

STARTS = 6
"""How often a driver is started at most."""

LIMIT_SECONDS = 600.0


class Lost(Exception):
    """A round failed."""


class Bench:
    """The cluster, and the results of an undisturbed experiment."""

    def __init__(self, place: Path, replications: int, dice: random.Random) -> None:
        self._place = place
        self._dice = dice
        self.cluster = Cluster()
        goldenhour.simulate("brigade", days=1)  # compiles what the experiments need
        self._compiled = cache_root()
        self._plan = place / "plan.toml"
        self._plan.write_text(PLAN.format(replications=replications))
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
                    if contents(folder / "out") != self.expected:
                        raise Lost("the files differ")
                    if victim == "worker" and again:
                        raise Lost("the driver did not survive the loss of a worker")
                    return again
                self.cluster.heal()
                process = self._start(folder, self.cluster.address, again=True)
            raise Lost(f"not finished after {STARTS} starts; exit code {code}: {said(folder)}")

    def _undisturbed(self, address: str) -> dict[str, str]:
        with self._folder() as folder:
            process = self._start(folder, address)
            if code := self._wait(process):
                raise Lost(f"an experiment without any fault ended with exit code {code}: {said(folder)}")
            return contents(folder / "out")

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """A folder with a cache that holds compiled kernels and no values."""
        with tempfile.TemporaryDirectory(dir=self._place) as name:
            for each in self._compiled.iterdir():
                if each.is_dir() and each.name != "values":
                    shutil.copytree(each, Path(name, "cache", each.name), symlinks=True)
            Path(name, "cache").chmod(0o700)
            yield Path(name)

    def _start(self, folder: Path, address: str, again: bool = False) -> "subprocess.Popen[bytes]":
        """Start the command, or the same or `resume` after it has ended: both are equivalent."""
        output = folder / "out"
        words = ["experiment", str(self._plan), "-o", str(output)]
        if again and (output / PARTIAL / RUN_FILE).exists() and self._dice.random() < 0.5:
            words = ["resume", str(output)]
        words += ["--address", address, "--workers", "3"] if address else ["--workers", "0"]
        with (folder / "errors.txt").open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "goldenhour", *words, "--no-store", "--quiet"],
                env=os.environ | {"GOLDENHOUR_CACHE_DIR": str(folder / "cache")},
                stdout=subprocess.DEVNULL,
                stderr=errors,
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


def said(folder: Path) -> str:
    """Return the end of what the last command wrote to standard error."""
    return (folder / "errors.txt").read_text(errors="replace")[-500:]


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
    what = f"rounds of {POINTS * replications:,} replications with other files, of {rounds}"
    yield figures.exactly(what, lost, 0)


def sections(size: str, seed: int = 1) -> list[Section]:
    """Return the section."""
    return [("chaos", lambda: chaos(ROUNDS[size], REPLICATIONS[size], seed))]


def main() -> int:
    """Carry out the rounds; return 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=ROUNDS, default="full")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    return figures.run("experiments_chaos", sections(options.size, options.seed))


if __name__ == "__main__":
    sys.exit(main())
