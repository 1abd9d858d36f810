"""The parameters of one run as compiled code reads them: one row of MODEL, passed by reference.

Tables have room for the largest scenario allowed, so the kernel is compiled once for all scenarios.
"""

from typing import Annotated

from engine.codes import RESOURCE_COUNT, TREATMENTS, LethalMechanism
from engine.tables.care import CONDITIONS, TreatmentParameters
from engine.tables.complications import ComplicationTables
from engine.tables.rows import (
    Float64,
    Floats,
    Int64,
    Ints,
    Row,
    UInt8,
    dtype_of,
)
from engine.tables.vital_signs import VitalSignParameters

LISTED, LISTED_CONDITIONS = 20_000, 100_000
"""Most rows of listed casualties, and conditions that they are given."""


NATURES = 64
"""Kinds of external cause: of wounds 0 any, 1 burn, 2 blunt, 3 immersion; of agents the agent; of accidents and
diseases a set of kinds that can do it, 0 none.
"""


GROUPS = 48
"""Most groups of accidents, diseases and psychological conditions."""


AGENT_KINDS = 24
"""Most CBRN agents."""


NO_SIDE = 3
"""In the table of sides: the wound of the condition loses the side that was drawn."""


TYPES = 9
"""Rows of the tables by warfare type: a scenario's types in its order, the last row for none."""


SPECIALS = 256
"""Rows by special event; the last, NONE, outside special events."""


FRONTS, NATIONS, RANKS, BLOOD_GROUPS = 200, 48, 20, 8


WOUND_CONDITIONS, CHOICES, FEW_CHOICES = 2048, 65_536, 4096
"""Rows of the tables; fixed, so that the kernel is compiled once for all scenarios. Conditions of wounds come first."""


class PeopleTables(Row):
    """Tables of identity; F fronts, N nations, R ranks, B blood groups."""

    nations: Annotated[Floats, "f8", (FRONTS, NATIONS)]  # cumulated shares of the nations of a front
    female: Annotated[Floats, "f8", NATIONS]  # share of women
    given: Annotated[Ints, "i8", (NATIONS, 2)]  # number of given names by sex
    family: Annotated[Ints, "i8", (NATIONS, 2)]  # number of family names by sex
    ranks: Annotated[Floats, "f8", (NATIONS, RANKS)]  # cumulated weights
    rank_age: Annotated[Ints, "i8", (NATIONS, RANKS)]  # youngest age of a rank
    units: Annotated[Ints, "i8", FRONTS]  # number of units of a front
    blood: Annotated[Floats, "f8", (NATIONS, BLOOD_GROUPS)]  # cumulated shares
    weight: Annotated[Floats, "f8", (2, 2)]  # mean and SD in kg by sex
    start: Annotated[Ints, "i8", 1]  # ms of the scenario's start since 1970-01-01
    age_span: Annotated[Floats, "f8", 1]  # years above the youngest age of the rank
    weight_limits: Annotated[Floats, "f8", (2, 2)]  # lowest and highest weight in kg by sex


PEOPLE = dtype_of(PeopleTables)


