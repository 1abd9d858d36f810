"""The tilts of a scenario, which take longer to find than a small run: they are found once and cached."""

from typing import Any

from actors.cache import LocalCache, cache_settings
from engine.precomputed import build_value, keys_of_scenario
from engine.scenario import Scenario

KIND = "tilts"
"""The kind of the cached value."""


def tilts_of_scenario(resolved: Scenario) -> dict[str, Any]:
    """Return the tilts of a resolved scenario by kind of value, ready for `Simulation`; empty if it has none.

    The values come from Redis or the user's cache folder, else they are found and stored there. GOLDENHOUR_CACHE=off
    finds them every time.

    Raises
    ------
    ScenarioError
        If an author's share of triage or of deaths cannot be met.
    """
    keys = keys_of_scenario(resolved, (KIND,))
    if not keys:
        return {}
    settings = cache_settings()
    if settings.mode == "off":
        return {key.kind: build_value(key.kind, key.inputs) for key in keys}
    return LocalCache(settings).get_or_build(resolved, (KIND,))
