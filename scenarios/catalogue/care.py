"""Treatments, what acts on what kills, and what conditions need: three CSV files of the catalogue."""

from functools import cache
from typing import Literal

import msgspec

from scenarios.catalogue.diagnoses import (
    Condition,
    Region,
    Tag,
    Use,
    check_source,
    conditions,
)
from scenarios.catalogue.tables import CatalogueError, read_rows
from scenarios.catalogue.vocabulary import Treatment

Place = Literal["buddy", "medic", "en_route", "role1", "role2", "role3"]
Image = Literal["x_ray", "ultrasound", "ct_scan", "electrocardiogram"]
IMAGES: tuple[Image, ...] = ("x_ray", "ultrasound", "ct_scan", "electrocardiogram")
"""What shows the inside of a patient, in the order of the bits of `CareRules.images`."""
Flag = Literal["skin", "fracture", "amputation", "vessel", "burn", "eye", "pneumothorax", "immersion"]
Killer = Literal[
    "tbi",
    "airway",
    "tension_pneumothorax",
    "torso_haemorrhage",
    "junctional_haemorrhage",
    "extremity_haemorrhage",
]


class TreatmentKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of treatment: who gives it where, how long it takes, and when it is given again.

    Treatments with a `priority` are given to those who need them, the smallest number first: bleeding, airway, chest,
    circulation, warmth and head, then the rest. Those done in a `theatre` are operations. The others have a rule of
    their own in the engine: decontamination, intensive care and the ward.
    """

    label: Treatment
    display: str
    priority: int | None = None
    places: tuple[Place, ...]
    """Where it can be given; Role 3 stands for Role 4 too."""
    theatre: bool = False
    given_by: tuple[str, ...]
    indication: str
    minutes_low: float
    minutes_mode: float
    minutes_high: float
    until_end: bool = False
    """It runs beside the other treatments until the care ends."""
    each_wound: bool = False
    """Each wound that needs it gets it; else a patient gets it for all wounds."""
    consumables: str = ""
    needs_access: bool = False
    """Only with an intravenous or intraosseous access."""
    needs_airway: bool = False
    """An operation on a patient whose airway is secured first."""
    cavity: bool = False
    """An operation in head, neck, chest or belly."""
    latest_minutes: float | None = None
    """Not given later than so many minutes after the injury."""
    once: bool = False
    """Never given again, to the same wound if `each_wound`."""
    repeat_minutes: float = 0.0
    """Least time before it is given again; 0: at each further place of care."""
    instead: Treatment | None = None
    """Given where the scenario has switched it off."""
    short_of: Treatment | None = None
    """The operation done in its place at a facility that cannot do it."""
    makes_needless: tuple[Treatment, ...] = ()
    """Treatments that are not given once it has been, or where it can be given."""
    effect: str
    source: str
    tag: Tag


class MechanismCare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What acts on a lethal mechanism in first aid, resuscitation and surgery, by region of the wound that would kill.

    The operation counts where that wound calls for none but debridement. Without one it is debrided, or operated on in
    another way.
    """

    mechanism: Killer
    regions: tuple[Region, ...]
    first_aid: Treatment | None = None
    resuscitation: Treatment
    operation: Treatment | None = None
    source: str
    tag: Tag


class NeedRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What conditions need whose own rows name neither needs nor operations; with `also`, what all need.

    A rule holds for the conditions that meet all its cells: one of the `uses`, `groups` and `regions`, all of the
    `flags` and none of those in `without`, one of the texts of `display` in the display and none of `not_display`, and
    AIS up to `ais_from` or more. The rules that hold for a condition add up.
    """

    uses: tuple[Use, ...]
    groups: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    flags: tuple[Flag, ...] = ()
    without: tuple[Flag, ...] = ()
    display: tuple[str, ...] = ()
    not_display: tuple[str, ...] = ()
    ais_from: int = 0
    also: bool = False
    """It holds also for conditions whose own rows name needs or operations."""
    needs: tuple[Treatment, ...] = ()
    images: tuple[Image, ...] = ()
    """Taken at the first facility that has the machine; they send nobody there."""
    operations: tuple[Treatment, ...] = ()
    source: str
    tag: Tag

    def holds(self, condition: Condition) -> bool:
        """Whether the rule holds for a condition."""
        text = condition.display.lower()
        return (
            condition.use in self.uses
            and (not self.groups or condition.group in self.groups)
            and (not self.regions or not set(self.regions).isdisjoint(condition.regions))
            and all(getattr(condition, flag) for flag in self.flags)
            and not any(getattr(condition, flag) for flag in self.without)
            and (not self.display or any(word in text for word in self.display))
            and not any(word in text for word in self.not_display)
            and condition.ais_high >= self.ais_from
        )


class Needs(msgspec.Struct, frozen=True):
    """What a condition calls for."""

    needs: tuple[str, ...]
    """Treatments in a bay, on the way or at the point of injury, in no order."""
    operations: tuple[str, ...]
    """Operations, the main one first."""
    images: tuple[str, ...]
    """Of `IMAGES`."""


@cache
def treatment_kinds() -> dict[str, TreatmentKind]:
    """All kinds of treatment by label.

    Raises
    ------
    CatalogueError
        At the first cell that cannot be used.
    """
    name = "treatments.csv"
    found: dict[str, TreatmentKind] = {}
    for line, row in read_rows(name, TreatmentKind):
        check_source(name, line, row.source)
        check_treatment(name, line, row)
        if row.label in found:
            raise CatalogueError(name, line, "label", row.label, "each label once")
        if any(row.priority is not None and row.priority == other.priority for other in found.values()):
            raise CatalogueError(name, line, "priority", str(row.priority), "each priority once")
        found[row.label] = row
    return found


def check_treatment(name: str, line: int, row: TreatmentKind) -> None:
    """Raise CatalogueError where cells of a row of treatments contradict each other."""
    if not row.minutes_low <= row.minutes_mode <= row.minutes_high:
        minutes = f"{row.minutes_low:g}, {row.minutes_mode:g}, {row.minutes_high:g}"
        raise CatalogueError(
            name, line, "minutes_mode", minutes, "minutes_low <= minutes_mode <= minutes_high"
        )
    if row.theatre and row.priority is not None:
        raise CatalogueError(
            name, line, "priority", str(row.priority), "nothing: operations have no priority"
        )
    if row.theatre and not {"role2", "role3"}.issuperset(row.places):
        raise CatalogueError(name, line, "places", "|".join(row.places), "role2, role3 for an operation")
    if row.cavity and not (row.theatre and row.needs_airway):
        raise CatalogueError(
            name, line, "cavity", "yes", "nothing: only operations that need an airway have it"
        )
    if row.short_of is not None and not row.theatre:
        raise CatalogueError(name, line, "short_of", row.short_of, "nothing: only operations have it")
    if row.once and row.repeat_minutes:
        raise CatalogueError(name, line, "repeat_minutes", f"{row.repeat_minutes:g}", "nothing beside once")


@cache
def mechanism_care() -> tuple[MechanismCare, ...]:
    """What acts on the lethal mechanisms of wounds. Raises CatalogueError at the first cell that cannot be used."""
    rows = read_rows("mechanisms.csv", MechanismCare)
    for line, row in rows:
        check_source("mechanisms.csv", line, row.source)
    return tuple(row for _, row in rows)


@cache
def need_rules() -> tuple[NeedRule, ...]:
    """The rules for conditions without needs of their own. Raises CatalogueError at the first unusable cell."""
    rows = read_rows("need_rules.csv", NeedRule)
    for line, row in rows:
        check_source("need_rules.csv", line, row.source)
    return tuple(row for _, row in rows)


def needs_of(condition: Condition) -> Needs:
    """Return what a condition calls for: its own needs and operations, else those of the rules that hold for it.

    The rules with `also` add to its own. What is done in a theatre is an operation, in whichever of the two columns
    it stands.
    """
    needs, operations = condition.needs, condition.operations
    alone = not needs and not operations
    rules = [rule for rule in need_rules() if (alone or rule.also) and rule.holds(condition)]
    needs += tuple(need for rule in rules for need in rule.needs)
    operations += tuple(operation for rule in rules for operation in rule.operations)
    kinds = treatment_kinds()
    given = (*operations, *needs)
    return Needs(
        tuple(dict.fromkeys(label for label in given if not kinds[label].theatre)),
        tuple(dict.fromkeys(label for label in given if kinds[label].theatre)),
        tuple(dict.fromkeys(image for rule in rules for image in rule.images)),
    )


@cache
def condition_needs() -> tuple[Needs, ...]:
    """What each condition calls for, in the order of `conditions()`."""
    return tuple(needs_of(condition) for condition in conditions())
