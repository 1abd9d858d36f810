"""What the store is told and answers: scenarios' texts, runs and their progress; and what it can hold."""

import hashlib
import uuid
from typing import Any, Literal

import msgspec

from engine.errors import InputError, shown

NAME_CHARACTERS = 200
"""Longest name of a scenario or a run."""

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "resumable"]
ENDED = ("succeeded", "failed", "cancelled")


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a scenario as it was given, and the hash of what it means."""

    text: str
    format: Literal["toml", "json"]
    hash: str

    @property
    def digest(self) -> str:
        """SHA-256 of format and text."""
        return hashlib.sha256(f"{self.format}\n{self.text}".encode()).hexdigest()


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is entered: what will be run, by whom, and where its files go.

    `id` is the driver's choice, so that entering a run twice makes one row; `resumed`: a row there is may be that of an
    earlier start, which is gone on with. `content` is the scenario exactly as it is run, with the overrides of the
    command line.
    """

    id: uuid.UUID = msgspec.field(default_factory=uuid.uuid4)
    name: str | None = None
    scenario: str
    source: Literal["built-in", "stored", "file"]
    scenario_version: int | None = None
    content: Content
    seed: int
    replication: int
    settings: dict[str, Any]
    who: str
    output: str
    version: str
    expected: int | None = None
    resumed: bool = False


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is; `rate` in patients per second."""

    id: uuid.UUID
    phase: str = "waiting"
    patients: int = 0
    expected: int | None = None
    fraction: float = 0.0
    rate: float = 0.0
    bytes: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver learns from its beat: who wants the run cancelled, whether its row is gone, and whether the
    database is away.
    """

    cancelled_by: str | None = None
    missing: bool = False
    trouble: str | None = None


def check_name(name: str) -> None:
    """Raise InputError unless `name` can be a scenario's or a run's."""
    check_text("name", name)
    if not 1 <= len(name) <= NAME_CHARACTERS:
        raise InputError(
            f"name: got {len(name):,} characters, {shown(name)}; allowed: 1 to {NAME_CHARACTERS}"
        )
    if not name.isprintable() or name != name.strip() or "@" in name or "/" in name or name.startswith("-"):
        raise InputError(
            f"name: got {shown(name)}; allowed: printable characters without '@' and '/', not beginning with '-', "
            "without a space at either end"
        )


def check_text(what: str, text: str) -> None:
    """Raise InputError unless PostgreSQL can hold `text`."""
    if not storable(text):
        raise InputError(f"{what}: got {shown(text)}; allowed: text in UTF-8 without the character of code 0")


def storable(text: str) -> bool:
    """Whether PostgreSQL can hold `text`."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def clean(text: str) -> str:
    """`text` with what PostgreSQL cannot hold shown as escapes."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def as_json(value: Any) -> str:
    """`value` as JSON text, for a column of it."""
    return msgspec.json.encode(value).decode()
