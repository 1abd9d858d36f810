"""Set-up for the benchmarks of the store: a temporary database, requests, and observers of the server."""

import contextlib
import hashlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from actors.run import RunRequest
from actors.store import Content, Database, Registration, Server
from engine import scenario as scenario_api
from goldenhour import scenario_files

SAMPLE_SECONDS = 0.01


class Ground:
    """An embedded database in a temporary folder, with its server running."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="goldenhour-bench-"))
        self.base.chmod(0o711)  # root's server runs as nobody
        self.where = Database(folder=self.base / "data")
        self.server = Server(self.where.folder)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement on a new connection and return its rows."""
        with psycopg.connect(**self.where.conninfo(), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def connections(self) -> int:
        """Return the number of client connections, without the one that asks."""
        return int(self.sql(Eye.STATEMENT)[0][0])


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """Provide a database for one section, and remove it afterwards."""
    place = Ground()
    place.server.open()
    try:
        yield place
    finally:
        place.server.close()
        place.server.stop()
        shutil.rmtree(place.base, ignore_errors=True)


class Eye:
    """Samples the number of connections in pg_stat_activity, without its own; `most` is the maximum."""

    STATEMENT = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )

    def __init__(self, place: Ground) -> None:
        self.most = 0
        self.samples = 0
        self._place = place
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Eye":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        with psycopg.connect(**self._place.where.conninfo(), autocommit=True) as connection:
            while not self._end.wait(SAMPLE_SECONDS):
                row = connection.execute(self.STATEMENT.encode()).fetchone()
                self.most = max(self.most, row[0] if row else 0)
                self.samples += 1


def request(output: Path, name: str, seed: int, patients: int, **settings: Any) -> RunRequest:
    """Return the request for a run of a built-in scenario."""
    original = scenario_api.with_overrides(scenario_files.load(name), seed=seed, total=patients)
    return RunRequest(
        scenario=scenario_api.resolve(original),
        original=original,
        seed=seed,
        output=output,
        **{"workers": 1, **settings},
    )


def registration(asked: RunRequest) -> Registration:
    """Return the entry with which the store registers a run."""
    original = asked.original
    return Registration(
        scenario=original.name,
        source="built-in",
        content=Content(
            text=scenario_api.to_toml(original), format="toml", hash=scenario_api.scenario_hash(original)
        ),
        seed=asked.seed,
        replication=asked.replication,
        settings={"workers": asked.workers},
        who="bench",
        output=str(asked.output),
        version=asked.version,
        expected=original.casualties.total,
    )


def digest(folder: Path) -> str:
    """Return the SHA-256 over all files of a folder in order of name, without the version in a manifest.

    A folder that is missing, because its run has failed, has a digest that no other has.
    """
    if not folder.is_dir():
        return f"{folder} is missing"
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if path.name == "manifest.json":
            document = msgspec.json.decode(data)
            del document["version"]
            data = msgspec.json.encode(document)
        found.update(path.name.encode() + b"\0" + data)
    return found.hexdigest()


def settled(count: Any, limit: int, seconds: float = 60.0) -> int:
    """Return the value of `count()` as soon as it is at most `limit`, or after `seconds`."""
    until = time.monotonic() + seconds
    while (value := int(count())) > limit and time.monotonic() < until:
        time.sleep(0.2)
    return value
