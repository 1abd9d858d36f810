"""Network templates: the ready networks that `network = "brigade"` names, expanded for the fronts of a scenario.

A template is a file of `scenarios/data/networks`. Its entries have the fields of a scenario's entries and four more:
`each = "front"` (one entry for every front; {front} in an id stands for its name), `copies = 3` (three entries; {n}
stands for 1, 2, 3), `source` and `confidence`.
"""

from math import floor
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import replace

from engine.codes import LIMITING_FIELDS
from engine.scenario.structs.bounds import MAX_COUNT, MAX_POOL
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.links import Link
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.trees import fields_of
from scenarios import tables

_FACILITY_COUNTS = (*LIMITING_FIELDS, "blood_units", "resupply_units")
_SURGE_COUNTS = ("treatment_bays", "icu_beds", "ward_beds")
_ID_FIELDS = ("id", "origin", "destination", "vehicle", "base")
_TEMPLATE_FIELDS = ("each", "copies", "source", "confidence")

Entry = TypeVar("Entry", Facility, Vehicle)


class Network(NamedTuple):
    """A network expanded for the fronts of a scenario."""

    facilities: list[Facility]
    links: list[Link]
    vehicles: list[Vehicle]


def expand_template(name: str, fronts: list[str], scale: float) -> Network:
    """The network of a template for fronts of these names.

    Parameters
    ----------
    name
        Name of the template: the file without its ending.
    fronts
        Names of the fronts.
    scale
        Every count of the template is multiplied by it, rounded, and at least 1.
    """
    template = tables.network_template(name)
    facilities = msgspec.convert(_expand_entries(template["facilities"], fronts, "fronts"), list[Facility])
    links = msgspec.convert(_expand_entries(template["links"], fronts, "fronts"), list[Link])
    vehicles = msgspec.convert(_expand_entries(template["vehicles"], fronts), list[Vehicle])
    return Network(
        [_scale_facility(facility, scale) for facility in facilities],
        links,
        [replace(pool, number=_scale_count(pool.number, scale, MAX_POOL)) for pool in vehicles],
    )


def override_entries(base: list[Entry], own: list[Entry]) -> list[Entry]:
    """The entries of `base`, each overridden field by field by the one of the same id in `own`, then the rest of `own`.

    A field that an entry of `own` leaves at its default does not override.
    """
    own_by_id = {entry.id: entry for entry in own}
    base_ids = {entry.id for entry in base}
    entries = [
        replace(entry, **_set_fields(own_by_id[entry.id])) if entry.id in own_by_id else entry
        for entry in base
    ]
    return entries + [entry for entry in own if entry.id not in base_ids]


def _set_fields(entry: Struct) -> dict[str, Any]:
    """The fields of an entry that are not at their default."""
    values = {}
    for field in fields_of(type(entry)):
        value = getattr(entry, field.name)
        default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
        if default is NODEFAULT or value != default:
            values[field.name] = value
    return values


def _expand_entries(
    rows: list[dict[str, Any]], fronts: list[str], fronts_field: str = ""
) -> list[dict[str, Any]]:
    """A template's entries for every front and copy, as trees.

    Parameters
    ----------
    fronts_field
        The field that lists the front of an entry that is repeated for each; empty: no field does.
    """
    entries = []
    for row in rows:
        content = {key: value for key, value in row.items() if key not in _TEMPLATE_FIELDS}
        per_front = row.get("each") == "front"
        for front in fronts if per_front else [""]:
            for n in range(1, row.get("copies", 1) + 1):
                # {n} first: a front's name may hold braces of its own
                ids = {
                    key: content[key].replace("{n}", str(n)).replace("{front}", front)
                    for key in _ID_FIELDS
                    if key in content
                }
                served = {fronts_field: [front]} if per_front and fronts_field else {}
                entries.append({**content, **ids, **served})
    return entries


def _scale_count(count: int, scale: float, most: int = MAX_COUNT) -> int:
    return min(max(1, floor(count * scale + 0.5)), most)


def _scale_facility(facility: Facility, scale: float) -> Facility:
    """The facility with every count multiplied; an unset count stays unset, and 0 stays 0."""
    if scale == 1.0:
        return facility
    counts = {
        name: _scale_count(getattr(facility, name), scale)
        for name in _FACILITY_COUNTS
        if getattr(facility, name)
    }
    shifts = [
        replace(shift, surgical_teams=_scale_count(shift.surgical_teams, scale))
        if shift.surgical_teams
        else shift
        for shift in facility.shifts
    ]
    surge = facility.surge
    if surge is not None:
        added = {
            name: _scale_count(getattr(surge, name), scale) for name in _SURGE_COUNTS if getattr(surge, name)
        }
        surge = replace(surge, **added)
    return replace(facility, **counts, shifts=shifts, surge=surge)
