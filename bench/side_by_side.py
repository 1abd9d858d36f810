"""Speed and memory of an older commit against the working tree, measured in turns.

    python -m bench.side_by_side COMMIT
    make bench-side-by-side COMMIT=...

Each round measures every figure on both trees, one directly after the other; the order changes from round to round, so
a machine that becomes slower or faster affects both alike. The figures:

- cold compile: processor seconds of a process that compiles the kernel into an empty cache folder;
- flow: casualties of `brigade` per processor second, without records, in process, the best of three;
- columns: patients of `standard` per processor second, as columns, in process, the best of three;
- JSONL in process and on Ray: patients per second, peak memory and bytes per record of `goldenhour run --json`.

The table shows the medians and their ratio. The exit code is 1 if a speed is below 0.98 of the commit's, or a peak of
memory more than 3 % above it.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from actors.cluster import PACKAGE_ROOT
from bench import commits, results_file
from bench.commits import Tree

LEAST_SPEED, MOST_MEMORY = 0.98, 1.03
"""Allowed ratios of the working tree to the commit."""
CASUALTIES_PER_DAY = 9.0
"""Of `brigade`."""
WORKERS = {"JSONL in process": 0, "JSONL on Ray": 1}

RUNNER = r"""
import importlib, json, sys, time

root, what, patients, days = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, root)


def find(name, *modules):
    for module in modules:
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            pass
    raise SystemExit(f"no {name} in {', '.join(modules)}")


import scenarios

builtin = "brigade" if what == "flow" else "standard"
parse = find("parse", "engine.scenario", "engine.scenario_file")
resolve = find("resolve", "engine.scenario", "engine.scenario_defaults")
with_overrides = find("with_overrides", "engine.scenario", "engine.scenario_values")
Simulation = find("Simulation", "engine.run", "engine.simulation")
written = parse(scenarios.builtin_bytes(builtin), "toml", builtin)


def measure(total):
    scenario = resolve(with_overrides(written, total=total, days=days or None))
    begun = time.process_time()
    simulation = Simulation(scenario, 1, 0)
    if what == "flow":
        simulation.run_flow()
        done = int(simulation.outcomes().sum())
    else:
        done = sum(map(len, simulation))
    return done / (time.process_time() - begun)