class InjuryTables(Row):
    """Tables of wounds and illnesses; T warfare types plus one row for 'none', S special events plus one."""

    mechanisms: Annotated[Floats, "f8", (TYPES, 3)]  # cumulated
    instant: Annotated[Floats, "f8", TYPES]  # probability of instant death
    severity: Annotated[Floats, "f8", TYPES]  # mean of the latent severity Z
    special_severity: Annotated[Floats, "f8", SPECIALS]  # added to it
    special_type: Annotated[Ints, "i8", SPECIALS]  # row by warfare type of a special event
    wound_mean: Annotated[Floats, "f8", 3]  # mean number of further wounds by mechanism
    wound_slope: Annotated[Floats, "f8", 2]  # slope and offset of the log mean on Z
    latent: Annotated[Floats, "f8", 2]  # weights of Z and of the wound's own noise
    shift: Annotated[Floats, "f8", 3]  # by mechanism
    regions: Annotated[Floats, "f8", (3, 9)]  # cumulated
    ais: Annotated[Floats, "f8", (9, 5)]  # upper normal quantiles of AIS 1..5
    fatal: Annotated[Floats, "f8", 9]  # cumulated shares of the instantly fatal wound
    sided: Annotated[Ints, "u1", 9]  # 1 where a region has sides
    first: Annotated[
        Ints, "i8", (TYPES, 9, 3, 7, 3)
    ]  # first entry of (type, region, mechanism, AIS, side) in `choices`
    count: Annotated[Ints, "i8", (TYPES, 9, 3, 7, 3)]
    choices: Annotated[Ints, "i8", CHOICES]  # condition indices
    chance: Annotated[Floats, "f8", CHOICES]  # cumulated weights within each group
    flags: Annotated[Ints, "u1", CONDITIONS]  # bits of `ConditionFlag` of each condition
    groups: Annotated[Ints, "u1", CONDITIONS]  # care an illness calls for: `CareNeed` of each illness
    side: Annotated[Ints, "u1", CONDITIONS]  # the side a condition names; NO_SIDE: its wound has none
    sex: Annotated[Ints, "u1", CONDITIONS]  # 1 + the only sex that can have a condition, else 0
    burn_area: Annotated[Floats, "f8", CONDITIONS]  # % of the body surface that each condition burns
    burn_most: Annotated[
        Floats, "f8", 7
    ]  # % that all burns of a patient stay below, by the worst AIS of one of them
    conflicts: Annotated[
        Ints, "u1", (WOUND_CONDITIONS, WOUND_CONDITIONS // 8)
    ]  # a bit for each pair of conditions of wounds that exclude each other, the lowest bit first
    by_ais: Annotated[
        Ints, "u2", (WOUND_CONDITIONS, 3, 7)
    ]  # by condition, mechanism and AIS: the condition of the same code that fits them
    nature: Annotated[Ints, "u1", CONDITIONS]  # NATURES: which causes fit a condition; of agents, the agent
    same: Annotated[Ints, "u2", CONDITIONS]  # the first condition with the same code and use
    second_first: Annotated[Ints, "u2", CONDITIONS]  # first entry of a condition's further diagnoses
    second_count: Annotated[Ints, "u1", CONDITIONS]
    second_choices: Annotated[Ints, "u2", FEW_CHOICES]  # condition of a further diagnosis
    second_chance: Annotated[Floats, "f8", FEW_CHOICES]  # its probability
    second_categories: Annotated[Ints, "u1", FEW_CHOICES]  # bit c: for true category c
    ill_first: Annotated[
        Ints, "i8", (GROUPS, 4, 2)
    ]  # by group, true triage category (0: T1 that kills) and sex
    ill_count: Annotated[Ints, "i8", (GROUPS, 4, 2)]
    ill_choices: Annotated[Ints, "i8", FEW_CHOICES]
    ill_chance: Annotated[Floats, "f8", FEW_CHOICES]
    cause_first: Annotated[Ints, "i8", (TYPES, 7, NATURES)]  # by warfare type, mechanism and nature
    cause_count: Annotated[Ints, "i8", (TYPES, 7, NATURES)]
    cause_choices: Annotated[Ints, "i8", FEW_CHOICES]
    cause_chance: Annotated[Floats, "f8", FEW_CHOICES]
    psychological: Annotated[Floats, "f8", TYPES]  # share of disease that is psychological
    groups_chance: Annotated[
        Floats, "f8", (TYPES, 3, 4, 2, GROUPS)
    ]  # cumulated shares of groups by warfare type, kind from NBI on, true triage category and sex
    category: Annotated[Floats, "f8", (3, 4)]  # cumulated: lethal T1, other T1, T2, T3, by kind
    agents: Annotated[Floats, "f8", AGENT_KINDS]  # cumulated shares of the agents among incidents
    agent_severity: Annotated[Floats, "f8", (AGENT_KINDS, 4)]  # cumulated
    agent_triage: Annotated[Ints, "i8", (AGENT_KINDS, 4)]
    agent_first: Annotated[
        Ints, "i8", (AGENT_KINDS, 4)
    ]  # first entry of (agent, severity) in `agent_choices`
    agent_count: Annotated[Ints, "i8", (AGENT_KINDS, 4)]
    agent_choices: Annotated[Ints, "i8", FEW_CHOICES]
    agent_chance: Annotated[Floats, "f8", FEW_CHOICES]


INJURIES = dtype_of(InjuryTables)


class SurvivalParameters(Row):
    """Parameters of the clock; M = 9 lethal mechanisms, NISS and AIS index directly."""

    clock: Annotated[Ints, "u1", 1]  # 0: nobody dies of the clock or late
    lethal: Annotated[Floats, "f8", (TYPES, 76)]  # probability of being lethal if untreated, by type and NISS
    lethal_ais: Int64  # lowest worst AIS that can be lethal
    minutes: Annotated[Floats, "f8", (TYPES, 76)]  # median life in minutes, by type and NISS
    sigma: Annotated[Floats, "f8", 1]
    region_split: Annotated[Floats, "f8", 4]  # neck airway, thorax tension, abdomen torso, limb extremity
    immediate_minutes: Float64  # a lethal casualty with a life up to this is T1
    surgical_ais2: Annotated[Floats, "f8", TYPES]  # share of worst AIS 2 that needs surgery
    opened_ais2: Float64  # share of worst AIS 2 with an opened eye or large bone: the first of those
    # of a MASCAL incident, by type: NISS above which a T1 is T4, and the share of those with this NISS who are
    expectant: Annotated[Floats, "f8", (TYPES, 2)]
    aid_works: Annotated[Floats, "f8", len(LethalMechanism)]  # below 0: there is none
    aid_rate: Annotated[Floats, "f8", len(LethalMechanism)]
    resuscitation_rate: Annotated[Floats, "f8", len(LethalMechanism)]
    surgery_works: Annotated[Floats, "f8", len(LethalMechanism)]
    aid_delay: Annotated[Floats, "f8", 2]  # log of the median in minutes, sigma
    aid_delay_against: Annotated[Floats, "f8", len(LethalMechanism)]  # log of the median, by lethal mechanism
    late_penalty: Annotated[Floats, "f8", 2]  # share lost, from which u/T on
    late: Annotated[Floats, "f8", 5]  # probability, NISS scale, maximum, first day, mean in days after it
    stay_days: Annotated[Floats, "f8", CONDITIONS]  # median days in care, by condition
    stay_least: Annotated[Floats, "f8", CONDITIONS]  # days in care at least, by condition
    leaves: Annotated[Ints, "u1", CONDITIONS]  # 1: who has the condition never returns to duty in theatre
    stay_sigma: Float64  # of the logarithm of the days
    stay_shortest: Float64  # shortest stay, as a part of the median days
    least_days: Float64  # after an operation, and of those whom something would kill
    agent: Annotated[
        Floats, "f8", (AGENT_KINDS, 4, 3)
    ]  # by agent and severity: P(lethal), log median minutes, sigma
    agent_onset: Annotated[
        Floats, "f8", (AGENT_KINDS, 6)
    ]  # by agent: share delayed, the hours to choose from, factor on the life of the delayed
    dnbi_life: Annotated[Floats, "f8", 2]  # log median minutes, sigma
    factor: Annotated[Floats, "f8", 1]  # product of the environment's clock factors
    score: Annotated[Floats, "f8", 10]  # b, a, floor, per NISS, minutes, ceiling, recovery rate, -, -, -
    niss_equivalent: Annotated[Floats, "f8", 4]  # by true triage
    late_niss: Int64  # lowest NISS with a late hazard
    available: Annotated[Ints, "u1", len(TREATMENTS)]  # by Treatment; 0: nobody gets it
    prehospital_blood: Annotated[Floats, "f8", 3]  # 1 where vehicles carry it, P(works), clock rate after it
    resuscitation_works: Float64  # probability
    failed_surgery_rate: Float64  # lowest clock rate after damage control surgery that fails
    surgery_without_blood: Float64  # factor on the success of surgery of the bleeding who have had no blood


SURVIVAL = dtype_of(SurvivalParameters)


class ListedTables(Row):
    """What listed casualties are given, by row of the list in the order of the cells of their draws."""

    count: Int64
    cells: Annotated[Ints, "u8", LISTED]  # sorted
    mechanism: Annotated[Ints, "u1", LISTED]  # Mechanism; NONE: drawn
    kind: Annotated[Ints, "u1", LISTED]  # CasualtyKind that the condition belongs to; NONE: drawn
    nation: Annotated[Ints, "i2", LISTED]  # -1: drawn
    unit: Annotated[Ints, "i4", LISTED]  # -1: drawn
    sex: Annotated[Ints, "u1", LISTED]  # the sex that the condition needs; NONE: drawn
    severity: Annotated[Floats, "f8", LISTED]  # added to the latent severity Z
    odds: Annotated[Floats, "f8", LISTED]  # factor on the odds of being lethal
    life: Annotated[Floats, "f8", LISTED]  # factor on the life of the lethal
    categories: Annotated[Ints, "i4", (LISTED, 3)]  # cumulated numbers of T1 to T3; the others are drawn
    fitting: Annotated[Ints, "u1", LISTED]  # bit c: a drawn category may be c; 0: any
    may_kill: Annotated[Ints, "u1", LISTED]  # 1: the illness may kill within hours
    first: Annotated[Ints, "i4", LISTED]  # first of the conditions
    conditions: Annotated[Ints, "u1", LISTED]  # their number; 0: drawn
    condition: Annotated[Ints, "u2", LISTED_CONDITIONS]
    region: Annotated[Ints, "u1", LISTED_CONDITIONS]  # of a wound
    ais: Annotated[Ints, "u1", (LISTED_CONDITIONS, 2)]  # least and greatest AIS of a wound


LISTED_TABLES = dtype_of(ListedTables)


FACILITIES, LINKS = 1000, 4000


WAYS, CANDIDATES, POOLS, WORLD_EVENTS, SHIFT_CHANGES = 4000, 8000, 1000, 2000, 16
"""Sizes of the largest network allowed."""


UNLIMITED = 1 << 30


class Network(Row):
    """The evacuation network; F fronts, M facilities, L links."""

    role: Annotated[Ints, "i8", FACILITIES]
    resuscitates: Annotated[Ints, "u1", FACILITIES]  # capable of DCR
    operates: Annotated[Ints, "u1", FACILITIES]  # capable of DCS
    has_icu: Annotated[Ints, "u1", FACILITIES]
    definitive: Annotated[Ints, "u1", FACILITIES]
    evacuation_policy: Annotated[Floats, "f8", FACILITIES]  # ms; infinity: no limit
    first_link: Annotated[Ints, "i8", FRONTS]  # from the point of injury
    next_link: Annotated[Ints, "i8", (FACILITIES, FRONTS)]  # onwards; -1: none
    origin: Annotated[Ints, "i8", LINKS]  # -1 the point of injury
    destination: Annotated[Ints, "i8", LINKS]
    minutes: Annotated[Floats, "f8", LINKS]  # mean travel time
    travel_kind: Annotated[Ints, "i8", LINKS]  # distribution of the travel time
    travel_parameters: Annotated[Floats, "f8", (LINKS, 3)]  # its parameters, minutes
    slowdown: Annotated[Floats, "f8", LINKS]  # factor on the travel time (weather, mobility)
    delay: Annotated[Floats, "f8", LINKS]  # minutes added
    # care at the point of injury, by front and `FieldTime`
    field_care: Annotated[Ints, "u1", FRONTS]  # 1: the front has such times
    field_kind: Annotated[Ints, "i8", (FRONTS, 4)]  # distribution; -1: none
    field_minutes: Annotated[Floats, "f8", (FRONTS, 4, 3)]  # its parameters, minutes
    # resources
    facilities: Int64
    capacity: Annotated[Ints, "i4", FACILITIES * RESOURCE_COUNT]  # UNLIMITED where not finite
    finite: Annotated[Ints, "u1", FACILITIES * RESOURCE_COUNT]
    operating_tables: Annotated[Ints, "i4", FACILITIES]  # whatever the number of teams
    surgical_teams: Annotated[Ints, "i4", (FACILITIES, SHIFT_CHANGES)]  # from each change of the roster on
    shift_start: Annotated[Floats, "f8", (FACILITIES, SHIFT_CHANGES)]  # ms of the day
    shift_count: Annotated[Ints, "i4", FACILITIES]  # changes of the roster; 0: no roster
    surge: Annotated[Ints, "i4", (FACILITIES, RESOURCE_COUNT)]  # places added
    surge_trigger: Annotated[Ints, "i4", FACILITIES]  # ward beds in use; UNLIMITED without surge
    surge_delay: Annotated[Floats, "f8", FACILITIES]  # ms
    holds_bay: Annotated[Ints, "u1", FACILITIES]  # 1: the bay is held while waiting for a table
    blood: Annotated[Ints, "i8", FACILITIES]  # units in stock; -1: unlimited
    resupply_interval: Annotated[Floats, "f8", FACILITIES]  # ms; 0: never
    resupply_units: Annotated[Ints, "i8", FACILITIES]
    service_kind: Annotated[Ints, "i8", (FACILITIES, 5)]  # distribution of each ServiceTime; -1: the model's
    service: Annotated[Floats, "f8", (FACILITIES, 5, 3)]  # its parameters, minutes
    nation: Annotated[Ints, "i8", FACILITIES]  # -1: none
    counts_places: Annotated[Ints, "u1", FACILITIES]  # `PlaceCount`: which patients are counted
    fewest_units: Annotated[Ints, "i4", FACILITIES]  # of its limited resources, ward beds and places aside
    # diversion (docs/model.md section 2.9.4)
    divert_categories: Annotated[
        Ints, "u1", FACILITIES
    ]  # bit c: category c may be diverted; 0: never diverts
    divert_queue: Annotated[Ints, "i4", FACILITIES]  # patients who wait; 0: no condition
    divert_tables_busy: Annotated[Ints, "u1", FACILITIES]
    divert_no_team: Annotated[Ints, "u1", FACILITIES]
    divert_ward_share: Annotated[Floats, "f8", FACILITIES]  # of the beds in use; 0: no condition
    divert_icu_share: Annotated[Floats, "f8", FACILITIES]
    may_be_hit: Annotated[Ints, "u1", FACILITIES]  # 1: a hit may affect those inside
    # ways: the candidates for transport of those at one place (at the POI: of one front)
    ways: Int64
    way: Annotated[Ints, "i4", (FACILITIES, FRONTS)]  # -1: none
    poi_way: Annotated[Ints, "i4", FRONTS]
    way_first: Annotated[Ints, "i4", WAYS]
    way_count: Annotated[Ints, "i4", WAYS]
    way_finite: Annotated[Ints, "u1", WAYS]
    candidate_link: Annotated[Ints, "i4", CANDIDATES]  # the closest first
    distance_rank: Annotated[Floats, "f8", CANDIDATES]  # equally close ones have the same
    candidate_pool: Annotated[Ints, "i4", CANDIDATES]  # -1: unlimited vehicles
    candidate_platform: Annotated[Ints, "u1", CANDIDATES]  # 1 + kind of transport; 0: the link names none
    candidate_way: Annotated[Ints, "i4", CANDIDATES]
    allowed_categories: Annotated[Ints, "u1", CANDIDATES]  # bit c: takes triage category c
    # 1: the destination operates, where not all of the way do
    candidate_operates: Annotated[Ints, "u1", CANDIDATES]
    seats_only: Annotated[Ints, "u1", WAYS]  # 1: some vehicles have no litters
    # bit c: one that operates takes category c; 0: all or none operate
    operating_categories: Annotated[Ints, "u1", WAYS]
    diverted_categories: Annotated[Ints, "u1", WAYS]  # bit c: some destination may divert category c
    batch: Annotated[Ints, "i4", CANDIDATES]  # smallest batch; 0: none
    batch_wait: Annotated[Floats, "f8", CANDIDATES]  # ms
    batch_override: Annotated[Ints, "u1", CANDIDATES]  # bit c: category c need not wait for the batch
    comes_from_base: Annotated[Ints, "u1", CANDIDATES]  # 1: the vehicle has to travel to the place first
    returns_to_base: Annotated[Ints, "u1", CANDIDATES]  # 1: the vehicle has to travel back
    # ways that lead to a facility: ways_to[ways_to_first[f] : ways_to_first[f + 1]]
    ways_to_first: Annotated[Ints, "i4", FACILITIES + 1]
    ways_to: Annotated[Ints, "i4", CANDIDATES]
    ways_of_pool_first: Annotated[Ints, "i4", POOLS + 1]  # ways that a pool serves, likewise
    ways_of_pool: Annotated[Ints, "i4", CANDIDATES]
    # 1: something at this facility or later is finite
    finite_ahead: Annotated[Ints, "u1", (FACILITIES, FRONTS)]
    poi_finite_ahead: Annotated[Ints, "u1", FRONTS]
    # the dead (docs/model.md section 2.9.5)
    recovers_dead: UInt8  # `Recovery`
    collection_points: UInt8  # 1: some facilities are; 0: the next facility is the end
    remains_wait: Annotated[Ints, "u1", WAYS]  # 1: the dead wait for a vehicle
    remains_pool: Annotated[Ints, "i4", CANDIDATES]  # pool for the dead; -1: unlimited vehicles; NO_VEHICLE
    remains_comes_from_base: Annotated[Ints, "u1", CANDIDATES]  # as `comes_from_base`, of that pool
    remains_returns_to_base: Annotated[Ints, "u1", CANDIDATES]
    remains_leave: Annotated[
        Ints, "u1", (FACILITIES, FRONTS)
    ]  # 1: the dead of a front are moved on from there
    remains_leave_poi: Annotated[Ints, "u1", FRONTS]
    # vehicle pools
    pools: Int64
    vehicles: Annotated[Ints, "i4", POOLS]
    litters: Annotated[Ints, "i4", POOLS]
    seats: Annotated[Ints, "i4", POOLS]
    load_time: Annotated[Floats, "f8", POOLS]  # ms per patient
    unload_time: Annotated[Floats, "f8", POOLS]  # ms per patient
    dispatch_delay: Annotated[Floats, "f8", POOLS]  # ms before the vehicle leaves
    moves_by_night: Annotated[Ints, "u1", POOLS]
    grounded_probability: Annotated[Floats, "f8", POOLS]  # of a day
    loss_probability: Annotated[Floats, "f8", POOLS]  # of a sortie
    vehicle_clock_factor: Annotated[Floats, "f8", POOLS]  # factor on the survival clock
    lift_interval: Annotated[Floats, "f8", POOLS]  # ms; 0: not scheduled
    first_lift_at: Annotated[Floats, "f8", POOLS]  # ms
    lift_cancelled: Annotated[Floats, "f8", POOLS]  # probability
    pool_key: Annotated[Ints, "u8", POOLS]  # hash of the id
    # world events
    world_event_count: Int64
    world_event_at: Annotated[Floats, "f8", WORLD_EVENTS]  # ms
    world_event_kind: Annotated[Ints, "i4", WORLD_EVENTS]  # WorldEventKind
    world_event_target: Annotated[Ints, "i4", WORLD_EVENTS]  # facility or pool
    world_event_value: Annotated[Floats, "f8", WORLD_EVENTS]  # share of capacity, or number of vehicles
    world_event_killed: Annotated[Floats, "f8", WORLD_EVENTS]  # probability, for each casualty inside
    closed_at_start: Annotated[Ints, "i4", FACILITIES]  # 1: closed
    move_count: Int64
    move_at: Annotated[Floats, "f8", WORLD_EVENTS]  # ms
    moved_facility: Annotated[Ints, "i4", WORLD_EVENTS]
    move_factor: Annotated[Floats, "f8", WORLD_EVENTS]  # on travel times from and to it from then on
    # policies
    push: UInt8
    destination_policy: UInt8  # DestinationPolicy
    bypass: UInt8
    prefers_own_nation: UInt8
    bumping: UInt8
    retriage_interval: Float64  # ms
    night: Annotated[Floats, "f8", 2]  # ms of the day: from, to
    overflow_factor: Float64  # clock factor in surge places


NETWORK = dtype_of(Network)


class CareParameters(Row):
    """Service times in minutes, triage and request; all deterministic tables."""

    triage: Annotated[Floats, "f8", 1]  # minutes
    triage_accuracy: Annotated[Floats, "f8", 5]  # probability of the right category at POI, Role 1 to 4
    triage_accuracy_minor: Annotated[Floats, "f8", 5]  # the same of true T3
    # at the point of injury, of true T1 who do not look it: elsewhere, in a mass casualty incident
    triage_accuracy_immediate: Annotated[Floats, "f8", 2]
    triage_accuracy_slight: Annotated[Floats, "f8", 2]  # of slight T3: at the POI, in a facility
    over_triage_weight: Annotated[Floats, "f8", 1]  # against 1 for under-triage
    over_triage_two_steps: Annotated[Floats, "f8", 1]  # of the wrong T3 who may look like T1 at the POI
    plain_share: Annotated[Floats, "f8", 1]  # used part of the life from which T1 is plain at the POI
    plain_ais: Annotated[
        Ints, "i8", 2
    ]  # worst AIS, and AIS of the head, with which T1 is plain in a facility
    # hours from the first admission on in which signs are not normal: injured chest, burns, who needs blood; burnt
    # share of the surface from which burns count, %; by grade of an agent; by true category of the ill
    unwell_hours: Annotated[Floats, "f8", 3]
    unwell_burn: Annotated[Floats, "f8", 1]
    unwell_by_grade: Annotated[Floats, "f8", 4]
    unwell_by_triage: Annotated[Floats, "f8", 5]
    role1: Annotated[Floats, "f8", 3]  # triangular
    care: Annotated[Floats, "f8", 3]
    resuscitation: Annotated[Floats, "f8", 3]
    icu: Annotated[Floats, "f8", 3]
    waits: Annotated[Floats, "f8", 2]  # door to resuscitation, resuscitation to surgery
    surgery: Annotated[Floats, "f8", (2, 4)]  # log median minutes at Role 2 / 3 by ISS band
    surgery_work: Annotated[
        Floats, "f8", (2, 4)
    ]  # log mean of the power of the usual minutes, by role and band
    surgery_given: Annotated[Floats, "f8", 5]  # sigma, exponent, minutes of setting up, least and most
    # further operations, by ISS band: probability; most operations of a stay (1: no further one); bit r: at role r
    reoperation: Annotated[Floats, "f8", 4]
    most_operations: Int64
    reoperation_roles: Int64
    reoperation_interval_kind: Int64  # distribution of the interval
    reoperation_interval: Annotated[Floats, "f8", 3]  # its parameters, minutes
    excision: Annotated[Floats, "f8", 3]  # minutes from the injury until a burn is excised, triangular
    # who needs intensive care
    icu_after_surgery: UInt8
    icu_after_resuscitation: UInt8
    icu_ais: Int64  # lowest worst AIS; 7: none
    icu_niss: Int64  # lowest NISS; 76: none
    decontamination: Annotated[Floats, "f8", 1]
    # units of blood of a resuscitation, lognormal: log medians of who bleeds to death and of others, sigma,
    # correlation, rise of the log median for each point of NISS, NISS of the medians; of shock by other open wounds:
    # log median, sigma
    blood: Annotated[Floats, "f8", 8]
    most_units_of_others: Annotated[Floats, "f8", 2]  # who do not bleed to death: operated on, or not
    most_units: Int64  # at most 60: what the column of units has room for beside other bits of a grant
    prehospital_units: Int64
    unit_minutes: Annotated[Floats, "f8", 2]  # a unit of blood takes: in the bay; after it
    request_shares: Annotated[Floats, "f8", 2]  # latest share of the leg for request and departure
    preparation: Annotated[
        Floats, "f8", 5
    ]  # ms from request to departure at a facility, by assigned category
    awakening: Annotated[Floats, "f8", 1]  # ms from the end of an operation to departure
    # ms from the end of an operation to the request, after a minor one on a limb and others; of routine after any
    recovery: Annotated[Floats, "f8", 3]
    arrangement: Annotated[
        Floats, "f8", (5, 2)
    ]  # ms to arrange the journey to Role 4, by category: least, most
    quarters_ais: Int64  # highest worst AIS of an outpatient; 0: there are none
    quarters_after: Annotated[Floats, "f8", 1]  # ms on the ward before quarters
    # ms in intensive care: awake after an operation, before an operation elsewhere, after one on the head
    icu_limits: Annotated[Floats, "f8", 3]
    aid_slowdown: Annotated[Floats, "f8", 1]  # factor on the time to first aid (visibility)
    mascal_threshold: Annotated[Ints, "i8", 1]  # casualties of an incident
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
    listed: ListedTables
    keys: Annotated[Ints, "u8", 6]  # of the random streams, by DrawPurpose
    treatments: TreatmentParameters
    vital_signs: VitalSignParameters
    complications: ComplicationTables


MODEL = dtype_of(Model)
