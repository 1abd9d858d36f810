"""The time and the memory in the reports of a run's progress."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runs import request

from actors.cluster import Log, Sampler
from actors.run.lanes import formats_by_lane
from actors.run.messages import Compiling
from actors.run.part_owners import part_owners
from actors.run.progress import Progress, ProgressReporter
from actors.run.scheduler import Scheduler

TICK_SECONDS = 0.2


def reporter(folder: Path, seen: list[Progress], sampler: Sampler) -> ProgressReporter:
    """A reporter of a run that has written nothing yet."""
    asked = request(folder)
    scheduler = Scheduler((*formats_by_lane(asked.formats, 1),), part_owners(1, asked.chunk_size))
    return ProgressReporter(asked, "run", scheduler, sampler, Log("run", folder / "log"), seen.append)


def executor(compiling: Compiling | None = None) -> Any:
    """What a reporter asks of an executor."""
    return SimpleNamespace(compiling=compiling, idle_seconds=0.0, queue_depths=dict)


def test_a_compilation_in_the_middle_of_a_run_leaves_the_seconds_before_it(tmp_path: Path) -> None:
    seen: list[Progress] = []
    progress = reporter(tmp_path, seen, Sampler())
    begun = time.perf_counter()
    progress.report(executor(), "running")
    time.sleep(3 * TICK_SECONDS)
    progress.report(executor(), "running")
    before = seen[-1].seconds
    for number in (1, 1, 2):
        progress.report(executor(Compiling("flow", number, 2)), "recovering")
        time.sleep(TICK_SECONDS)
    progress.report(executor(), "recovering")
    assert before >= 3 * TICK_SECONDS
    assert seen[-1].seconds >= before
    assert progress.compile_seconds >= 2 * TICK_SECONDS
    assert progress.seconds + progress.compile_seconds <= time.perf_counter() - begun + TICK_SECONDS
    progress.report(executor(Compiling("flow", 1, 1)), "recovering")
    assert progress.compile_seconds < 4 * TICK_SECONDS, "the time between two compilations counts"


def test_the_memory_of_processes_that_compile_counts_while_they_compile(tmp_path: Path) -> None:
    sampler = Sampler()
    progress = reporter(tmp_path, [], sampler)
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        progress.report(executor(Compiling("flow", 1, 1, (process.pid,))), "preparing")
        sampler.sample()
        assert sampler.breakdown_mb["compiler"] > 1
        progress.report(executor(), "running")
        sampler.sample()
        assert sampler.latest == {}
        process.communicate(b"\n")
    assert sampler.breakdown_mb["compiler"] > 1
