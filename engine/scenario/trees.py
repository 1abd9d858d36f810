"""Scenarios as trees of dicts and lists with what their author has set, in which single settings can be replaced."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec import inspect as mi
from msgspec.structs import FieldInfo, fields

from engine.errors import ScenarioError
from engine.scenario.near_matches import near_match
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.warfare import Warfare

Tree = dict[str, Any]
"""A Struct as a file writes it: by name of the field, what is set."""

MAX_SHOWN_NAMES = 12
"""An error names at most this many entries of a list."""

_NAME_FIELDS: dict[type, str] = {Facility: "id", Vehicle: "id", Front: "name", Warfare: "type"}


@cache
def fields_of(struct: type[Struct]) -> tuple[FieldInfo, ...]:
    """The fields of a Struct. msgspec evaluates all their annotations at every call of its own function."""
    return fields(struct)


def to_tree(value: Any) -> Any:
    """A Struct, and all in it, as dicts and lists. Fields at their default are left out.

    >>> from engine.scenario import Distribution
    >>> to_tree(Distribution(distribution="constant", mean=5.0))
    {'distribution': 'constant', 'mean': 5.0}
    """
    if isinstance(value, Struct):
        tree = {}
        for field in fields_of(type(value)):
            current = getattr(value, field.name)
            has_factory = field.default_factory is not NODEFAULT
            default = field.default_factory() if has_factory else field.default
            if default is NODEFAULT or current != default:
                tree[field.name] = to_tree(current)
        return tree
    if isinstance(value, dict):
        return {key: to_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_tree(item) for item in value]
    return value


@cache
def scenario_type() -> mi.StructType:
    """The type of a scenario, with the types of all its fields."""
    info = mi.type_info(Scenario)
    assert isinstance(info, mi.StructType)
    return info


def options_of(kind: mi.Type) -> list[mi.Type]:
    """The types that a value may have, without None, bounds and descriptions."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    if isinstance(kind, mi.UnionType):
        return [option for member in kind.types for option in options_of(member)]
    return [] if isinstance(kind, mi.NoneType) else [kind]


def may_be_unset(field: mi.Field) -> bool:
    """Whether a field is unset by default, or may be set to None."""
    kind = field.type
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    kinds = kind.types if isinstance(kind, mi.UnionType) else (kind,)
    return any(isinstance(option, mi.NoneType) for option in kinds)


def is_optional_table(field: mi.Field) -> bool:
    """Whether a field is a list or table that may be left out: "none" gives it its default."""
    optional = field.default is not NODEFAULT or field.default_factory is not NODEFAULT
    return optional and any(
        isinstance(option, mi.ListType | mi.DictType | mi.StructType) for option in options_of(field.type)
    )


def entry_type(kind: mi.Type) -> mi.StructType | None:
    """The type of the entries of a list; None if they are no Structs."""
    for option in options_of(kind):
        if isinstance(option, mi.ListType):
            for item in options_of(option.item_type):
                if isinstance(item, mi.StructType):
                    return item
    return None


def entry_names(entries: list[Any], cls: type[Struct] | None) -> list[str | None]:
    """The names of the entries of a list: id, name or type, of links `ORIGIN->DESTINATION`; None for one without.

    Links between the same places, of different vehicles, are called `ORIGIN->DESTINATION by VEHICLE`.
    """
    if cls is Link:
        return _link_names(entries)
    key = None if cls is None else _NAME_FIELDS.get(cls)
    return [_text_at(entry, key) if key is not None else None for entry in entries]


def _link_names(links: list[Any]) -> list[str | None]:
    ways = [link_way(link) for link in links]
    count = Counter(ways)
    names: list[str | None] = []
    for link, way in zip(links, ways, strict=True):
        vehicle = _text_at(link, "vehicle")
        names.append(f"{way} by {vehicle}" if way and vehicle and count[way] > 1 else way)
    return names


def link_way(link: Any) -> str | None:
    """`ORIGIN->DESTINATION` of a link's tree; None without one of them."""
    origin, destination = _text_at(link, "origin"), _text_at(link, "destination")
    return f"{origin}->{destination}" if origin and destination else None


def _text_at(entry: Any, key: str) -> str | None:
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else None


def no_such_entry(place: str, name: str, names: Sequence[str | None], otherwise: str = "") -> ScenarioError:
    """The error for an entry of a list that does not exist, with the names of those that do."""
    known = [each for each in dict.fromkeys(names) if each is not None]
    few = known[:MAX_SHOWN_NAMES] + [f"{len(known) - MAX_SHOWN_NAMES:,} more"] * (
        len(known) > MAX_SHOWN_NAMES
    )
    allowed = " or ".join(filter(None, [f"one of {', '.join(few)}" if few else "", otherwise]))
    return ScenarioError(
        f"{place}[{name}]", name, allowed or "nothing: the list is empty", near_match(name, known)
    )
