"""Folders of local Rays: private, on any machine, removed afterwards. And their starts, one after the other."""

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import runs

from actors import run as run_wing
from actors.cluster import held_file, package_root, ray_folder, ray_start, start_queue, temporary_folder
from actors.cluster import session as cluster
from actors.store import Server
from engine.errors import Interrupted, StoppedRun

AS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="starts processes of another user"
)
NOBODY = 65534


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide a private folder with a short path, and make it the folder for temporary files."""
    path = Path(tempfile.mkdtemp(prefix="p", dir="/tmp"))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(path))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def nowhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the folder for temporary files as `place`, on a machine that has no other."""
    monkeypatch.setattr(temporary_folder, "SYSTEM_FOLDERS", ("/missing/a", "/missing/b"))
    monkeypatch.setenv("HOME", "/missing/home")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return place


def start(code: str, prefix: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
    """Start a Python program in a process of its own, with its output piped."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", code],
        cwd=package_root.PACKAGE_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run_command(output: Path, *options: str) -> subprocess.Popen[str]:
    """Start `goldenhour run` of a small scenario on a local Ray."""
    command = [
        *runs.GOLDENHOUR,
        "run",
        "standard",
        "--workers",
        "1",
        "--no-store",
        "-o",
        str(output),
        *options,
    ]
    return subprocess.Popen(
        command,
        cwd=package_root.PACKAGE_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return the standard error of a process up to the line that contains `text`."""
    assert process.stderr is not None
    read = ""
    for line in process.stderr:
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} was not printed: {read}")


# Places


