"""What drivers send to the store, and what it answers: scenarios, runs and heartbeats."""

import hashlib
import uuid
from typing import Any, Literal

import msgspec

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "resumable"]
"""State of a run in the database."""

ENDED = ("succeeded", "failed", "cancelled")
"""States of a run that has ended."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a scenario as it was written, and the hash of the scenario that it describes."""

    text: str
    format: Literal["toml", "json"]
    hash: str

    @property
    def digest(self) -> str:
        """SHA-256 of format and text."""
        return hashlib.sha256(f"{self.format}\n{self.text}".encode()).hexdigest()


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is registered: the scenario, who runs it, and where its files go.

    The driver chooses `id`, so registering a run twice gives one row. With `resumed`, the row may exist already, from
    an earlier start of the same run. `content` is the scenario exactly as it is run, with the overrides of the command
    line.
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


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a run, which its driver sends once a second. `rate` is in patients per second."""

    id: uuid.UUID
    phase: str = "waiting"
    patients: int = 0
    expected: int | None = None
    fraction: float = 0.0
    rate: float = 0.0
    bytes: int = 0


class HeartbeatReply(msgspec.Struct, frozen=True, kw_only=True):
    """The store's answer to a heartbeat.

    `cancelled_by` names the user who asked for the run to be cancelled. `missing` says that the run has no row in the
    database. `error` says why the last heartbeats could not be written.
    """

    cancelled_by: str | None = None
    missing: bool = False
    error: str | None = None
