"""The numbers of summary.json by name: `mortality.case_fatality_rate`, `time_to_surgery.minutes.table.mean`."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

COUNTS_WITHOUT_ZEROS = (
    "by_role.*",
    "consumption.*.by_place.*",
    "deaths.*.causes.*",
    "deaths_by_waiting_for.*",
    "flow.deaths_waiting.*",
    "operations.*.by_place.*",
    "severity_by_role.*.patients",
    "time_to_surgery.blocked.*.blocked_minutes.*",
    "time_to_surgery.blocked.*.use_minutes",
)
"""Patterns of the names of counts and of minutes that summary.json leaves out where they are 0."""

_NUMBERS = (int, float)


def named_values(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a summary by name: the keys on the way to them, with dots between.

    A measure without data, such as the median of nobody, is NaN. Texts and the counts by day are left out.

    Examples
    --------
    >>> named_values({"patients": 9, "mortality": {"percent_kia": None}, "by_day": {"kia": [1, 0]}})
    {'patients': 9.0, 'mortality.percent_kia': nan}
    """
    found: dict[str, float] = {}
    _add_numbers(found, "", summary)
    return found


@cache
def absent_value(name: str) -> float:
    """Return the value of a measure that a summary does not have: 0 for a count that is left out, else NaN."""
    return 0.0 if any(fnmatchcase(name, pattern) for pattern in COUNTS_WITHOUT_ZEROS) else math.nan


def _add_numbers(found: dict[str, float], place: str, table: Mapping[str, Any]) -> None:
    """Add the numbers of a part of a summary. `place` is the name of the part, with a dot after it."""
    for key, value in table.items():
        if isinstance(value, _NUMBERS):
            found[place + key] = float(value)
        elif value is None:
            found[place + key] = math.nan
        elif isinstance(value, dict):
            _add_numbers(found, f"{place}{key}.", value)
