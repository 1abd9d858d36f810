"""The address of the Ray that a run uses: a local one, or a cluster."""

import os
import socket
import sys

from engine.errors import InputError
from engine.masking import shown_address

CONNECT_SECONDS = 5.0
"""Time that a cluster has to accept a connection."""


def ray_address(address: str | None) -> str:
    """Return the address of the Ray to use: `local`, `auto` or HOST:PORT.

    That is the address the user gave, inside a submitted job the cluster of the job, and otherwise `local`. RAY_ADDRESS
    alone never decides, because a variable forgotten in a shell must not send a run to another cluster
    (docs/platform.md section 1.1).
    """
    if address:
        return (address == "auto" and os.environ.get("RAY_ADDRESS")) or address
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return os.environ.get("RAY_ADDRESS") or "auto"
    return "local"


def is_shared_ray(address: str | None) -> bool:
    """Return whether a run with this address uses a Ray that outlives it: a cluster, or one this process has joined."""
    ray = sys.modules.get("ray")
    return ray_address(address) != "local" or (ray is not None and ray.is_initialized())


def check_reachable(address: str) -> None:
    """Raise InputError unless a server listens at HOST:PORT. `local` and `auto` always pass.

    Ray itself ends the whole process when no server listens there.
    """
    if address in ("local", "auto"):
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in address:
        raise InputError(
            f"address of the Ray cluster: got {shown_address(address)!r}; allowed: HOST:PORT, auto or local"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"could not join the Ray cluster at {shown_address(address)!r}: {first_line(error)}; "
            "is it running, and is this the address that `ray start` printed?"
        ) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its type when it has no text."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
