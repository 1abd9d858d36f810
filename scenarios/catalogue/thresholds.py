"""Single numbers that decide what a wound, an operation or a complication means: a CSV file of the catalogue."""

from functools import cache
from typing import Literal, get_args

import msgspec

from scenarios.catalogue.diagnoses import Tag, check_source
from scenarios.catalogue.tables import CatalogueError, read_rows

NAME = "thresholds.csv"

ThresholdName = Literal[
    "massive_transfusion_units",
    "tourniquet_hours",
    "shock_life_share",
    "large_burn_surface",
    "complication_least_minutes",
    "lethal_ais",
    "lethal_external_ais",
    "bare_bone_ais",
]


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number with its unit, and what begins there."""

    threshold: ThresholdName
    value: float
    unit: str
    meaning: str
    source: str
    tag: Tag


def find_thresholds(rows: list[tuple[int, Threshold]]) -> dict[ThresholdName, float]:
    """Return the values by name, from rows with their lines.

    Raises
    ------
    CatalogueError
        Where a row names no known source, or a threshold is missing or given twice.
    """
    found: dict[ThresholdName, float] = {}
    for line, row in rows:
        check_source(NAME, line, row.source)
        if row.threshold in found:
            raise CatalogueError(NAME, line, "threshold", row.threshold, "each threshold once")
        found[row.threshold] = row.value
    for name in get_args(ThresholdName):
        if name not in found:
            raise CatalogueError(NAME, 1, "threshold", "", f"a row for {name}")
    return found


@cache
def thresholds() -> dict[ThresholdName, float]:
    """All thresholds by name. Raises CatalogueError at the first cell that cannot be used."""
    return find_thresholds(read_rows(NAME, Threshold))
