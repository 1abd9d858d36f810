"""Chaos: processes and nodes are killed at random moments; after `goldenhour resume` every byte must be there.

`make chaos ROUNDS=100` runs it. A round starts `goldenhour run` on a Ray cluster of three nodes on this machine, with
the cluster's store and cache and a temporary database. It kills one victim with SIGKILL at a random moment, and repeats
`goldenhour resume` or the same command until the run is finished; a run that recovers by itself needs neither. Then all
files must equal those of an undisturbed run, without any further file. Every actor of the run must have ended, the
folder for temporary files must be empty, the database must have one row of the run, in the state `succeeded`, and no
more connections than an idle store. The seed decides victims, moments and settings; the moment is drawn uniformly over
the life of a driver.
"""

import argparse
import contextlib
import hashlib
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg

from actors.cluster.local_ray import LOOPBACK_ONLY
from actors.run import MANIFEST
from actors.run.partial_folder import PARTIAL, PUBLISHED
from actors.run.run_file import RUN_FILE
from actors.store import database
from bench import results_file, store_ground
from bench.store_ground import Ground

OF_THE_RUN = {
    "generator": "ray::generate",
    "simulator": "ray::FlowSimulator",
    "shard": "ray::ShardSimulator",
    "merger": "ray::MergingSimulator",
    "writer": "ray::Writer",
}
OF_THE_CLUSTER = {
    "store": "ray::SharedStore",
    "cache": "ray::Cache",
}
"""Kinds of victims that are processes of the cluster, with the beginning of their titles. The processes of OF_THE_RUN
end with the run, those of OF_THE_CLUSTER outlive it."""

ACTORS = OF_THE_RUN | OF_THE_CLUSTER

KINDS = (*ACTORS, "driver", "postgres", "node", "head")
"""All kinds. `node` and `head` kill all processes of a node at once; the cluster's state is lost with the head."""

ENDING = ("driver", "node", "head")
"""Kinds that may end the command; a run recovers from the loss of any other by itself."""

WEIGHTS = {"head": 0.4}
"""Relative frequency of a kind; 1 for those not listed."""

SETTINGS = (
    ("--patients", "40000"),
    ("--patients", "60000", "--writers", "2"),
    ("--patients", "30000", "--format", "jsonl,parquet", "--chunk-size", "1024"),
    ("--patients", "40000", "--format", "csv,json", "--compress", "zstd", "--writers", "3"),
)
"""Options of the runs. A Parquet part holds 16,384 patients, a part of another format 65,536."""

SHARDED = (
    ("--patients", "40000", "--simulators", "2"),
    ("--patients", "60000", "--simulators", "3", "--writers", "2", "--format", "parquet"),
)
"""Options of runs with several simulators."""

OF_SHARDED = ("shard", "merger")
"""Kinds of victims that exist only with several simulators, instead of `simulator`."""

SYNC_SECONDS = "0.1"
"""Shortest time between two lines of the journal, so that a run of seconds writes several."""

NODES = 3
OBJECT_STORE_BYTES = 100_000_000
RUN_LIMIT_SECONDS = 240.0
GONE_SECONDS = 20.0
"""Time within which actors must end after their driver."""

POOL_SECONDS = 60.0
"""Time within which the store's pool closes idle connections; it checks every 10 s."""

CONNECTIONS, IDLE_CONNECTIONS = 10, 3
"""The maximum of connections of a store, and those of an idle store: two in its pool, and one that listens."""

LOOK_SECONDS = 0.5
"""Time between two samples of the connections during a run."""

ATTEMPTS, STARTS = 4, 3
"""How often at most a run, and a cluster, is started."""


class Lost(Exception):
    """A round failed: files or the database row differ, or something was left behind."""


class Round(NamedTuple):
    """Result of a round: whether the victim was found and killed, and how often the run had to be resumed."""

    kind: str
    hit: bool
    resumes: int
    seconds: float


