"""Assumptions: constants of the model that are not known exactly, each with the range it could be in.

The ranges are those of `scenarios/data/model/ranges.toml`. A constant that a scenario's author has replaced counts as
known, unless a range is given for it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from engine.errors import InputError, ScenarioError, shown
from engine.scenario.checks.constant_bounds import bounds_of
from engine.scenario.constants import (
    CONSTANTS_OF_SETTINGS,
    CONSTANTS_OF_TREATMENTS,
    MODEL_FILES,
    ReplacedConstant,
    is_available,
    model_constants,
)
from engine.scenario.near_matches import near_match
from engine.scenario.settings import holds_whole_numbers, value_at
from engine.scenario.structs.scenario import Scenario
from engine.scenario.warfare_types import incident_types
from scenarios.tables import model_parameters

_PLURALS = {"calibrated": "calibrated", "assumption": "assumptions"}
"""By confidence: what a rule is for, in words."""

GIVEN = "given"
"""Tag of a range that an experiment or a command gives."""

TAGS = ("published", "judgement", GIVEN)

_TYPE = "{type}"
"""Stands for a warfare type in the name and path of a range."""

Value = Any
"""A number, or a list or table of numbers."""

T = TypeVar("T")


class Assumption(NamedTuple):
    """A constant or setting, and the range it could be in: triangular between `low` and `high`.

    Where it has several values, they move together: all are at the same quantile.
    """

    name: str
    """What to call it."""
    path: str
    """The setting of a scenario that replaces it."""
    low: Value
    mode: Value
    """The most likely value: that of the scenario, within the range."""
    high: Value
    tag: str
    """One of `TAGS`."""
    source: str
    """Where the range comes from."""

    def at(self, unit: float) -> Value:
        """Return the value at a quantile, 0 to 1: `low` at 0, `high` at 1; of whole numbers the nearest one."""
        return _combined(lambda low, mode, high: _triangular(low, mode, high, unit), *self[2:5])


class _Constant(NamedTuple):
    """What a range is about."""

    path: str
    """As of `bounds_of`: file, tables and name."""
    own: Value
    """The model's."""
    value: Value
    """The scenario's."""
    confidence: str
    """That of its table."""


def assumptions_of(scenario: Scenario) -> list[Assumption]:
    """Return the assumptions of the model that a scenario rests on.

    Parameters
    ----------
    scenario
        As its author wrote it, with the overrides of a command (`PreparedScenario.original`).

    Examples
    --------
    >>> from engine.scenario import assumptions_of, parse
    >>> found = {one.name: one for one in assumptions_of(parse(b'name = "x"', "toml"))}
    >>> one = found["tourniquet works"]
    >>> round(one.low, 3), one.mode, round(one.high, 3), one.tag
    (0.791, 0.85, 0.895, 'judgement')
    """
    found: list[Assumption] = []
    if scenario.routing != "clock":
        return found
    for row in range_rows():
        for type_ in _types(scenario) if _TYPE in row["path"] else [""]:
            one = {**row, **{key: row[key].replace(_TYPE, type_) for key in ("name", "path")}}
            constant = _constant(scenario, one["path"], tuple(one.get("places", ())))
            if constant is not None and constant.value == constant.own:
                found.append(_assumption(one, constant))
    return found


