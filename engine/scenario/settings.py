"""Single settings of a scenario, replaced by their path: `facilities[R2-North].surgical_teams=2`."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgspec import NODEFAULT, Struct
from msgspec import inspect as mi

from engine.errors import InputError, ScenarioError, shown
from engine.scenario.inherited import with_inherited_entry
from engine.scenario.near_matches import near_match
from engine.scenario.parsing import (
    NONE,
    check_setting,
    describe_allowed,
    key_place,
    scenario_of,
)
from engine.scenario.structs.scenario import Scenario
from engine.scenario.trees import (
    Tree,
    entry_names,
    entry_type,
    is_optional_table,
    may_be_unset,
    no_such_entry,
    options_of,
    scenario_type,
    to_tree,
)

_STEP = re.compile(
    r"""\.?(?P<key>[A-Za-z0-9_-]+)
    | \.?"(?P<quoted>(?:[^"\\]|\\.)*)"
    | \[ \s* "(?P<quoted_entry>(?:[^"\\]|\\.)*)" \s* \]
    | \[ (?P<entry>[^]\["]+) \]""",
    re.VERBOSE,
)
_EXAMPLES = "PATH=VALUE, such as days=10 or facilities[R2-North].surgical_teams=2"


class Setting(NamedTuple):
    """A value for one setting of a scenario."""

    path: str
    """Names of fields with dots between them; an entry of a list or table in brackets, by its name or number."""
    value: Any
    """Text, numbers, lists and dicts, or a Struct of a scenario; None or "none" unsets the setting."""


def parse_setting(text: str) -> Setting:
    """Read `PATH=VALUE`. The value is written as in TOML; a word needs no quotes.

    Raises
    ------
    InputError
        If `text` is not of that form, or if its value begins like a text, list or table of TOML and is none.

    Examples
    --------
    >>> parse_setting("facilities[R2-North].surgical_teams=2")
    Setting(path='facilities[R2-North].surgical_teams', value=2)
    >>> parse_setting("intensity = high").value
    'high'
    """
    path, end = "", 0
    while match := _STEP.match(text, end):
        path, end = text[: match.end()], match.end()
    rest = text[end:].lstrip()
    if not path or not rest.startswith("="):
        raise InputError(f"setting: got {shown(text)}; allowed: {_EXAMPLES}")
    return Setting(path, _parse_value(path, rest[1:].strip()))


def with_settings(scenario: Scenario, settings: Sequence[Setting]) -> Scenario:
    """The scenario with some settings replaced, one after the other.

    A setting of an entry of the network that `network` names is added as an override of that entry. One of the default
    fronts or the default network writes these out first.

    Raises
    ------
    ScenarioError
        If there is no such setting, or if it cannot have that value.
    """
    tree: Tree = to_tree(scenario)
    for path, value in settings:
        steps = list(steps_of(path))
        value = to_tree(value)
        if len(steps) > 1:
            tree = with_inherited_entry(tree, steps, None if value == NONE else value)
        tree = _replace(tree, scenario_type(), steps, value, "")
    return scenario_of(tree)


def holds_whole_numbers(scenario: Scenario, path: str) -> bool:
    """Whether the setting at a path is a number that must be whole.

    Raises
    ------
    ScenarioError
        If there is no such setting.
    InputError
        If `path` is no path.
    """
    steps = list(steps_of(path))
    tree: Tree = to_tree(scenario)
    if len(steps) > 1:
        tree = with_inherited_entry(tree, steps, None)
    options = options_of(_type_at(tree, scenario_type(), steps, ""))
    takes_fractions = any(isinstance(option, mi.FloatType | mi.StructType) for option in options)
    return not takes_fractions and any(isinstance(option, mi.IntType) for option in options)


def value_at(resolved: Scenario, path: str) -> Any:
    """The value of the setting at a path in a resolved scenario, as dicts, lists, text and numbers; None if unset.

    Raises
    ------
    ScenarioError
        If there is no such setting.
    InputError
        If `path` is no path.
    """
    value: Any = resolved
    for step in steps_of(path):
        if isinstance(value, list):
            entries = to_tree(value)
            names = entry_names(entries, type(value[0]) if value and isinstance(value[0], Struct) else None)
            number = _entry_number(names, step, path)
            value = value[number] if number < len(value) else None
        elif isinstance(value, Struct):
            value = getattr(value, step, None)
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return to_tree(value)


def _type_at(current: Any, kind: mi.Type, steps: Sequence[str], place: str) -> mi.Type:
    """The type of the setting at the end of `steps`, within the value `current` of a type. Raises ScenarioError."""
    if not steps:
        return kind
    step, rest = steps[0], steps[1:]
    option = _container(kind, current, step, place)
    table = current if isinstance(current, dict) else {}
    if isinstance(option, mi.StructType):
        field = _field_named(option, step, place)
        return _type_at(table.get(step), field.type, rest, _inside(place, step))
    if isinstance(option, mi.DictType):
        return _type_at(table.get(step), option.value_type, rest, key_place(place, step))
    entries = current if isinstance(current, list) else []
    items = entry_type(option)
    number = _entry_number(entry_names(entries, None if items is None else items.cls), step, place)
    entry = entries[number] if number < len(entries) else None
    return _type_at(entry, option.item_type, rest, f"{place}[{step}]")


def steps_of(path: str) -> Iterator[str]:
    """The names that a path consists of. Raises InputError."""
    end = 0
    while end < len(path):
        match = _STEP.match(path, end)
        if match is None or (end == 0 and path[0] in ".["):
            raise InputError(f"setting: got the path {shown(path)}; allowed: {_EXAMPLES}")
        quoted = match["quoted"] if match["quoted"] is not None else match["quoted_entry"]
        try:
            yield (match["key"] or match["entry"].strip()) if quoted is None else json.loads(f'"{quoted}"')
        except ValueError:
            raise InputError(
                f"setting: got the path {shown(path)}; allowed: quotes as in TOML or JSON"
            ) from None
        end = match.end()


def _parse_value(path: str, text: str) -> Any:
    try:
        tree = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError) as error:
        if text[:1] in ("'", '"', "[", "{"):
            raise ScenarioError(path, text, f"a value as in TOML ({error})") from None
        return text
    return tree["value"] if set(tree) == {"value"} else text


def _replace(current: Any, kind: mi.Type, steps: Sequence[str], value: Any, place: str) -> Any:
    """The value `current` of a type with the setting at the end of `steps` replaced."""
    if not steps:
        return check_setting(value, kind, place)
    step, rest = steps[0], steps[1:]
    option = _container(kind, current, step, place)
    if isinstance(option, mi.StructType):
        return _replace_field(current if isinstance(current, dict) else {}, option, step, rest, value, place)
    if isinstance(option, mi.DictType):
        return _replace_key(current if isinstance(current, dict) else {}, option, step, rest, value, place)
    entries = current if isinstance(current, list) else []
    items = entry_type(option)
    names = entry_names(entries, None if items is None else items.cls)
    number = _entry_number(names, step, place)
    inside = f"{place}[{step}]"
    entry = entries[number] if number < len(entries) else None
    entries = [
        *entries[:number],
        _replace(entry, option.item_type, rest, value, inside),
        *entries[number + 1 :],
    ]
    return _check_length(entries, option, place)


def _container(
    kind: mi.Type, current: Any, step: str, place: str
) -> mi.StructType | mi.DictType | mi.ListType:
    """The type, of those that `kind` allows, in which `step` names something. Raises ScenarioError."""
    tables = [option for option in options_of(kind) if isinstance(option, (mi.StructType, mi.DictType))]
    if isinstance(kind, mi.AnyType):
        tables = [mi.DictType(key_type=mi.StrType(), value_type=kind)]
    lists = [option for option in options_of(kind) if isinstance(option, mi.ListType)]
    if isinstance(current, list):
        tables = []
    elif isinstance(current, dict) or not step.isdecimal():
        lists = [] if tables else lists
    found = [*lists, *tables]
    if not found:
        raise ScenarioError(_inside(place, step), step, f"{place} itself: {describe_allowed(kind)}")
    return found[0]


def _replace_field(
    tree: Tree, kind: mi.StructType, step: str, rest: Sequence[str], value: Any, place: str
) -> Tree:
    field = _field_named(kind, step, place)
    if not rest and value in (None, NONE) and may_be_unset(field):
        others = {key: item for key, item in tree.items() if key != step}
        return others if field.default in (None, NODEFAULT) else {**others, step: None}
    if not rest and value in (None, NONE) and is_optional_table(field):
        return {key: item for key, item in tree.items() if key != step}
    return {**tree, step: _replace(tree.get(step), field.type, rest, value, _inside(place, step))}


def _field_named(kind: mi.StructType, step: str, place: str) -> mi.Field:
    """The field of this name. Raises ScenarioError if there is none."""
    by_name = {field.encode_name: field for field in kind.fields}
    if step not in by_name:
        raise ScenarioError(
            _inside(place, step), step, f"one of the fields {', '.join(by_name)}", near_match(step, by_name)
        )
    return by_name[step]


def _replace_key(
    tree: Tree, kind: mi.DictType, step: str, rest: Sequence[str], value: Any, place: str
) -> Tree:
    keys = options_of(kind.key_type)[0]
    if isinstance(keys, mi.LiteralType) and step not in keys.values:
        raise ScenarioError(
            key_place(place, step), step, describe_allowed(keys), near_match(step, keys.values)
        )
    if not rest and value in (None, NONE):
        return {key: item for key, item in tree.items() if key != step}
    return {**tree, step: _replace(tree.get(step), kind.value_type, rest, value, key_place(place, step))}


def _entry_number(names: Sequence[str | None], step: str, place: str) -> int:
    """The number of the entry that `step` names; that of a new one if it is the next. Raises ScenarioError."""
    count = names.count(step)
    if count == 1:
        return names.index(step)
    if count == 0 and step.isdecimal() and len(step) < 10 and int(step) <= len(names):
        return int(step)
    numbers = f"{len(names)}, which adds an entry"
    if names:
        numbers = f"a number from 0 to {len(names) - 1}, or {numbers}"
    if count > 1:
        found = ", ".join(str(number) for number, name in enumerate(names) if name == step)
        raise ScenarioError(f"{place}[{step}]", step, f"a number, as {count} entries have this name: {found}")
    raise no_such_entry(place, step, names, numbers)


def _check_length(entries: list[Any], kind: mi.ListType, place: str) -> list[Any]:
    if kind.max_length is not None and len(entries) > kind.max_length:
        raise ScenarioError(place, f"{len(entries):,} entries", f"at most {kind.max_length:,} entries")
    return entries


def _inside(place: str, step: str) -> str:
    return f"{place}.{step}" if place else step
