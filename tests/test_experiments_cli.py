"""`goldenhour experiments` on the database, with a driver in a process of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Call
from databases import ask, experiment, registration, sql
from runs import GOLDENHOUR

from actors.cluster import package_root
from actors.run.partial_folder import PARTIAL
from actors.store import NO_OUTPUT, Database, ExperimentDetail, Heartbeat


@pytest.fixture
def call(call: Call, monkeypatch: pytest.MonkeyPatch, where: Database) -> Iterator[Call]:
    """Run the command line on the module's database, which is emptied after the test."""
    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", str(where.url))
    yield call
    sql(where, "DELETE FROM runs")


@contextlib.contextmanager
def driving(
    where: Database, name: str, output: str, kind: str = "experiment"
) -> "Iterator[subprocess.Popen[str]]":
    """Run a driver in another process, for the length of the block, once it is recorded as running."""
    command = (sys.executable, str(Path(__file__).with_name("experiment_driver.py")), name, output, kind)
    with recorded_as_running(where, name, command) as process:
        yield process


@contextlib.contextmanager
def optimising(where: Database, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """Run the optimisation in endless.toml in another process, once it is recorded as running. A name comes last."""
    file = str(Path("endless.toml").absolute())
    command = (*GOLDENHOUR, "optimise", file, "--workers", "0", *arguments)
    with recorded_as_running(where, arguments[-1], command) as process:
        yield process


@contextlib.contextmanager
def recorded_as_running(
    where: Database, name: str, command: tuple[str, ...]
) -> "Iterator[subprocess.Popen[str]]":
    """Run a command in another process, for the length of the block, once its row of this name has a rate."""
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=package_root.PACKAGE_ROOT,
        env={
            **os.environ,
            "GOLDENHOUR_DATABASE_URL": str(where.url),
            "PYTHONPATH": str(package_root.PACKAGE_ROOT),
        },
    )
    try:
        until = time.monotonic() + 60
        while not sql(where, "SELECT 1 FROM runs WHERE name = %s AND rate > 0", name):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(where: Database, **values: str) -> str:
    """Leave an experiment that has succeeded, with a sentence and a note. Return its short id."""
    made = experiment(**values)
    last = Heartbeat(
        id=made.id,
        fraction=1.0,
        detail=ExperimentDetail(points=4, points_done=4, replications=200, replications_wanted=200),
    )
    found = {
        "sentences": ["Two teams instead of one: 0.7 fewer deaths."],
        "notes": ["3 replications have no surgery."],
    }

    async def work(store: object) -> None:
        await store.register_run(made)  # type: ignore[attr-defined]
        await store.finish_run(made.id, "succeeded", measures=found, last=last)  # type: ignore[attr-defined]

    ask(where, work)
    return str(made.id)[:8]


