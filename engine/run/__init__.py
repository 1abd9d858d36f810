"""One replication: simulates it chunk by chunk, in one piece or as independent groups of fronts that are merged."""

from engine.run.merging import Merged
from engine.run.partition import independent_fronts, partition_fronts
from engine.run.simulation import DEFAULT_CHUNK, End, Simulation

__all__ = [
    "DEFAULT_CHUNK",
    "End",
    "Merged",
    "Simulation",
    "independent_fronts",
    "partition_fronts",
]
