"""Memory for the tables of chunks: what is used again, and what happens where there is none."""

import queue
import subprocess
import sys
import threading
from pathlib import Path

from actors.cluster import PACKAGE_ROOT
from engine.tables import OutputPool

SCRIPT = """if True:
    import resource, sys
    from pathlib import Path
    sys.path.insert(0, "tests")
    from actors.run import run_scenario
    from engine.errors import StoppedRun
    from runs import request

    def report(progress):
        if progress.phase == "running":
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + (32 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

    try:
        run_scenario(request(Path(sys.argv[1]), patients=50_000, workers=0), report)
    except StoppedRun as error:
        print(error)
"""


def test_a_run_without_memory_for_its_next_tables_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "out")]
    ended = subprocess.run(command, cwd=PACKAGE_ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout.startswith("out of memory: use a smaller --chunk-size"), ended.stderr


def test_memory_of_tables_that_another_thread_frees_is_used_again() -> None:
    pool = OutputPool()
    held = [pool.take() for _ in range(4)]
    places = {output.ctypes.data for output in held}
    freed: queue.SimpleQueue[object] = queue.SimpleQueue()
    for output in held:
        output["rows"] = 1
        freed.put(output)
    del output, held

    def free() -> None:
        while not freed.empty():
            freed.get()

    thread = threading.Thread(target=free)
    thread.start()
    thread.join()
    again = [pool.take() for _ in range(3)]
    assert len({output.ctypes.data for output in again}) == 3
    assert sum(output.ctypes.data in places for output in again) >= 2
    assert not any(output["rows"].any() for output in again)
