"""Distances of links from a table or from coordinates, where a link gives neither minutes nor a distance."""

import csv
from collections.abc import Callable
from math import asin, cos, radians, sin, sqrt
from typing import Any, NamedTuple

from engine.errors import MISSING, ScenarioError
from engine.scenario.default_network import default_facilities, default_fronts
from engine.scenario.near_matches import near_id, near_match
from engine.scenario.network_templates import expand_template
from engine.scenario.repetition import Tree
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.vocabulary import POI
from scenarios import tables

ReadTable = Callable[[str, str], str]
"""Gives the text of a file: gets the place at which the scenario names it, and its name."""

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""

_MAX_KM = 20_000.0
_COLUMNS = ("origin", "destination", "km")
_MAX_ROWS = 100_000
"""Most lines of a table; 300 places have as many pairs."""

_Pair = tuple[str, str]
_Point = tuple[float, float]


class _Places(NamedTuple):
    """The places that a distance may be between, and what is known of them."""

    fronts: list[str]
    served: dict[str, list[str]]
    """By facility: the fronts that it serves; none: all."""
    points: dict[str, _Point]
    """By place: latitude and longitude."""
    modes: dict[str, str]
    """By vehicle pool: `air` or `ground`."""


def write_distances(tree: Tree, read: ReadTable | None = None) -> tuple[Tree, list[int]]:
    """The tree of a scenario with a distance for each link that can have one, and where each link comes from.

    A link from the point of injury is divided if its distance differs from front to front.

    Parameters
    ----------
    tree
        The content of a file, checked field by field, with its repeated entries written out.
    read
        Reads the file that `distances` names; None: there is none to read.

    Raises
    ------
    ScenarioError
        If the table names an unknown place, a coordinate is alone, or a link without time gets no distance.
    """
    links = tree.get("links", [])
    indices = list(range(len(links)))
    text, factor = tree.get("distances"), tree.get("road_factor")
    points = {**_points(tree, "fronts", "name"), **_points(tree, "facilities", "id")}
    if text is None and factor is None and not points:
        return tree, indices
    if factor is not None and not points:
        raise ScenarioError("road_factor", factor, "a factor only with latitude and longitude of places")
    places = _places(tree, points)
    table = {} if text is None else _table(text, places, read)
    written: list[Tree] = []
    sources: list[int] = []
    is_used = False
    for i, link in enumerate(links):
        if link.get("minutes") is not None or link.get("distance_km") is not None:
            written.append(link)
            sources.append(i)
            continue
        is_used = True
        for each in _with_distance(f"links[{i}]", link, places, table, factor):
            written.append(each)
            sources.append(i)
    if not is_used:
        place = "distances" if text is not None else "latitude"
        raise ScenarioError(
            place,
            text if text is not None else points[next(iter(points))][0],
            "a distance only for links of this file that give neither minutes nor distance_km; here each gives one",
        )
    rest = {key: value for key, value in tree.items() if key not in ("distances", "road_factor")}
    for name in ("fronts", "facilities"):
        if name in rest:
            rest[name] = [
                {key: value for key, value in entry.items() if key not in ("latitude", "longitude")}
                for entry in rest[name]
            ]
    return {**rest, "links": written}, sources


def great_circle_km(first: _Point, second: _Point) -> float:
    """Distance of two points on the Earth, taken as a sphere, by the haversine formula (Sinnott 1984).

    It is rounded to a metre, because the last bit of a sine differs between processors.

    >>> great_circle_km((52.0, 13.0), (53.0, 13.0))
    111.195
    """
    (north, east), (other_north, other_east) = first, second
    south_north, west_east = sin(radians(other_north - north) / 2), sin(radians(other_east - east) / 2)
    height = south_north * south_north
    width = cos(radians(north)) * cos(radians(other_north)) * west_east * west_east
    return round(2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(height + width))), 3)


def _points(tree: Tree, field: str, name: str) -> dict[str, _Point]:
    """Latitude and longitude of the entries of a list that have them."""
    points = {}
    for i, entry in enumerate(tree.get(field, [])):
        given = [key for key in ("latitude", "longitude") if entry.get(key) is not None]
        if len(given) == 1:
            missing = "longitude" if given == ["latitude"] else "latitude"
            raise ScenarioError(f"{field}[{i}].{missing}", MISSING, f"degrees; {given[0]} needs it")
        if given:
            points[entry[name]] = (float(entry["latitude"]), float(entry["longitude"]))
    return points


def _places(tree: Tree, points: dict[str, _Point]) -> _Places:
    fronts = [front["name"] for front in tree.get("fronts", [])] or [front.name for front in default_fronts()]
    served: dict[str, list[str]] = {}
    if not tree.get("facilities"):
        served |= {
            facility.id: list(facility.fronts)
            for facility in default_facilities([Front(name=name, nations={}) for name in fronts])
        }
    pools: dict[str, Any] = {}
    if tree.get("network") is not None:
        template = expand_template(tree["network"], fronts, 1.0)
        served |= {facility.id: list(facility.fronts) for facility in template.facilities}
        pools |= {pool.id: pool.kind for pool in template.vehicles}
    served |= {
        facility["id"]: facility.get("fronts", served.get(facility["id"], []))
        for facility in tree.get("facilities", [])
    }
    pools |= {pool["id"]: pool["kind"] for pool in tree.get("vehicles", []) if "kind" in pool}
    modes = {name: tables.transports()[kind]["mode"] for name, kind in pools.items()}
    return _Places(fronts, served, points, modes)


