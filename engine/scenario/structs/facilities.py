"""Medical treatment facilities and staging units, with their rosters and their surge capacity."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_COUNT, MAX_DAYS, MIN_INTERVAL_HOURS
from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.unset import UNSET_INT
from engine.scenario.structs.vocabulary import Category, FacilityKind


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


class Divert(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """When a facility diverts patients to others: while at least one of the conditions that are set holds."""

    queue: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_COUNT,
                examples=[4],
                description="diverts while as many patients or more wait there for triage, a treatment bay or an "
                "operating table; unset: whatever the queue",
            ),
        ]
        | None
    ) = None
    tables_busy: Annotated[
        bool,
        Meta(
            description="true: diverts while every operating table with a team on duty is in use, or no team is on duty"
        ),
    ] = False
    no_team: Annotated[
        bool, Meta(description="true: diverts while no surgical team is on duty by the shifts")
    ] = False
    ward_share: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=1,
                examples=[0.9],
                description="diverts while this share of the ward beds or more is in use; unset: whatever the ward",
            ),
        ]
        | None
    ) = None
    icu_share: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=1,
                examples=[1.0],
                description="diverts while this share of the ICU beds or more is in use; unset: whatever the ICU",
            ),
        ]
        | None
    ) = None
    categories: Annotated[
        list[Category],
        Meta(
            examples=[["T1", "T2"]],
            description="assigned triage categories that it diverts, T4 with T1; empty: all",
        ),
    ] = []


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
            "no MTF; an entry that overrides a facility of the network may leave it out",
        ),
    ] = UNSET_INT
    kind: Annotated[
        FacilityKind | None,
        Meta(
            examples=["role2_enhanced"],
            description="kind, which sets what it can do; unset: the role's, Role 2 being role2_enhanced, "
            "role 0 csu",
        ),
    ] = None
    new: Annotated[
        bool,
        Meta(
            description="true: add it beside the facilities of the network although its id is nearly that of one"
        ),
    ] = False
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
                description="evacuation policy in days: who will be fit within it stays; unset: 3, 7, "
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
    hold_bay: Annotated[
        bool,
        Meta(
            description="true: a patient waits for an operating table in the treatment bay; false: waits outside it, "
            "and the bay is free for others"
        ),
    ] = True
    divert: Annotated[
        Divert | None,
        Meta(
            examples=[{"tables_busy": True, "categories": ["T1", "T2"]}],
            description="when patients are brought to another facility that does not divert them; unset: only when it "
            "is full or closed",
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
                ge=MIN_INTERVAL_HOURS,
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
