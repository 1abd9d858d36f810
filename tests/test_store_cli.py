"""The command line on the database: stored scenarios, runs, and the database itself."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Call
from databases import ask, content, folder_of, registration, sql
from runs import GOLDENHOUR

from actors.cluster import package_root
from actors.run.journal import has_entries
from actors.run.partial_folder import PARTIAL
from actors.store import Content, Database, Server


@pytest.fixture
def call(call: Call, monkeypatch: pytest.MonkeyPatch, where: Database) -> Call:
    """Run the command line on the module's database."""
    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", str(where.url))
    return call


SMALL = ("--patients", "40", "--workers", "0", "--quiet")


def stored(call: Call, name: str, text: str = "days = 3") -> Path:
    """A file of one's own, in the store under `name`."""
    path = Path(f"{name}.toml")
    path.write_text(f'# my own\nname = "Own: {name}"\n{text}\n[casualties]\ntotal = 40\n')
    assert call("scenarios", "add", path).code == 0
    return path


def test_what_show_prints_gives_the_bytes_of_the_stored_scenario(call: Call) -> None:
    path = stored(call, "north")
    shown = call("scenarios", "show", "north")
    assert shown.out == path.read_text()
    Path("saved.toml").write_text(shown.out)
    assert call("run", "north", "--workers", "0", "--quiet", "-o", "by-name").code == 0
    assert call("run", "saved.toml", "--workers", "0", "--quiet", "-o", "by-file").code == 0
    names = sorted(path.name for path in Path("by-name").iterdir())
    assert len(names) == 7
    for name in names:
        assert Path("by-name", name).read_bytes() == Path("by-file", name).read_bytes(), name


def test_a_scenario_stored_as_json_is_shown_as_toml_that_means_the_same(call: Call) -> None:
    Path("data.json").write_text('{"name": "j", "days": 2, "casualties": {"total": 9}}')
    assert call("scenarios", "add", "data.json", "--name", "from json").code == 0
    told = json.loads(call("scenarios", "show", "from json", "--json").out)
    Path("saved.toml").write_text(told["text"])
    assert call("scenarios", "diff", "from json", "saved.toml").out == ""


def test_a_scenario_that_extends_a_stored_one_is_stored_whole(call: Call) -> None:
    stored(call, "west", "days = 3")
    Path("farwest.toml").write_text('extends = "west@1"\nname = "farwest"\nseed = 4 # extends nothing else\n')
    assert call("scenarios", "add", "farwest.toml").code == 0
    told = json.loads(call("scenarios", "show", "farwest", "--json").out)
    assert "extends" not in told["text"] and "days = 3" in told["text"]
    assert call("scenarios", "diff", "farwest", "farwest.toml").out == ""
    Path("plain.toml").write_text(Path("west.toml").read_text() + "# extends nothing\n")
    assert call("scenarios", "add", "plain.toml").code == 0
    assert call("scenarios", "show", "plain").out.endswith("# extends nothing\n")


def test_the_settings_of_a_run_are_in_its_row(call: Call) -> None:
    setting = "facilities[R2-North].surgical_teams=3"
    told = call("run", "brigade", "--set", setting, "--set", "days=2", *SMALL, "--json", "-o", "set")
    row = json.loads(call("runs", "show", json.loads(told.out)["run"], "--json").out)
    assert row["settings"]["set"] == f"{setting}; days=2"
    assert "surgical_teams = 3" in row["text"]


