"""What `goldenhour submit` and `fetch` check before they reach a cluster, and the parcel that carries files."""

import asyncio
from pathlib import Path

import pytest
from runs import request

from actors import pipeline
from engine.errors import InputError, RunError
from goldenhour import fetch_command, jobs, parcel, submit_command
from goldenhour.__main__ import run as command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["standard"], "--address http://HOST:8265"),
        (["standard", "--address", "head:8265"], "allowed: http://HOST:8265"),
        (["standard", "--address", "http://127.0.0.1:9"], "no cluster answers at http://127.0.0.1:9"),
        (["standrd", "--address", "http://127.0.0.1:9"], "did you mean 'standard'"),
        (["standard", "--address", "http://127.0.0.1:9", "--patients", "0"], "--patients"),
        (["standard", "--address", "http://127.0.0.1:9", "--patience", "3"], "--patience"),
        (["standard", "--address", "http://127.0.0.1:9", "-o", "here"], "a full path on the cluster"),
        (["standard", "--address", "http://127.0.0.1:9", "--json"], "--json is not for"),
        (
            ["brigade", "--address", "http://127.0.0.1:9", "--simulators", "2"],
            "simulators: got 2; allowed: 1, as",
        ),
        (
            ["standard", "--address", "http://127.0.0.1:9", "--simulators", "2", "--workers", "0"],
            "--simulators and",
        ),
        (
            ["standard", "--address", "http://127.0.0.1:9", "--env", "NOT_SET_HERE"],
            "--env: got 'NOT_SET_HERE'",
        ),
    ],
)
def test_what_is_wrong_with_a_submission_is_said_at_once(arguments, words, capsys, monkeypatch):
    monkeypatch.delenv(jobs.ADDRESS, raising=False)
    assert command(["submit", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_the_options_of_run_reach_the_job_as_they_were_given():
    words, parameters = submit_command._as_given(
        [
            "--format",
            "csv,parquet",
            "--force",
            "mine.toml",
            "-o",
            "/data/x",
            "--seed",
            "5",
            "--simulators",
            "2",
            "--name",
            "mine.toml",
        ]
    )
    assert parameters["scenario"] == "mine.toml" and parameters["output"] == Path("/data/x")
    text = " ".join(words)
    for part in ("--format csv,parquet", "--force", "--seed 5", "--simulators 2", "--name mine.toml"):
        assert part in text
    assert "/data/x" not in text and text.count("mine.toml") == 1


def test_a_package_holds_what_a_node_needs_and_no_more():
    with jobs.package({"mine.toml": b"x"}) as folder:
        assert {entry.name for entry in folder.iterdir()} == {
            "goldenhour",
            "engine",
            "actors",
            "scenarios",
            "mine.toml",
        }
        assert not [*folder.rglob("__pycache__")]
        assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 20_000_000


def test_a_parcel_brings_the_files_and_a_torn_one_is_refused(tmp_path):
    output = Path(pipeline.run(request(tmp_path / "run", workers=0, formats=("jsonl", "csv"))).output)
    lines: list[str] = ["what Ray says first"]
    assert parcel.pack(output, lines.append) == 0

    async def printed(said: list[str]):
        text = "".join(f"{line}\n" for line in said)
        for start in range(0, len(text), 1000):
            yield text[start : start + 1000]

    def bring(said: list[str], home: str) -> None:
        source = fetch_command._InParcel(printed(said), "there")
        asyncio.run(fetch_command._bring(source, "there", tmp_path / home, False, True))

    bring(lines, "home")
    assert {p.name: p.read_bytes() for p in (tmp_path / "home").iterdir()} == {
        p.name: p.read_bytes() for p in output.iterdir()
    }
    for torn in (lines[:-1], lines[:-2], lines[:-2] + lines[-1:]):
        with pytest.raises(RunError, match="is not whole"):
            bring(torn, "torn")
    with pytest.raises(RunError, match="is damaged"):
        bring(lines[:3] + lines[4:], "torn")
    assert not list((tmp_path / "torn").iterdir())
    assert parcel.pack(tmp_path, lines.append) == 2
    with pytest.raises(InputError, match="no finished run in there"):
        bring(lines[-1:], "torn")


def test_a_parcel_that_is_too_large_is_read_where_the_folder_is_shared(tmp_path, monkeypatch):
    output = Path(pipeline.run(request(tmp_path / "run", workers=0)).output)
    monkeypatch.setattr(parcel, "LIMIT_BYTES", 1000)
    lines: list[str] = []
    assert parcel.pack(output, lines.append) == 0
    assert len(lines) == 2

    async def printed():
        for line in lines:
            yield f"{line}\n"

    def bring(place: Path, home: Path) -> None:
        asyncio.run(
            fetch_command._bring(
                fetch_command._InParcel(printed(), str(place)), str(place), home, False, True
            )
        )

    bring(output, tmp_path / "home")
    assert {p.name: p.read_bytes() for p in (tmp_path / "home").iterdir()} == {
        p.name: p.read_bytes() for p in output.iterdir()
    }
    with pytest.raises(InputError, match="copy it by other means"):
        bring(tmp_path / "elsewhere", tmp_path / "nothing")


def test_two_fetches_do_not_share_a_folder(tmp_path):
    output = Path(pipeline.run(request(tmp_path / "run", workers=0)).output)
    fetch_command.fetch(str(output), tmp_path / "home", None, False, True)
    with fetch_command._alone(tmp_path / "home"), pytest.raises(InputError, match="another fetch is writing"):
        fetch_command.fetch(str(output), tmp_path / "home", None, True, True)
    fetch_command.fetch(str(output), tmp_path / "home", None, True, True)
    with pytest.raises(InputError, match="is not empty"):  # before the run is looked for
        fetch_command.fetch("no-such-run", tmp_path / "home", None, False, True)
