"""Vehicle pools, and lifts that leave on a schedule."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_DAYS, MAX_POOL, MIN_INTERVAL_HOURS, MIN_SPEED_KMH
from engine.scenario.structs.unset import UNSET_INT, UNSET_KIND
from engine.scenario.structs.vocabulary import TransportKind


class Lift(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A lift on a schedule: at each time the vehicles leave the origin of their links, as full as they can be."""

    interval_hours: Annotated[
        float,
        Meta(
            ge=MIN_INTERVAL_HOURS,
            le=24 * MAX_DAYS,
            examples=[12.0],
            description="hours from one lift to the next",
        ),
    ]
    first_hour: Annotated[
        float,
        Meta(ge=0, le=24 * MAX_DAYS, examples=[6.0], description="hours from the start to the first lift"),
    ] = 0.0
    cancellation: Annotated[
        float, Meta(ge=0, le=1, examples=[0.1], description="probability that a lift is cancelled")
    ] = 0.0


class Vehicle(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A pool of vehicles of one kind, which stand in for each other."""

    id: Annotated[
        str,
        Meta(
            min_length=1, max_length=96, examples=["ambulances"], description="its id, which links refer to"
        ),
    ]
    kind: Annotated[
        TransportKind,
        Meta(
            examples=["ambulance_armored"],
            description="kind of transport, which gives litters and speed; an entry that overrides a pool of the "
            "network may leave it out",
        ),
    ] = UNSET_KIND
    number: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_POOL,
            examples=[12],
            description="how many there are; an entry that overrides a pool of the network may leave it out",
        ),
    ] = UNSET_INT
    new: Annotated[
        bool,
        Meta(
            description="true: add it beside the pools of the network although its id is nearly that of one"
        ),
    ] = False
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
        Annotated[
            float,
            Meta(ge=MIN_SPEED_KMH, le=2000, examples=[60.0], description="speed in km/h; unset: the kind's"),
        ]
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
            description="leaves on a schedule, all vehicles at each time, on links from one origin; unset: on request",
        ),
    ] = None
