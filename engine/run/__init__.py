"""One replication, simulated chunk by chunk: as a whole, or as independent groups of fronts that are merged."""

from engine.run.merging import Merged
from engine.run.needed_entry_points import (
    ARRIVALS,
    LISTED_SEVERITY,
    SEVERITY,
    EntryPoints,
    entry_points,
)
from engine.run.partition import independent_fronts, partition_fronts
from engine.run.replications import Replications, cut_replications, join_replications, replicate
from engine.run.simulation import DEFAULT_CHUNK, RunEnd, Simulation

__all__ = [
    "ARRIVALS",
    "DEFAULT_CHUNK",
    "LISTED_SEVERITY",
    "SEVERITY",
    "EntryPoints",
    "Merged",
    "Replications",
    "RunEnd",
    "Simulation",
    "cut_replications",
    "entry_points",
    "independent_fronts",
    "join_replications",
    "partition_fronts",
    "replicate",
]
