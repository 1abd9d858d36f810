"""The evacuation network, care and routing as the kernel reads them, and the times of its ways (MODEL section 5)."""

from typing import Annotated, Any

from engine.clinical import FRONTS, MINUTE, TYPES, InjuryTables, PeopleTables, SurvivalParameters, to_uniform
from engine.codes import DrawPurpose
from engine.kernel.codes import MatrixOutcome
from engine.numeric import TRIANGULAR, compiled, continuous, words
from engine.tables import Float64, Floats, Int32, Int64, Ints, Row, UInt8, dtype_of

PURPOSES = ("care", "injury", "person", "survival", "travel", "vehicles")
"""Purposes of the random streams: Model.keys holds their keys in this order."""
# Z_CARE, 0, belongs to engine.clinical.treatments


FACILITIES, LINKS = 1000, 4000
WAYS, CANDIDATES, POOLS, WORLD_EVENTS, SHIFT_CHANGES = 4000, 8000, 1000, 2000, 16
"""The most that a network may have."""


RESOURCE_COUNT = 6
"""Resources of a facility; resource r of facility f is number f * RESOURCES + r everywhere."""

UNLIMITED = 1 << 30


class Network(Row):
    """The evacuation network; F fronts, M facilities, L links."""

    role: Annotated[Ints, "i8", FACILITIES]
    resuscitates: Annotated[Ints, "u1", FACILITIES]  # capable of DCR
    operates: Annotated[Ints, "u1", FACILITIES]  # capable of DCS
    icu: Annotated[Ints, "u1", FACILITIES]
    definitive: Annotated[Ints, "u1", FACILITIES]
    policy: Annotated[Floats, "f8", FACILITIES]  # evacuation policy in ms; infinity
    first_link: Annotated[Ints, "i8", FRONTS]  # from the point of injury
    next_link: Annotated[Ints, "i8", (FACILITIES, FRONTS)]  # onwards; -1 at the end
    origin: Annotated[Ints, "i8", LINKS]  # -1 the point of injury
    destination: Annotated[Ints, "i8", LINKS]
    minutes: Annotated[Floats, "f8", LINKS]  # mean travel time
    kind: Annotated[Ints, "i8", LINKS]  # of travel time
    travel: Annotated[Floats, "f8", (LINKS, 3)]  # its parameters, minutes
    slowdown: Annotated[Floats, "f8", LINKS]  # factor on the travel time (weather, mobility)
    delay: Annotated[Floats, "f8", LINKS]  # minutes added
    # resources
    facilities: Int64
    capacity: Annotated[Ints, "i4", FACILITIES * RESOURCE_COUNT]  # UNLIMITED where not finite
    finite: Annotated[Ints, "u1", FACILITIES * RESOURCE_COUNT]
    tables: Annotated[Ints, "i4", FACILITIES]  # operating tables, teams apart
    teams: Annotated[
        Ints, "i4", (FACILITIES, SHIFT_CHANGES)
    ]  # surgical teams from each change of the roster on
    shift: Annotated[Floats, "f8", (FACILITIES, SHIFT_CHANGES)]  # ms of the day of the changes
    shifts: Annotated[Ints, "i4", FACILITIES]
    surge: Annotated[Ints, "i4", (FACILITIES, RESOURCE_COUNT)]  # added by surge
    surge_trigger: Annotated[Ints, "i4", FACILITIES]  # ward beds in use; UNLIMITED without surge
    surge_delay: Annotated[Floats, "f8", FACILITIES]  # ms
    blood: Annotated[Ints, "i8", FACILITIES]  # units in stock; -1 no limit
    resupply_every: Annotated[Floats, "f8", FACILITIES]  # ms; 0 never
    resupply: Annotated[Ints, "i8", FACILITIES]  # units
    service_kind: Annotated[Ints, "i8", (FACILITIES, 5)]  # distribution of a service time; -1 the model's
    service: Annotated[Floats, "f8", (FACILITIES, 5, 3)]  # its parameters, minutes
    nation: Annotated[Ints, "i8", FACILITIES]  # -1 none
    counted: Annotated[Ints, "u1", FACILITIES]  # 1: places are counted
    struck: Annotated[Ints, "u1", FACILITIES]  # 1: a hit may change the future of those inside
    # ways: what those at one place (and of one front, at the POI) may choose among
    ways: Int64
    way: Annotated[Ints, "i4", (FACILITIES, FRONTS)]  # -1 at the end
    poi_way: Annotated[Ints, "i4", FRONTS]
    way_first: Annotated[Ints, "i4", WAYS]
    way_count: Annotated[Ints, "i4", WAYS]
    way_finite: Annotated[Ints, "u1", WAYS]
    candidate_link: Annotated[Ints, "i4", CANDIDATES]  # closest first
    rank: Annotated[Floats, "f8", CANDIDATES]  # the same for equally close ones
    candidate_pool: Annotated[Ints, "i4", CANDIDATES]  # -1: vehicles without limit
    candidate_way: Annotated[Ints, "i4", CANDIDATES]
    allowed: Annotated[Ints, "u1", CANDIDATES]  # bit c: triage category c may go
    able: Annotated[Ints, "u1", CANDIDATES]  # 1: the destination operates, where not all of the way do
    seated: Annotated[Ints, "u1", WAYS]  # 1: some of its vehicles have no litters
    able_for: Annotated[
        Ints, "u1", WAYS
    ]  # bit c: one that operates takes category c; 0 where all or none operate
    batch: Annotated[Ints, "i4", CANDIDATES]  # smallest batch; 0 none
    batch_wait: Annotated[Floats, "f8", CANDIDATES]  # ms
    batch_override: Annotated[Ints, "u1", CANDIDATES]
    out: Annotated[Ints, "u1", CANDIDATES]  # 1: the vehicle comes from elsewhere
    back: Annotated[Ints, "u1", CANDIDATES]  # 1: and goes back
    into_first: Annotated[Ints, "i4", FACILITIES + 1]  # ways that lead to a facility: into[first:next first]
    into: Annotated[Ints, "i4", CANDIDATES]
    using_first: Annotated[Ints, "i4", POOLS + 1]  # ways that a pool serves
    using: Annotated[Ints, "i4", CANDIDATES]
    ahead: Annotated[Ints, "u1", (FACILITIES, FRONTS)]  # 1: something at this facility or beyond is finite
    poi_ahead: Annotated[Ints, "u1", FRONTS]
    # vehicle pools
    pools: Int64
    vehicles: Annotated[Ints, "i4", POOLS]
    litters: Annotated[Ints, "i4", POOLS]
    seats: Annotated[Ints, "i4", POOLS]
    load: Annotated[Floats, "f8", POOLS]  # ms a patient
    unload: Annotated[Floats, "f8", POOLS]
    dispatch: Annotated[Floats, "f8", POOLS]  # ms before it leaves
    by_night: Annotated[Ints, "u1", POOLS]
    grounded: Annotated[Floats, "f8", POOLS]  # probability of a day on the ground
    loss: Annotated[Floats, "f8", POOLS]  # probability per sortie
    aboard: Annotated[Floats, "f8", POOLS]  # factor on the clock
    lift_every: Annotated[Floats, "f8", POOLS]  # ms; 0: not scheduled
    lift_first: Annotated[Floats, "f8", POOLS]
    lift_cancelled: Annotated[Floats, "f8", POOLS]
    pool_key: Annotated[Ints, "u8", POOLS]  # hash of the id
    # the world
    happenings: Int64
    happens_at: Annotated[Floats, "f8", WORLD_EVENTS]
    happens: Annotated[Ints, "i4", WORLD_EVENTS]
    happens_to: Annotated[Ints, "i4", WORLD_EVENTS]  # facility or pool
    happens_value: Annotated[Floats, "f8", WORLD_EVENTS]
    happens_killed: Annotated[Floats, "f8", WORLD_EVENTS]
    closed: Annotated[Ints, "i4", FACILITIES]  # 1: not open at the start
    moves: Int64
    moved_at: Annotated[Floats, "f8", WORLD_EVENTS]
    moved: Annotated[Ints, "i4", WORLD_EVENTS]  # facility
    farther: Annotated[Floats, "f8", WORLD_EVENTS]  # factor on the travel times from and to it from then on
    # policies
    push: UInt8
    destinations: UInt8
    bypass: UInt8
    national: UInt8
    bumping: UInt8
    expectant: Int32  # NISS from which, 0 never
    retriage: Float64  # ms
    night: Annotated[Floats, "f8", 2]  # ms of the day: from, to
    overflow: Float64  # clock factor in surge beds and at a full door
    blood_units: Int64  # of one resuscitation


