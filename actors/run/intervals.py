"""The times of a run that the environment can set."""

import os

from actors.run.writer import SYNC_SECONDS
from engine.errors import InputError

STALL_VARIABLE = "GOLDENHOUR_STALL_SECONDS"
STALL_SECONDS = 300.0
"""Time without any event after which a run counts as stalled, unless the variable says otherwise (0: never). The first
time the run recovers, the second time it fails."""

NEVER_SECONDS = 1e8

SYNC_VARIABLE = "GOLDENHOUR_SYNC_SECONDS"
"""Environment variable: the shortest time between two lines of the journal."""


def stall_seconds() -> float:
    """Time without any event after which a run counts as stalled."""
    return _seconds(STALL_VARIABLE, STALL_SECONDS) or NEVER_SECONDS


def sync_seconds() -> float:
    """Shortest time between two lines of the journal."""
    return _seconds(SYNC_VARIABLE, SYNC_SECONDS)


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{variable}: got {text!r}; allowed: seconds, 0 or more")
    return seconds
