"""Figures of the network as plain numbers, rounded with Python's `round`, which gives the same on every processor."""

from math import fsum
from typing import Any

from engine.codes import TRIAGE
from engine.measures.statistics import Floats, Integers
from engine.tables import MINUTE

Entry = dict[str, Any]

CATEGORY_LABELS = TRIAGE[1:]
"""Labels of the triage categories 1 to 4. Index 0 of the kernel's arrays is not used."""


_NO_WAITS: Entry = {"waits": 0, "mean_wait_minutes": None}
_CATEGORY_FIELDS = [
    (k, f"waits_{name}", f"mean_wait_minutes_{name}") for k, name in enumerate(CATEGORY_LABELS, 1)
]
for _, _waits, _minutes in _CATEGORY_FIELDS:
    _NO_WAITS |= {_waits: 0, _minutes: None}


def waits_of(total: Floats, count: Integers) -> Entry:
    """Return the number of waits and their mean in minutes, for all patients and by category."""
    counts = count.tolist()
    waits = sum(counts)
    if not waits:
        return _NO_WAITS
    sums = total.tolist()
    result = {"waits": waits, "mean_wait_minutes": minutes_of(fsum(sums), waits)}
    for k, number, mean in _CATEGORY_FIELDS:
        result[number] = counts[k]
        result[mean] = minutes_of(sums[k], counts[k])
    return result


def minutes_of(total: float, count: int) -> float | None:
    """Return the mean in minutes of `count` times that are `total` ms together; None if there are none."""
    return round(total / MINUTE / count, 4) if count else None


def share_of(part: float, whole: float) -> float | None:
    """Return the share, None if the whole is 0."""
    return round(float(part) / float(whole), 6) if whole > 0 else None


def mean_of(area: float, length: float) -> float:
    """Return the mean over a time of `length` ms; 0 if it has no length."""
    return round(float(area) / length, 6) if length else 0.0
