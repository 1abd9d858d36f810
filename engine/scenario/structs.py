"""What a scenario is made of: msgspec Structs. The description of a field is its documentation everywhere
(commented scenario files, docs), and its bounds are those that are checked.

Durations are minutes, rates are casualties per 1,000 strength per day, shares are fractions of 1.
"""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct, field

Stream = Literal["battle", "nbi", "disease"]
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
WoundMechanism = Literal["explosion", "gunshot", "other"]
Routing = Literal["clock", "transition-matrix"]
DistributionKind = Literal["constant", "exponential", "lognormal", "gamma", "erlang", "triangular"]
FacilityKind = Literal["csu", "role1", "role2_basic", "role2_enhanced", "role3", "role4"]
NetworkName = Literal["brigade", "division"]
Acceptance = Literal["accept", "push"]
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

MAX_TOTAL = 1_000_000_000
MAX_DAYS = 3650
MAX_COUNT = 1_000_000
"""Most teams, bays, tables, beds or places of one facility."""

MAX_FACILITIES = 1000
MAX_LINKS = 4000
MAX_VEHICLES = 1000


class Distribution(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A random duration in minutes, or a random daily rate per 1,000 strength.

    constant: mean. exponential: mean. lognormal: mean and sd, or median and sigma. gamma: mean and sd.
    erlang: mean and k. triangular: low, mode, high. Rates are constant, exponential, lognormal or gamma.
    """

    distribution: Annotated[
        DistributionKind,
        Meta(
            examples=["lognormal"],
            description="constant (mean), exponential (mean), lognormal (mean and sd, or median and sigma), "
            "gamma (mean and sd), erlang (mean and k), triangular (low, mode, high)",
        ),
    ]
    mean: Annotated[float, Meta(ge=0, le=1e6, description="mean, in the unit of the place")] | None = None
    sd: Annotated[float, Meta(gt=0, le=1e6, description="standard deviation, same unit")] | None = None
    median: Annotated[float, Meta(gt=0, le=1e6, description="median of a lognormal, same unit")] | None = None
    sigma: (
        Annotated[float, Meta(gt=0, le=5, description="standard deviation of the logarithm of a lognormal")]
        | None
    ) = None
    low: Annotated[float, Meta(ge=0, le=1e6, description="smallest value of a triangular")] | None = None
    mode: Annotated[float, Meta(ge=0, le=1e6, description="most likely value of a triangular")] | None = None
    high: Annotated[float, Meta(gt=0, le=1e6, description="largest value of a triangular")] | None = None
    k: Annotated[int, Meta(ge=1, le=1000, description="number of stages of an erlang")] | None = None
    autocorrelation: Annotated[
        float,
        Meta(
            gt=-1,
            lt=1,
            description="lognormal rates only: correlation of the logarithm of one day's rate with "
            "the next day's",
        ),
    ] = 0.0


RateSetting = Distribution | Annotated[list[Distribution], Meta(max_length=10)] | None


class Rates(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Daily casualty rates per 1,000 strength; every front needs its `population` then.

    A list of distributions is added up, each drawn on its own (published WIA and KIA rates add).
    """

    battle: Annotated[
        RateSetting,
        Meta(
            examples=[{"distribution": "lognormal", "mean": 1.77, "sd": 3.56}],
            description="battle casualties, killed and wounded together, per 1,000 strength a day",
        ),
    ] = None
    nbi: Annotated[
        RateSetting,
        Meta(
            examples=[{"distribution": "constant", "mean": 0.27}],
            description="non-battle injuries per 1,000 strength a day",
        ),
    ] = None
    disease: Annotated[
        RateSetting,
        Meta(
            examples=[{"distribution": "constant", "mean": 0.43}],
            description="disease and psychological casualties per 1,000 strength a day",
        ),
    ] = None
    depletion: Annotated[
        bool, Meta(description="true: casualties reduce the strength at risk from the next day on")
    ] = False


class Casualties(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How many casualties: an exact total, or daily rates; never both. Without either, 1,440."""

    total: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_TOTAL,
                examples=[1440],
                description="exact number of casualties of all kinds, 1 to 1e9",
            ),
        ]
        | None
    ) = None
    rates: Annotated[
        Rates | None,
        Meta(
            examples=[
                {
                    "battle": {"distribution": "lognormal", "mean": 1.77, "sd": 3.56},
                    "nbi": {"distribution": "constant", "mean": 0.27},
                }
            ],
            description="instead of total: daily rates per 1,000 strength, drawn anew each day",
        ),
    ] = None


class Mix(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Shares of the three streams of casualties under `total`; they sum to 1."""

    battle: Annotated[
        float,
        Meta(
            ge=0, le=1, examples=[0.5], description="share of battle casualties, CBRN by the enemy included"
        ),
    ]
    nbi: Annotated[float, Meta(ge=0, le=1, examples=[0.3], description="share of non-battle injuries")]
    disease: Annotated[
        float,
        Meta(ge=0, le=1, examples=[0.2], description="share of disease, psychological casualties included"),
    ]


class Warfare(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A type of warfare: it sets hours of the day, sizes of incidents, mechanisms and severity."""

    type: Annotated[WarfareType, Meta(examples=["artillery"], description="the type")]
    weight: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=1e6,
                examples=[1.0],
                description="relative weight among the types; unset: the reference table's",
            ),
        ]
        | None
    ) = None


class SpecialEvent(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """An offensive, ambush or mass casualty event on top of the daily course; its casualties are battle casualties."""

    event: Annotated[EventKind, Meta(examples=["major_offensive"], description="the kind of event")]
    day: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_DAYS,
                examples=[3],
                description="day it happens, 1 = the first; unset: the middle day",
            ),
        ]
        | None
    ) = None
    hour: (
        Annotated[
            float,
            Meta(
                ge=0,
                lt=24,
                examples=[6.5],
                description="hour of the day it starts; unset: drawn among the kind's preferred hours",
            ),
        ]
        | None
    ) = None
    front: (
        Annotated[
            str,
            Meta(
                examples=["North"],
                description="name of the front it hits; unset: drawn by the fronts' shares",
            ),
        ]
        | None
    ) = None
    type: Annotated[
        WarfareType | None,
        Meta(
            examples=["conventional"],
            description="type of warfare of its casualties; unset: the heaviest of the scenario's types",
        ),
    ] = None
    casualty_multiplier: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=1000,
                examples=[3.0],
                description="intensity against an ordinary hour; unset: the reference table's",
            ),
        ]
        | None
    ) = None


class Front(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A front (or base, or ship): where casualties come from and which nations they belong to."""

    name: Annotated[
        str,
        Meta(
            min_length=1, max_length=80, examples=["North"], description="its name, unlike any other front's"
        ),
    ]
    share: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                examples=[1.0],
                description="share of the casualties under total (all fronts together 1); unset: by "
                "population, else equal",
            ),
        ]
        | None
    ) = None
    population: (
        Annotated[
            int, Meta(ge=1, le=MAX_TOTAL, examples=[4000], description="strength at risk; needed by rates")
        ]
        | None
    ) = None
    nations: Annotated[
        dict[str, float],
        Meta(
            min_length=1,
            max_length=300,
            examples=[{"NOR": 0.5, "GBR": 0.5}],
            description="share of each nation (ISO 3166-1 alpha-3 code), together 1",
        ),
    ]


