"""Named networks: the facilities, links and vehicles that `network` lays for the fronts of a scenario.

A network is a file of `scenarios/data/networks`. Its entries have the fields of a scenario's, and besides: `each =
"front"` (one for every front; {front} in an id stands for its name), `copies = 3` (as many of them; {n} stands for
1, 2, 3), `source` and `confidence`.
"""

from math import floor
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, replace

from engine.scenario.structs import MAX_COUNT, Facility, Link, Vehicle
from scenarios import tables

_COUNTS = (
    "triage_teams",
    "treatment_bays",
    "operating_tables",
    "surgical_teams",
    "icu_beds",
    "ward_beds",
    "places",
    "blood_units",
    "resupply_units",
)
_SURGE_COUNTS = ("treatment_bays", "icu_beds", "ward_beds")
_NAMES = ("id", "origin", "destination", "vehicle", "base")

Entry = TypeVar("Entry", Facility, Vehicle)


class Laydown(NamedTuple):
    """A network laid for some fronts."""

    facilities: list[Facility]
    links: list[Link]
    vehicles: list[Vehicle]


def lay(name: str, fronts: list[str], scale: float) -> Laydown:
    """The network `name` for fronts of these names, every count multiplied by `scale` (rounded, at least 1)."""
    rows = tables.network(name)
    return Laydown(
        [
            _scaled_facility(f, scale)
            for f in msgspec.convert(_written(rows["facilities"], fronts, "fronts"), list[Facility])
        ],
        msgspec.convert(_written(rows["links"], fronts, "fronts"), list[Link]),
        [
            replace(v, number=_scaled(v.number, scale, 100_000))
            for v in msgspec.convert(_written(rows["vehicles"], fronts), list[Vehicle])
        ],
    )


def overlaid(base: list[Entry], own: list[Entry]) -> list[Entry]:
    """`base` with the entries of `own` of the same id laid over field by field, and the others after it."""
    by_id = {entry.id: entry for entry in own}
    known = {entry.id for entry in base}
    found = [replace(entry, **_settings(by_id[entry.id])) if entry.id in by_id else entry for entry in base]
    found += [entry for entry in own if entry.id not in known]
    return found


def _settings(entry: Struct) -> dict[str, Any]:
    """The fields of an entry that are not at their default."""
    found = {}
    for field in fields(entry):
        value = getattr(entry, field.name)
        default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
        if default is NODEFAULT or value != default:
            found[field.name] = value
    return found


def _written(rows: list[dict[str, Any]], fronts: list[str], serves: str = "") -> list[dict[str, Any]]:
    """A network's entries written out for every front and copy; `serves`: the field that then names the front."""
    found = []
    for row in rows:
        content = {key: value for key, value in row.items() if key not in _FILE_ONLY}
        per_front = row.get("each") == "front"
        for front in fronts if per_front else [""]:
            for n in range(1, row.get("copies", 1) + 1):
                # {n} first: a front's name may hold braces of its own
                names = {
                    key: content[key].replace("{n}", str(n)).replace("{front}", front)
                    for key in _NAMES
                    if key in content
                }
                served = {serves: [front]} if per_front and serves else {}
                found.append({**content, **names, **served})
    return found


_FILE_ONLY = ("each", "copies", "source", "confidence")


def _scaled(count: int, scale: float, most: int = MAX_COUNT) -> int:
    return min(max(1, floor(count * scale + 0.5)), most)


def _scaled_facility(f: Facility, scale: float) -> Facility:
    """The facility with every count multiplied; none stays none, and 0 stays 0."""
    if scale == 1.0:
        return f
    counts = {name: _scaled(getattr(f, name), scale) for name in _COUNTS if getattr(f, name)}
    shifts = [
        replace(shift, surgical_teams=_scaled(shift.surgical_teams, scale)) if shift.surgical_teams else shift
        for shift in f.shifts
    ]
    surge = f.surge and replace(
        f.surge,
        **{name: _scaled(getattr(f.surge, name), scale) for name in _SURGE_COUNTS if getattr(f.surge, name)},
    )
    return replace(f, **counts, shifts=shifts, surge=surge)
