"""The console: text of any origin, streams of any encoding, closed and full streams, and tables of any width."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import rich.box
from databases import ask, empty, folder_of, registration, sql
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text
from runs import GOLDENHOUR

import scenarios as catalogue
from actors.store import Database, Server
from engine.codes import RESOURCES
from engine.plain_text import clean, clean_lines, escape_json, escape_toml
from engine.scenario import Scenario, parse, prepare
from goldenhour import console, views
from goldenhour.cli import goldenhour as command_line
from goldenhour.console import Table, spell
from goldenhour.views.network import network_diagram

ROOT = Path(__file__).resolve().parent.parent

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\x7f\r\x08\u202egnp\u2066\u2028\u2029\ufeff\u200b\x00"
"""A window title, a cleared screen, colours in 7 and 8 bits, a carriage return, overrides of direction."""

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture(scope="module")
def where(data_folder: Path) -> Iterator[Database]:
    """A database in which every text is hostile."""
    server = Server(folder_of(data_folder, "console"))
    server.open()
    made = empty(server)
    ask(made, lambda store: store.open())
    yield made
    server.close()


@pytest.fixture
def shell(tmp_path: Path, where: Database) -> Run:
    """Run the command line as a shell does, with a redirection, in an empty folder."""

    def run(arguments: str, redirection: str = "", encoding: str = "utf-8", **environment: str) -> Answer:
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": encoding,
            "GOLDENHOUR_DATABASE_URL": str(where.url),
            **environment,
        }
        command = f"{' '.join(GOLDENHOUR)} {arguments} {redirection}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=variables, capture_output=True, timeout=120
        )
        return Answer(done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding))

    return run


# --- text of any origin


def is_steering(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") or character in "\u202a\u202e\u2066\u2069"
    )


@given(st.text(st.characters()))
def test_a_clean_text_has_no_character_that_steers_a_terminal(text: str) -> None:
    assert not any(map(is_steering, clean(text)))
    assert not any(is_steering(c) for c in clean_lines(text) if c not in "\n\t")
    assert clean(clean(text)) == clean(text)


def test_all_controls_separators_and_overrides_are_cleaned() -> None:
    kept = [chr(n) for n in range(0x110000) if is_steering(chr(n)) and chr(n) in clean(chr(n))]
    assert kept == []
    assert clean("naïve → 漢字, ½ ~ \\") == "naïve → 漢字, ½ ~ \\"
    assert clean("a\x1b[31m\x9b\u202e") == r"a\x1b[31m\x9b\u202e"


@given(
    st.recursive(st.none() | st.text(st.characters()), lambda inner: st.lists(inner, max_size=3)),
    st.booleans(),
)
def test_an_escaped_json_document_holds_the_same(value: object, ascii_only: bool) -> None:
    escaped = escape_json(json.dumps(value, ensure_ascii=False), ascii_only)
    assert json.loads(escaped) == value
    assert not STEERING.search(escaped)
    assert escaped.isascii() or not ascii_only


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_an_escaped_toml_document_holds_the_same(text: str, ascii_only: bool) -> None:
    from engine.scenario import Scenario, to_toml

    scenario = parse(json.dumps({"name": "x", "description": text[:4000]}).encode(), "json")
    assert isinstance(scenario, Scenario)
    escaped = escape_toml(to_toml(scenario, commented=True), ascii_only)
    assert tomllib.loads(escaped)["description"] == text[:4000]
    assert not STEERING.search(escaped)
    assert escaped.isascii() or not ascii_only


@given(st.text(st.characters()), st.sampled_from(["ascii", "latin-1", "cp437", "cp1252", "utf-8", "koi8-r"]))
def test_what_an_encoding_lacks_is_spelled(text: str, encoding: str) -> None:
    spell(text, encoding).encode(encoding)
    assert spell("Zürich → ½ … █", "ascii") == r"Z\xfcrich -> \xbd ... #"
    assert spell("Zürich", "latin-1") == "Zürich"


def hostile_scenario(**changes: object) -> dict[str, object]:
    """A scenario whose name and description are hostile, and whose ids are as hostile as they may be."""
    document: dict[str, object] = {
        "name": f"n{HOSTILE}"[:80],
        "description": f"[red]d[/] :warning: {HOSTILE}\nmy.toml can be run",
        "days": 2,
        "casualties": {"total": 30},
        "fronts": [{"name": f"F{HOSTILE}"[:60], "nations": {"NOR": 1.0}}],
        "facilities": [{"id": f"[red]R2{HOSTILE}"[:60], "role": 2, "ward_beds": 3}],
        "links": [
            {
                "origin": "POI",
                "destination": f"[red]R2{HOSTILE}"[:60],
                "minutes": {"distribution": "constant", "mean": 30.0},
            }
        ],
    }
    return {**document, **changes}


def hostile_files(folder: Path) -> list[Path]:
    """Files of hostile scenarios: whatever the checks let pass, and what they refuse."""
    written = []
    tame = {"fronts": [{"name": "F", "nations": {"NOR": 1.0}}], "facilities": [], "links": []}
    for number, document in enumerate(
        (
            hostile_scenario(),
            hostile_scenario(**tame),
            {"name": "x", "description": HOSTILE},
            {"name": "x", HOSTILE: 1},
            {"name": "x", "intensity": HOSTILE},
            {"name": "x", "start": HOSTILE},
        )
    ):
        path = folder / f"{number}{HOSTILE.replace(chr(0), '')}.json"
        path.write_bytes(json.dumps(document).encode())
        written.append(path)
    return written


@pytest.mark.parametrize(
    "words", [["check"], ["show"], ["show", "--network"], ["show", "--json"], ["check", "--json"]]
)
def test_no_scenario_file_steers_the_terminal(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenhour.__main__ import run

    monkeypatch.chdir(tmp_path)
    codes = []
    for path in hostile_files(tmp_path):
        codes.append(run(["scenarios", *words, str(path)]))
        shown = capsys.readouterr()
        assert not STEERING.search(shown.out + shown.err), path
        assert "my.toml can be run" not in shown.out.splitlines()
        if "--json" in words and codes[-1] == 0:
            json.loads(shown.out)
    assert 0 in codes
    assert 2 in codes


def test_markup_and_emoji_codes_are_shown_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from goldenhour.__main__ import run

    path = tmp_path / "x.json"
    path.write_text(
        json.dumps(
            {
                "name": "[red]n",
                "description": "[bold]d :warning:",
                "fronts": [{"name": "[red]F", "nations": {"NOR": 1.0}}],
                "facilities": [{"id": "[red]R2", "role": 2, "fronts": ["[red]F"]}],
                "links": [
                    {
                        "origin": "POI",
                        "destination": "[red]R2",
                        "minutes": {"distribution": "constant", "mean": 30.0},
                    }
                ],
            }
        )
    )
    assert run(["scenarios", "check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("[red]n\n[bold]d :warning:\n")
    assert shown.count("[red]R2") == 3, "capabilities, links and a note"
    assert shown.count("[red]F") == 3, "arrivals, capabilities and a note"


def test_no_row_of_a_shared_database_steers_the_terminal(
    where: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenhour.__main__ import run

    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", str(where.url))
    monkeypatch.chdir(tmp_path)
    evil = HOSTILE.replace("\x00", "") + "\nrun ok is succeeded"
    ask(where, lambda store: store.register_run(registration(name="shown", who=evil, output=evil)))
    dead = "UPDATE runs SET heartbeat = now() - interval '1 hour', scenario = %s, phase = %s, error = %s"
    sql(where, dead, evil, evil, evil)
    text = json.dumps({"name": "x", "description": evil, "days": 2})
    path = tmp_path / "x.json"
    path.write_text(text)
    assert run(["scenarios", "add", str(path), "--name", "x", "--note", evil]) in (0, 2)
    assert run(["scenarios", "add", str(path), "--name", "y"]) == 0
    sql(where, "ALTER TABLE scenario_versions DROP CONSTRAINT scenario_versions_name_fkey")
    sql(where, "ALTER TABLE scenario_versions DISABLE TRIGGER USER")
    for table in ("scenarios", "scenario_versions"):
        sql(where, f"UPDATE {table} SET name = %s WHERE name = 'y'", evil[:60])
    sql(where, "UPDATE scenario_versions SET author = %s, note = %s", evil, evil)
    capsys.readouterr()
    for words in (
        ["runs", "list"],
        ["runs", "list", "--json"],
        ["runs", "show", "shown"],
        ["runs", "show", "shown", "--json"],
        ["runs", "cancel", "shown"],
        ["scenarios", "list"],
        ["scenarios", "list", "--json"],
        ["scenarios", "show", "x", "--history"],
        ["scenarios", "show", "x"],
        ["fetch", "shown", "-o", "out"],
        ["resume", "shown"],
    ):
        code = run(words)
        shown = capsys.readouterr()
        assert not STEERING.search(shown.out + shown.err), words
        assert "run ok is succeeded" not in (shown.out + shown.err).splitlines(), words
        if code == 0 and "--json" in words:
            assert json.loads(shown.out)
    sql(where, "TRUNCATE runs, scenarios CASCADE")


def test_what_other_packages_print_is_cleaned_too(tmp_path: Path) -> None:
    """A warning, a log record, a print, a traceback: whatever the process writes on its standard streams."""
    code = f"""