class Shift(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Surgical teams on duty from an hour of the day to another (UTC), every day."""

    from_hour: Annotated[
        float, Meta(ge=0, lt=24, examples=[6.0], description="hour of the day (UTC) it begins")
    ]
    to_hour: Annotated[
        float,
        Meta(
            ge=0,
            le=24,
            examples=[18.0],
            description="hour of the day (UTC) it ends; before from_hour: on the next day",
        ),
    ]
    surgical_teams: Annotated[
        int, Meta(ge=0, le=MAX_COUNT, examples=[2], description="surgical teams on duty, 0 for none")
    ]


class Surge(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What a facility adds when its ward fills up."""

    trigger: Annotated[
        float,
        Meta(
            ge=0, le=1, examples=[0.8], description="share of the ward beds in use from which it is called up"
        ),
    ] = 0.8
    delay_minutes: Annotated[
        float, Meta(ge=0, le=1e5, examples=[60.0], description="minutes from the call until it can be used")
    ] = 0.0
    ward_beds: Annotated[
        int, Meta(ge=0, le=MAX_COUNT, examples=[10], description="ward and holding beds added")
    ] = 0
    icu_beds: Annotated[int, Meta(ge=0, le=MAX_COUNT, examples=[2], description="ICU beds added")] = 0
    treatment_bays: Annotated[
        int, Meta(ge=0, le=MAX_COUNT, examples=[2], description="treatment bays added")
    ] = 0


class Facility(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A medical treatment facility (MTF), or a casualty staging unit (CSU) where patients wait to be moved on."""

    id: Annotated[
        str,
        Meta(min_length=1, max_length=96, examples=["R2-North"], description="its id, which links refer to"),
    ]
    role: Annotated[
        int,
        Meta(
            ge=0,
            le=4,
            examples=[2],
            description="role, 1 to 4; 0 for a casualty staging unit (kind csu), which gives no care and is "
            "no MTF",
        ),
    ]
    kind: Annotated[
        FacilityKind | None,
        Meta(
            examples=["role2_enhanced"],
            description="kind, which sets what it can do; unset: the role's, Role 2 being role2_enhanced, "
            "role 0 csu",
        ),
    ] = None
    name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=80,
                examples=["Field hospital 1"],
                description="its name in the records; unset: the id",
            ),
        ]
        | None
    ) = None
    fronts: Annotated[
        list[str], Meta(examples=[["North"]], description="names of the fronts it serves; empty: all")
    ] = []
    dcr: Annotated[
        bool | None,
        Meta(examples=[True], description="can do damage control resuscitation; unset: from Role 2 on"),
    ] = None
    dcs: Annotated[
        bool | None, Meta(examples=[True], description="can do damage control surgery; unset: from Role 2 on")
    ] = None
    icu: Annotated[
        bool | None, Meta(examples=[True], description="has intensive care; unset: from Role 2 Enhanced on")
    ] = None
    definitive: Annotated[
        bool | None, Meta(examples=[False], description="can do definitive surgery; unset: from Role 3 on")
    ] = None
    policy_days: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=MAX_DAYS,
                examples=[7.0],
                description="evacuation policy in days: who will be fit within it stays; unset: 1, 7, "
                "15 for Roles 1 to 3, "
                "no limit at Role 4",
            ),
        ]
        | None
    ) = None
    triage_teams: (
        Annotated[int, Meta(ge=1, le=1_000_000, examples=[2], description="triage teams; unset: no limit")]
        | None
    ) = None
    treatment_bays: (
        Annotated[
            int, Meta(ge=1, le=1_000_000, examples=[4], description="resuscitation bays; unset: no limit")
        ]
        | None
    ) = None
    operating_tables: (
        Annotated[
            int, Meta(ge=1, le=1_000_000, examples=[2], description="operating tables; unset: no limit")
        ]
        | None
    ) = None
    surgical_teams: (
        Annotated[int, Meta(ge=1, le=1_000_000, examples=[2], description="surgical teams; unset: no limit")]
        | None
    ) = None
    icu_beds: (
        Annotated[int, Meta(ge=1, le=1_000_000, examples=[4], description="ICU beds; unset: no limit")] | None
    ) = None
    ward_beds: (
        Annotated[
            int, Meta(ge=1, le=1_000_000, examples=[30], description="ward and holding beds; unset: no limit")
        ]
        | None
    ) = None
    nation: (
        Annotated[
            str,
            Meta(
                examples=["NOR"],
                description="nation that runs it (ISO 3166-1 alpha-3 code), for national_preference; unset: "
                "none in particular",
            ),
        ]
        | None
    ) = None
    places: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_COUNT,
                examples=[40],
                description="patients it has room for at a time, those on their way to it included; unset: "
                "ward_beds + icu_beds + treatment_bays where ward_beds is set, else no limit",
            ),
        ]
        | None
    ) = None
    shifts: Annotated[
        list[Shift],
        Meta(
            max_length=6,
            examples=[[{"from_hour": 6.0, "to_hour": 18.0, "surgical_teams": 2}]],
            description="roster of surgical teams over the day; none outside it; empty: surgical_teams "
            "round the clock",
        ),
    ] = []
    surge: Annotated[
        Surge | None,
        Meta(
            examples=[{"trigger": 0.8, "delay_minutes": 60.0, "ward_beds": 10}],
            description="what is added when the ward fills up; unset: nothing",
        ),
    ] = None
    blood_units: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=MAX_COUNT,
                examples=[40],
                description="units of blood in stock at the start; unset: no limit",
            ),
        ]
        | None
    ) = None
    resupply_hours: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=24 * MAX_DAYS,
                examples=[24.0],
                description="hours between deliveries of blood, the first after as many; with resupply_units",
            ),
        ]
        | None
    ) = None
    resupply_units: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_COUNT,
                examples=[20],
                description="units of blood in a delivery; with resupply_hours",
            ),
        ]
        | None
    ) = None
    triage_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "constant", "mean": 2.5}],
            description="time of a triage, in minutes; unset: the model's (care.toml)",
        ),
    ] = None
    care_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "exponential", "mean": 45.0}],
            description="time in a treatment bay of those who need no surgery, in minutes; unset: the model's",
        ),
    ] = None
    resuscitation_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "triangular", "low": 13.0, "mode": 28.0, "high": 55.0}],
            description="time in a treatment bay of those who go on to surgery, in minutes; unset: the model's",
        ),
    ] = None
    surgery_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "lognormal", "mean": 120.0, "sd": 60.0}],
            description="time on an operating table, in minutes; unset: the model's, by severity",
        ),
    ] = None
    icu_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "erlang", "mean": 1600.0, "k": 2}],
            description="time in an ICU bed, in minutes; unset: the model's",
        ),
    ] = None


class Batch(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Patients who leave together: a vehicle goes when enough of them wait, or one has waited long enough."""

    minimum: Annotated[
        int,
        Meta(ge=2, le=1000, examples=[4], description="patients that make a batch, at least 2"),
    ]
    wait_minutes: Annotated[
        float,
        Meta(
            ge=0,
            le=1e5,
            examples=[240.0],
            description="longest wait for a batch to fill; then the vehicle goes with those there are",
        ),
    ]
    override: Annotated[
        list[Category],
        Meta(
            examples=[["T1"]],
            description="triage categories for whom a vehicle goes at once, with whoever waits",
        ),
    ] = field(default_factory=lambda: ["T1"])


class Link(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A leg of evacuation: `minutes` (request included), or `distance_km` with terrain and vehicle."""

    origin: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=96,
            examples=["POI"],
            description="POI (point of injury) or a facility's id",
        ),
    ]
    destination: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=96,
            examples=["R2-North"],
            description="a facility's id, of the same or a higher role",
        ),
    ]
    fronts: Annotated[
        list[str],
        Meta(
            examples=[["North"]],
            description="fronts whose casualties use it; empty: all that both ends serve",
        ),
    ] = []
    minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "lognormal", "median": 52.0, "sigma": 0.85}],
            description="time from the decision to evacuate to the door, in minutes; with one of `vehicles`: "
            "time of one way from origin to destination",
        ),
    ] = None
    distance_km: (
        Annotated[
            float, Meta(gt=0, le=20_000, examples=[40.0], description="instead of minutes: distance in km")
        ]
        | None
    ) = None
    terrain: Annotated[
        Terrain | None,
        Meta(examples=["mixed"], description="terrain of the distance; unset: road, in the air for aircraft"),
    ] = None
    vehicle: (
        Annotated[
            str,
            Meta(
                examples=["ambulance_armored"],
                description="id of one of `vehicles`, whose number is limited, or a kind of transport, which "
                "gives the speed only; unset: ambulance_standard, through the air medevac_helicopter",
            ),
        ]
        | None
    ) = None
    categories: Annotated[
        list[Category],
        Meta(
            examples=[["T1", "T2"]],
            description="who may use it, by the triage category assigned; empty: all",
        ),
    ] = []
    batch: Annotated[
        Batch | None,
        Meta(
            examples=[{"minimum": 4, "wait_minutes": 240.0}],
            description="patients leave together, in batches; needs a vehicle; unset: a vehicle goes as soon "
            "as it can",
        ),
    ] = None


class Lift(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A lift on a schedule: at each time the vehicles leave the origin of their links with whom they have room for."""

    interval_hours: Annotated[
        float, Meta(gt=0, le=24 * MAX_DAYS, examples=[12.0], description="hours from one lift to the next")
    ]
    first_hour: Annotated[
        float,
        Meta(ge=0, le=24 * MAX_DAYS, examples=[6.0], description="hours from the start to the first lift"),
    ] = 0.0
    cancellation: Annotated[
        float, Meta(ge=0, le=1, examples=[0.1], description="probability that a lift is cancelled")
    ] = 0.0


class Vehicle(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A pool of like vehicles."""

    id: Annotated[
        str,
        Meta(
            min_length=1, max_length=96, examples=["ambulances"], description="its id, which links refer to"
        ),
    ]
    kind: Annotated[TransportKind, Meta(examples=["ambulance_armored"], description="kind of transport")]
    number: Annotated[int, Meta(ge=1, le=100_000, examples=[12], description="how many there are")]
    base: (
        Annotated[
            str,
            Meta(
                examples=["R1-North"],
                description="id of the facility they are based at; unset: the destination of links from POI, "
                "else the origin",
            ),
        ]
        | None
    ) = None
    litters: (
        Annotated[
            int, Meta(ge=0, le=1000, examples=[2], description="litter places; unset: the kind's capacity")
        ]
        | None
    ) = None
    seats: (
        Annotated[
            int, Meta(ge=0, le=1000, examples=[4], description="places for walking patients; unset: none")
        ]
        | None
    ) = None
    speed_kmh: (
        Annotated[float, Meta(gt=0, le=2000, examples=[60.0], description="speed in km/h; unset: the kind's")]
        | None
    ) = None
    load_minutes: (
        Annotated[
            float, Meta(ge=0, le=1440, examples=[2.0], description="minutes to load a patient; unset: 0")
        ]
        | None
    ) = None
    unload_minutes: (
        Annotated[
            float, Meta(ge=0, le=1440, examples=[2.0], description="minutes to unload a patient; unset: 0")
        ]
        | None
    ) = None
    night: Annotated[bool, Meta(description="may move at night, 20 to 6 h UTC")] = True
    dispatch_minutes: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1e5,
                examples=[10.0],
                description="minutes from the order until it leaves (escort, hold); unset: 0",
            ),
        ]
        | None
    ) = None
    grounded: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            examples=[0.1],
            description="probability of a day on which the weather keeps it grounded",
        ),
    ] = 0.0
    loss: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            examples=[0.001],
            description="probability, per sortie, that the vehicle is lost before it picks anyone up",
        ),
    ] = 0.0
    clock_factor: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=3,
                examples=[0.8],
                description="rate of the survival clock on board, below 1 with care on the way; unset: 1",
            ),
        ]
        | None
    ) = None
    lift: Annotated[
        Lift | None,
        Meta(
            examples=[{"interval_hours": 12.0, "first_hour": 6.0}],
            description="goes by a schedule, all of them at each time, on links from one origin; unset: on request",
        ),
    ] = None


class WorldEvent(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Something that befalls the medical system itself: a facility opens, closes, moves or is hit, vehicles are
    interdicted.
    """

    event: Annotated[
        WorldEventKind,
        Meta(
            examples=["hit"],
            description="open: the facility does not exist before; close, move: it takes no one for the "
            "duration, after a move it is nearer or farther; hit: it loses capacity and patients; interdiction: "
            "vehicles are out of use",
        ),
    ]
    at_hours: Annotated[
        float,
        Meta(
            ge=0, le=240 * MAX_DAYS, examples=[36.0], description="when, in hours from the scenario's start"
        ),
    ]
    facility: (
        Annotated[
            str,
            Meta(examples=["R2-North"], description="id of the facility; of every event but interdiction"),
        ]
        | None
    ) = None
    vehicle: (
        Annotated[
            str, Meta(examples=["ambulances"], description="id of the vehicle pool; of interdiction only")
        ]
        | None
    ) = None
    duration_hours: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=240 * MAX_DAYS,
                examples=[12.0],
                description="hours until all is as before; unset: for good",
            ),
        ]
        | None
    ) = None
    minutes_factor: Annotated[
        float,
        Meta(
            gt=0,
            le=100,
            examples=[1.5],
            description="move: the minutes of all links to and from the facility are times this from then on",
        ),
    ] = 1.0
    capacity_lost: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            examples=[0.5],
            description="hit: share of every finite resource that is lost for the duration",
        ),
    ] = 1.0
    killed: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            examples=[0.1],
            description="hit: probability that a patient inside is killed; the others queue again from triage",
        ),
    ] = 0.0
    number: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=100_000,
                examples=[4],
                description="interdiction: vehicles out of use; unset: all of the pool",
            ),
        ]
        | None
    ) = None


