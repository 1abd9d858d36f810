"""The database of scenarios and runs: the embedded server, connections, queries and the store actor."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.store.actor import ConfigStore, opened
    from actors.store.database import DRIVERS, URL_VARIABLE, Database, connection_error, driver_slot
    from actors.store.postgres import Server
    from actors.store.shared import shared_store
    from actors.store.values import ENDED, Beat, Content, Registration, Reply, State, check_name

__getattr__ = lazy_attributes(
    __name__,
    {
        "actor": (
            "ConfigStore",
            "opened",
        ),
        "database": (
            "DRIVERS",
            "Database",
            "URL_VARIABLE",
            "connection_error",
            "driver_slot",
        ),
        "postgres": ("Server",),
        "shared": ("shared_store",),
        "values": (
            "Beat",
            "Content",
            "ENDED",
            "Registration",
            "Reply",
            "State",
            "check_name",
        ),
    },
)

__all__ = [
    "DRIVERS",
    "ENDED",
    "URL_VARIABLE",
    "Beat",
    "ConfigStore",
    "Content",
    "Database",
    "Registration",
    "Reply",
    "Server",
    "State",
    "check_name",
    "connection_error",
    "driver_slot",
    "opened",
    "shared_store",
]
