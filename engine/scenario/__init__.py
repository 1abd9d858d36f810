"""What a scenario is: its parts, how files are parsed and written, defaults, derived values and checks. No NumPy."""

from engine.scenario.checks.capacity import places
from engine.scenario.checks.notes import is_finite, limited, pools_used
from engine.scenario.checks.settings import check
from engine.scenario.defaults import link_minutes, mean_of, one_way_minutes, resolve
from engine.scenario.derived import (
    agent_share,
    day_weights_of,
    environment_multipliers,
    incident_types,
    mix_of,
    rate_components,
    scenario_hash,
    special_types,
    start_seconds,
    with_overrides,
)
from engine.scenario.parsing import MAX_BYTES, parse
from engine.scenario.structs import (
    CATEGORIES,
    NETWORKS,
    POI,
    STREAMS,
    WARFARE_TYPES,
    Casualties,
    Distribution,
    Facility,
    Link,
    Mix,
    Rates,
    Scenario,
    SpecialEvent,
    Survival,
    Vehicle,
    Warfare,
)
from engine.scenario.toml import to_toml

__all__ = [
    "CATEGORIES",
    "MAX_BYTES",
    "NETWORKS",
    "POI",
    "STREAMS",
    "WARFARE_TYPES",
    "Casualties",
    "Distribution",
    "Facility",
    "Link",
    "Mix",
    "Rates",
    "Scenario",
    "SpecialEvent",
    "Survival",
    "Vehicle",
    "Warfare",
    "agent_share",
    "check",
    "day_weights_of",
    "environment_multipliers",
    "incident_types",
    "is_finite",
    "limited",
    "link_minutes",
    "mean_of",
    "mix_of",
    "one_way_minutes",
    "parse",
    "places",
    "pools_used",
    "rate_components",
    "resolve",
    "scenario_hash",
    "special_types",
    "start_seconds",
    "to_toml",
    "with_overrides",
]
