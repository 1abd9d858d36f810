"""Scenarios by name: built-in ones, files, and those of the database as NAME or NAME@VERSION."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import scenarios
from engine.errors import InputError, ScenarioError, StoreError, shown
from engine.scenario import (
    PreparedScenario,
    Scenario,
    ScenarioOrigin,
    ScenarioOverrides,
    ScenarioText,
    Setting,
    parse_text,
    prepare,
    to_toml,
    with_overrides,
)
from goldenhour import scenario_files
from goldenhour.cli.listing import listed
from goldenhour.database import current_database, with_store

if TYPE_CHECKING:
    from actors.store import ConfigStore


class LoadedScenario(NamedTuple):
    """A scenario as its author wrote it, and where it was read from."""

    scenario: Scenario
    origin: ScenarioOrigin
    row: dict[str, Any] | None = None
    """Of a stored scenario: its version as the store returns it."""

    def text(self) -> str:
        """The scenario as a TOML file: the author's own text if it is stored as TOML, else with comments."""
        if self.row is not None and self.row["format"] == "toml":
            return str(self.row["text"])
        return to_toml(self.scenario, commented=True)

    def changed(self, settings: Sequence[Setting]) -> "LoadedScenario":
        """The scenario with other settings, which is no version of a stored one. Raises ScenarioError."""
        if not settings:
            return self
        return LoadedScenario(with_overrides(self.scenario, settings=settings), self.origin)


def prepare_source(
    source: str, overrides: ScenarioOverrides | None = None, allow_long: bool = False
) -> PreparedScenario:
    """Load the scenario that `source` names and prepare it. Raises InputError, ScenarioError and StoreError."""
    loaded = load(source)
    return prepare(loaded.scenario, overrides, loaded.origin, allow_long)


def load(source: str) -> LoadedScenario:
    """The scenario that `source` names: a built-in, else a file, else one of the database.

    Raises
    ------
    InputError
        If there is no such scenario.
    ScenarioError
        If it cannot be read.
    StoreError
        If it may be a stored one and the database cannot be used.
    """
    if source in scenarios.builtin_names() or scenario_files.is_file_name(source):
        return LoadedScenario(*scenario_files.load_with_origin(source, find_stored=find_stored))
    name, version = split_version(source)
    row, names = _find_stored(name, version)
    if row is not None:
        scenario, text = _parse_row(row)
        return LoadedScenario(scenario, ScenarioOrigin("stored", row["name"], row["version"], text), row)
    if version is not None and name in names:
        raise InputError(f"scenario {shown(name)} has no version {version}")
    return LoadedScenario(*scenario_files.load_with_origin(source, others=names))  # raises: there is none


def find_stored(source: str) -> Scenario | None:
    """The stored scenario NAME or NAME@VERSION; None if there is none. Raises ScenarioError and StoreError."""
    row, _ = _find_stored(*split_version(source))
    return None if row is None else _parse_row(row)[0]


def split_version(source: str) -> tuple[str, int | None]:
    """NAME and VERSION of NAME@VERSION; VERSION is None without one."""
    name, at, number = source.rpartition("@")
    if at and name and number.isdecimal() and len(number) < 10:
        return name, int(number)
    return source, None


def stored_scenarios() -> list[dict[str, Any]]:
    """The newest version of each stored scenario. Its field `scenario` is None if this goldenhour cannot read it."""
    if current_database().is_new:
        return []
    rows = listed(lambda store: store.scenarios())
    for row in rows:
        try:
            row["scenario"] = None if row["text"] is None else _parse_row(row)[0]
        except ScenarioError:
            row["scenario"] = None
    return rows


def _find_stored(name: str, version: int | None) -> tuple[dict[str, Any] | None, Sequence[str]]:
    """The row of a stored scenario; without one, the names of all stored scenarios."""

    async def find(store: "ConfigStore") -> tuple[dict[str, Any] | None, Sequence[str]]:
        row = await store.scenario(name, version)
        return row, () if row else tuple(each["name"] for each in await store.scenarios())

    try:
        return (None, ()) if current_database().is_new else with_store(find)
    except StoreError as error:
        raise StoreError(
            f"scenario {shown(name)} is neither a built-in scenario nor a .toml or .json file, and the database "
            f"cannot be searched for it: {error}"
        ) from error


def _parse_row(row: dict[str, Any]) -> tuple[Scenario, ScenarioText]:
    return parse_text(row["text"].encode(), row["format"], f"{row['name']}@{row['version']}")