def given_assumption(
    scenario: Scenario, path: str, low: float, high: float, mode: float | None = None, name: str | None = None
) -> Assumption:
    """Return an assumption whose range a user gives.

    Parameters
    ----------
    scenario
        The resolved scenario.
    path
        A setting that is one number.
    low, high
        The range.
    mode
        The most likely value; default: the scenario's, or the nearest within the range.
    name
        What to call it; default: the path.

    Raises
    ------
    InputError
        If low, mode and high are not in this order, or the setting is not a number and no `mode` is given.
    ScenarioError
        If there is no such setting, with the nearest name.
    """
    place = f"assumption {path}"
    if not low < high:
        raise InputError(f"{place}: got the range {shown(low)} to {shown(high)}; allowed: low below high")
    if mode is None:
        own = own_value(scenario, path)
        if isinstance(own, bool) or not isinstance(own, int | float):
            if own is None:
                _check_path(scenario, path)
            raise InputError(f"{place}: got a setting of {shown(own)}; allowed: a number")
        mode = min(max(own, low), high)
    if not low <= mode <= high:
        raise InputError(f"{place}: got the mode {shown(mode)}; allowed: {low:g} to {high:g}")
    if all(isinstance(value, int) for value in (low, high)) and mode == int(mode):
        mode = int(mode)
    elif not isinstance(mode, int) or not isinstance(low, int) or not isinstance(high, int):
        low, mode, high = float(low), float(mode), float(high)
    return Assumption(name or path, path, low, mode, high, GIVEN, "given by the user")


def with_given(found: Sequence[Assumption], given: Sequence[Assumption]) -> list[Assumption]:
    """Return assumptions where those that are given replace those of the same path."""
    paths = {one.path for one in given}
    return [one for one in found if one.path not in paths] + list(given)


def range_rows() -> list[dict[str, Any]]:
    """Return the rows of ranges.toml as they are written. Callers must not change them."""
    rows: list[dict[str, Any]] = model_parameters("ranges")["ranges"]
    return rows


def _types(scenario: Scenario) -> list[str]:
    """The warfare types whose constants have an effect."""
    return [name for name in incident_types(scenario) if name != "standard" or not scenario.warfare]


def _constant(scenario: Scenario, path: str, places: tuple[int, ...] = ()) -> _Constant | None:
    """The constant that a setting replaces; None if the scenario does without it.

    Of a list, `places` are the values that matter; default: all.
    """
    steps = tuple(path.split("."))
    if steps[0] == "model":
        replaced = ReplacedConstant(steps[1:])
    elif steps[0] == "treatments":
        if not is_available(scenario, steps[1]):  # type: ignore[arg-type]
            return None
        replaced = CONSTANTS_OF_TREATMENTS[steps[1], steps[2]]  # type: ignore[index]
    else:
        replaced = CONSTANTS_OF_SETTINGS[path]
    own = _in_tables(model_parameters(replaced.path[0]), replaced)
    value = _in_tables(model_constants(scenario, replaced.path[0]), replaced)
    for (
        setting,
        other,
    ) in CONSTANTS_OF_SETTINGS.items():  # these replace a constant in the scenario's own place
        given = attrgetter(setting)(scenario)
        mine = set(places or replaced.places)
        overlaps = not mine or not other.places or mine & set(other.places)
        if given is not None and other.path == replaced.path and overlaps:
            value = given
    return _Constant(".".join(replaced.path), own, value, _confidence(replaced.path))


def _in_tables(table: Mapping[str, Any], constant: ReplacedConstant) -> Value:
    """A constant in the tables of its file; of a list, the value at its place."""
    value: Any = reduce(lambda found, key: found[key], constant.path[1:], table)
    return value[constant.places[0]] if constant.places else value


def _confidence(path: Sequence[str]) -> str:
    """The confidence of the innermost table that has one and holds a constant."""
    table, found = model_parameters(path[0]), "assumption"
    for key in path[1:-1]:
        table = table[key]
        found = table.get("confidence", found)
    return found


