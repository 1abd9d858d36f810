"""Speed of full records against the limit of the machine, and against the commit before the compiled records.

    make bench-limit
    python -m bench.limit --patients 5000 --rounds 1 --only jsonl     # tries it in a minute

The limit is one process that hashes (SHA-256) and writes the same bytes from memory, with one fsync at the end. It
reads them before its clock starts: the patient files of a run of at most SAMPLE_PATIENTS, repeated until there are as
many bytes as the patients measured would have. It takes them in pieces of the size of a chunk. For gzip and zstd it
first compresses each piece as the product does. Parquet is compressed inside its files, which the limit takes as they
are. All other lines are `goldenhour run standard --json`: `seconds`, `bytes` and `peak_pss_mb` as users get them.

The sections:

- jsonl: JSONL, the limit, on Ray with the default number of workers, in process, and the commit before in process.
  On Ray at least RAY_OF_LIMIT of the limit's records/s; in process at least the lesser of IN_PROCESS_OF_LIMIT of it and
  TIMES_BEFORE times the commit before. Shown and not judged: AIM, and the earlier generator's rate.
- others: all formats at `--others` patients with each compression and its limit. Uncompressed CSV and msgpack must
  have OTHERS_OF_JSONL of the records/s of JSONL, and Parquet TIMES_BEFORE times those of the commit before.
- memory: peak PSS on Ray at two sizes. Both must be below the format's ceiling; the growth is shown. Up to 20 GB.

Each round measures everything once, in an order that rotates. The table shows medians and quartiles. The exit code is 1
if a judged line falls short.
"""

import argparse
import hashlib
import itertools
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from actors.cluster import PACKAGE_ROOT, default_workers
from bench import commits, results_file
from bench.commits import Tree
from engine.identity import cache_root
from engine.records import COMPRESSIONS, FORMATS, frame
from engine.run import DEFAULT_CHUNK

COMMIT_BEFORE = "10f0957d6c05d30d9c443d8cd58b4da8993cbbc3"
"""The last commit that made records of Python objects."""
RAY_OF_LIMIT, IN_PROCESS_OF_LIMIT, OTHERS_OF_JSONL, TIMES_BEFORE = 0.8, 0.6, 0.6, 3.0
AIM = 100_000
"""Records/s: a million in 10 s."""
EARLIER_GENERATOR = 900
"""Records/s of the earlier generator banton/medical-patients, commit 1000abc, on 2 cores: published as 600 to 900."""
CEILINGS_MB = {"jsonl": 500, "csv": 500, "msgpack": 500, "parquet": 600}
"""Allowed peak PSS of a whole run. The keys are the formats measured."""
SAMPLE_PATIENTS = 131_072
"""Patients of the files that the limit repeats: several times what a processor's cache holds."""
SECTIONS = ("jsonl", "others", "memory")
LIMIT, RAY, IN_PROCESS = "limit", "on Ray", "in process"
BEFORE_RAY, BEFORE_IN_PROCESS = "before, on Ray", "before, in process"


class Line(NamedTuple):
    """What one line of the table measures."""

    section: str
    format: str
    compress: str
    way: str
    patients: int


class Values(NamedTuple):
    """What was measured; `bytes_per_record` after compression, `peak_mb` NaN for the limit."""

    records_per_second: float
    bytes_per_record: float
    peak_mb: float

    def cells(self) -> tuple[str, str, str]:
        """MB/s, bytes per record and peak PSS as texts."""
        megabytes = self.records_per_second * self.bytes_per_record / 1e6
        peak = "" if math.isnan(self.peak_mb) else f"{self.peak_mb:.0f}"
        return f"{megabytes:,.0f}", f"{self.bytes_per_record:,.0f}", peak


