"""The structure of the project: imports, the faces of the wings, versions, and what the README promises."""

import ast
import importlib
import importlib.metadata
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml
from rich.console import Console

import goldenhour
from actors.cluster import package_root
from engine import codes
from engine.codes.base import Code
from goldenhour import views

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
HEAVY = {"ray", "numpy", "numba", "pyarrow", "pandas", "polars", "psycopg", "redis"}


def loaded_by(code: str, **environment: str) -> set[str]:
    """Return the heavy packages that a new interpreter has loaded after `code`."""
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


def test_every_package_that_is_imported_is_pinned():
    files = [*sources("engine", "actors", "goldenhour", "scenarios", "bench", "tests")]
    modules = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").split(".")[0])
    local = {path.stem for path in files} | {path.name for path in ROOT.iterdir()}
    packages = importlib.metadata.packages_distributions()
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    unpinned = {
        module
        for module in modules - local - set(sys.stdlib_module_names)
        if pins.isdisjoint(name.lower().replace("_", "-") for name in packages.get(module, [module]))
    }
    assert unpinned == set()


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


# --- the faces of the wings


def wings() -> list[str]:
    """Return the name of every package with a public face."""
    folders = [
        path.parent
        for top in ("engine", "actors", "goldenhour")
        for path in (ROOT / top).rglob("__init__.py")
    ]
    names = [".".join(folder.relative_to(ROOT).parts) for folder in folders]
    return sorted(name for name in names if "__all__" in face(name))


def face(name: str) -> str:
    """Return the text of a package's __init__.py."""
    return (ROOT / Path(*name.split(".")) / "__init__.py").read_text("utf-8")


def sources(*folders: str) -> list[Path]:
    """Return the Python files of these folders."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(nodes: Iterable[ast.stmt], package: str) -> dict[str, str]:
    """Return the submodule of the package by name that the import statements bind."""
    found = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            found |= {alias.asname or alias.name: node.module[len(package) + 1 :] for alias in node.names}  # type: ignore[index]
    return found


def test_every_wing_has_a_face() -> None:
    assert {"engine.kernel", "engine.scenario", "actors.run", "actors.store", "goldenhour.views"} <= set(
        wings()
    )


@pytest.mark.parametrize("name", wings())
def test_the_face_of_a_wing_lists_what_it_gives(name: str) -> None:
    module = importlib.import_module(name)
    public = list(module.__all__)
    assert len(public) == len(set(public))
    for each in public:
        assert getattr(module, each) is not None, each
    tree = ast.parse(face(name))
    eager = imported(tree.body, name)
    checking = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    typed = imported([statement for node in checking for statement in node.body], name)
    own = {"__version__"} & set(public)
    assert set(eager) | set(typed) | own == set(public)
    lazy = {
        each: module_name
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_attributes"
        for module_name, names in ast.literal_eval(node.args[1]).items()
        for each in names
    }
    if name != "goldenhour":  # it has its own __getattr__
        assert lazy == typed
    with pytest.raises(AttributeError):
        _ = module.no_such_name


def test_what_is_imported_from_a_wing_exists() -> None:
    """A lazy face is Any to mypy, which therefore misses a name that is no longer there."""
    public = {name: set(importlib.import_module(name).__all__) for name in wings()}
    wrong = []
    for path in sources("engine", "actors", "goldenhour", "bench", "tests"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in public:
                folder = ROOT / Path(*node.module.split("."))
                names = {alias.name for alias in node.names} - public[node.module]
                missing = {
                    n for n in names if not (folder / f"{n}.py").exists() and not (folder / n).is_dir()
                }
                wrong += [f"{path.relative_to(ROOT)}:{node.lineno}: {node.module}.{name}" for name in missing]
    assert not wrong, "\n".join(wrong)


# --- size, types and code lists

LIMIT, TEST_LIMIT = 600, 700


def test_a_file_of_more_than_600_lines_says_why() -> None:
    silent = []
    for path in sources("engine", "actors", "goldenhour"):
        text = path.read_text("utf-8")
        lines = text.count("\n")
        reason = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
        if lines > LIMIT and f"Longer than {LIMIT} lines because" not in reason:
            silent.append(f"{path.relative_to(ROOT)}: {lines} lines")
    assert not silent, "\n".join(silent)


def test_no_test_file_has_more_than_700_lines() -> None:
    lines = {path.name: path.read_text("utf-8").count("\n") for path in sources("tests")}
    assert {name: count for name, count in lines.items() if count > TEST_LIMIT} == {}


PRINTING_MODULES = {
    "actors/cluster/session.py": "flushes stderr before it redirects descriptor 2",
    "actors/run/shards.py": "a child process that answers its parent on a pipe",
    "engine/documentation.py": "a tool of `make docs`",
    "engine/scenario/documentation.py": "a tool of `make docs`",
    "goldenhour/jobs/log_archive.py": "a job whose log is a file format",
    "scenarios/compile_names.py": "a tool that compiles the names",
}
"""Modules that write to a standard stream themselves, and why they may. All others use goldenhour.console."""

RICH_NAMES = {
    "goldenhour/views/progress.py": {
        "BarColumn",
        "Progress",
        "ProgressColumn",
        "RenderableType",
        "SpinnerColumn",
        "Task",
        "TextColumn",
    }
}
"""By module: the names of rich that it may import, besides `Text`. None of them prints by itself."""

PRINTERS = {
    ("click", "echo"),
    ("click", "secho"),
    ("click", "confirm"),
    ("click", "prompt"),
    ("click", "pause"),
    ("click", "echo_via_pager"),
    ("click", "get_text_stream"),
    ("click", "get_binary_stream"),
    ("click", "progressbar"),
    ("logging", "basicConfig"),
    ("logging", "StreamHandler"),
    ("pprint", "pprint"),
    *(("sys", name) for name in ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")),
    *(
        ("traceback", name)
        for name in ("print_exc", "print_exception", "print_stack", "print_tb", "print_last")
    ),
}


def printed_directly(path: str, text: str) -> list[str]:
    """Return the places where a module prints or reads a standard stream without the console."""
    if path.startswith("goldenhour/console/") or path in PRINTING_MODULES:
        return []
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id in ("print", "input"):
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in PRINTERS:
                found.append((node.lineno, f"{node.value.id}.{node.attr}"))
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "rich"]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = {alias.name for alias in node.names}
            if module.split(".")[0] == "rich":
                found += [(node.lineno, name) for name in names - {"Text"} - RICH_NAMES.get(path, set())]
            found += [(node.lineno, name) for name in names if (module, name) in PRINTERS]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "os.write":
            if isinstance(node.args[0], ast.Constant):
                found.append((node.lineno, ast.unparse(node)))
        elif isinstance(node, ast.Constant) and node.value in ("/dev/tty", "/dev/stdout", "/dev/stderr"):
            found.append((node.lineno, node.value))
    return [f"{path}:{line}: {what}" for line, what in found]


def test_everything_is_printed_through_the_console() -> None:
    found = []
    for path in sources("engine", "actors", "goldenhour", "scenarios"):
        found += printed_directly(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "print(1)",
        "list(map(print, [1]))",
        "input()",
        "import sys; sys.stdout.write('')",
        "from sys import stderr",
        "import click; click.echo('')",
        "from click import secho",
        "import rich",
        "from rich.console import Console",
        "from rich import print as show",
        "import traceback; traceback.print_exc()",
        "import os; os.write(2, b'')",
        "open('/dev/tty', 'w')",
    ],
)
def test_a_module_that_prints_by_itself_is_found(text: str) -> None:
    assert printed_directly("goldenhour/views/network.py", text)
    assert not printed_directly(
        "goldenhour/views/network.py", "from rich.text import Text; import sys; sys.exit()"
    )


def test_no_argument_of_the_kernel_is_of_type_any() -> None:
    found = []
    for path in sources("engine/kernel", "engine/clinical"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                found += [
                    f"{path.relative_to(ROOT)}: {node.name}({argument.arg})"
                    for argument in arguments
                    if argument.annotation is None or ast.unparse(argument.annotation) == "Any"
                ]
    assert not found, "\n".join(found)


def strings(node: ast.AST) -> list[str] | None:
    """Return the texts of a literal tuple, list or set that holds nothing else."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        items = node.elts
    else:
        return None
    texts = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return texts if len(texts) == len(items) else None


