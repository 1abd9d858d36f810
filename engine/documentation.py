"""The page docs/records.md, generated from the specifications of records, columns and measures.

`python -m engine.documentation` prints it.
"""

import sys
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct, UnsetType

from engine.measures import MEASURES, RUN_COLUMNS, STAGE_MEANINGS
from engine.records import COMPRESSIONS, FLAT_COLUMNS, FORMATS, RUN_TABLES, Column, Patient, fields_of

_INTRODUCTION = """\
# Records

This page describes the files of a run. It is generated from the code: `python -m engine.documentation`.
`goldenhour schema` prints the JSON Schema of a record ([records.schema.json](records.schema.json)),
`goldenhour schema --format csv` the columns of the tables as a Data Package.

All persons are invented. Times are ISO 8601 in UTC to the second (`2030-01-01T00:00:00Z`). Durations follow from the
times; full records name those of operations and of intensive care. `facility` is the id of a facility of the scenario,
`POI` (point of injury) or `en route`. Diagnoses and external causes are coded in ICD-10-CM.
Abbreviations: AIS Abbreviated Injury Scale, ISS and NISS (New) Injury Severity Score, MASCAL mass casualty incident,
KIA killed in action (died before reaching a medical facility), DOW died of wounds (died after), RTD returned to duty.

A scenario with `detail = "full"` writes full records. Fields that only these have are marked so: in other records they
are absent, and their columns in the flat tables are null. Movements, operations, tourniquets, ordered diagnoses and the
chain of a death are lists of the record; the flat tables hold the events, treatments and wounds that they are made of.

## Formats

| format | files | patients in a part | content of a file |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return _INTRODUCTION + "\n".join([*_formats(), "", *_records(), *_tables(), *_run_tables()]) + "\n"


def _formats() -> Iterator[str]:
    for info in FORMATS.values():
        files = ", ".join(f"`{info.filename(table, 0)}`" for table in info.tables)
        part = f"{info.part_patients:,}" if info.part_patients else "all"
        yield f"| `{info.name}` | {files} | {part} | {info.content} |"
    suffixes = ", ".join(f"`{method}` adds `{suffix}`" for method, suffix in COMPRESSIONS.items() if suffix)
    yield ""
    yield (
        f"Compressed files ({suffixes}) consist of many frames, one for each chunk of patients. `gzip`, `zstd`, pandas,"
    )
    yield "polars, DuckDB and pyarrow read them as one. The name of a Parquet file does not depend on its compression."
    yield ""
    *some, last = (f"`{FORMATS['csv'].filename(table, 0)}`" for table in RUN_TABLES)
    names = f"{', '.join(some)} and {last}"
    number = {2: "two", 3: "three", 4: "four"}[len(RUN_TABLES)]
    yield f"In addition, each format has {number} tables of the run as a whole, such as {names}."


def _names(flat: bool) -> str:
    """Return the names of the formats that hold the flat tables, or of those that hold records."""
    return ", ".join(info.name for info in FORMATS.values() if info.is_flat == flat)


def _records() -> Iterator[str]:
    yield f"## The patient record ({_names(flat=False)})"
    yield ""
    for struct, path in _structs(Patient, ""):
        yield f"### `{path or 'patient'}`"
        yield ""
        yield (struct.__doc__ or "").strip()
        yield ""
        yield "| field | type | unit | meaning | values |"
        yield "|---|---|---|---|---|"
        for field in fields_of(struct):
            kind = _type(get_type_hints(struct)[field.name])
            meaning = f"{field.meaning}; only in full records" if field.full else field.meaning
            yield _row(field.name, kind, field.unit, meaning, field.codes)
        yield ""


def _structs(struct: type[Struct], path: str) -> Iterator[tuple[type[Struct], str]]:
    """Yield every Struct of a record once, with its path in the record."""
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
    """Yield the Structs in a type, and whether each is the item of a list."""
    for option in get_args(hint) if isinstance(hint, UnionType) else (hint,):
        if get_origin(option) is list:
            yield get_args(option)[0], True
        elif isinstance(option, type) and issubclass(option, Struct):
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
        return " or ".join(_type(option) for option in get_args(kind) if option is not UnsetType)
    return "object"


def _row(name: str, kind: str, unit: str, meaning: str, codes: Any) -> str:
    values = ", ".join(f"`{code}`" for code in dict.fromkeys(codes) if code)
    return f"| `{name}` | {kind} | {unit} | {meaning} | {values} |"


_KINDS = {"text": "text", "integer": "integer", "number": "number", "truth": "true or false"}


def _tables() -> Iterator[str]:
    yield f"## The flat tables ({_names(flat=True)})"
    yield ""
    yield "`patients.id` is `patient_id` in the other tables. In Arrow, an integer is an int32, a number a float64, a"
    yield "time a timestamp in UTC (in csv an ISO 8601 text), and a date a date32. In NumPy columns"
    yield "(`goldenhour.simulate`) null is None, NaT, NaN, or -1 for integers."
    yield ""
    yield "In csv a value is spelled by its column, never by the value: a number always has a decimal point (`2.0`), an"
    yield "integer never, truth values are `true` and `false`, texts and times are in quotation marks, null is empty."
    yield "Readers that guess types therefore see those above, with four exceptions. A column without values has no"
    yield "type. pandas reads integers with gaps as floats. Service numbers are digits without a zero in front: most"
    yield "readers take them for integers. polars looks at the first 100 rows: pass `infer_schema_length=None`, as an"
    yield "integer may be null that long (`events.role`, `treatments.wound`)."
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
    yield "## The tables of the run as a whole (all formats)"
    yield ""
    yield "`facilities` has the use of each facility's resources over time. It has no rows if no resource is limited."
    yield "`measures` has one figure in each row: the measure, its subject, the value and, for a quotient, the"
    yield "denominator. Counts by day that are 0 are omitted. A wait that has not ended at the end of the run counts up"
    yield "to that time. `summary.json` contains the same figures. `consumption` has what the treatments of the run are"
    yield "estimated to consume, by day, place and item; the quantities of each treatment are in"
    yield "`scenarios/data/model/consumption.toml`."
    yield ""
    yield "Rows of resources, transport, vehicles and roles without `detail` are about the whole run. With the"
    yield "`detail` `casualty_period` they are about the days of the scenario, in which people are hurt, and with"
    yield "`peak_24_hours` about the 24 hours, from a full minute on, in which most casualties arrive. Where only"
    yield "listed casualties come (`only_listed`), the casualty period lasts from the full hour of the first to the"
    yield "full hour after the last of them. A wait counts in full in the period in which it began; queues and use are"
    yield "means over the period. The whole run lasts until no limited resource or vehicle is in use any more, at most"
    yield "to the horizon (`run_length`); patients who need nothing limited may get their outcome later"
    yield "(`last_outcome`)."
    yield ""
    yield "The stages of the time to surgery (`stage_mean` and its neighbours) divide the time from injury to the first"
    yield "operation. Each millisecond belongs to one of them:"
    yield ""
    for stage, meaning in STAGE_MEANINGS.items():
        yield f"- `{stage}`: {meaning}"
    yield ""
    yield "Intervals of `facilities` are whole hours. If a run lasts so long that their table is full, each two of them"
    yield "are merged. Days are counted one by one up to day 50,000; what happens later is counted in rows"
    yield "whose `detail` is `after day 50000` (in `summary.json` under `by_day.later`). Medians have no longest value."
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
    sys.stdout.buffer.write(page().encode())
