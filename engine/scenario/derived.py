"""The hash of a scenario: two scenarios of the same hash give the same patients for the same seed."""

import hashlib

import msgspec

from engine.scenario.defaults import resolve
from engine.scenario.structs.scenario import Scenario


def scenario_hash(s: Scenario) -> str:
    """SHA-256 (hex) of the resolved scenario as canonical JSON, without seed, name and description."""
    content = msgspec.to_builtins(resolve(s))
    for key in ("seed", "name", "description"):
        del content[key]
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
