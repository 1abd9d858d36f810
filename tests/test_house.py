"""The house: who may import whom, what stays out of the driver, and what a newcomer is told."""

import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

import goldenhour
from actors.cluster import package_root

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
HEAVY = {"ray", "numpy", "numba", "pyarrow", "pandas", "polars", "psycopg", "redis"}


def loaded_by(code: str, **environment: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after `code`."""
    code += "\nimport sys, json; print(json.dumps([name for name in sys.modules if '.' not in name]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, **environment},
    )
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_goldenhour_costs_nothing():
    assert loaded_by("import goldenhour") == set()


@pytest.mark.parametrize(
    "command", [["--help"], ["run", "standrd"], ["scenarios", "list"], ["runs", "--help"], ["db", "--help"]]
)
def test_the_command_line_checks_its_input_without_numpy_or_ray(command, tmp_path):
    code = f"from goldenhour.__main__ import run; run({command})"
    assert loaded_by(code, GOLDENHOUR_DATA_DIR=str(tmp_path / "never used")) == set()


def test_the_driver_of_a_run_on_ray_needs_no_numpy():
    assert loaded_by("import actors.run.driver, goldenhour.cli.run, goldenhour.views.summary") == set()


def test_simulate_never_imports_ray():
    assert "ray" not in loaded_by("import goldenhour; goldenhour.simulate('standard', patients=3)")


def test_a_run_without_workers_never_imports_ray(tmp_path):
    arguments = [
        "run",
        "standard",
        "--patients",
        "3",
        "--workers",
        "0",
        "--quiet",
        "-o",
        str(tmp_path / "out"),
    ]
    assert "ray" not in loaded_by(f"from goldenhour.__main__ import run; assert run({arguments}) == 0")


def test_the_four_packages_come_from_one_folder():
    package_root.check_package_root()
    assert package_root.PACKAGE_ROOT == ROOT


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "goldenhour/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", goldenhour.__version__)


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=;\s]", line)[0].lower().replace("_", "-") for line in wanted}
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert names <= {line.split("==")[0].lower().replace("_", "-") for line in pins}


def test_the_cluster_file_follows_rays_schema_and_keeps_off_the_port_of_redis():
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    cluster = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())
    jsonschema.validate(cluster, schema)
    commands = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    starts = [command for command in commands if "ray start" in command]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command and ":6379" not in command for command in starts)
    assert "--port=6380" in starts[0]


@pytest.mark.parametrize(
    "command",
    re.findall(
        r"^goldenhour (?:run|resume|scenarios|runs|db) .*",
        README + (ROOT / "docs/store.md").read_text(),
        re.MULTILINE,
    ),
)
def test_the_commands_of_the_readme_are_understood(command, capsys):
    from goldenhour.__main__ import run

    words = command.split("#")[0].split(">")[0].split()[1:]
    group = words[: 1 if words[0] == "run" else 2]
    assert run([*group, "--help"]) == 0
    shown = capsys.readouterr().out
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown), f"{option} of {command}"


def test_the_readme_shows_the_two_commands():
    assert "make run" in README
    assert "make test" in README


def test_the_excerpt_of_the_readme_is_what_comes_out():
    from bench import readme_excerpt

    assert readme_excerpt.current() == readme_excerpt.excerpt(), "python -m bench.readme_excerpt"