import logging, sys, warnings
from goldenhour import console
console.secure_streams()
evil = {HOSTILE!r}
print(evil); print(evil, file=sys.stderr)
warnings.warn(evil)
logging.getLogger("psycopg").warning(evil)
raise RuntimeError(evil)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr
    assert not STEERING.search(done.stdout + done.stderr)
    assert r"\x1b" in done.stdout
    assert done.stderr.count(r"\x1b]0;title") == 4


def test_the_log_on_stderr_is_json_without_controls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.cluster import Log

    monkeypatch.setenv("GOLDENHOUR_LOG", str(tmp_path / "log"))
    log = Log("1", tmp_path / "unused")
    log.write("fault", error=f"é{HOSTILE}")
    log.close()
    line = (tmp_path / "log").read_text()
    assert json.loads(line)["error"] == f"é{HOSTILE}"
    assert not STEERING.search(line)


@pytest.mark.parametrize(
    "arguments",
    [
        [f"--x{HOSTILE}"],
        [f"rum{HOSTILE}"],
        ["run", "standard", f"--x{HOSTILE}"],
        ["run", f"x{HOSTILE}"],
        ["run", "standard", "--seed", HOSTILE],
        ["run", "standard", "-o", f"s3://{HOSTILE}"],
        ["runs", "list", "--state", HOSTILE],
        ["fetch", HOSTILE, "-o", "x"],
        ["submit", "standard", "--address", f"http://{HOSTILE}"],
        ["submit", "standard", "--address", "http://a..\x9b:8265"],
    ],
)
def test_no_argument_steers_the_terminal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from goldenhour.__main__ import run

    forged = "goldenhour: forged"
    assert run([argument.replace("\x00", f"\n{forged}") for argument in arguments]) in (1, 2)
    shown = capsys.readouterr()
    assert not STEERING.search(shown.out + shown.err)
    assert forged not in (shown.out + shown.err).splitlines()


