"""The evacuation network, care and routing as the kernel reads them, and the times of its ways (MODEL section 5)."""

from typing import Any

import numpy as np

from engine.clinical import FRONTS, INJURIES, MINUTE, PEOPLE, SURVIVAL, TYPES, unit
from engine.numeric import TRIANGULAR, continuous, inner, words

PURPOSES = ("care", "injury", "person", "survival", "travel", "vehicles")
"""Purposes of the random streams: Model.keys holds their keys in this order."""
Z_INJURY, Z_PERSON, Z_SURVIVAL, Z_TRAVEL, Z_VEHICLES = (
    1,
    2,
    3,
    4,
    5,
)  # Z_CARE, 0, belongs to engine.clinical.treatments

OUT_DEAD, OUT_RETURNED = 5, 6
"""Outcomes of a place under transition-matrix routing; 1..4 are the roles to go to."""

FACILITIES, LINKS = 1000, 4000
WAYS, CANDIDATES, POOLS, WORLD_EVENTS, SHIFT_CHANGES = 4000, 8000, 1000, 2000, 16
"""The most that a network may have."""

R_TRIAGE, R_BAY, R_TABLE, R_ICU, R_WARD, R_PLACE = range(6)
RESOURCES = 6
"""Resources of a facility; resource r of facility f is number f * RESOURCES + r everywhere."""

UNLIMITED = 1 << 30

S_TRIAGE_TIME, S_CARE_TIME, S_RESUS_TIME, S_SURGERY_TIME, S_ICU_TIME = range(5)
"""Service times that a facility may set."""

CLOSEST, SPREAD_OUT, LEAST_LOADED = range(3)
"""Destination policies."""

W_OPEN, W_CLOSE, W_HIT, W_HIT_END, W_VEHICLES_OUT, W_VEHICLES_BACK = range(6)
"""What happens in the world. `value`: share of capacity lost, or vehicles; `killed`: probability of a hit."""

