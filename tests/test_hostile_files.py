"""Every field of every file that is read back is replaced by hostile values.

A command then either refuses with one message and changes nothing, or its result is that of the honest file. Nothing
outside the folder of the run ever changes, nothing waits, and there is no traceback.
"""

import contextlib
import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hostile_files import (
    Ground,
    answer,
    assert_none,
    finished,
    ground,
    interrupted,
    journal_line,
    memory,
    mutations,
    read,
    replacements,
    resumed,
    snapshot,
    unfinished,
    without_sync,
    zeros,
)

from actors.run.partial_folder import MARKER, PARTIAL, PUBLISHED
from goldenhour.__main__ import run as command

__all__ = ["finished", "ground", "memory", "unfinished", "without_sync"]


def test_a_run_file(
    ground: Ground, unfinished: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((unfinished / PARTIAL / "run.json").read_bytes())
    document["earlier_files"] = {"patients-00099.jsonl": [1, 2]}
    found = {}
    for label, text in mutations(document, ground.victim):
        if label == "workers: negative":  # as many as there are CPUs: an honest value, which starts Ray
            continue
        ground.reset(unfinished)
        (ground.out / PARTIAL / "run.json").write_bytes(text)
        found[label] = resumed(ground, finished, capsys)
        if (ground.out / PARTIAL).exists():
            shutil.copyfile(unfinished / PARTIAL / "run.json", ground.out / PARTIAL / "run.json")
    assert len(found) > 290
    assert_none(found)
    ground.reset(unfinished)
    document["earlier_files"] = {"patients-00099.jsonl": [1, 2], "manifest.json": [1, 2]}
    (ground.out / PARTIAL / "run.json").write_bytes(json.dumps(document).encode())
    assert resumed(ground, finished, capsys) == []
    assert (ground.out / "manifest.json").exists()


def test_a_run_file_alone_neither_joins_a_cluster_nor_chooses_where_files_are_sent(
    ground: Ground,
    unfinished: Path,
    finished: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RAY_ADDRESS", "RAY_JOB_CONFIG_JSON_ENV_VAR"):
        monkeypatch.delenv(name, raising=False)
    document = json.loads((unfinished / PARTIAL / "run.json").read_bytes())
    for change, words in (
        ({"address": "evil.example:6379", "workers": 1}, "if you trust that cluster, add --address"),
        ({"address": "auto", "workers": 1}, "if you trust that cluster, add --address auto"),
        ({"destination": "s3://evil/p"}, "belongs to the output 's3://evil/p', not to this one"),
    ):
        ground.reset(unfinished)
        (ground.out / PARTIAL / "run.json").write_text(json.dumps(document | change))
        before = snapshot(ground.out)
        assert command(["resume", str(ground.out), "--no-store", "--quiet"]) == 2
        assert words in capsys.readouterr().err
        assert snapshot(ground.out) == before
    ground.reset(unfinished)
    (ground.out / PARTIAL / "run.json").write_text(json.dumps(document | {"address": "evil.example:6379"}))
    assert resumed(ground, finished, capsys) == []  # without workers no cluster is joined
    assert (ground.out / "manifest.json").exists()


def test_a_run_of_another_release_or_engine_is_named_and_not_called_damaged(
    ground: Ground, unfinished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((unfinished / PARTIAL / "run.json").read_bytes())
    for change, words in (
        ({"version": "9.9", "scenario_hash": "0"}, "resume it with goldenhour 9.9"),
        ({"engine": "0" * 16, "scenario_hash": "0"}, "was begun by another build"),
    ):
        ground.reset(unfinished)
        (ground.out / PARTIAL / "run.json").write_text(json.dumps(document | change))
        assert command(["resume", str(ground.out), "--no-store", "--quiet"]) == 2
        assert words in capsys.readouterr().err


def test_an_open_part_with_bytes_but_no_rows_is_refused(
    ground: Ground, unfinished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (unfinished / PARTIAL / "journal-0.jsonl").read_bytes().splitlines()
    entry = json.loads(lines[-1][9:])
    entry["open"][0]["rows"] = 0
    ground.reset(unfinished)
    text = lines[0] + b"\n" + journal_line(json.dumps(entry).encode())
    (ground.out / PARTIAL / "journal-0.jsonl").write_bytes(text)
    assert command(["resume", str(ground.out), "--no-store", "--quiet"]) == 2
    assert "has bytes but no rows" in capsys.readouterr().err


def test_resume_removes_no_file_of_the_user_that_a_run_file_names(
    ground: Ground, unfinished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((unfinished / PARTIAL / "run.json").read_bytes())
    for name in ("patients.csv", "summary.json", "manifest.json"):
        ground.reset(unfinished)
        document["earlier_files"] = {name: [4, 1]}
        (ground.out / PARTIAL / "run.json").write_text(json.dumps(document))
        (ground.out / name).write_text("mine")
        assert command(["resume", str(ground.out), "--no-store", "--quiet"]) != 0
        assert "is not ours to replace" in capsys.readouterr().err
        assert (ground.out / name).read_text() == "mine"


def test_a_journal(
    ground: Ground, unfinished: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (unfinished / PARTIAL / "journal-0.jsonl").read_bytes().splitlines()
    header, entry = (json.loads(line[9:]) for line in (lines[0], lines[-1]))
    assert entry["open"]
    finished_part = {**entry["open"][0], "path": "patients-00001.jsonl", "bytes": 4}
    found = {}
    for number, document in enumerate((header, {**entry, "finished": [finished_part]})):
        for label, text in mutations(document, ground.victim):
            ground.reset(unfinished)
            honest = [lines[0][9:], lines[-1][9:]]
            honest[number] = text
            (ground.out / PARTIAL / "journal-0.jsonl").write_bytes(b"".join(map(journal_line, honest)))
            if number:
                (ground.out / PARTIAL / "patients-00001.jsonl").write_bytes(b"abcd")
            problems = resumed(ground, finished, capsys)
            if is_well_formed(text):  # nothing tells it from a true one before the end of the run
                problems = [each for each in problems if not each.endswith(tuple("']"))]
            found[f"{number}: {label}"] = problems
            if (ground.out / PARTIAL / "journal-0.jsonl").exists():
                shutil.copyfile(
                    unfinished / PARTIAL / "journal-0.jsonl", ground.out / PARTIAL / "journal-0.jsonl"
                )
                (ground.out / PARTIAL / "patients-00001.jsonl").unlink(missing_ok=True)
    assert_none(found)


def is_well_formed(text: bytes) -> bool:
    """Whether the text is an entry that a writer might have written."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        entry = json.loads(text)
        return all(type(number) is int and number >= 0 for number in entry["next"].values())
    return False


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_a_compressed_part_that_is_a_bomb_or_broken(
    ground: Ground, tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = interrupted(ground.folder / "home-run", compress=method)
    lines = (source / PARTIAL / "journal-0.jsonl").read_bytes().splitlines()
    entry = json.loads(lines[-1][9:])
    name = entry["open"][0]["path"]
    whole = (source / PARTIAL / name).read_bytes()
    bombs = {
        "bomb": zeros(400) if method == "zstd" else gzip.compress(bytes(1 << 27)),
        "no frame": b"mine\n" * 9,
        "garbage behind a frame": whole + b"mine\n" * 9,
    }
    for label, data in bombs.items():
        ground.reset(source)
        (ground.out / PARTIAL / name).write_bytes(data)
        entry["open"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (ground.out / PARTIAL / "journal-0.jsonl").write_bytes(
            lines[0] + b"\n" + journal_line(json.dumps(entry).encode())
        )
        before = snapshot(ground.out)
        code, problems = answer(capsys, "resume", str(ground.out), "--no-store", "--quiet")
        assert (code, problems + ground.problems()) == (2, []), label
        assert snapshot(ground.out) == before, label


def test_no_journal_is_read_whole_into_memory(
    ground: Ground, unfinished: Path, finished: Path, capsys: Any
) -> None:
    found = {}
    names = ("run.json", "journal-0.jsonl", "manifest.json", PUBLISHED)
    for name in names:
        for label in ("zeros", "one line"):
            ground.reset(unfinished)
            path = ground.out / PARTIAL / name
            path.unlink(missing_ok=True)
            path.write_bytes(b"" if label == "zeros" else b"x" * 100)
            os.truncate(path, 1 << 34)
            found[f"{name}: {label}"] = resumed(ground, finished, capsys)
    assert_none(found)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "run.json",
        "journal-0.jsonl",
        MARKER,
        "log.jsonl",
        "patients-00000.jsonl",
        "manifest.json",
        PUBLISHED,
    ],
)
def test_something_else_in_the_place_of_a_file_of_an_unfinished_run(
    ground: Ground, unfinished: Path, finished: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {}
    for words in (["resume", "--no-store"], ["run", "--force"]):
        ground.reset(unfinished)
        for label, replace in [*replacements(ground.out / PARTIAL / name, ground)]:
            ground.reset(unfinished)
            for path in (ground.outside / "twin", ground.outside / "new"):
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)
            replace()
            before = snapshot(ground.outside, ())
            rest = (
                ["standard", "--patients", "9", "--workers", "0", "--no-store", "-o"]
                if "run" in words
                else []
            )
            code, problems = answer(capsys, *words, "--quiet", *rest, str(ground.out))
            if snapshot(ground.outside, ()) != before:
                problems.append("something outside of the folder changed")
            problems += [each for each in ground.problems() if "outside" not in each]
            if code == 0 and words[0] == "resume" and read(ground.out / "manifest.json") is None:
                problems.append("exit code 0 without a run")
            found[f"{words}: {label}"] = problems
    assert_none(found)
