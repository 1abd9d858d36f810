"""What a run needs and the cache lacks is compiled first, by other processes, and said so."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from runs import request

import scenarios
from actors.cluster import PACKAGE_ROOT
from actors.run import compilation, run_scenario
from actors.run.compilation import Compilation, compile_before
from actors.run.messages import Compiling
from actors.run.simulator import FlowSimulator
from engine.arrivals.incidents import fill_renewal
from engine.identity import cache_root
from engine.numeric import NativeFunction, cache_refusal, digest
from engine.run import EntryPoints, entry_points
from engine.scenario import parse, resolve

USUAL = str(cache_root())
"""The folder of the cache that other tests use."""

RUN = """if True:
    import json, sys, time
    from pathlib import Path
    sys.path.insert(0, "tests")
    from actors.run import run_scenario
    from runs import request
    seen = []
    begun = time.monotonic()
    result = run_scenario(request(Path(sys.argv[1]), patients=100, workers=0), seen.append)
    compiling = [progress for progress in seen if progress.phase == "compiling"]
    print(json.dumps({
        "phases": list(dict.fromkeys(progress.phase for progress in seen)),
        "whats": sorted({progress.compiling.what for progress in compiling}),
        "numbers": [progress.compiling.number for progress in compiling],
        "total": max((progress.compiling.total for progress in compiling), default=0),
        "numba": "numba" in sys.modules,
        "seconds": result.seconds,
        "compile_seconds": result.compile_seconds,
        "pss_mb": result.pss_mb,
        "wall": time.monotonic() - begun,
    }))
"""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache."""
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def small() -> EntryPoints:
    """An entry point that is compiled quickly, and not loaded in this process."""
    function = NativeFunction(fill_renewal.module, fill_renewal.name, fill_renewal.arguments)
    return EntryPoints("small", (function,), 1)


def fill(function: NativeFunction) -> list[float]:
    """Call the entry point of `small`."""
    renewal = np.zeros((1, 21))
    function(np.array([[0.0, 1.0]]), np.array([[1, 1, 0]]), renewal)
    return renewal[0].tolist()


def test_a_cold_run_names_what_it_compiles_and_counts_its_seconds_and_memory_apart(empty_cache: Path) -> None:
    def run(name: str) -> dict:
        command = [sys.executable, "-c", RUN, str(empty_cache / name)]
        return json.loads(
            subprocess.run(command, cwd=PACKAGE_ROOT, check=True, stdout=subprocess.PIPE).stdout
        )

    empty_cache.mkdir(mode=0o700)
    cold, warm = run("cold"), run("warm")
    assert cold["phases"][:3] == ["preparing", "compiling", "running"]
    assert any("flow of casualties" in what for what in cold["whats"])
    assert cold["numbers"] == sorted(cold["numbers"])
    assert cold["numbers"][-1] <= cold["total"] == 11
    assert cold["seconds"] < 0.5 * cold["wall"] < cold["compile_seconds"]
    assert cold["seconds"] + cold["compile_seconds"] < cold["wall"]
    assert cold["pss_mb"]["compiler"] > 50
    assert warm["compile_seconds"] == 0
    assert set(warm["pss_mb"]) == {"driver"}
    assert "compiling" not in warm["phases"]
    assert not cold["numba"]
    assert not warm["numba"]


def test_what_a_scenario_does_not_need_is_not_compiled() -> None:
    def needed(name: str, texts: bool = True) -> set[str]:
        scenario = resolve(parse(scenarios.builtin_bytes(name), "toml", name))
        return {function.name for each in entry_points(scenario, texts) for function in each.functions}

    assert "advance_unlimited" in needed("standard")
    assert not {"advance", "draw_counts", "draw_sample"} & needed("standard")
    assert "advance" in needed("brigade")
    assert "advance_unlimited" not in needed("brigade")
    assert "assemble" not in needed("standard", texts=False)