def _assumption(row: Mapping[str, Any], constant: _Constant) -> Assumption:
    """The assumption of a row of ranges.toml."""
    bounds = bounds_of(constant.path)
    places = row.get("places")

    def moved(factor: Callable[[float], float]) -> Value:
        return _moved(constant.value, factor, bounds, places)

    tag, source = row.get("tag", "judgement"), row.get("source", "")
    if "factor" in row:
        low, high = (moved(lambda x, by=by: x * by) for by in row["factor"])  # type: ignore[misc]
    elif "shift" in row:
        low, high = (moved(lambda x, by=by: x + by) for by in (-row["shift"], row["shift"]))  # type: ignore[misc]
    elif "low" in row:
        low, high = row["low"], row["high"]
    else:
        rule = model_parameters("ranges")["rules"][constant.confidence]
        if (bounds.low, bounds.high) in ((0, 1), (0.001, 1)):
            odds = rule["odds"]
            low, high = (
                moved(lambda p: p / (p + (1 - p) * odds)),
                moved(lambda p: p * odds / (1 - p + p * odds)),
            )
        else:
            low, high = moved(lambda x: x / rule["ratio"]), moved(lambda x: x * rule["ratio"])
        source = f"rule for constants that are {_PLURALS[constant.confidence]}"
    mode = constant.value
    if isinstance(mode, Mapping):  # a table is replaced key by key
        low, mode, high = (
            {key: part[key] for key in mode if low[key] != high[key]} for part in (low, mode, high)
        )
    return Assumption(row["name"], row["path"], low, mode, high, tag, source)


def _moved(
    value: Value, change: Callable[[float], float], bounds: tuple[float, float], places: Sequence[int] | None
) -> Value:
    """A value with each number changed within the bounds; of a list, only those at `places` if there are any."""
    if isinstance(value, Mapping):
        return {key: _moved(item, change, bounds, None) for key, item in value.items()}
    if isinstance(value, list):
        return [
            item if places is not None and place not in places else _moved(item, change, bounds, None)
            for place, item in enumerate(value)
        ]
    moved = min(max(change(value), bounds[0]), bounds[1])
    return round(moved) if isinstance(value, int) else round(moved, 6)


def _combined(function: Callable[..., float], *values: Value) -> Value:
    """Numbers combined; of lists and tables, those at the same place."""
    first = values[0]
    if isinstance(first, Mapping):
        return {key: _combined(function, *(value[key] for value in values)) for key in first}
    if isinstance(first, list):
        return [_combined(function, *parts) for parts in zip(*values, strict=True)]
    return function(*values)


def _triangular(low: float, mode: float, high: float, unit: float) -> float:
    """The quantile of a triangular distribution."""
    width = high - low
    whole = isinstance(mode, int) and isinstance(low, int) and isinstance(high, int)
    if width <= 0:
        return mode
    if unit * width <= mode - low:
        found = low + math.sqrt(unit * width * (mode - low))
    else:
        found = high - math.sqrt((1.0 - unit) * width * (high - mode))
    return round(found) if whole else min(max(found, low), high)


def own_value(scenario: Scenario, path: str) -> Any:
    """Return the value of a setting in a resolved scenario, or of the constant of the model at its path; None if unset.

    Raises
    ------
    ScenarioError
        If there is no such setting.
    """
    steps = path.split(".")
    value: Any = None
    if steps[0] == "model" and len(steps) > 1 and steps[1] in MODEL_FILES:
        value = model_constants(scenario, steps[1])
        for key in steps[2:]:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value
    constant = _constant(scenario, path) if _replaces_constant(path) else None
    return constant.value if constant is not None else value_at(scenario, path)


def _check_path(scenario: Scenario, path: str) -> None:
    """Raise ScenarioError if there is no setting, and no constant of the model, at a path."""
    steps = path.split(".")
    if steps[0] != "model":
        holds_whole_numbers(scenario, path)
        return
    known: Any = dict.fromkeys(MODEL_FILES)
    for number, step in enumerate(steps[1:], 1):
        if not isinstance(known, Mapping) or step not in known:
            names = list(known) if isinstance(known, Mapping) else []
            allowed = ", ".join(names) if names else "nothing here, which is one value"
            raise ScenarioError(".".join(steps[:number]), step, allowed, near_match(step, names))
        known = model_constants(scenario, step) if number == 1 else known[step]


def _replaces_constant(path: str) -> bool:
    steps = path.split(".")
    return path in CONSTANTS_OF_SETTINGS or (
        len(steps) == 3 and steps[0] == "treatments" and (steps[1], steps[2]) in CONSTANTS_OF_TREATMENTS
    )
