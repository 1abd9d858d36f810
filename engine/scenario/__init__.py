"""What a scenario is: its parts, how files are parsed and written, defaults, derived values and checks. No NumPy."""

from engine.scenario.asked_shares import has_tilts
from engine.scenario.checks.scenario import check
from engine.scenario.constants import (
    MECHANISM_OF,
    ChangedConstant,
    changed_constants,
    is_available,
    model_constants,
)
from engine.scenario.day_weights import day_weights_of
from engine.scenario.defaults import resolve
from engine.scenario.evidence import BASES, SEEN, Evidence, builtin_evidence, evidence_of
from engine.scenario.extending import extend
from engine.scenario.front_rates import front_rate
from engine.scenario.given_conditions import entries_of, mechanisms_of
from engine.scenario.hashing import hash_of_resolved, scenario_hash
from engine.scenario.limits import (
    facility_places,
    is_finite,
    limiting_settings,
    may_divert,
    used_vehicle_pools,
)
from engine.scenario.listed import (
    ListedRow,
    listed_rows,
    listed_units,
    number_listed,
    unnamed_categories,
)
from engine.scenario.mix import environment_multipliers, mix_of
from engine.scenario.near_matches import near_match
from engine.scenario.overrides import with_overrides
from engine.scenario.parsing import (
    EXTENDS,
    MAX_BYTES,
    ScenarioText,
    parse,
    parse_text,
    read_tree,
    scenario_of,
)
from engine.scenario.point_of_injury import care_at_point_of_injury
from engine.scenario.prepared import PreparedScenario, ScenarioOrigin, ScenarioOverrides, prepare
from engine.scenario.ranges import (
    GIVEN,
    Assumption,
    assumptions_of,
    given_assumption,
    own_value,
    range_rows,
    with_given,
)
from engine.scenario.roster import hours_short_of_teams, roster_of
from engine.scenario.settings import Setting, holds_whole_numbers, parse_setting
from engine.scenario.start import events_from_start, moment_text, start_seconds
from engine.scenario.struct_files import read_struct
from engine.scenario.structs.bounds import MAX_DAYS, MAX_HORIZON_DAYS
from engine.scenario.structs.care import IntensiveCare, Reoperations
from engine.scenario.structs.casualties import Casualties, Mix, Rates, ReturnToDuty
from engine.scenario.structs.distributions import Distribution, mean_of, rate_components
from engine.scenario.structs.facilities import Divert, Facility, Shift, Surge
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.incidents import Incident
from engine.scenario.structs.links import Batch, Link
from engine.scenario.structs.mortuary import MortuaryAffairs
from engine.scenario.structs.point_of_injury import PointOfInjury
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.survival import Survival
from engine.scenario.structs.treatments import TREATMENT_NAMES, TreatmentName, TreatmentSetting
from engine.scenario.structs.vehicles import Lift, Vehicle
from engine.scenario.structs.vocabulary import (
    CATEGORIES,
    NETWORKS,
    POI,
    STREAMS,
    TRANSPORT_KINDS,
    WARFARE_TYPES,
    DistributionKind,
    Environment,
    EventKind,
    Intensity,
    Tempo,
    Terrain,
    TransportKind,
    WarfareType,
)
from engine.scenario.structs.warfare import SpecialEvent, Warfare
from engine.scenario.structs.world import WorldEvent
from engine.scenario.theatre import climate_of, season_of
from engine.scenario.toml import changed_settings, to_toml, write_value
from engine.scenario.travel import link_minutes, one_way_minutes, transport_kind
from engine.scenario.warfare_types import agent_share, heaviest_type, incident_types, special_event_types
from engine.scenario.workload import workload_of

__all__ = [
    "BASES",
    "CATEGORIES",
    "EXTENDS",
    "GIVEN",
    "MAX_BYTES",
    "MAX_DAYS",
    "MAX_HORIZON_DAYS",
    "MECHANISM_OF",
    "NETWORKS",
    "POI",
    "SEEN",
    "STREAMS",
    "TRANSPORT_KINDS",
    "TREATMENT_NAMES",
    "WARFARE_TYPES",
    "Assumption",
    "Batch",
    "Casualties",
    "ChangedConstant",
    "Distribution",
    "DistributionKind",
    "Divert",
    "Environment",
    "EventKind",
    "Evidence",
    "Facility",
    "Front",
    "Incident",
    "Intensity",
    "IntensiveCare",
    "Lift",
    "Link",
    "ListedRow",
    "Mix",
    "MortuaryAffairs",
    "PointOfInjury",
    "PreparedScenario",
    "Rates",
    "Reoperations",
    "ReturnToDuty",
    "Scenario",
    "ScenarioOrigin",
    "ScenarioOverrides",
    "ScenarioText",
    "Setting",
    "Shift",
    "SpecialEvent",
    "Surge",
    "Survival",
    "Tempo",
    "Terrain",
    "TransportKind",
    "TreatmentName",
    "TreatmentSetting",
    "Vehicle",
    "Warfare",
    "WarfareType",
    "WorldEvent",
    "agent_share",
    "assumptions_of",
    "builtin_evidence",
    "care_at_point_of_injury",
    "changed_constants",
    "changed_settings",
    "check",
    "climate_of",
    "day_weights_of",
    "entries_of",
    "environment_multipliers",
    "events_from_start",
    "evidence_of",
    "extend",
    "facility_places",
    "front_rate",
    "given_assumption",
    "has_tilts",
    "hash_of_resolved",
    "heaviest_type",
    "holds_whole_numbers",
    "hours_short_of_teams",
    "incident_types",
    "is_available",
    "is_finite",
    "limiting_settings",
    "link_minutes",
    "listed_rows",
    "listed_units",
    "may_divert",
    "mean_of",
    "mechanisms_of",
    "mix_of",
    "model_constants",
    "moment_text",
    "near_match",
    "number_listed",
    "one_way_minutes",
    "own_value",
    "parse",
    "parse_setting",
    "parse_text",
    "prepare",
    "range_rows",
    "rate_components",
    "read_struct",
    "read_tree",
    "resolve",
    "roster_of",
    "scenario_hash",
    "scenario_of",
    "season_of",
    "special_event_types",
    "start_seconds",
    "to_toml",
    "transport_kind",
    "unnamed_categories",
    "used_vehicle_pools",
    "with_given",
    "with_overrides",
    "workload_of",
    "write_value",
]
