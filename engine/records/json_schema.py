"""The schema in formats that other tools read: JSON Schema for records, Table Schema for the flat tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from engine.records.fields import Date, Field, Time, fields_of
from engine.records.flat import FLAT_COLUMNS, Column
from engine.records.formats import FORMATS
from engine.records.schema import Patient

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TABLE_TYPES = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "truth": "boolean",
    "time": "datetime",
    "date": "date",
}


def record_schema() -> dict[str, Any]:
    """Return the JSON Schema of a patient record.

    It says more than the types: the format of times and dates, the labels of codes, and units as `x-unit`.
    """
    schema = msgspec.json.schema(Patient)
    for struct in _structs(Patient):
        properties = schema["$defs"][struct.__name__]["properties"]
        for field in fields_of(struct):
            _refine(properties[field.name], field)
        schema["$defs"][struct.__name__]["additionalProperties"] = False
    return {"$schema": DIALECT, "title": "goldenhour patient record", **schema}


def data_package(fmt: str, run_columns: Mapping[str, Sequence[Column]]) -> dict[str, Any]:
    """Return the tables of a run as a Data Package with a Table Schema for each (https://datapackage.org).

    Parameters
    ----------
    fmt
        A format that holds the flat tables. `path` names the first file of each.
    run_columns
        The columns of the tables of the run as a whole, by table.
    """
    info = FORMATS[fmt]
    resources = []
    for table, columns in (*FLAT_COLUMNS.items(), *run_columns.items()):
        schema: dict[str, Any] = {"fields": list(map(_table_field, columns)), "missingValues": [""]}
        if table == "patients":
            schema["primaryKey"] = "id"
        elif table in FLAT_COLUMNS:
            reference = {"resource": "patients", "fields": "id"}
            schema["foreignKeys"] = [{"fields": "patient_id", "reference": reference}]
        path = info.filename(table, 0)
        resources.append({"name": table, "path": path, "format": info.suffix[1:], "schema": schema})
    return {"name": "goldenhour", "resources": resources}


def _table_field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": column.name,
        "type": _TABLE_TYPES[column.kind],
        "description": column.meaning,
    }
    constraints: dict[str, Any] = {} if column.nullable else {"required": True}
    if column.codes:
        constraints["enum"] = list(dict.fromkeys(column.codes))
    if column.unit and column.kind not in ("time", "date"):
        field["unit"] = column.unit
    return field | ({"constraints": constraints} if constraints else {})


def _refine(schema: dict[str, Any], field: Field) -> None:
    """Add to the schema of a property what its type does not say."""
    text = next((option for option in schema.get("anyOf", [schema]) if option.get("type") == "string"), None)
    if text is not None and isinstance(field.source, Time | Date):
        text["format"] = "date-time" if isinstance(field.source, Time) else "date"
    elif field.unit:
        schema["x-unit"] = field.unit
    if text is not None and field.codes:
        text["enum"] = list(dict.fromkeys(field.codes))


def _structs(struct: type[Struct]) -> set[type[Struct]]:
    """Return the Structs of a record."""
    inner = {field.struct for field in fields_of(struct) if field.struct is not None}
    return {struct}.union(*map(_structs, inner))
