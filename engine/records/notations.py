"""How formats write a record: the parts of a program for JSON, MessagePack and CSV."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from engine.records.fields import Date, Digits, Field, Identifier, Number, Rows, Source, Time, fields_of
from engine.records.flat import flat_fields
from engine.records.operations import Op
from engine.records.program import Direct, ListBegin, ListEnd, LookUp, MapBegin, Part

to_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
to_msgpack: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode


def json_parts(struct: type[Struct]) -> Iterator[Part]:
    """Yield the parts of a record as JSON, as msgspec writes it."""
    opening = b"{"
    for field in fields_of(struct):
        key = opening + to_json(field.name) + b":"
        opening = b","
        if field.omitted:
            yield LookUp(((field.source, _unless_null(key, to_json)),))
            continue
        yield key
        if isinstance(field.source, Rows):
            yield ListBegin(field.source, b"[", b"[]", b",", b"]")
            yield from json_parts(_struct(field))
            yield ListEnd()
        elif field.source is None:
            yield from json_parts(_struct(field))
        else:
            yield from _value(field.source, to_json, Op.INTEGER, b'"', b'"', field.nullable)
    yield b"}"


def msgpack_parts(struct: type[Struct]) -> Iterator[Part]:
    """Yield the parts of a record as MessagePack, as msgspec writes it."""
    fields = fields_of(struct)
    always = sum(not field.omitted for field in fields)
    yield MapBegin(always) if always < len(fields) else to_msgpack(dict.fromkeys(range(always)))[:1]
    for field in fields:
        key = to_msgpack(field.name)
        if field.omitted:
            yield LookUp(((field.source, _unless_null(key, to_msgpack)),), counted=True)
            continue
        yield key
        if isinstance(field.source, Rows):
            yield ListBegin(field.source, header=True)
            yield from msgpack_parts(_struct(field))
            yield ListEnd()
        elif field.source is None:
            yield from msgpack_parts(_struct(field))
        else:
            size = 20 if isinstance(field.source, Time) else 10 if isinstance(field.source, Date) else 0
            header = to_msgpack("x" * (size or field.source.width))
            header = header[: len(header) - (size or field.source.width)]
            yield from _value(field.source, to_msgpack, Op.PACKED, header, b"", field.nullable)


def csv_parts(table: str) -> Iterator[Part]:
    """Yield the parts of a line of a flat table as CSV: texts are in quotation marks, null is empty."""
    separator = b""
    for field in flat_fields(table):
        yield separator
        separator = b","
        quote = b"" if isinstance(field.source, Date) else b'"'
        yield from _value(field.source, to_csv, Op.INTEGER, quote, quote, field.column.nullable)
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
    source: Source, write: Callable[[Any], bytes], integer: Op, before: bytes, after: bytes, nullable: bool
) -> Iterator[Part]:
    """Yield the parts of a value. `before` and `after` stand around texts of fixed width."""
    match source:
        case Number():
            yield Direct(integer, source, null=write(None))
        case Time():
            null = write(None) if nullable else None
            yield Direct(Op.TIME, source, quotes=(before, after), null=null)
        case Date():
            yield from (before, Direct(Op.DATE, source), after)
        case Digits():
            header = int(integer == Op.PACKED)
            quotes = (b"", b"") if header else (before, after)
            digits = Direct(Op.DIGITS, source, operands=(source.least, header))
            yield from (quotes[0], digits, quotes[1])
        case Identifier():
            yield from (before, Direct(Op.BYTES, source), after)
        case _:
            yield LookUp(((source, write),))


def _unless_null(key: bytes, write: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: b"" if value is None else key + write(value)


def _struct(field: Field) -> type[Struct]:
    if field.struct is None:
        raise TypeError(f"field {field.name} has no source and is not an object")
    return field.struct
