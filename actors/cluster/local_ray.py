"""How a local Ray is set up: its size, its settings, its token and its network interface."""

import contextlib
import importlib
import os
import secrets
from collections.abc import Iterator
from typing import Any

OBJECT_STORE_BYTES = 120 * 1024 * 1024
"""Size of the object store for one generator: a window of chunks and encoded batches (docs/platform.md section 1.8)."""

OBJECT_STORE_BYTES_PER_GENERATOR = 40 * 1024 * 1024
"""Additional size for each further generator, whose chunk and frames are in the store too, and for each shard."""

EQUAL_WORKER_PRIORITY = {"worker_niceness": 0}
"""Keeps the priority of Ray's workers unchanged. Ray would lower it for all of them (docs/platform.md section 1.5).
`lower_priority` lowers it for those that compute or write; the store, which has to answer quickly, keeps its own."""

PROMPT_OBJECT_RELEASE = {"free_objects_period_milliseconds": 20, "free_objects_batch_size": 2}
"""Frees unreferenced objects every 20 ms instead of once a second, so that the same pages are used again: 50 MB less in
the processes that map them (docs/platform.md section 1.8)."""

NO_DASHBOARD_RECORDS = {
    "task_events_report_interval_ms": 0,
    "enable_metrics_collection": False,
    "maximum_gcs_destroyed_actor_cached_count": 100,
    "maximum_gcs_dead_worker_cached_count": 100,
}
"""Turns off the records that only a dashboard or Prometheus reads. With them, Ray's daemons would grow by 0.3 MB
per run and the driver by 0.05 MB (docs/platform.md section 1.1)."""

OTHER_PROCESSES = 2
"""Simulator and writer: they start together with the generators. Ray would start as many processes at a time as there
are generators, so on two cores one after the other."""

LOOPBACK_ONLY = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Environment variable that Ray reads when it is imported. "0" keeps every listener of a local Ray on the loopback
interface (docs/platform.md section 1.2)."""

AUTH_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def local_options(workers: int, shards: int) -> dict[str, Any]:
    """Return the arguments of `ray.init` for a local Ray with CPUs for `workers` generators."""
    return {
        "address": "local",
        "include_dashboard": False,
        "_system_config": PROMPT_OBJECT_RELEASE
        | EQUAL_WORKER_PRIORITY
        | NO_DASHBOARD_RECORDS
        | {"worker_maximum_startup_concurrency": max(1, workers) + OTHER_PROCESSES},
        "num_cpus": max(1, workers),
        "object_store_memory": OBJECT_STORE_BYTES
        + OBJECT_STORE_BYTES_PER_GENERATOR * (max(1, workers) - 1 + shards),
    }


@contextlib.contextmanager
def loopback_only() -> Iterator[None]:
    """Keep the listeners of a local Ray on the loopback interface, even if Ray was imported before."""
    constants: Any = importlib.import_module("ray._private.ray_constants")
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def private_token() -> Iterator[None]:
    """Give a local Ray a token of its own; otherwise Ray writes one into the user's home."""
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
    """Make Ray read mode and token from the environment again. It reads them only once per process."""
    raylet = importlib.import_module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()