class Cluster:
    """Three nodes on this machine, started on demand and again when some have been killed."""

    def __init__(self) -> None:
        self._cluster: Any = None

    @property
    def address(self) -> str:
        """Address at which a driver joins."""
        return str(self._cluster.address)

    def heal(self) -> None:
        """Have all nodes alive; no driver is alive meanwhile. A busy machine may need more than one start."""
        for attempt in range(1, STARTS + 1):
            try:
                self._start()
                return
            except Exception:  # Ray raises many kinds where a node takes too long to answer
                if attempt == STARTS:
                    raise
                kill_all({process.pid for process in psutil.Process().children()})
                self.stop()

    def _start(self) -> None:
        from ray.cluster_utils import Cluster as RayCluster

        if self._cluster is None:
            node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
            self._cluster = RayCluster(initialize_head=True, head_node_args=node)
        while len(self._cluster.worker_nodes) < NODES - 1:
            self._cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE_BYTES)
        self._cluster.wait_for_nodes(timeout=60)

    def kill(self, kind: str, dice: random.Random) -> bool:
        """Kill a node, or a process with the title of the kind; whether there was one."""
        if kind == "head":
            self.stop()
            return True
        if kind == "node":
            victim = dice.choice(sorted(self._cluster.worker_nodes, key=lambda node: str(node.node_id)))
            kill_all(pids(victim))
            self._cluster.remove_node(victim, allow_graceful=False)
            return True
        found = actors(ACTORS[kind])
        if found:
            with contextlib.suppress(psutil.NoSuchProcess):
                dice.choice(found).kill()
                return True
        return False

    def stop(self) -> None:
        """Kill all nodes at once, as if the machine failed."""
        if self._cluster is None:
            return
        nodes = [self._cluster.head_node, *self._cluster.worker_nodes]
        kill_all({pid for node in nodes if node is not None for pid in pids(node)})
        with contextlib.suppress(Exception):
            self._cluster.shutdown()
        self._cluster = None


def pids(node: Any) -> set[int]:
    """Return the ids of the processes with which a node was started."""
    return {each.process.pid for group in node.all_processes.values() for each in group}


def kill_all(roots: set[int]) -> None:
    """Kill processes with all their descendants and wait until they have ended."""
    family = []
    for pid in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            family += [root, *root.children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=GONE_SECONDS)


