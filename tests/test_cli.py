"""The command line: what it refuses, how it says so, and what it prints."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from runs import GOLDENHOUR

import scenarios
from actors.cluster import default_workers
from actors.run import AUTOMATIC_WORKERS
from engine.scenario import ScenarioOverrides
from goldenhour import __version__, run_time
from goldenhour.cli.scenario_sources import prepare_source
from goldenhour.outputs import default_output
from goldenhour.run_time import SMALL_RUN, automatic_workers
from goldenhour.views import format_duration
from goldenhour.views.progress import Meter, ProgressLines

ROOT = Path(__file__).resolve().parent.parent


SMALL = ("--patients", "40", "--workers", "0")


def test_the_version_is_printed(call):
    assert call("--version").out == f"goldenhour {__version__}\n"


def test_without_a_command_the_help_is_shown(call):
    answer = call()
    assert answer.code == 2
    assert "scenarios" in answer.out + answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "standrd"], "did you mean 'standard'?"),
        (["run", "Coin"], "did you mean 'coin'?"),
        (["run", "no-such-thing-at-all"], "goldenhour scenarios list"),
        (["run", "standard.toml"], "did you mean the built-in 'standard'?"),
        (["run", "missing.json"], "does not exist"),
        (["run", "."], "is a folder"),
        (["run", "folder.toml"], "is a folder"),
        (["run", "notes.txt"], "does not end in .toml or .json"),
        (["run", "pipe.toml"], "is not a regular file"),
        (["run", "huge.toml"], "a scenario has at most 4,194,304"),
        (["run", "loop.toml"], "cannot be opened: Too many levels of symbolic links"),
        (["run", "with\0zero.toml"], "cannot be opened"),
        (["run", "broken.toml"], "broken.toml"),
        (["run", "binary.json"], "binary.json"),
        (["run", "unknown.toml"], "did you mean 'days'?"),
        (["run"], "SCENARIO"),
        (["rum", "standard"], "did you mean 'run'?"),
        (["scenarios", "shwo", "coin"], "did you mean 'show'?"),
        (["run", "standard", "--fromat", "csv"], "--format"),
        (["run", "standard", "--format", "jsnol"], "did you mean 'jsonl'?"),
        (["run", "standard", "--format", "csv,xlsx"], "'xlsx'; allowed: jsonl, csv, json, msgpack, parquet"),
        (["run", "standard", "--format", ""], "allowed: jsonl"),
        (["run", "standard", "--compress", "gz"], "'gz'; allowed: none, gzip, zstd"),
        (["run", "standard", "--patients", "0"], "1<=x<=1000000000"),
        (["run", "standard", "--patients", "1000000001"], "1<=x<=1000000000"),
        (["run", "standard", "--patients", "many"], "'many'"),
        (["run", "standard", "--days", "-1"], "1<=x<=3650"),
        (["run", "standard", "--seed", "-1"], "0<=x<="),
        (["run", "standard", "--replication", "-1"], "0<=x<="),
        (["run", "standard", "--workers", "-1"], "'-1'; allowed: auto, or a number from 0 to 1,024"),
        (["run", "standard", "--workers", "many"], "allowed: auto, or a number from 0 to 1,024"),
        (["run", "standard", "--chunk-size", "0"], "1<=x<=16384"),
        (["run", "standard", "--address", "nowhere"], "HOST:PORT"),
        (["run", "standard", "--workers", "0", "--address", "a:1"], "exclude each other"),
        (["run", "standard", "-o", ""], "the path of a folder"),
        (["run", "standard", "--workers", "0", "-o", "full"], "is not empty"),
        (["run", "standard", "--workers", "0", "-o", "notes.txt"], "is a file"),
        (["scenarios", "check", "unknown.toml"], "did you mean 'days'?"),
    ],
)
def test_a_mistake_is_answered_by_one_message_and_code_2(call, tmp_path, arguments, words):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "notes.txt").write_text("x")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    with (tmp_path / "huge.toml").open("wb") as file:
        file.truncate(200_000_000)
    (tmp_path / "broken.toml").write_text("name = [")
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    (tmp_path / "unknown.toml").write_text('name = "x"\ndyas = 3\n')
    before = sorted(tmp_path.rglob("*"))
    answer = call(*arguments)
    assert answer.code == 2
    assert words in answer.err
    assert answer.err.startswith("goldenhour: ")
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written"


def test_every_built_in_scenario_is_listed_and_can_be_shown_checked_and_edited(call, tmp_path):
    listed = json.loads(call("scenarios", "list", "--json").out)
    assert [row["name"] for row in listed if row["kind"] == "reference"] == [
        "standard",
        "coin",
        "falklands",
        "okinawa",
    ]
    assert {row["name"] for row in listed} == set(scenarios.builtin_names())
    assert len([row for row in listed if row["kind"] == "warfare type"]) == 8
    assert len([row for row in listed if row["kind"] == "preset"]) == 8
    table = call("scenarios", "list").out
    for row in listed:
        assert row["name"] in table
        (tmp_path / "mine.toml").write_text(call("scenarios", "show", row["name"]).out)
        answer = call("scenarios", "check", "mine.toml", "--json")
        assert answer.code == 0, answer.err
        checked = json.loads(answer.out)
        assert checked["name"] == row["name"]
        if row["casualties"]:
            assert checked["expected"] == pytest.approx(row["casualties"])
        assert sum(day["expected"] for day in checked["by_day"]) == pytest.approx(
            checked["expected"], rel=1e-3
        )


def test_check_shows_days_fronts_and_the_network(call):
    out = call("scenarios", "check", "standard").out
    for words in ("exactly 1,440 casualties", "Poland", "R1-Poland", "POI", "█", "By day", "can be run"):
        assert words in out


def test_a_run_leaves_files_and_a_summary(call, tmp_path):
    answer = call("run", "standard", *SMALL)
    assert answer.code == 0, answer.err
    folder = tmp_path / "standard-seed1-rep0"
    names = {path.name for path in folder.iterdir()}
    assert {"manifest.json", "summary.json", "scenario.toml"} < names
    assert sum(len(path.read_text().splitlines()) for path in folder.glob("patients*.jsonl")) == 40
    for words in (
        "40 patients",
        "battle",
        "T1",
        "KIA",
        "DOW",
        "RTD",
        "Role 1",
        "Role 2",
        "surgery",
        "manifest.json",
    ):
        assert words in answer.out, words


def test_json_is_one_object_and_nothing_else_on_stdout(call, tmp_path):
    answer = call("run", "standard", *SMALL, "-o", "there", "--json", "--quiet")
    assert answer.code == 0, answer.err
    assert answer.err == ""
    said = json.loads(answer.out)
    assert said["patients"] == 40
    assert said["output"] == str(tmp_path / "there")
    assert sum(said["outcomes"].values()) == 40
    assert said["bytes"] == sum(Path(part).stat().st_size for part in said["parts"])
    for key in ("seconds", "patients_per_second", "peak_pss_mb", "bytes_per_record"):
        assert said[key] > 0
    assert said["compile_seconds"] >= 0


def test_quiet_says_nothing(call):
    answer = call("run", "standard", *SMALL, "--quiet")
    assert answer == (0, "", "")


def test_a_folder_with_an_earlier_run_is_replaced_only_by_force(call):
    assert call("run", "standard", *SMALL, "--quiet").code == 0
    again = call("run", "standard", *SMALL, "--quiet")
    assert again.code == 2
    assert "--force" in again.err
    assert call("run", "standard", *SMALL, "--quiet", "--force").code == 0


def test_options_replace_what_the_scenario_says(call):
    answer = call(
        "run", "coin", *SMALL, "--days", "3", "--seed", "9", "--replication", "2", "--json", "-o", "x"
    )
    assert answer.code == 0, answer.err
    assert "--patients 40 replaces the scenario's rates" in answer.err
    said = json.loads(answer.out)
    assert (said["patients"], said["seed"], said["replication"]) == (40, 9, 2)
    as_run = Path("x/scenario.toml").read_text()
    assert "days = 3" in as_run
    assert "seed = 9" in as_run


def test_several_formats_are_written_at_once(call):
    answer = call("run", "standard", *SMALL, "--format", "csv, jsonl,csv", "-o", "x", "--quiet")
    assert answer.code == 0, answer.err
    assert {path.suffix for path in Path("x").glob("patients*")} == {".csv", ".jsonl"}


def test_the_default_folder_is_named_after_scenario_seed_and_replication():
    assert default_output("standard", 7, 2) == Path("standard-seed7-rep2")
    assert default_output("Opération 1", 1, 0) == Path("Opération-1-seed1-rep0")
    assert default_output("...", 1, 0) == Path("scenario-seed1-rep0")


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    command = f"{sys.executable} -m goldenhour scenarios show standard | head -n 1"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


def test_ctrl_c_in_process_exits_with_130_and_says_how_to_go_on(tmp_path):
    import signal

    command = [
        *GOLDENHOUR,
        "run",
        "standard",
        "--patients",
        "5000000",
        "--workers",
        "0",
        "-o",
        "x",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    limit = time.monotonic() + 90
    while time.monotonic() < limit and not list(tmp_path.rglob("patients*.jsonl")):
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert time.monotonic() - begun < 5
    assert "Traceback" not in err
    assert f"`goldenhour resume {tmp_path / 'x'}` resumes the run" in err
    assert [path.name for path in (tmp_path / "x").iterdir()] == [".goldenhour-partial"]


def test_durations_read_as_people_say_them():
    assert [format_duration(s) for s in (0.4, 59.4, 65, 4000)] == ["0 s", "59 s", "1 min 05 s", "1 h 06 min"]


def test_the_meter_tells_patients_rate_and_time_left(monkeypatch):
    from actors.run import Progress

    now = 100.0
    monkeypatch.setattr("goldenhour.views.progress.time.monotonic", lambda: now)
    meter = Meter()
    assert meter.describe() == ""
    meter.update(Progress(phase="running", patients=100, expected=1000, fraction=0.1))
    assert meter.describe() == "100 of 1,000 patients"
    now = 102.0
    meter.update(Progress(phase="running", patients=500, expected=1000, fraction=0.5))
    assert meter.describe() == "500 of 1,000 patients, 200/s, 2 s left"


def test_without_a_terminal_each_phase_is_a_line(capsys):
    from actors.run import Progress

    with ProgressLines() as lines:
        for phase in ("preparing", "running", "running", "finishing"):
            lines.report(Progress(phase=phase))
    assert len(capsys.readouterr().err.splitlines()) == 3


@pytest.fixture
def no_cache_yet(tmp_path, monkeypatch):
    """An empty cache folder that still has this machine's compiled kernel, and no Redis."""
    from engine import identity

    kernels = identity.cache_root() / "native"
    kernels.mkdir(parents=True, exist_ok=True)
    own = tmp_path / "cache"
    shutil.copytree(kernels, own / "native")
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(own))
    monkeypatch.delenv("GOLDENHOUR_REDIS_URL", raising=False)
    yield own
    for compiled in (own / "native").rglob("*.o"):  # by this test; the next ones need not do it again
        saved = kernels / compiled.parent.name / compiled.name
        if not saved.exists():
            saved.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copy(compiled, saved)


