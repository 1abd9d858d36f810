"""What a run tells Prometheus through Ray, all names beginning with `goldenhour_`; see docs/operations.md.

Any process that has joined Ray may `add` and `put`; elsewhere both do nothing. Neither is called for each patient: a
run counts where it reports progress, at most ten times a second.
"""

import contextlib
import sys
import threading
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """One line of the catalogue: `tags` are the names of the labels."""

    kind: str
    description: str
    tags: tuple[str, ...] = ()


CATALOGUE = {
    "patients": Metric("Counter", "Patients written to files."),
    "chunks": Metric("Counter", "Chunks written to files."),
    "bytes": Metric("Counter", "Bytes written to files."),
    "runs_started": Metric("Counter", "Runs begun or gone on with.", ("resumed",)),
    "runs_ended": Metric("Counter", "Runs ended: finished, failed or interrupted.", ("state",)),
    "recoveries": Metric("Counter", "Faults of processes, nodes and Ray that runs have mended."),
    "runs": Metric("Gauge", "Runs of this driver, by the phase they are in.", ("phase",)),
    "queue_depth": Metric(
        "Gauge",
        "Work under way: chunks asked for, encodings queued, encodings running, receipts.",
        ("queue",),
    ),
    "memory_bytes": Metric(
        "Gauge", "Proportional set size of a run's processes on the driver's node.", ("role",)
    ),
    "seconds_without_progress": Metric("Gauge", "Seconds since anything in a run came back.", ("run",)),
    "pool_connections": Metric("Gauge", "Connections to the database, used or idle.", ("state",)),
    "pool_limit": Metric("Gauge", "Connections to the database that there may be."),
    "pool_waiting": Metric("Gauge", "Calls that wait for a connection."),
    "cache_lookups": Metric("Counter", "Look-ups in the cache: hit or miss.", ("namespace", "result")),
    "cache_evictions": Metric(
        "Counter", "Values that left the cache for want of room or by age.", ("namespace",)
    ),
    "cache_bytes": Metric("Gauge", "Bytes of the values in the cache.", ("namespace",)),
    "cache_limit_bytes": Metric("Gauge", "Bytes that the values may have.", ("namespace",)),
}
"""All metrics. Another part of the program adds its own here and calls `add` or `put`."""

_made: dict[str, Any] = {}
_lock = threading.Lock()


def add_metric(name: str, amount: float = 1, **tags: str) -> None:
    """Count `amount` more of a Counter of the catalogue. KeyError for a name that is not in it."""
    metric = _metric(name)
    if metric is not None and amount > 0:
        with contextlib.suppress(Exception):  # a figure lost is no fault of the run
            metric.inc(amount, tags)


def put_metric(name: str, value: float, **tags: str) -> None:
    """Set a Gauge of the catalogue. KeyError for a name that is not in it."""
    metric = _metric(name)
    if metric is not None:
        with contextlib.suppress(Exception):
            metric.set(value, tags)


def _metric(name: str) -> Any:
    kind, description, tags = CATALOGUE[name]
    ray = sys.modules.get("ray")
    joined = getattr(ray, "is_initialized", None)  # another thread may be importing it at the moment
    if joined is None or not joined():
        return None
    with _lock:
        if name not in _made:
            from ray.util import metrics

            _made[name] = getattr(metrics, kind)(f"goldenhour_{name}", description=description, tag_keys=tags)
        return _made[name]
