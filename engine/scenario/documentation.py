"""The page docs/scenario.md, generated from the fields of a scenario and the kinds of transport.

`python -m engine.scenario.documentation` prints it.
"""

import sys
from collections.abc import Iterator
from typing import Any

from msgspec import NODEFAULT, UNSET, Struct
from msgspec import inspect as mi

from engine.scenario.parsing import describe_allowed, file_fields
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import TRANSPORT_KINDS
from engine.scenario.toml import describe, write_value
from engine.scenario.trees import options_of
from scenarios import tables

_INTRODUCTION = """\
# The fields of a scenario

This page is generated from the code: `python -m engine.scenario.documentation`. `goldenhour scenarios show NAME` prints
the same descriptions as comments of a file. `goldenhour scenarios new` writes a short file to begin with,
`goldenhour scenarios check FILE` says how a file was understood, and [planning](planning.md) has examples.

Durations are minutes, rates are casualties per 1,000 strength per day, shares are fractions of 1. All times are UTC. A
scenario begins at `start`, and `days` of 24 hours follow. Times of day are those of the clock: of `at` of incidents,
of `hour` of special events, of shifts and nights. Day 1 is the day of the start. `at_hours` and `first_hour` are hours
after the start.

## Kinds of transport

`kind` of an entry of `vehicles` is one of these. A link names the `id` of such an entry in `vehicle`: then the number
of vehicles is limited. Or it names a kind itself: then there are always enough, and the kind gives only the speed,
which has no effect beside `minutes`.

| kind | litters | seats | speed, km/h | moves |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    return _INTRODUCTION + "\n".join([*_transports(), "", *_tables()]) + "\n"


def _transports() -> Iterator[str]:
    for kind in TRANSPORT_KINDS:
        row = tables.transports()[kind]
        where = "in the air" if row["mode"] == "air" else "on the ground"
        yield f"| `{kind}` | {row['capacity']} | 0 | {row['speed_kmh']:g} | {where} |"
    yield ""
    yield "`litters`, `seats` and `speed_kmh` of an entry replace these values, which come from"
    yield "`scenarios/data/reference/transport_logistics.json`."
    yield ""
    factors = tables.terrain_factors()
    yield "A `distance_km` takes distance / speed, times the factor of its `terrain`: " + ", ".join(
        f"{name} {factor:g}" for name, factor in factors.items()
    )
    yield "(the same file). Over land the terrain is road unless the link says otherwise, for aircraft it is air."


def _tables() -> Iterator[str]:
    """Every table of a file with its fields."""
    queue: list[tuple[type[Struct], str]] = [(Scenario, "")]
    seen: set[type[Struct]] = set()
    while queue:
        cls, place = queue.pop(0)
        if cls in seen:
            continue
        seen.add(cls)
        info = mi.type_info(cls)
        assert isinstance(info, mi.StructType)
        yield f"## `{place}`" if place else "## The scenario"
        yield ""
        yield " ".join((cls.__doc__ or "").split())
        yield ""
        yield "| field | may be | default | meaning |"
        yield "|---|---|---|---|"
        for field in (*info.fields, *file_fields(cls)):
            inner, many = _inner(field.type)
            allowed = (
                f"{'tables' if many else 'a table'}, see below" if inner else describe_allowed(field.type)
            )
            meaning = str(describe(field.type).get("description", ""))
            yield f"| `{field.encode_name}` | {_cell(allowed)} | {_default(field)} | {_cell(meaning)} |"
            if inner is not None:
                name = f"{place}.{field.encode_name}" if place else field.encode_name
                queue.append((inner, f"{name}[]" if many else name))
        yield ""


def _inner(kind: mi.Type) -> tuple[type[Struct] | None, bool]:
    """The Struct that a field holds, and whether it holds several."""
    for option in options_of(kind):
        if isinstance(option, mi.StructType):
            return option.cls, False
        held = option.item_type if isinstance(option, mi.ListType) else None
        held = option.value_type if isinstance(option, mi.DictType) else held
        for item in options_of(held) if held is not None else []:
            if isinstance(item, mi.StructType):
                return item.cls, True
    return None, False


def _default(field: mi.Field) -> str:
    """The default of a field; empty where it is unset or has to be given."""
    value: Any = field.default_factory() if field.default_factory is not NODEFAULT else field.default
    if value is NODEFAULT:
        return "(needed)"
    return (
        ""
        if value is UNSET or value in (None, [], {}, "") or isinstance(value, Struct)
        else f"`{write_value(value)}`"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
