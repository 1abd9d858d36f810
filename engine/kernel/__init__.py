"""The event kernel: moves casualties through the evacuation network. It sees arrays, never a scenario."""

from engine.kernel.codes import DestinationPolicy, KernelExit, WorldEventKind
from engine.kernel.event_loop import advance, begin_run, finish_statistics
from engine.kernel.state import ALL_RESOURCES, SAMPLE_ROWS, new_kernel_state

__all__ = [
    "ALL_RESOURCES",
    "SAMPLE_ROWS",
    "DestinationPolicy",
    "KernelExit",
    "WorldEventKind",
    "advance",
    "begin_run",
    "finish_statistics",
    "new_kernel_state",
]
