"""One simulator against shards of fronts and their merge: `make bench-shards`.

The benchmark measures processor time, because a machine may have fewer cores than there are shards. First it measures
the parts in one process: the simulation of all fronts, each shard, and the merge of chunks computed beforehand. Then it
measures real runs on Ray, where processes also pass chunks to each other: the processor time of each kind of process.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from actors.run import CHUNK_SIZE, Progress, RunRequest, run_scenario
from bench import results_file
from engine import scenario as scenario_api
from engine.measures import whole_run
from engine.run import Merged, Simulation, partition_fronts
from engine.scenario import POI, Scenario
from goldenhour import scenario_files

TITLES = {"ray::FlowSimulator": "simulator", "ray::MergingSimulator": "merge", "ray::ShardSimulator": "shard"}


def side_by_side(one: Scenario, number: int) -> Scenario:
    """Return a scenario with `number` copies of the fronts, facilities and vehicles of `one`; the copies share
    nothing.
    """
    resolved = scenario_api.resolve(one)
    parts: dict[str, list[Any]] = {"fronts": [], "facilities": [], "vehicles": [], "links": []}
    for k in range(number):

        def own(name: str | None, mark: str = f" {k + 1}") -> Any:
            return name if name in (None, POI) else f"{name}{mark}"

        parts["fronts"] += [
            replace(f, name=own(f.name), share=None if f.share is None else f.share / number)
            for f in resolved.fronts
        ]
        parts["facilities"] += [
            replace(f, id=own(f.id), fronts=[own(x) for x in f.fronts]) for f in resolved.facilities
        ]
        parts["vehicles"] += [replace(v, id=own(v.id), base=own(v.base)) for v in resolved.vehicles]
        parts["links"] += [
            replace(
                link,
                origin=own(link.origin),
                destination=own(link.destination),
                vehicle=own(link.vehicle),
                fronts=[own(x) for x in link.fronts],
            )
            for link in resolved.links
        ]
    return replace(resolved, name=f"{number} x {one.name}", **parts)


class Recorded:
    """A shard whose chunks have been computed beforehand."""

    def __init__(self, simulation: Simulation) -> None:
        self.chunks = [*simulation]
        self.end, self.close = simulation.end, simulation.close

    def __iter__(self) -> Iterator[Any]:
        return iter(self.chunks)


def drained(chunks: Any) -> tuple[int, float]:
    """Take all chunks; return the number of patients and the processor seconds that it took."""
    begin = time.process_time()
    patients = sum(map(len, chunks))
    return patients, time.process_time() - begin


def alone(scenario: Scenario, number: int) -> dict[str, Any]:
    """Return patients per processor second of one simulation, each shard and the merge; the best of three each."""
    parts = partition_fronts(scenario, number)
    for _ in Simulation(scenario, 1, 0):  # load the kernel, and compile it if necessary
        break
    fastest: dict[Any, tuple[int, float]] = {}
    for _ in range(3):
        whole = Simulation(scenario, 1, 0)
        found: dict[Any, tuple[int, float]] = {"one": drained(whole)}
        for part in parts:
            found[part] = drained(Simulation(scenario, 1, 0, fronts=part))
        recorded = [Recorded(Simulation(scenario, 1, 0, fronts=part)) for part in parts]
        merged = Merged(scenario, parts, recorded, CHUNK_SIZE)
        found["merge"] = drained(merged)
        for what, row in found.items():
            fastest[what] = min(row, fastest.get(what, row), key=lambda row: row[1])
        same = whole_run.find_measures(whole, scenario) == whole_run.find_measures(merged, scenario)
        if found["merge"][0] != found["one"][0] or not same:
            raise SystemExit(f"{scenario.name}: the merged run is not the run of one simulator")
    speed = {what: round(patients / seconds) for what, (patients, seconds) in fastest.items()}
    busiest = max(seconds for what, (_, seconds) in fastest.items() if what != "one")
    return {
        "one": speed["one"],
        "shards": [speed[part] for part in parts],
        "merge": speed["merge"],
        "bound": round(fastest["one"][0] / busiest),
    }


class Processors:
    """Progress callback that reads the processor seconds of the simulating processes during a run."""

    def __init__(self) -> None:
        self.seconds: dict[int, tuple[str, float, float]] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.phase != "running":
            return
        for process in psutil.Process().children(recursive=True):
            try:
                role = TITLES.get(" ".join(process.cmdline()).split(".")[0].split(" ")[0])
                times = process.cpu_times()
            except psutil.Error:
                continue
            if role:
                now = times.user + times.system
                self.seconds[process.pid] = (role, self.seconds.get(process.pid, (role, now, now))[1], now)

    def by_role(self) -> dict[str, list[float]]:
        """Return the processor seconds of the processes of each role."""
        found: dict[str, list[float]] = {}
        for role, first, last in self.seconds.values():
            found.setdefault(role, []).append(last - first)
        return found


def on_ray(scenario: Scenario, number: int, chunk_size: int, folder: Path) -> dict[str, Any]:
    """Run on Ray; return patients per processor second of the busiest process of each kind."""
    result: dict[str, Any] = {}
    digests = set()
    for simulators in (1, number):
        processors = Processors()
        request = RunRequest(
            scenario=scenario,
            original=scenario,
            seed=1,
            output=folder / str(simulators),
            workers=1,
            simulators=simulators,
            chunk_size=chunk_size,
            compress="zstd",
        )
        done = run_scenario(request, processors)
        digests.add(tuple(part.sha256 for part in done.parts))
        for role, seconds in processors.by_role().items():
            result[role] = round(done.patients / max(seconds))
            result[f"{role} seconds"] = [round(each, 2) for each in seconds]
        shutil.rmtree(folder / str(simulators))
    if len(digests) != 1:
        raise SystemExit(f"{scenario.name}: the bytes of {number} simulators are not those of one")
    return result


def both(patients: int, fronts: int) -> list[Scenario]:
    """Return `standard`, and `fronts` independent brigades with a quarter of the patients."""
    standard = scenario_api.with_overrides(scenario_files.load("standard"), total=patients)
    brigade = scenario_api.with_overrides(scenario_files.load("brigade"), total=patients // 4)
    return [scenario_api.resolve(standard), side_by_side(brigade, fronts)]


def main() -> None:
    """Measure, print the tables and append the figures to bench/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=60_000)
    parser.add_argument("--ray-patients", type=int, default=400_000)
    parser.add_argument("--chunk-sizes", type=int, nargs="*", default=[CHUNK_SIZE, 8192])
    parser.add_argument("--shards", type=int, nargs="*", default=[2, 3])
    parser.add_argument("--no-ray", action="store_true")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    rows = []
    table = Table(title="patients per processor second", title_justify="left")
    for heading in ("scenario", "shards", "one simulator", "each shard", "merge", "limit set by the slowest"):
        table.add_column(heading, justify="right")
    for scenario in both(options.patients, max(options.shards)):
        for number in options.shards:
            row = alone(scenario, number)
            rows.append({"scenario": scenario.name, "shards": number, **row})
            each = " ".join(f"{x:,}" for x in row["shards"])
            figures = (f"{row['one']:,}", each, f"{row['merge']:,}", f"{row['bound']:,}")
            table.add_row(scenario.name, str(number), *figures)
    console.print(table)
    if not options.no_ray:
        folder = Path(tempfile.mkdtemp(prefix="goldenhour-shards-"))
        try:
            number = options.shards[0]
            for scenario in both(options.ray_patients, number):
                for size in options.chunk_sizes:
                    row = on_ray(scenario, number, size, folder)
                    rows.append({"scenario": scenario.name, "shards": number, "chunk_size": size, **row})
                    words = f"{scenario.name} on Ray, {number} shards, chunks of {size}, the same bytes"
                    console.print(f"{words}: {row}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    results_file.append("shards", {"rows": rows})


if __name__ == "__main__":
    main()
