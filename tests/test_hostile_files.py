"""Every field of every file that is read back is replaced by hostile values.

A command then either refuses with one message and changes nothing, or its result is that of the honest file. Nothing
outside the folder of the run ever changes, nothing waits, and there is no traceback.
"""

import asyncio
import base64
import contextlib
import copy
import gzip
import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import obstore
import pytest
import zstandard
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from runs import RUN, request

import goldenhour
from actors.run import RunRequest, Url, progress, recorder, run_scenario
from actors.run.files import Folder
from actors.run.object_store_output import UPLOAD_NOTE, ObjectStoreOutput
from actors.run.output_folder import OutputFolder
from actors.run.partial_folder import MARKER, PARTIAL, PUBLISHED
from actors.run.recorder import FinishedRun
from actors.run.run_file import RunFile
from actors.store import Content, Heartbeat, Registration
from engine.errors import GoldenhourError, InputError, Interrupted
from goldenhour.__main__ import run as command
from goldenhour.cli import fetch
from goldenhour.jobs import log_archive, output_files, output_locations

PATIENTS = 48
SECONDS = 20.0
"""Longest time of one command, on a slow machine with a load beside it."""

MEGABYTES = 300
"""Most memory by which all commands together may grow this process."""

REMOVED = object()
DEEP = "deep"
LINK = "link-to-victim"


def hostile_values(value: Any, victim: Path) -> dict[str, Any]:
    """What replaces a value of a document."""
    found: dict[str, Any] = {
        "null": None,
        "true": True,
        "object": {"a": 1},
        "list": ["../victim", str(victim), LINK],
        "missing": REMOVED,
        "deep": DEEP,
    }
    if isinstance(value, str | list | dict):
        found |= {"absolute path": str(victim), "empty": "", "large": 2**62}
    if isinstance(value, str):
        found |= {
            "path upwards": f"../{victim.name}",
            "link": LINK,
            "file in the hidden folder": "journal-0.jsonl",
            "file of the user": "notes.txt",
            "long": "x" * 300_000,
            "control": "\x1b[2J\x07\n\0",
            "no text": "\udcff",
        }
    elif isinstance(value, int | float):
        found |= {
            "path": str(victim),
            "huge": 10**30,
            "large": 2**62,
            "negative": -1,
            "fraction": 1.5,
            "not a number": float("nan"),
            "infinite": float("inf"),
        }
    return found


def mutations(document: Any, victim: Path) -> Iterator[tuple[str, bytes]]:
    """Every place of a JSON document with every hostile value; and a document with a place more."""
    for place in [*places(document)]:
        *above, last = place
        original = document
        for step in place:
            original = original[step]
        for label, value in hostile_values(original, victim).items():
            changed = copy.deepcopy(document)
            holder = changed
            for step in above:
                holder = holder[step]
            if value is REMOVED:
                del holder[last]
            else:
                holder[last] = value
            text = json.dumps(changed)
            yield (
                f"{'.'.join(map(str, place))}: {label}",
                text.replace('"deep"', "[" * 9999 + "]" * 9999).encode(),
            )
    yield "extra", json.dumps({**document, "replaces": [str(victim)], "path": str(victim)}).encode()
    yield "no object", b"[]"
    yield "no JSON", b"\x80\x04\x95"
    yield "no UTF-8", json.dumps(document).replace('"', '"\xff', 1).encode("latin-1")


def places(document: Any) -> Iterator[tuple[Any, ...]]:
    """The paths to all values, of a list only to the first one; a scenario counts as one value."""
    steps = (*document,) if isinstance(document, dict) else range(min(1, len(document)))
    for step in steps:
        yield (step,)
        if isinstance(document[step], dict | list) and step != "scenario":
            yield from ((step, *below) for below in places(document[step]))


