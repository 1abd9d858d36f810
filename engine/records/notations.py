"""How formats write a record: the parts of a program for JSON, MessagePack and CSV."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from engine.records.fields import (
    SHOWN,
    Composed,
    ComposedSize,
    Date,
    Digits,
    Field,
    Identifier,
    Number,
    Rows,
    Source,
    Time,
    join_path,
    written_fields,
)
from engine.records.flat import flat_fields
from engine.records.operations import DATE_BYTES, TIME_BYTES, Op
from engine.records.program import (
    Direct,
    ListBegin,
    ListEnd,
    LookUp,
    MapBegin,
    MapEnd,
    Part,
    SkipBegin,
    SkipEnd,
)

to_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
to_msgpack: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode

_WIDE_MAP = 16
"""Entries from which the header of a MessagePack map has three bytes."""


def json_parts(struct: type[Struct], path: str = "", full: bool = True) -> Iterator[Part]:
    """Yield the parts of a record, or of the object at `path` in it, as JSON, as msgspec writes it.

    Without `full` the fields that only full records have are left out.
    """
    opening = b"{"
    for field in written_fields(struct, full):
        key = opening + to_json(field.name) + b":"
        opening = b","
        place = join_path(path, field.name)
        if field.omitted and not isinstance(field.source, Number | Time):
            yield LookUp(((field.source, _unless_null(key, to_json), place),))
            continue
        if field.omitted:
            yield SkipBegin(field.source, place, counted=False)
        yield key
        if isinstance(field.source, Rows):
            yield ListBegin(field.source, place, b"[", b"[]", b",", b"]")
            yield from json_parts(_struct(field), f"{place}[]", full)
            yield ListEnd()
        elif field.source is None:
            yield from json_parts(_struct(field), place, full)
        else:
            yield from _value(field.source, place, to_json, Op.INTEGER, b'"', b'"', field.nullable)
        if field.omitted:
            yield SkipEnd()
    yield b"}"


def msgpack_parts(struct: type[Struct], path: str = "", full: bool = True) -> Iterator[Part]:
    """Yield the parts of a record, or of the object at `path` in it, as MessagePack, as msgspec writes it.

    Where a full record may have 16 entries the header has three bytes, however many there are. Without `full` the
    fields that only full records have are left out.
    """
    fields = written_fields(struct, full)
    always = sum(not field.omitted for field in fields)
    some_omitted, wide = always < len(fields), len(written_fields(struct, full=True)) >= _WIDE_MAP
    yield MapBegin(always, wide) if some_omitted else _map_header(always, wide)
    for field in fields:
        key = to_msgpack(field.name)
        place = join_path(path, field.name)
        if field.omitted and not isinstance(field.source, Number | Time):
            yield LookUp(((field.source, _unless_null(key, to_msgpack), place),), counted=True)
            continue
        if field.omitted:
            yield SkipBegin(field.source, place, counted=True)
        yield key
        if isinstance(field.source, Rows):
            yield ListBegin(field.source, place, header=True)
            yield from msgpack_parts(_struct(field), f"{place}[]", full)
            yield ListEnd()
        elif field.source is None:
            yield from msgpack_parts(_struct(field), place, full)
        else:
            size = _text_size(field.source)
            header = to_msgpack("x" * size)[:-size] if size else b""
            yield from _value(field.source, place, to_msgpack, Op.PACKED, header, b"", field.nullable)
        if field.omitted:
            yield SkipEnd()
    if some_omitted:
        yield MapEnd()


def _map_header(entries: int, wide: bool) -> bytes:
    """Return the header of a MessagePack map, of three bytes if `wide`."""
    return b"\xde" + entries.to_bytes(2, "big") if wide else to_msgpack(dict.fromkeys(range(entries)))[:1]


def _text_size(source: Source) -> int:
    """Return the size of a text of fixed width; 0 for other sources."""
    match source:
        case Time():
            return TIME_BYTES
        case Date():
            return DATE_BYTES
    return source.width


def csv_parts(table: str, full: bool = True) -> Iterator[Part]:
    """Yield the parts of a line of a flat table as CSV: texts are in quotation marks, null is empty.

    Without `full` the columns that only full records have are empty.
    """
    separator = b""
    for field in flat_fields(table):
        yield separator
        separator = b","
        if field.full and not full:
            continue
        quote = b"" if isinstance(field.source, Date) else b'"'
        place = f"{table}.{field.column.name}"
        yield from _value(field.source, place, to_csv, Op.INTEGER, quote, quote, field.column.nullable)
    yield b"\n"


def to_csv(value: Any) -> bytes:
    """Return a value as a cell of CSV.

    >>> to_csv('5" gun'), to_csv(None), to_csv(True), to_csv(2.0)
    (b'"5"" gun"', b'', b'true', b'2.0')
    """
    match value:
        case None:
            return b""
        case bool():
            return b"true" if value else b"false"
        case str():
            return b'"' + value.replace('"', '""').encode() + b'"'
    return repr(value).encode()


def _value(
    source: Source,
    place: str,
    write: Callable[[Any], bytes],
    integer: Op,
    before: bytes,
    after: bytes,
    nullable: bool,
) -> Iterator[Part]:
    """Yield the parts of a value. `before` and `after` stand around texts of fixed width."""
    match source:
        case Number():
            yield Direct(integer, source, place, null=write(None))
        case Time():
            null = write(None) if nullable else None
            yield Direct(Op.TIME, source, place, quotes=(before, after), null=null)
        case Date():
            yield from (before, Direct(Op.DATE, source, place), after)
        case Digits():
            header = int(integer == Op.PACKED)
            quotes = (b"", b"") if header else (before, after)
            digits = Direct(Op.DIGITS, source, place, operands=(source.least, header))
            yield from (quotes[0], digits, quotes[1])
        case Identifier():
            yield from (before, Direct(Op.BYTES, source, place), after)
        case Composed():
            yield from _composed(source, place, write, integer == Op.PACKED)
        case _:
            yield LookUp(((source, write, place),))


def _composed(source: Composed, place: str, write: Callable[[Any], bytes], packed: bool) -> Iterator[Part]:
    """Yield the parts of a composed text: between quotation marks, or after the header of a MessagePack text."""
    if packed:
        yield Direct(Op.TEXT, ComposedSize(source.rule), place, null=write(None))
    else:
        yield LookUp(
            ((source.part(SHOWN), lambda shown: write(shown)[:1] if shown == "" else write(None), place),)
        )
    for number in range(source.parts):
        inside = str.encode if packed else lambda text: write(text)[1:-1]
        yield LookUp(((source.part(number), inside, place),))
    if not packed:
        yield LookUp(((source.part(SHOWN), lambda shown: write(shown)[:1] if shown == "" else b"", place),))


def _unless_null(key: bytes, write: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: b"" if value is None else key + write(value)


def _struct(field: Field) -> type[Struct]:
    if field.struct is None:
        raise TypeError(f"field {field.name} has no source and is not an object")
    return field.struct
