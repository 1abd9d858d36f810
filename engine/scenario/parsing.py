"""Parsing of scenario files, TOML and JSON; a mistake is reported with its place."""

import json
import re
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import cache
from math import isfinite
from typing import Any, Literal, NamedTuple, TypeGuard

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as mi

from engine.errors import MISSING, ScenarioError
from engine.scenario.distances import ReadTable, write_distances
from engine.scenario.incident_csv import TableLines, place_in_table, write_incidents
from engine.scenario.near_matches import near_match
from engine.scenario.repetition import Sources, place_in_file, repeat_entries
from engine.scenario.structs.bounds import MAX_INCIDENTS, MAX_LINKS
from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.file_fields import FILE_FIELDS
from engine.scenario.structs.scenario import Scenario
from engine.scenario.toml_lines import line_of

MAX_BYTES = 4 * 1024 * 1024
"""A larger file is refused unread."""

NONE = "none"
"""The word that unsets a field whose default is a value, because TOML has no null."""

EXTENDS = "extends"
"""The field of a file that names the scenario which the file changes. A scenario in memory has no such field."""

MAX_SEPARATORS = 400_000
"""A TOML text with more commas, dots, brackets, braces and signs of equality is refused before it is parsed.

Each of them costs the parser microseconds and up to a kilobyte. The largest scenario has fewer than 300,000.
"""

MAX_LINE_DOTS = 50
"""A line of TOML with more dots than this, besides those within numbers, is refused before it is parsed.

The time that tomllib takes for a key grows with the square of its parts. Dots are counted whether or not they are in a
string: where strings begin and end can only be told by parsing.
"""

MAX_KEY_STEPS = 2_000_000
"""A TOML text whose keys take the parser more steps is refused before it is parsed.

For each part of a key, tomllib walks through all parts of the key and of the table above it. A step costs 0.1 to 0.3
microseconds. The largest scenario takes fewer than 600,000.
"""

_FEW_DOTS = 8
"""In a line with no more dots, those within numbers are not told from the others to count steps."""

_DOT = re.compile(r"(?<![0-9])\.|\.(?![0-9])|\.(?=[0-9]++\.)")
"""A dot that is not the point of a number."""
_SEPARATORS = ",.=[{"
_DISTRIBUTION = (
    "a number from 0 to 1,000,000 for a constant, as in 8.0, or a distribution, as in "
    '{ distribution = "lognormal", mean = 8.0, sd = 4.0 }'
)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_ONE_FRONT = re.compile(r"incidents\[\d+\]\.front\Z")
_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


def parse(data: bytes, fmt: Literal["toml", "json"], where: str = "scenario") -> Scenario:
    r"""Read a scenario from the bytes of a file.

    Structure, types, bounds and spelling are checked here; `check` checks what the settings mean together.

    Parameters
    ----------
    data
        The whole file, at most `MAX_BYTES`.
    fmt
        Its format.
    where
        Name of the file in messages.

    Raises
    ------
    ScenarioError
        With the place of the first mistake, as in `fronts[1].nations["POL"]`, its value and what is allowed there.

    Examples
    --------
    >>> from engine.scenario import parse
    >>> parse(b'name = "small"', "toml").days
    8
    >>> parse(b'name = "small"\ndays = 0', "toml")
    Traceback (most recent call last):
    ...
    engine.errors.ScenarioError: days: got 0; allowed: a whole number, at least 1 and at most 3,650 (line 2)
    """
    return parse_text(data, fmt, where)[0]


class ScenarioText(NamedTuple):
    """The text that a scenario was read from."""

    data: bytes
    format: Literal["toml", "json"]
    name: str
    """Name of the file in messages."""
    sources: Sources | None = None
    """Which entry of the text each entry of the scenario comes from; None: they are the same."""
    lines: TableLines = ()
    """Which line of a table each of the listed incidents comes from."""
    files: tuple[str, ...] = ()
    """Names of the files with tables that the text names; without them it is no scenario."""

    def with_line(self, error: ScenarioError) -> ScenarioError:
        """The error with the place of its setting in this text and, if the text is TOML and has it, its line."""
        if error.line:
            return error
        place = place_in_file(place_in_table(error.place, self.lines), self.sources or {})
        number = line_of(_decode(self.data, self.name), place) if self.format == "toml" else None
        file = f"{self.name}, " if self.name != "scenario" else ""
        line = "" if number is None else f"{file}line {number}"
        return ScenarioError(place, error.value, error.allowed, error.near, line)


