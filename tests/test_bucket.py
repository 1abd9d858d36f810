"""Output in an object store: a real S3 server on the loopback interface (moto)."""

import asyncio
import datetime
import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from moto.server import ThreadedMotoServer
from msgspec.structs import replace
from obstore.store import S3Store
from runs import digests, request

import goldenhour
from actors.run import (
    MANIFEST,
    STAGING_VARIABLE,
    Folder,
    Progress,
    RunRequest,
    Url,
    object_store,
    run_scenario,
    staging_folder,
)
from actors.run.object_store_output import UPLOAD_NOTE
from actors.run.output_folder import OutputFolder
from engine.errors import InputError, StoppedRun
from goldenhour.__main__ import run as command
from goldenhour.cli.fetch import FETCHING

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an S3 server without buckets."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def store(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A bucket of its own for each test; commands find the server."""
    import boto3

    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(STAGING_VARIABLE, str(tmp_path / "staging"))
    name = "b" + os.urandom(6).hex()
    boto3.client("s3", endpoint_url=server).create_bucket(Bucket=name)
    return S3Store(name, client_options={"allow_http": True})


def plain(output: Path, **settings: Any) -> RunRequest:
    """A run of 3,000 patients in process into a folder."""
    asked = request(output, workers=0, sync_seconds=0.0, **settings)
    return replace(asked, version=goldenhour.__version__)


def to(store: S3Store, prefix: str, **settings: Any) -> RunRequest:
    """The same into the prefix of the bucket."""
    url = Url(f"s3://{store.config['bucket']}/{prefix}")
    return replace(plain(staging_folder(url, Path()), **settings), destination=url)


def names(store: S3Store, prefix: str) -> set[str]:
    return {
        entry["path"].removeprefix(f"{prefix}/") for page in obstore.list(store, prefix) for entry in page
    }


def read(store: S3Store, name: str) -> bytes:
    return bytes(obstore.get(store, name).bytes())


def test_the_objects_are_the_files_of_a_run_into_a_folder(store, tmp_path):
    settings: dict[str, Any] = {"formats": ("jsonl", "parquet"), "compress": "zstd"}
    folder = Path(run_scenario(plain(tmp_path / "plain", **settings)).output)
    result = run_scenario(to(store, "deep/er", **settings))
    found = names(store, "deep/er")
    assert found == {entry.name for entry in folder.iterdir()} and MANIFEST in found
    for name in found:
        assert read(store, f"deep/er/{name}") == (folder / name).read_bytes(), name
    assert [str(file) for file in result.files] == [f"{result.output}/{file.name}" for file in result.files]
    assert not list((tmp_path / "staging").iterdir()), "nothing stays on this machine"


def test_a_run_that_is_there_is_replaced_by_force_only_and_nothing_else_is_touched(store):
    run_scenario(to(store, "p", formats=("csv",)))
    obstore.put(store, "p/notes.txt", b"mine")
    obstore.put(store, "p/below/patients.json", b"mine")
    before = read(store, "p/manifest.json")
    with pytest.raises(InputError, match="holds a run"):
        run_scenario(to(store, "p"))
    assert read(store, "p/manifest.json") == before
    run_scenario(to(store, "p", force=True))
    found = names(store, "p")
    assert {"notes.txt", "below/patients.json", "patients-00000.jsonl"} <= found
    assert not [name for name in found if name.endswith(".csv")]
    assert json.loads(read(store, "p/manifest.json"))["patients"] == 3000


def test_objects_that_no_manifest_names_are_never_replaced(store):
    obstore.put(store, "p/patients-00000.jsonl", b"somebody else's")
    for force in (False, True):
        with pytest.raises(InputError, match=r"patients-00000\.jsonl is in the way"):
            run_scenario(to(store, "p", force=force))
    assert read(store, "p/patients-00000.jsonl") == b"somebody else's"