def test_an_experiment_in_progress_is_watched_and_cancelled_from_another_process(
    call: Call, where: Database, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    (output / PARTIAL).mkdir(parents=True)
    with driving(where, "teams", str(output)) as process:
        (row,) = json.loads(call("experiments", "list", "--json").out)
        assert (row["kind"], row["name"], row["state"]) == ("experiment", "teams", "running")
        assert row["detail"]["points"] == 8
        listed = call("experiments", "list").out
        assert "/2,000" in listed
        assert "0.41," in listed
        assert "no runs" in call("runs", "list").err
        with subprocess.Popen(
            [*GOLDENHOUR, "experiments", "watch"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=package_root.PACKAGE_ROOT,
            env={**os.environ, "PYTHONPATH": str(package_root.PACKAGE_ROOT)},
        ) as watching:
            assert watching.stdout is not None
            first = watching.stdout.readline()
            answer = call("experiments", "cancel", "teams")
            rest = watching.stdout.read()
        assert answer.code == 0
        assert answer.out.startswith("teams is cancelled\n")
        assert f"finished replications are kept: `goldenhour resume {output}` continues" in answer.out
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
    assert "cancelled by" in errors
    assert f"finished replications are kept: `goldenhour resume {output}` continues" in errors
    assert "of 8 points" in first
    assert "of 2,000 replications (100 from the cache), widest interval: deaths" in first
    assert "left" in first
    assert " cancelled " in rest
    shown = call("experiments", "show", "teams").out
    assert "cancelled by" in shown
    assert f"`goldenhour resume {output}` continues" in shown


def test_a_comparison_without_a_folder_continues_with_the_same_command(call: Call, where: Database) -> None:
    with driving(where, "pair", NO_OUTPUT, "comparison") as process:
        answer = call("experiments", "cancel", "pair")
        assert (answer.code, "the same command continues" in answer.out) == (0, True)
        assert "the same command continues" in process.communicate(timeout=30)[1]


def test_a_comparison_is_recorded_with_its_sentences_unless_it_is_a_mistake(
    call: Call, where: Database
) -> None:
    Path("small.toml").write_text('name = "small"\ndays = 2\n[casualties]\ntotal = 30\n')
    small = ("compare", "small.toml", "--measure", "patients", "--pairs", "4", "--workers", "0")
    change = ("--vs", "casualties.total=40")
    assert call(*small, *change, "--no-store").code == 0
    assert call(*small, "--vs", "casualties.total=30").code == 2
    assert call(*small, *change, "--name", "a@b").code == 2
    assert sql(where, "SELECT 1 FROM runs") == []
    assert call(*small, *change, "--name", "pair").code == 0
    (row,) = json.loads(call("experiments", "list", "--json").out)
    assert (row["kind"], row["name"], row["state"], row["output"]) == (
        "comparison",
        "pair",
        "succeeded",
        NO_OUTPUT,
    )
    assert (row["detail"]["points_done"], row["detail"]["replications"]) == (2, 8)
    found = json.loads(call("experiments", "show", "pair", "--json").out)
    assert [each["label"] for each in json.loads(found["text"])["scenarios"]] == [
        "small.toml",
        "casualties.total=40",
    ]
    assert "10" in found["measures"]["sentences"][0]
    assert found["measures"]["sentences"][0].split()[0] in call("experiments", "show", "pair").out


DAYS = """scenario = "coin"
[[factors]]
path = "days"
levels = [1, 10, 30]
[[constraints]]
measure = "patients"
at_least = 40
probability = 0.9
"""

ENDLESS = """scenario = "coin"
[optimise]
goal = "best"
[[factors]]
path = "days"
levels = [20, 25, 30]
[search]
difference = 1e-9
most = 1_000_000
"""


def test_an_optimisation_is_recorded_with_its_answer(call: Call, where: Database) -> None:
    Path("days.toml").write_text(DAYS)
    assert call("optimise", "days.toml", "--workers", "0", "--no-store").code == 0
    assert call("optimise", "days.toml", "--workers", "0", "--name", "a@b").code == 2
    Path("misspelt.toml").write_text(DAYS.replace('"patients"', '"patient"'))
    for folder in ((), ("-o", "folder")):
        wrong = call("optimise", "misspelt.toml", "--workers", "0", *folder)
        assert (wrong.code, "measure: got 'patient'" in wrong.err) == (2, True)
    assert not Path("folder").exists()
    plan = 'scenario = "coin"\nfactors = [{ path = "days", levels = [1, 2] }]\nresults = { measures = ["patient"] }\n'
    Path("plan.toml").write_text(plan)
    assert "did you mean 'patients'" in call("experiment", "plan.toml", "--workers", "0").err
    assert not Path("plan").exists()
    assert sql(where, "SELECT 1 FROM runs") == []
    answer = call("optimise", "days.toml", "--workers", "0", "--name", "days", "--quiet")
    assert answer == (0, "", "")
    (row,) = json.loads(call("experiments", "list", "--json").out)
    assert (row["kind"], row["name"], row["state"], row["output"]) == (
        "optimisation",
        "days",
        "succeeded",
        NO_OUTPUT,
    )
    assert (row["detail"]["points"], row["detail"]["points_done"]) == (3, 3)
    found = json.loads(call("experiments", "show", "days", "--json").out)
    assert tomllib.loads(found["text"])["search"]["first"] == 25
    assert "days=30 (cost 30) is the cheapest" in call("experiments", "show", "days").out
    assert "no runs" in call("runs", "list").err


def test_an_interrupted_optimisation_says_that_the_same_command_continues(
    call: Call, where: Database
) -> None:
    Path("endless.toml").write_text(ENDLESS)
    with optimising(where, "--name", "endless") as process:
        (row,) = json.loads(call("experiments", "list", "--json").out)
        assert (row["kind"], row["state"], row["detail"]["points"]) == ("optimisation", "running", 3)
        assert row["detail"]["replications"] > 0
        assert row["detail"]["seconds_left"] is None
        assert re.search(
            r"of 3 points, .* replications.*, [23] points in question",
            call("experiments", "show", "endless").out,
        )
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; finished replications are kept in the cache: the same command continues" in errors
    assert "finished replications are kept in the cache" in call("experiments", "show", "endless").out


def test_an_optimisation_with_a_folder_is_cancelled_and_resumed_in_its_row(
    call: Call, where: Database, tmp_path: Path
) -> None:
    Path("endless.toml").write_text(ENDLESS)
    output = tmp_path / "out"
    with optimising(where, "-o", str(output), "--name", "endless") as process:
        answer = call("experiments", "cancel", "endless")
        left = f"finished replications are kept: `goldenhour resume {output}` continues"
        assert (answer.code, left in answer.out) == (0, True)
        assert "cancelled by" in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    command = (*GOLDENHOUR, "resume", str(output))
    with recorded_as_running(where, "endless", command) as process:
        (row,) = json.loads(call("experiments", "list", "--json").out)
        assert (row["kind"], row["output"]) == ("optimisation", str(output))
        assert row["detail"]["cached"] > 0


def test_a_killed_driver_is_noticed_and_its_experiment_can_be_cancelled_and_removed(
    call: Call, where: Database
) -> None:
    with driving(where, "killed", "/out") as process:
        refused = call("experiments", "rm", "killed")
        assert (refused.code, "stop it first: `goldenhour experiments cancel" in refused.err) == (2, True)
        process.kill()
        process.wait()
    sql(where, "UPDATE runs SET heartbeat = heartbeat - interval '20 s'")
    (row,) = json.loads(call("experiments", "list", "--json").out)
    assert row["state"] == "resumable"
    assert f"goldenhour resume {row['id'][:8]}" in call("experiments", "show", "killed").out
    answer = call("experiments", "cancel", "killed")
    assert (answer.code, f"`goldenhour resume {row['id'][:8]}` continues" in answer.out) == (0, True)
    assert json.loads(call("experiments", "rm", "killed", "--json").out) == {"removed": [row["id"]]}
    assert (
        "there are no experiments; `goldenhour experiment FILE` starts one" in call("experiments", "list").err
    )


def test_the_answer_of_an_experiment_is_shown(call: Call, where: Database) -> None:
    short = ended(where, name="tables")
    shown = call("experiments", "show", short).out
    assert "experiment   " in shown
    assert "4 of 4 points, 200 of 200 replications" in shown
    assert shown.endswith(
        "\nTwo teams instead of one: 0.7 fewer deaths.\n\nnote: 3 replications have no surgery.\n"
    )
    assert json.loads(call("experiments", "show", "tables", "--json").out)["text"].startswith("scenario =")
    again = call("experiments", "cancel", "tables")
    assert (again.code, f"experiment {short} has already ended: succeeded" in again.err) == (2, True)


@pytest.mark.parametrize("command", ["show", "watch", "cancel", "rm"])
def test_a_reference_to_the_other_kind_is_answered_with_the_right_command(
    call: Call, where: Database, command: str
) -> None:
    short = ended(where, name="tables")
    made = registration(name="plain")
    ask(where, lambda store: store.register_run(made))
    wrong = call("runs", command, "tables")
    assert wrong.code == 2
    assert f"'tables' is not a run but an experiment: `goldenhour experiments show {short}`" in wrong.err
    wrong = call("experiments", command, str(made.id))
    assert wrong.code == 2
    assert f"is not an experiment but a run: `goldenhour runs show {str(made.id)[:8]}`" in wrong.err


def test_status_counts_runs_and_experiments(call: Call, where: Database) -> None:
    ended(where)
    ask(where, lambda store: store.register_run(registration()))
    assert "1 runs, 1 experiments" in call("db", "status").out