class Comparison(NamedTuple):
    """A ratio to something else, and what it must be: at least, at most, or None."""

    base: str
    ratio: float
    least: float | None = None
    most: float | None = None

    def holds(self) -> bool:
        """Whether the ratio is what it must be."""
        return (self.least or 0.0) <= self.ratio <= (self.most or math.inf)

    def cells(self) -> list[str]:
        """Cells of the table: the base, the ratio, what is required, and the verdict where something is."""
        shown = [self.base, f"{self.ratio:.3g}"]
        if self.least is None and self.most is None:
            return shown
        required = f"<= {self.most:g}" if self.least is None else f">= {self.least:.3g}"
        return [*shown, required, "ok" if self.holds() else "[bold red]FAILED[/]"]


class Sample(NamedTuple):
    """Patient files of a run, which the limit writes again."""

    files: list[Path]
    patients: int


def hash_and_write(sample: Sample, compress: str, patients: int, output: Path) -> tuple[float, int]:
    """Compress, hash and write the bytes of so many patients from memory; return the seconds and the bytes written."""
    pieces: list[memoryview] = []
    for content in map(Path.read_bytes, sample.files):
        size = math.ceil(len(content) * DEFAULT_CHUNK / sample.patients) or 1
        pieces += [memoryview(content)[first : first + size] for first in range(0, len(content), size)]
    left = sum(map(len, pieces)) * patients // sample.patients
    frame("", b"", compress, 0, 0)  # imports the compressor
    digest, written = hashlib.sha256(), 0
    begun = time.perf_counter()
    with output.open("wb", buffering=0) as file:
        for piece in itertools.cycle(pieces):
            data = frame("", piece[:left], compress, 0, 0).data
            digest.update(data)
            written += file.write(data)
            left -= len(piece)
            if left <= 0:
                break
        os.fsync(file.fileno())
    return time.perf_counter() - begun, written


class Bench:
    """Measures lines: the trees, and the samples that the limit writes."""

    def __init__(self, commit: str, place: Path) -> None:
        self._now = Tree("working tree", PACKAGE_ROOT, cache_root())
        kernels = cache_root().with_name(f"goldenhour-of-{commit[:10]}")  # compiled once, not in each bench
        self._before = Tree("commit before", commits.unpack(commit, place / "commit"), kernels)
        self._place = place
        self._samples: dict[tuple[str, str], Sample] = {}

    def prepare(self, lines: Sequence[Line]) -> None:
        """Write the samples, compile the kernels, and bring the files of each way into the system's cache."""
        for way in dict.fromkeys(line.way for line in lines):
            if way != LIMIT:
                self.measure(Line("", "jsonl", "none", way, 100))
        for line in lines:
            if line.way == LIMIT and self._sample_key(line) not in self._samples:
                fmt, compress = key = self._sample_key(line)
                folder = self._place / f"{fmt}-{compress}"
                words = ("--format", fmt, "--compress", compress)
                patients = min(SAMPLE_PATIENTS, line.patients)
                self._now.simulate(patients, 0, *words, output=folder)
                files = [path for table in FORMATS[fmt].tables for path in sorted(folder.glob(f"{table}*"))]
                self._samples[key] = Sample(files, patients)

    @staticmethod
    def _sample_key(line: Line) -> tuple[str, str]:
        return line.format, line.compress if FORMATS[line.format].unit == "part" else "none"

    def measure(self, line: Line) -> Values:
        """Measure a line once."""
        if line.way == LIMIT:
            return self._limit(line)
        tree = self._before if line.way in (BEFORE_RAY, BEFORE_IN_PROCESS) else self._now
        workers = default_workers() if line.way in (RAY, BEFORE_RAY) else 0
        words = ("--format", line.format, "--compress", line.compress)
        found = tree.simulate(line.patients, workers, *words)
        patients = found["patients"]
        return Values(
            patients / max(found["seconds"], 1e-9), found["bytes"] / patients, float(found["peak_pss_mb"])
        )

    def _limit(self, line: Line) -> Values:
        sample = self._samples[self._sample_key(line)]
        compress = "none" if FORMATS[line.format].unit == "part" else line.compress
        spawn = multiprocessing.get_context("spawn")
        with (
            tempfile.TemporaryDirectory(prefix="goldenhour-limit-") as name,
            ProcessPoolExecutor(1, spawn) as pool,
        ):
            work = pool.submit(hash_and_write, sample, compress, line.patients, Path(name, "out"))
            seconds, written = work.result(commits.TIME_LIMIT_SECONDS)
        return Values(line.patients / seconds, written / line.patients, math.nan)


