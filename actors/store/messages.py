"""What drivers send to the store, and what it answers: scenarios, runs, experiments and heartbeats."""

import hashlib
import uuid
from typing import Annotated, Any, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "resumable"]
"""State of a run in the database."""

Kind = Literal["run", "experiment", "comparison", "optimisation"]
"""What a row of the table of runs is about."""

RUNS: tuple[Kind, ...] = ("run",)
"""The kind that `goldenhour runs` shows."""

EXPERIMENTS: tuple[Kind, ...] = ("experiment", "comparison", "optimisation")
"""The kinds that `goldenhour experiments` shows: their scenarios are simulated many times."""

ALL_KINDS = (*RUNS, *EXPERIMENTS)

NO_OUTPUT = "-"
"""The output of what writes no files."""

ENDED = ("succeeded", "failed", "cancelled")
"""States of a run that has ended."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a scenario, or of the plan of an experiment, as it was written, and the hash of what it describes."""

    text: str
    format: Literal["toml", "json"]
    hash: str

    @property
    def digest(self) -> str:
        """SHA-256 of format and text."""
        return hashlib.sha256(f"{self.format}\n{self.text}".encode()).hexdigest()


class ExperimentDetail(msgspec.Struct, frozen=True, kw_only=True):
    """How far an experiment is.

    Attributes
    ----------
    points, points_done
        The points of its design, and those that have all their replications.
    replications, replications_wanted
        The replications that are finished, and those there will be as far as is known.
    cached
        The finished replications that came from the cache.
    widest
        The interval that is furthest from its precision, in words; empty where that is unknown. Of an optimisation: how
        many points are in question.
    seconds_left
        The expected time until the end; None where that is unknown. The recorder computes it from the rate.
    """

    points: Count = 0
    points_done: Count = 0
    replications: Count = 0
    replications_wanted: Count = 0
    cached: Count = 0
    widest: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    seconds_left: Annotated[float, msgspec.Meta(ge=0, le=1e12)] | None = None


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is registered: the scenario, who runs it, and where its files go.

    The driver chooses `id`, so registering a run twice gives one row. With `resumed`, the row may exist already, from
    an earlier start of the same run. `content` is the scenario exactly as it is run, with the overrides of the command
    line. That of an experiment is its plan; `scenario` then names the scenario that the plan begins with.
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
    kind: Kind = "run"
    detail: ExperimentDetail | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a run, which its driver sends once a second.

    `rate` is in patients per second, that of an experiment in replications per second. Only experiments have a
    `detail`.
    """

    id: uuid.UUID
    phase: str = "waiting"
    patients: int = 0
    expected: int | None = None
    fraction: float = 0.0
    rate: float = 0.0
    bytes: int = 0
    detail: ExperimentDetail | None = None


class HeartbeatReply(msgspec.Struct, frozen=True, kw_only=True):
    """The store's answer to a heartbeat.

    `cancelled_by` names the user who asked for the run to be cancelled. `missing` says that the run has no row in the
    database. `error` says why the last heartbeats could not be written.
    """

    cancelled_by: str | None = None
    missing: bool = False
    error: str | None = None
