"""The time that a command has taken so far: what its user has waited, from the start of the process on."""

import os
import time
from pathlib import Path

_STAT = Path("/proc/self/stat")
_START_FIELD = 19
"""Number of the field with the start of the process among those after its name; proc(5) counts it as the 22nd."""

_IMPORTED = time.monotonic()


def process_start() -> float:
    """When this process was started, on the clock of `time.monotonic`; a little later if the system does not tell."""
    try:
        ticks = int(_STAT.read_text("utf-8", "replace").rpartition(")")[2].split()[_START_FIELD])
        running = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):  # no Linux
        return _IMPORTED
    return time.monotonic() - max(0.0, running)