def parse_text(
    data: bytes, fmt: Literal["toml", "json"], where: str = "scenario", read: ReadTable | None = None
) -> tuple[Scenario, ScenarioText]:
    """The scenario that `parse` reads, and its text, which knows the lines of mistakes that are found later.

    Parameters
    ----------
    read
        Gives the text of a table that the scenario names; None: it may name none.
    """
    tree = read_tree(data, fmt, where)
    text = ScenarioText(data, fmt, where)
    files: list[str] = []

    def noted(place: str, name: str) -> str:
        files.append(name)
        assert read is not None
        return read(place, name)

    try:
        scenario, sources, lines = _scenario_and_sources(tree, where, noted if read else None)
    except ScenarioError as error:
        raise text.with_line(error) from None
    return scenario, text._replace(sources=sources, lines=lines, files=tuple(files))


def read_tree(data: bytes, fmt: Literal["toml", "json"], where: str = "scenario") -> dict[str, Any]:
    """The content of a file as dicts, lists, texts and numbers, not checked yet. Raises ScenarioError."""
    text = _decode(data, where)
    tree = _parse_toml(text, where) if fmt == "toml" else _parse_json(text, where)
    if not isinstance(tree, dict):
        raise ScenarioError(where, tree, "an object with the fields of a scenario")
    return tree


def scenario_of(tree: dict[str, Any], where: str = "scenario", read: ReadTable | None = None) -> Scenario:
    """The scenario that a tree of dicts and lists describes. Raises ScenarioError as `parse` does."""
    return _scenario_and_sources(tree, where, read)[0]


def _scenario_and_sources(
    tree: dict[str, Any], where: str, read: ReadTable | None
) -> tuple[Scenario, Sources, TableLines]:
    """The scenario of a tree, and for each entry of its lists the entry of the tree or the line that it comes from."""
    if EXTENDS in tree:
        raise ScenarioError(EXTENDS, tree[EXTENDS], "this field only in a file that is named by its path")
    checked = _check_value(tree, _scenario_type(), "")
    repeated, sources = repeat_entries(checked)
    lines: TableLines = ()
    try:
        plain, links = write_distances(repeated, read)
        sources = {**sources, "links": [sources["links"][i] for i in links]}
        plain, sources["incidents"], lines = write_incidents(plain, read)
        if plain is not checked:
            plain = _check_value(plain, _scenario_type(), "")
    except ScenarioError as error:
        place = place_in_file(place_in_table(error.place, lines), sources)
        raise ScenarioError(place, error.value, error.allowed, error.near) from None
    return _convert(plain, where), sources, lines


def _convert(tree: dict[str, Any], where: str) -> Scenario:
    try:
        return msgspec.convert(tree, Scenario)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise ScenarioError(
            where, str(error), "a scenario as `goldenhour scenarios show standard` prints"
        ) from None


def check_setting(value: Any, kind: mi.Type, place: str) -> Any:
    """The value of one setting, with times as text; raises ScenarioError if it does not fit the type of its field."""
    return _check_value(value, kind, place)


def validate(scenario: Scenario) -> None:
    """Check types and bounds of a scenario built or changed in memory; raises ScenarioError as `parse` does."""
    try:
        tree = msgspec.to_builtins(scenario)
    except (TypeError, ValueError, RecursionError) as error:
        raise ScenarioError("scenario", str(error), "text, numbers, true, false, lists and tables") from None
    _check_value(tree, _scenario_type(), "")


