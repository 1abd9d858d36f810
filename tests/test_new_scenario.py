"""`goldenhour scenarios new`: a short commented scenario from six options, or six answers at a terminal."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from runs import GOLDENHOUR

from engine.scenario import Scenario, prepare
from goldenhour import scenario_files
from goldenhour.__main__ import run

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(name: str) -> Scenario:
    """The scenario of a file in the folder, which can be run."""
    return prepare(scenario_files.load(f"./{name}")).original


def at_a_terminal(folder: Path, typed: str, *arguments: str) -> tuple[int, str]:
    """The exit code and the output of `scenarios new` at a terminal where `typed` is typed."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    done = subprocess.run(
        [*GOLDENHOUR, "scenarios", "new", *arguments],
        stdin=theirs,
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_six_options_make_a_short_commented_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--name", "two fronts", "--days", "12", "--casualties", "300", "--network", "none"]
    options += ["--fronts", "North=3000, South", "--nations", "GBR=0.6, NOR=0.4"]
    assert run(["scenarios", "new", "mine.toml", *options]) == 0
    lines = (folder / "mine.toml").read_text().splitlines()
    assert len(lines) <= 20 and sum("#" in line for line in lines) >= 8
    made = loaded("mine.toml")
    assert (made.name, made.days, made.casualties.total, made.network) == ("two fronts", 12, 300, None)
    assert [(front.name, front.population) for front in made.fronts] == [("North", 3000), ("South", 4000)]
    assert all(front.nations == {"GBR": 0.6, "NOR": 0.4} for front in made.fronts)
    capsys.readouterr()
    assert run(["scenarios", "check", "mine.toml"]) == 0


def test_rates_and_equal_shares(folder: Path) -> None:
    options = ["--casualties", "rates", "--nations", "DNK,NOR,SWE", "--network", "division"]
    assert run(["scenarios", "new", "mine.toml", *options]) == 0
    made = loaded("mine.toml")
    assert made.name == "mine" and made.casualties.rates is not None and made.network == "division"
    assert set(made.fronts[0].nations.values()) == {1 / 3}


def test_without_a_terminal_and_options_a_template_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scenarios", "new"]) == 0
    text = capsys.readouterr().out
    (folder / "template.toml").write_text(text)
    assert len(text.splitlines()) <= 15
    assert loaded("template.toml").casualties.total == 500
    assert {entry.name for entry in folder.iterdir()} == {"template.toml"}


def test_a_file_is_replaced_only_with_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.toml").write_text("kept")
    assert run(["scenarios", "new", "mine.toml", "--days", "3"]) == 2
    assert "--force" in capsys.readouterr().err
    assert (folder / "mine.toml").read_text() == "kept"
    assert run(["scenarios", "new", "mine.toml", "--days", "3", "--force"]) == 0
    assert loaded("mine.toml").days == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--days", "many"], "days: got 'many'; allowed: a number"),
        (["--days", "0"], "days: got 0; allowed: a whole number, at least 1"),
        (["--casualties", "rate"], "casualties: got 'rate'; allowed: a number, or rates"),
        (["--nations", "GBX"], "did you mean 'GBR'?"),
        (["--nations", "GBR=0.5,NOR=0.4"], "nations"),
        (
            ["--fronts", "North,,South"],
            "fronts: got 'North,,South'; allowed: NAME=NUMBER, separated by commas",
        ),
        (["--network", "brigate"], "did you mean 'brigade'?"),
        (["mine.txt"], "allowed: a name that ends in .toml"),
        (["missing/mine.toml"], "cannot be written"),
    ],
)
def test_what_cannot_be_run_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    file = [] if options[0].endswith((".txt", ".toml")) else ["mine.toml"]
    assert run(["scenarios", "new", *file, *options]) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_six_answers_at_a_terminal(tmp_path: Path) -> None:
    """A wrong answer is asked for again; an empty one takes what is in brackets."""
    code, output = at_a_terminal(tmp_path, "drill\n0\n5\n\nEast=900\nPOL\nnone\n")
    assert code == 0, output
    assert output.count("Days on which people are hurt [10]:") == 2
    assert "days: got 0" in output and "written to drill.toml" in output
    made = prepare(scenario_files.load(tmp_path / "drill.toml")).original
    assert (made.name, made.days, made.casualties.total, made.network) == ("drill", 5, 500, None)
    assert (made.fronts[0].name, made.fronts[0].nations) == ("East", {"POL": 1.0})


def test_ctrl_d_ends_the_questions_and_writes_nothing(tmp_path: Path) -> None:
    code, output = at_a_terminal(tmp_path, "drill\n\x04", "mine.toml")
    assert code == 130, output
    assert not list(tmp_path.iterdir())


def test_a_text_of_an_answer_is_only_text(folder: Path) -> None:
    name = 'x" # [[fronts]]'
    assert run(["scenarios", "new", "mine.toml", "--name", name]) == 0
    assert loaded("mine.toml").name == name
    assert len(loaded("mine.toml").fronts) == 1
    assert run(["scenarios", "new", "--name", "x\x7f\n[[fronts]]"]) == 2