class Survival(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What a scenario changes of the survival clock; unset: the model's own value."""

    instant_death: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                examples=[0.07],
                description="probability that a battle casualty is killed at once; unset: the type's",
            ),
        ]
        | None
    ) = None
    severity: (
        Annotated[
            float,
            Meta(
                ge=-1, le=1, examples=[0.1], description="added to the mean of the latent severity of wounds"
            ),
        ]
        | None
    ) = None
    mechanisms: Annotated[
        dict[WoundMechanism, float] | None,
        Meta(
            examples=[{"explosion": 0.75, "gunshot": 0.2, "other": 0.05}],
            description="shares of explosion, gunshot, other among wounds' mechanisms, together 1; "
            "unset: the type's",
        ),
    ] = None
    aid_success_factor: Annotated[
        float, Meta(ge=0, le=2, description="multiplies the probability that first aid works (capped at 1)")
    ] = 1.0
    surgery_success_factor: Annotated[
        float,
        Meta(ge=0, le=2, description="multiplies the success of surgery, brain injury apart (capped at 1)"),
    ] = 1.0
    tbi_success: (
        Annotated[
            float,
            Meta(ge=0, le=1, examples=[0.4], description="success of surgery for brain injury; unset: 0.40"),
        ]
        | None
    ) = None
    late_hazard: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                examples=[0.022],
                description="probability of late death (sepsis, organ failure) at NISS 25; unset: 0.022",
            ),
        ]
        | None
    ) = None
    first_aid_minutes: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=10_000,
                examples=[5.0],
                description="median minutes from injury to first aid; unset: 5",
            ),
        ]
        | None
    ) = None
    clock: Annotated[
        bool, Meta(description="false: nobody dies of wounds, illness or late complications, only at once")
    ] = True


