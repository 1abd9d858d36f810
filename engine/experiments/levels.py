"""Factors in a scenario: whether a range is of whole numbers, and whether the scenario can have each level."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from engine.errors import InputError, ScenarioError, shown
from engine.experiments.plan import PlanFactor, PlanHeader
from engine.experiments.points import prepare_with
from engine.inference import Factor
from engine.scenario import PreparedScenario, ScenarioText, Setting, holds_whole_numbers, own_value

_NUMBER = re.compile(r"[0-9][0-9.,]*")

_NOTES = 2
"""Most notes about the scenario per factor."""


def inference_factor(
    factor: PlanFactor, base: PreparedScenario, place: str, text: ScenarioText | None = None
) -> Factor:
    """Return a factor of a plan as `engine.inference` has it; a range of whole numbers where the setting is whole.

    Raises
    ------
    ScenarioError
        If there is no such setting, or a bound of a range must be whole and is not.
    """
    if factor.levels:
        return Factor(name=factor.label, levels=tuple(factor.levels))
    with line_of(place, text):
        whole = any(_is_whole(base, path) for path in factor.all_paths)
    for name in ("low", "high") if whole else ():
        bound = getattr(factor, name)
        if bound != int(bound):
            raise ScenarioError(f"{place}.{name}", bound, f"a whole number, as {factor.all_paths[0]} is one")
    low, high = factor.low, factor.high
    assert low is not None and high is not None
    return Factor(
        name=factor.label, low=int(low) if whole else low, high=int(high) if whole else high, whole=whole
    )


def _is_whole(base: PreparedScenario, path: str) -> bool:
    """Whether a setting, or a constant of the model, is a whole number."""
    if holds_whole_numbers(base.original, path):
        return True
    own = own_value(base.resolved, path) if path.startswith("model.") else None
    return isinstance(own, int) and not isinstance(own, bool)


def try_levels(
    plan: PlanHeader,
    base: PreparedScenario,
    factor: PlanFactor,
    levels: Sequence[Any],
    place: str,
    text: ScenarioText | None = None,
) -> list[str]:
    """Try each level of a factor in the scenario; return notes about levels without an effect.

    Parameters
    ----------
    plan, base
        The plan and its scenario.
    factor
        The factor.
    levels
        Its levels, or the ends of its range.
    place, text
        The factor's place in the file, and the file, for its line in messages.

    Raises
    ------
    ScenarioError
        If the scenario cannot have a level.
    InputError
        If all levels give the same scenario.
    """
    found: dict[str, Any] = {}
    same: list[str] = []
    idle: dict[str, str] = {}
    known = {_wording(note) for note in base.notes}
    for level in levels:
        with line_of(place, text):
            prepared = prepare_with(plan, base, [Setting(path, level) for path in factor.all_paths])
        if prepared.hash in found:
            same.append(f"{shown(level)} and {shown(found[prepared.hash])} give the same scenario")
        found.setdefault(prepared.hash, level)
        idle.update({_wording(note): note for note in prepared.notes if _wording(note) not in known})
    if len(found) == 1:
        few = ", ".join(map(shown, levels[:4])) + (", ..." if len(levels) > 4 else "")
        raise InputError(
            f"{place}: factor {factor.label!r} changes nothing: all of its levels, {few}, give the same scenario"
        )
    notes = [*same, *list(idle.values())[:_NOTES]]
    if len(idle) > _NOTES:
        notes.append(f"{len(idle) - _NOTES} more of what `goldenhour scenarios check` notes")
    return [f"factor {factor.label!r}: {note}" for note in notes]


def _wording(note: str) -> str:
    """A note without its numbers."""
    return _NUMBER.sub("#", note)


@contextlib.contextmanager
def line_of(place: str, text: ScenarioText | None) -> Iterator[None]:
    """Give an error about the scenario the place of a factor, and its line in the file."""
    try:
        yield
    except ScenarioError as error:
        if error.line or error.place.startswith(place):
            raise
        line = "" if text is None else text.with_line(ScenarioError(place, None, "")).line
        words = ", ".join(filter(None, [place, line]))
        raise ScenarioError(error.place, error.value, error.allowed, error.near, words) from None
