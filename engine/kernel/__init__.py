"""The event kernel: moves casualties through the evacuation network. It reads arrays and knows no scenario."""

from engine.kernel.calendar import MAX_ENTRIES
from engine.kernel.codes import (
    NO_VEHICLE,
    DestinationPolicy,
    FullTable,
    KernelExit,
    PlaceCount,
    Recovery,
    WorldEventKind,
)
from engine.kernel.event_loop import advance
from engine.kernel.periodic import begin_run
from engine.kernel.sampling import finish_statistics
from engine.kernel.state import ALL_RESOURCES, MAX_DECISIONS, REMAINS_QUEUES, SAMPLE_ROWS, new_kernel_state
from engine.kernel.unaffected import advance_unlimited, uses_calendar

__all__ = [
    "ALL_RESOURCES",
    "MAX_DECISIONS",
    "MAX_ENTRIES",
    "NO_VEHICLE",
    "REMAINS_QUEUES",
    "SAMPLE_ROWS",
    "DestinationPolicy",
    "FullTable",
    "KernelExit",
    "PlaceCount",
    "Recovery",
    "WorldEventKind",
    "advance",
    "advance_unlimited",
    "begin_run",
    "finish_statistics",
    "new_kernel_state",
    "uses_calendar",
]
