"""Diagnoses, what they need and exclude, and external causes: the files of `scenarios/data/catalogue`."""

from functools import cache
from typing import Literal

import msgspec

from scenarios.catalogue.case_mix import agent_kinds, cause_kinds, groups
from scenarios.catalogue.exclusions import Keys, exclusion_keys
from scenarios.catalogue.tables import CatalogueError, load_json, near_match, read_rows
from scenarios.catalogue.vocabulary import Climate, Grade, Treatment

Use = Literal["wound", "nbi", "disease", "psychological", "agent", "complication", "factor"]
Mechanism = Literal["explosion", "gunshot", "other"]
Side = Literal["", "left", "right", "both", "none"]
Sex = Literal["female", "male"]
Category = Literal["T1", "T2", "T3"]
Region = Literal["head", "eyes", "ears", "face", "neck", "thorax", "abdomen", "upper_limb", "lower_limb"]
Tag = Literal["published", "judgement", "code-list"]

UNSIDED_REGIONS = frozenset({"head", "face", "neck", "abdomen"})
"""Regions whose wounds have no side; a diagnosis may still name one (left kidney, right carotid artery)."""

CONDITION_FILES: dict[str, Use | None] = {
    "wounds.csv": "wound",
    "complications.csv": None,
    "accidents.csv": "nbi",
    "diseases.csv": "disease",
    "psychological.csv": "psychological",
    "agents.csv": "agent",
    "symptoms.csv": None,
}
"""Files of conditions in the order of the codes, with the use of their rows; None: a column says it."""


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A diagnosis in one of its uses; a code with two uses has two entries.

    Wounds are matched by `wound_fits`. Diagnoses of uses nbi, disease, psychological and agent have a `group`, the true
    triage `categories` that fit and, where it matters, a `sex` and an `environment`: one of the scenario's environment
    words, without which the diagnosis does not occur. `weight` is relative among the entries that fit.

    Of the uses complication and factor those of symptoms.csv reach a patient as second diagnoses, and those that
    complication_kinds.csv names as complications. The `when` of the others names the rule by which they would be added
    to a casualty.
    """

    code: str
    display: str
    use: Use
    weight: float
    regions: tuple[Region, ...] = ()
    ais_low: int = 0
    ais_high: int = 0
    mechanisms: tuple[Mechanism, ...] = ()
    side: Side = ""
    """The side that the display names; `both` or `none`: its wound has no side, though the region has."""
    types: tuple[str, ...] = ()
    """Warfare types in which it occurs; empty: all."""
    skin: bool = False
    """Whether it is confined to skin and soft tissue."""
    fracture: bool = False
    amputation: bool = False
    vessel: bool = False
    burn: bool = False
    eye: bool = False
    pneumothorax: bool = False
    immersion: bool = False
    group: str = ""
    categories: tuple[Category, ...] = ()
    lethal: bool = False
    """Whether it can kill within hours as an untreated T1."""
    environment: str | None = None
    climates: tuple[Climate, ...] = ()
    """Climates in which it occurs; empty: all."""
    causes: tuple[str, ...] = ()
    """Kinds of external cause that can do it, of accidents and bites."""
    grade: Literal[Grade, ""] = ""
    """Of agents: how severe the effect is. The group is the agent."""
    sex: Sex | None = None
    when: str = ""
    """Rule of a complication or factor, for the reader only."""
    needs: tuple[Treatment, ...] = ()
    """Treatments that it calls for besides operations, in no order."""
    operations: tuple[Treatment, ...] = ()
    """Operations that it calls for, the main one first."""
    bleeding: Literal["", "limb", "junctional", "torso", "external"] = ""
    """Where it bleeds: `external` is what a dressing stops on scalp, face and soft tissue."""
    airway: Literal["", "threatened", "lost"] = ""
    chest: Literal["", "simple", "open", "tension-prone", "haemothorax", "flail", "contusion"] = ""
    brain: Literal["", "concussion", "moderate", "severe"] = ""
    """The Glasgow coma scale it goes with: 14-15, 9-13, 3-8."""
    opens: Literal["", "skin", "fracture", "joint", "peritoneum", "pleura", "skull", "globe"] = ""
    """What the wound lays open."""
    burn_share: tuple[float, float] | None = None
    """Burned share of the body surface in per cent, from and to."""
    stay_days: float | None = None
    """Median stay in hospital."""
    return_days: float | Literal["no"] | None = None
    """Days until return to duty; `no`: leaves the theatre."""
    excludes: tuple[str, ...] = ()
    """Exclusion groups, `group` or `group:part`: which conditions never meet in one patient."""
    source: str
    tag: Tag


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An external cause of injury.

    `types` gives its weight by warfare type ("standard" where the scenario has none); it does not occur in types that
    are missing. `nature` matches a cause of mechanism `other` to the wounds: burn wounds have "burn", drowning has
    "immersion", the rest has "blunt"; and the use of an agent to its weapon. Causes of non-battle injuries have a
    single `weight` within their `kind`, which the `causes` of conditions name.
    """

    code: str
    display: str
    use: Literal["wound", "agent", "nbi"]
    mechanism: str
    types: dict[str, float] = {}
    kind: str = ""
    weight: float = 1.0
    nature: Literal["", "burn", "blunt", "immersion", "chemical", "biological", "nuclear"] = ""
    source: str
    tag: Tag


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source that rows of the catalogue name, with where it is found."""

    id: str
    reference: str
    where: str = ""
    tag: str = ""
    """How it was read: T text, A abstract, S second-hand, C computed, ? judgement."""


class Exclusion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of conditions that exclude each other, and why; see `scenarios.catalogue.exclusions`."""

    group: str
    scope: Literal["patient", "side"]
    """Within what: the whole patient, or one side of the body."""
    parts: tuple[str, ...] = ()
    """Where there are parts, only conditions of different parts exclude each other."""
    reason: str
    source: str
    tag: Tag


