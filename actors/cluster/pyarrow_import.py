"""Hiding PyArrow from Ray, which would otherwise import it in every process.

When Ray finds PyArrow, its serialisation imports it together with NumPy to register Arrow types. That costs 16 MB per
package and process. Without PyArrow, Ray registers nothing (docs/platform.md section 1.4).
"""

import contextlib
import sys
from collections.abc import Iterator

_restored = False
"""Whether this process has called `restore_pyarrow`. From then on PyArrow is never hidden again."""


def hide_pyarrow_in_worker() -> None:
    """In a Ray worker, make later imports of PyArrow fail until `restore_pyarrow` is called. Elsewhere, do nothing.

    Modules of actors and tasks call it when they are imported, because Ray imports PyArrow when it unpacks the first
    argument. A task that has called `restore_pyarrow` may load such a module later, because the handle of the cache
    actor brings the actor's class with it. Then PyArrow stays visible.
    """
    ray = sys.modules.get("ray")
    if ray is None or _restored or "pyarrow" in sys.modules:
        return
    worker = sys.modules["ray._private.worker"].global_worker
    if worker.mode == ray.WORKER_MODE:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]


def restore_pyarrow() -> None:
    """Allow PyArrow to be imported again, for good: the format Parquet needs it."""
    global _restored
    _restored = True
    _unhide()


def _unhide() -> None:
    if "pyarrow" in sys.modules and sys.modules["pyarrow"] is None:
        del sys.modules["pyarrow"]


@contextlib.contextmanager
def without_pyarrow() -> Iterator[None]:
    """Hide PyArrow for the length of the block, unless it has been imported already."""
    hidden = "pyarrow" not in sys.modules
    if hidden:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            _unhide()
