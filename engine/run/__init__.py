"""One replication, simulated chunk by chunk: as a whole, or as independent groups of fronts that are merged."""

from engine.run.merging import Merged
from engine.run.needed_entry_points import ARRIVALS, SEVERITY, EntryPoints, entry_points
from engine.run.partition import independent_fronts, partition_fronts
from engine.run.simulation import DEFAULT_CHUNK, RunEnd, Simulation

__all__ = [
    "ARRIVALS",
    "DEFAULT_CHUNK",
    "SEVERITY",
    "EntryPoints",
    "Merged",
    "RunEnd",
    "Simulation",
    "entry_points",
    "independent_fronts",
    "partition_fronts",
]
