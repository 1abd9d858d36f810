"""What `goldenhour submit` and `fetch` check before they reach a cluster, and the archive that carries files."""

import asyncio
import functools
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from runs import request

from actors.run import Folder, run_scenario
from actors.run.partial_folder import MARKER, PARTIAL
from engine.errors import InputError, RunError
from goldenhour.__main__ import run as command
from goldenhour.cli import fetch
from goldenhour.cli import submit as submit_command
from goldenhour.cli.run import run as run_command
from goldenhour.jobs import client, log_archive, output_files, output_locations, package


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
    monkeypatch.delenv(client.ADDRESS_VARIABLE, raising=False)
    assert command(["submit", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_the_options_of_run_reach_the_job_as_they_were_given():
    words, parameters = submit_command._parse_arguments(
        run_command,
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
            "--set",
            "days=3",
            "--set",
            "facilities[R2-North].surgical_teams=2",
        ],
    )
    assert parameters["scenario"] == "mine.toml" and parameters["output"] == Path("/data/x")
    text = " ".join(words)
    for part in ("--format csv,parquet", "--force", "--seed 5", "--simulators 2", "--name mine.toml"):
        assert part in text
    assert words.count("--set") == 2
    assert words[words.index("days=3") + 2] == "facilities[R2-North].surgical_teams=2"
    assert "/data/x" not in text and text.count("mine.toml") == 1


def test_a_package_holds_what_a_node_needs_and_no_more():
    with package.job_folder({"mine.toml": b"x"}) as folder:
        assert {entry.name for entry in folder.iterdir()} == {
            "goldenhour",
            "engine",
            "actors",
            "scenarios",
            "mine.toml",
        }
        assert not [*folder.rglob("__pycache__")]
        assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 20_000_000


def test_a_log_archive_brings_the_files_and_a_torn_one_is_refused(tmp_path):
    output = Path(run_scenario(request(tmp_path / "run", workers=0, formats=("jsonl", "csv"))).output)
    lines: list[str] = ["what Ray says first"]
    assert log_archive.print_archive(output, lines.append) == 0

    async def printed(said: list[str]):
        text = "".join(f"{line}\n" for line in said)
        for start in range(0, len(text), 1000):
            yield text[start : start + 1000]

    def bring(said: list[str], home: str) -> None:
        found = output_locations.LocatedOutput(output_files.JobLogFiles(printed(said), "there"), "there")
        asyncio.run(fetch._copy_run(found, tmp_path / home, False, True))

    bring(lines, "home")
    assert {p.name: p.read_bytes() for p in (tmp_path / "home").iterdir()} == {
        p.name: p.read_bytes() for p in output.iterdir()
    }
    for torn in (lines[:-1], lines[:-2], lines[:-2] + lines[-1:]):
        with pytest.raises(RunError, match="is not complete"):
            bring(torn, "torn")
    with pytest.raises(RunError, match="is damaged"):
        bring(lines[:3] + lines[4:], "torn")
    with pytest.raises(RunError, match="was damaged"):
        bring([lines[0], lines[1], lines[2][:-9], *lines[3:]], "torn")
    assert not (tmp_path / "torn").exists()
    assert log_archive.print_archive(tmp_path, lines.append) == 2
    with pytest.raises(InputError, match="nothing to fetch from there: No such file or directory"):
        bring(lines[-1:], "torn")


def test_an_archive_too_large_for_a_log_is_read_where_the_folder_is_shared(tmp_path, monkeypatch):
    output = Path(run_scenario(request(tmp_path / "run", workers=0)).output)
    monkeypatch.setattr(log_archive, "LIMIT_BYTES", 1000)
    lines: list[str] = []
    assert log_archive.print_archive(output, lines.append) == 0
    assert len(lines) == 2

    async def printed():
        for line in lines:
            yield f"{line}\n"

    def bring(place: Path, home: Path) -> None:
        found = output_locations.LocatedOutput(output_files.JobLogFiles(printed(), str(place)), str(place))
        asyncio.run(fetch._copy_run(found, home, False, True))

    bring(output, tmp_path / "home")
    assert {p.name: p.read_bytes() for p in (tmp_path / "home").iterdir()} == {
        p.name: p.read_bytes() for p in output.iterdir()
    }
    with pytest.raises(InputError, match="copy it by other means"):
        bring(tmp_path / "elsewhere", tmp_path / "nothing")


def test_two_fetches_do_not_share_a_folder(tmp_path):
    output = Path(run_scenario(request(tmp_path / "run", workers=0)).output)
    fetch._fetch(str(output), tmp_path / "home", None, False, True)
    with fetch._locked(tmp_path / "home"), pytest.raises(InputError, match="another fetch is writing"):
        fetch._fetch(str(output), tmp_path / "home", None, True, True)
    fetch._fetch(str(output), tmp_path / "home", None, True, True)
    with pytest.raises(InputError, match="is not empty"):  # before the run is looked for
        fetch._fetch("no-such-run", tmp_path / "home", None, False, True)


def test_what_a_fetch_has_left_is_no_reason_to_remove_another_run(tmp_path, monkeypatch):
    """The fetch was killed while it gave the names; the user cleared what he saw and made a run of his own."""
    first = Path(run_scenario(request(tmp_path / "first", workers=0)).output)
    home = tmp_path / "home"
    original, left = Folder.move, [3]

    def cut(folder, *arguments) -> None:
        if folder.path.name == fetch.FETCHING:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
        original(folder, *arguments)

    pid = os.fork()
    if pid == 0:
        Folder.move = cut
        fetch._fetch(str(first), home, None, False, True)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert (home / fetch.FETCHING / fetch.RENAMES).exists()
    for path in home.iterdir():
        if path.is_file():
            path.unlink()
    run_scenario(request(home, workers=0, seed=8, force=True))
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    (tmp_path / "nothing").mkdir()
    for what in (str(tmp_path / "nothing"), str(first)):
        with pytest.raises(InputError):
            fetch._fetch(what, home, None, False, True)
        assert {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()} == before


def test_a_run_that_is_replaced_while_it_is_fetched_is_not_mixed_with_the_other(tmp_path, monkeypatch):
    output = Path(run_scenario(request(tmp_path / "run", workers=0)).output)
    original = output_files.FolderFiles.pieces
    replaced = []

    async def pieces(source, name):
        if name == "summary.json" and not replaced:
            replaced.append(name)
            await asyncio.to_thread(run_scenario, request(output, workers=0, seed=8, force=True))
        async for piece in original(source, name):
            yield piece

    monkeypatch.setattr(output_files.FolderFiles, "pieces", pieces)
    with pytest.raises(RunError, match="was replaced while it was fetched"):
        fetch._fetch(str(output), tmp_path / "home", None, False, True)
    assert not (tmp_path / "home").exists()


def test_what_appears_while_a_run_is_fetched_is_kept(tmp_path, monkeypatch):
    output = Path(run_scenario(request(tmp_path / "run", workers=0)).output)
    home = tmp_path / "home"
    original = output_files.FolderFiles.pieces

    async def pieces(source, name):
        (home / "summary.json").write_text("mine")
        async for piece in original(source, name):
            yield piece

    monkeypatch.setattr(output_files.FolderFiles, "pieces", pieces)
    with pytest.raises(RunError, match=r"summary\.json' appeared during the fetch"):
        fetch._fetch(str(output), home, None, False, True)
    assert [path.name for path in home.iterdir()] == ["summary.json"]
    assert (home / "summary.json").read_text() == "mine"


def test_a_fetch_into_an_unfinished_run_says_how_to_resume_that(tmp_path):
    output = Path(run_scenario(request(tmp_path / "run", workers=0)).output)
    (tmp_path / "home" / PARTIAL).mkdir(parents=True)
    (tmp_path / "home" / PARTIAL / MARKER).write_text("")
    with pytest.raises(InputError, match="goldenhour resume"):
        fetch._fetch(str(output), tmp_path / "home", None, True, True)


class Cluster:
    """What a cluster says of one job, and whether it was told to end it."""

    address = "http://127.0.0.1:8265"

    def __init__(
        self, texts: list[str], metadata: dict[str, str] | None = None, silent: bool = False
    ) -> None:
        self.texts, self.silent = texts, silent
        self.job = SimpleNamespace(
            status="SUCCEEDED", message="it failed", metadata=metadata, driver_exit_code=0
        )
        self.stopped: list[str] = []

    def submit(self, name, *others) -> None:
        self.name = name

    async def log(self, name):
        for text in self.texts:
            yield text
        if self.silent:
            await asyncio.sleep(60)

    def find(self, name):
        return self.job

    info = find

    def stop(self, name) -> None:
        self.stopped.append(name)


def test_a_job_that_sends_nothing_is_stopped_and_one_that_ended_is_not(tmp_path, monkeypatch):
    def read(cluster: Cluster) -> None:
        found = output_locations.LocatedOutput(
            output_files.JobLogFiles(output_locations.archive_text(cluster, "there"), "there"), "there"
        )
        asyncio.run(fetch._copy_run(found, tmp_path / "home", False, True))

    failed = Cluster(["no such module\n"])
    with pytest.raises(RunError, match="could not send there: it failed"):
        read(failed)
    monkeypatch.setattr(output_locations, "SILENT_SECONDS", 0.2)
    silent = Cluster(["starting\n"], silent=True)
    with pytest.raises(RunError, match="sent nothing of there"):
        read(silent)
    assert silent.stopped == [silent.name] and not failed.stopped


def test_a_job_whose_folder_holds_another_run_by_now_is_not_fetched(tmp_path, monkeypatch):
    output = Path(run_scenario(request(tmp_path / "run", workers=0)).output)
    lines: list[str] = []
    log_archive.print_archive(output, lines.append)
    manifest = json.loads((output / "manifest.json").read_text())
    made = [manifest["scenario_hash"], manifest["seed"], manifest["replication"]]
    monkeypatch.setattr(client, "JobsClient", lambda address: cluster)
    for number, right in ((0, True), (1, False)):
        metadata = {
            client.OUTPUT_KEY: str(output),
            client.IDENTITY_KEY: json.dumps([made[0], made[1] + number, made[2]]),
        }
        cluster = Cluster([f"{line}\n" for line in lines], metadata)
        fetching = functools.partial(
            fetch._fetch, "job", tmp_path / f"home{number}", Cluster.address, False, True
        )
        if right:
            fetching()
        else:
            with pytest.raises(InputError, match="now holds another run"):
                fetching()


def test_a_log_whose_connection_dies_silently_is_taken_up_again(monkeypatch, capsys):
    monkeypatch.setattr(submit_command, "SILENT_SECONDS", 0.2)
    cluster = Cluster(["one\n", "two\n"], silent=True)
    cluster.job.status = "RUNNING"
    opened = []
    original = cluster.log

    def log(name):
        opened.append(name)
        if len(opened) == 2:
            cluster.texts.append("three\n")
            cluster.job.status = "SUCCEEDED"
        return original(name)

    cluster.log = log  # type: ignore[method-assign]
    assert asyncio.run(submit_command._follow(cluster, "run")) == 0
    assert capsys.readouterr().err.startswith("one\ntwo\nthree\n")
    assert len(opened) == 2