@pytest.mark.usefixtures("empty_cache")
def test_if_the_process_that_compiles_is_killed_the_caller_compiles() -> None:
    wanted = small()
    with Compilation([wanted]) as running:
        assert running.wait(0.0) is not None
        process = running._processes[0].process
        process.kill()
        until = time.monotonic() + 20
        while running.wait(0.1) is not None:
            assert time.monotonic() < until
    assert not wanted.functions[0].is_cached()
    assert fill(wanted.functions[0]) == [1.0] * 21


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("executable", [None, "", "/nowhere/python", "/bin/true", "with a \0 byte"])
def test_where_no_process_can_start_the_caller_compiles(
    executable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    wanted = small()
    compile_before([wanted], lambda state: None)
    assert not wanted.functions[0].is_cached()


@pytest.mark.usefixtures("empty_cache")
def test_a_thread_or_an_interrupt_that_comes_between_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = []
    popen = subprocess.Popen

    def start(*arguments: Any, **named: Any) -> Any:
        begun.append(popen(*arguments, **named))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    for error in (RuntimeError("can't start new thread"), KeyboardInterrupt()):

        def refuse(thread: threading.Thread, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(threading.Thread, "start", refuse)
        with nullcontext() if isinstance(error, RuntimeError) else pytest.raises(KeyboardInterrupt):
            assert Compilation([small()]).wait(0.0) is None
    assert [process.returncode for process in begun] == [-signal.SIGKILL] * 2


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize(
    "program",
    [
        "yes",
        "printf 'goldenhour machine code 0123456789abcdef0123o'; exec yes",
        "printf 'goldenhour machine code DIGESTo\\377\\377\\377\\377\\377\\377\\377\\177'; exec yes",
        "printf 'goldenhour machine code DIGESTo\\100\\0\\0\\0\\0\\0\\0\\0'; exec yes",
    ],
    ids=["noise", "other engine", "endless", "damaged"],
)
def test_what_is_not_machine_code_of_this_engine_is_not_loaded(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\n" + program.replace("DIGEST", digest()))
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    wanted = small()
    begun = time.monotonic()
    with Compilation([wanted]) as running:
        process = running._processes[0]
        while running.wait(0.1) is not None:
            assert time.monotonic() < begun + 20
    assert (process.done, process.process.returncode) == (0, -signal.SIGKILL)
    assert not wanted.functions[0].is_cached()


@pytest.mark.usefixtures("empty_cache")
def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "HANG_SECONDS", 0.3)
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 30\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    begun = time.monotonic()
    with Compilation([small()]) as running:
        time.sleep(0.5)  # as if this process had been stopped
        assert running.wait(0.1) is not None
        assert running.wait(0.0) is not None
        while running.wait(0.1) is not None:
            assert time.monotonic() < begun + 10


def test_a_process_that_waits_for_another_one_says_so(empty_cache: Path) -> None:
    """Whoever holds the lock may have been stopped. Then it is waited for a minute and no longer."""
    wanted = small()
    folder = empty_cache / "native" / digest()
    folder.mkdir(parents=True)
    for each in (empty_cache, folder.parent, folder):
        each.chmod(0o700)
    lock = os.open(folder / f"{wanted.functions[0].file}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    seen = []

    def report(state: Compiling) -> None:
        seen.append(state.what)
        if "waiting" in state.what:
            fcntl.flock(lock, fcntl.LOCK_UN)

    try:
        compile_before([wanted], report)
    finally:
        os.close(lock)
    assert list(dict.fromkeys(seen)) == ["small", "small (waiting for another process that compiles it)"]
    assert seen[-1] == "small"
    assert wanted.functions[0].is_cached()


@pytest.mark.usefixtures("empty_cache")
def test_simulate_compiles_in_other_processes() -> None:
    code = (
        "import goldenhour, sys\n"
        "from actors.run.compilation import Compilation\n"
        "def wait(running, seconds):\n"
        "    print(sorted(name for each in running._processes for name, _ in each._functions))\n"
        "    print(all(each.process.poll() is None for each in running._processes))\n"
        "    print('numba' in sys.modules, 'ray' in sys.modules)\n"
        "    raise SystemExit\n"
        "Compilation.wait = wait\n"
        "goldenhour.simulate('standard', patients=20)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE_ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    names = [*["arrivals"] * 5, "flow of casualties", *["measures"] * 4]
    assert output.splitlines() == [str(names), "True", "False False"]


def test_what_was_compiled_is_loaded_also_where_nothing_can_be_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "file"))
    wanted = small()
    compile_before([wanted], lambda state: None)
    assert wanted.functions[0].is_cached()
    assert fill(wanted.functions[0]) == [1.0] * 21


@pytest.mark.usefixtures("empty_cache")
def test_leaving_early_ends_the_processes() -> None:
    with Compilation([small()]) as running:
        running.wait(0.0)
        process = running._processes[0].process
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_cache_of_code_that_others_could_have_written_is_named_in_the_notes(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as usual:
        usual.setenv("GOLDENHOUR_CACHE_DIR", USUAL)
        assert run_scenario(request(tmp_path / "usual", patients=10, workers=0)).notes == ()
    assert cache_refusal() is None  # there is no such folder yet
    folder = empty_cache / "native" / digest()
    folder.mkdir(parents=True, mode=0o700)
    for parent in (empty_cache, folder.parent):
        parent.chmod(0o700)
    (folder / "a.o").touch(0o600)
    assert cache_refusal() is None
    for path, mode in ((folder / "a.o", 0o666), (folder, 0o777)):
        path.chmod(mode)
        (note,) = run_scenario(request(tmp_path / str(mode), patients=10, workers=0)).notes
        assert f"other users can write to {path}; remove it; the run continued without the cache" in note
    asked = request(tmp_path)
    simulator = FlowSimulator(msgspec.json.encode(asked.scenario), 7, 0, asked.chunk_size)
    assert f"other users can write to {folder}" in (simulator.prepare() or "")