def test_every_way_to_print_cleans(capsys: pytest.CaptureFixture[str]) -> None:
    for show in (
        console.print_line,
        console.print_text,
        console.print_error_line,
        console.print_error_text,
        console.print_json,
        console.print_toml_lines,
        console.report_error,
        console.screen().print,
        lambda text: console.screen().print(Text(text), soft_wrap=True),
        lambda text: console.screen().print(console.Tree(Text(text))),
    ):
        show(HOSTILE)
        shown = capsys.readouterr()
        assert shown.out + shown.err
        assert not STEERING.search(shown.out + shown.err), show


def test_the_name_of_a_file_adds_no_line_to_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldenhour.__main__ import run

    monkeypatch.chdir(tmp_path)
    Path("a\n-days = 3.json").write_text('{"name": "x", "days": 2}')
    assert run(["scenarios", "diff", "standard", "a\n-days = 3.json"]) == 0
    assert "-days = 3.json" not in capsys.readouterr().out.splitlines()


def test_the_text_of_a_scenario_reads_back_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """A string in single quotes has no escapes: the text is then written anew."""
    text = "name = 'x\x9b\u202e'  # \x9b\n"
    console.print_toml(text, lambda: 'name = "x\x9b\u202e"\n')
    shown = capsys.readouterr().out
    assert not STEERING.search(shown)
    assert tomllib.loads(shown) == tomllib.loads(text)
    plain = "name = 'x'  # as it was é\r\n"
    console.print_toml(plain, lambda: "")
    assert capsys.readouterr().out == plain