NETWORK = dtype_of(Network)


class CareParameters(Row):
    """Service times in minutes, triage and request; all deterministic tables."""

    triage: Annotated[Floats, "f8", 1]  # minutes
    right: Annotated[Floats, "f8", 5]  # probability of the right category at POI, Role 1..4
    over: Annotated[Floats, "f8", 1]  # weight of over-triage against 1
    role1: Annotated[Floats, "f8", 3]  # triangular
    care: Annotated[Floats, "f8", 3]
    resuscitation: Annotated[Floats, "f8", 3]
    icu: Annotated[Floats, "f8", 3]
    waits: Annotated[Floats, "f8", 2]  # door to resuscitation, resuscitation to surgery
    surgery: Annotated[Floats, "f8", (2, 4)]  # log median minutes at Role 2 / 3 by ISS band
    surgery_sigma: Annotated[Floats, "f8", 1]
    decontamination: Annotated[Floats, "f8", 1]
    request: Annotated[Floats, "f8", 2]  # latest share of the leg: request, departure
    aid_slowdown: Annotated[Floats, "f8", 1]  # factor on the time to first aid (visibility)
    threshold: Annotated[Ints, "i8", 1]  # MASCAL
    horizon: Annotated[Floats, "f8", 1]  # ms; infinity


CARE = dtype_of(CareParameters)