def test_versions_are_added_listed_compared_and_run(call: Call) -> None:
    path = stored(call, "south", "days = 3")
    path.write_text(path.read_text().replace("days = 3", "days = 5"))
    refused = call("scenarios", "add", path)
    assert refused.code == 1
    assert "--parent 1" in refused.err
    done = json.loads(call("scenarios", "add", path, "--parent", "1", "--note", "longer", "--json").out)
    assert (done["version"], done["added"]) == (2, True)
    lost = call("scenarios", "add", "--name", "south", "north.toml", "--parent", "1")
    assert lost.code == 2  # no such file
    path.write_text(path.read_text().replace("days = 5", "days = 6"))
    conflict = call("scenarios", "add", path, "--parent", "1")
    assert conflict.code == 1
    assert "another user has changed it" in conflict.err
    assert "scenarios diff south@1 south@2" in conflict.err
    changes = json.loads(call("scenarios", "diff", "south@1", "south@2", "--json").out)["changes"]
    assert changes == [{"setting": "days", "from": 3, "to": 5}]
    assert "-days = 3\n+days = 5\n" in call("scenarios", "diff", "south").out
    versions = json.loads(call("scenarios", "show", "south", "--history", "--json").out)
    assert [(row["version"], row["parent"], row["note"]) for row in versions] == [
        (1, None, ""),
        (2, 1, "longer"),
    ]
    row = next(row for row in json.loads(call("scenarios", "list", "--json").out) if row["name"] == "south")
    assert (row["kind"], row["version"], row["days"], row["casualties"]) == ("stored", 2, 5, 40)
    for version, days in ((1, 3), (2, 5)):
        told = call("run", f"south@{version}", *SMALL, "--json", "-o", f"out-{version}")
        entered = json.loads(call("runs", "show", json.loads(told.out)["run"], "--json").out)
        assert (entered["scenario"], entered["source"], entered["scenario_version"]) == (
            "south",
            "stored",
            version,
        )
        assert f"days = {days}" in entered["text"]
    assert call("scenarios", "rm", "south").code == 0
    assert call("run", "south", *SMALL).code == 2
    assert call("scenarios", "show", "south@1").code == 0


def test_a_stored_scenario_needs_no_table_beside_it(call: Call) -> None:
    link = '[[links]]\norigin = "POI"\ndestination = "R2"\n'
    front = '[[fronts]]\nname = "North"\nnations = { GBR = 1.0 }\n'
    Path("far.toml").write_text(
        f'name = "far"\ndistances = "km.csv"\n{front}[[facilities]]\nid = "R2"\nrole = 2\n{link}'
    )
    Path("km.csv").write_text("origin,destination,km\nNorth,R2,12.5\n")
    before = json.loads(call("scenarios", "show", "far.toml", "--json").out)
    assert call("scenarios", "add", "far.toml").code == 0
    Path("km.csv").unlink()
    stored = json.loads(call("scenarios", "show", "far", "--json").out)
    assert "distance_km = 12.5" in stored["text"]
    assert stored["hash"] == before["hash"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scenarios", "add", "x.toml", "--name", "standard"], "is the name of a built-in scenario"),
        (["scenarios", "add", "x.toml", "--name", "a@b"], "without '@'"),
        (["scenarios", "add", "x.toml", "--name", "x.toml"], "does not end in .toml or .json"),
        (["scenarios", "add", "x.toml", "--name", "y" * 100_000], "100,000 characters"),
        (["scenarios", "add", "x.toml", "--name", "bad \udcff"], "UTF-8"),
        (["scenarios", "add", "broken.toml"], "broken.toml"),
        (["scenarios", "add", "latin.toml"], "latin.toml"),
        (["scenarios", "add", "missing.toml"], "does not exist"),
        (["scenarios", "rm", "coin"], "cannot be removed"),
        (["scenarios", "rm", "nobody's"], "no stored scenario"),
        (["scenarios", "show", "nort"], "did you mean"),
        (["scenarios", "diff", "coin"], "no earlier version"),
        (["scenarios", "show", "coin", "--history"], "no stored scenario 'coin'"),
        (["run", "'; DROP TABLE runs; --"], "neither a built-in scenario nor"),
        (["run", "standard", "--name", "x\0y"], "code 0"),
        (["runs", "show", "none such"], "there is no run 'none such'"),
        (["runs", "rm", "%"], "there is no run '%'"),
        (["runs", "lst"], "did you mean 'list'?"),
        (["resume", "none such"], "nor is there a folder of that name"),
        (["resume", "none such", "--no-store"], "name the output folder"),
        (["db", "rollback", "--to", "99", "--yes"], "allowed: 0 to"),
    ],
)
def test_a_mistake_is_answered_by_one_message_and_code_2(
    call: Call, arguments: list[str], words: str
) -> None:
    stored(call, "nort_h") if "nort" in arguments else None
    Path("x.toml").write_text('name = "x"\n')
    Path("broken.toml").write_text("name = [")
    Path("latin.toml").write_bytes('name = "é"'.encode("latin-1"))
    answer = call(*arguments)
    assert answer.code == 2, answer
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert len(answer.err) < 600


