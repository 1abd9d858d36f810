"""A real Prometheus scrapes a real run on a cluster of two nodes: `make bench-observe`.

Every query of every Grafana dashboard must return data, every metric that the alerts name must exist, and the alert
rules must load. Needs `prometheus` on the PATH.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from bench import local_cluster
from bench.local_cluster import ROOT, free_port

SECONDS = 60.0


def ask(server: str, path: str, **arguments: str) -> Any:
    """Return the data of one answer of Prometheus."""
    with urllib.request.urlopen(f"{server}{path}?{urllib.parse.urlencode(arguments)}", timeout=10) as answer:
        return json.load(answer)["data"]


def queries() -> dict[str, str]:
    """Return every query of the dashboards and every metric of the alerts by its place."""
    found = {}
    for path in sorted((ROOT / "deploy" / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    rules = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()
    # A counter that was never incremented has no series: there are no faults in these runs.
    for name in sorted(set(re.findall(r"ray_goldenhour_\w+", rules)) - {"ray_goldenhour_recoveries_total"}):
        found[f"alerts: {name}"] = name
    return found


def main() -> None:
    """Start a cluster and Prometheus, run, and query."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    program = shutil.which("prometheus")
    if program is None:
        raise SystemExit("prometheus is not on the PATH (Debian: apt-get install prometheus)")
    with tempfile.TemporaryDirectory(prefix="goldenhour-observe-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with local_cluster.started(folder, 2, Path(sys.executable).parent) as cluster:
            port = free_port()
            targets = json.dumps([f"127.0.0.1:{each}" for each in cluster.metrics])
            config = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
            config = re.sub(r"targets: \[.*\]", f"targets: {targets}", config)
            (folder / "prometheus.yml").write_text(config.replace("5s", "1s"))
            shutil.copy(ROOT / "deploy" / "prometheus" / "alerts.yml", folder)
            command = [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/tsdb",
            ]
            with (folder / "prometheus.log").open("wb") as log:
                server = subprocess.Popen(
                    [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
                )
            try:
                observe(f"http://127.0.0.1:{port}", cluster, folder)
            finally:
                server.terminate()
                server.wait(20)


def observe(server: str, cluster: local_cluster.LocalCluster, folder: Path) -> None:
    """Start two runs and repeat all queries until they return data; exit with 1 if some do not."""
    environment = cluster.environment | {"GOLDENHOUR_DATA_DIR": str(folder / "data")}
    running = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "goldenhour", "run", "standard", "--seed", seed, "--quiet"]
        command += ["--address", cluster.address, "--patients", "400000", "-o", str(folder / f"run{seed}")]
        running.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        if seed == "1":
            running[0].wait(300)
    waiting, until = queries(), time.monotonic() + SECONDS
    total = len(waiting)
    while waiting and time.monotonic() < until:
        for name, query in list(waiting.items()):
            try:
                if ask(server, "/api/v1/query", query=query)["result"]:
                    del waiting[name]
            except OSError:
                break
        time.sleep(1)
    codes = [each.wait(300) for each in running]
    rules = [rule for group in ask(server, "/api/v1/rules")["groups"] for rule in group["rules"]]
    up = [each["health"] for each in ask(server, "/api/v1/targets")["activeTargets"]]
    print(f"{total - len(waiting)} of {total} queries have data; {len(rules)} rules, targets {', '.join(up)}")
    for rule in rules:
        print(f"  {rule['name']}: {rule['state']}, {rule['health']}")
    for name, query in waiting.items():
        print(f"no data: {name}: {query}")
    if waiting or any(codes) or any(rule["health"] != "ok" for rule in rules):
        names = ask(server, "/api/v1/label/__name__/values")
        print("names:", *[each for each in names if "goldenhour" in each or "mem" in each or "rss" in each])
        sys.exit(1)


if __name__ == "__main__":
    main()
