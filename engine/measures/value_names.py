"""The numbers of summary.json by name: `mortality.case_fatality_rate`, `time_to_surgery.minutes.table.mean`."""

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

COUNTS_WITHOUT_ZEROS = (
    "by_role.*",
    "consumption.*.by_place.*",
    "deaths.*.causes.*",
    "deaths_by_waiting_for.*",
    "flow.deaths_waiting.*",
)
"""Patterns of the names of counts that summary.json leaves out where they are 0."""


def named_values(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a summary by name: the keys on the way to them, with dots between.

    A measure without data, such as the median of nobody, is NaN. Texts and the counts by day are left out.

    Examples
    --------
    >>> named_values({"patients": 9, "mortality": {"percent_kia": None}, "by_day": {"kia": [1, 0]}})
    {'patients': 9.0, 'mortality.percent_kia': nan}
    """
    return dict(_numbers("", summary))


def absent_value(name: str) -> float:
    """Return the value of a measure that a summary does not have: 0 for a count that is left out, else NaN."""
    return 0.0 if any(fnmatchcase(name, pattern) for pattern in COUNTS_WITHOUT_ZEROS) else math.nan


def _numbers(place: str, table: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in table.items():
        name = f"{place}.{key}" if place else key
        if isinstance(value, Mapping):
            yield from _numbers(name, value)
        elif value is None:
            yield name, math.nan
        elif isinstance(value, int | float):
            yield name, float(value)
