"""RecoveryLimit: how many faults a run recovers from before it gives up."""

import time
from collections import deque

from actors.run.executor import Fault
from engine.errors import StoppedRun

MAX_RECOVERIES = 3
RECOVERY_SECONDS = 600.0
"""A run gives up when there are more than MAX_RECOVERIES faults within so many seconds."""


class RecoveryLimit:
    """Counts the faults of a run, `count`."""

    def __init__(self) -> None:
        self.count = 0
        self._times: deque[float] = deque(maxlen=MAX_RECOVERIES + 1)
        self._stalled = False

    def add(self, fault: Fault) -> None:
        """Count a fault. Raises StoppedRun if the run stalled twice in a row, or has had too many faults."""
        if fault.stalled and self._stalled:
            raise StoppedRun(f"the run stalled: {fault.reason}")
        self._stalled = fault.stalled
        self.count += 1
        self._times.append(time.monotonic())
        if len(self._times) > MAX_RECOVERIES and self._times[-1] - self._times[0] < RECOVERY_SECONDS:
            raise StoppedRun(f"gave up after {MAX_RECOVERIES} recoveries; the last fault: {fault.reason}")
