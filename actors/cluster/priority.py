"""The scheduling priority of processes that compute and write (docs/platform.md section 1.5)."""

import contextlib
import ctypes
import os
import platform
import struct
import sys

NICENESS = 10
"""Niceness of the simulator, the generators, the writer and the cache's tasks: below the driver, the store and all
other programs of the machine."""

SLICE_NANOSECONDS = 100_000_000
"""Time slice that computing threads ask for, instead of about 3 ms. It is the longest that Linux allows.

From version 6.12 on, Linux lets any other thread that wakes up preempt a thread with a longer slice. Together with the
writer's lower priority and the store's shorter switch interval, a look-up in the store took 8 to 9 ms at the 99th
percentile instead of 12 to 15, while two runs generated on two cores. The runs were as fast as before."""

SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""Number of the system call by machine: Python has no function for it."""


def lower_priority() -> None:
    """Set this thread's niceness to `NICENESS` and ask for a time slice of `SLICE_NANOSECONDS`."""
    with contextlib.suppress(OSError):
        os.nice(max(0, NICENESS - os.nice(0)))
    number = SCHED_SETATTR.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        with contextlib.suppress(OSError, AttributeError):
            # struct sched_attr: size, policy (0: SCHED_OTHER), flags, nice, priority, runtime, deadline, period
            attributes = struct.pack("=IIQiIQQQ", 48, 0, 0, os.nice(0), 0, SLICE_NANOSECONDS, 0, 0)
            ctypes.CDLL(None).syscall(number, 0, ctypes.c_char_p(attributes), 0)