def _decode(data: bytes, where: str) -> str:
    if len(data) > MAX_BYTES:
        raise ScenarioError(where, f"{len(data):,} bytes", f"a file of at most {MAX_BYTES:,} bytes")
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise ScenarioError(
            f"{where}, line {line}", data[max(0, nul - 8) : nul + 8], "text in UTF-8, without NUL bytes"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScenarioError(
            f"{where}, line {line}", data[error.start : error.start + 8], "text in UTF-8"
        ) from None


def _parse_toml(text: str, where: str) -> Any:
    separators = sum(map(text.count, _SEPARATORS))
    if separators > MAX_SEPARATORS:
        raise ScenarioError(
            where,
            f"{separators:,} commas, dots, brackets, braces and signs of equality",
            f"at most {MAX_SEPARATORS:,}; no list has more than {max(MAX_LINKS, MAX_INCIDENTS):,} entries",
        )
    _check_keys(text, where)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _LINE.search(str(error))
        number = int(match[1]) if match else max(1, len(text.splitlines()))
        reason = _LINE.sub("", str(error)).removesuffix("(at end of document)").strip()
        raise ScenarioError(
            f"{where}, line {number}", _find_line(text, number), f"valid TOML ({reason})"
        ) from None
    except RecursionError:
        raise ScenarioError(where, text[:40], "lists and tables that are nested less deeply") from None
    except ValueError as error:  # integers of more than 4,300 digits, impossible dates
        raise ScenarioError(where, str(error), "TOML with numbers and dates in range") from None


def _check_keys(text: str, where: str) -> None:
    """Raise ScenarioError for keys that would take tomllib long."""
    deepest = steps = 0
    for number, line in enumerate(text.split("\n"), 1):
        dots = line.count(".")
        if dots > _FEW_DOTS:
            dots = sum(1 for _ in _DOT.finditer(line))
        if dots > MAX_LINE_DOTS:
            raise ScenarioError(
                f"{where}, line {number}",
                f"{dots:,} dots besides those in numbers",
                f"at most {MAX_LINE_DOTS} in a line; divide the line, or the key",
            )
        if not line:
            continue
        parts = dots + 1
        if line.lstrip().startswith("["):  # a table, or a list in a list
            deepest = max(deepest, parts)
        steps += parts * (deepest + parts)
    if steps > MAX_KEY_STEPS:
        raise ScenarioError(
            where,
            f"keys that take {steps:,} steps to read",
            f"at most {MAX_KEY_STEPS:,}: each part of a key takes a step for each part of the key and of its table; "
            "use fewer dots",
        )


def _parse_json(text: str, where: str) -> Any:
    try:
        tree = json.loads(text, object_pairs_hook=_unique_keys(where), parse_constant=_no_constant(where))
        if _SURROGATE.search(text):
            json.dumps(tree, ensure_ascii=False).encode()
        return tree
    except json.JSONDecodeError as error:
        raise ScenarioError(
            f"{where}, line {error.lineno}", _find_line(text, error.lineno), f"valid JSON ({error.msg})"
        ) from None
    except UnicodeEncodeError:
        raise ScenarioError(
            where, _SURROGATE.findall(text)[0], "whole Unicode characters, no half of a surrogate pair"
        ) from None
    except RecursionError:
        raise ScenarioError(where, text[:40], "lists and objects that are nested less deeply") from None
    except ValueError as error:
        raise ScenarioError(where, str(error), "JSON with numbers in range") from None


def _unique_keys(where: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key, value in pairs:
            if key in tree:
                raise ScenarioError(where, key, "each key only once in an object")
            tree[key] = value
        return tree

    return build


def _no_constant(where: str) -> Callable[[str], Any]:
    def refuse(word: str) -> Any:
        raise ScenarioError(where, word, "finite numbers")

    return refuse


def _find_line(text: str, line: int) -> str:
    lines = text.splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


@cache
def file_fields(cls: type[msgspec.Struct]) -> tuple[mi.Field, ...]:
    """The fields that an entry of a file may have besides those of its Struct."""
    if cls not in FILE_FIELDS:
        return ()
    info = mi.type_info(FILE_FIELDS[cls])
    assert isinstance(info, mi.StructType)
    return info.fields


@cache
def _scenario_type() -> mi.StructType:
    """The type of a scenario, with the types of all its fields."""
    info = mi.type_info(Scenario)
    assert isinstance(info, mi.StructType)
    return info


def _field_place(place: str, key: str) -> str:
    """Place of a field of a table."""
    return f"{place}.{key}" if place else key


def _check_value(value: Any, kind: mi.Type, place: str) -> Any:
    """The value, with times as text; raises ScenarioError with its exact place where it does not fit the type."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    if isinstance(kind, mi.UnionType):
        return _check_union(value, kind, place)
    if isinstance(kind, mi.StructType):
        return _check_struct(value, kind, place)
    if isinstance(kind, mi.ListType):
        if not isinstance(value, list):
            raise ScenarioError(place, value, f"a list of {describe_allowed(kind.item_type, many=True)}")
        _check_length(value, kind, place)
        return [_check_value(item, kind.item_type, f"{place}[{i}]") for i, item in enumerate(value)]
    if isinstance(kind, mi.DictType):
        return _check_dict(value, kind, place)
    if isinstance(kind, mi.StrType) and _is_moment(place) and isinstance(value, (date, time)):
        value = _write_time(value)
    if not _fits(value, kind):
        words = kind.values if isinstance(kind, mi.LiteralType) else ()
        allowed = describe_allowed(kind)
        if isinstance(value, list) and _ONE_FRONT.match(place):
            allowed = "the name of one front; several are written as fronts = [...]"
        raise ScenarioError(place, value, allowed, near_match(value, words))
    return value


def _is_moment(place: str) -> bool:
    """Whether a field may be a date and time of TOML."""
    return place == "start" or (place.startswith("incidents[") and place.endswith("].at"))


def _check_union(value: Any, kind: mi.UnionType, place: str) -> Any:
    options = [_without_meta(option) for option in kind.types if not isinstance(option, mi.NoneType)]
    if value is None and len(options) < len(kind.types):
        return None
    for option in options:
        takes_table = isinstance(option, (mi.StructType, mi.DictType))
        if _is_distribution(option) and _is_number(value):
            return _check_struct(value, option, place)
        if isinstance(option, mi.FloatType) and _is_number(value):
            return _check_value(value, option, place)
        plain = {mi.StrType: str, mi.IntType: int}.get(type(option))
        if plain is not None and len(options) > 1:
            if isinstance(value, plain) and not isinstance(value, bool):
                return _check_value(value, option, place)
            continue
        if (
            len(options) == 1
            or (takes_table and isinstance(value, dict))
            or (not takes_table and isinstance(value, list))
        ):
            return _check_value(value, option, place)
    raise ScenarioError(place, value, " or ".join(describe_allowed(option) for option in options))


def _options(kind: mi.Type) -> list[mi.Type]:
    """The types that a field may have, without annotations."""
    kind = _without_meta(kind)
    return [_without_meta(option) for option in kind.types] if isinstance(kind, mi.UnionType) else [kind]


def _without_meta(kind: mi.Type) -> mi.Type:
    """A type without its bounds and description."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    return kind


def _is_distribution(kind: mi.Type) -> TypeGuard[mi.StructType]:
    return isinstance(kind, mi.StructType) and kind.cls is Distribution


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_struct(value: Any, kind: mi.StructType, place: str) -> dict[str, Any]:
    if _is_distribution(kind) and _is_number(value):
        mean = next(field for field in kind.fields if field.encode_name == "mean")
        numbers = next(option for option in _options(mean.type) if isinstance(option, mi.FloatType))
        if not _fits(value, numbers):
            raise ScenarioError(place, value, describe_allowed(kind))
        return {"distribution": "constant", "mean": value}
    if not isinstance(value, dict):
        raise ScenarioError(place, value, describe_allowed(kind))
    fields = {field.encode_name: field for field in (*kind.fields, *file_fields(kind.cls))}
    for key in value:
        if key not in fields:
            raise ScenarioError(
                _field_place(place, key) if _PLAIN_KEY.match(key) else f"{place}[{json.dumps(key[:80])}]",
                key,
                f"one of the fields {', '.join(fields)}",
                near_match(key, fields),
            )
    for name, field in fields.items():
        if field.required and name not in value:
            raise ScenarioError(_field_place(place, name), MISSING, describe_allowed(field.type))
    return {
        key: None
        if item == NONE and _may_be_none(fields[key])
        else _check_value(item, fields[key].type, _field_place(place, key))
        for key, item in value.items()
    }


def _may_be_none(field: mi.Field) -> bool:
    """Whether a field has a default that the word `none` unsets."""
    kind = _without_meta(field.type)
    kinds = kind.types if isinstance(kind, mi.UnionType) else ()
    return field.default not in (None, NODEFAULT) and any(isinstance(option, mi.NoneType) for option in kinds)


def _check_dict(value: Any, kind: mi.DictType, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(place, value, describe_allowed(kind))
    if len(value) < (kind.min_length or 0):
        raise ScenarioError(place, value, f"at least {kind.min_length} entry")
    _check_length(value, kind, place)
    keys = _without_meta(kind.key_type)
    for key in value:
        if isinstance(keys, mi.LiteralType) and key not in keys.values:
            raise ScenarioError(
                key_place(place, key), key, describe_allowed(keys), near_match(key, keys.values)
            )
    return {key: _check_value(item, kind.value_type, key_place(place, key)) for key, item in value.items()}


def _check_length(value: list[Any] | dict[str, Any], kind: mi.ListType | mi.DictType, place: str) -> None:
    if kind.max_length is not None and len(value) > kind.max_length:
        raise ScenarioError(place, f"{len(value):,} entries", f"at most {kind.max_length:,} entries")
    if len(value) < (kind.min_length or 0):
        raise ScenarioError(place, f"{len(value):,} entries", f"at least {kind.min_length:,} entries")


def key_place(place: str, key: str) -> str:
    """Place of an entry in a table whose keys are data, as in `nations["POL"]`."""
    return f"{place}[{json.dumps(key[:80], ensure_ascii=False)}]"


def _write_time(value: date | time) -> str:
    """A TOML date-time as text in UTC; other dates and times as they are written, which `check` refuses."""
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
        return _is_finite(value) and _is_within(value, kind)
    return True


def _is_finite(value: int | float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _is_within(value: int | float, kind: mi.IntType | mi.FloatType) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
    )


def describe_allowed(kind: mi.Type, many: bool = False) -> str:
    """What a type accepts, in words.

    Parameters
    ----------
    kind
        The type of a field.
    many
        Whether the words name the items of a list or table: "whole numbers" instead of "a whole number".
    """
    kind = _without_meta(kind)
    if isinstance(kind, mi.UnionType):
        return " or ".join(
            describe_allowed(option, many) for option in kind.types if not isinstance(option, mi.NoneType)
        )
    if isinstance(kind, mi.LiteralType):
        return "one of " + ", ".join(str(value) for value in kind.values)
    if isinstance(kind, mi.StrType):
        lengths = f" of {kind.min_length or 0} to {kind.max_length} characters" if kind.max_length else ""
        return ("strings" if many else "a string in quotes") + lengths
    if isinstance(kind, mi.BoolType):
        return "true or false"
    if isinstance(kind, mi.IntType):
        return ("whole numbers" if many else "a whole number") + _bounds(kind)
    if isinstance(kind, mi.FloatType):
        return ("numbers" if many else "a finite number") + _bounds(kind)
    if isinstance(kind, mi.ListType):
        return f"a list of {describe_allowed(kind.item_type, many=True)}"
    if isinstance(kind, mi.DictType):
        return f"a table of {describe_allowed(kind.value_type, many=True)}"
    if _is_distribution(kind):
        return "distributions or numbers" if many else _DISTRIBUTION
    if isinstance(kind, mi.AnyType):
        return "values" if many else "a value"
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
