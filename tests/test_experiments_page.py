"""The commands of docs/experiments.md run and print what the page shows."""

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

import goldenhour
from actors.cluster import PACKAGE_ROOT
from engine.experiments import QUANTITIES, parse_plan
from engine.experiments.plan import DESIGN_NUMBERS, DesignKind
from engine.run import replicate
from goldenhour.__main__ import run

PAGE = (PACKAGE_ROOT / "docs" / "experiments.md").read_text("utf-8")
FILES = dict(re.findall(r"`(\w+\.toml)`:\n\n```toml\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^```\n(goldenhour .*)\n```\n\n```text\n((?:.*\n)+?)```", PAGE, re.MULTILINE)


def test_the_page_has_commands_with_output() -> None:
    assert len(COMMANDS) == 8


@pytest.mark.parametrize(("command", "shown"), COMMANDS)
def test_a_command_prints_what_the_page_shows(
    command: str,
    shown: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    words = shlex.split(command)[1:]
    if "check" not in words:
        words += ["--workers", "0"]
    if words[0] in ("experiment", "optimise") and "check" not in words:
        words += ["--no-store"]
    assert run(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for line in shown.splitlines():
        assert line in printed


def test_the_python_examples_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "docs/experiments.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "more deaths per 100 battle casualties" in printed
    assert re.search(r"estimate=270\.6\d*, low=261\.5\d*, high=279\.6", printed)
    assert "triage_accuracy does not move deaths per 100 battle casualties so that it can be told" in printed
    assert {path.name for path in (tmp_path / "accuracy").iterdir()} >= {"results.parquet", "estimates.csv"}


def test_the_page_names_the_stages_of_the_time_to_surgery() -> None:
    found = replicate(goldenhour.simulate("brigade", patients=10).scenario, 1, 0, 1)
    (text,) = re.findall(r"STAGE\.mean`, with (.*?) for `STAGE`", PAGE, re.DOTALL)
    stages = re.findall(r"`(\w+)`", text)
    names = [
        name.split(".")[2] for name in found.names if re.match(r"time_to_surgery\.minutes\.\w+\.mean", name)
    ]
    assert set(stages) == set(names) - {"to_surgery"}


def test_the_reference_names_every_measure_with_a_short_name() -> None:
    table = PAGE.partition("## Reference")[2].partition("The stages of the time")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", table, re.MULTILINE))
    assert set(rows) == set(QUANTITIES)
    for name, quantity in QUANTITIES.items():
        expected = "5 % of the baseline's mean" if quantity.half_width is None else f"{quantity.half_width:g}"
        assert rows[name] == expected


def test_the_reference_names_every_kind_of_design_with_its_numbers() -> None:
    table = PAGE.partition("| kind of design |")[2].partition("\n\n")[0]
    rows = {}
    for names, numbers in re.findall(r"^\| (`.*?`) \| .* \| .* \| (.*?) ?\|$", table, re.MULTILINE):
        for name in re.findall(r"`(.*?)`", names):
            rows[name] = dict(re.findall(r"`(\w+)`(?: \((\d+)\))?", numbers))
    assert set(rows) == set(get_args(DesignKind))
    for kind, numbers in DESIGN_NUMBERS.items():
        shown = {name: int(number) if number else 0 for name, number in rows[kind].items()}
        assert shown == numbers, kind


def test_the_formulas_of_the_reference_are_formulas() -> None:
    (line,) = re.findall(r"^`(formulas = .*)`\.$", PAGE, re.MULTILINE)
    plan = parse_plan(f'scenario = "coin"\n[[points]]\n[results]\n{line}\n'.encode())
    assert list(plan.results.formulas) == ["late", "cost"]
