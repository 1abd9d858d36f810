"""The commands of docs/experiments.md run and print what the page shows."""

import re
import shlex

import pytest

import goldenhour
from actors.cluster import PACKAGE_ROOT
from engine.experiments import QUANTITIES
from engine.run import replicate
from goldenhour.__main__ import run

PAGE = (PACKAGE_ROOT / "docs" / "experiments.md").read_text("utf-8")
COMMANDS = re.findall(r"^```\n(goldenhour .*)\n```\n\n```text\n((?:.*\n)+?)```", PAGE, re.MULTILINE)


def test_the_page_has_commands_with_output() -> None:
    assert len(COMMANDS) == 3


@pytest.mark.parametrize(("command", "shown"), COMMANDS)
def test_a_command_prints_what_the_page_shows(
    command: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*shlex.split(command)[1:], "--workers", "0"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for line in shown.splitlines():
        assert line in printed


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "docs/experiments.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "more deaths per 100 battle casualties" in printed
    assert re.search(r"estimate=270\.6\d*, low=261\.5\d*, high=279\.6", printed)


def test_the_page_names_the_stages_of_the_time_to_surgery() -> None:
    found = replicate(goldenhour.simulate("brigade", patients=10).scenario, 1, 0, 1)
    (text,) = re.findall(r"STAGE\.mean`, with (.*?) for `STAGE`", PAGE, re.DOTALL)
    stages = re.findall(r"`(\w+)`", text)
    names = [
        name.split(".")[2] for name in found.names if re.match(r"time_to_surgery\.minutes\.\w+\.mean", name)
    ]
    assert set(stages) == set(names) - {"to_surgery"}


def test_the_reference_names_every_measure_with_a_short_name() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", PAGE, re.MULTILINE))
    assert set(rows) == set(QUANTITIES)
    for name, quantity in QUANTITIES.items():
        expected = "5 % of the baseline's mean" if quantity.half_width is None else f"{quantity.half_width:g}"
        assert rows[name] == expected
