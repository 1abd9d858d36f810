"""Replications of many scenarios, simulated in this process or as tasks on Ray."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.experiments.batches import Batch, FinishedBatch, Request, batch_size
    from actors.experiments.replicator import Point, ReplicationProgress, Replicator

__getattr__ = lazy_attributes(
    __name__,
    {
        "batches": (
            "Batch",
            "FinishedBatch",
            "Request",
            "batch_size",
        ),
        "replicator": (
            "Point",
            "ReplicationProgress",
            "Replicator",
        ),
    },
)

__all__ = [
    "Batch",
    "FinishedBatch",
    "Point",
    "ReplicationProgress",
    "Replicator",
    "Request",
    "batch_size",
]
