"""Roll-back: an older release and this one read what the other has written, or say clearly that they cannot.

`make bench-rollback` unpacks an older commit from the repository's history (`--commit`; by default the newest tag
before
this commit, else the last commit with another schema of the database or the files) and runs both releases with the same
Python. Each writes a finished run, an interrupted run and the database; then the other lists the runs, resumes the
interrupted one and replaces the finished one. The exit code is 1 if a figure misses its requirement.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from actors.cluster import PACKAGE_ROOT
from actors.run import MANIFEST, journal
from actors.run.partial_folder import PARTIAL
from actors.store import database
from bench import commits, figures, store_ground
from bench.figures import Figure, at_least, exactly
from bench.store_ground import Ground

OPTIONS = ("standard", "--patients", "60000", "--chunk-size", "256", "--workers", "0", "--quiet")
LIMIT_SECONDS = 240.0

SCHEMAS = (
    "actors/store/sql/migrations",
    "actors/run/journal.py",
    "actors/run/manifest.py",
    "actors/run/output_folder.py",
    "actors/run/part.py",
    "actors/run/partial_folder.py",
    "actors/run/run_file.py",
    "actors/run/schema_version.py",
)
"""The paths that decide whether another release can read what this one writes."""


class Answer(NamedTuple):
    """Exit code and output of a command; `sentence` is the last line on stderr."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        return (self.err.strip().splitlines() or ["no message"])[-1]

    @property
    def is_clear(self) -> bool:
        """Whether the command succeeded, or refused with a message."""
        words = self.err.startswith("goldenhour: ") and "Traceback" not in self.err
        return self.code == 0 or (self.code in (1, 2) and words)


