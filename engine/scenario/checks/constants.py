"""Checks of the constants of the model that a scenario replaces."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from math import fsum, isfinite
from typing import Any

from engine.errors import ScenarioError
from engine.scenario.checks.constant_bounds import bounds_of
from engine.scenario.checks.values import list_words
from engine.scenario.constants import MODEL_FILES, NOT_CONSTANTS, changed_constants, model_constants
from engine.scenario.near_matches import near_match
from engine.scenario.structs.scenario import Scenario
from engine.scenario.warfare_types import incident_types
from scenarios.tables import model_parameters

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_SHARE_TOLERANCE = 1e-6

FIXED = {
    "casualties.wounds.maximum": "it is the size of a table of the kernel",
    "consumption.items": "the items and their units are fixed",
}
"""Constants that no scenario can replace, and why."""

_BY_DIAGNOSIS = (
    "nothing: how long a casualty needs care follows from the diagnosis (stay_days and return_days in the "
    "catalogue); model.survival.stay has scale, sigma, shortest, least_days and convalescence_share"
)
REMOVED = {
    "survival.rtd72": _BY_DIAGNOSIS,
    "survival.stay.wounded_median_days": _BY_DIAGNOSIS,
    "survival.stay.wounded_sigma": _BY_DIAGNOSIS,
    "survival.stay.category_median_days": _BY_DIAGNOSIS,
    "survival.stay.category_sigma": _BY_DIAGNOSIS,
}
"""Constants that the model had, and what is in their place."""

_SUM_TO_ONE = (
    "casualties.wounds.ais.",
    "casualties.types.",
    "casualties.agent.severity",
    "casualties.dnbi.triage.",
)
"""Beginnings of the paths of shares that sum to 1."""
_RISING = (
    "arrivals.incidents.duration_minutes",
    "arrivals.profiles.daylight",
    "arrivals.profiles.twilight",
    "casualties.person.weight_limits_kg",
    "vital_signs.vital_signs.bounds.",
)
"""Paths of the constants whose values rise."""


def check_constants(scenario: Scenario) -> None:
    """Refuse constants that the model does not have, or that have another type, shape or bounds (ScenarioError)."""
    for name, replaced in scenario.model.items():
        if name not in MODEL_FILES:
            raise ScenarioError(
                _inside("model", name),
                name,
                f"one of {', '.join(MODEL_FILES)}, then table and constant without quotes, as in "
                "model.survival.lethality.sigma",
                near_match(name.split(".")[0], MODEL_FILES),
            )
        _check_table(f"model.{name}", name, model_parameters(name), replaced)
    for name in scenario.model:
        for path, value in _leaves(name, model_constants(scenario, name)):
            _check_together(path, value)
    _check_sums(scenario)


def note_constants(scenario: Scenario) -> Iterator[str]:
    """Notes on constants that have no effect."""
    changed = {change.path for change in changed_constants(scenario)}
    for name, replaced in scenario.model.items():
        for path, _ in _written(f"model.{name}", replaced):
            if path not in changed:
                yield f"{path}: no effect, because it is the model's own value"
    types = incident_types(scenario)
    for name in scenario.model.get("casualties", {}).get("types", {}):
        if name not in types or (name == "standard" and scenario.warfare):
            yield f"model.casualties.types.{name}: no effect, because the scenario has no casualties of this type"


def _written(place: str, replaced: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Path and value of each constant that a scenario writes."""
    for key, value in replaced.items():
        if isinstance(value, Mapping):
            yield from _written(f"{place}.{key}", value)
        else:
            yield f"{place}.{key}", value


def _inside(place: str, key: str) -> str:
    return f"{place}.{key}" if _PLAIN_KEY.match(key) else f"{place}[{json.dumps(key[:80])}]"


def _check_table(place: str, path: str, own: Mapping[str, Any], replaced: Any) -> None:
    names = [key for key in own if key not in NOT_CONSTANTS]
    if not isinstance(replaced, dict):
        raise ScenarioError(place, replaced, f"a table with some of {list_words(names)}")
    for key, value in replaced.items():
        inside, path_inside = _inside(place, key), f"{path}.{key}"
        if path_inside in REMOVED:
            raise ScenarioError(inside, key, REMOVED[path_inside])
        if key not in names:
            raise ScenarioError(inside, key, f"one of {list_words(names)}", _near(path, key, names))
        if path_inside in FIXED:
            raise ScenarioError(inside, value, f"nothing: {FIXED[path_inside]}")
        if isinstance(own[key], Mapping):
            _check_table(inside, path_inside, own[key], value)
        else:
            _check_value(inside, path_inside, own[key], value)


