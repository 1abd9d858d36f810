"""A cluster of several nodes on the loopback interface, with a dashboard, jobs and a token.

The nodes run in a virtual environment with goldenhour's dependencies but without goldenhour, as on nodes that receive
the program with a job.
"""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from actors.cluster import package_root

ROOT = package_root.PACKAGE_ROOT
DEPENDENCIES = ROOT / "out" / "cluster-venv"
STOP_SECONDS = 30.0

NODES = """
import json, sys
from ray.cluster_utils import Cluster
common = {"object_store_memory": 150_000_000, "num_cpus": 1}
settings = json.loads(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args=common | settings["head"])
for more in settings["others"]:
    cluster.add_node(**common, **more)
cluster.wait_for_nodes(timeout=60)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
"""Program that runs the nodes until its input ends: by `stop`, or when the process that started it ends."""


def dependencies() -> Path:
    """Return the `bin` folder of the nodes' environment; create it if it is missing or the dependencies have
    changed.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    stamp = DEPENDENCIES / "installed.txt"
    text = "\n".join([*wanted, (ROOT / "constraints.txt").read_text()])
    if not stamp.is_file() or stamp.read_text() != text:
        print("installing the dependencies of a node (a minute)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(DEPENDENCIES)], check=True)
        pip = [
            str(DEPENDENCIES / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), *wanted], check=True)
        stamp.write_text(text)
    return DEPENDENCIES / "bin"


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalCluster:
    """Nodes of one CPU each: `address` for drivers, `dashboard` for jobs, `metrics` (ports) for Prometheus.

    `environment` has the environment variables of programs that use the cluster. `binaries` is the `bin` folder of the
    nodes' Python, by default that of `dependencies`.
    """

    def __init__(self, folder: Path, nodes: int, binaries: Path | None = None) -> None:
        binaries = binaries or dependencies()
        self._log = folder / "ray.log"
        token = folder / "auth_token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        home = folder / "home"
        home.mkdir()
        dashboard = free_port()
        self.metrics = [free_port() for _ in range(nodes)]
        self.dashboard = f"http://127.0.0.1:{dashboard}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "HOME": str(home),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
        }
        ports = [
            {"metrics_export_port": port, "dashboard_agent_listen_port": free_port()} for port in self.metrics
        ]
        head = {"include_dashboard": True, "dashboard_host": "127.0.0.1", "dashboard_port": dashboard}
        settings = json.dumps({"head": head | ports[0], "others": ports[1:]})
        with self._log.open("wb") as log:
            self._nodes = subprocess.Popen(
                [str(binaries / "python"), "-c", NODES, settings],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                text=True,
                start_new_session=True,
            )
        assert self._nodes.stdout is not None
        self.address = self._nodes.stdout.readline().strip()
        if not self.address:
            self.stop()
            raise SystemExit(f"the cluster did not start:\n{self._log.read_text()[-3000:]}")

    def stop(self) -> None:
        """Stop all nodes."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._nodes.communicate(timeout=STOP_SECONDS)
        self._nodes.kill()


@contextlib.contextmanager
def started(folder: Path, nodes: int, binaries: Path | None = None) -> Iterator[LocalCluster]:
    """Start a cluster, and stop it at the end of the block."""
    cluster = LocalCluster(folder, nodes, binaries)
    try:
        yield cluster
    finally:
        cluster.stop()
