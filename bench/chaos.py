"""Chaos: processes and nodes are killed at random moments; after `goldenhour resume` every byte must be there.

`make chaos ROUNDS=100` runs it. A round starts `goldenhour run` on a Ray cluster of three nodes on this machine, with
the cluster's store and cache and a database of the bench's own, kills one victim of the kind with SIGKILL at a random
moment, and goes on, with `goldenhour resume` or the same command, until the run is finished (one that mends the fault
by itself needs none). Then all files must be those of an undisturbed run, with nothing beside them; every actor of the
run must be gone and the folder for temporary files empty; the database must have one row of the run, `succeeded`; and
it must have no more connections than the store keeps when nobody asks. The seed decides kinds, moments and settings;
the moment is drawn over the whole life of a driver.
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
"""Kinds of victims that are processes of the cluster, by the beginning of their titles: those that end with the run,
and those that outlive it. Others are added here."""

ACTORS = OF_THE_RUN | OF_THE_CLUSTER

KINDS = (*ACTORS, "driver", "postgres", "node", "head")
"""All kinds. A node is all its processes at once; the head takes the cluster's own state with it."""

ENDING = ("driver", "node", "head")
"""Kinds that may end the command; a run mends the loss of any other by itself."""

WEIGHTS = {"head": 0.4}
"""How often a kind is drawn, 1 for those that are not here."""

SETTINGS = (
    ("--patients", "40000"),
    ("--patients", "60000", "--writers", "2"),
    ("--patients", "30000", "--format", "jsonl,parquet", "--chunk-size", "1024"),
    ("--patients", "40000", "--format", "csv,json", "--compress", "zstd", "--writers", "3"),
)
"""Options of the runs; a part of Parquet holds 16,384 patients, of the other formats 65,536."""

SHARDED = (
    ("--patients", "40000", "--simulators", "2"),
    ("--patients", "60000", "--simulators", "3", "--writers", "2", "--format", "parquet"),
)
"""The same of runs with several simulators."""

OF_SHARDED = ("shard", "merger")
"""Kinds of victims that only they have; they have no `simulator`."""

SYNC_SECONDS = "0.1"
"""Shortest time between two lines of the journal: a run of seconds has several."""

NODES = 3
OBJECT_STORE_BYTES = 100_000_000
RUN_LIMIT_SECONDS = 240.0
GONE_SECONDS = 20.0
"""Time that actors have to end after their driver."""

POOL_SECONDS = 60.0
"""Time in which the store's pool lets go of connections that nobody uses: every 10 s, of those that were idle all the
while."""

CONNECTIONS, IDLE_CONNECTIONS = 10, 3
"""The most a store has at any time, and those it keeps when nobody asks: two in its pool, and one that listens."""

LOOK_SECONDS = 0.5
"""Time between two looks at the connections while a run goes on."""

ATTEMPTS, STARTS = 4, 3
"""How often a run is started at the most, and a cluster."""


class Lost(Exception):
    """A round whose files or record differ, or that left something behind."""


class Round(NamedTuple):
    """What a round came to: `hit` whether the victim was found and killed, `resumes` how often it was gone on with."""

    kind: str
    hit: bool
    resumes: int
    seconds: float


class Cluster:
    """Three nodes on this machine, started when needed and again when some have been killed."""

    def __init__(self) -> None:
        self._cluster: Any = None

    @property
    def address(self) -> str:
        """Where a driver joins."""
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
        """End all nodes at once, as when the machine fails."""
        if self._cluster is None:
            return
        nodes = [self._cluster.head_node, *self._cluster.worker_nodes]
        kill_all({pid for node in nodes if node is not None for pid in pids(node)})
        with contextlib.suppress(Exception):
            self._cluster.shutdown()
        self._cluster = None


def pids(node: Any) -> set[int]:
    """The processes that a node was started with."""
    return {each.process.pid for group in node.all_processes.values() for each in group}


def kill_all(roots: set[int]) -> None:
    """Kill processes with all their descendants, and wait until they are gone."""
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
    """This process's descendants whose titles begin so, in the order of their ids."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if " ".join(process.cmdline()).startswith(titles) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return sorted(found, key=lambda process: process.pid)


def goldenhour(*words: str, place: Path) -> "subprocess.Popen[bytes]":
    """Start the command with a folder of its own for temporary files."""
    environment = os.environ | {"TMPDIR": str(place), "GOLDENHOUR_SYNC_SECONDS": SYNC_SECONDS}
    return subprocess.Popen(
        [sys.executable, "-m", "goldenhour", *words, "--quiet"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


class Bench:
    """The cluster, the database, the undisturbed runs and what is measured of them."""

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
        """The files of the undisturbed run, made in one process without Ray."""
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
        """Seconds that an undisturbed driver lives on the cluster."""
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
        """One round; raises Lost."""
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
                raise Lost(f"{settings}: the run did not mend it")
            if contents(folder / "out") != expected:
                raise Lost(f"{settings}: the files differ")
            if any((folder / "tmp").iterdir()):
                raise Lost(f"{settings}: temporary files were left: {sorted((folder / 'tmp').iterdir())}")
            self._all_gone()
            self._recorded(folder / "out")
        return Round(kind, hit, resumes, time.monotonic() - begun)

    def _strike(self, process: "subprocess.Popen[bytes]", kind: str, moment: float) -> bool:
        """Kill the victim as soon as the moment has come and there is one."""
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
        """Wait for the run, and go on with it until it is finished; returns how often that was needed."""
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
        """Wait for a run, with an eye on the connections; what it wrote to stderr."""
        until = time.monotonic() + RUN_LIMIT_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=LOOK_SECONDS)[1]
            with contextlib.suppress(psycopg.OperationalError):  # killed, or starting
                self.most = max(self.most, self.ground.connections())
        process.kill()
        process.communicate()
        raise Lost(f"nothing came to an end in {RUN_LIMIT_SECONDS:.0f} s")

    def _again(self, folder: Path, settings: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        """Go on with a run that was cut off: `resume` by folder or by id, or the same command, all do the same."""
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
        """Id and state of the runs that the database has in this folder."""
        self.ground.server.ensure()
        return self.ground.sql(f"SELECT id::text, state FROM runs WHERE output = '{output}'")

    def _recorded(self, output: Path) -> None:
        """The run has one row, and the database the connections it has when nothing happens.

        A start that failed and left nothing to go on with was a run of its own.
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
            raise Lost(f"{left} connections were left, {kept} are kept")


def remove(folder: Path) -> None:
    """Remove a folder of files."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def prepare_ray(place: str) -> None:
    """Listeners on the loopback interface only, no tokens, files in `place`; faults are noticed in seconds."""
    os.environ |= {LOOPBACK_ONLY: "0", "RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": place}
    os.environ |= {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "3"}
    os.environ |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
    logging.getLogger("ray").setLevel(logging.ERROR)


def main() -> None:
    """Run the rounds and print what was lost."""
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
    """Print rounds, kinds and losses; returns them."""
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
