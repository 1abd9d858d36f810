"""Scenario files, TOML and JSON, read with every mistake named by its place."""

import difflib
import json
import re
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import cache
from math import isfinite
from typing import Any, Literal

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as mi

from engine.errors import MISSING, ScenarioError
from engine.scenario.structs import Scenario

MAX_BYTES = 4 * 1024 * 1024
"""A larger file is refused unread."""

NONE = "none"
"""What unsets a field whose default is a value."""

MAX_NESTING = 64
_LONG_KEY = re.compile(rf"(?:[A-Za-z0-9_-]{{1,40}}[ \t]*\.[ \t]*){{{MAX_NESTING}}}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


def parse(data: bytes, fmt: Literal["toml", "json"], where: str = "scenario") -> Scenario:
    """Read a scenario from the bytes of a file; `where` names the file in messages.

    Structure, types, bounds and spelling are checked here, with the place as in `fronts[1].nations["POL"]`;
    what settings mean together is `engine.scenario.checks.settings.check`'s. Raises ScenarioError.
    """
    text = _text(data, where)
    tree = _toml(text, where) if fmt == "toml" else _json(text, where)
    if not isinstance(tree, dict):
        raise ScenarioError(where, tree, "an object with the fields of a scenario")
    tree = _walk(tree, _root(), "")
    try:
        return msgspec.convert(tree, Scenario)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise ScenarioError(
            where, str(error), "a scenario as `goldenhour scenarios show standard` prints"
        ) from None


def validate(s: Scenario) -> None:
    """Check types and bounds of a scenario built or changed in memory; ScenarioError as from `parse`."""
    _walk(msgspec.to_builtins(s), _root(), "")


def near_match(word: Any, words: Any) -> str | None:
    """The word of `words` most like `word`, None where none is like it; capitals do not matter."""
    if not isinstance(word, str):
        return None
    by_lower = {str(w).lower(): str(w) for w in words}
    found = difflib.get_close_matches(word[:100].lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def _text(data: bytes, where: str) -> str:
    if len(data) > MAX_BYTES:
        raise ScenarioError(where, f"{len(data):,} bytes", f"a file of at most {MAX_BYTES:,} bytes")
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise ScenarioError(
            f"{where}, line {line}", data[max(0, nul - 8) : nul + 8], "text in UTF-8, no NUL bytes"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScenarioError(
            f"{where}, line {line}", data[error.start : error.start + 8], "text in UTF-8"
        ) from None


def _toml(text: str, where: str) -> Any:
    for number, line in enumerate(text.split("\n"), 1):
        long_key = _LONG_KEY.search(line) if line.count(".") >= MAX_NESTING else None
        if long_key:  # tomllib would take a time that grows with the square of a key's parts
            place = f"{where}, line {number}"
            raise ScenarioError(place, long_key[0], f"keys of fewer than {MAX_NESTING} parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        at = int(found[1]) if found else max(1, len(text.splitlines()))
        reason = _LINE.sub("", str(error)).removesuffix("(at end of document)").strip()
        raise ScenarioError(f"{where}, line {at}", _line_of(text, at), f"TOML; {reason}") from None
    except RecursionError:
        raise ScenarioError(where, text[:40], "lists and tables that are not nested so deeply") from None
    except ValueError as error:  # integers of more than 4,300 digits, impossible dates
        raise ScenarioError(where, str(error), "TOML with numbers and dates in range") from None


def _json(text: str, where: str) -> Any:
    try:
        tree = json.loads(text, object_pairs_hook=_unique_keys(where), parse_constant=_no_constant(where))
        if _SURROGATE.search(text):
            json.dumps(tree, ensure_ascii=False).encode()
        return tree
    except json.JSONDecodeError as error:
        raise ScenarioError(
            f"{where}, line {error.lineno}", _line_of(text, error.lineno), f"JSON; {error.msg}"
        ) from None
    except UnicodeEncodeError:
        raise ScenarioError(where, _SURROGATE.findall(text)[0], "whole Unicode characters") from None
    except RecursionError:
        raise ScenarioError(where, text[:40], "lists and objects that are not nested so deeply") from None
    except ValueError as error:
        raise ScenarioError(where, str(error), "JSON with numbers in range") from None


def _unique_keys(where: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in pairs:
            if key in out:
                raise ScenarioError(where, key, "each key once in an object")
            out[key] = value
        return out

    return build


def _no_constant(where: str) -> Callable[[str], Any]:
    def refuse(word: str) -> Any:
        raise ScenarioError(where, word, "finite numbers")

    return refuse


def _line_of(text: str, line: int) -> str:
    lines = text.splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


@cache
def _root() -> mi.StructType:
    found = mi.type_info(Scenario)
    assert isinstance(found, mi.StructType)
    return found


def _member(place: str, key: str) -> str:
    """Place of a field of a Struct."""
    return f"{place}.{key}" if place else key


def _walk(value: Any, kind: mi.Type, place: str) -> Any:
    """`value` as the type asks for it (times made text); ScenarioError at the exact place otherwise."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    if isinstance(kind, mi.UnionType):
        return _walk_union(value, kind, place)
    if isinstance(kind, mi.StructType):
        return _walk_struct(value, kind, place)
    if isinstance(kind, mi.ListType):
        if not isinstance(value, list):
            raise ScenarioError(place, value, f"a list of {allowed(kind.item_type, many=True)}")
        _check_length(value, kind, place)
        return [_walk(item, kind.item_type, f"{place}[{i}]") for i, item in enumerate(value)]
    if isinstance(kind, mi.DictType):
        return _walk_dict(value, kind, place)
    if isinstance(kind, mi.StrType) and place == "start" and isinstance(value, (date, time)):
        value = _time_text(value)
    if not _fits(value, kind):
        words = kind.values if isinstance(kind, mi.LiteralType) else ()
        raise ScenarioError(place, value, allowed(kind), near_match(value, words))
    return value


def _walk_union(value: Any, kind: mi.UnionType, place: str) -> Any:
    options = [_bare(t) for t in kind.types if not isinstance(t, mi.NoneType)]
    if value is None and len(options) < len(kind.types):
        return None
    for option in options:
        table = isinstance(option, (mi.StructType, mi.DictType))
        if (
            len(options) == 1
            or (table and isinstance(value, dict))
            or (not table and isinstance(value, list))
        ):
            return _walk(value, option, place)
    raise ScenarioError(place, value, " or ".join(allowed(option) for option in options))


def _bare(kind: mi.Type) -> mi.Type:
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    return kind


def _walk_struct(value: Any, kind: mi.StructType, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(place, value, allowed(kind))
    fields = {field.encode_name: field for field in kind.fields}
    for key in value:
        if key not in fields:
            raise ScenarioError(
                _member(place, key) if _PLAIN_KEY.match(key) else f"{place}[{json.dumps(key[:80])}]",
                key,
                f"the fields {', '.join(fields)}",
                near_match(key, fields),
            )
    for name, field in fields.items():
        if field.default is NODEFAULT and field.default_factory is NODEFAULT and name not in value:
            raise ScenarioError(_member(place, name), MISSING, allowed(field.type))
    return {
        key: None
        if item == NONE and _may_be_none(fields[key])
        else _walk(item, fields[key].type, _member(place, key))
        for key, item in value.items()
    }


def _may_be_none(field: mi.Field) -> bool:
    """Whether a field has a default that `"none"` takes away: TOML has no word for it."""
    kind = _bare(field.type)
    kinds = kind.types if isinstance(kind, mi.UnionType) else ()
    return field.default not in (None, NODEFAULT) and any(isinstance(option, mi.NoneType) for option in kinds)


def _walk_dict(value: Any, kind: mi.DictType, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(place, value, allowed(kind))
    if len(value) < (kind.min_length or 0):
        raise ScenarioError(place, value, f"at least {kind.min_length} entry")
    _check_length(value, kind, place)
    keys = _bare(kind.key_type)
    for key in value:
        if isinstance(keys, mi.LiteralType) and key not in keys.values:
            raise ScenarioError(key_place(place, key), key, allowed(keys), near_match(key, keys.values))
    return {key: _walk(item, kind.value_type, key_place(place, key)) for key, item in value.items()}


def _check_length(value: list[Any] | dict[str, Any], kind: mi.ListType | mi.DictType, place: str) -> None:
    if kind.max_length is not None and len(value) > kind.max_length:
        raise ScenarioError(place, f"{len(value):,} entries", f"at most {kind.max_length:,} entries")


def key_place(place: str, key: str) -> str:
    """Place of an entry of a table whose keys the author chooses: `nations["POL"]`."""
    return f"{place}[{json.dumps(key[:80], ensure_ascii=False)}]"


def _time_text(value: date | time) -> str:
    """A TOML date-time as text in UTC; other dates and times as they are written (and then refused)."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:
            pass
    return value.isoformat()


def _fits(value: Any, kind: mi.Type) -> bool:
    if isinstance(kind, mi.LiteralType):
        return isinstance(value, str) and value in kind.values
    if isinstance(kind, mi.StrType):
        return isinstance(value, str) and (kind.min_length or 0) <= len(value) <= (
            kind.max_length or MAX_BYTES
        )
    if isinstance(kind, mi.BoolType):
        return isinstance(value, bool)
    if isinstance(kind, (mi.IntType, mi.FloatType)):
        numbers = int if isinstance(kind, mi.IntType) else (int, float)
        if isinstance(value, bool) or not isinstance(value, numbers):
            return False
        return _finite(value) and _within(value, kind)
    return True


def _finite(value: int | float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _within(value: int | float, kind: mi.IntType | mi.FloatType) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
    )


def allowed(kind: mi.Type, many: bool = False) -> str:
    """What a type accepts, in words."""
    kind = _bare(kind)
    if isinstance(kind, mi.UnionType):
        return " or ".join(allowed(t, many) for t in kind.types if not isinstance(t, mi.NoneType))
    if isinstance(kind, mi.LiteralType):
        return "one of " + ", ".join(str(v) for v in kind.values)
    if isinstance(kind, mi.StrType):
        lengths = f" of {kind.min_length or 0} to {kind.max_length} characters" if kind.max_length else ""
        return ("texts" if many else "a text in quotes") + lengths
    if isinstance(kind, mi.BoolType):
        return "true or false"
    if isinstance(kind, mi.IntType):
        return ("whole numbers" if many else "a whole number") + _bounds(kind)
    if isinstance(kind, mi.FloatType):
        return ("numbers" if many else "a finite number") + _bounds(kind)
    if isinstance(kind, mi.ListType):
        return f"a list of {allowed(kind.item_type, many=True)}"
    if isinstance(kind, mi.DictType):
        return f"a table of {allowed(kind.value_type, many=True)}"
    if isinstance(kind, mi.StructType):
        names = ", ".join(field.encode_name for field in kind.fields)
        return f"{'tables' if many else 'a table'} with the fields {names}"
    return "nothing"


def _bounds(kind: mi.IntType | mi.FloatType) -> str:
    low = f"at least {_number(kind.ge)}" if kind.ge is not None else ""
    low = f"above {_number(kind.gt)}" if kind.gt is not None else low
    high = f"at most {_number(kind.le)}" if kind.le is not None else ""
    high = f"below {_number(kind.lt)}" if kind.lt is not None else high
    parts = [part for part in (low, high) if part]
    return f", {' and '.join(parts)}" if parts else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"
