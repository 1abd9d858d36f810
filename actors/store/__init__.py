"""The database of scenarios and runs: the embedded server, connections, queries, and the store actor."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.store.config_store import ConfigStore, open_store
    from actors.store.database import URL_VARIABLE, Database
    from actors.store.database_errors import connection_error
    from actors.store.driver_slots import DRIVERS, driver_slot
    from actors.store.messages import (
        ALL_KINDS,
        ENDED,
        EXPERIMENTS,
        NO_OUTPUT,
        RUNS,
        Content,
        ExperimentDetail,
        Heartbeat,
        HeartbeatReply,
        Kind,
        Registration,
        State,
    )
    from actors.store.postgres import Server
    from actors.store.shared_store import get_or_create_shared_store
    from actors.store.text import check_name

__getattr__ = lazy_attributes(
    __name__,
    {
        "config_store": (
            "ConfigStore",
            "open_store",
        ),
        "database": (
            "Database",
            "URL_VARIABLE",
        ),
        "database_errors": ("connection_error",),
        "driver_slots": (
            "DRIVERS",
            "driver_slot",
        ),
        "messages": (
            "ALL_KINDS",
            "Content",
            "ENDED",
            "EXPERIMENTS",
            "ExperimentDetail",
            "Heartbeat",
            "HeartbeatReply",
            "Kind",
            "NO_OUTPUT",
            "RUNS",
            "Registration",
            "State",
        ),
        "postgres": ("Server",),
        "shared_store": ("get_or_create_shared_store",),
        "text": ("check_name",),
    },
)

__all__ = [
    "ALL_KINDS",
    "DRIVERS",
    "ENDED",
    "EXPERIMENTS",
    "NO_OUTPUT",
    "RUNS",
    "URL_VARIABLE",
    "ConfigStore",
    "Content",
    "Database",
    "ExperimentDetail",
    "Heartbeat",
    "HeartbeatReply",
    "Kind",
    "Registration",
    "Server",
    "State",
    "check_name",
    "connection_error",
    "driver_slot",
    "get_or_create_shared_store",
    "open_store",
]
