"""One replication, simulated chunk by chunk: as a whole, or as independent groups of fronts that are merged."""

from engine.run.merging import Merged
from engine.run.partition import independent_fronts, partition_fronts
from engine.run.simulation import DEFAULT_CHUNK, RunEnd, Simulation

__all__ = [
    "DEFAULT_CHUNK",
    "Merged",
    "RunEnd",
    "Simulation",
    "independent_fronts",
    "partition_fronts",
]
