"""Starting a local Ray: with time limits of ours, a second attempt, and nothing left behind when it fails."""

import contextlib
import copy
import importlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from actors.cluster.address import first_line
from actors.cluster.local_ray import loopback_only, private_token
from actors.cluster.ray_folder import RayFolder, remove_leftovers
from actors.cluster.start_queue import OnQueue, start_turn
from engine.errors import StoppedRun

START_LIMITS = (60.0, 180.0)
"""Seconds that each attempt may take. Ray's own limit is 30, which ten starts at once on two cores exceed."""

WORKER_START_SECONDS = 180
"""Time that a worker process has to report to Ray, instead of 60."""

CONNECT_SECONDS = 20
"""Time that Ray's head process has to accept a connection, instead of 5. Ctrl-C has to wait meanwhile."""

SLICE_MILLISECONDS = 1000
"""Longest wait inside Ray's core, which does not notice Ctrl-C."""

DAEMONS = ("gcs_server", "raylet")
"""Processes of Ray that must be alive, in the order in which they start."""

_END_SECONDS = 5.0


class StartTimeoutError(Exception):
    """Ray was not ready within the limit, or one of its daemons has ended."""


def start_local_ray(
    initialise: Callable[..., None], options: dict[str, Any], on_queue: OnQueue
) -> contextlib.ExitStack:
    """Start a local Ray after the other processes of this user that start one, and return what its end has to undo.

    Parameters
    ----------
    initialise
        Calls `ray.init` with keyword arguments and pushes on the `ExitStack` that it is given what ends this Ray.
    options
        Arguments of `ray.init`.
    on_queue
        Called with the number of processes ahead in the queue.

    Raises
    ------
    StoppedRun
        Ray cannot be started.
    """
    with start_turn(on_queue):
        remove_leftovers()
        for attempt, seconds in enumerate(START_LIMITS, 1):
            try:
                return _start(initialise, options, seconds)
            except StoppedRun:
                raise
            except Exception as error:
                # Exception: Ray raises it bare when a start takes too long.
                if attempt == len(START_LIMITS) or not _may_pass(error):
                    raise StoppedRun(
                        f"could not start Ray on this machine ({attempt} of {len(START_LIMITS)} attempts): "
                        f"{first_line(error)}; --workers 0 runs without Ray"
                    ) from error
    raise AssertionError("START_LIMITS is empty")


def _may_pass(error: Exception) -> bool:
    """Return whether another attempt may succeed."""
    if isinstance(error, OSError):
        return isinstance(error, (ConnectionError, TimeoutError))
    return not isinstance(error, (ValueError, TypeError, ImportError, AttributeError))


def _start(initialise: Callable[..., None], options: dict[str, Any], seconds: float) -> contextlib.ExitStack:
    with contextlib.ExitStack() as undo:
        folder = RayFolder()
        undo.callback(folder.remove)
        undo.callback(_end_processes, folder.path)
        undo.enter_context(private_token())
        undo.enter_context(loopback_only())
        with _limits(seconds, folder.path):
            # A copy: Ray writes into `_system_config` where this attempt spills its objects.
            initialise(undo, **copy.deepcopy(options), _temp_dir=str(folder.temporary))
        return undo.pop_all()


@contextlib.contextmanager
def _limits(seconds: float, folder: Path) -> Iterator[None]:
    """Give Ray `seconds` to start, instead of its own limits, for the length of the block.

    Environment variables with which the user sets Ray's limits are left alone.
    """
    waits = max(seconds, 60.0)
    variables = {
        "RAY_raylet_start_wait_time_s": f"{waits:.0f}",
        "RAY_gcs_rpc_server_connect_timeout_s": str(CONNECT_SECONDS),
        "RAY_raylet_client_num_connect_attempts": f"{waits:.0f}",
        "RAY_agent_register_timeout_ms": f"{1000 * max(seconds, WORKER_START_SECONDS):.0f}",
        "RAY_worker_register_timeout_seconds": str(WORKER_START_SECONDS),
    }
    added = {name: value for name, value in variables.items() if name not in os.environ}
    node: Any = importlib.import_module("ray._private.node")
    services: Any = importlib.import_module("ray._private.services")
    raylet: Any = importlib.import_module("ray._raylet")
    patience = _Patience(seconds, folder)
    get_node, wait_for_port = services.get_node, node.wait_for_persisted_port
    os.environ.update(added)
    # The driver asks again each second; what Ray starts inherits the variables.
    raylet.Config.initialize(json.dumps({"raylet_start_wait_time_s": SLICE_MILLISECONDS // 1000}))
    node.wait_for_persisted_port = lambda *arguments, timeout_ms: patience.call(
        DAEMONS[:1], wait_for_port, *arguments, timeout_ms=min(timeout_ms, SLICE_MILLISECONDS)
    )
    services.get_node = lambda *arguments: patience.call(DAEMONS, get_node, *arguments)
    try:
        yield
    finally:
        services.get_node, node.wait_for_persisted_port = get_node, wait_for_port
        for name in added:
            os.environ.pop(name, None)


class _Patience:
    """Calls a function of Ray again until it succeeds, `seconds` have passed, or a daemon in `folder` has ended."""

    def __init__(self, seconds: float, folder: Path) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._folder = folder

    def call(
        self, daemons: Iterable[str], function: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        """Return what the function returns, which waits for `daemons`. Raises StartTimeoutError."""
        while time.monotonic() < self._until:
            running = _running(self._folder)
            for name in daemons:
                if name not in running:
                    raise StartTimeoutError(f"its process {name} has ended{_reason(self._folder, name)}")
            try:
                return function(*arguments, **options)
            except RuntimeError:
                time.sleep(0.05)
        raise StartTimeoutError(f"it was not ready within {self._seconds:g} s")


def _reason(folder: Path, daemon: str) -> str:
    """Return the last error in the log of a daemon, or nothing."""
    for path in folder.glob(f"r/session_*/logs/{daemon}.*"):
        with contextlib.suppress(OSError):
            lines = path.read_text(errors="replace").splitlines()
            errors = [line.split("]", 1)[-1].strip() for line in lines if " C " in line or " E " in line]
            if errors:
                return f": {errors[-1][:200]}"
    return ""


def _running(folder: Path) -> list[str]:
    """Return the names of the processes that `_processes` finds, without those that end meanwhile."""
    import psutil

    names = []
    for process in _processes(folder):
        with contextlib.suppress(psutil.Error):
            names.append(process.name())
    return names


def _processes(folder: Path) -> list[Any]:
    """Return this process's children that belong to the Ray in `folder`."""
    import psutil

    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any(str(folder) in part for part in child.cmdline()):
                found.append(child)
    return found


def _end_processes(folder: Path) -> None:
    """Kill what a failed or interrupted start has left running. After `ray.shutdown` that is nothing."""
    import psutil

    left = _processes(folder)
    for child in left.copy():
        with contextlib.suppress(psutil.Error):
            left += child.children(recursive=True)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=_END_SECONDS)