def all_lines(options: argparse.Namespace) -> list[Line]:
    """Return the lines of the chosen sections. Lines that are compared stand together."""
    found: list[Line] = []
    if "jsonl" in options.only:
        found += [Line("jsonl", "jsonl", "none", way, options.patients) for way in (LIMIT, RAY, IN_PROCESS)]
        found.append(Line("jsonl", "jsonl", "none", BEFORE_IN_PROCESS, options.before_patients))
    if "others" in options.only:
        for compress, fmt in itertools.product(COMPRESSIONS, CEILINGS_MB):
            found += [Line("others", fmt, compress, way, options.others) for way in (LIMIT, RAY, IN_PROCESS)]
            if (fmt, compress) == ("parquet", "none"):
                before = (BEFORE_RAY, BEFORE_IN_PROCESS)
                found += [Line("others", fmt, compress, way, options.before_patients) for way in before]
    if "memory" in options.only:
        for fmt, patients in itertools.product(CEILINGS_MB, options.memory_patients):
            found.append(Line("memory", fmt, "none", RAY, patients))
    return found


def in_order(lines: Sequence[Line], number: int, memory_rounds: int) -> list[Line]:
    """Return what a round measures. Groups of compared lines, and the lines of each group, rotate with the round."""
    wanted = [line for line in lines if line.section != "memory" or number < memory_rounds]
    groups = [list(group) for _, group in itertools.groupby(wanted, key=lambda line: line[:3])]
    first = number % len(groups) if groups else 0
    rotated = groups[first:] + groups[:first]
    return [line for group in rotated for line in group[number % len(group) :] + group[: number % len(group)]]


def comparisons(line: Line, medians: dict[Line, Values]) -> Iterator[Comparison]:
    """Yield what a line is compared with."""
    own = medians[line]
    speeds = {other[:4]: values.records_per_second for other, values in medians.items()}

    def ratio_to(way: str, fmt: str = line.format) -> float:
        return own.records_per_second / speeds[line.section, fmt, line.compress, way]

    if line.section == "memory":
        ceiling = CEILINGS_MB[line.format]
        yield Comparison(f"the ceiling, {ceiling} MB", own.peak_mb / ceiling, most=1.0)
        smallest = min(other.patients for other in medians if other[:4] == line[:4])
        if line.patients > smallest:
            small = medians[line._replace(patients=smallest)].peak_mb
            slope = (own.peak_mb - small) / (line.patients - smallest) * 1e6
            yield Comparison(f"{smallest:,} patients, {slope:+.1f} MB per million", own.peak_mb / small)
        return
    before = {RAY: BEFORE_RAY, IN_PROCESS: BEFORE_IN_PROCESS}.get(line.way)
    if before is None:
        return
    if line.section == "jsonl":
        least: float | None = RAY_OF_LIMIT
        if line.way == IN_PROCESS:
            least = min(IN_PROCESS_OF_LIMIT, TIMES_BEFORE * ratio_to(LIMIT) / ratio_to(before))
        yield Comparison("the limit", ratio_to(LIMIT), least)
        yield Comparison("the commit before, in process", ratio_to(BEFORE_IN_PROCESS))
        yield Comparison(f"the aim, {AIM:,} records/s", own.records_per_second / AIM)
        base = f"the earlier generator, {EARLIER_GENERATOR} records/s"
        yield Comparison(base, own.records_per_second / EARLIER_GENERATOR)
    else:
        yield Comparison("the limit", ratio_to(LIMIT))
        if line.format == "parquet" and line.compress == "none":
            yield Comparison(f"the commit {before}", ratio_to(before), TIMES_BEFORE)
        elif line.format != "jsonl":
            least = OTHERS_OF_JSONL if line.compress == "none" else None
            yield Comparison("JSONL", ratio_to(line.way, "jsonl"), least)