def actors(*titles: str) -> list[psutil.Process]:
    """Return this process's descendants whose titles begin so, in the order of their ids."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if " ".join(process.cmdline()).startswith(titles) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return sorted(found, key=lambda process: process.pid)


def goldenhour(*words: str, place: Path) -> "subprocess.Popen[bytes]":
    """Start the command with `place` as its folder for temporary files."""
    environment = os.environ | {"TMPDIR": str(place), "GOLDENHOUR_SYNC_SECONDS": SYNC_SECONDS}
    return subprocess.Popen(
        [sys.executable, "-m", "goldenhour", *words, "--quiet"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder by relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


class Bench:
    """The cluster, the database, and the files and durations of undisturbed runs."""

    def __init__(self, place: Path, ground: Ground, dice: random.Random) -> None:
        self.place = place
        self.ground = ground
        self.dice = dice
        self.cluster = Cluster()
        self.most = 0
        self.said: list[str] = []
        self.anew = 0
        self._expected: dict[tuple[str, ...], dict[str, str]] = {}
        self._seconds: dict[tuple[str, ...], float] = {}

    def expected(self, settings: tuple[str, ...]) -> dict[str, str]:
        """Return the files of an undisturbed run in one process, without Ray."""
        if settings not in self._expected:
            words = list(settings)
            for option in ("--writers", "--simulators"):
                if option in words:
                    del words[words.index(option) : words.index(option) + 2]
            output = self.place / "undisturbed"
            process = goldenhour(
                "run",
                "standard",
                *words,
                "--workers",
                "0",
                "--no-store",
                "-o",
                str(output),
                place=self.place,
            )
            _, errors = process.communicate(timeout=RUN_LIMIT_SECONDS)
            if process.returncode:
                raise SystemExit(f"the undisturbed run failed:\n{errors.decode()}")
            self._expected[settings] = contents(output)
            remove(output)
        return self._expected[settings]

    def life(self, settings: tuple[str, ...]) -> float:
        """Return how many seconds an undisturbed driver takes on the cluster."""
        if settings not in self._seconds:
            self.cluster.heal()
            with tempfile.TemporaryDirectory(dir=self.place) as folder:
                begun = time.monotonic()
                process = self.start(Path(folder), settings)
                errors = self._ended(process)
                if process.returncode or contents(Path(folder, "out")) != self.expected(settings):
                    raise SystemExit(f"a run on the cluster without any fault went wrong:\n{errors.decode()}")
                self._seconds[settings] = time.monotonic() - begun
        return self._seconds[settings]

    def start(self, folder: Path, settings: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        """Start a run on the cluster."""
        (folder / "tmp").mkdir(exist_ok=True)
        words = ("--workers", "2", "--address", self.cluster.address, "-o", str(folder / "out"))
        return goldenhour("run", "standard", *settings, *words, place=folder / "tmp")

    def round(self, kind: str) -> Round:
        """Carry out one round. Raises Lost if it fails."""
        settings = self.dice.choice(
            SHARDED if kind in OF_SHARDED else SETTINGS if kind == "simulator" else SETTINGS + SHARDED
        )
        expected = self.expected(settings)
        moment = self.dice.random() * self.life(settings)
        self.cluster.heal()
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.place) as name:
            folder = Path(name)
            self.said, self.anew = [], 0
            process = self.start(folder, settings)
            hit = self._strike(process, kind, begun + moment)
            resumes = self._finish(process, folder, settings)
            if resumes and kind not in ENDING:
                raise Lost(f"{settings}: the run did not recover by itself")
            if contents(folder / "out") != expected:
                raise Lost(f"{settings}: the files differ")
            if any((folder / "tmp").iterdir()):
                raise Lost(f"{settings}: temporary files were left: {sorted((folder / 'tmp').iterdir())}")
            self._all_gone()
            self._recorded(folder / "out")
        return Round(kind, hit, resumes, time.monotonic() - begun)

    def _strike(self, process: "subprocess.Popen[bytes]", kind: str, moment: float) -> bool:
        """Kill a victim at the moment, or as soon after as there is one; return whether it was killed."""
        while process.poll() is None:
            if time.monotonic() >= moment:
                if kind == "driver":
                    process.kill()
                    return True
                if kind == "postgres":
                    server = self.ground.server.owner()
                    assert server is not None
                    server.kill()
                    return True
                if self.cluster.kill(kind, self.dice):
                    return True
            time.sleep(0.01)
        return False

    def _finish(self, process: "subprocess.Popen[bytes]", folder: Path, settings: tuple[str, ...]) -> int:
        """Wait for the run and resume it until it is finished; return how often that was necessary."""
        for resumes in range(ATTEMPTS):
            errors = self._ended(process)
            if process.returncode == 0:
                return resumes
            if process.returncode == 2:
                raise Lost(f"{settings}: refused: {errors.decode()[-500:]}")
            self.said.append(errors.decode()[-6000:])
            self.cluster.heal()
            process = self._again(folder, settings)
        raise Lost(f"{settings}: not finished after {ATTEMPTS} attempts: {errors.decode()[-500:]}")

    def _ended(self, process: "subprocess.Popen[bytes]") -> bytes:
        """Wait for a run while sampling the connections; return what it wrote to stderr."""
        until = time.monotonic() + RUN_LIMIT_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=LOOK_SECONDS)[1]
            with contextlib.suppress(psycopg.OperationalError):  # it was killed, or is starting
                self.most = max(self.most, self.ground.connections())
        process.kill()
        process.communicate()
        raise Lost(f"the command did not end within {RUN_LIMIT_SECONDS:.0f} s")

    def _again(self, folder: Path, settings: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        """Resume an interrupted run with `resume` by folder or id, or with the same command: all are equivalent."""
        partial = folder / "out" / PARTIAL
        begun = (partial / RUN_FILE).exists()
        if (
            (partial / PUBLISHED).exists()
            or (folder / "out" / MANIFEST).exists()
            or (begun and self.dice.random() < 0.7)
        ):
            rows = self._rows(folder / "out")
            run = rows[0][0][:13] if rows and self.dice.random() < 0.5 else str(folder / "out")
            return goldenhour("resume", run, "--address", self.cluster.address, place=folder / "tmp")
        self.anew += not begun
        return self.start(folder, settings)

    def _all_gone(self) -> None:
        titles = tuple(OF_THE_RUN.values())
        until = time.monotonic() + GONE_SECONDS
        while left := actors(*titles):
            if time.monotonic() > until:
                raise Lost(f"processes were left: {[' '.join(each.cmdline()) for each in left]}")
            time.sleep(0.1)

    def _rows(self, output: Path) -> list[tuple[Any, ...]]:
        """Return id and state of the database's runs in this folder."""
        self.ground.server.ensure()
        return self.ground.sql(f"SELECT id::text, state FROM runs WHERE output = '{output}'")

    def _recorded(self, output: Path) -> None:
        """Check that the run has one row, and the database no more connections than an idle store.

        A start that failed before it wrote anything counts as a separate run.
        """
        rows = self._rows(output)
        others = [state for _, state in rows if state != "succeeded"]
        if len(rows) - len(others) != 1 or set(others) - {"failed"} or len(others) > self.anew:
            raise Lost(f"the database has {rows or 'no row'} of the run")
        if self.most > CONNECTIONS:
            raise Lost(f"{self.most} connections at once")
        kept = IDLE_CONNECTIONS * len(actors(OF_THE_CLUSTER["store"]))
        left = store_ground.settled(self.ground.connections, kept, POOL_SECONDS)
        if left > kept:
            raise Lost(f"{left} connections were left; an idle store has {kept}")