class Scenario(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A whole scenario: who is hurt, where, when, and the evacuation network they go through."""

    name: Annotated[str, Meta(min_length=1, max_length=80, description="short name of the scenario")]
    description: Annotated[str, Meta(max_length=4000, description="what it is, in a sentence or two")] = ""
    start: Annotated[str, Meta(description="first day's beginning, ISO 8601 in UTC, whole seconds")] = (
        "2030-01-01T00:00:00Z"
    )
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS, description="days during which people are hurt")] = 8
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1, description="seed of all random draws")] = 1
    horizon_days: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=10 * MAX_DAYS,
                examples=[30.0],
                description="days after which the simulation stops, at least `days`; unset: all are "
                "followed to an outcome",
            ),
        ]
        | None
    ) = None
    intensity: Annotated[
        Intensity, Meta(description="intensity of operations: rates, clusters and number of events")
    ] = "medium"
    tempo: Annotated[
        Tempo | None,
        Meta(
            examples=["escalating"],
            description="how casualties spread over the days; unset: sustained with warfare types",
        ),
    ] = None
    environment: Annotated[
        list[Environment],
        Meta(
            max_length=100,
            examples=[["rain", "night_operations"]],
            description="conditions: delays, mobility, disease, severity, special injuries",
        ),
    ] = []
    day_weights: Annotated[
        Annotated[list[Annotated[float, Meta(ge=0, le=1e6)]], Meta(max_length=MAX_DAYS)] | None,
        Meta(
            examples=[[1.0, 2.0, 1.0]],
            description="instead of tempo: one weight per day, as many as `days`; under rates they "
            "scale the rates",
        ),
    ] = None
    routing: Annotated[
        Routing,
        Meta(
            description="clock: outcomes follow from severity, time and care; transition-matrix: "
            "reference table"
        ),
    ] = "clock"
    mascal_threshold: Annotated[
        int,
        Meta(
            ge=2,
            le=1_000_000,
            description="casualties of one incident from which it is a mass casualty incident",
        ),
    ] = 10
    expectant: Annotated[
        bool,
        Meta(
            description="mass casualty policy: at an incident over mascal_threshold the worst wounded (NISS 50 "
            "and more) are T4, last in every queue"
        ),
    ] = False
    acceptance: Annotated[
        Acceptance,
        Meta(
            description="accept: a vehicle leaves only for a facility that has a place; push: it leaves anyhow"
        ),
    ] = "accept"
    destination: Annotated[
        DestinationPolicy,
        Meta(
            description="which of the facilities that can take a patient: the closest, one at random, or the "
            "least loaded"
        ),
    ] = "closest-first"
    bypass: Annotated[
        bool,
        Meta(
            description="true: a full or closed destination is passed over for the next; false: patients wait "
            "for the closest"
        ),
    ] = True
    national_preference: Annotated[
        bool, Meta(description="true: facilities of the casualty's own nation come first")
    ] = False
    bumping: Annotated[
        bool,
        Meta(
            description="true: a more urgent patient takes the treatment bay of a less urgent one, who resumes later"
        ),
    ] = False
    retriage_minutes: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(
            examples=[60.0],
            description='interval of re-triage while waiting, in minutes; "none" for never',
        ),
    ] = 60.0
    triage_accuracy: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                examples=[0.8],
                description="probability of the right category at every triage; unset: .70 at POI, .80 at "
                "Role 1, .90 from Role 2 on",
            ),
        ]
        | None
    ) = None
    network: Annotated[
        NetworkName | None,
        Meta(
            examples=["brigade"],
            description="a ready laydown; facilities, links and vehicles written beside it change or add to "
            "it: by id, links by origin and destination; unset: the default laydown or one's own",
        ),
    ] = None
    network_scale: Annotated[
        float,
        Meta(
            gt=0,
            le=1000,
            examples=[2.0],
            description="multiplies the network's teams, bays, tables, beds, places, supplies and vehicles, "
            "at least 1 each",
        ),
    ] = 1.0
    casualties: Annotated[Casualties, Meta(description="how many: total or rates; without either 1,440")] = (
        Casualties(total=1440)
    )
    mix: Annotated[
        Mix | None,
        Meta(
            examples=[{"battle": 0.5, "nbi": 0.3, "disease": 0.2}],
            description="shares of battle, nbi, disease under total; unset: .15/.33/.52 by warfare type",
        ),
    ] = None
    triage: Annotated[
        dict[Stream, dict[Category, float]] | None,
        Meta(
            examples=[{"battle": {"T1": 0.25, "T2": 0.25, "T3": 0.5}}],
            description="shares of T1, T2, T3 by stream. Clock: battle tilts severity towards the T1 share, "
            "disease acts on the agent too in type cbrn; transition-matrix: they are drawn as they stand",
        ),
    ] = None
    survival: Annotated[Survival, Meta(description="changes to the survival clock")] = Survival()
    warfare: Annotated[
        list[Warfare],
        Meta(max_length=100, description="types of warfare with weights; empty: no pattern in the day"),
    ] = []
    events: Annotated[
        list[SpecialEvent], Meta(max_length=254, description="special events on top of the daily course")
    ] = []
    fronts: Annotated[
        list[Front],
        Meta(
            max_length=200,
            description="fronts; empty: Poland .6, Estonia .3, Finland .1 of the reference table",
        ),
    ] = []
    facilities: Annotated[
        list[Facility],
        Meta(
            max_length=MAX_FACILITIES,
            description="MTFs and staging units; empty: the network's, else Role 1, 2, 3 per front and one Role 4",
        ),
    ] = []
    links: Annotated[
        list[Link],
        Meta(
            max_length=MAX_LINKS,
            description="legs of evacuation; empty: the default ones; without facilities each "
            "replaces the default leg "
            "of the same origin",
        ),
    ] = []
    vehicles: Annotated[list[Vehicle], Meta(max_length=MAX_VEHICLES, description="vehicle pools")] = []
    world: Annotated[
        list[WorldEvent],
        Meta(max_length=1000, description="events that befall facilities and vehicles, in any order"),
    ] = []
