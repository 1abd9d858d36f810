"""A prepared scenario: overrides applied, checked, resolved and hashed, the only place that does these steps."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from engine.errors import ScenarioError
from engine.scenario.checks.scenario import check
from engine.scenario.defaults import resolve
from engine.scenario.hashing import hash_of_resolved
from engine.scenario.overrides import with_overrides
from engine.scenario.parsing import ScenarioText
from engine.scenario.settings import Setting, with_settings
from engine.scenario.structs.scenario import Scenario
from engine.scenario.toml_lines import path_of
from engine.scenario.workload import check_workload


class ScenarioOverrides(NamedTuple):
    """Values that replace those of a scenario; None leaves the scenario's own."""

    seed: int | None = None
    patients: int | None = None
    """Exact number of patients, in place of the scenario's total or rates."""
    days: int | None = None
    settings: tuple[Setting, ...] = ()
    """Values for single settings by their path; seed, patients and days come after them."""


class ScenarioOrigin(NamedTuple):
    """Where a scenario was read from."""

    kind: Literal["built-in", "file", "stored"]
    name: str
    """Name of the built-in or stored scenario, or the path of the file."""
    version: int | None = None
    """Of a stored scenario: its version."""
    text: ScenarioText | None = None
    """What was read, for the lines in messages; None where nobody can edit it."""


@dataclass(frozen=True)
class PreparedScenario:
    """A scenario that can be run, in each form that a run needs. `prepare` makes one."""

    written: Scenario
    """As its author wrote it."""
    origin: ScenarioOrigin | None
    """Where `written` was read from; None if a program built it."""
    original: Scenario
    """`written` with the overrides applied."""
    resolved: Scenario
    """`original` with a value for every setting that its author left open."""
    notes: tuple[str, ...]
    """Notes on settings that have no effect."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of `resolved`, without seed, name and description. Computed on first access."""
        return hash_of_resolved(self.resolved)


def prepare(
    written: Scenario,
    overrides: ScenarioOverrides | None = None,
    origin: ScenarioOrigin | None = None,
    allow_long: bool = False,
) -> PreparedScenario:
    """Apply the overrides to a scenario, check the result, and resolve it.

    Parameters
    ----------
    written
        The scenario as its author wrote it.
    overrides
        Values that replace the author's; default: none.
    origin
        Where the scenario was read from, for the record of the run.
    allow_long
        Whether to accept counts of events and vehicles that no theatre has (`check_workload`).

    Raises
    ------
    ScenarioError
        If the scenario, with its overrides, cannot be run.
    """
    chosen = overrides or ScenarioOverrides()
    changed = with_settings(written, chosen.settings) if chosen.settings else written
    original = changed
    try:
        original = with_overrides(changed, seed=chosen.seed, total=chosen.patients, days=chosen.days)
        notes = check(original)
        resolved = resolve(original)
        if not allow_long:
            check_workload(resolved)
    except ScenarioError as error:
        raise _with_line(error, origin, written, original) from None
    return PreparedScenario(written, origin, original, resolved, tuple(notes))


def _with_line(
    error: ScenarioError, origin: ScenarioOrigin | None, written: Scenario, original: Scenario
) -> ScenarioError:
    """The error with the line of its setting, unless an option of the command has replaced what is written there."""
    field = str(next(iter(path_of(error.place)), ""))
    is_written = getattr(written, field, None) == getattr(original, field, None)
    if origin is None or origin.text is None or not is_written:
        return error
    return origin.text.with_line(error)
