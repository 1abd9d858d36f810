"""The hash of a scenario: two scenarios of the same hash give the same patients for the same seed."""

import hashlib
from typing import Any

import msgspec

from engine.scenario.defaults import resolve
from engine.scenario.structs.care import IntensiveCare
from engine.scenario.structs.complications import Complications
from engine.scenario.structs.scenario import Scenario

_ADDED: dict[str, dict[str, Any]] = {
    "": {
        "agents": None,
        "climate": None,
        "complications": msgspec.to_builtins(Complications()),
        "detail": "core",
        "incidents": [],
        "intensive_care": msgspec.to_builtins(IntensiveCare()),
        "model": {},
        "mortuary_affairs": None,
        "point_of_injury": None,
        "reoperations": None,
        "season": None,
        "treatments": {},
    },
    "casualties": {"only_listed": False},
    "casualties.rates": {"return_to_duty": {}},
    "facilities": {"divert": None, "hold_bay": True, "new": False},
    "fronts": {
        "point_of_injury": None,
        "rates": None,
        "rate_factor": None,
        "replacements_per_day": None,
        "units": [],
    },
    "survival": {"lethality": None, "untreated_minutes": None},
    "vehicles": {"new": False},
}
"""By path of a list or table of a scenario ("" for the scenario itself): fields that count only where they have another
value.

They were added after scenarios had been hashed without them. A scenario that does not use them keeps its hash.
"""


def scenario_hash(s: Scenario) -> str:
    """The hash of a scenario that is not resolved yet; of one that is, `hash_of_resolved` gives the same."""
    return hash_of_resolved(resolve(s))


def hash_of_resolved(resolved: Scenario) -> str:
    """SHA-256 (hex) of a resolved scenario as canonical JSON, without seed, name and description."""
    content = msgspec.to_builtins(resolved)
    for key in ("seed", "name", "description"):
        del content[key]
    for place, defaults in _ADDED.items():
        value: Any = content
        for name in place.split(".") if place else ():
            value = None if value is None else value[name]
        for entry in value if isinstance(value, list) else [value]:
            if entry is not None:
                _drop_defaults(entry, defaults)
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def _drop_defaults(entry: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Drop those of the fields that have their defaults."""
    for name, default in defaults.items():
        if entry[name] == default:
            del entry[name]
