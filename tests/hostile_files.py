"""Hostile values for the files that are read back, and the ground on which commands read them."""

import contextlib
import copy
import json
import os
import resource
import shutil
import signal
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from runs import request

import goldenhour
from actors.run import RunRequest, progress, run_scenario
from engine.errors import Interrupted
from goldenhour.__main__ import run as command

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


def zeros(megabytes: int) -> bytes:
    """A small frame that holds so many zeros."""
    compressor = zstandard.ZstdCompressor().compressobj(size=megabytes << 20)
    return b"".join([compressor.compress(bytes(1 << 20)) for _ in range(megabytes)]) + compressor.flush()
