"""What the writer promises."""

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from runs import RUN
from written_outputs import MANIFEST, chunk, claim, finished, names, opened, piece

from actors.run import journal
from actors.run.messages import Piece
from actors.run.part_owners import PartOwners
from actors.run.run_file import RUN_FILE
from actors.run.writer import OutOfOrderError, Writer
from engine.errors import InputError, RunError, StoppedRun
from engine.records.formats.compression import compressed


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
    writer = opened(tmp_path)
    writer.append(chunk(0, piece(b"a"), piece(b"w", "wounds-00000.csv", "wounds")))
    receipt = writer.append(chunk(1, piece(b"b", "patients-00001.jsonl")))
    assert [(part.path, part.sha256 is None) for part in receipt.parts] == [
        ("patients-00000.jsonl", False),
        ("patients-00001.jsonl", True),
    ]
    assert [part.path for part in writer.close()] == [
        "patients-00000.jsonl",
        "patients-00001.jsonl",
        "wounds-00000.csv",
    ]


def test_a_chunk_out_of_order_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    writer.append(chunk(0, piece(b"a")))
    for number in (0, 2):
        with pytest.raises(OutOfOrderError):
            writer.append(chunk(number, piece(b"x")))
    writer.append(chunk(1, piece(b"b")))
    assert writer.close()[0].bytes == 2
    assert (tmp_path / "patients-00000.jsonl").read_bytes() == b"ab"


