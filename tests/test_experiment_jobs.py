"""Experiments as jobs of a cluster, in the database and in their folders: submit, fetch and resume."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Call
from databases import ask, content, experiment, sql
from runs import GOLDENHOUR

from actors.cluster import package_root
from actors.run.journal import has_entries
from actors.run.partial_folder import PARTIAL
from actors.store import Database
from goldenhour.cli import fetch
from goldenhour.cli import submit as submit_command
from goldenhour.experiment_files import load_text
from goldenhour.jobs import client, log_archive, output_files, output_locations

SMALL = """
scenario = { name = "small", days = 2, casualties = { total = 40 } }
factors = [{ path = "casualties.total", levels = [30, 40] }]
replications = { count = 4 }
results = { measures = ["patients"] }
"""


@pytest.fixture
def call(call: Call, monkeypatch: pytest.MonkeyPatch, where: Database) -> Call:
    """Run the command line in a folder with a small experiment, on the module's database."""
    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", str(where.url))
    monkeypatch.delenv(client.ADDRESS_VARIABLE, raising=False)
    Path("small.toml").write_text(SMALL)
    return call


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def carried_out(call: Call, output: str, *more: str) -> Path:
    """The folder of the small experiment, finished."""
    answer = call("experiment", "small.toml", "--workers", "0", "--quiet", "-o", output, *more)
    assert answer.code == 0, answer
    return Path(output)


# Submit


NOWHERE = ("--address", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.toml"], "missing.toml"),
        (["small.toml"], "no cluster answers at http://127.0.0.1:9"),
        (["small.toml", "--json"], "--json is not for"),
        (["small.toml", "--patients", "3"], "--patients"),
        (["small.toml", "-o", "here"], "a full path on the cluster"),
        (["small.toml", "-o", "s3://bucket/x"], "allowed: a folder"),
        (["small.toml", "--name", "a@b"], "without '@'"),
        (["wrong.toml"], "did you mean 'total'?"),
        ([], "FILE"),
    ],
)
def test_what_is_wrong_with_a_submitted_experiment_is_said_at_once(
    call: Call, arguments: list[str], words: str
) -> None:
    Path("wrong.toml").write_text(SMALL.replace("casualties.total", "casualties.totl"))
    answer = call("submit", "experiment", *arguments, *NOWHERE)
    assert (answer.code, "Traceback" in answer.err) == (2, False)
    assert words in answer.err


def test_a_job_needs_no_file_but_its_own_and_writes_what_was_asked_for(call: Call, tmp_path: Path) -> None:
    Path("mine.toml").write_text('name = "mine"\ndays = 2\n[casualties]\ntotal = 9\n')
    Path("teams.toml").write_text(SMALL.replace(SMALL.split("\n")[1], 'scenario = "mine.toml"'))
    job = submit_command._experiment_job(
        ["--force", "--name", "mine", "teams.toml", "-o", "/data/x", "--workers", "3"]
    )
    assert (job.command, job.name, job.output) == ("experiment", "teams", Path("/data/x"))
    assert job.words == ["--force", "--workers", "3", "--name", "mine"]
    far = tmp_path / "far"
    far.mkdir()
    (far / "teams.toml").write_bytes(job.file)
    assert load_text(job.file.decode(), "x").as_run().encode() == job.file
    assert (
        call("experiment", far / "teams.toml", "--workers", "0", "--quiet", "--no-store", "-o", "out").code
        == 0
    )
    assert Path("out/experiment.toml").read_bytes() == job.file
    made = json.loads(Path("out/manifest.json").read_bytes())
    assert (made["experiment_sha256"], made["seed"], 0) == job.identity


SEARCH = """
scenario = { name = "small", days = 2, casualties = { total = 40 } }
factors = [{ path = "casualties.total", levels = [30, 40] }]
constraints = [{ measure = "patients", at_least = 20, probability = 0.5 }]
search = { most = 25 }
"""


