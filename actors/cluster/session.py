"""Starting a local Ray or joining a cluster, quietly, and leaving it as it was found."""

import contextlib
import ctypes
import importlib
import logging
import os
import platform
import secrets
import signal
import socket
import struct
import sys
import threading
import uuid
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from actors.cluster import package_root
from engine.errors import InputError, RunError

OBJECT_STORE_BYTES = 80 * 1024 * 1024
"""Object store of a local Ray with one generator: a window of chunks and frames fits in (DESIGN)."""

OBJECT_STORE_BYTES_PER_GENERATOR = 24 * 1024 * 1024
"""More of it for each further generator, whose chunk and frames are in the store too, and for each shard."""

WORKERS_ARE_EQUAL = {"worker_niceness": 0}
"""Ray lowers the priority of all its workers alike (to 15); `be_nice` does so for those that compute and write, and
what must answer quickly, the store, keeps its own."""

PROMPT_RELEASE = {"free_objects_period_milliseconds": 20, "free_objects_batch_size": 2}
"""Ray drops objects nobody needs any more once a second; chunks and frames of a second fill the whole object store.
Dropped at once, the same pages serve again: 50 MB less in the processes that map them."""

NOBODY_LOOKS = {
    "task_events_report_interval_ms": 0,
    "enable_metrics_collection": False,
    "maximum_gcs_destroyed_actor_cached_count": 100,
    "maximum_gcs_dead_worker_cached_count": 100,
}
"""Ray remembers every task and actor for its dashboard and Prometheus, which a Ray of one's own has not: its daemons
would grow by 0.3 MB a run, and the driver by 0.05."""

LOOPBACK_ONLY = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Read when Ray is imported: "0" keeps every listener of a local Ray on the loopback interface (PLATFORM 1)."""

AUTH_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")

CONNECT_SECONDS = 5.0
"""Time an existing cluster has to accept a connection."""

NICENESS = 10
"""Simulator, generators and writer give way to the driver, the store and everything else on the machine."""

SLICE_NANOSECONDS = 100_000_000
"""Time those that only compute ask to run for at a stretch, instead of some 3 ms: Linux, from 6.12 on, then lets every
other thread that wakes up go first (the longest there is). Together with the writer's lower priority and the store's
shorter turns, a look-up in the store while two runs generate on two cores took 8 to 9 ms at the 99th percentile, not
12 to 15; runs are as fast as before."""

SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""Numbers of the system call, for which Python has no name."""

_lock = threading.RLock()
_users = 0
_owned = False
_undo = contextlib.ExitStack()
_remotes: dict[Any, Any] = {}


def spare_memory() -> None:
    """In a Ray worker: keep Ray's serialisation from importing PyArrow and NumPy on its own account (16 MB each).

    Ray registers serialisers for Arrow objects when it finds the package, and does without when it does not. Called
    where a module of the actors is imported, before the first argument is unpacked; `restore_pyarrow` ends it.
    """
    ray = sys.modules.get("ray")
    if ray is None or "pyarrow" in sys.modules:
        return
    worker = sys.modules["ray._private.worker"].global_worker
    if worker.mode == ray.WORKER_MODE:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]


def restore_pyarrow() -> None:
    """Let PyArrow be imported again, by the Parquet format."""
    if "pyarrow" in sys.modules and sys.modules["pyarrow"] is None:
        del sys.modules["pyarrow"]


def be_nice() -> None:
    """Lower this thread's priority to `NICENESS` and have it interrupted at once by those that wait for an answer."""
    with contextlib.suppress(OSError):
        os.nice(max(0, NICENESS - os.nice(0)))
    number = SCHED_SETATTR.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        with contextlib.suppress(OSError, AttributeError):
            # struct sched_attr: size, policy (0: the usual one), flags, nice, priority, runtime, deadline, period
            attributes = struct.pack("=IIQiIQQQ", 48, 0, 0, os.nice(0), 0, SLICE_NANOSECONDS, 0, 0)
            ctypes.CDLL(None).syscall(number, 0, ctypes.c_char_p(attributes), 0)


def as_remote(thing: Any, identity: str = "", **options: Any) -> Any:
    """`ray.remote` of a function or class of ours, made once in a process.

    Each time Ray wraps the methods of a class anew, those it has wrapped before too, and takes a function for another
    one. To drivers that name the same `identity` a function is one and the same: Ray keeps a queue for each remote
    function and gives a free CPU to the first queue that has something in it, so of two runs one would stand still
    until the other is over.
    """
    found = _remotes.get(thing)
    if found is None:
        ray: Any = importlib.import_module("ray")
        found = _remotes[thing] = ray.remote(**options)(thing) if options else ray.remote(thing)
        if identity:
            found._uuid = uuid.uuid5(uuid.NAMESPACE_OID, identity)
    return found


def default_workers() -> int:
    """Generators for this machine: one core is the simulator's."""
    return max(1, available_cores() - 1)


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ray_address(address: str | None) -> str:
    """Which Ray to use: the address asked for, inside a submitted job the job's cluster, else a local one.

    RAY_ADDRESS alone never decides: a variable forgotten in a shell must not send a run to somebody's cluster.
    """
    if address:
        return (address == "auto" and os.environ.get("RAY_ADDRESS")) or address
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return os.environ.get("RAY_ADDRESS") or "auto"
    return "local"


