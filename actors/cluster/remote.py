"""Remote functions and classes, wrapped by Ray once per process."""

import importlib
import uuid
from typing import Any

_remotes: dict[Any, Any] = {}


def as_remote(target: Any, identity: str = "", **options: Any) -> Any:
    """Return `ray.remote` of a function or class; later calls in the same process return the same object.

    `ray.remote` wraps the methods of a class again each time, including those already wrapped, and treats a function
    that is wrapped twice as two functions (docs/platform.md section 1.4).

    Parameters
    ----------
    target
        The function or class.
    identity
        A name that makes a function the same remote function in every driver. Ray has one queue per remote function and
        gives a free CPU to the first queue that is not empty: with two queues, one of two runs would be stalled until
        the other ends.
    options
        Options of `ray.remote`, used by the first call only.
    """
    wrapped = _remotes.get(target)
    if wrapped is None:
        ray: Any = importlib.import_module("ray")
        wrapped = _remotes[target] = ray.remote(**options)(target) if options else ray.remote(target)
        if identity:
            wrapped._uuid = uuid.uuid5(uuid.NAMESPACE_OID, identity)
    return wrapped
