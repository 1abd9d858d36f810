"""Complications in the course: what they are, and who is at risk. Two CSV files of the catalogue."""

from functools import cache
from typing import Literal, get_args

import msgspec

from scenarios.catalogue.diagnoses import Condition, Tag, check_source
from scenarios.catalogue.tables import CatalogueError, near_match, read_rows
from scenarios.catalogue.vocabulary import Complication, Risk, Treatment

CODES = "complications.csv"
KINDS = "complication_kinds.csv"
RISKS = "complication_risks.csv"


class ComplicationKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A complication: when it occurs, what it needs, and what it does to the stay.

    The hours count from the injury or from the transfusion. Half of those who get it have it by `median_hours`, nine
    tenths by `upper_hours`, nobody before `earliest_hours`.
    """

    complication: Complication
    display: str
    code: str
    """ICD-10-CM code, a row of complications.csv."""
    right_arm: str = ""
    left_arm: str = ""
    right_leg: str = ""
    left_leg: str = ""
    """Codes where the limb is known; empty: `code`."""
    counts_from: Literal["injury", "transfusion"] = "injury"
    earliest_hours: float
    median_hours: float
    upper_hours: float
    stay_days: float
    """Days added to the stay."""
    leaves_theatre: bool = False
    """Ends duty in theatre."""
    needs: tuple[Treatment, ...] = ()
    """Treatments and operations that it calls for."""
    kills: float = 0.0
    """Weight among the complications that a late death is of."""
    source: str
    tag: Tag

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes by `engine.codes.Limb`."""
        limbs = (self.right_arm, self.left_arm, self.right_leg, self.left_leg)
        return (self.code, *(code or self.code for code in limbs))


class ComplicationRisk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The probability of a complication of those who meet all of `risks` and none of `without`.

    Of the rows that hold for a casualty the one with the highest probability counts.
    """

    complication: Complication
    risks: tuple[Risk, ...]
    without: tuple[Risk, ...] = ()
    probability: float
    source: str
    tag: Tag


class ComplicationText(msgspec.Struct, frozen=True):
    """Code and text of a complication of a limb."""

    code: str
    display: str


@cache
def complication_kinds() -> tuple[ComplicationKind, ...]:
    """All complications in the order of `engine.codes.Complication`.

    Raises
    ------
    CatalogueError
        At the first cell that cannot be used.
    """
    found: dict[str, ComplicationKind] = {}
    for line, row in read_rows(KINDS, ComplicationKind):
        check_complication(KINDS, line, row)
        if row.complication in found:
            raise CatalogueError(KINDS, line, "complication", row.complication, "each complication once")
        found[row.complication] = row
    for label in get_args(Complication):
        if label not in found:
            raise CatalogueError(KINDS, 1, "complication", "", f"a row for {label}")
    return tuple(found[label] for label in get_args(Complication))


def check_complication(name: str, line: int, row: ComplicationKind) -> None:
    """Raise CatalogueError where cells of a row contradict each other or name what no other file has."""
    check_source(name, line, row.source)
    for column in ("code", "right_arm", "left_arm", "right_leg", "left_leg"):
        code = getattr(row, column)
        if code and code not in _displays():
            raise CatalogueError(name, line, column, code, f"codes of {CODES}", near_match(code, _displays()))
    if not row.earliest_hours < row.median_hours < row.upper_hours:
        hours = f"{row.earliest_hours:g}, {row.median_hours:g}, {row.upper_hours:g}"
        raise CatalogueError(name, line, "median_hours", hours, "earliest_hours < median_hours < upper_hours")


@cache
def complication_risks() -> tuple[ComplicationRisk, ...]:
    """Who gets which complication how often. Raises CatalogueError at the first cell that cannot be used."""
    rows = read_rows(RISKS, ComplicationRisk)
    for line, row in rows:
        check_risk(RISKS, line, row)
    return tuple(row for _, row in rows)


def check_risk(name: str, line: int, row: ComplicationRisk) -> None:
    """Raise CatalogueError where cells of a row of risks contradict each other."""
    check_source(name, line, row.source)
    if row.probability > 1.0:
        raise CatalogueError(name, line, "probability", f"{row.probability:g}", "0 to 1")
    if both := set(row.risks) & set(row.without):
        raise CatalogueError(name, line, "without", "|".join(sorted(both)), "none of `risks`")


@cache
def _displays() -> dict[str, str]:
    """The texts of complications.csv by code."""
    return {row.code: row.display for _, row in read_rows(CODES, Condition)}


def complication_texts() -> tuple[ComplicationText, ...]:
    """Code and text by complication and limb: for limb l of complication c at LIMBS * c + l (`engine.codes`)."""
    return tuple(
        ComplicationText(code, _displays()[code]) for kind in complication_kinds() for code in kind.codes
    )
