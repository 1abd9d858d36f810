"""Compilation: compiles the entry points that a run needs, in processes of their own, side by side.

A process that only simulates or writes records never imports the compiler. What a process here has compiled comes back
over its standard output, and lies in the cache for the next run. Where such a process cannot start, dies, hangs or
has the files of another engine, the entry point is compiled by whoever calls it first.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from actors.cluster import PACKAGE_ROOT, environment_of_process
from actors.run.messages import Compiling

if TYPE_CHECKING:
    from engine.run import EntryPoints

TICK_SECONDS = 0.1
"""Time between two reports."""

HANG_SECONDS = 600.0
"""Once a process was waited for so long and has finished no entry point, it is ended. The largest takes a minute on a
busy machine."""

_GREETING = b"goldenhour machine code "
"""What a process writes first, before the digest of what its machine code depends on."""

_WAITING, _COMPILING, _CODE = b"w", b"c", b"o"
"""What a process says: that it waits for another one, that it compiles, or that an object file follows."""


class _Process:
    """A process that compiles entry points one after the other, and a thread that loads what it returns."""

    process: "subprocess.Popen[bytes]"

    def __init__(self, wanted: "list[EntryPoints]") -> None:
        self.done = 0
        self._waits = False
        self.waited_seconds = 0.0
        """Time that it was waited for since it has finished an entry point. A run that is stopped does not wait."""
        self._functions = [(each.name, function) for each in wanted for function in each.functions]
        self.thread = threading.Thread(target=self._receive, name="goldenhour-compiler")

    def start(self) -> None:
        """Start it. Leaves no process behind if that fails."""
        places = [":".join(function.place) for _, function in self._functions]
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import compile_and_send; compile_and_send()", *places],
            cwd=PACKAGE_ROOT,
            env=environment_of_process(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.thread.start()
        except BaseException:
            self.end()
            raise

    @property
    def what(self) -> str:
        """What it is compiling."""
        name: str = self._functions[min(self.done, len(self._functions) - 1)][0]
        return f"{name} (waiting for another process that compiles it)" if self._waits else name

    def end(self) -> None:
        """End it, if it has not ended."""
        with contextlib.suppress(OSError):
            self.process.kill()
        if self.thread.ident is not None:
            self.thread.join()
        else:
            with self.process:
                pass

    def _receive(self) -> None:
        """Load the machine code that it returns. If it dies, what is missing is compiled when it is called."""
        assert self.process.stdout is not None
        with self.process, contextlib.suppress(Exception):
            try:
                self._receive_all(self.process.stdout)
            finally:
                if self.done < len(self._functions):
                    self.process.kill()

    def _receive_all(self, stream: IO[bytes]) -> None:
        """Load what a process sends. Returns early where the stream ends, or is not from a process of this engine."""
        from engine.numeric import MOST_BYTES, checked, digest

        greeting = _GREETING + digest().encode()
        if stream.read(len(greeting)) != greeting:
            return
        for _, function in self._functions:
            while (kind := stream.read(1)) in (_WAITING, _COMPILING):
                self._waits = kind == _WAITING
            size = int.from_bytes(stream.read(8), "little")
            if kind != _CODE or size > MOST_BYTES:
                return
            code = checked(function.file, stream.read(size))
            if code is None:
                return
            function.provide(code)
            self._waits = False
            self.waited_seconds = 0.0
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
        if not sys.executable:  # Python is embedded in another program
            return
        try:
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                for share in filter(None, shares):
                    process = _Process(share)
                    process.start()
                    self._processes.append(process)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait(self, seconds: float) -> Compiling | None:
        """Wait so long at most. Returns how far the compilation is; None at the end."""
        for each in self._processes:
            if each.waited_seconds > HANG_SECONDS:
                each.end()
        running = [each for each in self._processes if each.thread.is_alive()]
        if not running:
            return None
        begun = time.monotonic()
        running[0].thread.join(seconds)
        waited = min(time.monotonic() - begun, 2 * seconds)
        for each in running:
            each.waited_seconds += waited
        done = sum(each.done for each in self._processes)
        names = dict.fromkeys(each.what for each in running)
        pids = tuple(each.process.pid for each in running)
        return Compiling(" and ".join(names), min(done + 1, self._total), self._total, pids)

    def close(self) -> None:
        """End the processes that are still compiling."""
        for each in self._processes:
            each.end()


def compile_and_send() -> None:
    """Compile the entry points that the arguments name, and write each object file with its checksum to stdout."""
    from importlib import import_module

    from engine.numeric import compile_to_cache, digest, with_checksum

    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may come between

    def send(*parts: bytes) -> None:
        stream.writelines(parts)
        stream.flush()

    send(_GREETING, digest().encode())
    for place in sys.argv[1:]:
        module, name = place.split(":")
        function = getattr(import_module(module), name)
        code = compile_to_cache(function, lambda waits: send(_WAITING if waits else _COMPILING))
        data = with_checksum(function.file, code)
        send(_CODE, len(data).to_bytes(8, "little"), data)


def compile_before(wanted: "Iterable[EntryPoints]", report: Callable[[Compiling], None]) -> None:
    """Compile what is not in the cache, and report several times a second what is being compiled."""
    with Compilation(wanted) as compilation:
        while (state := compilation.wait(TICK_SECONDS)) is not None:
            report(state)


def _cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


__all__ = ["Compilation", "compile_and_send", "compile_before"]
