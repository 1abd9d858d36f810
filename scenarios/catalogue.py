"""The catalogue: nations, names, ranks, blood groups, units, diagnoses and external causes that a run draws from.

The data lie under `scenarios/data` with their sources and confidence tags. This module only loads them, each table once
and on first use. A column of codes holds the position of an entry in its tuple: WOUND.condition and PATIENT.condition
point into `conditions()`, PATIENT.cause into `external_causes()`, PATIENT.nation into `nations()`, and so on. So the
order of the entries is part of the data.

The displays of ICD-10-CM codes are `simple_icd_10_cm.get_description(code)`, cleaned by `scenarios.texts.clean_text`:
the full title of the code with its seventh character. (In that release the titles of some open fractures hold a tab.)
"""

from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

Use = Literal["wound", "nbi", "disease", "psychological", "agent", "complication", "factor"]
Mechanism = Literal["explosion", "gunshot", "other"]
Side = Literal["", "left", "right"]
Sex = Literal["female", "male"]
Category = Literal["T1", "T2", "T3"]

UNSIDED_REGIONS = frozenset({"head", "face", "neck", "abdomen"})
"""Regions whose wounds have no side; a diagnosis may still name one (left kidney, right carotid artery)."""


class Rank(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rank: name, NATO grade (OR-1 to OR-9, OF-1 to OF-5), share of the nation's casualties, minimum age in years."""

    name: str
    nato_code: str
    weight: float
    min_age: int


class Nation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A nation: ISO 3166-1 alpha-3 code, the locales of its names with their shares, share of women, and ranks."""

    code: str
    name: str
    locales: dict[str, float]
    female_share: float
    ranks: tuple[Rank, ...]


class Names(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of a nation in Latin letters; all names of a tuple are equally likely.

    `male_family[i]` and `female_family[i]` are the two forms of one surname. A patronymic counts as a surname, and so
    does a double surname.
    """

    male_given: tuple[str, ...]
    female_given: tuple[str, ...]
    male_family: tuple[str, ...]
    female_family: tuple[str, ...]


class BloodGroup(msgspec.Struct, frozen=True, kw_only=True):
    """An ABO and RhD blood group with its share; the shares of a nation sum to 1."""

    name: str
    weight: float


class Snomed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SNOMED CT concept, and how it relates to the ICD-10-CM code that is mapped to it."""

    code: str
    display: str
    relation: Literal["equivalent", "broader"]


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A diagnosis in one of its uses; a code with two uses has two entries.

    Wounds are matched by `wound_fits`. Diagnoses of uses nbi, disease, psychological and agent have a `group`, the true
    triage `categories` that fit and, where it matters, a `sex` and an `environment`: one of the scenario's environment
    words, without which the diagnosis does not occur. `weight` is relative among the entries that fit.

    The engine does not read the entries of uses complication and factor, so no patient gets them. Their `when` names
    the rule by which they would be added to a casualty.
    """

    code: str
    display: str
    use: Use
    weight: float
    regions: tuple[str, ...] = ()
    ais_low: int = 0
    ais_high: int = 0
    mechanisms: tuple[Mechanism, ...] = ()
    side: Side = ""
    """The side that the display names."""
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
    sex: Sex | None = None
    when: str = ""
    """Rule of a complication or factor, for the reader only."""
    source: str = "icd-10-cm"


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An external cause of injury.

    `types` gives its weight by warfare type ("standard" where the scenario has none); it does not occur in types that
    are missing. `nature` matches a cause of mechanism `other` to the wounds: burn wounds have "burn", drowning has
    "immersion", the rest has "blunt". Causes of non-battle injuries have a single `weight` and `groups`: the groups of
    the conditions that they fit.
    """

    code: str
    display: str
    use: Literal["wound", "agent", "nbi"]
    mechanism: str
    types: dict[str, float] = {}
    groups: tuple[str, ...] = ()
    weight: float = 1.0
    nature: Literal["", "burn", "blunt", "immersion"] = ""
    source: str = "icd-10-cm"


class _NationRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    name: str
    locales: dict[str, float]
    female_share: float
    ranks: str


class _Nations(msgspec.Struct, frozen=True):
    nations: list[_NationRow]
    ranks: dict[str, tuple[Rank, ...]]


class _NamesFile(msgspec.Struct, frozen=True):
    male_given: tuple[str, ...]
    female_given: tuple[str, ...]
    family: tuple[str, ...] | None = None
    male_family: tuple[str, ...] = ()
    female_family: tuple[str, ...] = ()


class _BloodGroups(msgspec.Struct, frozen=True):
    groups: tuple[str, ...]
    shares: dict[str, list[float]]


class _Units(msgspec.Struct, frozen=True):
    names: tuple[str, ...]


class _Conditions(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...]


class _Causes(msgspec.Struct, frozen=True):
    causes: tuple[Cause, ...]


class _Snomed(msgspec.Struct, frozen=True):
    notice: str
    map: dict[str, Snomed]


def _load(name: str, kind: type[Any]) -> Any:
    data = files("scenarios").joinpath("data", *name.split("/")).read_bytes()
    return msgspec.json.decode(data, type=kind)


@cache
def nations() -> tuple[Nation, ...]:
    """All nations, ordered by code."""
    table: _Nations = _load("nations.json", _Nations)
    return tuple(
        Nation(
            code=row.code,
            name=row.name,
            locales=row.locales,
            female_share=row.female_share,
            ranks=table.ranks[row.ranks],
        )
        for row in table.nations
    )


@cache
def nation_index() -> dict[str, int]:
    """Position of each nation's code in `nations()`."""
    return {nation.code: index for index, nation in enumerate(nations())}


@cache
def names(code: str) -> Names:
    """The names of the nation with this ISO 3166-1 alpha-3 code.

    Raises
    ------
    KeyError
        If the code is not in `nations()`.
    """
    if code not in nation_index():
        raise KeyError(f"no names for nation {code!r}; known are {', '.join(nation_index())}")
    table: _NamesFile = _load(f"names/{code}.json", _NamesFile)
    return Names(
        male_given=table.male_given,
        female_given=table.female_given,
        male_family=table.male_family if table.family is None else table.family,
        female_family=table.female_family if table.family is None else table.family,
    )


@cache
def blood_groups(code: str | None = None) -> tuple[BloodGroup, ...]:
    """The eight blood groups, in the same order for every nation, with its shares; general shares for None."""
    table: _BloodGroups = _load("blood_groups.json", _BloodGroups)
    shares = table.shares.get(code or "general", table.shares["general"])
    total = sum(shares)
    return tuple(
        BloodGroup(name=name, weight=share / total) for name, share in zip(table.groups, shares, strict=True)
    )


@cache
def units(front_name: str) -> tuple[str, ...]:
    """Names of the units of a front, such as "A Company, 1st Battalion (Poland)"; every front has the same number."""
    table: _Units = _load("units.json", _Units)
    return tuple(name.replace("{front}", front_name) for name in table.names)


@cache
def conditions() -> tuple[Condition, ...]:
    """All diagnoses."""
    table: _Conditions = _load("conditions.json", _Conditions)
    return table.conditions


def wound_fits(
    condition: Condition, region: str, side: str, ais: int, mechanism: str, warfare: str | None = None
) -> bool:
    """Whether a diagnosis fits a wound by region, side, AIS, mechanism and warfare type.

    In a region without sides a diagnosis may name either side; the wound then takes that side.

    Parameters
    ----------
    side
        `left`, `right` or, in a region without sides, empty.
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
        and (condition.side in ("", side) or region in UNSIDED_REGIONS)
        and (not condition.types or warfare in condition.types)
    )


@cache
def external_causes() -> tuple[Cause, ...]:
    """All external causes of injury."""
    table: _Causes = _load("causes.json", _Causes)
    return table.causes


@cache
def snomed() -> dict[str, Snomed]:
    """SNOMED CT concepts by ICD-10-CM code, where there is one; whoever uses it must show `snomed_notice()`."""
    table: _Snomed = _load("snomed.json", _Snomed)
    return table.map


@cache
def snomed_notice() -> str:
    """The attribution that the licence (CC BY 4.0) of the SNOMED CT subsets requires."""
    table: _Snomed = _load("snomed.json", _Snomed)
    return table.notice