def test_an_optimisation_is_a_job_too(call: Call, tmp_path: Path) -> None:
    Path("search.toml").write_text(SEARCH)
    answer = call("submit", "optimise", "search.toml", *NOWHERE)
    assert (answer.code, "no cluster answers at http://127.0.0.1:9" in answer.err) == (2, True)
    Path("wrong.toml").write_text(SEARCH.replace("casualties.total", "casualties.totl"))
    answer = call("submit", "optimise", "wrong.toml", *NOWHERE)
    assert (answer.code, "did you mean 'total'?" in answer.err) == (2, True)
    job = submit_command._job(["optimise", "search.toml", "-o", "/data/x", "--workers", "3"])
    assert (job.command, job.name, job.output) == ("optimise", "search", Path("/data/x"))
    assert job.words == ["--workers", "3"]
    far = tmp_path / "far"
    far.mkdir()
    (far / "search.toml").write_bytes(job.file)
    asked = ("optimise", far / "search.toml", "--workers", "0", "--quiet", "--no-store", "-o", "out")
    assert call(*asked).code == 0
    assert Path("out/optimisation.toml").read_bytes() == job.file
    made = json.loads(Path("out/manifest.json").read_bytes())
    assert (made["experiment_sha256"], made["seed"], 0) == job.identity
    assert call("fetch", "out", "-o", "copy", "--quiet").code == 0
    assert files(Path("copy")) == files(Path("out"))


@pytest.mark.parametrize("word", ["compare", "sensitivity"])
def test_what_writes_no_files_is_no_job(call: Call, word: str) -> None:
    answer = call("submit", word, "coin", *NOWHERE)
    assert (answer.code, f"got {word}, which writes no files" in answer.err) == (2, True)


