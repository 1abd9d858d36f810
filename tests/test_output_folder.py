"""What the output folder of a run promises: claimed, resumed, replaced, and published as a whole."""

import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from runs import RUN
from written_outputs import MANIFEST, chunk, claim, finished, names, opened, piece

from actors.run import journal
from actors.run import output_folder as folders
from actors.run.output_folder import OutputFolder, find_unfinished_run
from actors.run.partial_folder import PARTIAL
from actors.run.run_file import RUN_FILE
from actors.run.schema_version import SCHEMA
from engine.errors import InputError, RunError


def test_an_abandoned_run_leaves_nothing(tmp_path: Path) -> None:
    output = tmp_path / "out"
    folder = claim(output)
    opened(folder.partial).append(chunk(0, piece(b"a")))
    assert names(output) == [PARTIAL]
    folder.discard()
    assert not output.exists()
    (tmp_path / "kept").mkdir()
    claim(tmp_path / "kept", force=False).discard()
    assert names(tmp_path / "kept") == []


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        claim(tmp_path)
    assert names(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_file_is_no_output_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="a folder is needed"):
        claim(tmp_path / path, force=True)


def test_force_replaces_an_earlier_run_and_nothing_else(tmp_path: Path) -> None:
    finished(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    old = json.loads((tmp_path / "manifest.json").read_bytes())
    old["parts"].append({"path": "wounds-00000.csv"})
    (tmp_path / "wounds-00000.csv").write_text("old")
    (tmp_path / "manifest.json").write_text(json.dumps(old))
    finished(tmp_path, force=True, data=b"two\n")
    assert names(tmp_path) == [
        "manifest.json",
        "notes.txt",
        "patients-00000.jsonl",
        "scenario.toml",
        "summary.json",
    ]
    assert (tmp_path / "patients-00000.jsonl").read_bytes() == b"two\n"


def test_force_keeps_the_earlier_run_until_the_new_one_is_whole(tmp_path: Path) -> None:
    finished(tmp_path)
    claim(tmp_path, force=True).discard()
    assert (tmp_path / "patients-00000.jsonl").read_bytes() == b"one\n"
    assert (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    "stranger",
    [
        "patients-00000.jsonl",
        "manifest.json",
        "summary.json",
        "patients.json",
        "events-00007.csv.gz",
        "measures.csv",
        "facilities.jsonl.zst",
    ],
)
def test_force_refuses_when_a_foreign_file_is_in_the_way(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        claim(tmp_path, force=True)
    assert (tmp_path / stranger).read_text() == "mine"


@pytest.mark.parametrize(
    "path", ["../victim", "/etc/hostname", "sub/patients-00000.jsonl", "notes.txt", "..", "", 7, None]
)
def test_force_removes_no_file_a_forged_manifest_names(tmp_path: Path, path: Any) -> None:
    output = tmp_path / "out"
    (output / "sub").mkdir(parents=True)
    (output / "sub/patients-00000.jsonl").write_text("mine")
    (output / "notes.txt").write_text("mine")
    (tmp_path / "victim").write_text("mine")
    (output / "manifest.json").write_text(json.dumps({**MANIFEST, "parts": [{"path": path}]}))
    finished(output, force=True)
    for kept in ("out/sub/patients-00000.jsonl", "out/notes.txt", "victim"):
        assert (tmp_path / kept).read_text() == "mine"


def test_force_goes_through_no_link(tmp_path: Path) -> None:
    output, victim = tmp_path / "out", tmp_path / "victim"
    finished(output)
    victim.write_text("mine")
    (output / "patients-00000.jsonl").unlink()
    (output / "patients-00000.jsonl").symlink_to(victim)
    with pytest.raises(InputError, match="in the way"):
        claim(output, force=True)
    assert victim.read_text() == "mine"


def test_a_folder_another_run_is_writing_to_is_refused(tmp_path: Path) -> None:
    folder = claim(tmp_path)
    for force in (False, True):
        with pytest.raises(InputError, match="another run"):
            claim(tmp_path, force)
    folder.discard()
    finished(tmp_path)


class Died(BaseException):
    """Stands for a kill: nothing is cleaned up after it."""


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("moment", range(9))
def test_wherever_publishing_breaks_off_the_run_is_brought_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int, force: bool
) -> None:
    if force:
        finished(tmp_path, data=b"old\n")
    calls = []

    def dying(function: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            calls.append(function)
            if len(calls) == moment + 1:
                raise Died
            return function(*arguments, **more)

        return call

    folder = claim(tmp_path, force=force)
    writer = opened(folder.partial)
    writer.append(chunk(0, piece(b"one\n")))
    parts = writer.close()
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dying(os.replace))
        patched.setattr(folders, "sync_folder", dying(folders.sync_folder))
        patched.setattr(folders, "remove_partial_folder", dying(folders.remove_partial_folder))
        with pytest.raises(Died):
            folder.publish(MANIFEST, parts, {"summary.json": b"{}\n", "scenario.toml": b"\n"})
    os.close(folder._lock)
    if find_unfinished_run(tmp_path) is not None:
        again = claim(tmp_path, force=force)
        assert again.resumed
        writer = opened(again.partial)
        again.publish(MANIFEST, writer.close(), {"summary.json": b"{}\n", "scenario.toml": b"\n"})
    assert names(tmp_path) == ["manifest.json", "patients-00000.jsonl", "scenario.toml", "summary.json"]
    assert (tmp_path / "patients-00000.jsonl").read_bytes() == b"one\n"
    (entry,) = json.loads((tmp_path / "manifest.json").read_bytes())["parts"]
    assert entry["sha256"] == hashlib.sha256(b"one\n").hexdigest()


def suspended(output: Path) -> None:
    """Leave an unfinished run in a folder."""
    folder = claim(output)
    writer = opened(folder.partial)
    writer.append(chunk(0, piece(b"one\n")))
    writer.checkpoint()
    writer.release()
    assert folder.suspend()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 2}, "seed: 1 there, 2 now"),
        ({"replication": 3}, "replication: 0 there, 3 now"),
        ({"formats": ("csv", "jsonl")}, "formats: jsonl there, csv,jsonl now"),
        ({"compress": "zstd", "libraries": {"zstandard": "1.0"}}, "libraries: none there, zstandard 1.0 now"),
        ({"chunk_size": 2048}, "chunk size: 512 there, 2048 now"),
        ({"writers": 2}, "writers: 1 there, 2 now"),
        (
            {"scenario_hash": "1" * 64, "scenario_name": "other"},
            r"scenario: small \(0\) there, other \(1{12}\) now",
        ),
        ({"version": "9"}, "version of goldenhour: 0 there, 9 now"),
        ({"engine": "f"}, "engine: e there, f now"),
    ],
)
def test_an_unfinished_run_is_not_mixed_with_one_that_differs(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    suspended(tmp_path)
    other = msgspec.structs.replace(RUN, **change)
    with pytest.raises(InputError, match=words):
        OutputFolder.claim(tmp_path, False, other)
    OutputFolder.claim(tmp_path, True, other).discard()
    assert names(tmp_path) == []


def test_the_same_run_started_again_resumes_whatever_its_workers(tmp_path: Path) -> None:
    suspended(tmp_path)
    for force in (False, True):
        folder = OutputFolder.claim(
            tmp_path, force, msgspec.structs.replace(RUN, workers=7, run_id="new", address="a:1")
        )
        assert (folder.resumed, folder.run.run_id) == (True, "r")
        assert folder.suspend()


def test_what_was_cut_off_before_anything_was_written_is_removed(tmp_path: Path) -> None:
    folder = claim(tmp_path)
    opened(folder.partial).append(chunk(0, piece(b"lost")))
    os.close(folder._lock)
    other = OutputFolder.claim(tmp_path, False, msgspec.structs.replace(RUN, seed=2))
    assert not other.resumed
    other.discard()
    assert names(tmp_path) == []


NEWER = SCHEMA + 1


def test_what_a_newer_release_left_unfinished_is_refused_and_named(tmp_path: Path) -> None:
    suspended(tmp_path)
    path = tmp_path / PARTIAL / RUN_FILE
    path.write_bytes(msgspec.json.encode({"schema": NEWER, "version": "9.1", "whatever": []}))
    for refused in (lambda: find_unfinished_run(tmp_path), lambda: claim(tmp_path)):
        with pytest.raises(InputError, match=rf"newer goldenhour \('9.1', schema {NEWER}\).*up to schema"):
            refused()
    finished(tmp_path, force=True)


def test_what_a_newer_release_adds_under_the_same_schema_is_ignored(tmp_path: Path) -> None:
    suspended(tmp_path)
    partial = tmp_path / PARTIAL
    document = json.loads((partial / RUN_FILE).read_bytes()) | {"colour": "red"}
    (partial / RUN_FILE).write_text(json.dumps(document))
    path = partial / "journal-0.jsonl"
    header, entry = path.read_bytes().splitlines()
    text = entry[9:].replace(b'{"next"', b'{"colour":"red","next"')
    path.write_bytes(header + b"\n" + b"%08x %s\n" % (zlib.crc32(text), text))
    left = find_unfinished_run(tmp_path)
    assert left is not None
    assert left.differences(RUN) == []
    assert journal.read_journal(path).next == {"chunk": 1}
    assert claim(tmp_path).resumed


def test_a_journal_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    text = json.dumps({"schema": NEWER, "version": "9.1"}).encode()
    (tmp_path / "journal-0.jsonl").write_bytes(b"%08x %s\n" % (zlib.crc32(text), text))
    with pytest.raises(InputError, match="newer goldenhour"):
        opened(tmp_path)


def test_a_finished_run_of_a_newer_release_is_not_replaced_in_part(tmp_path: Path) -> None:
    finished(tmp_path)
    document = json.loads((tmp_path / "manifest.json").read_bytes())
    assert document["schema"] == SCHEMA
    (tmp_path / "manifest.json").write_text(json.dumps(document | {"schema": NEWER}))
    with pytest.raises(InputError, match="newer goldenhour"):
        claim(tmp_path, force=True)
    assert (tmp_path / "patients-00000.jsonl").exists()


def test_a_manifest_of_the_releases_before_schemas_is_understood(tmp_path: Path) -> None:
    finished(tmp_path)
    document = json.loads((tmp_path / "manifest.json").read_bytes())
    del document["schema"]
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    finished(tmp_path, force=True, data=b"two\n")
    assert (tmp_path / "patients-00000.jsonl").read_bytes() == b"two\n"


def test_a_hidden_folder_without_our_marker_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / PARTIAL / "mine").write_text("mine")
    with pytest.raises(InputError):
        claim(tmp_path, force=True)
    assert (tmp_path / PARTIAL / "mine").exists()


