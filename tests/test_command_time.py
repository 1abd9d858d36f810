"""What a command has taken: the time of the simulation beside the time that its user has waited."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from runs import GOLDENHOUR

from goldenhour.__main__ import run
from goldenhour.command_time import process_start

ROOT = Path(__file__).resolve().parent.parent


def test_a_process_knows_when_it_was_started() -> None:
    """Within the tick of the system's clock, also of a process that has waited before it imports anything."""
    script = (
        "import time; time.sleep(0.5); from goldenhour.command_time import process_start; "
        "print(time.monotonic() - process_start())"
    )
    before = time.monotonic()
    done = subprocess.run(
        [GOLDENHOUR[0], "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert 0.49 < float(done.stdout) < time.monotonic() - before + 0.02
    assert process_start() < before


def test_the_summary_says_both_times(tmp_path: Path) -> None:
    """The whole command includes the start of Python and the imports, which the simulation does not."""
    begun = time.monotonic()
    done = subprocess.run(
        [*GOLDENHOUR, "run", "standard", "--patients", "50", "--workers", "0", "--no-store", "-o", "out"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    waited = time.monotonic() - begun
    found = re.search(
        r"^([\d.]+) s to simulate and write, [\d,]+ patients/s; ([\d.]+) s for the whole command",
        done.stdout,
        re.MULTILINE,
    )
    assert found, done.stdout
    simulated, whole = float(found[1]), float(found[2])
    assert simulated + 0.1 < whole <= waited + 0.06


def test_measures_say_whether_they_were_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["measures", "standard", "--patients", "41", "--seed", str(time.time_ns())]
    ends = []
    for _ in range(2):
        assert run(arguments) == 0
        ends.append(capsys.readouterr().out.splitlines()[-1])
    assert re.fullmatch(r"[\d.]+ s to simulate, [\d,]+ patients/s; [\d.]+ s for the whole command", ends[0])
    assert re.fullmatch(r"from the cache; [\d.]+ s for the whole command", ends[1])


def test_json_has_both_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["run", "standard", "--patients", "50", "--workers", "0", "--no-store", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["seconds"] < told["command_seconds"]