def test_a_run_is_listed_shown_and_forgotten(call: Call) -> None:
    assert call("run", "standard", *SMALL, "--name", "short one", "-o", "out").code == 0
    (row,) = [row for row in json.loads(call("runs", "list", "--json").out) if row["name"] == "short one"]
    assert (row["state"], row["patients"], row["output"]) == ("succeeded", 40, str(Path("out").absolute()))
    assert "short one" in call("runs", "list", "--state", "succeeded").out
    assert "short one" not in call("runs", "list", "--state", "failed").out
    shown = call("runs", "show", row["id"][:8]).out
    assert "succeeded" in shown
    assert "mortality" in shown
    watched = call("runs", "watch", row["id"]).out
    assert "succeeded 100 %, 40 patients" in watched
    again = call("runs", "cancel", row["id"])
    assert again.code == 2
    assert "has already ended: succeeded" in again.err
    assert json.loads(call("runs", "rm", row["id"], "--json").out) == {"removed": [row["id"]]}
    assert call("runs", "show", row["id"]).code == 2


def cut_off(where: Database, name: str, output: Path, number: signal.Signals) -> None:
    """Leave a run of that name that was ended by a signal once something of it was written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "goldenhour", *long_run(name, output)],
        stderr=subprocess.PIPE,
        cwd=package_root.PACKAGE_ROOT,
        env={**os.environ, "GOLDENHOUR_DATABASE_URL": str(where.url), "GOLDENHOUR_SYNC_SECONDS": "0"},
    )
    try:
        until = time.monotonic() + 120
        while not has_entries(output / PARTIAL) or not sql(where, "SELECT 1 FROM runs WHERE name = %s", name):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert not (output / "manifest.json").exists()


def long_run(name: str, output: Path) -> list[str]:
    options = ["--patients", "60000", "--chunk-size", "256", "--workers", "0", "--quiet"]
    return ["run", "standard", *options, "--name", name, "-o", str(output)]


def row_of(where: Database, output: Path) -> tuple[Any, ...]:
    """Id, name, state and whether it was resumed, of the one run in that output."""
    statement = "SELECT id::text, name, state, resumed_at IS NOT NULL FROM runs WHERE output = %s"
    (row,) = sql(where, statement, str(output))
    return row


def test_a_killed_run_is_resumed_by_name_in_its_own_row(call: Call, where: Database, tmp_path: Path) -> None:
    output = tmp_path / "out"
    cut_off(where, "falls silent", output, signal.SIGKILL)
    run = row_of(where, output)[0]
    missed = call("resume", "falls silnt")
    assert missed.code == 2
    assert "did you mean 'falls silent'?" in missed.err
    answer = call("resume", "falls silent", "--json", "--quiet")
    assert (answer.code, json.loads(answer.out)["run"], json.loads(answer.out)["resumed"]) == (0, run, True)
    assert row_of(where, output) == (run, "falls silent", "succeeded", True)
    assert "resumed " in call("runs", "show", "falls silent").out
    again = call("resume", run[:8])
    assert (again.code, "finished: nothing to do" in again.err) == (0, True)


def test_a_cancelled_run_is_resumed_by_the_same_command_in_its_own_row(
    call: Call, where: Database, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    cut_off(where, "stopped", output, signal.SIGINT)
    run, *rest = row_of(where, output)
    assert rest == ["stopped", "cancelled", False]
    assert call(*long_run("stopped", output)).code == 0
    assert row_of(where, output) == (run, "stopped", "succeeded", True)


def test_a_forgotten_run_is_entered_anew_when_it_is_resumed(
    call: Call, where: Database, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    cut_off(where, "forgotten", output, signal.SIGINT)
    run = row_of(where, output)[0]
    assert call("runs", "rm", "forgotten").code == 0
    assert call("resume", "forgotten").code == 2
    assert call("resume", str(output), "--quiet").code == 0
    assert row_of(where, output) == (run, None, "succeeded", False)


def test_a_finished_run_whose_driver_could_not_say_so_is_entered_by_resume(
    call: Call, where: Database, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert call("run", "standard", *SMALL, "--no-store", "-o", output).code == 0
    made = json.loads((output / "manifest.json").read_bytes())
    text = Content(text="x", format="toml", hash=made["scenario_hash"])
    entered = registration(content=text, seed=made["seed"], output=str(output), name="unsaid")
    ask(where, lambda store: store.register_run(entered))
    other = registration(content=content("other"), output=str(tmp_path / "other"), name="elsewhere")
    ask(where, lambda store: store.register_run(other))
    assert "is finished: recorded as succeeded" in call("resume", "unsaid").err
    assert row_of(where, output) == (str(entered.id), "unsaid", "succeeded", False)
    shown = json.loads(call("runs", "show", "unsaid", "--json").out)
    assert (shown["patients"], shown["measures"]["patients"]) == (40, 40)
    gone = call("resume", "elsewhere")
    assert (gone.code, "which is not on this machine" in gone.err) == (2, True)
    shutil.move(output, tmp_path / "other")
    assert call("resume", "elsewhere").code == 0
    assert row_of(where, tmp_path / "other")[2] == "queued"  # of another scenario


def test_an_output_that_is_refused_is_no_run(call: Call, where: Database, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    assert call("run", "standard", *SMALL, "-o", tmp_path / "out").code == 2
    assert not sql(where, "SELECT 1 FROM runs WHERE output = %s", str(tmp_path / "out"))


def test_without_a_store_nothing_is_entered(call: Call, where: Database) -> None:
    before = sql(where, "SELECT count(*) FROM runs")
    assert json.loads(call("run", "standard", *SMALL, "--no-store", "--json", "-o", "out").out)["patients"]
    assert sql(where, "SELECT count(*) FROM runs") == before


def test_a_run_is_watched_and_cancelled_from_another_terminal(
    call: Call, where: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command = [
        *GOLDENHOUR,
        "run",
        "standard",
        "--patients",
        "20000000",
        "--workers",
        "0",
    ]
    process = subprocess.Popen(
        [*command, "--name", "long one", "-o", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        cwd=package_root.PACKAGE_ROOT,
        env={**os.environ, "GOLDENHOUR_DATABASE_URL": str(where.url)},
    )
    request.addfinalizer(process.kill)
    until = time.monotonic() + 120
    while not sql(where, "SELECT 1 FROM runs WHERE name = 'long one' AND patients > 0"):
        assert time.monotonic() < until
        time.sleep(0.1)
    cancelling = threading.Timer(
        2,
        lambda: subprocess.run(
            [sys.executable, "-m", "goldenhour", "runs", "cancel", "long one"],
            check=True,
            cwd=package_root.PACKAGE_ROOT,
        ),
    )
    cancelling.start()
    watched = call("runs", "watch", "--json").out.splitlines()
    cancelling.join()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.search(rb"cancelled by \S+@\S+; (`goldenhour resume|nothing was left)", errors)
    seen = [row for line in watched for row in json.loads(line) if row["name"] == "long one"]
    assert [seen[0]["state"], seen[-1]["state"]] == ["running", "cancelled"]
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_database_says_what_it_is_and_goes_back_and_forth(call: Call, where: Database) -> None:
    status = json.loads(call("db", "status", "--json").out)
    assert [step["number"] for step in status["applied"]] == [1, 2, 3, 4]
    assert status["missing"] == []
    assert not status["embedded"]
    text = call("db", "status").out
    assert "PostgreSQL 18" in text
    assert "migration 2, runs: applied" in text
    assert json.loads(call("db", "rollback", "--to", "1", "--yes", "--json").out) == {"taken_back": [4, 3, 2]}
    assert "migration 2, runs: missing" in call("db", "status").out
    assert call("db", "upgrade").out == "migrations applied: 2, 3, 4\n"
    assert call("db", "upgrade").out == "migrations applied: none\n"
    assert call("runs", "list").code == 0


def test_a_server_that_cannot_be_reached_is_an_error_not_a_trace(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/x")
    answer = call("run", "standard", *SMALL, "-o", "out")
    assert answer.code == 1
    assert re.match(r"goldenhour: GOLDENHOUR_DATABASE_URL \(postgresql://me:\.\.\.@", answer.err)
    assert "secret" not in answer.err
    assert not Path("out").exists()
    assert call("run", "standard", *SMALL, "--no-store", "-o", "out").code == 0


def test_the_embedded_database_is_there_on_a_fresh_machine(
    call: Call, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOLDENHOUR_DATABASE_URL")
    monkeypatch.setenv("GOLDENHOUR_DATA_DIR", str(folder_of(data_folder, "fresh machine") / "data"))
    answer = call("run", "standard", "--patients", "40", "--workers", "0", "-o", "out", "--json")
    assert answer.code == 0, answer
    (row,) = json.loads(call("runs", "list", "--json").out)
    assert row["state"] == "succeeded"
    assert Server(Database.from_environment().folder).owner() is None
