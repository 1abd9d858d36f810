"""Many `goldenhour run` processes started at once beside a load: `python -m bench.many_runs 20`.

Each has its own local Ray. All must end without an error and with the bytes of a run alone, and no folder of Ray may
stay behind. Exits with 1 if a figure misses its requirement.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from actors.cluster import PACKAGE_ROOT
from bench import figures, store_ground
from bench.figures import Figure, at_most, exactly

MINUTES_PER_RUN = 1.5
"""Longest time until all runs have ended, per run and with two cores: starting Ray takes 5 s of processor time."""


class Run:
    """A process `goldenhour run`, its messages and the time it took."""

    def __init__(self, output: Path, patients: int, temporary: Path) -> None:
        self.output = output
        self.errors = b""
        self.seconds = 0.0
        self._begin = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "goldenhour", "run", "standard", "--workers", "1", "--no-store"]
            + ["--patients", str(patients), "-o", str(output)],
            cwd=PACKAGE_ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        self.errors = self._process.communicate()[1]
        self.seconds = time.monotonic() - self._begin

    def wait(self, seconds: float) -> int:
        """Return the exit code. A run that takes longer than `seconds` is killed."""
        self._thread.join(max(0.0, seconds))
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()
        return self._process.returncode


def _turn() -> None:
    while True:
        pass


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep cores busy during the block."""
    busy = [multiprocessing.Process(target=_turn, daemon=True) for _ in range(processes)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.join()


def at_once(count: int, patients: int, burners: int) -> Iterator[Figure]:
    """Start `count` runs at once beside `burners` busy processes."""
    place = Path(tempfile.mkdtemp(prefix="goldenhour-bench-"))
    temporary = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    try:
        alone = Run(place / "alone", patients, temporary)
        yield exactly("exit code of a run alone", alone.wait(600), 0)
        yield Figure("a run alone", f"{alone.seconds:.1f} s", "", True)
        with load(burners):
            until = time.monotonic() + 60 * MINUTES_PER_RUN * count
            runs = [Run(place / f"{number:03}", patients, temporary) for number in range(count)]
            codes = [run.wait(until - time.monotonic()) for run in runs]
        for run, code in zip(runs, codes, strict=True):
            if code:
                print(f"{run.output.name}: exit code {code}: {run.errors.decode(errors='replace')[-600:]}")
        yield exactly(f"exit codes of {count} runs", sorted(set(codes)), [0])
        equal = sum(store_ground.digest(run.output) == store_ground.digest(alone.output) for run in runs)
        yield exactly("runs with the bytes of the run alone", equal, count)
        silent = sum(b"to start Ray" not in run.errors for run in runs)
        yield at_most("runs that did not show a queue", silent, 1)
        yield exactly("tracebacks", sum(run.errors.count(b"Traceback") for run in runs), 0)
        yield exactly("folders of Ray left", len(list(temporary.iterdir())), 0)
        times = sorted(run.seconds for run in runs)
        yield at_most("the last run ended after", times[-1], 60 * MINUTES_PER_RUN * count, "s")
        yield Figure("the first run ended after", f"{times[0]:.1f} s", "", True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(temporary, ignore_errors=True)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=20, help="number of runs (20)")
    parser.add_argument("--patients", type=int, default=2000, help="patients of each run (2000)")
    parser.add_argument("--load", type=int, default=os.cpu_count() or 1, help="busy processes (one per core)")
    options = parser.parse_args()
    title = f"{options.runs} runs at once beside {options.load} busy processes"
    section: figures.Section = (title, lambda: at_once(options.runs, options.patients, options.load))
    return figures.run("many-runs", [section])


if __name__ == "__main__":
    raise SystemExit(main())