def test_a_second_writer_cuts_off_what_is_not_journalled_and_resumes(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for number, data in enumerate((b"aa", b"bb")):
        first.append(chunk(number, piece(data)))
    first.checkpoint()
    first.append(chunk(2, piece(b"torn"), piece(b"new", "wounds-00000.csv", "wounds")))
    first.release()
    second = opened(tmp_path)
    for number, data in enumerate((b"cc", b"dd"), 2):
        second.append(chunk(number, piece(data)))
    (part,) = second.close()
    (tmp_path / "lone").mkdir()
    lone = opened(tmp_path / "lone")
    for number, data in enumerate((b"aa", b"bb", b"cc", b"dd")):
        lone.append(chunk(number, piece(data)))
    assert [part] == lone.close()
    assert part.sha256 == hashlib.sha256(b"aabbccdd").hexdigest()


@pytest.mark.parametrize(("method", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_a_compressed_part_carries_the_digest_of_its_content(
    tmp_path: Path, method: str, suffix: str
) -> None:
    path = f"patients-00000.jsonl{suffix}"
    first = opened(tmp_path, compress=method)
    for number, data in enumerate((b"aa" * 500, b"bb", b"")):
        first.append(chunk(number, piece(data and compressed(data, method), path)))
    first.checkpoint()
    first.release()
    second = opened(tmp_path)
    second.append(chunk(3, piece(compressed(b"cc", method), path)))
    (part,) = second.close()
    assert part.content_sha256 == hashlib.sha256(b"aa" * 500 + b"bbcc").hexdigest()
    assert part.sha256 == hashlib.sha256((tmp_path / path).read_bytes()).hexdigest()


def test_whole_files_are_written_at_the_end_and_listed_with_their_table(tmp_path: Path) -> None:
    folder = claim(tmp_path / "out", force=False)
    writer = opened(folder.partial)
    writer.append(chunk(0, piece(b"one\n")))
    table = Piece("measures.jsonl.gz", "jsonl", "measures", 0, 2, compressed(b"a\nb\n", "gzip"))
    parts = writer.close([table])
    assert [part.path for part in parts] == ["measures.jsonl.gz", "patients-00000.jsonl"]
    folder.publish(MANIFEST, parts, {})
    assert names(tmp_path / "out") == ["manifest.json", "measures.jsonl.gz", "patients-00000.jsonl"]
    entry = json.loads((tmp_path / "out/manifest.json").read_bytes())["parts"][0]
    assert (entry["table"], entry["rows"], entry["patients"]) == ("measures", 2, 0)
    assert entry["sha256"] == hashlib.sha256((tmp_path / "out/measures.jsonl.gz").read_bytes()).hexdigest()
    assert entry["content_sha256"] == hashlib.sha256(b"a\nb\n").hexdigest()


def test_a_second_writer_makes_whole_files_anew(tmp_path: Path) -> None:
    table = Piece("facilities.csv", "csv", "facilities", 0, 1, b"x\n")
    first = opened(tmp_path)
    first.append(chunk(0, piece(b"a")))
    expected = first.close([table])
    second = opened(tmp_path)
    assert names(tmp_path) == ["journal-0.jsonl", "patients-00000.jsonl", "run.json"]
    assert second.close([table]) == expected
    assert (tmp_path / "facilities.csv").read_bytes() == b"x\n"


def test_bytes_lost_behind_the_writers_back_are_noticed(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.append(chunk(0, piece(b"aaaa")))
    first.checkpoint()
    first.release()
    part = tmp_path / "patients-00000.jsonl"
    for data, message in ((b"aa", "shorter"), (b"aaxa", "does not hold")):
        part.write_bytes(data)
        with pytest.raises(InputError, match=message):
            opened(tmp_path)


@pytest.mark.parametrize("cut", range(0, 400, 13))
def test_wherever_the_journal_breaks_off_the_bytes_come_out_the_same(tmp_path: Path, cut: int) -> None:
    chunks = [
        chunk(n, piece(b"%d" % n * 9), piece(b"w", f"wounds-{n // 2:05}.csv", "wounds")) for n in range(4)
    ]
    first = opened(tmp_path, formats=("jsonl", "csv"))
    for each in chunks:
        first.append(each)
        first.checkpoint()
    first.release()
    kept = tmp_path / "journal-0.jsonl"
    os.truncate(kept, max(0, kept.stat().st_size - 3 * cut))
    second = Writer(str(tmp_path), RUN.run_id)
    for each in chunks[second.open(("chunk",)).next_chunks["chunk"] :]:
        second.append(each)
    (tmp_path / "lone").mkdir()
    lone = opened(tmp_path / "lone", formats=("jsonl", "csv"))
    for each in chunks:
        lone.append(each)
    assert second.close() == lone.close()
    for path in (tmp_path / "lone").glob("*-0000*"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_a_journal_damaged_in_its_middle_is_refused(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for number in range(3):
        first.append(chunk(number, piece(b"a")))
        first.checkpoint()
    first.release()
    path = tmp_path / "journal-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b'"rows":1', b'"rows":7'), *lines[2:]]))
    with pytest.raises(InputError, match="damaged in line 2"):
        opened(tmp_path)


def test_a_second_writer_waits_until_the_first_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(tmp_path)
    monkeypatch.setattr(journal, "LOCK_SECONDS", 0.2)
    with pytest.raises(StoppedRun, match="still being written"):
        opened(tmp_path)
    first.release()
    opened(tmp_path)


def test_a_writer_refuses_a_folder_of_another_run(tmp_path: Path) -> None:
    opened(tmp_path).release()
    for run in ("another", "r"):
        if run == "r":
            (tmp_path / RUN_FILE).unlink()
        with pytest.raises(StoppedRun, match="does not see the run's folder"):
            Writer(str(tmp_path), run).open(("chunk",))
        with pytest.raises(InputError, match="several writers need a folder that all machines share"):
            Writer(str(tmp_path), run, 0, PartOwners(2)).open(("chunk",))


def test_bytes_that_a_disk_failed_to_take_are_never_journalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(tmp_path)
    first.append(chunk(0, piece(b"aa")))
    first.checkpoint()
    first.append(chunk(1, piece(b"bb")))
    before, sync = journal.read_journal(tmp_path / "journal-0.jsonl"), os.fdatasync
    calls = []

    def failing_once(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", failing_once)
    for _ in range(2):  # a second fdatasync would succeed: the system has forgotten the pages that were lost
        with pytest.raises(StoppedRun, match="EIO"):
            first.checkpoint()
    first.release()
    assert len(calls) == 1
    assert journal.read_journal(tmp_path / "journal-0.jsonl") == before
    second = opened(tmp_path)
    second.append(chunk(1, piece(b"bb")))
    assert second.close()[0].sha256 == hashlib.sha256(b"aabb").hexdigest()


def test_every_chunk_has_one_owner() -> None:
    for writers in (1, 2, 3, 5):
        owners = PartOwners(writers, (("chunk", 8), ("part", 2)))
        for lane, size in (("chunk", 8), ("part", 2)):
            for number in range(100):
                (owner,) = [k for k in range(writers) if owners.next_owned(k, lane, number) == number]
                assert owner == owners.owner(lane, number)
                name = f"patients-{number // size:05}.csv"
                assert [k for k in range(writers) if owners.owns_file(k, name)] == [owner]
        first = [True] + [False] * (writers - 1)
        assert [owners.next_owned(k, "whole", 7) == 7 for k in range(writers)] == first
        assert [owners.owns_file(k, "patients.json") for k in range(writers)] == first


def test_a_part_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    folder = tmp_path / "parts"
    folder.mkdir()
    writer = opened(folder)
    (folder / "patients-00000.jsonl").symlink_to(victim)
    with pytest.raises(RunError):
        writer.append(chunk(0, piece(b"a")))
    assert victim.read_bytes() == b"mine"