def test_an_experiment_gets_the_id_that_its_job_has(
    call: Call, where: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = str(experiment().id)
    monkeypatch.setenv("GOLDENHOUR_RUN", given)
    carried_out(call, "job", "--name", "as a job")
    assert sql(where, "SELECT id::text FROM runs WHERE name = 'as a job'") == [(given,)]


# Fetch


def test_an_experiment_is_fetched_by_its_name_and_by_its_folder(call: Call) -> None:
    done = carried_out(call, "done", "--name", "fetched")
    assert call("fetch", "fetched", "-o", "by-name", "--quiet").code == 0
    assert call("fetch", "done", "-o", "by-folder", "--quiet").code == 0
    assert files(Path("by-name")) == files(Path("by-folder")) == files(done)
    assert {"results.parquet", "points.parquet", "estimates.csv", "experiment.toml", "manifest.json"} <= {
        *files(done)
    }
    refused = call("fetch", "done", "-o", "by-name", "--quiet")
    assert refused.code == 2
    assert call("fetch", "done", "-o", "by-name", "--quiet", "--force").code == 0


def test_a_damaged_file_of_an_experiment_is_not_fetched(call: Call) -> None:
    done = carried_out(call, "whole")
    data = (done / "results.parquet").read_bytes()
    (done / "results.parquet").write_bytes(data[:-9] + b"x" + data[-8:])
    answer = call("fetch", "whole", "-o", "copy", "--quiet")
    assert (answer.code, "results.parquet is damaged" in answer.err) == (1, True)
    assert not Path("copy").exists()


def test_another_experiment_with_the_same_scenario_in_that_place_is_not_fetched(call: Call) -> None:
    carried_out(call, "place", "--name", "first")
    Path("small.toml").write_text(SMALL.replace("count = 4", "count = 5"))
    carried_out(call, "place", "--name", "second", "--force")
    answer = call("fetch", "first", "-o", "copy", "--quiet")
    assert (answer.code, "now holds another run" in answer.err) == (2, True)
    assert call("fetch", "second", "-o", "copy", "--quiet").code == 0


def test_an_experiment_comes_through_the_log_of_a_job(call: Call) -> None:
    done = carried_out(call, "on-head", "--no-store")
    lines: list[str] = []
    assert log_archive.print_archive(done, lines.append) == 0

    async def printed() -> Any:
        for line in lines:
            yield f"{line}\n"

    found = output_locations.LocatedOutput(output_files.JobLogFiles(printed(), "there"), "there")
    asyncio.run(fetch._copy_run(found, Path("home").absolute(), False, True))
    assert files(Path("home")) == files(done)


def test_a_comparison_has_no_files_to_fetch_or_resume(call: Call, where: Database) -> None:
    made = experiment(kind="comparison", name="pair", output="-")

    async def work(store: Any) -> None:
        await store.register_run(made)
        await store.finish_run(made.id, "succeeded")

    ask(where, work)
    for arguments in (["fetch", "pair", "-o", "copy"], ["resume", "pair"]):
        answer = call(*arguments)
        assert (answer.code, "comparison" in answer.err, "writes no files" in answer.err) == (2, True, True)


# Resume


@contextlib.contextmanager
def started(where: Database, file: Path, output: Path, name: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Carry an experiment out in another process, for the length of the block, once batches are in its journal."""
    process = subprocess.Popen(
        [
            *GOLDENHOUR,
            "experiment",
            str(file),
            "--workers",
            "0",
            "--quiet",
            "--name",
            name,
            "-o",
            str(output),
        ],
        stderr=subprocess.PIPE,
        cwd=package_root.PACKAGE_ROOT,
        env={
            **os.environ,
            "GOLDENHOUR_DATABASE_URL": str(where.url),
            "PYTHONPATH": str(package_root.PACKAGE_ROOT),
        },
    )
    try:
        until = time.monotonic() + 120
        recorded = "SELECT 1 FROM runs WHERE name = %s"
        while not (has_entries(output / PARTIAL) and sql(where, recorded, name)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_experiment_that_was_ended_is_resumed_by_name_in_its_own_row(
    call: Call, where: Database, tmp_path: Path, number: signal.Signals
) -> None:
    name, output = f"ended by {number.name}", tmp_path / "cut"
    plan = SMALL.replace("count = 4", "count = 250")
    # The seed is new, so that none of its replications are in the cache of the machine.
    Path("long.toml").write_text(f"seed = {uuid.uuid4().int >> 70}\n{plan}")
    with started(where, tmp_path / "long.toml", output, name) as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert (
            f"stopped; finished replications are kept: `goldenhour resume {output}` continues"
            in errors.decode()
        )
    assert (output / PARTIAL).is_dir()
    assert not (output / "manifest.json").exists()
    (before,) = sql(where, "SELECT id::text, (detail->>'replications')::int FROM runs WHERE name = %s", name)
    assert before[1] < 500
    assert call("resume", name, "--quiet").code == 0
    row = "SELECT id::text, state, resumed_at IS NOT NULL, detail FROM runs WHERE name = %s"
    ((run_id, state, resumed, detail),) = sql(where, row, name)
    assert (run_id, state, resumed, detail["points_done"]) == (before[0], "succeeded", True, 2)
    assert (detail["replications"], detail["replications_wanted"]) == (500, 500)
    assert 0 < detail["cached"] < 500
    again = call("resume", name)
    assert (again.code, "finished: nothing to do" in again.err) == (0, True)
    assert call("experiment", "long.toml", "--workers", "0", "--quiet", "--no-store", "-o", "whole").code == 0
    assert files(output) == files(Path("whole"))


def test_a_finished_experiment_whose_driver_could_not_say_so_is_recorded_by_resume(
    call: Call, where: Database, tmp_path: Path
) -> None:
    done = carried_out(call, "unsaid", "--no-store")
    made = json.loads((done / "manifest.json").read_bytes())
    text = content("x")
    entered = experiment(
        content=type(text)(text="x", format="toml", hash=made["experiment_sha256"]),
        seed=made["seed"],
        output=str(done.absolute()),
        name="unsaid",
    )
    ask(where, lambda store: store.register_run(entered))
    assert "is finished: recorded as succeeded" in call("resume", done.absolute()).err
    shown = json.loads(call("experiments", "show", str(entered.id), "--json").out)
    assert (shown["state"], shown["detail"]["points_done"], shown["detail"]["replications"]) == (
        "succeeded",
        2,
        8,
    )
