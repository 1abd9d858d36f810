"""Compilation: compiles the entry points that a run needs, in processes of their own, side by side.

A process that only simulates or writes records never imports the compiler. What a process here has compiled comes back
over its standard output, and lies in the cache for the next run. Where such a process cannot start, or dies, the entry
point is compiled by whoever calls it first.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from actors.cluster import PACKAGE_ROOT
from actors.run.messages import Compiling
from engine.identity import cache_root

if TYPE_CHECKING:
    from engine.numeric import NativeFunction
    from engine.run import EntryPoints

TICK_SECONDS = 0.1
"""Time between two reports."""


class Compilation:
    """Compiles those of `wanted` that are not in the cache. Use it in a `with` statement, which ends its processes."""

    def __init__(self, wanted: "Iterable[EntryPoints]") -> None:
        missing = [
            (each.name, [function for function in each.functions if not function.is_cached()])
            for each in wanted
        ]
        self._waiting = deque((name, functions) for name, functions in missing if functions)
        self._total = sum(len(functions) for _, functions in self._waiting)
        self._done = 0
        self._running: dict[threading.Thread, tuple[str, subprocess.Popen[bytes]]] = {}
        self._limit = _cores()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait(self, seconds: float) -> Compiling | None:
        """Start what can be started, and wait so long at most. Returns how far it is; None at the end."""
        for thread in [thread for thread in self._running if not thread.is_alive()]:
            del self._running[thread]
        while self._waiting and len(self._running) < self._limit:
            self._start(*self._waiting.popleft())
        if not self._running:
            return None
        next(iter(self._running)).join(seconds)
        names = [name for name, _ in self._running.values()]
        return Compiling(" and ".join(names), min(self._done + 1, self._total), self._total)

    def close(self) -> None:
        """End the processes that are still compiling."""
        for _, process in self._running.values():
            with contextlib.suppress(OSError):
                process.kill()
        for thread in self._running:
            thread.join()
        self._running.clear()
        self._waiting.clear()

    def _start(self, name: str, functions: "list[NativeFunction]") -> None:
        """Start a process that compiles entry points one after the other, and a thread that reads what it returns."""
        places = [":".join(function.place) for function in functions]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(PACKAGE_ROOT), *filter(None, sys.path)])
        }
        if os.environ.get("GOLDENHOUR_CACHE_DIR"):
            environment["GOLDENHOUR_CACHE_DIR"] = str(cache_root())  # it may be relative to this folder
        try:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"from {__name__} import compile_and_send; compile_and_send()",
                    *places,
                ],
                cwd=PACKAGE_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return
        thread = threading.Thread(target=self._receive, args=(process, functions), name="goldenhour-compiler")
        self._running[thread] = name, process
        thread.start()

    def _receive(self, process: "subprocess.Popen[bytes]", functions: "list[NativeFunction]") -> None:
        """Load the machine code that a process returns. If it dies, what is missing is compiled when it is called."""
        assert process.stdout is not None
        with process:
            for function in functions:
                code = _receive_code(process.stdout)
                if code is None:
                    break
                function.provide(code)
                self._done += 1


def _receive_code(stream: IO[bytes]) -> bytes | None:
    """Read one object file; None where the stream ends before."""
    size = stream.read(8)
    code = stream.read(int.from_bytes(size, "little")) if len(size) == 8 else b""
    return code if code and len(code) == int.from_bytes(size, "little") else None


def compile_and_send() -> None:
    """Compile the entry points that the arguments name, and write each object file with its size to stdout."""
    from importlib import import_module

    from engine.numeric import compile_to_cache

    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may come between
    for place in sys.argv[1:]:
        module, name = place.split(":")
        code = compile_to_cache(getattr(import_module(module), name))
        stream.write(len(code).to_bytes(8, "little") + code)
        stream.flush()


def compile_before(wanted: "Iterable[EntryPoints]", report: Callable[[Compiling], None]) -> None:
    """Compile what is not in the cache, and report several times a second what is being compiled."""
    with Compilation(wanted) as compilation:
        while (state := compilation.wait(TICK_SECONDS)) is not None:
            report(state)


def _cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


__all__ = ["Compilation", "compile_and_send", "compile_before"]