def forbid_simulating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it an error to build a value that a cache does not have."""
    from engine.precomputed import cache_builders

    monkeypatch.setattr(cache_builders, "build_measures", None)
    monkeypatch.setattr(cache_builders, "BUILDERS", {})


def test_measures_asked_for_twice_are_simulated_once(call, no_cache_yet, monkeypatch):
    first = call("measures", "coin", "--patients", 50, "--json")
    assert json.loads(first.out)["patients"] == 50
    with monkeypatch.context() as patched:
        forbid_simulating(patched)
        assert call("measures", "coin", "--patients", 50, "--json") == first
        assert "50 patients of coin" in call("measures", "coin", "--patients", 50).out
    other = call("measures", "coin", "--patients", 50, "--seed", 2, "--json")
    assert other.code == 0
    assert other.out != first.out
    monkeypatch.setenv("GOLDENHOUR_CACHE", "off")
    assert call("measures", "coin", "--patients", 50, "--json").out == first.out


def test_measures_say_how_long_the_simulation_takes_unless_a_cache_has_them(call, no_cache_yet, monkeypatch):
    few = ("measures", "coin", "--patients", 50, "--json")
    assert "note: a run" not in call(*few, "--seed", 2).err
    monkeypatch.setattr(run_time, "LONG_SECONDS", 0.0)
    assert "note: a run will take about 0 minutes on this machine" in call(*few).err
    assert "note: a run" not in call(*few).err
    monkeypatch.setenv("GOLDENHOUR_CACHE", "off")
    assert "note: a run will take about 0 minutes on this machine" in call(*few).err


def test_the_measures_of_a_run_need_not_be_simulated_again(call, no_cache_yet, monkeypatch):
    assert call("run", "coin", *SMALL, "-o", "out", "--quiet").code == 0
    forbid_simulating(monkeypatch)
    answer = call("measures", "coin", "--patients", 40, "--json")
    assert json.loads(answer.out) == json.loads(Path("out/summary.json").read_bytes())


def test_the_cache_is_counted_and_cleared(call, no_cache_yet):
    call("measures", "coin", "--patients", 30)
    tier = json.loads(call("cache", "stats", "--json").out)["tier"]
    assert tier["name"] == "disk"
    assert tier["namespaces"]["computation"]["values"] == 1
    assert "computation" in call("cache", "stats").out
    assert "0 on the disk" in call("cache", "clear", "medical").out
    assert "1 on the disk" in call("cache", "clear").out
    assert (
        json.loads(call("cache", "stats", "--json").out)["tier"]["namespaces"]["computation"]["values"] == 0
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cache", "clear", "computaton"], "did you mean 'computation'?"),
        (["cache", "stats", "--address", "nowhere"], "HOST:PORT"),
        (["cache", "clear", "--address", "nowhere"], "HOST:PORT"),
        (["measures", "coin", "--address", "nowhere"], "HOST:PORT"),
        (["measures", "cion"], "did you mean 'coin'?"),
    ],
)
def test_what_the_cache_commands_cannot_use_is_refused(call, arguments, words):
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


def test_a_redis_that_is_not_there_is_one_note(call, no_cache_yet, monkeypatch):
    monkeypatch.setenv("GOLDENHOUR_REDIS_URL", "redis://127.0.0.1:1")
    answer = call("run", "coin", *SMALL, "-o", "out", "--json")
    assert answer.code == 0
    assert answer.err.count("note: Redis at 127.0.0.1:1") == 1
    answer = call("measures", "coin", "--patients", 30, "--json")
    assert (answer.code, answer.err.count("note: Redis at 127.0.0.1:1")) == (0, 1)
    assert call("cache", "clear").code == 1


def test_a_small_run_needs_no_ray_unless_it_is_asked_for(call, tmp_path, monkeypatch):
    def workers(patients: int, *options: Any) -> int:
        overrides = ScenarioOverrides(patients=patients)
        return automatic_workers(prepare_source("standard", overrides), *options)

    assert workers(SMALL_RUN - 1) == 0
    assert workers(SMALL_RUN + 1) == default_workers() > 0
    assert workers(100, None, 2) == workers(100, None, 1, 2) == default_workers()
    assert workers(100, "127.0.0.1:6379") == AUTOMATIC_WORKERS
    with monkeypatch.context() as job:
        job.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
        assert workers(100) == AUTOMATIC_WORKERS
    done = call("run", "coin", "--patients", "40", "--json", "-o", str(tmp_path / "small"), "--no-store")
    assert json.loads(done.out)["workers"] == 0
