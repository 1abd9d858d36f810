"""The Ray session a run uses, with its log, its metrics and its memory."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.cluster.log import Log
    from actors.cluster.memory import Sampler
    from actors.cluster.metrics import add_metric, put_metric
    from actors.cluster.package_root import PACKAGE_ROOT, PACKAGES, check_package_root
    from actors.cluster.session import (
        Session,
        as_remote,
        be_nice,
        default_workers,
        is_shared_ray,
        ray_address,
        restore_pyarrow,
        spare_memory,
        start_session,
        terminated_as_interrupted,
    )

__getattr__ = lazy_attributes(
    __name__,
    {
        "log": ("Log",),
        "memory": ("Sampler",),
        "metrics": (
            "add_metric",
            "put_metric",
        ),
        "package_root": (
            "PACKAGES",
            "PACKAGE_ROOT",
            "check_package_root",
        ),
        "session": (
            "Session",
            "as_remote",
            "be_nice",
            "default_workers",
            "is_shared_ray",
            "ray_address",
            "restore_pyarrow",
            "spare_memory",
            "start_session",
            "terminated_as_interrupted",
        ),
    },
)

__all__ = [
    "PACKAGES",
    "PACKAGE_ROOT",
    "Log",
    "Sampler",
    "Session",
    "add_metric",
    "as_remote",
    "be_nice",
    "check_package_root",
    "default_workers",
    "is_shared_ray",
    "put_metric",
    "ray_address",
    "restore_pyarrow",
    "spare_memory",
    "start_session",
    "terminated_as_interrupted",
]
