"""Rules of hospital care that hold for all facilities: further operations, and who needs intensive care."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.distributions import Distribution


class Reoperations(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Further operations of the wounded in the same facility, such as the second look after damage control surgery."""

    probability: Annotated[
        list[Annotated[float, Meta(ge=0, le=1)]],
        Meta(
            min_length=4,
            max_length=4,
            examples=[[0.1, 0.3, 0.6, 0.8]],
            description="probability that an operation is followed by another in the same stay, by ISS: 1-8, 9-15, "
            "16-24, 25 and more",
        ),
    ]
    interval_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "triangular", "low": 1440.0, "mode": 2160.0, "high": 2880.0}],
            description="time from the end of an operation until the next is due, in minutes; unset: the model's "
            "(care.toml)",
        ),
    ] = None
    most: Annotated[
        int,
        Meta(
            ge=2,
            le=5,
            description="most operations of a patient in one stay, the first included; counted anew in the next "
            "facility that operates",
        ),
    ] = 3
    roles: Annotated[
        list[Annotated[int, Meta(ge=1, le=3)]],
        Meta(
            examples=[[3]],
            description="roles whose facilities operate again before they evacuate; empty: all that operate",
        ),
    ] = []


class IntensiveCare(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Which of the wounded need intensive care where the facility has it: those who meet one of the criteria."""

    after_surgery: Annotated[
        bool, Meta(description="true: true T1, T2 and T4 who were operated on there")
    ] = True
    worst_ais: Annotated[
        Annotated[int, Meta(ge=1, le=6)] | None,
        Meta(examples=[4], description='worst AIS from which it is needed; "none": no criterion'),
    ] = 4
    niss: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=75,
                examples=[25],
                description="NISS from which it is needed; unset: no criterion",
            ),
        ]
        | None
    ) = None
    after_resuscitation: Annotated[
        bool, Meta(description="true: whoever had damage control resuscitation, there or before")
    ] = False
