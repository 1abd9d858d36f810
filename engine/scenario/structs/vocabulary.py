"""The words that a scenario's fields accept."""

from typing import Literal, get_args

from scenarios.catalogue import Agent as Agent
from scenarios.catalogue import Climate as Climate
from scenarios.catalogue import Complication as Complication
from scenarios.catalogue import Season as Season

Stream = Literal["battle", "nbi", "disease"]
"""Battle casualties, non-battle injuries (NBI), and disease with psychological casualties."""

WarfareType = Literal[
    "conventional", "artillery", "urban", "guerrilla", "drone", "naval", "cbrn", "peacekeeping"
]
EventKind = Literal["major_offensive", "ambush", "mass_casualty"]
Intensity = Literal["low", "medium", "high", "extreme"]
Tempo = Literal["sustained", "escalating", "surge", "declining", "intermittent"]
Environment = Literal[
    "rain",
    "fog",
    "storm",
    "extreme_heat",
    "extreme_cold",
    "dust_storm",
    "night_operations",
    "mountainous_terrain",
    "urban_debris",
]
Category = Literal["T1", "T2", "T3"]
"""Triage category."""

ShareCategory = Literal["T1", "T2", "T3", "T4"]
"""Triage category that an author may give a share of."""

WoundMechanism = Literal["explosion", "gunshot", "other"]
Routing = Literal["clock", "transition-matrix"]
DistributionKind = Literal["constant", "exponential", "lognormal", "gamma", "erlang", "triangular"]
FacilityKind = Literal["csu", "role1", "role2_basic", "role2_enhanced", "role3", "role4"]
NetworkName = Literal["brigade", "division"]
Acceptance = Literal["accept", "push"]
Detail = Literal["core", "full"]
"""Whether a vehicle waits until the destination has a place."""

DestinationPolicy = Literal["closest-first", "spread-out", "least-loaded"]
WorldEventKind = Literal["open", "close", "move", "hit", "interdiction"]
Terrain = Literal["road", "highway", "mixed", "forest", "arctic", "urban", "air"]
TransportKind = Literal[
    "ambulance_armored",
    "ambulance_standard",
    "transport_truck",
    "medevac_helicopter",
    "casevac_helicopter",
    "fixed_wing",
]

STREAMS: tuple[Stream, ...] = get_args(Stream)
WARFARE_TYPES: tuple[WarfareType, ...] = get_args(WarfareType)
TRANSPORT_KINDS: tuple[TransportKind, ...] = get_args(TransportKind)
CATEGORIES: tuple[Category, ...] = get_args(Category)
WOUND_MECHANISMS: tuple[WoundMechanism, ...] = get_args(WoundMechanism)
NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)

POI = "POI"
"""Origin of a link that starts at the point of injury; no facility may have this id."""
