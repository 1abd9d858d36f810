"""The hash of a scenario: two scenarios of the same hash give the same patients for the same seed."""

import hashlib

import msgspec

from engine.scenario.defaults import resolve
from engine.scenario.structs.scenario import Scenario


def scenario_hash(s: Scenario) -> str:
    """The hash of a scenario that is not resolved yet; of one that is, `hash_of_resolved` gives the same."""
    return hash_of_resolved(resolve(s))


def hash_of_resolved(resolved: Scenario) -> str:
    """SHA-256 (hex) of a resolved scenario as canonical JSON, without seed, name and description."""
    content = msgspec.to_builtins(resolved)
    for key in ("seed", "name", "description"):
        del content[key]
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
