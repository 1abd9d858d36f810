"""Processes are killed, disks fill, users interrupt: the same bytes, or the reason and how to resume."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace
from runs import KillOnce, children, digests, request

from actors.cluster import package_root
from actors.cluster import session as cluster
from actors.run import Progress, journal, run_scenario
from actors.run.partial_folder import PARTIAL
from engine.errors import RunError, StoppedRun

pytestmark = pytest.mark.ray

PATIENTS = 60_000
"""Enough for a run to be still under way when its first patients are on file."""


@pytest.fixture(scope="module", autouse=True)
def ray() -> Any:
    """One local Ray for all tests of the module."""
    with cluster.start_session(None, workers=1) as session:
        yield session


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the undisturbed run."""
    output = tmp_path_factory.mktemp("undisturbed")
    run_scenario(request(output, patients=PATIENTS, workers=0, formats=("jsonl", "parquet")))
    return digests(output)


@pytest.mark.parametrize(
    ("title", "recoveries"), [("ray::generate", 0), ("ray::FlowSimulator", 1), ("ray::Writer", 1)]
)
def test_a_killed_process_changes_no_byte(
    tmp_path: Path, expected: dict[str, str], title: str, recoveries: int
) -> None:
    killer = KillOnce(title)
    result = run_scenario(request(tmp_path, patients=PATIENTS, formats=("jsonl", "parquet")), killer)
    assert killer.left == 0
    assert result.recoveries == recoveries
    assert ("recovering" in killer.phases) == bool(recoveries)
    assert digests(tmp_path) == expected


@pytest.mark.parametrize("title", ["ray::ShardSimulator", "ray::MergingSimulator"])
def test_a_killed_shard_changes_no_byte(tmp_path: Path, expected: dict[str, str], title: str) -> None:
    killer = KillOnce(title)
    asked = request(tmp_path, patients=PATIENTS, formats=("jsonl", "parquet"), simulators=2)
    result = run_scenario(asked, killer)
    assert (killer.left, result.recoveries) == (0, 1)
    assert digests(tmp_path) == expected
    assert not children("ray::ShardSimulator")


def test_a_process_killed_again_and_again_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    killer = KillOnce("ray::FlowSimulator", times=1000)
    with pytest.raises(StoppedRun, match=r"gave up after 3 recoveries.*ActorDied") as caught:
        run_scenario(request(tmp_path / "out", patients=1_000_000), killer)
    assert (tmp_path / "out").exists() == ("goldenhour resume" in str(caught.value))


class LimitFiles:
    """Progress report that lets the writer's files grow no further than `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes

    def __call__(self, progress: Progress) -> None:
        for process in children("ray::Writer"):
            process.rlimit(psutil.RLIMIT_FSIZE, (self.limit_bytes, self.limit_bytes))


def test_a_file_that_cannot_grow_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write .*patients-00000.jsonl.*larger"):
        run_scenario(request(tmp_path / "out", patients=PATIENTS), LimitFiles(1_000_000))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=False)


def resize(place: Path, megabytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(place)], check=True)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_ends_the_run_with_the_reason(small_disk: Path, workers: int) -> None:
    with pytest.raises(StoppedRun, match="no space left"):
        run_scenario(request(small_disk / "out", patients=10_000, workers=workers))
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_stopped_by_a_full_disk_resumes_when_there_is_space(
    small_disk: Path, expected: dict[str, str], workers: int
) -> None:
    resize(small_disk, 60)
    asked = request(
        small_disk / "out", patients=PATIENTS, formats=("jsonl", "parquet"), workers=workers, sync_seconds=0
    )
    with pytest.raises(StoppedRun, match=r"(?s)no space left.*`goldenhour resume .*out` resumes the run"):
        run_scenario(asked)
    resize(small_disk, 600)
    result = run_scenario(asked)
    assert result.resumed
    assert digests(small_disk / "out") == expected
    assert {path.name for path in (small_disk / "out").iterdir()} == {path.name for path in result.files}


class StopAlways:
    """Progress report that suspends every process with the given title once patients are on file."""

    def __init__(self, title: str) -> None:
        self.title = title

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "running" and progress.patients:
            for process in children(self.title):
                process.suspend()


@pytest.mark.parametrize(
    ("title", "awaited", "simulators"),
    [
        ("ray::FlowSimulator", r"chunk \d+ from the simulator", 1),
        ("ray::ShardSimulator", r"chunk \d+ from the simulator", 2),
        ("ray::Writer", r"writer 0 to write chunk \d+", 1),
    ],
)
def test_the_watchdog_ends_a_stalled_run_and_says_what_it_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str, awaited: str, simulators: int
) -> None:
    monkeypatch.setenv("GOLDENHOUR_STALL_SECONDS", "6")
    with pytest.raises(
        StoppedRun, match=rf"the run stalled: nothing has happened for 6 s, waiting for .*{awaited}"
    ):
        run_scenario(request(tmp_path / "out", patients=1_000_000, simulators=simulators), StopAlways(title))
    _, alive = psutil.wait_procs(children(title), timeout=5)
    assert alive == []


def test_an_error_of_the_engine_is_reported_and_not_tried_again(tmp_path: Path) -> None:
    asked = request(tmp_path / "out")
    asked = replace(asked, scenario=replace(asked.scenario, days="eight"))
    with pytest.raises(RunError, match=r"ValidationError.*days"):
        run_scenario(asked)
    assert not (tmp_path / "out").exists()


SCRIPT = """if True:
    import sys
    from pathlib import Path
    sys.path.insert(0, "tests")
    from actors.run import run_scenario
    from engine.errors import Interrupted
    from runs import request

    def report(progress):
        if progress.phase == sys.argv[3] and (progress.phase != "running" or progress.patients):
            print("now", flush=True)

    try:
        asked = request(Path(sys.argv[1]), patients=20_000_000, workers=int(sys.argv[2]))
        run_scenario(asked, report)
    except Interrupted:
        sys.exit(130)
"""


@pytest.mark.parametrize(
    ("workers", "phase", "number"),
    [
        (1, "running", signal.SIGINT),
        (1, "running", signal.SIGTERM),
        (1, "preparing", signal.SIGINT),
        (0, "running", signal.SIGINT),
    ],
)
def test_an_interrupted_run_ends_within_five_seconds_and_keeps_what_it_has_written(
    tmp_path: Path, workers: int, phase: str, number: signal.Signals
) -> None:
    output = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(output), str(workers), phase],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=package_root.PACKAGE_ROOT,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"now\n"
    family = psutil.Process(process.pid).children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    begin = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - begin < 5
    assert process.returncode == 130
    of_ray = re.compile(rb"\[[^]]* E \d+ \d+\] \w+\.cc:")  # its C++ core may see a worker end before we do
    assert [line for line in errors.splitlines() if not of_ray.match(line)] == []
    assert output.exists() == (phase == "running")
    assert journal.has_entries(output / PARTIAL) == (phase == "running")
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_killed_run_leaves_no_final_name_and_force_replaces_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "out"), "0", "running"],
        stdout=subprocess.PIPE,
        cwd=package_root.PACKAGE_ROOT,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [PARTIAL]
    run_scenario(request(tmp_path / "out", patients=100, workers=0, force=True))
    assert not (tmp_path / "out" / PARTIAL).exists()
