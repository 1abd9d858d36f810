"""Patient records as Python objects: the slow, plain way, and the oracle of the compiled one."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from msgspec import Struct

from engine.records.code_tables import CodeTables
from engine.records.fields import Rows, View, join_path, written_fields
from engine.records.schema import Patient
from engine.records.values import python_values
from engine.tables import Chunk


def build_patients(chunk: Chunk, code_tables: CodeTables) -> list[Patient]:
    """Return the patients of `chunk` as records, in its order."""
    with _paused_garbage_collector():
        return build_structs(Patient, View(chunk, chunk.patients, code_tables))


def build_structs(struct: type[Struct], view: View, path: str = "") -> list[Any]:
    """Return one Struct for each row. `path` is that of the object in the record, for errors."""
    columns: list[list[Any]] = []
    for field in written_fields(struct, view.code_tables.full):
        place = join_path(path, field.name)
        if isinstance(field.source, Rows):
            rows, ends = field.source.rule(view)
            items = build_structs(
                _struct(field.struct), View(view.chunk, rows, view.code_tables), f"{place}[]"
            )
            columns.append([items[start:end] for start, end in pairwise([0, *ends.tolist()])])
        elif field.source is None:
            columns.append(build_structs(_struct(field.struct), view, place))
        else:
            values = field.source.values(view)
            columns.append(python_values(values, view.code_tables, field.nullable, place))
    return list(map(struct, *columns))


def _struct(struct: type[Struct] | None) -> type[Struct]:
    if struct is None:
        raise TypeError("a field without a source must be an object")
    return struct


@contextmanager
def _paused_garbage_collector() -> Iterator[None]:
    """Pause Python's garbage collector. It would visit every record that is being created and find nothing to free."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
