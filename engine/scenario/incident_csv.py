"""Listed incidents of a file, written out as entries of a scenario: lines of a CSV table, counts and several fronts."""

import csv
import re
from typing import Any

from engine.errors import MISSING, ScenarioError
from engine.scenario.distances import ReadTable
from engine.scenario.near_matches import near_match
from engine.scenario.repetition import Tree
from engine.scenario.structs.bounds import MAX_INCIDENTS
from engine.scenario.structs.incidents import Incident

_FILE_FIELDS = ("csv", "fronts", "count")
"""Fields of an entry that stands for several."""
_NO_COLUMNS = ("at", "numbers", "every_minutes", "triage")
"""Fields of an entry that no column gives."""
COLUMNS = ("day", "time", *(name for name in Incident.__struct_fields__ if name not in _NO_COLUMNS))
"""Columns that a table may have. `time` is a time of day, on the day that `day` gives, or all that `at` may be."""

TableLines = tuple[str, ...]
"""By entry of `incidents`: the table and line that it comes from, as in `events.csv, line 7`; empty: it is none of a
table."""

_CLOCK_ONLY = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:\.\d{1,3})?)?\Z", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,12}\Z", re.ASCII)
_SEPARATORS = re.compile(r"[\s;+|]+")
_PLACE = re.compile(r"incidents\[(\d+)\]\.(\w+)")


def write_incidents(tree: Tree, read: ReadTable | None = None) -> tuple[Tree, list[int], TableLines]:
    """The tree of a scenario with each entry of `incidents` that stands for several replaced by these.

    They are the lines of the table that `csv` names, or one for each of `fronts`; `count` becomes a series.

    Parameters
    ----------
    read
        Reads a file that an entry names; None: there is none to read.

    Returns
    -------
    tuple[Tree, list[int], TableLines]
        The tree, for each of its entries the index of the entry of the file, and the lines of the tables.

    Raises
    ------
    ScenarioError
        With table, line and column, if a line cannot be used, and if fields exclude each other.
    """
    entries = tree.get("incidents", [])
    if all(entry.get(name) is None for entry in entries for name in _FILE_FIELDS):
        return tree, list(range(len(entries))), ()
    written: list[Tree] = []
    sources: list[int] = []
    lines: list[str] = []
    for i, entry in enumerate(entries):
        place = f"incidents[{i}]"
        found = (
            [("", each) for each in _written_out(place, entry)]
            if entry.get("csv") is None
            else _entries_of_table(place, entry, read)
        )
        for line, each in found:
            written.append({name: value for name, value in each.items() if name not in _FILE_FIELDS})
            sources.append(i)
            lines.append(line)
    if len(written) > MAX_INCIDENTS:
        raise ScenarioError(
            "incidents", f"{len(written):,} entries with the lines of tables", f"at most {MAX_INCIDENTS:,}"
        )
    return {**tree, "incidents": written}, sources, tuple(lines)


def place_in_table(place: str, lines: TableLines) -> str:
    """The line and column of the table that a setting of a listed incident comes from; else the place itself."""
    match = _PLACE.match(place)
    if match is None or int(match[1]) >= len(lines) or not lines[int(match[1])]:
        return place
    return f"{lines[int(match[1])]}, column {'time' if match[2] == 'at' else match[2]}"


def _written_out(place: str, entry: Tree) -> list[Tree]:
    """The entries of an entry without a table: one for each of its fronts, with its count as a series."""
    fronts, count = entry.get("fronts"), entry.get("count")
    if count is not None:
        if entry.get("numbers") is not None:
            raise ScenarioError(f"{place}.count", count, "count beside number, not beside numbers")
        if entry.get("every_minutes") is None and count > 1:
            raise ScenarioError(f"{place}.every_minutes", MISSING, "minutes from one time to the next")
        entry = {**entry, "numbers": [entry.get("number", 1)] * count}
        entry.pop("number", None)
    if fronts is None:
        return [entry]
    if entry.get("front") is not None:
        raise ScenarioError(f"{place}.fronts", fronts, "front or fronts, not both")
    for name in fronts:
        if fronts.count(name) > 1:
            raise ScenarioError(f"{place}.fronts", name, "each front once")
    return [{**entry, "front": name} for name in fronts]