def _near(path: str, key: str, names: list[str]) -> str | None:
    """The name in this table that looks like `key`, else the path of the constant elsewhere that does."""
    near = near_match(key, names)
    if near is not None:
        return near
    elsewhere = {path.rsplit(".", 1)[1]: path for path in _all_paths()}
    found = near_match(key, elsewhere)
    return f"model.{elsewhere[found]}" if found is not None else None


@cache
def _all_paths() -> tuple[str, ...]:
    return tuple(path for name in MODEL_FILES for path, _ in _leaves(name, model_parameters(name)))


def _leaves(path: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Path and value of each constant of a table and the tables within it."""
    for key, value in table.items():
        if f"{path}.{key}" in FIXED:
            continue
        if isinstance(value, Mapping):
            yield from _leaves(f"{path}.{key}", value)
        elif key not in NOT_CONSTANTS:
            yield f"{path}.{key}", value


def _check_value(place: str, path: str, own: Any, value: Any) -> None:
    """Type, shape and bounds of a constant."""
    if isinstance(own, list):
        if not isinstance(value, list) or len(value) != len(own):
            of_lists = " lists" if isinstance(own[0], list) else " numbers"
            raise ScenarioError(place, value, f"a list of {len(own)}{of_lists}; the model has {own}")
        for number, (one, item) in enumerate(zip(own, value, strict=True)):
            _check_value(f"{place}[{number}]", path, one, item)
            if path.startswith("casualties.wounds.ais.") and one == 0 and item != 0:
                raise ScenarioError(
                    f"{place}[{number}]", item, "0: no diagnosis of this region has this severity"
                )
        return
    low, high = bounds_of(path)
    whole = isinstance(own, int)
    good = not isinstance(value, bool) and isinstance(value, int if whole else (int, float))
    if not (good and _is_between(low, value, high)):
        kind = "a whole number" if whole else "a number"
        raise ScenarioError(place, value, f"{kind} from {low:,g} to {high:,g}; the model has {own:g}")


def _is_between(low: float, value: float, high: float) -> bool:
    try:
        return isfinite(value) and low <= value <= high
    except OverflowError:
        return False


def _check_together(path: str, value: Any) -> None:
    """The order or sum of the values of one constant."""
    place = f"model.{path}"
    if path.startswith(("care.minutes.", "care.reoperation.")):
        low, mode, high = value
        if not (low <= mode <= high and low < high):
            raise ScenarioError(
                place,
                value,
                "lowest, most likely and highest minutes, with low <= mode <= high and low < high",
            )
    pairs = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    if path.startswith(_RISING) and any(pair[0] > pair[1] for pair in pairs):
        raise ScenarioError(place, value, "two values of which the first is not above the second")
    if isinstance(value, list) and path.startswith(_SUM_TO_ONE):
        _check_sum(place, value)
    if path.startswith("casualties.wounds.regions.") and not any(value):
        raise ScenarioError(place, value, "at least one weight above 0")
    if path == "casualties.agent.triage" and set(value) != {1, 2, 3}:
        raise ScenarioError(place, value, "each of the categories 1, 2 and 3 at least once")


def _check_sums(scenario: Scenario) -> None:
    """Constants that belong together."""
    if "casualties" in scenario.model:
        casualties = model_constants(scenario, "casualties")
        for name, table in casualties["types"].items():
            if name not in NOT_CONSTANTS:
                _check_sum(f"model.casualties.types.{name}.mechanisms", table["mechanisms"].values())
        fatal = casualties["wounds"]["instantly_fatal"]
        if not any(fatal.values()):
            raise ScenarioError(
                "model.casualties.wounds.instantly_fatal", fatal, "at least one share above 0"
            )
    if "care" in scenario.model:
        request = model_constants(scenario, "care")["request"]
        if request["request_share"] > request["departure_share"]:
            raise ScenarioError(
                "model.care.request.request_share",
                request["request_share"],
                f"at most departure_share, {request['departure_share']:g}",
            )


def _check_sum(place: str, shares: Any) -> None:
    total = fsum(shares)
    if abs(total - 1) > _SHARE_TOLERANCE:
        raise ScenarioError(place, f"shares that sum to {total:.9g}", "shares that sum to 1")