def test_a_code_list_stands_in_engine_codes_alone() -> None:
    lists = {
        frozenset(member.name.lower() for member in code): code.__name__
        for code in Code.__subclasses__()
        if len(code) > 3
    }
    for column in ("field", "label"):
        lists[frozenset(getattr(row, column) for row in codes.RESOURCES)] = f"RESOURCES, {column}"
    assert len(lists) > 8
    again = []
    for path in sources("engine", "actors", "goldenhour"):
        if (ROOT / "engine" / "codes") in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            texts = strings(node)
            if texts and frozenset(texts) in lists:
                again.append(f"{path.relative_to(ROOT)}:{node.lineno}: {lists[frozenset(texts)]}")  # type: ignore[attr-defined]
    assert not again, "\n".join(again)


def test_the_view_of_a_network_has_a_column_for_every_limit() -> None:
    from goldenhour.views import network

    assert {*network.COLUMN_HEADS, "places"} == set(codes.LIMITING_FIELDS)
    assert set(codes.LIMITING_FIELDS) <= set(network.LABELS)


def test_the_views_show_every_resource() -> None:
    limits = {row.field: 11 + 2 * row.resource for row in codes.RESOURCES}
    document = {
        "name": "limited",
        "days": 1,
        "casualties": {"total": 30},
        "fronts": [{"name": "North", "nations": {"NOR": 1.0}}],
        "facilities": [{"id": "R2", "role": 2, **limits}],
        "links": [
            {"origin": "POI", "destination": "R2", "minutes": {"distribution": "constant", "mean": 30.0}}
        ],
    }
    result = goldenhour.simulate(document)
    screen = Console(width=200, record=True, file=io.StringIO())
    views.show_network(screen, result.scenario)
    shown = screen.export_text()
    for field, limit in limits.items():
        assert re.search(rf"(?<!\d){limit}(?!\d)", shown), f"no column for {field}"
    for table in views.summary_tables(result.measures):
        screen.print(table)
    shown = screen.export_text()
    for row in codes.RESOURCES:
        assert row.label in shown