class Release:
    """A version of goldenhour in the folder `root`, on the database of `ground`."""

    def __init__(self, name: str, root: Path, ground: Ground) -> None:
        self.name = name
        self.root = root
        self.ground = ground
        self.migrations = len(list((root / "actors").rglob("migrations/*.up.sql")))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command."""
        environment = {name: value for name, value in os.environ.items() if name != database.URL_VARIABLE}
        environment |= {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            database.FOLDER_VARIABLE: str(self.ground.where.folder),
            "GOLDENHOUR_SYNC_SECONDS": "0",
        }
        if not (self.root / "actors" / "store" / "postgres_password.py").exists():
            self._let_in(environment)
        return subprocess.Popen(
            [sys.executable, "-m", "goldenhour", *words],
            env=environment,
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _let_in(self, environment: dict[str, str]) -> None:
        """Let a release that knows no password use the database, as docs/operations.md says."""
        server = self.ground.server
        environment["PGPASSFILE"] = str(server.password_file)
        if server.account is not None and server.home.exists():
            os.chown(server.home, server.account.uid, -1)
            server.home.chmod(0o700)

    def call(self, *words: str) -> Answer:
        """Run a command and wait for its end."""
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=LIMIT_SECONDS)
        finally:
            process.kill()
        return Answer(process.returncode, out, err)

    def interrupt(self, output: Path) -> None:
        """Start a run, and interrupt it with Ctrl-C once the journal and the database have an entry."""
        process = self.start("run", *OPTIONS, "-o", str(output))
        until = time.monotonic() + LIMIT_SECONDS
        while not (journal.has_entries(output / PARTIAL) and entered(self.ground, output)):
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise SystemExit(
                    f"{self.name} wrote nothing before it was interrupted: {process.communicate()[1]}"
                )
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_SECONDS)


def entered(ground: Ground, output: Path) -> bool:
    """Whether the database has a run in this folder."""
    try:
        return bool(ground.sql(f"SELECT 1 FROM runs WHERE output = '{output}'"))
    except psycopg.Error:  # the table does not exist yet
        return False


def from_to(old: Path, forward: bool) -> Iterator[Figure]:
    """Let one release write and the other read; the older one writes if `forward`."""
    with store_ground.ground() as ground:
        releases = Release("the older", old, ground), Release("this", PACKAGE_ROOT, ground)
        writer, reader = releases if forward else reversed(releases)
        done, cut = ground.base / "done", ground.base / "cut"
        answer = writer.call("run", *OPTIONS, "-o", str(done))
        if answer.code:
            raise SystemExit(f"{writer.name} cannot run at all: {answer.err}")
        expected = store_ground.digest(done)
        writer.interrupt(cut)
        yield exactly("an interrupted run has left a manifest", (cut / MANIFEST).exists(), False)
        yield from _database(ground, writer, reader)
        yield from _cut(writer, reader, cut, expected)
        answer = reader.call("resume", str(done))
        finished = answer.code == 0 and "is finished" in answer.err
        yield Figure("resume of the finished run", answer.sentence, "says it is finished", finished)
        answer = reader.call("run", *OPTIONS, "-o", str(done), "--force")
        found = f"code {answer.code}, {len(list(done.iterdir()))} files"
        yield exactly("--force over the finished run", found, f"code 0, {len(list(cut.iterdir()))} files")


def _database(ground: Ground, writer: Release, reader: Release) -> Iterator[Figure]:
    """Let the reader list the runs. If it cannot, it must say so, its runs must work, and a roll-back must help."""
    answer = reader.call("runs", "list", "--json")
    yield Figure("runs list", _described(answer, _states), "the runs, or a clear refusal", answer.is_clear)
    if answer.code == 0:
        yield exactly("runs list: states", _states(answer), "cancelled, succeeded")
        return
    other = reader.call("run", *OPTIONS, "-o", str(ground.base / "other"))
    yield exactly("a run beside a database it cannot read", other.code, 0)
    answer = writer.call("db", "rollback", "--to", str(reader.migrations), "--yes", "--json")
    yield exactly(f"db rollback --to {reader.migrations} by the newer", answer.code, 0)
    answer = reader.call("runs", "list", "--json")
    yield exactly("runs list after that", _described(answer, _states), "cancelled, succeeded")


def _cut(writer: Release, reader: Release, cut: Path, expected: str) -> Iterator[Figure]:
    """Let the reader resume the interrupted run, or refuse with a message and change nothing."""
    before = _bytes(cut / PARTIAL)
    answer = reader.call("resume", str(cut), "--quiet")
    words = "finishes it" if answer.code == 0 else answer.sentence
    yield Figure("resume of the interrupted run", words, "finishes it, or a clear refusal", answer.is_clear)
    if answer.code:
        yield exactly("refused: exit code", answer.code, 2)
        yield exactly("refused: files are untouched", _bytes(cut / PARTIAL) == before, True)
        yield exactly("refused: its own release resumes it", writer.call("resume", str(cut)).code, 0)
    same = (cut / MANIFEST).exists() and store_ground.digest(cut) == expected
    yield exactly("bytes are those of an undisturbed run", same, True)
    newer = max(writer, reader, key=lambda release: release.migrations)
    answer = newer.call("runs", "list", "--json")  # also migrates the schema to its version
    yield at_least("runs list by the newer: succeeded", _states(answer).count("succeeded"), 2)


def _described(answer: Answer, words: Any) -> str:
    return words(answer) if answer.code == 0 else f"code {answer.code}: {answer.sentence}"


def _states(answer: Answer) -> str:
    return ", ".join(sorted(row["state"] for row in json.loads(answer.out or "[]")))


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def chosen(commit: str | None) -> str:
    """Return the commit to compare with."""
    if commit is None:
        tag = commits.git("describe", "--tags", "--abbrev=0", "HEAD^")
        commit = tag or f"{commits.git('rev-list', '-1', 'HEAD', '--', *SCHEMAS)}^"
    return commits.resolve(commit)


def main() -> int:
    """Compare the releases in both directions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--commit", help="the older release; default: the newest tag, or the last other schema"
    )
    commit = chosen(parser.parse_args().commit)
    place = Path(tempfile.mkdtemp(prefix="goldenhour-rollback-"))
    try:
        commits.unpack(commit, place)
        print(f"the older release: {commits.git('log', '-1', '--format=%h of %cs', commit)}", flush=True)
        return figures.run(
            "rollback",
            [
                ("this writes, the older reads", lambda: from_to(place, forward=False)),
                ("the older writes, this reads", lambda: from_to(place, forward=True)),
            ],
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