# --- streams of any encoding

PRINTING = [
    "--version",
    "--help",
    *(f"{name} --help" for name in command_line.commands),
    "scenarios list",
    "scenarios list --json",
    "scenarios show accents.toml",
    "scenarios show accents.toml --json",
    "scenarios show coin --network",
    "scenarios check accents.toml",
    "scenarios check accents.toml --json",
    "scenarios diff coin accents.toml",
    "scenarios diff coin accents.toml --json",
    "scenarios add accents.toml --name zürich",
    "scenarios show zürich --history",
    "scenarios show zürich",
    "scenarios rm zürich",
    "measures accents.toml",
    "measures accents.toml --json",
    "run accents.toml --workers 0 --no-store --force -o Öl",
    "run accents.toml --workers 0 --no-store --force -o Öl --json",
    "resume Öl --no-store",
    "fetch Öl -o copy --force",
    "runs list",
    "runs watch",
    "db status",
    "cache stats",
]
"""Commands that print, in an order in which each succeeds."""

SILENT = ("resume Öl --no-store", "fetch Öl -o copy --force", "runs list")
"""Those that print on stderr only."""

ACCENTS = 'name = "Zürich → Łódź"\ndescription = "½ … 漢字"\ndays = 1\n[casualties]\ntotal = 5\n'

DRIVER = """
import json, os, sys
from goldenhour import console
from goldenhour.__main__ import run
from goldenhour.console.streams import StandardStream

calls = json.load(sys.stdin.buffer)
console.secure_streams()
answers = []
for stdout, encoding, line in calls:
    if stdout == "closed":
        os.close(1)
        sys.stdout = None
        console.secure_streams()
    else:
        if stdout == "pipe":
            read, target = os.pipe()
            os.close(read)
        else:
            target = os.open(stdout, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, 1)
        os.close(target)
        sys.stdout = StandardStream(1, encoding)
    code = console.exit_code(run(line.split()), console.report_error)
    answers.append([code, open("shown", "rb").read().hex() if stdout == "shown" else ""])
json.dump(answers, open("answers", "w"))
"""
"""Runs commands in one process, each with another stdout: a file, a device, a pipe without a reader, or closed."""


def calls_of(*streams: tuple[str, str]) -> list[tuple[str, str, str]]:
    """All commands that print, once for each stdout and encoding. A scenario is stored under another name each time."""
    return [
        (stdout, encoding, command.replace("zürich", f"zürich{number}"))
        for number, (stdout, encoding) in enumerate(streams)
        for command in PRINTING
    ]


