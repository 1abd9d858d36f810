"""The metrics that a run exports to Prometheus through Ray. All names begin with `goldenhour_`; see docs/operations.md.

Any process that has joined Ray may call `add_metric` and `put_metric`; in other processes both do nothing. No function
calls them once per patient: a run updates its metrics when it reports progress, at most ten times a second.
"""

import contextlib
import sys
import threading
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """One metric of the catalogue. `kind` is the class in `ray.util.metrics`; `tags` are the names of the labels."""

    kind: str
    description: str
    tags: tuple[str, ...] = ()


CATALOGUE = {
    "patients": Metric("Counter", "Patients written to files."),
    "chunks": Metric("Counter", "Chunks written to files."),
    "bytes": Metric("Counter", "Bytes written to files."),
    "runs_started": Metric("Counter", "Runs started or resumed.", ("resumed",)),
    "runs_ended": Metric("Counter", "Runs that have finished, failed or been interrupted.", ("state",)),
    "recoveries": Metric("Counter", "Faults of processes, nodes and Ray from which runs have recovered."),
    "runs": Metric("Gauge", "Runs of this driver by phase.", ("phase",)),
    "queue_depth": Metric(
        "Gauge",
        "Work in progress: chunks requested, encodings queued, encodings running, receipts.",
        ("queue",),
    ),
    "memory_bytes": Metric(
        "Gauge", "Proportional set size of a run's processes on the driver's node.", ("role",)
    ),
    "seconds_without_progress": Metric("Gauge", "Seconds since the last result of a run.", ("run",)),
    "pool_connections": Metric("Gauge", "Connections to the database, used or idle.", ("state",)),
    "pool_limit": Metric("Gauge", "Largest allowed number of connections to the database."),
    "pool_waiting": Metric("Gauge", "Calls that wait for a connection."),
    "cache_lookups": Metric("Counter", "Look-ups in the cache: hit or miss.", ("namespace", "result")),
    "cache_evictions": Metric(
        "Counter", "Values evicted from the cache for space or by age.", ("namespace",)
    ),
    "cache_bytes": Metric("Gauge", "Bytes of the values in the cache.", ("namespace",)),
    "cache_limit_bytes": Metric("Gauge", "Largest allowed size of the values.", ("namespace",)),
}
"""All metrics by name, without the prefix."""

_exported: dict[str, Any] = {}
_lock = threading.Lock()


def add_metric(name: str, amount: float = 1, **tags: str) -> None:
    """Add `amount` to a Counter of the catalogue.

    Raises KeyError for a name that is not in the catalogue.
    """
    metric = _metric(name)
    if metric is not None and amount > 0:
        with contextlib.suppress(Exception):  # a lost figure must not fail the run
            metric.inc(amount, tags)


def put_metric(name: str, value: float, **tags: str) -> None:
    """Set a Gauge of the catalogue.

    Raises KeyError for a name that is not in the catalogue.
    """
    metric = _metric(name)
    if metric is not None:
        with contextlib.suppress(Exception):
            metric.set(value, tags)


def _metric(name: str) -> Any:
    """Return Ray's metric of this name, or None when this process has not joined Ray."""
    kind, description, tags = CATALOGUE[name]
    ray = sys.modules.get("ray")
    # Another thread may be importing Ray; the module then has no functions yet (docs/platform.md section 1.1).
    is_initialized = getattr(ray, "is_initialized", None)
    if is_initialized is None or not is_initialized():
        return None
    with _lock:
        if name not in _exported:
            from ray.util import metrics

            metric_class = getattr(metrics, kind)
            _exported[name] = metric_class(f"goldenhour_{name}", description=description, tag_keys=tags)
        return _exported[name]