NETWORK = np.dtype(
    [
        ("role", "i8", (FACILITIES,)),
        ("resuscitates", "u1", (FACILITIES,)),  # capable of DCR
        ("operates", "u1", (FACILITIES,)),  # capable of DCS
        ("icu", "u1", (FACILITIES,)),
        ("definitive", "u1", (FACILITIES,)),
        ("policy", "f8", (FACILITIES,)),  # evacuation policy in ms; infinity
        ("first_link", "i8", (FRONTS,)),  # from the point of injury
        ("next_link", "i8", (FACILITIES, FRONTS)),  # onwards; -1 at the end
        ("origin", "i8", (LINKS,)),  # -1 the point of injury
        ("destination", "i8", (LINKS,)),
        ("minutes", "f8", (LINKS,)),  # mean travel time
        ("kind", "i8", (LINKS,)),  # of travel time
        ("travel", "f8", (LINKS, 3)),  # its parameters, minutes
        ("slowdown", "f8", (LINKS,)),  # factor on the travel time (weather, mobility)
        ("delay", "f8", (LINKS,)),  # minutes added
        # resources
        ("facilities", "i8"),
        ("capacity", "i4", (FACILITIES * RESOURCES,)),  # UNLIMITED where not finite
        ("finite", "u1", (FACILITIES * RESOURCES,)),
        ("tables", "i4", (FACILITIES,)),  # operating tables, teams apart
        ("teams", "i4", (FACILITIES, SHIFT_CHANGES)),  # surgical teams from each change of the roster on
        ("shift", "f8", (FACILITIES, SHIFT_CHANGES)),  # ms of the day of the changes
        ("shifts", "i4", (FACILITIES,)),
        ("surge", "i4", (FACILITIES, RESOURCES)),  # added by surge
        ("surge_trigger", "i4", (FACILITIES,)),  # ward beds in use; UNLIMITED without surge
        ("surge_delay", "f8", (FACILITIES,)),  # ms
        ("blood", "i8", (FACILITIES,)),  # units in stock; -1 no limit
        ("resupply_every", "f8", (FACILITIES,)),  # ms; 0 never
        ("resupply", "i8", (FACILITIES,)),  # units
        ("service_kind", "i8", (FACILITIES, 5)),  # distribution of a service time; -1 the model's
        ("service", "f8", (FACILITIES, 5, 3)),  # its parameters, minutes
        ("nation", "i8", (FACILITIES,)),  # -1 none
        ("counted", "u1", (FACILITIES,)),  # 1: places are counted
        ("struck", "u1", (FACILITIES,)),  # 1: a hit may change the future of those inside
        # ways: what those at one place (and of one front, at the POI) may choose among
        ("ways", "i8"),
        ("way", "i4", (FACILITIES, FRONTS)),  # -1 at the end
        ("poi_way", "i4", (FRONTS,)),
        ("way_first", "i4", (WAYS,)),
        ("way_count", "i4", (WAYS,)),
        ("way_finite", "u1", (WAYS,)),
        ("candidate_link", "i4", (CANDIDATES,)),  # closest first
        ("rank", "f8", (CANDIDATES,)),  # the same for equally close ones
        ("candidate_pool", "i4", (CANDIDATES,)),  # -1: vehicles without limit
        ("candidate_way", "i4", (CANDIDATES,)),
        ("allowed", "u1", (CANDIDATES,)),  # bit c: triage category c may go
        ("able", "u1", (CANDIDATES,)),  # 1: the destination operates, where not all of the way do
        ("seated", "u1", (WAYS,)),  # 1: some of its vehicles have no litters
        ("able_for", "u1", (WAYS,)),  # bit c: one that operates takes category c; 0 where all or none operate
        ("batch", "i4", (CANDIDATES,)),  # smallest batch; 0 none
        ("batch_wait", "f8", (CANDIDATES,)),  # ms
        ("batch_override", "u1", (CANDIDATES,)),
        ("out", "u1", (CANDIDATES,)),  # 1: the vehicle comes from elsewhere
        ("back", "u1", (CANDIDATES,)),  # 1: and goes back
        ("into_first", "i4", (FACILITIES + 1,)),  # ways that lead to a facility: into[first:next first]
        ("into", "i4", (CANDIDATES,)),
        ("using_first", "i4", (POOLS + 1,)),  # ways that a pool serves
        ("using", "i4", (CANDIDATES,)),
        ("ahead", "u1", (FACILITIES, FRONTS)),  # 1: something at this facility or beyond is finite
        ("poi_ahead", "u1", (FRONTS,)),
        # vehicle pools
        ("pools", "i8"),
        ("vehicles", "i4", (POOLS,)),
        ("litters", "i4", (POOLS,)),
        ("seats", "i4", (POOLS,)),
        ("load", "f8", (POOLS,)),  # ms a patient
        ("unload", "f8", (POOLS,)),
        ("dispatch", "f8", (POOLS,)),  # ms before it leaves
        ("by_night", "u1", (POOLS,)),
        ("grounded", "f8", (POOLS,)),  # probability of a day on the ground
        ("loss", "f8", (POOLS,)),  # probability per sortie
        ("aboard", "f8", (POOLS,)),  # factor on the clock
        ("lift_every", "f8", (POOLS,)),  # ms; 0: not scheduled
        ("lift_first", "f8", (POOLS,)),
        ("lift_cancelled", "f8", (POOLS,)),
        ("pool_key", "u8", (POOLS,)),  # hash of the id
        # the world
        ("happenings", "i8"),
        ("happens_at", "f8", (WORLD_EVENTS,)),
        ("happens", "i4", (WORLD_EVENTS,)),
        ("happens_to", "i4", (WORLD_EVENTS,)),  # facility or pool
        ("happens_value", "f8", (WORLD_EVENTS,)),
        ("happens_killed", "f8", (WORLD_EVENTS,)),
        ("closed", "i4", (FACILITIES,)),  # 1: not open at the start
        ("moves", "i8"),
        ("moved_at", "f8", (WORLD_EVENTS,)),
        ("moved", "i4", (WORLD_EVENTS,)),  # facility
        ("farther", "f8", (WORLD_EVENTS,)),  # factor on the travel times from and to it from then on
        # policies
        ("push", "u1"),
        ("destinations", "u1"),
        ("bypass", "u1"),
        ("national", "u1"),
        ("bumping", "u1"),
        ("expectant", "i4"),  # NISS from which, 0 never
        ("retriage", "f8"),  # ms
        ("night", "f8", (2,)),  # ms of the day: from, to
        ("overflow", "f8"),  # clock factor in surge beds and at a full door
        ("blood_units", "i8"),  # of one resuscitation
    ],
    align=True,
)
"""The evacuation network; F fronts, M facilities, L links."""


