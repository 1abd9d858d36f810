"""The first run on a machine: an older commit and the working tree, each with an empty cache, measured in turns.

    python -m bench.cold COMMIT
    make bench-cold COMMIT=...

Each round runs `goldenhour run standard` on both trees with an empty GOLDENHOUR_CACHE_DIR, one directly after the
other; the order changes from round to round. Measured are the seconds of the whole command, and the processor seconds
of it and of the processes that it starts. Ray's daemons are not among these. The table shows the medians and the median
of the rounds' ratios. The exit code is 1 if a cold run takes more than 0.3 of the commit's time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from actors.cluster import PACKAGE_ROOT
from bench import commits, results_file

MOST = 0.3
"""Largest ratio of the times that is allowed."""
BEFORE = "e00fd45"
"""The commit before entry points were compiled side by side, and records by a kernel of their own."""
LIMIT_SECONDS = 1800.0


class Times(NamedTuple):
    """What one command took."""

    seconds: float
    cpu_seconds: float


def cold_run(root: Path, scenario: str) -> Times:
    """Run a scenario with the sources of a folder and an empty cache. SystemExit if it fails."""
    with tempfile.TemporaryDirectory(prefix="goldenhour-cold-") as name:
        environment = os.environ | {
            "GOLDENHOUR_CACHE_DIR": str(Path(name, "cache")),
            "PYTHONPATH": str(root),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        Path(name, "cache").mkdir(mode=0o700)
        command = [
            sys.executable,
            "-m",
            "goldenhour",
            "run",
            scenario,
            "--no-store",
            "--quiet",
            "-o",
            f"{name}/out",
        ]
        cpu, begun = os.times(), time.perf_counter()
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        seconds, after = time.perf_counter() - begun, os.times()
    if done.returncode:
        raise SystemExit(f"{root}: exit code {done.returncode}:\n{done.stderr.strip()}")
    used = after.children_user + after.children_system - cpu.children_user - cpu.children_system
    return Times(seconds, used)


def main() -> int:
    """Measure both trees, print the table and append the figures to bench/results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit", nargs="?", default=BEFORE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scenario", default="standard")
    parser.add_argument("--no-results", action="store_true", help="leave bench/results alone")
    options = parser.parse_args()
    commit = commits.resolve(options.commit)
    found: dict[str, list[Times]] = {"before": [], "after": []}
    with tempfile.TemporaryDirectory(prefix="goldenhour-cold-tree-") as name:
        roots = {"before": commits.unpack(commit, Path(name, "commit")), "after": PACKAGE_ROOT}
        for number in range(options.rounds):
            for side in list(roots) if number % 2 == 0 else list(roots)[::-1]:
                times = cold_run(roots[side], options.scenario)
                found[side].append(times)
                print(
                    f"round {number + 1}, {side}: {times.seconds:.1f} s, {times.cpu_seconds:.1f} CPU s",
                    flush=True,
                )
    ratio = statistics.median(
        after.seconds / before.seconds for before, after in zip(found["before"], found["after"], strict=True)
    )
    seconds = {side: statistics.median(each.seconds for each in times) for side, times in found.items()}
    cpu = {side: statistics.median(each.cpu_seconds for each in times) for side, times in found.items()}
    table = Table(
        title=f"a cold run of {options.scenario}, medians of {options.rounds} rounds", title_justify="left"
    )
    for head in ("tree", "seconds", "CPU seconds"):
        table.add_column(head, justify="left" if head == "tree" else "right")
    for side, label in (("before", commit[:10]), ("after", "working tree")):
        table.add_row(label, f"{seconds[side]:.1f}", f"{cpu[side]:.1f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    holds = ratio <= MOST
    print(f"ratio {ratio:.3f}, allowed {MOST}: {'ok' if holds else 'FAILED'}")
    if not options.no_results:
        figures = {"commit": commit, "scenario": options.scenario, "rounds": options.rounds, "ratio": ratio}
        results_file.append("cold", figures | {"seconds": seconds, "cpu_seconds": cpu})
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
