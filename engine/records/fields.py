"""How a field of a record is declared: its meaning, unit and values, and where its value comes from.

A field is one annotated line of a Struct in `engine.records.schema`:

    age: Annotated[int, field("age when injured", Number("age"), unit="years")]

Every format, the flat tables, the in-memory tables and the documentation follow from these declarations.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Protocol, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.records.code_tables import Codes, CodeTables, GroupedTexts
from engine.records.operations import MOST_DIGITS
from engine.records.values import Coded, Dates, DigitTexts, FixedTexts, Integers, Joined, Times, Values
from engine.tables import Chunk, Table


class View:
    """The rows of one table of a chunk, with what a rule may need to compute a column from them."""

    def __init__(
        self,
        chunk: Chunk,
        rows: Table,
        code_tables: CodeTables,
        of_chunk: "dict[Rule, Any] | None" = None,
    ) -> None:
        self.chunk = chunk
        self.rows = rows
        self.code_tables = code_tables
        self._computed: dict[Any, Any] = {}
        self._of_chunk: dict[Any, Any] = {} if of_chunk is None else of_chunk
        """What rules gave that depend on the chunk alone. The views of its tables may share it."""

    def compute(self, rule: "Rule") -> Any:
        """Return what the rule gives for these rows. It is computed once."""
        if rule not in self._computed:
            self._computed[rule] = rule(self)
        return self._computed[rule]

    def compute_of_chunk(self, rule: "Rule") -> Any:
        """Return what a rule gives that depends on the chunk alone. It is computed once for all of its tables."""
        if rule not in self._of_chunk:
            self._of_chunk[rule] = rule(self)
        return self._of_chunk[rule]

    def codes(self, column: "str | Rule") -> Codes:
        """Return a column of the table, or the column that a rule gives."""
        return self.rows[column] if isinstance(column, str) else self.compute(column)


Rule = Callable[[View], Any]
"""Computes a column from the rows of a table."""


class Source(Protocol):
    """Where the values of a field come from."""

    def code_key(self, code_tables: CodeTables) -> Any:
        """Return what is equal for look-ups that follow the same code and know the same ones; None for all others."""

    @property
    def width(self) -> int:
        """The size of a text of fixed width; 0 for all others."""

    def values(self, view: View) -> Values:
        """Return the values of all rows."""


class _Source:
    """What most sources have in common."""

    width = 0

    def code_key(self, code_tables: CodeTables) -> Any:
        """Return None: the source follows no code, or one of its own."""
        return None


@dataclass(frozen=True)
class Number(_Source):
    """An integer as it stands in the column, null where it is negative."""

    column: str | Rule

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return Integers(view.codes(self.column))


@dataclass(frozen=True)
class Label(_Source):
    """The label of a code. Where it is optional, the code of "none of them", 255 or 65535, is null.

    Any other code beyond the labels is an error.
    """

    labels: Sequence[Any]
    column: str | Rule
    optional: bool = False

    def code_key(self, code_tables: CodeTables) -> Any:
        """Return what is equal for look-ups that follow the same code and know the same ones."""
        return _code_key(self.column, 0, self._texts)

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return Coded(self._texts, view.codes(self.column))

    @cached_property
    def _texts(self) -> Sequence[Any]:
        return (*self.labels, None) if self.optional else self.labels


@dataclass(frozen=True)
class Text(_Source):
    """A text of the scenario or a catalogue: an attribute of `CodeTables`, by code.

    A list that ends with None gives null for the code of "none of them", 255 or 65535. Any other code beyond the list
    is an error.
    """

    table: str
    column: str | Rule
    low: int = 0
    """The code of the first text."""

    def code_key(self, code_tables: CodeTables) -> Any:
        """Return what is equal for look-ups that follow the same code and know the same ones."""
        return _code_key(self.column, self.low, getattr(code_tables, self.table))

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return Coded(getattr(view.code_tables, self.table), view.codes(self.column), self.low)


@dataclass(frozen=True)
class TextPair(_Source):
    """A code and its text, two attributes of `CodeTables`, as one object; null where the code is null."""

    codes: str
    displays: str
    column: str
    struct: type[Struct]

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return Coded(view.code_tables.reusable(self, self._objects), view.rows[self.column])

    def part(self, name: str) -> Text:
        """Return the source of one field of the objects."""
        return Text(self.codes if name == fields_of(self.struct)[0].name else self.displays, self.column)

    def _objects(self, code_tables: CodeTables) -> list[Struct | None]:
        codes, displays = getattr(code_tables, self.codes), getattr(code_tables, self.displays)
        return [
            None if code is None else self.struct(code, display)
            for code, display in zip(codes, displays, strict=True)
        ]


@dataclass(frozen=True)
class GroupText(_Source):
    """A text of a group, such as the nation: an attribute of `CodeTables` that is a `GroupedTexts`."""

    table: str
    group: str | Rule
    column: str

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        grouped: GroupedTexts = getattr(view.code_tables, self.table)
        return Coded(grouped.texts, grouped.codes(view.codes(self.group), view.rows[self.column]))


@dataclass(frozen=True)
class Time(_Source):
    """A time in ms from the scenario's start, null where it is negative and the field may be null."""

    column: str

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return Times(view.rows[self.column])