CARE = np.dtype(
    [
        ("triage", "f8", (1,)),  # minutes
        ("right", "f8", (5,)),  # probability of the right category at POI, Role 1..4
        ("over", "f8", (1,)),  # weight of over-triage against 1
        ("role1", "f8", (3,)),  # triangular
        ("care", "f8", (3,)),
        ("resuscitation", "f8", (3,)),
        ("icu", "f8", (3,)),
        ("waits", "f8", (2,)),  # door to resuscitation, resuscitation to surgery
        ("surgery", "f8", (2, 4)),  # log median minutes at Role 2 / 3 by ISS band
        ("surgery_sigma", "f8", (1,)),
        ("decontamination", "f8", (1,)),
        ("request", "f8", (2,)),  # latest share of the leg: request, departure
        ("aid_slowdown", "f8", (1,)),  # factor on the time to first aid (visibility)
        ("threshold", "i8", (1,)),  # MASCAL
        ("horizon", "f8", (1,)),  # ms; infinity
    ],
    align=True,
)
"""Service times in minutes, triage and request; all deterministic tables."""


TRANSITIONS = np.dtype(
    [
        ("used", "u1", (1,)),
        ("cumulated", "f8", (5, 4, 7)),  # by place and category
        ("triage", "f8", (TYPES, 3, 3)),  # cumulated T1..T3 by warfare type and stream
        ("facility", "i8", (FRONTS, 5)),  # facility of a role on a front; -1
    ],
    align=True,
)
"""Transition-matrix routing; index 0 POI, 1..4 roles; outcomes 1..4 roles, 5 dead, 6 returned."""


MODEL = np.dtype(
    [
        ("people", PEOPLE),
        ("injuries", INJURIES),
        ("survival", SURVIVAL),
        ("network", NETWORK),
        ("care", CARE),
        ("transitions", TRANSITIONS),
        ("keys", "u8", (6,)),  # of the random streams, by PURPOSES
    ],
    align=True,
)
"""All tables of one run: one row, passed by reference."""


@inner
def triangular(u: Any, table: Any) -> float:
    """Inverse distribution function of the triangular distribution (low, mode, high)."""
    return continuous(TRIANGULAR, table[0], table[1], table[2], u)


@inner
def farther(link: Any, at: Any, m: Any) -> float:
    """Factor on the travel time of a link by the moves of facilities until `at`, ms."""
    net = m.network
    factor = 1.0
    for k in range(net.moves):
        if net.moved_at[k] > at:
            break
        if net.moved[k] == net.origin[link] or net.moved[k] == net.destination[link]:
            factor *= net.farther[k]
    return factor


@inner
def leg_time(link: Any, leg: Any, at: Any, m: Any, who: Any) -> float:
    """ms on a link for who sets off at `at`, by the patient's own draw for the leg (MODEL section 7: keyed patient,
    leg).
    """
    u = unit(words(m.keys[Z_TRAVEL], who[0], who[1], leg)[0])
    net = m.network
    minutes = continuous(net.kind[link], net.travel[link, 0], net.travel[link, 1], net.travel[link, 2], u)
    if net.moves > 0:
        minutes *= farther(link, at, m)
    return max(1000.0, (minutes * net.slowdown[link] + net.delay[link]) * MINUTE)


@inner
def service(m: Any, facility: Any, which: Any, table: Any, u: Any) -> float:
    """Minutes of a service: the facility's own distribution, else triangular by `table`."""
    kind = m.network.service_kind[facility, which]
    if kind < 0:
        return triangular(u, table)
    own = m.network.service[facility, which]
    return continuous(kind, own[0], own[1], own[2], u)


@inner
def way_time(s: Any, front: Any, goal: Any, link: Any, m: Any, who: Any) -> float:
    """ms along the network from `link` on to facility `goal`, passing those between without a stop: under
    transition-matrix routing, where nothing moves.
    """
    total = 0.0
    leg = s.leg
    while True:
        total += leg_time(link, leg, 0.0, m, who)
        here = m.network.destination[link]
        link = m.network.next_link[here, front]
        leg += 1
        if here == goal or link < 0:
            return total


@inner
def draw_outcome(p: Any, s: Any, place: Any, m: Any, who: Any) -> None:
    """Transition-matrix routing: what happens at a place (0: POI, else the role) is drawn by triage category."""
    u = unit(words(m.keys[Z_SURVIVAL], who[0], who[1], 8 + place)[0])
    outcome = 1
    while outcome < OUT_RETURNED and u >= m.transitions.cumulated[place, p.triage, outcome]:
        outcome += 1
    if outcome <= 4 and m.transitions.facility[p.front, outcome] < 0:
        outcome = OUT_RETURNED  # the network has no such role: treated here
    s.outcome = outcome
