"""The flat tables of csv and parquet files and of `goldenhour.simulate`: their columns, and their content.

The columns follow from the declarations in `engine.records.schema`. `decode_columns` decodes a chunk to NumPy arrays,
`engine.records.arrow` to Arrow tables.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.records.code_tables import CodeTables
from engine.records.fields import Field, Rows, TextPair, Time, View, fields_of
from engine.records.schema import FLAT
from engine.records.values import Coded, Times, Values, numpy_values
from engine.tables import Chunk


class Column(NamedTuple):
    """A column of a flat table."""

    name: str
    kind: str
    """text, integer, number, truth, time or date."""
    meaning: str
    unit: str = ""
    codes: tuple[str, ...] = ()
    """The values, where they are labels of a code."""
    nullable: bool = False


class FlatField(NamedTuple):
    """A column of a flat table, and where its values come from."""

    column: Column
    source: Any
    full: bool = False
    """Whether it is null unless records have all fields."""

    def values(self, view: View) -> Values:
        """Return the values of all rows."""
        if self.full and not view.code_tables.full:
            if isinstance(self.source, Time):
                return Times(np.full(len(view.rows), -1, np.int64))
            return Coded((None,), np.zeros(len(view.rows), np.uint8))
        values: Values = self.source.values(view)
        return values


@cache
def flat_fields(table: str) -> tuple[FlatField, ...]:
    """Return the columns of a flat table, in order.

    Parameters
    ----------
    table
        A key of `engine.records.schema.FLAT`.
    """
    struct, only = FLAT[table]
    fields = list(_flat_fields(struct))
    place = 0
    for extra in fields_of(only):
        if extra.after is not None:
            names = [field.column.name for field in fields]
            place = names.index(extra.after) + 1 if extra.after else 0
        fields.insert(place, _flat_field(extra, extra.name))
        place += 1
    return tuple(fields)


def _flat_fields(struct: type[Struct], full: bool = False) -> Iterator[FlatField]:
    """Yield the columns of a Struct; with `full` only full records have it."""
    for field in fields_of(struct):
        if isinstance(field.source, Rows) or field.flat is None:
            continue
        if isinstance(field.source, TextPair):
            for part in fields_of(field.source.struct):
                name = dict(field.flat)[part.name] if not isinstance(field.flat, str) else field.flat
                meaning = f"{field.meaning}: {part.meaning}"
                column = Column(name, part.kind, meaning, part.unit, (), field.nullable)
                yield FlatField(column, field.source.part(part.name))
        elif field.source is None and field.struct is not None:
            yield from _flat_fields(field.struct, full or field.full)
        else:
            yield _flat_field(field, str(field.flat), full)


def _flat_field(field: Field, name: str, full: bool = False) -> FlatField:
    full = full or field.full
    meaning = f"{field.meaning}; only in full records" if full else field.meaning
    column = Column(name, field.kind, meaning, field.unit, field.codes, field.nullable or full)
    return FlatField(column, field.source, full)


FLAT_COLUMNS: dict[str, tuple[Column, ...]] = {
    table: tuple(field.column for field in flat_fields(table)) for table in FLAT
}
"""The columns of each flat table."""


def decode_columns(chunk: Chunk, code_tables: CodeTables) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the flat tables of `chunk` as NumPy arrays, by table and column.

    Texts are object arrays, ids `U`, times datetime64[s], dates datetime64[D], integers int64. Null is None, NaT, and
    -1 for integers.
    """
    decoded = {}
    for table in FLAT:
        view = View(chunk, getattr(chunk, table), code_tables)
        decoded[table] = {
            field.column.name: numpy_values(
                field.values(view),
                code_tables,
                field.column.kind,
                field.column.nullable,
                f"{table}.{field.column.name}",
            )
            for field in flat_fields(table)
        }
    return decoded
