"""Random draws of the arrivals: what they are for, and their keys (docs/model.md section 5.2)."""

import numpy as np
from numpy.typing import NDArray

from engine import numeric
from engine.codes import Code


class ArrivalDraw(Code):
    """Purposes of the draws; each has its own key. Except for PROFILE and RATE the draws are keyed by cell."""

    SPLIT = 0
    """Division of a total over cells, groups and streams."""
    DAYS = 1
    """Incidents of a day."""
    HOURS = 2
    """Incidents of an hour and of its parts."""
    PROFILE = 3
    """Intensity profile of a day."""
    SIZE = 4
    """Size of an incident."""
    INCIDENT = 5
    """Start, identifier and duration of an incident."""
    TIME = 6
    """Time of a casualty within the incident."""
    ID = 7
    """Identifier of a casualty."""
    RATE = 8
    """Rate of a day."""
    COUNT = 9
    """Casualties of a day."""
    KEEP = 10
    """Whether a casualty is kept as forces deplete."""


def arrival_keys(seed: int, replication: int) -> NDArray[np.uint64]:
    """Return the keys of one replication, by `ArrivalDraw`."""
    keys = [numeric.key(seed, replication, f"arrivals {label}") for label in ArrivalDraw.labels()]
    return np.array(keys, np.uint64)
