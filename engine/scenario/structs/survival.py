"""What a scenario changes of the survival clock."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.vocabulary import WoundMechanism


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
                ge=-3, le=3, examples=[0.1], description="added to the mean of the latent severity of wounds"
            ),
        ]
        | None
    ) = None
    lethality: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                examples=[0.15],
                description="share of the wounded, those killed at once apart, who die without treatment; unset: as "
                "severity has it",
            ),
        ]
        | None
    ) = None
    untreated_minutes: (
        Annotated[
            float,
            Meta(
                ge=0.1,
                le=1_000_000,
                examples=[60.0],
                description="median minutes from injury to death of the wounded who die without treatment; unset: "
                "as severity has it",
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
                ge=0.01,
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
