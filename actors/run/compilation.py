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
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from actors.cluster import PACKAGE_ROOT
from actors.run.messages import Compiling
from engine.identity import cache_root

if TYPE_CHECKING:
    from engine.run import EntryPoints

TICK_SECONDS = 0.1
"""Time between two reports."""


class _Process:
    """A process that compiles entry points one after the other, and a thread that loads what it returns."""

    def __init__(self, wanted: "list[EntryPoints]") -> None:
        self.done = 0
        self._functions = [(each.name, function) for each in wanted for function in each.functions]
        places = [":".join(function.place) for _, function in self._functions]
        path = os.pathsep.join([str(PACKAGE_ROOT), *filter(None, sys.path)])
        environment = os.environ | {"PYTHONPATH": path}
        if os.environ.get("GOLDENHOUR_CACHE_DIR"):
            environment["GOLDENHOUR_CACHE_DIR"] = str(cache_root())  # it may be relative to this folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import compile_and_send; compile_and_send()", *places],
            cwd=PACKAGE_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.thread = threading.Thread(target=self._receive, name="goldenhour-compiler")
        self.thread.start()

    @property
    def what(self) -> str:
        """What it is compiling."""
        return self._functions[min(self.done, len(self._functions) - 1)][0]

    def end(self) -> None:
        """End it, if it has not ended."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self.thread.join()

    def _receive(self) -> None:
        """Load the machine code that it returns. If it dies, what is missing is compiled when it is called."""
        assert self.process.stdout is not None
        with self.process:
            for _, function in self._functions:
                code = _receive_code(self.process.stdout)
                if code is None:
                    break
                function.provide(code)
                self.done += 1


class Compilation:
    """Compiles those of `wanted` that are not in the cache. Use it in a `with` statement, which ends its processes."""

    def __init__(self, wanted: "Iterable[EntryPoints]") -> None:
        missing = [
            each._replace(
                functions=tuple(function for function in each.functions if not function.is_cached())
            )
            for each in wanted
        ]
        shares: list[list[EntryPoints]] = [[] for _ in range(_cores())]
        for each in sorted((each for each in missing if each.functions), key=lambda each: -each.cost):
            min(shares, key=lambda share: sum(other.cost for other in share)).append(each)
        self._total = sum(len(each.functions) for each in missing)
        self._processes: list[_Process] = []
        with contextlib.suppress(OSError):
            for share in filter(None, shares):
                self._processes.append(_Process(share))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait(self, seconds: float) -> Compiling | None:
        """Wait so long at most. Returns how far the compilation is; None at the end."""
        running = [each for each in self._processes if each.thread.is_alive()]
        if not running:
            return None
        running[0].thread.join(seconds)
        done = sum(each.done for each in self._processes)
        names = dict.fromkeys(each.what for each in running)
        pids = tuple(each.process.pid for each in running)
        return Compiling(" and ".join(names), min(done + 1, self._total), self._total, pids)

    def close(self) -> None:
        """End the processes that are still compiling."""
        for each in self._processes:
            each.end()


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