class Hung(BaseException):
    """A command did not end."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise `Hung` if the block takes longer than SECONDS."""

    def stop(*_: Any) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def snapshot(folder: Path, leave_out: tuple[str, ...] = ("log.jsonl",)) -> dict[str, Any]:
    """All files below a folder with their content; links by where they lead."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file() and path.name not in leave_out:
            found[name] = path.read_bytes() if path.stat().st_size < 1 << 26 else path.stat().st_size
        else:
            found[name] = None
    return found


class Ground:
    """A folder with a run, `out`, and beside it what must never change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.outside = folder / "outside"
        self.outside.mkdir()
        self.victim = self.outside / "victim"
        self.victim.write_text("mine\n")
        (folder / "victim").write_text("mine too\n")
        self.before = self._surroundings()
        self._source: Path | None = None
        self._contents: Any = None

    def _surroundings(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in snapshot(self.folder).items()
            if name != "out" and not name.startswith(("out/", "home"))
        }

    def reset(self, source: Path) -> None:
        """Put a copy of a run into `out`, with files of the user beside it, unless it is there as it should be."""
        if (self._source, self._contents) == (source, self._all()):
            shutil.rmtree(self.folder / "home", ignore_errors=True)
            return
        for path in (self.out, self.folder / "home"):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(source, self.out, symlinks=True)
        (self.out / "notes.txt").write_text("mine")
        (self.out / LINK).symlink_to(self.victim)
        (self.out / "sub").mkdir()
        (self.out / "sub/patients-00000.jsonl").write_text("mine")
        self._source, self._contents = source, self._all()

    def _all(self) -> tuple[Any, list[tuple[Path, int]]]:
        """The files in `out` with what they hold, and the type of everything there, folders and the log included."""
        return snapshot(self.out), [
            (path, stat.S_IFMT(path.lstat().st_mode)) for path in sorted(self.out.rglob("*"))
        ]

    def problems(self) -> list[str]:
        """What has changed outside, or among the files of the user."""
        found = [] if self._surroundings() == self.before else ["something outside of the folder changed"]
        mine = {
            "notes.txt": (self.out / "notes.txt").exists() and (self.out / "notes.txt").read_text() == "mine",
            LINK: (self.out / LINK).is_symlink(),
            "sub": (self.out / "sub/patients-00000.jsonl").exists(),
        }
        return found + [f"{name} changed" for name, kept in mine.items() if not kept]


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    """The exit code of a command, and what is wrong with how it ended."""
    try:
        with limited():
            code = command([*words])
    except Hung:
        return -1, ["it hung"]
    except BaseException as error:
        return -1, [f"traceback: {type(error).__name__}: {error}"[:300]]
    said = capsys.readouterr().err
    problems = []
    if code not in (0, 1, 2):
        problems.append(f"exit code {code}")
    if code and not said.startswith("goldenhour: "):
        problems.append(f"no message: {said[:200]}")
    if "Traceback" in said or len(said) > 3000:
        problems.append(f"the message is no message: {said[-300:]}")
    return code, problems


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """No command needs more memory than an honest one."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024


@pytest.fixture(autouse=True)
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here is about power failures, and syncing takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def small(output: Path, **settings: Any) -> RunRequest:
    more = {
        "patients": PATIENTS,
        "chunk_size": 16,
        "workers": 0,
        "sync_seconds": 0,
    }
    return request(output, version=goldenhour.__version__, **{**more, **settings})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a finished run."""
    output = tmp_path_factory.mktemp("finished") / "out"
    run_scenario(small(output))
    return output


def interrupted(output: Path, **settings: Any) -> Path:
    """Leave an unfinished run with a journal."""

    def stop(report: Any) -> None:
        if report.patients:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(progress, "REPORT_SECONDS", 0.0)
        run_scenario(small(output, **settings), stop)
    return output


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an unfinished run."""
    return interrupted(tmp_path_factory.mktemp("unfinished") / "out")


def resumed(ground: Ground, finished: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is wrong after `goldenhour resume`: it refuses and changes nothing, or its result is right."""
    before = snapshot(ground.out)
    code, problems = answer(capsys, "resume", str(ground.out), "--no-store", "--quiet")
    problems += ground.problems()
    if code == 0:
        names = {path.name for path in finished.iterdir()}
        wrong = [name for name in names if read(ground.out / name) != read(finished / name)]
        if wrong:
            problems.append(f"exit code 0 with wrong files: {wrong}")
    elif snapshot(ground.out) != before:
        after = snapshot(ground.out)
        changed = [name for name in {*before, *after} if before.get(name, 0) != after.get(name, 0)]
        problems.append(f"refused, but changed {changed}")
    return problems


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def journal_line(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


def assert_none(found: dict[str, list[str]]) -> None:
    """Show all cases with a problem."""
    wrong = {label: problems for label, problems in found.items() if problems}
    assert not wrong, f"{len(wrong)} of {len(found)}:\n" + "\n".join(
        f"{k}: {v}" for k, v in [*wrong.items()][:40]
    )


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


def replacements(path: Path, ground: Ground) -> Iterator[tuple[str, Callable[[], None]]]:
    """Ways to put something else in the place of a file or folder, with the same content where it has one."""
    twin = ground.outside / "twin"

    def replace(make: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            if path.is_dir():
                shutil.copytree(path, twin)
                shutil.rmtree(path)
            elif path.exists():
                shutil.copyfile(path, twin)
                path.unlink()
            else:
                twin.write_bytes(b"")
            make()

        return call

    yield "link", replace(lambda: path.symlink_to(twin))
    yield (
        "link upwards",
        replace(
            lambda: path.symlink_to("../" * len(path.relative_to(ground.folder).parents) + str(twin)[1:])
        ),
    )
    yield "dangling link", replace(lambda: path.symlink_to(ground.outside / "new"))
    yield "endless", replace(lambda: path.symlink_to("/dev/zero"))
    yield "pipe", replace(lambda: os.mkfifo(path))
    yield "folder", replace(lambda: path.mkdir())
    if not path.is_dir():
        yield "hard link", replace(lambda: os.link(twin, path))


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


def zeros(megabytes: int) -> bytes:
    """A small frame that holds so many zeros."""
    compressor = zstandard.ZstdCompressor().compressobj(size=megabytes << 20)
    return b"".join([compressor.compress(bytes(1 << 20)) for _ in range(megabytes)]) + compressor.flush()


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