def drive(
    calls: Sequence[tuple[str, str, str]], where: Database, folder: Path
) -> list[tuple[int, bytes, str]]:
    """Call commands, each as (stdout, encoding, command). Returns exit code, stdout and command of each."""
    (folder / "accents.toml").write_text(ACCENTS)
    sql(where, "TRUNCATE runs, scenarios CASCADE")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(calls).encode(),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GOLDENHOUR_DATABASE_URL": str(where.url)},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    found = json.loads((folder / "answers").read_text())
    return [(code, bytes.fromhex(text), call[2]) for (code, text), call in zip(found, calls, strict=True)]


def test_every_command_prints_in_every_encoding(where: Database, tmp_path: Path) -> None:
    encodings = ("ascii", "latin-1", "cp437")
    answers = drive(calls_of(*(("shown", encoding) for encoding in encodings)), where, tmp_path)
    for number, encoding in enumerate(encodings):
        shown = {}
        for code, data, command in answers[number * len(PRINTING) : (number + 1) * len(PRINTING)]:
            assert code == 0, command
            shown[command] = data.decode(encoding)
            assert shown[command] or command in SILENT, command
            if "--json" in command:
                json.loads(data)
        assert tomllib.loads(shown["scenarios show accents.toml"])["name"] == "Zürich → Łódź"
        assert json.loads(shown["scenarios check accents.toml --json"])["name"] == "Zürich → Łódź"
        assert "75 min -> R2" in shown["scenarios show coin --network"]
        assert spell("Zürich → Łódź", encoding) in shown["scenarios check accents.toml"]
        assert all(shown[command].isascii() for command in PRINTING if command.endswith("--help"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_the_encoding_of_the_environment_is_obeyed(shell: Run, encoding: str) -> None:
    answer = shell("scenarios show coin --network", "", encoding)
    assert answer.code == 0, answer.err
    assert "75 min -> R2" in answer.out


def test_the_programs_of_bench_spell_what_the_encoding_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import bench; print('1 ± 2')"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == b"1 +/- 2\n", done.stderr


def test_a_path_that_is_not_utf8_is_no_obstacle(shell: Run, tmp_path: Path) -> None:
    answer = shell(r"scenarios check $'\xff.toml'")
    assert answer.code == 2
    assert r"\udcff.toml" in answer.err
    assert "Traceback" not in answer.err
    done = shell(r"run standard --patients 3 --workers 0 -o $'out\xff' --json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["output"].endswith("/out\udcff")
    assert json.loads(shell("runs list --json").out)[0]["output"].endswith(r"/out\xff")


def test_a_folder_that_the_encoding_of_file_names_lacks_is_refused(shell: Run, tmp_path: Path) -> None:
    (tmp_path / "accents.toml").write_text(ACCENTS)
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    answer = shell("run accents.toml --workers 0 --no-store", "", "ascii", **locale)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert r"-o: got 'Z\xfcrich-\u0141" in answer.err


# --- closed and broken streams


FINISHED = "run standard --patients 3 --workers 0 --no-store --force -o out"


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", [FINISHED, "scenarios list"])
def test_a_closed_stream_is_no_error(shell: Run, tmp_path: Path, command: str, redirection: str) -> None:
    answer = shell(command, redirection)
    assert answer.code == 0
    assert "Traceback" not in answer.err
    assert "Exception ignored" not in answer.err
    assert command != FINISHED or (tmp_path / "out/manifest.json").exists()
    assert command != "scenarios list" or answer.err == ""


def test_no_command_fails_when_stdout_is_closed_or_nobody_reads(where: Database, tmp_path: Path) -> None:
    for code, _, command in drive(calls_of(("closed", "utf-8"), ("pipe", "utf-8")), where, tmp_path):
        assert code == 0, command
    assert (tmp_path / "Öl/manifest.json").exists()


def test_every_command_says_that_a_device_is_full(where: Database, tmp_path: Path) -> None:
    for code, _, command in drive(calls_of(("/dev/full", "utf-8")), where, tmp_path):
        assert code == (0 if command in SILENT else 1), command
    assert (tmp_path / "Öl/manifest.json").exists(), "the run itself is complete"


def test_files_are_not_written_through_the_number_of_a_closed_stream() -> None:
    """What a library prints on descriptor 2 must not land in a file that was opened after stderr had been closed."""
    code = (
        "import os, subprocess, sys; from goldenhour import console; console.secure_streams();"
        "file = open('/dev/null'); child = 'import os; [os.fstat(n) for n in range(3)]';"
        "done = subprocess.run([sys.executable, '-c', child]);"
        "os._exit(done.returncode if file.fileno() > 2 else 9)"
    )
    done = subprocess.run(["bash", "-c", f'{sys.executable} -c "{code}" <&- >&- 2>&-'], cwd=ROOT, timeout=60)
    assert done.returncode == 0


@pytest.mark.parametrize("command", [FINISHED, "scenarios show standard", "--help"])
def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path, command: str) -> None:
    """The reader is gone before the first byte, the worst case of `| head -1`."""
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*GOLDENHOUR, *command.split()],
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 0, done.stderr
    for words in (b"Traceback", b"Exception ignored", b"Broken pipe", b"cannot write"):
        assert words not in done.stderr
    assert command != FINISHED or (tmp_path / "out/manifest.json").exists()


@pytest.mark.parametrize("command", ["scenarios show standard", "--help"])
def test_a_full_device_is_reported_in_words(shell: Run, command: str) -> None:
    answer = shell(command, ">/dev/full")
    assert answer.code == 1
    assert answer.err.endswith("goldenhour: cannot write to standard output: No space left on device\n")
    assert answer.err.count("\n") == 1


def test_a_full_device_behind_stderr_changes_nothing(shell: Run) -> None:
    assert shell("scenarios show nobody", "2>/dev/full") == (2, "", "")
    assert shell("scenarios show coin --network", "2>/dev/full").code == 0


def test_watching_ends_when_nobody_reads(where: Database, tmp_path: Path) -> None:
    ask(where, lambda store: store.register_run(registration(name="watched")))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*GOLDENHOUR, "runs", "watch", "watched"],
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GOLDENHOUR_DATABASE_URL": str(where.url)},
        timeout=30,
    )
    os.close(write)
    assert done.returncode == 0, done.stderr
    sql(where, "TRUNCATE runs CASCADE")


