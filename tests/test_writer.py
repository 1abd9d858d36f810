"""What the writer and the output folder promise."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors import one_root, writer
from actors.writer import Delivery, Folder, Ledger, OutOfOrder, Part, Piece, Writer
from engine.errors import InputError, RunError
from engine.formats.compression import compressed

MANIFEST = {"scenario_hash": "0", "seed": 1, "replication": 0, "version": "0", "patients": 3}


def piece(data: bytes, path: str = "patients-00000.jsonl", table: str = "patients") -> Piece:
    return Piece(path, "jsonl", table, 1, 1, data)


def delivery(number: int, *pieces: Piece) -> Delivery:
    return Delivery("chunk", number, 1, list(pieces))


def finished(output: Path, force: bool = False, data: bytes = b"one\n") -> list[Part]:
    """Write one run with a single part into `output`."""
    folder = Folder.claim(output, force)
    scribe = Writer(str(folder.partial))
    scribe.append(delivery(0, piece(data)))
    parts = scribe.close()
    folder.publish(MANIFEST, parts, {"summary.json": b"{}\n", "scenario.toml": b"\n"})
    return parts


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_digest_of_a_part_is_that_of_its_bytes(tmp_path: Path) -> None:
    parts = finished(tmp_path / "out")
    assert parts[0].sha256 == hashlib.sha256(b"one\n").hexdigest()
    assert names(tmp_path / "out") == [
        "manifest.json",
        "patients-00000.jsonl",
        "scenario.toml",
        "summary.json",
    ]
    entry = json.loads((tmp_path / "out/manifest.json").read_bytes())["parts"][0]
    assert entry == {
        "path": "patients-00000.jsonl",
        "format": "jsonl",
        "table": "patients",
        "patients": 1,
        "rows": 1,
        "bytes": 4,
        "sha256": parts[0].sha256,
    }


def test_a_part_ends_where_the_next_part_of_its_table_begins(tmp_path: Path) -> None:
    scribe = Writer(str(tmp_path))
    scribe.append(delivery(0, piece(b"a"), piece(b"w", "wounds-00000.csv", "wounds")))
    receipt = scribe.append(delivery(1, piece(b"b", "patients-00001.jsonl")))
    assert [(part.path, part.sha256 is None) for part in receipt.parts] == [
        ("patients-00000.jsonl", False),
        ("patients-00001.jsonl", True),
    ]
    assert [part.path for part in scribe.close()] == [
        "patients-00000.jsonl",
        "patients-00001.jsonl",
        "wounds-00000.csv",
    ]


def test_a_delivery_out_of_order_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    scribe = Writer(str(tmp_path))
    scribe.append(delivery(0, piece(b"a")))
    for number in (0, 2):
        with pytest.raises(OutOfOrder):
            scribe.append(delivery(number, piece(b"x")))
    scribe.append(delivery(1, piece(b"b")))
    assert scribe.close()[0].bytes == 2
    assert (tmp_path / "patients-00000.jsonl").read_bytes() == b"ab"


def test_a_second_writer_cuts_off_what_has_no_receipt_and_goes_on(tmp_path: Path) -> None:
    first, ledger = Writer(str(tmp_path)), Ledger()
    for number, data in enumerate((b"aa", b"bb")):
        ledger.enter(first.append(delivery(number, piece(data))))
    first.append(delivery(2, piece(b"torn"), piece(b"new", "wounds-00000.csv", "wounds")))
    first.abandon()
    second = Writer(str(tmp_path))
    second.open(ledger.next, tuple(ledger.parts.values()))
    for number, data in enumerate((b"cc", b"dd"), 2):
        second.append(delivery(number, piece(data)))
    (part,) = second.close()
    lone = Writer(str(tmp_path / "lone"))
    (tmp_path / "lone").mkdir()
    for number, data in enumerate((b"aa", b"bb", b"cc", b"dd")):
        lone.append(delivery(number, piece(data)))
    assert [part] == lone.close()
    assert part.sha256 == hashlib.sha256(b"aabbccdd").hexdigest()


@pytest.mark.parametrize(("method", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_a_compressed_part_carries_the_digest_of_its_content(
    tmp_path: Path, method: str, suffix: str
) -> None:
    path = f"patients-00000.jsonl{suffix}"
    first, ledger = Writer(str(tmp_path)), Ledger()
    for number, data in enumerate((b"aa" * 500, b"bb", b"")):
        ledger.enter(first.append(delivery(number, piece(data and compressed(data, method), path))))
    first.abandon()
    second = Writer(str(tmp_path))
    second.open(ledger.next, tuple(ledger.parts.values()))
    second.append(delivery(3, piece(compressed(b"cc", method), path)))
    (part,) = second.close()
    assert part.content_sha256 == hashlib.sha256(b"aa" * 500 + b"bbcc").hexdigest()
    assert part.sha256 == hashlib.sha256((tmp_path / path).read_bytes()).hexdigest()


def test_whole_files_are_written_at_the_end_and_listed_with_their_table(tmp_path: Path) -> None:
    folder = Folder.claim(tmp_path / "out", force=False)
    scribe = Writer(str(folder.partial))
    scribe.append(delivery(0, piece(b"one\n")))
    table = Piece("measures.jsonl.gz", "jsonl", "measures", 0, 2, compressed(b"a\nb\n", "gzip"))
    parts = scribe.close([table])
    assert [part.path for part in parts] == ["measures.jsonl.gz", "patients-00000.jsonl"]
    folder.publish(MANIFEST, parts, {})
    assert names(tmp_path / "out") == ["manifest.json", "measures.jsonl.gz", "patients-00000.jsonl"]
    entry = json.loads((tmp_path / "out/manifest.json").read_bytes())["parts"][0]
    assert (entry["table"], entry["rows"], entry["patients"]) == ("measures", 2, 0)
    assert entry["sha256"] == hashlib.sha256((tmp_path / "out/measures.jsonl.gz").read_bytes()).hexdigest()
    assert entry["content_sha256"] == hashlib.sha256(b"a\nb\n").hexdigest()


def test_a_second_writer_makes_whole_files_anew(tmp_path: Path) -> None:
    table = Piece("facilities.csv", "csv", "facilities", 0, 1, b"x\n")
    first, ledger = Writer(str(tmp_path)), Ledger()
    ledger.enter(first.append(delivery(0, piece(b"a"))))
    expected = first.close([table])
    second = Writer(str(tmp_path))
    second.open(ledger.next, tuple(ledger.parts.values()))
    assert names(tmp_path) == ["patients-00000.jsonl"]
    assert second.close([table]) == expected
    assert (tmp_path / "facilities.csv").read_bytes() == b"x\n"


def test_bytes_lost_behind_the_writers_back_are_noticed(tmp_path: Path) -> None:
    first, ledger = Writer(str(tmp_path)), Ledger()
    ledger.enter(first.append(delivery(0, piece(b"aaaa"))))
    first.abandon()
    os.truncate(tmp_path / "patients-00000.jsonl", 2)
    with pytest.raises(RunError, match="shorter"):
        Writer(str(tmp_path)).open(ledger.next, tuple(ledger.parts.values()))


def test_a_part_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "patients-00000.jsonl").symlink_to(victim)
    with pytest.raises(RunError):
        Writer(str(folder)).append(delivery(0, piece(b"a")))
    assert victim.read_bytes() == b"mine"


def test_an_abandoned_run_leaves_nothing(tmp_path: Path) -> None:
    output = tmp_path / "out"
    folder = Folder.claim(output, force=False)
    Writer(str(folder.partial)).append(delivery(0, piece(b"a")))
    assert names(output) == [writer.PARTIAL]
    folder.abandon()
    assert not output.exists()
    (tmp_path / "kept").mkdir()
    Folder.claim(tmp_path / "kept", force=False).abandon()
    assert names(tmp_path / "kept") == []


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        Folder.claim(tmp_path, force=False)
    assert names(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_file_is_no_output_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="a folder is needed"):
        Folder.claim(tmp_path / path, force=True)


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
    Folder.claim(tmp_path, force=True).abandon()
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
        Folder.claim(tmp_path, force=True)
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
        Folder.claim(output, force=True)
    assert victim.read_text() == "mine"


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from actors.writer import *;"
        "folder = Folder.claim(Path(sys.argv[1]), False);"
        "(folder.partial / 'patients-00000.jsonl').write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False, cwd=one_root.ROOT)
    assert names(tmp_path / "out") == [writer.PARTIAL]
    finished(tmp_path / "out")
    assert writer.PARTIAL not in names(tmp_path / "out")


def test_files_of_a_run_killed_while_it_published_are_removed(tmp_path: Path) -> None:
    code = """if True:
        import os, sys
        from pathlib import Path
        sys.path.insert(0, "tests")  # some packages install one of the name `tests`
        from test_writer import finished
        def replace(source, target):
            if target.name == "summary.json":
                os.kill(os.getpid(), 9)
            Path(source).rename(target)
        os.replace = replace
        finished(Path(sys.argv[1]))
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=one_root.ROOT)
    assert "patients-00000.jsonl" in names(tmp_path)
    assert "manifest.json" not in names(tmp_path)
    assert finished(tmp_path)