def remove(folder: Path) -> None:
    """Remove a folder that holds only files."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def prepare_ray(place: str) -> None:
    """Configure Ray: loopback interface only, no tokens, files in `place`, faults detected within seconds."""
    os.environ |= {LOOPBACK_ONLY: "0", "RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": place}
    os.environ |= {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "3"}
    os.environ |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
    logging.getLogger("ray").setLevel(logging.ERROR)


def main() -> None:
    """Run the rounds and print the failures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--no-results", action="store_true", help="leave bench/results alone")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    if not set(kinds) <= set(KINDS):
        parser.error(f"kinds: allowed are {', '.join(KINDS)}")
    dice = random.Random(options.seed)
    done: list[Round] = []
    losses: Counter[str] = Counter()
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="goldenhour-chaos-", ignore_cleanup_errors=True)
        )
        prepare_ray(place)
        ground = stack.enter_context(store_ground.ground())
        os.environ.pop(database.URL_VARIABLE, None)
        os.environ[database.FOLDER_VARIABLE] = str(ground.where.folder)
        bench = Bench(Path(place), ground, dice)
        try:
            for number in range(1, options.rounds + 1):
                (kind,) = dice.choices(kinds, [WEIGHTS.get(kind, 1.0) for kind in kinds])
                try:
                    done.append(bench.round(kind))
                    words = f"{'killed' if done[-1].hit else 'ended before'}, resumed {done[-1].resumes} x"
                    print(f"{number:4} {kind:10} {words}, {done[-1].seconds:.1f} s", flush=True)
                except Lost as error:
                    losses[kind] += 1
                    print(f"{number:4} {kind:10} LOST: {error}", *bench.said, sep="\n     ", flush=True)
                    bench.cluster.stop()
        finally:
            bench.cluster.stop()
        ground.server.close()
        left = psutil.Process().children(recursive=True)
        _, alive = psutil.wait_procs(left, timeout=GONE_SECONDS)
        alive += [server] if (server := ground.server.owner()) else []
    figures = report(done, losses, time.monotonic() - begun, options.seed, len(alive), bench.most)
    if not options.no_results:
        results_file.append("chaos", figures)
    sys.exit(1 if losses or alive else 0)


def report(
    done: list[Round], losses: Counter[str], seconds: float, seed: int, alive: int, connections: int
) -> dict[str, Any]:
    """Print and return the numbers of rounds and losses, by kind of victim."""
    kinds = {
        kind: {
            "rounds": len(of) + losses[kind],
            "killed": sum(each.hit for each in of),
            "resumed": sum(each.resumes > 0 for each in of),
            "losses": losses[kind],
        }
        for kind in KINDS
        if (of := [each for each in done if each.kind == kind]) or losses[kind]
    }
    for kind, counts in kinds.items():
        print(f"{kind:10} " + ", ".join(f"{name} {value}" for name, value in counts.items()))
    rounds = len(done) + losses.total()
    print(
        f"rounds {rounds}, losses {losses.total()}, processes left {alive}, connections at most {connections}, "
        f"{seconds:.0f} s"
    )
    return {
        "seed": seed,
        "rounds": rounds,
        "losses": losses.total(),
        "kinds": kinds,
        "connections": connections,
        "seconds": round(seconds),
    }


if __name__ == "__main__":
    main()
