"""Throughput of clusters of 1, 2 and 4 nodes with one core each: `make bench-scaleout`.

Each node and all its processes are pinned to one core, the driver to that of node 0. With more nodes than cores, nodes
share cores and add no speed. All clusters must write the same bytes. Each measurement runs in a separate process; the
best of `--repeats` counts, because other work on the machine can only slow a run down.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from actors.run import RunRequest, run_scenario
from bench import results_file
from engine import scenario as scenario_api
from goldenhour import scenario_files

TIME_LIMIT_SECONDS = 900
WANTED = 1.7
"""Two nodes must reach this multiple of the throughput of one."""


def pin(pid: int, core: int) -> None:
    """Pin a process, its threads and its descendants to a core; processes that they start later inherit it."""
    process = psutil.Process(pid)
    for each in [process, *process.children(recursive=True)]:
        try:
            for thread in each.threads():
                os.sched_setaffinity(thread.id, {core})
        except (psutil.Error, OSError):
            continue


def measure(nodes: int, patients: int, scenario: str, compress: str) -> dict[str, Any]:
    """Start a cluster, warm up, carry out one run; return its figures."""
    cores = sorted(os.sched_getaffinity(0))
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}
    import ray
    from ray.cluster_utils import Cluster

    arguments = {"num_cpus": 1, "object_store_memory": 400_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**arguments, "include_dashboard": False})
    started = [cluster.head_node, *(cluster.add_node(**arguments) for _ in range(nodes - 1))]
    cluster.wait_for_nodes()
    for index, node in enumerate(started):
        for processes in node.all_processes.values():
            for each in processes:
                pin(each.process.pid, cores[index % len(cores)])
    os.sched_setaffinity(0, {cores[0]})
    folder = Path(tempfile.mkdtemp(prefix="goldenhour-scaleout-"))
    try:
        original = scenario_api.with_overrides(scenario_files.load(scenario), total=patients)
        request = RunRequest(
            scenario=scenario_api.resolve(original),
            original=original,
            seed=1,
            output=folder / "run",
            workers=nodes,
            address=cluster.address,
            compress=compress,
        )
        small = scenario_api.with_overrides(original, total=20_000)
        warm = {"scenario": scenario_api.resolve(small), "original": small, "output": folder / "warm"}
        ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
        run_scenario(replace(request, **warm))
        psutil.cpu_times_percent(interval=None)
        load = os.getloadavg()[0]
        result = run_scenario(request)
        busy = psutil.cpu_times_percent(interval=None)
        digest = hashlib.sha256()
        for part in result.parts:
            digest.update(f"{part.path} {part.sha256}\n".encode())
        ray.shutdown()
        return {
            "nodes": nodes,
            "cores": min(nodes, len(cores)),
            "patients": result.patients,
            "seconds": round(result.seconds, 2),
            "patients_per_second": round(result.patients_per_second),
            "mb_per_second": round(result.bytes / result.seconds / 1e6, 1),
            "digest": digest.hexdigest()[:16],
            "load_before": round(load, 2),
            "machine_busy_percent": round(100 - busy.idle),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        cluster.shutdown()


def main() -> None:
    """Measure, print and save the figures; exit with 1 if two nodes are less than `WANTED` times as fast as one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--patients", type=int, default=400_000)
    parser.add_argument("--scenario", default="standard")
    parser.add_argument("--compress", default="zstd")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measure(options.nodes[0], options.patients, options.scenario, options.compress)))
        return
    best: dict[int, dict[str, Any]] = {}
    digests = set()
    for repeat in range(options.repeats):
        for nodes in options.nodes:
            command = [sys.executable, "-m", "bench.scaleout", "--once", "--nodes", str(nodes)]
            command += ["--patients", str(options.patients), "--scenario", options.scenario]
            command += ["--compress", options.compress]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIME_LIMIT_SECONDS, check=False
            )
            if done.returncode:
                raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-3000:]}")
            row = json.loads(done.stdout.splitlines()[-1])
            print(f"repeat {repeat + 1}: {json.dumps(row)}", flush=True)
            digests.add(row["digest"])
            if nodes not in best or row["patients_per_second"] > best[nodes]["patients_per_second"]:
                best[nodes] = row
            time.sleep(1)
    first = best[options.nodes[0]]["patients_per_second"]
    table = Table(
        title=f"{options.scenario}, jsonl, {options.compress}, one core a node", title_justify="left"
    )
    for heading in ("nodes", "cores", "seconds", "patients/s", "MB/s", "of 1st", "load before", "busy %"):
        table.add_column(heading, justify="right")
    for nodes, row in best.items():
        speed = row["patients_per_second"]
        figures = (row["seconds"], f"{speed:,}", row["mb_per_second"], f"{speed / first:.2f}")
        table.add_row(
            *map(str, (nodes, row["cores"], *figures, row["load_before"], row["machine_busy_percent"]))
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    same = len(digests) == 1
    print("all clusters wrote the same bytes" if same else f"DIFFERENT bytes: {digests}")
    results_file.append(
        "scaleout", {"scenario": options.scenario, "compress": options.compress, "rows": [*best.values()]}
    )
    gain = best[2]["patients_per_second"] / best[1]["patients_per_second"] if {1, 2} <= set(best) else None
    if not same or (gain is not None and gain < WANTED):
        print(f"two nodes: {gain or 0:.2f} times one; required: {WANTED}")
        sys.exit(1)


if __name__ == "__main__":
    main()
