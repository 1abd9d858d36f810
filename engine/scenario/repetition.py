"""Repeated entries of a file, `count = 3`, written out one by one."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from engine.errors import MISSING, ScenarioError
from engine.scenario.structs.bounds import MAX_FACILITIES, MAX_FRONTS, MAX_LINKS, MAX_VEHICLES

Tree = dict[str, Any]

NUMBER = "{n}"
"""Stands for the number of a repeated entry, from 1."""

_EVERY = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d)\Z", re.ASCII)
_HOURS = {"min": 1 / 60, "h": 1.0, "d": 24.0}
_LONGEST_HOURS = 240 * 3650.0


class _List(NamedTuple):
    """A list of a scenario whose entries may be repeated."""

    name: str
    most: int
    id: str = ""
    """The field by which other entries refer to an entry; empty: none does."""
    label: str = ""
    """A field that is numbered with it."""
    references: tuple[tuple[str, str], ...] = ()
    """Fields that hold the id of an entry of another list, with the name of that list."""
    sets: tuple[tuple[str, str], ...] = ()
    """Fields that hold a list of such ids."""


_LISTS = (
    _List("fronts", MAX_FRONTS, "name"),
    _List("facilities", MAX_FACILITIES, "id", "name", sets=(("fronts", "fronts"),)),
    _List("vehicles", MAX_VEHICLES, "id", references=(("base", "facilities"),)),
    _List(
        "links",
        MAX_LINKS,
        references=(("origin", "facilities"), ("destination", "facilities"), ("vehicle", "vehicles")),
        sets=(("fronts", "fronts"),),
    ),
    _List("events", 254, references=(("front", "fronts"),)),
    _List("world", 1000, references=(("facility", "facilities"), ("vehicle", "vehicles"))),
)
"""Lists in an order in which each comes after those that it refers to."""

Sources = dict[str, list[int]]
"""By name of a list: for each of its entries, the index of the entry of the file that it comes from."""


Repeated = dict[str, dict[str, tuple[str, int]]]
"""By name of a list, and by each name that its repeated entries have together: their id with {n}, and their count."""


def repeat_entries(tree: Tree) -> tuple[Tree, Sources]:
    """The tree of a scenario with its repeated entries written out, and where each entry comes from.

    Parameters
    ----------
    tree
        The content of a file, checked field by field.

    Raises
    ------
    ScenarioError
        If numbers do not fit each other, or an event lacks the time from which `every` counts.
    """
    repeated: Repeated = {kind.name: {} for kind in _LISTS}
    written: Tree = {}
    sources: Sources = {}
    for kind in _LISTS:
        entries: list[Tree] = []
        origins: list[int] = []
        plain = {entry[kind.id] for entry in tree.get(kind.name, [])} if kind.id else set()
        for i, entry in enumerate(tree.get(kind.name, [])):
            for copy in _copies(kind, entry, f"{kind.name}[{i}]", repeated, plain):
                if len(entries) == kind.most:
                    raise ScenarioError(
                        kind.name,
                        f"more than {kind.most:,} entries with those of count",
                        f"at most {kind.most:,} entries",
                    )
                entries.append(copy)
                origins.append(i)
        if entries != tree.get(kind.name, []):
            written[kind.name] = entries
        sources[kind.name] = origins
    return ({**tree, **written} if written else tree), sources


def _copies(kind: _List, entry: Tree, place: str, repeated: Repeated, plain: set[str]) -> Iterator[Tree]:
    """The entries that an entry stands for. Notes its id in `repeated` if it has a count.

    Parameters
    ----------
    plain
        Ids of the list as they are written.
    """
    entry = dict(entry)
    count = entry.pop("count", None)
    every = entry.pop("every", None)
    for field, other in kind.references:
        if entry.get(field) in repeated[other]:
            pattern, number = repeated[other][entry[field]]
            entry[field] = pattern
            count = _agreed(f"{place}.{field}", pattern, number, count)
    if count is None and any(
        NUMBER in (entry.get(field) or "") for field in (kind.id, *dict(kind.references))
    ):
        for field, other in kind.sets:
            for name in entry.get(field, []):
                if name in repeated[other] and NUMBER in name:
                    count = _agreed(f"{place}.{field}", name, repeated[other][name][1], count)
    if count is None:
        _refuse_number(kind, entry, place)
        if every is not None:
            raise ScenarioError(f"{place}.every", every, "a time only with count")
        yield {**entry, **_whole_sets(kind, entry, repeated)}
        return
    step = None if every is None else _hours(f"{place}.every", every)
    if step is not None:
        _require_time(kind, entry, place)
    if kind.id:
        written_id = entry[kind.id]
        pattern = written_id if NUMBER in written_id else f"{written_id}-{NUMBER}"
        names = {written_id, pattern, pattern.removesuffix(f"-{NUMBER}")}
        repeated[kind.name] |= {
            name: (pattern, count) for name in names if name == written_id or name not in plain
        }
        entry[kind.id] = pattern
    if entry.get(kind.label) and NUMBER not in entry[kind.label]:
        entry[kind.label] += " " + NUMBER
    for n in range(1, count + 1):
        copy = _numbered(kind, entry, place, repeated, n)
        yield copy if step is None else _moved(kind, copy, step * (n - 1))


def _agreed(place: str, pattern: str, number: int, count: int | None) -> int:
    """The count of an entry that names a repeated one. Raises ScenarioError if it has another."""
    if count is not None and count != number:
        raise ScenarioError(
            place,
            pattern,
            f"{count} of them, as this entry is repeated {count} times; there are {number}. Name one of them, such as "
            f"{pattern.replace(NUMBER, '1')}, in an entry of its own",
        )
    return number


def _refuse_number(kind: _List, entry: Tree, place: str) -> None:
    """Refuse {n} in an entry that is not repeated."""
    for field in (kind.id, *dict(kind.references)):
        if NUMBER in (entry.get(field) or ""):
            raise ScenarioError(
                f"{place}.{field}",
                entry[field],
                f"{NUMBER} only with count, or in the id of entries that have a count",
            )


def _whole_sets(kind: _List, entry: Tree, repeated: Repeated) -> dict[str, list[str]]:
    """The lists of ids of an entry, with all the ids that a repeated one stands for."""
    found = {}
    for field, other in kind.sets:
        names = entry.get(field, [])
        if any(name in repeated[other] for name in names):
            found[field] = [each for name in names for each in _ids(name, repeated[other])]
    return found


def _ids(name: str, repeated: dict[str, tuple[str, int]]) -> list[str]:
    if name not in repeated:
        return [name]
    pattern, count = repeated[name]
    return [pattern.replace(NUMBER, str(n)) for n in range(1, count + 1)]


def _numbered(kind: _List, entry: Tree, place: str, repeated: Repeated, n: int) -> Tree:
    """The entry with a number for {n}. A list of ids names all of the repeated ones unless it has {n} itself."""
    copy = dict(entry)
    for field in (kind.id, kind.label, *dict(kind.references)):
        if isinstance(copy.get(field), str):
            copy[field] = copy[field].replace(NUMBER, str(n))
    for field, other in kind.sets:
        names: list[str] = []
        for name in copy.get(field, []):
            if NUMBER not in name:
                names += _ids(name, repeated[other])
                continue
            pattern, count = repeated[other].get(name, (name, n))
            if n > count:
                raise ScenarioError(
                    f"{place}.{field}", name, f"{pattern} of as many as this entry; there are {count}"
                )
            names.append(pattern.replace(NUMBER, str(n)))
        if field in copy:
            copy[field] = names
    return copy


def _hours(place: str, every: str) -> float:
    match = _EVERY.match(every.strip())
    hours = float(match[1]) * _HOURS[match[2]] if match else 0.0
    if not 0.0 < hours <= _LONGEST_HOURS:
        raise ScenarioError(place, every, "a number above 0 and its unit, min, h or d, as in 30min or 2h")
    return hours


def _require_time(kind: _List, entry: Tree, place: str) -> None:
    """Refuse `every` without the time of the first one."""
    for field in ("day", "hour") if kind.name == "events" else ():
        if entry.get(field) is None:
            raise ScenarioError(f"{place}.{field}", MISSING, "a number: every counts from day and hour")


def _moved(kind: _List, entry: Tree, hours: float) -> Tree:
    """The event so many hours later. Times are rounded to a millionth of a second, so that they are round numbers."""
    if kind.name == "world":
        return {**entry, "at_hours": round(entry["at_hours"] + hours, 9)}
    later = round(entry["hour"] + hours, 9)
    return {**entry, "day": entry["day"] + int(later // 24), "hour": round(later % 24, 9)}


def place_in_file(place: str, sources: Sources) -> str:
    """The place in the file of an entry that comes from a repeated one."""
    match = re.match(r"(\w+)\[(\d+)\]", place)
    indices = sources.get(match[1], []) if match else []
    if match is None or int(match[2]) >= len(indices):
        return place
    return f"{match[1]}[{indices[int(match[2])]}]{place[match.end() :]}"
