"""Replications of many scenarios, simulated in this process or as tasks on Ray."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.experiments.batches import Batch, FinishedBatch, Request, batch_size
    from actors.experiments.journal import BatchJournal
    from actors.experiments.output import (
        ExperimentIdentity,
        ExperimentOutput,
        ResultFile,
        StoredExperiment,
        read_experiment,
    )
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
        "journal": ("BatchJournal",),
        "output": (
            "ExperimentIdentity",
            "ExperimentOutput",
            "ResultFile",
            "StoredExperiment",
            "read_experiment",
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
    "BatchJournal",
    "ExperimentIdentity",
    "ExperimentOutput",
    "FinishedBatch",
    "Point",
    "ReplicationProgress",
    "Replicator",
    "Request",
    "ResultFile",
    "StoredExperiment",
    "batch_size",
    "read_experiment",
]
