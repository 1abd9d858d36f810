"""The page docs/records.md, made from the Structs and column specifications: `python -m engine.documentation`."""

import sys
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from engine.measures import MEASURES, RUN_COLUMNS
from engine.records import COMPRESSIONS, FLAT_COLUMNS, FORMATS, RUN_TABLES, Column, Patient

_INTRODUCTION = """\
# Records

What the files of a run contain. This page is generated from the code: `python -m engine.documentation`.

All persons are invented. Times are ISO 8601 in UTC to the second (`2030-01-01T00:00:00Z`); durations follow from
them. `facility` is the id of a facility of the scenario, `POI` (point of injury) or `en route`. Codes are ICD-10-CM.
Abbreviations: AIS Abbreviated Injury Scale, ISS and NISS (New) Injury Severity Score, MASCAL mass casualty incident,
KIA killed in action (died before reaching a medical facility), DOW died of wounds (died after), RTD returned to duty.

## Formats

| format | files | patients a part | what a file holds |
|---|---|---|---|
"""

_HOLDS = {
    "jsonl": "one patient record a line",
    "json": "one array of all patient records",
    "csv": "one flat table; the header line stands once a file; empty is null",
    "parquet": "one flat table, compressed inside with zstd level 1 unless asked otherwise",
    "msgpack": "patient records one after another, with the fields of the JSON records",
}


def page() -> str:
    """The whole page, Markdown."""
    return _INTRODUCTION + "\n".join([*_formats(), "", *_records(), *_tables(), *_run_tables()]) + "\n"


def _formats() -> Iterator[str]:
    for info in FORMATS.values():
        files = ", ".join(f"`{info.filename(table, 0)}`" for table in info.tables)
        part = f"{info.part_patients:,}" if info.part_patients else "all"
        yield f"| `{info.name}` | {files} | {part} | {_HOLDS[info.name]} |"
    suffixes = ", ".join(f"`{method}` adds `{suffix}`" for method, suffix in COMPRESSIONS.items() if suffix)
    yield ""
    yield (
        f"Compressed files are many frames one after another, one a chunk of patients ({suffixes}); `gzip`, `zstd`,"
    )
    yield "pandas, polars, DuckDB and pyarrow read them as one. Parquet keeps its name whatever compresses it inside."
    yield ""
    names = " and ".join(f"`{FORMATS['csv'].filename(table, 0)}`" for table in RUN_TABLES)
    yield f"Beside the patients each format has two tables of the whole run, such as {names}: one row a line or object."


def _records() -> Iterator[str]:
    yield "## The patient record (jsonl, json, msgpack)"
    yield ""
    for struct, path in _structs(Patient, ""):
        yield f"### `{path or 'patient'}`"
        yield ""
        yield (struct.__doc__ or "").strip()
        yield ""
        yield "| field | type | unit | meaning | values |"
        yield "|---|---|---|---|---|"
        for name, hint in get_type_hints(struct, include_extras=True).items():
            kind, meta = get_args(hint)[:2] if get_origin(hint) is Annotated else (hint, Meta())
            extra = meta.extra or {}
            yield _row(
                name, _type(kind), extra.get("unit", ""), meta.description or "", extra.get("codes", ())
            )
        yield ""


def _structs(struct: type[Struct], path: str) -> Iterator[tuple[type[Struct], str]]:
    """Every Struct of a record, once, with the place it stands at."""
    seen: set[type[Struct]] = set()
    queue = [(struct, path)]
    while queue:
        struct, path = queue.pop(0)
        if struct in seen:
            continue
        seen.add(struct)
        yield struct, path
        for name, hint in get_type_hints(struct).items():
            place = f"{path}.{name}" if path else name
            queue += [(inner, place + ("[]" if many else "")) for inner, many in _inner(hint)]


def _inner(hint: Any) -> Iterator[tuple[type[Struct], bool]]:
    if get_origin(hint) is list:
        yield get_args(hint)[0], True
    for option in (hint, *get_args(hint)):
        if get_origin(hint) is not list and isinstance(option, type) and issubclass(option, Struct):
            yield option, False


def _type(kind: Any) -> str:
    names = {str: "text", int: "integer", float: "number", bool: "true or false", NoneType: "null"}
    if kind in names:
        return names[kind]
    if get_origin(kind) is list:
        return "list"
    if get_origin(kind) is Literal:
        return "true"
    if isinstance(kind, UnionType):
        return " or ".join(_type(option) for option in get_args(kind))
    return "object"


def _row(name: str, kind: str, unit: str, meaning: str, codes: Any) -> str:
    values = ", ".join(f"`{code}`" for code in dict.fromkeys(codes) if code)
    return f"| `{name}` | {kind} | {unit} | {meaning} | {values} |"


_KINDS = {"text": "text", "integer": "integer", "number": "number", "truth": "true or false"}


def _tables() -> Iterator[str]:
    yield "## The flat tables (csv, parquet)"
    yield ""
    yield "`patients.id` is `patient_id` in the other tables. Types are Arrow's: integer is int32, number float64,"
    yield "time a timestamp in UTC (ISO 8601 text in csv), date a date32. In NumPy columns (`goldenhour.simulate`) a"
    yield "null is None, NaT, or -1 for integers."
    yield ""
    for table, columns in FLAT_COLUMNS.items():
        yield from _table(table, columns)


def _table(name: str, columns: tuple[Column, ...]) -> Iterator[str]:
    yield f"### Table `{name}`"
    yield ""
    yield "| column | type | unit | meaning | values |"
    yield "|---|---|---|---|---|"
    for column in columns:
        kind = _KINDS.get(column.kind, column.kind) + (" or null" if column.nullable else "")
        yield _row(column.name, kind, column.unit, column.meaning, column.codes)
    yield ""


def _run_tables() -> Iterator[str]:
    yield "## The tables of the run (all formats)"
    yield ""
    yield "`facilities` says what the resources of each facility did over time; without a finite resource it has no"
    yield "rows. `measures` has one figure a row: what was measured, what it is about, the value and, where it was"
    yield "divided, the denominator. Counts by day that are 0 are left out. Waits that have not ended when the run ends"
    yield "count as long as they lasted until then. `summary.json` holds the same figures."
    yield ""
    for table, columns in RUN_COLUMNS.items():
        yield from _table(table, columns)
    yield "### Measures"
    yield ""
    yield "| measure | unit | meaning | denominator |"
    yield "|---|---|---|---|"
    for name, (unit, meaning, of) in MEASURES.items():
        yield f"| `{name}` | {unit} | {meaning} | {of or ''} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
