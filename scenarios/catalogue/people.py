"""Nations, names, ranks, blood groups and units, each table loaded once and on first use from `scenarios/data`."""

from functools import cache

import msgspec

from scenarios.catalogue.tables import load_json


class Rank(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rank: name, NATO grade (OR-1 to OR-9, OF-1 to OF-5), share of the nation's casualties, minimum age in years.

    `naval` is the name of the grade in a ship's company.
    """

    name: str
    naval: str
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
    afloat: tuple[str, ...]
    companies: tuple[str, ...]


@cache
def nations() -> tuple[Nation, ...]:
    """All nations, ordered by code."""
    table: _Nations = load_json("nations.json", _Nations)
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
    table: _NamesFile = load_json(f"names/{code}.json", _NamesFile)
    return Names(
        male_given=table.male_given,
        female_given=table.female_given,
        male_family=table.male_family if table.family is None else table.family,
        female_family=table.female_family if table.family is None else table.family,
    )


@cache
def blood_groups(code: str | None = None) -> tuple[BloodGroup, ...]:
    """The eight blood groups, in the same order for every nation, with its shares; general shares for None."""
    table: _BloodGroups = load_json("blood_groups.json", _BloodGroups)
    shares = table.shares.get(code or "general", table.shares["general"])
    total = sum(shares)
    return tuple(
        BloodGroup(name=name, weight=share / total) for name, share in zip(table.groups, shares, strict=True)
    )


@cache
def is_afloat(front_name: str) -> bool:
    """Whether a front is a ship or a group of ships: with naval ranks and a ship's company."""
    table: _Units = load_json("units.json", _Units)
    return any(word in front_name for word in table.afloat)


@cache
def units(front_name: str) -> tuple[str, ...]:
    """Names of the units of a front, such as "A Company, 1st Battalion (Poland)": a brigade, or a ship's company."""
    table: _Units = load_json("units.json", _Units)
    names = table.companies if is_afloat(front_name) else table.names
    return tuple(name.replace("{front}", front_name) for name in names)
