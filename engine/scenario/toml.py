"""Scenarios as TOML: short, or with a comment for every field, ready to edit. `parse` of it gives an equal scenario."""

import json
import re
import textwrap
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from msgspec import NODEFAULT, UNSET, Struct
from msgspec import inspect as mi

from engine.scenario.parsing import NONE, describe_allowed, file_fields
from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.scenario import Scenario
from engine.scenario.trees import options_of, to_tree

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_WIDTH = 100
_UNSET: tuple[Any, ...] = (None, [], {}, UNSET)
"""Values of a field that its author has not set."""

_HEAD = """\
A goldenhour scenario. A line that begins with "# " says what the next field means and what it may be.
A line that begins with "#" and no blank is an example of a field that is not set: remove the # to set it.
Durations are minutes, rates are casualties per 1,000 strength per day, shares are fractions of 1."""


def to_toml(scenario: Scenario, commented: bool = False) -> str:
    """The scenario as TOML; `parse` of it gives an equal scenario.

    Parameters
    ----------
    commented
        Whether a comment explains every field and an example stands for each that is not set.
    """
    lines = [f"# {line}" for line in _HEAD.splitlines()] if commented else []
    fields = _fields(Scenario)
    lines += _body(scenario, _inline_fields(fields), commented, "")
    for name, field in fields.items():
        value = getattr(scenario, name)
        if _tables_of(field):
            lines += _array(name, field, value, commented)
        elif _table_of(field):
            lines += _table(name, field, value, commented)
    return "\n".join(lines).lstrip("\n") + "\n"


def changed_settings(entry: Struct, names: Collection[str]) -> list[tuple[str, str]]:
    r"""What differs from the defaults within some fields of a scenario or an entry: paths, and values as in a file.

    >>> from engine.scenario import parse
    >>> changed_settings(parse(b'name = "a"\ntreatments.tourniquet.available = false', "toml"), ["treatments"])
    [('treatments.tourniquet.available', 'false')]
    """
    tree = to_tree(entry)
    return [found for name in names if name in tree for found in _paths(name, tree[name])]


