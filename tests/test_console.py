"""The console: text of any origin steers no terminal."""

import json
import subprocess
import sys
import tomllib
import unicodedata
from pathlib import Path

import pytest
from consoles import HOSTILE, ROOT, STEERING
from databases import ask, registration, sql
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from actors.store import Database
from engine.plain_text import clean, clean_lines, escape_json, escape_toml
from engine.scenario import Scenario, parse
from goldenhour import console
from goldenhour.console import spell

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
    from engine.scenario import to_toml

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