@pytest.mark.parametrize(("given_answer", "code"), [("", 130), ("n\n", 130), ("\xff\n", 130)])
def test_a_question_without_a_yes_changes_nothing(shell: Run, given_answer: str, code: int) -> None:
    redirection = f"< <(printf '{given_answer}')" if given_answer else "<&-"
    answer = shell("db rollback", redirection, "latin-1")
    assert answer.code == code
    assert answer.err.endswith("goldenhour: stopped\n")
    assert "Traceback" not in answer.err


# --- tables of any width


def numbers_of(text: str) -> list[str]:
    """The numbers in a text: digits with what belongs to them."""
    return re.findall(r"\d+(?:[.,:]\d+)*", text)


words = st.text("abcdefghij-/", min_size=1, max_size=12)
figures = st.integers(0, 10**9).map(lambda n: f"{n:,}") | st.floats(0, 1e6).map(lambda x: f"{x:,.1f}")
compounds = st.lists(st.builds("{}{}".format, words, figures), max_size=5).map("".join)
cells = st.lists(words | figures | compounds, max_size=5).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]], int]:
    heads = draw(st.lists(words, min_size=1, max_size=9, unique=True))
    rows = draw(
        st.lists(st.lists(cells, min_size=len(heads), max_size=len(heads)), max_size=4),
    )
    return heads, rows, draw(st.integers(1, min(2, len(heads))))