def _entries_of_table(place: str, entry: Tree, read: ReadTable | None) -> list[tuple[str, Tree]]:
    """The entries of a table, each with its line; `entry` gives what a line leaves empty."""
    for field in ("at", "numbers", "every_minutes", "fronts", "count"):
        if entry.get(field) is not None:
            raise ScenarioError(f"{place}.{field}", entry[field], "no value beside csv")
    name, text = f"{place}.csv", entry["csv"]
    if "\n" not in text:
        if read is None:
            raise ScenarioError(
                name, text, "the lines of a table; a file is read only where a scenario file names it"
            )
        name, text = text, read(name, text)
    reader = csv.reader(text.splitlines(), delimiter=_delimiter(text), strict=True)
    columns: list[str] = []
    found = []
    try:
        for cells in reader:
            line = f"{name}, line {reader.line_num}"
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not columns:
                columns = _columns(line, cells)
                continue
            given = _given(line, columns, cells)
            if given.get("number") != "0":
                found.append((line, _entry_of_line(entry, line, given)))
    except csv.Error as error:
        raise ScenarioError(f"{name}, line {reader.line_num}", str(error), "valid CSV") from None
    if not found:
        raise ScenarioError(
            name, f"{len(columns)} columns and no rows", "a line of column names and at least one row"
        )
    return found


def _delimiter(text: str) -> str:
    """The character between the cells: that of comma, semicolon and tab which the first line has most of."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=head.count)


def _columns(line: str, cells: list[str]) -> list[str]:
    """The names of the columns."""
    names = [cell.lower() for cell in cells]
    for name in names:
        if name not in COLUMNS:
            raise ScenarioError(line, name, f"a column of {', '.join(COLUMNS)}", near_match(name, COLUMNS))
        if names.count(name) > 1:
            raise ScenarioError(line, name, "each column once")
    if "time" not in names:
        raise ScenarioError(line, ", ".join(names), "a column time")
    return names


def _given(line: str, columns: list[str], cells: list[str]) -> dict[str, str]:
    """The cells of a line that are not empty, by column."""
    if any(cells[len(columns) :]):
        raise ScenarioError(line, f"{len(cells)} cells", f"at most {len(columns)}, one for each column")
    return {column: cell for column, cell in zip(columns, cells, strict=False) if cell}


def _entry_of_line(defaults: Tree, line: str, given: dict[str, str]) -> Tree:
    values = {column: _value(column, cell) for column, cell in given.items() if column not in ("day", "time")}
    kept = {name: value for name, value in defaults.items() if not (name == "triage" and "category" in given)}
    return {**kept, **values, "at": _time(line, given)}


def _value(column: str, cell: str) -> Any:
    """The value that a cell holds; a cell that is no number where one is needed stays text, which is refused."""
    if column == "number":
        return int(cell) if _WHOLE.match(cell) else cell
    if column == "mean_iss":
        try:
            return float(cell)
        except ValueError:
            return cell
    if column == "conditions":
        return [code for code in _SEPARATORS.split(cell) if code]
    return cell


def _time(line: str, given: dict[str, str]) -> str:
    """The time of a line as `Incident.at` has it."""
    day, time = given.get("day"), given.get("time")
    if time is None:
        raise ScenarioError(f"{line}, column time", MISSING, "a time")
    if day is not None:
        number = re.sub(r"\Aday\s*", "", day, flags=re.IGNORECASE)
        if not _WHOLE.match(number) or int(number) < 1:
            raise ScenarioError(f"{line}, column day", day, "the number of a day, 1 for the first")
        if not _CLOCK_ONLY.match(time):
            raise ScenarioError(f"{line}, column time", time, "beside day a time of day such as 09:30")
        return f"day {int(number)} {time}"
    return f"day 1 {time}" if _CLOCK_ONLY.match(time) else time
