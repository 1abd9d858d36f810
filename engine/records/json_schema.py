"""The schema in formats that other tools read: JSON Schema for records, Table Schema for the flat tables."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from engine.records.fields import Date, Field, Label, Time, fields_of
from engine.records.flat import flat_fields
from engine.records.schema import FLAT, Patient

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


def table_schema() -> dict[str, Any]:
    """Return the flat tables as a Data Package with a Table Schema for each (https://datapackage.org)."""
    resources = []
    for table in FLAT:
        fields = []
        for column, source in flat_fields(table):
            entry = {"name": column.name, "type": _TABLE_TYPES[column.kind], "description": column.meaning}
            constraints: dict[str, Any] = {} if column.nullable else {"required": True}
            labels = _labels(source, column.codes)
            if "" in labels:  # an empty cell is the empty text here
                constraints = {}
            if labels:
                constraints["enum"] = labels
            if column.unit and column.kind not in ("time", "date"):
                entry["unit"] = column.unit
            fields.append(entry | ({"constraints": constraints} if constraints else {}))
        schema: dict[str, Any] = {"fields": fields, "missingValues": [""]}
        if table == "patients":
            schema["primaryKey"] = "id"
        else:
            reference = {"resource": "patients", "fields": "id"}
            schema["foreignKeys"] = [{"fields": "patient_id", "reference": reference}]
        resources.append({"name": table, "schema": schema})
    return {"name": "goldenhour", "resources": resources}


def _refine(schema: dict[str, Any], field: Field) -> None:
    """Add to the schema of a property what its type does not say."""
    text = next((option for option in schema.get("anyOf", [schema]) if option.get("type") == "string"), None)
    if text is not None and isinstance(field.source, Time | Date):
        text["format"] = "date-time" if isinstance(field.source, Time) else "date"
    elif field.unit:
        schema["x-unit"] = field.unit
    labels = _labels(field.source, field.codes)
    if text is not None and labels:
        text["enum"] = labels


def _labels(source: Any, codes: tuple[str, ...]) -> list[str]:
    """Return the values of a field whose values are labels; none for other fields."""
    labels: Iterable[Any] = codes
    if isinstance(source, Label) and set(codes) <= set(source.labels):
        labels = source.labels  # they may have an empty one, which the documentation omits
    return [label for label in dict.fromkeys(labels) if isinstance(label, str)]


def _structs(struct: type[Struct]) -> set[type[Struct]]:
    """Return the Structs of a record."""
    inner = {field.struct for field in fields_of(struct) if field.struct is not None}
    return {struct}.union(*map(_structs, inner))