measure(min(patients, 200))  # loads the kernel, and compiles it where it must
print(json.dumps(max(measure(patients) for _ in range(3))))
"""
"""Measures one figure with the sources of one folder, whose modules may still have an older layout."""


class Figure(NamedTuple):
    """What is measured: its name and unit, and whether more is better, worse (False) or neither (None)."""

    name: str
    unit: str
    more_is_better: bool | None

    def ratio(self, before: float, after: float) -> float:
        """The working tree's value as a share of the commit's; of times the inverse, so that it is a speed."""
        if self.unit == "CPU s":
            before, after = after, before
        return after / before if before else math.nan

    def holds(self, before: float, after: float) -> bool:
        """Whether the working tree is as good as the commit, within the allowance."""
        if self.more_is_better is None:
            return True
        ratio = self.ratio(before, after)
        return ratio >= LEAST_SPEED if self.more_is_better else ratio <= MOST_MEMORY


Values = dict[Figure, float]
COMPILE = Figure("cold compile", "CPU s", True)
FLOW = Figure("flow", "casualties/CPU s", True)
COLUMNS = Figure("columns", "patients/CPU s", True)


def in_process(tree: Tree, figure: Figure, patients: int) -> Values:
    """Casualties or patients per processor second."""
    days = math.ceil(patients / CASUALTIES_PER_DAY) if figure is FLOW else 0
    return {figure: float(tree.python("-c", RUNNER, str(tree.root), figure.name, str(patients), str(days)))}


def cold_compile(tree: Tree) -> Values:
    """Processor seconds of a small run in process whose kernel must be compiled."""
    with tempfile.TemporaryDirectory(prefix="goldenhour-cold-") as name:
        before = os.times()
        Tree(tree.name, tree.root, Path(name)).python("-c", RUNNER, str(tree.root), COLUMNS.name, "1", "0")
        after = os.times()
    user = after.children_user - before.children_user
    return {COMPILE: user + after.children_system - before.children_system}


def jsonl(tree: Tree, way: str, patients: int) -> Values:
    """Speed, memory and size of `goldenhour run --json`."""
    found = tree.simulate(patients, WORKERS[way])
    return {
        Figure(way, "patients/s", True): found["patients"] / max(found["seconds"], 1e-9),
        Figure(way, "peak PSS, MB", False): float(found["peak_pss_mb"]),
        Figure(way, "bytes/record", None): found["bytes"] / max(1, found["patients"]),
    }


def one_round(trees: list[Tree], number: int, options: argparse.Namespace) -> Iterator[tuple[str, Values]]:
    """Measure every figure on both trees in turn; by name of the tree."""
    order = trees if number % 2 == 0 else trees[::-1]
    if number < options.cold_rounds:
        for tree in order:
            yield tree.name, cold_compile(tree)
    for figure, patients in ((FLOW, options.flow_patients), (COLUMNS, options.patients)):
        for tree in order:
            yield tree.name, in_process(tree, figure, patients)
    for way in list(WORKERS)[: 1 if options.no_ray else None]:
        for tree in order:
            yield tree.name, jsonl(tree, way, options.patients)


def show(rows: list[dict[str, Any]], title: str) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for name in ("figure", "unit", "commit", "working tree", "ratio", ""):
        table.add_column(name, justify="left" if name in ("figure", "unit") else "right")
    for row in rows:
        values = [
            f"{row[name]:,.0f}" if row[name] >= 100 else f"{row[name]:.1f}" for name in ("before", "after")
        ]
        verdict = "" if row["judged"] is False else "ok" if row["holds"] else "[bold red]FAILED[/]"
        table.add_row(row["figure"], row["unit"], *values, f"{row['ratio']:.3f}", verdict)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main() -> int:
    """Measure both trees, print the table and append the figures to bench/results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold-rounds", type=int, default=1, help="rounds that measure the cold compile too")
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--flow-patients", type=int, default=20_000)
    parser.add_argument("--no-ray", action="store_true", help="in process only")
    parser.add_argument("--no-results", action="store_true", help="leave bench/results alone")
    options = parser.parse_args()
    commit = commits.resolve(options.commit)
    found: dict[str, dict[Figure, list[float]]] = {"before": {}, "after": {}}
    with tempfile.TemporaryDirectory(prefix="goldenhour-side-by-side-") as name:
        place = Path(name)
        trees = [
            Tree("before", commits.unpack(commit, place / "commit"), place / "kernels-before"),
            Tree("after", PACKAGE_ROOT, place / "kernels-after"),
        ]
        for tree in trees:  # compiles the kernels, and brings the files into the system's cache
            in_process(tree, COLUMNS, 1000)
            tree.simulate(1000, 0)
        for number in range(options.rounds):
            for side, values in one_round(trees, number, options):
                for figure, value in values.items():
                    found[side].setdefault(figure, []).append(value)
                    print(
                        f"round {number + 1}, {side}: {figure.name}: {value:,.1f} {figure.unit}", flush=True
                    )
    rows = []
    for figure, values_before in found["before"].items():
        before, after = statistics.median(values_before), statistics.median(found["after"][figure])
        rows.append(
            {
                "figure": figure.name,
                "unit": figure.unit,
                "before": before,
                "after": after,
                "ratio": figure.ratio(before, after),
                "judged": figure.more_is_better is not None,
                "holds": figure.holds(before, after),
            }
        )
    show(rows, f"{commit[:10]} and the working tree, medians of {options.rounds} rounds")
    if not options.no_results:
        results_file.append("side_by_side", {"commit": commit, "rounds": options.rounds, "rows": rows})
    failed = sum(not row["holds"] for row in rows)
    print(f"{len(rows) - failed} of {len(rows)} figures hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
