"""Where the settings of a built-in scenario come from: each setting of its file, its value, basis and source."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from msgspec import NODEFAULT, Struct

from engine.scenario.parsing import parse
from engine.scenario.settings import steps_of
from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front, Unit
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.warfare import Warfare
from engine.scenario.toml import write_value
from engine.scenario.trees import entry_names, fields_of, to_tree
from scenarios import builtin_bytes, evidence_rows

BASES = ("published", "calibrated", "judgement")
"""Published: a source gives the value, or numbers from which it follows. Calibrated: fitted to published outcomes."""

SEEN = ("document", "abstract", "second-hand")
"""How a source was read: itself, its abstract, or as another work quotes it."""

_NAMES: dict[type, tuple[str, ...]] = {
    Scenario: ("name", "description"),
    Facility: ("id",),
    Front: ("name",),
    Link: ("origin", "destination"),
    Unit: ("type",),
    Vehicle: ("id",),
    Warfare: ("type",),
}
"""By kind of table: fields that say which one it is, and assume nothing."""

Steps = tuple[str, ...]


class Evidence(NamedTuple):
    """Where one setting comes from, or several that a scenario makes for one reason."""

    setting: str
    """Path as for `--set`; `*` in brackets stands for several entries. A table stands for what no other row names."""
    value: str
    basis: str
    """One of BASES."""
    source: str
    """Citation of what is published, the aim of what is calibrated, or the reason of a judgement."""
    seen: str
    """One of SEEN; empty where there is no source."""


def builtin_evidence(name: str) -> list[Evidence]:
    """Where the settings of the built-in scenario `name` come from, in the order of its file.

    Raises
    ------
    KeyError
        If it has no list of that.
    """
    return evidence_of(parse(builtin_bytes(name), "toml", name), evidence_rows(name))


def evidence_of(scenario: Scenario, rows: Iterable[Mapping[str, str]]) -> list[Evidence]:
    """Where the settings of a scenario come from, in the order of its fields.

    Parameters
    ----------
    rows
        Setting, basis, source and seen. Of several rows that name a setting, the one with the longest path is about
        it; of equally long ones, that with most characters besides `*`.

    Raises
    ------
    ValueError
        If a setting of the scenario has no row or two, or if a row is faulty or about no setting.
    """
    made = list(_settings(scenario, ()))
    found = [(tuple(steps_of(row["setting"])), row) for row in rows]
    about: dict[int, list[tuple[Steps, Any]]] = {}
    for steps, value in made:
        about.setdefault(_row_about(steps, [each for each, _ in found]), []).append((steps, value))
    idle = [row["setting"] for number, (_, row) in enumerate(found) if number not in about]
    if idle:
        raise ValueError(f"rows about no setting of {scenario.name}: {', '.join(idle)}")
    evidence = []
    for number, settings in about.items():
        steps, row = found[number]
        _check_row(row)
        value = _values(settings, len(steps))
        evidence.append(Evidence(row["setting"], value, row["basis"], row["source"], row["seen"]))
    return evidence


def _settings(value: Any, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    """The steps of the path to each setting that a scenario makes, and its value."""
    if isinstance(value, Struct) and not isinstance(value, Distribution):
        names = _NAMES.get(type(value), ())
        fields = [field for field in fields_of(type(value)) if field.name not in names]
        made = [(field.name, getattr(value, field.name)) for field in fields if _is_set(value, field)]
        for name, item in made:
            yield from _settings(item, (*steps, name))
        if not made:  # an entry of which only the name is given
            yield steps, value
    elif isinstance(value, dict) and any(not isinstance(item, int | float) for item in value.values()):
        for key, item in value.items():
            yield from _settings(item, (*steps, key))
    elif _is_entries(value):
        entries = entry_names(to_tree(value), type(value[0]))
        for number, (entry, item) in enumerate(zip(entries, value, strict=True)):
            is_alone = entry is not None and entries.count(entry) == 1
            yield from _settings(item, (*steps, str(entry) if is_alone else str(number)))
    else:
        yield steps, value


def _is_set(value: Struct, field: Any) -> bool:
    has_factory = field.default_factory is not NODEFAULT
    default = field.default_factory() if has_factory else field.default
    return default is NODEFAULT or bool(getattr(value, field.name) != default)


def _is_entries(value: Any) -> bool:
    """Whether it is a list of tables, and not of numbers, texts or distributions."""
    return isinstance(value, list) and any(
        isinstance(item, Struct) and not isinstance(item, Distribution) for item in value
    )


def _row_about(steps: Steps, rows: list[Steps]) -> int:
    """The number of the row about a setting. Raises ValueError."""
    matching = [number for number, row in enumerate(rows) if _names(row, steps)]
    if not matching:
        raise ValueError(f"no row about {'.'.join(steps)}")

    def rank(number: int) -> tuple[int, int]:
        return len(rows[number]), len("".join(rows[number]).replace("*", ""))

    best = max(map(rank, matching))
    first, *others = [number for number in matching if rank(number) == best]
    if others:
        raise ValueError(f"{1 + len(others)} rows about {'.'.join(steps)}")
    return first


def _names(row: Steps, steps: Steps) -> bool:
    """Whether a row's path leads to a setting, or to a table around it."""
    return len(row) <= len(steps) and all(map(fnmatchcase, steps, row))


def _check_row(row: Mapping[str, str]) -> None:
    """Raise ValueError if the row's basis, source or reading is not one of those that there are."""
    is_known = row["basis"] in BASES and row["seen"] in ("", *SEEN)
    is_read = bool(row["seen"]) or row["basis"] != "published"
    if not is_known or not is_read or len(row["source"]) < 8:
        raise ValueError(f"{row['setting']}: {row['basis']!r}, {row['seen']!r}, {row['source']!r}")


def _values(settings: list[tuple[Steps, Any]], length: int) -> str:
    """The values of the settings of a row, each once; with their names within the table that the row names."""
    texts: list[str] = []
    for steps, value in settings:
        inside = ".".join(steps[length:])
        text = f"{inside} = {write_value(value)}" if inside else write_value(value)
        if text not in texts:
            texts.append(text)
    return ", ".join(texts)
