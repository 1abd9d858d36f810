"""Runs as jobs of a token-protected cluster of two nodes that have only the dependencies: `make bench-cluster`.

Each line is a command as a user types it, with its expected result. Files are compared byte for byte with those of the
same run in process. The exit code is 1 unless all lines pass.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from moto.server import ThreadedMotoServer
from rich.console import Console
from rich.table import Table

from bench import local_cluster, results_file
from bench.local_cluster import ROOT, LocalCluster

GOLDENHOUR = (sys.executable, "-m", "goldenhour")
SCENARIO = 'name = "mine"\nseed = 11\n[casualties]\ntotal = 5000\n'
SECONDS = 300


class Bench:
    """The commands that are tested, and their results."""

    def __init__(self, folder: Path, cluster: LocalCluster, store: str) -> None:
        self.folder = folder
        self.cluster = cluster
        self.rows: list[dict[str, object]] = []
        self.environment = cluster.environment | {
            "GOLDENHOUR_DATA_DIR": str(folder / "data"),
            "AWS_ENDPOINT_URL": store,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
        self.scenario = folder / "mine.toml"
        self.scenario.write_text(SCENARIO)
        self.plain = folder / "plain"
        self.ran(
            *GOLDENHOUR, "run", str(self.scenario), "--workers", "0", "-o", str(self.plain), "--no-store"
        )

    def ran(
        self, *command: str, cwd: Path = ROOT, without: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end."""
        environment = {name: value for name, value in self.environment.items() if name not in without}
        return subprocess.run(
            command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def same(self, output: Path) -> bool:
        """Whether a folder holds exactly the files of the run in process."""
        here = {entry.name: entry.read_bytes() for entry in output.iterdir()} if output.is_dir() else {}
        return here == {entry.name: entry.read_bytes() for entry in self.plain.iterdir()}

    def line(self, name: str, work: Callable[[], str]) -> None:
        """Carry out a check, which returns what is wrong or an empty text, and record the result."""
        begun = time.perf_counter()
        wrong = work()
        self.rows.append({"what": name, "seconds": round(time.perf_counter() - begun, 1), "wrong": wrong})
        print(f"{'ok ' if not wrong else 'NO '} {name} {wrong}", flush=True)

    def ray_job_submit(self) -> str:
        """Run `ray job submit --working-dir .` in a clean copy of the project."""
        copy = self.folder / "clean"
        copy.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=copy, input=archive, check=True)
        output = self.folder / "by-ray"
        command = ["ray", "job", "submit", "--address", self.cluster.dashboard, "--working-dir", ".", "--"]
        command += ["python", "-m", "goldenhour", "run", "standard", "--patients", "2000", "-o", str(output)]
        done = self.ran(*command, cwd=copy)
        again = self.folder / "by-ray-plain"
        self.ran(*GOLDENHOUR, "run", "standard", "--patients", "2000", "--workers", "0", "-o", str(again))
        names = {entry.name for entry in again.iterdir()}
        if done.returncode or not output.is_dir() or {entry.name for entry in output.iterdir()} != names:
            return f"exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-1000:]}"
        return (
            "" if all((output / n).read_bytes() == (again / n).read_bytes() for n in names) else "other bytes"
        )

    def submit_and_fetch(self) -> str:
        """Submit a scenario file, follow the job, and fetch the files from the head's disk."""
        done = self.submit(str(self.scenario))
        if done.returncode or "Simulating" not in done.stderr:
            return f"exit code {done.returncode}: {done.stderr[-2000:]}"
        return self.fetch(done.stdout.strip(), "fetched")

    def submit_to_s3(self) -> str:
        """Submit a job that writes to a URL with several workers, wait for it, and fetch by the run's id."""
        forwarded = [name for name in self.environment if name.startswith("AWS_")]
        pairs = [word for name in forwarded for word in ("--env", name)]
        done = self.submit(
            str(self.scenario), "--no-follow", "-o", "s3://bucket/run", "--workers", "2", *pairs
        )
        run = done.stdout.strip()
        if done.returncode or len(run) != 36:
            return f"exit code {done.returncode}: {done.stderr}"
        return self.wait(run) or self.fetch(run, "from-s3")

    def interrupted(self) -> str:
        """Press Ctrl-C while following: the job must continue."""
        command = [*GOLDENHOUR, "submit", str(self.scenario), "--address", self.cluster.dashboard]
        following = subprocess.Popen(
            command,
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
        )
        assert following.stdout is not None
        run = following.stdout.readline().strip()
        time.sleep(1)
        following.send_signal(signal.SIGINT)
        _, error = following.communicate(timeout=60)
        if following.returncode != 130 or "continues" not in error or "Traceback" in error:
            return f"exit code {following.returncode}: {error}"
        return self.wait(run) or self.fetch(run, "after-interrupt")

    def errors(self) -> str:
        """Make mistakes: each must give one message and the right exit code."""
        bad = self.folder / "bad.toml"
        bad.write_text(SCENARIO.replace("total = 5000", "total = -1"))
        address = ("--address", self.cluster.dashboard)
        home = str(self.folder / "never")
        checks = [
            (("submit", "standard", *address), ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"), "HTTP 401", 2),
            (("submit", "standard", "--address", "http://127.0.0.1:9"), (), "no cluster answers", 2),
            (("submit", "standard", "--address", "127.0.0.1:8265"), (), "allowed: http://HOST", 2),
            (("submit", str(bad), *address), (), "casualties.total", 2),
            (("submit", "standard", "-o", "here", *address), (), "full path", 2),
            (("submit", "standard", "-o", "/proc/nowhere", *address), (), "/proc/nowhere", 1),
            (("fetch", "no-such-run", "-o", home, *address), (), "no run or job", 2),
        ]
        wrong = []
        for arguments, without, words, code in checks:
            done = self.ran(*GOLDENHOUR, *arguments, without=without)
            if done.returncode != code or words not in done.stderr or "Traceback" in done.stderr:
                wrong.append(f"{' '.join(arguments)}: {done.returncode}, {done.stderr[-800:]}")
        return "\n".join(wrong)

    def submit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `goldenhour submit`."""
        return self.ran(*GOLDENHOUR, "submit", *arguments, "--address", self.cluster.dashboard)

    def fetch(self, run: str, name: str) -> str:
        """Run `goldenhour fetch` and compare the files."""
        home = self.folder / name
        done = self.ran(*GOLDENHOUR, "fetch", run, "-o", str(home), "--address", self.cluster.dashboard)
        if done.returncode:
            return f"fetch: exit code {done.returncode}: {done.stderr[-2000:]}"
        return "" if self.same(home) else "other files than in process"

    def wait(self, run: str) -> str:
        """Wait until a job has ended; return what is wrong."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            done = self.ran("ray", "job", "status", run, "--address", self.cluster.dashboard)
            if "succeeded" in done.stdout.lower():
                return ""
            if "failed" in done.stdout.lower():
                return done.stdout[-2000:]
            time.sleep(1)
        return "the job did not end"


def main() -> None:
    """Run all commands."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    os.umask(0o077)
    store = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    with tempfile.TemporaryDirectory(prefix="goldenhour-cluster-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # root starts the database as the user nobody
        with local_cluster.started(folder, nodes=2) as cluster:
            bench = Bench(folder, cluster, f"http://{host}:{port}")
            import boto3

            keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
            boto3.client("s3", endpoint_url=bench.environment["AWS_ENDPOINT_URL"], **keys).create_bucket(
                Bucket="bucket"
            )
            bench.line("ray job submit --working-dir . -- python -m goldenhour run", bench.ray_job_submit)
            bench.line("goldenhour submit mine.toml; goldenhour fetch RUN", bench.submit_and_fetch)
            bench.line("goldenhour submit --no-follow -o s3://...; fetch RUN", bench.submit_to_s3)
            bench.line("Ctrl-C while following; fetch RUN", bench.interrupted)
            bench.line("wrong address, token, scenario, folder, run", bench.errors)
    store.stop()
    table = Table(title="jobs of a cluster of two nodes with a token", title_justify="left")
    for heading in ("command", "seconds", "passed"):
        table.add_column(heading)
    for row in bench.rows:
        table.add_row(str(row["what"]), str(row["seconds"]), "no" if row["wrong"] else "yes")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if any(row["wrong"] for row in bench.rows):
        print(json.dumps(bench.rows, indent=1))
        sys.exit(1)
    results_file.append("cluster_job", {"rows": bench.rows})


if __name__ == "__main__":
    main()
