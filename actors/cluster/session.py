"""A session on Ray: starting a local one or joining a cluster without output, and leaving it as it was found."""

import contextlib
import importlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from actors.cluster import package_root
from actors.cluster.address import check_reachable, first_line, ray_address
from actors.cluster.local_ray import LOOPBACK_ONLY, local_options
from actors.cluster.pyarrow_import import without_pyarrow
from actors.cluster.ray_start import start_local_ray
from actors.cluster.start_queue import OnQueue
from actors.cluster.termination import terminated_as_interrupted
from engine.errors import InputError

_lock = threading.RLock()
_open_sessions = 0
_owned = False
_cleanup = contextlib.ExitStack()


def default_workers() -> int:
    """Return the number of generators for this machine: all cores but one, which the simulator uses."""
    return max(1, available_cores() - 1)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Session:
    """A connection to Ray, used as a context manager. The last session of a process to close shuts Ray down.

    A Ray that this process had joined before the first session is left running. `local` says whether the run uses a Ray
    of this machine alone, and so all of its cores.
    """

    def __init__(self, local: bool) -> None:
        self.local = local
        self._open = True

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def generators(self) -> int:
        """Return the number of CPUs of all nodes, less one for the simulator."""
        if self.local:
            return default_workers()
        ray: Any = importlib.import_module("ray")
        return max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)

    def close(self) -> None:
        """Leave Ray, and shut down a local one with its last session. Later calls do nothing."""
        global _open_sessions
        with _lock:
            if not self._open:
                return
            self._open = False
            _open_sessions -= 1
            if _open_sessions == 0 and _owned:
                _leave()


def start_session(
    address: str | None, workers: int, shards: int = 0, on_queue: OnQueue = lambda ahead: None
) -> Session:
    """Join the Ray at `address`, or start a local one.

    Parameters
    ----------
    address
        As the user gave it; see `ray_address`.
    workers
        Number of generators: the CPUs of a local Ray.
    shards
        Number of shards of the simulator; they too need room in the object store of a local Ray.
    on_queue
        Called with the number of processes of this user that start their local Rays first, whenever it changes.

    Raises
    ------
    InputError
        The cluster cannot be joined.
    StoppedRun
        A local Ray cannot be started.
    ImportError
        The four packages are not in one directory.
    """
    global _open_sessions, _owned
    package_root.check_package_root()
    where = ray_address(address)
    with _lock:
        check_reachable(where)
        if where == "local":
            os.environ[LOOPBACK_ONLY] = "0"
        ray = importlib.import_module("ray")
        if not ray.is_initialized():
            _join(ray, where, workers, shards, on_queue)
            _owned = True
        elif _open_sessions == 0:
            _owned = False
        _open_sessions += 1
        return Session(local=where == "local")


def _join(ray: Any, where: str, workers: int, shards: int, on_queue: OnQueue) -> None:
    """Join a Ray or start one, and push on `_cleanup` what leaves it again."""

    def initialise(undo: contextlib.ExitStack, **options: Any) -> None:
        try:
            with _in_directory(str(package_root.PACKAGE_ROOT)), without_pyarrow():
                ray.init(log_to_driver=False, logging_level=logging.ERROR, configure_logging=True, **options)
                ray.put(None)  # Ray builds its serialisation context here, while PyArrow is hidden
        except BaseException:
            with contextlib.suppress(Exception):
                _shut_down(ray)
            raise
        undo.callback(_shut_down, ray)

    # `ray.init` installs Ray's handler of SIGTERM: ours has to be installed before, and again after it.
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(terminated_as_interrupted())
        if where == "local":
            cleanup.push(start_local_ray(initialise, local_options(workers, shards), on_queue))
        else:
            try:
                initialise(cleanup, address=where)
            except Exception as error:  # Ray raises bare exceptions too
                raise InputError(
                    f"could not join the Ray cluster at {where!r}: {first_line(error)}"
                ) from error
        cleanup.enter_context(terminated_as_interrupted())
        _cleanup.push(cleanup.pop_all())


def _shut_down(ray: Any) -> None:
    """Shut Ray down with file descriptor 2 redirected to /dev/null.

    Ray's C++ core reports every task that ends with the run on that descriptor (docs/platform.md section 1.6).
    """
    with contextlib.ExitStack() as restore:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
            saved = os.dup(2)
            restore.callback(os.close, saved)
            restore.callback(os.dup2, saved, 2)
            null = os.open(os.devnull, os.O_WRONLY)
            restore.callback(os.close, null)
            os.dup2(null, 2)
        ray.shutdown()


def _leave() -> None:
    global _owned
    _owned = False
    _cleanup.close()


@contextlib.contextmanager
def _in_directory(path: str) -> Iterator[None]:
    """Change to another directory for the length of the block.

    Ray gives its workers the directory in which `ray.init` is called (docs/platform.md section 1.7).
    """
    try:
        before = os.getcwd()  # noqa: PTH109 - Path.cwd() fails too when the directory was removed
    except FileNotFoundError:
        before = None
    os.chdir(path)
    try:
        yield
    finally:
        if before is not None:
            os.chdir(before)