def _paths(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """The paths of the settings within a table; distributions and shares of triage stay on one line."""
    if isinstance(value, dict) and value and "distribution" not in value and not place.startswith("triage."):
        for key, item in value.items():
            yield from _paths(f"{place}.{_key(str(key))}", item)
    else:
        yield place, write_value(value)


@cache
def _fields(cls: type[Struct]) -> dict[str, mi.Field]:
    info = mi.type_info(cls)
    assert isinstance(info, mi.StructType)
    return {field.encode_name: field for field in info.fields}


def _inline_fields(fields: dict[str, mi.Field]) -> list[str]:
    """Names of the fields that are written as `key = value`, not as tables of their own."""
    return [name for name, field in fields.items() if not _table_of(field) and not _tables_of(field)]


def _table_of(field: mi.Field) -> type[Struct] | None:
    """The Struct of a field that is written as a table of its own; distributions stay on one line."""
    for option in options_of(field.type):
        if isinstance(option, mi.StructType) and option.cls is not Distribution:
            return option.cls
    return None


def _tables_of(field: mi.Field) -> type[Struct] | None:
    """The Struct of a field that is written as an array of tables."""
    for option in options_of(field.type):
        if isinstance(option, mi.ListType):
            for item in options_of(option.item_type):
                if isinstance(item, mi.StructType) and item.cls is not Distribution:
                    return item.cls
    return None


def _table(name: str, field: mi.Field, value: Struct | None, commented: bool) -> list[str]:
    """`[name]` with its fields and the tables within it."""
    cls = _table_of(field)
    assert cls is not None
    is_set = value is not None and (value != _default(field) or name == "casualties")
    if not is_set and not commented:
        return []
    lines = ["", *(_comment(_about(field)) if commented else [])]
    lines.append(f"[{name}]" if is_set else f"#[{name}]")
    return [*lines, *_struct(value if is_set else cls, commented, name)]


def _array(name: str, field: mi.Field, values: list[Any], commented: bool) -> list[str]:
    """`[[name]]` for each item; with comments, the first item (or an example) explains the fields."""
    cls = _tables_of(field)
    assert cls is not None
    lines: list[str] = []
    if commented:
        lines += ["", *_comment(_about(field))]
        if not values:
            lines += [f"#[[{name}]]", *_struct(cls, True, name)]
    for i, value in enumerate(values):
        first = commented and i == 0
        lines += [*([] if first else [""]), f"[[{name}]]", *_struct(value, first, name)]
    return lines


def _struct(value: Any, commented: bool, name: str) -> list[str]:
    """The fields of a Struct, then the tables within it; for a class instead of an instance, examples only."""
    fields = _fields(value if isinstance(value, type) else type(value))
    lines = _body(value, _inline_fields(fields), commented, name)
    for key, field in fields.items():
        inside = None if isinstance(value, type) else getattr(value, key)
        if _tables_of(field):
            lines += _array(f"{name}.{key}", field, inside or [], commented)
        elif _table_of(field):
            lines += _table(f"{name}.{key}", field, inside, commented)
    return lines


def _body(value: Any, keys: list[str], commented: bool, place: str) -> list[str]:
    """`key = value` for the fields of a Struct; for a class instead of an instance, examples only."""
    cls = value if isinstance(value, type) else type(value)
    lines = []
    for key in keys:
        field = _fields(cls)[key]
        default = _default(field)
        current = default if value is cls else getattr(value, key)
        shown = value is not cls and current is not UNSET and (default is NODEFAULT or current != default)
        shown = shown or (commented and value is not cls and current not in _UNSET)
        if commented:
            lines += [*([] if place else [""]), *_comment(_about(field))]
        if shown:
            lines.append(f"{_key(key)} = {write_value(current)}")
        elif commented:
            example = _example(field) if current in _UNSET or current is NODEFAULT else current
            lines.append(f"#{_key(key)} = {write_value(example)}")
    for field in file_fields(cls) if commented else ():
        lines += [*([] if place else [""]), *_comment(_about(field))]
        lines.append(f"#{field.encode_name} = {write_value(_example(field))}")
    return lines


def _default(field: mi.Field) -> Any:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return field.default


def describe(kind: mi.Type) -> dict[str, Any]:
    """Description and examples of a field's type, from its msgspec.Meta."""
    if isinstance(kind, mi.Metadata):
        return {**(kind.extra_json_schema or {}), **describe(kind.type)}
    if isinstance(kind, mi.UnionType):
        return {key: text for option in kind.types for key, text in describe(option).items()}
    return {}


def _example(field: mi.Field) -> Any:
    return describe(field.type).get("examples", [""])[0]


def _about(field: mi.Field) -> str:
    """What a field means and what it may be."""
    text = str(describe(field.type).get("description", ""))
    options = options_of(field.type)
    tables = [option for option in options if isinstance(option, (mi.StructType, mi.ListType))]
    if any(isinstance(option, mi.StructType) and option.cls is Distribution for option in options):
        several = " or a list of them" if len(options) > 1 else ""
        return f"{text} [a number, or a distribution{several}: {_distribution_help()}]"
    if tables and (_table_of(field) or _tables_of(field)):
        return text
    return f"{text} [{describe_allowed(field.type)}]"


def _distribution_help() -> str:
    return str(describe(_fields(Distribution)["distribution"].type)["description"])


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH)]


def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_value(value: Any) -> str:
    """A value as a file has it, on one line; fields of Structs that are at their default are left out."""
    if value is None:
        return _text(NONE)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(write_value(item) for item in value) + "]"
    if isinstance(value, Struct):
        value = {
            key: getattr(value, key)
            for key, field in _fields(type(value)).items()
            if field.default is NODEFAULT or getattr(value, key) != _default(field)
        }
    items = ", ".join(f"{_key(str(key))} = {write_value(item)}" for key, item in value.items())
    return f"{{ {items} }}" if items else "{}"