@dataclass(frozen=True)
class Date(_Source):
    """A date in days since 1970-01-01."""

    column: str

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return Dates(view.rows[self.column])


@dataclass(frozen=True)
class Digits(_Source):
    """A number as a text of digits, at least `least` of them."""

    column: str
    least: int

    def __post_init__(self) -> None:
        if self.least > MOST_DIGITS:
            raise ValueError(f"{self}: `least` is at most {MOST_DIGITS}")

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return DigitTexts(view.rows[self.column], self.least)


@dataclass(frozen=True)
class Identifier(_Source):
    """A text of fixed width that a rule gives as an array of bytes."""

    rule: Rule
    width: int
    places: str = ""
    """The column that says which of the texts a row has; the rule then depends on the chunk alone. Without it, each
    row has the text in its place."""

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        if self.places:
            return FixedTexts(view.compute_of_chunk(self.rule), view.rows[self.places])
        return FixedTexts(view.compute(self.rule))


@dataclass(frozen=True)
class Constant(_Source):
    """The same value in each row."""

    value: Any

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        return Coded((self.value,), np.zeros(len(view.rows), np.uint8))


@dataclass(frozen=True)
class Looked(_Source):
    """Values that a rule looks up: it gives a `Coded`."""

    rule: Rule

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        found: Values = view.compute(self.rule)
        return found


@dataclass(frozen=True)
class Composed(_Source):
    """A text that is joined from the texts of several codes, row by row; null where the rule says so.

    The rule gives a `Joined`. It looks texts up and never writes one for a single row, so that a chunk costs as many
    steps as a text has parts.
    """

    rule: Rule
    parts: int
    """The number of the parts that the rule gives."""

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        joined: Joined = view.compute(self.rule)
        return joined

    def part(self, number: int) -> "ComposedPart":
        """Return the source of one part."""
        return ComposedPart(self.rule, number)


SHOWN = -1
"""The number that stands for whether a composed text is not null."""


@dataclass(frozen=True)
class ComposedPart(_Source):
    """One part of a composed text; with `number` SHOWN, whether the text is not null: the texts are None and ""."""

    rule: Rule
    number: int

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        joined: Joined = view.compute(self.rule)
        return joined.shown if self.number == SHOWN else joined.parts[self.number]


@dataclass(frozen=True)
class ComposedSize(_Source):
    """The number of bytes of a composed text in UTF-8, negative where it is null."""

    rule: Rule

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        joined: Joined = view.compute(self.rule)
        return Integers(joined.sizes())


@dataclass(frozen=True)
class Rows:
    """The rows of a list: a rule that returns the table and the exclusive ends of the patients' rows."""

    rule: Callable[[View], tuple[Table, Codes]]


def _code_key(column: "str | Rule", low: int, texts: Sequence[Any]) -> Any:
    return column, low, len(texts)


OWN_NAME = "="


def field(
    meaning: str,
    source: Source | Rows | None = None,
    *,
    unit: str = "",
    codes: Sequence[str] = (),
    flat: str | Mapping[str, str] | None = OWN_NAME,
    after: str | None = None,
    full: bool = False,
) -> Meta:
    """Declare a field.

    Parameters
    ----------
    meaning
        What the field means, for the documentation.
    source
        Where its values come from. None for an object whose fields come from the same row.
    unit
        The unit, for the documentation. Times and dates state it themselves.
    codes
        The values, where they are labels of a code.
    flat
        The name of its column in the flat table, by default the field's; None if it has no column. For an object that
        a source gives as a whole: the columns of its fields, by field.
    after
        For a field that only the flat table has: the column that it follows, by default the one declared before it; an
        empty text for the beginning of the table.
    full
        Whether only records of scenarios with `detail = "full"` have it. In the others it is left out, in the flat
        tables null.
    """
    if isinstance(source, Time | Date):
        unit = "time" if isinstance(source, Time) else "date"
    if not codes and isinstance(source, Label):
        codes = [label for label in source.labels if isinstance(label, str)]
    extra = {
        "unit": unit,
        "codes": [code for code in codes if code],
        "source": source,
        "flat": flat,
        "after": after,
        "full": full,
    }
    return Meta(description=meaning, extra=extra)


