"""Manifests, fetched files, log archives and objects are replaced by hostile ones, as in test_hostile_files.py."""

import asyncio
import base64
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import obstore
import pytest
import zstandard
from hostile_files import (
    LINK,
    Ground,
    Hung,
    answer,
    assert_none,
    finished,
    ground,
    interrupted,
    limited,
    memory,
    mutations,
    read,
    replacements,
    snapshot,
    unfinished,
    without_sync,
    zeros,
)
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from runs import RUN

from actors.run import Url, recorder
from actors.run.files import Folder
from actors.run.object_store_output import UPLOAD_NOTE, ObjectStoreOutput
from actors.run.output_folder import OutputFolder
from actors.run.partial_folder import MARKER, PARTIAL, PUBLISHED
from actors.run.recorder import FinishedRun
from actors.run.run_file import RunFile
from actors.store import Content, Heartbeat, Registration
from engine.errors import GoldenhourError, InputError
from goldenhour.cli import fetch
from goldenhour.jobs import log_archive, output_files, output_locations

__all__ = ["finished", "ground", "memory", "unfinished", "without_sync"]


def test_what_was_being_published(
    ground: Ground, unfinished: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files have their names, the manifest is still in the hidden folder."""
    run_file = json.loads((unfinished / PARTIAL / "run.json").read_bytes())
    manifest = json.loads((finished / "manifest.json").read_bytes())
    source = ground.outside.parent / "home-source"
    shutil.copytree(finished, source)
    (source / PARTIAL).mkdir()
    (source / PARTIAL / MARKER).write_bytes(b"")
    (source / PARTIAL / PUBLISHED).write_text(json.dumps(run_file))
    (source / "manifest.json").rename(source / PARTIAL / "manifest.json")
    found = {}
    for name, document in ((PUBLISHED, run_file), ("manifest.json", manifest)):
        for label, text in mutations(document, ground.victim):
            ground.reset(source)
            (ground.out / PARTIAL / name).write_bytes(text)
            before = snapshot(ground.out)
            code, problems = answer(capsys, "resume", str(ground.out), "--no-store", "--quiet")
            if code and snapshot(ground.out) != before:
                problems.append("refused, but changed something")
            if not code and read(ground.out / "patients-00000.jsonl") != read(
                finished / "patients-00000.jsonl"
            ):
                problems.append("exit code 0 with wrong files")
            found[f"{name}: {label}"] = problems + ground.problems()
            (ground.out / PARTIAL / name).write_text(json.dumps(document)) if code else None
    assert_none(found)
    # a hidden folder that somebody else has left replaces no finished run
    ground.reset(finished)
    (ground.out / PARTIAL).mkdir()
    for other, content in (
        (MARKER, {}),
        (PUBLISHED, run_file),
        ("manifest.json", {**manifest, "patients": 7}),
    ):
        (ground.out / PARTIAL / other).write_text(json.dumps(content))
    before = snapshot(ground.out)
    assert answer(capsys, "resume", str(ground.out), "--no-store", "--quiet") == (2, [])
    assert snapshot(ground.out) == before


def test_a_manifest_under_force(ground: Ground, finished: Path) -> None:
    """`--force` removes what the manifest names under names of ours, and nothing else."""
    manifest = json.loads((finished / "manifest.json").read_bytes())
    ours = {path.name for path in finished.iterdir()}
    found = {}
    for label, text in mutations(manifest, ground.victim):
        ground.reset(finished)
        (ground.out / "manifest.json").write_bytes(text)
        problems = []
        try:
            with limited():
                folder = OutputFolder.claim(ground.out, True, RUN)
                folder.publish({"scenario_hash": "0", "seed": 1}, [], {"summary.json": b"{}\n"})
            left = {path.name for path in ground.out.iterdir()} & ours - {"manifest.json", "summary.json"}
            problems += [f"{left} of the old run stayed"] if left else []
        except InputError:
            pass
        except (Exception, Hung) as error:
            problems.append(f"traceback: {error!r}")
        found[label] = problems + ground.problems()
    assert_none(found)


def test_a_manifest_that_is_fetched(
    ground: Ground, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((finished / "manifest.json").read_bytes())
    home = ground.folder / "home"
    found = {}
    for label, text in mutations(manifest, ground.victim):
        ground.reset(finished)
        (ground.out / "manifest.json").write_bytes(text)
        code, problems = answer(capsys, "fetch", str(ground.out), "-o", str(home), "--quiet")
        if code == 0:
            parts = {part["path"] for part in manifest["parts"]}
            expected = parts | {"manifest.json", "summary.json", "scenario.toml"}
            if {path.name for path in home.iterdir()} - expected:
                problems.append("files that no run has")
        elif home.exists():
            problems.append("refused, but left something")
        found[label] = problems + ground.problems()
        code, problems = answer(capsys, "resume", str(ground.out), "--no-store", "--quiet")
        found[f"resume of {label}"] = problems
        shutil.copyfile(finished / "manifest.json", ground.out / "manifest.json")
    assert_none(found)


@pytest.mark.parametrize("name", ["manifest.json", "patients-00000.jsonl", "summary.json"])
def test_something_else_in_the_place_of_a_file_that_is_fetched(
    ground: Ground, finished: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ground.reset(finished)
    found = {}
    for label, replace in [*replacements(ground.out / name, ground)]:
        ground.reset(finished)
        (ground.outside / "twin").unlink(missing_ok=True)
        replace()
        code, problems = answer(
            capsys, "fetch", str(ground.out), "-o", str(ground.folder / "home"), "--quiet"
        )
        if code == 0 and label != "hard link":  # a second name does no harm to a file that is only read
            problems.append("it was fetched")
        found[label] = problems
        said = []
        with limited():
            code = log_archive.print_archive(ground.out, said.append)
        found[f"archive of a {label}"] = (
            [] if code == 2 or label == "hard link" else [f"{code}: {said[-1][:99]}"]
        )
    assert_none(found)


def test_a_log_archive(ground: Ground, finished: Path) -> None:
    lines: list[str] = []
    assert log_archive.print_archive(finished, lines.append) == 0
    honest = dict(line.split(" ", 2)[1:] for line in lines)
    frame = zstandard.ZstdCompressor().compress
    contents = {
        "no Base64": "*",
        "no text": "\udcff\x1b",
        "no frame": base64.b64encode(b"abc").decode(),
        "a frame of 400 MB": base64.b64encode(zeros(400)).decode(),
        "a frame that claims 8 EB": base64.b64encode(
            b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 7 + b"\x7f" + b"\0" * 9
        ).decode(),
        "huge": "9" * 6000,
        "negative": "-5",
        "nothing": "",
        "deep": "[" * 9999,
        "a number": "7",
        "long": "A" * 10_000_000,
    }
    kinds = {
        "up": "../victim",
        "absolute": str(ground.victim),
        "twice": "manifest.json",
        "later": "summary.json",
    }
    kinds |= {kind: kind for kind in ".+!"}
    home = ground.folder / "home"
    ground.reset(finished)
    found = {}

    def bring(said: list[str]) -> list[str]:
        async def printed() -> Any:
            for line in said:
                for start in range(0, len(line) + 1, 100_000):
                    yield f"{line}\n"[start : start + 100_000]

        located = output_locations.LocatedOutput(output_files.JobLogFiles(printed(), "there"), "there")
        shutil.rmtree(home, ignore_errors=True)
        try:
            with limited():
                asyncio.run(fetch._copy_run(located, home, False, True))
        except GoldenhourError:
            return ["refused, but left something"] if home.exists() else []
        except (Exception, Hung) as error:
            return [f"traceback: {error!r}"[:300]]
        texts = ("summary.json", "scenario.toml")  # they have no digest
        same = [path.read_bytes() for path in sorted(home.iterdir()) if path.name not in texts] == [
            path.read_bytes() for path in sorted(finished.iterdir()) if path.name not in texts
        ]
        return [] if same else ["another run than the honest one"]

    for number, kind in enumerate(honest):
        for label, content in contents.items():
            changed = [*lines]
            changed[number] = f"{log_archive.PREFIX} {kind} {content}"
            found[f"{kind}: {label}"] = bring(changed)
        for label, other in kinds.items():
            changed = [*lines]
            changed[number] = f"{log_archive.PREFIX} {other} {honest[kind]}"
            found[f"{kind} becomes {label}"] = bring(changed)
    manifest = json.loads((finished / "manifest.json").read_bytes())
    for label, text in mutations(manifest, ground.victim):
        line = f"{log_archive.PREFIX} manifest.json {base64.b64encode(frame(text)).decode()}"
        problems = bring([line, *lines[1:]])
        found[f"manifest: {label}"] = [each for each in problems if "another run" not in each]
    assert_none(found)
    assert ground.problems() == []


def test_what_an_interrupted_fetch_has_left(ground: Ground, finished: Path) -> None:
    """`given.json` removes files of ours that are those it names, and nothing else."""
    ground.reset(finished)
    (ground.out / "manifest.json").unlink()
    found = {}

    def identity(path: Path) -> list[int]:
        status = path.lstat()
        return [status.st_ino, status.st_size, status.st_mtime_ns]

    names = [
        "notes.txt",
        LINK,
        "sub",
        "../victim",
        str(ground.victim),
        "..",
        ".",
        "",
        "sub/patients-00000.jsonl",
    ]
    document = {
        "new": {"patients-00000.jsonl": identity(ground.out / "notes.txt")},
        "old": {name: identity(ground.out / name) for name in names},
    }
    for label, text in [("whole", json.dumps(document).encode()), *mutations(document, ground.victim)]:
        partial = ground.out / fetch.FETCHING
        partial.mkdir()
        (partial / fetch.RENAMES).write_bytes(text)
        try:
            with limited():
                fetch._remove_interrupted(ground.out)
            problems = []
        except (Exception, Hung) as error:
            problems = [f"traceback: {error!r}"[:300]]
        kept = (ground.out / "patients-00000.jsonl").exists()
        found[label] = (
            problems + ground.problems() + ([] if kept else ["a file of another identity was removed"])
        )
    assert_none(found)
    for make in (lambda path: path.symlink_to(ground.outside), lambda path: os.mkfifo(path)):
        make(ground.out / fetch.FETCHING)
        with limited(), pytest.raises(InputError, match="not a folder of goldenhour"):
            fetch._fetch(str(finished), ground.out, None, False, True)
        (ground.out / fetch.FETCHING).unlink()
    assert ground.problems() == []


def test_the_end_of_a_run_that_was_saved_for_later(tmp_path: Path) -> None:
    registration = Registration(
        scenario="s",
        source="file",
        content=Content(text="", format="toml", hash="0"),
        seed=1,
        replication=0,
        settings={},
        who="me",
        output="/out",
        version="0",
    )
    ending = FinishedRun(registration=registration, state="failed", last=Heartbeat(id=registration.id))
    name = f"{registration.id}.json"
    victim = tmp_path / "victim"
    with Folder(tmp_path) as folder:
        (tmp_path / name).write_bytes(msgspec.json.encode(ending))
        assert recorder._read_finished_run(folder, name) == ending
        (tmp_path / f"{uuid.uuid4()}.json").write_bytes(msgspec.json.encode(ending))
        for label, text in mutations(msgspec.to_builtins(ending), victim):
            (tmp_path / name).write_bytes(text)
            read_back = recorder._read_finished_run(folder, name)
            assert read_back is None or read_back.registration.id == registration.id, label
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
        with limited():
            assert recorder._read_finished_run(folder, name) is None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an S3 server."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


def test_what_an_object_store_holds(server: str, ground: Ground, finished: Path, monkeypatch: Any) -> None:
    """Objects of the user are never removed, whatever note, manifest and names are there."""
    import boto3

    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    for name, value in {**keys, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="hostile")
    store = S3Store("hostile", client_options={"allow_http": True})
    mine = [
        "p/notes.txt",
        "p/sub/patients-00000.jsonl",
        "victim",
        "q/patients-00000.jsonl",
        "p/patients-00000.jsonl.x",
    ]
    for name in mine:
        obstore.put(store, name, b"mine")
    manifest = json.loads((finished / "manifest.json").read_bytes())
    manifest["parts"] = manifest["parts"][:1]
    note = {"run": "r", "names": ["patients-00000.jsonl", "manifest.json"]}
    run = msgspec.json.decode(
        (interrupted(ground.folder / "home") / PARTIAL / "run.json").read_bytes(), type=RunFile
    )
    url = Url("s3://hostile/p")
    found = {}

    def claimed() -> list[str]:
        try:
            with limited():
                output = ObjectStoreOutput.claim(url, ground.folder / "home-staging", True, run)
                output.publish({"scenario_hash": "0", "seed": 1}, [], {"summary.json": b"{}\n"})
        except GoldenhourError as error:
            shutil.rmtree(ground.folder / "home-staging", ignore_errors=True)
            return [] if str(error).isprintable() else [f"not printable: {error}"]
        except (Exception, Hung) as error:
            return [f"traceback: {error!r}"[:300]]
        return []

    before = snapshot(ground.folder)
    for name, document in ((UPLOAD_NOTE, note), ("manifest.json", manifest)):
        for label, text in mutations(document, ground.victim):
            place, _, kind = label.partition(": ")
            if kind not in ("", "null", "absolute path", "path upwards", "long", "control", "deep", "large"):
                continue
            if name == "manifest.json" and place.partition(".")[0] not in ("parts", "schema", "extra"):
                continue
            for other in (UPLOAD_NOTE, "manifest.json"):
                client.delete_object(Bucket="hostile", Key=f"p/{other}")
            obstore.put(store, f"p/{name}", text)
            problems = claimed()
            there = {entry["path"] for page in obstore.list(store) for entry in page}
            found[f"{name}: {label}"] = problems + [
                f"{each} was removed" for each in mine if each not in there
            ]
    for key in (
        "p/..\x1b[2J/x",
        "p/patients\x1b[31m.jsonl",
        "p/%2e%2e",
        "p/" + "x" * 900,
        "p//patients.json",
    ):
        client.put_object(Bucket="hostile", Key=key, Body=b"mine")
        found[f"the object {key[:20]!r}"] = claimed()
        client.get_object(Bucket="hostile", Key=key)
        client.delete_object(Bucket="hostile", Key=key)
    assert_none(found)
    assert {name: bytes(obstore.get(store, name).bytes()) for name in mine} == dict.fromkeys(mine, b"mine")
    after = {name: value for name, value in snapshot(ground.folder).items() if not name.startswith("home-")}
    assert after == before