class Session:
    """A connection to Ray, used as a context manager. The last session of a process to end shuts Ray down.

    A Ray that this process had already joined is used as it is and left running; `ray.init` is then the
    caller's business. `local` says whether this machine's cores are ours to use.
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
        """CPUs of the cluster's nodes, one left to the simulator."""
        if self.local:
            return default_workers()
        ray: Any = importlib.import_module("ray")
        return max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)

    def close(self) -> None:
        """Leave Ray; ends a local one. Safe to call twice."""
        global _users
        with _lock:
            if not self._open:
                return
            self._open = False
            _users -= 1
            if _users == 0 and _owned:
                _leave()


def start_session(address: str | None, workers: int, shards: int = 0) -> Session:
    """Join the Ray at `address`, or start a local one with `workers` CPUs for the generators.

    Its object store has room for what these and so many shards of a simulator hold.

    Raises RunError when Ray cannot be started or joined, ImportError when the packages are not of one directory.
    """
    global _users, _owned
    package_root.check_package_root()
    where = ray_address(address)
    with _lock:
        _check_reachable(where)
        if where == "local":
            os.environ[LOOPBACK_ONLY] = "0"
        ray = importlib.import_module("ray")
        if not ray.is_initialized():
            _join(ray, where, workers, shards)
            _owned = True
        elif _users == 0:
            _owned = False
        _users += 1
        return Session(local=where == "local")


def is_shared_ray(address: str | None) -> bool:
    """Whether a run with this address uses a Ray that outlives it: a cluster, or one that this process has joined."""
    ray = sys.modules.get("ray")
    return ray_address(address) != "local" or (ray is not None and ray.is_initialized())


def _check_reachable(address: str) -> None:
    """Raise InputError unless something listens at host:port: where nothing does, Ray ends the whole process."""
    if address in ("local", "auto"):
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in address:
        raise InputError(f"address of the Ray cluster: got {address!r}; allowed: HOST:PORT, auto or local")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"could not join the Ray cluster at {address!r}: {_first_line(error)}; "
            "is it running, and is this the address that `ray start` printed?"
        ) from error


def _join(ray: Any, where: str, workers: int, shards: int) -> None:
    options: dict[str, Any] = {
        "address": where,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": True,
    }
    if where == "local":
        options |= {
            "include_dashboard": False,
            "_system_config": PROMPT_RELEASE | WORKERS_ARE_EQUAL | NOBODY_LOOKS,
            "num_cpus": max(1, workers),
            "object_store_memory": OBJECT_STORE_BYTES
            + OBJECT_STORE_BYTES_PER_GENERATOR * (max(1, workers) - 1 + shards),
        }
    undo = contextlib.ExitStack()
    try:
        if where == "local":
            undo.enter_context(_private_token())
            undo.enter_context(_loopback_only())
        undo.enter_context(terminated_as_interrupted())
        with _in_directory(str(package_root.PACKAGE_ROOT)), _without_pyarrow():
            ray.init(**options)
            undo.callback(_shut_down, ray)
            ray.put(None)  # makes the serialisation context while PyArrow is out of sight
        undo.enter_context(terminated_as_interrupted())
    except (ConnectionError, TimeoutError, RuntimeError, ValueError, OSError) as error:
        undo.close()
        if where == "local":
            raise RunError(f"could not start Ray on this machine: {_first_line(error)}") from error
        raise InputError(f"could not join the Ray cluster at {where!r}: {_first_line(error)}") from error
    except BaseException:
        with contextlib.suppress(Exception):
            ray.shutdown()
        undo.close()
        raise
    _undo.push(undo)


def _shut_down(ray: Any) -> None:
    """End Ray with file descriptor 2 closed to it: its C++ core reports every task that ends with the run there."""
    with contextlib.ExitStack() as undo:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
            kept = os.dup(2)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, 2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            undo.callback(os.close, nowhere)
            os.dup2(nowhere, 2)
        ray.shutdown()


def _leave() -> None:
    global _owned
    _owned = False
    _undo.close()


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextlib.contextmanager
def _in_directory(path: str) -> Iterator[None]:
    """Work in another directory: workers are given the one in which `ray.init` is called."""
    try:
        before = os.getcwd()  # noqa: PTH109 - a directory that was removed has no Path either
    except FileNotFoundError:
        before = None
    os.chdir(path)
    try:
        yield
    finally:
        if before is not None:
            os.chdir(before)


@contextlib.contextmanager
def _without_pyarrow() -> Iterator[None]:
    hidden = "pyarrow" not in sys.modules
    if hidden:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            restore_pyarrow()


@contextlib.contextmanager
def _loopback_only() -> Iterator[None]:
    """Keeps the listeners of a local Ray on the loopback interface, also where Ray was imported before."""
    constants: Any = importlib.import_module("ray._private.ray_constants")
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def _private_token() -> Iterator[None]:
    """A token of this process's own for a local Ray, instead of a file that Ray would write in the user's home."""
    before = {name: os.environ.get(name) for name in AUTH_VARIABLES}
    if (before["RAY_AUTH_MODE"] or "token").lower() == "token":
        os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    _reread_authentication()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _reread_authentication()


def _reread_authentication() -> None:
    """Make Ray, which remembers mode and token for the life of the process, look at the environment again."""
    raylet = importlib.import_module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that a run asked to end cleans up; Ray's own handler prints a C++ trace."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError, TypeError):
            signal.signal(signal.SIGTERM, before)
