"""World events: what happens to facilities and vehicles during the run."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_DAYS, MAX_FACTOR, MAX_POOL, MIN_FACTOR
from engine.scenario.structs.vocabulary import WorldEventKind


class WorldEvent(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A change to the medical system itself: a facility opens, closes, moves or is hit, or vehicles are interdicted."""

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
            ge=MIN_FACTOR,
            le=MAX_FACTOR,
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
                le=MAX_POOL,
                examples=[4],
                description="interdiction: vehicles out of use; unset: all of the pool",
            ),
        ]
        | None
    ) = None
