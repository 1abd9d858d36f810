"""The Ray session of a run, with its log, its metrics and its memory."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.cluster.address import is_shared_ray, ray_address
    from actors.cluster.log import Log
    from actors.cluster.memory import Sampler
    from actors.cluster.metrics import add_metric, put_metric
    from actors.cluster.package_root import (
        PACKAGE_ROOT,
        PACKAGES,
        check_package_root,
        environment_of_process,
    )
    from actors.cluster.priority import lower_priority
    from actors.cluster.pyarrow_import import hide_pyarrow_in_worker, restore_pyarrow
    from actors.cluster.remote import as_remote
    from actors.cluster.session import Session, available_cores, default_workers, start_session
    from actors.cluster.temporary_folder import (
        SYSTEM_FOLDERS,
        NoPrivateFolderError,
        in_first_suitable,
        private_path,
    )
    from actors.cluster.termination import terminated_as_interrupted

__getattr__ = lazy_attributes(
    __name__,
    {
        "address": (
            "is_shared_ray",
            "ray_address",
        ),
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
            "environment_of_process",
        ),
        "priority": ("lower_priority",),
        "pyarrow_import": (
            "hide_pyarrow_in_worker",
            "restore_pyarrow",
        ),
        "remote": ("as_remote",),
        "session": (
            "Session",
            "available_cores",
            "default_workers",
            "start_session",
        ),
        "temporary_folder": (
            "NoPrivateFolderError",
            "SYSTEM_FOLDERS",
            "in_first_suitable",
            "private_path",
        ),
        "termination": ("terminated_as_interrupted",),
    },
)

__all__ = [
    "PACKAGES",
    "PACKAGE_ROOT",
    "SYSTEM_FOLDERS",
    "Log",
    "NoPrivateFolderError",
    "Sampler",
    "Session",
    "add_metric",
    "as_remote",
    "available_cores",
    "check_package_root",
    "default_workers",
    "environment_of_process",
    "hide_pyarrow_in_worker",
    "in_first_suitable",
    "is_shared_ray",
    "lower_priority",
    "private_path",
    "put_metric",
    "ray_address",
    "restore_pyarrow",
    "start_session",
    "terminated_as_interrupted",
]
