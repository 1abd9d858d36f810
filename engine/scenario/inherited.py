"""Entries that a scenario has from its network template or by default, written into it so that they can be changed."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from engine.scenario.default_network import default_facilities, default_fronts
from engine.scenario.network import complete_links, expand_network
from engine.scenario.network_templates import expand_template
from engine.scenario.parsing import scenario_of
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.trees import Tree, entry_names, fields_of, link_way, no_such_entry, to_tree

Entry = TypeVar("Entry", Front, Link)

_CLASSES: dict[str, type[Struct]] = {
    "fronts": Front,
    "facilities": Facility,
    "links": Link,
    "vehicles": Vehicle,
}


def with_inherited_entry(tree: Tree, steps: Sequence[str], value: Any) -> Tree:
    """The tree of a scenario with the entry that `steps` name, if the scenario has it without writing it.

    Of a facility or vehicle pool of a network template only what an override needs is written; if an override cannot
    say `value`, the whole network is. Links, the default fronts and the default network are written as a whole, so
    that their order stays.

    Parameters
    ----------
    tree
        The scenario.
    steps
        The path of a setting: name of a list, of an entry, of a field, and so on.
    value
        The value that is to be set there; None: the setting is to be unset.

    Raises
    ------
    ScenarioError
        If the path begins with a list of fronts, facilities, links or vehicles that has no such entry.
    """
    place, name = steps[:2]
    if place not in _CLASSES:
        return tree
    cls, own = _CLASSES[place], tree.get(place, [])
    inherited = to_tree(_inherited_entries(tree, place))
    found = [entry for entry, names in zip(inherited, _names(inherited, cls), strict=True) if name in names]
    is_override = tree.get("network") is not None and place in ("facilities", "vehicles")
    replaces = bool(found) and len(steps) == 3 and steps[2] in found[0]
    if is_override and replaces and _is_default(cls, steps[2], value):
        return to_tree(expand_network(scenario_of(tree)))
    if any(name in names for names in _names(own, cls)):
        return {**tree, place: [_with_field(entry, found, steps) for entry in own]} if is_override else tree
    if name.isdecimal() and not found:
        return tree
    if not found:
        raise no_such_entry(place, name, [*entry_names(own, cls), *entry_names(inherited, cls)])
    if is_override:
        needed = {field.name for field in fields_of(cls) if _is_required(field)} | set(steps[2:3])
        return {**tree, place: [*own, {key: item for key, item in found[0].items() if key in needed}]}
    if place == "facilities":
        tree = {**tree, "links": to_tree(_links(tree))}
    return {**tree, place: inherited}


def _with_field(entry: Tree, found: Sequence[Tree], steps: Sequence[str]) -> Tree:
    """An override with the template's value of a field of which a part is to be set, if it has no value of its own."""
    if not found or entry.get("id") != steps[1] or len(steps) == 3:
        return entry
    return {**{key: item for key, item in found[0].items() if key in steps[2:3]}, **entry}


def _inherited_entries(tree: Tree, place: str) -> Sequence[Struct]:
    """The fronts, facilities, links or vehicles that a scenario has without writing them."""
    fronts = _fronts(tree)
    if place == "fronts":
        return [] if tree.get("fronts") else fronts
    if place == "links":
        return _links(tree)
    if tree.get("network") is not None:
        names = [front.name for front in fronts]
        network = expand_template(tree["network"], names, tree.get("network_scale", 1.0))
        return list(getattr(network, place))
    if tree.get("facilities") or place == "vehicles":
        return []
    return default_facilities(fronts)


def _links(tree: Tree) -> list[Link]:
    """All links of a scenario, its own first. Their order decides between facilities that are equally close."""
    if tree.get("network") is not None:
        return expand_network(scenario_of(tree)).links
    own = Scenario(name="links", links=_convert(tree, tree.get("links", []), list[Link]))
    fronts = _fronts(tree)
    return own.links if tree.get("facilities") else complete_links(own, fronts, default_facilities(fronts))


def _fronts(tree: Tree) -> list[Front]:
    return _convert(tree, tree.get("fronts", []), list[Front]) or default_fronts()


def _convert(tree: Tree, entries: list[Any], kind: type[list[Entry]]) -> list[Entry]:
    """Entries of the tree of a scenario as Structs. Raises ScenarioError if they lack a field."""
    try:
        return msgspec.convert(entries, kind)
    except msgspec.ValidationError:
        scenario_of(tree)
        raise


def _names(entries: list[Any], cls: type[Struct]) -> list[tuple[str | None, ...]]:
    """What each entry of a list is called; a link is also called without its vehicle."""
    names = entry_names(entries, cls)
    if cls is not Link:
        return [(name,) for name in names]
    return [(name, link_way(entry)) for name, entry in zip(names, entries, strict=True)]


def _is_required(field: FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT


def _is_default(cls: type[Struct], name: str, value: Any) -> bool:
    """Whether a field of this name is at its default with this value, or unset. False if there is no such field."""
    for field in fields_of(cls):
        if field.name == name and not _is_required(field):
            default = field.default if field.default_factory is NODEFAULT else field.default_factory()
            return value is None or value == to_tree(default)
    return False
