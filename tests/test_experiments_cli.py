"""`goldenhour experiments` on the database, with a driver in a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from databases import ask, database, experiment, registration, sql
from runs import GOLDENHOUR

from actors.cluster import package_root
from actors.run.partial_folder import PARTIAL
from actors.store import NO_OUTPUT, Database, ExperimentDetail, Heartbeat
from goldenhour.__main__ import run


@pytest.fixture(scope="module")
def where(data_folder: Path) -> Iterator[Database]:
    """The database of all tests of the module."""
    with database(data_folder, "experiments-cli") as made:
        yield made


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Database
) -> Iterator[Call]:
    """Run the command line in this process, in an empty folder, on the module's database, which is emptied after."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", str(where.url))

    def run_it(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    yield run_it
    sql(where, "DELETE FROM runs")


@contextlib.contextmanager
def driving(
    where: Database, name: str, output: str, kind: str = "experiment"
) -> "Iterator[subprocess.Popen[str]]":
    """Run a driver in another process, for the length of the block, once it is recorded as running."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("experiment_driver.py")), name, output, kind],
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