@pytest.mark.parametrize("kind", ["letters", "long", "missing", "file", "comma", "open", "system"])
def test_a_folder_that_does_not_suit_is_passed_over(
    kind: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = {"letters": place / "Größe", "long": place / ("x" * 110), "comma": place / "a,b"}.get(
        kind, place / kind
    )
    if kind == "file":
        folder.touch()
    elif kind == "system":
        folder = Path("/proc")
    elif kind != "missing":
        folder.mkdir(mode=0o700)
    if kind == "open":
        folder.chmod(0o777)
    monkeypatch.setenv("TMPDIR", str(folder))
    made = ray_folder.RayFolder()
    try:
        assert made.path.parent in {
            Path(os.path.realpath(name)) for name in temporary_folder.user_folders() if name
        }
        assert stat.S_IMODE(made.path.lstat().st_mode) == 0o700
        assert len(f"{made.path.parent}{ray_folder.PATH_BELOW}") <= ray_folder.SOCKET_PATH_BYTES
    finally:
        made.remove()
    assert not made.path.exists()


def test_a_machine_without_a_place_is_told_in_one_line_what_to_set(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ray_folder.RayFolder().path.parent == nowhere
    monkeypatch.setenv("TMPDIR", "/proc")
    with pytest.raises(StoppedRun, match=r"/proc \(.*/missing/a \(.*set TMPDIR to") as error:
        ray_folder.RayFolder()
    assert "\n" not in str(error.value)


@AS_ROOT
def test_a_folder_of_another_user_with_the_name_of_ours_is_passed_over(place: Path) -> None:
    theirs = place / "goldenhour"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, -1)
    ours = place / "second"
    ours.mkdir(mode=0o700)
    found = temporary_folder.in_first_suitable(
        temporary_folder.private_folder("goldenhour"), [str(place), str(ours)]
    )
    assert found == ours / "goldenhour"
    (ours / "third").symlink_to(theirs)
    with pytest.raises(temporary_folder.NoPrivateFolderError):
        temporary_folder.in_first_suitable(temporary_folder.private_folder("third"), [str(ours)])


@AS_ROOT
def test_the_socket_of_the_database_avoids_a_folder_of_another_user(place: Path) -> None:
    place.chmod(0o755)
    server = Server(place / ("x" * 110))
    first = server._socket_folder()
    assert first.parent == Path("/tmp")
    first.mkdir(mode=0o700)
    try:
        os.chown(first, 12345, -1)
        assert server._socket_folder() == Path("/var/tmp") / first.name
    finally:
        first.rmdir()


# Leftovers


def test_only_what_a_killed_driver_left_is_removed(place: Path) -> None:
    precious = place / "precious"
    precious.mkdir(mode=0o700)
    (precious / ray_folder.OWNER_FILE).touch()
    code = """if True:
        from actors.cluster.ray_folder import RayFolder
        print(RayFolder().path, flush=True)
        input()
    """
    killed, alive = (start(code, stdin=subprocess.PIPE) for _ in range(2))
    left, used = (Path(process.stdout.readline().strip()) for process in (killed, alive) if process.stdout)
    (left / "link").symlink_to(precious)
    (place / "gh-link0000").symlink_to(precious)
    for name, lock in (("gh-nolock00", False), ("gh-open0000", True), ("gh-locklink", False)):
        (place / name).mkdir(mode=0o700)
        if lock:
            (place / name / ray_folder.OWNER_FILE).touch()
    (place / "gh-locklink" / ray_folder.OWNER_FILE).symlink_to(precious / ray_folder.OWNER_FILE)
    (place / "gh-open0000").chmod(0o755)
    killed.kill()
    killed.communicate()
    before = {path.name for path in place.iterdir()}
    ray_folder.remove_leftovers()
    assert before - {path.name for path in place.iterdir()} == {left.name}
    assert (precious / ray_folder.OWNER_FILE).exists()
    assert used.exists()
    alive.communicate("\n")


# The queue

TURN = """if True:
    import sys, time
    from actors.cluster.start_queue import start_turn
    def show(ahead):
        print("ahead", ahead, flush=True)
    with start_turn(show):
        print("start", time.monotonic(), flush=True)
        {work}
        print("end", time.monotonic(), flush=True)
"""


def test_starts_follow_each_other_in_the_order_of_arrival(nowhere: Path) -> None:
    code = TURN.format(work="time.sleep(0.3)").replace(
        "import sys, time",
        "import sys, time; from actors.cluster import temporary_folder; temporary_folder.SYSTEM_FOLDERS = ('', '')",
    )
    waiting = []
    with start_queue.start_turn(lambda ahead: None):
        for number in range(1, 4):
            waiting.append(start(code))
            assert waiting[-1].stdout is not None
            assert waiting[-1].stdout.readline() == f"ahead {number}\n"
        waiting[0].kill()  # a waiting process that ends makes room
    outputs = [process.communicate(timeout=30)[0] for process in waiting]
    times = [
        [float(word) for word in re.findall(r"(?:start|end) ([0-9.]+)", output)] for output in outputs[1:]
    ]
    assert times == sorted(times)
    assert times[0][1] <= times[1][0]
    assert outputs[2].split("start")[0].endswith("ahead 1\nahead 0\n")
    assert {path.name for path in nowhere.glob("goldenhour-*/*")} == {"start.lock"}


def test_a_process_that_hangs_while_it_starts_does_not_stop_the_others_for_ever(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_queue, "HOLD_SECONDS", 0.3)
    folder = temporary_folder.in_first_suitable(
        temporary_folder.private_folder(f"goldenhour-{os.geteuid()}"), [str(nowhere)]
    )
    held = held_file.hold_file(folder / "start.lock")
    seen: list[int] = []
    with start_queue.start_turn(seen.append):
        assert seen == [1, 0]
    os.close(held)


@pytest.mark.ray
def test_ctrl_c_in_the_queue_ends_the_run_at_once(place: Path) -> None:
    with start_queue.start_turn(lambda ahead: None):
        run = run_command(place / "out")
        read_until(run, "to start Ray ...")
        begin = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
        assert time.monotonic() - begin < 3
    assert not (place / "out").exists()
    assert list(place.glob("gh-*")) == []


# Real Rays


@pytest.mark.ray
@AS_ROOT
def test_two_users_have_rays_at_once_and_neither_can_enter_the_folder_of_the_other(place: Path) -> None:
    place.chmod(0o1777)
    code = """if True:
        import sys
        from actors.cluster import start_session
        with start_session(None, 1):
            print("started", flush=True)
            input()
    """
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    read_all = [
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    ]  # Python may be in root's home
    theirs = start(
        code, [*as_nobody, *read_all], stdin=subprocess.PIPE, env={**os.environ, "HOME": "/missing"}
    )
    with cluster.start_session(None, 1):
        (ours,) = [path for path in place.glob("gh-*") if path.stat().st_uid == 0]
        assert theirs.stdout is not None
        assert theirs.stdout.readline() == "started\n", theirs.communicate()
        assert len(list(place.glob("gh-*"))) == 2
        find = subprocess.run([*as_nobody, "find", str(place)], capture_output=True, text=True, check=False)
        assert find.stderr.count("denied") == 1
        assert str(ours) in find.stderr
        assert f"{ours}/" not in find.stdout
        assert stat.S_IMODE(ours.lstat().st_mode) == 0o700
    assert theirs.communicate("\n", timeout=60)[1] == ""
    assert list(place.iterdir()) == []


@pytest.mark.ray
@pytest.mark.parametrize(
    ("phase", "number", "code"),
    [
        ("Starting Ray", signal.SIGINT, 130),
        ("Simulating", signal.SIGTERM, 130),
        ("Simulating", signal.SIGKILL, -9),
    ],
)
def test_no_folder_stays_behind(phase: str, number: int, code: int, place: Path) -> None:
    run = run_command(place / "out", "--patients", "200000")
    read_until(run, phase)
    until = time.monotonic() + 60
    while not list(place.glob("gh-*/r/session_2*/sockets/raylet")) and time.monotonic() < until:
        time.sleep(0.02)
    run.send_signal(number)
    assert run.wait(60) == code
    if number == signal.SIGKILL:
        assert len(list(place.glob("gh-*"))) == 1
        ray_folder.remove_leftovers()  # the next start does this: see the test of a start that takes too long
    shutil.rmtree(place / "out", ignore_errors=True)
    assert list(place.iterdir()) == []


def processes_of_ray() -> list[psutil.Process]:
    """This process's descendants, without those that have ended."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and "ray" in " ".join(process.cmdline()):
                found.append(process)
    return found


@pytest.mark.ray
def test_a_start_that_takes_too_long_is_tried_again_with_more_time(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_start, "START_LIMITS", (0.01, 60.0))
    before = dict(os.environ)
    leftover = place / "gh-leftover"
    leftover.mkdir(mode=0o700)
    (leftover / ray_folder.OWNER_FILE).touch()
    with cluster.start_session(None, 1):
        assert len(list(place.glob("gh-*"))) == 1
    assert list(place.iterdir()) == []
    assert {
        name for name in os.environ.keys() - before.keys() if "wait" in name or "timeout" in name
    } == set()


@pytest.mark.ray
def test_a_run_that_cannot_have_ray_says_so_in_one_line_and_keeps_what_an_earlier_start_wrote(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(progress: run_wing.Progress) -> None:
        if progress.patients:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="resumes the run"):
        run_wing.run_scenario(runs.request(place / "out", workers=0), stop)
    monkeypatch.setattr(ray_start, "START_LIMITS", (0.01, 0.02))
    with pytest.raises(
        StoppedRun, match=r"Ray .*2 of 2 attempts.*0\.02 s; --workers 0 runs without Ray\n`golden"
    ):
        run_wing.run_scenario(runs.request(place / "out", workers=1))
    assert processes_of_ray() == []
    assert list(place.glob("gh-*")) == []
    result = run_wing.run_scenario(runs.request(place / "out", workers=0))
    assert result.resumed
    assert result.patients == 3000


@pytest.mark.ray
def test_a_start_whose_daemon_ends_fails_at_once(place: Path) -> None:
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(0.01):
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if child.name() == "raylet":
                        child.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        with pytest.raises(StoppedRun, match=r"2 of 2 attempts.*its process raylet has ended"):
            cluster.start_session(None, 1)
    finally:
        ended.set()
        thread.join()
    assert list(place.iterdir()) == []


@pytest.mark.ray
def test_several_runs_started_at_once_all_end_with_the_same_files(place: Path) -> None:
    names = ("a", "b", "c", "d")
    started = [run_command(place / name, "--patients", "500") for name in names]
    ends = [(process.communicate(timeout=300)[1], process.returncode) for process in started]
    assert [code for _, code in ends] == [0, 0, 0, 0], ends
    assert any("to start Ray" in text for text, _ in ends)
    first = runs.digests(place / "a")
    assert all(runs.digests(place / name) == first for name in names)
    assert list(place.glob("gh-*")) == []