class TransitionTables(Row):
    """Transition-matrix routing; index 0 POI, 1..4 roles; outcomes 1..4 roles, 5 dead, 6 returned."""

    used: Annotated[Ints, "u1", 1]
    cumulated: Annotated[Floats, "f8", (5, 4, 7)]  # by place and category
    triage: Annotated[Floats, "f8", (TYPES, 3, 3)]  # cumulated T1..T3 by warfare type and stream
    facility: Annotated[Ints, "i8", (FRONTS, 5)]  # facility of a role on a front; -1


TRANSITIONS = dtype_of(TransitionTables)


class Model(Row):
    """All tables of one run: one row, passed by reference."""

    people: PeopleTables
    injuries: InjuryTables
    survival: SurvivalParameters
    network: Network
    care: CareParameters
    transitions: TransitionTables
    keys: Annotated[Ints, "u8", 6]  # of the random streams, by PURPOSES


MODEL = dtype_of(Model)


@compiled
def triangular(u: Any, table: Any) -> float:
    """Inverse distribution function of the triangular distribution (low, mode, high)."""
    return continuous(TRIANGULAR, table[0], table[1], table[2], u)


@compiled
def relocation_factor(link: Any, at: Any, m: Any) -> float:
    """Factor on the travel time of a link by the moves of facilities until `at`, ms."""
    net = m.network
    factor = 1.0
    for k in range(net.moves):
        if net.moved_at[k] > at:
            break
        if net.moved[k] == net.origin[link] or net.moved[k] == net.destination[link]:
            factor *= net.farther[k]
    return factor


@compiled
def draw_leg_time(link: Any, leg: Any, at: Any, m: Any, who: Any) -> float:
    """ms on a link for who sets off at `at`, by the patient's own draw for the leg (MODEL section 7: keyed patient,
    leg).
    """
    u = to_uniform(words(m.keys[DrawPurpose.TRAVEL], who[0], who[1], leg)[0])
    net = m.network
    minutes = continuous(net.kind[link], net.travel[link, 0], net.travel[link, 1], net.travel[link, 2], u)
    if net.moves > 0:
        minutes *= relocation_factor(link, at, m)
    return max(1000.0, (minutes * net.slowdown[link] + net.delay[link]) * MINUTE)


@compiled
def draw_service_time(m: Any, facility: Any, which: Any, table: Any, u: Any) -> float:
    """Minutes of a service: the facility's own distribution, else triangular by `table`."""
    kind = m.network.service_kind[facility, which]
    if kind < 0:
        return triangular(u, table)
    own = m.network.service[facility, which]
    return continuous(kind, own[0], own[1], own[2], u)


@compiled
def draw_route_time(s: Any, front: Any, goal: Any, link: Any, m: Any, who: Any) -> float:
    """ms along the network from `link` on to facility `goal`, passing those between without a stop: under
    transition-matrix routing, where nothing moves.
    """
    total = 0.0
    leg = s.leg
    while True:
        total += draw_leg_time(link, leg, 0.0, m, who)
        here = m.network.destination[link]
        link = m.network.next_link[here, front]
        leg += 1
        if here == goal or link < 0:
            return total


@compiled
def draw_matrix_outcome(p: Any, s: Any, place: Any, m: Any, who: Any) -> None:
    """Transition-matrix routing: what happens at a place (0: POI, else the role) is drawn by triage category."""
    u = to_uniform(words(m.keys[DrawPurpose.SURVIVAL], who[0], who[1], 8 + place)[0])
    outcome = 1
    while outcome < MatrixOutcome.RETURNED and u >= m.transitions.cumulated[place, p.triage, outcome]:
        outcome += 1
    if outcome <= 4 and m.transitions.facility[p.front, outcome] < 0:
        outcome = MatrixOutcome.RETURNED  # the network has no such role: treated here
    s.outcome = outcome