def printed(width: int, *things: object, encoding: str = "utf-8") -> str:
    """What the console prints on a stream of this encoding and width."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)
    previous, sys.stdout = sys.stdout, file
    try:
        screen = console.screen(width)
        for thing in things:
            screen.print(thing)
    finally:
        sys.stdout = previous
    return file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def check_numbers(data: str, shown: str, width: int) -> None:
    found = numbers_of(shown)
    for number in numbers_of(data):
        assert number in found, (number, width)
    assert "…" not in shown
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())


@example((["a", "/", "-", "b", "aaa", "aaaa", "aa"], [["", "", "", "aaa", "", "", " 0.0"]], 1), 20, "utf-8")
@given(tables(), st.integers(20, 200), st.sampled_from(["utf-8", "ascii"]))
def test_no_number_of_a_table_is_cut(
    drawn: tuple[list[str], list[list[str]], int], width: int, encoding: str
) -> None:
    heads, rows, keys = drawn
    table = Table(*heads, right=heads[1:], keys=keys, title="t")
    table.caption = "within 72 h"
    for row in rows:
        table.add_row(*row)
    shown = printed(width, table, encoding=encoding)
    check_numbers(" ".join(itertools.chain(*rows)), shown, width)


def prepared(name: str) -> Scenario:
    return prepare(parse(catalogue.builtin_bytes(name), "toml", name)).resolved


def our_tables(scenario: Scenario) -> list[Table]:
    return [
        views.facilities_table(scenario),
        views.links_table(scenario),
        views.capabilities_table(scenario),
        *views.summary_tables(MEASURES),
        views.scenarios_table(
            [{"name": n, "kind": "preset", "casualties": 10**9, "days": 3650, "description": n} for n in "ab"]
        ),
    ]


RESOURCE_ROW = {"capacity": 123.4, "utilisation": 0.987, "mean_wait_minutes": 43210.5}
MEASURES = {
    "patients": 1_234_567,
    "triage": {"T1": 234_567, "T2": 345_678, "T3": 654_322},
    "outcomes": dict.fromkeys(("kia", "dow", "died_nonbattle", "rtd", "evacuated", "in_care"), 205_761),
    "mortality": {"percent_kia": 12.3, "percent_dow": None, "case_fatality_rate": 45.6}
    | dict.fromkeys(("percent_kia_of", "percent_dow_of", "case_fatality_rate_of"), 987_654),
    "minutes_from_injury": {
        name: {"median": 1_234.0, "patients": 987_654, "percent_within_60": 54.0}
        for name in ("first_care", "role1", "role2", "surgery")
    },
    "flow": {
        "resources": [
            RESOURCE_ROW
            | {"facility": f"Hospital-{n}", "resource": row.field, "mean_wait_minutes_T1": 1.5}
            | {"max_queue": 76_543, "deaths_waiting": 12_345}
            for n, row in enumerate(RESOURCES)
        ],
        "vehicles": [
            {"vehicle": "v-1", "number": 12_345, "utilisation": 0.5, "sorties": 9_876_543}
            | {"patients": 8_765_432, "lost": 7_654}
        ],
    },
}
MEASURES["categories"] = {
    stream: {name: MEASURES[name] for name in ("patients", "triage", "outcomes")}
    for stream in ("battle", "nbi", "disease")
}


@pytest.mark.parametrize("width", [*range(20, 80, 3), 80, 100, 110, 120, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_no_number_of_our_own_views_is_cut(width: int, encoding: str) -> None:
    scenario = prepared("brigade")
    for thing in (*our_tables(scenario), *views.policies(scenario)):
        check_numbers(printed(1000, thing), printed(width, thing, encoding=encoding), width)
    network = printed(width, network_diagram(scenario, scenario.fronts[0].name), encoding=encoding)
    check_numbers(printed(1000, network_diagram(scenario, scenario.fronts[0].name)), network, width)


def plain_table(table: Table) -> RichTable:
    """The same table as rich alone lays it out."""
    plain = RichTable(box=rich.box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in table._columns:
        plain.add_column(
            Text(head),
            justify="right" if head in table._right else "left",
            no_wrap=head in table._whole,
        )
    for row in table._rows:
        plain.add_row(
            *(cell if isinstance(cell, Text) else Text(cell) for cell in row.cells), style=row.style
        )
    plain.title, plain.title_justify = table._title, "left"
    plain.caption, plain.caption_justify = table.caption, table.caption_justify
    return plain


def test_a_table_that_rich_does_not_cut_looks_as_rich_prints_it() -> None:
    compared = 0
    for width in (*range(60, 128, 3), 150, 200):
        for table in (*our_tables(prepared("brigade")), *our_tables(prepared("coin"))[:3]):
            file = io.StringIO()
            Console(file=file, width=width).print(plain_table(table))
            plain, ours = file.getvalue(), printed(width, table)
            if "…" not in plain and not table._decorative and "\n\n" not in ours:
                assert ours.split("\n")[1:] == plain.split("\n")[1:]
                compared += width >= 80
    assert compared > 150


@given(tables(), st.integers(40, 160))
def test_any_table_that_rich_does_not_cut_looks_as_rich_prints_it(
    drawn: tuple[list[str], list[list[str]], int], width: int
) -> None:
    heads, rows, keys = drawn
    table = Table(*heads, right=heads[1:], keys=keys)
    for row in rows:
        table.add_row(*(" ".join(cell.split()) for cell in row))
    file = io.StringIO()
    Console(file=file, width=width).print(plain_table(table))
    if "…" not in file.getvalue():
        assert printed(width, table) == file.getvalue()


def test_a_very_long_cell_is_wrapped_in_one_pass() -> None:
    table = Table("a", "b")
    table.add_row("x" * 100_000, "1" * 10_000)
    shown = printed(100, table)
    assert shown.count("x") == 100_000
    assert "1" * 10_000 in shown


@pytest.mark.parametrize("width", range(1, 20))
def test_no_width_is_too_small(width: int) -> None:
    scenario = prepared("brigade")
    shown = printed(width, *our_tables(scenario), network_diagram(scenario, "North"))
    assert "1,234,567" in shown


@given(cells, st.integers(20, 60))
def test_no_number_of_a_sentence_is_cut(text: str, width: int) -> None:
    check_numbers(text, printed(width, text), width)
    check_numbers(text, printed(width, Text(text, style="bold")), width)
    tree = console.Tree(Text(text))
    tree.children.append(console.Tree(Text(text)))
    check_numbers(text, printed(width, tree), width)


def test_styles_survive_cleaning_and_wrapping() -> None:
    file = io.StringIO()
    screen = Console(file=file, width=12, force_terminal=True, color_system="standard")
    table = Table("h")
    table.add_row(Text.assemble(("green \x1b ", "green"), ("red words", "red")))
    screen.print(table)
    shown = file.getvalue()
    assert "\x1b[32mgreen" in shown
    assert "\x1b[31mred" in shown
    assert r"\x1b" in shown.replace("\x1b[", "")


@pytest.mark.parametrize("columns", [20, 30, 45, 60, 80, 120])
def test_the_bar_of_a_narrow_terminal_cuts_no_number(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.run import Progress
    from goldenhour.views import progress

    now = 100.0
    monkeypatch.setattr("goldenhour.views.progress.time.monotonic", lambda: now)
    file = io.StringIO()
    bar = progress.ProgressBar(console.Screen(width=columns))
    for patients, fraction in ((100, 0.1), (512_288, 0.5)):
        bar.report(Progress(phase="running", patients=patients, expected=1_000_000, fraction=fraction))
        now += 2.0
    screen = Console(file=file, width=columns)
    for renderable in bar._progress.get_renderables():
        screen.print(renderable)
    shown = file.getvalue()
    assert set(numbers_of(shown)) <= set(numbers_of(bar._meter.describe()))
    assert "…" not in shown
    assert columns < 34 or "512,288 of 1,000,000 patients" in shown
