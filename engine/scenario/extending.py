"""A scenario that is written as the changes to another one: `extends = "brigade"`."""

import re
from collections.abc import Sequence
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec import inspect as mi

from engine.errors import ScenarioError
from engine.scenario.distances import ReadTable
from engine.scenario.parsing import NONE, scenario_of
from engine.scenario.structs.casualties import Casualties
from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.trees import (
    Tree,
    entry_names,
    entry_type,
    is_optional_table,
    link_way,
    may_be_unset,
    options_of,
    scenario_type,
    to_tree,
)

_MERGED_BY_NAME = (Facility, Front, Link, Vehicle)
_INDEXED = re.compile(r"(facilities|fronts|links|vehicles)\[(\d+)\]")


def extend(base: Scenario, own: Tree, where: str = "scenario", read: ReadTable | None = None) -> Scenario:
    """The scenario `base` with the changes that a file writes.

    Tables of fields are merged field by field: entries of fronts, facilities and vehicles by name or id, links by
    origin and destination, `treatments` and `model` by name. New entries come last. All else is replaced:
    distributions, other lists, tables whose keys are data. `total` replaces rates, and rates a total. "none" unsets a
    field.

    Parameters
    ----------
    base
        The scenario that is extended.
    own
        The content of the file, without the field `extends`.
    where
        Name of the file in messages.
    read
        Gives the text of a table that `own` names; None: it may name none.

    Raises
    ------
    ScenarioError
        As `parse` raises it.
    """
    tree = _merge_fields(to_tree(base), own, scenario_type())
    try:
        return scenario_of(tree, where, read)
    except ScenarioError as error:
        raise ScenarioError(_by_name(error.place, tree), error.value, error.allowed, error.near) from None


def _merge_fields(base: Tree, own: Tree, kind: mi.StructType) -> Tree:
    by_name = {field.encode_name: field for field in kind.fields}
    merged = dict(base)
    if kind.cls is Casualties:
        for name, other in (("total", "rates"), ("rates", "total")):
            if name in own:
                merged.pop(other, None)
    for name, value in own.items():
        field = by_name.get(name)
        if field is None:
            merged[name] = value  # `scenario_of` refuses it
        elif value == NONE and _can_be_left_out(field):
            merged.pop(name, None)
        else:
            merged[name] = _merge(base.get(name), value, field.type)
    return merged


def _can_be_left_out(field: mi.Field) -> bool:
    """Whether "none" gives a field its default, which is no value, or an empty list or table."""
    if may_be_unset(field):
        return field.default in (None, NODEFAULT)
    return is_optional_table(field)


def _merge(base: Any, own: Any, kind: mi.Type) -> Any:
    """What a field has after the value `own` has been merged into the value `base`."""
    items = entry_type(kind)
    if (
        items is not None
        and items.cls in _MERGED_BY_NAME
        and isinstance(base, list)
        and isinstance(own, list)
    ):
        return _merge_entries(base, own, items) if own else []
    for option in options_of(kind):
        if isinstance(option, mi.StructType) and isinstance(base, dict) and isinstance(own, dict):
            return own if option.cls is Distribution else _merge_fields(base, own, option)
        if isinstance(option, mi.DictType) and isinstance(base, dict) and isinstance(own, dict):
            if isinstance(option.value_type, mi.StructType):
                merged = {key: _merge(base.get(key), value, option.value_type) for key, value in own.items()}
                return base | merged
            if isinstance(option.value_type, mi.AnyType):
                return _merge_tables(base, own)
    return own


def _merge_tables(base: Tree, own: Tree) -> Tree:
    """A table with the values of `own`, and of the tables within it, in place of those of `base`."""
    merged = dict(base)
    for key, value in own.items():
        inside = merged.get(key)
        if isinstance(inside, dict) and isinstance(value, dict):
            merged[key] = _merge_tables(inside, value)
        else:
            merged[key] = value
    return merged


def _merge_entries(base: list[Any], own: list[Any], kind: mi.StructType) -> list[Any]:
    merged = list(base)
    numbers: dict[str | None, list[int]] = {}
    for number, name in enumerate(_keys(base, kind.cls)):
        numbers.setdefault(name, []).append(number)
    for entry, name in zip(own, _keys(own, kind.cls), strict=True):
        same = [] if name is None else numbers.get(name, [])
        if kind.cls is Link:
            same = _same_links(base, same, entry)
        for number in same:
            merged[number] = _merge_fields(merged[number], entry, kind)
        if not same:
            merged.append(entry)
    return merged


def _keys(entries: Sequence[Any], cls: type[Struct]) -> list[str | None]:
    return [link_way(entry) for entry in entries] if cls is Link else entry_names(list(entries), cls)


def _same_links(base: Sequence[Tree], numbers: Sequence[int], own: Tree) -> list[int]:
    """Those of the links between the same places that also have the fronts and the vehicle that `own` names."""
    if "fronts" in own:
        numbers = [number for number in numbers if base[number].get("fronts", []) == own["fronts"]]
    same_vehicle = [number for number in numbers if base[number].get("vehicle") == own.get("vehicle")]
    return same_vehicle or list(numbers)


def _by_name(place: str, tree: Tree) -> str:
    """A place with the entry of a list by its name, because its number counts the entries of the other scenario too."""
    match = _INDEXED.match(place)
    if match is None:
        return place
    entry = tree[match[1]][int(match[2])]
    name = link_way(entry) if match[1] == "links" else entry.get("id", entry.get("name"))
    return f"{match[1]}[{name}]{place[match.end() :]}" if isinstance(name, str) else place