def show(lines: dict[Line, list[Values]], medians: dict[Line, Values], title: str) -> int:
    """Print the table; return how many judged lines fall short."""
    table = Table(title=title, title_justify="left")
    for name in ("format", "way", "patients", "records/s", "quartiles", "MB/s", "bytes/record", "peak, MB"):
        table.add_column(name, justify="left" if name in ("format", "way") else "right")
    for name in ("compared with", "ratio", "required", ""):
        table.add_column(name, justify="right" if name in ("ratio", "required") else "left")
    failed = 0
    for line, measured in lines.items():
        values = medians[line]
        speeds = [value.records_per_second for value in measured]
        quartiles = statistics.quantiles(speeds, n=4, method="inclusive") if len(speeds) > 1 else []
        cells = [
            line.format if line.compress == "none" else f"{line.format} {line.compress}",
            line.way,
            f"{line.patients:,}",
            f"{values.records_per_second:,.0f}",
            f"{quartiles[0]:,.0f}-{quartiles[2]:,.0f}" if quartiles else "",
            *values.cells(),
        ]
        compared = list(comparisons(line, medians))
        table.add_row(*cells, *(compared[0].cells() if compared else ()))
        for comparison in compared[1:]:
            table.add_row(*[""] * len(cells), *comparison.cells())
        failed += sum(not comparison.holds() for comparison in compared)
    Console(width=None if sys.stdout.isatty() else 180).print(table)
    return failed


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=1_000_000, help="of the section jsonl")
    parser.add_argument("--others", type=int, default=200_000, help="patients of the section others")
    parser.add_argument("--before-patients", type=int, default=100_000, help="runs of the commit before")
    parser.add_argument("--memory-patients", type=int, nargs=2, default=(100_000, 5_000_000))
    parser.add_argument("--commit", default=COMMIT_BEFORE, help="the commit before")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-rounds", type=int, default=1, help="rounds that measure memory too")
    parser.add_argument("--only", default="jsonl,others", help=f"sections of {', '.join(SECTIONS)}")
    parser.add_argument("--memory", action="store_true", help="add the section memory to those of --only")
    parser.add_argument("--no-results", action="store_true", help="leave bench/results alone")
    options = parser.parse_args()
    options.only = {*options.only.split(","), *(["memory"] if options.memory else [])}
    if unknown := options.only - set(SECTIONS):
        parser.error(f"--only: unknown section {min(unknown)!r}; allowed: {', '.join(SECTIONS)}")
    return options


def main() -> int:
    """Measure the chosen sections, print the table and append the figures to bench/results."""
    options = parsed()
    commit = commits.resolve(options.commit)
    lines = all_lines(options)
    found: dict[Line, list[Values]] = {line: [] for line in lines}
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="goldenhour-limit-") as name:
        bench = Bench(commit, Path(name))
        print("compiling, warming up and writing the samples", flush=True)
        bench.prepare(lines)
        for number in range(options.rounds):
            for line in in_order(lines, number, options.memory_rounds):
                values = bench.measure(line)
                found[line].append(values)
                what = f"{line.format} {line.compress} {line.way}, {line.patients:,} patients"
                megabytes, _, peak = values.cells()
                speed = f"{values.records_per_second:,.0f} records/s, {megabytes} MB/s"
                print(f"round {number + 1}: {what}: {speed}{peak and f', peak {peak} MB'}", flush=True)
    load_after = os.getloadavg()[0]
    medians = {
        line: Values(*map(statistics.median, zip(*values, strict=True))) for line, values in found.items()
    }
    failed = show(found, medians, f"medians of {options.rounds} rounds; the commit before: {commit[:10]}")
    print(f"load average before {load_before:.1f}, after {load_after:.1f} (the bench itself makes up to 2)")
    if not options.no_results:
        settings = {"commit": commit, "rounds": options.rounds, "load": [load_before, load_after]}
        rows = [line._asdict() | medians[line]._asdict() for line in lines]
        results_file.append("limit", settings | {"failed": failed, "rows": rows})
    print("all judged lines hold" if not failed else f"{failed} judged lines fall short")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
