"""An unfinished run is resumed by `goldenhour resume` or by the same command: the bytes are the same."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from runs import digests, request

from actors.cluster import package_root
from actors.run import run_scenario
from actors.run.partial_folder import PARTIAL
from goldenhour.__main__ import run

PATIENTS = 24_000

LISTED = """
[[incidents]]
at = "day 1 00:00"
front = "Estonia"
number = 4000
triage = { T1 = 0.2, T2 = 0.3, T3 = 0.5 }
[[incidents]]
at = "day 8 23:59:59.999"
front = "Poland"
number = 50
mean_iss = 16
unit = "1 Bn"
[reoperations]
probability = [0.1, 0.3, 0.6, 0.8]
"""

CUT_OFF = """if True:
    import os, sys
    from pathlib import Path
    sys.path.insert(0, "tests")
    from actors.run import run_scenario
    from actors.run.journal import has_entries
    from actors.run.partial_folder import PARTIAL
    from runs import request

    output, workers, writers, formats = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    incidents = sys.argv[5]

    def report(progress):
        if progress.patients > 8000 and has_entries(output / PARTIAL):
            os.kill(os.getpid(), 9)

    run_scenario(
        request(
            output,
            patients=24_000,
            incidents=incidents,
            workers=workers,
            writers=writers,
            simulators=2 if workers else 1,
            formats=tuple(formats.split(",")),
            version=__import__("goldenhour").__version__,
            sync_seconds=0,
        ),
        report,
    )
"""


def cut_off(
    output: Path, workers: int = 0, writers: int = 1, formats: str = "jsonl", incidents: str = ""
) -> None:
    """Leave a run of `PATIENTS` whose driver was killed after 8,000 of them."""
    command = [sys.executable, "-c", CUT_OFF, str(output), str(workers), str(writers), formats, incidents]
    done = subprocess.run(
        command, cwd=package_root.PACKAGE_ROOT, check=False, timeout=120, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.name for path in output.iterdir()] == [PARTIAL]


def whole(output: Path, **settings: Any) -> None:
    from goldenhour import __version__

    run_scenario(request(output, patients=PATIENTS, workers=0, version=__version__, **settings))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed")
    whole(output)
    return output


def assert_same(one: Path, other: Path) -> None:
    assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_resume_continues_where_a_killed_driver_left_off(
    tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    cut_off(output)
    before = json.loads((output / PARTIAL / "run.json").read_bytes())
    assert run(["resume", str(output), "--json", "--quiet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["resumed"], said["run"], said["patients"]) == (True, before["run"], PATIENTS)
    assert_same(output, undisturbed)
    assert run(["resume", str(output)]) == 0
    assert "is finished: nothing to do" in capsys.readouterr().err


def test_listed_casualties_and_further_operations_are_the_same_bytes_over_workers_and_after_a_resume(
    tmp_path: Path,
) -> None:
    whole(tmp_path / "whole", incidents=LISTED)
    cut_off(tmp_path / "cut", workers=2, incidents=LISTED)
    assert run(["resume", str(tmp_path / "cut"), "--workers", "0", "--quiet"]) == 0
    assert_same(tmp_path / "cut", tmp_path / "whole")


def test_the_same_command_resumes_and_another_is_refused(
    tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    cut_off(output)
    scenario = tmp_path / "small.toml"
    scenario.write_text(f'name = "small"\nseed = 7\n[casualties]\ntotal = {PATIENTS}\n')
    words = ["run", str(scenario), "--chunk-size", "512", "--workers", "0", "-o", str(output), "--quiet"]
    assert run([*words, "--seed", "8", "--compress", "zstd"]) == 2
    error = capsys.readouterr().err
    for difference in (
        "seed: 7 there, 8 now",
        "compression: none there, zstd now",
        "goldenhour resume",
        "--force",
    ):
        assert difference in error
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["resumed"]
    assert_same(output, undisturbed)


@pytest.mark.ray
def test_a_killed_driver_takes_its_ray_with_it_and_its_writers_and_shards_are_resumed(
    tmp_path: Path,
) -> None:
    output = tmp_path / "out"
    before = {process.pid for process in psutil.process_iter()}
    formats = ("jsonl", "json", "parquet")
    cut_off(output, workers=1, writers=3, formats=",".join(formats))
    started = [process for process in psutil.process_iter() if process.pid not in before]
    actors = [process for process in started if re.match("ray::(Writer|Shard|Merging|gen)", title(process))]
    _, alive = psutil.wait_procs(actors, timeout=30)
    assert alive == []
    assert len(list((output / PARTIAL).glob("journal-*"))) == 3
    assert json.loads((output / PARTIAL / "run.json").read_bytes())["simulators"] == 2
    assert run(["resume", str(output), "--workers", "1", "--quiet"]) == 0
    whole(tmp_path / "lone", formats=formats)
    assert_same(output, tmp_path / "lone")


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda output: None, "there is no run of goldenhour in"),
        (lambda output: output.mkdir(), "there is no run of goldenhour in"),
        (lambda output: output.write_text("mine"), "there is no run of goldenhour in"),
    ],
)
def test_where_there_is_no_run_nothing_is_resumed(
    tmp_path: Path, make: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "out")
    assert run(["resume", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_a_log_says_what_happened_with_the_runs_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(tmp_path / "out")
    left = [json.loads(line) for line in (tmp_path / "out" / PARTIAL / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in left][:2] == ["started", "preparing"]
    path = tmp_path / "run.log"
    monkeypatch.setenv("GOLDENHOUR_LOG", str(path))
    assert run(["resume", str(tmp_path / "out"), "--quiet"]) == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["event"] == "resumed"
    assert lines[-1]["event"] == "finished"
    assert {line["run"] for line in lines} == {left[0]["run"]}
    assert lines[-1]["bytes"] == sum(
        (tmp_path / "out" / name).stat().st_size for name in digests(tmp_path / "out")
    )
    monkeypatch.setenv("GOLDENHOUR_LOG", str(tmp_path / "no/such/folder/log"))
    assert run(["run", "standard", "--patients", "5", "--workers", "0", "-o", str(tmp_path / "second")]) == 2
    assert "GOLDENHOUR_LOG: cannot write" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("variable", ["GOLDENHOUR_STALL_SECONDS", "GOLDENHOUR_SYNC_SECONDS"])
def test_a_variable_that_is_no_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "soon")
    assert run(["run", "standard", "--patients", "5", "--workers", "0", "-o", str(tmp_path / "out")]) == 2
    assert f"{variable}: got 'soon'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ray
def test_a_killed_node_of_three_loses_nothing() -> None:
    command = [sys.executable, "-m", "bench.chaos", "1", "--seed", "3", "--kinds", "node", "--no-results"]
    done = subprocess.run(
        command, cwd=package_root.PACKAGE_ROOT, check=False, timeout=400, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rounds 1, killed 1," in done.stdout
    assert "rounds 1, losses 0, processes left 0" in done.stdout