class CutOff:
    """Fails every put once so many have been done, as when the network goes away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.left = after
        self.done: list[str] = []
        original = object_store.ObjectStore.put

        async def put(objects: object_store.ObjectStore, name: str, *others: Any, **named: Any) -> bool:
            if self.left == 0:
                raise StoppedRun("the network is away")
            self.left -= 1
            self.done.append(name)
            return await original(objects, name, *others, **named)

        monkeypatch.setattr(object_store.ObjectStore, "put", put)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_upload_that_was_cut_off_has_no_manifest_and_is_resumed(store, monkeypatch, tmp_path, after):
    asked = to(store, "p", formats=("jsonl", "csv"))
    with monkeypatch.context() as patch:
        CutOff(patch, after)
        with pytest.raises(StoppedRun, match=rf"goldenhour resume {asked.destination}"):
            run_scenario(asked)
    assert MANIFEST not in names(store, "p")
    assert (UPLOAD_NOTE in names(store, "p")) == (after > 0)
    if after:
        with pytest.raises(InputError, match="differs in seed"):
            run_scenario(replace(asked, seed=8))
        with pytest.raises(InputError, match="an unfinished upload of run"):  # from another machine
            run_scenario(replace(asked, output=tmp_path / "elsewhere"))
    cut = CutOff(monkeypatch, 1000)
    assert command(["resume", str(asked.destination), "--quiet", "--no-store", "--workers", "0"]) == 0
    assert cut.done[-1] == MANIFEST
    run_scenario(plain(tmp_path / "plain", formats=("jsonl", "csv")))
    manifest = json.loads(read(store, "p/manifest.json"))
    assert {part["path"]: part["sha256"] for part in manifest["parts"]} == digests(tmp_path / "plain")
    for part in manifest["parts"]:
        name = part["path"]
        assert read(store, f"p/{name}") == (tmp_path / "plain" / name).read_bytes()
    assert UPLOAD_NOTE not in names(store, "p")


def test_what_another_upload_left_is_removed_by_force(store, monkeypatch, tmp_path):
    original = object_store.ObjectStore.put

    async def put(objects: object_store.ObjectStore, name: str, *others: Any, **named: Any) -> bool:
        if name == MANIFEST:
            raise StoppedRun("the network is away")
        return await original(objects, name, *others, **named)

    with monkeypatch.context() as patch:
        patch.setattr(object_store.ObjectStore, "put", put)
        with pytest.raises(StoppedRun):
            run_scenario(to(store, "p", formats=("csv",)))
    assert {name for name in names(store, "p") if name.endswith(".csv")}
    run_scenario(replace(to(store, "p", force=True), output=tmp_path / "elsewhere"))
    found = names(store, "p")
    assert MANIFEST in found and not [name for name in found if name.endswith(".csv")]


def test_a_forced_upload_cut_off_before_the_old_run_was_removed_keeps_none_of_it(
    store, monkeypatch, tmp_path
):
    run_scenario(to(store, "p"))
    obstore.put(store, "p/patients-00000.jsonl", b"X" * len(read(store, "p/patients-00000.jsonl")))

    async def cut(objects: object_store.ObjectStore, gone: Any) -> None:
        raise StoppedRun("the network is away")

    asked = to(store, "p", force=True)
    with monkeypatch.context() as patch:
        patch.setattr(object_store.ObjectStore, "delete", cut)
        with pytest.raises(StoppedRun):
            run_scenario(asked)
    run_scenario(asked)
    run_scenario(plain(tmp_path / "plain"))
    for name in digests(tmp_path / "plain"):
        assert read(store, f"p/{name}") == (tmp_path / "plain" / name).read_bytes()


def test_an_object_that_appears_during_the_run_is_kept(store):
    asked = to(store, "p")

    def report(progress: Progress) -> None:
        if progress.phase == "finishing":
            obstore.put(store, "p/summary.json", b"somebody else's")

    with pytest.raises(StoppedRun, match=r"summary\.json is in the way"):
        run_scenario(asked, report)
    assert read(store, "p/summary.json") == b"somebody else's" and MANIFEST not in names(store, "p")


def test_a_file_too_large_for_one_request_goes_up_in_pieces(store, monkeypatch):
    monkeypatch.setattr(object_store, "SINGLE_PUT_BYTES", 1_000_000)
    result = run_scenario(to(store, "p"))
    assert max(part.bytes for part in result.parts) > 1_000_000
    for part in result.parts:
        assert len(read(store, f"p/{part.path}")) == part.bytes


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x", "allowed: a folder, or s3://BUCKET/PREFIX"),
        ("s3://", "allowed: a folder"),
        ("s3://b/../x", "allowed: a folder"),
        ("s3://key:secret@b/x", "allowed: a folder"),
        ("s3://b/a%20b", "allowed: a folder"),
        ("gs:key:secret@b/x", "allowed: a folder"),
        ("s3://no-such-bucket-here/x", "NoSuchBucket"),
    ],
)
def test_a_url_that_cannot_be_used_is_said_before_anything_is_run(store, url, words, capsys, tmp_path):
    assert command(["run", "standard", "-o", url, "--workers", "0", "--no-store", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert "secret" not in error
    assert not [*tmp_path.rglob("*.jsonl")]


def test_a_server_that_does_not_answer_is_said_in_seconds(store, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setitem(object_store.RETRY, "max_retries", 1)
    assert command(["run", "standard", "-o", "s3://bucket/x", "--workers", "0", "--no-store"]) == 2
    assert "cannot be listed" in capsys.readouterr().err


def test_the_command_line_says_where_it_wrote_and_fetches_it(store, capsys, tmp_path):
    url = f"s3://{store.config['bucket']}/cli"
    arguments = ["run", "standard", "--patients", "50", "-o", url, "--workers", "0", "--no-store", "--json"]
    assert command(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["output"] == url
    assert f"{url}/patients-00000.jsonl" in said["parts"] and f"{url}/manifest.json" in said["files"]
    home = tmp_path / "home"
    assert command(["fetch", url, "-o", str(home)]) == 0
    assert {entry.name for entry in home.iterdir()} == names(store, "cli")
    assert command(["fetch", url, "-o", str(home)]) == 2, "not empty"
    assert command(["fetch", url, "-o", str(home), "--force"]) == 0
    obstore.put(store, "cli/patients-00000.jsonl", b"damaged")
    assert command(["fetch", url, "-o", str(tmp_path / "other")]) == 1
    assert "patients-00000.jsonl is damaged" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_server_that_is_silent_is_given_up(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setitem(object_store.SHORT_TIMEOUTS, "timeout", datetime.timedelta(seconds=1))
        monkeypatch.setitem(object_store.RETRY, "max_retries", 0)
        assert command(["run", "standard", "-o", "s3://bucket/x", "--workers", "0", "--no-store"]) == 2
    assert "cannot be listed" in capsys.readouterr().err


class EndlessListing(http.server.BaseHTTPRequestHandler):
    """An S3 server whose listings have always another page."""

    pages = 0

    def do_GET(self) -> None:
        type(self).pages += 1
        entry = "<Contents><Key>x/{}-{}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Contents>"
        found = "".join(entry.format(self.pages, number) for number in range(1000))
        data = (
            '<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated>'
            f"<NextContinuationToken>t{self.pages}</NextContinuationToken>{found}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_listing_without_end_is_given_up(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(object_store, "MAX_LISTED", 20_000)
    monkeypatch.setenv(STAGING_VARIABLE, str(tmp_path / "staging"))
    EndlessListing.pages = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), EndlessListing) as endless:
        threading.Thread(target=endless.serve_forever, daemon=True).start()
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{endless.server_port}"}.items():
            monkeypatch.setenv(name, value)
        assert command(["run", "standard", "-o", "s3://bucket/x", "--workers", "0", "--no-store"]) == 2
        endless.shutdown()
    assert "s3://bucket/x holds more than 20,000 objects: choose a prefix" in capsys.readouterr().err
    assert EndlessListing.pages < 30


def cut_off(store: S3Store, monkeypatch: pytest.MonkeyPatch, after: int, **settings: Any) -> RunRequest:
    """A run whose upload failed after so many objects."""
    asked = to(store, "p", **settings)
    with monkeypatch.context() as patch:
        CutOff(patch, after)
        with pytest.raises(StoppedRun):
            run_scenario(asked)
    return asked


def test_a_run_that_was_finished_meanwhile_is_not_replaced_by_an_older_force(store, monkeypatch, tmp_path):
    asked = cut_off(store, monkeypatch, 0, force=True)
    run_scenario(replace(to(store, "p", seed=8), output=tmp_path / "elsewhere"))
    with pytest.raises(InputError, match="holds a run"):
        run_scenario(replace(asked, force=False))
    assert json.loads(read(store, "p/manifest.json"))["seed"] == 8


def test_a_resumed_upload_overwrites_what_is_there(store, monkeypatch, tmp_path):
    asked = cut_off(store, monkeypatch, 5)
    name = next(name for name in names(store, "p") if name.endswith("l"))
    obstore.put(store, f"p/{name}", b"X" * len(read(store, f"p/{name}")))
    run_scenario(asked)
    run_scenario(plain(tmp_path / "plain"))
    for name in digests(tmp_path / "plain"):
        assert read(store, f"p/{name}") == (tmp_path / "plain" / name).read_bytes()


@pytest.mark.parametrize("resumed", [False, True])
def test_of_two_uploads_to_one_place_only_that_with_the_note_is_finished(
    store, monkeypatch, tmp_path, resumed
):
    if resumed:
        with monkeypatch.context() as patch:
            CutOff(patch, 3)
            with pytest.raises(StoppedRun):
                run_scenario(to(store, "p"))
    original = object_store.ObjectStore.put
    other = replace(to(store, "p", seed=8, force=True), output=tmp_path / "elsewhere")
    entered = []

    async def put(objects: object_store.ObjectStore, name: str, *others: Any, **named: Any) -> bool:
        done = await original(objects, name, *others, **named)
        if name == "summary.json" and not entered:
            entered.append(name)
            await asyncio.to_thread(run_scenario, other)
        return done

    monkeypatch.setattr(object_store.ObjectStore, "put", put)
    with pytest.raises(StoppedRun):
        run_scenario(to(store, "p"))
    run_scenario(plain(tmp_path / "plain", seed=8))
    assert json.loads(read(store, "p/manifest.json"))["seed"] == 8
    for name in digests(tmp_path / "plain"):
        assert read(store, f"p/{name}") == (tmp_path / "plain" / name).read_bytes()


def test_an_object_that_is_changed_during_an_upload_is_noticed(store, monkeypatch):
    original = object_store.ObjectStore.upload

    async def upload(objects: object_store.ObjectStore, name: str, path: Path) -> bool:
        done = await original(objects, name, path)
        if name == "patients-00000.jsonl":
            obstore.put(store, f"p/{name}", b"X" * path.stat().st_size)
        return done

    with monkeypatch.context() as patch:
        patch.setattr(object_store.ObjectStore, "upload", upload)
        with pytest.raises(StoppedRun, match="has changed what this one has uploaded"):
            run_scenario(to(store, "p"))
    assert MANIFEST not in names(store, "p")
    run_scenario(to(store, "p"))
    assert MANIFEST in names(store, "p")


@pytest.mark.parametrize("moment", ["announced", "deleting"])
def test_of_two_forced_uploads_over_what_a_third_has_left_one_is_finished(
    store, monkeypatch, tmp_path, moment
):
    with monkeypatch.context() as patch:
        CutOff(patch, 3)
        with pytest.raises(StoppedRun):
            run_scenario(replace(to(store, "p"), output=tmp_path / "third"))
    original = object_store.ObjectStore.put
    other = replace(to(store, "p", seed=8, force=True), output=tmp_path / "elsewhere")
    notes = []

    async def put(objects: object_store.ObjectStore, name: str, *others: Any, **named: Any) -> bool:
        first = name == UPLOAD_NOTE and not notes
        notes.append(name)
        if first and moment == "announced":
            await asyncio.to_thread(run_scenario, other)
        done = await original(objects, name, *others, **named)
        if first and moment == "deleting":
            await asyncio.to_thread(run_scenario, other)
        return done

    monkeypatch.setattr(object_store.ObjectStore, "put", put)
    with pytest.raises(StoppedRun, match="another run"):
        run_scenario(to(store, "p", force=True))
    run_scenario(plain(tmp_path / "plain", seed=8))
    assert json.loads(read(store, "p/manifest.json"))["seed"] == 8
    for name in digests(tmp_path / "plain"):
        assert read(store, f"p/{name}") == (tmp_path / "plain" / name).read_bytes()


def test_a_finished_run_is_finished_also_when_it_was_killed_just_before_its_end(store, monkeypatch, capsys):
    asked = to(store, "p")
    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "discard", lambda folder: (_ for _ in ()).throw(StoppedRun("killed")))
        with pytest.raises(StoppedRun):
            run_scenario(asked)
    before = read(store, "p/manifest.json")
    words = ["resume", str(asked.destination), "--no-store", "--workers", "0"]
    assert command(words) == 0
    assert not asked.output.exists() and read(store, "p/manifest.json") == before
    assert command(words) == 0
    assert "is finished: nothing to do" in capsys.readouterr().err
    obstore.delete(store, ["p/manifest.json"])
    assert command(words) == 2
    assert "this machine has no unfinished run for" in capsys.readouterr().err


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("given", [0, 1, 3])
def test_a_fetch_that_was_cut_off_starts_again(store, monkeypatch, tmp_path, force, given):
    run_scenario(to(store, "p"))
    home = tmp_path / "home"
    words = ["fetch", f"s3://{store.config['bucket']}/p", "-o", str(home), "--quiet"]
    if force:
        run_scenario(plain(home, formats=("csv",)))
    original, left = Folder.move, [given]

    def cut(folder: Folder, *arguments: Any) -> None:
        if folder.path.name == FETCHING:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        original(folder, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "move", cut)
        assert command([*words, *["--force"] * force]) == 130
    (home / "notes.txt").write_text("mine")
    assert command(words) == 2
    (home / "notes.txt").unlink()
    assert command(words) == 0
    assert {entry.name for entry in home.iterdir()} == names(store, "p")
