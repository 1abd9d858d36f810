"""The event kernel: moves casualties through the evacuation network. It sees arrays, never a scenario."""

from engine.kernel.codes import DestinationPolicy, KernelExit, WorldEventKind
from engine.kernel.event_loop import advance, begin_run, finish_statistics
from engine.kernel.parameters import (
    CARE,
    FACILITIES,
    MODEL,
    NETWORK,
    POOLS,
    PURPOSES,
    RESOURCE_COUNT,
    TRANSITIONS,
    UNLIMITED,
)
from engine.kernel.state import ALL_RESOURCES, SAMPLE_ROWS, new_kernel_state

__all__ = [
    "ALL_RESOURCES",
    "CARE",
    "FACILITIES",
    "MODEL",
    "NETWORK",
    "POOLS",
    "PURPOSES",
    "RESOURCE_COUNT",
    "SAMPLE_ROWS",
    "TRANSITIONS",
    "UNLIMITED",
    "DestinationPolicy",
    "KernelExit",
    "WorldEventKind",
    "advance",
    "begin_run",
    "finish_statistics",
    "new_kernel_state",
]
