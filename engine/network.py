"""The evacuation network, care and routing as the kernel reads them, and the times of its ways (MODEL section 5)."""

from typing import Any

import numpy as np

from engine.casualties import FRONTS, INJURIES, PEOPLE, TYPES, unit
from engine.distributions import TRIANGULAR, continuous
from engine.kernel_cache import inner
from engine.streams import words
from engine.survival import MINUTE, SURVIVAL

PURPOSES = ("care", "injury", "person", "survival", "travel")
"""Purposes of the random streams: Model.keys holds their keys in this order."""
Z_INJURY, Z_PERSON, Z_SURVIVAL, Z_TRAVEL = 1, 2, 3, 4  # Z_CARE, 0, belongs to engine.treatments

OUT_DEAD, OUT_RETURNED = 5, 6
"""Outcomes of a place under transition-matrix routing; 1..4 are the roles to go to."""

FACILITIES, LINKS = 1000, 4000
"""The most that a network may have."""

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
        ("destination", "i8", (LINKS,)),
        ("kind", "i8", (LINKS,)),  # of travel time
        ("travel", "f8", (LINKS, 3)),  # its parameters, minutes
        ("slowdown", "f8", (LINKS,)),  # factor on the travel time (weather, mobility)
        ("delay", "f8", (LINKS,)),  # minutes added
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
        ("keys", "u8", (5,)),  # of the random streams, by PURPOSES
    ],
    align=True,
)
"""All tables of one run: one row, passed by reference."""


@inner
def triangular(u: Any, table: Any) -> float:
    """Inverse distribution function of the triangular distribution (low, mode, high)."""
    return continuous(TRIANGULAR, table[0], table[1], table[2], u)


@inner
def leg_time(link: Any, leg: Any, m: Any, who: Any) -> float:
    """ms on a link: the patient's own draw for the leg (MODEL section 7: keyed patient, leg)."""
    u = unit(words(m.keys[Z_TRAVEL], who[0], who[1], leg)[0])
    net = m.network
    minutes = continuous(net.kind[link], net.travel[link, 0], net.travel[link, 1], net.travel[link, 2], u)
    return max(1000.0, (minutes * net.slowdown[link] + net.delay[link]) * MINUTE)


@inner
def way_time(s: Any, front: Any, goal: Any, link: Any, m: Any, who: Any) -> float:
    """ms along the network from `link` on to facility `goal`, passing those between without a stop."""
    total = 0.0
    leg = s.leg
    while True:
        total += leg_time(link, leg, m, who)
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