class Snomed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SNOMED CT concept, and how it relates to the ICD-10-CM code that is mapped to it."""

    code: str
    display: str
    relation: Literal["equivalent", "broader"]


class _Snomed(msgspec.Struct, frozen=True):
    notice: str
    map: dict[str, Snomed]


@cache
def sources() -> dict[str, Source]:
    """The sources of the catalogue by their id."""
    return {source.id: source for _, source in read_rows("sources.csv", Source)}


@cache
def exclusions() -> dict[str, Exclusion]:
    """The exclusion groups by name, in the order of the file."""
    found: dict[str, Exclusion] = {}
    for line, row in read_rows("exclusions.csv", Exclusion):
        if row.group in found:
            raise CatalogueError("exclusions.csv", line, "group", row.group, "each group once")
        check_source("exclusions.csv", line, row.source)
        found[row.group] = row
    return found


@cache
def condition_keys() -> tuple[Keys, ...]:
    """By condition: what it is and what it never meets, for `exclude_each_other`."""
    return tuple(exclusion_keys(condition, exclusions()) for condition in conditions())


@cache
def conditions() -> tuple[Condition, ...]:
    """All diagnoses.

    Raises
    ------
    CatalogueError
        At the first cell that cannot be used.
    """
    found: list[Condition] = []
    for name, use in CONDITION_FILES.items():
        given = {} if use is None else {"use": use}
        for line, condition in read_rows(name, Condition, **given):
            check_condition(name, line, condition)
            found.append(condition)
    return tuple(found)


def check_condition(name: str, line: int, condition: Condition) -> None:
    """Raise CatalogueError where cells of a row contradict each other or name what no other file has."""
    check_source(name, line, condition.source)
    for entry in condition.excludes:
        group, _, part = entry.partition(":")
        if group not in exclusions():
            raise CatalogueError(
                name, line, "excludes", entry, "groups of exclusions.csv", near_match(group, exclusions())
            )
        parts = exclusions()[group].parts
        if part not in (parts or ("",)):
            allowed = (
                f"{group} with one of the parts {', '.join(parts)}" if parts else f"{group} without a part"
            )
            raise CatalogueError(name, line, "excludes", entry, allowed, near_match(part, parts))
    _check_names(name, line, condition)
    if condition.use != "wound":
        return
    for column in ("regions", "mechanisms"):
        if not getattr(condition, column):
            raise CatalogueError(name, line, column, "", "at least one, because a wound has it")
    if not 1 <= condition.ais_low <= condition.ais_high <= 6:
        value = f"{condition.ais_low} to {condition.ais_high}"
        raise CatalogueError(name, line, "ais_low", value, "1 to 6, and not above ais_high")


def _check_names(name: str, line: int, condition: Condition) -> None:
    """Raise CatalogueError where the group or a cause of a row is in no other file."""
    for kind in condition.causes:
        if kind not in cause_kinds():
            raise CatalogueError(
                name, line, "causes", kind, "kinds of cause_kinds.csv", near_match(kind, cause_kinds())
            )
    if condition.use in ("nbi", "disease", "psychological", "agent"):
        known = agent_kinds() if condition.use == "agent" else groups()
        if condition.group not in known:
            raise CatalogueError(
                name,
                line,
                "group",
                condition.group,
                "a group of the catalogue",
                near_match(condition.group, known),
            )
    if condition.use == "agent" and not condition.grade:
        raise CatalogueError(name, line, "grade", "", "a grade, because an agent has it")


def check_source(name: str, line: int, source: str) -> None:
    """Raise CatalogueError where a row names a source that `sources.csv` does not have."""
    for one in source.split("|"):
        if one not in sources():
            raise CatalogueError(name, line, "source", one, "ids of sources.csv", near_match(one, sources()))


def wound_fits(
    condition: Condition, region: str, side: str, ais: int, mechanism: str, warfare: str | None = None
) -> bool:
    """Whether a diagnosis fits a wound by region, side, AIS, mechanism and warfare type.

    In a region without sides a diagnosis may name either side; the wound then takes that side.

    Parameters
    ----------
    side
        `left`, `right` or, in a region without sides and where the diagnosis has none, empty.
    ais
        AIS severity of the wound, 1 to 6.
    warfare
        Warfare type of the incident; None for none.
    """
    return (
        condition.use == "wound"
        and region in condition.regions
        and condition.ais_low <= ais <= condition.ais_high
        and mechanism in condition.mechanisms
        and (condition.side not in ("left", "right") or condition.side == side or region in UNSIDED_REGIONS)
        and (not condition.types or warfare in condition.types)
    )


@cache
def external_causes() -> tuple[Cause, ...]:
    """All external causes of injury.

    Raises
    ------
    CatalogueError
        At the first cell that cannot be used.
    """
    rows = read_rows("causes.csv", Cause)
    for line, cause in rows:
        check_source("causes.csv", line, cause.source)
        if cause.use == "nbi" and cause.kind not in cause_kinds():
            raise CatalogueError(
                "causes.csv",
                line,
                "kind",
                cause.kind,
                "kinds of cause_kinds.csv",
                near_match(cause.kind, cause_kinds()),
            )
    return tuple(cause for _, cause in rows)


@cache
def snomed() -> dict[str, Snomed]:
    """SNOMED CT concepts by ICD-10-CM code, where there is one; whoever uses it must show `snomed_notice()`."""
    table: _Snomed = load_json("snomed.json", _Snomed)
    return table.map


@cache
def snomed_notice() -> str:
    """The attribution that the licence (CC BY 4.0) of the SNOMED CT subsets requires."""
    table: _Snomed = load_json("snomed.json", _Snomed)
    return table.notice
