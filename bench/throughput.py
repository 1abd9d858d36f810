"""Throughput and memory: `standard` in several sizes, on Ray and in process, as one table.

`make bench` runs it; `SIZES="1000 10000"` chooses the sizes. Each run is a separate process, `goldenhour run ...
--json`,
whose output folder is removed afterwards. The figures are those that every user of `--json` gets. One small run of each
kind comes first, so that the kernel is compiled and the files are in the system's cache.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import results_file

SIZES = (1_000, 10_000, 50_000, 100_000, 1_000_000)
WAYS = {"Ray": (), "in process": ("--workers", "0")}
TIME_LIMIT_SECONDS = 3600


def run(scenario: str, patients: int, way: str, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Carry out one run; return what `--json` prints, and `wall_seconds` of the whole process, including the start
    of Ray.
    """
    with tempfile.TemporaryDirectory(prefix="goldenhour-bench-") as folder:
        command = [
            sys.executable,
            "-m",
            "goldenhour",
            "run",
            scenario,
            "--patients",
            str(patients),
            *WAYS[way],
        ]
        command += ["-o", str(Path(folder, "run")), "--quiet", "--json", *more]
        begun = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT_SECONDS, check=False
        )
        wall = time.perf_counter() - begun
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[1:])} ended with {done.returncode}:\n{done.stderr.strip()}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures | {"wall_seconds": round(wall, 2)}


def row(way: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one line of the table."""
    seconds = max(figures["seconds"], 1e-9)
    return {
        "way": way,
        "patients": figures["patients"],
        "seconds": figures["seconds"],
        "wall_seconds": figures["wall_seconds"],
        "patients_per_second": figures["patients"] / seconds,
        "bytes_per_second": figures["bytes"] / seconds,
        "bytes_per_record": figures["bytes"] / max(1, figures["patients"]),
        "peak_pss_mb": figures["peak_pss_mb"],
    }


def show(rows: list[dict[str, Any]], title: str) -> None:
    """Print the table; `of 1st` is the speed as a multiple of the first line of the same way."""
    table = Table(title=title, title_justify="left")
    names = (
        "way",
        "patients",
        "seconds",
        "with start",
        "patients/s",
        "MB/s",
        "bytes/record",
        "peak PSS, MB",
        "of 1st",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "way" else "right")
    first: dict[str, float] = {}
    for r in rows:
        reference = first.setdefault(r["way"], r["patients_per_second"])
        table.add_row(
            r["way"],
            f"{r['patients']:,}",
            f"{r['seconds']:.2f}",
            f"{r['wall_seconds']:.1f}",
            f"{r['patients_per_second']:,.0f}",
            f"{r['bytes_per_second'] / 1e6:.1f}",
            f"{r['bytes_per_record']:,.0f}",
            f"{r['peak_pss_mb']:.0f}",
            f"{r['patients_per_second'] / reference:.1f}",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main() -> None:
    """Measure all sizes both ways, print the table and append the figures to bench/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, metavar="PATIENTS")
    parser.add_argument("--scenario", default="standard")
    parser.add_argument("--format", default="jsonl")
    parser.add_argument("--compress", default="none")
    options = parser.parse_args()
    more = ("--format", options.format, "--compress", options.compress)
    rows = []
    for way in WAYS:
        print(f"{way}: warming up", flush=True)
        run(options.scenario, 100, way, more)
        for patients in options.sizes:
            print(f"{way}: {patients:,} patients", flush=True)
            rows.append(row(way, run(options.scenario, patients, way, more)))
    machine = results_file.machine()
    title = f"{options.scenario}, {options.format}, {options.compress}; {machine['cpu']}, {machine['cores']} cores"
    show(rows, title)
    settings = {"scenario": options.scenario, "format": options.format, "compress": options.compress}
    path = results_file.append("throughput", settings | {"rows": rows})
    print(f"figures appended to bench/results/{path.name}")


if __name__ == "__main__":
    main()
