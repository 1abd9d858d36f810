"""Mutated scenarios through `scenarios check` and `run` with 50 patients or a full chunk: `make bench-scenario-fuzz`.

Each is checked and run by the commands, in a process that serves one after another. A traceback, a check of more than
5 s of processor time, a run of more than a minute or more than 1 GB of memory is a fault; faults are printed with the
number of the scenario. What `check` refuses may run, because the number of patients replaces the
scenario's. `--write NUMBER` writes one to a file. Exits with 1 after a fault.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import results_file
from bench.scenario_mutations import mutated

CHECK_SECONDS = 5.0
RUN_SECONDS = 60.0
MAX_BYTES = 1e9
ADDRESS_BYTES = 8 << 30
"""Address space of a process, so that a fault cannot take the memory of the machine."""


def main() -> int:
    """Check and run the scenarios of consecutive numbers; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=10_000, help="how many scenarios (default 10,000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--write", type=int, metavar="NUMBER", help="only write the scenario of this number")
    given = parser.parse_args()
    if given.write is not None:
        scenario = mutated(given.write)
        path = Path(f"scenario-{given.write}{scenario.suffix}")
        path.write_bytes(scenario.text)
        print(path, *scenario.changes, sep="\n  ")
        return 0
    counts, faults = _serve_all(range(given.first, given.first + given.number))
    figures = dict(sorted(counts.items()))
    print(json.dumps(figures, indent=1))
    results_file.append("scenario_fuzz", {"first": given.first, "number": given.number, **figures})
    return 1 if faults else 0


def _serve_all(numbers: range) -> tuple[Counter[str], list[str]]:
    """Hand one number after another to a process, a new one after a hang; return counts and faults."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    slowest = {"check": 0.0, "run": 0.0}
    peak = 0.0
    worker: tuple[Any, Connection] | None = None
    begin = time.monotonic()
    for number in numbers:
        worker = worker or _start_worker()
        process, pipe = worker
        pipe.send(number)
        answer = _answer(pipe)
        if answer is None:
            process.kill()
            process.join()
            worker = None
            answer = {"faults": ["no answer: it hangs, or its process died"]}
        for name in answer.get("counts", ()):
            counts[name] += 1
        for name in slowest:
            slowest[name] = max(slowest[name], answer.get(name, 0.0))
        peak = max(peak, answer.get("peak", 0.0))
        for fault in answer["faults"]:
            counts["faults"] += 1
            faults.append(fault)
            print(f"{number}: {fault}\n    {'; '.join(mutated(number).changes)}", flush=True)
        counts["scenarios"] += 1
        if counts["scenarios"] % 500 == 0:
            print(
                f"{counts['scenarios']:,} in {time.monotonic() - begin:.0f} s: {dict(counts)}",
                file=sys.stderr,
            )
    if worker is not None:
        worker[1].send(None)
        worker[0].join()
    print(
        f"slowest check {slowest['check']:.2f} s, slowest run {slowest['run']:.2f} s, most memory {peak / 1e6:,.0f} MB"
    )
    print(f"{time.monotonic() - begin:.0f} s in all")
    return counts, faults


def _answer(pipe: Connection) -> dict[str, Any] | None:
    """What the process says of a scenario; None if it takes too long or has died."""
    with contextlib.suppress(EOFError):
        if pipe.poll(CHECK_SECONDS + RUN_SECONDS + 10):
            answer: dict[str, Any] = pipe.recv()
            return answer
    return None


def _start_worker() -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_worker, args=(there,), daemon=True)
    process.start()
    return process, here


def _worker(pipe: Connection) -> None:
    """Check and run the scenarios whose numbers come in; answer each with its faults, counts, seconds and peak."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _warm_up()
        while (number := pipe.recv()) is not None:
            pipe.send(_try(number))


def _warm_up() -> None:
    """Load all modules and the compiled kernel, so that their time is not counted."""
    _command(["scenarios", "check", "brigade"])
    _command(["run", "brigade", "--patients", "50", "--workers", "0", "--no-store", "--force", "-o", "out"])


def _try(number: int) -> dict[str, Any]:
    scenario = mutated(number)
    path = Path(f"s{scenario.suffix}")
    path.write_bytes(scenario.text)
    _reset_peak()
    faults: list[str] = []
    begin = time.process_time()  # not the time that others take on the machine
    code, message = _command(["scenarios", "check", str(path)])
    answer: dict[str, Any] = {"check": time.process_time() - begin, "faults": faults, "counts": []}
    if answer["check"] > CHECK_SECONDS:
        faults.append(f"check took {answer['check']:.1f} s")
    if code not in (0, 2):
        faults.append(f"check ended with {code}: {message}")
    answer["counts"].append("accepted" if code == 0 else "refused")
    begin = time.perf_counter()
    words = [
        "--patients",
        str(scenario.patients),
        "--workers",
        "0",
        "--no-store",
        "--quiet",
        "--force",
        "-o",
        "out",
    ]
    code, message = _command(["run", str(path), *words])
    answer["run"] = time.perf_counter() - begin
    if answer["run"] > RUN_SECONDS:
        faults.append(f"run took {answer['run']:.1f} s")
    if code not in (0, 1, 2) or "internal error" in message:
        faults.append(f"run ended with {code}: {message}")
    answer["counts"].append({0: "run ended", 1: "run said why not", 2: "run refused"}.get(code, "run failed"))
    if code == 1:
        answer["counts"].append(f"why: {_kind(message)}")
    answer["peak"] = _peak_bytes()
    if answer["peak"] > MAX_BYTES:
        faults.append(f"{answer['peak'] / 1e6:,.0f} MB of memory")
    return answer


def _command(words: list[str]) -> tuple[int, str]:
    """The exit code of a command and what it says on stderr; code 99 and the traceback for an exception."""
    from goldenhour.__main__ import run

    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = run(words)
        except BaseException:
            return 99, traceback.format_exc()[-1500:]
    return code, said.getvalue()


def _kind(message: str) -> str:
    """The sort of reason that a run gives."""
    text = message.removeprefix("goldenhour: ")
    return " ".join(word for word in text.split()[:3] if not any(letter.isdigit() for letter in word))


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1024
    return 0.0


if __name__ == "__main__":
    raise SystemExit(main())
