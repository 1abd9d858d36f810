"""Scenarios of the database on the command line: found by name for `run` and `show`, added, compared and removed."""

import difflib
import sys
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click
import msgspec
from rich.text import Text

import scenarios
from actors.store import Content, Database, check_name
from engine.errors import InputError, ScenarioError, StoreError, shown
from engine.scenario import Scenario, check, parse, scenario_hash, to_toml
from goldenhour import scenario_files
from goldenhour.cli.store_access import ask, print_json, when, who
from goldenhour.views import console, table


class Loaded(NamedTuple):
    """A scenario and where it is from; `version` and `row` (as the store gives it) for stored ones."""

    scenario: Scenario
    source: Literal["built-in", "stored", "file"]
    version: int | None = None
    row: dict[str, Any] | None = None


def load(source: str) -> Loaded:
    """The scenario that `source` names: a built-in, a file, or one of the database as NAME or NAME@VERSION.

    In this order: a built-in's name always means the built-in. Raises InputError when there is none, ScenarioError
    when it cannot be read, StoreError when the database is needed and cannot be asked.
    """
    if source in scenarios.builtin_names():
        return Loaded(scenario_files.load(source), "built-in")
    if scenario_files.is_file_name(source):
        return Loaded(scenario_files.load(source), "file")
    name, version = split(source)
    row, names = _find(name, version)
    if row is None:
        if version is not None and name in names:
            raise InputError(f"scenario {shown(name)} has no version {version}")
        scenario_files.load(source, others=names)
        raise AssertionError(source)
    return Loaded(_parsed(row), "stored", row["version"], row)


def split(source: str) -> tuple[str, int | None]:
    """NAME and VERSION of NAME@VERSION; None without a version."""
    name, at, number = source.rpartition("@")
    if at and name and number.isdecimal() and len(number) < 10:
        return name, int(number)
    return source, None


def text_of(loaded: Loaded) -> str:
    """The scenario as a file: as it was given where it is stored as TOML, else as commented TOML."""
    if loaded.row is not None and loaded.row["format"] == "toml":
        return str(loaded.row["text"])
    return to_toml(loaded.scenario, commented=True)


def _find(name: str, version: int | None) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The row of a stored scenario, and the names there are if there is none."""
    if Database.from_environment().is_new:
        return None, ()

    async def find(store: Any) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        row = await store.scenario(name, version)
        return row, () if row else tuple(each["name"] for each in await store.scenarios())

    try:
        return ask(find)
    except StoreError as error:
        raise StoreError(
            f"scenario {shown(name)} is neither a built-in scenario nor a .toml or .json file, and the stored ones "
            f"cannot be looked up: {error}"
        ) from error


def _parsed(row: dict[str, Any]) -> Scenario:
    return parse(row["text"].encode(), row["format"], f"{row['name']}@{row['version']}")


def rows() -> list[dict[str, Any]]:
    """The newest version of each stored scenario, with `scenario`: None where this version cannot read it."""
    if Database.from_environment().is_new:
        return []
    found = ask(lambda store: store.scenarios())
    for row in found:
        try:
            row["scenario"] = _parsed(row)
        except ScenarioError:
            row["scenario"] = None
    return found


def history(name: str, as_json: bool) -> None:
    """All versions of a stored scenario."""
    found = [] if Database.from_environment().is_new else ask(lambda store: store.scenario_history(name))
    if not found:
        raise InputError(f"there is no stored scenario {shown(name)}; `goldenhour scenarios list` shows them")
    if as_json:
        print_json(found)
        return
    shown_table = table("version", "parent", "added", "author", "hash", "note", right=("version", "parent"))
    for row in found:
        parent = "-" if row["parent"] is None else str(row["parent"])
        shown_table.add_row(
            str(row["version"]),
            parent,
            when(row["created_at"]),
            Text(row["author"]),
            row["hash"][:12],
            Text(row["note"]),
        )
    console().print(shown_table)


def add(path: Path, name: str | None, parent: int | None, note: str, as_json: bool) -> None:
    """Store a file that can be run as it is."""
    name = path.stem if name is None else name
    check_name(name)
    if name in scenarios.builtin_names():
        raise InputError(f"--name: {shown(name)} is a built-in scenario's; choose another name")
    if scenario_files.is_file_name(name):
        raise InputError(f"--name: got {shown(name)}; a name does not end like a file's")
    data, fmt = scenario_files.read(path)
    scenario = parse(data, fmt, path.name)
    check(scenario)
    content = Content(text=data.decode(), format=fmt, hash=scenario_hash(scenario))
    done = ask(lambda store: store.add_scenario(name, content, who(), note, parent))
    if as_json:
        print_json(done)
    elif done["added"]:
        click.echo(f"{name}@{done['version']} stored: `goldenhour run {name}` runs it")
    else:
        click.echo(f"{name}@{done['version']} is the same already")


def diff(first: str, second: str | None, as_json: bool) -> None:
    """What differs between two scenarios, or between one and its parent."""
    new = load(first)
    if second is None:
        parent = new.row["parent"] if new.row is not None else None
        if new.row is None or parent is None:
            raise InputError(f"scenario {shown(first)} has no earlier version: name two scenarios")
        names = (f"{new.row['name']}@{parent}", f"{new.row['name']}@{new.version}")
        old = load(names[0])
    else:
        names, old, new = (first, second), new, load(second)
    if as_json:
        changes = list(_changes("", msgspec.to_builtins(old.scenario), msgspec.to_builtins(new.scenario)))
        print_json({"from": names[0], "to": names[1], "changes": changes})
        return
    before, after = (to_toml(each.scenario).splitlines(keepends=True) for each in (old, new))
    text = "".join(difflib.unified_diff(before, after, *names))
    if not text:
        click.echo(f"{names[0]} and {names[1]} say the same", err=True)
    sys.stdout.write(text)


def remove(name: str, as_json: bool) -> None:
    """Take a stored scenario off the list."""
    if name in scenarios.builtin_names():
        raise InputError(f"{shown(name)} is a built-in scenario and cannot be removed")
    if Database.from_environment().is_new or not ask(lambda store: store.remove_scenario(name)):
        raise InputError(f"there is no stored scenario {shown(name)}; `goldenhour scenarios list` shows them")
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        click.echo(f"{name} removed; its versions can still be named, as {name}@1")


def _changes(place: str, old: Any, new: Any) -> Any:
    """Each setting that differs: its place, and its values before and after (None where it is not set)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _changes(f"{place}.{key}" if place else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _changes(f"{place}[{number}]", before, after)
    elif old != new:
        yield {"setting": place, "from": old, "to": new}