def test_an_unwritable_folder_is_reported_with_its_reason(tmp_path: Path) -> None:
    folder = Path("/sys") if os.geteuid() == 0 else tmp_path
    if folder == tmp_path:
        tmp_path.chmod(0o555)
    with pytest.raises(RunError, match="cannot write"):
        claim(folder / "goldenhour", force=False)


def test_a_foreign_file_that_appears_during_the_run_is_not_overwritten(tmp_path: Path) -> None:
    folder = claim(tmp_path)
    writer = opened(folder.partial)
    writer.append(chunk(0, piece(b"a")))
    (tmp_path / "patients-00000.jsonl").write_text("mine")
    with pytest.raises(RunError, match="not ours"):
        folder.publish(MANIFEST, writer.close(), {})
    folder.discard()
    assert names(tmp_path) == ["patients-00000.jsonl"]
    assert (tmp_path / "patients-00000.jsonl").read_text() == "mine"


def test_the_manifest_of_plain_parts_names_no_library(tmp_path: Path) -> None:
    finished(tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    assert "content_sha256" not in text
    assert "libraries" not in text


@pytest.mark.parametrize("name", ["summary.json", "scenario.toml", "patients-00000.jsonl"])
def test_a_file_of_the_user_is_not_taken_for_one_that_was_being_published(tmp_path: Path, name: str) -> None:
    suspended(tmp_path)
    partial = tmp_path / PARTIAL
    part = {"path": "patients-00000.jsonl", "bytes": 4, "sha256": hashlib.sha256(b"one\n").hexdigest()}
    (partial / "manifest.json").write_text(json.dumps({**MANIFEST, "parts": [part]}))
    (tmp_path / name).write_text("mine")
    again = claim(tmp_path)
    with pytest.raises(RunError, match="is not ours to replace"):
        again.publish(
            MANIFEST, opened(again.partial).close(), {"summary.json": b"{}\n", "scenario.toml": b"\n"}
        )
    again.discard()
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_refused_force_has_removed_nothing(tmp_path: Path) -> None:
    suspended(tmp_path)
    (tmp_path / PARTIAL / "mine").mkdir()
    before = {path.name: path.read_bytes() for path in (tmp_path / PARTIAL).iterdir() if path.is_file()}
    with pytest.raises(InputError, match="holds a folder"):
        OutputFolder.claim(tmp_path, True, msgspec.structs.replace(RUN, seed=2))
    assert {
        path.name: path.read_bytes() for path in (tmp_path / PARTIAL).iterdir() if path.is_file()
    } == before