class Field(NamedTuple):
    """A field as it was declared."""

    name: str
    type: Any
    """The type without the null."""
    struct: type[Struct] | None
    """The Struct of an object or of the items of a list."""
    source: Any
    meaning: str
    unit: str
    codes: tuple[str, ...]
    flat: str | Mapping[str, str] | None
    after: str | None
    nullable: bool
    omitted: bool
    """Whether a null is left out of the record."""
    full: bool
    """Whether only records with `detail = "full"` have it."""

    @property
    def kind(self) -> str:
        """The kind of a value: text, integer, number, truth, time or date."""
        if isinstance(self.source, Time | Date):
            return self.unit
        return _KINDS.get(self.type, "truth")


_KINDS = {str: "text", int: "integer", float: "number", bool: "truth"}


@cache
def fields_of(struct: type[Struct]) -> tuple[Field, ...]:
    """Return the fields of a Struct of `engine.records.schema`, in order.

    Raises
    ------
    TypeError
        If the programs of `engine.records.program` cannot write one of them.
    """
    infos = {info.name: info for info in msgspec.structs.fields(struct)}
    leaves_out = struct.__struct_config__.omit_defaults
    fields = tuple(
        _field_of(name, hint, leaves_out and not infos[name].required)
        for name, hint in get_type_hints(struct, include_extras=True).items()
    )
    for place, field in enumerate(fields):
        fault = _fault(field, infos[field.name].default, place)
        if fault:
            raise TypeError(f"{struct.__name__}.{field.name}: {fault}")
    return fields


@cache
def written_fields(struct: type[Struct], full: bool) -> tuple[Field, ...]:
    """Return the fields of a Struct that records have: all with `detail = "full"`, else those of `core`."""
    return tuple(field for field in fields_of(struct) if full or not field.full)


def _fault(field: "Field", default: Any, place: int) -> str:
    """Return why a field cannot be written; an empty text if it can."""
    is_object = field.source is None and field.struct is not None
    if (field.nullable or field.omitted) and (is_object or isinstance(field.source, _NEVER_NULL)):
        return "a list, an object, a date, digits or an id cannot be null or omitted"
    if field.omitted and default is not None:
        return "a field can be omitted only where it is null: its default must be None"
    if field.full and default is not (None if field.omitted else UNSET):
        return "a field of full records alone has the default UNSET, or None in an object that omits null"
    if field.omitted and place == 0:
        return "the first field of an object cannot be omitted"
    return ""


_NEVER_NULL = (Rows, Date, Digits, Identifier)


def join_path(path: str, name: str) -> str:
    """Return the path of a field of the object at `path`.

    >>> join_path("", "injury"), join_path("injury.wounds[]", "ais")
    ('injury', 'injury.wounds[].ais')
    """
    return f"{path}.{name}" if path else name


def _field_of(name: str, hint: Any, omitted: bool) -> Field:
    kind, meta = get_args(hint)[:2] if get_origin(hint) is Annotated else (hint, Meta())
    nullable = isinstance(kind, UnionType) and NoneType in get_args(kind)
    if isinstance(kind, UnionType):
        (kind,) = (option for option in get_args(kind) if option not in (NoneType, UnsetType))
    item = get_args(kind)[0] if get_origin(kind) is list else kind
    struct = item if isinstance(item, type) and issubclass(item, Struct) else None
    extra = meta.extra or {}
    flat = extra.get("flat", OWN_NAME)
    return Field(
        name,
        kind,
        struct,
        extra.get("source"),
        meta.description or "",
        extra.get("unit", ""),
        tuple(extra.get("codes", ())),
        name if flat == OWN_NAME else flat,
        extra.get("after"),
        nullable,
        omitted,
        extra.get("full", False),
    )
