"""The rows that are read back from the database, and their check: other programs may have written to the tables."""

import datetime
import uuid
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from actors.store.messages import Count, ExperimentDetail, Kind, State
from engine.errors import StoreError

MOST_TEXT_BYTES = 16_000_000
"""Largest text of a scenario, and largest measures of a run, that are read. The statements return others as damaged."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(max_length=10_000)]
Text = Annotated[str, Meta(max_length=MOST_TEXT_BYTES)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Place = Annotated[str, Meta(min_length=1, max_length=4096)]
Time = Annotated[datetime.datetime, Meta(tz=True)]


class ScenarioRow(msgspec.Struct, kw_only=True):
    """A version of a scenario."""

    name: Name
    version: Version
    parent: Version | None
    author: Words
    note: Words
    created_at: Time
    hash: Hash
    format: Literal["toml", "json"]
    text: Text
    head: Version
    deleted: bool


class ListedScenarioRow(ScenarioRow, kw_only=True):
    """The newest version of a scenario in the list of all. `text` is None if it is too long for a list."""

    text: Text | None  # type: ignore[assignment]
    deleted: bool = False


class VersionRow(msgspec.Struct, kw_only=True):
    """A version of a scenario without its text."""

    version: Version
    parent: Version | None
    author: Words
    note: Words
    created_at: Time
    hash: Hash


class ListedRunRow(msgspec.Struct, kw_only=True):
    """A run without its scenario and its measures."""

    id: uuid.UUID
    kind: Kind
    name: Name | None
    state: State
    scenario: Words
    source: Literal["built-in", "stored", "file"]
    scenario_version: Version | None
    hash: Hash
    seed: int
    replication: Count
    settings: dict[str, Any]
    who: Words
    output: Place
    version: Words
    phase: Annotated[str, Meta(max_length=100)]
    patients: Count
    expected: Count | None
    fraction: Annotated[float, Meta(ge=0, le=1.01)]
    rate: Annotated[float, Meta(ge=0, le=1e12)]
    bytes: Count
    created_at: Time
    started_at: Time | None
    resumed_at: Time | None
    ended_at: Time | None
    heartbeat: Time
    cancelled_by: Words | None
    error: Words | None
    detail: ExperimentDetail | None


class RunRow(ListedRunRow, kw_only=True):
    """A run with its scenario and its measures."""

    measures: dict[str, Any] | None
    text: Text
    format: Literal["toml", "json"]


class FoundRunRow(msgspec.Struct, kw_only=True):
    """What identifies a run. Its other columns may be damaged: it can be removed all the same."""

    id: uuid.UUID
    kind: str | None


class EndedRunRow(msgspec.Struct, kw_only=True):
    """The state of a run, and who asked for its end."""

    state: State
    cancelled_by: Annotated[str, Meta(max_length=1000)] | None


class MigrationRow(msgspec.Struct, kw_only=True):
    """A migration that was applied."""

    number: Version
    name: Name
    applied_at: Time


class Change(msgspec.Struct):
    """The announcement of a change of a scenario."""

    name: Name


RowT = TypeVar("RowT", bound=msgspec.Struct)


def check_row(row: dict[str, Any], kind: type[RowT]) -> dict[str, Any]:
    """Return the row. Raises StoreError, which names row and column, unless the columns are what `kind` says."""
    try:
        msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        reason, _, column = str(error).partition(" - at `$.")
        where = f"column {column.rstrip('`')}: " if column else ""
        raise StoreError(f"the database has a damaged row, {_title(row)}: {where}{reason}") from None
    return row


def sound_rows(rows: list[dict[str, Any]], kind: type[RowT], damaged: list[str]) -> list[dict[str, Any]]:
    """Return the rows that are what `kind` says. For each of the others, append a message to `damaged`."""
    sound = []
    for row in rows:
        try:
            sound.append(check_row(row, kind))
        except StoreError as error:
            damaged.append(str(error))
    return sound


def _title(row: dict[str, Any]) -> str:
    for column in ("id", "name", "version", "number"):
        if row.get(column) is not None:
            return f"{column} {str(row[column])[:40]!r}"
    return "without a name"
