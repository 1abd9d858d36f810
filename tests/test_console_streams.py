"""The console: streams of any encoding, closed and broken streams."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from consoles import ROOT, Run, shell
from databases import ask, registration, sql
from runs import GOLDENHOUR

from actors.store import Database
from goldenhour.cli import goldenhour as command_line
from goldenhour.console import spell

__all__ = ["shell"]


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
    encodings = ("ascii", "cp437")
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
        assert "75 min, medevac_helicopter -> R2" in shown["scenarios show coin --network"]
        assert spell("Zürich → Łódź", encoding) in shown["scenarios check accents.toml"]
        assert all(shown[command].isascii() for command in PRINTING if command.endswith("--help"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_the_encoding_of_the_environment_is_obeyed(shell: Run, encoding: str) -> None:
    answer = shell("scenarios show coin --network", "", encoding)
    assert answer.code == 0, answer.err
    assert "75 min, medevac_helicopter -> R2" in answer.out


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


@pytest.mark.parametrize(
    ("command", "redirection"),
    [
        *((FINISHED, closed) for closed in ("2>&-", "<&- >&- 2>&-")),
        *(("scenarios list", closed) for closed in (">&-", "2>&-", "<&- >&- 2>&-")),
    ],
)
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
