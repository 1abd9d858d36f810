"""Types of warfare and special events: the patterns that casualties follow in time."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_DAYS
from engine.scenario.structs.vocabulary import EventKind, WarfareType


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
                description="hour of the day (UTC) it starts; unset: drawn among the kind's preferred hours",
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