def _with_distance(
    place: str, link: Tree, places: _Places, table: dict[_Pair, float], factor: float | None
) -> list[Tree]:
    """The link with its distance; a link for each distance if it differs between fronts."""
    origin, destination = link["origin"], link["destination"]
    own = link.get("fronts") or places.served.get(destination) or places.fronts
    by_km: dict[float, list[str]] = {}
    for front in own if origin == POI else [""]:
        start = front if origin == POI else origin
        km = _look_up(table, start, destination)
        if km is None and origin == POI:
            km = _look_up(table, POI, destination)
        if km is None and start in places.points and destination in places.points:
            km = great_circle_km(places.points[start], places.points[destination])
            if not _is_in_the_air(link, places):
                km = round(km * (tables.default("road_factor") if factor is None else factor), 3)
        if km is None or km == 0.0:
            what = f"front {start!r}" if origin == POI else repr(start)
            raise ScenarioError(
                f"{place}.distance_km",
                MISSING if km is None else km,
                f"minutes or distance_km; or a distance above 0 from {what} to {destination!r}, by a row of distances "
                "or latitude and longitude of both",
            )
        by_km.setdefault(km, []).append(front)
    if len(by_km) == 1:
        return [{**link, "distance_km": next(iter(by_km))}]
    return [{**link, "fronts": fronts, "distance_km": km} for km, fronts in by_km.items()]


def _look_up(table: dict[_Pair, float], origin: str, destination: str) -> float | None:
    return table.get((origin, destination), table.get((destination, origin)))


def _is_in_the_air(link: Tree, places: _Places) -> bool:
    """Whether a link is flown, by its terrain or its vehicle."""
    vehicle = link.get("vehicle") or ""
    if vehicle in places.modes:
        return places.modes[vehicle] == "air"
    row = tables.transports().get(vehicle)
    return link.get("terrain") == "air" or (row is not None and row["mode"] == "air")


def _table(text: str, places: _Places, read: ReadTable | None) -> dict[_Pair, float]:
    """Distances in km by origin and destination, from the lines of a table or the name of its file."""
    name = "distances"
    if "\n" not in text:
        if read is None:
            raise ScenarioError(
                name,
                text,
                "the lines of a table with the columns origin, destination and km; a file is read only "
                "where a scenario file names it",
            )
        name, text = text, read(name, text)
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=head.count)
    known = [POI, *places.fronts, *places.served]
    names = set(known)
    found: dict[_Pair, float] = {}
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            place = f"{name}, line {reader.line_num}"
            if not any(cells):
                continue
            if not columns:
                columns = _columns(place, cells)
                continue
            if len(cells) != len(columns):
                raise ScenarioError(place, f"{len(cells)} cells", f"{len(columns)}, one for each column")
            row = dict(zip(columns, cells, strict=True))
            for column in _COLUMNS[:2]:
                if row[column] not in names:
                    near = near_id(row[column], known) or near_match(row[column], known)
                    raise ScenarioError(
                        f"{place}, column {column}", row[column], "POI, a front or a facility", near
                    )
            km = _km(f"{place}, column km", row["km"], delimiter)
            pair = (row["origin"], row["destination"])
            if found.setdefault(pair, km) != km:
                raise ScenarioError(
                    place, km, f"one distance from {pair[0]} to {pair[1]}; an earlier row has {found[pair]:g}"
                )
            if len(found) > _MAX_ROWS:
                raise ScenarioError(name, f"more than {_MAX_ROWS:,} rows", f"at most {_MAX_ROWS:,}")
    except csv.Error as error:
        raise ScenarioError(f"{name}, line {reader.line_num}", str(error), "valid CSV") from None
    if not found:
        raise ScenarioError(
            name, text[:80], f"a line with the columns {', '.join(_COLUMNS)} and at least one row"
        )
    return found


def _columns(place: str, cells: list[str]) -> list[str]:
    columns = [cell.lower() for cell in cells]
    for name in columns:
        if name not in _COLUMNS:
            raise ScenarioError(place, name, f"the columns {', '.join(_COLUMNS)}", near_match(name, _COLUMNS))
    for name in _COLUMNS:
        if columns.count(name) != 1:
            raise ScenarioError(place, ", ".join(columns), f"the columns {', '.join(_COLUMNS)}, each once")
    return columns


def _km(place: str, cell: str, delimiter: str) -> float:
    """A distance; with other delimiters than a comma its decimals may stand behind a comma."""
    try:
        km = float(cell if delimiter == "," else cell.replace(",", "."))
    except ValueError:
        km = 0.0
    if not 0.0 < km <= _MAX_KM:
        raise ScenarioError(place, cell, f"a distance in km, above 0 and at most {_MAX_KM:,.0f}")
    return km