def test_a_folder_another_run_is_writing_to_is_refused(tmp_path: Path) -> None:
    folder = Folder.claim(tmp_path, force=False)
    for force in (False, True):
        with pytest.raises(InputError, match="another run"):
            Folder.claim(tmp_path, force)
    folder.abandon()
    finished(tmp_path)


def test_a_hidden_folder_without_our_marker_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / writer.PARTIAL).mkdir()
    (tmp_path / writer.PARTIAL / "mine").write_text("mine")
    with pytest.raises(InputError):
        Folder.claim(tmp_path, force=True)
    assert (tmp_path / writer.PARTIAL / "mine").exists()


def test_an_unwritable_folder_is_reported_with_its_reason(tmp_path: Path) -> None:
    folder = Path("/sys") if os.geteuid() == 0 else tmp_path
    if folder == tmp_path:
        tmp_path.chmod(0o555)
    with pytest.raises(RunError, match="cannot write"):
        Folder.claim(folder / "goldenhour", force=False)


def test_a_foreign_file_that_appears_during_the_run_is_not_overwritten(tmp_path: Path) -> None:
    folder = Folder.claim(tmp_path, force=False)
    scribe = Writer(str(folder.partial))
    scribe.append(delivery(0, piece(b"a")))
    (tmp_path / "patients-00000.jsonl").write_text("mine")
    with pytest.raises(RunError, match="not ours"):
        folder.publish(MANIFEST, scribe.close(), {})
    folder.abandon()
    assert names(tmp_path) == ["patients-00000.jsonl"]
    assert (tmp_path / "patients-00000.jsonl").read_text() == "mine"


def test_the_manifest_of_plain_parts_names_no_library(tmp_path: Path) -> None:
    finished(tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    assert "content_sha256" not in text
    assert "libraries" not in text
